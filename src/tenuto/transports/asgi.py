"""A client's socket, carried by ASGI: for an app that is mounted in a user's own server.

Sending is a coroutine in ASGI and a call in `Carrier`, so a writer of its own sends what is queued,
in order. The queue is bounded by its wire, which looks at `buffered` and closes a client that does
not read.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tenuto.transports.carrier import Wire
from tenuto.wire.native import MAX_TEXT, SUBPROTOCOL

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CLOSING = 2.0
"""Seconds that a close frame has to get out, behind what was queued before it."""


class AsgiCarrier:
    """The way out of one ASGI WebSocket."""

    __slots__ = ("_closing", "_loop", "_queue", "_send", "_size", "_timer", "_waiter", "_writer")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Message] = deque()
        self._size = 0
        self._closing = False
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def closing(self) -> bool:
        """Whether nothing more goes out, or is taken in."""
        return self._closing

    def start(self) -> asyncio.Task[None]:
        """Start the writer. It ends once the close frame is out; whoever starts it cancels it
        otherwise.
        """
        self._writer = self._loop.create_task(self._write(), name="asgi-writer")
        return self._writer

    def stop(self) -> None:
        """Take nothing more."""
        self._closing = True
        self._queue.clear()
        self._size = 0
        if self._timer is not None:
            self._timer.cancel()

    def send_text(self, data: bytes) -> None:
        if not self._closing:
            self._put({"type": "websocket.send", "text": data.decode()}, len(data))

    def send_binary(self, data: bytes) -> None:
        if not self._closing:
            # Inlined `_put`: this is called for each frame of audio.
            self._queue.append({"type": "websocket.send", "bytes": data})
            self._size += len(data)
            if self._waiter is not None:
                self._waiter.set_result(None)
                self._waiter = None

    def buffered(self) -> int:
        return self._size

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            reason = reason.encode()[:123].decode(errors="ignore")
            self._put({"type": "websocket.close", "code": code, "reason": reason}, 0)
            if self._writer is not None:
                self._timer = self._loop.call_later(CLOSING, self._writer.cancel)

    def _put(self, message: Message, size: int) -> None:
        self._queue.append(message)
        self._size += size
        if self._waiter is not None:
            self._waiter.set_result(None)
            self._waiter = None

    async def _write(self) -> None:
        send, queue = self._send, self._queue
        while True:
            while queue:
                message = queue[0]
                await send(message)
                if message["type"] == "websocket.close":
                    return
                if queue:
                    queue.popleft()
                    self._size -= len(message.get("bytes") or message.get("text") or b"")
            waiter = self._waiter = self._loop.create_future()
            try:
                await waiter
            finally:
                self._waiter = None


async def carry(wire: Wire, over: Callable[[], None], receive: Receive, send: Send) -> None:
    """Accept an ASGI WebSocket as `tenuto.v1` and drive a wire until either side ends it.

    Args:
        wire: What is called with everything that comes in.
        over: Called once the socket is gone, after `Wire.lost`.
        receive: As ASGI says; the `websocket.connect` message has been taken already.
        send: As ASGI says.
    """
    carrier = AsgiCarrier(send)
    opened = False
    tasks: list[asyncio.Task[None]] = []
    try:
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        opened = True
        writer = carrier.start()
        wire.opened(carrier)
        reader = asyncio.create_task(_read(wire, carrier, receive), name="asgi-reader")
        tasks += [reader, writer]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        error = reader.exception() if reader.done() and not reader.cancelled() else None
        if error is not None:
            log.error("A socket's wire failed.", exc_info=error)
            carrier.close(1011, "")
            await asyncio.wait([writer])
    finally:
        carrier.stop()
        for task in tasks:
            task.cancel()
        # A writer fails when the client is gone: the reader has heard of it in its own way.
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            if opened:
                wire.lost()
        finally:
            over()


async def _read(wire: Wire, carrier: AsgiCarrier, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        if carrier.closing:
            continue
        data = message.get("bytes")
        if data is not None:
            if len(data) > MAX_TEXT:
                carrier.close(1009, f"a message may have {MAX_TEXT} bytes")
            else:
                wire.binary(data)
            continue
        text = message["text"].encode()
        if len(text) > MAX_TEXT:
            carrier.close(1009, f"a message may have {MAX_TEXT} bytes")
        else:
            wire.text(text)
