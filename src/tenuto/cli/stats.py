"""`tenuto stats`: what was counted of sessions, drawn in the terminal or on one page of HTML that needs nothing else."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenuto.cli import options
from tenuto.cli.output import NO_SESSION, Misused, Output, console

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tenuto.session.analytics_part import Report

BLOCKS = " ▁▂▃▄▅▆▇█"
"""From nothing to all."""
WIDE = 30
"""Characters of the longest bar."""
TOPICS_IN_A_ROW = 3
WIDE_TABLE = 140
"""Characters of a screen on which the table of all sessions has all of its columns."""


@options.reaching
async def stats(
    run: options.Run,
    session: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The session; all that were last active if left out."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with plots, that works offline."),
    ] = None,
    limit: options.Most = 20,
) -> None:
    """Show what was counted: conversations, messages, times, topics, metrics and cost."""
    async with run.sessions("Counting") as sessions:
        if session is None:
            names = [summary.session for summary in await sessions.summaries(limit)]
        else:
            names = [session]
        reports = [await sessions.analytics(name) for name in names]
    for report in reports:
        run.out.put(report)
    if html is not None:
        _write(html, reports)
        run.out.note(f"Wrote {html}.")
    elif not run.out.as_json:
        _show(run.out, reports, alone=session is not None)


# ---------------------------------------------------------------------------------------------------------- inside


def _write(path: Path, reports: Sequence["Report"]) -> None:
    from tenuto.cli.page import page

    if path.is_dir():
        raise Misused(f"{path} is a folder. Name a file, such as {path / 'stats.html'}.")
    path.write_text(page(reports), encoding="utf-8")


def _show(out: Output, reports: Sequence["Report"], *, alone: bool) -> None:
    if not reports:
        out.note(NO_SESSION)
    elif alone:
        for part in _one(reports[0]):
            out.put({}, part)
    else:
        screen = console()
        if not screen.is_terminal:
            screen.width = max(screen.width, WIDE_TABLE)
        screen.print(_all(reports, screen.width), highlight=False, markup=False)


def _all(reports: Sequence["Report"], width: int) -> "Table":
    """Return a row a session; a narrow screen leaves some columns out."""
    columns = ["session", ">talks", ">messages", ">time", ">cost"]
    if wide := width >= WIDE_TABLE:
        columns += [">answer", ">satisfied", "user", "topics"]
    table = _table(*columns)
    for report in reports:
        a = report.analytics
        row = [
            report.session_id,
            str(a.conversation_count),
            str(a.message_count),
            duration(a.total_duration_seconds),
            dollars(report.cost.usd),
        ]
        if wide:
            row += [
                milliseconds(a.avg_response_time_ms),
                score(a.satisfaction_score),
                report.user_id,
                ", ".join(a.topics[:TOPICS_IN_A_ROW]),
            ]
        table.add_row(*row)
    table.columns[0].no_wrap = True
    return table


def _one(report: "Report") -> Iterable["RenderableType"]:
    from rich.text import Text

    def title(text: str) -> Text:
        return Text(f"\n{text}", style="bold")

    a = report.analytics
    yield Text(f"{report.session_id} of {report.user_id}", style="bold")
    if not a.enabled:
        yield Text("Analytics are off: these are the figures from before.", style="yellow")
    figures = _table("", "", head=False)
    for name, value in (
        ("conversations", str(a.conversation_count)),
        ("time in conversation", duration(a.total_duration_seconds)),
        ("on average", duration(a.avg_duration_seconds)),
        ("messages", f"{a.message_count} ({a.user_words} words heard, {a.agent_words} said)"),
        ("turns", str(a.turn_count)),
        ("interruptions", str(a.interruption_count)),
        ("injections", str(a.injection_count)),
        ("answers after", milliseconds(a.avg_response_time_ms)),
        ("satisfaction", score(a.satisfaction_score)),
        ("cost", cost_line(report)),
    ):
        figures.add_row(name, value)
    yield figures
    yield title(f"Active hours ({a.timezone})")
    yield Text(sparkline(a.hour_counts, each=2))
    yield Text("".join(f"{hour:<6}" for hour in range(0, 24, 3)), style="dim")
    if a.topics:
        yield title("Topics")
        yield _bars(a.topic_counts)
    responses = [turn.response_ms for turn in report.turns if turn.response_ms is not None]
    if responses:
        yield title(f"Milliseconds to the answer, last {len(responses)} turns")
        yield Text(f"{sparkline(responses)}  {min(responses):.0f} to {max(responses):.0f}")
    if report.metrics:
        yield title("Metrics")
        metrics = _table("name", ">count", ">mean", ">min", ">max", ">last")
        for name, m in report.metrics.items():
            metrics.add_row(
                name, str(m.count), *(f"{value:g}" for value in (m.mean, m.min, m.max, m.last))
            )
        yield metrics
    if report.usage:
        yield title("Usage")
        usage = _table("engine", ">heard", ">spoken", ">tokens", ">characters", ">cost")
        for name, used in report.usage.items():
            usage.add_row(
                name,
                duration(used.heard),
                duration(used.spoken),
                str(used.tokens_in + used.tokens_out),
                str(used.characters),
                dollars(report.cost.engines.get(name)),
            )
        yield usage


def _bars(counts: dict[str, int]) -> "Table":
    table = _table("", "", head=False)
    most = max(counts.values())
    for name, count in counts.items():
        table.add_row(name, f"{'█' * max(1, round(WIDE * count / most))} {count}")
    return table


def _table(*columns: str, head: bool = True) -> "Table":
    """Return a table of these columns; `>` stands before the ones to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if head else None, pad_edge=False, show_header=head)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


# ------------------------------------------------------------------------------------------------------- for people


def sparkline(values: Sequence[float], each: int = 1) -> str:
    """Return values as blocks, the highest one full; each as wide as so many characters.

    Example:
        >>> sparkline([0, 1, 4])
        ' ▂█'
    """
    most = max(values, default=0) or 1
    full = len(BLOCKS) - 1
    return "".join(
        BLOCKS[0 if value <= 0 else max(1, round(full * value / most))] * each for value in values
    )


def duration(seconds: float) -> str:
    """Return how long something took, for people.

    Example:
        >>> duration(12.34), duration(754.0), duration(7_300.0)
        ('12.3 s', '12 min 34 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def milliseconds(value: float | None) -> str:
    """Return milliseconds for people; `-` when they are not known."""
    return "-" if value is None else f"{value:.0f} ms"


def score(value: float | None) -> str:
    """Return a satisfaction score for people; `-` when nothing is known."""
    return "-" if value is None else f"{value:.1f}/5"


def dollars(usd: float | None) -> str:
    """Return an amount for people; `?` when there is no price."""
    if usd is None:
        return "?"
    return f"${usd:.2f}" if usd >= 0.01 or not usd else f"${usd:.4f}"


def cost_line(report: "Report") -> str:
    """Return what a session cost, and what is missing to know it."""
    if report.cost.unpriced:
        return f"? (no price for {', '.join(report.cost.unpriced)}: set `prices` in tenuto.toml)"
    return dollars(report.cost.usd)
