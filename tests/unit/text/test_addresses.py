import time

import pytest

from tenuto.text.addresses import spans


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in dict.fromkeys(spans(text))]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("write to alice@example.com", "alice@example.com"),
        ("Alice.Smith+news@mail.example.co.uk.", "Alice.Smith+news@mail.example.co.uk"),
        ("<o'brien@example.com>,", "o'brien@example.com"),
        ("jürgen@müller.example", "jürgen@müller.example"),
        ("alice at example dot com", "alice at example dot com"),
        ("It is ALICE AT EXAMPLE DOT COM.", "ALICE AT EXAMPLE DOT COM"),
        ("alice at example.com", "alice at example.com"),
        ("alice at example.co.uk thanks", "alice at example.co.uk"),
        ("alice @ example . com", "alice @ example . com"),
        ("alice @ example point com please", "alice @ example point com"),
        ("alice dot smith at example dot co dot uk", "alice dot smith at example dot co dot uk"),
        ("that is j underscore doe at example dot com", "j underscore doe at example dot com"),
        ("it is j o h n five at g mail dot com ok", "j o h n five at g mail dot com"),
        ("it is jane five seven at example dot com", "jane five seven at example dot com"),
        ("five at example dot com", "five at example dot com"),
        ("jane dash 5 at example dot com", "jane dash 5 at example dot com"),
        ("my email is work at example dot com", "work at example dot com"),
        ("alice at example dot com or bob", "alice at example dot com"),
        ("alice at example dot com dot", "alice at example dot com"),
        ("alice at example dot com, dot", "alice at example dot com"),
        ("a l i c e at amazon dot com", "a l i c e at amazon dot com"),
        ("alice at a w s dot com", "alice at a w s dot com"),
        ("mine is shop at amazon dot com", "shop at amazon dot com"),
        ("it's work at amazon dot com", "work at amazon dot com"),
        ("okay, sales at amazon dot com, please", "sales at amazon dot com"),
        ("team at amazon dot com", "team at amazon dot com"),
        ("work at amazon dot com is my email", "work at amazon dot com"),
        ("orders at gmail dot com I think", "orders at gmail dot com"),
        ("well, alice at gmail dot com I think", "alice at gmail dot com"),
        ("I think it is work at g mail dot com", "work at g mail dot com"),
        ("email alice at amazon dot com slash bob", "alice at amazon dot com"),
        ("alice dot smith at amazon dot com slash bob", "alice dot smith at amazon dot com"),
    ],
)
def test_an_address(text: str, address: str) -> None:
    assert found(text) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "meet me at noon, dot",
        "we met at the dot net conference",
        "look at that dot com company",
        "I work at example dot com",
        "find me at example dot com",
        "at example dot com",
        "alice, at example dot com",
        "? at example dot com",
        "alice at 5 dot 5",
        "alice at x dot y",
        "alice at dot com",
        "alice at ? dot com",
        "alice at example, dot com",
        "the point is at hand",
        "@alice and user@localhost",
        "alice at",
        "alice at example dot",
        "3 at 4.5",
        "meet me at amazon dot com slash deals",
        "alice at amazon dot com slash deals",
        "the sale at amazon dot com is over",
        "my job at amazon dot com",
        "we shop at amazon dot com",
        "they alice at amazon dot com",
        "I buy books at amazon dot com",
        "read the news at bbc dot co dot uk",
        "it is available at amazon dot com",
        "log in at gmail dot com",
        "I work at gmail dot com",
        "apply for jobs at amazon dot com",
        "sales at amazon dot com went up",
        "bob at the amazon dot com office",
        "actually at amazon dot com",
    ],
)
def test_no_address(text: str) -> None:
    assert found(text) == []


def test_two_addresses() -> None:
    assert found("alice@example.com or bob at example dot org") == [
        "alice@example.com",
        "bob at example dot org",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "at " * 10_000 + "dot ",
        "a@" * 10_000,
        "a" * 30_000 + "@",
        "one at " * 5_000 + "a.b",
        "a.b@" + "a." * 9_000,
        "jobs at a.bc " * 5_000,
        "a " * 20_000 + "at b.cd",
    ],
)
def test_a_long_text_takes_its_time_and_no_more(text: str) -> None:
    begun = time.process_time()
    found(text)
    assert time.process_time() - begun < 1
