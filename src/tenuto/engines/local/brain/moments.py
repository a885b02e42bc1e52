"""Durations and moments as people say them, in seconds: "an hour and a half", "tomorrow at half past five".

The patterns read a clause after `numbered`. A moment without "morning" or "PM" is the next one that comes; the
answer says which."""

import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from tenuto.engines.local.brain.numerals import in_words
from tenuto.engines.local.brain.wording import listed

LONGEST = 366 * 86400.0
"""Seconds ahead that an alarm may be set."""

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_UNIT = r"(?:second|minute|hour|day|week)s?"
_HALF = r" and a half"
_PIECE = (
    rf"(?:half an? (?:hour|minute|day)|(?:a )?quarter of an hour|3 quarters of an hour"
    rf"|(?:\d{{1,9}}(?:\.\d{{1,4}})?|an?|a couple of|a few)(?:{_HALF})? {_UNIT}(?:{_HALF})?)"
)
DURATION = rf"{_PIECE}(?:(?: and)? {_PIECE}){{0,3}}"

_PART = r"(?: (?:a m|p m|am|pm|in the (?:morning|afternoon|evening)|at night|tonight))?"
_CLOCK = (
    r"(?:half past \d{1,2}|(?:a )?quarter (?:past|to) \d{1,2}|\d{1,2} (?:minutes )?(?:past|to) \d{1,2}"
    r"|\d{1,2} o'clock|\d{1,2}:\d\d|\d{1,2} \d\d|\d{1,2}|noon|midday|midnight)"
)
_DAY = (
    rf"(?:(?:tomorrow|today|this|(?:on |next |this )?(?:{'|'.join(WEEKDAYS)}))"
    r"(?: (?:morning|afternoon|evening|night))?|tonight)"
)
WHEN = rf"(?:in {DURATION}|{_DAY}(?: (?:at|by) {_CLOCK}{_PART})?|(?:at|by) {_CLOCK}{_PART}(?: {_DAY})?)"
CLOCK = _CLOCK + _PART

_PIECES = re.compile(_PIECE)
_EARLY = ("a m", "am", "morning")
_LATE = ("p m", "pm", "afternoon", "evening", "night")


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def local(now: float, timezone: str) -> datetime:
    """Return a moment as the clock on that wall shows it. An unknown zone is the host's; an impossible moment
    is 1970.
    """
    try:
        moment = datetime.fromtimestamp(now, UTC)
        return moment.astimezone(_zone(timezone))
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def instant(day: datetime, hour: int, minute: int, timezone: str) -> float:
    """Return when a wall clock shows that hour on that day, in seconds since 1970-01-01 UTC."""
    zone = _zone(timezone)
    if zone is not None:
        return day.replace(
            hour=hour, minute=minute, second=0, microsecond=0, tzinfo=zone
        ).timestamp()
    try:
        return time.mktime((day.year, day.month, day.day, hour, minute, 0, 0, 0, -1))
    except (OverflowError, ValueError):
        return 0.0


def duration(text: str) -> float:
    """Return the seconds of a `DURATION`."""
    return sum(_piece(match[0]) for match in _PIECES.finditer(text))


def _piece(text: str) -> float:
    if text.startswith("half a"):
        return _SECONDS[text.split()[-1]] / 2
    if "quarter" in text:
        return 2700.0 if text.startswith("3") else 900.0
    unit = next(word for word in text.split() if word.removesuffix("s") in _SECONDS)
    seconds = _SECONDS[unit.removesuffix("s")]
    first = text.split()[0]
    if text.startswith("a couple"):
        count = 2.0
    elif text.startswith("a few"):
        count = 3.0
    else:
        count = 1.0 if first in ("a", "an") else float(first)
    return (count + 0.5 * (_HALF in text)) * seconds


def moment(text: str, now: float, timezone: str) -> float | None:
    """Return when a `WHEN` is, in seconds since 1970-01-01 UTC; None when there is no such hour or it is too far."""
    if match := re.match(rf"in ({DURATION})", text):
        due = now + duration(match[1])
        return due if due - now <= LONGEST else None
    here = local(now, timezone)
    day, named = _day(text, here)
    clock = re.search(rf"(?:at|by) ({_CLOCK})", text)
    if clock is None:
        hours = {"morning": 9, "afternoon": 15, "evening": 19, "night": 20}
        part = next((hour for word, hour in hours.items() if word in text), 9)
        due = instant(day, part, 0, timezone)
        return due if due > now else None
    read = _clock(clock[1])
    if read is None:
        return None
    rest = text.replace(clock[1], "", 1)
    hour, minute = _half_of_day(*read, rest, clock[1])
    choices = [hour] if hour is not None else _both(read[0], named)
    offsets = [0] if named else [0, 1]
    dues = (
        instant(day + timedelta(days=offset), each, minute, timezone)
        for offset in offsets
        for each in choices
    )
    return min((due for due in dues if due > now), default=None)


def _day(text: str, here: datetime) -> tuple[datetime, bool]:
    """Return the day meant, and whether it was named."""
    if "tomorrow" in text:
        return here + timedelta(days=1), True
    for number, name in enumerate(WEEKDAYS):
        if name in text:
            ahead = (number - here.weekday()) % 7 or 7
            return here + timedelta(days=ahead), True
    return here, any(word in text.split() for word in ("today", "tonight", "this"))


def _clock(text: str) -> tuple[int, int] | None:
    """Return hour and minute of a `_CLOCK`; None when no clock shows it."""
    if text in ("noon", "midday"):
        return 12, 0
    if text == "midnight":
        return 0, 0
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    hour = numbers[-1] if "past" in text or " to " in text else numbers[0]
    minute = 0
    if "half past" in text:
        minute = 30
    elif "quarter" in text:
        minute = 15
    elif len(numbers) == 2:
        minute = numbers[0] if "past" in text or " to " in text else numbers[1]
    if " to " in text:
        hour, minute = hour - 1 if hour != 1 else 12, 60 - minute
    return (hour % 24, minute) if 0 <= hour <= 24 and 0 <= minute < 60 else None


def _half_of_day(hour: int, minute: int, rest: str, clock: str) -> tuple[int | None, int]:
    """Return the hour of 24, or None when morning and evening are both possible."""
    said = " ".join(rest.split())
    if hour > 12 or hour == 0 or clock in ("noon", "midday", "midnight"):
        return hour, minute
    if any(re.search(rf"\b{word}\b", said) for word in _EARLY):
        return hour % 12, minute
    if re.search(r"\b(?:night|tonight)\b", said) and hour < 5:
        return hour, minute
    if any(re.search(rf"\b{word}\b", said) for word in (*_LATE, "tonight")):
        return hour % 12 + 12, minute
    return None, minute


def _both(hour: int, named: bool) -> list[int]:
    """Return the hours of 24 that an hour of 12 may mean: by day when the day was named, else either."""
    if named:
        return [hour] if 7 <= hour <= 11 else [hour % 12 + 12]
    return [hour % 12, hour % 12 + 12]


def clock_words(at: datetime) -> str:
    """Return the time of day as it is said: `2:05 PM`."""
    return f"{at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}"


def day_words(at: datetime) -> str:
    """Return the date as it is said: `Saturday, 21 November 2026`."""
    return f"{at:%A}, {at.day} {at:%B} {at.year}"


def moment_words(due: float, now: float, timezone: str) -> str:
    """Return when something is due: `at 5:30 PM`, `tomorrow at 9:00 AM`, `on Friday at 9:00 AM`."""
    at, here = local(due, timezone), local(now, timezone)
    days = (at.date() - here.date()).days
    if days == 0:
        return f"at {clock_words(at)}"
    if days == 1:
        return f"tomorrow at {clock_words(at)}"
    if 0 < days < 7:
        return f"on {at:%A} at {clock_words(at)}"
    return f"on {day_words(at)} at {clock_words(at)}"


def duration_words(seconds: float, plural: bool = True) -> str:
    """Return a duration as it is said: `one minute and 30 seconds`; with `plural` off as before a noun: `ten
    minute`.
    """
    left = round(min(max(seconds, 0.0), 100 * LONGEST))
    parts: list[str] = []
    for unit in ("day", "hour", "minute", "second"):
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{in_words(count)} {unit}{'s' if plural and count != 1 else ''}")
    return listed(parts) or "no time"
