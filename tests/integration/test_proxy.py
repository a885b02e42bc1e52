"""The fault proxy, between a real client and a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, InvalidMessage

from tenuto.testing.proxy import FaultProxy, FrameCounter, How, Rule

SECONDS = 5.0
"""Real seconds after which something that should happen has failed to."""


class Echo:
    """Answers every frame with itself, and keeps what it was given."""

    def __init__(self) -> None:
        self.got: list[str | bytes] = []
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, connection: ServerConnection) -> None:
        try:
            async for frame in connection:
                self.got.append(frame)
                await connection.send(frame)
        except ConnectionClosedError:
            pass
        self.ends.put_nowait("ended")


@asynccontextmanager
async def echo(rule: Rule | Callable[[int], Rule]) -> AsyncIterator[tuple[FaultProxy, Echo]]:
    server = Echo()
    async with serve(server.handle, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1) as door:
        port = door.sockets[0].getsockname()[1]
        async with asyncio.timeout(SECONDS), FaultProxy(port, rule=rule) as proxy:
            yield proxy, server


def dial(proxy: FaultProxy) -> connect:
    return connect(
        f"ws://127.0.0.1:{proxy.port}", ping_interval=None, close_timeout=0.1, compression=None
    )


async def send(client: ClientConnection, frames: int) -> None:
    for number in range(frames):
        await client.send(f"{number}")


async def answers(client: ClientConnection, most: int) -> list[str | bytes]:
    got: list[str | bytes] = []
    try:
        while len(got) < most:
            got.append(await client.recv())
    except ConnectionClosedError:
        pass
    return got


async def test_it_forwards_both_ways_and_counts() -> None:
    async with echo(Rule()) as (proxy, _), dial(proxy) as client:
        await client.send("text")
        assert await client.recv() == "text"
        big = bytes(200_000)
        await client.send(big)
        assert await client.recv() == big
        await client.ping()
        assert proxy.statistics.frames == {"to_server": 2, "to_client": 2}
        assert proxy.statistics.bytes["to_server"] > 200_000
        assert proxy.statistics.cuts == 0


@pytest.mark.parametrize("how", ["clean", "reset"])
@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_cut_to_the_client_comes_after_that_frame(how: How, after: int) -> None:
    rule = Rule(after=after, direction="to_client", how=how)
    async with echo(rule) as (proxy, server), dial(proxy) as client:
        await send(client, 5)
        assert await answers(client, 9) == [str(number) for number in range(after)]
        assert await server.ends.get() == "ended"
        assert proxy.statistics.frames["to_client"] == after
        assert proxy.statistics.cuts == 1


@pytest.mark.parametrize("how", ["clean", "reset"])
async def test_a_cut_to_the_server_comes_after_that_frame(how: How) -> None:
    rule = Rule(after=2, direction="to_server", how=how)
    async with echo(rule) as (proxy, server), dial(proxy) as client:
        await send(client, 5)
        assert await answers(client, 9) in ([], ["0"], ["0", "1"])
        assert await server.ends.get() == "ended"
        assert server.got == ["0", "1"]


async def test_half_open_forwards_nothing_and_tells_nobody() -> None:
    rule = Rule(after=1, direction="to_server", how="half-open")
    async with echo(rule) as (proxy, server), dial(proxy) as client:
        await send(client, 3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.recv()
        assert server.got == ["0"]
        assert server.ends.empty()
        assert proxy.cut("reset") == 1


async def test_each_connection_has_its_own_rule() -> None:
    def rule(number: int) -> Rule:
        return Rule(refuse=True) if number == 1 else Rule(latency=0.05)

    async with echo(rule) as (proxy, _):
        with pytest.raises((OSError, InvalidMessage)):
            async with dial(proxy):
                pass
        async with dial(proxy) as client:
            loop = asyncio.get_running_loop()
            before = loop.time()
            await client.send("late")
            await client.recv()
            assert loop.time() - before >= 0.1
        assert proxy.statistics.connections == 2


async def test_bandwidth_is_kept() -> None:
    async with echo(Rule(bandwidth=1_000_000)) as (proxy, _), dial(proxy) as client:
        loop = asyncio.get_running_loop()
        before = loop.time()
        for _ in range(2):
            await client.send(bytes(50_000))
            await client.recv()
        assert loop.time() - before >= 0.1


async def test_cutting_by_hand() -> None:
    async with echo(Rule()) as (proxy, server), dial(proxy) as client:
        await client.send("here")
        assert await client.recv() == "here"
        assert proxy.cut("reset") == 1
        assert await answers(client, 1) == []
        assert await server.ends.get() == "ended"


async def test_a_server_that_is_not_there_resets() -> None:
    async with echo(Rule()) as (proxy, _):
        pass
    async with FaultProxy(1) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_frames_are_found_however_the_bytes_are_cut(size: int) -> None:
    frames = [
        b"\x81\x02hi",
        b"\x89\x01p",  # a ping does not count
        b"\x82\xfe\x01\x00" + b"mask" + bytes(256),
        b"\x82\x00",
        b"\x82\x7f" + (70_000).to_bytes(8, "big") + bytes(70_000),
    ]
    stream = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b"".join(frames)
    counter, found, at = FrameCounter(), [], 0
    for start in range(0, len(stream), size):
        found += [at + end for end in counter.feed(stream[start : start + size])]
        at += size
    expected, at = [], len(stream) - sum(map(len, frames))
    for frame in frames:
        at += len(frame)
        if frame[0] != 0x89:
            expected.append(at)
    assert found == expected
