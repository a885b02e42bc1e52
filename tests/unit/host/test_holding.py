"""Who holds a session: within a block it stays, used or not, and outside of one it says where it went."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tenuto import Session, SessionPool, Tenuto
from tenuto.errors import LeaseLost
from tenuto.session.attachment import Joining
from tenuto.session.state import Life
from tests.unit.host.hosting import hosting
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
