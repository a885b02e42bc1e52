"""All commands in one place, and what becomes of their errors.

Exit codes: 0 done, 1 failed, 2 the command was not written as it should be, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from tenuto import __version__
from tenuto.cli import chat, doctor, keys, serve, sessions, stats, talk
from tenuto.cli.options import Surroundings
from tenuto.cli.output import Misused, Output
from tenuto.errors import TenutoError

FAILED, USAGE, INTERRUPTED = 1, 2, 130


app = typer.Typer(
    name="tenuto",
    help="Durable sessions for real-time voice agents.",
    epilog="Settings come from flags, then TENUTO_* variables, then tenuto.toml, then the defaults.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("serve")(serve.serve)
app.command("talk")(talk.talk)
app.command("chat")(chat.chat)
app.add_typer(sessions.app, name="sessions")
app.add_typer(keys.app, name="keys")
app.command("stats")(stats.stats)
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tenuto {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def run(arguments: Sequence[str], around: Surroundings | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: What was written after `tenuto`.
        around: What the command stands in; this process's own when None.

    Example:
        >>> run(["--version"])  # doctest: +SKIP
        tenuto 0.1.0
        0
    """
    out = Output("--json" in arguments)
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=list(arguments),
            prog_name="tenuto",
            standalone_mode=False,
            obj=around or Surroundings.of_this_process(),
        )
        return code if isinstance(code, int) else 0
    except TenutoError as error:
        out.failure(error)
        return USAGE if isinstance(error, Misused) else FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Who read along has gone; nothing is left to be said to them, also not when the interpreter flushes.
        sys.stdout = None
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        out.error("os_error", f"{where}{error.strerror or error}")
        return FAILED
    except typer.TyperException as error:
        out.failure(Misused(error.format_message()))
        return USAGE
