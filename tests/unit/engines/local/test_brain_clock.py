"""The time, the date, timers and reminders."""

from datetime import UTC, datetime

import pytest

from tenuto.engines.local.brain.clock_talk import ringing
from tenuto.engines.local.brain.moments import duration, duration_words, local, moment_words
from tenuto.engines.local.brain.normalise import read
from tenuto.engines.local.brain.numerals import numbered
from tenuto.session.ports import Alarm, AlarmWanted
from tests.unit.engines.local.talk import NOON, Talk, check, texts

CONVERSATIONS = {
    "a timer": """
        > set a timer for one minute
        * one minute timer
        Your one minute timer starts now.
        ~ 30
        > how long is left
        Your one minute timer has 30 seconds left.
        ~ 30
        Your one minute timer is up.
        > how much time is left
        No timer is set.
    """,
    "a timer that rings late, after a restart": """
        > set a ten-minute pasta timer
        * ten minute pasta timer
        Your ten minute pasta timer starts now.
        ~ 900
        Your ten minute pasta timer is up.
        It was due five minutes ago, at 12:10 PM.
    """,
    "reminders": """
        > remind me in ten minutes to call bob
        * call Bob
        I will remind you at 12:10 PM to call Bob.
        > Remind me at half past five to water my plants.
        * water my plants
        I will remind you at 5:30 PM to water your plants.
        > what reminders do i have
        Your reminder "call Bob" comes at 12:10 PM.
        Your reminder "water your plants" comes at 5:30 PM.
        > cancel my reminder
        You have two: "call Bob" and "water your plants".
        Say which one, or say "cancel all reminders".
        ~ 600
        Reminder: call Bob.
        > cancel the reminder
        / water my plants
        I have cancelled your reminder.
    """,
    "which timer": """
        > set a timer for one minute
        * one minute timer
        Your one minute timer starts now.
        > set a timer for 2 minutes
        * two minute timer
        Your two minute timer starts now.
        > cancel the timer
        You have two: the one minute timer and the two minute timer.
        Say which one, or say "cancel all timers".
        > cancel the two minute timer
        / two minute timer
        I have cancelled your two minute timer.
        > stop the timer
        / one minute timer
        I have cancelled your one minute timer.
        > cancel all timers
        There is no timer to cancel.
    """,
    "what is missing is asked for": """
        > remind me to call bob
        When? Say, for example, "remind me in ten minutes to call Bob".
        > set a timer
        For how long?
        Say, for example, "set a timer for one minute".
        > remind me at 25 to go
        I cannot set a reminder for that moment: it is past, or more than a year away.
        > set a timer for 0 seconds
        I can set a timer for one second up to one year.
        > what time is it in tokyo
        I only know the time of your own clock.
        Ask me "what time is it?".
    """,
    "waking": """
        > wake me up at seven
        * 7:00 PM alarm
        I will wake you at 7:00 PM.
        > wake me up at 7 tomorrow morning
        * 7:00 AM alarm
        I will wake you tomorrow at 7:00 AM.
        ~ 25200
        This is your 7:00 PM alarm.
    """,
}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_conversation(conversation: str) -> None:
    check(CONVERSATIONS[conversation])


@pytest.mark.parametrize(
    ("when", "due"),
    [
        ("in ten minutes", "2026-11-21 12:10"),
        ("in an hour and a half", "2026-11-21 13:30"),
        ("in two hours and five minutes", "2026-11-21 14:05"),
        ("in half an hour", "2026-11-21 12:30"),
        ("in a quarter of an hour", "2026-11-21 12:15"),
        ("in 3 days", "2026-11-24 12:00"),
        ("at five", "2026-11-21 17:00"),
        ("at eleven", "2026-11-21 23:00"),
        ("at 11 am", "2026-11-22 11:00"),
        ("at 5:30 p.m.", "2026-11-21 17:30"),
        ("at 17:45", "2026-11-21 17:45"),
        ("at quarter to six", "2026-11-21 17:45"),
        ("at ten past six in the morning", "2026-11-22 06:10"),
        ("at five thirty", "2026-11-21 17:30"),
        ("at midnight", "2026-11-22 00:00"),
        ("at noon", "2026-11-22 12:00"),
        ("tomorrow", "2026-11-22 09:00"),
        ("tomorrow evening", "2026-11-22 19:00"),
        ("tomorrow at eight", "2026-11-22 08:00"),
        ("tonight at nine", "2026-11-21 21:00"),
        ("on monday", "2026-11-23 09:00"),
        ("on saturday at three", "2026-11-28 15:00"),
    ],
)
def test_moment(when: str, due: str) -> None:
    for text in (f"remind me {when} to go home", f"remind me to go home {when}"):
        wanted = [o for o in Talk().say(text) if isinstance(o, AlarmWanted)]
        assert [f"{datetime.fromtimestamp(o.due, UTC):%Y-%m-%d %H:%M}" for o in wanted] == [due]
        assert [o.text for o in wanted] == ["go home"]


def test_the_time_is_that_of_the_users_zone() -> None:
    assert texts(Talk(timezone="America/New_York").say("what time is it")) == ["It is 7:00 AM."]
    talk = Talk(timezone="America/New_York")
    (wanted, _) = talk.say("remind me at 8 to go")
    assert isinstance(wanted, AlarmWanted) and wanted.due == NOON + 3600


def test_an_unknown_zone_and_an_impossible_moment_are_survived() -> None:
    assert texts(Talk(timezone="Mars/Olympus").say("what time is it"))[0].startswith("It is ")
    for now in (float("inf"), float("nan"), 1e30, -1e30):
        assert local(now, "UTC").year == 1970
        talk = Talk(now=now)
        assert texts(talk.say("remind me tomorrow at five to go"))


def test_dates() -> None:
    talk = Talk()
    assert texts(talk.say("what's the date today?")) == ["Today is Saturday, 21 November 2026."]
    assert texts(talk.say("what day is tomorrow")) == ["Tomorrow is Sunday, 22 November 2026."]
    assert texts(talk.say("what year is it")) == ["It is 2026."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one minute timer", ["Your one minute timer is up."]),
        ("call my mother", ["Reminder: call your mother."]),
        ("buy a kitchen timer", ["Reminder: buy a kitchen timer."]),
        ("7:00 AM alarm", ["This is your 7:00 AM alarm."]),
        ("", ["This is your reminder."]),
    ],
)
def test_ring(text: str, said: list[str]) -> None:
    assert ringing(Alarm(alarm=1, due=NOON, text=text), NOON, "UTC") == said


@pytest.mark.parametrize(
    ("said", "seconds", "words"),
    [
        ("ninety seconds", 90, "one minute and 30 seconds"),
        ("1.5 hours", 5400, "one hour and 30 minutes"),
        ("two and a half minutes", 150, "two minutes and 30 seconds"),
        ("a week", 604800, "seven days"),
        ("a couple of minutes", 120, "two minutes"),
    ],
)
def test_duration(said: str, seconds: float, words: str) -> None:
    assert duration(numbered(read(said)).plain) == seconds
    assert duration_words(seconds) == words


def test_a_far_moment_is_said_with_its_date() -> None:
    assert moment_words(NOON + 86400 * 30, NOON, "UTC").startswith("on Monday, 21 December 2026")
