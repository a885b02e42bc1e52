"""The figures of sessions as one page of HTML: no script, no network, light and dark, small screens and large ones.

Whatever a user said or named is escaped; beyond that, the page's own policy lets nothing run and nothing be loaded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from tenuto.cli.stats import cost_line, dollars, duration, milliseconds, score
from tenuto.session.analytics_part import SHOWN_TOPICS, Report

NAME = ' class="name"'

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5d6878; --paper: #f6f7f9; --card: #fff; --line: #dfe3ea;
  --bar: #3565c4; --cut: #b4541a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --dim: #98a3b3; --paper: #12151b; --card: #1b2029;
  --line: #2d3542; --bar: #7ba4f4; --cut: #f0a26b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .75rem; }
.dim { color: var(--dim); margin: .25rem 0 1.25rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 0 0 .75rem; }
@media (min-width: 60rem) { .tiles { grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); } }
.tiles div, section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.tiles dt { color: var(--dim); font-size: .8125rem; }
.tiles dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: .75rem; }
section, .pair { margin: 0 0 .75rem; min-width: 0; }
.pair section { margin: 0; }
.key { color: var(--cut); }
svg { display: block; width: 100%; height: 8rem; border-bottom: 1px solid var(--line); }
rect { fill: var(--bar); } rect.cut { fill: var(--cut); }
rect.room { fill: transparent; } g:hover rect.room { fill: var(--line); }
.ticks { display: flex; justify-content: space-between; color: var(--dim); font-size: .75rem; }
.bars { list-style: none; margin: 0; padding: 0; display: grid; gap: .375rem; }
.bars li { display: grid; grid-template-columns: minmax(6rem, 40%) 1fr auto; gap: .75rem;
  align-items: center; font-size: .875rem; }
.bars svg { height: .75rem; border: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .375rem .75rem .375rem 0; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
th { color: var(--dim); font-weight: 500; white-space: nowrap; }
tr:last-child td { border: 0; }
.number { text-align: right; white-space: nowrap; }
.number:last-child { padding-right: 0; }
td.name { min-width: 9rem; overflow-wrap: anywhere; }
@media (max-width: 30rem) { td.name { min-width: 6rem; } }
"""


def page(reports: Sequence[Report]) -> str:
    """Return the page of one session, or of several together.

    Example:
        >>> page([])[:15]
        '<!DOCTYPE html>'
    """
    if len(reports) == 1:
        title = f"Session {reports[0].session_id}"
        body = "".join(_one(reports[0]))
    else:
        title = f"{len(reports)} sessions"
        body = "".join(_several(reports))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)} - Tenuto</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}</main>\n</body>\n</html>\n"
    )


def _one(report: Report) -> Iterable[str]:
    a = report.analytics
    state = "" if a.enabled else " Analytics are off: these are the figures from before."
    yield _note(f"Of {report.user_id}, from {_day(a.created)} to {_day(a.updated)}.{state}")
    yield _tiles(
        ("conversations", str(a.conversation_count)),
        ("messages", str(a.message_count)),
        ("time in conversation", duration(a.total_duration_seconds)),
        ("a conversation, on average", duration(a.avg_duration_seconds)),
        ("time to the answer", milliseconds(a.avg_response_time_ms)),
        ("satisfaction", score(a.satisfaction_score)),
        ("interruptions", str(a.interruption_count)),
        ("cost", dollars(report.cost.usd)),
    )
    if report.cost.unpriced:
        yield _note(f"Cost: {cost_line(report)}.")
    yield '<div class="pair">'
    yield _hours(a.hour_counts, a.timezone)
    yield _topics(a.topic_counts)
    yield "</div>"
    yield _latency(report)
    yield _card(
        "Conversations",
        _table(
            ("conversation", ">time", ">turns", ">messages", ">interruptions", ">answer"),
            [
                (
                    one.conversation_id,
                    duration(one.duration_seconds),
                    str(one.turn_count),
                    str(one.message_count),
                    str(one.interruption_count),
                    milliseconds(one.avg_response_time_ms),
                )
                for one in reversed(report.conversations)
            ],
        ),
    )
    yield '<div class="pair">'
    yield _card(
        "Metrics",
        _table(
            ("name", ">count", ">mean", ">min", ">max"),
            [
                (name, str(m.count), f"{m.mean:g}", f"{m.min:g}", f"{m.max:g}")
                for name, m in report.metrics.items()
            ],
        ),
    )
    yield _card(
        "Usage",
        _table(
            ("engine", ">heard", ">spoken", ">tokens", ">cost"),
            [
                (
                    name,
                    duration(used.heard),
                    duration(used.spoken),
                    str(used.tokens_in + used.tokens_out),
                    dollars(report.cost.engines.get(name)),
                )
                for name, used in report.usage.items()
            ],
        ),
    )
    yield "</div>"


def _several(reports: Sequence[Report]) -> Iterable[str]:
    figures = [report.analytics for report in reports]
    topics: Counter[str] = Counter()
    for a in figures:
        topics.update(a.topic_counts)
    costs = [report.cost.usd for report in reports]
    known = [usd for usd in costs if usd is not None]
    yield _note("The sessions that were last active.")
    yield _tiles(
        ("sessions", str(len(reports))),
        ("conversations", str(sum(a.conversation_count for a in figures))),
        ("messages", str(sum(a.message_count for a in figures))),
        ("time in conversation", duration(sum(a.total_duration_seconds for a in figures))),
        ("cost", dollars(sum(known, 0.0) if len(known) == len(costs) else None)),
    )
    zones = sorted({a.timezone for a in figures})
    yield '<div class="pair">'
    hours = [sum(a.hour_counts[hour] for a in figures) for hour in range(24)]
    yield _hours(hours, zones[0] if len(zones) == 1 else "each where it was")
    yield _topics(dict(topics.most_common(SHOWN_TOPICS)))
    yield "</div>"
    yield _card(
        "Sessions",
        _table(
            ("session", "user", ">talks", ">messages", ">time", ">answer", ">satisfied", ">cost"),
            [
                (
                    report.session_id,
                    report.user_id,
                    str(report.analytics.conversation_count),
                    str(report.analytics.message_count),
                    duration(report.analytics.total_duration_seconds),
                    milliseconds(report.analytics.avg_response_time_ms),
                    score(report.analytics.satisfaction_score),
                    dollars(report.cost.usd),
                )
                for report in reports
            ],
        ),
    )


# ------------------------------------------------------------------------------------------------------- the pieces


def _note(text: str) -> str:
    return f'<p class="dim">{escape(text)}</p>\n'


def _tiles(*tiles: tuple[str, str]) -> str:
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles
    )
    return f'<dl class="tiles">{shown}</dl>\n'


def _card(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body or _note('Nothing yet.')}</section>\n"


def _hours(counts: Sequence[int], zone: str) -> str:
    bars = [
        (count, f"{hour:02}:00 to {hour:02}:59: {count} messages", "")
        for hour, count in enumerate(counts)
    ]
    ticks = "".join(f"<span>{hour:02}</span>" for hour in (0, 6, 12, 18)) + "<span>24</span>"
    body = _plot("Messages of the user in each hour of the day", bars)
    return _card(f"Active hours ({zone})", f'{body}<div class="ticks">{ticks}</div>\n')


def _latency(report: Report) -> str:
    bars = [
        (
            turn.response_ms,
            f"turn {turn.turn}: {turn.response_ms:.0f} ms to the answer"
            + (f", cut: {turn.cut}" if turn.cut else ""),
            "cut" if turn.cut else "",
        )
        for turn in report.turns
        if turn.response_ms is not None
    ]
    if not bars:
        return _card("Time to the answer", "")
    values = [value for value, _, _ in bars]
    title = f"Time to the answer, last {len(bars)} turns"
    key = ' <span class="key">■ cut</span>' if any(kind for _, _, kind in bars) else ""
    low_high = f"<span>oldest</span><span>{min(values):.0f} to {max(values):.0f} ms{key}</span>"
    ticks = f'<div class="ticks">{low_high}<span>newest</span></div>\n'
    return _card(title, _plot("Milliseconds to the answer of each turn", bars) + ticks)


def _plot(title: str, bars: Sequence[tuple[float, str, str]]) -> str:
    """Return upright bars that fill the width: value, what it says when pointed at, class."""
    most = max((value for value, _, _ in bars), default=0) or 1
    drawn = []
    for place, (value, says, kind) in enumerate(bars):
        height = 100 * value / most
        drawn.append(
            f'<g><title>{escape(says)}</title><rect class="room" x="{place}" width="1" height="100"/>'
            f'<rect class="{kind}" x="{place + 0.1:.1f}" y="{100 - height:.1f}" width=".8" '
            f'height="{height:.1f}"/></g>'
        )
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {len(bars)} 100" '
        f'preserveAspectRatio="none"><title>{escape(title)}</title>{"".join(drawn)}</svg>\n'
    )


def _topics(counts: dict[str, int]) -> str:
    most = max(counts.values(), default=1)
    rows = "".join(
        f"<li><span>{escape(topic)}</span>"
        f'<svg aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">'
        f'<rect width="{100 * count / most:.1f}" height="1"/></svg><span>{count}</span></li>'
        for topic, count in counts.items()
    )
    return _card("Topics", f'<ol class="bars">{rows}</ol>\n' if rows else "")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; `>` stands before columns of numbers. Without rows it is empty."""
    if not rows:
        return ""
    kinds = [' class="number"' if column.startswith(">") else "" for column in columns]
    head = "".join(
        f'<th scope="col"{kind}>{escape(column.lstrip(">"))}</th>'
        for column, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{kind or NAME}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _day(moment: str) -> str:
    return moment[:16].replace("T", " ") + " UTC"
