"""Who holds a session: within a block it stays, used or not, and outside of one it says where it went."""

import asyncio
import gc
import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tenuto import Session, SessionPool, Tenuto, TenutoConfig
from tenuto.errors import AppendConflict, IllegalEvent, InvalidInput, LeaseLost, StoreUnavailable
from tenuto.session.attachment import Joining
from tenuto.session.state import Life
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script
from tests.unit.host.hosting import HI, hosting
from tests.unit.session.house import Ear, quiet

pytestmark = pytest.mark.virtual

Block = Callable[[Tenuto], AbstractAsyncContextManager[Session]]
BLOCKS: dict[str, Block] = {
    "tenuto.session": lambda tenuto: tenuto.session(user_id="alice"),
    "session": lambda tenuto: tenuto.create_session(user_id="alice"),
    "pool.checkout": lambda tenuto: SessionPool(tenuto, limit=1).checkout(user_id="alice"),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
async def test_a_block_holds_a_session_that_it_does_not_use(block: Block) -> None:
    async with hosting() as tenuto:
        async with block(tenuto) as session:
            await asyncio.sleep(tenuto.config.grace * 10)
            await session.add_memory("Prefers mornings")
            assert (await session.send_message("Hi")).text == "Hello."
        await quiet()
        assert tenuto.sessions_here == {}


async def test_without_a_block_it_is_put_away_and_says_how_to_go_on() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(session_id="s1")
        await asyncio.sleep(tenuto.config.grace + 1)
        with pytest.raises(LeaseLost, match=r"30 s.*await tenuto\.load_session\('s1'\)"):
            session.add_memory("Prefers mornings")
        assert (await tenuto.load_session("s1")).is_active


async def test_a_host_that_was_closed_makes_no_session_and_takes_none() -> None:
    async with hosting() as tenuto:
        await tenuto.create_session(session_id="s1")
    with pytest.raises(StoreUnavailable, match="closed"):
        tenuto.create_session(user_id="alice")
    with pytest.raises(StoreUnavailable, match="closed"):
        await tenuto.load_session("s1")
    assert tenuto.sessions_here == {}


async def test_a_session_says_the_same_from_the_moment_it_is_closed() -> None:
    async with hosting() as tenuto:
        async with tenuto.session(session_id="s1") as session:
            pass
        for _ in range(2):
            with pytest.raises(LeaseLost, match=r"await tenuto\.load_session\('s1'\)"):
                session.config.temperature = 0.3
            await quiet()


async def test_a_session_in_which_this_program_talked_stays_without_a_block() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session()
        await session.send_message("Hi")
        await asyncio.sleep(tenuto.config.grace * 10)
        await session.add_memory("Prefers mornings")


async def test_the_last_of_several_blocks_closes_it() -> None:
    async with hosting() as tenuto:
        async with tenuto.session(session_id="s1") as outer:
            async with tenuto.session(session_id="s1") as inner, inner:
                assert inner is outer
            await outer.add_memory("Prefers mornings")
            assert outer.is_active
        assert not outer.is_active


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


async def test_the_engine_of_a_session_that_is_held_is_closed_when_the_person_has_gone() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        person = await session.attach(Joining(client="phone"), Ear())
        await session.send_message("Hi")
        person.leave("left")
        await asyncio.sleep(tenuto.config.grace + 1)
        assert session.connection_states == {"agent": "closed"}
        assert session.driver.core.state.life is Life.DETACHED
        assert (await session.send_message("Hi")).text == "Hello."


async def test_a_block_that_could_not_begin_holds_nothing() -> None:
    async with hosting() as tenuto:
        session = tenuto.create_session()
        tenuto.shelf.full.add(session.session_id)
        with pytest.raises(Exception, match="space"):
            async with session:
                raise AssertionError("it began")
        assert session.driver.held == 0


async def test_what_the_block_raised_is_told_and_not_what_closing_did() -> None:
    async with hosting() as tenuto:
        with pytest.raises(ZeroDivisionError):
            async with tenuto.session() as session:
                tenuto.shelf.full.add(session.session_id)
                session.add_memory("Prefers mornings")
                raise ZeroDivisionError


async def test_closing_by_hand_closes_it_for_every_block() -> None:
    async with hosting() as tenuto, tenuto.session() as session:
        await session.close()
        await quiet()
        assert not session.is_active


async def test_an_opening_is_made_when_it_is_asked_for_and_once() -> None:
    async with hosting() as tenuto:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tenuto.session(user_id="alice")
            gc.collect()
        assert tenuto.sessions_here == {}
        opening = tenuto.session(user_id="alice")
        session = await opening
        async with opening as same:
            assert same is session


async def test_an_opening_whose_session_was_put_away_opens_it_again() -> None:
    async with hosting() as tenuto:
        opening = tenuto.session(session_id="s1")
        await (await opening).close()
        async with opening as session:
            await session.add_memory("Prefers mornings")


async def test_a_host_without_a_block_renews_its_leases_too() -> None:
    clock = VirtualClock()
    store = InMemoryStore(clock)
    config = TenutoConfig(store="memory:", lease=30)
    tenuto = Tenuto(config, store=store, engines=Script(HI, ordered=False), clock=clock)
    session = await tenuto.create_session()
    async with session:
        await asyncio.sleep(config.lease * 3)
        head = await tenuto.head(session.session_id)
        assert head.expires > 0
        assert (await session.send_message("Hi")).text == "Hello."
    await tenuto.close()


def test_a_session_needs_a_loop() -> None:
    tenuto = Tenuto(TenutoConfig(store="memory:", engine="text"))
    with pytest.raises(IllegalEvent, match=r"asyncio\.run"):
        tenuto.create_session()


@pytest.mark.parametrize("user", ["", 5, "a/b", "x" * 101])
async def test_who_has_lost_a_user_is_not_the_local_one(user: object) -> None:
    async with hosting() as tenuto:
        with pytest.raises(InvalidInput, match="`user_id`"):
            tenuto.create_session(user_id=user)  # type: ignore[arg-type]
        assert tenuto.create_session().user_id == "local"


async def test_nobody_opens_somebody_elses_session_by_its_id() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        made = tenuto.create_session(session_id="a", user_id="alice")
        with pytest.raises(AppendConflict, match="exists already"):
            await tenuto.session(session_id="a", user_id="mallory")
        assert await tenuto.session(session_id="a", user_id="alice") is made
        await made.close()
        with pytest.raises(AppendConflict, match="exists already"):
            await tenuto.session(session_id="a", user_id="mallory")
        assert (await tenuto.session(session_id="a", user_id="alice")).user_id == "alice"
        assert (await tenuto.session(session_id="a")).user_id == "alice"
        assert (await tenuto.session(session_id="b", user_id="mallory")).user_id == "mallory"


async def test_the_sessions_there_are_can_be_listed() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        await tenuto.create_session(session_id="a")
        await tenuto.create_session(session_id="b", tenant="other")
        assert [head.session for head in await tenuto.sessions()] == ["a"]
        assert [head.session for head in await tenuto.sessions(tenant="other")] == ["b"]
