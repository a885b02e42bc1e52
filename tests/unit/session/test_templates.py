"""Templates: settings for many sessions, and what has to be known before one begins."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from tenuto.errors import InvalidConfig, MissingExtra, TemplateContextMissing
from tenuto.session.config import SessionConfig
from tenuto.session.templates import LONGEST_VALUE, SessionTemplate, known

CLINIC = SessionTemplate(
    name="medical_consultation",
    base_config=SessionConfig(
        instructions="You are a medical assistant...",
        memory_mode="persistent",
        enable_analytics=True,
    ),
    required_context=["patient_id", "appointment_type"],
    memory_categories=["medical_history", "symptoms", "medications"],
)

TOML = """
name = "medical_consultation"
required_context = ["patient_id", "appointment_type"]
memory_categories = ["medical_history", "symptoms", "medications"]

[base_config]
instructions = "You are a medical assistant..."
memory_mode = "persistent"
enable_analytics = true
"""

YAML = """
required_context: [patient_id, appointment_type]
memory_categories:
  - medical_history
  - symptoms
  - medications
base_config:
  instructions: You are a medical assistant...
  memory_mode: persistent
  enable_analytics: true
"""


# ---------------------------------------------------------------------------------------------------------- the template


def test_it_is_what_it_was_made_of() -> None:
    assert CLINIC.name == "medical_consultation"
    assert CLINIC.base_config.memory_mode == "persistent"
    assert CLINIC.required_context == ("patient_id", "appointment_type")
    assert CLINIC.memory_categories == ("medical_history", "symptoms", "medications")
    assert SessionTemplate("x", SessionConfig()).required_context == ()


def test_nobody_can_change_it() -> None:
    base = SessionConfig(temperature=0.3)
    template = SessionTemplate("x", base)
    base.temperature = 0.4
    template.base_config.temperature = 0.5
    assert template.base_config.temperature == 0.3
    with pytest.raises(dataclasses.FrozenInstanceError):
        template.name = "y"  # type: ignore[misc]


def test_equal_ones_are_one_in_a_set() -> None:
    assert len({SessionTemplate("x", SessionConfig()), SessionTemplate("x", SessionConfig())}) == 1
    assert SessionTemplate("x", SessionConfig()) != SessionTemplate("x", SessionConfig(voice="v"))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 3}, "name"),
        ({"base_config": {}}, "base_config"),
        ({"base_config": SessionConfig(session_id="s")}, "session_id"),
        ({"base_config": SessionConfig(user_id="u")}, "user_id"),
        ({"required_context": "patient_id"}, "required_context"),
        ({"required_context": ["a", "a"]}, "required_context"),
        ({"required_context": [""]}, "required_context"),
        ({"memory_categories": [1]}, "memory_categories"),
        ({"memory_categories": [f"c{n}" for n in range(51)]}, "memory_categories"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        SessionTemplate(**{"name": "x", "base_config": SessionConfig(), **wrong})
    assert caught.value.fields == (field,)
    assert f"`{field}`" in caught.value.message


# ---------------------------------------------------------------------------------------------------------------- a file


@pytest.mark.parametrize(("suffix", "text"), [(".toml", TOML), (".yaml", YAML), (".yml", YAML)])
def test_one_is_read_from_a_file(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"medical_consultation{suffix}"
    path.write_text(text, encoding="utf-8")
    assert SessionTemplate.from_file(path) == CLINIC
    assert SessionTemplate.from_file(str(path)) == CLINIC


def test_a_file_may_say_next_to_nothing() -> None:
    assert SessionTemplate.from_text("", Path("plain.toml")) == SessionTemplate(
        "plain", SessionConfig()
    )


@pytest.mark.parametrize(
    ("file", "text", "fields", "said"),
    [
        ("a.toml", "nme = 'x'", ("nme",), "`nme` is unknown. Did you mean `name`"),
        ("a.toml", "zzz = 'x'", ("zzz",), "`zzz` is unknown. Known: name"),
        ("a.toml", "name = ''", ("name",), "`name` cannot be"),
        ("a.toml", "base_config = 3", ("base_config",), "a table of settings"),
        (
            "a.toml",
            "[base_config]\ntemperature = 9",
            ("base_config.temperature",),
            "In `base_config`: `temperature` cannot be 9",
        ),
        (
            "a.toml",
            "[base_config]\nuser_id = 'u'",
            ("base_config.user_id",),
            "`user_id` cannot be set here",
        ),
        ("a.toml", "name = ", (), "not TOML"),
        ("a.yaml", "- a\n- b", (), "not YAML of a template"),
        ("a.yaml", "a: [", (), "not YAML of a template"),
        ("a.ini", "", ("suffix",), ".toml, .yaml, .yml"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(
    file: str, text: str, fields: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        SessionTemplate.from_text(text, Path(file))
    assert caught.value.message.startswith(f"{file}: ")
    assert said in caught.value.message
    assert caught.value.fields == fields


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"none.toml cannot be read"):
        SessionTemplate.from_file(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidConfig, match=r"x.toml is not UTF-8"):
        SessionTemplate.from_file(tmp_path / "x.toml")


def test_yaml_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtra, match=r"tenuto\[yaml\]"):
        SessionTemplate.from_text(YAML, Path("a.yaml"))


# --------------------------------------------------------------------------------------------------------------- context


def test_what_is_known_is_kept_as_text() -> None:
    context = {"patient_id": 12345, "appointment_type": "follow_up", "new": True, "none": None}
    assert known(CLINIC, context) == {
        "patient_id": "12345",
        "appointment_type": "follow_up",
        "new": "True",
    }
    assert known(None, {}) == {}


@pytest.mark.parametrize(
    ("context", "missing"),
    [
        ({}, ("patient_id", "appointment_type")),
        ({"patient_id": ""}, ("patient_id", "appointment_type")),
        ({"patient_id": "P1", "appointment_type": None}, ("appointment_type",)),
    ],
)
def test_all_that_is_missing_is_named(context: dict[str, Any], missing: tuple[str, ...]) -> None:
    with pytest.raises(TemplateContextMissing) as caught:
        known(CLINIC, context)
    assert caught.value.fields == missing
    assert f"'medical_consultation' needs to know {', '.join(missing)}:" in caught.value.message
    assert caught.value.code == "template_context_missing"


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"": "x"}, "context"),
        ({3: "x"}, "context"),
        ({"a\nb": "x"}, "context"),
        ({"a": ["x"]}, "context.a"),
        ({"a": "x" * (LONGEST_VALUE + 1)}, "context.a"),
        ({f"k{n}": 1 for n in range(51)}, "context"),
    ],
)
def test_what_cannot_be_known_is_refused(context: dict[Any, Any], field: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        known(None, context)
    assert caught.value.fields == (field,)


def test_a_context_is_known_by_name() -> None:
    with pytest.raises(InvalidConfig, match="by name"):
        known(CLINIC, "P12345")  # type: ignore[arg-type]


def test_an_unknown_part_is_answered_in_python_too() -> None:
    with pytest.raises(InvalidConfig, match=r"`nme` is unknown\. Did you mean `name`"):
        SessionTemplate(nme="x", base_config=SessionConfig())  # type: ignore[call-arg]


def test_what_cannot_be_kept_is_no_context() -> None:
    for value in ("half \ud83d", 10**5_000, "x" * 2_001, b"x"):
        with pytest.raises(InvalidConfig, match=r"`context\.a` cannot be"):
            known(None, {"a": value})
    assert known(None, {"a": 5, "b": True, "c": 0.5}) == {"a": "5", "b": "True", "c": "0.5"}
