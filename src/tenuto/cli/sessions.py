"""`tenuto sessions`: see what there is, follow it as it happens, play it again, set it, end it, forget it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from tenuto.cli import moving, options
from tenuto.cli.output import NO_SESSION, Misused, Output, ago
from tenuto.cli.reach import Entry, Sessions, Summary
from tenuto.clock import SystemClock

app = typer.Typer(
    help="List, read, follow, move, set, end and forget sessions.", no_args_is_help=True
)
app.command("export")(moving.export)
app.command("import")(moving.import_)

LONGEST_PAUSE = 5.0
"""Seconds that `replay` waits between two events, at most."""


Speed = Annotated[
    float, typer.Option(min=0, help="1 as it happened, 2 twice as fast; 0 without waiting.")
]
At = Annotated[
    int | None,
    typer.Option("--at", metavar="POSITION", help="Show the session as it was then instead."),
]
Settings = Annotated[
    list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as temperature=0.3 voice=nova.")
]


@app.command("list")
@options.reaching
async def list_(run: options.Run, limit: options.Most = 20) -> None:
    """List the sessions that were last active."""
    async with run.sessions("Reading") as sessions:
        found = await sessions.summaries(limit)
    for summary in found:
        run.out.put(summary)
    if not run.out.as_json:
        _table(run.out, found)


@app.command()
@options.reaching
async def show(
    run: options.Run,
    session: options.Id,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="The last messages.")
    ] = 50,
) -> None:
    """Show a session and the last of what was said in it."""
    async with run.sessions("Reading") as sessions:
        summary = await sessions.summary(session)
        messages = await _last_messages(sessions, session, limit)
    run.out.put(summary, _headline(summary))
    for message in messages:
        cut = "  (interrupted)" if message.said and message.said != message.text else ""
        run.out.put(message, f"{_clock_time(message.at)}  {message.role:>6}  {message.text}{cut}")


@app.command()
@options.reaching
async def tail(
    run: options.Run,
    session: options.Id,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Begin with the last so many events.")
    ] = 10,
    after: Annotated[
        int | None, typer.Option("--after", min=0, help="Begin after this position instead.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on with events as they happen.")
    ] = True,
) -> None:
    """Show the latest events of a session, then each one as it happens. Ctrl-C ends it."""
    async with run.sessions() as sessions:
        head = (await sessions.summary(session)).position
        begin = max(0, head - lines) if after is None else after
        if follow or begin < head:
            async for entry in _until(sessions.watch(session, begin), None if follow else head):
                _put_entry(run.out, entry)


@app.command()
@options.reaching
async def replay(run: options.Run, session: options.Id, speed: Speed = 0.0, at: At = None) -> None:
    """Show all that happened in a session, from its beginning; or the session as it was at a position."""
    async with run.sessions() as sessions:
        if at is not None:
            await moving.show_at(run.out, sessions, session, at)
            return
        head = (await sessions.summary(session)).position
        before: float | None = None
        async for entry in _until(sessions.watch(session, 0), head):
            when = float(msgspec.json.decode(entry.body)["at"])
            if speed and before is not None:
                await asyncio.sleep(min(LONGEST_PAUSE, max(0.0, when - before) / speed))
            before = when
            _put_entry(run.out, entry)


@app.command("set")
@options.reaching
async def set_(run: options.Run, session: options.Id, settings: Settings) -> None:
    """Change settings of a session, also while somebody talks in it: all of them, or none."""
    changes = dict(map(_setting, settings))
    async with run.sessions("Changing") as sessions:
        version = await sessions.configure(session, changes)
    body = {"session": session, "version": version}
    run.out.put(body, f"The settings of {session} are at version {version}.")


@app.command()
@options.reaching
async def end(run: options.Run, session: options.Id) -> None:
    """End a session for good. What was said in it stays readable."""
    async with run.sessions("Ending") as sessions:
        await sessions.end(session)
    run.out.put({"session": session, "ended": True}, f"Ended {session}.")


@app.command()
@options.reaching
async def forget(
    run: options.Run,
    session: options.Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase a session and all that was said in it. There is no way back."""
    if not yes:
        _ask(session, run.out.as_json)
    async with run.sessions("Forgetting") as sessions:
        await sessions.forget(session)
    run.out.put({"session": session, "forgotten": True}, f"Forgot {session}.")


# ---------------------------------------------------------------------------------------------------------- inside


def _ask(session: str, as_json: bool) -> None:
    import sys

    if as_json or not sys.stdin.isatty():
        raise Misused("Nobody is there to be asked: add --yes.")
    typer.confirm(f"Erase {session} and all that was said in it?", abort=True, err=True)


async def _last_messages(sessions: Sessions, session: str, limit: int) -> list[Any]:
    messages: list[Any] = []
    before: int | None = None
    while len(messages) < limit:
        page = await sessions.transcript(session, before, min(300, limit - len(messages)))
        messages = [*page.messages, *messages]
        before = page.next
        if before is None:
            break
    return messages


async def _until(entries: AsyncIterator[Entry], last: int | None) -> AsyncIterator[Entry]:
    async for entry in entries:
        if last is None or entry.position <= last:
            yield entry
        if last is not None and entry.position >= last:
            return


def _put_entry(out: Output, entry: Entry) -> None:
    if out.as_json:
        out.put_encoded(b'{"position":%d,"event":%b}' % (entry.position, entry.body))
        return
    event = msgspec.json.decode(entry.body)
    name, at = event.pop("type"), float(event.pop("at"))
    said = "  ".join(f"{key}={_short(value)}" for key, value in event.items() if key != "token")
    out.put({}, f"{entry.position:>6}  {_clock_time(at)}  {name:<22}  {said}")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 100 else text[:99] + "…"


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


def _headline(summary: Summary) -> str:
    begun = datetime.fromtimestamp(summary.created, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    last = ago(summary.updated, SystemClock.now())
    return (
        f"{summary.session}\n{_state(summary)}; of {summary.user or 'nobody'}; {summary.position} events; "
        f"begun {begun}, last active {last}\n"
    )


def _state(summary: Summary) -> str:
    return f"served by {summary.owner}" if summary.owner else summary.life


def _setting(written: str) -> tuple[str, object]:
    """Return a setting as it was written: NAME=VALUE. What does not fit its name is left for the session to refuse."""
    from typing import get_type_hints

    from tenuto.session.config import SessionConfig

    name, equals, text = written.partition("=")
    if not name or not equals:
        raise Misused(f"{written!r} is not NAME=VALUE.")
    kind = get_type_hints(SessionConfig).get(name, str)
    if text == "null" and kind == str | None:
        return name, None
    try:
        return name, msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return name, text


def _table(out: Output, found: Any) -> None:
    if not found:
        out.note(NO_SESSION)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("session", "user", "last active", "events", "state"):
        table.add_column(title, justify="right" if title == "events" else "left", overflow="fold")
    table.columns[0].no_wrap = True
    now = SystemClock.now()
    for one in found:
        last = ago(one.updated, now)
        table.add_row(one.session, one.user, last, str(one.position), one.life)
    out.put({}, table)
