"""What comes out of the loudspeaker, and the ledger of what was heard. Pure: the time is passed in.

The audio of replies waits in a queue and is played at the speed of time; `play` returns exactly the samples between one call
and the next, with silence where nothing was there to be played. So the ledger knows to the sample what was heard, and
tells the server: every 250 ms while a reply plays, and once when all of it was played.

A frame says which reply it belongs to and where in it it begins. What was queued already, as after a reconnect, is left
out; a cut reply is dropped, and what still comes of it is not played.
"""

from collections import deque

from tenuto.wire.native import Heard, Mark

MARK_EVERY = 0.25
"""Seconds between two marks of a reply that plays."""
CUSHION = 0.06
"""Seconds of audio, or of waiting for them, before playing begins: the network is not even."""
DRY = 0.1
"""Seconds without audio after which all that was sent counts as played."""
MOST = 60.0
"""Seconds of audio that wait, at most; the newest are dropped, which a server that sends in real time never sees."""
MOST_RELAYED = 1.0
"""The same for relayed audio, of which the oldest are dropped: it is live."""


class Loudspeaker:
    """Plays the audio of one session's replies at one rate."""

    def __init__(self) -> None:
        self.rate = 0
        """Hertz; 0 while nobody has said."""
        self.dropped = 0
        """Samples that found no room."""
        self._queue: deque[tuple[int, int, bytes]] = deque()
        """Reply, offset of the first sample, samples."""
        self._queued = 0
        self._tail = (0, 0)
        """The reply that was queued last, and the offset after its last sample."""
        self._head = (0, 0)
        """The reply that was played last, and the offset after its last sample."""
        self._hushed = 0
        """This reply and those before it are not played any more."""
        self._flowing = False
        self._waiting_since = 0.0
        """Since when the first of the queue waits, or since when there is none."""
        self._began: float | None = None
        self._given = 0
        """Samples that `play` has returned since `_began`."""
        self._marked = 0.0
        self._done = True
        """Whether all that was played of the present reply was marked as done."""

    @property
    def heard(self) -> Heard | None:
        """How much was heard of the reply that was played last; None before the first."""
        reply, offset = self._head
        return Heard(reply=reply, seconds=offset / self.rate) if reply and self.rate else None

    @property
    def queued(self) -> float:
        """Seconds that wait to be played."""
        return self._queued / self.rate if self.rate else 0.0

    def tune(self, rate: int) -> None:
        """Play at this rate from now on. A change drops what waits."""
        if rate != self.rate and rate:
            self._queue.clear()
            self._queued, self._flowing = 0, False
            reply, offset = self._head
            if self.rate:
                self._head = (reply, round(offset * rate / self.rate))
            self._tail = self._head
            self.rate, self._began = rate, None

    def expect(self, reply: int) -> None:
        """A reply of this number has begun: frames carry only the last 16 bits."""
        if reply > max(self._tail[0], self._hushed) and not self._queue:
            self._tail = (reply, 0)

    def take(
        self, reply: int, offset: int, pcm: bytes | bytearray | memoryview, now: float
    ) -> None:
        """Queue one frame.

        Args:
            reply: Its number modulo 65,536, as it is on the wire; 0 for relayed audio.
            offset: Of its first sample within the reply.
            pcm: 16-bit samples at `rate`.
            now: Seconds of a clock that does not jump.
        """
        if not self.rate:
            return
        if reply:
            reply = self._whole(reply)
            tail, end = self._tail
            if reply <= self._hushed or reply < tail:
                return
            known = max(0, end - offset) if reply == tail else 0
            pcm, offset = pcm[2 * known :], offset + known
        samples = len(pcm) // 2
        if not samples:
            return
        if reply and self.queued >= MOST:
            self.dropped += samples
            return
        if not self._queue:
            self._waiting_since = now
        self._queue.append((reply, offset, bytes(pcm)))
        self._queued += samples
        if reply:
            self._tail = (reply, offset + samples)
        else:
            while self.queued > MOST_RELAYED and len(self._queue) > 1 and not self._queue[0][0]:
                _, _, oldest = self._queue.popleft()
                self._queued -= len(oldest) // 2
                self.dropped += len(oldest) // 2

    def hush(self, reply: int) -> None:
        """The reply was cut: drop what waits of it, and play nothing more of it."""
        self._hushed = max(self._hushed, reply)
        self._queue = deque(piece for piece in self._queue if not 0 < piece[0] <= self._hushed)
        self._queued = sum(len(piece[2]) // 2 for piece in self._queue)
        self._flowing = self._flowing and bool(self._queue)
        if self._head[0] <= self._hushed:
            self._done = True

    def remind(self) -> None:
        """What was marked last may not have arrived: mark the end of the present reply again, if it is over."""
        if self._head[0] > self._hushed:
            self._done = False

    def play(self, now: float) -> tuple[bytes, list[Mark]]:
        """Return the samples that come out between the call before and `now`, and the marks that are due.

        The first call starts the clock and returns nothing.
        """
        if not self.rate:
            return b"", []
        if self._began is None:
            self._began, self._given = now, 0
        due = int((now - self._began) * self.rate + 1e-6) - self._given
        self._given += max(0, due)
        out, marks = bytearray(), list[Mark]()
        while due > 0:
            if not self._flowing:
                cushioned = self.queued >= CUSHION or now - self._waiting_since >= CUSHION
                if not self._queue or not cushioned:
                    out += bytes(2 * due)
                    break
                self._flowing = True
            due -= self._play_some(due, now, out, marks)
        self._mark(now, marks)
        return bytes(out), marks

    def _play_some(self, due: int, now: float, out: bytearray, marks: list[Mark]) -> int:
        reply, offset, pcm = self._queue.popleft()
        samples = len(pcm) // 2
        if samples > due:
            self._queue.appendleft((reply, offset + due, pcm[2 * due :]))
            pcm, samples = pcm[: 2 * due], due
        if reply:
            if reply != self._head[0]:
                self._finish(marks)
                self._marked = now
            self._head, self._done = (reply, offset + samples), False
        out += pcm
        self._queued -= samples
        if not self._queue:
            self._flowing, self._waiting_since = False, now
        return samples

    def _mark(self, now: float, marks: list[Mark]) -> None:
        if self._done:
            return
        heard = self.heard
        assert heard is not None
        if not self._queue and now - self._waiting_since >= DRY - 1e-9:
            self._finish(marks)
        elif self._flowing and now - self._marked >= MARK_EVERY - 1e-9:
            self._marked = now
            marks.append(Mark(reply=heard.reply, seconds=heard.seconds))

    def _finish(self, marks: list[Mark]) -> None:
        heard = self.heard
        if heard is not None and not self._done:
            marks.append(Mark(reply=heard.reply, seconds=heard.seconds, done=True))
        self._done = True

    def _whole(self, reply: int) -> int:
        """Return the number whose last 16 bits these are, next to the last one known."""
        known = max(self._tail[0], self._hushed)
        return max(reply, known + (reply - known + 0x8000) % 0x10000 - 0x8000)
