"""The server as an ASGI app: `tenuto serve` runs it, and a user's own app can mount it.

    app = FastAPI(lifespan=...)  # enters `tenuto`, for a mounted app has no lifespan of its own
    app.mount("/voice", create_app(tenuto))

Every request passes `Gate` first: Host, Origin, CORS and the headers that keep browsers careful.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenuto.clock import Clock
from tenuto.errors import TenutoError
from tenuto.server import events, health, importing, openapi, pages, replies, rest, sharing
from tenuto.server.limits import Limits
from tenuto.server.reception import Arrival, Host, MakeWire, Reception
from tenuto.server.requests import asking
from tenuto.transports.asgi import carry

STATIC = Path(__file__).parent / "static"
"""The page that is served at `/`."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What every reply has."""
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of every reply that is not a page."""


def create_app(
    tenuto: Host,
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    make_wire: MakeWire | None = None,
    manage: bool = True,
    static: Path | None = STATIC,
) -> Starlette:
    """Return the app.

    Args:
        tenuto: The host whose sessions are served.
        limits: How much of everything is taken.
        clock: The time.
        make_wire: Makes the session's end of a socket; `tenuto.v1` when it is left out.
        manage: Whether the app's lifespan enters and leaves `tenuto`. Say False when you do it
            yourself. A mounted app has no lifespan: there you always do it yourself.
        static: The folder of the page at `/`; None for no page.

    Example:
        >>> app = create_app(Tenuto())  # doctest: +SKIP
    """
    desk = Reception(tenuto, limits=limits, clock=clock, make_wire=make_wire)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if manage:
            async with tenuto:
                tenuto.warm()
                yield
        else:
            yield

    routes: list[BaseRoute] = [
        importing.route(),
        *rest.routes(),
        *sharing.routes(),
        Route("/sessions/{session_id}/events", events.listen, methods=["GET"]),
        Route("/sessions/{session_id}/attach", _not_upgraded, methods=["GET"]),
        WebSocketRoute("/sessions/{session_id}/attach", Attach(desk)),
        Route("/health/live", health.live, methods=["GET"]),
        Route("/health/ready", health.ready, methods=["GET"]),
        Route("/openapi.json", openapi.serve, methods=["GET"]),
    ]
    if static is not None:
        routes.append(pages.route(static))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Gate, desk=desk)],
        exception_handlers={
            TenutoError: replies.on_tenuto_error,
            HTTPException: replies.on_http_exception,
            Exception: replies.on_bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.reception = desk
    return app


class Gate:
    """ASGI middleware: lets in only what may come in, and makes every reply a careful one."""

    def __init__(self, app: ASGIApp, desk: Reception) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A WebSocket is looked at by the reception; anything else comes from the server itself.
            await self._app(scope, receive, send)
            return
        who = asking(scope)
        foreign = who.origin is not None and self._desk.access.is_foreign(who.origin)

        async def careful_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", DATA_POLICY)
                headers.add_vary_header("Origin")
                if foreign and who.origin is not None:
                    headers["Access-Control-Allow-Origin"] = who.origin
                    headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
                    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            await send(message)

        try:
            self._desk.access.check(who)
        except TenutoError as error:
            await replies.refusal(error)(scope, receive, careful_send)
            return
        if foreign and _is_preflight(scope):
            await _preflight()(scope, receive, careful_send)
            return
        await self._app(scope, receive, careful_send)


class Attach:
    """The WebSocket of a session, over ASGI."""

    def __init__(self, desk: Reception) -> None:
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        arrival = Arrival(
            session=scope["path_params"]["session_id"],
            asking=asking(scope),
            protocols=tuple(scope["subprotocols"]),
        )
        try:
            visit = self._desk.receive(arrival)
        except TenutoError as error:
            await _refuse(error, scope, send)
            return
        await carry(visit.wire, visit.over, receive, send)


async def _refuse(error: TenutoError, scope: Scope, send: Send) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        # The only thing that ASGI can say without the extension: the server answers with 403.
        await send({"type": "websocket.close", "code": 4003, "reason": error.code})
        return
    content = replies.body(error)
    headers = replies.headers(error) | SECURITY_HEADERS | {"Cache-Control": "no-store"}
    headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    await send(
        {
            "type": "websocket.http.response.start",
            "status": replies.status(error),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
    )
    await send({"type": "websocket.http.response.body", "body": content})


async def _not_upgraded(request: Request) -> Response:
    raise replies.NotUpgraded()


def _is_preflight(scope: Any) -> bool:
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
            "Access-Control-Max-Age": "600",
        },
    )
