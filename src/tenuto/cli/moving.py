"""`tenuto sessions export`, `import` and `replay --at`: a session as a file, and as it was."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import msgspec
import typer

from tenuto.cli import options
from tenuto.cli.output import Misused, Output
from tenuto.cli.reach import Sessions
from tenuto.errors import InvalidInput, StoreUnavailable

if TYPE_CHECKING:
    from tenuto.session.fold import State

CHUNK = 1 << 16
"""Bytes of a file that are read at a time."""

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="- or nothing for standard output.")
]
From = Annotated[Path, typer.Argument(metavar="FILE", help="- for standard input.")]
Users = Annotated[
    list[str] | None,
    typer.Option("--user-map", metavar="OLD=NEW", help="Another name for a user; may be repeated."),
]
Name = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="The id that the session gets here.")
]
Kind = Annotated[
    Literal["chat", "map", "record", "structure"] | None,
    typer.Option("--kind", help="What it is, where that is not plain."),
]


@options.reaching
async def export(run: options.Run, session: options.Id, file: File = None) -> None:
    """Write all of a session to a file: one line an event, and a checksum."""
    from tenuto.session.ports import Row
    from tenuto.session.transfer import Writer

    async with run.sessions("Exporting") as sessions:
        summary = await sessions.summary(session)
        writer = Writer(session, summary.user, summary.position)
        with _open(file) as target:
            target.write(writer.begin())
            position = 0
            async for entry in sessions.watch(session, 0):
                position = entry.position
                target.write(writer.line(Row(position, "", entry.body)))
                if position == summary.position:
                    break
            if position != summary.position:
                raise StoreUnavailable(
                    f"The session's journal ended at {position} of {summary.position}. Export it again."
                )
            target.write(writer.end())
    if file is not None and str(file) != "-":
        body = {"session": session, "events": summary.position, "file": str(file)}
        run.out.put(body, f"Wrote {summary.position} events of {session} to {file}.")


@options.reaching
async def import_(
    run: options.Run, file: From, users: Users = None, name: Name = None, kind: Kind = None
) -> None:
    """Read sessions from a file: an export, OpenAI chat messages, or what other session layers keep."""
    mapping = dict(_pair(pair) for pair in users or ())
    async with run.sessions("Importing") as sessions:
        made = await sessions.take_over(_chunks(file), mapping, name, kind or "")
    for session in made:
        run.out.put({"session": session, "imported": True}, f"Imported {session}.")


async def show_at(out: Output, sessions: Sessions, session: str, position: int) -> None:
    """Show a session as it was at a position, folded from its journal.

    Raises:
        InvalidInput: There is no such position.
    """
    from tenuto.session import fold
    from tenuto.session.ports import Row
    from tenuto.stores.rows import to_event

    class Named(msgspec.Struct):
        type: str

    head = (await sessions.summary(session)).position
    fold.need_position(position, head)
    state = fold.State()
    async for entry in sessions.watch(session, 0):
        name = msgspec.json.decode(entry.body, type=Named).type
        fold.apply(state, to_event(Row(entry.position, name, entry.body)))
        if entry.position == position:
            break
    out.put(_shown(state), _as_it_was(state))


def _shown(state: "State") -> dict[str, Any]:
    from tenuto.session import fold

    body: dict[str, Any] = msgspec.json.decode(fold.encode(state))
    # What a client or a share's user proves itself with is nobody else's to see.
    del body["clients"]
    for share in body["shares"]["known"].values():
        del share["token"]
    return body


def _as_it_was(state: "State") -> str:
    lines = [
        f"{state.session} at position {state.position}",
        f"{state.life.value}, {state.turn.value}; of {state.user}; "
        f"{state.messages} messages, {state.turns} turns, conversation {state.conversation or 'none'}",
    ]
    if state.config or state.live:
        settings = {**state.config, **state.live}
        lines += ["", "settings"]
        lines += [f"  {name} = {value!r}" for name, value in sorted(settings.items())]
    if memories := state.memory.book.entries.values():
        lines += ["", "memory"]
        lines += [f"  {one.memory:>4}  {one.content}" for one in memories]
    if state.recent:
        lines += ["", "last messages"]
        lines += [f"  {one.message:>4}  {one.role:>6}  {one.text}" for one in state.recent[-10:]]
    if state.reply is not None:
        lines += ["", f"reply {state.reply.reply} is open: {state.reply.text}"]
    return "\n".join(lines)


@contextmanager
def _open(file: Path | None) -> Iterator[BinaryIO]:
    """Write to a file that nobody else may read. What is not whole is not left behind."""
    if file is None or str(file) == "-":
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            yield out
        return
    try:
        target = open(file, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))
    except FileExistsError:
        raise InvalidInput(f"There is a file {file} already: name another one.") from None
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from None
    try:
        with target:
            yield target
    except OSError as error:
        file.unlink(missing_ok=True)
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from None
    except BaseException:
        file.unlink(missing_ok=True)
        raise


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    for chunk in _read(file):
        yield chunk


def _read(file: Path) -> Iterator[bytes]:
    try:
        with open(sys.stdin.fileno() if str(file) == "-" else file, "rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None


def _pair(pair: str) -> tuple[str, str]:
    old, equals, new = pair.partition("=")
    if not old or not equals or not new:
        raise Misused(f"--user-map {pair!r} is not OLD=NEW.")
    return old, new
