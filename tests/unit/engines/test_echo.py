import msgspec

from tenuto.engines.echo import EchoEngine
from tenuto.session.ports import (
    Alarm,
    Ask,
    Cancel,
    Configure,
    Configured,
    Context,
    EngineEvent,
    Finish,
    Ready,
    Ring,
    Segment,
    Speak,
)

CONTEXT = Context(
    instructions="", messages=(), memories=(), alarms=(), conversation="main", now=0.0
)


class Ear:
    """An `AudioOut` that remembers."""

    def __init__(self) -> None:
        self.relayed: list[bytes] = []
        self.played: list[tuple[int, int, bytes, bool]] = []

    def relay(self, pcm: bytes | bytearray | memoryview) -> None:
        self.relayed.append(bytes(pcm))

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        self.played.append((reply, index, pcm, last))

    def queued(self) -> float:
        return 0.0

    def stop(self) -> None: ...


async def opened() -> tuple[EchoEngine, Ear]:
    engine, ear = EchoEngine(), Ear()
    await engine.open(CONTEXT, 16_000, ear)
    return engine, ear


async def events(engine: EchoEngine) -> list[EngineEvent]:
    found: list[EngineEvent] = []
    async for event in engine:
        found.append(event)
        if isinstance(event, Segment):
            return found
    return found


async def test_a_frame_comes_back_at_once() -> None:
    engine, ear = await opened()
    engine.hear(memoryview(b"abcd"), 0)
    assert ear.relayed == [b"abcd"]
    await engine.close()


async def test_it_says_that_it_only_relays() -> None:
    capabilities = EchoEngine().capabilities
    assert (capabilities.answers, capabilities.hears, capabilities.speaks) == (False, None, None)


async def test_whoever_asks_gets_the_text_back() -> None:
    engine, _ = await opened()
    engine.send(Ask(turn=3, text="hello", context=CONTEXT))
    assert await events(engine) == [Ready(), Segment(turn=3, text="hello", last=True)]
    engine.send(Ask(turn=4, text="hello", context=CONTEXT, spoken=("hello",)))
    assert await events(engine) == [Segment(turn=4, text="", last=True)]
    await engine.close()


async def test_an_alarm_is_told() -> None:
    engine, _ = await opened()
    engine.send(Ring(turn=-1, alarm=Alarm(alarm=1, due=0.0, text="tea"), context=CONTEXT))
    assert (await events(engine))[-1] == Segment(turn=-1, text="tea", last=True)
    await engine.close()


async def test_new_settings_are_confirmed() -> None:
    engine, _ = await opened()
    engine.send(Configure(context=msgspec.structs.replace(CONTEXT, version=3)))
    engine.send(Ask(turn=1, text="hello", context=CONTEXT))
    assert (await events(engine))[1] == Configured(version=3)
    await engine.close()


async def test_a_segment_ends_without_audio() -> None:
    engine, ear = await opened()
    engine.send(Speak(reply=1, index=2, text="hello", last=True))
    assert ear.played == [(1, 2, b"", True)]
    await engine.close()


async def test_a_cancelled_answer_is_not_given() -> None:
    engine, _ = await opened()
    engine.send(Ask(turn=1, text="hello", context=CONTEXT))
    engine.send(Cancel())
    engine.send(Finish())
    engine.send(Ask(turn=2, text="again", context=CONTEXT))
    assert await events(engine) == [Ready(), Segment(turn=2, text="again", last=True)]
    await engine.close()


async def test_closing_ends_the_iteration_and_the_relay() -> None:
    engine, ear = await opened()
    await engine.close()
    await engine.close()
    engine.hear(b"abcd", 0)
    engine.send(Speak(reply=1, index=0, text="hello", last=True))
    assert (await events(engine), ear.relayed, ear.played) == ([], [], [])
