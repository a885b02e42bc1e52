"""The controller's microphone on its way to the engine: one stream becomes another, and early audio waits.

A link that is lost takes along what it has heard and not told. Whoever speaks is asked to send that again, as they do when
they come back after a crash: the stream goes back, and what was under way meanwhile is dropped, as it comes again too.
"""

from collections.abc import Callable

from tenuto.audio.resample import Resampler

EARLY_SECONDS = 30
"""Seconds of microphone that wait for the engine to be ready: as many as a client keeps. The oldest go first."""


class Microphone:
    """The controller's microphone on its way to the engine.

    A client counts samples from the beginning of its stream, at its own rate; an engine hears one stream without an end, at
    the engine's rate. This is where one becomes the other, and where early audio waits.
    """

    def __init__(self) -> None:
        self.stream = ""
        self.rate = 0
        self.listens = False
        """Whether what comes is taken: somebody has the controls."""
        self.heard = 0
        """The client's sample after the last one that was taken."""
        self.hear: Callable[[bytes | bytearray | memoryview, int], None] = self._drop
        """Takes one frame and its offset in the client's stream. Replaced as the link comes and goes."""
        self._engine: Callable[[bytes | bytearray | memoryview, int], None] | None = None
        self._broke: Callable[[], None] = self.disconnect
        self._wanted: int | None = None
        self._resampler: Resampler | None = None
        self._shift = 0
        """What is added to a client's sample to get the engine's, both at the engine's rate."""
        self._given = 0
        """The engine's sample after the last one that it was given."""
        self._ratio = 1.0
        self._early: list[tuple[bytes, int]] = []
        self._early_bytes = 0
        self._again: Callable[[int], None] | None = None
        self._asks = False
        """Whether the next link begins with asking for the stream to be sent again."""
        self._awaits = False
        """Whether the stream is about to be sent again: what comes until then was under way."""
        self._backlog, self._sure = 0, 0
        """Where audio began that came faster than it was said, and the sample at which an engine is done with it."""
        self._is_ready = False
        self._is_muted = False
        self._was_muted = False
        """Whether nothing was taken yet since it was unmuted."""

    @property
    def is_muted(self) -> bool:
        """Whether nothing is taken for now, nor kept."""
        return self._is_muted

    def mute(self, muted: bool) -> None:
        """Take nothing until it is unmuted. What is said meanwhile is never heard."""
        self._is_muted, self._was_muted = muted, self._is_muted
        self.forget()

    @property
    def alive(self) -> bool:
        """Whether a link has heard what was heard so far."""
        return self._engine is not None

    def start(
        self,
        stream: str,
        rate: int,
        offset: int,
        again: Callable[[int], None] | None = None,
    ) -> None:
        """A client's stream goes on at `offset`; a new stream begins there.

        Args:
            stream: Its name.
            rate: Hertz.
            offset: In samples of the stream.
            again: Asks for the stream to be sent again from a sample on, after `rewound`; None when it cannot be.
        """
        goes_on = (stream, rate, offset) == (self.stream, self.rate, self.heard)
        if stream != self.stream or rate != self.rate:
            self._early.clear()
            self._early_bytes = self._backlog = self._sure = 0
        self.stream, self.rate, self.heard, self.listens = stream, rate, offset, True
        self._again, self._asks, self._awaits = again, False, False
        if goes_on:
            self._choose()
        else:
            self._tune()

    def stop(self) -> None:
        """The client is gone: what still comes of its connection is not taken, as it comes again."""
        self.listens, self.hear = False, self._drop

    def connect(
        self,
        hear: Callable[[bytes | bytearray | memoryview, int], None],
        wanted: int | None,
        broke: Callable[[], None],
    ) -> None:
        """A new link: it is given audio when it is ready; until then what comes waits.

        Args:
            hear: Takes a frame and its offset, at the engine's rate.
            wanted: That rate, in hertz; None for the client's own.
            broke: Told when `hear` raises.
        """
        self._engine, self._wanted, self._is_ready, self._given = hear, wanted, False, 0
        self._broke = broke
        self._tune()
        if self._asks and self._again is not None:
            self._asks = False
            self._again(self.heard)

    def disconnect(self) -> None:
        """The link is gone: what comes from now on waits for the next one."""
        self._engine, self._broke, self._is_ready = None, self.disconnect, False
        self._choose()

    def lose(self, safe: int) -> None:
        """The link is lost, with what it has heard from the sample `safe` on: that is sent again, if it can be."""
        if self._is_ready and self.listens and self._again is not None and safe < self.heard:
            self._expect_backlog(safe, self.heard)
            self.heard, self._asks, self._awaits = safe, True, True
        self.disconnect()

    def rewound(self) -> None:
        """What comes from now on is the stream as it is sent again. Safe when nobody asked for that."""
        self._asks = self._awaits = False
        self._choose()

    def forget(self) -> None:
        """Nothing of what was said until now is heard any more: it does not wait, and is not asked for."""
        self._early.clear()
        self._early_bytes = 0
        self.rewound()

    def ready(self) -> None:
        """The link is ready: give it what waited."""
        self._is_ready = True
        early, self._early = self._early, []
        self._early_bytes = 0
        if early:
            self._expect_backlog(early[0][1], self.heard)
            self.heard = early[0][1]
        self._tune()
        for pcm, offset in early:
            self.hear(pcm, offset)

    def at_client(self, sample: int) -> int:
        """Return the client's sample of one of the engine's."""
        return max(0, round((sample - self._shift) / self._ratio))

    def safe(self, speech: int | None) -> int:
        """Return the sample before which nothing that was said can be lost.

        Args:
            speech: Where the open speech began, in the client's samples; None when nobody speaks.
        """
        if speech is not None:
            return speech
        return self._backlog if self.heard < self._sure else max(0, self.heard - self.rate)

    def _expect_backlog(self, first: int, end: int) -> None:
        """An engine needs no longer for what comes all at once than it took to say it."""
        self._backlog, self._sure = first, end + (end - first) + self.rate

    def _tune(self) -> None:
        wanted = self._wanted or self.rate
        self._ratio = wanted / self.rate if self.rate else 1.0
        resamples = bool(self.rate) and wanted != self.rate
        self._resampler = Resampler(self.rate, wanted) if resamples else None
        self._shift = self._given - round(self.heard * self._ratio)
        self._choose()

    def _choose(self) -> None:
        if not self.listens or self._is_muted or self._awaits:
            self.hear = self._drop
        elif not self._is_ready or self._engine is None:
            self.hear = self._keep
        else:
            self.hear = self._pass if self._resampler is None else self._resample
        if self._was_muted and self.hear != self._drop:
            self.hear = self._begin

    def _begin(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Take the first frame after it was muted: nothing before it is ever asked for again."""
        self._was_muted = False
        self._expect_backlog(offset, offset)
        self._choose()
        self.hear(pcm, offset)

    def _pass(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        assert self._engine is not None
        if offset < self.heard:
            # A frame that was under way on the connection before: an engine hears each sample once.
            pcm, offset = pcm[2 * (self.heard - offset) :], self.heard
            if not pcm:
                return
        self.heard = offset + (len(pcm) >> 1)
        self._given = self.heard + self._shift
        try:
            self._engine(pcm, offset + self._shift)
        except Exception:  # noqa: BLE001 -- an engine's bug must not take along whoever speaks
            self._broke()

    def _resample(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        assert self._engine is not None and self._resampler is not None
        if offset < self.heard:
            pcm, offset = pcm[2 * (self.heard - offset) :], self.heard
            if not pcm:
                return
        if offset > self.heard:
            self._given += round((offset - self.heard) * self._ratio)
        self.heard = offset + (len(pcm) >> 1)
        ready = self._resampler.push(pcm)
        if ready:
            try:
                self._engine(ready, self._given)
            except Exception:  # noqa: BLE001 -- as in `_pass`
                self._broke()
            self._given += len(ready) >> 1

    def _keep(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Have it wait. What is sent again takes the place of what was sent before."""
        while self._early and self._early[-1][1] >= offset:
            self._early_bytes -= len(self._early.pop()[0])
        self.heard = offset + (len(pcm) >> 1)
        self._early.append((bytes(pcm), offset))
        self._early_bytes += len(pcm)
        while self._early_bytes > 2 * EARLY_SECONDS * max(self.rate, 8_000):
            self._early_bytes -= len(self._early.pop(0)[0])

    def _drop(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Nobody knows what this is, or it comes again."""
