"""Server-sent events, driven as an ASGI server would."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tenuto.clock import SystemClock
from tenuto.security.grants import add_key, revoke_key
from tenuto.server.app import create_app
from tenuto.server.events import LOOK
from tenuto.server.limits import Limits
from tenuto.testing.clock import VirtualClock
from tests.unit.server.fakes import FakeHost


class Listener:
    """Listens to a session's events, and can stop reading."""

    def __init__(self, app: Any, *headers: tuple[bytes, bytes], query: bytes = b"") -> None:
        self.text = b""
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.reading = asyncio.Event()
        self.reading.set()
        self.came = asyncio.Event()
        self.away = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/sessions/s1/events",
            "raw_path": b"/sessions/s1/events",
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1:80"), *headers],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(app(scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        await self.away.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            self.text += message["body"]
        self.came.set()

    async def hears(self, text: bytes) -> None:
        async with asyncio.timeout(5):
            while text not in self.text:
                self.came.clear()
                await self.came.wait()


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path)
    made.add("s1")
    return made


async def test_listener_hears_what_was_and_what_comes(host: FakeHost) -> None:
    listener = Listener(create_app(host, static=None))
    await listener.hears(b"id: 1\nevent: session.created\ndata: {")
    assert listener.headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in listener.headers
    host.append("s1", "turn.began")
    await listener.hears(b"id: 2\nevent: turn.began\n")
    host.append("s1", "session.ended", ended=True)
    await listener.task
    assert listener.text.endswith(b'data: {"type":"session.ended","at":1.0}\n\n')
    assert host.watching == 0


async def test_listener_goes_on_where_it_was(host: FakeHost) -> None:
    for tag in ("a.b", "c.d", "session.ended"):
        host.append("s1", tag)
    app = create_app(host, static=None)
    for listener in (
        Listener(app, (b"last-event-id", b"2")),
        Listener(app, query=b"after=2"),
    ):
        await listener.task
        assert b"id: 2" not in listener.text
        assert listener.text.count(b"id: ") == 2


@pytest.mark.parametrize("wrong", [b"x", b"-1", b"1.5", b"99999999999999999999"])
async def test_wrong_position_is_refused(host: FakeHost, wrong: bytes) -> None:
    listener = Listener(create_app(host, static=None), (b"last-event-id", wrong))
    await listener.task
    assert listener.status == 400


@pytest.mark.virtual
async def test_silence_is_filled_with_comments(host: FakeHost) -> None:
    listener = Listener(create_app(host, static=None))
    await listener.hears(b"session.created")
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(46)
    assert listener.text.count(b": beat\n\n") == 3
    assert asyncio.get_running_loop().time() - begun >= 46
    listener.away.set()
    await listener.task
    assert host.watching == 0


@pytest.mark.virtual
async def test_listener_that_does_not_read_is_let_go(host: FakeHost) -> None:
    app = create_app(host, static=None, limits=Limits(listener_seconds=30))
    listener = Listener(app)
    await listener.hears(b"session.created")
    listener.reading.clear()
    for _ in range(1_000):
        host.append("s1", "turn.began")
    await listener.task
    assert listener.text.count(b"turn.began") == 0
    assert host.watching == 0


async def test_listener_is_let_go_when_the_server_goes_down(host: FakeHost) -> None:
    app = create_app(host, static=None)
    listener = Listener(app)
    await listener.hears(b"session.created")
    app.state.reception.draining.set()
    await listener.task
    assert host.watching == 0


async def test_listener_that_is_cancelled_leaves_nothing(host: FakeHost) -> None:
    listener = Listener(create_app(host, static=None))
    await listener.hears(b"session.created")
    listener.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listener.task
    assert host.watching == 0


@pytest.mark.virtual
async def test_listener_is_let_go_when_its_key_is_revoked(tmp_path: Path) -> None:
    file = tmp_path / "tenuto.keys"
    keys = [add_key(file, clock=SystemClock()) for _ in range(2)]
    host, clock = FakeHost(tmp_path), VirtualClock()
    host.add("s1")
    app = create_app(host, static=None, clock=clock)
    revoked, other = (Listener(app, (b"authorization", f"Bearer {key}".encode())) for key in keys)
    for listener in (revoked, other):
        await listener.hears(b"session.created")
    revoke_key(file, keys[0].split("_")[1])
    before = clock.monotonic()
    await revoked.task
    assert clock.monotonic() - before <= 2 * LOOK
    assert not other.task.done(), "the control: another key's listener goes on"
    other.away.set()
    await other.task
    assert host.watching == 0


async def test_listeners_of_a_session_are_bounded(host: FakeHost) -> None:
    app = create_app(host, static=None, limits=Limits(observers_per_session=1))
    first = Listener(app)
    await first.hears(b"session.created")
    second = Listener(app)
    await second.task
    assert second.status == 429
    first.away.set()
    await first.task
    third = Listener(app)
    await third.hears(b"session.created")
    third.away.set()
    await third.task
