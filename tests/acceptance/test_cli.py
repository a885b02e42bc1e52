"""The command line as a person has it: processes, with a store on disk."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tenuto.audio.format import read_wav
from tests.acceptance.serving import COMMAND, PATIENCE, Served, environment
from tests.acceptance.speech import Speech
from tests.test_exports import HEAVY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return Speech(tmp_path_factory.mktemp("speech"))


def tenuto(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command for as long as the block lasts."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=PATIENCE)


def test_what_was_said_is_known_in_the_next_process(folder: Path) -> None:
    (first,) = lines(tenuto(folder, "chat", "-m", "My name is Alice", "--json"))
    session = first["session"]
    (second,) = lines(
        tenuto(folder, "chat", "--session", session, "-m", "What is my name?", "--json")
    )
    assert "Alice" in second["text"]
    _, *messages = lines(tenuto(folder, "sessions", "show", session, "--json"))
    assert [message["role"] for message in messages] == ["user", "agent"] * 2


def test_a_conversation_can_be_piped_in(folder: Path) -> None:
    ran = tenuto(folder, "chat", typed="My name is Alice\nWhat is my name?\n")
    assert ran.returncode == 0, ran.stderr
    assert "Alice" in ran.stdout.splitlines()[-1]


def test_a_session_is_listed_replayed_ended_and_forgotten(folder: Path) -> None:
    (said,) = lines(tenuto(folder, "chat", "-m", "Hello", "--json"))
    session = said["session"]
    (listed,) = lines(tenuto(folder, "sessions", "list", "--json"))
    assert listed["session"] == session
    events = lines(tenuto(folder, "sessions", "replay", session, "--json"))
    assert [entry["position"] for entry in events] == list(range(1, listed["position"] + 1))
    assert events[0]["event"]["type"] == "session.created"
    assert tenuto(folder, "sessions", "end", session).returncode == 0
    ended = tenuto(folder, "chat", "--session", session, "-m", "Hello", "--json")
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["error"]["code"] == "session_ended"
    assert tenuto(folder, "sessions", "forget", session, "--yes").returncode == 0
    assert lines(tenuto(folder, "sessions", "list", "--json")) == []


def test_sessions_of_a_server_are_reached_through_it(folder: Path) -> None:
    (said,) = lines(tenuto(folder, "chat", "-m", "My name is Alice", "--json"))
    session = said["session"]
    with Served(folder, engine="text") as server:
        there = ("--server", server.url, "--json")
        (listed,) = lines(tenuto(folder, "sessions", "list", *there))
        assert listed["session"] == session
        (answer,) = lines(
            tenuto(folder, "chat", "--session", session, "-m", "What is my name?", *there)
        )
        assert "Alice" in answer["text"]
        _, *messages = lines(tenuto(folder, "sessions", "show", session, *there))
        assert len(messages) == 4
        (ended,) = lines(tenuto(folder, "sessions", "end", session, *there))
        assert ended == {"session": session, "ended": True}


def test_one_chat_is_one_conversation(folder: Path) -> None:
    (said,) = lines(tenuto(folder, "chat", "-m", "Hello", "--json"))
    with Served(folder, engine="text") as server:
        there = ("--server", server.url, "--json")
        (begun,) = lines(tenuto(folder, "chat", "-m", "Hello", *there))
        for number, session in enumerate((said["session"], begun["session"]), 1):
            lines(tenuto(folder, "chat", "--session", session, "-m", "Again", *there))
            (report,) = lines(tenuto(folder, "stats", session, *there))
            assert report["analytics"]["conversation_count"] == 2, number
            assert [each["message_count"] for each in report["conversations"]] == [2, 2]


def test_what_cannot_be_said_leaves_nothing_behind(folder: Path) -> None:
    with Served(folder, engine="text") as server:
        for there in ((), ("--server", server.url)):
            for arguments, typed in ((("-m", ""), ""), ((), " \n\n"), (("-m", "x" * 10_001), "")):
                ran = tenuto(folder, "chat", *arguments, *there, typed=typed)
                assert "Traceback" not in ran.stderr
                assert lines(tenuto(folder, "sessions", "list", *there, "--json")) == []


def test_a_list_tells_which_sessions_are_live(folder: Path) -> None:
    with Served(folder, engine="text") as server:
        there = ("--server", server.url, "--json")
        (live,) = lines(tenuto(folder, "chat", "-m", "Hello", *there))
        (old,) = lines(tenuto(folder, "chat", "-m", "Hello", "--json"))
        lines(tenuto(folder, "sessions", "end", old["session"], *there))
        for place in (there, ("--json",)):
            listed = lines(tenuto(folder, "sessions", "list", *place))
            told = {one["session"]: one["life"] for one in listed}
            assert told == {live["session"]: "live", old["session"]: "ended"}
    listed = lines(tenuto(folder, "sessions", "list", "--json"))
    assert {one["life"] for one in listed} == {"parked", "ended"}


def test_a_session_moves_through_a_server_and_is_set_there(folder: Path) -> None:
    (said,) = lines(tenuto(folder, "chat", "-m", "My name is Alice", "--json"))
    session = said["session"]
    with Served(folder, engine="text") as server:
        there = ("--server", server.url, "--json")
        tenuto(folder, "sessions", "export", session, "s.jsonl", *there)
        renamed = ("--id", "copy", "--user-map", "local=bob")
        (made,) = lines(tenuto(folder, "sessions", "import", "s.jsonl", *renamed, *there))
        assert made == {"session": "copy", "imported": True}
        shown, *messages = lines(tenuto(folder, "sessions", "show", "copy", *there))
        assert (shown["user"], len(messages)) == ("bob", 2)
        again = tenuto(folder, "sessions", "import", "s.jsonl", "--id", "copy", *there)
        assert json.loads(again.stderr)["error"]["code"] == "session_conflict"
        (folder / "cut.jsonl").write_bytes((folder / "s.jsonl").read_bytes()[:-40])
        cut = tenuto(folder, "sessions", "import", "cut.jsonl", *there)
        assert json.loads(cut.stderr)["error"]["code"] == "invalid_input"
        chat = tenuto(
            folder, "sessions", "import", "-", *there, typed='[{"role":"user","content":"Hi"}]'
        )
        assert lines(chat)[0]["imported"]
        assert len(lines(tenuto(folder, "sessions", "list", *there))) == 3
        (version,) = lines(tenuto(folder, "sessions", "set", "copy", "temperature=0.3", *there))
        assert version == {"session": "copy", "version": 1}
        wrong = tenuto(folder, "sessions", "set", "copy", "temprature=0.3", *there)
        assert "Did you mean `temperature`?" in json.loads(wrong.stderr)["error"]["message"]
    (version,) = lines(tenuto(folder, "sessions", "set", "copy", "voice=nova", "--json"))
    assert version["version"] == 2


def test_tail_follows_and_an_interrupt_ends_it_with_130(folder: Path) -> None:
    (said,) = lines(tenuto(folder, "chat", "-m", "Hello", "--json"))
    with running(folder, "sessions", "tail", said["session"], "--json") as tail:
        assert tail.stdout is not None
        first = json.loads(tail.stdout.readline())
        assert first["position"] >= 1
        lines(tenuto(folder, "chat", "--session", said["session"], "-m", "More", "--json"))
        while "More" not in tail.stdout.readline():
            pass
        tail.send_signal(signal.SIGINT)
        assert tail.wait(PATIENCE) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_stops_orderly(folder: Path, number: signal.Signals) -> None:
    with running(folder, "serve", "--port", "0", "--engine", "text", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0


def test_an_open_address_without_a_key_is_refused_and_with_one_it_is_not(folder: Path) -> None:
    bare = tenuto(folder, "serve", "--host", "0.0.0.0", "--port", "0", "--engine", "text", "--json")
    assert bare.returncode == 1
    error = json.loads(bare.stderr)["error"]
    assert error["code"] == "config_invalid"
    assert "tenuto keys new" in error["message"]
    (made,) = lines(tenuto(folder, "keys", "new", "--json"))
    with running(
        folder, "serve", "--host", "0.0.0.0", "--port", "0", "--engine", "text", "--json"
    ) as serving:
        assert serving.stdout is not None
        here = json.loads(serving.stdout.readline())["url"].replace("0.0.0.0", "127.0.0.1")
        denied = tenuto(folder, "sessions", "list", "--server", here, "--json")
        assert json.loads(denied.stderr)["error"]["code"] == "authentication_failed"
        allowed = ("--server", here, "--key", made["key"], "--json")
        assert lines(tenuto(folder, "sessions", "list", *allowed)) == []


def test_no_server_is_told_with_what_to_do(folder: Path) -> None:
    ran = tenuto(folder, "sessions", "list", "--server", "http://127.0.0.1:9")
    assert ran.returncode == 1
    assert "The server at http://127.0.0.1:9 does not answer" in ran.stderr
    assert "tenuto serve" in ran.stderr


def test_the_doctor_finds_this_machine_in_order(folder: Path) -> None:
    findings = lines(tenuto(folder, "doctor", "--json"))
    assert {"python", "packages", "sqlite", "store", "offline voice"} <= {
        f["what"] for f in findings
    }
    assert list(folder.iterdir()) == []


def test_help_brings_nothing_of_what_commands_need(folder: Path) -> None:
    """Which is what makes it quick: the terminal's libraries, and nothing of an engine, a store or a server."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tenuto", "--help"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    brought = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert {"typer", "tenuto.cli.app"} <= brought
    here = {"rich", "typer", "tenuto.cli"}
    assert [name for name in HEAVY if name in brought and name not in here] == []


def test_a_reader_that_goes_away_is_no_crash(folder: Path) -> None:
    (said,) = lines(tenuto(folder, "chat", "-m", "Hello", "--json"))
    with running(folder, "sessions", "tail", said["session"], "--json") as tail:
        assert tail.stdout is not None
        tail.stdout.readline()
        tail.stdout.close()
        lines(tenuto(folder, "chat", "--session", said["session"], "-m", "More", "--json"))
        assert tail.wait(PATIENCE) == 1
        assert tail.stderr is not None
        assert "Traceback" not in tail.stderr.read()


def test_a_recording_is_answered_aloud_and_remembered(folder: Path, speech: Speech) -> None:
    said = speech.wav("my name is alice", "what is my name")
    ran = tenuto(folder, "talk", "--wav", str(said), "--out", "out.wav", "--fast", "--json")
    first, second = lines(ran)
    assert (first["turn"], second["turn"]) == (1, 2)
    assert "Alice" in second["agent"]
    heard = read_wav(folder / "out.wav")
    assert any(heard.pcm)
    (answer,) = lines(
        tenuto(folder, "chat", "--session", first["session"], "-m", "What is my name?", "--json")
    )
    assert "Alice" in answer["text"]


def test_a_recording_is_said_to_a_server_in_real_time(folder: Path, speech: Speech) -> None:
    said = speech.wav("my name is alice")
    with Served(folder, engine="local") as server:
        ran = tenuto(folder, "talk", "--wav", str(said), "--out", "out.wav", "--server", server.url)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0].startswith("you:   my name is alice")
    assert ran.stdout.splitlines()[1].startswith("agent: ")
    heard = read_wav(folder / "out.wav")
    assert any(heard.pcm)
    # The recording of the answer is as long as the call: nothing was left out to be quicker.
    assert heard.seconds > read_wav(said).seconds
