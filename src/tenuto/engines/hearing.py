"""Where an utterance begins and ends in a stream of frames. Pure: no task, no clock; time is
counted in samples.

It begins after some speech without a break, and then includes what came shortly before; it ends
after some time without speech, or at the limit. Audio that was given before is left out; audio that
was lost counts as silence of the same length.
"""

from collections.abc import Sequence

import msgspec

from tenuto.audio.format import BYTES, samples, seconds, whole_samples
from tenuto.audio.ring import Ring
from tenuto.engines.parts import FRAME, RATE, Endpointing, Vad


class Began(msgspec.Struct, frozen=True):
    offset: int
    """Where in the stream, in samples, the audio before the first speech included."""
    pcm: bytes
    """All of it up to now."""


class Sound(msgspec.Struct, frozen=True):
    pcm: bytes
    """What comes next in the utterance."""


class Ended(msgspec.Struct, frozen=True):
    until: int
    """All audio before this sample of the stream is dealt with."""
    reason: str
    """`pause`, `stopped` or `limit`."""


Finding = Began | Sound | Ended


class Hearing:
    """Finds the utterances of one stream.

    Args:
        vad: Tells speech from everything else.
        rules: When an utterance begins and ends.
    """

    def __init__(self, vad: Vad, rules: Endpointing) -> None:
        self._vad, self._rules = vad, rules
        self._start_frames = max(1, _frames(rules.start))
        self._end_frames = max(1, _frames(rules.end))
        self._limit = samples(rules.limit, RATE)

        # Samples taken off the stream, and how far the stream's own offsets are ahead because audio
        # was lost.
        self._clock = 0
        self._shift: int | None = None
        self._pending = bytearray()
        self._before = Ring(rules.pre_roll + self._start_frames * FRAME / RATE, RATE)

        # Frames of speech in a row before an utterance; frames without any within it.
        self._loud = 0
        self._quiet = 0
        self._began: int | None = None

        self._found: list[Finding] = []

    def push(self, pcm: bytes | bytearray | memoryview, offset: int) -> Sequence[Finding]:
        """Take a frame of any length that begins at `offset`, and return what it brought to light.

        Raises:
            InvalidAudio: The frame ends in the middle of a sample.
        """
        count = whole_samples(pcm)
        if self._shift is None:
            self._shift = offset
        expected = self._clock + len(self._pending) // BYTES + self._shift
        if offset < expected:
            if expected - offset >= count:
                return ()
            pcm = pcm[(expected - offset) * BYTES :]
        elif offset > expected:
            self._lost(offset - expected, expected)
        self._pending += pcm
        while len(self._pending) >= FRAME * BYTES:
            frame = bytes(self._pending[: FRAME * BYTES])
            del self._pending[: FRAME * BYTES]
            self._frame(frame)
        found, self._found = self._found, []
        return found

    def finish(self) -> Sequence[Finding]:
        """End an utterance here and now: the microphone is off."""
        if self._began is None:
            return ()
        if self._pending:
            self._found.append(Sound(bytes(self._pending)))
            self._clock += len(self._pending) // BYTES
            self._pending.clear()
        self._end(self._clock, "stopped")
        self._vad.reset()
        found, self._found = self._found, []
        return found

    def _frame(self, frame: bytes) -> None:
        speech = self._vad.push(frame) >= self._rules.threshold
        self._clock += FRAME
        if self._began is None:
            self._before.append(self._clock - FRAME, frame)
            self._loud = self._loud + 1 if speech else 0
            if self._loud >= self._start_frames:
                self._begin()
            return
        self._found.append(Sound(frame))
        self._quiet = 0 if speech else self._quiet + 1
        if self._quiet >= self._end_frames:
            self._end(self._clock, "pause")
        elif self._clock - self._began >= self._limit:
            self._end(self._clock, "limit")

    def _begin(self) -> None:
        assert self._shift is not None
        wanted = self._clock - self._loud * FRAME - samples(self._rules.pre_roll, RATE)
        self._began = max(wanted, self._before.start)
        self._quiet = 0
        self._found.append(Began(self._began + self._shift, self._before.read(self._began)))

    def _end(self, clock: int, reason: str) -> None:
        assert self._shift is not None
        self._found.append(Ended(clock + self._shift, reason))
        self._began, self._loud = None, 0
        self._before.clear()

    def _lost(self, gap: int, expected: int) -> None:
        """Go on after a gap in the stream."""
        assert self._shift is not None
        frames = gap // FRAME
        if frames and self._began is None:
            self._loud = 0
            self._before.clear()
        elif frames:
            self._quiet += frames
            if self._quiet >= self._end_frames:
                if self._pending:
                    self._found.append(Sound(bytes(self._pending)))
                self._end(expected - self._shift, "pause")
        if seconds(gap * BYTES, RATE) >= self._rules.end:
            self._clock += len(self._pending) // BYTES
            self._pending.clear()
            self._vad.reset()
        self._shift += gap


def _frames(length: float) -> int:
    return round(length * RATE / FRAME)
