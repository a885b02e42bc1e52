"""The settings that are taken over HTTP are those of `SessionConfig`, no more and no less."""

from typing import Any

import msgspec
import pytest

from tenuto.server.settings_wanted import SettingsWanted, complete
from tenuto.session.config import DEFAULTS, SessionConfig


def read(settings: dict[str, Any]) -> SettingsWanted:
    return msgspec.convert(settings, SettingsWanted)


def test_every_setting_but_the_identity_is_there() -> None:
    assert SettingsWanted.__struct_fields__ == tuple(DEFAULTS)


def test_what_was_given_is_given_also_where_it_is_the_default() -> None:
    given = {"temperature": 0.8, "language": None, "voice": "nova"}
    assert read(given).given == {"voice": "nova", "language": None, "temperature": 0.8}
    assert read({}).given == {}
    assert repr(read({"max_output_tokens": 4096.0}).given) == "{'max_output_tokens': 4096}"


def test_the_defaults_are_good() -> None:
    assert SessionConfig(**read(DEFAULTS).given) == SessionConfig()


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": "u"},
        {"temperature": 2.5},
        {"language": "english"},
        {"context_policy": "last_0"},
        {"region": "us"},
        {"memory_mode": "forever"},
        {"voice": ""},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(wrong)


def test_the_time_zones_of_the_machine_are_described() -> None:
    _, components = msgspec.json.schema_components([SettingsWanted])
    complete(components)
    zones = components["SettingsWanted"]["properties"]["timezone"]["enum"]
    assert zones[0] == "" and "Europe/Rome" in zones
