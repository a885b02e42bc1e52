"""The microphone's last half minute, so that nothing that was said is lost with a connection.

Every sample has an offset, counted from the beginning of the stream. What is sent stays in the ring until it is too old;
after a reconnect the server names the first sample that it has not dealt with, and sending goes on from there. Pure.
"""

from tenuto.audio.ring import Ring
from tenuto.wire import native

SECONDS = 30.0
"""Seconds of audio that are kept: the oldest go first."""
FRAME = 0.1
"""Seconds of one frame, at most."""


class Microphone:
    """One microphone stream.

    Args:
        stream: Its random name.
        rate: Hertz, 8,000 to 48,000.
    """

    def __init__(self, stream: str, rate: int) -> None:
        self.stream, self.rate = stream, rate
        self._ring = Ring(SECONDS, rate)
        self._next = 0
        self._most = 2 * min(round(FRAME * rate), (native.MAX_AUDIO - native.HEAD.size) // 2)

    @property
    def offset(self) -> int:
        """The sample that comes next."""
        return self._ring.end

    @property
    def waiting(self) -> int:
        """Samples that are kept and not sent."""
        return self._ring.end - max(self._next, self._ring.start)

    def hear(self, pcm: bytes | bytearray | memoryview) -> None:
        """Keep what comes next.

        Raises:
            InvalidAudio: It ends within a sample.
        """
        self._ring.append(self._ring.end, pcm)

    def rewind(self, offset: int) -> int:
        """Send from this sample on: what the server has not dealt with, as far as it is kept. Returns where that begins."""
        self._next = min(offset, self._ring.end)
        return max(self._next, self._ring.start)

    def frames(self, room: int) -> list[bytes]:
        """Return the audio frames to send now.

        Args:
            room: Bytes that may be sent; the rest stays for later.
        """
        if self._next >= self._ring.end or room <= 0:
            return []
        self._next = max(self._next, self._ring.start)
        pcm = self._ring.read(self._next)
        frames = []
        for start in range(0, min(len(pcm), room), self._most):
            piece = pcm[start : start + self._most]
            frames.append(native.audio(native.MICROPHONE, 0, self._next, piece))
            self._next += len(piece) // 2
        return frames
