import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto.text.tokens import count


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" ", 1),
        ("a", 1),
        ("I am a b", 3),
        ("My name is Alice and I like quantum physics", 11),
        ("Привет, как дела?", 8),
        ("日本語を話します", 6),
        ("\ud800", 1),
    ],
)
def test_the_rule(text: str, tokens: int) -> None:
    assert count(text) == tokens


def test_prose_costs_what_the_other_rule_of_thumb_says() -> None:
    """100 tokens are about 75 words."""
    prose = (
        "So I was thinking about going to Italy in the spring, because my sister lives in Rome now, "
        "and I have not seen her for almost two years. Could you find out what the weather is like "
        "there in April, and whether the trains from Milan are running again after the strike?"
    )
    assert count(prose) == pytest.approx(len(prose.split()) / 0.75, rel=0.1)


@given(st.text(), st.text())
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert count(text + more) >= count(text)
    assert bool(count(text)) == bool(text)
