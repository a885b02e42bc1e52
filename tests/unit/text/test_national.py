import sys

import pytest

from tenuto.errors import MissingExtra
from tenuto.text.national import KINDS, check, spans
from tests.unit.text.fresh import fresh

VALID = {
    "AT": ["1237 010180"],
    "AU": ["123 456 782"],
    "BE": ["85.07.30-033 28", "85073003328"],
    "BR": ["390.533.447-05"],
    "CA": ["123-456-782", "123 456 782"],
    "CH": ["756.9217.0769.85", "7569217076985"],
    "DE": ["36 574 261 809"],
    "ES": ["54362315K", "x-2482300w"],
    "FR": ["2 95 10 99 126 111 93", "295109912611193"],
    "GB": ["AB 12 34 56 C", "ab123456c", "943 476 5919"],
    "IE": ["6433435F"],
    "IN": ["2341 2341 2346"],
    "IT": ["RSSMRA85T10A562S", "RCC MNL 83S18 D969H"],
    "MX": ["BOXW310820HNERXN09"],
    "PL": ["44051401359"],
    "SE": ["880320-0016"],
    "US": ["123-45-6789", "123 45 6789", "912-78-1234"],
}
SAID = {
    "AT": ["1237010180"],
    "AU": ["123456782"],
    "BR": ["39053344705"],
    "CA": ["123456782"],
    "DE": ["36574261809"],
    "NL": ["111222333"],
    "PT": ["501964843"],
    "SE": ["8803200016"],
    "US": ["123456789", "1 23 456-789"],
}
FALSE = {
    "AT": ["1238 010180"],
    "CA": ["123 456 783"],
    "ES": ["54362315A"],
    "FR": ["2 95 10 99 126 111 94"],
    "GB": ["BG 12 34 56 C", "AB 12 34 56 E", "943 476 5918", "XAB123456C"],
    "PL": ["44051401358", "440514013591", "4405140135"],
    "US": [
        "000-45-6789",
        "666-45-6789",
        "123-00-6789",
        "123-45-67890",
        "9123-45-6789",
        "123-45-6789-1",
    ],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(region, number) for region, numbers in table.items() for number in numbers]


def found(text: str, region: str) -> list[str]:
    return [text[start:end] for start, end in spans(text, region)]


@pytest.mark.parametrize(("region", "number"), cases(VALID))
def test_a_number_as_people_write_it(region: str, number: str) -> None:
    assert number in found(f"It is {number}.", region)


@pytest.mark.parametrize(("region", "number"), cases(SAID))
def test_a_number_that_needs_a_word(region: str, number: str) -> None:
    assert found(f"The tax number is {number}.", region) == [number]
    assert found(f"The order is {number}.", region) == []


@pytest.mark.parametrize(("region", "number"), cases(FALSE))
def test_a_false_number(region: str, number: str) -> None:
    assert found(f"My national id is {number}!", region) == []


def test_every_region_is_tested() -> None:
    assert KINDS.keys() == VALID.keys() | SAID.keys()


def test_a_region_without_national_numbers_has_none() -> None:
    assert found("my id is 123-45-6789", "AQ") == []


def test_what_was_redacted_says_nothing_of_what_follows() -> None:
    assert found("[national id] and order 123456789", "US") == []


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stdnum.us", None)
    monkeypatch.setitem(sys.modules, "stdnum.us.ssn", None)
    with pytest.raises(MissingExtra, match="redaction"):
        list(fresh("tenuto.text.national").spans("123-45-6789", "US"))
    with pytest.raises(MissingExtra, match="redaction"):
        check("us.ssn")
