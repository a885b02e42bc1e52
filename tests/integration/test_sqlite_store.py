"""What only the SQLite store does: threads, files, several loops, forks, schemas, and erasing for good."""

import asyncio
import itertools
import os
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from tenuto.errors import SchemaUnsupported, StoreCorrupt, StoreError, StoreUnavailable, TenutoError
from tenuto.session.ports import Append, Lease, NewSession, Read, Row, Snapshot, Store
from tenuto.stores.sqlite import SqliteStore

PATIENCE = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    async with asyncio.timeout(PATIENCE):
        for _ in itertools.count():
            if condition():
                return
            await asyncio.sleep(0.01)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def begin(store: Store, session: str = "s", ttl: float = 60.0) -> Lease:
    new = NewSession(session=session, tenant="t", user="u", epoch="e", at=1.0)
    return await store.create(new, "host", "", ttl)


def rows(first: int, last: int, body: bytes = b"x") -> list[Row]:
    return [Row(position, "message.added", body) for position in range(first, last + 1)]


def addition(lease: Lease, expected: int, added: list[Row]) -> Append:
    return Append(session=lease.session, expected=expected, fence=lease.fence, rows=added, at=2.0)


async def test_everything_is_there_in_another_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    lease = await begin(store)
    await store.append(addition(lease, 0, rows(1, 5)))
    await store.save_snapshot("s", lease.fence, Snapshot(3, b"fold"))
    before = await store.load("s")
    await store.close()
    assert names(tmp_path) == ["a.db"]

    store = SqliteStore(tmp_path / "a.db")
    after = await store.load("s")
    assert before is not None
    assert after is not None
    assert (after.snapshot, after.rows) == (before.snapshot, before.rows)
    assert after.head.fence == lease.fence
    await store.append(addition(lease, 5, rows(6, 6)))
    await store.close()


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    await begin(store)
    assert modes(tmp_path) == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm", "a.db-ballast"), 0o600)
    await store.close()


# -------------------------------------------------------------------------------------------- threads and loops


def test_a_store_serves_one_loop_after_another(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")

    async def use(expected: int) -> None:
        lease = await (begin(store) if expected == 0 else store.claim("s", "host", "", 60.0))
        await store.append(addition(lease, expected, rows(expected + 1, expected + 1)))

    for expected in range(3):
        asyncio.run(use(expected))
    asyncio.run(store.close())


def test_a_loop_that_is_gone_does_not_end_the_writer(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")

    async def abandon() -> None:
        lease = await begin(store)
        waiting = asyncio.ensure_future(store.append(addition(lease, 0, rows(1, 1))))
        await asyncio.sleep(0)
        waiting.cancel()

    async def look() -> None:
        lease = await begin(store, "other")
        await store.append(addition(lease, 0, rows(1, 1)))
        head = await store.head("s")
        assert head is not None
        assert head.position == 1  # a cancelled wait does not undo what was asked for
        await store.close()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(abandon())
    loop.close()
    asyncio.run(look())


async def test_two_loops_use_a_store_at_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")

    async def produce(name: str) -> None:
        lease = await begin(store, name)
        for expected in range(50):
            await store.append(addition(lease, expected, rows(expected + 1, expected + 1)))

    thread = threading.Thread(target=lambda: asyncio.run(produce("there")))
    thread.start()
    await produce("here")
    await asyncio.to_thread(thread.join, PATIENCE)
    for name in ("here", "there"):
        head = await store.head(name)
        assert head is not None
        assert head.position == 50
    await store.close()


async def test_no_thread_is_left_when_it_is_closed(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = SqliteStore(tmp_path / "a.db")
    assert set(threading.enumerate()) == before
    await begin(store)
    await store.head("s")
    started = set(threading.enumerate()) - before
    assert len(started) == 3
    await store.close()
    for thread in started:
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.head("s")
    assert names(tmp_path) == []


@pytest.mark.parametrize("used", [False, True])
async def test_a_store_may_be_forked_before_its_first_use_only(tmp_path: Path, used: bool) -> None:
    store = SqliteStore(tmp_path / "a.db")
    if used:
        await begin(store)
    outcome = await asyncio.to_thread(_in_a_fork, store)
    assert outcome == ("StoreUnavailable" if used else "nothing raised")
    await store.close()


def _in_a_fork(store: Store) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = "nothing raised"
        try:
            asyncio.new_event_loop().run_until_complete(store.head("s"))
        except StoreError as error:
            outcome = type(error).__name__
        finally:
            os.write(writing, outcome.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


async def test_appends_of_one_task_keep_their_order(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    lease = await begin(store)
    await asyncio.gather(
        *(store.append(addition(lease, n, rows(n + 1, n + 1))) for n in range(1_200))
    )
    head = await store.head("s")
    assert head is not None
    assert head.position == 1_200
    await store.close()


async def test_a_row_that_breaks_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    leases = [await begin(store, f"s{n}") for n in range(9)]
    broken: Any = object()
    outcomes = await asyncio.gather(
        *(
            store.append(addition(lease, 0, [*rows(1, 1), Row(2, "x", broken if n == 4 else b"")]))
            for n, lease in enumerate(leases)
        ),
        return_exceptions=True,
    )
    for n, outcome in enumerate(outcomes):
        head = await store.head(f"s{n}")
        assert head is not None
        if n == 4:
            assert isinstance(outcome, StoreError)
            assert head.position == 0
        else:
            assert outcome is None
            assert head.position == 2
    await store.close()


async def test_a_read_that_is_under_way_does_not_hold_up_an_append(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    lease = await begin(store)
    await store.append(addition(lease, 0, rows(1, 2_000)))
    reader = apsw.Connection(str(path))
    cursor = reader.execute("SELECT body FROM journal")
    assert next(cursor) is not None
    # The read goes on for as long as we like; many commits and an erasure come meanwhile.
    other = await begin(store, "other")
    for expected in range(100):
        append = addition(other, expected, rows(expected + 1, expected + 1))
        await asyncio.wait_for(store.append(append), PATIENCE)
    await asyncio.wait_for(store.forget("other", other.fence), PATIENCE)
    assert sum(1 for _ in cursor) == 1_999
    reader.close()
    await store.close()


async def test_control_a_write_that_is_under_way_does(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    lease = await begin(store)
    writer = apsw.Connection(str(path))
    writer.execute("BEGIN IMMEDIATE")
    append = asyncio.ensure_future(store.append(addition(lease, 0, rows(1, 1))))
    assert await store.head("s") is not None  # nor are readers held up by that
    assert not append.done()
    writer.execute("ROLLBACK")
    await asyncio.wait_for(append, PATIENCE)
    writer.close()
    await store.close()


# ------------------------------------------------------------------------------------------------------- lease


async def test_a_lease_of_another_boot_is_void(tmp_path: Path) -> None:
    moment = ("first boot", 50_000.0)
    store = SqliteStore(tmp_path / "a.db", lease_clock=lambda: moment)
    lease = await begin(store, ttl=3_600.0)
    moment = ("second boot", 12.0)
    head = await store.head("s")
    assert head is not None
    assert head.expires == 0
    assert await store.renew("host", ["s"], 60.0) == set()
    assert (await store.claim("s", "another", "", 60.0)).fence == lease.fence + 1
    await store.close()


# ------------------------------------------------------------------------------------------------------ forget


def places_of(phrase: bytes, folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if phrase in path.read_bytes()]


async def test_what_is_forgotten_is_in_no_file_any_more(tmp_path: Path) -> None:
    phrase, kept = b"the canary sang", b"the sparrow stays"
    chance = random.Random(1)
    store = SqliteStore(tmp_path / "a.db")
    leases = [await begin(store, f"s{n}") for n in range(20)]
    for turn in range(60):
        appends = []
        for n, lease in enumerate(leases):
            body = (phrase if n % 2 else kept) + bytes(chance.randrange(2_500))
            appends.append(store.append(addition(lease, turn, rows(turn + 1, turn + 1, body))))
        await asyncio.gather(*appends)
        for n, lease in enumerate(leases):
            if chance.random() < 0.1:
                fold = (phrase if n % 2 else kept) * chance.randrange(400)
                await store.save_snapshot(lease.session, lease.fence, Snapshot(turn + 1, fold))
    assert places_of(phrase, tmp_path) != []

    for n, lease in enumerate(leases):
        if n % 2:
            await store.forget(lease.session, lease.fence)
    await until(lambda: "a.db-wal" not in places_of(phrase, tmp_path))
    assert places_of(phrase, tmp_path) == []
    assert places_of(kept, tmp_path) == ["a.db"]
    found = await store.read(Read(session="s0", limit=1_000))
    assert len(found) == 60
    await store.close()


# ------------------------------------------------------------------------------------------- files that will not do


async def refusal(path: Path) -> TenutoError:
    store = SqliteStore(path)
    with pytest.raises(TenutoError) as writing:
        await begin(store)
    with pytest.raises(type(writing.value)):
        await store.head("s")
    await store.close()
    return writing.value


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("Dear diary, " * 1_000)
    refused = await refusal(path)
    assert isinstance(refused, StoreCorrupt)
    assert "not an SQLite database" in refused.message
    assert path.read_text().startswith("Dear diary")


async def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    refused = await refusal(path)
    assert isinstance(refused, StoreCorrupt)
    assert "another program" in refused.message


async def test_a_file_of_a_later_version(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    await begin(store)
    await store.close()
    later = apsw.Connection(str(path))
    later.execute("PRAGMA user_version = 9999")
    later.close()
    refused = await refusal(path)
    assert isinstance(refused, SchemaUnsupported)
    assert "Upgrade Tenuto" in refused.message


async def test_a_folder_that_is_not_there_and_then_is(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.db"
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match="mkdir -p"):
        await begin(store)
    path.parent.mkdir()
    await begin(store)
    await store.close()


async def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = await refusal(tmp_path / "file" / "a.db")
    assert isinstance(refused, StoreUnavailable)
    assert "is not a folder" in refused.message


async def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    refused = await refusal(tmp_path)
    assert isinstance(refused, StoreUnavailable)
    assert "Name a file" in refused.message


async def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    lease = await begin(store)
    await store.append(addition(lease, 0, rows(1, 500, b"x" * 500)))
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(os.urandom(size - 24 * 4096))
    store = SqliteStore(path)
    with pytest.raises(StoreCorrupt, match="is damaged"):
        await store.read(Read(session="s", limit=1_000))
    await store.close()
