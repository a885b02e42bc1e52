"""`tenuto sessions`: see what there is, follow it as it happens, play it again, end it, forget it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from tenuto.cli import moving, options
from tenuto.cli.output import Misused, Output, ago
from tenuto.cli.reach import Entry, Sessions, Summary
from tenuto.clock import SystemClock

app = typer.Typer(help="List, read, follow, move, end and forget sessions.", no_args_is_help=True)
app.command("export")(moving.export)
app.command("import")(moving.import_)

Id = Annotated[str, typer.Argument(metavar="ID", help="The session: see tenuto sessions list.")]

LONGEST_PAUSE = 5.0
"""Seconds that `replay` waits between two events, at most."""


@app.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 20,
    store: options.Store = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """List the sessions that were last active."""
    out = Output(as_json)
    where = options.where(context, config, store, server, key)

    async def command() -> None:
        with out.progress("Reading"):
            async with options.surroundings(context).reach(where) as sessions:
                found = await sessions.summaries(limit)
        for summary in found:
            out.put(summary)
        if not as_json:
            _table(out, found)

    options.go(command)


@app.command()
def show(
    context: typer.Context,
    session: Id,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="The last messages.")
    ] = 50,
    store: options.Store = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Show a session and the last of what was said in it."""
    out = Output(as_json)
    where = options.where(context, config, store, server, key)

    async def command() -> None:
        with out.progress("Reading"):
            async with options.surroundings(context).reach(where) as sessions:
                summary = await sessions.summary(session)
                messages = await _last_messages(sessions, session, limit)
        out.put(summary, _headline(summary))
        for message in messages:
            cut = "  (interrupted)" if message.said and message.said != message.text else ""
            out.put(message, f"{_clock_time(message.at)}  {message.role:>6}  {message.text}{cut}")

    options.go(command)


@app.command()
def tail(
    context: typer.Context,
    session: Id,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Begin with the last so many events.")
    ] = 10,
    after: Annotated[
        int | None, typer.Option("--after", min=0, help="Begin after this position instead.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on with events as they happen.")
    ] = True,
    store: options.Store = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Show the latest events of a session, then each one as it happens. Ctrl-C ends it."""
    out = Output(as_json)
    where = options.where(context, config, store, server, key)

    async def command() -> None:
        async with options.surroundings(context).reach(where) as sessions:
            head = (await sessions.summary(session)).position
            begin = max(0, head - lines) if after is None else after
            if follow or begin < head:
                entries = sessions.watch(session, begin)
                async for entry in _until(entries, None if follow else head):
                    _put_entry(out, entry)

    options.go(command)


@app.command()
def replay(
    context: typer.Context,
    session: Id,
    speed: Annotated[
        float,
        typer.Option(min=0, help="1 as it happened, 2 twice as fast; 0 without waiting."),
    ] = 0.0,
    at: Annotated[
        int | None,
        typer.Option("--at", metavar="POSITION", help="Show the session as it was then instead."),
    ] = None,
    store: options.Store = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Show all that happened in a session, from its beginning; or the session as it was at a position."""
    out = Output(as_json)
    where = options.where(context, config, store, server, key)

    async def command() -> None:
        async with options.surroundings(context).reach(where) as sessions:
            if at is not None:
                await moving.show_at(out, sessions, session, at)
                return
            head = (await sessions.summary(session)).position
            before: float | None = None
            async for entry in _until(sessions.watch(session, 0), head):
                when = float(msgspec.json.decode(entry.body)["at"])
                if speed and before is not None:
                    await asyncio.sleep(min(LONGEST_PAUSE, max(0.0, when - before) / speed))
                before = when
                _put_entry(out, entry)

    options.go(command)


@app.command()
def end(
    context: typer.Context,
    session: Id,
    store: options.Store = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """End a session for good. What was said in it stays readable."""
    out = Output(as_json)
    where = options.where(context, config, store, server, key)

    async def command() -> None:
        with out.progress("Ending"):
            async with options.surroundings(context).reach(where) as sessions:
                await sessions.end(session)
        out.put({"session": session, "ended": True}, f"Ended {session}.")

    options.go(command)


@app.command()
def forget(
    context: typer.Context,
    session: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: options.Store = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Erase a session and all that was said in it. There is no way back."""
    out = Output(as_json)
    where = options.where(context, config, store, server, key)
    if not yes:
        _ask(session, as_json)

    async def command() -> None:
        with out.progress("Forgetting"):
            async with options.surroundings(context).reach(where) as sessions:
                await sessions.forget(session)
        out.put({"session": session, "forgotten": True}, f"Forgot {session}.")

    options.go(command)


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
    if summary.ended:
        return "ended"
    return f"served by {summary.owner}" if summary.owner else "parked"


def _table(out: Output, found: Any) -> None:
    if not found:
        out.note("There is no session yet. Begin one: tenuto chat")
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
        table.add_row(one.session, one.user, last, str(one.position), _state(one))
    out.put({}, table)
