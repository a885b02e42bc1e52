"""A scripted conversation over `tenuto.v1` that is the same whatever happens to the connection, and what must hold of it.

`Person` speaks into a real client, types, listens, and speaks over a reply that is too long. What they do next depends on
what they heard and were told, never on the time: a conversation that is interrupted goes on where it was. `Outcome` is what
came of it, in the journal, at the client and at the ear; `Outcome.check` holds it against that of an undisturbed run.
"""

import asyncio
import contextlib
import logging
import re
from array import array
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TypeVar

from tenuto import events as e
from tenuto.client.client import Client
from tenuto.client.items import Happened, Item, Restored
from tenuto.session import ports
from tenuto.session.config import SessionConfig
from tenuto.session.fold import State, apply
from tenuto.session.state import Turn
from tenuto.stores import rows
from tenuto.testing.engine import Script, ScriptedEngine, Step, voice
from tenuto.testing.timeline import timeline
from tenuto.wire import native

E = TypeVar("E", bound=e.Event)

RATE = 8_000
"""Hertz of everything."""
SESSION = "the-session"
CONFIG = SessionConfig(greeting="Hi.")
OPENING = 0.1
"""Seconds that an engine takes to open."""
TYPED = "Go on"
LONG = "Donaudampfschifffahrtsgesellschaft is a long word in any language."
"""The segment that is interrupted in its first word, which takes 1.7 s: it is not heard, wherever in it the cut is."""
BARGE_IN = 0.25
"""Seconds of that segment that are heard before somebody speaks over it."""
LATE = 0.3
"""Seconds of it that may be heard after that, at most, for each connection: what was sent ahead."""
LIMIT = 150.0
"""Seconds that a conversation may take."""


class SlowEngine(ScriptedEngine):
    """One that takes a while to open."""

    async def open(self, context: ports.Context, rate: int, audio: ports.AudioOut) -> None:
        await asyncio.sleep(OPENING)
        await super().open(context, rate, audio)


class Talk(Script):
    """What is said, for all links of the session; it stands in for a host's `Engines`."""

    capabilities = ports.Capabilities(name="scripted", hears=RATE, speaks=RATE, continues=True)

    def __init__(self) -> None:
        name = [("The user's name is Alice.", "name", "Alice")]
        super().__init__(
            Step(hear="I am Alice", say=["Hello,", "Alice."], seconds=0.35, delay=0.05, learn=name),
            Step(hear=TYPED, say=["More?"], delay=0.05),
            Step(hear="Sing", say=["La", LONG], seconds=0.27, delay=0.02),
            Step(hear="Stop", say=["Yes."], seconds=0.31),
        )
        self.reached: Callable[[str], None] = lambda what: None
        """Is told `told` before an engine tells something, by engines that say so."""

    def make(self, voice: bool = True) -> ScriptedEngine:
        engine = SlowEngine(self)
        self.links.append(engine)
        return engine

    def drop(self) -> None:
        """Lose the link that was opened last."""
        self.links[-1].fail("dropped")


WHOLE = (["Hi."], ["Hello,", "Alice."], ["More?"], ["La"])
"""What is heard to its end before the segment that is interrupted: the segments of each reply."""
VOICES = [b"".join(voice(text, RATE) for text in reply) for reply in WHOLE]
BEFORE, AFTER = b"".join(VOICES), voice("Yes.", RATE)
HEARD = [total // 2 for total in accumulate(map(len, VOICES))]
"""Samples after each of them."""

HISTORY = [
    ("agent", "Hi.", "", "voice", 1),
    ("user", "I am Alice", "", "voice", 2),
    ("agent", "Hello, Alice.", "", "voice", 2),
    ("user", TYPED, "", "text", 3),
    ("agent", "More?", "", "voice", 3),
    ("user", "Sing", "", "voice", 4),
    ("agent", "La", f"La {LONG}", "voice", 4),
    ("user", "Stop", "", "voice", 5),
    ("agent", "Yes.", "", "voice", 5),
]
"""What comes of it: who said it, what was heard and what was said of it, how, in which turn."""


class Person:
    """Somebody with a client, a microphone and a loudspeaker.

    Args:
        talk: The script.
        frame: Seconds that the microphone gives at a time.
        patient: Whether they wait, before they go on, to be told that a reply is over; if not, hearing it is enough.
    """

    def __init__(self, talk: Talk, frame: float, *, patient: bool = True) -> None:
        self.items: list[Item] = []
        """What the client told, in order."""
        self.heard = bytearray()
        """What came out of the loudspeaker, without the silence."""
        self.pauses = 0
        """How often there was silence after sound."""
        self.answers = 0
        """Messages of the agent that the client told."""
        self.positions: list[int] = []
        """Of the commands, in the order in which they were acknowledged."""
        self._talk, self._frame, self._patient = talk, frame, patient
        self._voice = bytearray()
        self._sounds = False
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def at(self, client: Client) -> AsyncIterator[None]:
        """Hold a client that plays to `play`, from its beginning to its end."""
        async with client:
            reading = asyncio.create_task(self._read(client))
            breathing = asyncio.create_task(self._breathe(client))
            try:
                yield
            finally:
                breathing.cancel()
                await client.close()
                await asyncio.gather(reading, breathing, return_exceptions=True)

    def play(self, pcm: bytes) -> None:
        """Hear what comes out of the loudspeaker."""
        samples = array("h", pcm)
        if not any(samples):
            self.pauses += self._sounds
            self._sounds = False
            return
        self._sounds = samples[-1] != 0
        self.heard += array("h", (sample for sample in samples if sample)).tobytes()
        self._news.set()

    async def converse(self, client: Client) -> None:
        """Have the conversation, to the end of the last reply."""
        async with asyncio.timeout(LIMIT):
            await self._over(1)
            self._say(1)
            await self._over(2)
            self.positions.append(await client.send(native.SendMessage(text=TYPED)))
            await self._over(3)
            self._say(3)
            await self._until(samples=len(BEFORE) // 2 + round(BARGE_IN * RATE))
            self._say(4)
            await self._until(answers=5)

    def _say(self, step: int) -> None:
        self._voice += self._talk.speech(step, RATE)

    async def _over(self, reply: int) -> None:
        if self._patient:
            await self._until(answers=reply)
        else:
            await self._until(samples=HEARD[reply - 1])
            await asyncio.sleep(0.3)

    async def _until(self, answers: int = 0, samples: int = 0) -> None:
        while self.answers < answers or len(self.heard) < 2 * samples:
            self._news.clear()
            await self._news.wait()

    async def _read(self, client: Client) -> None:
        async for item in client:
            self.items.append(item)
            if isinstance(item, Happened) and isinstance(item.event, e.MessageAdded):
                self.answers += item.event.role == "agent"
                self._news.set()

    async def _breathe(self, client: Client) -> None:
        """Give the client what the microphone hears, at the speed of time."""
        loop = asyncio.get_running_loop()
        size, began, frames = 2 * round(self._frame * RATE), loop.time(), 0
        while True:
            frames += 1
            await asyncio.sleep(max(0.0, began + frames * self._frame - loop.time()))
            pcm = bytes(self._voice[:size])
            del self._voice[:size]
            client.hear(pcm.ljust(size, b"\0"))


OF_CONNECTIONS = (
    e.SessionRestored,
    e.SessionParked,
    e.AttachmentAttached,
    e.AttachmentDetached,
    e.PlaybackMarked,
    e.EngineReady,
    e.EngineLost,
)
"""What a connection that is lost, an engine or a host adds to a journal."""
_VARIES = re.compile(r" (offset|until|turn|heard|mic)=\S+")


@dataclass
class Outcome:
    """What came of one conversation."""

    journal: Sequence[tuple[int, e.Event]]
    bodies: dict[int, bytes]
    """The journal's rows, as bytes."""
    person: Person
    problems: list[str]
    """What somebody complained of on the way: an engine that was asked wrongly, a log, a task that was left."""
    connections: int
    counts: dict[str, int] = field(default_factory=dict)
    """What was counted on the way: the frames of the first connection that were delivered each way, the appends."""

    @property
    def history(self) -> list[tuple[object, ...]]:
        """The messages, as `HISTORY`. Turns that came to nothing are not counted."""
        turns: dict[int, int] = {}
        return [
            (m.role, m.text, m.said, m.by, turns.setdefault(m.turn, len(turns) + 1))
            for m in self._events(e.MessageAdded)
        ]

    @property
    def story(self) -> str:
        """The journal as text: without what connections and hosts add to it, lost speech and times."""
        lost = {end.turn for end in self._events(e.SpeechEnded) if end.reason == "lost"}
        kept = [
            event
            for _, event in self.journal
            if not isinstance(event, OF_CONNECTIONS)
            and not (isinstance(event, e.SpeechStarted | e.SpeechEnded) and event.turn in lost)
        ]
        lines = timeline(enumerate(kept, 1)).splitlines()
        return "\n".join(_VARIES.sub("", line[16:]) for line in lines if line[:1] == " ")

    def check(self, uncut: "Outcome") -> None:
        """Hold this outcome to everything that was promised.

        Raises:
            AssertionError: It was not kept.
        """
        assert not self.problems, "\n".join(self.problems)
        assert self.history == uncut.history, f"the history is {self.history}"
        self._check_events()
        self._check_sound()
        caused = [at for at, event in self.journal if event.cause]
        assert caused == self.person.positions, "the command was not carried out exactly once"
        ends = [end.reason for end in self._events(e.SpeechEnded) if end.reason != "lost"]
        assert ends == ["pause"] * 3, f"speeches ended by {ends}"
        assert self.story == uncut.story, f"another story:\n{self.story}"
        # Each reply has a pause after it, and each connection may add one.
        assert self.person.pauses <= uncut.person.pauses + self.connections, "replies in pieces"

    def _events(self, kind: type[E]) -> Iterator[E]:
        return (event for _, event in self.journal if isinstance(event, kind))

    def _check_events(self) -> None:
        told = [item for item in self.person.items if isinstance(item, Happened | Restored)]
        positions = [item.position for item in told]
        assert all(b == a + 1 for a, b in pairwise(positions)), f"told out of order: {positions}"
        anew = [item for item in told[1:] if isinstance(item, Restored)]
        assert not anew, "a client that knew where it was, was told all anew"
        for item in told:
            if isinstance(item, Happened):
                assert self.bodies.get(item.position) == item.body, f"told, and lost: {item.event}"
        assert positions[-1] >= max(at for at, m in self.journal if isinstance(m, e.MessageAdded))
        state = State()
        for _, event in self.journal:
            apply(state, event)
        assert (state.here, state.turn, state.reply, state.speech) == ({}, Turn.IDLE, None, None)

    def _check_sound(self) -> None:
        heard = bytes(self.person.heard)
        assert heard[: len(BEFORE)] == BEFORE, difference(heard, BEFORE)
        assert heard.endswith(AFTER), "the last reply was not heard as it was said"
        between = heard[len(BEFORE) : len(heard) - len(AFTER)]
        assert voice(LONG, RATE).startswith(between), "the interrupted reply was not heard in order"
        seconds = len(between) / 2 / RATE
        most = BARGE_IN + LATE * self.connections
        assert BARGE_IN <= seconds <= most, f"{seconds} s of the interrupted reply"
        (cut,) = self._events(e.ReplyCut)
        truth = seconds + len(VOICES[-1]) / 2 / RATE
        assert abs(cut.heard - truth) <= 0.3, f"{truth} s were heard, the journal has {cut.heard}"


def difference(heard: bytes, wanted: bytes) -> str:
    """Say where two stretches of audio differ, in words."""
    pairs = enumerate(zip(heard, wanted, strict=False))
    at = next((index for index, (one, other) in pairs if one != other), len(heard))
    return f"what was heard is another from {at / 2 / RATE:.3f} s on"


async def outcome(
    store: ports.Store, person: Person, problems: list[str], connections: int
) -> Outcome:
    """Read what came of a conversation."""
    found = await store.read(ports.Read(session=SESSION, limit=10_000))
    return Outcome(
        journal=[(row.position, rows.to_event(row)) for row in found],
        bodies={row.position: row.body for row in found},
        person=person,
        problems=problems,
        connections=connections,
    )


class Ear(logging.Handler):
    """Listens to what `tenuto` logs, and to what fails unseen in the loop, while it is entered.

    Args:
        problems: Where they are written down.
        level: From which on a record is one.
    """

    def __init__(self, problems: list[str], level: int) -> None:
        super().__init__(level)
        self._problems = problems

    def __enter__(self) -> "Ear":
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: self._problems.append(f"in the loop: {context}")
        )
        logging.getLogger("tenuto").addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("tenuto").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._problems.append(f"logged: {self.format(record)}")


async def left_behind() -> list[str]:
    """Return the tasks that are there beside this one, once those that were cancelled had their turn."""
    for _ in range(10):
        await asyncio.sleep(0)
    return [f"left behind: {task}" for task in asyncio.all_tasks() - {asyncio.current_task()}]
