"""The disk is full under a running server: clients are told so, nothing that was acknowledged is lost, and when there is
space again the same session goes on.

The disk is a small one in memory. Where this process may not mount one, a namespace of its own holds it.
"""

import asyncio
import contextlib
import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import httpx
import pytest

from tenuto.client.client import Client
from tenuto.client.items import Complained
from tenuto.wire import native
from tests.acceptance.peers import PATIENCE, Closed, Peer, journal, make, peer, soon, texts
from tests.acceptance.serving import COMMAND, Served

SIZE = 24
"""MiB: the ballast that the store keeps for this day, and a little."""


class Disk:
    """A small disk.

    Args:
        inside: Where the server finds it.
        outside: Where this process finds it.
        command: What goes before the server's arguments, so that it finds it.
    """

    code, status = "storage_full", 507

    def __init__(self, inside: Path, outside: Path, command: list[str]) -> None:
        self.inside, self.outside, self.command = inside, outside, command

    def fill(self, server: Served) -> None:
        """Take all the space that there is."""
        with (self.outside / "filler").open("ab", buffering=0) as filler:
            for size in (1 << 16, 512):
                with contextlib.suppress(OSError):
                    while filler.write(bytes(size)):
                        pass

    def free(self, server: Served) -> None:
        """Give the space back."""
        (self.outside / "filler").unlink()


class Limit(Disk):
    """No disk, but a limit to the size of files: where nothing may be mounted. SQLite does not call that full."""

    code, status = "storage_unavailable", 503

    def fill(self, server: Served) -> None:
        most = (self.outside / "tenuto.db-wal").stat().st_size
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (max(most, 1 << 16), -1))

    def free(self, server: Served) -> None:
        if server.runs:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (-1, -1))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of `SIZE` MiB: as root, in a namespace, or as near as it gets."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=700", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield Disk(place, place, COMMAND)
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
        return
    script = f"{' '.join(mount)} && echo there && exec sleep 300"
    with subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() == "there\n":
                enter = ["nsenter", f"--target={holder.pid}", "--user", "--mount"]
                enter += ["--preserve-credentials", f"--wdns={tmp_path}"]
                outside = Path(f"/proc/{holder.pid}/root{place}")
                yield Disk(place, outside, [*enter, *COMMAND])
            else:
                yield Limit(place, place, COMMAND)
        finally:
            holder.kill()


@contextlib.asynccontextmanager
async def served(folder: Path, disk: Disk) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    store = f"sqlite:///{disk.inside / 'tenuto.db'}"
    with Served(folder, store=store, command=disk.command) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            yield server, http
        server.stop()


def check(disk: Disk) -> None:
    """Hold that the file is whole."""
    connection = apsw.Connection(os.fspath(disk.outside / "tenuto.db"))
    try:
        assert connection.pragma("integrity_check") == "ok"
    finally:
        connection.close()


async def say_until_full(one: Peer, said: list[str]) -> tuple[int, str]:
    """Say long things until the server sends the client away. Returns the close frame."""
    with contextlib.suppress(Closed):
        for number in range(45):
            text = f"{number} ".ljust(10_000, "x")
            await one.say(text)
            said.append(text.strip())
    return await one.closed()


async def make_until_full(http: httpx.AsyncClient) -> tuple[int, str]:
    """Make sessions until one is refused. A checkpoint in between makes room for a few."""
    for _ in range(500):
        made = await http.post("/sessions", json={})
        if made.status_code != 201:
            break
    return made.status_code, made.json()["error"]["code"]


async def test_clients_are_told_and_go_on_when_there_is_space(tmp_path: Path, disk: Disk) -> None:
    async with served(tmp_path, disk) as (server, http):
        session, other = await make(http), await make(http)
        said: list[str] = []
        async with peer(server.url, session) as one:
            await one.attach()
            said += [f"before {number}" for number in range(3)]
            for text in said:
                await one.say(text)
            disk.fill(server)
            close, _ = await say_until_full(one, said)
            assert close == native.CloseCode.OVERLOADED
            assert one.complaints == [disk.code]
            token = one.attached["token"]

            # Reading works, and shows what was acknowledged and nothing else.
            assert await texts(http, session) == said
            full = await journal(http, session)
            assert await make_until_full(http) == (disk.status, disk.code)
            assert (await http.get("/health/live")).status_code == 200
            for name in (session, other):
                async with peer(server.url, name) as again:
                    await again.ask_to_attach()
                    assert (await again.refused())[:2] == (disk.code, 4100)
            assert await journal(http, session) == full

            disk.free(server)
            have = native.Have(epoch=one.attached["epoch"], position=full[-1].position)
            async with asyncio.timeout(PATIENCE):
                while True:
                    async with peer(server.url, session, client=one.client) as back:
                        try:
                            await back.attach(token=token, have=have)
                        except Closed:
                            assert back.complaints == [disk.code]
                            await asyncio.sleep(0.1)
                            continue
                        assert back.attached["recovered"] is True
                        assert back.attached["commands"] == len(said)
                        await back.say("and on")
                        break
            assert await texts(http, session) == [*said, "and on"]
        assert (await journal(http, session))[: len(full)] == full
    check(disk)


async def test_a_command_that_found_no_space_is_done_once_there_is(
    tmp_path: Path, disk: Disk
) -> None:
    async with served(tmp_path, disk) as (server, http):
        session = await make(http)
        async with Client(server.url, session=session) as client:
            await soon(client.live())
            await soon(client.send(native.SendMessage(text="before")))
            disk.fill(server)
            long = [f"{number} ".ljust(10_000, "x") for number in range(30)]
            sending = [
                asyncio.create_task(client.send(native.SendMessage(text=text))) for text in long
            ]

            async def told() -> None:
                async for item in client:
                    if isinstance(item, Complained) and item.code == disk.code:
                        return

            await soon(told())
            disk.free(server)
            positions = await soon(asyncio.gather(*sending))
            assert positions == sorted(set(positions))
        assert await texts(http, session) == ["before", *(text.strip() for text in long)]
    check(disk)


async def test_what_was_acknowledged_on_a_full_disk_is_there_after_a_kill(
    tmp_path: Path, disk: Disk
) -> None:
    said: list[str] = []
    async with served(tmp_path, disk) as (server, http):
        session = await make(http)
        async with peer(server.url, session) as one:
            await one.attach()
            said += [f"before {number}" for number in range(3)]
            for text in said:
                await one.say(text)
            disk.fill(server)
            await say_until_full(one, said)
        await asyncio.to_thread(server.kill)
        disk.free(server)
        await asyncio.to_thread(server.start)
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as again:
            found = await texts(again, session)
            assert found[: len(said)] == said
            assert len(found) <= len(said) + 1
            await journal(again, session)
    check(disk)
