"""`tenuto serve`: the server, in the foreground, until it is told to stop."""

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated

import typer

from tenuto.cli import options
from tenuto.cli.output import Output
from tenuto.cli.port import another, why_not
from tenuto.errors import InvalidConfig
from tenuto.settings import TenutoConfig


def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="The address to bind.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="NUMBER", help="The port; 0 for any.")
    ] = None,
    store: options.Store = None,
    engine: options.Engine = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Where clients reach this server from outside."),
    ] = None,
    keys: options.Keys = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow", metavar="HOST", help="A host or origin to let in; may be given again."
        ),
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option("--grace", metavar="SECONDS", help="How long a lost client is waited for."),
    ] = None,
    lease: Annotated[
        float | None,
        typer.Option("--lease", metavar="SECONDS", help="How long a session is owned unrenewed."),
    ] = None,
    listeners: Annotated[
        int | None,
        typer.Option("--listeners", metavar="NUMBER", help="Processes for speech recognition."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="NAME", help="In which the agent tells the time."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log each change in a session's life.")
    ] = False,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Serve sessions to browsers, phones and programs. Ctrl-C stops it; nothing is lost then."""
    settings = options.settings(
        context,
        config,
        host=host,
        port=port,
        store=store,
        engine=engine,
        url=url,
        keys=keys,
        allow=allow,
        grace=grace,
        lease=lease,
        listeners=listeners,
        timezone=timezone,
    )
    out = Output(as_json)
    if why := why_not(settings.host, settings.port):
        raise InvalidConfig(
            f"{settings.host}:{settings.port} cannot be served: {why}. "
            f"Take another port, such as: tenuto serve --port {another(settings.port)}"
        )
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    _run(settings, out)


def _run(settings: TenutoConfig, out: Output) -> None:
    with out.progress("Starting"):
        from tenuto.server.door import serve as run_server

    def say(address: str) -> None:
        out.put({"url": address}, f"Tenuto is at {address}  (Ctrl-C stops it)")

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run_server(settings, on_started=say))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # There is none for Windows.
        return None
    return uvloop.new_event_loop
