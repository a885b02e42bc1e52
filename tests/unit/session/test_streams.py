"""Who listens in the same program: handlers by name, readers, and what happens when the session is gone."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput, TooMuch
from tenuto.session import ports, stimuli
from tenuto.session.state import Status
from tenuto.session.streams import MOST_UNREAD, Events, Reader, StateStream
from tests.unit.session.house import Ear, House, house, quiet

pytestmark = pytest.mark.virtual


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Events, House]]:
    async with house() as at:
        yield Events(at.driver), at


async def remember(at: House, content: str = "Likes tea.") -> None:
    await at.driver.commit(at.driver.receive(stimuli.Remember(content=content)))


async def forget(at: House, number: int) -> None:
    removed = e.MemoryRemoved(at=at.driver.now(), memory=number, reason="forgotten")
    await at.driver.commit(at.driver.receive(stimuli.Decide(rules=(lambda state, now: [removed],))))


async def test_handlers_hear_of_one_name_of_a_group_or_of_all_in_this_order() -> None:
    async with listening() as (events, at):
        heard: list[str] = []
        events.on("*", lambda event: heard.append(f"* {event.type}"))
        events.on("memory.*", lambda event: heard.append(f"memory.* {event.type}"))
        events.on("memory.added", lambda event: heard.append(event.content))
        await at.driver.commit()
        assert heard == ["* session.created"]
        await remember(at)
        await forget(at, 1)
        assert heard[1:] == [
            "Likes tea.",
            "memory.* memory.added",
            "* memory.added",
            "memory.* memory.removed",
            "* memory.removed",
        ]


async def test_a_handler_that_was_stopped_is_not_called_even_for_the_event_under_way() -> None:
    async with listening() as (events, at):
        heard: list[str] = []

        def first(event: e.Event) -> None:
            stop_second()
            heard.append("first")

        stop = events.on("memory.added", first)
        stop_second = events.on("memory.added", lambda event: heard.append("second"))
        events.on("memory.added", heard.append)
        await remember(at)
        assert heard[0] == "first"
        assert len(heard) == 2
        stop()
        stop()
        events.off(heard.append)
        events.off(print)
        await remember(at, "Likes jazz.")
        assert len(heard) == 2


async def test_a_handler_is_taken_off_all_its_names() -> None:
    async with listening() as (events, at):
        heard: list[Any] = []
        for name in ("*", "memory.*", "memory.added"):
            events.on(name, heard.append)
        events.off(heard.append)
        await remember(at)
        assert heard == []


async def test_once_is_once_even_when_the_handler_raises(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (events, at):
        heard: list[str] = []

        def broken(event: e.Event) -> None:
            heard.append("broken")
            raise ZeroDivisionError

        stop = events.once("memory.added", broken)
        events.once("memory.added", lambda event: heard.append(event.content))
        with caplog.at_level(logging.CRITICAL):
            await remember(at)
            await remember(at, "Likes jazz.")
        assert heard == ["broken", "Likes tea."]
        assert events.failures == 1
        stop()


async def test_what_raises_disturbs_nobody_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (events, at):
        heard: list[str] = []

        def broken(event: e.Event) -> None:
            raise ZeroDivisionError

        async def broken_later(event: e.Event) -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        async def works(event: e.Event) -> None:
            heard.append(event.type)

        async def is_cancelled(event: e.Event) -> None:
            raise asyncio.CancelledError

        for handler in (broken, broken_later, works, is_cancelled):
            events.on("memory.added", handler)
        with caplog.at_level(logging.ERROR):
            await remember(at)
            await quiet()
        assert heard == ["memory.added"]
        assert events.failures == 2
        assert len(caplog.records) == 2
        assert "tea" not in caplog.text


@pytest.mark.parametrize("name", ["memory", "memory.", "memory.gone", "nothing.*", "", "*.added"])
async def test_a_name_that_nothing_has_is_refused(name: str) -> None:
    async with listening() as (events, _):
        for listen in (events.on, events.once):
            with pytest.raises(InvalidInput, match="There is no event"):
                listen(name, print)


async def test_a_name_that_is_nearly_right_is_guessed() -> None:
    async with listening() as (events, _):
        with pytest.raises(InvalidInput, match=r"Did you mean 'memory\.added'"):
            events.on("memory.add", print)


async def test_a_handler_has_to_be_callable() -> None:
    async with listening() as (events, _):
        with pytest.raises(InvalidInput, match="callable"):
            events.on("*", "print")  # type: ignore[arg-type]


def test_every_event_has_its_name_as_type() -> None:
    made = e.MemoryAdded(at=1.0, memory=1, content="x")
    assert made.type == "memory.added"
    assert {e.TAGS[kind] for kind in e.CATALOGUE} == set(e.KINDS)
    assert e.Unknown(at=0.0, kind="robot.danced").type == "robot.danced"


# -------------------------------------------------------------------------------------------------------------- readers


async def test_a_reader_reads_until_the_session_is_gone() -> None:
    async with listening() as (events, at):
        reader = aiter(events)
        assert aiter(reader) is reader
        waiting = asyncio.create_task(anext(reader))
        await quiet()
        await remember(at)
        assert (await waiting).type == "session.created"
        events.end()
        assert [event.type async for event in reader] == ["memory.added"]


async def test_reading_that_begins_after_the_session_is_gone_ends_at_once() -> None:
    async with listening() as (events, at):
        states = StateStream(at.driver)
        events.end()
        states.end()
        async with asyncio.timeout(1):
            assert [event async for event in events] == []
            assert [state.state async for state in states] == [Status.IDLE], "the last one"


async def test_a_reader_that_is_closed_gets_nothing_more() -> None:
    async with listening() as (events, at):
        reader = aiter(events)
        reader.close()
        reader.close()
        await remember(at)
        assert await anext(reader, None) is None


async def test_a_reader_that_is_too_slow_is_told_so() -> None:
    left: list[Reader] = []
    reader = Reader(left.append)
    for number in range(MOST_UNREAD + 5):
        reader.put(number)
    with pytest.raises(TooMuch, match="behind"):
        await anext(reader)
    assert left == [reader]


async def test_a_reader_may_be_as_far_behind_as_is_allowed() -> None:
    reader = Reader(lambda _: None)
    for number in range(MOST_UNREAD):
        reader.put(number)
    reader.end()
    assert [number async for number in reader] == list(range(MOST_UNREAD))


async def test_a_reader_waits_for_what_comes() -> None:
    reader = Reader(lambda _: None)
    waiting = asyncio.create_task(anext(reader))
    await quiet()
    assert not waiting.done()
    reader.put(1)
    assert await waiting == 1


async def test_states_are_told_with_their_changes() -> None:
    async with house() as at:
        states = StateStream(at.driver)
        reader, closed = aiter(states), aiter(states)
        closed.close()
        closed.close()
        engine = await at.talking(Ear())
        engine.give(ports.SpeechBegan(offset=0))
        await quiet()
        value = states.value
        assert (value.is_listening, value.is_speaking, value.is_active) == (True, False, True)
        assert value.position == at.driver.core.state.position
        states.end()
        seen = [state.state.value async for state in reader]
        assert seen == ["idle", "processing", "idle", "listening"]


async def test_a_state_that_a_reader_was_given_first_is_not_told_again() -> None:
    async with house() as at:
        states = StateStream(at.driver)
        await at.driver.commit()
        at.join(Ear())
        reader = aiter(states)
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        states.end()
        assert [state.state async for state in reader] == [Status.PROCESSING, Status.IDLE]
