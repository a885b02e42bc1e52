"""Facts: one of a key, never twice the same, and never too many."""

import pytest

from tenuto import events as e
from tenuto.session import memory
from tenuto.session.fold import State, apply
from tenuto.session.ports import Learned


@pytest.fixture
def state() -> State:
    state = State()
    apply(state, e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16))
    return state


def learn(state: State, content: str, key: str = "", value: str = "", **more: float) -> list[str]:
    fact = Learned(
        turn=int(more.get("turn", 1)),
        content=content,
        key=key,
        value=value,
        importance=more.get("importance", 0.5),
    )
    events = memory.add(state, fact, 2.0, "tab:1")
    for event in events:
        apply(state, event)
    assert all(event.cause == "tab:1" and event.at == 2.0 for event in events)
    return [e.TAGS[type(event)] for event in events]


def test_a_fact_is_added(state: State) -> None:
    assert learn(state, "The user's name is Alice.", "name", "Alice") == ["memory.added"]
    (known,) = state.memories.values()
    assert (known.content, known.key, known.value, known.turn) == (
        "The user's name is Alice.",
        "name",
        "Alice",
        1,
    )


def test_a_fact_that_is_known_already_is_not_added_again(state: State) -> None:
    learn(state, "The user's name is Alice.", "name", "Alice")
    assert learn(state, "The user's name is Alice.", "name", "Alice") == []


def test_a_new_fact_of_the_same_key_takes_the_old_ones_place(state: State) -> None:
    learn(state, "The user lives in Rome.", "city", "Rome")
    assert learn(state, "The user lives in Oslo.", "city", "Oslo") == [
        "memory.removed",
        "memory.added",
    ]
    assert [m.value for m in state.memories.values()] == ["Oslo"]


def test_facts_without_a_key_stand_side_by_side(state: State) -> None:
    learn(state, "The user likes tea.")
    assert learn(state, "The user likes jazz.") == ["memory.added"]
    assert len(state.memories) == 2


def test_a_turn_that_is_answered_anew_teaches_nothing_twice(state: State) -> None:
    learn(state, "The user likes chess.", turn=1)
    learn(state, "The user likes tea.", turn=2)
    learn(state, "The user likes jazz.", turn=2)
    assert learn(state, "The user likes tea.", turn=2) == []
    assert learn(state, "The user likes chess.", turn=2) == ["memory.added"]


def test_by_hand_the_same_may_be_added_twice(state: State) -> None:
    learn(state, "The user likes tea.", turn=0)
    assert learn(state, "The user likes tea.", turn=0) == ["memory.added"]


def test_of_too_many_the_least_important_goes_and_of_those_the_oldest(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST", 3)
    for number, importance in enumerate((0.9, 0.1, 0.1)):
        learn(state, f"fact {number}", importance=importance)
    assert learn(state, "fact 3", importance=0.5) == ["memory.removed", "memory.added"]
    assert [m.content for m in state.memories.values()] == ["fact 0", "fact 2", "fact 3"]


def test_one_that_takes_anothers_place_pushes_nobody_out(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST", 2)
    learn(state, "fact 0")
    learn(state, "The user lives in Rome.", "city", "Rome")
    learn(state, "The user lives in Oslo.", "city", "Oslo")
    assert [m.content for m in state.memories.values()] == ["fact 0", "The user lives in Oslo."]
