"""What is read of a message before it is stored."""

import sys

import pytest

from tenuto.errors import InvalidConfig
from tenuto.session.reading import NoReader, TextReader


def test_without_a_reader_nothing_is_measured_and_redaction_is_refused() -> None:
    reader = NoReader()
    assert reader.measure("Hi", 1.0, learning=True, analytics=True) is None
    with pytest.raises(InvalidConfig, match="no reader"):
        reader.redact("Hi", "mask", "US")


def test_what_is_found_is_taken_out() -> None:
    reader = TextReader()
    assert reader.redact("Nothing here", "mask", "US") == ("Nothing here", [])
    clean, kinds = reader.redact("Write to alice@example.com or bob@example.com", "mask", "US")
    assert "example" not in clean and kinds == ["email"]
    alone, _ = reader.redact("alice@example.com", "drop", "US")
    assert alone, "never empty"


def test_only_what_is_wanted_is_measured() -> None:
    reader = TextReader()
    assert reader.measure("I love it", 1.0, learning=False, analytics=False) is None
    both = reader.measure("I really love this algorithm", 1.23456, learning=True, analytics=True)
    assert both is not None and (both.words, both.seconds) == (5, 1.235)
    assert both.formality is not None and both.sentiment is not None
    one = reader.measure("I love it", 1.0, learning=True, analytics=False)
    other = reader.measure("I love it", 1.0, learning=False, analytics=True)
    assert one is not None and one.sentiment is None
    assert other is not None and other.formality is None and other.technical is None


def test_what_is_slow_to_import_can_be_imported_before() -> None:
    for reader in (NoReader(), TextReader()):
        reader.warm()
    assert "tenuto.text.traits" in sys.modules
