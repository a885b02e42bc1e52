"""Jobs that a host owns: none is lost, and none outlives it unnoticed."""

import asyncio
import logging

import pytest

from tenuto.host.background import CLOSE_SECONDS, Background
from tenuto.testing.clock import VirtualClock
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual


async def test_what_a_job_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    background = Background()
    background.spawn(fails())
    await quiet()
    assert "a task of the host failed" in caplog.text
    await background.close()


async def test_closing_ends_every_job_also_one_that_is_begun_meanwhile() -> None:
    background = Background()
    ended: list[str] = []

    async def job(name: str, then: str = "") -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)
            if then:
                background.spawn(job(then))
                await asyncio.sleep(1)

    background.spawn(job("first", "second"))
    await quiet()
    await background.close()
    assert len(asyncio.all_tasks()) == 1


async def test_a_job_that_does_not_end_is_left_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    free = asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    background = Background()
    background.spawn(stubborn())
    await quiet()
    async with asyncio.timeout(CLOSE_SECONDS + 1):
        await background.close()
    assert "1 tasks of the host did not end" in caplog.text
    free.set()
    await quiet()


async def test_a_beat_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def fails(now: float) -> None:
        raise ZeroDivisionError

    background, beats = Background(), list[float]()
    background.pulse.update((fails, beats.append))
    background.spawn(background.beat(VirtualClock()))
    await asyncio.sleep(3.5)
    assert beats == [1.0, 2.0, 3.0]
    assert "a beat failed" in caplog.text
    await background.close()
