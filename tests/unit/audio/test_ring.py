import pytest

from tenuto.audio.ring import Ring
from tenuto.errors import InvalidAudio


def numbered(first: int, count: int) -> bytes:
    return b"".join(n.to_bytes(2, "little") for n in range(first, first + count))


def test_audio_is_found_again_by_its_place() -> None:
    ring = Ring(seconds=1.0, rate=100)
    assert ring.append(10, numbered(10, 20)) == 20
    assert (ring.start, ring.end) == (10, 30)
    assert ring.read(10) == numbered(10, 20)
    assert ring.read(25) == numbered(25, 5)
    assert ring.read(30) == ring.read(99) == b""


def test_only_the_last_seconds_are_kept() -> None:
    ring = Ring(seconds=1.0, rate=100)
    for first in range(0, 1_000, 7):
        ring.append(first, numbered(first, 7))
        assert ring.end - ring.start <= 100
    assert ring.read(0) == numbered(ring.start, 100)


def test_what_was_there_already_is_left_out() -> None:
    ring = Ring(seconds=1.0, rate=100)
    ring.append(0, numbered(0, 20))
    assert ring.append(5, numbered(5, 10)) == 0
    assert ring.append(15, numbered(15, 10)) == 5
    assert ring.read(0) == numbered(0, 25)


def test_a_gap_begins_a_new_run() -> None:
    ring = Ring(seconds=1.0, rate=100)
    ring.append(0, numbered(0, 20))
    assert ring.append(30, numbered(30, 5)) == 5
    assert (ring.start, ring.end) == (30, 35)
    assert ring.read(0) == numbered(30, 5)


def test_a_cleared_ring_begins_anywhere() -> None:
    ring = Ring(seconds=1.0, rate=100)
    ring.append(50, numbered(50, 20))
    ring.clear()
    assert ring.append(3, numbered(3, 4)) == 4
    assert ring.read(0) == numbered(3, 4)


def test_half_a_sample_is_refused_and_changes_nothing() -> None:
    ring = Ring(seconds=1.0, rate=100)
    ring.append(0, numbered(0, 4))
    with pytest.raises(InvalidAudio):
        ring.append(4, b"x")
    assert ring.read(0) == numbered(0, 4)
