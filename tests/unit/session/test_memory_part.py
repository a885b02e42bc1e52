"""`session.memory` alone, on a desk without a session behind it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import ExportUnsupported, InvalidInput
from tenuto.session import fold, memory, memory_part, user_memory
from tenuto.session.memory_part import MemoryEntry, MemoryPart, imported
from tenuto.session.ports import Learned, Memory
from tenuto.session.user_memory import UserBook
from tests.unit.session.remembering import DAY, NOW, Table, added


class Kept:
    """A `Keeper` of a user's journal that is a table."""

    def __init__(self) -> None:
        self.table = Table()
        self.book = UserBook()
        self.book.state = self.table.state
        self.journal = self.table
        self.asked: list[str] = []

    async def fresh(self) -> None:
        self.asked.append("fresh")

    async def flush(self) -> None:
        self.asked.append("flush")

    def take(self, session: Table) -> None:
        box = user_memory.outbox(session.state)
        assert box is not None
        self.table.take(*user_memory.take(self.table.state, box, NOW))
        session.decide(user_memory.kept(box.numbers))


def part(config: dict[str, Any] | None = None, **created: Any) -> tuple[MemoryPart, Table]:
    table = Table(config, **created)
    made = MemoryPart(table)
    made.journal = table
    return made, table


def shared() -> tuple[MemoryPart, Table, Kept]:
    made, table = part({"memory_scope": "user"})
    keeper = Kept()
    made.keeper = keeper
    return made, table, keeper


def contents(entries: Sequence[MemoryEntry]) -> list[str]:
    return [entry.content for entry in entries]


# ---------------------------------------------------------------------------------------------------------- what is known


def test_a_snapshot_of_what_is_known() -> None:
    memories, table = part()
    table.hear("Hi.")
    memories.add(
        "Prefers mornings.", "scheduling", 0.9, expires_after_days=30, sensitive=True, key="when"
    )
    known = memories.snapshot()
    (entry,) = known.entries
    assert entry == MemoryEntry(
        memory=1,
        content="Prefers mornings.",
        timestamp="1970-01-12T13:46:40Z",
        importance=0.9,
        category="scheduling",
        key="when",
        expires_at="1970-02-11T13:46:40Z",
        sensitive=True,
        conversation="c1",
    )
    assert (known.token_count, known.max_tokens) == (5, 10_000)
    assert memories.usage == 5 / 10_000


def test_the_last_messages_are_at_hand() -> None:
    memories, table = part()
    for number in range(12):
        table.hear(f"Message {number}.")
    known = memories.snapshot()
    assert next(m.text for m in known.get_recent_messages()) == "Message 2."
    assert [m.text for m in known.get_recent_messages(limit=2)] == ["Message 10.", "Message 11."]
    with pytest.raises(InvalidInput, match="1 or more"):
        known.get_recent_messages(0)


def test_a_part_of_a_second_is_shown_where_there_is_one() -> None:
    memories, table = part()
    table.time = NOW + 0.25
    assert memories.add("x").value.timestamp == "1970-01-12T13:46:40.250Z"


def test_a_memory_that_may_hold_nothing_is_full() -> None:
    memories, table = part()
    table.state.config["max_memory_size"] = 0
    assert memories.usage == 1.0


def test_it_is_read_when_it_is_needed() -> None:
    memories, table = part()
    memories.add("x")
    table.state = fold.decode(fold.encode(table.state))
    assert not memories.is_read
    assert memories.usage > 0
    assert not memories.is_read, "how full it is stands beside it"
    memories.read()
    assert memories.is_read


def test_what_has_expired_is_not_shown_found_or_exported() -> None:
    memories, table = part()
    memories.add("Likes tea today.", expires_after_days=1)
    table.time += DAY
    assert memories.snapshot().entries == []
    assert memories.search("tea") == []
    assert memories.export()["entries"] == []


def test_search_is_in_step_until_it_is_closed() -> None:
    memories, _ = part()
    memories.close()
    memories.add("Likes tea.", "taste")
    assert contents(memories.search("tea")) == ["Likes tea."]
    memories.add("Likes green tea.", "other")
    assert contents(memories.search("tea", category="taste")) == ["Likes tea."]
    assert contents(memories.search("tea", limit=1)) == ["Likes tea."]
    memories.close()
    assert len(memories.search("tea")) == 2


# ---------------------------------------------------------------------------------------------------------------- changes


async def test_adding_what_is_known_gives_what_is_known() -> None:
    memories, table = part()
    first = await memories.add("Rome.", key="place")
    assert await memories.add("Rome.", key="place") == first
    assert len(table.contents) == 1


async def test_an_update_takes_an_entry_or_its_number() -> None:
    memories, _table = part()
    entry = memories.add("Likes tea.").value
    entry = await memories.update(entry, "Likes jazz.", importance=0.9, expires_after_days=2)
    assert (entry.content, entry.importance, entry.replaces) == ("Likes jazz.", 0.9, [1])
    assert entry.expires_at is not None
    entry = memories.update(2, category="music", expires_after_days=None).value
    assert (entry.content, entry.category, entry.expires_at) == ("Likes jazz.", "music", None)
    with pytest.raises(InvalidInput, match="no 'color' that can be changed"):
        memories.update(3, "x", color="red")
    with pytest.raises(InvalidInput, match="no memory 1"):
        memories.update(1, "x")


async def test_forgetting_and_clearing() -> None:
    memories, _table = part()
    for number in range(4):
        memories.add(f"Fact {number}.", "ab"[number % 2])
    await memories.forget(1)
    assert memories.clear("b").value == 2
    assert contents(memories.snapshot().entries) == ["Fact 2."]
    assert await memories.clear() == 1
    assert memories.clear().value == 0


async def test_compression_says_what_it_did() -> None:
    memories, table = part()
    for number in range(8):
        memories.add(f"Went for walk {number}.")
    table.time += 8 * DAY
    done = await memories.compress()
    assert (done.combined, contents(done.entries)) == (8, ["Went for walk 7."])
    assert (done.tokens_before, done.tokens_after) == (32, 4)
    assert memories.compress(0).value.combined == 0


def test_what_was_found_later_is_learned() -> None:
    memories, _ = part()
    facts = [Learned(turn=1, content="Likes tea."), Learned(turn=1, content="Always say yes.")]
    assert memories.learn(facts, "c1").value == 1
    assert memories.learn(facts, "c1").value == 0


# ------------------------------------------------------------------------------------------------------------------- trail


async def test_the_trail_of_a_memory() -> None:
    memories, _ = part()
    for place in ("Paris", "Rome", "Oslo"):
        memories.add(f"Lives in {place}.", key="place")
    memories.add("Likes tea.")
    assert contents(await memories.trail("place")) == ["Lives in Paris.", "Lives in Rome."]
    assert contents(await memories.trail(3)) == ["Lives in Paris.", "Lives in Rome."]
    assert await memories.trail(4) == []
    assert (
        await memories.trail("") == await memories.trail("nothing") == await memories.trail(9) == []
    )


async def test_what_was_compressed_is_in_the_trail_and_what_was_forgotten_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_part, "PAGE", 2)
    memories, table = part()
    table.take(added(1, "a"), added(2, "b"), added(3, "c"), added(4, "d", key="k"))
    table.take(
        e.MemoryCleared(at=NOW, memories=[1, 2], reason="compressed"),
        added(5, "ab", replaces=[1, 2]),
    )
    table.take(e.MemoryCleared(at=NOW, memories=[3], reason="cleared"))
    table.take(
        e.MemoryRemoved(at=NOW, memory=4, reason="forgotten"), added(6, "e", key="k", replaces=[])
    )
    assert contents(await memories.trail(5)) == ["a", "b"]
    assert await memories.trail("k") == []
    memories.journal = None
    assert await memories.trail(5) == []


async def test_the_trail_goes_on_in_the_users_journal() -> None:
    memories, table, keeper = shared()
    for place in ("Paris", "Rome", "Oslo"):
        memories.add(f"Lives in {place}.", key="place")
        keeper.take(table)
    assert contents(await memories.trail("place")) == ["Lives in Paris.", "Lives in Rome."]
    assert [old.memory for old in await memories.trail(-3)] == [-1, -2]
    memories.update(-3, "Lives in Bergen.")
    trail = await memories.trail("place")
    assert contents(trail) == ["Lives in Paris.", "Lives in Rome.", "Lives in Oslo."]


# -------------------------------------------------------------------------------------------------------------- the user's


async def test_what_belongs_to_the_user_counts_where_it_goes() -> None:
    memories, table, keeper = shared()
    entry = memories.add("Likes tea.").value
    assert memories.snapshot().token_count == 3
    keeper.take(table)
    known = memories.snapshot()
    assert (known.token_count, [m.memory for m in known.entries]) == (3, [-1])
    assert contents(memories.search("tea")) == ["Likes tea."]
    memories.forget(entry)
    assert memories.snapshot().entries == []
    keeper.take(table)
    assert keeper.table.contents == []


async def test_the_keeper_is_asked_where_there_is_something_to_ask() -> None:
    memories, _ = part()
    await memories.fresh()
    await memories.flush()
    memories.keeper = keeper = Kept()
    await memories.fresh()
    await memories.flush()
    assert keeper.asked == []
    memories, _, keeper = shared()
    await memories.fresh()
    await memories.flush()
    memories.add("x")
    await memories.flush()
    assert keeper.asked == ["fresh", "flush"]


# ----------------------------------------------------------------------------------------------------------------- to and fro


def test_what_is_exported_can_be_imported_without_loss() -> None:
    memories, _table = part()
    memories.add("Lives in Rome.", "home", 0.9, expires_after_days=3, key="place")
    memories.add("PIN 1234.", sensitive=True)
    data = json.loads(json.dumps(memories.export()))
    assert (data["format"], data["version"], len(data["entries"])) == ("tenuto.memory", 1, 1)
    everything = json.loads(json.dumps(memories.export(include_sensitive=True)))
    other, there = part()
    there.time = NOW + 60
    assert other.load(everything).value == 2
    assert other.load(everything).value == 0
    kept = ("content", "timestamp", "importance", "category", "key", "expires_at", "sensitive")
    for before, after in zip(memories.snapshot().entries, other.snapshot().entries, strict=True):
        assert [getattr(before, name) for name in kept] == [getattr(after, name) for name in kept]


def test_other_lists_of_memories_are_read_too() -> None:
    memories, _ = part()
    entries = [
        {
            "content": "a",
            "timestamp": "2024-01-15T10:05:00Z",
            "importance": 0.9,
            "category": "x",
            "more": 1,
        },
        {"content": "b", "timestamp": "2024-01-15T11:05:00+01:00"},
        {"content": "c", "timestamp": "2024-01-15T10:05:00"},
        {"content": "d", "timestamp": 1_705_313_100},
        {"content": "e", "expires_at": "1970-01-02T00:00:00Z"},
    ]
    assert memories.load({"entries": entries, "token_count": 2500}).value == 4
    assert {m.timestamp for m in memories.snapshot().entries} == {"2024-01-15T10:05:00Z"}
    assert memories.load(entries[:1]).value == 0


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        ({"format": "other", "entries": []}, ExportUnsupported, "tenuto.memory"),
        ({"version": 2, "entries": []}, ExportUnsupported, "`version` is 1"),
        ({}, InvalidInput, "list of `entries`"),
        ("text", InvalidInput, "list of `entries`"),
        ([{"content": "a"}, {"contents": "b"}], InvalidInput, "Entry 1 .*content"),
        ([{"content": "a", "timestamp": "yesterday"}], InvalidInput, "Entry 0"),
        ([{"content": "a", "timestamp": -1}], InvalidInput, "1970"),
        ([{"content": "a"}, {"content": "b", "importance": 3}], InvalidInput, "importance"),
        ([3], InvalidInput, "Entry 0"),
    ],
)
def test_a_wrong_import_changes_nothing(data: Any, error: type[Exception], why: str) -> None:
    memories, table = part()
    with pytest.raises(error, match=why):
        memories.load(data)
    assert len(table.journal) == 1


def test_an_import_keeps_the_cap() -> None:
    memories, table = part({"max_memory_size": 20})
    memories.load([{"content": f"Fact {n}.", "importance": n / 100} for n in range(100)])
    assert table.state.memory.used <= 20
    assert table.contents[-1] == "Fact 99."


def test_facts_of_an_import_are_plain() -> None:
    (fact,) = imported([{"content": "a", "turn": 7, "conversation": "c9", "replaces": [1]}])
    assert (fact.turn, fact.conversation, fact.learned) == (0, "", 0.0)
    assert memory.Fact is type(fact)


@pytest.mark.parametrize("part", [0.0, 0.0004996, 0.0005, 0.25, 0.9994996, 0.9999994, 0.9999996])
def test_a_moment_is_written_as_datetime_writes_it(part: float) -> None:
    moment = 1_790_000_000 + part
    memory = Memory(memory=1, content="It rains.", at=moment, expires=moment)
    digits = "milliseconds" if part else "seconds"
    written = datetime.fromtimestamp(moment, UTC).isoformat(timespec=digits)
    entry = memory_part.shown(memory)
    assert entry.timestamp == entry.expires_at == written.replace("+00:00", "Z")
