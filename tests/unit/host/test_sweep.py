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
IDLE = 60.0
"""Seconds; an hour takes the alarms of a host long, even in virtual time."""
SLOW = Step(hear="Think", say=["Done."], delay=4 * IDLE)


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
        session, sweep = await used(tenuto), IdleSweep(tenuto, idle=IDLE)
        await asyncio.sleep(IDLE - 10)
        await session.send_message("Hi")
        await asyncio.sleep(IDLE - 10)
        assert await sweep.sweep() == []


@pytest.mark.parametrize("role", ["controller", "observer"])
async def test_one_that_a_person_is_attached_to_is_kept(role: str) -> None:
    async with hosting() as tenuto:
        session, ear = await tenuto.create_session(), Ear()
        joining = Joining(client="tab", role="observer" if role == "observer" else "controller")
        attachment = await session.attach(joining, ear)
        await session.send_message("Hi")
        await asyncio.sleep(3 * IDLE)
        assert await IdleSweep(tenuto, idle=IDLE).sweep() == []
        assert ear.let_go == []
        # Without the person, the same session goes: if not by the sweep, then by its grace.
        attachment.leave("left")
        await asyncio.sleep(3 * IDLE)
        await IdleSweep(tenuto, idle=IDLE).sweep()
        await quiet()
        assert not session.is_active


async def test_one_that_is_in_the_middle_of_a_reply_is_kept() -> None:
    async with hosting(HI, SLOW) as tenuto:
        session, sweep = await used(tenuto), IdleSweep(tenuto, idle=IDLE)
        asking = asyncio.create_task(session.send_message("Think"))
        await asyncio.sleep(2 * IDLE)
        assert session.status is Status.PROCESSING
        assert await sweep.sweep() == []
        assert (await asking).text == "Done."


async def test_one_that_fails_to_close_does_not_strand_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with hosting() as tenuto:
        names = ("a", "b", "c")
        sessions = [await used(tenuto, name) for name in names]
        await asyncio.sleep(2 * IDLE)
        tenuto.shelf.full.add("b")
        caplog.set_level(logging.WARNING)
        assert await IdleSweep(tenuto, idle=IDLE).sweep() == ["a", "c"]
        assert "session b did not close: StoreFull" in caplog.text
        await quiet()
        assert not any(session.is_active for session in sessions)


async def test_one_that_does_not_get_done_closing_is_not_waited_for() -> None:
    async with hosting() as tenuto:
        await used(tenuto)
        await asyncio.sleep(2 * IDLE)
        tenuto.shelf.open.clear()
        async with asyncio.timeout(11):
            assert await IdleSweep(tenuto, idle=IDLE).sweep() == []
        tenuto.shelf.open.set()


async def test_it_sweeps_by_itself_until_it_is_stopped() -> None:
    async with hosting() as tenuto:
        sweep = IdleSweep(tenuto, every=IDLE / 2, idle=IDLE)
        assert not sweep.is_running
        sweep.start()
        sweep.start()
        session = await used(tenuto)
        await asyncio.sleep(IDLE + 1)
        assert (session.is_active, sweep.is_running) == (True, True)
        await asyncio.sleep(IDLE / 2)
        assert not session.is_active
        sweep.stop()
        sweep.stop()
        session = await used(tenuto)
        await asyncio.sleep(10 * IDLE)
        assert (session.is_active, sweep.is_running) == (True, False)
        sweep.start()
        await asyncio.sleep(IDLE / 2 + 1)
        assert not session.is_active


@pytest.mark.parametrize(("every", "idle"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
async def test_times_that_are_none_are_refused(every: float, idle: float) -> None:
    async with hosting() as tenuto:
        with pytest.raises(InvalidInput):
            IdleSweep(tenuto, every=every, idle=idle)
