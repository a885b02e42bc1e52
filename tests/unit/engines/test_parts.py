import pytest

from tenuto.engines.parts import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("Hello", ["Hello"]),
        ("Hello. How are you?", ["Hello.", "How are you?"]),
        ("It is 3.5 miles.  Far!", ["It is 3.5 miles.", "Far!"]),
        ("Dr. Who is here. Run!", ["Dr. Who is here.", "Run!"]),
        ("J. S. Bach wrote it. Listen.", ["J. S. Bach wrote it.", "Listen."]),
        ("It is 5 p.m. Rome time.", ["It is 5 p.m. Rome time."]),
        ('He said "Stop." Then left.', ['He said "Stop."', "Then left."]),
        ("Well... maybe. 42 is it.", ["Well... maybe.", "42 is it."]),
    ],
)
def test_a_text_is_split_where_sentences_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
