"""Two processes on one file: whoever was asleep beyond its lease finds the fence moved, and writes nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tenuto.errors import LeaseLost, SessionLocked
from tenuto.session.ports import Append, Lease, NewSession, Read, Row, Store
from tenuto.stores.sqlite import SqliteStore

TTL = 0.3
PATIENCE = 30.0

OWNER = """
import asyncio, sys
from tenuto.errors import TenutoError
from tenuto.session.ports import Append, NewSession, Row
from tenuto.stores.sqlite import SqliteStore

async def line():
    return await asyncio.to_thread(sys.stdin.readline)

async def main(path, ttl, fenced):
    store = SqliteStore(path)
    new = NewSession(session="s", tenant="t", user="u", epoch="e", at=1.0)
    lease = await store.create(new, "asleep", "ws://asleep", ttl)
    row = Row(1, "message.added", b"by the owner")
    await store.append(Append(session="s", expected=0, fence=lease.fence, rows=[row], at=1.0))
    head = await store.head("s")
    assert head.expires > 0  # what a host without a fence goes by
    print("owned", flush=True)
    await line()
    position, fence = 1, lease.fence
    if not fenced:
        head = await store.head("s")
        position, fence = head.position, head.fence
    row = Row(position + 1, "message.added", b"late")
    try:
        await store.append(Append(session="s", expected=position, fence=fence, rows=[row], at=9.0))
        print("written", flush=True)
    except TenutoError as error:
        print(error.code, flush=True)
    await store.close()

asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3] == "fenced"))
"""


class Other:
    """Another process, which answers lines with lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def answer(self) -> str:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        return line.decode().strip()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@asynccontextmanager
async def other(code: str, *arguments: str) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield Other(process)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def take_over(store: Store) -> Lease:
    """Claim the session as soon as its lease has run out."""
    while True:
        try:
            return await store.claim("s", "awake", "", 60.0)
        except SessionLocked as locked:
            assert locked.owner == "asleep"
            await asyncio.sleep(locked.seconds_left)


async def late_append(path: Path, how: str) -> tuple[str, list[bytes]]:
    """Put the owner to sleep, take over, and wake it. Returns what became of its append, and the journal."""
    async with other(OWNER, str(path), str(TTL), how) as owner:
        assert await owner.answer() == "owned"
        owner.signal(signal.SIGSTOP)
        store = SqliteStore(path)
        try:
            lease = await take_over(store)
            row = Row(2, "message.added", b"by the new owner")
            append = Append(session="s", expected=1, fence=lease.fence, rows=[row], at=2.0)
            await store.append(append)
        finally:
            owner.signal(signal.SIGCONT)
        owner.tell("append")
        outcome = await owner.answer()
        journal = [found.body for found in await store.read(Read(session="s"))]
        await store.close()
        return outcome, journal


async def test_the_late_append_of_a_paused_owner_is_refused(tmp_path: Path) -> None:
    outcome, journal = await late_append(tmp_path / "a.db", "fenced")
    assert outcome == LeaseLost.code
    assert journal == [b"by the owner", b"by the new owner"]


async def test_control_without_the_fence_the_late_append_is_written(tmp_path: Path) -> None:
    outcome, journal = await late_append(tmp_path / "a.db", "unfenced")
    assert outcome == "written"
    assert journal == [b"by the owner", b"by the new owner", b"late"]


PRODUCER = """
import asyncio, sys
from tenuto.session.ports import Append, NewSession, Row
from tenuto.stores.sqlite import SqliteStore

async def produce(store, session):
    new = NewSession(session=session, tenant="t", user="u", epoch="e", at=1.0)
    lease = await store.create(new, "host", "", 60.0)
    for n in range(40):
        row = Row(n + 1, "message.added", b"x" * 100)
        await store.append(Append(session=session, expected=n, fence=lease.fence, rows=[row], at=1.0))

async def main(path, name):
    store = SqliteStore(path)
    await asyncio.gather(*(produce(store, f"{name}-{n}") for n in range(10)))
    await store.close()
    print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_open_a_new_file_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with other(PRODUCER, str(path), "a") as first, other(PRODUCER, str(path), "b") as second:
        assert [await first.answer(), await second.answer()] == ["done", "done"]
    store = SqliteStore(path)
    for name in ("a", "b"):
        for n in range(10):
            rows = await store.read(Read(session=f"{name}-{n}", limit=100))
            assert [row.position for row in rows] == list(range(1, 41))
    await store.close()


async def test_two_servers_fight_for_one_session(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "a.db") for _ in range(2)]
    new = NewSession(session="s", tenant="t", user="u", epoch="e", at=1.0)
    lease = await stores[0].create(new, "host-0", "ws://host-0", 60.0)
    await stores[0].release("s", "host-0")
    outcomes = await asyncio.gather(
        *(store.claim("s", f"host-{n}", f"ws://host-{n}", 60.0) for n, store in enumerate(stores)),
        return_exceptions=True,
    )
    winners = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Lease)]
    assert len(winners) == 1
    refused = outcomes[1 - winners[0]]
    assert isinstance(refused, SessionLocked)
    assert (refused.owner, refused.url) == (f"host-{winners[0]}", f"ws://host-{winners[0]}")
    head = await stores[0].head("s")
    assert head is not None
    assert head.fence == lease.fence + 1
    for store in stores:
        await store.close()
