"""The contracts find a store that breaks them."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from tenuto.session.ports import Append, Head, Lease, Query, Read, Row, Snapshot, Store
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.contracts import StoreContract


class HandClock:
    """A clock that stands still until it is moved."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


class Sound(InMemoryStore):
    """Nothing is wrong with this one."""


class NoFence(InMemoryStore):
    async def append(self, append: Append) -> None:
        head = await self.head(append.session)
        fence = append.fence if head is None else head.fence
        await super().append(msgspec.structs.replace(append, fence=fence))


class LooksAndThenLeaps(InMemoryStore):
    async def append(self, append: Append) -> None:
        head = await self.head(append.session)
        expected = append.expected
        await asyncio.sleep(0)
        if head is not None and head.position == expected:
            now = await self.head(append.session)
            assert now is not None
            shift = now.position - expected
            rows = [Row(row.position + shift, row.type, row.body) for row in append.rows]
            append = msgspec.structs.replace(append, expected=now.position, rows=rows)
        await super().append(append)


class StealsLeases(InMemoryStore):
    async def claim(self, session: str, owner: str, url: str, ttl: float) -> Lease:
        head = await self.head(session)
        if head is not None:
            await self.release(session, head.owner)
        return await super().claim(session, owner, url, ttl)


class RenewsWhatIsGone(InMemoryStore):
    async def renew(self, owner: str, sessions: Sequence[str], ttl: float) -> set[str]:
        await super().renew(owner, sessions, ttl)
        return set(sessions)


class KeepsOldSnapshots(InMemoryStore):
    async def save_snapshot(self, session: str, fence: int, snapshot: Snapshot) -> None:
        loaded = await self.load(session)
        if loaded is None or loaded.snapshot is None:
            await super().save_snapshot(session, fence, snapshot)


class ReadsOneWay(InMemoryStore):
    async def read(self, read: Read) -> Sequence[Row]:
        return await super().read(msgspec.structs.replace(read, newest_first=False))


class ListsEverybody(InMemoryStore):
    async def sessions(self, query: Query) -> Sequence[Head]:
        return await super().sessions(msgspec.structs.replace(query, user=None))


class ForgetsForAnybody(InMemoryStore):
    async def forget(self, session: str, fence: int) -> None:
        head = await self.head(session)
        await super().forget(session, fence if head is None else head.fence)


def failures(kind: type[InMemoryStore]) -> set[str]:
    """Run the contract and return the names of the tests that fail."""

    class Contract(StoreContract):
        def make(self) -> Store:
            self.clock = HandClock()
            return kind(self.clock)

        async def lapse(self, seconds: float) -> None:
            self.clock.seconds += seconds

    contract = Contract()
    failed = set()
    for name in dir(contract):
        if name.startswith("test_"):
            try:
                asyncio.run(getattr(contract, name)())
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 -- however it fails, it fails
                failed.add(name)
    return failed


@pytest.mark.parametrize(
    ("kind", "found_by"),
    [
        (NoFence, "test_append_with_another_fence_is_refused"),
        (LooksAndThenLeaps, "test_of_two_appends_to_one_place_one_wins"),
        (StealsLeases, "test_a_held_session_is_locked"),
        (RenewsWhatIsGone, "test_renewing_tells_what_is_still_held"),
        (KeepsOldSnapshots, "test_loading_gives_the_newest_snapshot_and_what_came_after"),
        (ReadsOneWay, "test_reading_both_ways_within_bounds"),
        (ListsEverybody, "test_sessions_are_listed_by_user_and_tenant_newest_first"),
        (ForgetsForAnybody, "test_forgetting_is_fenced"),
    ],
)
def test_a_broken_store_is_found(kind: type[InMemoryStore], found_by: str) -> None:
    assert found_by in failures(kind)


def test_a_sound_store_is_not() -> None:
    assert failures(Sound) == set()
