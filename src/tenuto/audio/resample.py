"""From one sample rate to another, as a stream. The only module that knows soxr, and it asks for it
when it is needed."""

from typing import Any

from tenuto.audio.format import whole_samples
from tenuto.errors import MissingExtra


class Resampler:
    """Turns 16-bit samples of one rate into samples of another; of equal rates it returns what it
    is given.

    It holds back some milliseconds of a stream (up to about two frames of 20 ms); `finish` gives
    them out.

    Example:
        >>> Resampler(16_000, 16_000).push(bytes(640)) == bytes(640)
        True

    Args:
        source: The rate of what goes in, in Hz.
        target: The rate of what comes out, in Hz.

    Raises:
        MissingExtra: The rates differ and soxr is not installed.
    """

    def __init__(self, source: int, target: int) -> None:
        self._stream = None if source == target else _stream(source, target)

    def push(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Take a frame and return what is ready, which may be nothing.

        Raises:
            InvalidAudio: The frame ends in the middle of a sample.
        """
        whole_samples(pcm)
        if self._stream is None:
            return bytes(pcm)
        return self._stream.push(pcm, last=False)

    def finish(self) -> bytes:
        """Return what is held back. The stream begins anew after it."""
        return b"" if self._stream is None else self._stream.push(b"", last=True)


def resample(pcm: bytes, source: int, target: int) -> bytes:
    """Return a whole clip at another rate.

    Raises:
        InvalidAudio: The clip ends in the middle of a sample.
        MissingExtra: The rates differ and soxr is not installed.
    """
    resampler = Resampler(source, target)
    return resampler.push(pcm) + resampler.finish()


class _Soxr:
    """One stream of soxr between numpy's arrays and bytes."""

    def __init__(self, stream: Any, numpy: Any) -> None:
        self._stream, self._numpy = stream, numpy

    def push(self, pcm: bytes | bytearray | memoryview, last: bool) -> bytes:
        numpy = self._numpy
        frame = numpy.frombuffer(pcm, dtype="<i2").astype("float32")
        ready = self._stream.resample_chunk(frame, last=last)
        whole = numpy.clip(numpy.rint(ready), -32_768, 32_767).astype("<i2")
        if last:
            self._stream.clear()
        return bytes(whole.tobytes())


def _stream(source: int, target: int) -> _Soxr:
    try:
        import numpy
        import soxr
    except ImportError:
        raise MissingExtra("local", f"Resampling audio from {source} to {target} Hz") from None
    # Not int16: soxr would dither it, and the same audio would not give the same text.
    return _Soxr(soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ"), numpy)
