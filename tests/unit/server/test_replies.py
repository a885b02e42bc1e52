from collections.abc import Iterator

import msgspec
import pytest

from tenuto import errors
from tenuto.errors import TenutoError
from tenuto.server import replies


def kinds(kind: type[TenutoError] = TenutoError) -> Iterator[type[TenutoError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def test_every_error_has_a_status_and_the_one_shape() -> None:
    for kind in set(kinds()):
        error = kind.__new__(kind)
        TenutoError.__init__(error, "what to do")
        assert 400 <= replies.status(error) < 600
        fault = msgspec.json.decode(replies.body(error), type=replies.Refusal).error
        assert (fault.code, fault.message, fault.retryable) == (
            kind.code,
            "what to do",
            kind.retryable,
        )


def _limited(seconds: float) -> errors.RateLimited:
    error = errors.RateLimited()
    error.retry_after = seconds
    return error


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.NotAuthenticated(), 401, {"WWW-Authenticate": 'Bearer realm="tenuto"'}),
        (errors.SessionNotFound(), 404, {}),
        (errors.InvalidConfig("x"), 400, {}),
        (errors.SessionLocked("s", "h", 3.4), 409, {"Retry-After": "3"}),
        (errors.TooMuch(), 429, {"Retry-After": "1"}),
        (_limited(2.1), 429, {"Retry-After": "3"}),
        (_limited(0.1), 429, {"Retry-After": "1"}),
        (replies.TooSlow(), 408, {"Connection": "close"}),
        (replies.BodyTooLarge(), 413, {}),
        (errors.StoreFull(), 507, {}),
        (errors.StoreCorrupt(), 500, {}),
        (errors.StoreUnavailable(), 503, {"Retry-After": "1"}),
        (replies.WrongHost(), 421, {}),
        (replies.NotUpgraded(), 426, {"Upgrade": "websocket"}),
    ],
)
def test_statuses(error: TenutoError, status: int, headers: dict[str, str]) -> None:
    reply = replies.refusal(error)
    assert reply.status_code == status
    assert replies.headers(error) == headers
    assert reply.headers["content-type"] == "application/json"


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes))
