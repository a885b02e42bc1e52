"""Sessions come to a host and go, also when several want that at once, and when somebody gives up half way."""

import asyncio
from typing import Any

import pytest

from tenuto import Session
from tenuto.errors import (
    AppendConflict,
    LeaseLost,
    SessionLocked,
    SessionNotFound,
    StoreFull,
    StoreUnavailable,
)
from tenuto.ids import new_epoch
from tenuto.session import ports
from tests.unit.host.hosting import Host, Shelf, hosting
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual

SOON = 1.0
"""Seconds within which whatever is not held up is done, in virtual time."""


async def parked(tenuto: Host, name: str = "s") -> str:
    """Make a session and put it away."""
    await (await tenuto.create_session(session_id=name)).close()
    await tenuto.load_session(name)
    await tenuto.sessions_here[name].close()
    await quiet()
    assert name not in tenuto.sessions_here
    return name


async def lease_of(tenuto: Host, name: str = "s") -> float:
    """The seconds that a session's lease still lasts."""
    head = await tenuto.shelf.head(name)
    assert head is not None
    return head.expires


# ------------------------------------------------------------------------------------------------------------------- loading


async def test_all_that_load_a_session_at_once_have_the_same() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        loaded = await asyncio.gather(*(tenuto.load_session(name) for _ in range(3)))
        assert len(set(map(id, loaded))) == 1


async def test_who_was_slow_to_find_out_that_it_is_not_here_has_the_one_that_is() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("head") as gate:
            slow = asyncio.create_task(tenuto.load_session(name))
            await quiet()
        async with await tenuto.load_session(name) as session:
            gate.set()
            async with asyncio.timeout(SOON):
                assert await slow is session


async def test_a_load_that_fails_gives_the_lease_back() -> None:
    async with hosting() as tenuto, hosting(shelf=tenuto.shelf) as other:
        name = await parked(tenuto)
        tenuto.shelf.fails["load"] = StoreUnavailable("Not now.")
        with pytest.raises(StoreUnavailable, match="Not now"):
            await tenuto.load_session(name)
        assert await lease_of(tenuto) == 0
        tenuto.shelf.fails.clear()
        assert (await other.load_session(name)).is_active
        with pytest.raises(SessionLocked):
            await tenuto.load_session(name)


async def test_a_load_goes_on_when_one_of_those_who_wait_gives_up() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("load") as gate:
            first, second = (asyncio.create_task(tenuto.load_session(name)) for _ in range(2))
            await quiet()
            first.cancel()
            await quiet()
            assert first.cancelled()
            gate.set()
            assert await second is tenuto.sessions_here[name]


async def test_a_load_that_fails_when_nobody_waits_any_more_troubles_nobody() -> None:
    troubles: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, trouble: troubles.append(trouble))
    async with hosting() as tenuto:
        name = await parked(tenuto)
        tenuto.shelf.fails["load"] = StoreUnavailable("Not now.")
        with tenuto.shelf.holding("load") as gate:
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
            loading.cancel()
            await quiet()
            gate.set()
            await quiet()
        assert await lease_of(tenuto) == 0
    assert troubles == []


async def test_a_session_that_is_lost_while_somebody_loads_it_is_loaded_anew() -> None:
    async with hosting() as tenuto:
        former = await tenuto.create_session(session_id="s")
        tenuto.shelf.open.clear()
        former.add_memory("Prefers mornings")
        loading = asyncio.create_task(tenuto.load_session("s"))
        await quiet()
        former.driver.lose(LeaseLost())
        tenuto.shelf.open.set()
        session = await loading
        assert session is not former
        await session.add_memory("Prefers tea")


async def test_a_session_of_another_tenant_is_none_also_while_it_is_made() -> None:
    async with hosting() as tenuto:
        with tenuto.shelf.holding("create") as gate:
            tenuto.create_session(session_id="s", tenant="other")
            with pytest.raises(SessionNotFound):
                await tenuto.load_session("s")
            gate.set()
        await tenuto.load_session("s", tenant="other")
        with pytest.raises(SessionNotFound):
            await tenuto.load_session("s")


async def test_who_loads_a_session_while_it_is_put_away_has_one_that_works() -> None:
    async with hosting() as tenuto:
        former = await tenuto.create_session(session_id="s1")
        tenuto.shelf.open.clear()
        former.add_memory("Prefers mornings")

        async def use() -> None:
            session = await tenuto.load_session("s1")
            assert session is not former
            await session.add_memory("Prefers tea")

        using = asyncio.create_task(use())
        await quiet()
        closing = asyncio.create_task(former.close())
        await quiet()
        tenuto.shelf.open.set()
        await asyncio.gather(using, closing)


# -------------------------------------------------------------------------------------------------------------------- making


async def test_who_loads_what_is_being_made_has_it_when_it_is_there() -> None:
    async with hosting() as tenuto:
        with tenuto.shelf.holding("create") as gate:
            made = tenuto.create_session(session_id="s")
            loading = asyncio.create_task(tenuto.load_session("s"))
            await quiet()
            assert not loading.done()
            gate.set()
            assert await loading is made


async def test_who_loads_what_could_not_be_made_again_has_what_was_there() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("create") as gate:
            made = tenuto.create_session(session_id=name)
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
            gate.set()
            session = await loading
        assert session is not made and session.is_active
        with pytest.raises(AppendConflict):
            await made


async def test_an_id_for_which_there_was_no_space_is_free_again() -> None:
    async with hosting() as tenuto:
        tenuto.shelf.full.add("s")
        with pytest.raises(StoreFull):
            await tenuto.create_session(session_id="s", user_id="alice")
        tenuto.shelf.full.clear()
        session = await tenuto.create_session(session_id="s", user_id="bob")
        head = await tenuto.head("s")
        assert (head.user, head.epoch) == ("bob", session.driver.core.state.epoch)


async def test_an_id_that_another_host_is_just_making_is_taken() -> None:
    async with hosting() as tenuto:
        new = ports.NewSession(session="s", tenant="local", user="alice", epoch=new_epoch(), at=0.0)
        await tenuto.shelf.create(new, "another", "", 10.0)
        with pytest.raises(AppendConflict):
            await tenuto.create_session(session_id="s")
        await asyncio.sleep(11)  # It has died.
        assert (await tenuto.create_session(session_id="s")).is_active


# ------------------------------------------------------------------------------------------------------------------- closing


async def test_a_host_that_was_closed_makes_no_session_and_takes_none() -> None:
    async with hosting() as tenuto:
        await tenuto.create_session(session_id="s1")
    with pytest.raises(StoreUnavailable, match="closed"):
        tenuto.create_session(user_id="alice")
    with pytest.raises(StoreUnavailable, match="closed"):
        await tenuto.load_session("s1")
    assert tenuto.sessions_here == {}


async def test_who_finds_out_too_late_that_the_host_closes_takes_no_session() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("head") as gate:
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
        await tenuto.drain()
        gate.set()
        with pytest.raises(StoreUnavailable, match="going down"):
            await loading
        assert (tenuto.sessions_here, await lease_of(tenuto)) == ({}, 0)


async def test_a_load_that_hangs_is_given_up_when_the_host_closes() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("load"):
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
            async with asyncio.timeout(30):
                await tenuto.drain()
            with pytest.raises(StoreUnavailable, match="going down"):
                await loading
        assert (tenuto.sessions_here, await lease_of(tenuto)) == ({}, 0)


async def test_a_load_that_is_done_while_the_host_closes_is_put_away_with_the_rest() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("load") as gate:
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
            closing = asyncio.create_task(tenuto.drain())
            await quiet()
            gate.set()
            await asyncio.wait([loading, closing])
        assert (tenuto.sessions_here, await lease_of(tenuto)) == ({}, 0)


async def test_a_session_that_hangs_is_given_up_when_the_host_closes() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(session_id="s")
        tenuto.shelf.open.clear()
        session.add_memory("Prefers mornings")
        async with asyncio.timeout(30):
            await tenuto.drain()
        with pytest.raises(LeaseLost):
            await session.close()
        assert (tenuto.sessions_here, await lease_of(tenuto)) == ({}, 0)


async def test_who_comes_back_to_a_session_that_a_closing_host_puts_away_is_told_at_once() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(session_id="s")
        tenuto.shelf.open.clear()
        session.add_memory("Prefers mornings")
        closing = asyncio.create_task(tenuto.drain())
        await quiet()
        async with asyncio.timeout(SOON):
            with pytest.raises(StoreUnavailable, match="going down"):
                await tenuto.load_session("s")
        tenuto.shelf.open.set()
        await closing


# ---------------------------------------------------------------------------------------------------------------- forgetting


async def forgotten(tenuto: Host, name: str = "s") -> bool:
    """Whether nothing is left of a session, here and in the store."""
    await quiet()
    return name not in tenuto.sessions_here and await tenuto.shelf.head(name) is None


async def test_what_is_forgotten_while_it_is_loaded_is_gone() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("load") as gate:
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
            forgetting = asyncio.create_task(tenuto.forget_session(name))
            await quiet()
            gate.set()
            session = await loading
            await forgetting
        assert await forgotten(tenuto)
        with pytest.raises(SessionNotFound):
            session.add_memory("Prefers mornings")


async def test_what_is_being_forgotten_is_not_loaded_and_not_made() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("forget") as gate:
            forgetting = asyncio.create_task(tenuto.forget_session(name))
            await quiet()
            loading = asyncio.create_task(tenuto.load_session(name))
            await quiet()
            with pytest.raises(AppendConflict):
                tenuto.create_session(session_id=name)
            gate.set()
            await forgetting
            with pytest.raises(SessionNotFound):
                await loading
        assert await forgotten(tenuto)
        assert (await tenuto.create_session(session_id=name)).is_active


async def test_who_begins_to_forget_forgets_also_when_cancelled() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(session_id="s")
        with tenuto.shelf.holding("forget") as gate:
            forgetting = asyncio.create_task(tenuto.forget_session("s"))
            await quiet()
            forgetting.cancel()
            gate.set()
        assert await forgotten(tenuto)
        assert not session.is_active


async def test_of_two_who_forget_a_session_one_finds_none() -> None:
    async with hosting() as tenuto:
        name = await parked(tenuto)
        with tenuto.shelf.holding("forget") as gate:
            both = [asyncio.create_task(tenuto.forget_session(name)) for _ in range(2)]
            await quiet()
            gate.set()
            outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), SessionNotFound]


async def test_what_is_forgotten_while_it_is_made_is_gone() -> None:
    async with hosting() as tenuto:
        made = tenuto.create_session(session_id="s")
        await tenuto.forget_session("s")
        assert await forgotten(tenuto)
        assert not made.is_active


async def test_only_who_has_a_session_forgets_it() -> None:
    async with hosting() as tenuto, hosting(shelf=tenuto.shelf) as other:
        session: Session = await other.create_session(session_id="s")
        with pytest.raises(SessionLocked):
            await tenuto.forget_session("s")
        with pytest.raises(SessionNotFound):
            await other.forget_session("s", tenant="another")
        await session.add_memory("Prefers mornings")


async def test_a_shelf_that_is_held_up_answers_in_the_end() -> None:
    """The control: what these tests hold up is held up."""
    async with hosting() as tenuto:
        shelf: Shelf = tenuto.shelf
        with shelf.holding("head") as gate:
            asking = asyncio.create_task(shelf.head("s"))
            await asyncio.sleep(3600)
            assert not asking.done()
            gate.set()
            assert await asking is None
