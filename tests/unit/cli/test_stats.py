"""`tenuto stats`, on figures that are made up."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from tenuto.cli.page import page
from tenuto.cli.stats import dollars, duration, milliseconds, score, sparkline
from tests.unit.cli.conftest import Command
from tests.unit.cli.fakes import FakeSessions, busy_report


class Parsed(HTMLParser):
    """The tags and the words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def test_without_an_id_there_is_a_row_a_session(tenuto: Command) -> None:
    ran = tenuto("stats")
    assert ran.code == 0
    assert "s1" in ran.out and "messages" in ran.out and "quantum physics" in ran.out


def test_a_narrow_screen_leaves_columns_out() -> None:
    from rich.table import Table

    from tenuto.cli import stats

    narrow = stats._all([busy_report()], 80)
    assert isinstance(narrow, Table) and len(narrow.columns) == 5


def test_a_session_is_drawn(tenuto: Command) -> None:
    ran = tenuto("stats", "s1")
    assert ran.code == 0
    for shown in (
        "12 min 34 s",
        "Active hours (Europe/Rome)",
        "quantum physics",
        "████",
        "last 3 turns",
        "task_completed",
        "no price for cloud",
        "4.0/5",
        "500 ms",
    ):
        assert shown in ran.out, shown


def test_a_new_session_has_nothing_to_draw(tenuto: Command, sessions: FakeSessions) -> None:
    from tenuto.session.analytics_part import report
    from tenuto.session.fold import State

    state = State(session="s1", user="u")
    state.analytics.on = False
    sessions.report = report(state, 0.0, {})
    ran = tenuto("stats", "s1")
    assert "Analytics are off" in ran.out
    assert "Topics" not in ran.out and "Metrics" not in ran.out


def test_a_program_gets_one_report_a_line(tenuto: Command) -> None:
    (line,) = tenuto("stats", "s1", "--json").lines
    assert line["session_id"] == "s1"
    analytics = line["analytics"]
    assert isinstance(analytics, dict) and analytics["message_count"] == 6


def test_no_session_is_no_table(
    tenuto: Command, sessions: FakeSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(limit: int) -> list[object]:
        return []

    monkeypatch.setattr(sessions, "summaries", none)
    ran = tenuto("stats")
    assert (ran.code, ran.out) == (0, "")
    assert "no session yet" in ran.err


def test_a_session_that_is_not_there_fails(tenuto: Command) -> None:
    ran = tenuto("stats", "nothing")
    assert ran.code == 1 and "session_not_found" in ran.err


@pytest.mark.parametrize("arguments", [("stats", "s1"), ("stats",)])
def test_a_page_is_written(tenuto: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file = tmp_path / "stats.html"
    ran = tenuto(*arguments, "--html", str(file))
    assert (ran.code, ran.out) == (0, "")
    assert str(file.name) in ran.err.replace("\n", "")
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_page_cannot_be_a_folder(tenuto: Command, tmp_path: Path) -> None:
    ran = tenuto("stats", "s1", "--html", str(tmp_path))
    assert ran.code == 2 and "Name a file" in ran.err


@pytest.mark.parametrize("several", [False, True])
def test_what_was_said_cannot_get_out_of_its_place_in_the_page(several: bool) -> None:
    text = page([busy_report()] * (2 if several else 1))
    parsed = Parsed(text)
    assert not {"script", "img", "b", "iframe", "link", "object"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in parsed.words
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in parsed.attributes
    assert "http://" not in text and "https://" not in text


def test_the_test_for_that_would_see_it() -> None:
    assert "script" in Parsed("<p><script>alert(1)</script>").tags


def test_every_plot_of_a_page_has_a_title() -> None:
    text = page([busy_report()])
    drawn = text.count('<svg role="img" aria-label="')
    assert drawn == 2 and text.count("<svg") == drawn + text.count('<svg aria-hidden="true"')
    assert "turn 2: 700 ms to the answer, cut: barge_in" in text
    assert "09:00 to 09:59: 4 messages" in text


def test_a_page_of_nothing_is_a_page() -> None:
    assert "0 sessions" in page([])


def test_figures_for_people() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 1, 8], each=2) == "  ▁▁██"
    assert [duration(seconds) for seconds in (59.94, 60, 7_300)] == [
        "59.9 s",
        "1 min 0 s",
        "2 h 1 min",
    ]
    assert [milliseconds(value) for value in (None, 12.6)] == ["-", "13 ms"]
    assert [score(value) for value in (None, 4.25)] == ["-", "4.2/5"]
    assert [dollars(usd) for usd in (None, 0.0, 0.0012, 1.5)] == ["?", "$0.00", "$0.0012", "$1.50"]
