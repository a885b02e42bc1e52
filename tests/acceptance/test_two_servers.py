"""Two servers on one SQLite file: a session has one owner, the other server says who, and a paused owner writes nothing
after somebody took over.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tenuto.client.client import Client
from tenuto.wire import native
from tests.acceptance.peers import (
    PATIENCE,
    Closed,
    Entry,
    Peer,
    attached,
    follow,
    journal,
    make,
    peer,
    soon,
    texts,
)
from tests.acceptance.serving import Served, free_port

LEASE = "1"
"""Seconds."""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """Two servers on one file, each of which says where it is."""
    with both(tmp_path, says_where=True) as two:
        yield two


@contextlib.contextmanager
def both(folder: Path, *, says_where: bool) -> Iterator[tuple[Served, Served]]:
    made = []
    for _ in range(2):
        port = free_port()
        where = ("--url", f"http://127.0.0.1:{port}") if says_where else ()
        made.append(Served(folder, "--lease", LEASE, *where, port=port))
    with made[0] as one, made[1] as two:
        yield one, two


async def release(server: Served) -> None:
    """Have a server give up its sessions, as it does when it is stopped, and come again."""
    server.stop()
    server.start()


def check(entries: Sequence[Entry]) -> list[int]:
    """Hold that owners followed each other with rising fences. Returns the fences."""
    fences = [entry.body["fence"] for entry in entries if entry.type == "session.restored"]
    assert fences == sorted(set(fences))
    return fences


async def test_of_two_that_want_a_session_one_has_it(servers: tuple[Served, Served]) -> None:
    one, two = servers
    async with httpx.AsyncClient(base_url=one.url, timeout=PATIENCE) as http:
        sessions = [await make(http) for _ in range(8)]
        await release(one)

        async def want(server: Served, session: str, held: contextlib.AsyncExitStack) -> str:
            client = await held.enter_async_context(peer(server.url, session))
            await client.ask_to_attach()
            answer = await client.until("attached", "moved")
            if answer["type"] == "attached":
                return server.url
            assert (await client.until("error"))["code"] == "session_locked"
            assert await client.closed() == (4202, "session_locked")
            return f"sent to {answer['url']}"

        async with contextlib.AsyncExitStack() as held:
            for session in sessions:
                told = await asyncio.gather(want(one, session, held), want(two, session, held))
                winners = [answer for answer in told if not answer.startswith("sent to")]
                assert len(winners) == 1
                assert f"sent to {winners[0]}" in told
                entries = await journal(http, session)
                assert len(check(entries)) == 1


async def test_without_an_address_the_owner_is_named_and_clients_back_off(tmp_path: Path) -> None:
    with both(tmp_path, says_where=False) as (one, two):
        async with (
            httpx.AsyncClient(base_url=one.url) as http,
            httpx.AsyncClient(base_url=two.url) as there,
        ):
            session = await make(http)
            async with attached(one.url, session) as owner, peer(two.url, session) as other:
                restored = [e for e in await journal(http, session) if e.type == "session.restored"]
                assert restored == []
                await other.ask_to_attach()
                code, close, message = await other.refused()
                assert (code, close) == ("session_locked", 4100)
                assert f"Session {session} is held by " in message
                refused = await there.post(f"/sessions/{session}/end")
                assert refused.status_code == 409
                assert refused.json()["error"]["code"] == "session_locked"
                assert refused.json()["error"]["retryable"]
                assert int(refused.headers["Retry-After"]) >= 1
                assert (await there.delete(f"/sessions/{session}")).status_code == 409
                # What is no write works at either.
                seen = follow(there, session)
                async with contextlib.aclosing(seen):
                    await owner.say("hello")
                    while (await soon(anext(seen))).body.get("text") != "hello":
                        pass
                assert await texts(there, session) == ["hello"]


async def comes(client: Peer) -> bool:
    """Whether a client that asks to attach gets in."""
    await client.ask_to_attach()
    try:
        await client.until("attached")
    except Closed:
        return False
    await client.until("live")
    return True


async def test_a_paused_owner_loses_the_session_and_its_client_goes_on_at_the_other(
    servers: tuple[Served, Served],
) -> None:
    one, two = servers
    async with (
        httpx.AsyncClient(base_url=one.url, timeout=PATIENCE) as http,
        httpx.AsyncClient(base_url=two.url, timeout=PATIENCE) as there,
    ):
        session = await make(http)
        async with Client(one.url, session=session) as client:
            await soon(client.live())
            await soon(client.send(native.SendMessage(text="before")))
            head = len(await journal(http, session))
            one.pause()
            late = asyncio.create_task(client.send(native.SendMessage(text="late")))
            try:
                async with contextlib.AsyncExitStack() as held:
                    async with asyncio.timeout(PATIENCE):
                        while True:
                            taker = await held.enter_async_context(peer(two.url, session))
                            if await comes(taker):
                                break
                            assert taker.complaints == ["session_locked"]
                            await asyncio.sleep(0.05)
                    await taker.say("meanwhile")
                    taken = await journal(there, session)
                    assert "late" not in await texts(there, session)
                    one.go_on()
                    # Nobody told the client of the other server: the paused one did, when it woke up.
                    position = await soon(late)
                    assert await taker.closed() == (4001, "superseded")
            finally:
                one.go_on()
            after = await soon(client.send(native.SendMessage(text="after")))
        assert position > taken[-1].position
        assert after > position
        entries = await journal(there, session)
        assert entries[: len(taken)] == taken
        assert taken[head].type == "session.restored"
        assert check(entries) == [2]
        assert await texts(there, session) == ["before", "meanwhile", "late", "after"]
        # Each client that was there left once.
        left = [e.body["attachment"] for e in entries if e.type == "attachment.detached"]
        assert left == sorted(set(left))
        assert "Traceback" not in one.stderr + two.stderr


async def test_the_client_of_a_paused_owner_is_told_nothing_that_is_not_so(
    servers: tuple[Served, Served],
) -> None:
    one, two = servers
    async with (
        httpx.AsyncClient(base_url=one.url, timeout=PATIENCE) as http,
        httpx.AsyncClient(base_url=two.url, timeout=PATIENCE) as there,
    ):
        session = await make(http)
        async with attached(one.url, session) as first:
            await first.say("before")
            one.pause()
            try:
                await first.tell(native.Command(number=2, do=native.SendMessage(text="late")))
                async with asyncio.timeout(PATIENCE):
                    while True:
                        ended = await there.post(f"/sessions/{session}/end")
                        if ended.status_code == 200:
                            break
                        assert ended.json()["error"]["code"] == "session_locked"
                        await asyncio.sleep(0.05)
                entries = await journal(there, session)
            finally:
                one.go_on()
            seen = len(first.events)
            assert await first.closed() == (4202, "moved")
            assert first.events[seen:] == []
            assert first.complaints == []
        async with peer(one.url, session) as again:
            await again.ask_to_attach()
            assert (await again.refused())[:2] == ("session_ended", 4000)
        assert await journal(http, session) == entries
        assert await texts(http, session) == ["before"]
