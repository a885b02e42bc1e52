import logging
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenuto.text.traits import MAX_MEASURED, MAX_TOPICS, Traits, measure, warm
from tests.unit.text.fresh import fresh

FORMAL = "I would like to inquire about the status of my recent order, please."
CASUAL = "hey dude, gimme that stuff, it's super awesome lol"


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("I'm interested in quantum physics", ["quantum physics"]),
        ("I\u2019m interested in Quantum Physics!", ["quantum physics"]),
        ("My name is Alice and I like quantum physics", ["quantum physics"]),
        ("hey um can you book me an Italian restaurant on Friday", ["italian restaurant"]),
        ("let's talk about machine learning", ["machine learning"]),
        ("thank you so much for your help with the billing issue", ["billing issue"]),
        ("okay so yeah I was wondering about like electric cars you know", ["electric cars"]),
        ("what is the weather like tomorrow", ["weather"]),
        ("electric cars", ["electric cars"]),
        ("yes please", []),
        ("see you on Monday morning then", []),
        ("what time is it", []),
        ("one two three four five", []),
        ("it was 1234 or 5678", []),
        ("hello", []),
        ("I no longer live in Rome", ["rome"]),
        ("I don't like jazz any longer", ["jazz"]),
        ("my name isn't Bob", []),
        ("my name is not Bob", []),
        ("", []),
        ("Ich interessiere mich sehr für Quantenphysik und Musik", []),
    ],
)
def test_topics(text: str, topics: list[str]) -> None:
    assert measure(text).topics == topics


def test_no_two_topics_share_a_word_and_there_are_three_at_most() -> None:
    found = measure(
        "could you explain how the transformer attention mechanism works in machine learning, "
        "and compare neural networks with decision trees and support vector machines"
    ).topics
    words = " ".join(found).split()
    assert len(found) == MAX_TOPICS
    assert len(words) == len(set(words))


def test_formality() -> None:
    assert measure(FORMAL).formality > 0.7
    assert measure(CASUAL).formality < 0.2
    assert measure("I'm sure we can't").formality < 0.5
    assert measure("information").formality > 0.5


@pytest.mark.parametrize("text", ["", "?!", "physics", "12 34"])
def test_formality_is_in_the_middle_when_nothing_can_be_said(text: str) -> None:
    assert measure(text).formality == 0.5


def test_technical_level() -> None:
    plain = measure("I like my dog and my cat. We play ball in the park!").technical
    expert = measure("We use exponential backoff with idempotency keys for replication.").technical
    assert plain is not None and expert is not None
    assert plain < 0.1 < 0.8 < expert <= 1


@pytest.mark.parametrize(
    "text",
    [
        "physics",
        "yo dude, gimme that stuff lol",
        "Ich interessiere mich sehr für Quantenphysik und Musik",
        "!!! ...",
    ],
)
def test_technical_level_is_unknown(text: str) -> None:
    assert measure(text).technical is None


def test_sentiment() -> None:
    assert (measure("I hate this terrible service!").sentiment or 0) < -0.5
    assert (measure("I really love it, thank you").sentiment or 0) > 0.5
    assert measure("the train is at noon").sentiment == 0.0


def test_words() -> None:
    assert measure("I'm well-known, 42 times_over").words == 5
    assert measure("word " * 2 * MAX_MEASURED).words == 2 * MAX_MEASURED


def test_what_is_unknown_is_not_written() -> None:
    assert msgspec.json.encode(measure("")) == b"{}"
    assert msgspec.json.decode(msgspec.json.encode(measure(FORMAL)), type=Traits) == measure(FORMAL)


@given(st.text(alphabet=st.characters(), max_size=200))
@example("0\ud800")
def test_everything_is_in_its_range(text: str) -> None:
    traits = measure(text)
    assert 0 <= traits.formality <= 1
    assert traits.technical is None or 0 <= traits.technical <= 1
    assert traits.sentiment is None or -1 <= traits.sentiment <= 1
    assert len(traits.topics) <= MAX_TOPICS
    assert all(topic == topic.lower() for topic in traits.topics)
    for value in (traits.formality, traits.technical, traits.sentiment):
        assert value is None or value == round(value, 3)
    assert measure(text) == traits


def test_to_warm_up_changes_nothing() -> None:
    cold = measure(FORMAL)
    warm()
    assert measure(FORMAL) == cold


@pytest.mark.parametrize(
    ("module", "unknown"),
    [
        ("yake_rust", {"topics": []}),
        ("readability", {"technical": None}),
        ("vaderSentiment.vaderSentiment", {"sentiment": None}),
    ],
)
def test_a_missing_library_is_said_once_and_its_trait_is_unknown(
    module: str,
    unknown: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    traits = fresh("tenuto.text.traits")
    with caplog.at_level(logging.INFO, "tenuto.text"):
        first = traits.measure(FORMAL)
        assert traits.measure(FORMAL) == first
    assert msgspec.to_builtins(first) == msgspec.to_builtins(
        msgspec.structs.replace(measure(FORMAL), **unknown)
    )
    (record,) = caplog.records
    assert module in record.getMessage()
    assert "tenuto[insight]" in record.getMessage()
    assert "order" not in record.getMessage()


def test_another_package_of_the_same_name_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "readability", sys)
    assert fresh("tenuto.text.traits").measure(FORMAL).technical is None
