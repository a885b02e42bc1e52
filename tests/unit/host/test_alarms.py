"""What is due is rung, whatever became of the rest."""

import asyncio
import logging

import pytest

from tenuto import events as e
from tenuto.errors import StoreUnavailable
from tenuto.host.alarms import AT_ONCE
from tenuto.session import fold, ports, stimuli
from tests.unit.host.hosting import Host, hosting
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual

DUE = 60.0
"""Seconds until an alarm is due."""


async def due_later(tenuto: Host, name: str) -> None:
    """Make a session with an alarm, and put it away."""
    session = await tenuto.create_session(session_id=name)

    def rule(state: fold.State, at: float) -> list[e.Event]:
        return [e.AlarmSet(at=at, alarm=1, due=at + DUE, text="Time.", turn=0)]

    await session.driver.commit(session.driver.receive(stimuli.Decide(rules=(rule,))))
    await session.close()
    await quiet()
    assert name not in tenuto.sessions_here


async def rang(tenuto: Host, name: str) -> bool:
    """Whether the alarm of a session has rung."""
    found = await tenuto.shelf.read(ports.Read(session=name, types=(e.TAGS[e.AlarmRang],)))
    return bool(found)


async def test_what_is_due_is_rung() -> None:
    async with hosting() as tenuto:
        await due_later(tenuto, "s")
        await asyncio.sleep(DUE - 10)
        assert not await rang(tenuto, "s")
        await asyncio.sleep(20)
        assert await rang(tenuto, "s")


async def test_a_session_that_cannot_be_read_does_not_silence_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    async with hosting() as tenuto:
        await due_later(tenuto, "broken")
        await asyncio.sleep(1)
        await due_later(tenuto, "whole")
        tenuto.shelf.fails["load broken"] = KeyError("A journal that this version cannot fold.")
        await asyncio.sleep(DUE + 10)
        assert not await rang(tenuto, "broken")
        assert await rang(tenuto, "whole")
    assert "session broken: alarm" in caplog.text


@pytest.mark.parametrize("error", [StoreUnavailable("Not now."), OSError("of another kind")])
async def test_a_store_that_fails_is_asked_again(error: Exception) -> None:
    async with hosting() as tenuto:
        await due_later(tenuto, "s")
        tenuto.shelf.fails["due"] = error
        await asyncio.sleep(DUE + 10)
        assert not await rang(tenuto, "s")
        tenuto.shelf.fails.clear()
        await asyncio.sleep(10)
        assert await rang(tenuto, "s")


async def test_a_host_leaves_what_another_one_has_to_that_one() -> None:
    async with hosting() as tenuto:
        await due_later(tenuto, "s")
        await tenuto.shelf.claim("s", "another", "", DUE + 60)
        await asyncio.sleep(DUE + 10)
        assert not await rang(tenuto, "s")
        await asyncio.sleep(60)  # That one has died.
        assert await rang(tenuto, "s")


async def test_what_others_have_does_not_keep_what_is_due_behind_it_from_being_seen() -> None:
    async with hosting() as tenuto:
        for number in range(AT_ONCE + 1):
            await due_later(tenuto, f"s{number}")
            await asyncio.sleep(0.01)
        for number in range(AT_ONCE):
            await tenuto.shelf.claim(f"s{number}", "another", "", 2 * DUE)
        await asyncio.sleep(DUE + 10)
        assert await rang(tenuto, f"s{AT_ONCE}")
        assert not await rang(tenuto, "s0")
