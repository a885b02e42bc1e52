"""A server that is told to stop tells its clients, loses nothing, and leaves its sessions to the next server at once."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tenuto.client.client import Client
from tenuto.wire import native
from tests.acceptance.peers import (
    PATIENCE,
    Closed,
    Peer,
    attached,
    eventually,
    journal,
    make,
    peer,
    soon,
    texts,
)
from tests.acceptance.serving import COMMAND, Served, environment

SOON = 4.0
"""Seconds that stopping may take while all clients behave; the lease is longer."""


async def stopped(server: Served) -> float:
    """Stop a server without holding up the clients of this process. Returns the seconds that it took."""
    began = asyncio.get_running_loop().time()
    await asyncio.to_thread(server.stop)
    return asyncio.get_running_loop().time() - began


async def say_until_closed(one: Peer, said: list[str]) -> None:
    """Say one thing after the other, and note what was acknowledged."""
    with contextlib.suppress(Closed):
        while True:
            text = f"{one.session[-4:]} {one.commands + 1}"
            await one.say(text)
            said.append(text)
            await asyncio.sleep(0.1)


async def test_clients_are_told_and_what_was_acknowledged_is_there_at_the_next_server(
    tmp_path: Path,
) -> None:
    with Served(tmp_path, "--lease", "30") as server:
        async with contextlib.AsyncExitStack() as held:
            http = await held.enter_async_context(httpx.AsyncClient(base_url=server.url))
            sessions = [await make(http) for _ in range(5)]
            people = [
                await held.enter_async_context(attached(server.url, session))
                for session in sessions
            ]
            observer = await held.enter_async_context(
                attached(server.url, sessions[0], role="observer")
            )
            stranger = await held.enter_async_context(peer(server.url, sessions[0]))
            said: list[list[str]] = [[] for _ in people]
            talking = [
                asyncio.create_task(say_until_closed(one, mine))
                for one, mine in zip(people, said, strict=True)
            ]
            await eventually(lambda: all(len(mine) >= 3 for mine in said))
            took = await stopped(server)
            await soon(asyncio.gather(*talking))
            for one in (*people, observer, stranger):
                assert (await one.closed())[0] == native.CloseCode.DRAINING
            assert took < SOON
        server.start()
        async with httpx.AsyncClient(base_url=server.url) as http:
            for session, one, mine in zip(sessions, people, said, strict=True):
                # What was on its way is there too, or not: it was not acknowledged.
                found = await texts(http, session)
                assert found[: len(mine)] == mine
                assert len(found) <= len(mine) + 1
                entries = await journal(http, session)
                left = [e.body["reason"] for e in entries if e.type == "attachment.detached"]
                assert set(left) == {"draining"}
                have = native.Have(
                    epoch=one.attached["epoch"],
                    position=max(event["position"] for event in one.events),
                )
                # Nobody waits for the lease of the server that went.
                async with peer(server.url, session, client=one.client) as back:
                    await back.attach(token=one.attached["token"], have=have)
                    assert (back.attached["mode"], back.attached["recovered"]) == ("replay", True)
                    assert back.attached["commands"] == len(found)
                    seen = [event["position"] for event in (*one.events, *back.events)]
                    assert seen == list(range(seen[0], seen[0] + len(seen)))
                    await back.say("and on")
                assert await texts(http, session) == [*found, "and on"]
        server.stop()


async def test_a_client_that_does_not_read_or_answer_holds_nobody_up(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            session = await make(http)
            async with attached(server.url, session) as one, peer(server.url, session) as other:
                for deaf in (one, other):
                    deaf.socket.transport.pause_reading()
                await other.ask_to_attach(role="observer")
                assert await stopped(server) < 2 * SOON
                for deaf in (one, other):
                    deaf.socket.transport.abort()


async def test_clients_in_the_middle_of_attaching_leave_nothing_half_done(tmp_path: Path) -> None:
    with Served(tmp_path, "--lease", "30") as server:
        async with contextlib.AsyncExitStack() as held:
            http = await held.enter_async_context(httpx.AsyncClient(base_url=server.url))
            sessions = [await make(http) for _ in range(20)]
            server.stop()
            server.start()
            coming = [
                await held.enter_async_context(peer(server.url, session)) for session in sessions
            ]
            os.kill(server.pid, signal.SIGTERM)
            for one in coming:
                with contextlib.suppress(Closed):
                    await one.ask_to_attach()
            codes = {(await one.closed())[0] for one in coming}
            # 4100 to those whose session would have had to be loaded after the signal.
            assert codes <= {native.CloseCode.DRAINING, native.CloseCode.OVERLOADED}
            assert await asyncio.to_thread(server.wait) == 0
            assert "Traceback" not in server.stderr, server.stderr
        server.start()
        async with httpx.AsyncClient(base_url=server.url) as http:
            for session in sessions:
                async with attached(server.url, session):
                    entries = await journal(http, session)
                    reasons = [e.body["reason"] for e in entries if e.type == "attachment.detached"]
                    assert set(reasons) <= {"draining", "lost"}
        server.stop()


async def test_nobody_is_greeted_twice(tmp_path: Path) -> None:
    with Served(tmp_path, "--lease", "0.5") as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            made = await http.post("/sessions", json={"config": {"greeting": "Good day."}})
            session = made.json()["session_id"]
            async with attached(server.url, session) as one:
                while "Good day." not in await texts(http, session):
                    await one.until("event")
        for how in (server.stop, server.kill):
            how()
            server.start()
            async with Client(server.url, session=session) as client:
                # After a kill it waits for the lease of the server that was killed.
                await soon(client.send(native.SendMessage(text=how.__name__)))
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert await texts(http, session) == ["Good day.", "stop", "kill"]


def test_other_machines_are_not_served_without_a_key(tmp_path: Path) -> None:
    serve = [*COMMAND, "serve", "--host", "0.0.0.0", "--port", "0", "--engine", "echo", "--json"]
    serve += ["--store", "memory:", "--keys", str(tmp_path / "tenuto.keys")]
    refused = subprocess.run(
        serve, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert refused.returncode != 0
    assert refused.stdout == ""
    error = json.loads(refused.stderr)["error"]
    assert error["code"] == "config_invalid"
    assert "tenuto keys new" in error["message"]


def test_other_machines_are_served_with_a_key(tmp_path: Path) -> None:
    made = subprocess.run(
        [*COMMAND, "keys", "new", "--keys", str(tmp_path / "tenuto.keys"), "--json"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    with Served(tmp_path, "--host", "0.0.0.0") as server:
        url = f"http://127.0.0.1:{server.port}/sessions"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": f"Bearer {key}"}).status_code == 200
        server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_without_clients_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with Served(tmp_path) as server:
        os.kill(server.pid, number)
        assert server.wait() == 0
        assert "Traceback" not in server.stderr
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"tenuto.db", "tenuto.db-wal", "tenuto.db-shm"}
