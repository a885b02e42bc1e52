"""Old facts in fewer words: always the same ones, and never those that matter."""

import math
from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session import compression
from tenuto.session.compression import combined, compress
from tenuto.session.ports import Memory
from tenuto.text.tokens import count
from tests.unit.session.remembering import DAY, NOW, Table, added

OLD = NOW - 8 * DAY


def filled(facts: int = 8, **more: Any) -> Table:
    table = Table()
    table.take(
        *(
            added(number, f"Went for walk {number}.", at=OLD, **more)
            for number in range(1, facts + 1)
        )
    )
    return table


def test_old_facts_of_a_category_become_one() -> None:
    table = filled(category="walks", importance=0.3)
    table.take(added(9, "Young.", category="walks"))
    before = table.state.memory.used
    assert table.take(*compress(table.state, 7, NOW)) == ["memory.cleared", "memory.added"]
    made = table.memory(10)
    assert made.content == "Went for walk 8."
    assert (made.category, made.importance, made.replaces) == ("walks", 0.3, list(range(1, 9)))
    assert (made.at, made.turn) == (OLD, 0)
    assert table.contents == ["Young.", "Went for walk 8."]
    assert table.state.memory.used < before
    assert compress(table.state, 7, NOW) == [], "there is nothing more to do"


def test_nothing_that_matters_is_touched() -> None:
    for more in ({"key": "k"}, {"importance": 0.7}, {"expires": NOW + DAY}, {"scope": "user"}):
        assert compress(filled(**more).state, 7, NOW) == []
    assert compress(filled().state, 8, NOW) == [], "not old enough"
    assert compress(filled(facts=1).state, 0, NOW) == []


def test_categories_and_secrets_stay_apart() -> None:
    table = Table()
    for number in range(1, 25):
        table.take(
            added(
                number,
                f"Fact {number}.",
                at=OLD,
                category="ab"[number % 2],
                sensitive=number % 3 == 0,
            )
        )
    table.take(*compress(table.state, 7, NOW))
    made = [m for m in table.state.memory.book.entries.values() if m.replaces]
    assert sorted((m.category, m.sensitive) for m in made) == [
        ("a", False),
        ("a", True),
        ("b", False),
        ("b", True),
    ]
    for memory in made:
        for number in memory.replaces:
            assert ("ab"[number % 2], number % 3 == 0) == (memory.category, memory.sensitive)


def test_what_is_in_the_users_journal_is_combined_there() -> None:
    table = filled()
    theirs = [
        Memory(memory=-n, content=f"Ate pie {n}.", at=OLD, scope="user") for n in range(1, 9)
    ] + [Memory(memory=0, content="On its way.", at=OLD, scope="user")]
    events = compress(table.state, 7, NOW, theirs)
    assert table.take(*events) == ["memory.cleared", "memory.added", "memory.added"]
    own, user = [m for m in table.state.memory.book.entries.values() if m.replaces]
    assert (own.scope, user.scope) == ("session", "user")
    assert user.replaces == [-n for n in range(1, 9)]


def test_the_most_important_sentences_stay_in_their_order_within_a_quarter() -> None:
    parts = [
        Memory(memory=1, content="He saw a film. It rained.", importance=0.1, at=1.0),
        Memory(memory=2, content="She has a son. It rained.", importance=0.6, at=2.0),
        Memory(
            memory=3,
            content="Lunch was late!\nThe bus was full. It rained.",
            importance=0.2,
            at=3.0,
        ),
        Memory(memory=4, content="IT RAINED.", importance=0.6, at=4.0),
    ]
    text = combined(parts)
    assert text == "She has a son. IT RAINED."
    assert count(text) <= sum(count(part.content) for part in parts) // compression.QUARTER


def test_each_sentence_stays_once() -> None:
    parts = [Memory(memory=n, content=f"Sun. {'x' * 40}") for n in range(3)]
    assert combined(parts) == "Sun."


def test_nothing_is_made_of_what_has_no_room() -> None:
    assert combined([Memory(memory=1, content="One long sentence without an end")]) == ""
    assert compress(filled(facts=2).state, 7, NOW) == []


def test_a_combination_is_a_memory_that_may_be() -> None:
    table = Table({"max_memory_size": 100_000})
    table.take(
        *(
            added(n, f"Number {n} of many sentences, each of which is fairly long.", at=OLD)
            for n in range(1, 900)
        )
    )
    table.take(*compress(table.state, 0, NOW))
    (made,) = table.contents
    assert 1_000 < len(made) <= 2_000


@pytest.mark.parametrize("days", [-1, math.inf, math.nan, "7"])
def test_days_that_are_none_are_refused(days: Any) -> None:
    with pytest.raises(InvalidInput, match="keep_recent_days"):
        compress(Table().state, days, NOW)


def test_it_is_one_decision() -> None:
    events = compress(filled().state, 7, NOW)
    assert [type(event) for event in events] == [e.MemoryCleared, e.MemoryAdded]
    assert events == compress(filled().state, 7, NOW)
