"""A session's events as they happen: server-sent events, for observers.

`id` is the position, `event` the tag, `data` the event's JSON as it stands in the journal. A
listener that comes back says `Last-Event-ID` and misses nothing. A comment every 15 s keeps proxies
from hanging up. The stream ends after `session.ended`, when the API key that opened it is revoked,
and when the server goes down.

One row at a time is taken from the journal and sent before the next, so a slow listener holds one
row here, not a queue; one that does not read for `Limits.listener_seconds` is let go, and can come
back where it was.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tenuto.errors import InvalidInput
from tenuto.events import TAGS, SessionEnded
from tenuto.server.reception import Reception
from tenuto.server.requests import asking, reception
from tenuto.session.ports import Row

LOOK = 1.0
"""Seconds between two looks at whether the API key of a listener was revoked."""
BEAT = 15.0
"""Seconds of silence before a comment is sent."""
LISTENER = "listener"
"""What its listeners are among the clients of a session."""
_ENDED = TAGS[SessionEnded]

_Position = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class EventStream(Response):
    """The reply that goes on."""

    media_type = "text/event-stream"

    def __init__(
        self,
        rows: AsyncIterator[Row],
        desk: Reception,
        *,
        session: str,
        key: str = "",
        beat: float = BEAT,
    ) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._rows = rows
        self._desk = desk
        self._session = session
        self._key = key
        self._beat = beat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stops = [
            asyncio.create_task(_gone(receive), name="listener-gone"),
            asyncio.create_task(self._over(), name="listener-over"),
        ]
        following = asyncio.create_task(self._follow(send), name="listener")
        try:
            await asyncio.wait([following, *stops], return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following
                if not stops[0].done():
                    with suppress(OSError):
                        await self._say(send, b"", more=False)
            else:
                with suppress(OSError, TimeoutError):
                    following.result()
        finally:
            for task in (following, *stops):
                task.cancel()
            await asyncio.gather(following, *stops, return_exceptions=True)
            self._desk.occupancy.leave(self._session, LISTENER)

    async def _follow(self, send: Send) -> None:
        rows = aiter(self._rows)
        upcoming: asyncio.Task[Row | None] | None = None
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            # Something at once, so that a listener knows that it is connected.
            await self._say(send, b": tenuto\n\n")
            while True:
                upcoming = upcoming or asyncio.create_task(_next(rows), name="listener-next")
                await asyncio.wait([upcoming], timeout=self._beat)
                if not upcoming.done():
                    await self._say(send, b": beat\n\n")
                    continue
                row, upcoming = upcoming.result(), None
                if row is None:
                    break
                await self._say(send, encode(row))
                if row.type == _ENDED:
                    break
            await self._say(send, b"", more=False)
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)
            close = getattr(self._rows, "aclose", None)
            if close is not None:
                await close()

    async def _say(self, send: Send, data: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._desk.limits.listener_seconds):
            await send({"type": "http.response.body", "body": data, "more_body": more})

    async def _over(self) -> None:
        draining = self._desk.draining
        while not draining.is_set() and self._desk.access.stands(self._key):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await draining.wait()


def encode(row: Row) -> bytes:
    """Return one event as it is sent.

    Example:
        >>> encode(Row(7, "session.parked", b'{"type":"session.parked","at":1.0}'))
        b'id: 7\\nevent: session.parked\\ndata: {"type":"session.parked","at":1.0}\\n\\n'
    """
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (row.position, row.type.encode(), row.body)


async def listen(request: Request) -> Response:
    """Follow a session's events."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    session = request.path_params["session_id"]
    text = request.headers.get("last-event-id", "") or request.query_params.get("after", "0")
    try:
        after = msgspec.convert(text, _Position, strict=False)
    except msgspec.ValidationError:
        raise InvalidInput("Last-Event-ID and `after` are positions: 0, 1, 2 ...") from None
    await desk.tenuto.head(session, tenant=caller.tenant)
    desk.occupancy.enter(session, LISTENER)
    rows = desk.tenuto.watch(session, tenant=caller.tenant, after=after)
    return EventStream(rows, desk, session=session, key=caller.key)


async def _next(rows: AsyncIterator[Row]) -> Row | None:
    return await anext(rows, None)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
