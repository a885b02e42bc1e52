"""The client's socket over a real network stack: what `dial` makes of servers, good and bad."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tenuto.client.socket import NoSocket, WebSocket, dial
from tenuto.wire.native import SUBPROTOCOL, CloseCode

SECONDS = 5.0
Handle = Callable[[ServerConnection], Awaitable[None]]


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.losses = 0
        self.told = asyncio.Event()

    def text(self, data: bytes) -> None:
        self.frames.append(data)
        self.told.set()

    def binary(self, data: bytes | memoryview) -> None:
        self.text(b"binary:" + bytes(data))

    def lost(self) -> None:
        self.losses += 1
        self.told.set()

    async def until(self, frames: int, losses: int = 0) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.frames) < frames or self.losses < losses:
                self.told.clear()
                await self.told.wait()


@asynccontextmanager
async def server(
    handle: Handle, status: HTTPStatus | None = None, protocol: str = SUBPROTOCOL
) -> AsyncIterator[str]:
    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        return None if status is None else connection.respond(status, "no")

    protocols = [Subprotocol(protocol)] if protocol else None
    async with serve(
        handle, "127.0.0.1", 0, process_request=refuse, subprotocols=protocols
    ) as door:
        yield f"ws://127.0.0.1:{door.sockets[0].getsockname()[1]}"


async def echo(connection: ServerConnection) -> None:
    async for frame in connection:
        await connection.send(frame)


async def test_frames_go_both_ways_and_a_close_comes_after_them() -> None:
    ear = Ear()
    got: list[str | bytes] = []

    async def keep(connection: ServerConnection) -> None:
        async for frame in connection:
            got.append(frame)
            if frame != "last":
                await connection.send(frame)

    async with server(keep) as url:
        opened = await dial(url, [SUBPROTOCOL, "tenuto.t.x"], ear)
        opened.send_text(b"text")
        opened.send_binary(b"\x01\x02")
        await ear.until(2)
        assert ear.frames == [b"text", b"binary:\x01\x02"]
        assert opened.buffered() == 0
        opened.send_text(b"last")
        opened.close(1000, "left")
        await ear.until(2, losses=1)
        opened.send_text(b"late")
        opened.close(1000, "again")
        assert isinstance(opened, WebSocket)
        await opened.wait_closed()
    assert got == ["text", b"\x01\x02", "last"]
    assert ear.losses == 1
    assert opened.closed == (1000, "left")


async def test_the_servers_close_code_is_kept() -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(CloseCode.SUPERSEDED, "superseded")

    ear = Ear()
    async with server(close) as url:
        opened = await dial(url, [SUBPROTOCOL], ear)
        await ear.until(0, losses=1)
        assert opened.closed == (CloseCode.SUPERSEDED, "superseded")
        assert isinstance(opened, WebSocket)
        await opened.wait_closed()


async def test_a_broken_connection_has_no_code() -> None:
    async def break_off(connection: ServerConnection) -> None:
        connection.transport.abort()

    ear = Ear()
    async with server(break_off) as url:
        opened = await dial(url, [SUBPROTOCOL], ear)
        await ear.until(0, losses=1)
        assert opened.closed is None
        assert isinstance(opened, WebSocket)
        await opened.wait_closed()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (HTTPStatus.UNAUTHORIZED, CloseCode.EXPIRED),
        (HTTPStatus.FORBIDDEN, CloseCode.REFUSED),
        (HTTPStatus.NOT_FOUND, CloseCode.REFUSED),
        (HTTPStatus.SERVICE_UNAVAILABLE, CloseCode.OVERLOADED),
        (HTTPStatus.TOO_MANY_REQUESTS, CloseCode.OVERLOADED),
        (HTTPStatus.INTERNAL_SERVER_ERROR, None),
    ],
)
async def test_a_refused_upgrade_is_a_close_code(status: HTTPStatus, code: int | None) -> None:
    async with server(echo, status) as url:
        with pytest.raises(NoSocket, match=str(status.value)) as raised:
            await dial(url, [SUBPROTOCOL], Ear())
    assert raised.value.code == code


async def test_a_server_of_another_kind_is_final() -> None:
    async with server(echo, protocol="") as url:
        with pytest.raises(NoSocket) as raised:
            await dial(url, [SUBPROTOCOL], Ear())
    assert raised.value.code == CloseCode.PROTOCOL


@pytest.mark.parametrize(("url", "code"), [("ws://127.0.0.1:1", None), ("ws://", 4003)])
async def test_nobody_there(url: str, code: int | None) -> None:
    with pytest.raises(NoSocket) as raised:
        await dial(url, [SUBPROTOCOL], Ear())
    assert raised.value.code == code
