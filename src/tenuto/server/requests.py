"""What a request is, in our words: who asks, at which reception, about which session."""

from typing import Any
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request

from tenuto.server.auth import Asking
from tenuto.server.reception import Reception


def reception(request: HTTPConnection) -> Reception:
    """Return the reception of the app that a request came to."""
    found: Reception = request.app.state.reception
    return found


def asking(scope: Any) -> Asking:
    """Return what an ASGI request or WebSocket says of itself."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        # Two Hosts or two Origins are nobody's right name.
        headers[name] = b"" if name in headers and name in (b"host", b"origin") else value
    server = scope.get("server") or ("", 0)
    client = scope.get("client") or ("", 0)
    origin = headers.get(b"origin")
    return Asking(
        host=_text(headers.get(b"host", b"")),
        origin=None if origin is None else _text(origin),
        address=client[0],
        local=server[0],
        port=server[1] or 0,
        authorization=_text(headers.get(b"authorization", b"")),
        site=_text(headers.get(b"sec-fetch-site", b"")),
        navigates=headers.get(b"sec-fetch-mode") == b"navigate",
    )


def session_path(request: Request, session: str) -> str:
    """Return the path of a session, wherever the app is mounted."""
    root = request.scope.get("root_path", "")
    return f"{root}/sessions/{quote(session, safe='')}"


def _text(value: bytes) -> str:
    return value.decode("latin-1")
