import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tenuto.engines.cascade import APOLOGY, EVENTS, REQUESTS, CascadeEngine
from tenuto.engines.parts import FRAME, Answer, Answers, Endpointing, Parts
from tenuto.errors import EngineLost
from tenuto.session.ports import (
    Alarm,
    AlarmWanted,
    Ask,
    Cancel,
    Configure,
    Configured,
    Context,
    EngineEvent,
    Failed,
    Finish,
    Learned,
    Memory,
    Message,
    Partial,
    Ready,
    Ring,
    Segment,
    Speak,
    SpeechBegan,
    SpeechFinished,
    Used,
)
from tenuto.text.tokens import count

LOUD, QUIET = b"\x01\x10", bytes(2)
CONTEXT = Context(
    instructions="", messages=(), memories=(), alarms=(), conversation="main", now=0.0
)
KNOWING = Context(
    instructions="",
    messages=(),
    memories=(Memory(memory=1, content="The name is Alice.", key="name", value="Alice"),),
    alarms=(),
    conversation="main",
    now=0.0,
)


class LoudVad:
    def __init__(self) -> None:
        self.heard = 0
        """Frames."""

    def push(self, frame: bytes) -> float:
        self.heard += 1
        return 1.0 if LOUD in frame else 0.0

    def reset(self) -> None: ...


class ScriptedUtterance:
    """Understands what it is told, when it is told."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.partial = ""
        self.heard = b""
        self.dropped = 0
        self.text: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def push(self, pcm: bytes) -> None:
        self.heard += pcm

    async def finish(self) -> str:
        return await self.text

    def drop(self) -> None:
        self.dropped += 1


class ScriptedListener:
    def __init__(self) -> None:
        self.utterances: list[ScriptedUtterance] = []
        self.opened = 0

    async def open(self) -> None:
        self.opened += 1

    def start(self, words: Sequence[str]) -> ScriptedUtterance:
        self.utterances.append(ScriptedUtterance(words))
        return self.utterances[-1]


class ScriptedBrain:
    def __init__(self, script: Callable[[int], Answers]) -> None:
        self.script = script
        self.asked: list[Ask] = []

    def answer(self, ask: Ask) -> Answers:
        self.asked.append(ask)
        return self.script(ask.turn)

    def ring(self, ring: Ring) -> Answers:
        return [Segment(turn=ring.turn, text=ring.alarm.text, last=True)]


class ScriptedSpeaker:
    """Gives the text's own bytes, two samples at a time, with a turn of the loop before each."""

    rate = 8_000

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.paces: list[float | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self) -> None: ...

    async def speak(self, text: str, pace: float | None = None) -> AsyncGenerator[bytes, None]:
        self.paces.append(pace)
        try:
            for at in range(0, len(text), 4):
                await self.gate.wait()
                await asyncio.sleep(0)
                if text == "broken":
                    raise EngineLost("The speaker is gone.")
                yield text[at : at + 4].encode()
        finally:
            self.closed.append(text)


class Ear:
    """An `AudioOut` that remembers."""

    def __init__(self) -> None:
        self.played: list[tuple[int, int, bytes, bool]] = []
        self.ended = asyncio.Event()
        self.waiting = 0.0

    def relay(self, pcm: bytes | bytearray | memoryview) -> None: ...

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        self.played.append((reply, index, pcm, last))
        if last:
            self.ended.set()

    def queued(self) -> float:
        return self.waiting

    def stop(self) -> None: ...

    def said(self) -> bytes:
        return b"".join(pcm for _, _, pcm, _ in self.played)


class House:
    """A cascade, its parts, and the events that it gave."""

    def __init__(self, script: Callable[[int], Answers] = lambda turn: [], **rules: float) -> None:
        self.listener, self.speaker = ScriptedListener(), ScriptedSpeaker()
        self.brain, self.ear = ScriptedBrain(script), Ear()
        self.engine = CascadeEngine(
            Parts(
                name="scripted",
                brain=self.brain,
                vad=self._vad,
                listener=self.listener,
                speaker=self.speaker,
                endpointing=Endpointing(**rules),
            )
        )
        self.offset = 0
        self.vads: list[LoudVad] = []
        self.used: list[Used] = []
        """What it said that it used: told beside everything else."""
        self._events: AsyncIterator[EngineEvent] = aiter(self.engine)

    def _vad(self) -> LoudVad:
        self.vads.append(LoudVad())
        return self.vads[-1]

    async def __aenter__(self) -> "House":
        await self.engine.open(CONTEXT, 16_000, self.ear)
        assert await self.next() == Ready()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.engine.close()

    async def next(self) -> EngineEvent:
        async with asyncio.timeout(5):
            while isinstance(event := await anext(self._events), Used):
                self.used.append(event)
            return event

    async def answer(self, spoken: Sequence[str] = (), turn: int = 1) -> list[EngineEvent]:
        """Ask, and return the events up to the last segment."""
        self.engine.send(Ask(turn=turn, text="?", context=CONTEXT, spoken=spoken))
        found = [await self.next()]
        while not (isinstance(found[-1], Segment) and found[-1].last):
            found.append(await self.next())
        return found

    def speech(self, count: int, sample: bytes = LOUD) -> None:
        """Let this many frames of speech, or of silence, be heard."""
        self.engine.hear(sample * (FRAME * count), self.offset)
        self.offset += FRAME * count

    async def utterance(self) -> ScriptedUtterance:
        """Let an utterance be heard from beginning to end."""
        await asyncio.sleep(0)
        self.speech(5)
        self.speech(16, QUIET)
        return self.listener.utterances[-1]


def hello(turn: int) -> Iterable[Answer]:
    yield Learned(turn=turn, content="The user's name is Alice.", key="name", value="Alice")
    yield Segment(turn=turn, text="Hello Alice. How are you?", last=False, cites=(1,))
    yield Segment(turn=turn, text="I am well.", last=True)


SENTENCES = [
    Segment(turn=1, text="Hello Alice.", last=False, cites=(1,)),
    Segment(turn=1, text="How are you?", last=False, cites=(1,)),
    Segment(turn=1, text="I am well.", last=True),
]


def _ready(text: str) -> asyncio.Future[str]:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result(text)
    return future


# --------------------------------------------------------------------------------- hearing


async def test_an_utterance_is_announced_shown_and_understood() -> None:
    async with House() as house:
        house.speech(4)
        heard = house.listener.utterances[0]
        heard.partial = "what is"
        house.speech(8)
        heard.partial = "what is my name"
        house.speech(8)
        await asyncio.sleep(0)
        house.speech(16, QUIET)
        heard.text.set_result("what is my name")
        assert await house.next() == SpeechBegan(offset=0)
        assert await house.next() == Partial(text="what is my name")
        assert await house.next() == SpeechFinished(until=36 * FRAME, text="what is my name")
        assert heard.heard == LOUD * (20 * FRAME) + QUIET * (16 * FRAME)
        assert heard.dropped == 1


async def test_the_beginning_is_told_in_the_very_call_that_decides_it() -> None:
    async with House() as house:
        house.speech(3)
        assert await house.next() == SpeechBegan(offset=0)


async def test_the_next_utterance_is_announced_after_the_one_before_was_understood() -> None:
    async with House() as house:
        first = await house.utterance()
        second = await house.utterance()
        second.text.set_result("second")
        assert await house.next() == SpeechBegan(offset=0)
        first.text.set_result("first")
        assert await house.next() == SpeechFinished(until=21 * FRAME, text="first")
        assert await house.next() == SpeechBegan(offset=21 * FRAME)
        assert await house.next() == SpeechFinished(until=42 * FRAME, text="second")


async def test_recognition_that_fails_ends_the_speech_without_text() -> None:
    async with House() as house:
        (await house.utterance()).text.set_exception(RuntimeError())
        assert await house.next() == SpeechBegan(offset=0)
        assert await house.next() == SpeechFinished(until=21 * FRAME, text="")


async def test_an_utterance_has_an_end_in_any_case() -> None:
    async with House(limit=1.024) as house:
        house.speech(32)
        house.listener.utterances[0].text.set_result("on and on")
        assert await house.next() == SpeechBegan(offset=0)
        assert await house.next() == SpeechFinished(
            until=32 * FRAME, text="on and on", reason="limit"
        )


async def test_a_microphone_that_is_switched_off_ends_the_speech() -> None:
    async with House() as house:
        house.engine.send(Finish())
        house.speech(5)
        house.engine.send(Finish())
        house.listener.utterances[0].text.set_result("hello")
        assert await house.next() == SpeechBegan(offset=0)
        assert await house.next() == SpeechFinished(until=5 * FRAME, text="hello", reason="stopped")


async def test_what_the_session_knows_is_told_to_the_listener() -> None:
    async with House(lambda turn: [Segment(turn=turn, text="Yes.", last=True)]) as house:
        (await house.utterance()).text.set_result("")
        house.engine.send(Ask(turn=1, text="?", context=KNOWING))
        (await house.utterance()).text.set_result("")
        assert [u.words for u in house.listener.utterances] == [(), ("Alice",)]


async def test_new_settings_are_confirmed_and_trigger_no_reply() -> None:
    async with House() as house:
        for version in (1, 2, 2):
            house.engine.send(Configure(context=replace(KNOWING, version=version)))
            assert await house.next() == Configured(version=version)
        (await house.utterance()).text.set_result("")
        assert house.listener.utterances[0].words == ("Alice",)
        assert house.brain.asked == []


async def test_older_settings_change_nothing() -> None:
    async with House() as house:
        house.engine.send(Configure(context=replace(KNOWING, version=2)))
        house.engine.send(Configure(context=replace(CONTEXT, version=1)))
        assert [await house.next(), await house.next()] == [Configured(version=2)] * 2
        (await house.utterance()).text.set_result("")
        assert house.listener.utterances[0].words == ("Alice",)


async def test_half_a_minute_at_once_is_understood_before_all_of_it_was_listened_to() -> None:
    async with House() as house:
        house.speech(5)
        for _ in range(60):
            house.speech(16, QUIET)
        understood = house.listener.utterances[0]
        understood.text.set_result("hello")
        assert await house.next() == SpeechBegan(offset=0)
        assert await house.next() == SpeechFinished(until=21 * FRAME, text="hello")
        turns = 0
        while house.vads[0].heard < 965:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 20
        await asyncio.sleep(0)
        house.speech(5)
        house.engine.send(Finish())
        house.listener.utterances[1].text.set_result("goodbye")
        assert isinstance(await house.next(), SpeechBegan)
        assert await house.next() == SpeechFinished(
            until=970 * FRAME, text="goodbye", reason="stopped"
        )


async def test_what_comes_after_what_waits_is_heard_after_it() -> None:
    async with House() as house:
        house.speech(40, QUIET)
        house.speech(5)
        house.engine.send(Finish())
        assert not house.listener.utterances
        await asyncio.sleep(0)
        house.listener.utterances[0].text.set_result("hello")
        assert isinstance(await house.next(), SpeechBegan)
        assert await house.next() == SpeechFinished(
            until=45 * FRAME, text="hello", reason="stopped"
        )


async def test_an_engine_that_is_closed_listens_to_nothing_that_waited() -> None:
    async with House() as house:
        house.speech(40, QUIET)
        house.speech(5)
    await asyncio.sleep(0)
    assert not house.listener.utterances
    assert house.vads[0].heard == 40


async def test_speech_that_recognition_cannot_keep_up_with_is_not_listened_to() -> None:
    async with House() as house:
        for _ in range(30):
            await house.utterance()
        assert len(house.listener.utterances) < 12
        for utterance in house.listener.utterances:
            utterance.text.set_result("x")
        for _ in house.listener.utterances:
            assert isinstance(await house.next(), SpeechBegan)
            assert isinstance(await house.next(), SpeechFinished)
        (await house.utterance()).text.set_result("again")
        assert isinstance(await house.next(), SpeechBegan)
        assert await house.next() == SpeechFinished(until=house.offset, text="again")


# ------------------------------------------------------------------------------- answering


async def test_an_answer_comes_sentence_by_sentence() -> None:
    async with House(hello) as house:
        learned, *segments = await house.answer()
        assert learned == Learned(
            turn=1, content="The user's name is Alice.", key="name", value="Alice"
        )
        assert segments == SENTENCES


async def test_an_answer_may_be_thought_of_as_it_goes() -> None:
    async def thinking(turn: int) -> AsyncIterator[Answer]:
        for answer in hello(turn):
            await asyncio.sleep(0)
            yield answer

    async with House(thinking) as house:
        assert (await house.answer())[1:] == SENTENCES


@pytest.mark.parametrize("spoken", [1, 2])
async def test_what_was_spoken_is_left_out_and_nothing_is_learned_twice(spoken: int) -> None:
    async with House(hello) as house:
        said = [segment.text for segment in SENTENCES[:spoken]]
        assert await house.answer(spoken=said) == SENTENCES[spoken:]
        assert house.brain.asked[0].spoken == ()


async def test_an_answer_that_was_all_spoken_is_closed() -> None:
    async with House(hello) as house:
        said = [segment.text for segment in SENTENCES]
        assert await house.answer(spoken=said) == [Segment(turn=1, text="", last=True)]


async def test_an_answer_without_an_end_is_closed() -> None:
    async with House(lambda turn: [Segment(turn=turn, text="Well.", last=False)]) as house:
        assert await house.answer() == [
            Segment(turn=1, text="Well.", last=False),
            Segment(turn=1, text="", last=True),
        ]


async def test_a_brain_that_fails_says_so_once() -> None:
    def failing(turn: int) -> Iterable[Answer]:
        yield Segment(turn=turn, text="Let me see.", last=False)
        raise ValueError("a secret")

    async with House(failing) as house:
        assert await house.answer() == [
            Segment(turn=1, text="Let me see.", last=False),
            Segment(turn=1, text=APOLOGY, last=True),
        ]
        assert len(await house.answer(turn=2)) == 2


async def test_a_brain_that_fails_after_its_last_word_has_said_all() -> None:
    def failing(turn: int) -> Iterable[Answer]:
        yield Segment(turn=turn, text="Well.", last=True)
        raise ValueError

    async with House(failing) as house:
        assert await house.answer(turn=1) == [Segment(turn=1, text="Well.", last=True)]
        assert await house.answer(turn=2) == [Segment(turn=2, text="Well.", last=True)]


async def test_an_alarm_is_told() -> None:
    async with House() as house:
        house.engine.send(Ring(turn=-1, alarm=Alarm(alarm=1, due=0, text="Tea!"), context=CONTEXT))
        assert await house.next() == Segment(turn=-1, text="Tea!", last=True)


async def test_answers_come_in_the_order_of_the_asks() -> None:
    async with House(lambda turn: [Segment(turn=turn, text="Yes.", last=True)]) as house:
        for turn in (1, 2, 3):
            house.engine.send(Ask(turn=turn, text="?", context=CONTEXT))
        assert [(await house.next()) for _ in range(3)] == [
            Segment(turn=turn, text="Yes.", last=True) for turn in (1, 2, 3)
        ]


# -------------------------------------------------------------------------------- speaking


async def test_segments_are_spoken_in_order() -> None:
    async with House() as house:
        house.engine.send(Speak(reply=1, index=0, text="one two.", last=False))
        house.engine.send(Speak(reply=1, index=1, text="three", last=True))
        while len(house.ear.played) < 6:
            await house.ear.ended.wait()
            house.ear.ended.clear()
        assert house.ear.played == [
            (1, 0, b"one ", False),
            (1, 0, b"two.", False),
            (1, 0, b"", True),
            (1, 1, b"thre", False),
            (1, 1, b"e", False),
            (1, 1, b"", True),
        ]


@pytest.mark.virtual
async def test_it_does_not_run_more_than_five_seconds_ahead() -> None:
    async with House() as house:
        house.ear.waiting = 8.0
        house.engine.send(Speak(reply=1, index=0, text="one", last=True))
        await asyncio.sleep(60)
        assert house.ear.played == []
        house.ear.waiting = 4.9
        await house.ear.ended.wait()
        assert house.ear.said() == b"one"


async def test_a_speaker_that_fails_fails_the_link() -> None:
    async with House() as house:
        house.engine.send(Speak(reply=1, index=0, text="broken", last=True))
        assert await house.next() == Failed(reason="engine_lost")
        assert house.ear.played == []


# ------------------------------------------------------------------------ cancel and close


async def test_cancel_drops_the_answer_and_the_speech_at_once() -> None:
    thinking = asyncio.Event()

    async def slow(turn: int) -> AsyncIterator[Answer]:
        if turn == 1:
            thinking.set()
            await asyncio.Event().wait()
        yield Segment(turn=turn, text="Yes.", last=True)

    async with House(slow) as house:
        house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
        house.engine.send(Speak(reply=1, index=0, text="one two three", last=True))
        await thinking.wait()
        house.engine.send(Cancel())
        played = len(house.ear.played)
        assert await house.answer(turn=2) == [Segment(turn=2, text="Yes.", last=True)]
        assert len(house.ear.played) == played
        assert house.speaker.closed in ([], ["one two three"])


async def test_cancel_takes_back_what_was_not_read_yet_but_not_what_was_learned() -> None:
    done = asyncio.Event()

    def script(turn: int) -> Iterable[Answer]:
        yield from hello(turn)
        yield AlarmWanted(turn=turn, due=1.0, text="tea")
        done.set()

    async with House(script) as house:
        house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
        await done.wait()
        house.engine.send(Cancel())
        house.speech(3)
        assert isinstance(await house.next(), Learned)
        assert await house.next() == AlarmWanted(turn=1, due=1.0, text="tea")
        assert await house.next() == SpeechBegan(offset=0)


async def test_cancel_leaves_what_is_being_said_by_the_person() -> None:
    async with House() as house:
        house.speech(5)
        house.engine.send(Cancel())
        house.speech(16, QUIET)
        house.listener.utterances[0].text.set_result("stop")
        assert await house.next() == SpeechBegan(offset=0)
        assert await house.next() == SpeechFinished(until=21 * FRAME, text="stop")


async def test_closing_drops_everything_and_ends_the_iteration() -> None:
    house = House()
    async with house:
        house.speech(5)
        house.speaker.gate.clear()
        house.engine.send(Speak(reply=1, index=0, text="one", last=True))
        await asyncio.sleep(0)
    assert house.listener.utterances[0].dropped == 1
    assert house.speaker.closed == ["one"]
    assert [event async for event in house.engine] == []
    await house.engine.close()
    house.speech(50)
    house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
    house.engine.send(Speak(reply=1, index=1, text="two", last=True))
    await house.engine.close()
    assert len(house.listener.utterances) == 1


@pytest.mark.virtual
async def test_closing_does_not_wait_for_a_part_that_does_not_let_go() -> None:
    released = asyncio.Event()

    async def stubborn(turn: int) -> AsyncIterator[Answer]:
        try:
            await asyncio.Event().wait()
        finally:
            await released.wait()
        yield Segment(turn=turn, text="", last=True)

    house = House(stubborn)
    async with house:
        house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
        await asyncio.sleep(0)
        before = asyncio.get_running_loop().time()
        await house.engine.close()
        assert asyncio.get_running_loop().time() - before <= 2.0
        released.set()


# ---------------------------------------------------------------------------------- bounds


async def test_more_requests_than_the_limit_fail_the_link() -> None:
    async with House() as house:
        house.speaker.gate.clear()
        for index in range(REQUESTS + 1):
            house.engine.send(Speak(reply=1, index=index, text="one", last=False))
        failed = await house.next()
        assert failed == Failed(reason="quota_exceeded")


async def test_an_answer_waits_for_a_slow_reader() -> None:
    def endless(turn: int) -> Iterable[Answer]:
        for _ in range(3 * EVENTS):
            yield Segment(turn=turn, text="more", last=False)

    async with House(endless) as house:
        assert len(await house.answer()) == 3 * EVENTS + 1


async def test_speech_waits_for_a_slow_reader() -> None:
    async with House() as house:
        for _ in range(EVENTS):
            (await house.utterance()).text.cancel()
            house.listener.utterances[-1].text = _ready("x")
            await asyncio.sleep(0)
        told = 2 * len(house.listener.utterances)
        assert told < 2 * EVENTS
        for _ in range(told):
            assert isinstance(await house.next(), SpeechBegan | SpeechFinished)


async def test_a_session_that_reads_no_events_loses_the_link() -> None:
    async with House() as house:
        house.speaker.gate.clear()
        for index in range(REQUESTS + 2 * EVENTS + 2):
            house.engine.send(Speak(reply=1, index=index, text="one", last=False))
        assert await house.next() == Failed(reason="unread")
        with pytest.raises(StopAsyncIteration):
            await house.next()


# ----------------------------------------------------------------------------------- usage


async def test_what_was_heard_is_told_once_an_utterance() -> None:
    async with House() as house:
        for _ in range(2):
            (await house.utterance()).text.set_result("hello")
            assert isinstance(await house.next(), SpeechBegan)
            assert isinstance(await house.next(), SpeechFinished)
        house.engine.send(Speak(reply=1, index=0, text="", last=True))
        house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
        assert await house.next() == Segment(turn=1, text="", last=True)
    pushed = [len(utterance.heard) for utterance in house.listener.utterances]
    asked = Used(tokens_in=count("?"))
    assert house.used == [*(Used(heard=round(size / 32_000, 3)) for size in pushed), asked]


async def test_what_was_spoken_is_told_once_a_reply() -> None:
    async with House() as house:
        house.engine.send(Speak(reply=1, index=0, text="one two.", last=False))
        house.engine.send(Speak(reply=1, index=1, text="three", last=True))
        await house.ear.ended.wait()
        house.ear.ended.clear()
        await house.ear.ended.wait()
        house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
        assert await house.next() == Segment(turn=1, text="", last=True)
    asked = Used(tokens_in=count("?"))
    assert house.used == [Used(spoken=round(13 / 16_000, 3), characters=13), asked]


async def test_what_was_spoken_of_a_reply_that_is_cut_is_told() -> None:
    async with House() as house:
        house.speaker.gate.clear()
        house.engine.send(Speak(reply=1, index=0, text="one two three", last=False))
        await asyncio.sleep(0)
        house.engine.send(Cancel())
        house.engine.send(Ask(turn=1, text="?", context=CONTEXT))
        assert await house.next() == Segment(turn=1, text="", last=True)
    assert house.used == [Used(characters=13), Used(tokens_in=count("?"))]


async def test_what_was_read_and_written_is_told_once_an_answer() -> None:
    said = [
        Message(message=1, role="user", text="I like tea", turn=1, conversation="main", at=0.0),
        Message(message=2, role="user", text="What now?", turn=2, conversation="main", at=0.0),
    ]
    context = replace(CONTEXT, instructions="Be kind.", messages=said)
    async with House(lambda _: [*hello(1), Segment(turn=2, text="So.", last=True)]) as house:
        ask = Ask(turn=2, text="What now?", context=context)
        house.engine.send(ask)
        while not (isinstance(found := await house.next(), Segment) and found.last):
            pass
        alarm = Alarm(alarm=1, due=0.0, text="Tea time")
        house.engine.send(Ring(turn=3, alarm=alarm, context=CONTEXT))
        house.engine.send(Configure(context=CONTEXT))
        assert isinstance(await house.next(), Configured | Segment)
        assert isinstance(await house.next(), Configured | Segment)
        house.engine.send(Cancel())
        house.engine.send(Configure(context=CONTEXT))
        assert isinstance(await house.next(), Configured)
    read = count("Be kind.") + count("I like tea") + count("What now?")
    (first, second) = house.used
    assert first.tokens_in == read
    assert first.tokens_out > 0, "of what comes after the last one nothing is said"
    assert second == Used(tokens_in=count("Tea time"), tokens_out=count("Tea time"))


async def test_what_an_answer_cost_comes_with_its_last_segment_however_slowly_the_brain_ends() -> (
    None
):
    async def slow() -> AsyncIterator[Answer]:
        yield Segment(turn=1, text="One two.", last=True)
        await asyncio.Event().wait()

    async with House(lambda _: slow()) as house:
        await house.answer()
        assert house.used == [Used(tokens_in=count("?"), tokens_out=count("One two."))]


async def test_an_answer_that_fails_or_is_cancelled_has_cost_what_it_has_cost() -> None:
    def fails(_: int) -> Iterable[Answer]:
        yield Segment(turn=1, text="One two.", last=False)
        raise RuntimeError("a bug")

    async with House(fails) as house:
        assert [e.text for e in await house.answer() if isinstance(e, Segment)][-1] == APOLOGY
        house.engine.send(Configure(context=CONTEXT))
        await house.next()
    assert house.used == [Used(tokens_in=count("?"), tokens_out=count("One two."))]


async def test_a_reply_is_spoken_at_its_pace() -> None:
    async with House() as house:
        for reply, pace in ((1, None), (2, 90.0)):
            house.engine.send(Speak(reply=reply, index=0, text="one", last=True, pace=pace))
            await house.ear.ended.wait()
            house.ear.ended.clear()
    assert house.speaker.paces == [None, 90.0]


# ---------------------------------------------------------------------------- capabilities


async def test_capabilities_follow_from_the_parts() -> None:
    house = House()
    able = house.engine.capabilities
    assert (able.name, able.hears, able.speaks) == ("scripted", 16_000, 8_000)
    assert able.answers and able.continues


async def test_a_cascade_without_a_voice_reads_and_writes() -> None:
    ear = Ear()
    engine = CascadeEngine(Parts(name="text", brain=ScriptedBrain(hello)))
    able = engine.capabilities
    assert (able.hears, able.speaks, able.answers, able.continues) == (None, None, True, False)
    await engine.open(CONTEXT, 16_000, ear)
    engine.hear(LOUD * 5_000, 0)
    engine.send(Finish())
    engine.send(Speak(reply=1, index=0, text="one", last=True))
    await ear.ended.wait()
    assert ear.played == [(1, 0, b"", True)]
    await engine.close()
