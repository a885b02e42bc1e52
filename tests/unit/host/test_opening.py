"""`tenuto.session(...)`: loaded or made, once, and nobody else's."""

import asyncio
import gc
import warnings

import pytest

from tenuto import Session, Tenuto, TenutoConfig
from tenuto.errors import AppendConflict, SessionNotFound
from tests.unit.host.hosting import hosting
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual


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


async def test_all_that_open_a_session_at_once_have_the_same_one() -> None:
    async with hosting() as tenuto:
        with tenuto.shelf.holding("head") as gate:
            opening = [asyncio.ensure_future(_open(tenuto)) for _ in range(3)]
            await quiet()
            gate.set()
            sessions = await asyncio.gather(*opening)
        assert len(set(map(id, sessions))) == 1


async def test_a_session_that_another_tenant_has_is_neither_opened_nor_made() -> None:
    async with hosting() as tenuto:
        await tenuto.create_session(session_id="s", tenant="other")
        with pytest.raises(AppendConflict):
            await tenuto.session(session_id="s")
        with pytest.raises(SessionNotFound):
            await tenuto.load_session("s")


async def test_what_was_opened_is_durable() -> None:
    async with hosting() as tenuto:
        session = await tenuto.session(session_id="s")
        assert session.driver.durable == session.position > 0


async def _open(tenuto: Tenuto) -> Session:
    return await tenuto.session(session_id="s", user_id="alice")
