"""Lines that a person types, while the event loop goes on."""

import asyncio
import io
import threading

from tenuto.cli.lines import typed


async def test_each_line_comes_without_its_end() -> None:
    text = io.StringIO("one\r\n\ntwo")
    assert [line async for line in typed("", text.readline)] == ["one", "", "two"]


async def test_an_input_that_breaks_has_ended() -> None:
    def read() -> str:
        raise ValueError("closed")

    assert [line async for line in typed("", read)] == []


async def test_the_loop_goes_on_while_nobody_types() -> None:
    pressed = threading.Event()

    def read() -> str:
        pressed.wait(10)
        return "" if pressed.is_set() and text.tell() else text.read()

    text = io.StringIO("one")
    lines = typed("", read)
    waiting = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0)
    assert not waiting.done()
    pressed.set()
    assert await asyncio.wait_for(waiting, 5) == "one"
    await lines.aclose()
