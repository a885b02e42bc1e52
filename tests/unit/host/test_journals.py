"""What can be known of a session without taking it."""

import asyncio

import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.errors import NotAllowed, NotAuthenticated, SessionNotFound
from tenuto.session.attachment import Joining
from tests.unit.host.hosting import Host, hosting
from tests.unit.session.house import Ear, quiet

pytestmark = pytest.mark.virtual


async def test_the_sessions_there_are_can_be_listed() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        await tenuto.create_session(session_id="a")
        await tenuto.create_session(session_id="b", tenant="other")
        assert [head.session for head in await tenuto.sessions()] == ["a"]
        assert [head.session for head in await tenuto.sessions(tenant="other")] == ["b"]


async def test_a_state_can_be_looked_at_here_and_away_and_by_nobody_else() -> None:
    async with hosting() as tenuto:
        session = tenuto.create_session(session_id="s")
        state = await tenuto.peek("s")  # It is just being made.
        assert state is session.driver.core.state
        await session.close()
        await quiet()
        state = await tenuto.peek("s")
        assert state is not None and state.position == session.position
        assert "s" not in tenuto.sessions_here, "it was looked at, not taken"
        assert await tenuto.peek("s", tenant="other") is None
        assert await tenuto.peek("nobody") is None


async def seen(tenuto: Host, name: str) -> list[str]:
    return [row.type async for row in tenuto.watch(name)]


async def test_a_session_can_be_watched_from_host_to_host_until_it_ends() -> None:
    async with hosting() as tenuto, hosting(shelf=tenuto.shelf) as other:
        session = await tenuto.create_session(session_id="s")
        watching = asyncio.create_task(seen(tenuto, "s"))
        await quiet()
        watchers = session.driver.watchers
        assert len(watchers) == len((await tenuto.load_session("s")).driver.watchers)
        await session.close()
        await quiet()
        session = await other.load_session("s")
        await session.end()
        async with asyncio.timeout(1):
            types = await watching
        assert types[0] == e.TAGS[e.SessionCreated]
        assert types[-1] == e.TAGS[e.SessionEnded]


async def test_watching_ends_when_the_session_is_forgotten_and_when_the_host_closes() -> None:
    async with hosting() as tenuto:
        await tenuto.create_session(session_id="a")
        await tenuto.create_session(session_id="b")
        watching = [asyncio.create_task(seen(tenuto, name)) for name in ("a", "b")]
        await quiet()
        await tenuto.forget_session("a")
        await asyncio.sleep(1)
        assert [task.done() for task in watching] == [True, False]
        await tenuto.drain()
        await asyncio.sleep(1)
        assert watching[1].done()
        with pytest.raises(SessionNotFound):
            await seen(tenuto, "a")


@pytest.mark.parametrize("here", [True, False])
async def test_who_shows_a_resume_token_is_let_in_here_and_away(here: bool) -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(session_id="s", tenant="other")
        person = await session.attach(Joining(client="phone"), Ear())
        viewer = await session.attach(Joining(client="tv", role="observer"), Ear())
        await session.commit()
        if not here:
            await tenuto.drain()
        async with hosting(shelf=tenuto.shelf) as next_one:
            host = tenuto if here else next_one
            assert (await host.resume_session("s", "phone", person.token)).session_id == "s"
            with pytest.raises(NotAllowed):
                await host.resume_session("s", "tv", viewer.token)
            for client, token in (("phone", "wrong"), ("nobody", person.token)):
                with pytest.raises(NotAuthenticated):
                    await host.resume_session("s", client, token)
            with pytest.raises(NotAuthenticated):
                await host.resume_session("nothing", "phone", person.token)
