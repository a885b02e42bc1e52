"""Changes in the making: the cap is never passed, and the least important go first."""

import random

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session import fold
from tenuto.session.memory_plan import Fact, Plan, add_one, is_over
from tenuto.session.ports import Memory
from tests.unit.session.remembering import NOW, Table, added


def plan_for(table: Table, cap: int = 10_000) -> Plan:
    return Plan(table.state.memory, cap, NOW, "tab:1")


def test_a_plan_changes_nothing_by_itself() -> None:
    table = Table()
    table.take(added(1))
    before = table.state.memory.changes
    plan = plan_for(table)
    plan.add(Fact(content="New."))
    plan.remove([1], "forgotten")
    assert (table.state.memory.changes, [m.content for m in plan.live()]) == (before, ["New."])
    assert table.take(*plan.events) == ["memory.added", "memory.removed"]
    assert all(event.cause == "tab:1" and event.at == NOW for event in plan.events)


def test_each_step_is_decided_on_the_ones_before() -> None:
    table = Table()
    plan = plan_for(table)
    first = plan.add(Fact(content="Lives in Paris.", key="place"))
    second = plan.add(Fact(content="Lives in Rome.", key="place"))
    third = plan.add(Fact(content="Lives in Oslo.", key="place"))
    assert (second.replaces, third.replaces) == ([first.memory], [second.memory])
    assert plan.of_key("place") == third
    assert plan.of_key("") is None
    assert plan.get(first.memory) is None
    table.take(*plan.events)
    assert table.contents == ["Lives in Oslo."]


def test_one_that_takes_the_place_of_several_is_a_combination() -> None:
    table = Table()
    table.take(added(1), added(2))
    plan = plan_for(table)
    plan.add(Fact(content="Both."), [1, 2, -5])
    assert table.take(*plan.events) == ["memory.cleared", "memory.added"]
    assert table.memory(3).replaces == [1, 2, -5]
    assert table.state.memory.gone == [], "what it replaces in the user's journal goes there"


def test_nothing_to_remove_is_no_event() -> None:
    plan = plan_for(Table())
    plan.remove([], "cleared")
    plan.make_room()
    assert plan.events == []


def test_a_fact_that_is_larger_than_all_of_the_memory_is_refused() -> None:
    plan = plan_for(Table(), cap=3)
    with pytest.raises(InvalidInput, match="has 5 tokens; `max_memory_size` is 3"):
        plan.add(Fact(content="One two three four."))
    assert plan.events == []


def test_the_least_important_go_first_and_of_those_the_oldest() -> None:
    table = Table({"max_memory_size": 8})
    table.take(
        added(1, importance=0.9), added(2, importance=0.1), added(3, importance=0.1), added(4)
    )
    plan = plan_for(table, cap=8)
    plan.add(Fact(content="Fact 5.", importance=0.2))
    assert table.take(*plan.events) == ["memory.removed", "memory.added"]
    assert table.contents == ["Fact 1.", "Fact 3.", "Fact 4.", "Fact 5."]
    plan = plan_for(table, cap=8)
    plan.add(Fact(content="It has six tokens in all.", importance=1.0))
    assert table.take(*plan.events) == ["memory.cleared", "memory.added"]
    assert table.contents == ["It has six tokens in all."] or table.contents[0] == "Fact 1."


def test_what_has_expired_goes_before_all_others() -> None:
    table = Table({"max_memory_size": 4})
    table.take(added(1, importance=0.1), added(2, importance=1.0, expires=NOW))
    plan = plan_for(table, cap=4)
    plan.add(Fact(content="Fact 3."))
    table.take(*plan.events)
    assert table.contents == ["Fact 1.", "Fact 3."]
    assert is_over(added_memory(NOW), NOW)
    assert not is_over(added_memory(NOW + 1), NOW)
    assert not is_over(added_memory(0.0), NOW)


def added_memory(expires: float) -> Memory:
    table = Table()
    table.take(added(1, expires=expires))
    return table.memory(1)


def test_many_at_once_fit_too() -> None:
    table = Table({"max_memory_size": 20})
    plan = plan_for(table, cap=20)
    for number in range(100):
        plan.add(Fact(content=f"Fact {number}.", importance=number / 100))
    table.take(*plan.events)
    assert table.state.memory.used <= 20
    assert table.contents[-1] == "Fact 99."


def test_what_went_already_makes_no_room_again() -> None:
    table = Table({"max_memory_size": 6})
    table.take(added(1, key="k", importance=0.1), added(2), added(3))
    plan = plan_for(table, cap=6)
    plan.add(Fact(content="Fact 4."))
    plan.add(Fact(content="Fact 5.", key="k", importance=0.2))
    plan.add(Fact(content="Fact 6.", key="k"))
    plan.add(Fact(content="Fact 7."))
    table.take(*plan.events)
    assert table.contents == ["Fact 4.", "Fact 6.", "Fact 7."]
    plan.remove([-3], "forgotten")
    assert table.take(plan.events[-1]) == ["memory.removed"]


@pytest.mark.parametrize("seed", range(5))
def test_the_cap_holds_at_every_position_and_nothing_goes_before_what_matters_less(
    seed: int,
) -> None:
    chance = random.Random(seed)
    table = Table({"max_memory_size": 60})
    for _ in range(150):
        before = {m.memory: m for m in table.state.memory.book.entries.values()}
        plan = plan_for(table, cap=60)
        words = " ".join(["word"] * chance.randint(1, 12))
        plan.add(
            Fact(
                content=words,
                importance=chance.randint(0, 4) / 4,
                key=chance.choice(["", "", "a", "b"]),
            )
        )
        table.take(*plan.events)
        kept = table.state.memory.book.entries
        superseded = {n for event in plan.events for n in getattr(event, "replaces", ())}
        evicted = [m for n, m in before.items() if n not in kept and n not in superseded]
        stayed = [m for n, m in before.items() if n in kept]
        for gone in evicted:
            for other in stayed:
                assert (gone.importance, gone.memory) < (other.importance, other.memory)


def test_one_fact_comes_just_as_a_plan_has_it_come() -> None:
    drawn = random.Random(3)
    for _ in range(200):
        table = Table()
        table.take(*(added(n, key=drawn.choice(["", "name"])) for n in range(1, 4)))
        fact = Fact(
            content=drawn.choice(
                ["New.", "One two three four five.", "A fact of a dozen words " * 2]
            ),
            key=drawn.choice(["", "name", "place"]),
            importance=drawn.choice([0.2, 0.5, 1]),
            expires=drawn.choice([0.0, NOW + 9]),
            sensitive=drawn.choice([True, False]),
        )
        plan = plan_for(table, cap=(cap := drawn.randint(12, 30)))
        plan.add(fact)
        assert add_one(table.state.memory, fact, cap, NOW, "tab:1") == plan.events


def test_one_fact_is_refused_or_has_the_others_read_just_as_a_plan_does() -> None:
    with pytest.raises(InvalidInput, match="has 5 tokens; `max_memory_size` is 3"):
        add_one(Table().state.memory, Fact(content="One two three four."), 3, NOW)
    table = Table()
    table.take(added(1))
    memories = fold.copy(table.state).memory
    assert not memories.is_read
    (event,) = add_one(memories, Fact(content="New."), 10_000, NOW)
    assert (event, memories.is_read) == (e.MemoryAdded(at=NOW, memory=2, content="New."), True)


def test_the_journal_leaves_out_what_is_a_default_however_it_was_come_by() -> None:
    fact = Fact(content="New.", importance=float("0.5"), expires=float("0"), learned=float("0"))
    (event,) = add_one(Table().state.memory, fact, 10_000, 7.0)
    written = b'{"type":"memory.added","at":7.0,"memory":1,"content":"New."}'
    assert msgspec.json.encode(event) == written
