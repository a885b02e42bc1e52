"""`tenuto sessions export`, `import` and `replay --at`, on sessions that are made up and on a real store."""

from pathlib import Path

import msgspec
import pytest

from tenuto import events as e
from tenuto.cli import moving
from tenuto.cli.reach import Entry
from tenuto.errors import InvalidInput
from tenuto.session import fold, transfer
from tests.unit.cli.conftest import Command
from tests.unit.cli.fakes import FakeSessions

EVENTS: list[e.Event] = [
    e.SessionCreated(
        at=1.0, session="s1", tenant="t", user="alice", epoch="", config={"voice": "nova"}
    ),
    e.MemoryAdded(at=2.0, memory=1, content="Likes tea"),
    e.ConversationStarted(at=3.0, conversation="c1"),
    e.MessageAdded(at=4.0, message=1, role="user", text="Hello", turn=1, conversation="c1"),
    e.ReplyStarted(at=5.0, reply=1, turn=1, conversation="c1"),
    e.ReplySegment(at=6.0, reply=1, index=0, text="Hi there"),
]


def lively(sessions: FakeSessions) -> None:
    bodies = (msgspec.json.encode(event) for event in EVENTS)
    sessions.entries = [Entry(number, body) for number, body in enumerate(bodies, 1)]


def test_export_writes_a_file_that_is_whole(
    tenuto: Command, sessions: FakeSessions, tmp_path: Path
) -> None:
    lively(sessions)
    file = tmp_path / "s1.jsonl"
    ran = tenuto("sessions", "export", "s1", str(file), "--json")
    assert ran.lines == [{"session": "s1", "events": 6, "file": str(file)}]
    first, *rest = file.read_bytes().splitlines()
    reader = transfer.Reader(first)
    assert [row.type for line in rest if (row := reader.line(line))][-1] == "reply.segment"
    assert reader.complete


def test_export_never_overwrites(tenuto: Command, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    ran = tenuto("sessions", "export", "s1", str(file))
    assert ran.code != 0
    assert "already" in ran.err
    assert file.read_text() == "mine"
    assert "cannot be written" in tenuto("sessions", "export", "s1", str(tmp_path / "a/b")).err


def test_import_takes_a_file_over(tenuto: Command, sessions: FakeSessions, tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text("[]")
    ran = tenuto(
        "sessions", "import", str(file), "--user-map", "old=new", "--kind", "chat", "--json"
    )
    assert ran.lines == [{"session": "s2", "imported": True}]
    assert sessions.taken == (b"[]", {"old": "new"}, None, "chat")


def test_import_says_what_is_wrong(tenuto: Command, tmp_path: Path) -> None:
    assert "cannot be read" in tenuto("sessions", "import", str(tmp_path / "none")).err
    assert "OLD=NEW" in tenuto("sessions", "import", "x", "--user-map", "old").err
    assert tenuto("sessions", "import", "x", "--kind", "none").code == 2


def test_replay_at_shows_the_session_as_it_was(tenuto: Command, sessions: FakeSessions) -> None:
    lively(sessions)
    shown = tenuto("sessions", "replay", "s1", "--at", "6").out
    for text in ("s1 at position 6", "Likes tea", "voice = 'nova'", "Hello", "Hi there"):
        assert text in shown
    (state,) = tenuto("sessions", "replay", "s1", "--at", "3", "--json").lines
    assert (state["position"], state["messages"], "clients" in state) == (3, 0, False)
    assert tenuto("sessions", "replay", "s1", "--at", "1").out.startswith("s1 at position 1")


def test_replay_at_a_position_that_is_none(tenuto: Command, sessions: FakeSessions) -> None:
    lively(sessions)
    for position in ("0", "7"):
        ran = tenuto("sessions", "replay", "s1", "--at", position)
        assert "positions 1 to 6" in ran.err


def test_an_export_that_is_not_whole_is_not_left_behind(
    tenuto: Command, sessions: FakeSessions, tmp_path: Path
) -> None:
    lively(sessions)
    sessions.entries[-1] = sessions.entries[-2]
    file = tmp_path / "s1.jsonl"
    ran = tenuto("sessions", "export", "s1", str(file))
    assert ran.code != 0 and "Export it again" in ran.err
    assert not file.exists()


def test_an_interrupted_export_is_not_left_behind(tmp_path: Path) -> None:
    file = tmp_path / "s1.jsonl"
    for error in (KeyboardInterrupt, OSError(28, "No space left on device")):
        with pytest.raises((KeyboardInterrupt, InvalidInput)), moving._open(file) as target:
            target.write(b"half")
            assert file.stat().st_mode & 0o077 == 0, "nobody else reads it"
            raise error
        assert not file.exists()


def test_a_state_as_it_was_shows_no_token(tenuto: Command, sessions: FakeSessions) -> None:
    shared = e.ShareCreated(
        at=7.0, share=1, token="ab" * 32, user="bob", permissions=["read"], expires=9.0
    )
    bodies = (msgspec.json.encode(event) for event in [*EVENTS, shared])
    sessions.entries = [Entry(number, body) for number, body in enumerate(bodies, 1)]
    ran = tenuto("sessions", "replay", "s1", "--at", "6", "--json")
    assert ran.code == 0
    state = fold.State()
    for event in [*EVENTS, shared]:
        fold.apply(state, event)
    body = moving._shown(state)
    assert "ab" * 32 not in str(body) and body["shares"]["known"]["1"]["user"] == "bob"
