"""Arithmetic of one line: "what is twelve times seven", `3 + 4 * 2`, "20 percent of 50". Exact, and bounded in
every size.

Own evaluator over tokens, in fractions; nothing is ever handed to Python to evaluate. The answer repeats the
sum as it was understood, so that a misheard number is heard."""

import re
from fractions import Fraction
from math import isqrt

from tenuto.engines.local.brain.normalise import Clause
from tenuto.engines.local.brain.numerals import numbered
from tenuto.engines.local.brain.situation import Reply, Situation, say

LONGEST_SUM = 60
"""Tokens of a sum."""
LARGEST = 2_000
"""Bits of any number on the way."""
_TOO_LARGE = "That is too large for me to work out."
DEEPEST = 20
"""Parentheses within parentheses."""


class Unsolved(ValueError):
    """It is a sum, but it gets no number; the message is what to say."""


class NotASum(ValueError):
    """These tokens are no sum."""


_ASKS = re.compile(
    r"(?:(?:what|how much) (?:is|are|does|do)|calculate|compute|work out|evaluate|solve|and|add up) "
)
_WORDS = (
    (r"(?:the )?square root of", "√"),
    (r"(?:multiplied by|times|x|\u00d7)", "*"),
    (r"(?:divided by|over|\u00f7)", "/"),
    (r"(?:to the power(?: of)?|raised to(?: the power of)?)", "^"),
    (r"(?:per cent|percent|%) of", "%of"),
    (r"(?:per cent|percent)", "%"),
    (r"\* \*", "^"),
    ("plus", "+"),
    ("(?:minus|negative)", "-"),
    ("(?:modulo|mod)", "mod"),
    ("squared", "^ 2"),
    ("cubed", "^ 3"),
    ("half of", "0.5 *"),
    ("(?:twice|double)", "2 *"),
)
_WORD_RULES = [(re.compile(rf"(?:(?<=\s)|^){pattern}(?=\s|$)"), sign) for pattern, sign in _WORDS]
_SHAPES = (
    (re.compile(r"(?:the )?sum of (.+) and (.+)"), r"\1 + \2"),
    (re.compile(r"(?:the )?product of (.+) and (.+)"), r"\1 * \2"),
    (re.compile(r"(?:the )?difference (?:between|of) (.+) and (.+)"), r"\1 - \2"),
    (re.compile(r"add (.+) (?:and|to) (.+)"), r"\1 + \2"),
    (re.compile(r"multiply (.+) (?:by|and|with) (.+)"), r"\1 * \2"),
    (re.compile(r"divide (.+) by (.+)"), r"\1 / \2"),
    (re.compile(r"subtract (.+) from (.+)"), r"\2 - \1"),
)
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[-+*/^()√]|%of|%|mod")
_SPOKEN = {"*": "times", "/": "divided by", "^": "to the power of", "+": "plus", "-": "minus"}
_SPOKEN |= {"√": "the square root of", "%of": "percent of", "%": "percent", "mod": "modulo"}


def arithmetic(clause: Clause, situation: Situation) -> Reply | None:
    """Answer a sum; None when the clause is not one."""
    text = re.sub(r"(?: equals?| make[s]?| is)?(?: =)?$", "", numbered(clause).plain)
    asked = _ASKS.match(text)
    text = text[asked.end() :] if asked else text
    for shape, sign in _SHAPES:
        if shape.fullmatch(text):
            text, asked = shape.sub(sign, text), asked or shape.match(text)
            break
    for pattern, sign in _WORD_RULES:
        text = pattern.sub(sign, text)
    tokens = _taken_up(text, situation) or text.split()
    if not 2 <= len(tokens) <= LONGEST_SUM or not all(_TOKEN.fullmatch(t) for t in tokens):
        return None
    signs = any(t in _SPOKEN for t in tokens[1:]) or tokens[0] == "\u221a"
    if not signs or not any(t[0].isdigit() for t in tokens):
        return None
    if not asked and _looks_like_no_sum(clause, tokens):
        return None
    if any(len(t) > 40 for t in tokens):
        return say("That number is too long for me.")
    try:
        value, exact = _Sum(tokens).value()
    except ZeroDivisionError:
        return say("I cannot divide by zero.")
    except Unsolved as unsolved:
        return say(str(unsolved))
    except NotASum:
        return None
    return say(f"{_spoken(tokens)} is {_shown(value, exact)}.")


_RESULT = re.compile(r".* is (\d[\d,]*(?:\.\d+)?)\.")


def _taken_up(text: str, situation: Situation) -> list[str]:
    """Return the sum that goes on with the last result, as "divided by two" does; empty when it is none."""
    goes_on = re.fullmatch(r"(?:and )?(?:(?:that|it|this|the result) )?([-*/+^] .+)", text)
    last = situation.last("agent") if goes_on else None
    result = _RESULT.fullmatch(last.said or last.text) if last else None
    return [result[1].replace(",", ""), *goes_on[1].split()] if goes_on and result else []


def _looks_like_no_sum(clause: Clause, tokens: list[str]) -> bool:
    """Tell dates, versions and telephone numbers, `2026-11-21`, from sums that nobody asked for in words."""
    signs = {t for t in tokens if not t[0].isdigit()}
    dated = re.search(r"\d[-/]\d+[-/]\d", clause.raw) or re.search(r"\d{3}-\d", clause.raw)
    return signs <= {"-", "/"} and bool(dated)


def _spoken(tokens: list[str]) -> str:
    text = " ".join(_SPOKEN.get(token, token) for token in tokens)
    text = text.replace("( ", "(").replace(" )", ")")
    text = text.replace("to the power of 2", "squared").replace("to the power of 3", "cubed")
    return text[:1].upper() + text[1:]


def _shown(value: Fraction, exact: bool) -> str:
    """Return a number as it is read: exact where that is short, else about six places."""
    about = "" if exact else "about "
    if value.denominator == 1 and abs(value.numerator) < 10**21:
        return f"{about}{value.numerator}".replace("-", "minus ")
    if 10**-6 < abs(value) < 10**15:
        rounded = round(value, 6)
        about = about if rounded == value else "about "
        digits = f"{abs(rounded.numerator) * 10**6 // rounded.denominator:07d}"
        text = f"{digits[:-6]}.{digits[-6:]}".rstrip("0").rstrip(".")
        return f"{about}{'minus ' if value < 0 else ''}{text}"
    return f"about {_scientific(value)}"


def _scientific(value: Fraction) -> str:
    sign, size = ("minus " if value < 0 else ""), abs(value)
    power = len(str(size.numerator)) - len(str(size.denominator))
    scaled = size / Fraction(10) ** power
    if scaled < 1:
        scaled, power = scaled * 10, power - 1
    return f"{sign}{float(scaled):.4g} times 10 to the power of {power}".replace(
        "of -", "of minus "
    )


class _Sum:
    """Precedence climbing over tokens. Every operation checks the size of what it makes."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._exact = True

    def value(self) -> tuple[Fraction, bool]:
        """Return the value of all tokens, and whether it is exact.

        Raises:
            ZeroDivisionError: It divides by zero.
            Unsolved: A bound was passed, or the result is no real number.
            NotASum: The tokens do not make a sum.
        """
        result = self._added()
        if self._at != len(self._tokens):
            raise NotASum
        return result, self._exact

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _added(self) -> Fraction:
        left = self._multiplied()
        while self._peek() in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            begin = self._at
            right = self._multiplied()
            if self._tokens[self._at - 1] == "%" and self._at - begin == 2:
                right *= left
            left = _bounded(left + sign * right)
        return left

    def _multiplied(self) -> Fraction:
        left = self._signed()
        while self._peek() in ("*", "/", "mod", "%of"):
            match self._take():
                case "*":
                    left *= self._signed()
                case "%of":
                    left *= self._signed() / 100
                case "/":
                    left /= self._signed()
                case _:
                    left %= self._signed()
            left = _bounded(left)
        return left

    def _signed(self) -> Fraction:
        sign = 1
        while self._peek() in ("+", "-"):
            sign = -sign if self._take() == "-" else sign
        return sign * self._raised()

    def _raised(self) -> Fraction:
        base = self._single()
        while self._peek() == "%":
            self._take()
            base /= 100
        if self._peek() != "^":
            return base
        self._take()
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unsolved(_TOO_LARGE)
        exponent = self._signed()
        if exponent.denominator != 1:
            raise Unsolved("I can only raise to whole powers.")
        if abs(exponent) * max(_bits(base), 1) > LARGEST:
            if abs(base) > 1 or base.denominator > 1:
                raise Unsolved(_TOO_LARGE)
            exponent = exponent % 2 + (2 if exponent > 0 else -2) if base else exponent
        return _bounded(base ** int(exponent))

    def _single(self) -> Fraction:
        token = self._take()
        if token == "(":
            self._depth += 1
            if self._depth > DEEPEST:
                raise Unsolved(_TOO_LARGE)
            inner = self._added()
            self._depth -= 1
            if self._take() != ")":
                raise NotASum
            return inner
        if token == "√":
            self._depth += 1
            if self._depth > DEEPEST:
                raise Unsolved(_TOO_LARGE)
            return self._root(self._signed())
        if not token[:1].isdigit():
            raise NotASum
        return _bounded(Fraction(token))

    def _root(self, value: Fraction) -> Fraction:
        if value < 0:
            raise Unsolved("A negative number has no real square root.")
        top, bottom = isqrt(value.numerator), isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return Fraction(top, bottom)
        self._exact = False
        scale = 10**18
        return Fraction(isqrt(value.numerator * scale**2 // value.denominator), scale)


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _bounded(value: Fraction) -> Fraction:
    if _bits(value) > LARGEST:
        raise Unsolved(_TOO_LARGE)
    return value
