import asyncio

import msgspec
import pytest

from tenuto.errors import EngineError
from tenuto.session.ports import (
    Alarm,
    AlarmDropped,
    AlarmWanted,
    Ask,
    Cancel,
    Capabilities,
    Configure,
    Configured,
    Context,
    Engine,
    EngineEvent,
    Failed,
    Finish,
    Forgot,
    Learned,
    Partial,
    Ready,
    Ring,
    Segment,
    Speak,
    SpeechBegan,
    SpeechFinished,
)
from tenuto.testing.engine import PACE, Script, ScriptedEngine, ScriptError, Step, voice

RATE = 16_000
CONTEXT = Context(
    instructions="", messages=[], memories=[], alarms=[], conversation="c", now=1_000.0
)


class Ears:
    """An `AudioOut` that keeps what is played, and counts it as heard when told to."""

    def __init__(self) -> None:
        self.played: list[tuple[int, int, bytes, bool]] = []
        self.waiting = 0.0

    def relay(self, pcm: bytes | bytearray | memoryview) -> None: ...

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        self.played.append((reply, index, pcm, last))
        self.waiting += len(pcm) / 2 / RATE

    def queued(self) -> float:
        return self.waiting

    def stop(self) -> None:
        self.waiting = 0.0


class Listening:
    """An open engine and the events it gives, read as they come."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.engine = script.engine()
        self.ears = Ears()
        self.events: list[EngineEvent] = []

    async def __aenter__(self) -> "Listening":
        port: Engine = self.engine
        await port.open(CONTEXT, RATE, self.ears)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.engine.close()
        await self.engine.close()
        await self._reader

    async def _read(self) -> None:
        async for event in self.engine:
            self.events.append(event)

    def ask(self, turn: int, text: str, spoken: tuple[str, ...] = ()) -> None:
        self.engine.send(Ask(turn=turn, text=text, context=CONTEXT, spoken=spoken))

    def hear(self, pcm: bytes, frame: int = 640) -> None:
        for start in range(0, len(pcm), frame):
            self.engine.hear(memoryview(pcm)[start : start + frame], start // 2)


@pytest.mark.virtual
async def test_new_settings_are_confirmed_and_older_ones_fail() -> None:
    script = Script()
    async with Listening(script) as one:
        newer = msgspec.structs.replace(CONTEXT, version=2, temperature=0.3)
        one.engine.send(Configure(context=newer))
        await asyncio.sleep(0.1)
        assert one.events == [Ready(), Configured(version=2)]
        assert (one.engine.context, one.engine.goes_by) == (CONTEXT, newer)
        with pytest.raises(ScriptError, match="settings 0 came after 2"):
            one.engine.send(Configure(context=CONTEXT))


@pytest.mark.virtual
async def test_a_temperature_is_within_what_a_provider_accepts() -> None:
    script = Script()
    engine = script.engine(Capabilities(name="picky", temperature=(0.6, 1.2)))
    before = engine.temperature
    await engine.open(msgspec.structs.replace(CONTEXT, temperature=0.3), RATE, Ears())
    assert (before, engine.temperature) == (None, 0.6)
    await engine.close()


@pytest.mark.virtual
async def test_a_script_is_played_in_time() -> None:
    step = Step(
        hear="hi",
        say=["One.", "Two."],
        delay=0.5,
        learn=[("He is Bob.", "name", "Bob")],
        forget=[3],
        alarms=[(60.0, "tea")],
        drop_alarms=[2],
        cites=[1],
    )
    script = Script(step)
    async with Listening(script) as one:
        one.ask(1, "hi")
        await asyncio.sleep(0.75)
        assert one.events == [
            Ready(),
            Learned(turn=1, content="He is Bob.", key="name", value="Bob"),
            Forgot(turn=1, memory=3),
            AlarmWanted(turn=1, due=1_060.0, text="tea"),
            AlarmDropped(turn=1, alarm=2),
            Segment(turn=1, text="One.", last=False, cites=(1,)),
        ]
        await asyncio.sleep(0.5)
        assert one.events[6:] == [Segment(turn=1, text="Two.", last=True, cites=(1,))]
    script.check()
    assert script.links == [one.engine]
    assert one.engine.context == CONTEXT


@pytest.mark.virtual
async def test_what_is_not_in_the_script_fails() -> None:
    async with Listening(Script(Step(hear="hi"))) as one:
        with pytest.raises(ScriptError, match="step 1"):
            one.ask(1, "hello")
        with pytest.raises(ScriptError, match="hello"):
            one.script.check()


@pytest.mark.virtual
async def test_what_never_came_fails() -> None:
    script = Script(Step(hear="hi"), Step(hear="bye"))
    async with Listening(script) as one:
        one.ask(1, "hi")
        await asyncio.sleep(0.1)
    with pytest.raises(ScriptError, match="never came: 'bye'"):
        script.check()


@pytest.mark.virtual
async def test_a_turn_that_is_asked_again_goes_on_and_learns_nothing_twice() -> None:
    script = Script(Step(hear="hi", say=["One.", "Two."], learn=[("x", "", "")]))
    async with Listening(script) as one:
        one.ask(1, "hi")
        await asyncio.sleep(0.1)
    async with Listening(script) as two:
        two.ask(1, "hi", spoken=("One.",))
        await asyncio.sleep(0.1)
        assert two.events == [Ready(), Segment(turn=1, text="Two.", last=True)]
        two.ask(1, "hi", spoken=("One.", "Two."))
        await asyncio.sleep(0.1)
        assert two.events[2:] == [Segment(turn=1, text="", last=True)]
        with pytest.raises(ScriptError, match="never said"):
            two.ask(1, "hi", spoken=("Three.",))


@pytest.mark.virtual
async def test_without_order_a_step_may_come_again() -> None:
    script = Script(Step(hear="a", say=["A."]), Step(hear="b", say=["B."]), ordered=False)
    async with Listening(script) as one:
        for turn, text in enumerate(["b", "a", "b"], start=1):
            one.ask(turn, text)
            await asyncio.sleep(0.1)
        assert [event.text for event in one.events if isinstance(event, Segment)] == [
            "B.",
            "A.",
            "B.",
        ]
        with pytest.raises(ScriptError):
            one.ask(4, "c")


@pytest.mark.virtual
async def test_an_alarm_rings() -> None:
    script = Script(Step(hear="tea", say=["Tea is ready."], ring=True))
    async with Listening(script) as one:
        alarm = Alarm(alarm=1, due=0.0, text="tea")
        one.engine.send(Ring(turn=7, alarm=alarm, context=CONTEXT))
        await asyncio.sleep(0.1)
        assert one.events[1:] == [Segment(turn=7, text="Tea is ready.", last=True)]
    script.check()


@pytest.mark.virtual
async def test_a_segment_is_spoken_the_same_every_time_and_waits_for_the_ear() -> None:
    text = "x" * 200
    async with Listening(Script()) as one:
        one.engine.send(Speak(reply=4, index=0, text=text, last=True))
        await asyncio.sleep(1.0)
        assert 5.0 <= one.ears.waiting < 5.2
        one.ears.stop()
        await asyncio.sleep(1.0)
        assert b"".join(pcm for _, _, pcm, _ in one.ears.played) == voice(text, RATE)
        assert [last for *_, last in one.ears.played].count(True) == 1
        assert one.ears.played[-1][:2] == (4, 0) and one.ears.played[-1][3]
    assert len(voice(text, RATE)) == 2 * round(200 * PACE * RATE)
    assert voice("a", RATE) != voice("b", RATE)


@pytest.mark.virtual
async def test_cancel_drops_the_answer_and_what_is_not_spoken() -> None:
    script = Script(Step(hear="hi", say=["One.", "Two."], delay=0.5))
    async with Listening(script) as one:
        one.ask(1, "hi")
        one.engine.send(Speak(reply=1, index=0, text="x" * 400, last=False))
        one.engine.send(Speak(reply=1, index=1, text="later", last=True))
        await asyncio.sleep(0.6)
        one.engine.send(Cancel())
        one.ears.stop()
        played = len(one.ears.played)
        await asyncio.sleep(5.0)
        assert len(one.ears.played) == played
        assert one.events[1:] == [Segment(turn=1, text="One.", last=False)]


@pytest.mark.virtual
async def test_a_link_that_fails_is_over() -> None:
    script = Script(Step(hear="hi", say=["One."], fail="hung up"))
    async with Listening(script) as one:
        one.ask(1, "hi")
        await asyncio.wait_for(one._reader, 1.0)
        assert one.events[1:] == [
            Segment(turn=1, text="One.", last=False),
            Failed(reason="hung up"),
        ]


@pytest.mark.virtual
async def test_a_link_is_never_used_again() -> None:
    script = Script()
    with pytest.raises(EngineError):
        await script.engine(refuse="no").open(CONTEXT, RATE, Ears())
    engine = script.engine()
    with pytest.raises(ScriptError):
        engine.send(Cancel())
    await engine.open(CONTEXT, RATE, Ears())
    with pytest.raises(ScriptError):
        await engine.open(CONTEXT, RATE, Ears())
    await engine.close()


@pytest.mark.virtual
@pytest.mark.parametrize("frame", [2, 320, 640, 5_000, 10**6])
async def test_speech_is_known_by_its_sound(frame: int) -> None:
    script = Script(Step(hear="first", seconds=0.5), Step(hear="second", seconds=0.25))
    pcm = (
        script.silence(RATE, 0.1)
        + script.speech(1, RATE)
        + script.silence(RATE)
        + script.speech(2, RATE)
        + script.silence(RATE)
    )
    async with Listening(script) as one:
        for start in range(0, len(pcm), frame):
            one.engine.hear(pcm[start : start + frame], start // 2)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert one.events == [
            Ready(),
            SpeechBegan(offset=1_600),
            Partial(text="first"),
            SpeechFinished(until=1_600 + 8_000 + 4_800, text="first"),
            SpeechBegan(offset=14_400),
            Partial(text="second"),
            SpeechFinished(until=14_400 + 4_000 + 4_800, text="second"),
        ]


@pytest.mark.virtual
async def test_lost_audio_shows_in_the_text_and_known_audio_is_skipped() -> None:
    script = Script(Step(hear="first", seconds=0.5))
    pcm = script.speech(1, RATE) + script.silence(RATE)
    async with Listening(script) as one:
        one.engine.hear(pcm[:8_000], 0)
        one.engine.hear(pcm[4_000:], 2_000)
        await asyncio.sleep(0.1)
        assert isinstance(one.events[-1], SpeechFinished)
        assert one.events[-1].text == "first"
    async with Listening(script) as two:
        two.engine.hear(pcm[:8_000], 0)
        two.engine.hear(pcm[9_600:], 4_800)
        await asyncio.sleep(0.1)
        assert isinstance(two.events[-1], SpeechFinished)
        assert two.events[-1].text == "first [heard 0.450 of 0.500 s]"


@pytest.mark.virtual
async def test_finish_ends_an_open_speech_at_once() -> None:
    script = Script(Step(hear="first"))
    async with Listening(script) as one:
        one.engine.send(Finish())
        one.hear(script.speech(1, RATE, 0.2))
        one.engine.send(Finish())
        await asyncio.sleep(0.1)
        assert one.events[-1] == SpeechFinished(until=3_200, text="first", reason="stopped")


def test_a_script_has_room_for_five_hundred_steps() -> None:
    script = Script(*[Step(hear=str(n)) for n in range(500)])
    assert len(script.speech(500, RATE)) == 2 * RATE
    with pytest.raises(ValueError):
        Script(*[Step(hear="x")] * 501)


def test_an_engine_that_nobody_reads_does_not_grow() -> None:
    async def main() -> None:
        engine = ScriptedEngine(Script())
        with pytest.raises(ScriptError, match="unread"):
            for _ in range(2_000):
                engine.fail("x")

    asyncio.run(main())
