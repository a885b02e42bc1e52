"""Text to speech in a worker process: espeak-ng, whose licence and whose global state stay out of
this one.

A sentence takes the worker a few milliseconds, far less than it takes to hear, so its audio is read
as fast as it comes and waits here: the text of one piece is bounded, and so is what waits.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from tenuto.engines.local.zygote import Zygote
from tenuto.errors import EngineLost

RATE = 22_050
"""The rate of its audio, in Hz."""

PIECE = 300
"""Characters that are spoken at once, at most: about 20 s of audio, less than 1 MB."""

NORMAL = 175
"""Words a minute of a voice that nobody wants faster or slower."""

SLOWEST, FASTEST = 115, 255
"""Words a minute that it may be made to speak: beyond, it is a strain to listen to."""

STEP = 10
"""Words a minute from one speed to the next: what is learned moves a little all the time, and the voice should not."""

USUAL = 150.0
"""Words a minute of a person for whom the voice is as it is."""

PATIENCE = 10.0
"""Seconds after which a worker that gives nothing is lost."""


class LocalSpeaker:
    """A `Speaker` of `engines.parts`, one for all sessions of a host.

    Args:
        voice: A voice of espeak-ng, such as `en-us` or `en-gb`.
        slots: Pieces that are made at once.
    """

    rate = RATE

    def __init__(self, voice: str = "en-us", slots: int = 4) -> None:
        setup = json.dumps({"voice": voice, "rate": RATE}).encode()
        self.zygote = Zygote(Path(__file__).with_name("speaking_worker.py"), setup)
        self._slots = asyncio.Semaphore(slots)

    async def open(self) -> None:
        """Load the library, in a process of its own.

        Raises:
            EngineError: It cannot be loaded.
        """
        await self.zygote.start()

    async def close(self) -> None:
        """End the process. What is being spoken ends with `EngineLost`."""
        await self.zygote.close()

    async def speak(self, text: str, pace: float | None = None) -> AsyncGenerator[bytes, None]:
        """Return the audio of a text, chunk by chunk. The same text at the same pace gives the same audio.

        A worker that dies is replaced once, and what it had given is left out the second time.

        Args:
            pace: Words a minute that the user speaks; None for the voice's own pace.

        Raises:
            EngineLost: The second one died as well.
        """
        for piece in pieces(text):
            given = 0
            for last_try in (False, True):
                left_out = given
                try:
                    async with aclosing(self._piece(piece, speed(pace))) as chunks:
                        async for chunk in chunks:
                            rest = chunk[left_out:]
                            left_out = max(0, left_out - len(chunk))
                            given += len(rest)
                            if rest:
                                yield rest
                    break
                except EngineLost:
                    if last_try:
                        raise

    async def _piece(self, text: str, speed: int) -> AsyncGenerator[bytes, None]:
        await self._slots.acquire()
        try:
            line = await self.zygote.connect(self._slots.release)
        except BaseException:
            self._slots.release()
            raise
        try:
            if speed != NORMAL:
                line.send(b"S", b"%d" % speed)
            line.send(b"T", text.encode())
            while True:
                async with asyncio.timeout(PATIENCE):
                    kind, body = await line.receive()
                if kind == b"E":
                    return
                yield body
        except TimeoutError as error:
            raise EngineLost("The speech worker does not answer.") from error
        finally:
            line.close()


def speed(pace: float | None) -> int:
    """Return the words a minute at which to speak to somebody who speaks at a pace.

    Example:
        >>> speed(None), speed(150.0), speed(100.0), speed(200.0), speed(600.0)
        (175, 175, 115, 235, 255)
    """
    if pace is None:
        return NORMAL
    wanted = min(max(NORMAL * pace / USUAL, SLOWEST), FASTEST)
    return NORMAL + STEP * round((wanted - NORMAL) / STEP)


def pieces(text: str) -> list[str]:
    """Split a text into pieces of at most `PIECE` characters: after a mark, else between words,
    else anywhere.

    Example:
        >>> pieces("Hello  Alice.")
        ['Hello Alice.']
    """
    rest = " ".join(text.replace("\0", " ").split())
    found: list[str] = []
    while len(rest) > PIECE:
        head = rest[:PIECE]
        cut = max(head.rfind(mark + " ") for mark in ".!?;:,") + 1 or head.rfind(" ")
        cut = cut if cut > 0 else PIECE
        found.append(rest[:cut])
        rest = rest[cut:].lstrip()
    return [*found, rest] if rest else found
