"""The settings of one session, and the differences that are journaled."""

from typing import Any

import pytest

from tenuto.errors import InvalidConfig
from tenuto.session.config import SessionConfig, build, differences


def test_no_differences_make_the_defaults() -> None:
    assert build({}) == SessionConfig()
    assert differences(SessionConfig()) == {}


def test_only_what_differs_is_journaled() -> None:
    config = SessionConfig(greeting="Hello.", timezone="Europe/Rome")
    assert differences(config) == {"greeting": "Hello.", "timezone": "Europe/Rome"}
    assert build(differences(config)) == config


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"colour": "red"}, "colour"),
        ({"greeting": 7}, "greeting"),
        ({"instructions": "x" * 32_001}, "`instructions` may have 32,000"),
        ({"greeting": "x" * 2_001}, "`greeting` may have 2,000"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidConfig, match=wrong):
        build(changes)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidConfig, match="Known: instructions, greeting, timezone"):
        build({"x": 1})
