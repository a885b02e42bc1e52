"""Worker processes that are there at once: one loads what is heavy, and forks a child for each
connection.

The host keeps two sockets ends: `control`, over which it passes the socket of each new connection,
and those connections. Nothing is on the file system, and nobody else can connect.

    acquired                     released
    process, control socket      Zygote.close; the process ends by itself when the host dies
    connection, and its child    Line.close; a child ends when its connection does
"""

import asyncio
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

from tenuto.engines.local import forked
from tenuto.errors import EngineError, EngineLost

READY = 60.0
"""Seconds that a worker has to load."""

CLOSING = 0.5
"""Seconds that a worker has to end before it is killed."""


class Line(asyncio.Protocol):
    """Messages to and from one child. What is sent waits in memory when the child is busy; the
    caller bounds it.

    Args:
        ended: Called once, when the connection has ended.
    """

    def __init__(self, ended: Callable[[], None] = lambda: None) -> None:
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._messages: deque[tuple[bytes, bytes]] = deque()
        self._news = asyncio.Event()
        self._lost = False

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send a message. Does nothing when the child is gone: `receive` tells."""
        if self._transport is not None and not self._lost:
            self._transport.write(forked.HEADER.pack(kind, len(body)) + body)

    def take(self) -> tuple[bytes, bytes] | None:
        """Return a message that has come; None when there is none."""
        return self._messages.popleft() if self._messages else None

    async def receive(self) -> tuple[bytes, bytes]:
        """Return the next message.

        Raises:
            EngineLost: The child is gone.
        """
        while not self._messages:
            if self._lost:
                raise EngineLost("A worker process ended in the middle of its work.")
            self._news.clear()
            await self._news.wait()
        return self._messages.popleft()

    def close(self) -> None:
        """Let go of the child. Safe to call twice."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = forked.HEADER.size
        while len(self._buffer) >= head:
            kind, size = forked.HEADER.unpack_from(self._buffer)
            if len(self._buffer) < head + size:
                break
            self._messages.append((kind, bytes(self._buffer[head : head + size])))
            del self._buffer[: head + size]
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._news.set()
        self._ended()


class Zygote:
    """A process that has loaded a worker and forks it.

    Args:
        worker: The worker's file: a Python script with `load(setup: bytes) -> Callable[[Pipe],
            None]`.
        setup: What `load` is given.
    """

    def __init__(self, worker: Path, setup: bytes = b"") -> None:
        self._worker, self._setup = worker, setup
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the process is there and has loaded."""
        return (
            self._control is not None
            and self._process is not None
            and self._process.returncode is None
        )

    @property
    def pid(self) -> int | None:
        """The process; None before it is started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until it has loaded. Does nothing when it runs; starts another
        when it died.

        Raises:
            EngineError: It cannot be started.
        """
        async with self._starting:
            if self.alive:
                return
            if self._closed:
                raise EngineError("The engine is closed.")
            await self._end()
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(
                        sys.executable,
                        "-P",
                        forked.__file__,
                        str(theirs.fileno()),
                        str(self._worker),
                    ),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    # Not in the terminal's group: Ctrl-C is the host's, and the worker ends with
                    # the host.
                    start_new_session=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(READY):
                    setup = forked.HEADER.pack(b"S", len(self._setup)) + self._setup
                    await loop.sock_sendall(ours, setup)
                    loaded = await loop.sock_recv(ours, forked.HEADER.size)
            except (OSError, TimeoutError):
                loaded = b""
            except BaseException:
                ours.close()
                raise
            if not loaded:
                ours.close()
                await self._end()
                raise EngineError(
                    f"The worker {self._worker.stem} could not be loaded; run: tenuto doctor"
                )
            self._control = ours

    async def connect(self, ended: Callable[[], None] = lambda: None) -> Line:
        """Return a connection to a new child; `ended` is called once, when the connection has
        ended.

        Raises:
            EngineLost: The process is gone, or has no room.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                await self._pass(theirs)
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            _, line = await loop.create_unix_connection(lambda: Line(ended), sock=ours)
        except BaseException:
            ours.close()
            raise
        return line

    async def _pass(self, theirs: socket.socket) -> None:
        """Give a socket to the process, or to another one when that has just died."""
        for last_try in (False, True):
            await self.start()
            control = self._control
            assert control is not None
            try:
                socket.send_fds(control, [b"C"], [theirs.fileno()])
                return
            except OSError as error:
                async with self._starting:
                    if self._control is control:
                        await self._end()
                if last_try:
                    raise EngineLost("A worker process is gone.") from error

    async def close(self) -> None:
        """End the process. Safe to call twice."""
        self._closed = True
        async with self._starting:
            await self._end()

    async def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        try:
            async with asyncio.timeout(CLOSING):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
