"""A TCP proxy between a client and a server that does what networks do: late, slow, cut, reset, half-open.

It reads the WebSocket frames that pass, so that a fault comes exactly at a frame boundary: `Cut(after=7, ...)` forwards
the seventh frame to its last byte and nothing after it. Only data frames count; pings, pongs and closes do not. Before
the upgrade is over nothing counts. TLS cannot be looked into: put the proxy on a plain connection.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal

Direction = Literal["to_server", "to_client"]
How = Literal["clean", "reset", "half-open"]

CHUNK = 64 * 1024
"""Bytes that are read at a time."""
BACKLOG = 64
"""Chunks that wait for their latency, in one direction of one connection; then reading stops."""
LINGER = 1.0
"""Seconds that a clean cut waits for the other sides to close too."""


@dataclass(frozen=True)
class Rule:
    """What happens to one connection."""

    latency: float = 0.0
    """Seconds each way."""
    bandwidth: float | None = None
    """Bytes a second each way; None for no limit."""
    after: int | None = None
    """Data frames of `direction` that pass before the cut; None for no cut."""
    direction: Direction = "to_client"
    how: How = "clean"
    """`clean` closes with FIN, `reset` with RST, `half-open` forwards nothing more and keeps the sockets."""
    refuse: bool = False
    """Whether the connection is reset as soon as it is there."""


@dataclass
class Statistics:
    """What went through, over all connections."""

    connections: int = 0
    """How many there were."""
    cuts: int = 0
    """How many were broken by a rule or by `cut`."""
    frames: dict[Direction, int] = field(default_factory=lambda: {"to_server": 0, "to_client": 0})
    """Data frames that were forwarded whole."""
    bytes: dict[Direction, int] = field(default_factory=lambda: {"to_server": 0, "to_client": 0})
    """Bytes that were forwarded, the upgrade's included."""


class FaultProxy:
    """Listens on loopback and forwards to a server, with faults.

    Args:
        port: The server's port.
        host: The server's address.
        rule: What happens to each connection: one rule for all, or a function of its number, from 1.

    Example:
        async with FaultProxy(8765, rule=lambda n: Rule(after=3, how="reset") if n == 1 else Rule()) as proxy:
            await talk(f"ws://127.0.0.1:{proxy.port}")
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        rule: Rule | Callable[[int], Rule] = Rule(),
    ) -> None:
        self.port = 0
        """Where it listens, on 127.0.0.1; 0 before it is entered."""
        self.rule = rule
        """For the connections to come."""
        self.statistics = Statistics()
        """Of all connections so far."""
        self.connections: list[Connection] = []
        """The open ones, oldest first."""
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FaultProxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and reset what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, how: How = "clean") -> int:
        """Break all open connections now. Returns how many there were."""
        connections = list(self.connections)
        for connection in connections:
            connection.cut(how)
        return len(connections)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.statistics.connections += 1
        number = self.statistics.connections
        rule = self.rule if isinstance(self.rule, Rule) else self.rule(number)
        task = asyncio.create_task(self._serve(reader, writer, number, rule))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, rule: Rule
    ) -> None:
        if rule.refuse:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        connection = Connection(number, rule, self.statistics)
        self.connections.append(connection)
        try:
            await connection.carry((reader, writer), (far_reader, far_writer))
        finally:
            self.connections.remove(connection)
            for end in (writer, far_writer):
                if connection.ended:
                    end.close()
                else:
                    _reset(end)
                # The transport closes in the next rounds of the loop.
                with contextlib.suppress(OSError):
                    await end.wait_closed()


class Connection:
    """One client's connection through the proxy."""

    def __init__(self, number: int, rule: Rule, statistics: Statistics) -> None:
        self.number = number
        """1 for the first connection of the proxy."""
        self.rule = rule
        """What is done to it."""
        self.frames: dict[Direction, int] = {"to_server": 0, "to_client": 0}
        """Data frames that were forwarded whole."""
        self.ended = False
        """Whether it came to a good end: both sides have sent FIN."""
        self._statistics = statistics
        self._broken: asyncio.Future[How] = asyncio.get_running_loop().create_future()

    def cut(self, how: How = "clean") -> None:
        """Break it now; `how` is that of a `Cut`."""
        if not self._broken.done():
            self._statistics.cuts += 1
            self._broken.set_result(how)

    async def carry(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Forward until both sides are done or the connection is broken.

        Args:
            near: Where the client is read from, and written to.
            far: The same of the server.
        """
        lanes = [
            asyncio.create_task(self._lane(near[0], far[1], "to_server")),
            asyncio.create_task(self._lane(far[0], near[1], "to_client")),
        ]
        both = asyncio.gather(*lanes)
        try:
            waits: list[asyncio.Future[Any]] = [both, self._broken]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not self._broken.done():
                self.ended = both.exception() is None
                return
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(both, return_exceptions=True)
            await self._break(self._broken.result(), near, far)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(both, return_exceptions=True)

    async def _break(
        self,
        how: How,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        if how == "half-open":
            await asyncio.get_running_loop().create_future()
        elif how == "clean":
            # A socket that is closed with unread bytes sends RST: finish first, read the rest, then close.
            for _, writer in (near, far):
                with contextlib.suppress(OSError, RuntimeError):
                    writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await asyncio.gather(_drain(near[0]), _drain(far[0]))
            self.ended = True

    async def _lane(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(BACKLOG)
        loop = asyncio.get_running_loop()

        async def read() -> None:
            while data := await reader.read(CHUNK):
                await queue.put((loop.time() + self.rule.latency, data))
            await queue.put((loop.time() + self.rule.latency, b""))

        reading = asyncio.create_task(read())
        frames = FrameCounter()
        try:
            while True:
                due, data = await _next(queue, reading)
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                if not data:
                    writer.write_eof()
                    return
                await self._forward(data, frames, writer, direction)
        except OSError:
            # One side is gone: so is the other.
            _reset(writer)
            raise
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _forward(
        self,
        data: bytes,
        frames: "FrameCounter",
        writer: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        rule = self.rule
        counts = rule.after is not None and rule.direction == direction
        ends = frames.feed(data)
        upto = len(data)
        if counts and rule.after == 0 and frames.upgraded is not None:
            upto = frames.upgraded
            ends = []
        elif counts and rule.after is not None and self.frames[direction] + len(ends) >= rule.after:
            ends = ends[: rule.after - self.frames[direction]]
            upto = ends[-1] if ends else 0
        else:
            counts = False
        if rule.bandwidth:
            await asyncio.sleep(upto / rule.bandwidth)
        writer.write(data[:upto])
        await writer.drain()
        self.frames[direction] += len(ends)
        self._statistics.frames[direction] += len(ends)
        self._statistics.bytes[direction] += upto
        if counts:
            self.cut(rule.how)
            self.rule = replace(rule, after=None)
            await asyncio.get_running_loop().create_future()


class FrameCounter:
    """Finds where WebSocket data frames end in one direction of a connection (RFC 6455, 5.2)."""

    def __init__(self) -> None:
        self.upgraded: int | None = None
        """Where the HTTP head ended in the bytes given last; None while it has not, 0 when it had before."""
        self._head = bytearray()
        self._left = 0
        """Bytes of the present frame's payload that are still to come."""
        self._data = False
        """Whether the present frame is a data frame."""

    def feed(self, data: bytes) -> list[int]:
        """Take what passed and return where data frames ended in it: indices after their last byte."""
        ends: list[int] = []
        at = 0
        if self.upgraded is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                del self._head[:-3]
                return ends
            at = self.upgraded = len(data) - (len(self._head) - (end + 4))
            self._head.clear()
        else:
            self.upgraded = 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
                if not self._left:
                    self._finish(ends, at)
                continue
            self._head.append(data[at])
            at += 1
            if len(self._head) < 2 or len(self._head) < self._needs():
                continue
            self._data = self._head[0] & 0x0F < 0x8
            self._left = self._payload()
            self._head.clear()
            if not self._left:
                self._finish(ends, at)
        return ends

    def _finish(self, ends: list[int], at: int) -> None:
        if self._data:
            ends.append(at)

    def _needs(self) -> int:
        length = self._head[1] & 0x7F
        return 2 + {126: 2, 127: 8}.get(length, 0) + (4 if self._head[1] & 0x80 else 0)

    def _payload(self) -> int:
        length = self._head[1] & 0x7F
        if length == 126:
            return int.from_bytes(self._head[2:4], "big")
        if length == 127:
            return int.from_bytes(self._head[2:10], "big")
        return length


async def _next(
    queue: "asyncio.Queue[tuple[float, bytes]]", reading: "asyncio.Task[None]"
) -> tuple[float, bytes]:
    """Return what comes next; raise what the reader raised once everything before it was taken."""
    if queue.empty() and reading.done():
        reading.result()
    getting = asyncio.ensure_future(queue.get())
    try:
        await asyncio.wait([getting, reading], return_when=asyncio.FIRST_COMPLETED)
        if not getting.done() and reading.exception() is not None:
            reading.result()
        return await getting
    finally:
        getting.cancel()


async def _drain(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(CHUNK):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, unless it is closed already."""
    if writer.transport.is_closing():
        return
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
