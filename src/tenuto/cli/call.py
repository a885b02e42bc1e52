"""One call: what the microphone hears goes out, what the loudspeaker plays is kept, turns are printed as they happen.

A recording ends the call when it was said and answered: `TAIL` seconds of silence follow it, so that its last sentence
ends too, and then nothing is going on for `QUIET` seconds. `LONGEST_WAIT` bounds the waiting.
"""

import asyncio
from pathlib import Path
from typing import Protocol

from tenuto.audio.format import BYTES, Clip, samples, write_wav
from tenuto.cli.output import Output
from tenuto.cli.turns import Turn, Turns
from tenuto.client.client import Client
from tenuto.client.items import Complained, Happened, Told
from tenuto.events import MessageAdded
from tenuto.wire.native import StopListening

FRAME = 0.02
"""Seconds of audio that are given at a time."""
FAST = 3.0
"""How much faster than time a recording is said in a hurry; a server takes four times."""
TAIL = 1.2
"""Seconds of silence after a recording: more than what ends a turn."""
RELAYED = 0.25
"""Seconds of audio that may wait to be heard of an engine that relays what it hears, silence included."""
QUIET = 0.8
"""Seconds in which nothing is going on, until a call is over."""
PATIENT = 8.0
"""Seconds after a recording at which the microphone is switched off, if something still sounds like speech."""
LONGEST_WAIT = 60.0
"""Seconds after a recording at which the call ends, whatever is going on."""


class Source(Protocol):
    """Where the caller's voice comes from, and where the agent's goes."""

    @property
    def rate(self) -> int:
        """Hertz of what the microphone hears."""
        ...

    @property
    def loudspeaker(self) -> int:
        """Hertz that are wanted of the loudspeaker; 0 for what the engine speaks."""
        ...

    def play(self, pcm: bytes, rate: int) -> None:
        """Take what comes out of the loudspeaker next."""
        ...

    async def speak(self, call: "Call", client: Client) -> None:
        """Give the client what the microphone hears, until the call is over."""
        ...


class Call:
    """A call through one client. `played` is to be the client's `play`.

    Args:
        source: The microphone and the loudspeaker.
        out: Where turns are printed.
    """

    def __init__(self, source: Source, out: Output) -> None:
        self.source = source
        self.status = "idle"
        """What everyone sees of the session."""
        self.was_live = False
        """Whether there ever was a connection."""
        self._out = out
        self._client: Client | None = None
        self._session = ""
        self._turns = Turns()
        self._heard = bytearray()
        self._rate = 0
        self._recording = False

    def played(self, pcm: bytes) -> None:
        """Keep what comes out of the loudspeaker."""
        if self._client is None or not self._recording:
            return
        if self._client.rate != self._rate:
            # A recording has one rate; only another engine would change it.
            self._rate = self._client.rate
            self._heard.clear()
        self._heard += pcm
        self.source.play(pcm, self._rate)

    def busy(self) -> bool:
        """Whether somebody speaks, thinks, or is still to be heard."""
        assert self._client is not None
        return self.status not in ("idle", "error") or self._client.playing > RELAYED

    async def run(self, client: Client, session: str) -> None:
        """Talk, until the source has no more to say or the session ends.

        Raises:
            TenutoError: The client was closed for good.
        """
        self._client, self._session = client, session
        await client.live()
        self._recording = self.was_live = True
        reading = asyncio.ensure_future(self._read(client))
        speaking = asyncio.ensure_future(self.source.speak(self, client))
        try:
            await asyncio.wait({reading, speaking}, return_when=asyncio.FIRST_COMPLETED)
            for done in (speaking, reading):
                if done.done():
                    done.result()
        finally:
            for task in (reading, speaking):
                task.cancel()
            await asyncio.gather(reading, speaking, return_exceptions=True)
            self._recording = False
            for turn in self._turns.rest():
                self._put(turn)

    def write(self, path: Path) -> None:
        """Write what came out of the loudspeaker: as long as the call, silence included.

        Raises:
            OSError: The file cannot be written.
        """
        write_wav(path, Clip(rate=self._rate or self.source.rate, pcm=bytes(self._heard)))

    async def _read(self, client: Client) -> None:
        async for item in client:
            match item:
                case Happened(event=event):
                    if isinstance(event, MessageAdded) and not self._out.as_json:
                        self._show(event)
                    for turn in self._turns.take(event):
                        self._put(turn)
                case Told(kind="status", body=body):
                    self.status = str(body.get("state", "idle"))
                case Complained(message=message):
                    self._out.note(message)
                case _:
                    pass

    def _put(self, turn: Turn) -> None:
        if self._out.as_json:
            self._out.put({"session": self._session, **_fields(turn)})

    def _show(self, message: MessageAdded) -> None:
        who = {"user": "you", "agent": "agent"}.get(message.role, message.role)
        more = "  (interrupted)" if message.said and message.said != message.text else ""
        self._out.put({}, f"{who + ':':<7}{message.text}{more}")


class Recorded:
    """A recording in place of a microphone.

    Args:
        clip: What is said.
        fast: Whether not to wait for the time to pass; then nothing is said while the agent is busy.
    """

    loudspeaker = 0

    def __init__(self, clip: Clip, fast: bool = False) -> None:
        self._clip, self._fast = clip, fast
        self._due = 0.0

    @property
    def rate(self) -> int:
        return self._clip.rate

    def play(self, pcm: bytes, rate: int) -> None:
        """Nobody listens: the call keeps it."""

    async def speak(self, call: Call, client: Client) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time()
        size = samples(FRAME, self.rate) * BYTES
        pace = FRAME / FAST if self._fast else FRAME
        for start in range(0, len(self._clip.pcm), size):
            client.hear(self._clip.pcm[start : start + size])
            await self._wait(pace)
            while self._fast and call.status != "listening" and call.busy():
                await self._wait(FRAME)
        await self._finish(call, client, bytes(size))

    async def _finish(self, call: Call, client: Client, silence: bytes) -> None:
        loop = asyncio.get_running_loop()
        ended = busy = loop.time()
        told = False
        while (now := loop.time()) - ended < LONGEST_WAIT:
            client.hear(silence)
            await self._wait(FRAME)
            if call.busy():
                busy = now
            elif now - ended >= TAIL and now - busy >= QUIET:
                return
            if not told and now - ended >= PATIENT and call.status == "listening":
                told = True
                await client.send(StopListening())

    async def _wait(self, seconds: float) -> None:
        """Wait until the next frame is due, however long the last one took."""
        loop = asyncio.get_running_loop()
        # A machine that was busy does not make up for more than this: a microphone would have lost it too.
        self._due = max(self._due + seconds, loop.time() - 1.0)
        await asyncio.sleep(max(0.0, self._due - loop.time()))


def _fields(turn: Turn) -> dict[str, object]:
    import msgspec

    fields: dict[str, object] = msgspec.to_builtins(turn)
    return {"user": "", "agent": "", **fields}
