"""The link and the microphone, in the hands of the program that holds the session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tenuto.errors import EngineLost, IllegalEvent, InvalidAudio, InvalidInput, LeaseLost
from tenuto.session import ports, stimuli
from tenuto.session.connecting import Connecting
from tenuto.session.linking import RETRIES
from tenuto.session.microphone import EARLY_SECONDS
from tenuto.session.state import Status
from tests.unit.session.house import Hand, House, house, quiet

pytestmark = pytest.mark.virtual

FRAME = bytes(640)


@asynccontextmanager
async def program() -> AsyncIterator[tuple[Connecting, House]]:
    """The program that holds the session is there."""
    async with house() as at:
        connecting = Connecting(at.driver)
        at.driver.receive(stimuli.Join(role="controller", client="python", transport="python"))
        yield connecting, at


async def readied(at: House, task: "asyncio.Task[None]") -> Hand:
    """Have the engine be ready, and whatever waits for it come to its end."""
    await quiet()
    at.hands.last.give(ports.Ready())
    await task
    return at.hands.last


async def opened(connecting: Connecting, at: House) -> Hand:
    return await readied(at, asyncio.create_task(connecting.open()))


async def listening(connecting: Connecting, at: House, rate: int = 16_000) -> Hand:
    return await readied(at, asyncio.create_task(connecting.listen(rate)))


def seen(connecting: Connecting) -> str:
    return connecting.state


async def test_a_link_is_opened_once_and_closed_safely() -> None:
    async with program() as (connecting, at):
        assert seen(connecting) == "closed"
        await connecting.close()
        opening = asyncio.create_task(connecting.open())
        await quiet()
        assert (seen(connecting), opening.done()) == ("connecting", False)
        first = await readied(at, opening)
        assert seen(connecting) == "open"
        await connecting.open()
        assert at.hands.made == [first]
        await connecting.close()
        await quiet()
        assert (seen(connecting), first.closed) == ("closed", True)
        await opened(connecting, at)
        assert len(at.hands.made) == 2, "each link is a new one"


async def test_an_engine_that_cannot_be_reached_is_an_error() -> None:
    async with program() as (connecting, at):
        opening = asyncio.create_task(connecting.open())
        await quiet()
        at.hands.last.give(ports.Failed(reason="gone"))
        with pytest.raises(EngineLost, match="could not be reached"):
            await opening
        assert seen(connecting) == "error"
        await opened(connecting, at)


async def test_who_waits_is_told_when_the_link_is_closed_or_the_session_is_gone() -> None:
    async with program() as (connecting, at):
        opening = asyncio.create_task(connecting.open())
        await quiet()
        at.driver.receive(stimuli.Pause())
        with pytest.raises(EngineLost):
            await opening
        at.driver.receive(stimuli.Unpause())
        waiting = [asyncio.create_task(connecting.open()) for _ in range(2)]
        await quiet()
        waiting[0].cancel()
        await quiet()
        connecting.ended(LeaseLost())
        with pytest.raises(LeaseLost):
            await waiting[1]
        waiting = [asyncio.create_task(connecting.open()) for _ in range(2)]
        await quiet()
        waiting[0].cancel()
        await quiet()
        at.hands.last.give(ports.Ready())
        await waiting[1]


async def test_nothing_is_opened_where_the_session_is_gone() -> None:
    async with program() as (connecting, at):
        opening = asyncio.create_task(connecting.open())
        await quiet()
        at.driver.lose(LeaseLost())
        connecting._take(None, _ready())  # type: ignore[arg-type]
        with pytest.raises(LeaseLost):
            await opening
        await connecting.close()
        await connecting.listen_no_more()
        with pytest.raises(LeaseLost):
            connecting.hear(FRAME)


def _ready() -> object:
    from tenuto import events as e

    return e.EngineReady(at=1.0, engine="hand", link=1)


async def test_a_microphone_is_heard_until_it_is_closed() -> None:
    async with program() as (connecting, at):
        with pytest.raises(IllegalEvent, match="does not listen"):
            connecting.hear(FRAME)
        hand = await listening(connecting, at)
        assert at.status() is Status.LISTENING
        for number in range(3):
            connecting.hear(bytes([number]) * 640)
        assert [offset for _, offset in hand.heard] == [0, 320, 640]
        with pytest.raises(InvalidAudio, match="16 bits"):
            connecting.hear(bytes(3))
        for wrong in ("x" * 640, None, [0] * 640):
            with pytest.raises(InvalidAudio, match="bytes"):
                connecting.hear(wrong)  # type: ignore[arg-type]
        connecting.hear(memoryview(bytes(640)))
        connecting.hear(bytearray(640))
        assert [offset for _, offset in hand.heard] == [0, 320, 640, 960, 1280]
        await connecting.listen_no_more()
        assert at.status() is Status.IDLE
        await connecting.listen_no_more()
        with pytest.raises(IllegalEvent):
            connecting.hear(FRAME)
        assert len(hand.heard) == 5
        await connecting.listen(16_000)
        connecting.hear(FRAME)
        assert len(hand.heard) == 6 and len(at.hands.made) == 1


async def test_listening_twice_is_listening_once() -> None:
    async with program() as (connecting, at):
        await listening(connecting, at)
        await connecting.listen(16_000)
        with pytest.raises(IllegalEvent, match="16000 Hz"):
            await connecting.listen(8_000)
        for rate in (7_999, 48_001):
            with pytest.raises(InvalidInput, match="8000 to 48000 Hz"):
                await connecting.listen(rate)


async def test_early_audio_of_a_program_waits_for_the_engine() -> None:
    async with program() as (connecting, at):
        task = asyncio.create_task(connecting.listen(16_000))
        await asyncio.sleep(0)
        connecting.hear(FRAME)
        hand = await readied(at, task)
        assert hand.heard == [(FRAME, 0)]


async def test_a_microphone_is_closed_when_no_engine_can_be_reached() -> None:
    async with program() as (connecting, at):
        task = asyncio.create_task(connecting.listen(16_000))
        for _ in range(RETRIES + 1):
            await asyncio.sleep(1.0)
            assert not task.done(), "it is still tried"
            at.hands.last.give(ports.Failed(reason="gone"))
        with pytest.raises(EngineLost):
            await task
        assert not at.driver.core.listening
        assert at.status() is Status.ERROR


async def test_what_a_program_said_is_heard_by_the_next_engine() -> None:
    async with program() as (connecting, at):
        hand = await listening(connecting, at)
        for number in range(60):
            connecting.hear(bytearray([number]) * 640)
        hand.give(ports.SpeechBegan(offset=50 * 320))
        await quiet()
        connecting.hear(bytes([60]) * 640)
        hand.give(ports.Failed(reason="gone"))
        await quiet()
        connecting.hear(bytes([61]) * 640)
        last = at.hands.last
        last.give(ports.Ready())
        await quiet()
        connecting.hear(bytes([62]) * 640)
        assert [pcm[0] for pcm, _ in last.heard] == list(range(50, 63))
        last.give(ports.SpeechBegan(offset=0))
        await connecting.listen_no_more()
        last.give(ports.Failed(reason="gone"))
        await asyncio.sleep(1.0)
        last = at.hands.last
        assert last.asked == []
        last.give(ports.Ready())
        await quiet()
        assert [pcm[0] for pcm, _ in last.heard] == list(range(50, 63))
        assert last.asked == ["Finish"], "it was all that was said"
        last.give(ports.SpeechBegan(offset=0), ports.SpeechFinished(until=13 * 320, text="Hi"))
        await quiet()
        last.give(ports.Failed(reason="gone"))
        await asyncio.sleep(1.0)
        at.hands.last.give(ports.Ready())
        await quiet()
        assert at.hands.last.heard == [], "it was heard"


async def test_what_was_kept_from_before_a_program_spoke_is_not_heard_again() -> None:
    async with program() as (connecting, at):
        hand = await listening(connecting, at)
        for number in range(60):
            connecting.hear(bytes([number]) * 640)
        hand.give(ports.SpeechBegan(offset=50 * 320), ports.Failed(reason="gone"))
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        assert [pcm[0] for pcm, _ in at.hands.last.heard] == list(range(50, 60))


async def test_of_what_a_program_said_half_a_minute_is_kept() -> None:
    async with program() as (connecting, at):
        hand = await listening(connecting, at)
        hand.give(ports.SpeechBegan(offset=0))
        await quiet()
        for second in range(EARLY_SECONDS + 2):
            connecting.hear(bytes([second]) * 32_000)
        hand.give(ports.Failed(reason="gone"))
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        assert [pcm[0] for pcm, _ in at.hands.last.heard] == list(range(2, EARLY_SECONDS + 2))


async def test_nothing_of_a_pause_is_heard() -> None:
    async with program() as (connecting, at):
        await listening(connecting, at)
        at.driver.receive(stimuli.Pause())
        connecting.hear(bytes([1]) * 640)
        at.driver.receive(stimuli.Unpause())
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        connecting.hear(bytes([2]) * 640)
        assert [pcm[0] for pcm, _ in at.hands.last.heard] == [2]
