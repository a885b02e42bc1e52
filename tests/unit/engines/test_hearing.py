import pytest

from tenuto.engines.hearing import Began, Ended, Finding, Hearing, Sound
from tenuto.engines.parts import FRAME, Endpointing
from tenuto.errors import InvalidAudio

LOUD, QUIET = b"\x01\x10", bytes(2)


class LoudVad:
    """Takes loud samples for speech."""

    def __init__(self) -> None:
        self.resets = 0

    def push(self, frame: bytes) -> float:
        return 1.0 if LOUD in frame else 0.0

    def reset(self) -> None:
        self.resets += 1


def hearing(**rules: float) -> Hearing:
    return Hearing(LoudVad(), Endpointing(**rules))


def frames(count: int, sample: bytes = LOUD) -> bytes:
    return sample * (FRAME * count)


def told(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not isinstance(finding, Sound)]


def push_all(ear: Hearing, pcm: bytes, offset: int = 0, step: int = 320) -> list[Finding]:
    found: list[Finding] = []
    for at in range(0, len(pcm), 2 * step):
        found += ear.push(memoryview(pcm)[at : at + 2 * step], offset + at // 2)
    return found


def test_three_frames_of_speech_begin_an_utterance_with_what_came_before() -> None:
    found = push_all(hearing(), frames(20, QUIET) + frames(3))
    assert told(found) == [Began(20 * FRAME - 4_800, frames(20, QUIET)[-9_600:] + frames(3))]


def test_two_frames_of_speech_are_a_click() -> None:
    assert push_all(hearing(), frames(2) + frames(1, QUIET) + frames(2)) == []


def test_it_begins_within_150_ms_of_the_first_frame_of_speech() -> None:
    ear = hearing()
    pcm = bytes(2 * 5_000) + frames(10)
    at = next(n for n in range(0, len(pcm), 640) if ear.push(pcm[n : n + 640], n // 2))
    assert (at + 640) // 2 - 5_000 <= 0.150 * 16_000


def test_an_utterance_ends_after_half_a_second_of_silence() -> None:
    found = push_all(hearing(), frames(5) + frames(40, QUIET))
    assert told(found) == [Began(0, frames(3)), Ended(21 * FRAME, "pause")]
    heard = b"".join(f.pcm for f in found if not isinstance(f, Ended))
    assert heard == frames(5) + frames(16, QUIET)


def test_a_shorter_silence_is_a_breath() -> None:
    found = push_all(hearing(), frames(5) + frames(15, QUIET) + frames(5))
    assert told(found) == [Began(0, frames(3))]


def test_speech_without_an_end_is_cut_at_the_limit_and_goes_on_without_loss() -> None:
    found = push_all(hearing(limit=1.024), frames(40))
    assert told(found) == [
        Began(0, frames(3)),
        Ended(32 * FRAME, "limit"),
        Began(32 * FRAME, frames(3)),
    ]


def test_what_was_given_before_is_left_out() -> None:
    ear = hearing()
    found = push_all(ear, frames(4))
    found += push_all(ear, frames(4), offset=0)
    found += push_all(ear, frames(4), offset=2 * FRAME)
    heard = b"".join(f.pcm for f in found if not isinstance(f, Ended))
    assert heard == frames(6)


@pytest.mark.parametrize("lost", [1, 300])
def test_a_few_lost_samples_change_only_the_count(lost: int) -> None:
    ear = hearing()
    push_all(ear, frames(10, QUIET))
    found = list(ear.push(frames(3), 10 * FRAME + lost))
    assert [f.offset for f in found if isinstance(f, Began)] == [10 * FRAME + lost - 4_800]


def test_lost_audio_before_speech_begins_a_new_run() -> None:
    ear = hearing()
    push_all(ear, frames(10, QUIET) + frames(2))
    assert told(list(ear.push(frames(3), 20 * FRAME))) == [Began(20 * FRAME, frames(3))]


def test_a_short_gap_within_speech_counts_as_silence() -> None:
    ear = hearing()
    push_all(ear, frames(5))
    found = push_all(ear, frames(6, QUIET), offset=15 * FRAME)
    assert told(found) == [Ended(21 * FRAME, "pause")]


def test_a_long_gap_within_speech_ends_it_where_it_was_lost() -> None:
    vad = LoudVad()
    ear = Hearing(vad, Endpointing())
    push_all(ear, frames(5) + LOUD * 100)
    found = list(ear.push(frames(4), 100 * FRAME))
    assert found[:2] == [Sound(LOUD * 100), Ended(5 * FRAME + 100, "pause")]
    assert told(found)[1:] == [Began(100 * FRAME, frames(3))]
    assert vad.resets == 1


def test_a_long_gap_at_a_frame_boundary_adds_no_sound() -> None:
    ear = hearing()
    push_all(ear, frames(5))
    assert list(ear.push(frames(1), 100 * FRAME)) == [Ended(5 * FRAME, "pause")]


def test_a_stream_may_begin_anywhere() -> None:
    assert told(list(hearing().push(frames(3), 7_000))) == [Began(7_000, frames(3))]


def test_a_microphone_that_is_switched_off_ends_the_utterance() -> None:
    ear = hearing()
    assert ear.finish() == ()
    push_all(ear, frames(4) + LOUD * 10)
    assert list(ear.finish()) == [Sound(LOUD * 10), Ended(4 * FRAME + 10, "stopped")]
    assert ear.finish() == ()
    assert told(push_all(ear, frames(3), offset=4 * FRAME + 10)) == [
        Began(4 * FRAME + 10, frames(3))
    ]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(InvalidAudio):
        hearing().push(b"x", 0)
