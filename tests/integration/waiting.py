"""Wait for what happens on real sockets and in real time."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds, which may be a coroutine's answer; ten seconds at most."""
    for _ in range(1_000):
        held = condition()
        if await held if inspect.isawaitable(held) else held:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("It did not come to pass.")
