"""`tenuto chat`: a conversation in writing."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import msgspec
import typer

from tenuto.cli import options
from tenuto.cli.output import Output
from tenuto.cli.reach import Dialogue
from tenuto.errors import InvalidInput

Messages = Annotated[
    list[str] | None,
    typer.Option("--message", "-m", metavar="TEXT", help="Say this; may be given again."),
]


@options.reaching
async def chat(
    run: options.Run,
    session: options.GoOn = None,
    messages: Messages = None,
    user: options.User = None,
    engine: options.Engine = None,
) -> None:
    """Talk in writing: line by line, or what -m says and no more.

    Without --session a new one begins with the first message; its id is said, so that you can go on with it later.
    """
    if run.where.config.engine == "local":
        # Writing needs no voice, and a voice takes seconds to load.
        config = msgspec.structs.replace(run.where.config, engine="text")
        run = msgspec.structs.replace(run, where=msgspec.structs.replace(run.where, config=config))
    for message in messages or ():
        _need_text(message)
    async with run.sessions() as sessions:
        if session is not None:
            await sessions.summary(session)
        # Nothing is begun before there is something to say.
        texts = aiter(_texts(run, messages))
        text = await anext(texts, None)
        if text is None:
            run.out.note("Nothing was said.")
            return
        async with sessions.dialogue(session, user) as dialogue:
            run.out.note(f"session {dialogue.session}")
            while text is not None:
                await _say(run.out, dialogue, text)
                text = await anext(texts, None)


async def _texts(run: options.Run, messages: Sequence[str] | None) -> AsyncIterator[str]:
    from tenuto.cli.lines import typed

    for message in messages or ():
        yield message
    if not messages:
        async for line in typed("you: ", run.around.read):
            if line.strip():
                _need_text(line)
                yield line


def _need_text(text: str) -> None:
    from tenuto.session.messages import LONGEST_TEXT

    if not 1 <= len(text.strip()) <= LONGEST_TEXT:
        raise InvalidInput(
            f"A message has 1 to {LONGEST_TEXT:,} characters. This one was not sent."
        )


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
