"""The time, the date, timers and reminders. What is set becomes an alarm of the session, which outlives the server.

An alarm's text says what it is: `ten minute timer`, `7:00 AM alarm`, or else what to be reminded of.
"""

import re
from collections.abc import Callable
from datetime import timedelta

from tenuto.engines.local.brain.moments import (
    CLOCK,
    DURATION,
    LONGEST,
    WHEN,
    clock_words,
    day_words,
    duration,
    duration_words,
    local,
    moment,
    moment_words,
)
from tenuto.engines.local.brain.names import with_names
from tenuto.engines.local.brain.normalise import Clause
from tenuto.engines.local.brain.numerals import in_words, numbered
from tenuto.engines.local.brain.situation import (
    Answer,
    Found,
    Reply,
    Rule,
    Situation,
    answered,
    rule,
    say,
    saying,
)
from tenuto.engines.local.brain.wording import listed, sentence, to_you
from tenuto.session.ports import Alarm, AlarmDropped, AlarmWanted

LATE = 60.0
"""Seconds after which an alarm that rings says how late it is."""

_TIMER = re.compile(r"(?:no time|[\w-]+ (?:day|hour|minute|second)\b.*) timer")
_CLOCK_ALARM = re.compile(r"\d{1,2}:\d\d [AP]M alarm")


def ringing(alarm: Alarm, now: float, timezone: str) -> list[str]:
    """Return what to say when an alarm is due."""
    late = now - alarm.due
    texts = [_ring_text(alarm.text)]
    if LATE < late < LONGEST:
        at = clock_words(local(alarm.due, timezone))
        texts.append(f"It was due {duration_words(late // 60 * 60)} ago, at {at}.")
    return texts


def _ring_text(text: str) -> str:
    text = " ".join(text.split())
    if _TIMER.fullmatch(text):
        return f"Your {text} is up."
    if _CLOCK_ALARM.fullmatch(text):
        return f"This is your {text}."
    return sentence(f"Reminder: {to_you(text)}") if text else "This is your reminder."


def _is_timer(alarm: Alarm) -> bool:
    return bool(_TIMER.fullmatch(alarm.text))


# ------------------------------------------------------------------------------------------------------- time and date


def _time(found: Found, situation: Situation) -> Reply | None:
    return say(f"It is {clock_words(local(situation.now, situation.timezone))}.")


def _date(words: str, days: int = 0) -> Answer:
    def answer(found: Found, situation: Situation) -> Reply | None:
        here = local(situation.now, situation.timezone) + timedelta(days=days)
        month = f"{here:%B} {here.year}"
        return say(words.format(day=day_words(here), month=month, year=here.year))

    return answer


# -------------------------------------------------------------------------------------------------- setting something


def _set(due: float, text: str, words: str, situation: Situation) -> Reply:
    wanted = AlarmWanted(turn=situation.turn, due=due, text=text)
    known = any(a.turn == situation.turn and a.text == text for a in situation.alarms)
    return say(words, effects=() if known else (wanted,))


def _timer(found: Found, situation: Situation) -> Reply | None:
    seconds = duration(found.plain("d") or found.plain("adj"))
    if not 1 <= seconds <= LONGEST:
        return say("I can set a timer for one second up to one year.")
    length = duration_words(seconds, plural=False)
    label = found.plain("label")
    text = f"{length} {label} timer" if label else f"{length} timer"
    return _set(situation.now + seconds, text, f"Your {text} starts now.", situation)


def _so_long(found: Found, situation: Situation) -> Reply | None:
    """Take "five minutes" as the answer to the question that was just asked."""
    asked = situation.last("agent")
    return _timer(found, situation) if asked and "For how long?" in asked.text else None


def _remind(found: Found, situation: Situation) -> Reply | None:
    task = re.sub(r"^(?:to|about|that|of)\s+", "", found.said("task"), flags=re.I).rstrip(" ,")
    if not task or re.search(r"\b(?:is|are|was|be)$", task):
        return None
    task = with_names(task)
    due = moment(found.plain("when"), situation.now, situation.timezone)
    if due is None or due - situation.now > LONGEST:
        return say("I cannot set a reminder for that moment: it is past, or more than a year away.")
    when = moment_words(due, situation.now, situation.timezone)
    first = found.plain("task").split()[0]
    linking = {"to": " to ", "about": " about ", "of": " of ", "that": " that "}.get(first, ": ")
    return _set(due, task, sentence(f"I will remind you {when}{linking}{to_you(task)}"), situation)


def _wake(found: Found, situation: Situation) -> Reply | None:
    due = moment(found.plain("when"), situation.now, situation.timezone)
    if due is None:
        return say(
            "I do not know that moment.",
            'Say, for example, "set an alarm for seven in the morning".',
        )
    text = f"{clock_words(local(due, situation.timezone))} alarm"
    return _set(
        due,
        text,
        f"I will wake you {moment_words(due, situation.now, situation.timezone)}.",
        situation,
    )


def _alarm(found: Found, situation: Situation) -> Reply | None:
    when = found.plain("when") or f"at {found.plain('clock')}"
    due = moment(when, situation.now, situation.timezone)
    if due is None:
        return say(
            "I do not know that moment.",
            'Say, for example, "set an alarm for seven in the morning".',
        )
    text = f"{clock_words(local(due, situation.timezone))} alarm"
    words = f"Your alarm is set: it rings {moment_words(due, situation.now, situation.timezone)}."
    return _set(due, text, words, situation)


# ------------------------------------------------------------------------------------------------- asking, cancelling


def _described(alarm: Alarm, situation: Situation) -> str:
    left = alarm.due - situation.now
    if _is_timer(alarm):
        return f"your {alarm.text} has {duration_words(left)} left"
    when = moment_words(alarm.due, situation.now, situation.timezone)
    if _CLOCK_ALARM.fullmatch(alarm.text):
        return f"your alarm rings {when}"
    return f'your reminder "{to_you(alarm.text)[:80]}" comes {when}'


def _wanted(found: Found, situation: Situation) -> list[Alarm]:
    """Return the alarms of the sort that was named: timers, reminders, alarms, or all; soonest first."""
    kind = found.plain("kind").removesuffix("s")
    sorts: dict[str, Callable[[Alarm], bool]] = {
        "timer": _is_timer,
        "reminder": lambda a: not _is_timer(a) and not _CLOCK_ALARM.fullmatch(a.text),
        "alarm": lambda a: bool(_CLOCK_ALARM.fullmatch(a.text)),
    }
    matches = [a for a in situation.alarms if kind not in sorts or sorts[kind](a)]
    return sorted(matches, key=lambda a: a.due)


def _left(found: Found, situation: Situation) -> Reply | None:
    alarms = _wanted(found, situation)
    kind = found.plain("kind").removesuffix("s") or "timer"
    if not alarms:
        return say(f"No {kind} is set.")
    cites = tuple(sorted({a.turn for a in alarms[:6] if 0 < a.turn != situation.turn}))
    more = [f"And {len(alarms) - 6} more."] if len(alarms) > 6 else []
    return say(*(sentence(_described(a, situation)) for a in alarms[:6]), *more, cites=cites)


def _cancel(found: Found, situation: Situation) -> Reply | None:
    alarms = _wanted(found, situation)
    every = bool(found.plain("all")) or found.plain("kind").endswith("s")
    kind = found.plain("kind").removesuffix("s") or "timer"
    if found.plain("which"):
        length = duration_words(duration(found.plain("which")), plural=False)
        alarms = [a for a in alarms if a.text.startswith(f"{length} ")]
        kind = f"{length} {kind}"
    if not alarms:
        return say(f"There is no {kind} to cancel.")
    if len(alarms) > 1 and not every:
        names = listed(
            [f"the {a.text}" if _is_timer(a) else f'"{to_you(a.text)[:60]}"' for a in alarms[:4]]
        )
        return say(
            f"You have {in_words(len(alarms))}: {names}.",
            f'Say which one, or say "cancel all {kind}s".',
        )
    dropped = tuple(AlarmDropped(turn=situation.turn, alarm=a.alarm) for a in alarms if a.alarm)
    if len(alarms) == 1:
        what = f"your {alarms[0].text}" if _is_timer(alarms[0]) else f"your {kind}"
        return say(f"I have cancelled {what}.", effects=dropped)
    every_one = "both" if len(alarms) == 2 else f"all {in_words(len(alarms))}"
    return say(f"I have cancelled {every_one} of them.", effects=dropped)


_KIND = r"(?P<kind>timers?|reminders?|alarms?)"
_SETTING = r"(?:set|start|make|give|create|begin|add|put)(?: me)?(?: up)?"
_WHEN = 'When? Say, for example, "remind me in ten minutes to call Bob".'

RULES: list[Rule] = [
    rule(
        _time,
        r"what time is it(?: here)?|what is the time(?: here)?|(?:tell me |say )?the time"
        r"|what time do we have|do you (?:know|have) (?:what )?(?:the )?time(?: it is| is it)?"
        r"|time",
    ),
    rule(
        saying("I only know the time of your own clock.", 'Ask me "what time is it?".'),
        r"what (?:time is it|is the time|is the date|day is it) (?:in|at) .+",
    ),
    rule(
        _date("Today is {day}."),
        r"what (?:is )?(?:the )?(?:date|day)(?: is it)?(?: today)?(?: is it)?"
        r"|what is today(?:'s date)?|(?:tell me )?(?:the|today's) date|what date is today"
        r"|what day is today|which day is it(?: today)?",
    ),
    rule(
        _date("Tomorrow is {day}.", 1),
        r"what (?:day|date) is (?:it )?tomorrow|what day will it be tomorrow"
        r"|what is (?:the (?:date|day) )?tomorrow(?:'s date)?",
    ),
    rule(_date("Yesterday was {day}.", -1), r"what (?:day|date) was (?:it )?yesterday"),
    rule(_date("It is {month}."), r"(?:what|which) month is (?:it|this)(?: now)?"),
    rule(_date("It is {year}."), r"(?:what|which) year is (?:it|this)(?: now)?"),
]

_ON_NUMBERS: list[Rule] = [
    rule(
        _timer,
        rf"(?:{_SETTING} )?(?:an? |another |the |my )?(?:(?P<label>[a-z]+) )?timer (?:for|of|to)"
        rf" (?P<d>{DURATION})",
    ),
    rule(
        _timer,
        rf"(?:{_SETTING} )?(?:an? |another |the )?(?P<adj>{DURATION})(?: (?P<label>[a-z]+))? timer",
    ),
    rule(
        _timer, rf"(?:{_SETTING} )?(?:an? )?(?P<label>countdown) (?:for|of|from) (?P<d>{DURATION})"
    ),
    rule(_so_long, rf"(?:for )?(?P<d>{DURATION})"),
    rule(
        saying("For how long?", 'Say, for example, "set a timer for one minute".'),
        rf"(?:{_SETTING} )?(?:an? |another )?timer",
    ),
    rule(
        _remind,
        rf"(?:remind me|{_SETTING} (?:an? )?reminder(?: for me)?|remember|do not (?:let me"
        rf" )?forget) (?P<when>{WHEN}),? (?P<task>.+)",
    ),
    rule(
        _remind,
        rf"(?:remind me|{_SETTING} (?:an? )?reminder(?: for me)?|do not let me forget)"
        rf" (?P<task>(?:to|about|that|of) .+?) (?P<when>{WHEN})",
    ),
    rule(_remind, rf"(?:remember|do not forget) (?P<task>to .+?) (?P<when>{WHEN})"),
    rule(_remind, rf"(?P<when>{WHEN}) (?:please )?remind me (?P<task>(?:to|about|that|of) .+)"),
    rule(
        saying(_WHEN),
        r"remind me(?: (?:to|about|that|of|at|in|on|tomorrow)\b.*)?"
        rf"|{_SETTING} (?:an? )?reminder(?: (?:to|for) .*)?",
    ),
    rule(_wake, rf"wake me(?: up)? (?P<when>{WHEN})"),
    rule(
        _alarm,
        rf"{_SETTING} (?:an? |the |my )?alarm (?P<when>{WHEN})"
        rf"|{_SETTING} (?:an? |the |my )?alarm for (?:(?P<clock>{CLOCK}))",
    ),
    rule(
        saying('When? Say, for example, "wake me up at seven in the morning".'),
        rf"{_SETTING} (?:an? |the )?alarm|wake me(?: up)?",
    ),
    rule(
        _cancel,
        r"(?:cancel|stop|delete|remove|drop|clear|end|turn off|forget) (?P<all>all )?(?:of"
        rf" )?(?:the |my |that |this )*(?P<which>{DURATION} )?{_KIND}",
    ),
    rule(
        _cancel, r"(?:cancel|stop|drop|clear) (?P<all>everything|all(?: of (?:it|them))?|them all)"
    ),
    rule(
        _left,
        r"how (?:long|much time|much longer) (?:is|do i have|does it have|have i got)(?: (?:left"
        rf"|remaining|to go))?(?: (?:on|for|of|in) (?:the |my )*(?:{DURATION} )?{_KIND})?"
        r"|how (?:much time|long) does (?:the |my )timer have(?: left)?|time left",
    ),
    rule(_left, rf"how long (?:until|till|to|before) (?:the |my )*{_KIND}.*"),
    rule(
        _left,
        r"(?:what|which|how many|list|show|tell me|do i have)(?: (?:are|is))?(?: (?:all|any|the"
        rf"|my|of|about))* {_KIND}(?: (?:do i have|are (?:set|there|running|active)|set|is (?:set"
        r"|running)))*",
    ),
    rule(
        _left,
        rf"(?:is|are)(?: (?:the|my|there|any|an?))+ {_KIND}(?: (?:still )?(?:running|on|set|active"
        r"|going))*",
    ),
    rule(_left, rf"when (?:is|are|does) (?:my |the )(?:next )?{_KIND}(?: (?:due|ring|end|up))?"),
]


_TWO = re.compile(
    r"\b(?:and|then) (?:(?:set|start) (?:an?|another|the) (?:\w+ ){0,3}(?:timer|alarm|reminder)|remind me|wake me|cancel)\b"
)
"""Where another order begins: "remind me in an hour to call Bob and set a timer for ten minutes"."""


def clock_talk(clause: Clause, situation: Situation) -> Reply | None:
    """Answer what is about time; the timers and reminders are read with their numbers as digits."""
    if _TWO.search(clause.plain):
        return None
    return answered(RULES, clause, situation) or answered(_ON_NUMBERS, numbered(clause), situation)
