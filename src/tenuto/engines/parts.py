"""The small parts of a cascade, as Protocols. A better one of each plugs in without the others
knowing.

    microphone -> Vad -> Listener -> Brain -> Speaker -> person

Audio is 16-bit signed little-endian PCM, one channel; what is heard has 16,000 Hz. `Vad` is
synchronous, because it runs in the audio lane; everything that may take longer than a millisecond
is asynchronous.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from tenuto.session.ports import (
    AlarmDropped,
    AlarmWanted,
    Ask,
    Forgot,
    Learned,
    Ring,
    Segment,
)

RATE = 16_000
"""The rate of what a cascade hears, in Hz."""

FRAME = 512
"""The frame that a `Vad` is given, in samples: 32 ms."""

Answer = Segment | Learned | Forgot | AlarmWanted | AlarmDropped
"""What a brain gives: what it says, and what changes because of it."""

Answers = Iterable[Answer] | AsyncIterable[Answer]
"""A whole answer, part by part."""


class Vad(Protocol):
    """Tells speech from everything else, for one stream."""

    def push(self, frame: bytes) -> float:
        """Take the next frame, of `FRAME` samples, and return how probable speech is in it, 0
        to 1.
        """
        ...

    def reset(self) -> None:
        """Forget the stream: what comes next does not follow on what came before."""
        ...


class Utterance(Protocol):
    """One stretch of speech on its way to becoming text."""

    @property
    def partial(self) -> str:
        """What was understood so far; empty until something was."""
        ...

    def push(self, pcm: bytes) -> None:
        """Take more of it. Returns at once."""
        ...

    async def finish(self) -> str:
        """Return what was said; empty when nothing was understood or recognition failed. Nothing is
        pushed after it.
        """
        ...

    def drop(self) -> None:
        """Let go of it, at any time. Safe to call twice and after `finish`."""
        ...


class Listener(Protocol):
    """Turns speech into text, for one link of one session."""

    async def open(self) -> None:
        """Get ready.

        Raises:
            EngineError: It cannot listen.
        """
        ...

    def start(self, words: Sequence[str]) -> Utterance:
        """Begin an utterance. `words` are names and phrases that the session knows and that may
        well be said.
        """
        ...


class Brain(Protocol):
    """Answers. A brain keeps no state of its own: all that it knows is in what it is given.

    It is always asked for the whole answer: the cascade empties `Ask.spoken`, and leaves out what was said and learned
    before. The same question in the same context gives the same segments. The last segment is marked `last`.
    """

    def answer(self, ask: Ask) -> Answers:
        """Answer a turn."""
        ...

    def ring(self, ring: Ring) -> Answers:
        """Say that an alarm is due."""
        ...


class Speaker(Protocol):
    """Turns text into speech."""

    @property
    def rate(self) -> int:
        """The rate of its audio, in Hz."""
        ...

    async def open(self) -> None:
        """Get ready.

        Raises:
            EngineError: It cannot speak.
        """
        ...

    def speak(self, text: str, pace: float | None = None) -> AsyncGenerator[bytes, None]:
        """Return the audio of a text, chunk by chunk. The same text at the same pace gives the same audio.

        Args:
            pace: Words a minute that the user speaks, so that the voice may keep up with them; None for its own pace.

        Raises:
            EngineError: It stopped in the middle.
        """
        ...


class Endpointing(msgspec.Struct, frozen=True, kw_only=True):
    """When speech begins and when it is over."""

    threshold: float = 0.5
    """A frame is speech from this probability on, 0 to 1."""
    start: float = 0.096
    """Seconds of speech, without a break, that begin an utterance."""
    pre_roll: float = 0.3
    """Seconds before these that are listened to as well, so that no first sound is lost."""
    end: float = 0.512
    """Seconds without speech that end an utterance."""
    limit: float = 30.0
    """Seconds after which an utterance ends in any case."""
    partials: float = 0.2
    """Seconds of audio between two partial transcripts, at least."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a cascade is made of. Without a listener it does not hear, without a speaker it does not
    speak.
    """

    name: str
    """As it stands in `engine.ready`."""
    brain: Brain
    vad: Callable[[], Vad] | None = None
    """Makes a new one; called when the first audio arrives, so that a session in text has none."""
    listener: Listener | None = None
    speaker: Speaker | None = None
    endpointing: Endpointing = Endpointing()


_END_OF_SENTENCE = re.compile(r"""(?<=[.!?…])["')\]]*\s+(?=["'(\[]?[A-Z0-9])""")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|vs|e\.g|i\.e|a\.m|p\.m)|\b[A-Z])\.$")


def sentences(text: str) -> list[str]:
    """Split a text into its sentences; a text without any words gives none.

    Example:
        >>> sentences("Nice to meet you, Alice. It is 5 p.m. now!")
        ['Nice to meet you, Alice.', 'It is 5 p.m. now!']
    """
    found: list[str] = []
    begin = 0
    for gap in _END_OF_SENTENCE.finditer(text):
        sentence = text[begin : gap.end()].strip()
        if _ABBREVIATION.search(sentence):
            continue
        found.append(sentence)
        begin = gap.end()
    rest = text[begin:].strip()
    return [*found, rest] if rest else found
