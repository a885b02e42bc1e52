"""A full disk refuses what is written, damages nothing, and is forgiven once there is space again."""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from tenuto.errors import StoreFull
from tenuto.session.ports import Append, Lease, NewSession, Read, Row, Store
from tenuto.stores.sqlite import SqliteStore
from tenuto.testing.crash import SmallDisk

CAPACITY = 600_000
BALLAST = 200_000
BODY = b"\x5a" * 3_000


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("tenuto.stores").setLevel(logging.CRITICAL)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = SmallDisk(folder, CAPACITY)

    def take_up(file: int, start: int, size: int) -> None:
        if disk.used() + size > disk.capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(file, start + size)

    monkeypatch.setattr(os, "posix_fallocate", take_up, raising=False)
    yield disk
    disk.unregister()


@asynccontextmanager
async def opened(disk: SmallDisk, ballast: int = BALLAST) -> AsyncIterator[Store]:
    store = SqliteStore(disk.folder / "a.db", ballast=ballast, vfs=disk.name)
    try:
        yield store
    finally:
        disk.capacity = 2**40
        await store.close()
        connection = apsw.Connection(str(disk.folder / "a.db"))
        assert connection.pragma("integrity_check") == "ok"
        connection.close()


async def begin(store: Store, session: str) -> Lease:
    new = NewSession(session=session, tenant="t", user="u", epoch="e", at=1.0)
    return await store.create(new, "host", "", 3_600.0)


def one_more(lease: Lease, expected: int) -> Append:
    row = Row(expected + 1, "message.added", BODY)
    return Append(session=lease.session, expected=expected, fence=lease.fence, rows=[row], at=2.0)


async def fill(store: Store, lease: Lease, most: int = 1_000) -> int:
    """Append until the disk is full. Returns how many rows were acknowledged."""
    for expected in range(most):
        try:
            await store.append(one_more(lease, expected))
        except StoreFull:
            return expected
    raise AssertionError("the disk was never full")


async def rows_of(store: Store, lease: Lease) -> list[Row]:
    return list(await store.read(Read(session=lease.session, limit=10_000)))


@pytest.mark.parametrize("ballast", [0, BALLAST])
async def test_nothing_is_lost_and_writing_works_again(disk: SmallDisk, ballast: int) -> None:
    async with opened(disk, ballast) as store:
        lease = await begin(store, "s")
        written = await fill(store, lease)
        assert written > 10
        disk.capacity = disk.used()
        with pytest.raises(StoreFull, match=r"No space is left.*free some space"):
            await store.append(one_more(lease, written))
        head = await store.head("s")
        assert head is not None
        assert head.position == written
        assert [row.position for row in await rows_of(store, lease)] == [*range(1, written + 1)]

        disk.capacity *= 3
        await store.append(one_more(lease, written))
        assert {row.body for row in await rows_of(store, lease)} == {BODY}
        assert len(await rows_of(store, lease)) == written + 1


async def test_a_full_disk_fails_the_whole_batch(disk: SmallDisk) -> None:
    async with opened(disk, ballast=0) as store:
        leases = [await begin(store, f"s{n}") for n in range(5)]
        disk.capacity = disk.used()
        outcomes = await asyncio.gather(
            *(store.append(one_more(lease, 0)) for lease in leases), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StoreFull] * 5
        assert [await rows_of(store, lease) for lease in leases] == [[]] * 5
        disk.capacity = 2**40
        await asyncio.gather(*(store.append(one_more(lease, 0)) for lease in leases))


async def test_what_is_urgent_is_done_on_a_full_disk(disk: SmallDisk) -> None:
    async with opened(disk) as store:
        small = await begin(store, "small")
        await store.append(one_more(small, 0))
        lease = await begin(store, "s")
        written = await fill(store, lease)
        disk.capacity = (
            disk.used() + BALLAST // 2
        )  # others are greedy too: half of what was given up
        outcomes = await asyncio.gather(
            store.renew("host", ["s", "small"], 3_600.0),
            store.append(one_more(lease, written)),
            store.release("small", "host"),
            return_exceptions=True,
        )
        assert outcomes[0] == {"s", "small"}
        assert isinstance(outcomes[1], StoreFull)
        assert outcomes[2] is None
        await store.forget("small", small.fence)
        assert await store.head("small") is None


async def test_control_without_ballast_nothing_is_urgent_enough(disk: SmallDisk) -> None:
    async with opened(disk, ballast=0) as store:
        lease = await begin(store, "s")
        await fill(store, lease)
        disk.capacity = 0
        with pytest.raises(StoreFull):
            await store.renew("host", ["s"], 3_600.0)


async def test_a_store_on_a_full_disk_says_so(disk: SmallDisk) -> None:
    disk.capacity = 0
    store = SqliteStore(disk.folder / "a.db", ballast=0, vfs=disk.name)
    with pytest.raises(StoreFull):
        await begin(store, "s")
    disk.capacity = CAPACITY
    await begin(store, "s")
    await store.close()
