"""Take out of a text what identifies a person or opens their account: before it is stored, and before a model sees it.

Email addresses, phone numbers, payment cards, IBANs and national numbers, as they are written and as they are said. A
card is a card only if its check digit is right. Needs the extra `redaction`. Pure: the same text gives the same result,
and redacting twice is redacting once.

IBANs, and national numbers with letters in them, are found as they are written only. A sentence without a number costs
some tens of microseconds, one with a number in it some hundreds, and the first one of a region some milliseconds.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal, get_args

import msgspec

from tenuto.errors import InvalidInput, MissingExtra
from tenuto.text import addresses, national, spoken
from tenuto.text.spoken import View

Policy = Literal["off", "mask", "drop"]
"""What becomes of something personal: nothing, a word in brackets (`[email]`), or it is left out."""

Kind = Literal["card", "iban", "national_id", "email", "phone"]
"""What something personal is. Of two that are equally long and overlap, the earlier of these wins."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_MASKS: dict[Kind, str] = {kind: f"[{kind.replace('_', ' ')}]" for kind in _KINDS}


class Found(msgspec.Struct, frozen=True):
    """Something personal in a text."""

    start: int
    """Where it begins, in characters."""

    end: int
    """Where it ends, in characters; the character there is not part of it."""

    kind: Kind


def redact(text: str, policy: Policy, region: str = "US") -> str:
    """Return a text without what is personal in it.

    Example:
        >>> redact("Write to alice@example.com, or call 415-555-2671.", "mask")
        'Write to [email], or call [phone].'
        >>> redact("my card is four one one one, one one one one, one one one one, one one one one", "mask")
        'my card is [card]'

    Args:
        text: What was said or written.
        policy: `off` returns the text as it is, and needs no extra.
        region: Two letters of ISO 3166, such as `US` or `GB`: whose phone numbers need no `+`, and whose national numbers
            are looked for. `national.KINDS` has those that are known.

    Raises:
        InvalidInput: The policy or the region is unknown.
        MissingExtra: The policy is not `off`, and the extra is not installed.
    """
    if policy not in get_args(Policy):
        raise InvalidInput(f"There is no redaction policy {policy!r}. It is off, mask or drop.")
    if policy == "off":
        return text
    # What is left when something is taken out may be a number in its turn.
    while found := find(text, region):
        text = _without(text, found, policy)
    return text


def find(text: str, region: str = "US") -> list[Found]:
    """Return what is personal in a text, in order and without overlaps.

    Raises:
        InvalidInput: The region is unknown.
        MissingExtra: The extra is not installed.
    """
    phones = _phones_of(region)
    found = [Found(start, end, "email") for start, end in addresses.spans(text)]
    written = _HAS_NUMBER.search(text) is not None
    if written:
        found += _in_view(spoken.plain(text), region, phones)
    if written or spoken.has_number_words(text):
        view = spoken.digits(text)
        if view.text != text and _HAS_NUMBER.search(view.text):
            found += _in_view(view, region, phones)
    return _resolved(found)


def warm(region: str = "US") -> None:
    """Import what redaction needs and look for all there is, once: so that the first text is no slower than others.

    Raises:
        InvalidInput: The region is unknown.
        MissingExtra: The extra is not installed.
    """
    find("My number is 4111 1111 1111 1111 and my IBAN is GB82 WEST 1234 5698 7654 32", region)


_HAS_NUMBER = re.compile(r"\d(?:\D{0,4}\d){5}")
"""Six digits close to each other: nothing that is looked for has fewer."""

_DIGIT_RUN = re.compile(r"(?<!\w)\d+(?:[\s.,\u2010-\u2015/-]{1,3}\d+)*(?!\w)")
_GROUP = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)
_USUAL_LENGTHS = range(15, 20)
_SHAPES = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 3, 3, 3), (4, 4, 4, 1)}
"""How many digits each group of a card has."""
_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12,17}|35\d{14,17}"
    r"|6\d{15,18}|5[06-9]\d{14,17}|8[12]\d{14,17}|9792\d{12}"
)
"""How the numbers of cards begin, and how long they are then: Visa, Mastercard, American Express, Diners, JCB, Discover,
UnionPay, Maestro, Mir, RuPay, Troy."""
_BEFORE, _AFTER = 2, 7
"""Numbers that may have been said in one breath before a card's, and after it: an expiry date and a security code."""
_THOUSANDS = re.compile(r"\d,\d")
_PHONE_LENGTHS = range(8, 15)
_SEVERAL = range(13, 61)
"""How many digits two phone numbers, or one and something else, have together. In what is longer none is looked for."""

_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?:[ -]?[A-Z\d]){11,30}(?!\w)", re.IGNORECASE)

Span = tuple[int, int]
Spans = Iterator[Span]


@cache
def _check(module: str) -> Callable[[str], bool]:
    return national.check(module)


class _Phones:
    """The phone numbers of a region, and of any that are led by a `+`."""

    def __init__(self, region: str) -> None:
        try:
            import phonenumbers
        except ImportError:
            raise MissingExtra("redaction", "Redacting phone numbers") from None
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise InvalidInput(
                f"There is no region {region!r}. Give two letters of ISO 3166, such as US or GB."
            )
        self._library: Any = phonenumbers
        self._region = region

    def spans(self, text: str) -> Spans:
        """Where they stand in a text."""
        valid = self._library.Leniency.VALID
        for match in self._library.PhoneNumberMatcher(text, self._region, leniency=valid):
            yield match.start, match.end

    def is_written(self, number: str) -> bool:
        """Whether a text is a number that exists, in the groups that are usual for it."""
        strict = self._library.Leniency.STRICT_GROUPING
        matches = self._library.PhoneNumberMatcher(number, self._region, leniency=strict)
        return any(match.raw_string == number for match in matches)

    def is_one(self, number: str) -> bool:
        """Whether digits, in whatever groups and with a `+` before them or not, are a number that exists."""
        try:
            parsed = self._library.parse(number, self._region)
        except self._library.NumberParseException:
            return False
        return bool(self._library.is_valid_number(parsed))


_phones_of = cache(_Phones)


def _in_view(view: View, region: str, phones: _Phones) -> list[Found]:
    """All numbers in one view of a text, as spans of the source."""
    text = view.text
    spans: list[tuple[Span, Kind]] = [
        *((span, "iban") for span in _ibans(text)),
        *((span, "national_id") for span in national.spans(text, region)),
    ]
    standing = [span for span in phones.spans(text) if not _is_count(text, span)]
    at = 0
    for match in _DIGIT_RUN.finditer(text):
        run = match.span()
        groups, units = _groups(text, run), _units(view, run)
        said = len(units) > len(groups)
        spans += [(span, "card") for span in _cards(text, groups)]
        if said:
            spans += [(span, "card") for span in _cards_in_breath(text, units)]
        shaped = _is_shaped(text, groups, said)
        within = []
        while at < len(standing) and standing[at][0] < run[1]:
            # What looks like a card is no phone number, nor is a part of it, unless a + leads it.
            if not shaped or standing[at][0] < run[0]:
                within.append(standing[at])
            at += 1
        if not within and not _THOUSANDS.search(text, *run) and not _is_count(text, run):
            led = text[max(0, run[0] - 1)] == "+"
            if said and (led or not shaped):
                within += _phones_among(text, units, phones.is_one, led)
            elif _length(groups) in _SEVERAL and not shaped:
                within += _phones_among(text, units, phones.is_written, led)
        spans += [(span, "phone") for span in within]
    spans += [(span, "phone") for span in standing[at:]]
    return [Found(*view.source(*span), kind) for span, kind in spans]


def _length(groups: list[Span]) -> int:
    return sum(end - start for start, end in groups)


def _is_shaped(text: str, groups: list[Span], said: bool) -> bool:
    """Whether a number looks like that of a card, whatever its check digit."""
    number = "".join(text[slice(*group)] for group in groups)
    shape = tuple(end - start for start, end in groups)
    if not _NETWORKS.fullmatch(_digits_of(number)):
        return False
    if said and len(shape) == 1:
        return len(number) in _USUAL_LENGTHS
    return shape in _SHAPES or max(shape) in (1, len(number))


def _digits_of(text: str) -> str:
    return "".join(str(int(character)) for character in text if character.isdecimal())


def _groups(text: str, run: Span) -> list[Span]:
    """The groups of digits of a run."""
    return [found.span() for found in _GROUP.finditer(text, *run)]


def _units(view: View, run: Span) -> list[Span]:
    """The numbers of a run as they were said; those that were written, as they stand."""
    units: list[Span] = []
    for at in range(*run):
        if not view.text[at].isdecimal():
            continue
        start, end = units[-1] if units else (-1, -1)
        written = view.ends[at] - view.starts[at] == 1
        if end == at and (written or view.starts[at] == view.starts[start]):
            units[-1] = (start, at + 1)
        else:
            units.append((at, at + 1))
    return units


# Cards


def _cards(text: str, groups: list[Span]) -> Spans:
    """The cards among the groups of a run of digits."""
    for first, (start, _) in enumerate(groups):
        length = 0
        for last, (begin, end) in enumerate(groups[first:], first):
            length += end - begin
            if length >= _CARD_LENGTHS.stop:
                break
            if length not in _CARD_LENGTHS or not _is_card(text[start:end]):
                continue
            # Those that are shorter are many: they must look like one, too.
            if length in _USUAL_LENGTHS or _is_shaped(text, groups[first : last + 1], said=False):
                yield start, end


def _cards_in_breath(text: str, units: list[Span]) -> Spans:
    """The cards that were said with a few numbers before or after them."""
    for before in range(min(_BEFORE + 1, len(units))):
        for after in range(min(_AFTER + 1, len(units) - before)):
            start, end = units[before][0], units[-1 - after][1]
            usual = len(_digits_of(text[start:end])) in _USUAL_LENGTHS
            if (usual or not before + after) and _is_card(text[start:end]):
                yield start, end


def _is_card(text: str) -> bool:
    number = _digits_of(text)
    return (
        len(number) in _CARD_LENGTHS
        and _NETWORKS.fullmatch(number) is not None
        and _check("luhn")(number)
    )


# Phones


def _is_count(text: str, span: Span) -> bool:
    return spoken.is_count(_GROUP.findall(text, *span))


def _phones_among(text: str, units: list[Span], is_one: Callable[[str], bool], led: bool) -> Spans:
    """The phone numbers that follow each other, or that other numbers follow, without a word between."""
    at = 0
    while at < len(units) and _length(units) < _SEVERAL.stop:
        for last in range(len(units) - 1, at, -1):
            start, end = units[at][0], units[last][1]
            sign = "+" if led and at == 0 else ""
            length = _length(units[at : last + 1])
            if length in _PHONE_LENGTHS and is_one(sign + text[start:end]):
                yield start - len(sign), end
                at = last
                break
        at += 1


# IBANs


def _ibans(text: str) -> Spans:
    for match in _IBAN.finditer(text):
        start, end = match.span()
        # The words after it look like groups of it.
        while end > start:
            if _check("iban")(text[start:end]):
                yield start, end
                break
            end = max(text.rfind(" ", start, end), start)


# Together


def _resolved(found: list[Found]) -> list[Found]:
    """Join what overlaps: nothing of either may stay. The longest says what it is."""
    resolved: list[Found] = []
    for one in sorted(found, key=lambda f: (f.start, -f.end)):
        last = resolved[-1] if resolved else None
        if last is None or one.start >= last.end:
            resolved.append(one)
            continue
        longest = min(last, one, key=lambda f: (f.start - f.end, _KINDS.index(f.kind)))
        resolved[-1] = Found(last.start, max(last.end, one.end), longest.kind)
    return resolved


def _without(text: str, found: list[Found], policy: Policy) -> str:
    pieces = [""]
    done = 0
    for one in found:
        if one.start > done:
            pieces.append(text[done : one.start])
        done = one.end
        if policy == "mask":
            pieces.append(_MASKS[one.kind])
            continue
        # One of the spaces around it goes too, and one before a full stop.
        if text[done : done + 1].isspace() and (not pieces[-1] or pieces[-1][-1].isspace()):
            done += 1
        elif done == len(text) or text[done] in ",.;:!?":
            pieces[-1] = pieces[-1].rstrip()
    return "".join(pieces) + text[done:]
