"""Numbers as people say them: "one hundred and five" is 105, "three point five" is 3.5, and 7 is "seven"."""

from tenuto.engines.local.brain.normalise import Clause, Word

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL = {word: number for number, word in enumerate(_UNITS)}
_DOZENS = {word: 10 * number for number, word in enumerate(_TENS, 2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def numbered(clause: Clause) -> Clause:
    """Return the clause with every spoken number as one word of digits.

    Example:
        >>> numbered(read("twenty five times one point five")).plain
        '25 times 1.5'
    """
    words = [word.text for word in clause.words]
    out: list[Word] = []
    at = 0
    while at < len(words):
        text, after = _number(words, at)
        if after == at:
            out.append(clause.words[at])
            at += 1
        else:
            out.append(Word(text, clause.words[at].start, clause.words[after - 1].end))
            at = after
    return Clause(clause.raw, tuple(out))


def _number(words: list[str], at: int) -> tuple[str, int]:
    """Return a number as digits and the place after it; the same place when there is none."""
    total, begin = 0, at
    ceiling = 10**15
    while True:
        skip = 1 if at > begin and words[at : at + 1] == ["and"] else 0
        value, after = _hundreds(words, at + skip)
        if after == at + skip or (skip and total == 0):
            break
        scale = _SCALES.get(words[after], 1) if after < len(words) else 1
        if scale >= ceiling or (at > begin and scale == 1 and value >= 1000):
            break
        total += value * scale
        at = after + (scale > 1)
        if scale == 1:
            break
        ceiling = scale
    if at == begin:
        return "", begin
    if at < len(words) and words[at] == "point":
        digits, after = "", at + 1
        while after < len(words) and _SMALL.get(words[after], 10) < 10:
            digits += str(_SMALL[words[after]])
            after += 1
        if digits:
            return f"{total}.{digits}", after
    return str(total), at


def _hundreds(words: list[str], at: int) -> tuple[int, int]:
    """Read a number under a thousand, or digits before a scale such as `million`."""
    word = words[at] if at < len(words) else ""
    following = words[at + 1] if at + 1 < len(words) else ""
    if word.isascii() and word.isdigit() and len(word) <= 9 and following in _SCALES:
        return int(word), at + 1
    if word in ("a", "an") and (following == "hundred" or following in _SCALES):
        value, after = 1, at + 1
    else:
        value, after = _tens(words, at)
    if after == at:
        return 0, at
    if 0 < value < 100 and words[after : after + 1] == ["hundred"]:
        value, after = value * 100, after + 1
        skip = 1 if words[after : after + 1] == ["and"] else 0
        more, end = _tens(words, after + skip)
        if end > after + skip:
            return value + more, end
    return value, after


def _tens(words: list[str], at: int) -> tuple[int, int]:
    word = words[at] if at < len(words) else ""
    if word in _SMALL:
        return _SMALL[word], at + 1
    if word in _DOZENS:
        unit = _SMALL.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return (_DOZENS[word] + unit, at + 2) if 0 < unit < 10 else (_DOZENS[word], at + 1)
    return 0, at


def in_words(number: int) -> str:
    """Return small numbers as words, as they are said; larger ones as digits."""
    return _UNITS[number] if 0 <= number <= 12 else str(number)
