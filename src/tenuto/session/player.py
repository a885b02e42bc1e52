"""Sends the audio of replies at the speed of time, and keeps the ledger of what was made and sent.

Engines make audio faster than it is heard. What is sent too early can only be taken back at the client, so the player
keeps `LEAD` seconds ahead of the ear and no more: a cut is then a matter of not sending the next frame. Audio that an
engine relays is in real time already and passes straight through.

Pure: the driver calls `tick` with the time. Bounded: an engine waits while `queued` is over 5 seconds, and what a reply
makes beyond `MOST` seconds unsent is dropped.
"""

from collections.abc import Sequence
from typing import Protocol

from tenuto.session.playback import Playback
from tenuto.session.ports import Listener

LEAD = 0.1
"""Seconds that are sent ahead of the ear, so that a late frame is not heard as a gap."""
FRAME = 0.02
"""Seconds of one frame."""
MOST = 120
"""Seconds of unsent audio that are kept of one reply."""


class Ledger(Protocol):
    """Who knows the open reply's playback."""

    @property
    def playback(self) -> Playback | None:
        """How much of it was heard; None while none is open that is spoken."""
        ...


class Player:
    """An `AudioOut` for one link.

    Args:
        rate: Hertz of the engine's audio.
        ledger: Where the open reply's playback is kept.
    """

    def __init__(self, rate: int, ledger: Ledger) -> None:
        self.rate = rate
        self.ears: Sequence[Listener] = ()
        self._ledger = ledger
        self._samples = round(rate * FRAME)
        self._relayed = 0
        self._reply = 0
        self._skip = 0
        """Samples of the reply that are left out, because they were heard before."""
        self._made = 0
        """Samples of the reply that the engine has made."""
        self._sent = 0
        """Samples of the reply up to the last one that was sent."""
        self._waiting = bytearray()
        self._next: float | None = None
        """When the next frame is due; None while nothing plays."""

    def relay(self, pcm: bytes | bytearray | memoryview) -> None:
        for listener in self.ears:
            listener.audio(0, self._relayed, pcm)
        self._relayed += len(pcm) >> 1

    def begin(self, reply: int, heard: float = 0.0) -> None:
        """Play this reply from here on, and leave out what comes before `heard` seconds of it."""
        self.stop()
        self._reply, self._made = reply, 0
        self._skip = self._sent = round(heard * self.rate)

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        playback = self._ledger.playback
        if playback is None or playback.reply != reply:
            return
        if reply != self._reply:
            self.begin(reply)
        if len(self._waiting) < 2 * self.rate * MOST:
            samples = len(pcm) >> 1
            late = max(0, min(samples, self._skip - self._made))
            self._waiting += pcm[2 * late :]
            self._made += samples
        playback.queued = self._made / self.rate
        if last:
            playback.ends.append(playback.queued)
            if self._made <= self._skip:
                playback.sent = max(playback.sent, playback.queued)

    def queued(self) -> float:
        return len(self._waiting) / (2 * self.rate)

    def stop(self) -> None:
        self._waiting.clear()
        self._next = None

    def tick(self, now: float) -> float | None:
        """Send what is due.

        Args:
            now: Seconds of a clock that does not jump.

        Returns:
            Seconds until the next frame is due; None when nothing waits.
        """
        if not self._waiting:
            return None
        if self._next is None or self._next < now - LEAD:
            self._next = now
        size = 2 * self._samples
        while self._waiting and self._next <= now + LEAD:
            frame = bytes(self._waiting[:size])
            del self._waiting[:size]
            for listener in self.ears:
                listener.audio(self._reply, self._sent, frame)
            self._sent += len(frame) >> 1
            self._next += (len(frame) >> 1) / self.rate
        playback = self._ledger.playback
        if playback is not None and playback.reply == self._reply:
            playback.sent = self._sent / self.rate
        return max(0.0, self._next - LEAD - now)
