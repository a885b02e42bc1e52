"""What a refusal looks like over HTTP: one shape, and one table from errors to statuses.

    {"error": {"code": "session_not_found", "message": "...", "retryable": false}}

`code` is that of `errors`; the few that only HTTP knows are below. An error that nobody meant to
raise says nothing of itself to the client; the server's log has it.
"""

import logging
import math

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tenuto import errors
from tenuto.errors import NotAllowed, Refused, TenutoError

log = logging.getLogger(__name__)


class WrongHost(NotAllowed):
    """This server does not go by that name."""

    code = "wrong_host"


class WrongOrigin(NotAllowed):
    """Pages of that origin may not talk to this server."""

    code = "wrong_origin"


class NoSuchPlace(Refused):
    """There is nothing at this address. GET /openapi.json lists what there is."""

    code = "not_found"


class WrongMethod(Refused):
    """This address does not take that method."""

    code = "method_not_allowed"


class WrongForm(Refused):
    """The body must be JSON, with a Content-Type of application/json."""

    code = "media_type_unsupported"


class BodyTooLarge(Refused):
    """The body is larger than this server takes."""

    code = "body_too_large"


class TooSlow(Refused):
    """The request did not come in time."""

    code = "request_timeout"
    retryable = True


class NotUpgraded(Refused):
    """This address is for WebSockets that offer the subprotocol tenuto.v1."""

    code = "upgrade_required"


class Draining(TenutoError):
    """This server is going down. Another one may take you."""

    code = "draining"
    retryable = True


STATUS: dict[type[TenutoError], int] = {
    TenutoError: 500,
    Refused: 400,
    errors.InvalidInput: 400,
    errors.IllegalEvent: 409,
    errors.SessionNotFound: 404,
    errors.SessionEnded: 409,
    errors.ConversationNotFound: 404,
    errors.ConversationExists: 409,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.Superseded: 409,
    errors.TooMuch: 429,
    errors.MissingExtra: 501,
    errors.Ownership: 409,
    errors.StoreError: 500,
    errors.StoreFull: 507,
    errors.StoreUnavailable: 503,
    errors.EngineError: 502,
    errors.EngineLost: 503,
    WrongHost: 421,
    WrongOrigin: 403,
    NoSuchPlace: 404,
    WrongMethod: 405,
    WrongForm: 415,
    BodyTooLarge: 413,
    TooSlow: 408,
    NotUpgraded: 426,
    Draining: 503,
}
"""The HTTP status of each error; one that is not here has its nearest ancestor's."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was refused, or failed."""

    code: str
    """Stable: decide on this."""
    message: str
    """What is wrong and what to do about it, for people."""
    retryable: bool
    """Whether the same request may succeed later without anybody changing anything."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every reply that is not a success."""

    error: Fault


class Json(Response):
    """A JSON reply of any msgspec struct."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


def status(error: TenutoError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body(error: TenutoError) -> bytes:
    """Return the JSON of an error."""
    fault = Fault(code=error.code, message=error.message, retryable=error.retryable)
    return msgspec.json.encode(Refusal(error=fault))


def headers(error: TenutoError) -> dict[str, str]:
    """Return the headers that an error's reply has besides its body's."""
    match error:
        case errors.NotAuthenticated():
            return {"WWW-Authenticate": 'Bearer realm="tenuto"'}
        case errors.SessionLocked(seconds_left=seconds):
            return {"Retry-After": str(max(1, round(seconds)))}
        case errors.RateLimited(retry_after=seconds):
            return {"Retry-After": str(max(1, math.ceil(seconds)))}
        case TooSlow():
            # What is left of the body is not waited for. What is too large is read and dropped, by
            # the server and for a while: a reset would overtake the reply that says so.
            return {"Connection": "close"}
        case errors.TooMuch() | errors.StoreUnavailable() | Draining():
            return {"Retry-After": "1"}
        case NotUpgraded():
            return {"Upgrade": "websocket"}
        case _:
            return {}


def refusal(error: TenutoError) -> Response:
    """Return the reply to a request that raised."""
    return Response(body(error), status(error), headers(error), "application/json")


async def on_tenuto_error(request: Request, error: Exception) -> Response:
    """Reply to a request that Tenuto refused, or that failed in a way it knows."""
    assert isinstance(error, TenutoError)
    if status(error) >= 500:
        log.warning("%s %r failed: %s", request.method, request.url.path, error.code)
    return refusal(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Reply to what Starlette refused by itself: no such address, or not that method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        reply = refusal(WrongMethod())
    elif error.status_code == 404:
        reply = refusal(NoSuchPlace())
    else:
        fault = Fault(code="error", message=error.detail, retryable=False)
        reply = Json(Refusal(error=fault), error.status_code)
    reply.headers.update(error.headers or {})
    return reply


async def on_bug(request: Request, error: Exception) -> Response:
    """Reply to what nobody meant to happen."""
    return refusal(TenutoError("Something went wrong in the server. Its log has it."))
