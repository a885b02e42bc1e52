"""`tenuto talk`: a conversation by voice, from a WAV file or with the machine's own microphone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenuto.cli import options
from tenuto.cli.output import Misused
from tenuto.cli.reach import Where
from tenuto.errors import InvalidInput

if TYPE_CHECKING:
    from tenuto.cli.call import Call
    from tenuto.client.client import Client


@options.reaching
async def talk(
    run: options.Run,
    wav: Annotated[
        Path | None,
        typer.Option("--wav", metavar="IN", help="Say this file, 8 to 48 kHz, mono or stereo."),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", metavar="OUT", help="Write what the agent said to this WAV file."),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Do not play IN at the speed of time, nor speak over replies."),
    ] = False,
    session: options.GoOn = None,
    user: options.User = None,
    engine: options.Engine = None,
) -> None:
    """Talk by voice. Prints each turn as it happens.

    With --wav the file is said as a microphone would, until it is answered.
    Without it this machine's own microphone is used, until Ctrl-C.
    """
    if fast and wav is None:
        raise Misused("--fast goes with --wav IN: a microphone has no other speed.")
    if out_file is not None and not out_file.absolute().parent.is_dir():
        raise InvalidInput(f"{out_file} cannot be written: its folder does not exist.")

    from tenuto.audio.format import read_wav
    from tenuto.cli.call import Call, Recorded
    from tenuto.cli.sound import Sound

    source = Sound() if wav is None else Recorded(read_wav(wav), fast=fast)
    call = Call(source, run.out)
    try:
        async with _client(run.where, session, user, call) as (client, name):
            with run.out.progress("Connecting"):
                await client.live()
            run.out.note(f"session {name}")
            await call.run(client, name)
    finally:
        if out_file is not None and call.was_live:
            call.write(out_file)


@asynccontextmanager
async def _client(
    where: Where, session: str | None, user: str | None, call: "Call"
) -> AsyncIterator[tuple["Client", str]]:
    """Open a client of a session that there is, or of a new one: through a server, or in this process."""
    from tenuto.client.client import Client

    def client(url: str, name: str, **more: Any) -> Client:
        source = call.source
        return Client(
            url,
            session=name,
            microphone=source.rate,
            play=call.played,
            loudspeaker=source.loudspeaker,
            **more,
        )

    if where.server:
        from tenuto.cli.there import through

        async with through(where.server, where.key or "") as there:
            name = await there.named(session, user)
            async with client(there.url, name, ticket_source=there.tickets(name)) as opened:
                yield opened, name
    else:
        from tenuto.cli.loopback import dial_into
        from tenuto.host.host import Tenuto

        async with Tenuto(where.config) as tenuto:
            if session is None:
                name = (await tenuto.create_session(user_id=user)).session_id
            else:
                name = (await tenuto.load_session(session)).session_id
            async with client("ws://here", name, dial=dial_into(tenuto)) as opened:
                yield opened, name
