import pytest

from tenuto.errors import InvalidInput, StoreUnavailable
from tenuto.session.ports import Append, NewSession, Query, Row, Snapshot
from tenuto.stores.in_memory import InMemoryStore

NEW = NewSession(session="s", tenant="t", user="u", epoch="e", at=1.0)


def append(*rows: Row) -> Append:
    return Append(session="s", expected=0, fence=1, rows=rows, at=2.0)


async def test_it_does_the_same_as_the_others() -> None:
    """The rest is `tests/contracts/test_stores.py`."""
    store = InMemoryStore()
    await store.create(NEW, "host", "", 10.0)
    await store.append(append(Row(1, "a", b"x")))
    assert [head.session for head in await store.sessions(Query(tenant="t"))] == ["s"]


async def test_misnumbered_rows_are_named() -> None:
    store = InMemoryStore()
    await store.create(NEW, "host", "", 10.0)
    with pytest.raises(InvalidInput, match="says position 2 where 1 comes next"):
        await store.append(append(Row(2, "a", b"")))


async def test_a_snapshot_ahead_of_the_journal_is_dropped() -> None:
    store = InMemoryStore()
    await store.create(NEW, "host", "", 10.0)
    await store.save_snapshot("s", 1, Snapshot(1, b""))
    loaded = await store.load("s")
    assert loaded is not None
    assert loaded.snapshot is None


async def test_two_stores_share_nothing() -> None:
    store = InMemoryStore()
    await store.create(NEW, "host", "", 10.0)
    assert await InMemoryStore().head("s") is None


async def test_a_closed_store_says_so() -> None:
    store = InMemoryStore()
    await store.create(NEW, "host", "", 10.0)
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.head("s")
