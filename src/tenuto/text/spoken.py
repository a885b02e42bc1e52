"""Numbers that were said, as digits, with a way back to the words: what a recogniser wrote down, for finders of numbers.

`double seven`, `triple five`, `oh`, `twenty three`, `eight hundred` and `plus four four` are understood, and digits that
the recogniser wrote itself; an `uh` between two digits is not. English only.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class View(NamedTuple):
    """A text as a finder should read it, and where each of its characters stands in the source."""

    text: str
    starts: Sequence[int]
    """For each character of `text`, where what it stands for begins in the source, in characters."""
    ends: Sequence[int]
    """For each character of `text`, where what it stands for ends in the source, in characters."""

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the source that a span of the view, which is not empty, stands for."""
        return self.starts[start], self.ends[end - 1]


def plain(text: str) -> View:
    """Return a text as it is."""
    return View(text, range(len(text)), range(1, len(text) + 1))


def digits(text: str) -> View:
    """Return a text with its spoken numbers as digits: without anything between those that were said in one breath, and
    with one space, or what was there, between all others. Words around them stay as they are.

    A count of five or more (`one two three four five`) stays in words: it is nobody's number.

    Example:
        >>> digits("call four one five, double five uh five").text
        'call 415 55 5'
    """
    view = _Writer(text)
    run: list[_Number] = []
    for number in _numbers(text):
        if run and not _joins(text[run[-1].end : number.start]):
            view.write(run)
            run = []
        run.append(number)
    view.write(run)
    view.copy(len(text))
    return View("".join(view.pieces), view.starts, view.ends)


def has_number_words(text: str) -> bool:
    """Return whether a text says any number in words: if not, `digits` has nothing to do."""
    return _NUMBER_WORD.search(text) is not None


def settled(text: str) -> str:
    """Return what may be shown of a text that is still being said: without a number, or an address, at its end.

    A card of which fifteen digits were said is none yet, so that no finder finds it: nobody should see those fifteen.

    Example:
        >>> settled("my card is 4111 1111 1111 11"), settled("write to alice at example"), settled("it was 7 I think")
        ('my card is', 'write to alice', 'it was 7 I think')
    """
    words = [(match[0], match.end()) for match in _WORD.finditer(text)]
    while words and _is_open(words[-1][0]):
        words.pop()
    for back, (word, _) in enumerate(words[-_ADDRESS:]):
        if "@" in word or word.casefold() == "at":
            del words[len(words[:-_ADDRESS]) + back :]
            break
    return text[: words[-1][1]] if words else ""


def _is_open(word: str) -> bool:
    """Whether a word at the end of a text may be a part of a number that is still being said."""
    return (
        any(letter.isdecimal() for letter in word)
        or has_number_words(word)
        or _GAP.fullmatch(word) is not None
        or word.casefold().strip(".,") in _INSIDE
        or word.casefold() in ("plus", "+", "hundred", "thousand")
    )


def is_count(numbers: Sequence[str]) -> bool:
    """Return whether somebody counts, up or down: `["3", "4", "5", "6", "7"]`, or in twos, fives or tens."""
    if len(numbers) < _COUNT or not all(number.isdecimal() for number in numbers):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(numbers)}
    return len(steps) == 1 and abs(steps.pop()) in _STEPS


class _Number(NamedTuple):
    digits: str
    start: int
    end: int
    spoken: bool


_UNITS = {
    "zero": "0", "nought": "0", "naught": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "niner": "9",
}  # fmt: skip
_TEENS = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
    "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19",
}  # fmt: skip
_TENS = {
    "twenty": "2", "thirty": "3", "forty": "4", "fourty": "4", "fifty": "5", "sixty": "6", "seventy": "7",
    "eighty": "8", "ninety": "9",
}  # fmt: skip
_TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
_INSIDE = {
    "o": "0",
    "oh": "0",
    "to": "2",
    "too": "2",
    "for": "4",
    "fore": "4",
    "won": "1",
    "ate": "8",
}
"""What is a digit only among digits; all but the first two only between two that were said."""
_LETTER_O = {"o", "oh"}

_WORDS = [*_UNITS, *_TEENS, *_TENS, *_TIMES]
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)}|oh)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\d+|[^\W\d_]+")
_GAP = re.compile(
    r"(?:[\s,;.…()\u2010-\u2015-]|\b(?:a+h+|comma|dash|dot|e+r+m*|h+m+|hyphen|minus|m+|point|space|then|u+h+m*|u+m+)\b)+",
    re.IGNORECASE,
)
_DASH = re.compile(r"[\u2010-\u2015-]|dash|hyphen|minus", re.IGNORECASE)
_WORD = re.compile(r"\S+")
_ADDRESS = 6
"""Words at the end of a text among which an `at` may be that of an address."""
_LONGEST_GAP = 40
"""Characters between two digits beyond which they belong to two numbers."""
_COUNT = 5
"""Numbers in a row that make a count."""
_STEPS = {1, 2, 5, 10}


def _joins(gap: str) -> bool:
    """Whether what stands between two numbers may stand within one."""
    # A comma alone is that of a thousand.
    return len(gap) <= _LONGEST_GAP and gap != "," and _GAP.fullmatch(gap) is not None


def _numbers(text: str) -> list[_Number]:
    """The numbers of a text, written or said, in order."""
    tokens = [(m[0].lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    found: list[_Number] = []
    at = 0
    while at < len(tokens):
        number, used = _number(text, tokens, at, found)
        if number:
            found.append(number)
        at += used
    return found


def _number(
    text: str, tokens: list[tuple[str, int, int]], at: int, before: list[_Number]
) -> tuple[_Number | None, int]:
    """The number that begins at a token, if one does, and how many tokens were read."""
    word, start, end = tokens[at]
    following, _, following_end = tokens[at + 1] if at + 1 < len(tokens) else ("", end, end)
    adjacent = text[end : tokens[at + 1][1]] if following else ""
    near = adjacent.isspace() or adjacent == "-"
    if word[0].isdigit():
        return _Number(word, start, end, False), 1
    if word in _UNITS:
        if following == "hundred" and near:
            return _Number(_UNITS[word] + "00", start, following_end, True), 2
        return _Number(_UNITS[word], start, end, True), 1
    if word in _TEENS:
        return _Number(_TEENS[word], start, end, True), 1
    if word in _TENS:
        if near and _UNITS.get(following, "0") != "0":
            return _Number(_TENS[word] + _UNITS[following], start, following_end, True), 2
        return _Number(_TENS[word] + "0", start, end, True), 1
    if word in _TIMES and near:
        digit = following if following.isdigit() else _UNITS.get(following, "")
        digit = "0" if following in _LETTER_O else digit
        if len(digit) == 1:
            return _Number(digit * _TIMES[word], start, following_end, True), 2
    if word == "plus" and near and (following.isdigit() or following in _UNITS):
        return _Number("+", start, end, True), 1
    if word in _INSIDE:
        after = near and (following in _UNITS or following in _TENS or following in _TIMES)
        inside = bool(before) and before[-1].spoken and text[before[-1].end : start].isspace()
        if (after and inside) or (word in _LETTER_O and (after or inside)):
            return _Number(_INSIDE[word], start, end, True), 1
    return None, 1


class _Writer:
    """A view in the making."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.done = 0

    def copy(self, end: int) -> None:
        """Copy the source up to a place."""
        self.pieces.append(self.text[self.done : end])
        self.starts += range(self.done, end)
        self.ends += range(self.done + 1, end + 1)
        self.done = end

    def write(self, run: list[_Number]) -> None:
        """Write numbers that belong together."""
        if is_count([number.digits for number in run]):
            return
        for last, number in zip([None, *run], run, strict=False):
            if last is None:
                self.copy(number.start)
            else:
                self._put(_between(self.text[self.done : number.start], last, number), number.start)
            self._put(number.digits, number.end)

    def _put(self, what: str, end: int) -> None:
        """Let each character of something stand for the source from where it is done up to a place."""
        self.pieces.append(what)
        self.starts += [self.done] * len(what)
        self.ends += [end] * len(what)
        self.done = end


def _between(gap: str, last: _Number, number: _Number) -> str:
    """What a finder should see of a gap within a number."""
    if last.digits == "+":
        return ""
    if _DASH.search(gap):
        return "-"
    if gap == ".":
        return "."
    return "" if gap.isspace() and last.spoken and number.spoken else " "
