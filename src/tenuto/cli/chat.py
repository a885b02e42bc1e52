"""`tenuto chat`: a conversation in writing."""

from typing import Annotated

import typer

from tenuto.cli import options
from tenuto.cli.output import Output
from tenuto.cli.reach import Dialogue, Where


def chat(
    context: typer.Context,
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="Go on with this session.")
    ] = None,
    messages: Annotated[
        list[str] | None,
        typer.Option("--message", "-m", metavar="TEXT", help="Say this; may be given again."),
    ] = None,
    user: options.User = None,
    store: options.Store = None,
    engine: options.Engine = None,
    server: options.Server = None,
    key: options.Key = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Talk in writing: line by line, or what -m says and no more.

    Without --session a new one begins; its id is said, so that you can go on with it later.
    """
    out = Output(as_json)
    settings = options.settings(context, config, store=store, engine=engine)
    if settings.engine == "local":
        # Writing needs no voice, and a voice takes seconds to load.
        settings = options.settings(context, config, store=store, engine="text")
    where = Where(config=settings, server=server, key=key)

    async def command() -> None:
        from tenuto.cli.lines import typed

        around = options.surroundings(context)
        async with around.reach(where) as sessions:
            async with sessions.dialogue(session, user) as dialogue:
                out.note(f"session {dialogue.session}")
                if messages:
                    for text in messages:
                        await _say(out, dialogue, text)
                    return
                async for text in typed("you: ", around.read):
                    if text.strip():
                        await _say(out, dialogue, text)

    options.go(command)


async def _say(out: Output, dialogue: Dialogue, text: str) -> None:
    with out.progress("Thinking"):
        answer = await dialogue.say(text)
    body = {
        "session": dialogue.session,
        "message": text,
        "text": answer.text,
        "heard": answer.heard,
        "seconds": round(answer.seconds, 4),
    }
    out.put(body, answer.text)
