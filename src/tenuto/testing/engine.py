"""A strict engine that plays a script: no model, no randomness, the same conversation every time.

A `Script` is a list of steps. Each says what the user says and what the engine answers. Its engines fail on a request that
the script does not expect, and `Script.check` fails on a step that never came: a test that passes has asked for exactly
what it says.

Speech is made of numbers, so that a conversation can be driven by audio frames. Zero is silence; a constant sample of
`LOUDNESS` times *k* is somebody saying the *k*-th step. The engine knows from the frames alone which text was said, on any
link, after any reconnect. When a step names its `seconds`, audio that was lost or came twice shows in the text: the
history of the test is then not equal to that of an uncut run.

The engine's own voice is a function of the text (`voice`), so that a test can say which samples must come out of the
loudspeaker, and in which order.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from tenuto.errors import EngineError
from tenuto.session.ports import (
    AlarmDropped,
    AlarmWanted,
    Ask,
    AudioOut,
    Cancel,
    Capabilities,
    Configure,
    Configured,
    Context,
    EngineEvent,
    Failed,
    Finish,
    Forgot,
    Learned,
    Partial,
    Ready,
    Request,
    Ring,
    Segment,
    Speak,
    SpeechBegan,
    SpeechFinished,
)

LOUDNESS = 64
"""Times the number of the step is the sample value of its speech; so there may be 500 steps."""
PAUSE = 0.3
"""Seconds of silence that end a speech."""
PACE = 0.05
"""Seconds of audio for each character that the engine speaks."""
CHUNK = 0.1
"""Seconds of audio that are given to `AudioOut.play` at a time."""
AHEAD = 5.0
"""Seconds of queued audio at which the engine waits."""
EVENTS = 1_000
"""Events that may wait for the session; one more is a failure."""


class ScriptError(AssertionError):
    """The session asked for something that is not in the script, or did not ask for something that is."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One exchange: what the user says, and what the engine does about it."""

    hear: str
    """What the user says, in speech or in writing; for an alarm, its text."""
    say: Sequence[str] = ()
    """The segments of the answer."""
    ring: bool = False
    """Whether it is an alarm that rings, and not the user who speaks."""
    seconds: float | None = None
    """How long the user's speech is; see the module's docstring. None for any length."""
    delay: float = 0.0
    """Seconds until the first segment, and again between segments."""
    learn: Sequence[tuple[str, str, str]] = ()
    """Memories to add, each (content, key, value), before the first segment."""
    forget: Sequence[int] = ()
    """Memories to remove, by number."""
    alarms: Sequence[tuple[float, str]] = ()
    """Alarms to set, each (seconds from now, text)."""
    drop_alarms: Sequence[int] = ()
    """Alarms to cancel, by number."""
    cites: Sequence[int] = ()
    """Turns that every segment cites."""
    fail: str = ""
    """Why the link fails after the last segment; empty when it does not. The last segment is then not marked as such."""


class Script:
    """What is said in a conversation, for all links of a session.

    Args:
        steps: In the order in which they come. A turn that is asked again, as after a crash, gets its step again.
        ordered: Whether the steps must come in this order. If not, each may come any time and any number of times.

    Example:
        script = Script(
            Step(hear="My name is Alice", say=["Nice to meet you, Alice."], seconds=0.8),
            Step(hear="What's my name?", say=["Alice."], delay=0.2),
        )
        engine = script.engine()
        ...
        script.check()
    """

    capabilities = Capabilities(name="scripted", hears=16_000, speaks=16_000, continues=True)
    """Of the engines, where `engine` is not told others."""

    def __init__(self, *steps: Step, ordered: bool = True) -> None:
        if len(steps) * LOUDNESS > 32_000:
            raise ValueError(f"A script has {32_000 // LOUDNESS} steps at most.")
        self.steps = steps
        """In the order in which they come."""
        self.links: list[ScriptedEngine] = []
        """Every engine that was made, oldest first."""
        self.problems: list[str] = []
        """What was asked for against the script."""
        self._ordered = ordered
        self._next = 0
        self._turns: dict[int, Step] = {}

    def engine(
        self, capabilities: Capabilities | None = None, *, refuse: str = ""
    ) -> "ScriptedEngine":
        """Make the engine of one link: what a host is given to make engines with.

        Args:
            capabilities: Other than the script's: hears and speaks at 16 kHz, and speaks on after a cut.
            refuse: Why `open` raises `EngineError`; empty when it does not.
        """
        engine = ScriptedEngine(self, capabilities, refuse=refuse)
        self.links.append(engine)
        return engine

    def make(self, voice: bool = True) -> "ScriptedEngine":
        """Make an engine, with or without a `voice`: with `start` and `close`, a script is the `Engines` of a host."""
        return self.engine()

    async def start(self) -> None:
        """Do nothing: a script shares nothing between links."""

    async def close(self) -> None:
        """Do nothing."""

    def speech(self, step: int, rate: int, seconds: float | None = None) -> bytes:
        """Return the microphone's audio of a step, without the pause that ends it.

        Args:
            step: Which one, from 1.
            rate: Hertz.
            seconds: How long; the step's own `seconds`, or 1, when None.
        """
        length = seconds if seconds is not None else self.steps[step - 1].seconds or 1.0
        return (step * LOUDNESS).to_bytes(2, "little", signed=True) * round(length * rate)

    def silence(self, rate: int, seconds: float = PAUSE) -> bytes:
        """Return so many seconds of silence at a rate in hertz; the default is just enough to end a speech."""
        return bytes(2 * round(seconds * rate))

    def take(self, text: str, turn: int, *, ring: bool = False) -> Step:
        """Return the step that answers a request, and count it as played.

        Args:
            text: What was said, or is to be told.
            turn: The turn that it was said in.
            ring: Whether an alarm asks, and not somebody.

        Raises:
            ScriptError: The script has no such step now.
        """
        if turn in self._turns:
            return self._turns[turn]
        what = f"{'alarm' if ring else 'turn'} {turn}: {text!r}"
        if self._ordered:
            found = self.steps[self._next] if self._next < len(self.steps) else None
            if found is None or (found.hear, found.ring) != (text, ring):
                expected = "the end" if found is None else f"{found.hear!r}"
                self._wrong(f"{what} came, but the script has {expected} (step {self._next + 1})")
        else:
            found = next((s for s in self.steps if (s.hear, s.ring) == (text, ring)), None)
            if found is None:
                self._wrong(f"{what} came, which is not in the script")
        self._next += 1
        self._turns[turn] = found
        return found

    def check(self) -> None:
        """Fail if something was asked for against the script, or if a step of an ordered script was not played.

        Raises:
            ScriptError: With everything that is wrong.
        """
        left = self.steps[self._next :] if self._ordered else ()
        problems = [*self.problems, *(f"never came: {step.hear!r}" for step in left)]
        if problems:
            raise ScriptError("\n".join(problems))

    def _wrong(self, problem: str) -> NoReturn:
        self.problems.append(problem)
        raise ScriptError(problem)


class ScriptedEngine:
    """One link that plays a script. Made by `Script.engine`."""

    def __init__(
        self, script: Script, capabilities: Capabilities | None = None, *, refuse: str = ""
    ) -> None:
        self.context: Context | None = None
        """What it was opened with; None before."""
        self.goes_by: Context | None = None
        """The newest that it was given, when it was opened or by `Configure`; None before."""
        self.requests: list[Request] = []
        """Everything that was asked of it."""
        self.closed = False
        self._capabilities = capabilities or script.capabilities
        self._script = script
        self._refuse = refuse
        self._events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._ear = _Ear(script, self._give)
        self._audio: AudioOut | None = None
        self._rate = 0
        self._to_speak: deque[Speak] = deque()
        self._mind: asyncio.Task[None] | None = None
        self._mouth: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def temperature(self) -> float | None:
        """What a provider would be sent: the temperature of the settings, within what it accepts."""
        return self.capabilities.clamped(self.goes_by.temperature) if self.goes_by else None

    async def open(self, context: Context, rate: int, audio: AudioOut) -> None:
        """Begin; ready at once.

        Raises:
            EngineError: It was made to refuse.
            ScriptError: It was opened before, or closed: a link is never used again.
        """
        if self.context is not None or self.closed:
            self._wrong("a link was opened twice")
        if self._refuse:
            raise EngineError(self._refuse)
        self.context = self.goes_by = context
        self._audio = audio
        self._rate = self._capabilities.speaks or rate
        self._ear.rate = rate
        self._give(Ready())

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Take one frame of the microphone; see the module's docstring for what speech is."""
        self._ear.hear(pcm, offset)

    def send(self, request: Request) -> None:
        """Take a request.

        Raises:
            ScriptError: The script does not expect it.
        """
        if self.context is None or self.closed:
            self._wrong(f"{type(request).__name__} came while the link was not open")
        self.requests.append(request)
        match request:
            case Ask(turn=turn, text=text, spoken=spoken):
                self._think(self._script.take(text, turn), turn, spoken, request.context.now)
            case Ring(turn=turn, alarm=alarm):
                step = self._script.take(alarm.text, turn, ring=True)
                self._think(step, turn, (), request.context.now)
            case Speak():
                self._to_speak.append(request)
                if self._mouth is None or self._mouth.done():
                    self._mouth = self._own(self._speak())
            case Cancel():
                self._to_speak.clear()
                for task in self._tasks:
                    task.cancel()
                self._mind = self._mouth = None
            case Finish():
                self._ear.finish("stopped")
            case Configure(context=context):
                if self.goes_by is not None and context.version < self.goes_by.version:
                    self._wrong(f"settings {context.version} came after {self.goes_by.version}")
                self.goes_by = context
                self._give(Configured(version=context.version))

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        """End the iteration. Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._events.put_nowait(None)

    def fail(self, reason: str) -> None:
        """Lose the link now for that reason, as by a provider that hangs up."""
        self._give(Failed(reason=reason))
        self._events.put_nowait(None)

    # ---------------------------------------------------------------------------------------------------------- inside

    def _give(self, event: EngineEvent) -> None:
        if self._events.qsize() >= EVENTS:
            self._wrong(f"the session left {EVENTS} events unread")
        self._events.put_nowait(event)

    def _think(self, step: Step, turn: int, spoken: Sequence[str], now: float) -> None:
        if self._mind is not None and not self._mind.done():
            self._wrong(f"turn {turn} was asked while another answer was being made")
        if list(spoken) != list(step.say)[: len(spoken)]:
            self._wrong(f"turn {turn} goes on after {list(spoken)!r}, which was never said")
        self._mind = self._own(self._answer(step, turn, len(spoken), now))

    async def _answer(self, step: Step, turn: int, skip: int, now: float) -> None:
        if step.delay:
            await asyncio.sleep(step.delay)
        if not skip:
            for content, key, value in step.learn:
                self._give(Learned(turn=turn, content=content, key=key, value=value))
            for memory in step.forget:
                self._give(Forgot(turn=turn, memory=memory))
            for seconds, text in step.alarms:
                self._give(AlarmWanted(turn=turn, due=now + seconds, text=text))
            for alarm in step.drop_alarms:
                self._give(AlarmDropped(turn=turn, alarm=alarm))
        for index in range(skip, len(step.say)):
            if index > skip and step.delay:
                await asyncio.sleep(step.delay)
            last = index == len(step.say) - 1 and not step.fail
            self._give(Segment(turn=turn, text=step.say[index], last=last, cites=tuple(step.cites)))
        if step.fail:
            self.fail(step.fail)
        elif skip >= len(step.say):
            self._give(Segment(turn=turn, text="", last=True))

    async def _speak(self) -> None:
        assert self._audio is not None
        while self._to_speak:
            request = self._to_speak.popleft()
            pcm = voice(request.text, self._rate)
            size = 2 * round(CHUNK * self._rate)
            for start in range(0, len(pcm), size):
                while self._audio.queued() > AHEAD:  # noqa: ASYNC110 -- the port has no event to wait for
                    await asyncio.sleep(CHUNK)
                last = start + size >= len(pcm)
                self._audio.play(request.reply, request.index, pcm[start : start + size], last)
            if not pcm:
                self._audio.play(request.reply, request.index, b"", True)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _wrong(self, problem: str) -> NoReturn:
        self._script.problems.append(problem)
        raise ScriptError(problem)


@dataclass
class _Ear:
    """Finds speech in frames; see the module's docstring."""

    script: Script
    give: "_Give"
    rate: int = 16_000
    _at: int = 0
    """The sample after the last one that was heard."""
    _step: int = 0
    """The step that is being said; 0 while nothing is."""
    _said: int = 0
    """Samples of it that were heard."""
    _until: int = 0
    """The sample after the last one of speech."""

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        known = max(0, self._at - offset)
        frame = bytes(pcm)[2 * known :]
        if not frame:
            return
        at = max(offset, self._at)
        self._at = at + len(frame) // 2
        while frame:
            value = int.from_bytes(frame[:2], "little", signed=True)
            run = _run(frame)
            self._sound(round(value / LOUDNESS), at, run)
            at, frame = at + run, frame[2 * run :]

    def finish(self, reason: str, until: int | None = None) -> None:
        if not self._step:
            return
        step, self._step = self._step, 0
        text = f"(step {step} of {len(self.script.steps)})"
        if step <= len(self.script.steps):
            text = self.script.steps[step - 1].hear
            wanted = self.script.steps[step - 1].seconds
            if wanted is not None and abs(self._said - wanted * self.rate) > 1:
                text += f" [heard {self._said / self.rate:.3f} of {wanted:.3f} s]"
        self.give(Partial(text=text))
        self.give(
            SpeechFinished(until=self._at if until is None else until, text=text, reason=reason)
        )

    def _sound(self, step: int, at: int, samples: int) -> None:
        if step:
            if step != self._step:
                self.finish("pause", at)
                self._step, self._said = step, 0
                self.give(SpeechBegan(offset=at))
            self._said += samples
            self._until = at + samples
        elif self._step and at + samples - self._until >= PAUSE * self.rate:
            self.finish("pause", self._until + round(PAUSE * self.rate))


class _Give(Protocol):
    """A function that takes an event."""

    def __call__(self, event: EngineEvent) -> None: ...


def voice(text: str, rate: int, pace: float = PACE) -> bytes:
    """Return how the engine says a text: a square wave whose pitch and loudness are made from the text.

    Args:
        text: What is said.
        rate: Hertz.
        pace: Seconds for each character.
    """
    mark = zlib.crc32(text.encode())
    half = 10 + mark % 23
    up = (1_000 + mark % 4_001).to_bytes(2, "little", signed=True)
    down = (-1_000 - mark % 4_001).to_bytes(2, "little", signed=True)
    samples = round(len(text) * pace * rate)
    wave = (up * half + down * half) * (samples // (2 * half) + 1)
    return wave[: 2 * samples]


def _run(frame: bytes) -> int:
    """Return how many samples at the beginning are the same."""
    first = frame[:2]
    if frame == first * (len(frame) // 2):
        return len(frame) // 2
    run = 1
    while frame[2 * run : 2 * run + 2] == first:
        run += 1
    return run
