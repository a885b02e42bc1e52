import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto.text.spoken import digits, has_number_words, is_count, plain, settled


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("", ""),
        ("no number here", "no number here"),
        ("four one five", "415"),
        ("Four ONE five", "415"),
        ("call four one five, double five uh five now", "call 415 55 5 now"),
        ("double seven", "77"),
        ("double-seven triple oh treble 3 quadruple two", "770003332222"),
        ("double trouble, double twelve", "double trouble, double 12"),
        ("a double", "a double"),
        ("twenty three", "23"),
        ("twenty-three", "23"),
        ("twenty, three", "20 3"),
        ("twenty zero", "200"),
        ("nineteen eighty four", "1984"),
        ("eight hundred five five", "80055"),
        ("hundred", "hundred"),
        ("oh two oh", "020"),
        ("oh dear", "oh dear"),
        ("O negative", "O negative"),
        ("five o", "50"),
        ("plus four four two", "+442"),
        ("plus 44 two", "+44 2"),
        ("plus tax", "plus tax"),
        ("five to six", "526"),
        ("five to seventy", "5270"),
        ("one for double two", "1422"),
        ("it is for two people", "it is for 2 people"),
        ("2 to 3", "2 to 3"),
        ("five, to six", "5, to 6"),
        ("4111 uh 1111 um 1111", "4111 1111 1111"),
        ("4111. 1111", "4111 1111"),
        ("415.555", "415.555"),
        ("1,250,000", "1,250,000"),
        ("one two dash three - four", "12-3-4"),
        ("one two; and three", "12; and 3"),
        ("one" + " " * 41 + "two", "1" + " " * 41 + "2"),
        ("one two three four", "1234"),
        ("one two three four five", "one two three four five"),
        ("five four three two one zero", "five four three two one zero"),
        ("one two three four six", "12346"),
        ("plus one two three four five", "+12345"),
        ("(four one five) five", "(415 5"),
        ("someone atone", "someone atone"),
    ],
)
def test_what_is_read(said: str, read: str) -> None:
    assert digits(said).text == read


def test_every_digit_knows_its_words() -> None:
    said = "call double seven, twenty-three now"
    view = digits(said)
    assert view.text == "call 77 23 now"
    start, end = view.source(view.text.index("7"), view.text.index("3"))
    assert said[start:end] == "double seven, twenty-three"
    assert said[slice(*view.source(0, 4))] == "call"
    assert said[slice(*view.source(len(view.text) - 3, len(view.text)))] == "now"


def test_a_plain_view_is_the_text() -> None:
    view = plain("call 415")
    assert view.text == "call 415"
    assert view.source(5, 8) == (5, 8)


WORDS = st.sampled_from(
    "one two oh double triple twenty hundred plus to for uh dash and 5 4111 , . - ( call".split()
)


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join)))
def test_each_character_stands_for_a_place(text: str) -> None:
    view = digits(text)
    assert len(view.text) == len(view.starts) == len(view.ends)
    assert list(view.starts) == sorted(view.starts)
    for start, end in zip(view.starts, view.ends, strict=True):
        assert 0 <= start < end <= len(text)
    # Whatever is no part of a number stays.
    kept = "".join(
        text[start]
        for start, end, character in zip(view.starts, view.ends, view.text, strict=True)
        if end - start == 1 and character == text[start]
    )
    assert len(kept) <= len(text)


@pytest.mark.parametrize(
    ("numbers", "counts"),
    [
        (["1", "2", "3", "4", "5"], True),
        (["10", "9", "8", "7", "6"], True),
        (["10", "20", "30", "40", "50"], True),
        (["01", "23", "45", "67", "89"], False),
        (["1", "2", "3", "4"], False),
        (["1", "2", "3", "5", "6"], False),
        (["+", "1", "2", "3", "4"], False),
        (["1", "1", "1", "1", "1"], False),
    ],
)
def test_a_count(numbers: list[str], counts: bool) -> None:
    assert is_count(numbers) is counts


@pytest.mark.parametrize(
    ("text", "has"), [("Seventy", True), ("oh", True), ("7", False), ("none", False)]
)
def test_number_words(text: str, has: bool) -> None:
    assert has_number_words(text) is has


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("4111", ""),
        ("my card is 4111 1111 1111 111", "my card is"),
        ("my card is four one one, uh double one -", "my card is"),
        ("call plus four four oh", "call"),
        ("it is [card] and", "it is [card] and"),
        ("write to alice at example", "write to alice"),
        ("write to alice@exa", "write to"),
        ("I am at home with all of my dear friends", "I am at home with all of my dear friends"),
        ("I have two dogs", "I have two dogs"),
    ],
)
def test_what_is_still_being_said_is_not_shown(text: str, shown: str) -> None:
    assert settled(text) == shown


def test_no_partial_of_a_card_shows_any_of_its_digits() -> None:
    words = "my card is 4111 1111 1111 1111 thank you".split()
    for said in range(1, 7):
        assert not any(letter.isdigit() for letter in settled(" ".join(words[:said])))
