"""Sums: what they are, and that nothing large, deep or odd does harm."""

import pytest

from tests.unit.engines.local.talk import Talk, texts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("what is twelve times seven", "12 times 7 is 84."),
        ("What's 12 times 7?", "12 times 7 is 84."),
        ("3 + 4 * 2", "3 plus 4 times 2 is 11."),
        ("(3 + 4) * 2 =", "(3 plus 4) times 2 is 14."),
        ("what is one hundred and five divided by four", "105 divided by 4 is 26.25."),
        ("what's 1,000 + 2,500?", "1000 plus 2500 is 3500."),
        ("three point five times two", "3.5 times 2 is 7."),
        ("what is two million minus one", "2000000 minus 1 is 1999999."),
        ("5 - 8", "5 minus 8 is minus 3."),
        ("minus four times minus four", "Minus 4 times minus 4 is 16."),
        ("2^10", "2 to the power of 10 is 1024."),
        ("-2 ** 2", "Minus 2 squared is minus 4."),
        ("2^-2", "2 to the power of minus 2 is 0.25."),
        ("what is nine squared", "9 squared is 81."),
        ("what's 15% of 80?", "15 percent of 80 is 12."),
        ("twenty percent of fifty", "20 percent of 50 is 10."),
        ("50 + 10%", "50 plus 10 percent is 55."),
        ("square root of sixteen", "The square root of 16 is 4."),
        ("square root of two", "The square root of 2 is about 1.414214."),
        ("1/3", "1 divided by 3 is about 0.333333."),
        ("the sum of three and four", "3 plus 4 is 7."),
        ("subtract 3 from 10", "10 minus 3 is 7."),
        ("10^18 * 10^18",
         "10 to the power of 18 times 10 to the power of 18 is about 1 times 10 to the power of 36."),
        ("10 / 0", "I cannot divide by zero."),
        ("what is five divided by zero", "I cannot divide by zero."),
        ("0 ^ -1", "I cannot divide by zero."),
        ("7 mod 0", "I cannot divide by zero."),
        ("2^99999", "That is too large for me to work out."),
        ("9^9^9^9", "That is too large for me to work out."),
        ("1^99999999999 + 1", "1 to the power of 99999999999 plus 1 is 2."),
        ("2^0.5", "I can only raise to whole powers."),
        ("square root of -4", "A negative number has no real square root."),
        ("(" * 25 + "1 + 1" + ")" * 25, "That is too large for me to work out."),
        (f"1 + {'9' * 60}", "That number is too long for me."),
    ],
)  # fmt: skip
def test_sum(text: str, answer: str) -> None:
    assert texts(Talk().say(text)) == [answer]


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "what is 5",
        "2026-11-21",
        "555-1234",
        "21/11/2026",
        "2 plus",
        "plus two",
        "(2 + 3",
        "2 2 + 1",
    ],
)
def test_no_sum(text: str) -> None:
    assert texts(Talk().say(text))[0].startswith("I heard")
