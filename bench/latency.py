"""How long does a person wait, and how fast is a reply cut?

One session is spoken to at the speed of time, in process, through the wire. Decisions are timed where they are made: the
end of speech where the listener is told to finish, a barge-in at the detector's last frame before the reply is hushed.

Usage: python -m bench.latency
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import uvloop

from bench.harness import compare, report
from tenuto import Tenuto, TenutoConfig
from tenuto.audio.resample import resample
from tenuto.engines.cascade import CascadeEngine
from tenuto.engines.echo import EchoEngine
from tenuto.engines.local.brain.brain import Brain
from tenuto.engines.local.listener import LocalListener, Recogniser
from tenuto.engines.local.speaker import RATE as SPOKEN
from tenuto.engines.local.speaker import LocalSpeaker
from tenuto.engines.local.vad import load_vad
from tenuto.engines.parts import Endpointing, Parts, Utterance, Vad
from tenuto.host.engines import BuiltInEngines
from tenuto.security.grants import Admission
from tenuto.server.limits import Limits
from tenuto.session.ports import Ask, Capabilities, Engine
from tenuto.transports.carrier import Carrier
from tenuto.transports.websocket import NativeWire
from tenuto.wire import native

RATE = 16_000
FRAME = RATE // 50
ROUNDS = 12
QUESTIONS = ("my name is alice", "what is my name", "what can you do")
INTERRUPTION = "stop it please"


class Watch:
    """When things happened, in seconds of the performance counter."""

    def __init__(self) -> None:
        self.last_detected = 0.0
        self.first_speech = 0.0
        """When the first frame came of those that the detector takes for speech now; 0 when it hears none."""
        self.speech_ended = 0.0
        self.asked = 0.0
        self.first_spoken = 0.0
        self.first_heard = 0.0
        self.last_heard = 0.0
        self.hushed = 0.0


class TimedVad:
    """A detector whose last frame is timed."""

    def __init__(self, vad: Vad, watch: Watch) -> None:
        self._vad, self._watch = vad, watch

    def push(self, frame: bytes) -> float:
        came = time.perf_counter()
        share = self._vad.push(frame)
        watch = self._watch
        watch.last_detected = time.perf_counter()
        if share < Endpointing().threshold:
            watch.first_speech = 0.0
        else:
            watch.first_speech = watch.first_speech or came
        return share

    def reset(self) -> None:
        self._vad.reset()


class TimedUtterance:
    """An utterance whose end is timed."""

    def __init__(self, utterance: Utterance, watch: Watch) -> None:
        self._utterance, self._watch = utterance, watch
        self.push, self.drop = utterance.push, utterance.drop

    @property
    def partial(self) -> str:
        return self._utterance.partial

    async def finish(self) -> str:
        self._watch.speech_ended = time.perf_counter()
        return await self._utterance.finish()


class TimedListener(LocalListener):
    """A listener whose utterances are timed."""

    def __init__(self, recogniser: Recogniser, watch: Watch) -> None:
        super().__init__(recogniser)
        self._watch = watch

    def start(self, words: Sequence[str]) -> Any:
        return TimedUtterance(super().start(words), self._watch)


class TimedBrain(Brain):
    """A brain that is timed when it is asked."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def answer(self, ask: Ask) -> Any:
        self._watch.asked = time.perf_counter()
        return super().answer(ask)


class TimedSpeaker(LocalSpeaker):
    """A speaker whose first chunk is timed."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    async def speak(self, text: str, pace: float | None = None) -> AsyncGenerator[bytes, None]:
        async for chunk in super().speak(text, pace):
            self._watch.first_spoken = self._watch.first_spoken or time.perf_counter()
            yield chunk


class Local(BuiltInEngines):
    """The local engine with timed parts."""

    def __init__(self, config: TenutoConfig, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch
        self.recogniser, self.speaker = Recogniser(1), TimedSpeaker(watch)

    async def start(self) -> None:
        await asyncio.gather(self.recogniser.start(), self.speaker.open())

    def make(self, voice: bool) -> Engine:
        load = load_vad()
        return CascadeEngine(
            Parts(
                name="local",
                brain=TimedBrain(self._watch),
                vad=lambda: TimedVad(load(), self._watch),
                listener=TimedListener(self.recogniser, self._watch),
                speaker=self.speaker,
            )
        )

    async def close(self) -> None:
        await asyncio.gather(self.recogniser.close(), self.speaker.close())


class Echo(BuiltInEngines):
    """The echo engine."""

    @property
    def capabilities(self) -> Capabilities:
        return EchoEngine().capabilities

    def make(self, voice: bool) -> Engine:
        return EchoEngine()


class Client:
    """A socket's other end: marks what it is sent at once as heard, and times it."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.messages: asyncio.Queue[native.ToClient] = asyncio.Queue()
        self.sounding = asyncio.Event()

    def send_text(self, data: bytes) -> None:
        message = native.decode_server(data)
        if isinstance(message, native.Hush):
            self.watch.hushed = time.perf_counter()
        self.messages.put_nowait(message)

    def send_binary(self, data: bytes) -> None:
        self.watch.last_heard = time.perf_counter()
        self.watch.first_heard = self.watch.first_heard or self.watch.last_heard
        self.sounding.set()

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        assert code == native.CloseCode.DRAINING, reason

    async def wait_for(self, kind: str) -> None:
        """Wait for an event of this kind."""
        needle = f'"type":"{kind}"'.encode()
        while True:
            message = await self.messages.get()
            if isinstance(message, native.EventFrame) and needle in bytes(message.event)[:60]:
                return


async def attach(tenuto: Tenuto, watch: Watch) -> tuple[NativeWire, Client]:
    """Attach to a new session with a microphone and a loudspeaker."""
    session = await tenuto.create_session()

    def admit(ticket: str, message: native.Attach) -> Admission:
        return Admission(tenant="local", session=message.session, role=message.role)

    wire = NativeWire(tenuto, admit, Limits(audio_rate=1 << 24, audio_burst=1 << 24))
    client: Carrier = Client(watch)
    wire.opened(client)
    hello = native.Attach(
        session=session.session_id,
        client="bench",
        mic=native.Mic(stream="m", rate=RATE),
        loudspeaker=native.Loudspeaker(),
    )
    wire.text(native.encode(hello))
    assert isinstance(client, Client)
    await client.wait_for("engine.ready")
    return wire, client


class Microphone:
    """Gives a wire frames at the speed of time: what is to be said, and quiet."""

    def __init__(self, wire: NativeWire) -> None:
        self.speech = bytearray()
        self._wire, self._task = wire, asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        begun, offset = time.perf_counter(), 0
        while True:
            frame = bytes(self.speech[: 2 * FRAME]).ljust(2 * FRAME, b"\0")
            del self.speech[: 2 * FRAME]
            self._wire.binary(native.audio(native.MICROPHONE, 0, offset, frame))
            offset += FRAME
            await asyncio.sleep(max(0.0, begun + offset / RATE - time.perf_counter()))

    def stop(self) -> None:
        """Say nothing more."""
        self._task.cancel()


async def local(folder: Path) -> list[dict[str, Any]]:
    """Ask, wait for the answer, and interrupt it, some times."""
    watch = Watch()
    config = TenutoConfig(store=f"sqlite:///{folder}/local.db")
    engines = Local(config, watch)
    found: dict[str, list[float]] = {
        "answer": [],
        "think": [],
        "cut": [],
        "speech": [],
        "sound": [],
    }
    async with Tenuto(config, engines=engines) as tenuto:
        await engines.start()

        async def recorded(text: str) -> bytes:
            pcm = b"".join([chunk async for chunk in LocalSpeaker.speak(engines.speaker, text)])
            return resample(pcm, SPOKEN, RATE)

        questions = [await recorded(text) for text in QUESTIONS]
        interruption = await recorded(INTERRUPTION)
        onset = (
            next(i for i, s in enumerate(memoryview(interruption).cast("h")) if abs(s) > 500) / RATE
        )
        wire, client = await attach(tenuto, watch)
        microphone = Microphone(wire)
        for turn in range(ROUNDS):
            watch.first_heard = watch.first_spoken = 0.0
            client.sounding.clear()
            microphone.speech += questions[turn % len(questions)]
            await client.wait_for("reply.started")
            await client.sounding.wait()
            found["answer"].append((watch.first_heard - watch.speech_ended) * 1e3)
            found["think"].append((watch.first_spoken - watch.asked) * 1e3)
            await asyncio.sleep(0.6)
            began = time.perf_counter()
            microphone.speech += interruption
            await client.wait_for("reply.cut")
            found["cut"].append(max(0.0, watch.last_heard - watch.last_detected) * 1e3)
            found["speech"].append((watch.last_heard - watch.first_speech) * 1e3)
            found["sound"].append((watch.last_heard - began - onset) * 1e3)
            await client.wait_for("reply.started")
            wire.text(b'{"type":"command","number":%d,"do":{"type":"stop_reply"}}' % (turn + 1))
            await client.wait_for("reply.cut")
            await asyncio.sleep(0.3)
        microphone.stop()
    return [
        compare("ms from end of speech (decision) to first audio, local", found["answer"]),
        compare("ms of brain and synthesis together", found["think"], at_most=50),
        compare("ms from barge-in decision to last audio frame, local", found["cut"], at_most=1),
        compare("ms from first speech frame to last audio frame", found["speech"], at_most=150),
        compare("ms from first sound of the person to last audio frame", found["sound"]),
    ]


async def echo(folder: Path) -> list[dict[str, Any]]:
    """Send a frame and have it back, and hush what plays."""
    watch = Watch()
    config = TenutoConfig(store=f"sqlite:///{folder}/echo.db", engine="echo")
    took = []
    async with Tenuto(config, engines=Echo(config)) as tenuto:
        wire, _ = await attach(tenuto, watch)
        for number in range(2_000):
            frame = native.audio(native.MICROPHONE, 0, number * FRAME, bytes(2 * FRAME))
            begun = time.perf_counter()
            wire.binary(frame)
            took.append((watch.last_heard - begun) * 1e3)
            if number % 100 == 99:
                await asyncio.sleep(0)
    return [compare("ms from a frame in to the same frame out, echo", took)]


async def measure() -> list[dict[str, Any]]:
    """Measure both engines."""
    with tempfile.TemporaryDirectory() as folder:
        return [*await local(Path(folder)), *await echo(Path(folder))]


def main() -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(measure())
    return report("latency", results)


if __name__ == "__main__":
    raise SystemExit(not main())
