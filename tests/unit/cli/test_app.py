"""The command line as a whole: help, version, usage, exit codes."""

from pathlib import Path

import msgspec
import pytest

from tests.unit.cli.conftest import Command

COMMANDS = [
    ["serve"],
    ["talk"],
    ["chat"],
    ["doctor"],
    *(["sessions", verb] for verb in ("list", "show", "tail", "replay", "set", "end", "forget")),
    *(["keys", verb] for verb in ("new", "list", "revoke")),
]


def test_alone_it_shows_its_commands(tenuto: Command) -> None:
    ran = tenuto()
    assert ran.code == 0
    for command in ("serve", "talk", "chat", "sessions", "keys", "doctor"):
        assert command in ran.out


def test_it_says_its_version(tenuto: Command) -> None:
    ran = tenuto("--version")
    assert ran.code == 0
    assert ran.out.startswith("tenuto ")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_json(tenuto: Command, command: list[str]) -> None:
    ran = tenuto(*command, "--help")
    assert ran.code == 0
    assert "--json" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["sessions", "show"],
        ["sessions", "list", "--limit", "0"],
        ["serve", "--port", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_a_usage_error(tenuto: Command, arguments: list[str]) -> None:
    ran = tenuto(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert "code: usage" in ran.err


def test_a_usage_error_is_json_for_a_program(tenuto: Command) -> None:
    ran = tenuto("sessions", "show", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert msgspec.json.decode(ran.err)["error"]["code"] == "usage"


def test_a_wrong_setting_is_told_with_its_code(tenuto: Command, tmp_path: Path) -> None:
    (tmp_path / "tenuto.toml").write_text("prot = 1")
    ran = tenuto("sessions", "list")
    assert (ran.code, ran.out) == (1, "")
    assert "error: `prot` in " in ran.err
    assert "Did you mean `port`?" in ran.err
    assert "code: config_invalid" in ran.err


def test_a_file_of_settings_that_is_not_there_fails(tenuto: Command, tmp_path: Path) -> None:
    ran = tenuto("sessions", "list", "--config", str(tmp_path / "none.toml"))
    assert ran.code == 1
    assert "There is no file of settings" in ran.err


def test_the_file_asked_for_wins_over_the_one_that_is_there(
    tenuto: Command, tmp_path: Path
) -> None:
    (tmp_path / "tenuto.toml").write_text("prot = 1")
    (tmp_path / "mine.toml").write_text('store = "memory:"')
    assert tenuto("sessions", "list", "--config", str(tmp_path / "mine.toml")).code == 0
