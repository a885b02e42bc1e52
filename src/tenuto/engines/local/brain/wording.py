"""Sentences about the user, turned around: what is kept says "the user's name is", what is said says "your name
is".

Values get the capitals they deserve: a recogniser gives "alice" and "new york", a keyboard gives "McDonald".
"""

import re
from collections.abc import Sequence

_VERBS = {"is": "are", "was": "were", "has": "have", "does": "do", "goes": "go", "asked": "asked"}
_BECOMES = {
    "my": "your",
    "i": "you",
    "me": "you",
    "mine": "yours",
    "myself": "yourself",
    "i'm": "you're",
    "i'll": "you'll",
    "i've": "you've",
}
_SMALL = frozenset("de da di del der la le van von of the and upon y".split())
_ALWAYS_CAPITAL = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august "
    "september october november december i english french german italian spanish".split()
)
_USER = re.compile(r"(?:\bthe |^)user('s)?(?: (\w+))?", re.I)
_FIRST = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")


def second_person(content: str) -> str:
    """Turn a sentence about the user into one to the user, without its end.

    Example:
        >>> second_person("The user's wife likes the user and the user has a dog.")
        "your wife likes you and you have a dog"
    """
    head, quote, tail = content.rstrip(". ").partition(': "')
    head = head.replace("The ", "the ", 1) if head.startswith("The ") else head
    return _USER.sub(_to_you, head) + quote + tail


def together(sentences: Sequence[tuple[str, str]]) -> str:
    """Return sentences about the user as one to the user, those that differ only in their value put together.

    Args:
        sentences: Each with the value that is in it, or "".

    Example:
        >>> together([("The user likes jazz.", "jazz"), ("The user likes tea.", "tea")])
        'you like jazz and tea'
    """
    values: dict[str, list[str]] = {}
    for content, value in sentences:
        said = second_person(content)
        if value and said.endswith(f" {value}") and not said.startswith("your "):
            values.setdefault(said.removesuffix(value), []).append(value)
        else:
            values.setdefault(said, [])
    return listed([f"{head}{listed(each)}" for head, each in values.items()])


def listed(items: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def _to_you(match: re.Match[str]) -> str:
    owner, word = match[1], match[2]
    if owner:
        return f"your {word}" if word else "your"
    return f"you {_verb(word)}" if word else "you"


def _verb(word: str) -> str:
    if word in _VERBS:
        return _VERBS[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def to_you(text: str) -> str:
    """Turn what the user said of himself around: "call my mother" becomes "call your mother"."""
    return _FIRST.sub(lambda m: _BECOMES.get(m[0].lower(), m[0]), text)


def sentence(text: str) -> str:
    """Return the text with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", '."', '!"', '?"')) else f"{text}."


def titled(text: str) -> str:
    """Give a name its capitals, unless the person gave it some: `mary o'neil` becomes `Mary O'Neil`."""
    if text.lower() != text and not (text.upper() == text and len(text) > 3):
        return text[:1].upper() + text[1:]
    words = text.lower().split()
    return " ".join(w if i and w in _SMALL else _capital(w) for i, w in enumerate(words))


def _capital(word: str) -> str:
    return re.sub(
        r"(^|-|(?<=^[od])')([^\W\d_])",
        lambda m: m[1] + m[2].upper(),
        word,
    )


def lowered(text: str) -> str:
    """Return a value as said, shouting apart, with the capitals that English always has."""
    if text.upper() == text and len(text) > 4:
        text = text.lower()
    words = (w.capitalize() if w.lower() in _ALWAYS_CAPITAL else w for w in text.split())
    return " ".join(words)
