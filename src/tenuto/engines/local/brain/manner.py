"""How a reply is put: formal or casual, and how brief. What it says stays the same, word for word where it is the user's.

Quotations, questions, and what the user is remembered to have said are never touched: the brain reads its own questions
and facts again later, and a name or a title is what it is. With a style that says nothing, or little, a reply is as the
rules gave it. A reply that goes on after a break goes on in the manner in which it began.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tenuto.engines.local.brain.situation import Sentence
from tenuto.session.ports import Style

FORMAL = 0.8
"""Formality from which on nothing is contracted."""
CASUAL = 0.2
"""Formality up to which contractions are used."""
BRIEF = 0.15
"""Verbosity up to which a sentence that nobody asked for is left out."""

_FULL = {
    "I'm": "I am",
    "I'll": "I will",
    "I've": "I have",
    "you're": "you are",
    "you'll": "you will",
    "you've": "you have",
    "we're": "we are",
    "it's": "it is",
    "that's": "that is",
    "there's": "there is",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "can't": "cannot",
    "won't": "will not",
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "couldn't": "could not",
    "wouldn't": "would not",
    "haven't": "have not",
    "hasn't": "has not",
}
_FORMAL_WORDS = {
    "Hi": "Hello",
    "Hey": "Hello",
    "Bye": "Goodbye",
    "Thanks": "Thank you",
    "Nice to meet you": "I am pleased to meet you",
    "All right": "Very well",
    "No harm done": "There is no harm done",
}
_CASUAL_WORDS = {
    "Hello": "Hi",
    "Goodbye": "Bye",
    "I am": "I'm",
    "I will": "I'll",
    "You are": "You're",
    "It is": "It's",
    "That is": "That's",
    "There is": "There's",
    "do not": "don't",
    "Do not": "Don't",
    "did not": "didn't",
    "cannot": "can't",
}
_GREETINGS = ("Hello", "Goodbye")
"""What is shortened at the end of a sentence too; the others only before a word: "as you are" stays."""

_TO_FORMAL = {
    **_FULL,
    **{short.capitalize(): full.capitalize() for short, full in _FULL.items() if short[0] != "I"},
    **_FORMAL_WORDS,
}


def _either(words: Iterable[str]) -> str:
    return f"(?<![\\w'])(?:{'|'.join(map(re.escape, words))})(?![\\w'])"


_TONES: dict[str, tuple[re.Pattern[str], dict[str, str]]] = {
    # "It's been" is "it has been": left alone.
    "formal": (re.compile(_either(_TO_FORMAL) + "(?! been\\b| got\\b)"), _TO_FORMAL),
    "casual": (
        re.compile(
            f"{_either(_GREETINGS)}"
            f'|{_either(word for word in _CASUAL_WORDS if word not in _GREETINGS)}(?= [\\w"])'
        ),
        _CASUAL_WORDS,
    ),
}

_OPTIONAL = re.compile(
    r"You told me in turns? [\d, and]+\."
    r"|Before, it was .*\."
    r"|How are you\?"
    r"|I will remember what you told me\.|Come back any time\."
    r"|I am sorry that it is not enough\."
    r"|I am here to prove the session layer: .*"
    r"|I am a small set of rules, so I can do a few things\."
    r"|Say, for example, .*|Ask me \".*|Tell me your name, for example\.",
    re.S,
)
"""Sentences that nobody asked for: where an answer comes from, politeness, examples."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a reply is put."""

    tone: str = ""
    """`formal`, `casual`, or empty: as the rules put it."""
    brief: bool = False


PLAIN = Manner()
"""As the rules put it."""


def manner(style: Style) -> Manner:
    """Return the manner for a style."""
    tone = ""
    if style.formality is not None and style.formality >= FORMAL:
        tone = "formal"
    elif style.formality is not None and style.formality <= CASUAL:
        tone = "casual"
    return Manner(tone, style.verbosity is not None and style.verbosity <= BRIEF)


def fit(text: str, style: Style, keep: Sequence[str] = ()) -> str:
    """Return a sentence in the tone of a style.

    Args:
        keep: What must stay as it is wherever it stands in it: names, titles, facts.

    Example:
        >>> fit("Hello. I do not know that.", Style(formality=0.0))
        "Hi. I don't know that."
    """
    return _toned(text, manner(style).tone, keep)


def fit_all(
    sentences: Sequence[Sentence],
    style: Style,
    keep: Sequence[str] = (),
    spoken: Sequence[str] = (),
) -> tuple[Sentence, ...]:
    """Return the sentences of a reply in the manner of a style.

    Args:
        keep: What must stay as it is.
        spoken: The beginning of the reply, where it was said before: what is returned begins with it, and goes on after it.
    """
    for each in _manners(manner(style), goes_on=bool(spoken)):
        fitted = _fitted(sentences, each, keep)
        began = [text for text, _ in fitted[: len(spoken)]] == list(spoken)
        if began and (not spoken or len(fitted) > len(spoken)):
            return fitted
    return _fitted(sentences, manner(style), keep)


def _manners(wanted: Manner, *, goes_on: bool) -> Iterator[Manner]:
    yield wanted
    if goes_on:
        for tone in ("", "formal", "casual"):
            for brief in (False, True):
                yield Manner(tone, brief)


def _fitted(
    sentences: Sequence[Sentence], each: Manner, keep: Sequence[str]
) -> tuple[Sentence, ...]:
    if each.brief:
        needed = [sentence for sentence in sentences if not _OPTIONAL.fullmatch(sentence[0])]
        sentences = needed or sentences[:1]
    return tuple((_toned(text, each.tone, keep), cites) for text, cites in sentences)


def _toned(text: str, tone: str, keep: Sequence[str]) -> str:
    if not tone or text.endswith("?"):
        return text
    low = text.lower()
    kept = sorted({each for each in keep if each and each.lower() in low}, key=len, reverse=True)
    held = re.compile("|".join(('"[^"]*"?', *map(re.escape, kept))), re.I)
    spans = [match.span() for match in held.finditer(text)]
    pattern, words = _TONES[tone]

    def change(match: re.Match[str]) -> str:
        is_held = any(begin < match.end() and match.start() < end for begin, end in spans)
        return match[0] if is_held else words[match[0]]

    return pattern.sub(change, text)
