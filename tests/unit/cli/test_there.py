"""Sessions of a server, through HTTP, with a server that is made up."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import httpx
import msgspec
import pytest

from tenuto.cli.there import There, http_url, through
from tenuto.errors import InvalidInput, SessionNotFound, StoreUnavailable, TenutoError


def shown(name: str) -> dict[str, object]:
    return {
        "session_id": name,
        "user_id": "alice",
        "tenant": "local",
        "created": "1970-01-01T00:00:01.000Z",
        "updated": "1970-01-01T00:00:02.500Z",
        "position": 4,
        "ended": False,
        "life": "live",
    }


Reached = Callable[[], AbstractAsyncContextManager[There]]


class Pretending:
    """Answers like a server, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.body = b""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        match request.method, request.url.path:
            case "GET", "/sessions" if "cursor" not in request.url.params:
                return httpx.Response(200, json={"sessions": [shown("s1")], "next": "more"})
            case "GET", "/sessions":
                return httpx.Response(200, json={"sessions": [shown("s2")], "next": None})
            case "POST", "/sessions":
                return httpx.Response(201, json=shown("s3"))
            case "GET", "/sessions/s1":
                return httpx.Response(200, json=shown("s1"))
            case "GET", "/sessions/s1/history":
                body = {
                    "message": 1,
                    "role": "user",
                    "text": "hi",
                    "said": "",
                    "turn": 1,
                    "conversation": "c",
                    "at": "1970-01-01T00:00:01.000Z",
                }
                return httpx.Response(200, json={"messages": [body], "next": 3})
            case "GET", "/sessions/s1/events":
                stream = b': tenuto\n\nid: 3\nevent: a.b\ndata: {"at":1.0}\n\n: beat\n\n'
                return httpx.Response(200, content=stream)
            case ("POST", "/sessions/s1/end") | ("DELETE", "/sessions/s1"):
                return httpx.Response(204)
            case "PATCH", "/sessions/s1/config":
                self.body = request.read()
                body = {"session_id": "s1", "version": 3, "applied_version": 2}
                return httpx.Response(200, json=body)
            case "POST", "/sessions/import":
                return httpx.Response(201, json={"session_ids": ["a", "b"]})
            case "POST", "/sessions/s1/tickets":
                return httpx.Response(201, json={"ticket": "t", "expires_in": 30, "url": "ws://a"})
            case _, "/sessions/html" | "/sessions/html/events":
                return httpx.Response(500, text="<html>")
        fault = {"code": "session_not_found", "message": "No such one.", "retryable": False}
        return httpx.Response(404, json={"error": fault})


@pytest.fixture
def server() -> Pretending:
    return Pretending()


@pytest.fixture
def reached(server: Pretending) -> Reached:
    return lambda: through("http://a", "tk_1", httpx.MockTransport(server))


async def test_a_list_goes_on_to_the_next_page(reached: Reached, server: Pretending) -> None:
    async with reached() as there:
        found = await there.summaries(5)
        assert [summary.session for summary in found] == ["s1", "s2"]
        assert (found[0].created, found[0].updated) == (1.0, 2.5)
        assert (found[0].life, found[0].owner) == ("live", "")
        assert server.asked == ["GET /sessions?limit=5", "GET /sessions?limit=4&cursor=more"]


async def test_a_list_stops_when_it_has_enough(reached: Reached) -> None:
    async with reached() as there:
        assert len(await there.summaries(1)) == 1


async def test_a_page_of_messages_has_times(reached: Reached, server: Pretending) -> None:
    async with reached() as there:
        page = await there.transcript("s1", 9, 1000)
        assert (page.messages[0].text, page.messages[0].at, page.next) == ("hi", 1.0, 3)
        assert server.asked == ["GET /sessions/s1/history?limit=100&before=9"]


async def test_events_come_as_the_journal_has_them(reached: Reached) -> None:
    async with reached() as there:
        entries = [entry async for entry in there.watch("s1", 2)]
        assert [(entry.position, entry.body) for entry in entries] == [(3, b'{"at":1.0}')]


async def test_verbs_reach_the_server(reached: Reached, server: Pretending) -> None:
    async with reached() as there:
        await there.end("s1")
        await there.forget("s1")
        assert await there.named(None, "bob") == "s3"
        assert await there.named("s1", None) == "s1"
        assert await there.tickets("s1")() == "t"
        assert server.asked[:2] == ["POST /sessions/s1/end", "DELETE /sessions/s1"]


async def test_settings_and_imports_reach_the_server(reached: Reached, server: Pretending) -> None:
    async def file() -> AsyncIterator[bytes]:
        yield b"[]"

    async with reached() as there:
        assert await there.configure("s1", {"temperature": 0.3, "language": None}) == 3
        assert msgspec.json.decode(server.body) == {"temperature": 0.3, "language": None}
        assert await there.take_over(file(), {"a": "b", "c": "d&e"}, "mine", "chat") == ["a", "b"]
        assert await there.take_over(file(), {}, None, "") == ["a", "b"]
    first, second = server.asked[1:]
    assert first == (
        "POST /sessions/import?user_map=a%3Db&user_map=c%3Dd%26e&session_id=mine&kind=chat"
    )
    assert second == "POST /sessions/import"


async def test_a_refusal_keeps_its_code(reached: Reached) -> None:
    async with reached() as there:
        with pytest.raises(SessionNotFound, match=r"No such one\.") as caught:
            await there.summary("nothing")
        assert (caught.value.code, caught.value.retryable) == ("session_not_found", False)
        with pytest.raises(SessionNotFound):
            [entry async for entry in there.watch("nothing", 0)]


async def test_an_id_cannot_leave_its_place_in_the_path(
    reached: Reached, server: Pretending
) -> None:
    async with reached() as there:
        for name in ("../health", "", ".", ".."):
            with pytest.raises(SessionNotFound):
                await there.summary(name)
            with pytest.raises(SessionNotFound):
                [entry async for entry in there.watch(name, 0)]
        assert server.asked == []
        with pytest.raises(TenutoError):
            await there.summary("..?x=1")
        assert server.asked == ["GET /sessions/..%3Fx%3D1"]


async def test_what_is_no_tenuto_server_is_told(reached: Reached) -> None:
    async with reached() as there:
        with pytest.raises(TenutoError, match="HTTP 500"):
            await there.summary("html")
        with pytest.raises(StoreUnavailable, match="no Tenuto server: it said 500"):
            [entry async for entry in there.watch("html", 0)]


async def test_a_server_that_does_not_answer_is_told() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with through("http://a", "", httpx.MockTransport(refuse)) as there:
        with pytest.raises(StoreUnavailable, match="tenuto serve"):
            await there.summary("s1")
        with pytest.raises(StoreUnavailable, match="went away"):
            [entry async for entry in there.watch("s1", 0)]


@pytest.mark.parametrize("url", ["ftp://a", "http://", ""])
async def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"Write it like http://127\.0\.0\.1:8765"):
        async with through(url, ""):
            pass


@pytest.mark.parametrize("url", ["http://a:1/", "ws://a:1", "a:1"])
def test_a_url_may_be_written_in_several_ways(url: str) -> None:
    assert http_url(url) == "http://a:1"
