"""`tenuto chat`, on sessions that are made up."""

import io

import msgspec
import pytest

from tests.unit.cli.conftest import Command
from tests.unit.cli.fakes import FakeSessions


def test_each_message_is_answered(tenuto: Command, sessions: FakeSessions) -> None:
    ran = tenuto("chat", "-m", "one", "-m", "two")
    assert ran.out.splitlines() == ["You said one", "You said two"]
    assert "session s1" in ran.err
    ((session, user, dialogue),) = sessions.dialogues
    assert (session, user, dialogue.said) == (None, None, ["one", "two"])


def test_a_program_gets_one_object_a_message(tenuto: Command) -> None:
    ran = tenuto("chat", "--session", "s1", "--user", "alice", "-m", "one", "--json")
    assert ran.err == ""
    assert ran.lines == [
        {
            "session": "s1",
            "message": "one",
            "text": "You said one",
            "heard": "You said one",
            "seconds": 0.25,
        }
    ]


def test_lines_that_are_typed_are_said(tenuto: Command, sessions: FakeSessions) -> None:
    sessions.typed = io.StringIO("one\n\n  \ntwo")
    assert tenuto("chat").out.splitlines() == ["You said one", "You said two"]


def test_a_session_that_another_process_has_points_at_the_server(tenuto: Command) -> None:
    ran = tenuto("chat", "--session", "locked", "-m", "one", "--json")
    error = msgspec.json.decode(ran.err)["error"]
    assert (ran.code, error["code"], error["retryable"]) == (1, "session_locked", True)
    assert "add --server URL" in error["hint"]


def test_writing_needs_no_voice(tenuto: Command, sessions: FakeSessions) -> None:
    tenuto("chat", "-m", "one")
    assert sessions.where is not None
    assert sessions.where.config.engine == "text"


def test_another_engine_is_kept(tenuto: Command, sessions: FakeSessions) -> None:
    tenuto("chat", "-m", "one", "--engine", "echo")
    assert sessions.where is not None
    assert sessions.where.config.engine == "echo"


@pytest.mark.parametrize("wrong", ["", "  ", "x" * 10_001])
def test_what_cannot_be_said_is_refused_before_anything_is_made(
    tenuto: Command, sessions: FakeSessions, wrong: str
) -> None:
    for arguments in (("-m", wrong), ("-m", "good", "-m", wrong)):
        ran = tenuto("chat", *arguments)
        assert (ran.code, ran.out) == (1, "")
        assert "1 to 10,000 characters" in ran.err and "code: invalid_input" in ran.err
    assert sessions.dialogues == []


@pytest.mark.parametrize("typed", ["", "\n \n", "x" * 10_001])
def test_without_anything_said_nothing_is_made(
    tenuto: Command, sessions: FakeSessions, typed: str
) -> None:
    sessions.typed = io.StringIO(typed)
    assert tenuto("chat").out == ""
    assert sessions.dialogues == []


def test_a_session_that_is_not_there_is_told_before_anything_is_typed(
    tenuto: Command, sessions: FakeSessions
) -> None:
    sessions.typed = io.StringIO("one")
    ran = tenuto("chat", "--session", "nothing")
    assert "session_not_found" in ran.err
    assert sessions.typed.read() == "one"
