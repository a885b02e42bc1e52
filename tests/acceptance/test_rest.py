"""Sessions over HTTP, through the real server, across its restarts."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from tenuto.client.client import Client
from tenuto.clock import SystemClock
from tenuto.security.grants import add_key
from tenuto.wire import native
from tests.acceptance.peers import (
    PATIENCE,
    attached,
    eventually,
    follow,
    journal,
    make,
    peer,
    soon,
    texts,
)
from tests.acceptance.serving import Served


@contextlib.asynccontextmanager
async def calls(server: Served, key: str = "") -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=PATIENCE) as http:
        yield http


async def restarted(server: Served) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


def files_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("tenuto.db*"))


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, str(reply.json()["error"]["code"])


async def pages(http: httpx.AsyncClient, **query: str | int) -> list[dict[str, Any]]:
    """Return all sessions, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await http.get("/sessions", params={**query, **cursor})).json()
        assert len(page["sessions"]) <= int(query.get("limit", 50))
        found.extend(page["sessions"])
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def test_sessions_are_made_listed_and_shown(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with calls(server) as http:
            names = [f"s{number}" for number in range(7)]
            for number, name in enumerate(names):
                body = {"session_id": name, "user_id": "alice" if number % 2 else "bob"}
                made = await http.post("/sessions", json=body)
                assert made.status_code == 201
                assert made.headers["Location"] == f"/sessions/{name}"
                assert made.json()["user_id"] == body["user_id"]
            assert code(await http.post("/sessions", json={"session_id": "s3"})) == (
                409,
                "session_conflict",
            )
            assert code(await http.get("/sessions/s9")) == (404, "session_not_found")
            for _ in range(2):
                listed = await pages(http, limit=3)
                assert [one["session_id"] for one in listed] == names[::-1]
                alices = await pages(http, limit=2, user_id="alice")
                assert [one["session_id"] for one in alices] == ["s5", "s3", "s1"]
                assert (await http.get("/sessions/s4")).json() == listed[2]
                assert {one["position"] for one in listed} == {1}
                await restarted(server)
            # What was touched last comes first.
            async with attached(server.url, "s2") as one:
                await one.say("hello")
            listed = await pages(http, limit=3)
            assert listed[0]["session_id"] == "s2"
            assert sorted(one["session_id"] for one in listed) == names
            assert (await http.get("/health/live")).json() == {"status": "live"}
            assert (await http.get("/health/ready")).json() == {"status": "ready"}
        server.stop()


async def test_a_history_is_read_in_pages(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with calls(server) as http:
            session = await make(http)
            said = [f"message {number}" for number in range(25)]
            async with attached(server.url, session) as one:
                for text in said:
                    await one.say(text)
            for _ in range(2):
                found: list[dict[str, Any]] = []
                before: dict[str, int] = {}
                sizes = []
                while True:
                    reply = await http.get(
                        f"/sessions/{session}/history", params={"limit": 10} | before
                    )
                    page = reply.json()
                    found[:0] = page["messages"]
                    sizes.append(len(page["messages"]))
                    if page["next"] is None:
                        break
                    before = {"before": page["next"]}
                assert sizes == [10, 10, 5]
                assert [message["text"] for message in found] == said
                assert [message["message"] for message in found] == list(range(1, 26))
                assert {message["role"] for message in found} == {"user"}
                await restarted(server)
            for wrong in ({"limit": 0}, {"limit": 101}, {"before": 0}, {"before": "x"}):
                reply = await http.get(f"/sessions/{session}/history", params=wrong)
                assert code(reply) == (400, "invalid_input")


async def test_what_is_ended_is_read_and_what_is_forgotten_is_not(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with calls(server) as http:
            session = await make(http)
            async with attached(server.url, session) as one:
                await one.say("a secret of mine")
                ended = await http.post(f"/sessions/{session}/end", json={"reason": "done"})
                assert ended.json()["ended"] is True
                assert await one.closed() == (4000, "ended")
                assert one.events[-1]["event"]["reason"] == "done"
            for _ in range(2):
                assert await texts(http, session) == ["a secret of mine"]
                entries = await journal(http, session)
                endings = [entry for entry in entries if entry.type == "session.ended"]
                assert endings == entries[-1:]
                for path in ("end", "tickets"):
                    again = await http.post(f"/sessions/{session}/{path}")
                    assert code(again) == (409, "session_ended")
                await restarted(server)
            assert (await http.delete(f"/sessions/{session}")).status_code == 204
            for _ in range(2):
                for method, path in (
                    ("GET", ""),
                    ("DELETE", ""),
                    ("GET", "/history"),
                    ("GET", "/analytics"),
                    ("GET", "/events"),
                    ("POST", "/end"),
                    ("POST", "/tickets"),
                ):
                    reply = await http.request(method, f"/sessions/{session}{path}")
                    assert code(reply) == (404, "session_not_found")
                assert await pages(http) == []
                await restarted(server)
            # The name is free again, and nothing of the old one comes back with it.
            await http.post("/sessions", json={"session_id": session})
            assert len(await journal(http, session)) == 1
            # Also one that somebody is in.
            async with attached(server.url, session) as one:
                await one.say("another secret of mine")
                assert (await http.delete(f"/sessions/{session}")).status_code == 204
                assert (await one.closed())[0] == 4000
            assert code(await http.get(f"/sessions/{session}")) == (404, "session_not_found")
        server.stop()
        assert b"session" in files_of(tmp_path)
        assert b"secret of mine" not in files_of(tmp_path)


async def test_tickets_admit_one_client_once(tmp_path: Path) -> None:
    key = add_key(tmp_path / "tenuto.keys", clock=SystemClock(), tenant="acme")
    with Served(tmp_path) as server:
        async with calls(server, key) as http:
            session = await make(http)
            given = await http.post(f"/sessions/{session}/tickets", json={"role": "observer"})
            assert given.status_code == 201
            assert given.json()["url"] == f"{server.websocket}/sessions/{session}/attach"
            assert 0 < given.json()["expires_in"] <= 30
            offer = f"tenuto.t.{given.json()['ticket']}"
            async with peer(server.url, session, offer) as one:
                assert one.socket.subprotocol == "tenuto.v1"
                assert (await one.attach(role="observer"))["role"] == "observer"
            # The resume token takes its place, also at a server that never saw the ticket.
            await restarted(server)
            token = one.attached["token"]
            async with peer(server.url, session, client=one.client) as back:
                assert (await back.attach(role="observer", token=token))["role"] == "observer"
            async with peer(server.url, session, offer) as again:
                await again.ask_to_attach(role="observer")
                assert (await again.refused())[:2] == ("authentication_failed", 4301)
            # A ticket that was not used in time is void at the next server: ask again.
            unused = (await http.post(f"/sessions/{session}/tickets")).json()["ticket"]
            await restarted(server)
            async with peer(server.url, session, f"tenuto.t.{unused}") as late:
                await late.ask_to_attach()
                assert (await late.refused())[:2] == ("authentication_failed", 4301)


async def test_a_client_s_token_changes_no_settings(tmp_path: Path) -> None:
    key = add_key(tmp_path / "tenuto.keys", clock=SystemClock(), tenant="acme")
    with Served(tmp_path) as server:
        async with calls(server, key) as http:
            session = await make(http)
            ticket = (await http.post(f"/sessions/{session}/tickets")).json()["ticket"]
            async with peer(server.url, session, f"tenuto.t.{ticket}") as one:
                token = (await one.attach())["token"]
                for shown in (token, ticket):
                    async with calls(server, shown) as client:
                        for method, path in (
                            ("PATCH", f"/sessions/{session}/config"),
                            ("POST", "/sessions/import"),
                        ):
                            reply = await client.request(method, path, json={"voice": "nova"})
                            assert code(reply) == (401, "authentication_failed")
                # What the key's owner changes is heard by whoever is attached.
                changed = await http.patch(f"/sessions/{session}/config", json={"voice": "nova"})
                assert (changed.status_code, changed.json()["version"]) == (200, 1)
            changes = [e.body for e in await journal(http, session) if e.type == "config.changed"]
            assert [(each["version"], each["changes"]) for each in changes] == [
                (1, {"voice": "nova"})
            ]


async def test_a_listener_that_comes_back_misses_nothing(tmp_path: Path) -> None:
    """Server-sent events, over an orderly restart and a kill, until the session ends."""
    with Served(tmp_path, "--lease", "0.5") as server:
        positions: list[int] = []
        said: list[str] = []

        async def listen(session: str) -> bool:
            """Listen until the server goes. Returns whether the session has ended."""
            async with calls(server) as http:
                after = positions[-1] if positions else None
                try:
                    async for entry in follow(http, session, after):
                        positions.append(entry.position)
                        if entry.type == "message.added":
                            said.append(entry.body["text"])
                        if entry.type == "session.ended":
                            return True
                except httpx.HTTPError:
                    pass
            return False

        async with calls(server) as http:
            session = await make(http)
        for text, leave in (("one", server.stop), ("two", server.kill), ("three", None)):
            listening = asyncio.create_task(listen(session))
            async with Client(server.url, session=session) as client:
                await soon(client.send(native.SendMessage(text=text)))
            await eventually(functools.partial(said.__contains__, text))
            if leave is not None:
                await asyncio.to_thread(leave)
                assert await soon(listening) is False
                await asyncio.to_thread(server.start)
            else:
                async with calls(server) as http:
                    await http.post(f"/sessions/{session}/end")
                assert await soon(listening) is True
        assert said == ["one", "two", "three"]
        assert positions == list(range(1, len(positions) + 1))
        async with calls(server) as http:
            assert [entry.position for entry in await journal(http, session)] == positions
            rest = [entry async for entry in follow(http, session, after=positions[-3])]
            assert [entry.position for entry in rest] == positions[-2:]
            for wrong in ("x", "-1", "1.5"):
                headers = {"Last-Event-ID": wrong}
                reply = await http.get(f"/sessions/{session}/events", headers=headers)
                assert code(reply) == (400, "invalid_input")
