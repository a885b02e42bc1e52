"""What was heard of a reply, in seconds and in whole words."""

import pytest

from tenuto.session.playback import (
    CHARACTERS_PER_SECOND,
    MARK_SLACK,
    Playback,
    heard_text,
    spoken_seconds,
)


def test_nothing_is_heard_before_the_first_mark() -> None:
    assert Playback(1, sent=5.0).heard(100.0) == 0.0


def test_what_a_restored_session_knows_was_heard_stays_heard() -> None:
    assert Playback(1, sent=2.0, marked=2.0).heard(100.0) == 2.0


def test_the_guess_goes_on_from_a_mark_at_the_speed_of_time() -> None:
    playback = Playback(1, sent=5.0)
    playback.mark(1.0, now=10.0)
    assert playback.heard(10.0) == 1.0
    assert playback.heard(10.25) == 1.25
    assert playback.heard(9.0) == 1.0, "time that goes back is no time"


def test_the_guess_stops_when_marks_stop() -> None:
    playback = Playback(1, sent=5.0)
    playback.mark(1.0, now=10.0)
    assert playback.heard(60.0) == 1.0 + MARK_SLACK


def test_nobody_hears_what_was_not_sent() -> None:
    playback = Playback(1, sent=1.2)
    playback.mark(99.0, now=10.0)
    assert playback.marked == 1.2
    assert playback.heard(11.0) == 1.2


def test_a_mark_does_not_take_back_what_was_heard() -> None:
    playback = Playback(1, sent=5.0)
    playback.mark(3.0, now=10.0)
    playback.mark(-1.0, now=11.0)
    assert playback.heard(11.0) == 3.0


def test_all_is_heard_when_the_last_sample_was_played_give_or_take_a_rounding() -> None:
    assert Playback(1, queued=2.0, marked=1.999).is_heard
    assert not Playback(1, queued=2.0, marked=1.9).is_heard


def test_the_place_is_known_when_the_segment_that_was_heard_last_is_measured() -> None:
    assert not Playback(1, marked=0.5).knows_place
    assert not Playback(1, ends=[1.0], marked=1.5).knows_place
    assert Playback(1, ends=[1.0, 2.0], marked=1.5).knows_place
    assert Playback(1, ends=[1.0], marked=1.001).knows_place


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        (0.0, ""),
        (0.3, ""),
        (0.5, "One"),
        (0.95, "One"),
        (1.0, "One two."),
        (1.3, "One two."),
        (1.5, "One two. Three"),
        (2.0, "One two. Three four."),
        (9.0, "One two. Three four."),
    ],
)
def test_a_word_counts_when_all_of_it_was_heard(heard: float, text: str) -> None:
    assert heard_text(["One two.", "Three four."], [1.0, 2.0], heard) == text


def test_audio_that_was_not_measured_is_taken_to_be_spoken_at_the_usual_speed() -> None:
    said = ["a" * 14, "b" * 14]
    assert heard_text(said, [], 1.0) == said[0]
    assert heard_text(said, [0.5], 1.49) == said[0]
    assert heard_text(said, [0.5], 1.5) == " ".join(said)


def test_segments_without_words_leave_no_trace() -> None:
    assert heard_text(["", "One.", ""], [0.0, 1.0, 1.0], 1.0) == "One."


def test_words_are_parted_by_any_white_space() -> None:
    assert heard_text(["one\ntwo"], [7.0], 3.0) == "one"
    assert heard_text(["one\ntwo"], [7.0], 5.0) == ""


def test_how_long_it_takes_to_say_something() -> None:
    assert spoken_seconds(["a" * 14, "b" * 7]) == pytest.approx(21 / CHARACTERS_PER_SECOND)
