import struct
from array import array
from pathlib import Path

import pytest

from tenuto.audio.format import (
    Clip,
    read_wav,
    samples,
    seconds,
    silence,
    wav_bytes,
    whole_samples,
    write_wav,
)
from tenuto.errors import InvalidAudio

RAMP = array("h", [0, 1000, -1000, 32_767, -32_768]).tobytes()


def wav(
    data: bytes, *, code: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16
) -> bytes:
    block = channels * bits // 8
    layout = struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits)
    return riff(b"fmt " + size(layout) + layout + b"data" + size(data) + data)


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + size(b"WAVE" + chunks) + b"WAVE" + chunks


def size(body: bytes) -> bytes:
    return struct.pack("<I", len(body))


def values(clip: Clip) -> list[int]:
    return array("h", clip.pcm).tolist()


def test_a_duration_is_the_same_from_bytes_and_to_samples() -> None:
    assert seconds(640, 16_000) == 0.02
    assert samples(0.02, 16_000) == 320
    assert len(silence(0.02, 16_000)) == 640
    assert Clip(rate=8_000, pcm=bytes(16_000)).seconds == 1.0


def test_a_frame_ends_with_a_whole_sample() -> None:
    assert whole_samples(bytes(4)) == 2
    with pytest.raises(InvalidAudio, match="3 bytes"):
        whole_samples(bytes(3))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    clip = Clip(rate=22_050, pcm=RAMP)
    write_wav(tmp_path / "a.wav", clip)
    assert read_wav(tmp_path / "a.wav") == clip
    assert read_wav(wav_bytes(clip)) == clip


@pytest.mark.parametrize(
    ("bits", "code", "data"),
    [
        (8, 1, bytes([128, 192, 0])),
        (16, 1, struct.pack("<3h", 0, 16_384, -32_768)),
        (24, 1, b"\0\0\0" + b"\xff\x00\x40" + b"\x12\x00\x80"),
        (32, 1, struct.pack("<3i", 0, 16_384 << 16, -(1 << 31))),
    ],
)
def test_integers_of_every_width_become_16_bits(bits: int, code: int, data: bytes) -> None:
    assert values(read_wav(wav(data, bits=bits, code=code))) == [0, 16_384, -32_768]


@pytest.mark.parametrize(("bits", "form"), [(32, "<5f"), (64, "<5d")])
def test_floats_become_16_bits_and_too_loud_ones_are_clipped(bits: int, form: str) -> None:
    data = struct.pack(form, 0.0, 0.5, -1.0, 7.0, float("nan"))
    assert values(read_wav(wav(data, bits=bits, code=3))) == [0, 16_384, -32_767, 32_767, 0]


def test_two_channels_are_mixed() -> None:
    data = struct.pack("<4h", 100, 300, -50, -150)
    assert values(read_wav(wav(data, channels=2))) == [200, -100]


def test_an_extensible_header_is_understood() -> None:
    layout = struct.pack("<HHIIHH", 0xFFFE, 1, 16_000, 32_000, 2, 16)
    layout += struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    chunks = b"fmt " + size(layout) + layout + b"data" + size(RAMP) + RAMP
    assert read_wav(riff(chunks)).pcm == RAMP


def test_other_chunks_are_skipped_also_of_odd_length() -> None:
    good = wav(RAMP)
    assert read_wav(riff(b"LIST" + size(b"odd") + b"odd\0" + good[12:])).pcm == RAMP


def test_a_length_that_was_not_known_reaches_to_the_end() -> None:
    good = bytearray(wav(RAMP))
    good[40:44] = b"\xff\xff\xff\xff"
    assert read_wav(bytes(good)).pcm == RAMP


def test_half_a_sample_at_the_end_is_left_out() -> None:
    assert read_wav(wav(RAMP + b"x")).pcm == RAMP


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"", "not a WAV file"),
        (b"ID3" + bytes(100), "not a WAV file"),
        (wav(RAMP)[:-4], "truncated: it promises 10 bytes of audio and holds 6"),
        (wav(RAMP)[:36], "truncated: it ends before its audio"),
        (riff(b"data" + size(RAMP) + RAMP), "does not say its format"),
        (wav(b""), "0 s long"),
        (wav(RAMP, channels=3), "3 channels"),
        (wav(RAMP, rate=96_000), "96000 Hz"),
        (wav(RAMP, rate=4_000), "4000 Hz"),
        (wav(RAMP, code=6, bits=8), "8-bit format 6"),
        (wav(RAMP, bits=12), "12-bit PCM"),
        (wav(RAMP, code=3, bits=16), "16-bit float"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(content: bytes, advice: str) -> None:
    with pytest.raises(InvalidAudio, match=advice):
        read_wav(content)


def test_samples_are_swapped_on_a_machine_of_the_other_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.byteorder", "big")
    assert values(read_wav(wav(bytes([129]), bits=8))) == [1]
