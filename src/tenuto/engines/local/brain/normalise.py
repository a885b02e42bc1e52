"""Text as the rules read it: lower case, contractions written out, no punctuation, every word knowing where it
stood.

Text comes from a keyboard or from a recogniser, so "What's my name?", "whats my name" and "um what is my name
please" have to look alike to a rule, and yet the name in "I'm McDonald" must come back with its capitals. A
`Clause` is both: `plain` is for the rules, and `said` gives back the person's own letters for any stretch of
`plain`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_CLAUSE = 500
"""Characters of a clause that rules are tried on. A longer one is understood by nobody."""

_WORD = re.compile(
    r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|(?<![^\W_])-|-(?![^\W_])|(?<=\d)-(?=\d)|[+*/^%()=\u00d7\u00f7\u221a]"
)
_SIGNS = "+*/^\u00d7\u00f7\u221a"
_ENDING = re.compile(r"[.!?;\u2026]+(?=[\s\"')\]]|$)|\n+|\s+[\u2013\u2014-]\s+(?=[^\W\d])")
_NO_ENDING = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|prof|vs|e\.g|i\.e|[ap]\.m|no|nope)|(?<!\w)[a-hj-z])$", re.I
)
_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc`\u00b4", "'''''")

_SPELLINGS: dict[str, str] = {
    **dict.fromkeys(("im", "i'm"), "i am"),
    **{f"{w}s": f"{w} is" for w in ("what", "who", "where", "when", "how", "that", "it", "there")},
    "ive": "i have",
    "dont": "do not",
    "doesnt": "does not",
    "didnt": "did not",
    "cant": "can not",
    "cannot": "can not",
    "anymore": "any more",
    "can't": "can not",
    "wont": "will not",
    "won't": "will not",
    "isnt": "is not",
    "youre": "you are",
    "let's": "let us",
    "name's": "name is",
    "favourite": "favorite",
    "favourites": "favorites",
    "colour": "color",
    "summarise": "summarize",
    "oclock": "o'clock",
    "ok": "okay",
    "thx": "thanks",
    "wanna": "want to",
    "gonna": "going to",
    "gimme": "give me",
    "nmae": "name",
    "naem": "name",
    "min": "minute",
    "mins": "minutes",
    "sec": "second",
    "secs": "seconds",
    "hr": "hour",
    "hrs": "hours",
    "remeber": "remember",
    "mum": "mother",
    "mom": "mother",
    "dad": "father",
    "mum's": "mother's",
    "mom's": "mother's",
    "dad's": "father's",
    "kids": "children",
    "kid": "child",
}
_ENDS = (("n't", " not"), ("'m", " am"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"))
_IS = frozenset("what who where when how that it there here he she".split())

_FILLERS = frozenset(
    "um uh er erm hmm mm well so okay oh ah hey yeah yes yep no alright right and but also then now actually "
    "basically listen please tenuto plus".split()
)
_TRAILING = (
    *("please", "thanks", "thank you", "right now", "now", "for me", "again", "then", "too"),
    *(
        "as well",
        "by the way",
        "tenuto",
        "my friend",
        "and",
        "um",
        "uh",
        "okay",
        "also",
        "actually",
    ),
)
_POLITE = re.compile(
    r"(?:(?:can|could|would|will) you (?:please |just )?"
    r"|i (?:would like|want) (?:you to|to know) |i wonder |by the way |you know "
    r"|(?:do you (?:know|remember)|tell me|let me know|any idea|remind me) "
    r"(?=(?:what|who|where|when|how|which|if|my)\b)(?:if )?)"
)
_INVERTED = re.compile(
    r"(what|who|where|when|which \w+|how old|how many \w+) (.+) (is|are|am|was|were)"
)
_INDIRECT = re.compile(r"(what|where|who|when|how old|how) (i) (\w+)\b.*")


class Word(NamedTuple):
    """One word for the rules, and where it stands in what was said."""

    text: str
    start: int
    """First character of it in the clause's `raw`."""
    end: int


class Clause:
    """A stretch of what was said that one rule may answer.

    Example:
        >>> clause = read("I'm Alice")
        >>> clause.plain, clause.said(5, 10)
        ('i am alice', 'Alice')
    """

    __slots__ = ("plain", "raw", "starts", "words")

    def __init__(self, raw: str, words: tuple[Word, ...]) -> None:
        self.raw = raw
        self.words = words
        self.plain = " ".join(word.text for word in words)
        self.starts: list[int] = []
        """Where each word begins in `plain`."""
        at = 0
        for word in words:
            self.starts.append(at)
            at += len(word.text) + 1

    def said(self, start: int, end: int) -> str:
        """Return the person's own letters for `plain[start:end]`; empty for an empty stretch."""
        words = [w for w, at in zip(self.words, self.starts, strict=True) if start <= at < end]
        if not words:
            return ""
        return self.raw[min(w.start for w in words) : max(w.end for w in words)].strip()

    def part(self, first: int, last: int | None = None) -> "Clause":
        """Return the words `first` to `last` (not included) as a clause."""
        return Clause(self.raw, self.words[first:last])


def read(raw: str) -> Clause:
    """Return a sentence as a clause. Anything that is not a word, a number or a sign of arithmetic is dropped."""
    raw = raw.translate(_APOSTROPHES)
    signs = _SIGNS + "-()=%" if any(c.isdigit() for c in raw) else _SIGNS
    words: list[Word] = []
    for match in _WORD.finditer(raw):
        text = match[0].lower()
        if not text[0].isalnum() and text not in signs:
            continue
        if text[0].isdigit():
            text = (
                text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text) else text
            )
        words.extend(Word(each, match.start(), match.end()) for each in _written_out(text))
    return Clause(raw, tuple(words))


def _written_out(word: str) -> list[str]:
    if spelling := _SPELLINGS.get(word):
        return spelling.split()
    for end, written in _ENDS:
        if word.endswith(end) and len(word) > len(end):
            return (word.removesuffix(end) + written).split()
    if word.endswith("'s") and word[:-2] in _IS:
        return [word[:-2], "is"]
    return [word]


def sentences(text: str) -> Iterator[Clause]:
    """Split what was said where a sentence ends, but not inside `3.5`, `Dr. Smith` or `5 p.m. today`."""
    begin = 0
    for match in _ENDING.finditer(text):
        if match[0] == "." and _NO_ENDING.search(text[max(0, match.start() - 8) : match.start()]):
            continue
        clause = read(text[begin : match.end()])
        begin = match.end()
        if clause.words:
            yield clause
    rest = read(text[begin:])
    if rest.words:
        yield rest


def readings(clause: Clause) -> Iterator[Clause]:
    """Give a clause as it is, then without fillers, without politeness, and as a direct question. No reading twice."""
    seen = {clause.plain}
    yield clause
    bare = _without_fillers(clause)
    direct = _without_politeness(bare)
    for reading in (bare, direct, _asked_directly(direct), _asked_directly(bare)):
        if reading.words and reading.plain not in seen:
            seen.add(reading.plain)
            yield reading


def _without_fillers(clause: Clause) -> Clause:
    first, last = 0, len(clause.words)
    while first < last - 1 and clause.words[first].text in _FILLERS:
        first += 1
    trimmed = True
    while trimmed:
        trimmed = False
        for ending in _TRAILING:
            words = ending.split()
            cut = last - len(words)
            if cut > first and [w.text for w in clause.words[cut:last]] == words:
                last, trimmed = cut, True
    return clause.part(first, last)


def _without_politeness(clause: Clause) -> Clause:
    for _ in range(3):
        match = _POLITE.match(clause.plain)
        if match is None:
            break
        clause = clause.part(match[0].strip().count(" ") + 1)
        while len(clause.words) > 1 and clause.words[0].text == "please":
            clause = clause.part(1)
    return clause


def _asked_directly(clause: Clause) -> Clause:
    """Turn "what my name is" into "what is my name", and "where i live" into "where do i live"."""
    words = clause.words
    if match := _INVERTED.fullmatch(clause.plain):
        at = match[1].count(" ") + 1
        return Clause(clause.raw, (*words[:at], words[-1], *words[at:-1]))
    if match := _INDIRECT.fullmatch(clause.plain):
        at = match[1].count(" ") + 1
        if match[3] in ("am", "was", "have"):
            return Clause(clause.raw, (*words[:at], words[at + 1], words[at], *words[at + 2 :]))
        do = Word("do", words[at].start, words[at].start)
        return Clause(clause.raw, (*words[:at], do, *words[at:]))
    return clause
