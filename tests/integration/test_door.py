"""The two doors for WebSockets, with real sockets: picows on uvicorn's port, and ASGI on a plain
uvicorn.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from tenuto.client.rest import Rest
from tenuto.errors import TenutoError
from tenuto.server.app import create_app
from tenuto.server.door import Server, SocketDoor
from tenuto.server.limits import Limits
from tenuto.wire.native import Attach, encode
from tests.unit.server.fakes import Echoes, FakeHost

SUBPROTOCOL: Any = ["tenuto.v1"]
PATH = "/sessions/s1/attach"
QUICK = Limits(head_seconds=0.2, drain_seconds=1.0)


class Place:
    """A server that runs, and what is behind it."""

    def __init__(self, port: int, host: FakeHost, echoes: Echoes, server: Any) -> None:
        self.port, self.host, self.echoes, self.server = port, host, echoes, server
        self.reception = server.config.app.state.reception

    def connect(self, path: str = PATH, **options: Any) -> connect:
        options.setdefault("subprotocols", SUBPROTOCOL)
        options.setdefault("compression", None)
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **options)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@contextlib.asynccontextmanager
async def serving(folder: Path, *, asgi: bool = False, **settings: Any) -> AsyncIterator[Place]:
    limits = settings.pop("limits", QUICK)
    host, echoes = FakeHost(folder, port=0, **settings), Echoes()
    app = create_app(host, make_wire=echoes, limits=limits, static=None)
    server: uvicorn.Server
    if asgi:
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_config=None, log_level="critical", ws_max_size=2**20)
        )
        listening = socket.create_server(("127.0.0.1", 0))
    else:
        server = Server(host, app=app)
        listening = socket.create_server(("127.0.0.1", 0))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 -- uvicorn says nothing when it has
                await asyncio.sleep(0.005)
        yield Place(listening.getsockname()[1], host, echoes, server)
    finally:
        server.should_exit = True
        await running
        listening.close()


Test = Callable[[Path], Awaitable[None]]


def on_both_loops(test: Test) -> Callable[[Path, str], None]:
    """Run a test on asyncio's own loop and on uvloop, which tells buffered protocols from others in
    another way.
    """

    def runs(tmp_path: Path, loop: str) -> None:
        factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(test(tmp_path), 20))

    runs.__doc__ = test.__doc__
    return pytest.mark.parametrize("loop", ["asyncio", "uvloop"])(runs)


def on_both_doors(test: Callable[[Path, bool], Awaitable[None]]) -> Callable[[Path, bool], None]:
    """Run a test with picows and with ASGI: a wire cannot tell them apart."""

    def runs(tmp_path: Path, asgi: bool) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(test(tmp_path, asgi), 20))

    runs.__doc__ = test.__doc__
    return pytest.mark.parametrize("asgi", [False, True], ids=["picows", "asgi"])(runs)


async def refusal(place: Place, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with place.connect(**options):
            pass
    response = refused.value.response
    assert response.headers["Content-Type"] == "application/json"
    return response.status_code, json.loads(response.body)["error"]["code"]


async def closing(client: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.recv()
    return client.close_code


@on_both_doors
async def test_text_and_audio_go_through(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        async with place.connect() as client:
            assert client.subprotocol == "tenuto.v1"
            for size in (0, 1, 125, 126, 1288, 16_384, 65_536):
                await client.send(bytes(size))
                assert await client.recv() == bytes(size)
            await client.send("grüße")
            assert await client.recv() == "grüße"
        wire = place.echoes.wires[0]
        await wire.gone.wait()
        assert (wire.log[0], wire.log[-1], wire.log.count("lost")) == ("opened", "lost", 1)
        assert place.reception.occupancy.strangers == 0


@on_both_doors
async def test_ticket_is_not_sent_back(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        offers = ["tenuto.t.secret", "tenuto.v1"]
        async with place.connect(subprotocols=offers) as client:
            assert client.subprotocol == "tenuto.v1"
            assert client.response is not None
            assert "secret" not in str(client.response.headers)
            await client.send(encode(Attach(session="s1", client="c")).decode())
            assert "unknown, used or expired" in str(await client.recv())


@on_both_doors
async def test_local_user_needs_no_ticket(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place, place.connect() as client:
        assert place.reception.occupancy.strangers == 1
        await client.send(encode(Attach(session="s1", client="c")).decode())
        assert await client.recv() == "admitted local controller"
        assert place.reception.occupancy.strangers == 0


@on_both_doors
async def test_other_sites_are_refused(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        own = f"http://localhost:{place.port}"
        assert await refusal(place, origin="https://evil.example") == (403, "wrong_origin")
        assert await refusal(place, origin="null") == (403, "wrong_origin")
        other_port = f"http://127.0.0.1:{place.port + 1}"
        assert await refusal(place, origin=other_port) == (403, "wrong_origin")
        async with place.connect(origin=f"http://127.0.0.1:{place.port}"):
            pass
        # The page's own origin is that of its Host, not of another name of the same machine.
        assert await refusal(place, origin=own) == (403, "wrong_origin")
        assert [wire.log[0] for wire in place.echoes.wires] == ["opened"]


@on_both_doors
async def test_a_name_that_points_here_is_refused(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        reader, writer = await place.raw()
        writer.write(upgrade(host=f"evil.example:{place.port}", origin="http://evil.example"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 421 ")
        assert b"wrong_host" in await reader.read()
        writer.close()
        assert place.echoes.wires == []


@on_both_doors
async def test_upgrades_that_do_not_fit_are_refused(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        assert await refusal(place, subprotocols=None) == (426, "upgrade_required")
        assert await refusal(place, subprotocols=["graphql-ws"]) == (426, "upgrade_required")
        headers = {"Authorization": "Bearer tk_00000000_x"}
        assert await refusal(place, additional_headers=headers) == (401, "authentication_failed")


@on_both_doors
async def test_oversized_message_gets_its_code(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        for message in (bytes(65_537), "x" * 65_537, bytes(900_000)):
            async with place.connect(max_size=None) as client:
                with contextlib.suppress(ConnectionClosed):
                    await client.send(message)
                assert await closing(client) == 1009
            await place.echoes.wires[-1].gone.wait()
        # Nothing of it came through, and the server goes on.
        assert {word for wire in place.echoes.wires for word in wire.log} == {"opened", "lost"}
        async with place.connect() as client:
            await client.send(b"on")
            assert await client.recv() == b"on"


@on_both_doors
async def test_frame_of_ten_megabytes_gets_its_code(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place, place.connect() as client:
        sending = asyncio.create_task(client.send(bytes(10_000_000)))
        assert await closing(client) == 1009
        with contextlib.suppress(ConnectionClosed):
            await sending


@on_both_doors
async def test_bad_utf8_is_refused(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place, place.connect() as client:
        client.protocol.send_text(b"\xff\xfe")
        client.transport.write(b"".join(client.protocol.data_to_send()))
        assert await closing(client) == 1007
        assert "text" not in place.echoes.wires[0].log


@on_both_doors
async def test_message_in_pieces_is_put_together(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place, place.connect() as client:
        await client.send([b"one ", b"two ", b"three"])
        assert await client.recv() == b"one two three"
        await client.send(["ein ", "zwei"])
        assert await client.recv() == "ein zwei"
        await client.send(b"whole")
        assert await client.recv() == b"whole"


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, for ever."""
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


@on_both_loops
async def test_body_that_nobody_reads_does_not_hold_the_connection(folder: Path) -> None:
    """The control is the connection that sends all of its body: it is kept."""
    limits = Limits(head_seconds=5.0, body_seconds=0.1, drain_seconds=1.0)
    head = b"%b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 100000\r\n\r\n"
    async with serving(folder, limits=limits) as place:
        for line, body, kept in (
            (b"GET /health/live", b"x" * 100_000, True),
            (b"GET /health/live", b"x" * 10, False),
            (b"POST /sessions", b"{", False),
        ):
            reader, writer = await place.raw()
            writer.write(head % (line, place.port) + body)
            reply = await reader.readuntil(b"}")
            assert b"HTTP/1.1 200" in reply or b"HTTP/1.1 4" in reply
            if kept:
                writer.write(head % (line, place.port) + body)
                assert b"HTTP/1.1 200" in await reader.readuntil(b"}")
            else:
                # It goes on and on, and is let go all the same.
                dripping = asyncio.create_task(drip(writer))
                with contextlib.suppress(ConnectionError):
                    await asyncio.wait_for(reader.read(), 5)
                dripping.cancel()
            writer.close()


@on_both_loops
async def test_pieces_are_bounded(folder: Path) -> None:
    async with serving(folder) as place, place.connect() as client:
        with contextlib.suppress(ConnectionClosed):
            await client.send([bytes(40_000), bytes(40_000)])
        assert await closing(client) == 1009


@on_both_loops
async def test_message_within_a_message_is_refused(folder: Path) -> None:
    async with serving(folder) as place, place.connect() as client:
        for frame in (Frame(Opcode.TEXT, b"half", fin=False), Frame(Opcode.TEXT, b"another")):
            client.transport.write(frame.serialize(mask=True))
        assert await closing(client) == 1002
        assert "text" not in place.echoes.wires[0].log


@on_both_doors
async def test_wire_closes_with_its_own_code(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place, place.connect() as client:
        await client.send("last words")
        await client.send("close 4001")
        assert await client.recv() == "last words"
        assert await closing(client) == 4001
        assert client.close_reason == "asked for"
        await place.echoes.wires[0].gone.wait()


@on_both_doors
async def test_client_that_vanishes_is_noticed(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        async with place.connect() as client:
            client.transport.abort()
            await place.echoes.wires[0].gone.wait()
        assert place.reception.occupancy.strangers == 0


@on_both_doors
async def test_bug_in_a_wire_closes_its_socket_only(folder: Path, asgi: bool) -> None:
    async with serving(folder, asgi=asgi) as place:
        async with place.connect() as bad, place.connect() as good:
            await bad.send("fail")
            assert await closing(bad) == 1011
            await good.send(b"on")
            assert await good.recv() == b"on"
        await place.echoes.wires[0].gone.wait()


def upgrade(**change: str) -> bytes:
    host, origin = change.get("host", "127.0.0.1"), change.get("origin", "")
    lines = [
        f"GET {change.get('path', PATH)} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {change.get('key', 'dGhlIHNhbXBsZSBub25jZQ==')}",
        "Sec-WebSocket-Protocol: tenuto.v1",
    ]
    lines += [f"Origin: {origin}"] if origin else []
    return "\r\n".join([*lines, "", ""]).encode()


@on_both_loops
async def test_frames_in_the_segment_of_the_head_are_not_lost(folder: Path) -> None:
    """A client ought to wait for the 101; one that does not still says nothing in vain."""
    async with serving(folder) as place:
        # With 30,000 bytes the tail is larger than what a socket has for reading.
        for size in (3, 30_000):
            reader, writer = await place.raw()
            frame = Frame(Opcode.BINARY, b"x" * size).serialize(mask=True)
            last = Frame(Opcode.TEXT, b"there").serialize(mask=True)
            writer.write(upgrade(host=f"127.0.0.1:{place.port}") + frame + last)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            head = 2 if size < 126 else 4
            assert (await reader.readexactly(head + size))[head:] == b"x" * size
            assert await reader.readexactly(7) == b"\x81\x05there"
            writer.close()
            await place.echoes.wires[-1].gone.wait()


@on_both_loops
async def test_upgrade_elsewhere_or_malformed_is_answered(folder: Path) -> None:
    async with serving(folder) as place:
        host = f"127.0.0.1:{place.port}"
        for change, status, code in (
            ({"path": "/nowhere"}, b"404", b"not_found"),
            ({"key": "short"}, b"400", b"invalid_input"),
        ):
            reader, writer = await place.raw()
            writer.write(upgrade(host=host, **change))
            answer = await reader.read()
            assert answer.split(b" ")[1] == status
            assert code in answer
            writer.close()
        assert place.reception.occupancy.strangers == 0


@on_both_loops
async def test_late_head_is_not_waited_for(folder: Path) -> None:
    async with serving(folder) as place:
        reader, writer = await place.raw()
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: ")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        reader, writer = await place.raw()
        assert await reader.read() == b""
        writer.close()
        # Neither is the second head of a connection that is kept alive.
        reader, writer = await place.raw()
        good = f"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:{place.port}\r\n\r\n".encode()
        writer.write(good + good[:20])
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in answer
        writer.close()


@on_both_loops
async def test_who_sends_too_much_learns_why(folder: Path) -> None:
    """A reset while the body still comes would overtake the reply."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * (1 << 18)

    async with serving(folder, limits=Limits(import_bytes=1 << 16)) as place:
        async with Rest(f"http://127.0.0.1:{place.port}") as rest:
            for _ in range(3):
                with pytest.raises(TenutoError) as refused:
                    await rest.import_sessions(endless())
                assert "65536 bytes" in refused.value.message
        assert place.reception.importing == 0


@on_both_loops
async def test_endless_head_is_refused(folder: Path) -> None:
    async with serving(folder, limits=Limits()) as place:
        reader, writer = await place.raw()
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()
        reader, writer = await place.raw()
        writer.write(b"nonsense\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"invalid_input" in answer
        writer.close()


@on_both_loops
async def test_strangers_are_bounded(folder: Path) -> None:
    async with serving(folder, limits=Limits(strangers=2)) as place:
        async with place.connect() as first, place.connect():
            assert await refusal(place) == (429, "quota_exceeded")
            await first.send(encode(Attach(session="s1", client="c")).decode())
            await first.recv()
            async with place.connect():
                pass


@on_both_loops
async def test_clients_are_told_when_the_server_goes_down(folder: Path) -> None:
    async with serving(folder) as place:
        clients = [await place.connect() for _ in range(5)]
        # One that reads nothing, and answers no close frame.
        reader, writer = await place.raw()
        writer.write(upgrade(host=f"127.0.0.1:{place.port}"))
        await reader.readuntil(b"\r\n\r\n")
        place.server.should_exit = True
        assert [await closing(client) for client in clients] == [4203] * 5
        for wire in place.echoes.wires:
            await wire.gone.wait()
        assert place.host.drained == 1
        writer.close()


@on_both_loops
async def test_stuck_client_does_not_hold_up_the_end(folder: Path) -> None:
    async with serving(folder) as place:
        async with place.connect() as client:
            client.transport.pause_reading()
            carrier = place.echoes.wires[0].carrier
            assert carrier is not None
            for _ in range(200):
                carrier.send_binary(bytes(60_000))
            assert carrier.buffered() > 0
            place.server.should_exit = True
            await place.echoes.wires[0].gone.wait()
            client.transport.abort()
            assert carrier.buffered() == 0
            carrier.send_binary(b"after the end")
            carrier.send_text(b"after the end")
            carrier.close(4000, "after the end")


@on_both_loops
async def test_many_clients_come_and_vanish(folder: Path) -> None:
    async with serving(folder, limits=Limits()) as place:
        for _ in range(4):
            clients = [await place.connect() for _ in range(25)]
            for client in clients:
                client.transport.abort()
            for wire in place.echoes.wires:
                await wire.gone.wait()
        connections = place.server.server_state.connections
        while connections:  # noqa: ASYNC110 -- uvicorn says nothing when one is gone
            await asyncio.sleep(0.005)
        assert place.reception.occupancy.strangers == 0


def test_picows_is_as_the_door_takes_it() -> None:
    """The contract with what picows does not export."""
    protocol = SocketDoor.__mro__[1]
    assert (protocol.__module__, protocol.__name__) == ("picows.picows", "WSProtocol")
    assert version("picows").startswith("2.3."), "Look at WSProtocol's constructor, then here."
    for method in ("connection_made", "connection_lost", "get_buffer", "buffer_updated"):
        assert callable(getattr(protocol, method))
