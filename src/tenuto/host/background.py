"""What a host does beside everything else: jobs that nobody waits for, and one beat a second.

| what | acquired | released |
|---|---|---|
| a job's task | `spawn` | when it is done; `close` cancels what is left, and gives it `CLOSE_SECONDS` |
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from tenuto.clock import Clock

log = logging.getLogger("tenuto.host")

BEAT_SECONDS = 1.0
"""Seconds between two beats."""
CLOSE_SECONDS = 5.0
"""Seconds that a cancelled job may take to end; one that takes longer is left to itself."""


class Background:
    """The jobs that a host owns."""

    def __init__(self) -> None:
        self.pulse: set[Callable[[float], None]] = set()
        """Called at every beat, with seconds of a clock that does not jump."""
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job. What it raises is logged."""
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the host failed", exc_info=error)

    async def beat(self, clock: Clock) -> None:
        """Beat for ever."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._tick(clock.monotonic())

    def _tick(self, now: float) -> None:
        # Apart from `beat`, which would keep the last one alive while it sleeps.
        for tick in list(self.pulse):
            try:
                tick(now)
            except Exception:  # one socket's bug must not stop the beats of all
                log.exception("a beat failed")

    async def close(self) -> None:
        """Cancel every job, also those that are begun meanwhile, and wait until they have ended."""
        late: set[asyncio.Task[None]] = set()
        while left := self._tasks - late:
            for task in left:
                task.cancel()
            late |= (await asyncio.wait(left, timeout=CLOSE_SECONDS))[1]
        if late:
            log.warning("%d tasks of the host did not end", len(late))
