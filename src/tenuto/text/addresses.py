"""Where email addresses stand in a text, as they are written and as they are said: `alice dot smith at example dot com`."""

import re
from collections.abc import Iterator

from tenuto.text.spoken import has_number_words
from tenuto.text.stopwords import FILLERS, FUNCTION

Span = tuple[int, int]
"""From where to where, in characters."""


def spans(text: str) -> Iterator[Span]:
    """Yield where the email addresses stand, those that are written first. Some may be yielded twice.

    `work at example dot com` is the site of a firm, and so is `books at example dot com slash deals`: a single word before
    `at` has to be meant as a name. See `_is_meant`.
    """
    if "@" in text:
        for match in _WRITTEN.finditer(text):
            yield match.span()
    if _AT.search(text) and _DOT.search(text):
        tokens = [(m[0].lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
        for at, (word, _, _) in enumerate(tokens):
            if word in ("at", "@"):
                first, last = _before(text, tokens, at), _after(text, tokens, at)
                if (
                    first is not None
                    and last is not None
                    and _is_meant(text, tokens, first, at, last)
                ):
                    yield tokens[first][1], tokens[last][2]


# What HTML calls a valid address, with a dot in its domain and letters at its end, and not led by a sign.
_WRITTEN = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~-])"
    r"\w[\w.!#$%&'*+/=?^`{|}~-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,63}(?![\w@])"
)
_AT = re.compile(r"\bat\b|@", re.IGNORECASE)
_DOT = re.compile(r"\bdot\b|\bpoint\b|\bperiod\b|\w\.\w|\s\.\s", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W_]+(?:[-'_.]+[^\W_]+)*|\S")
_DOTS = {"dot", "point", "period", "."}
_JOINERS = {*_DOTS, "dash", "hyphen", "minus", "plus", "underscore", "_", "-", "+"}
_NO_NAME = {
    "me",
    "us",
    "him",
    "her",
    "them",
    "you",
    "it",
    "is",
    "address",
    "email",
    "e-mail",
    "mail",
    "at",
    "and",
    "or",
}
_NO_DOMAIN = {
    "a",
    "an",
    "the",
    "this",
    "that",
    "my",
    "your",
    "our",
    "their",
    "what",
    "which",
    "any",
    "some",
}
_ROLES = set(
    "billing books contact deals jobs news office orders press prices sales service shop site store team".split()
)
"""Nouns that are a name where nothing else is said, and what a site has where it is spoken of."""
_NOT_ALONE = (
    FUNCTION
    | FILLERS
    | _ROLES
    | set(
        "apply available bought browse bug buy check checked click engineer find found hosted live lived log login look "
        "looked looking meet met online order ordered page paid pay read register sale saw see sell shopping sign signed "
        "sold start stay visit watch website work worked working works".split()
    )
)
_STATES = set(
    "available bought found hosted live looking online ordered paid signed sold working".split()
)
"""What something is at a site: `it is available at example dot com`."""
_NAMING = {"is", "it's", "its", "that's", "name's", "email's", "am", "i'm"}
"""Words right before a name: `mine is shop at example dot com`."""
_ITS = {
    "a",
    "an",
    "the",
    "my",
    "your",
    "his",
    "her",
    "our",
    "their",
    "this",
    "these",
    "those",
    "some",
    "any",
    "all",
    "no",
}
"""Words right before what is on a site: `the sale at example dot com`."""
_DOERS = {"i", "you", "we", "they", "he", "she", "who", "people"}
"""Words right before what somebody does there: `we shop at example dot com`."""
_MAIL = set(
    "aol fastmail gmail gmx googlemail hey hotmail icloud mail outlook proton protonmail yahoo yandex zoho".split()
)
"""Sites at which there is nothing but mail."""
_CUE = re.compile(r"\b(?:e-?mails?|mails?|address|contact|write|reach|send)\b", re.IGNORECASE)
_CUE_BEFORE = 60
"""Characters before an address in which a word may announce it."""
_CUE_AFTER = re.compile(
    r",? (?:(?:is|as) )?(?:(?:my|the|an?|your|her|his|our|their) )?(?:\w+ )?(?:e-?mail|address|inbox)\b",
    re.IGNORECASE,
)
_MOST_TOKENS = 40
"""Words and signs that an address may have on either side of its `at`."""

_Token = tuple[str, int, int]


def _touch(text: str, left: _Token, right: _Token) -> bool:
    """Whether only spaces are between two tokens."""
    between = text[left[2] : right[1]]
    return not between or between.isspace()


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word.isalpha()


def _is_spelled(word: str) -> bool:
    """Whether a word may be one of several that spell a name: a letter, digits or a number word."""
    return (len(word) == 1 and word.isalnum()) or word.isdigit() or has_number_words(word)


def _before(text: str, tokens: list[_Token], at: int) -> int | None:
    """The first token of the name before an `at`, if there is one."""
    first = at - 1
    if first < 0 or not _touch(text, tokens[first], tokens[at]):
        return None
    if not tokens[first][0][0].isalnum() or tokens[first][0] in _NO_NAME:
        return None
    while first > max(0, at - _MOST_TOKENS) and _touch(text, tokens[first - 1], tokens[first]):
        here, before = tokens[first][0], tokens[first - 1][0]
        if before in _JOINERS and first >= 2 and tokens[first - 2][0][0].isalnum():
            first -= 2
        elif (
            _is_spelled(here)
            and before[0].isalnum()
            and (_is_letter(before) or before not in FUNCTION)
        ):
            first -= 1
            if not _is_spelled(before):
                break
        else:
            break
    return first


def _is_meant(text: str, tokens: list[_Token], first: int, at: int, last: int) -> bool:
    """Whether what is around a single word before an `at` lets it be a name, and the whole an address."""
    name, start, _ = tokens[first]
    if first < at - 1 or tokens[at][0] == "@":
        return True
    end = tokens[last][2]
    if _CUE.search(text[max(0, start - _CUE_BEFORE) : start]) or _CUE_AFTER.match(text, end):
        return True
    if name in FUNCTION or name in FILLERS or _follows(tokens, last) in ("slash", "/"):
        return False
    before = (
        tokens[first - 1][0] if first and _touch(text, tokens[first - 1], tokens[first]) else ""
    )
    if before in _ITS or before in _DOERS:
        return False
    common = name in _NOT_ALONE
    if before in _NAMING:
        return name not in _STATES
    if tokens[at + 1][0].partition(".")[0] in _MAIL:
        return not common or name in _ROLES
    if not common or name not in _ROLES or len(tokens) > _MOST_TOKENS:
        return not common
    around = [word for word, _, _ in (*tokens[:first], *tokens[last + 1 :])]
    return all(word in FILLERS or not word[0].isalnum() for word in around)


def _follows(tokens: list[_Token], at: int) -> str:
    return tokens[at + 1][0] if at + 1 < len(tokens) else ""


def _after(text: str, tokens: list[_Token], at: int) -> int | None:
    """The last token of the domain after an `at`, if there is one."""
    last: int | None = None
    dotted = False
    here = at + 1
    while here < min(len(tokens), at + _MOST_TOKENS) and _touch(
        text, tokens[here - 1], tokens[here]
    ):
        word = tokens[here][0]
        if not word[0].isalnum() or (
            here == at + 1 and word in _NO_DOMAIN and not _is_letter(_follows(tokens, here))
        ):
            break
        label = word.rpartition(".")[2]
        ends = (dotted or "." in word) and label.isalpha() and len(label) >= 2
        if ends:
            last = here
        following = tokens[here + 1][0] if here + 1 < len(tokens) else ""
        if following in _DOTS and _touch(text, tokens[here], tokens[here + 1]):
            dotted = True
            here += 2
        elif _is_spelled(word) and not ends:
            here += 1
        else:
            break
    return last
