"""`tenuto chat`, on sessions that are made up."""

import io

import msgspec

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
