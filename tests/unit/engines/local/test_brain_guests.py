"""What a guest of a session is told: the truth, which is that they change nothing."""

import pytest

from tenuto.session.ports import AlarmDropped, AlarmWanted, Forgot, Learned
from tests.unit.engines.local.talk import Talk, check, texts

CONVERSATION = """
    > my name is Alice and I live in Rome
    + name = Alice
    + place = Rome
    Nice to meet you, Alice.
    I will remember that you live in Rome.
    & hello
    Hello again.
    & my name is Mallory
    You are a guest here: I remember only what this session's own user tells me.
    & who am I
    This session's user's name is Alice.
    That was told me in turn 1.
    & do you know me
    You are a guest here: I know only this session's own user.
    & where do I work
    I do not know where you work: I know only what this session's own user tells me.
    & forget my name
    Only this session's own user can have me forget something.
    Nothing has changed.
    & I no longer live in Rome
    Only this session's own user can have me forget something.
    Nothing has changed.
    & set a timer for ten minutes
    * ten minute timer
    Your ten minute timer starts now.
    & cancel the timer
    Only this session's own user can cancel an alarm.
    It stays as it is.
    & what did I just say
    You said: "cancel the timer".
    > what did I just say
    You said: "my name is Alice and I live in Rome".
    > cancel the timer
    / ten minute timer
    I have cancelled your ten minute timer.
    > what do you know about me
    Your name is Alice.
    You live in Rome.
    You told me in turn 1.
"""


def test_a_guest_is_told_the_truth() -> None:
    check(CONVERSATION)


@pytest.mark.parametrize(
    "text",
    [
        "forget everything",
        "forget that",
        "that's wrong",
        "I don't like jazz",
        "remember that the door is open",
        "no, it's Mallory",
        "my name is not Alice",
        "cancel all timers",
        "call me Mallory and cancel the timer and forget where I live",
    ],
)
def test_a_guest_changes_nothing_and_is_not_told_otherwise(text: str) -> None:
    talk = Talk()
    for told in ("my name is Alice", "I like jazz", "set a timer for ten minutes"):
        talk.say(told)
    outputs = talk.say(text, "guest")
    assert [o for o in outputs if isinstance(o, Learned | Forgot | AlarmDropped)] == []
    said = " ".join(texts(outputs))
    for claim in ("have forgotten", "will remember", "have cancelled", "Nice to meet", "Noted"):
        assert claim not in said


def test_a_guest_may_set_an_alarm() -> None:
    outputs = Talk().say("remind me in ten minutes to call Bob", "guest")
    assert [o.text for o in outputs if isinstance(o, AlarmWanted)] == ["call Bob"]
