"""The server with a real host behind it: what a client, a listener and a signal get."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tenuto.clock import SystemClock
from tenuto.host.host import Tenuto
from tenuto.security.grants import add_key
from tenuto.server.door import Server, serve
from tenuto.server.limits import Limits
from tenuto.settings import TenutoConfig
from tenuto.wire import native
from tests.acceptance.serving import in_process

SOURCE = str(Path(__file__).parents[2] / "src")


@contextlib.asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[tuple[Server, str]]:
    config = TenutoConfig(
        store="memory:", engine="echo", port=0, keys=str(folder / "tenuto.keys"), **settings
    )
    server = Server(Tenuto(config), limits=Limits(drain_seconds=2.0))
    async with in_process(server) as url:
        yield server, url


def attach(url: str, *offers: str, **options: Any) -> connect:
    protocols: Any = ["tenuto.v1", *offers]
    address = url.replace("http", "ws", 1)
    return connect(f"{address}/sessions/s1/attach", subprotocols=protocols, proxy=None, **options)


async def until(client: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        frame = await asyncio.wait_for(client.recv(), 10)
        if isinstance(frame, str) and (message := json.loads(frame))["type"] == kind:
            found: dict[str, Any] = message
            return found


async def close_code(client: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(client.recv(), 10)
    return client.close_code


HELLO = native.encode(native.Attach(session="s1", client="c1")).decode()
VOICE = native.encode(
    native.Attach(
        session="s1",
        client="c1",
        mic=native.Mic(stream="m", rate=16_000),
        loudspeaker=native.Loudspeaker(),
    )
).decode()


async def test_client_attaches_and_hears_its_echo(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, url), httpx.AsyncClient(base_url=url) as http:
        assert (await http.post("/sessions", json={"session_id": "s1"})).status_code == 201
        async with attach(url) as client:
            await client.send(VOICE)
            assert (await until(client, "attached"))["role"] == "controller"
            await until(client, "live")
            frame = native.audio(native.MICROPHONE, 0, 0, b"\x01\x00" * 320)
            await client.send(frame)
            while isinstance(echo := await asyncio.wait_for(client.recv(), 10), str):
                pass
            assert native.decode_audio(echo)[3] == b"\x01\x00" * 320
            events = http.stream("GET", "/sessions/s1/events")
            async with events as listener:
                lines = listener.aiter_lines()
                assert await anext(lines) == ": tenuto"
                assert (await http.post("/sessions/s1/end")).status_code == 200
                assert await close_code(client) == 4000
                heard = [line async for line in lines]
            tags = [line[7:] for line in heard if line.startswith("event: ")]
            assert (tags[0], tags[-1]) == ("session.created", "session.ended")
            ids = [int(line[4:]) for line in heard if line.startswith("id: ")]
            assert ids == list(range(1, len(ids) + 1))


async def test_ticket_works_once_and_only_with_it_where_a_key_is_needed(tmp_path: Path) -> None:
    key = add_key(tmp_path / "tenuto.keys", clock=SystemClock(), tenant="acme")
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        serving(tmp_path) as (_, url),
        httpx.AsyncClient(base_url=url, headers=headers) as http,
    ):
        await http.post("/sessions", json={"session_id": "s1"})
        given = (await http.post("/sessions/s1/tickets")).json()
        assert given["url"] == url.replace("http", "ws") + "/sessions/s1/attach"
        offer = f"tenuto.t.{given['ticket']}"
        async with attach(url, offer) as client:
            assert client.subprotocol == "tenuto.v1"
            await client.send(HELLO)
            token = (await until(client, "attached"))["token"]
        for offers in ((offer,), ()):
            async with attach(url, *offers) as client:
                await client.send(HELLO)
                assert (await until(client, "error"))["code"] == "authentication_failed"
                assert await close_code(client) == 4301
        # The resume token stands for the ticket, and a program's key for both.
        async with attach(url) as client:
            resume = native.Attach(session="s1", client="c1", token=token)
            await client.send(native.encode(resume).decode())
            await until(client, "attached")
        async with attach(url, additional_headers=headers) as client:
            await client.send(HELLO)
            await until(client, "attached")


async def test_clients_are_told_to_come_back_when_the_server_goes(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, url), httpx.AsyncClient(base_url=url) as http:
        await http.post("/sessions", json={"session_id": "s1"})
        async with attach(url) as attached, attach(url) as stranger:
            await attached.send(HELLO)
            await until(attached, "live")
            async with http.stream("GET", "/sessions/s1/events") as listener:
                lines = listener.aiter_lines()
                await anext(lines)
                server.stop()
                assert await close_code(attached) == 4203
                assert await close_code(stranger) == 4203
                async for _ in lines:
                    pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    program = (
        "import asyncio; from tenuto.server.door import serve; "
        "from tenuto.settings import TenutoConfig; "
        "asyncio.run(serve(TenutoConfig(store='memory:', engine='echo', port=0), "
        "on_started=lambda url: print(url, flush=True)))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": SOURCE},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/health/ready")).json() == {"status": "ready"}
        await http.post("/sessions", json={"session_id": "s1"})
    async with attach(url) as client:
        await client.send(HELLO)
        await until(client, "live")
        process.send_signal(number)
        assert await close_code(client) == 4203
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (0, b"")


async def test_other_machines_are_not_served_without_a_key(tmp_path: Path) -> None:
    config = TenutoConfig(host="0.0.0.0", store="memory:", keys=str(tmp_path / "tenuto.keys"))
    with pytest.raises(Exception, match="tenuto keys new"):
        await serve(config)
