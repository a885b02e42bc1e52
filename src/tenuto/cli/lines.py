"""Lines that a person types, while the event loop goes on.

A thread of its own reads them: it is a daemon, so that an interrupt ends the program although nobody presses Enter.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncGenerator, Callable


async def typed(prompt: str, read: Callable[[], str] | None = None) -> AsyncGenerator[str, None]:
    """Give each line without its end, until the input ends.

    Args:
        prompt: Shown on a terminal before each line.
        read: Returns the next line with its end, empty at the end of input; stdin's when None.
    """
    loop = asyncio.get_running_loop()
    read = read or sys.stdin.readline
    shows = sys.stdin.isatty()
    while True:
        if shows:
            sys.stderr.write(prompt)
            sys.stderr.flush()
        line: asyncio.Future[str] = loop.create_future()
        threading.Thread(target=_read_one, args=(read, loop, line), daemon=True).start()
        text = await line
        if not text:
            return
        yield text.rstrip("\r\n")


def _read_one(
    read: Callable[[], str], loop: asyncio.AbstractEventLoop, line: "asyncio.Future[str]"
) -> None:
    try:
        text = read()
    except (OSError, ValueError):
        text = ""
    # When the loop has ended meanwhile, nobody waits for the line.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_give, line, text)


def _give(line: "asyncio.Future[str]", text: str) -> None:
    if not line.done():
        line.set_result(text)
