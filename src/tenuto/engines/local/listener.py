"""Speech to text in worker processes, as many as are allowed at once.

The recogniser holds the interpreter for hundreds of milliseconds, so it never runs here.
`Recogniser` is one per host: it has the zygote and the slots. `LocalListener` is one per link: it
carries what the microphone sounds like from one utterance to the next.

An utterance keeps its audio until it is understood, so a slot is nobody's for long: an utterance
that gets no audio for `IDLE` seconds gives up its slot, and is heard from the beginning when there
is more of it. A worker that dies is replaced once.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from tenuto.audio.format import BYTES, samples, seconds
from tenuto.engines.local import grammar
from tenuto.engines.local.zygote import Line, Zygote
from tenuto.engines.parts import RATE
from tenuto.errors import EngineError

logger = logging.getLogger(__name__)

LONGEST = samples(30.5, RATE) * BYTES
"""Bytes of one utterance that are kept, at most. What comes after is not listened to."""

PIECE = samples(0.2, RATE) * BYTES
"""Bytes of one message of audio, at most: so that there are partial transcripts of audio that
waited, too."""

IDLE = 2.0
"""Seconds without audio after which an utterance gives up its slot."""

PATIENCE = 10.0
"""Seconds, besides the length of the utterance itself, after which recognition has failed."""


class Recogniser:
    """The recognition workers of a host.

    Args:
        slots: Utterances that are recognised at once; further ones wait, and keep their audio.
    """

    def __init__(self, slots: int = 2) -> None:
        setup = grammar.jsgf(grammar.read_phrases()).encode()
        self.zygote = Zygote(Path(__file__).with_name("listening_worker.py"), setup)
        self.slots = asyncio.Semaphore(slots)

    async def start(self) -> None:
        """Load the models, in a process of their own.

        Raises:
            EngineError: They cannot be loaded.
        """
        await self.zygote.start()

    async def close(self) -> None:
        """End the process. Utterances that are being recognised end without text."""
        await self.zygote.close()


class LocalListener:
    """A `Listener` of `engines.parts`.

    Args:
        recogniser: Where utterances are recognised.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self.cmn = ""
        """The mean of the microphone's spectrum as the last utterance left it, in the recogniser's
        own form.
        """

    async def open(self) -> None:
        """Wait until the models are loaded.

        Raises:
            EngineError: They cannot be loaded.
        """
        await self._recogniser.start()

    def start(self, words: Sequence[str]) -> "LocalUtterance":
        """Begin an utterance. `words` go into the grammar of what is expected, as far as they are
        in the dictionary.
        """
        return LocalUtterance(self._recogniser, self, tuple(words))


class LocalUtterance:
    """An `Utterance` of `engines.parts`. Its task ends with `finish` or `drop`."""

    def __init__(
        self, recogniser: Recogniser, listener: LocalListener, words: tuple[str, ...]
    ) -> None:
        self._recogniser, self._listener, self._words = recogniser, listener, words
        self._audio = bytearray()
        self._ended = False
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self.partial = ""
        """What was understood so far."""

    def push(self, pcm: bytes) -> None:
        """Take more of it."""
        if len(self._audio) < LONGEST:
            self._audio += pcm
            self._news.set()

    async def finish(self) -> str:
        """Return what was said; empty when nothing was understood, or when its second worker died too."""
        self._ended = True
        self._news.set()
        await asyncio.wait((self._task,))
        return "" if self._task.cancelled() else self._task.result()

    def drop(self) -> None:
        """Let go of it."""
        self._task.cancel()

    async def _run(self) -> str:
        for _ in range(2):
            try:
                return await self._recognise()
            except (EngineError, OSError, TimeoutError) as error:
                logger.warning("the recognition of an utterance failed: %s", type(error).__name__)
        return ""

    async def _recognise(self) -> str:
        while True:
            async with self._recogniser.slots:
                line = await self._recogniser.zygote.connect()
                try:
                    if await self._feed(line):
                        return await self._outcome(line)
                finally:
                    line.close()
            await self._news.wait()

    async def _feed(self, line: Line) -> bool:
        """Send all audio, until it ended. Returns False when others wait and there is none for a
        while.
        """
        settings = {"words": self._words, "cmn": self._listener.cmn}
        line.send(b"W", json.dumps(settings).encode())
        fed = 0
        while True:
            self._news.clear()
            while fed < len(self._audio):
                line.send(b"A", bytes(self._audio[fed : fed + PIECE]))
                fed += PIECE
            fed = len(self._audio)
            while message := line.take():
                self.partial = message[1].decode()
            if self._ended:
                line.send(b"E")
                return True
            try:
                async with asyncio.timeout(IDLE):
                    await self._news.wait()
            except TimeoutError:
                if self._recogniser.slots.locked():
                    return False

    async def _outcome(self, line: Line) -> str:
        async with asyncio.timeout(PATIENCE + seconds(len(self._audio), RATE)):
            while True:
                kind, body = await line.receive()
                if kind == b"T":
                    break
        outcome = json.loads(body)
        text = str(outcome["text"])
        if text:
            self._listener.cmn = outcome["cmn"]
        return text
