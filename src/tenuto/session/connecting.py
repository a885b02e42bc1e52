"""The link of a session to its engine, in the hands of the program that holds it: opened, closed, and given a microphone.

Every opening is a new link with a new number: nothing that an engine knew of an old one is left, and all that it should
know comes from the journal.
"""

import asyncio
from typing import Literal

from tenuto import events as e
from tenuto.audio.format import RATES
from tenuto.errors import EngineLost, IllegalEvent, InvalidAudio, InvalidInput, TenutoError
from tenuto.session import ports, stimuli
from tenuto.session.driver import Driver
from tenuto.session.microphone import EARLY_SECONDS
from tenuto.session.state import Link

ConnectionState = Literal["closed", "connecting", "open", "error"]

_STATES: dict[Link, ConnectionState] = {
    Link.CLOSED: "closed",
    Link.CONNECTING: "connecting",
    Link.RESTORING: "connecting",
    Link.WAITING: "connecting",
    Link.READY: "open",
    Link.FAILED: "error",
}


class Connecting:
    """Opens and closes a session's link, and gives it what the program's own microphone hears."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._waiting: list[asyncio.Future[None]] = []
        self._rate = 0
        """Of the microphone, in Hz; 0 when it was never on."""
        self._offset = 0
        """The sample of its stream after the last one that it gave."""
        self._kept: list[tuple[int, bytes]] = []
        """What a link that is lost would take along, with its offsets: what is being said, `EARLY_SECONDS` of it at most."""
        driver.watchers.append(self._take)

    @property
    def state(self) -> ConnectionState:
        """What the link is now."""
        return _STATES[self._driver.core.link]

    async def open(self) -> None:
        """Open a link, if none is, and wait until the engine is ready.

        Raises:
            IllegalEvent: The session is paused.
            EngineLost: The engine cannot be reached.
        """
        await self._driver.commit(self._driver.receive(stimuli.Connect()))
        await self._ready()

    async def close(self) -> None:
        """Close the link, if there is one. A reply that is being spoken is cut where it was heard."""
        if self._driver.error is None:
            await self._driver.commit(self._driver.receive(stimuli.Disconnect()))

    async def listen(self, rate: int) -> None:
        """Open a microphone, and wait until the engine listens. Twice is once.

        Raises:
            InvalidInput: There is no such rate.
            IllegalEvent: It listens at another rate already, the session is paused, or the engine does not listen.
            EngineLost: The engine cannot be reached.
        """
        driver = self._driver
        if not RATES[0] <= rate <= RATES[1]:
            raise InvalidInput(f"The rate of a microphone is {RATES[0]} to {RATES[1]} Hz.")
        if driver.core.listening:
            if rate != self._rate:
                raise IllegalEvent(f"It listens at {self._rate} Hz: stop listening first.")
        else:
            stream = f"python:{driver.core.state.position}"
            position = driver.receive(stimuli.Listen(on=True, mic=stream))
            self._rate, self._offset = rate, 0
            self._kept.clear()
            driver.microphone.start(stream, rate, 0, self._again)
            await driver.commit(position)
        try:
            await self._ready()
        except EngineLost:
            await self.listen_no_more()
            raise

    async def listen_no_more(self) -> None:
        """Close the microphone. What was said so far is all, and is answered."""
        driver = self._driver
        if driver.error is None and driver.core.listening:
            await driver.commit(driver.receive(stimuli.Listen(on=False)))

    def hear(self, pcm: bytes | bytearray | memoryview) -> None:
        """Take the next frame of the microphone.

        Raises:
            IllegalEvent: It is not open.
            InvalidAudio: The frame ends in the middle of a sample.
        """
        if self._driver.error is not None:
            raise self._driver.error
        if not self._driver.core.listening:
            raise IllegalEvent("The session does not listen. Start listening first.")
        if type(pcm) is not bytes and not isinstance(pcm, (bytearray, memoryview)):
            raise InvalidAudio("A frame is bytes: samples of 16 bits.")
        samples, rest = divmod(len(pcm), 2)
        if rest:
            raise InvalidAudio("A frame has whole samples of 16 bits: an even number of bytes.")
        offset, self._offset = self._offset, self._offset + samples
        self._driver.microphone.hear(pcm, offset)
        kept, oldest = self._kept, self._offset - EARLY_SECONDS * self._rate
        kept.append((offset, bytes(pcm)))
        oldest = max(oldest, self._driver.safe_microphone())
        while kept and kept[0][0] + len(kept[0][1]) // 2 <= oldest:
            del kept[0]

    def _again(self, sample: int) -> None:
        """A link was lost: have the next one hear what was said from this sample on."""
        microphone = self._driver.microphone
        microphone.rewound()
        for offset, pcm in self._kept:
            if offset + len(pcm) // 2 > sample:
                microphone.hear(pcm, offset)
        if not self._driver.core.listening:
            self._driver.receive(stimuli.Hold())

    async def _ready(self) -> None:
        while (link := self._driver.core.link) is not Link.READY:
            if self._driver.error is not None:
                raise self._driver.error
            if link in (Link.CLOSED, Link.FAILED):
                raise EngineLost("The engine could not be reached. Try again in a moment.")
            change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change

    def ended(self, error: TenutoError) -> None:
        """The session is gone from this host: wake whoever waits."""
        for change in self._waiting:
            if not change.done():
                change.set_exception(error)
        self._waiting.clear()

    def _take(self, row: ports.Row, event: e.Event) -> None:
        known = isinstance(event, e.SpeechEnded) and event.reason != "lost"
        if known and not self._driver.core.listening:
            self._kept.clear()
        if self._waiting and isinstance(event, e.EngineReady | e.EngineLost | e.SessionPaused):
            waiting, self._waiting = self._waiting, []
            for change in waiting:
                if not change.done():
                    change.set_result(None)
