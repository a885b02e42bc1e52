"""The idle sweep: what is not used for more than an hour is let go of, and nothing else."""

import asyncio
import logging

import pytest

from tenuto import Session
from tenuto.errors import InvalidInput
from tenuto.host.sweep import IdleSweep
from tenuto.session.attachment import Joining
from tenuto.session.state import Status
from tenuto.testing.engine import Step
from tests.unit.host.hosting import HI, Host, hosting
from tests.unit.session.house import Ear, quiet

pytestmark = pytest.mark.virtual

MINUTE = 60.0
SLOW = Step(hear="Think", say=["Done."], delay=2 * 3600.0)


async def used(tenuto: Host, name: str = "") -> Session:
    """A session that a program uses, and has just used."""
    session = await tenuto.create_session(session_id=name or None)
    await session.send_message("Hi")
    return session


async def test_after_59_minutes_it_is_kept_and_after_an_hour_it_is_closed() -> None:
    async with hosting() as tenuto:
        session, sweep = await used(tenuto), IdleSweep(tenuto)
        begun = session.state.value.last_activity
        for kept in (59 * MINUTE, 60 * MINUTE - 0.001):
            await asyncio.sleep(begun + kept - session.driver.now())
            assert await sweep.sweep() == []
        await asyncio.sleep(0.002)
        assert await sweep.sweep() == [session.session_id]
        await quiet()
        assert not session.is_active
        again = await tenuto.load_session(session.session_id)
        assert [message.text for message in (await again.history()).messages] == ["Hi", "Hello."]


async def test_at_exactly_the_limit_it_is_kept() -> None:
    async with hosting() as tenuto:
        session = await used(tenuto)
        await asyncio.sleep(600)
        age = session.driver.now() - session.state.value.last_activity
        assert not IdleSweep(tenuto, idle=age).is_idle(session)
        assert IdleSweep(tenuto, idle=age - 0.001).is_idle(session)


async def test_activity_counts_again_from_its_moment() -> None:
    async with hosting() as tenuto:
        session, sweep = await used(tenuto), IdleSweep(tenuto)
        await asyncio.sleep(50 * MINUTE)
        await session.send_message("Hi")
        await asyncio.sleep(50 * MINUTE)
        assert await sweep.sweep() == []


@pytest.mark.parametrize("role", ["controller", "observer"])
async def test_one_that_a_person_is_attached_to_is_kept(role: str) -> None:
    async with hosting() as tenuto:
        session, ear = await tenuto.create_session(), Ear()
        joining = Joining(client="tab", role="observer" if role == "observer" else "controller")
        attachment = await session.attach(joining, ear)
        await session.send_message("Hi")
        await asyncio.sleep(3 * 3600)
        assert await IdleSweep(tenuto).sweep() == []
        assert ear.let_go == []
        # Without the person, the same session goes: if not by the sweep, then by its grace.
        attachment.leave("left")
        await asyncio.sleep(3 * 3600)
        await IdleSweep(tenuto).sweep()
        await quiet()
        assert not session.is_active


async def test_one_that_is_in_the_middle_of_a_reply_is_kept() -> None:
    async with hosting(HI, SLOW) as tenuto:
        session, sweep = await used(tenuto), IdleSweep(tenuto)
        asking = asyncio.create_task(session.send_message("Think"))
        await asyncio.sleep(1.5 * 3600)
        assert session.status is Status.PROCESSING
        assert await sweep.sweep() == []
        assert (await asking).text == "Done."


async def test_one_that_fails_to_close_does_not_strand_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with hosting() as tenuto:
        names = ("a", "b", "c")
        sessions = [await used(tenuto, name) for name in names]
        await asyncio.sleep(2 * 3600)
        tenuto.shelf.full.add("b")
        caplog.set_level(logging.WARNING)
        assert await IdleSweep(tenuto).sweep() == ["a", "c"]
        assert "session b did not close: StoreFull" in caplog.text
        await quiet()
        assert not any(session.is_active for session in sessions)


async def test_one_that_does_not_get_done_closing_is_not_waited_for() -> None:
    async with hosting() as tenuto:
        await used(tenuto)
        await asyncio.sleep(2 * 3600)
        tenuto.shelf.open.clear()
        async with asyncio.timeout(11):
            assert await IdleSweep(tenuto).sweep() == []
        tenuto.shelf.open.set()


async def test_it_sweeps_by_itself_until_it_is_stopped() -> None:
    async with hosting() as tenuto:
        sweep = IdleSweep(tenuto)
        assert not sweep.is_running
        sweep.start()
        sweep.start()
        session = await used(tenuto)
        await asyncio.sleep(61 * MINUTE)
        assert (session.is_active, sweep.is_running) == (True, True)
        await asyncio.sleep(30 * MINUTE)
        assert not session.is_active
        sweep.stop()
        sweep.stop()
        session = await used(tenuto)
        await asyncio.sleep(10 * 3600)
        assert (session.is_active, sweep.is_running) == (True, False)
        sweep.start()
        await asyncio.sleep(31 * MINUTE)
        assert not session.is_active


@pytest.mark.parametrize(("every", "idle"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
async def test_times_that_are_none_are_refused(every: float, idle: float) -> None:
    async with hosting() as tenuto:
        with pytest.raises(InvalidInput):
            IdleSweep(tenuto, every=every, idle=idle)
