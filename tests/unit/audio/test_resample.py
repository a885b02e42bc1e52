import math
import sys
from array import array

import pytest

from tenuto.audio.resample import Resampler, resample
from tenuto.errors import InvalidAudio, MissingExtra


def tone(rate: int, length: float = 0.5) -> bytes:
    count = round(rate * length)
    return array(
        "h", (round(8_000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(count))
    ).tobytes()


def loudness(pcm: bytes) -> float:
    heard = array("h", pcm)[400:-400]
    return math.sqrt(sum(sample * sample for sample in heard) / len(heard))


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(16_000, 16_000)
    assert resampler.push(memoryview(b"abcd")) == b"abcd"
    assert resampler.finish() == b""


@pytest.mark.parametrize("source", [8_000, 22_050, 44_100, 48_000])
def test_a_tone_keeps_its_length_and_its_loudness(source: int) -> None:
    heard = resample(tone(source), source, 16_000)
    assert abs(len(heard) // 2 - 8_000) <= 2
    assert loudness(heard) == pytest.approx(8_000 / math.sqrt(2), rel=0.02)


def test_frames_give_what_the_whole_gives() -> None:
    pcm = tone(48_000)
    resampler = Resampler(48_000, 16_000)
    ready = [resampler.push(pcm[at : at + 1_920]) for at in range(0, len(pcm), 1_920)]
    assert b"".join(ready) + resampler.finish() == resample(pcm, 48_000, 16_000)


def test_a_stream_may_begin_anew() -> None:
    resampler = Resampler(48_000, 16_000)
    first = resampler.push(tone(48_000)) + resampler.finish()
    assert resampler.push(tone(48_000)) + resampler.finish() == first


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(InvalidAudio):
        Resampler(8_000, 16_000).push(b"x")


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingExtra, match="local"):
        Resampler(8_000, 16_000)
