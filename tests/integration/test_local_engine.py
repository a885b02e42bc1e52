"""The local engine with its real parts: what is said is made by its own speaker."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tenuto.audio.format import silence
from tenuto.audio.resample import resample
from tenuto.engines.cascade import CascadeEngine
from tenuto.engines.local.build import LocalParts, text_engine
from tenuto.engines.local.listener import LocalListener, Recogniser
from tenuto.engines.local.speaker import LocalSpeaker
from tenuto.engines.local.zygote import Zygote
from tenuto.engines.parts import Answer
from tenuto.errors import EngineError, EngineLost, MissingExtra
from tenuto.session.ports import (
    Ask,
    Cancel,
    Context,
    EngineEvent,
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

CONTEXT = Context(
    instructions="", messages=(), memories=(), alarms=(), conversation="main", now=0.0
)


class Parrot:
    """A brain that says what it was told."""

    def answer(self, ask: Ask) -> list[Answer]:
        return [Segment(turn=ask.turn, text=ask.text, last=True)]

    def ring(self, ring: Ring) -> list[Answer]:
        return [Segment(turn=ring.turn, text=ring.alarm.text, last=True)]


class Ear:
    def __init__(self) -> None:
        self.said = b""
        self.ended = asyncio.Event()

    def relay(self, pcm: bytes | bytearray | memoryview) -> None: ...

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        self.said += pcm
        if last:
            self.ended.set()

    def queued(self) -> float:
        return 0.0

    def stop(self) -> None: ...


@asynccontextmanager
async def local(listeners: int = 2) -> AsyncIterator[LocalParts]:
    parts = LocalParts(Parrot(), listeners=listeners)
    try:
        async with asyncio.timeout(30):
            await parts.start()
        yield parts
    finally:
        await parts.close()


async def spoken(speaker: LocalSpeaker, text: str) -> bytes:
    return b"".join([chunk async for chunk in speaker.speak(text)])


async def voice(parts: LocalParts, *texts: str) -> bytes:
    """Sentences as a microphone gives them: 16,000 Hz, with silence around each."""
    pcm = silence(0.3, 16_000)
    for text in texts:
        said = await spoken(parts.speaker, text)
        pcm += resample(said, parts.speaker.rate, 16_000) + silence(0.8, 16_000)
    return pcm


async def heard(engine: CascadeEngine, pcm: bytes, utterances: int) -> list[EngineEvent]:
    """Give audio to an engine, as fast as it takes it, and return its events but for partials."""
    found: list[EngineEvent] = []
    reader = aiter(engine)
    for at in range(0, len(pcm), 640):
        engine.hear(memoryview(pcm)[at : at + 640], at // 2)
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        while sum(isinstance(event, SpeechFinished) for event in found) < utterances:
            event = await anext(reader)
            if not isinstance(event, Partial):
                found.append(event)
    return found


def texts(events: Sequence[EngineEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, SpeechFinished)]


def children(zygote: Zygote) -> list[psutil.Process]:
    assert zygote.pid is not None
    return psutil.Process(zygote.pid).children()


async def until_forked(zygote: Zygote) -> list[psutil.Process]:
    async with asyncio.timeout(10):
        while not (found := children(zygote)):  # noqa: ASYNC110 -- a process says nothing
            await asyncio.sleep(0.001)
    return found


async def until_not_ready(parts: LocalParts) -> None:
    async with asyncio.timeout(10):
        while parts.ready:  # noqa: ASYNC110 -- a process says nothing
            await asyncio.sleep(0.001)


# ------------------------------------------------------------------------------------ hears


async def test_it_understands_what_its_own_voice_says_and_always_the_same() -> None:
    said = ("my name is alice", "what is my name", "set a timer for one minute")
    async with local() as parts:
        pcm = await voice(parts, *said)
        runs = []
        for _ in range(2):
            engine = parts.engine()
            await engine.open(CONTEXT, 16_000, Ear())
            runs.append(await heard(engine, pcm, utterances=3))
            await engine.close()
    assert texts(runs[0]) == list(said)
    assert runs[0] == runs[1]
    ready, *events = runs[0]
    assert ready == Ready()
    told = [type(event) for event in events if not isinstance(event, Used)]
    assert told == [SpeechBegan, SpeechFinished] * 3


async def test_silence_is_not_understood_as_anything() -> None:
    async with local() as parts:
        utterance = LocalListener(parts.recogniser).start(())
        utterance.push(silence(1.0, 16_000))
        assert await utterance.finish() == ""


async def test_speech_over_a_reply_is_noticed_within_150_ms() -> None:
    async with local() as parts:
        pcm = await voice(parts, "stop")
        engine = parts.engine()
        await engine.open(CONTEXT, 16_000, Ear())
        reader = aiter(engine)
        assert await anext(reader) == Ready()
        decided = None
        noticed = asyncio.ensure_future(anext(reader))
        for at in range(0, len(pcm), 640):
            engine.hear(pcm[at : at + 640], at // 2)
            await asyncio.sleep(0)
            if noticed.done():
                decided = (at + 640) // 2
                break
        began = await noticed
        assert isinstance(began, SpeechBegan) and decided is not None
        first_frame_of_speech = began.offset + 4_800
        assert decided - first_frame_of_speech <= 0.150 * 16_000
        await engine.close()


async def test_more_utterances_than_workers_wait_and_are_all_understood() -> None:
    async with local(listeners=1) as parts:
        pcm = await voice(parts, "what is my name")
        listener = LocalListener(parts.recogniser)
        utterances = [listener.start(()) for _ in range(3)]
        most = 0
        for at in range(0, len(pcm), 6_400):
            for utterance in utterances:
                utterance.push(pcm[at : at + 6_400])
            await asyncio.sleep(0.01)
            most = max(most, len(children(parts.recogniser.zygote)))
        results = await asyncio.gather(*(utterance.finish() for utterance in utterances))
        assert results == ["what is my name"] * 3
        assert most == 1


async def test_an_utterance_without_audio_gives_its_worker_to_another_one() -> None:
    async with local(listeners=1) as parts:
        pcm = await voice(parts, "what is my name")
        listener = LocalListener(parts.recogniser)
        first = listener.start(())
        first.push(pcm[:20_000])
        await until_forked(parts.recogniser.zygote)
        second = listener.start(())
        second.push(pcm)
        assert await second.finish() == "what is my name"
        first.push(pcm[20_000:])
        assert await first.finish() == "what is my name"


async def test_a_name_that_the_session_knows_is_expected() -> None:
    async with local() as parts:
        pcm = await voice(parts, "my name is gertrude")
        utterance = LocalListener(parts.recogniser).start(("Gertrude", "zzyzx", "| <name>"))
        utterance.push(pcm)
        assert await utterance.finish() == "my name is gertrude"


async def test_a_worker_that_dies_is_replaced_and_nothing_is_lost() -> None:
    async with local() as parts:
        pcm = await voice(parts, "what is my name")
        utterance = LocalListener(parts.recogniser).start(())
        utterance.push(pcm[:20_000])
        worker = (await until_forked(parts.recogniser.zygote))[0]
        worker.kill()
        utterance.push(pcm[20_000:])
        assert await utterance.finish() == "what is my name"


async def test_an_utterance_whose_workers_die_again_and_again_fails_alone() -> None:
    async with local() as parts:
        pcm = await voice(parts, "what is my name")
        listener = LocalListener(parts.recogniser)
        broken = listener.start(())
        broken.push(pcm)
        finishing = asyncio.create_task(broken.finish())
        killed = set[int]()
        while not finishing.done():
            for worker in children(parts.recogniser.zygote):
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
                    killed.add(worker.pid)
            await asyncio.sleep(0.001)
        assert finishing.result() == ""
        assert len(killed) == 2
        good = listener.start(())
        good.push(pcm)
        assert await good.finish() == "what is my name"


async def test_recognition_as_a_whole_that_dies_is_replaced() -> None:
    async with local() as parts:
        pcm = await voice(parts, "what is my name")
        zygote = parts.recogniser.zygote
        assert zygote.pid is not None
        was = psutil.Process(zygote.pid)
        was.kill()
        await until_not_ready(parts)
        utterance = LocalListener(parts.recogniser).start(())
        utterance.push(pcm)
        assert await utterance.finish() == "what is my name"
        assert parts.ready and zygote.pid != was.pid


async def test_an_utterance_that_is_dropped_lets_its_worker_go() -> None:
    async with local(listeners=1) as parts:
        utterance = LocalListener(parts.recogniser).start(())
        utterance.push(silence(0.5, 16_000))
        worker = (await until_forked(parts.recogniser.zygote))[0]
        utterance.drop()
        utterance.drop()
        assert await utterance.finish() == ""
        await asyncio.to_thread(worker.wait, 10)
        assert not parts.recogniser.slots.locked()


# ----------------------------------------------------------------------------------- speaks


async def test_the_same_text_is_the_same_audio_in_any_order_and_in_any_process() -> None:
    first, second = LocalSpeaker(), LocalSpeaker()
    try:
        hello = await spoken(first, "Hello Alice.")
        bye = await spoken(first, "Goodbye!")
        assert await spoken(second, "Goodbye!") == bye
        assert await spoken(second, "Hello Alice.") == hello
        assert await spoken(first, "Hello Alice.") == hello
        assert hello != bye and 0.5 < len(hello) / 2 / LocalSpeaker.rate < 3.0
        assert await spoken(first, "") == b""
    finally:
        await first.close()
        await second.close()


async def test_the_voice_keeps_up_with_whom_it_speaks_to() -> None:
    sentence = "The same sentence is said at the pace of whoever listens to it."
    speaker = LocalSpeaker()
    try:
        lengths = []
        for pace in (100.0, None, 150.0, 200.0):
            said = b"".join([chunk async for chunk in speaker.speak(sentence, pace)])
            assert said == b"".join([chunk async for chunk in speaker.speak(sentence, pace)])
            lengths.append(len(said))
        slow, own, usual, fast = lengths
        assert own == usual == len(await spoken(speaker, sentence))
        assert slow > 1.25 * own, "a slow one takes a quarter longer, at least"
        assert fast < 0.85 * own
    finally:
        await speaker.close()


async def test_a_reply_of_the_engine_has_its_own_pace() -> None:
    text = "One two three four five six seven."
    async with local() as parts:
        engine, ear = parts.engine(), Ear()
        await engine.open(CONTEXT, 16_000, ear)
        lengths: list[int] = []
        for reply, pace in ((1, None), (2, 200.0), (3, None)):
            engine.send(Speak(reply=reply, index=0, text=text, last=True, pace=pace))
            async with asyncio.timeout(10):
                await ear.ended.wait()
            ear.ended.clear()
            lengths.append(len(ear.said) - sum(lengths))
        await engine.close()
    own, fast, off = lengths
    assert fast < 0.85 * own and off == own


async def test_a_speech_worker_that_dies_is_replaced_and_nothing_is_said_twice() -> None:
    speaker = LocalSpeaker()
    try:
        whole = await spoken(speaker, "One two three four five.")
        async with aclosing(speaker.speak("One two three four five.")) as chunks:
            said = await anext(chunks)
            assert speaker.zygote.pid is not None
            psutil.Process(speaker.zygote.pid).kill()
            said += b"".join([chunk async for chunk in chunks])
        assert said == whole
        assert await spoken(speaker, "One two three four five.") == whole
    finally:
        await speaker.close()
    with pytest.raises(EngineError, match="closed"):
        await spoken(speaker, "Too late.")


async def test_many_texts_at_once_are_all_spoken() -> None:
    speaker = LocalSpeaker(slots=2)
    try:
        said = await asyncio.gather(*(spoken(speaker, "Hello Alice.") for _ in range(10)))
        assert len(set(said)) == 1
    finally:
        await speaker.close()


async def test_speech_that_is_cancelled_stops_and_the_next_one_is_spoken() -> None:
    async with local() as parts:
        engine, ear = parts.engine(), Ear()
        await engine.open(CONTEXT, 16_000, ear)
        engine.send(Speak(reply=1, index=0, text="A long sentence. " * 100, last=True))
        async with asyncio.timeout(10):
            while not ear.said:  # noqa: ASYNC110 -- only the end has an event
                await asyncio.sleep(0)
        engine.send(Cancel())
        stopped = len(ear.said)
        engine.send(Speak(reply=2, index=0, text="Hello Alice.", last=True))
        await ear.ended.wait()
        assert ear.said[stopped:] == await spoken(parts.speaker, "Hello Alice.")
        await engine.close()


async def test_a_voice_that_does_not_exist_says_so() -> None:
    speaker = LocalSpeaker("no-such-voice")
    with pytest.raises(EngineError, match="speaking_worker"):
        await speaker.open()
    await speaker.close()


# -------------------------------------------------------------------------- lives and dies


async def test_nothing_is_left_after_closing() -> None:
    before = set(psutil.Process().children(recursive=True))
    async with local() as parts:
        engine = parts.engine()
        await engine.open(CONTEXT, 16_000, Ear())
        utterance = LocalListener(parts.recogniser).start(())
        utterance.push(silence(0.5, 16_000))
        await until_forked(parts.recogniser.zygote)
        started = set(psutil.Process().children(recursive=True)) - before
        assert len(started) >= 3
        utterance.drop()
        await engine.close()
        await parts.close()
    _, alive = await asyncio.to_thread(psutil.wait_procs, started, 10)
    assert alive == []


async def test_an_engine_may_be_made_before_its_parts_have_loaded() -> None:
    parts = LocalParts(Parrot())
    try:
        engine = parts.engine()
        await engine.open(CONTEXT, 16_000, Ear())
        assert parts.ready
        await engine.close()
    finally:
        await parts.close()
        await parts.close()


async def test_the_text_engine_needs_no_worker() -> None:
    engine = text_engine(Parrot())
    await engine.open(CONTEXT, 16_000, Ear())
    engine.send(Ask(turn=1, text="hello", context=CONTEXT))
    reader = aiter(engine)
    assert [await anext(reader) for _ in range(3)] == [
        Ready(),
        Used(tokens_in=count("hello"), tokens_out=count("hello")),
        Segment(turn=1, text="hello", last=True),
    ]
    await engine.close()


def test_missing_wheels_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenuto.engines.local.build.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"tenuto\[local\]"):
        LocalParts(Parrot())


HOST = """
import asyncio
from tenuto.engines.local.speaker import LocalSpeaker
from tenuto.engines.local.listener import LocalListener, Recogniser

async def main():
    speaker, recogniser = LocalSpeaker(), Recogniser()
    await asyncio.gather(speaker.open(), recogniser.start())
    utterance = LocalListener(recogniser).start(())
    utterance.push(bytes(32000))
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_host_and_say_nothing(death: signal.Signals) -> None:
    source = Path(__file__).parents[2] / "src"
    with subprocess.Popen(
        [sys.executable, "-c", HOST],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(source)},
        text=True,
    ) as host:
        assert host.stdout is not None and host.stderr is not None
        assert host.stdout.readline() == "ready\n"
        workers = psutil.Process(host.pid).children(recursive=True)
        assert len(workers) >= 2
        host.send_signal(death)
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
        assert "worker" not in host.stderr.read()


async def test_a_data_path_that_is_too_long_for_the_library_does_no_harm(tmp_path: Path) -> None:
    # The library ends its process when the path of its data has 160 characters or more.
    import espeakng_loader

    deep = tmp_path / ("deep" * 30) / ("er" * 30)
    deep.mkdir(parents=True)
    (deep / "espeakng_loader").symlink_to(Path(espeakng_loader.__file__).parent)
    assert len(str(deep)) > 160
    script = (
        f"import sys; sys.path.insert(0, {str(deep)!r})\n"
        "import asyncio\n"
        "from tenuto.engines.local.speaker import LocalSpeaker\n"
        "async def main():\n"
        "    speaker = LocalSpeaker()\n"
        "    print(len(b''.join([chunk async for chunk in speaker.speak('hello')])))\n"
        "    await speaker.close()\n"
        "asyncio.run(main())\n"
    )
    source = Path(__file__).parents[2] / "src"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(source)},
    )
    output, _ = await process.communicate()
    assert int(output) > 10_000


async def test_a_dead_worker_is_told_apart_from_one_that_said_all() -> None:
    recogniser = Recogniser()
    try:
        await recogniser.start()
        line = await recogniser.zygote.connect()
        (await until_forked(recogniser.zygote))[0].kill()
        with pytest.raises(EngineLost):
            await line.receive()
        line.send(b"A", b"too late")
        line.close()
        line.close()
    finally:
        await recogniser.close()
