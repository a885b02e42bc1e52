"""Whatever is said: nothing raises, one segment is the last, the same input gives the same output, and it is quick."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.engines.local.brain.brain import Brain
from tenuto.session.ports import (
    Alarm,
    Ask,
    Context,
    Forgot,
    Learned,
    Memory,
    Message,
    Ring,
    Segment,
)
from tests.unit.engines.local.phrases import load
from tests.unit.engines.local.talk import NOON, Talk

WORDS = sorted({word for phrase in load().phrases for word in phrase.split() if word[0] != "<"})
TOKENS = [
    *WORDS,
    *"+-*/^%()=,.?!:;'\"",
    "alice",
    "rome",
    "jazz",
    "7",
    "3.5",
    "1,000",
    "5:30",
    "\n",
    "\u00e9",
]
spoken = st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join)
anything = st.one_of(spoken, st.text(max_size=80), st.lists(spoken, max_size=4).map(". ".join))
numbers = st.integers(min_value=0, max_value=9)
moments = st.one_of(st.just(NOON), st.floats())
words = st.sampled_from(
    ["", "name", "place", "interest:chess", "Alice", "The user's name is Al.", "x {} y"]
)

messages = st.builds(
    Message,
    message=numbers,
    role=st.sampled_from(["user", "agent", "system", "tool"]),
    text=anything,
    said=st.one_of(st.just(""), anything),
    turn=numbers,
    conversation=st.sampled_from(["c1", "c2"]),
    at=st.just(NOON),
)
memories = st.builds(Memory, memory=numbers, content=words, key=words, value=words, turn=numbers)
alarms = st.builds(
    Alarm, alarm=numbers, due=moments, turn=numbers,
    text=st.one_of(st.sampled_from(["one minute timer", "7:00 AM alarm", "call my mother"]), anything),
)  # fmt: skip
contexts = st.builds(
    Context,
    instructions=st.just(""),
    messages=st.lists(messages, max_size=4),
    memories=st.lists(memories, max_size=4),
    alarms=st.lists(alarms, max_size=3),
    conversation=st.just("c1"),
    now=moments,
    timezone=st.sampled_from(["", "UTC", "Europe/Rome", "../etc", "No/Where"]),
)


def ends_once(outputs: list[object]) -> bool:
    segments = [o for o in outputs if isinstance(o, Segment)]
    return [s.last for s in segments] == [False] * (len(segments) - 1) + [True] and all(
        s.text.strip() for s in segments
    )


@settings(max_examples=300, deadline=None, database=None)
@given(text=anything, context=contexts, done=st.integers(0, 3), turn=st.integers(1, 9))
def test_any_input_gets_one_ended_reply(text: str, context: Context, done: int, turn: int) -> None:
    ask = Ask(turn=turn, text=text, context=context, spoken=["said"] * done)
    outputs = Brain().answer(ask)
    assert ends_once(list(outputs))
    assert outputs == Brain().answer(ask)
    assert all(o.turn == turn for o in outputs)
    known = {m.memory for m in context.memories}
    assert {o.memory for o in outputs if isinstance(o, Forgot)} <= known
    assert all(o.content and o.key for o in outputs if isinstance(o, Learned))


@settings(max_examples=100, deadline=None, database=None)
@given(alarm=alarms, context=contexts)
def test_any_alarm_rings(alarm: Alarm, context: Context) -> None:
    ring = Ring(turn=5, alarm=alarm, context=context)
    outputs = Brain().ring(ring)
    assert ends_once(list(outputs))
    assert outputs == Brain().ring(ring)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(spoken, min_size=1, max_size=6))
def test_any_conversation_folds(said: list[str]) -> None:
    talk = Talk()
    for text in said:
        talk.say(text)


LONG = {
    "one letter": "a" * 10_000,
    "letters": "a " * 5_000,
    "and": "and " * 2_500,
    "names": "my name is " * 900,
    "likes": "i like " * 1_400,
    "reminders": "remind me to " * 750,
    "durations": "in one minute and " * 550,
    "numbers": "one hundred and " * 620,
    "digits": "9" * 10_000,
    "operators": "1 + " * 2_500,
    "parentheses": "(" * 5_000 + ")" * 5_000,
    "full stops": ". " * 5_000,
    "questions": "what? " * 1_600,
    "unknown": "explain entropy number x. " * 380,
    "commas": "hello, " * 1_400,
    "apostrophes": "i'm " * 2_500,
    "a clause just within the bound": "my name is " + "what is my name and " * 24,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_input_is_quick(kind: str) -> None:
    talk = Talk()
    begun = time.process_time()
    talk.say(LONG[kind])
    assert time.process_time() - begun < 2.0
