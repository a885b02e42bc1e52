"""Work for other threads, for callers on an event loop: a queue out, one wake-up of the loop for all that came back.

A lane belongs to no loop: each job carries the loop that waits for it, so a store may be made before a loop runs and
outlive it. A loop that was closed meanwhile is passed over, and the thread works on.
"""

import asyncio
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

import msgspec

from tenuto.errors import StoreUnavailable

_forks = 0
"""How many forks lie between this process and the one that loaded this module: threads come along with none of them."""


def _forked() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_forked)


class Job(msgspec.Struct, frozen=True, gc=False):
    operation: Callable[..., Any]
    """Called with what the lane works on (a cursor), then `argument`."""
    argument: Any
    future: "asyncio.Future[Any]"
    urgent: bool = False
    """Whether it may use the space that is kept for a full disk."""


class Stop(msgspec.Struct, frozen=True):
    """The end of a lane: the last thing that a thread takes."""

    future: "asyncio.Future[Any]"


Queue = SimpleQueue[Job | Stop]


class Lane:
    """Some threads behind one queue. The queue is unbounded: each caller waits for its own job.

    Args:
        name: Of the threads.
        work: Takes from the queue until it meets a `Stop`, and settles that one last.
        threads: How many. They start with the first job.
    """

    def __init__(self, name: str, work: Callable[[Queue], None], threads: int = 1) -> None:
        self._name, self._work, self._count = name, work, threads
        self._queue: Queue = SimpleQueue()
        self._lock = threading.Lock()
        self._started = False
        self._forks = 0
        self._stops: list[asyncio.Future[Any]] | None = None

    def submit(
        self, operation: Callable[..., Any], argument: Any, urgent: bool = False
    ) -> "asyncio.Future[Any]":
        """Queue a job and return what to await. A cancelled wait does not undo the job.

        Raises:
            StoreUnavailable: The lane is closed, or this process is a fork of the one that opened it.
        """
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._stops is not None:
                raise StoreUnavailable("The store is closed. Open another one.")
            if not self._started:
                self._start()
            elif self.is_forked:
                raise StoreUnavailable(
                    "The store was opened before this process was forked, and SQLite does not survive "
                    "that. Open another one here, or fork before the first use."
                )
            self._queue.put(Job(operation, argument, future, urgent))
        return future

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that started the threads."""
        return self._started and self._forks != _forks

    async def close(self) -> None:
        """Finish what was queued, then end the threads. Safe to call twice."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._stops is None:
                self._stops = []
                if self._started and not self.is_forked:
                    self._stops = [loop.create_future() for _ in range(self._count)]
                    for future in self._stops:
                        self._queue.put(Stop(future))
            ending = [future for future in self._stops if future.get_loop() is loop]
        if ending:
            await asyncio.wait(ending)

    def _start(self) -> None:
        self._started, self._forks = True, _forks
        for number in range(self._count):
            # A program that forgets to close its store must still be able to end.
            threading.Thread(
                target=self._work, args=(self._queue,), name=f"{self._name}-{number}", daemon=True
            ).start()


def settle(outcomes: Iterable[tuple["asyncio.Future[Any]", Any]]) -> None:
    """Hand results back, with one wake-up a loop. A result that is an exception is raised where it is awaited."""
    waiting: defaultdict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]]
    waiting = defaultdict(list)
    for outcome in outcomes:
        waiting[outcome[0].get_loop()].append(outcome)
    for loop, its in waiting.items():
        try:
            loop.call_soon_threadsafe(_resolve, its)
        except RuntimeError:
            continue  # the loop is closed: nobody waits any more


def _resolve(outcomes: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, result in outcomes:
        if future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
