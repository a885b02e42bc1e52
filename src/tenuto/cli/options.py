"""The flags and arguments of the commands, each said once, and what a command stands in.

A command that reaches sessions is written as a coroutine over a `Run`; `reaching` gives it the flags that say where to look.
"""

import inspect
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import msgspec
import typer

from tenuto.cli.output import Output
from tenuto.cli.reach import Reach, Sessions, Where, reach
from tenuto.settings import FILE, TenutoConfig, load

VARIABLES = ("TENUTO_CONFIG", "TENUTO_KEY", "TENUTO_SERVER")
"""The variables that the command line reads itself, besides those of the settings."""

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, nothing else.")]
Store = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="Where the journals are: sqlite:///PATH or memory:"
    ),
]
Engine = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help="local, text or echo.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="TENUTO_CONFIG",
        help="The file of settings; tenuto.toml if there is one.",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="TENUTO_SERVER",
        help="Go through a running server, such as http://127.0.0.1:8765, not to the store.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", envvar="TENUTO_KEY", help="The API key of that server."),
]
User = Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose a new session is.")]
Keys = Annotated[
    str | None, typer.Option("--keys", metavar="FILE", help="The file of hashed keys.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The session: see tenuto sessions list.")]
GoOn = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="Go on with this session.")
]
Most = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=1000, help="The sessions that were last active.")
]


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the command line stands in. A test makes its own."""

    environ: Mapping[str, str]
    directory: Path
    reach: Reach = reach
    """How sessions are reached: in a store, or through a server."""
    read: Callable[[], str] | None = None
    """Returns the next line that a person typed; stdin's when None."""

    @classmethod
    def of_this_process(cls) -> "Surroundings":
        """Return the process's own."""
        return cls(environ=os.environ, directory=Path.cwd())


def surroundings(context: typer.Context) -> Surroundings:
    """Return what this run of the command line stands in."""
    found = context.obj
    assert isinstance(found, Surroundings)
    return found


def settings(context: typer.Context, config: Path | None, **flags: object) -> TenutoConfig:
    """Put the settings together for a command.

    Raises:
        InvalidConfig: A value is not accepted.
    """
    around = surroundings(context)
    return load(flags, around.environ, settings_file(around, config))


def settings_file(around: Surroundings, config: Path | None) -> Path | None:
    """Return the file of settings that counts: the one asked for, else `tenuto.toml` if there is one."""
    if config is not None:
        return config
    found = around.directory / FILE
    return found if found.exists() else None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a command that reaches sessions."""

    out: Output
    """How it speaks."""
    around: Surroundings
    where: Where
    """Where it was told to look."""

    @asynccontextmanager
    async def sessions(self, doing: str = "") -> AsyncIterator[Sessions]:
        """Open the way to the sessions.

        Args:
            doing: What is shown meanwhile; nothing when empty.
        """
        with self.out.progress(doing):
            async with self.around.reach(self.where) as found:
                yield found


P = ParamSpec("P")


def reaching(
    command: Callable[Concatenate[Run, P], Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Make a command of a coroutine: one with the flags that say where to look, and how to speak.

    Example:
        >>> @app.command()  # doctest: +SKIP
        ... @reaching
        ... async def end(run: Run, session: Id) -> None: ...
    """

    def run(
        context: typer.Context,
        *,
        store: Store = None,
        server: Server = None,
        key: Key = None,
        config: Config = None,
        as_json: Json = False,
        **own: Any,
    ) -> None:
        import asyncio

        known = settings(context, config, store=store, engine=own.get("engine"))
        where = Where(config=known, server=server, key=key)
        around = surroundings(context)
        ran = Run(out=Output(as_json), around=around, where=where)
        asyncio.run(command(ran, **own))  # type: ignore[call-arg]

    of_run = inspect.signature(run).parameters
    _, *own = inspect.signature(command).parameters.values()
    named = [
        of_run["context"],
        *(each.replace(kind=each.KEYWORD_ONLY) for each in own),
        *(each for each in of_run.values() if each.name not in ("context", "own")),
    ]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in named}
    vars(run)["__signature__"] = inspect.Signature(named)
    return run
