"""The redactor against people who say, write and recognise numbers in every way there is."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto.errors import InvalidInput, MissingExtra
from tenuto.text.redact import Found, find, redact, warm
from tests.unit.text.fresh import fresh

CARD = "4111 1111 1111 1111"


def masked(text: str, region: str = "US") -> str:
    return redact(text, "mask", region)


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111, 1111, 1111, 1111",
        "4111. 1111. 1111. 1111",
        "4111 - 1111 - 1111 - 1111",
        "4111\N{EN DASH}1111\N{EN DASH}1111\N{EN DASH}1111",
        "4111\n1111\n1111\n1111",
        "4111 uh 1111 um 1111 1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "5500 0055 5555 5559",
        "3782 822463 10005",
        "3056 930902 5904",
        "6011 1111 1111 1117",
        "3530111333300000",
        "2223 0031 2200 3222",
        "6200 0000 0000 0005",
        "4222 2222 2222 2",
        "four one one one, one one one one, one one one one, one one one one",
        "four one one one one one one one one one one one one one one one",
        "four one double one triple one one one one one one one one one one",
        "Four, one, one, one. One, one, one, one. One, one, one, one. One, one, one, one",
        "four one one one uh one one one one um one one one one er one one one one",
        "four one one one dash one one one one dash one one one one dash one one one one",
        "forty one eleven eleven eleven eleven eleven eleven eleven",
        "4111 one one one one 1111 one one one one",
        "three seven eight two eight two two four six three one oh oh oh five",
        "fifty five double oh double oh fifty five fifty five fifty five fifty five fifty nine",
    ],
)
def test_a_card(card: str) -> None:
    assert masked(f"My card is {card}.") == "My card is [card]."
    assert masked(card) == "[card]"
    assert masked(f"Use {card} or {card}, please") == "Use [card] or [card], please"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (f"{CARD} 12/26 123", "[card] 12/26 123"),
        (f"{CARD} 123", "[card] 123"),
        (
            "four one one one one one one one one one one one one one one one twelve twenty six",
            "[card] twelve twenty six",
        ),
        ("number two four" + " one" * 15 + " five", "number two [card] five"),
        (f"{CARD} 4111 1111 1111 1112", "[card] 4111 1111 1111 1112"),
        (f"415 555 0132 {CARD}", "[phone] [card]"),
    ],
)
def test_a_card_with_other_numbers_around_it(text: str, result: str) -> None:
    assert masked(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "4111111111111112",
        "four one one one, one one one one, one one one one, one one one two",
        "four one one one one one one one one one one one one one one two",
        "1234-5678-9012-3456",
        "1111 1111 1111 1117",
        "A4111111111111111",
        "4111111111111111x",
        "0000 0000 0000 0000",
        "41 11",
    ],
)
def test_a_false_check_digit_is_no_card_nor_anything_else(text: str) -> None:
    assert masked(f"It is {text} I think") == f"It is {text} I think"


@pytest.mark.parametrize(
    "phone",
    [
        "415-555-2671",
        "(415) 555-2671",
        "415.555.2671",
        "415 555 2671",
        "4155552671",
        "+1 415 555 2671",
        "1-415-555-2671",
        "+44 20 7946 0958",
        "+442079460958",
        "+49 (0)30 901820",
        "4 1 5 5 5 5 2 6 7 1",
        "415 uh 555 um 2671",
        "415, 555, 2671",
        "four one five five five five two six seven one",
        "four one five, five five five, two six seven one",
        "four-one-five five-five-five two-six-seven-one",
        "(four one five) five five five two six seven one",
        "Four one five. Five five five. Two six seven one",
        "four fifteen triple five twenty six seventy one",
        "four one five uh five five five um two six seven one",
        "four one five five five five to six seven one",
        "one eight hundred five five five two six seven one",
        "plus four four two oh seven nine four six oh nine five eight",
        "plus 44 20 7946 0958",
        "415 five five five 2671",
    ],
)
def test_a_phone_number(phone: str) -> None:
    # What stands for a bracket is no part of the number.
    assert masked(f"Call {phone}, or {phone}.").replace("(", "") == "Call [phone], or [phone]."
    assert masked(phone).replace("(", "") == "[phone]"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("415 555 2671 415 555 2672", "[phone] [phone]"),
        (
            "four one five five five five two six seven one "
            "four one five five five five two six seven two",
            "[phone] [phone]",
        ),
        (
            "four one five five five five two six seven one for two people",
            "[phone] for two people",
        ),
        (
            "plus four four two oh seven nine four six oh nine five eight for two people",
            "[phone] for two people",
        ),
        ("It is 2 1 2 5 5 5 1 2 3 4. Five people came", "It is [phone]. Five people came"),
        ("415-555-2671, 2026 was good", "[phone], 2026 was good"),
        ("415-555-2671. 123 Main Street", "[phone]. 123 Main Street"),
        ("415 555 2671 123 Main Street", "[phone] 123 Main Street"),
        ("call 415-555-2671 94110", "call [phone] 94110"),
        (
            "four one five five five five two six seven one nine four one one oh",
            "[phone] nine four one one oh",
        ),
        (
            "four one five five five five two six seven one twenty twenty six",
            "[phone] twenty twenty six",
        ),
        ("4155552671_", "[phone]_"),
        ("4155552671abc", "4155552671abc"),
        ("1-800-FLOWERS", "1-800-FLOWERS"),
        ("plus " + "nine " * 10, "plus " + "nine " * 10),
    ],
)
def test_a_phone_number_with_others_around_it(text: str, result: str) -> None:
    assert masked(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("3781 - 376708 - 99306 ok", "3781 - 376708 - 99306 ok"),
        ("+4915112345678 ok", "[phone] ok"),
        ("0049 151 12345678 ok", "[phone] ok"),
        ("004915112345678 ok", "[phone] ok"),
    ],
)
def test_a_false_card_is_no_phone_number_where_those_are_long(text: str, result: str) -> None:
    assert masked(text, "DE") == result


def test_whose_phone_numbers_need_no_plus() -> None:
    said = "oh seven nine double one one two three four five six"
    assert masked(said, "GB") == "[phone]"
    assert masked("020 7946 0958", "GB") == "[phone]"
    assert masked("020 7946 0958", "US") == "020 7946 0958"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no number at all",
        "I have two cats and three dogs",
        "the year twenty twenty six",
        "at 5 30 pm",
        "at five thirty on the twenty third of may",
        "one two three four five six seven eight nine ten",
        "1 2 3 4 5 6 7 8 9 10",
        "ten, nine, eight, seven, six, five, four, three, two, one",
        "testing, one two three, one two three",
        "on 2026-11-21 at 10:15:30",
        "it cost 1,234,567.89 dollars",
        "2,125,551,234 people",
        "two million and fifty thousand",
        "the ratio is 3.14159265358979",
        "100 200 300 400 500 600 700",
        "2019 2020 2021 2022 2023 2024",
        "ip 192.168.100.200 and 10.0.0.1",
        "tracking 1Z999AA10123456784",
        "ISBN 978-3-16-148410-0",
        "order 123456789",
        "double trouble, one two",
        "550e8400-e29b-41d4-a716-446655440000",
        "twenty twenty, twenty twenty one, twenty twenty two",
        "5" * 70,
        "5 " * 70,
    ],
)
def test_what_stays(text: str) -> None:
    assert masked(text) == text
    assert redact(text, "drop") == text
    assert find(text) == []


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("alice at example dot com", "[email]"),
        ("Write to alice@example.com.", "Write to [email]."),
        ("my ssn is 123-45-6789", "my ssn is [national id]"),
        (
            "my social is one two three forty five sixty seven eighty nine",
            "my social is [national id]",
        ),
        (
            "my social is one two four, forty five, six seven eight nine",
            "my social is [national id]",
        ),
        ("IBAN GB82 WEST 1234 5698 7654 32 and more words", "IBAN [iban] and more words"),
        ("it is gb82west12345698765432", "it is [iban]"),
        ("GB82 WEST 1234 5698 7654 33 is false", "GB82 WEST 1234 5698 7654 33 is false"),
        (
            f"{CARD}, 415-555-2671, alice@example.com",
            "[card], [phone], [email]",
        ),
        ("415 555 2671@example.com", "[email]"),
    ],
)
def test_all_kinds(text: str, result: str) -> None:
    assert masked(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (f"my card is {CARD} thanks", "my card is thanks"),
        (f"my card is {CARD}.", "my card is."),
        (f"my card is {CARD}", "my card is"),
        (f"{CARD} is my card", "is my card"),
        (f"{CARD}, and {CARD}", ", and"),
        (f"({CARD})", "()"),
        (CARD, ""),
        (f"415 {CARD}  555 2671 is it", "is it"),
    ],
)
def test_drop_leaves_a_tidy_sentence(text: str, result: str) -> None:
    assert redact(text, "drop") == result


def test_where_it_was_found() -> None:
    text = "call four one five, five five five two six seven one or alice@example.com"
    assert find(text) == [Found(5, 52, "phone"), Found(56, 73, "email")]


def test_of_what_overlaps_nothing_stays() -> None:
    text = "123-45-6789@example.com"
    assert find(text) == [Found(0, len(text), "email")]
    # Both a card and, in its beginning, what looks like a phone number.
    assert find(CARD + " ext 12") in (
        [Found(0, 19, "card")],
        [Found(0, len(CARD) + 7, "card")],
    )


# Twice is once

PIECES = st.sampled_from(
    [
        CARD, "4111", "1111", "415", "555", "2671", "+", "+44", "20 7946 0958", "(", ")", "-", ".", ",", " ", " ", " ",
        "one ", "two ", "five ", "oh ", "double ", "twenty ", "hundred ", "plus ", "uh ", " to ", " for ", "dash ",
        "alice", " at ", "example", " dot ", "com", "@", "a@b.co", "123-45-6789", "ssn ", "[card]", "[national id] ",
        "GB82 WEST 1234 5698 7654 32", "x", "\n",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=60))


@given(TEXTS, st.sampled_from(["mask", "drop"]), st.sampled_from(["US", "GB"]))
def test_redacting_twice_is_redacting_once(text: str, policy: str, region: str) -> None:
    once = redact(text, policy, region)  # type: ignore[arg-type]
    assert redact(once, policy, region) == once  # type: ignore[arg-type]
    assert find(once, region) == []


@given(TEXTS)
def test_what_is_found_is_in_order_and_apart(text: str) -> None:
    found = find(text)
    bounds = [bound for one in found for bound in (one.start, one.end)]
    assert bounds == sorted(bounds)
    assert all(0 <= one.start < one.end <= len(text) for one in found)


@given(st.lists(st.integers(0, 9), min_size=15, max_size=15), st.booleans())
def test_a_visa_card_is_found_if_and_only_if_its_check_digit_is_right(
    digits: list[int], right: bool
) -> None:
    body = [4, *digits[:14]]
    total = sum(d if place % 2 else sum(divmod(2 * d, 10)) for place, d in enumerate(body))
    last = -total % 10 if right else (1 - total) % 10
    number = "".join(map(str, [*body, last]))
    assert [f.kind for f in find(f"it is {number} ok")] == (["card"] if right else [])


# Policies, regions and what is missing


def test_off_leaves_everything() -> None:
    assert redact(f"card {CARD}", "off", "no region") == f"card {CARD}"


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(InvalidInput, match="policy"):
        redact("text", "hide")  # type: ignore[arg-type]


@pytest.mark.parametrize("region", ["", "UK", "us", "001"])
def test_an_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(InvalidInput, match="region"):
        redact("text without a number", "mask", region)
    with pytest.raises(InvalidInput, match="region"):
        warm(region)


@pytest.mark.parametrize("module", ["phonenumbers", "stdnum.luhn"])
def test_a_missing_library_is_an_error(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    copy = fresh("tenuto.text.redact")
    assert copy.redact(CARD, "off") == CARD
    with pytest.raises(MissingExtra, match="redaction"):
        copy.warm()


# Costs


@pytest.mark.parametrize(
    "piece",
    ["4111 1111 1111 1111 ", "415-555-2671, ", "1 ", "one ", "GB82 ", "plus ", "- ", "4.", "+1"],
)
def test_a_long_text_takes_its_time_and_no_more(piece: str) -> None:
    begun = time.process_time()
    find(piece * (5_000 // len(piece)))
    assert time.process_time() - begun < 1
