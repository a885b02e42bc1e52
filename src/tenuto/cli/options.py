"""The flags that several commands share, and how a command learns what it may do and where."""

import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tenuto.cli.reach import Reach, Where, reach
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


def where(
    context: typer.Context,
    config: Path | None,
    store: str | None,
    server: str | None,
    key: str | None,
) -> Where:
    """Return where a command is to look for sessions.

    Raises:
        InvalidConfig: A value is not accepted.
    """
    return Where(config=settings(context, config, store=store), server=server, key=key)


def settings_file(around: Surroundings, config: Path | None) -> Path | None:
    """Return the file of settings that counts: the one asked for, else `tenuto.toml` if there is one."""
    if config is not None:
        return config
    found = around.directory / FILE
    return found if found.exists() else None


def go(command: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the asynchronous part of a command to its end."""
    import asyncio

    asyncio.run(command())
