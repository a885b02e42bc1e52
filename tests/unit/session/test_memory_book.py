"""The fold: exact, lazy, and the same whichever way it was come by."""

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import fold, memory_book
from tenuto.session.memory_book import Memories, MemoryEvent
from tests.unit.session.remembering import NOW, Table, added

HISTORY: list[MemoryEvent] = [
    added(1, key="name"),
    added(2, expires=NOW + 20),
    added(3, scope="user"),
    added(4, expires=NOW + 10, key="place"),
    e.MemoryRemoved(at=NOW, memory=-7, reason="forgotten"),
    e.MemoryRemoved(at=NOW, memory=4, reason="superseded"),
    added(5, key="place", replaces=[4], scope="user"),
    e.MemoryCleared(at=NOW, memories=[1, 3, -8], reason="cleared"),
    e.MemoryCleared(at=NOW, memories=[5, -7], reason="kept"),
    added(6, source="other:3", learned=NOW - 9),
]


def folded(events: list[MemoryEvent]) -> Memories:
    memories = Memories()
    for event in events:
        memories.check(event)
        memories.apply(event)
    return memories


def reloaded(memories: Memories) -> Memories:
    """As it comes out of a snapshot."""
    table = Table()
    table.state.memory = memories
    return fold.decode(fold.encode(table.state)).memory


def test_what_is_known_and_what_stands_beside_it() -> None:
    memories = folded(HISTORY)
    assert list(memories.book.entries) == [2, 6]
    assert (memories.book.keys, memories.count, memories.used) == ({}, 6, 4)
    assert (memories.next_expiry, memories.expiries) == (NOW + 20, {2: NOW + 20})
    assert (memories.outgoing, memories.gone) == ([], [-8])
    assert memories.sources == {"other": 3}
    assert memories.book.entries[6].at == NOW - 9


@pytest.mark.parametrize("cut", range(len(HISTORY) + 1))
def test_a_snapshot_anywhere_gives_the_same_memory_read_or_not(cut: int) -> None:
    for reads in (True, False):
        later = reloaded(folded(HISTORY[:cut]))
        if reads:
            assert later.book is later.book
        for event in HISTORY[cut:]:
            later.check(event)
            later.apply(event)
        whole = folded(HISTORY)
        assert (later.next_expiry, later.outgoing, later.gone) == (whole.next_expiry, [], [-8])
        assert later.used == whole.used
        assert later == whole
        assert bytes(later.body) == bytes(whole.body)


def test_a_memory_is_not_read_before_somebody_asks() -> None:
    later = reloaded(folded([added(1, expires=NOW + 5)]))
    assert not later.is_read
    assert (later.next_expiry, later.tokens, later.count) == (NOW + 5, 2, 1)
    body = bytes(later.body)
    later.pack()
    assert (later.used, bytes(later.body)) == (2, body)
    assert not later.is_read, "nothing has changed: the bytes passed through"
    assert later.book.entries[1].content == "Fact 1."
    assert later.is_read


def test_what_happens_unread_waits_to_be_read() -> None:
    later = reloaded(folded([added(1)]))
    later.apply(added(2))
    later.apply(e.MemoryRemoved(at=NOW, memory=1, reason="forgotten"))
    assert not later.is_read
    assert len(later.backlog) == 2
    assert later.used == 2
    assert list(later.book.entries) == [2]
    assert later.backlog == []


def test_each_change_is_seen() -> None:
    memories = Memories()
    assert memories.changes == 0
    memories.apply(added(1))
    assert memories.changes == 1
    assert memories == folded([added(1)])
    assert memories != folded([added(1, "Other.")])
    assert not memories == "memories"


def test_what_waits_unread_is_in_the_next_snapshot_and_still_unread() -> None:
    later = reloaded(folded([added(1)]))
    later.apply(added(2))
    again = reloaded(later)
    assert (later.is_read, again.is_read, again.backlog) == (False, False, [])
    assert again == folded([added(1), added(2)])


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (added(3), "memory 3 after 1"),
        (e.MemoryRemoved(at=NOW, memory=2, reason="x"), "memory 2 is not there"),
        (e.MemoryRemoved(at=NOW, memory=0, reason="x"), "memory 0 is not there"),
        (e.MemoryCleared(at=NOW, memories=[1, 9], reason="x"), "memory 9 is not there"),
        (e.MemoryCleared(at=NOW, memories=[1, 1], reason="x"), "twice"),
    ],
)
def test_an_illegal_event_is_refused(event: MemoryEvent, why: str) -> None:
    memories = folded([added(1)])
    with pytest.raises(IllegalEvent, match=why):
        memories.check(event)
    assert memories == folded([added(1)])


def test_what_is_not_read_was_checked_when_it_was_written() -> None:
    later = reloaded(folded([added(1)]))
    later.check(e.MemoryRemoved(at=NOW, memory=1, reason="forgotten"))
    assert not later.is_read


def test_of_a_users_sessions_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_book, "MOST_SOURCES", 2)
    memories = folded(
        [
            added(1, source="a:1"),
            added(2, source="b:1"),
            added(3, source="a:2"),
            added(4, source="c:9"),
        ]
    )
    assert memories.sources == {"a": 2, "c": 9}


def test_a_key_that_is_taken_twice_stays_with_the_newer() -> None:
    memories = folded([added(1, key="k"), added(2, key="k")])
    memories.apply(e.MemoryRemoved(at=NOW, memory=1, reason="superseded"))
    assert memories.book.keys == {"k": 2}


def test_a_removal_of_what_is_gone_already_counts_once() -> None:
    memories = folded([e.MemoryRemoved(at=NOW, memory=-3, reason="forgotten")] * 2)
    assert memories.gone == [-3]


def test_a_whole_journal_is_folded_without_reading_it() -> None:
    unread = Memories.unread()
    for event in HISTORY:
        unread.check(event)
        unread.apply(event)
    assert not unread.is_read
    assert unread == folded(HISTORY)


def test_a_fact_that_was_weighed_is_not_counted_again_and_another_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    monkeypatch.setattr(memory_book, "tokens_of", count)
    memories = Memories()
    first, second, third = (
        e.MemoryAdded(at=NOW, memory=n, content=f"Fact {n}" + "." * n) for n in (1, 2, 3)
    )
    assert memories.weigh(first.content) == 7
    memories.apply(first)
    memories.weigh(first.content)
    memories.apply(second)
    memories.apply(third)
    assert counted == [first.content, first.content, second.content, third.content]
    assert memories.used == 7 + 8 + 9
