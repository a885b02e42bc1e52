import pytest

from tenuto.engines.local.speaker import FASTEST, NORMAL, PIECE, SLOWEST, pieces, speed


@pytest.mark.parametrize(
    ("pace", "words"),
    [(None, NORMAL), (150.0, NORMAL), (153.0, NORMAL), (0.0, SLOWEST), (1e6, FASTEST)],
)
def test_a_voice_keeps_within_its_bounds(pace: float | None, words: int) -> None:
    assert speed(pace) == words


def test_who_speaks_faster_is_never_spoken_to_slower() -> None:
    speeds = [speed(float(pace)) for pace in range(5, 601, 5)]
    assert speeds == sorted(speeds)
    assert len(set(speeds)) == (FASTEST - SLOWEST) // 10 + 1


def test_a_sentence_is_one_piece() -> None:
    assert pieces(" Hello\n Alice.\0") == ["Hello Alice."]
    assert pieces("") == pieces(" \n") == []


def test_a_long_text_is_split_after_a_mark_else_between_words_else_anywhere() -> None:
    first, second = "a" * 100 + ";", "b" * 250
    assert pieces(f"{first} {second}") == [first, second]
    assert pieces("c" * 200 + " " + "d" * 200) == ["c" * 200, "d" * 200]
    assert [len(piece) for piece in pieces("e" * 700)] == [PIECE, PIECE, 100]


def test_nothing_is_lost() -> None:
    text = "one, two three. four; " * 100
    assert " ".join(pieces(text)) == text.strip()
