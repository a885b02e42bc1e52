"""The last seconds of a stream, found again by their place in it. Pure: no numpy, no clock.

A ring holds one unbroken run of samples. Audio that was there already is left out, and a gap starts
the run anew: what was before the gap can no longer be joined to what comes after it.
"""

from tenuto.audio.format import BYTES, samples, whole_samples


class Ring:
    """Keeps the last `seconds` of a stream of 16-bit samples; older audio is dropped, so memory is
    bounded.

    Example:
        >>> ring = Ring(seconds=1.0, rate=16_000)
        >>> ring.append(320, bytes(640))
        320
        >>> ring.start, ring.end, len(ring.read(480))
        (320, 640, 320)
    """

    def __init__(self, seconds: float, rate: int) -> None:
        self._limit = samples(seconds, rate) * BYTES
        self._kept = bytearray()
        self._end = 0

    @property
    def start(self) -> int:
        """The offset of the oldest sample that is kept."""
        return self._end - min(len(self._kept), self._limit) // BYTES

    @property
    def end(self) -> int:
        """The offset after the newest sample: the next one that is expected."""
        return self._end

    def append(self, offset: int, pcm: bytes | bytearray | memoryview) -> int:
        """Add samples that begin at `offset`, without those that came before. Returns how many were
        new.

        Raises:
            InvalidAudio: The frame ends in the middle of a sample.
        """
        count = whole_samples(pcm)
        known = self._end - offset
        if known >= count and self._kept:
            return 0
        if known < 0 or not self._kept:
            self._kept.clear()
            self._end, known = offset, 0
        self._kept += pcm[known * BYTES :] if known else pcm
        self._end += count - known
        # A whole ring may be in excess before it is cut, so that the cut costs one move per ring
        # and not per frame.
        if len(self._kept) > 2 * self._limit:
            del self._kept[: len(self._kept) - self._limit]
        return count - known

    def read(self, offset: int) -> bytes:
        """Return what is kept from `offset` on: from the oldest sample when that is later, nothing
        beyond the end.
        """
        count = self._end - max(offset, self.start)
        return bytes(self._kept[len(self._kept) - count * BYTES :]) if count > 0 else b""

    def clear(self) -> None:
        """Forget everything. The next sample begins a new run, wherever it is."""
        self._kept.clear()
