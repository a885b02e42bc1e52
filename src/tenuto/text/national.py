"""Which numbers a state gives to a person, by region, and what they look like. The sums are python-stdnum's.

Where there are no check digits, or too few, a number counts only when it is grouped as people write it, or when the
words before it say what it is.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from tenuto.errors import MissingExtra

Span = tuple[int, int]
"""From where to where, in characters."""

Check = Callable[[str], bool]
"""Whether a number is valid."""


class Kind(NamedTuple):
    """A kind of national number."""

    modules: tuple[str, ...]
    """The modules of python-stdnum that may find it valid, one of them at least; none: the shape is all there is."""
    shape: str | None
    """A pattern of those that need no word before them."""
    digits: int = 0
    """Of how many digits those are that need one, in whatever groups; 0: there are none."""


KINDS: dict[str, list[Kind]] = {
    "AT": [Kind(("at.vnr",), r"[1-9]\d{3} \d{6}", 10)],
    "AU": [Kind(("au.tfn",), r"\d{3} \d{3} \d{3}", 9)],
    "BE": [Kind(("be.nn",), r"\d\d\.?\d\d\.?\d\d[- ]?\d{3}[. ]?\d\d", 11)],
    "BR": [Kind(("br.cpf",), r"\d{3}\.\d{3}\.\d{3}-\d\d", 11)],
    "CA": [Kind(("ca.sin",), r"\d{3}[- ]\d{3}[- ]\d{3}", 9)],
    "CH": [Kind(("ch.ssn",), r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d", 13)],
    "DE": [Kind(("de.idnr",), r"\d\d \d{3} \d{3} \d{3}", 11)],
    "ES": [
        Kind(("es.dni",), r"\d{8}[- ]?[A-Z]"),
        Kind(("es.nie",), r"[XYZ][- ]?\d{7}[- ]?[A-Z]"),
    ],
    "FR": [Kind(("fr.nir",), r"[12] ?\d\d ?\d\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d", 15)],
    "GB": [
        Kind((), r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]"),
        Kind(("gb.nhs",), r"\d{3}[- ]\d{3}[- ]\d{4}", 10),
    ],
    "IE": [Kind(("ie.pps",), r"\d{7} ?[A-W][ABHWTX]?")],
    "IN": [Kind(("in_.aadhaar",), r"[2-9]\d{3}([- ]?)\d{4}\1\d{4}", 12)],
    "IT": [Kind(("it.codicefiscale",), r"[A-Z]{3} ?[A-Z]{3} ?\d\d ?[A-Z] ?\d\d ?[A-Z]\d{3} ?[A-Z]")],
    "MX": [Kind(("mx.curp",), r"[A-Z]{4}\d{6}[A-Z]{6}[A-Z\d]\d")],
    "NL": [Kind(("nl.bsn",), None, 9)],
    "PL": [Kind(("pl.pesel",), r"\d{11}", 11)],
    "PT": [Kind(("pt.nif",), None, 9)],
    "SE": [Kind(("se.personnummer",), r"\d{6}(?:\d\d)?[-+]\d{4}", 10)],
    "US": [Kind(("us.ssn", "us.itin"), r"\d{3}[-. ]{1,2}\d\d[-. ]{1,2}\d{4}", 9)],
}  # fmt: skip
"""The regions that are known, by their two letters."""

_BEFORE = 60
"""Characters before a number in which a word may say what it is."""
_SAYS_WHAT = re.compile(
    r"\b(?:social|ssn|itin|sin|national|insurance|taxpayer|tax|tin|tfn|nhs|bsn|burgerservicenummer|nif|"
    r"contribuinte|cpf|aadhaar|pesel|personnummer|steuer\w*|(?:sozial)?versicherungsnummer|ahv|avs|insee|"
    r"s[eé]curit[eé] sociale|identi\w+|id) ?(?:security|insurance|number|id|no\b|file)?",
    re.IGNORECASE,
)
_REDACTED = re.compile(r"(?:\[|^)[a-z ]{0,12}\]")
"""What was taken out before says nothing of what is left."""
_SEPARATORS = re.compile(r"[-. ]")
# Not within a longer number or word, nor as the beginning of one that goes on.
_ALONE = r"(?<!\w)(?<!\d[-. ])(?:{})(?![-. ]?\d|\w)"


def spans(text: str, region: str) -> Iterator[Span]:
    """Yield where the national numbers of a region stand in a text.

    Raises:
        MissingExtra: python-stdnum is not installed.
    """
    for shape, loose, checks in _patterns(region):
        for found in shape.finditer(text) if shape else ():
            if not checks or _is_valid(found[0], checks):
                yield found.span()
        for found in loose.finditer(text) if loose else ():
            before = text[max(0, found.start() - _BEFORE) : found.start()]
            if _SAYS_WHAT.search(_REDACTED.sub("", before)) and _is_valid(found[0], checks):
                yield found.span()


def _is_valid(number: str, checks: list[Check]) -> bool:
    bare = _SEPARATORS.sub("", number)
    return any(is_valid(number) or is_valid(bare) for is_valid in checks)


def check(module: str) -> Check:
    """Return python-stdnum's check of a kind of number.

    Raises:
        MissingExtra: python-stdnum is not installed.
    """
    try:
        is_valid: Check = importlib.import_module(f"stdnum.{module}").is_valid
    except ImportError:
        raise MissingExtra("redaction", "Redacting national numbers") from None
    return is_valid


@cache
def _patterns(
    region: str,
) -> list[tuple[re.Pattern[str] | None, re.Pattern[str] | None, list[Check]]]:
    return [
        (
            re.compile(_ALONE.format(kind.shape), re.IGNORECASE) if kind.shape else None,
            re.compile(_ALONE.format(rf"\d(?:[-. ]{{0,2}}\d){{{kind.digits - 1}}}"))
            if kind.digits
            else None,
            [check(module) for module in kind.modules],
        )
        for kind in KINDS.get(region, [])
    ]
