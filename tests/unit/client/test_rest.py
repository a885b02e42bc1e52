import json
from collections.abc import Callable

import httpx
import pytest

from tenuto.client.rest import Rest
from tenuto.errors import RateLimited, Refused, SessionNotFound, StoreUnavailable, TenutoError

Handler = Callable[[httpx.Request], httpx.Response]
SHOWN = {
    "session_id": "s",
    "user_id": "alice",
    "tenant": "local",
    "created": "2026-01-01T00:00:00.000Z",
    "updated": "2026-01-01T00:00:00.000Z",
    "position": 3,
    "ended": False,
    "of_a_later_version": 1,
}


class Wire:
    """Answers every request with the same, and keeps the requests."""

    def __init__(self, status: int = 200, body: object = None) -> None:
        self.requests: list[httpx.Request] = []
        self._status, self._body = status, body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status, json=self._body)

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(one.method, one.url.raw_path.decode()) for one in self.requests]


def rest(wire: Handler, key: str = "") -> Rest:
    return Rest("ws://house:1", key, transport=httpx.MockTransport(wire))


async def test_sessions() -> None:
    wire = Wire(201, SHOWN)
    async with rest(wire, "tk_x") as there:
        made = await there.create_session(user_id="alice")
        assert (made.session_id, made.position, made.ended) == ("s", 3, False)
        assert (await there.session("a b?")).user_id == "alice"
        await there.end("s")
        await there.forget("s")
    assert wire.asked == [
        ("POST", "/sessions"),
        ("GET", "/sessions/a%20b%3F"),
        ("POST", "/sessions/s/end"),
        ("DELETE", "/sessions/s"),
    ]
    assert str(wire.requests[0].url) == "http://house:1/sessions"
    assert wire.requests[0].headers["authorization"] == "Bearer tk_x"
    assert json.loads(wire.requests[0].content) == {"user_id": "alice"}


@pytest.mark.parametrize("name", ["", ".", "..", "../health", "a/b"])
async def test_what_can_be_no_id_asks_for_nothing_else(name: str) -> None:
    wire = Wire(201, SHOWN)
    async with rest(wire) as there:
        for ask in (there.session, there.forget, there.end, there.history, there.ticket):
            with pytest.raises(SessionNotFound):
                await ask(name)
    assert wire.asked == []


async def test_pages() -> None:
    wire = Wire(body={"sessions": [SHOWN], "next": "c2"})
    async with rest(wire) as there:
        page = await there.sessions(limit=1)
        assert [one.session_id for one in page.sessions] == ["s"]
        await there.sessions(limit=1, cursor=page.next)
    assert [path for _, path in wire.asked] == ["/sessions?limit=1", "/sessions?limit=1&cursor=c2"]

    message = {"message": 4, "role": "user", "text": "hi"}
    wire = Wire(body={"messages": [message], "next": 4})
    async with rest(wire) as there:
        history = await there.history("s", limit=1)
        assert (history.messages[0].text, history.next) == ("hi", 4)
        await there.history("s", before=history.next, limit=1)
    assert wire.asked[1][1] == "/sessions/s/history?limit=1&before=4"


async def test_tickets() -> None:
    wire = Wire(201, {"ticket": "abc", "expires_in": 30, "url": "ws://house:1/x"})
    async with rest(wire) as there:
        assert await there.ticket_source("s", "observer")() == "abc"
    assert wire.asked == [("POST", "/sessions/s/tickets")]
    assert json.loads(wire.requests[0].content) == {"role": "observer"}


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (404, {"error": {"code": "session_not_found", "message": "gone"}}, SessionNotFound, "gone"),
        (400, {"error": {"code": "of_later", "message": "new"}}, Refused, "of_later: new"),
        (502, "<html>", Refused, "HTTP 502"),
    ],
)
async def test_errors_are_typed(
    status: int, body: object, error: type[TenutoError], says: str
) -> None:
    async with rest(Wire(status, body)) as there:
        with pytest.raises(TenutoError, match=says) as raised:
            await there.session("s")
    assert isinstance(raised.value, error) or status == 502


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "7"}, 7.0), ({}, 1.0), ({"Retry-After": "x"}, 1.0)]
)
async def test_a_server_that_is_asked_too_often_says_when_it_is_not(
    headers: dict[str, str], seconds: float
) -> None:
    def busy(request: httpx.Request) -> httpx.Response:
        error = {"error": {"code": "rate_limited", "message": "slower"}}
        return httpx.Response(429, json=error, headers=headers)

    async with rest(busy) as there:
        with pytest.raises(RateLimited, match="slower") as raised:
            await there.sessions()
    assert (raised.value.retryable, raised.value.retry_after) == (True, seconds)


async def test_an_answer_that_is_none() -> None:
    async with rest(Wire(200, {"hello": "world"})) as there:
        with pytest.raises(TenutoError, match="GET /sessions/s"):
            await there.session("s")


async def test_a_server_that_is_not_there_can_be_tried_again() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with rest(away) as there:
        with pytest.raises(StoreUnavailable, match="tenuto serve") as raised:
            await there.sessions()
    assert raised.value.retryable
