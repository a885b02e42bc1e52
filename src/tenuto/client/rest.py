"""The REST side of a server: sessions and their history, and tickets to attach with."""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from tenuto.client.returning import typed_error
from tenuto.errors import RateLimited, SessionNotFound, StoreUnavailable, TenutoError

SECONDS = 30.0
"""Seconds that a request may take."""
IMPORT_SECONDS = 600.0
"""Seconds that an import may take."""

T = TypeVar("T")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session, as a server shows it."""

    session_id: str
    user_id: str = ""
    tenant: str = ""
    created: str = ""
    """RFC 3339, UTC."""
    updated: str = ""
    """RFC 3339, UTC."""
    position: int = 0
    """The journal's head."""
    ended: bool = False
    life: str = "parked"
    """`live` while a server has it, `parked`, or `ended`."""


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, the most recently updated first."""

    sessions: list[Session]
    next: str | None = None
    """Cursor of the next page; None on the last."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a history."""

    message: int
    role: str
    text: str
    turn: int = 0
    conversation: str = ""
    at: str = ""
    """RFC 3339, UTC."""
    said: str = ""
    """For the agent: the whole text, when not all of it was heard."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a history, oldest first."""

    messages: list[Message]
    next: int | None = None
    """`before` of the page before; None on the oldest."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """The right to attach once."""

    ticket: str
    expires_in: float = 30.0
    """Seconds."""
    url: str = ""
    """The WebSocket to open."""


class _Settings(msgspec.Struct):
    version: int


class _Imported(msgspec.Struct):
    session_ids: list[str]


class _Problem(msgspec.Struct):
    code: str
    message: str = ""


class _Failure(msgspec.Struct):
    error: _Problem


class Rest:
    """A server's REST endpoints.

    Every call may raise what the server says, as the error of `tenuto.errors` with that code; and `StoreUnavailable`
    when the server cannot be reached, which may be tried again.

    Args:
        url: Where the server is, such as `http://127.0.0.1:8765`; `ws` in place of `http` will do.
        key: The API key; empty where none is needed.

    Example:
        async with Rest("http://127.0.0.1:8765") as rest:
            session = await rest.create_session(user_id="alice")
    """

    def __init__(
        self, url: str, key: str = "", *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        base = url.replace("ws", "http", 1) if url.startswith("ws") else url
        self._http = httpx.AsyncClient(
            base_url=base, headers=headers, timeout=SECONDS, transport=transport
        )

    async def __aenter__(self) -> "Rest":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def create_session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: dict[str, Any] | None = None,
    ) -> Session:
        """Make a session. What is left out is chosen by the server."""
        given = {"user_id": user_id, "session_id": session_id, "config": config}
        body = {name: value for name, value in given.items() if value is not None}
        return await self._call(Session, "POST", "/sessions", json=body)

    async def sessions(self, limit: int = 50, cursor: str | None = None) -> Sessions:
        """Return a page of sessions."""
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        return await self._call(Sessions, "GET", "/sessions", params=query)

    async def session(self, session_id: str) -> Session:
        """Return one session."""
        return await self._call(Session, "GET", session_path(session_id))

    async def history(self, session_id: str, before: int | None = None, limit: int = 50) -> History:
        """Return a page of a session's messages: the last ones, or those before message number `before`."""
        query = {"limit": limit} | ({"before": before} if before is not None else {})
        return await self._call(History, "GET", session_path(session_id, "history"), params=query)

    async def analytics(self, session_id: str) -> dict[str, Any]:
        """Return what was counted of a session: `analytics`, `conversations`, `metrics`, `usage`, `cost` and `turns`."""
        return await self._call(dict[str, Any], "GET", session_path(session_id, "analytics"))

    async def ticket(
        self, session_id: str, role: Literal["controller", "observer"] = "controller"
    ) -> Ticket:
        """Return the right to attach once."""
        path = session_path(session_id, "tickets")
        return await self._call(Ticket, "POST", path, json={"role": role})

    def ticket_source(
        self, session_id: str, role: Literal["controller", "observer"] = "controller"
    ) -> Callable[[], Awaitable[str]]:
        """Return what gets a fresh ticket for this session each time: the `ticket_source` of a `Client`."""

        async def fresh() -> str:
            return (await self.ticket(session_id, role)).ticket

        return fresh

    async def update_config(self, session_id: str, changes: Mapping[str, Any]) -> int:
        """Change settings of a session by name: all of them, or none. Returns the version of the settings."""
        path = session_path(session_id, "config")
        return (await self._call(_Settings, "PATCH", path, json=dict(changes))).version

    async def import_sessions(
        self,
        data: AsyncIterable[bytes],
        *,
        users: Mapping[str, str] | None = None,
        session_id: str | None = None,
        kind: str = "",
    ) -> list[str]:
        """Import sessions and return their ids.

        Args:
            data: An export, as it comes, or what others keep.
            users: Users by the names that they had.
            session_id: The id of the session, where there is just one.
            kind: `chat`, `map`, `record` or `structure`; found out when empty.
        """
        renamed = [f"{old}={new}" for old, new in (users or {}).items()]
        query = {"user_map": renamed, "session_id": session_id, "kind": kind}
        made = await self._call(
            _Imported,
            "POST",
            "/sessions/import",
            params={name: value for name, value in query.items() if value} or None,
            content=data,
            headers={"Content-Type": "application/jsonl"},
            timeout=IMPORT_SECONDS,
        )
        return made.session_ids

    async def end(self, session_id: str, reason: str = "user") -> None:
        """End a session. Its history stays."""
        await self._request("POST", session_path(session_id, "end"), json={"reason": reason})

    async def forget(self, session_id: str) -> None:
        """Erase a session and all that was said in it."""
        await self._request("DELETE", session_path(session_id))

    async def _call(self, kind: type[T], method: str, path: str, **more: Any) -> T:
        data = await self._request(method, path, **more)
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.MsgspecError as error:
            raise TenutoError(f"The server's answer to {method} {path} is none: {error}") from None

    async def _request(self, method: str, path: str, **more: Any) -> bytes:
        try:
            response = await self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise StoreUnavailable(
                f"The server at {self._http.base_url} does not answer ({type(error).__name__}). "
                "Is it running? Start it with: tenuto serve"
            ) from None
        if response.is_success:
            return response.content
        try:
            problem = msgspec.json.decode(response.content, type=_Failure).error
        except msgspec.MsgspecError:
            problem = _Problem(code="error", message=f"HTTP {response.status_code}")
        refused = typed_error(problem.code, problem.message)
        if (
            isinstance(refused, RateLimited)
            and (pause := response.headers.get("retry-after", "")).isdigit()
        ):
            refused.retry_after = float(pause)
        raise refused


def session_path(session_id: str, verb: str = "") -> str:
    """Return the path of a session, or of something of it.

    Raises:
        SessionNotFound: It cannot be an id: in an address it would lead elsewhere.

    Example:
        >>> session_path("a b", "end")
        '/sessions/a%20b/end'
    """
    if "/" in session_id or session_id in ("", ".", ".."):
        raise SessionNotFound
    path = f"/sessions/{quote(session_id, safe='')}"
    return f"{path}/{verb}" if verb else path
