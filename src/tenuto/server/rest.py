"""Sessions over HTTP: make, list, read, end, forget, and tickets for those who attach.

Everything here belongs to the caller's tenant; somebody else's session looks as if there were none.
Times are ISO 8601 in UTC with a Z. Lists come in pages: `next` of one page asks for the one after
it, and is null on the last.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tenuto.errors import InvalidInput, SessionEnded, SessionNotFound
from tenuto.ids import new_id
from tenuto.security.grants import TICKET_LIFE, Admission
from tenuto.server import replies, settings_wanted
from tenuto.server.auth import Caller
from tenuto.server.body import read_json
from tenuto.server.reception import Page, Reception
from tenuto.server.requests import asking, reception, session_path
from tenuto.server.settings_wanted import SettingsWanted
from tenuto.session.ports import Head, Message, Query

SessionId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$",
        description="Letters, digits and . _ ~ -, 100 at most.",
    ),
]
UserId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[!-.0-~]{1,100}$",
        description="Your own name for the user: ASCII without spaces and slashes, 100 at most.",
    ),
]
Cursor = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9]{1,11}(\.[0-9]{1,17})?~[ -~]{1,900}$", description="Opaque."),
]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=100)]
Position = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class SessionWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session to be made. Everything may be left out."""

    user_id: UserId | None = None
    """Whose it is; the local user's when it is left out."""
    session_id: SessionId | None = None
    """Its name; made up when it is left out."""
    config: SettingsWanted | None = None
    """Its settings; those of the preset, or the host's, where they are left out."""
    preset: Literal["conversation", "task_oriented", "educational", "customer_support"] | None = (
        None
    )
    """Settings that go well together."""


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it stands."""

    session_id: str
    user_id: str
    tenant: str
    created: str
    """ISO 8601, UTC."""
    updated: str
    """ISO 8601, UTC."""
    position: int
    """How many events its journal has."""
    ended: bool
    life: Literal["live", "parked", "ended"]
    """`live` while a server has it; `parked` while none does, which costs nothing; or `ended`."""


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions, the most recently updated first."""

    sessions: list[SessionShown]
    next: str | None
    """`cursor` of the next page."""


class SessionsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """Only this user's."""
    limit: PageSize = 50
    cursor: Cursor | None = None
    """`next` of the page before."""


class SettingsShown(msgspec.Struct, frozen=True, kw_only=True):
    """How far the settings of a session are."""

    session_id: str
    version: int
    """Counts the changes since the session was made."""
    applied_version: int
    """The version that the engine last said it goes by; 0 before it has confirmed a change."""


class MessageShown(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a history."""

    message: int
    """Counts from 1 within the session."""
    role: Literal["user", "agent", "system", "tool"]
    text: str
    """What was said and, for the agent, heard."""
    said: str
    """For the agent: the whole text, when not all of it was heard; else empty."""
    turn: int
    conversation: str
    at: str
    """ISO 8601, UTC."""


class HistoryShown(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a history, newest last."""

    messages: list[MessageShown]
    next: int | None
    """`before` of the page before it in time."""


class HistoryAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    before: Position | None = None
    """Only what came before this; `next` of the page before."""
    limit: PageSize = 50


class Ending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a session is ended. Everything may be left out."""

    reason: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z][a-z_]*$", max_length=64, description="As it stands in session.ended."
        ),
    ] = "user"


Origin = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[a-z0-9.:\[\]-]+$",
        max_length=256,
        description="Of the page that will use the ticket; this request's when it is left out.",
    ),
]


class TicketWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a ticket is for. Everything may be left out."""

    role: Literal["controller", "observer"] = "controller"
    origin: Origin | None = None


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    ticket: str
    """Offer it as the subprotocol `tenuto.t.<ticket>` beside `tenuto.v1`. It works once."""
    expires_in: float
    """Seconds."""
    url: str
    """The WebSocket to open."""


async def create(request: Request) -> Response:
    """Make a session."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    wanted = await read_json(request, SessionWanted, desk.limits, _explain)
    name = wanted.session_id or new_id()
    await desk.tenuto.create_session(
        user_id=wanted.user_id,
        session_id=name,
        config=wanted.config.given if wanted.config is not None else None,
        preset=wanted.preset,
        tenant=caller.tenant,
    )
    head = await desk.tenuto.head(name, tenant=caller.tenant)
    where = session_path(request, name)
    return replies.Json(_shown(head), 201, {"Location": where})


def _explain(body: Any) -> None:
    if isinstance(body, dict):
        settings_wanted.explain(body.get("config"), body.get("preset"))


async def configure(request: Request) -> Response:
    """Change settings of a session, also while somebody talks in it: all of them, or none."""
    desk = reception(request)
    head = await find_head(request)
    wanted = await read_json(request, SettingsWanted, desk.limits, settings_wanted.explain_change)
    session = await desk.tenuto.load_session(head.session, tenant=head.tenant)
    version = await session.update_config(**wanted.given)
    applied = session.config.applied_version
    return replies.Json(
        SettingsShown(session_id=head.session, version=version, applied_version=applied)
    )


async def browse(request: Request) -> Response:
    """List sessions."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    asked = asked_in_query(request, SessionsAsked)
    # One more than asked for tells whether there is a next page.
    heads = await desk.tenuto.sessions(
        Query(
            tenant=caller.tenant,
            user=asked.user_id,
            before=_from_cursor(asked.cursor),
            limit=asked.limit + 1,
        )
    )
    page = heads[: asked.limit]
    more = _cursor(page[-1]) if len(heads) > asked.limit else None
    return replies.Json(SessionPage(sessions=[_shown(head) for head in page], next=more))


async def show(request: Request) -> Response:
    """Show a session."""
    return replies.Json(_shown(await find_head(request)))


async def history(request: Request) -> Response:
    """Read the history."""
    head = await find_head(request)
    asked = asked_in_query(request, HistoryAsked)
    page = await reception(request).tenuto.history(
        head.session, tenant=head.tenant, before=asked.before, limit=asked.limit
    )
    return replies.Json(history_shown(page))


async def analytics(request: Request) -> Response:
    """Show what was counted of a session."""
    head = await find_head(request)
    report = await reception(request).tenuto.analytics(head.session, tenant=head.tenant)
    return replies.Json(report)


async def end(request: Request) -> Response:
    """End a session. Its history can still be read."""
    desk = reception(request)
    head = await find_head(request)
    how = await read_json(request, Ending, desk.limits)
    await desk.tenuto.end_session(head.session, tenant=head.tenant, reason=how.reason)
    return replies.Json(_shown(await desk.tenuto.head(head.session, tenant=head.tenant)))


async def forget(request: Request) -> Response:
    """Erase a session, with everything in it."""
    head = await find_head(request)
    await reception(request).tenuto.forget_session(head.session, tenant=head.tenant)
    return Response(status_code=204)


async def ticket(request: Request) -> Response:
    """Give out a ticket, with which one client can attach once."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    head = await _head_of(request, caller)
    wanted = await read_json(request, TicketWanted, desk.limits)
    if head.ended:
        raise SessionEnded()
    origin = wanted.origin or request.headers.get("origin", "")
    granted = desk.tickets.issue(
        Admission(tenant=head.tenant, session=head.session, role=wanted.role, key=caller.key),
        origin=origin,
    )
    return replies.Json(
        Ticket(ticket=granted, expires_in=TICKET_LIFE, url=attach_url(request, desk, head)), 201
    )


def routes() -> list[Route]:
    """Return the routes under /sessions, without the event stream and the WebSocket."""

    def route(path: str, method: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, endpoint, methods=[method])

    return [
        route("/sessions", "POST", create),
        route("/sessions", "GET", browse),
        route("/sessions/{session_id}", "GET", show),
        route("/sessions/{session_id}", "DELETE", forget),
        route("/sessions/{session_id}/config", "PATCH", configure),
        route("/sessions/{session_id}/history", "GET", history),
        route("/sessions/{session_id}/analytics", "GET", analytics),
        route("/sessions/{session_id}/end", "POST", end),
        route("/sessions/{session_id}/tickets", "POST", ticket),
    ]


def time_text(seconds: float) -> str:
    """Return a moment as it is written in replies.

    Example:
        >>> time_text(0.0)
        '1970-01-01T00:00:00.000Z'
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def history_shown(page: Page) -> HistoryShown:
    """Return a page of a history as it is written in replies."""
    return HistoryShown(messages=[_message(message) for message in page.messages], next=page.next)


async def find_head(request: Request) -> Head:
    """Return what is known of the session that a request is about, if it is the caller's.

    Raises:
        NotAuthenticated: The caller is not known.
        SessionNotFound: There is no such session, or it is another tenant's.
    """
    return await _head_of(request, reception(request).caller(asking(request.scope)))


async def _head_of(request: Request, caller: Caller) -> Head:
    name = request.path_params["session_id"]
    head = await reception(request).tenuto.head(name, tenant=caller.tenant)
    if head.tenant != caller.tenant:
        raise SessionNotFound()
    return head


def _shown(head: Head) -> SessionShown:
    return SessionShown(
        session_id=head.session,
        user_id=head.user,
        tenant=head.tenant,
        created=time_text(head.created),
        updated=time_text(head.updated),
        position=head.position,
        ended=head.ended,
        life=head.life,
    )


def _message(message: Message) -> MessageShown:
    return MessageShown(
        message=message.message,
        role=message.role,
        text=message.text,
        said=message.said,
        turn=message.turn,
        conversation=message.conversation,
        at=time_text(message.at),
    )


Asked = TypeVar("Asked", bound=msgspec.Struct)


def asked_in_query(request: Request, kind: type[Asked]) -> Asked:
    """Return what the query of a request asks for.

    Raises:
        InvalidInput: It does not fit, or names something twice that is no list.
    """
    lists = {each.name for each in msgspec.structs.fields(kind) if each.default_factory is list}
    values: dict[str, Any] = {name: [] for name in lists}
    for name, value in request.query_params.multi_items():
        if name in lists:
            values[name].append(value)
        elif name in values:
            raise InvalidInput(f"The query names `{name}` twice.")
        else:
            values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The query is wrong: {error}") from None


def _cursor(head: Head) -> str:
    # `repr` is the shortest text that is the same float again.
    return f"{head.updated!r}~{quote(head.session)}"


def _from_cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    updated, _, session = cursor.partition("~")
    return float(updated), unquote(session)


def attach_url(request: Request, desk: Reception, head: Head) -> str:
    """Return where a client opens the WebSocket of a session."""
    path = session_path(request, head.session) + "/attach"
    # While another host holds the session, clients are better off there.
    away = head.url if head.expires > 0 and head.url else desk.tenuto.config.url
    if away:
        scheme, _, rest = away.rstrip("/").partition("://")
        name = quote(head.session, safe="")
        return f"{'ws' if scheme in ('http', 'ws') else 'wss'}://{rest}/sessions/{name}/attach"
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"{scheme}://{request.headers['host']}{path}"
