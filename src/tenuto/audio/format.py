"""Sums on samples, and WAV files. Pure: no numpy, no clock, and files only where a path is given.

Inside Tenuto audio is 16-bit signed little-endian PCM, one channel. A WAV file may be stranger than
that (8, 24 or 32 bits, float, stereo, a header written by a program that did not know the length
yet): `read_wav` makes it plain, and says what to do with a file that it cannot use.
"""

import math
import struct
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

import msgspec

from tenuto.errors import InvalidAudio

BYTES = 2
"""Bytes of one sample."""

RATES = (8_000, 48_000)
"""The lowest and the highest rate of a microphone and of a WAV file, in Hz."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_LENGTH = 0x7FFF_0000
"""A data chunk that claims this many bytes or more was streamed: it goes on to the end of the
file."""

_CONVERT = "Convert it with: sox IN -b 16 -r 16000 -c 1 OUT.wav"


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of recorded audio, one channel.

    Example:
        >>> Clip(rate=16_000, pcm=bytes(32_000)).seconds
        1.0
    """

    rate: int
    """Samples per second, in Hz."""
    pcm: bytes
    """16-bit signed little-endian samples."""

    @property
    def seconds(self) -> float:
        """How long it lasts, in seconds."""
        return seconds(len(self.pcm), self.rate)


def seconds(size: int, rate: int) -> float:
    """Return how many seconds `size` bytes of one channel at `rate` Hz last.

    Example:
        >>> seconds(640, 16_000)
        0.02
    """
    return size / (BYTES * rate)


def samples(length: float, rate: int) -> int:
    """Return how many samples `length` seconds at `rate` Hz are, to the nearest.

    Example:
        >>> samples(0.032, 16_000)
        512
    """
    return round(length * rate)


def silence(length: float, rate: int) -> bytes:
    """Return `length` seconds of silence at `rate` Hz, as PCM."""
    return bytes(samples(length, rate) * BYTES)


def whole_samples(pcm: bytes | bytearray | memoryview) -> int:
    """Return the number of samples of a frame.

    Raises:
        InvalidAudio: The frame ends in the middle of a sample.
    """
    if len(pcm) % BYTES:
        raise InvalidAudio(
            f"An audio frame has {len(pcm)} bytes, which is not a whole number of samples. "
            "Send 16-bit signed little-endian PCM, one channel."
        )
    return len(pcm) // BYTES


def read_wav(source: bytes | str | Path) -> Clip:
    """Read a WAV file: PCM of 8, 16, 24 or 32 bits or float of 32 or 64, one or two channels, 8 to
    48 kHz.

    Two channels are mixed to one.

    Args:
        source: The path of a file, or its bytes.

    Raises:
        InvalidAudio: It is not a WAV file, is truncated, holds no audio, or is in a format that is
            not supported. The message says which, and how to convert it.
        OSError: The file cannot be read.
    """
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    layout, data = _chunks(content)
    code, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", layout)
    if code == _EXTENSIBLE and len(layout) >= 26:
        (code,) = struct.unpack_from("<H", layout, 24)
    if channels not in (1, 2):
        raise InvalidAudio(f"The WAV file has {channels} channels; one or two work. {_CONVERT}")
    if not RATES[0] <= rate <= RATES[1]:
        raise InvalidAudio(f"The WAV file has {rate} Hz; 8000 to 48000 work. {_CONVERT}")
    if (code, bits) not in _DECODERS or block != channels * bits // 8:
        kind = {_PCM: "PCM", _FLOAT: "float"}.get(code, f"format {code}")
        raise InvalidAudio(f"The WAV file is {bits}-bit {kind}, which is not supported. {_CONVERT}")
    data = data[: len(data) // block * block]
    if not data:
        raise InvalidAudio("The WAV file is 0 s long: it holds no audio. Record it again.")
    values = _DECODERS[code, bits](data)
    if channels == 2:
        mixed = (left + right >> 1 for left, right in zip(values[::2], values[1::2], strict=True))
        values = array("h", mixed)
    return Clip(rate=rate, pcm=_little(values).tobytes())


def wav_bytes(clip: Clip) -> bytes:
    """Return a clip as the bytes of a 16-bit WAV file."""
    size = len(clip.pcm)
    layout = struct.pack("<HHIIHH", _PCM, 1, clip.rate, clip.rate * BYTES, BYTES, 8 * BYTES)
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + layout
    return head + b"data" + struct.pack("<I", size) + clip.pcm


def write_wav(path: str | Path, clip: Clip) -> None:
    """Write a clip as a 16-bit WAV file.

    Raises:
        OSError: The file cannot be written.
    """
    Path(path).write_bytes(wav_bytes(clip))


def _chunks(content: bytes) -> tuple[bytes, bytes]:
    """Find the two chunks of a WAV file that matter: its layout and its samples."""
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise InvalidAudio(f"This is not a WAV file. {_CONVERT}")
    layout, place = b"", 12
    while place + 8 <= len(content):
        name, size = (
            content[place : place + 4],
            int.from_bytes(content[place + 4 : place + 8], "little"),
        )
        body = content[place + 8 : place + 8 + size]
        if name == b"data":
            if len(layout) < 16:
                raise InvalidAudio(f"The WAV file does not say its format. {_CONVERT}")
            if len(body) < size < _UNKNOWN_LENGTH:
                raise InvalidAudio(
                    f"The WAV file is truncated: it promises {size} bytes of audio and holds "
                    f"{len(body)}. Copy or record it again."
                )
            return layout, body
        if name == b"fmt ":
            layout = body
        place += 8 + size + size % 2
    raise InvalidAudio(
        "The WAV file is truncated: it ends before its audio. Copy or record it again."
    )


def _little(values: "array[int]") -> "array[int]":
    """Swap the bytes of samples where the machine's order is not the file's."""
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _from_8(data: bytes) -> "array[int]":
    return array("h", ((byte - 128) << 8 for byte in data))


def _from_16(data: bytes) -> "array[int]":
    return _little(array("h", data))


def _from_24(data: bytes) -> "array[int]":
    # The low byte of each sample is left out: what remains are the upper 16 bits.
    upper = bytearray(len(data) // 3 * 2)
    upper[0::2], upper[1::2] = data[1::3], data[2::3]
    return _little(array("h", bytes(upper)))


def _from_32(data: bytes) -> "array[int]":
    upper = bytearray(len(data) // 2)
    upper[0::2], upper[1::2] = data[2::4], data[3::4]
    return _little(array("h", bytes(upper)))


def _from_float(data: bytes) -> "array[int]":
    return array("h", (_clamp(value) for (value,) in struct.iter_unpack("<f", data)))


def _from_double(data: bytes) -> "array[int]":
    return array("h", (_clamp(value) for (value,) in struct.iter_unpack("<d", data)))


def _clamp(value: float) -> int:
    """Return a sample of -1.0 to 1.0 as 16 bits; what is no number is silence."""
    return 0 if math.isnan(value) else round(max(-1.0, min(1.0, value)) * 32_767)


_DECODERS: dict[tuple[int, int], Callable[[bytes], "array[int]"]] = {
    (_PCM, 8): _from_8,
    (_PCM, 16): _from_16,
    (_PCM, 24): _from_24,
    (_PCM, 32): _from_32,
    (_FLOAT, 32): _from_float,
    (_FLOAT, 64): _from_double,
}
"""How the samples of each encoding become 16 bits."""
