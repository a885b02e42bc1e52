"""`tenuto sessions`, on sessions that are made up."""

import msgspec
import pytest

from tests.unit.cli.conftest import Command
from tests.unit.cli.fakes import FakeSessions


def test_list_shows_a_row_a_session(tenuto: Command) -> None:
    ran = tenuto("sessions", "list")
    assert ran.code == 0
    assert "s1" in ran.out
    assert "alice" in ran.out
    assert "live" in ran.out


def test_list_gives_a_program_one_object_a_line(tenuto: Command) -> None:
    (line,) = tenuto("sessions", "list", "--json").lines
    assert (line["session"], line["user"], line["position"]) == ("s1", "alice", 4)


def test_show_gives_the_session_then_its_messages_oldest_first(tenuto: Command) -> None:
    head, *messages = tenuto("sessions", "show", "s1", "--json").lines
    assert head["session"] == "s1"
    assert [message["text"] for message in messages] == ["My name is Alice", "Hello Alice", "Bye"]


def test_show_is_readable(tenuto: Command) -> None:
    ran = tenuto("sessions", "show", "s1", "--limit", "1")
    assert "served by host-1; of alice; 4 events" in ran.out
    assert "user  Bye" in ran.out
    assert "Hello Alice" not in ran.out


def test_show_says_which_reply_was_cut(tenuto: Command, sessions: FakeSessions) -> None:
    sessions.messages.append(
        msgspec.structs.replace(
            sessions.messages[-1], role="agent", text="Once", said="Once upon a time"
        )
    )
    ran = tenuto("sessions", "show", "s1")
    assert "agent  Once  (interrupted)" in ran.out
    assert ran.out.count("(interrupted)") == 1


def test_tail_begins_with_the_last_events_and_follows(tenuto: Command) -> None:
    lines = tenuto("sessions", "tail", "s1", "--lines", "2", "--json").lines
    assert [line["position"] for line in lines] == [3, 4, 5]


def test_tail_without_following_stops_at_the_head(tenuto: Command) -> None:
    lines = tenuto("sessions", "tail", "s1", "--after", "1", "--no-follow", "--json").lines
    assert [line["position"] for line in lines] == [2, 3, 4]
    assert tenuto("sessions", "tail", "s1", "--after", "4", "--no-follow").out == ""


def test_replay_gives_everything_from_the_beginning(tenuto: Command) -> None:
    lines = tenuto("sessions", "replay", "s1", "--json").lines
    assert [line["position"] for line in lines] == [1, 2, 3, 4]


def test_replay_at_a_speed_waits_as_it_happened(tenuto: Command) -> None:
    ran = tenuto("sessions", "replay", "s1", "--speed", "1000")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["1", "2", "3", "4"]
    assert "message.added" in ran.out


def test_end_ends(tenuto: Command, sessions: FakeSessions) -> None:
    assert tenuto("sessions", "end", "s1", "--json").lines == [{"session": "s1", "ended": True}]
    assert sessions.ended == ["s1"]


def test_forget_with_yes_forgets(tenuto: Command, sessions: FakeSessions) -> None:
    assert tenuto("sessions", "forget", "s1", "--yes").code == 0
    assert sessions.forgotten == ["s1"]


def test_forget_without_anybody_to_ask_is_refused(tenuto: Command, sessions: FakeSessions) -> None:
    ran = tenuto("sessions", "forget", "s1", "--json")
    assert (ran.code, ran.out, sessions.forgotten) == (2, "", [])
    assert "add --yes" in ran.err


@pytest.mark.parametrize("verb", ["show", "tail", "replay", "end"])
def test_a_session_that_is_not_there_fails_with_its_code(tenuto: Command, verb: str) -> None:
    ran = tenuto("sessions", verb, "nothing", "--json")
    assert (ran.code, ran.out) == (1, "")
    error = msgspec.json.decode(ran.err)["error"]
    assert error["code"] == "session_not_found"
    assert "tenuto sessions list" in error["hint"]


def test_settings_and_server_reach_the_sessions(tenuto: Command, sessions: FakeSessions) -> None:
    tenuto("sessions", "list", "--store", "memory:", "--server", "http://a:1", "--key", "tk_1")
    assert sessions.where is not None
    assert (sessions.where.server, sessions.where.key) == ("http://a:1", "tk_1")
    assert sessions.where.config.store == "memory:"


def test_a_variable_sets_the_store(tenuto: Command, sessions: FakeSessions) -> None:
    tenuto("sessions", "list", TENUTO_STORE="memory:")
    assert sessions.where is not None
    assert sessions.where.config.store == "memory:"


def test_set_reads_each_value_as_its_setting_takes_it(
    tenuto: Command, sessions: FakeSessions
) -> None:
    ran = tenuto(
        "sessions", "set", "s1", "temperature=0.3", "voice=5", "language=null",
        "enable_learning=false", "greeting=a=b", "max_memory_size=many", "none=1", "--json",
    )  # fmt: skip
    assert ran.lines == [{"session": "s1", "version": 1}]
    assert sessions.changes == [
        {
            "temperature": 0.3,
            "voice": "5",
            "language": None,
            "enable_learning": False,
            "greeting": "a=b",
            "max_memory_size": "many",
            "none": "1",
        }
    ]
    assert "version 2" in tenuto("sessions", "set", "s1", "voice=x").out


@pytest.mark.parametrize("wrong", ["temperature", "=3", ""])
def test_set_says_how_it_is_written(tenuto: Command, sessions: FakeSessions, wrong: str) -> None:
    ran = tenuto("sessions", "set", "s1", "voice=x", wrong)
    assert (ran.code, sessions.changes) == (2, [])
    assert "is not NAME=VALUE" in ran.err
