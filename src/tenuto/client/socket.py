"""One WebSocket at the client, behind the smallest face: the shell above it never sees the library.

`dial` is the way over the network; anything of the same shape will do, such as a line within the process in a test.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from tenuto.wire.native import SUBPROTOCOL, CloseCode

OPEN_SECONDS = 10.0
"""Seconds that opening may take, from the name to the upgrade."""
CLOSE_SECONDS = 2.0
"""Seconds that the other side has to answer a close frame."""
LARGEST = 16 * 1024 * 1024
"""Bytes of one frame from the server: a snapshot may be large."""


class Socket(Protocol):
    """The way out. None of these raises, also not after the socket is gone."""

    closed: tuple[int, str] | None
    """Code and reason of the other side's close frame; None while there was none."""

    def send_text(self, data: bytes) -> None: ...

    def send_binary(self, data: bytes) -> None: ...

    def buffered(self) -> int:
        """Bytes that were sent and that have not left."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after what was sent before. The ear's `lost` follows."""
        ...


class Ear(Protocol):
    """The way in. `lost` comes exactly once, and last."""

    def text(self, data: bytes) -> None: ...

    def binary(self, data: bytes | memoryview) -> None: ...

    def lost(self) -> None: ...


class Dial(Protocol):
    """Opens a socket.

    Raises:
        NoSocket: It could not be opened.
    """

    async def __call__(self, url: str, protocols: Sequence[str], ear: Ear) -> Socket: ...


class NoSocket(Exception):
    """There is no socket.

    Args:
        code: The close code that the server's refusal amounts to; None when nobody refused.
        reason: For people.
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def dial(url: str, protocols: Sequence[str], ear: Ear) -> Socket:
    """Open a WebSocket.

    Raises:
        NoSocket: The server refused, is not there, or is none of ours.
    """
    try:
        connection = await connect(
            url,
            subprotocols=[Subprotocol(name) for name in protocols],
            compression=None,
            ping_interval=None,
            max_size=LARGEST,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
        )
    except InvalidStatus as refused:
        status = refused.response.status_code
        raise NoSocket(_close_code(status), f"HTTP {status}") from None
    except InvalidURI as error:
        raise NoSocket(CloseCode.REFUSED, str(error)) from None
    except (OSError, EOFError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
        raise NoSocket(None, type(error).__name__) from None
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close()
        raise NoSocket(CloseCode.PROTOCOL, "the server does not speak tenuto.v1")
    return WebSocket(connection, ear)


def _close_code(status: int) -> int | None:
    if status == 401:
        return CloseCode.EXPIRED
    if status in (403, 404, 410, 421):
        return CloseCode.REFUSED
    return CloseCode.OVERLOADED if status in (429, 503) else None


class WebSocket:
    """A `Socket` over the `websockets` library. Its two tasks end with the connection."""

    def __init__(self, connection: ClientConnection, ear: Ear) -> None:
        self.closed: tuple[int, str] | None = None
        self._connection, self._ear = connection, ear
        self._queue: asyncio.Queue[str | bytes | tuple[int, str]] = asyncio.Queue()
        self._waiting = 0
        self._over = False
        self._writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())

    def send_text(self, data: bytes) -> None:
        self._put(data.decode(), len(data))

    def send_binary(self, data: bytes) -> None:
        self._put(data, len(data))

    def buffered(self) -> int:
        return self._waiting

    def close(self, code: int, reason: str) -> None:
        self._put((code, reason), 0)

    async def wait_closed(self) -> None:
        """Wait until both tasks have ended."""
        await asyncio.wait([self._reader, self._writer])

    def _put(self, item: str | bytes | tuple[int, str], size: int) -> None:
        # Bounded by what the core sends: it looks at `buffered` before each stretch of audio.
        if not self._over:
            self._waiting += size
            self._queue.put_nowait(item)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            while True:
                match await self._queue.get():
                    case (code, reason):
                        await self._connection.close(code, reason)
                        return
                    case str() | bytes() as data:
                        await self._connection.send(data)
                        self._waiting -= len(data)

    async def _read(self) -> None:
        try:
            async for data in self._connection:
                if isinstance(data, str):
                    self._ear.text(data.encode())
                else:
                    self._ear.binary(data)
        except ConnectionClosed:
            pass
        finally:
            self._over = True
            frame = self._connection.protocol.close_rcvd
            if frame is not None:
                self.closed = (frame.code, frame.reason)
            self._writer.cancel()
            self._ear.lost()
