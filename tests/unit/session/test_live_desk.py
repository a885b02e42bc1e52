"""The desk of a live session: decisions one by one, and batches that are one append."""

import asyncio

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidInput
from tenuto.session import fold
from tenuto.session.live_desk import LiveDesk
from tests.unit.session.house import Ear, house, quiet

pytestmark = pytest.mark.virtual


def tracked(state: fold.State, at: float) -> list[e.Event]:
    return [e.MetricTracked(at=at, name=f"at {state.position}", value=1.0)]


def refused(state: fold.State, at: float) -> list[e.Event]:
    raise InvalidInput("No.")


def changed(state: fold.State, at: float) -> list[e.Event]:
    version = state.config_version + 1
    return [e.ConfigChanged(at=at, version=version, changes={"temperature": version / 10})]


async def test_a_rule_takes_effect_at_once_and_is_durable_when_it_is_awaited() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        assert desk.now() == at.driver.now()
        (made,) = desk.decide(tracked)
        assert (made, desk.state.position) == (tracked(fold.State(position=1), desk.now())[0], 2)
        assert at.driver.durable < 2
        assert await desk.commit() == 2
        with pytest.raises(InvalidInput):
            desk.decide(refused)
        assert desk.state.position == 2


async def test_a_rule_may_wait_to_be_told_to_the_engine() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        hand = await at.talking(Ear())
        desk.decide(changed, waits=True)
        await quiet()
        assert hand.asked == []
        desk.decide(changed)
        await quiet()
        assert hand.asked == ["Configure"]


async def test_a_batch_is_one_append() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        await desk.commit()
        appends = len(at.store.appends)
        async with desk.batch():
            assert desk.decide(tracked) and desk.decide(tracked)
            assert desk.state.position == 3, "it can be read back"
            assert at.driver.core.state.position == 1, "and nobody else sees it"
            with pytest.raises(IllegalEvent, match="leave it first"):
                await desk.commit()
            with pytest.raises(IllegalEvent, match="open already"):
                desk.batch()
        assert len(at.store.appends) == appends + 1
        assert (await desk.commit(), at.driver.durable) == (3, 3)


async def test_a_batch_that_raises_has_not_happened() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        for broken in (refused, None):
            with pytest.raises((InvalidInput, ZeroDivisionError)):
                async with desk.batch():
                    desk.decide(tracked)
                    if broken:
                        desk.decide(broken)
                    raise ZeroDivisionError
        assert (desk.state.position, await desk.commit()) == (1, 1)


async def test_a_batch_without_updates_is_nothing() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        with desk.batch():
            pass
        assert await desk.commit() == 1


async def test_a_batch_begins_where_its_block_does() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        batch = desk.batch()
        desk.decide(tracked)
        with batch:
            assert desk.state.position == 2, "it sees what was decided after it was made"


async def test_a_batch_is_used_once_and_not_within_another() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        first, second = desk.batch(), desk.batch()
        with first:
            desk.decide(tracked)
            with pytest.raises(IllegalEvent, match="open already"), second:
                raise AssertionError("it opened")
            assert desk.state.position == 2, "the first goes on"
        with pytest.raises(IllegalEvent, match="used once"), first:
            raise AssertionError("it opened")
        assert await first == await desk.commit() == 2
        with second:
            desk.decide(tracked)
        assert await second == 3


async def test_a_batch_is_of_its_task_alone() -> None:
    async with house() as at:
        desk = LiveDesk(at.driver)
        opened, go_on = asyncio.Event(), asyncio.Event()

        async def fails() -> None:
            with desk.batch():
                desk.decide(tracked)
                opened.set()
                await go_on.wait()
                raise ZeroDivisionError

        failing = asyncio.create_task(fails())
        await opened.wait()
        assert desk.state.position == 1, "what is in it is not seen from here"
        desk.decide(tracked)
        assert await desk.commit() == 2, "and what is decided here is not in it"
        with desk.batch():
            desk.decide(tracked)
        go_on.set()
        with pytest.raises(ZeroDivisionError):
            await failing
        assert (desk.state.position, await desk.commit()) == (3, 3)
