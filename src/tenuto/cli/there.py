"""Sessions of a running server: over HTTP, and for talking over `tenuto.v1`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
import msgspec

from tenuto.cli.reach import Dialogue, Entry, Summary, Transcript
from tenuto.cli.written import WireDialogue
from tenuto.client.client import Client
from tenuto.client.rest import Rest, Session, session_path
from tenuto.client.returning import typed_error
from tenuto.errors import InvalidInput, StoreUnavailable, TenutoError
from tenuto.session.analytics_part import Report
from tenuto.session.ports import Message
from tenuto.wire.native import EndConversation

PATIENCE = httpx.Timeout(15.0, read=60.0)
"""Seconds that a server may take: to connect, and between two events. Its event streams beat every 15 s."""

MOST_IN_A_PAGE = 100
"""Entries of a list that a server gives at once."""


@asynccontextmanager
async def through(
    url: str, key: str, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator["There"]:
    """Go through the server at `url`.

    Args:
        url: Such as `http://127.0.0.1:8765`; `ws` in place of `http` will do, and nothing too.
        key: Its API key; empty where none is needed.
        transport: Carries the requests; the network when None.

    Raises:
        InvalidInput: It is no URL of a server.
    """
    # The variables for proxies are for the world outside: a server is reached as it was named.
    carried = transport or httpx.AsyncHTTPTransport()
    async with Rest(http_url(url), key, transport=carried) as rest:
        yield There(rest, http_url(url), key, carried)


class There:
    """The sessions of one server; see `reach.Sessions`."""

    def __init__(self, rest: Rest, url: str, key: str, transport: httpx.AsyncBaseTransport) -> None:
        self.rest, self.url = rest, url
        self._key, self._transport = key, transport

    async def summaries(self, limit: int) -> Sequence[Summary]:
        found: list[Summary] = []
        cursor: str | None = None
        while len(found) < limit:
            page = await self.rest.sessions(min(MOST_IN_A_PAGE, limit - len(found)), cursor)
            found += [_summary(shown) for shown in page.sessions]
            cursor = page.next
            if cursor is None:
                break
        return found

    async def summary(self, session: str) -> Summary:
        return _summary(await self.rest.session(session))

    async def transcript(self, session: str, before: int | None, limit: int) -> Transcript:
        page = await self.rest.history(session, before, min(MOST_IN_A_PAGE, limit))
        messages = [
            msgspec.convert(msgspec.to_builtins(shown) | {"at": _seconds(shown.at)}, Message)
            for shown in page.messages
        ]
        return Transcript(messages=messages, next=page.next)

    async def watch(self, session: str, after: int) -> AsyncIterator[Entry]:
        path = f"{self.url}{session_path(session, 'events')}"
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # Not closed here: the transport belongs to the requests too.
        http = httpx.AsyncClient(timeout=PATIENCE, transport=self._transport)
        try:
            async with http.stream("GET", path, headers=headers) as reply:
                if not reply.is_success:
                    raise _error(reply.status_code, await reply.aread())
                position = 0
                async for line in reply.aiter_lines():
                    field, _, value = line.partition(": ")
                    if field == "id":
                        position = int(value)
                    elif field == "data":
                        yield Entry(position, value.encode())
        except httpx.HTTPError as error:
            raise StoreUnavailable(
                f"The server at {self.url} went away ({type(error).__name__})."
            ) from error

    async def analytics(self, session: str) -> Report:
        return msgspec.convert(await self.rest.analytics(session), Report)

    async def end(self, session: str) -> None:
        await self.rest.end(session)

    async def forget(self, session: str) -> None:
        await self.rest.forget(session)

    async def configure(self, session: str, changes: Mapping[str, Any]) -> int:
        return await self.rest.update_config(session, changes)

    async def take_over(
        self,
        source: AsyncIterator[bytes],
        users: Mapping[str, str],
        name: str | None,
        kind: str,
    ) -> Sequence[str]:
        return await self.rest.import_sessions(source, users=users, session_id=name, kind=kind)

    @asynccontextmanager
    async def dialogue(self, session: str | None, user: str | None) -> AsyncIterator[Dialogue]:
        name = await self.named(session, user)
        async with Client(self.url, session=name, ticket_source=self.tickets(name)) as client:
            dialogue = WireDialogue(client, name)
            await dialogue.begin()
            yield dialogue
            if client.state == "live":
                await client.send(EndConversation())

    async def named(self, session: str | None, user: str | None) -> str:
        """Return the id of a session that there is, or of a new one.

        Raises:
            SessionNotFound: There is none of that id.
        """
        if session is None:
            return (await self.rest.create_session(user_id=user)).session_id
        return (await self.rest.session(session)).session_id

    def tickets(self, session: str) -> "Tickets":
        """Return what gets a ticket for each new connection."""
        return Tickets(self.rest, session)


class Tickets:
    """Asks the server for tickets, with the API key where there is one."""

    def __init__(self, rest: Rest, session: str) -> None:
        self._rest, self._session = rest, session

    async def __call__(self) -> str:
        return (await self._rest.ticket(self._session)).ticket


def http_url(url: str) -> str:
    """Return the base of a server's HTTP addresses.

    Raises:
        InvalidInput: It is no URL of a server.

    Example:
        >>> http_url("ws://127.0.0.1:8765/"), http_url("127.0.0.1:8765")
        ('http://127.0.0.1:8765', 'http://127.0.0.1:8765')
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "http", url
    rest = rest.rstrip("/")
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    if scheme not in ("http", "https") or not rest:
        raise InvalidInput(f"{url!r} is no server. Write it like http://127.0.0.1:8765")
    return f"{scheme}://{rest}"


# ---------------------------------------------------------------------------------------------------------- inside


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _summary(shown: Session) -> Summary:
    return Summary(
        session=shown.session_id,
        user=shown.user_id,
        created=_seconds(shown.created),
        updated=_seconds(shown.updated),
        position=shown.position,
        ended=shown.ended,
        life=shown.life,
    )


def _error(status: int, content: bytes) -> TenutoError:
    try:
        said = msgspec.json.decode(content)["error"]
        return typed_error(str(said["code"]), str(said["message"]))
    except (msgspec.MsgspecError, KeyError, TypeError):
        return StoreUnavailable(f"What answers there is no Tenuto server: it said {status}.")
