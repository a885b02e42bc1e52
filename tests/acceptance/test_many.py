"""Two hundred clients connect and vanish, each in its own way: nothing of them stays behind in the server.

The server runs in this process, where tasks, timers, sockets and files can be counted.
"""

import asyncio
import contextlib
import gc
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tenuto.host.host import Tenuto
from tenuto.server.door import Server, SocketDoor
from tenuto.server.limits import Limits
from tenuto.session.driver import Driver
from tenuto.session.session import Session
from tenuto.settings import TenutoConfig
from tenuto.testing.proxy import FaultProxy, Rule
from tenuto.transports import websocket
from tenuto.wire import native
from tests.acceptance.peers import PATIENCE, Closed, Peer, attached, eventually, make, peer
from tests.acceptance.serving import in_process

CLIENTS = 200
GRACE = 0.3
"""Seconds."""
MINE = (Server, Session, Driver, websocket.NativeWire, SocketDoor)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that notices within a few seconds what it would notice within ten or twelve."""
    monkeypatch.setattr(websocket, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(websocket, "BEAT_SECONDS", 0.5)
    monkeypatch.setattr(websocket, "ATTACH_SECONDS", 2.0)


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    config = TenutoConfig(
        store=f"sqlite:///{folder / 'tenuto.db'}",
        engine="echo",
        port=0,
        keys=str(folder / "tenuto.keys"),
        grace=GRACE,
    )
    server = Server(Tenuto(config), limits=Limits(drain_seconds=2.0, head_seconds=3.0))
    async with in_process(server):
        yield server


def host(server: Server) -> Any:
    return server.reception.tenuto


class Count:
    """What there is of everything that a client might leave behind."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.before = self.now()

    def now(self) -> dict[str, int]:
        gc.collect()
        house, loop = host(self.server), asyncio.get_running_loop()
        kinds = Counter(type(one) for one in gc.get_objects() if isinstance(one, MINE))
        timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        return {
            "tasks": len(asyncio.all_tasks()),
            "timers": len(timers),
            "files": psutil.Process().num_fds(),
            "connections": len(self.server.server_state.connections),
            "requests": len(self.server.server_state.tasks),
            "sessions": len(house.sessions_here),
            "beats": len(house.pulse),
            "strangers": self.server.reception.occupancy.strangers,
            "attached": len(self.server.reception.occupancy._attached),
            "tickets": len(self.server.reception.tickets),
            **{kind.__name__: kinds[kind] for kind in MINE},
        }

    def left(self) -> dict[str, int]:
        """Return what there is more of than before."""
        now = self.now()
        return {
            name: now[name] - self.before[name] for name in now if now[name] > self.before[name]
        }

    async def settled(self, seconds: float = PATIENCE) -> dict[str, int]:
        """Return what is left when nothing goes away any more, `seconds` at most."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            left = self.left()
            if not left or asyncio.get_running_loop().time() >= until:
                return left
            await asyncio.sleep(0.1)


def reset(one: Peer) -> None:
    """Have the client's machine answer with RST from here on."""
    raw = one.socket.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.socket.transport.abort()


VOICE = {"mic": native.Mic(stream="m", rate=16_000), "loudspeaker": native.Loudspeaker()}


async def says_goodbye(url: str, proxy: int, session: str) -> None:
    async with attached(url, session) as one:
        await one.say("goodbye")
        await one.tell(native.Bye())
        assert await one.closed() == (4000, "left")


async def closes_its_tab(url: str, proxy: int, session: str) -> None:
    async with attached(url, session, **VOICE) as one:
        await one.send(native.audio(native.MICROPHONE, 0, 0, bytes(640)))


async def is_reset(url: str, proxy: int, session: str) -> None:
    async with attached(url, session, **VOICE) as one:
        await one.send(native.audio(native.MICROPHONE, 0, 0, bytes(640)))
        reset(one)


async def is_reset_before_it_attaches(url: str, proxy: int, session: str) -> None:
    async with peer(url, session) as one:
        reset(one)


async def is_reset_while_it_attaches(url: str, proxy: int, session: str) -> None:
    async with peer(url, session) as one:
        await one.ask_to_attach(**VOICE)
        reset(one)


async def is_reset_within_a_command(url: str, proxy: int, session: str) -> None:
    async with attached(url, session) as one:
        await one.tell(native.Command(number=1, do=native.SendMessage(text="half")))
        one.socket.transport.write(b"\x81\xfe\x01\x00")
        reset(one)


async def never_attaches(url: str, proxy: int, session: str) -> None:
    async with peer(url, session) as one:
        assert await one.closed() == (4004, "not attached")


async def is_cut_off(url: str, proxy: int, session: str) -> None:
    """Its network goes away without a word: the server has to notice by itself."""
    async with peer(url, session, host="127.0.0.1", port=proxy) as one:
        with contextlib.suppress(Closed, TimeoutError):
            await one.ask_to_attach(**VOICE)
            async with asyncio.timeout(1.0):
                while True:
                    await one.receive()
        one.socket.transport.abort()


async def is_refused(url: str, proxy: int, session: str) -> None:
    async with peer(url, f"no-{session}") as one:
        await one.ask_to_attach()
        assert (await one.refused())[:2] == ("session_not_found", 4003)


async def ends_it(url: str, proxy: int, session: str) -> None:
    async with attached(url, session) as one:
        await one.tell(native.Command(number=1, do=native.EndSession()))
        assert (await one.closed())[0] == 4000


async def never_upgrades(url: str, proxy: int, session: str) -> None:
    name, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(name, int(port))
    writer.write(b"GET /sessions HTTP/1.1\r\n")
    await asyncio.sleep(0.05)
    writer.transport.abort()


async def listens_for_a_while(url: str, proxy: int, session: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        async with http.stream("GET", f"/sessions/{session}/events") as reply:
            await anext(reply.aiter_lines())


WAYS = (
    says_goodbye,
    closes_its_tab,
    is_reset,
    is_reset_before_it_attaches,
    is_reset_while_it_attaches,
    is_reset_within_a_command,
    never_attaches,
    is_cut_off,
    is_refused,
    ends_it,
    never_upgrades,
    listens_for_a_while,
)


@contextlib.asynccontextmanager
async def counted(server: Server) -> AsyncIterator[tuple[str, Count]]:
    """Give the address, and a count that was made when everything that comes once had come."""
    url = server.address
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        session = await make(http)
        async with attached(url, session, **VOICE) as one:
            await one.say("first")
            await one.send(native.audio(native.MICROPHONE, 0, 0, bytes(640)))
    await eventually(lambda: not host(server).sessions_here and not server.server_state.connections)
    # The store opens its readers when they are needed.
    await asyncio.gather(*(host(server).store.head(session) for _ in range(500)))
    # Its last breath: the lease that is given back.
    await asyncio.sleep(0.5)
    yield url, Count(server)


async def test_nothing_stays_behind(tmp_path: Path) -> None:
    dice = random.Random(20_240_229)
    async with serving(tmp_path) as server, counted(server) as (url, count):

        def cut(number: int) -> Rule:
            return Rule(after=number % 6, direction="to_client", how="half-open")

        async with FaultProxy(int(url.rpartition(":")[2]), rule=cut) as proxy:
            ways = [WAYS[number % len(WAYS)] for number in range(CLIENTS)]
            dice.shuffle(ways)
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
                sessions = [await make(http) for _ in range(2 * CLIENTS)]

            async def come(number: int) -> None:
                await asyncio.sleep(dice.uniform(0.0, 2.0))
                # Some meet in one session.
                own = ways[number] in (ends_it, is_cut_off)
                session = sessions[number if own else CLIENTS + number // 2]
                with contextlib.suppress(Closed):
                    await ways[number](url, proxy.port, session)

            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(come(number) for number in range(CLIENTS)))
            assert proxy.statistics.cuts > CLIENTS // len(WAYS) // 2
            # While the proxy is there its half-open connections are, as they are in the world.
            await eventually(lambda: not server.server_state.connections)
        assert await count.settled() == {}
        # And nobody is worse off for it.
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
            async with attached(url, await make(http)) as one:
                await one.say("still here")


async def test_control_the_count_sees_what_stays_behind(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, counted(server) as (url, count):
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
            session = await make(http)
        async with attached(url, session):
            left = await count.settled(1.0)
            assert {
                "tasks",
                "files",
                "connections",
                "sessions",
                "beats",
                "attached",
                "Session",
                "Driver",
                "NativeWire",
                "SocketDoor",
            } <= set(left)
        assert await count.settled() == {}
        timers = [asyncio.get_running_loop().call_later(60, print) for _ in range(20)]
        file = (tmp_path / "left").open("w")
        async with peer(url, session):
            left = await count.settled(0.2)
            assert {"timers", "files", "strangers"} <= set(left)
        file.close()
        for timer in timers:
            timer.cancel()
        assert await count.settled() == {}
