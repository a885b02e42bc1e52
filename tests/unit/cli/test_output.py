"""What a command says, and where."""

import msgspec
import pytest

from tenuto.cli.output import Output, ago, hint
from tenuto.errors import SessionEnded, SessionLocked, StoreCorrupt


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (30, "30 s ago"), (90, "2 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago(seconds: float, said: str) -> None:
    assert ago(1000.0, 1000.0 + seconds) == said


def test_a_moment_to_come_is_now() -> None:
    assert ago(2000.0, 1000.0) == "now"


def test_a_hint_names_the_server_that_has_the_session() -> None:
    locked = SessionLocked("s", "host", 3.0, "http://a.example:1")
    assert hint(locked).endswith("--server http://a.example:1")


def test_an_error_that_says_all_there_is_has_no_hint() -> None:
    assert hint(StoreCorrupt("x")) == ""


def test_results_go_to_stdout_and_the_rest_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.put({"a": 1}, "for people [not markup]")
    out.note("on the side")
    out.failure(SessionEnded())
    said = capsys.readouterr()
    assert said.out == "for people [not markup]\n"
    assert "on the side" in said.err
    assert "hint: Its history can still be read" in said.err


def test_a_program_gets_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.put({"a": 1}, "for people")
    out.note("on the side")
    with out.progress("Waiting"):
        pass
    said = capsys.readouterr()
    assert (said.out, said.err) == ('{"a":1}\n', "")


def test_an_error_is_one_object_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).failure(SessionEnded())
    error = msgspec.json.decode(capsys.readouterr().err)["error"]
    assert error["code"] == "session_ended"
    assert error["retryable"] is False


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress("Waiting"):
        pass
    assert capsys.readouterr().err == ""
