"""How the tasks of an engine are owned: a lane does jobs in order, an outbox keeps events for the
session. A pace spreads what takes the event loop's own time.

A lane has a task only while it has something to do, so an idle engine has none. All are bounded.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from tenuto.errors import TooMuch
from tenuto.session.ports import EngineEvent, Partial, Segment

Job = Callable[[], Awaitable[None]]
"""Something to do. It deals with its own failures."""


class Lane:
    """Does one job after another, in order.

    Args:
        limit: Jobs that may wait. One more raises `TooMuch`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._jobs: deque[Job] = deque()
        self._task: asyncio.Task[None] | None = None
        self._cancelled: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a job is being done or waits."""
        return self._task is not None

    @property
    def room(self) -> int:
        """How many more jobs would be taken."""
        return self._limit - len(self._jobs)

    def put(self, job: Job) -> None:
        """Do this after everything that was put before it.

        Raises:
            TooMuch: As many jobs as the limit wait.
        """
        if self.room <= 0:
            raise TooMuch(f"More than {self._limit} requests wait for the engine. Send fewer.")
        self._jobs.append(job)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def drop(self) -> None:
        """Stop the job that is being done and forget those that wait. Returns at once."""
        self._jobs.clear()
        if self._task is not None:
            self._task.cancel()
            self._cancelled.add(self._task)
            self._task.add_done_callback(self._cancelled.discard)
            self._task = None

    async def close(self) -> None:
        """Drop everything, and wait until it has stopped."""
        self.drop()
        if self._cancelled:
            await asyncio.wait(set(self._cancelled))

    async def _run(self) -> None:
        try:
            while self._jobs:
                await self._jobs.popleft()()
        finally:
            if self._task is asyncio.current_task():
                self._task = None


class Pace:
    """Does short jobs at once and in order, but only so much in one turn of the event loop: what comes
    all together, like the audio of half a minute, is spread over as many turns as it takes.

    Args:
        most: The size of the jobs of one turn, in samples; the last one may go beyond it.
        limit: The size of those that wait. Of more, the oldest are done at once all the same.
    """

    def __init__(self, most: int, limit: int) -> None:
        self._most, self._limit = most, limit
        self._done = 0
        """The size of what was done in this turn."""
        self._jobs: deque[tuple[Callable[[], None], int]] = deque()
        self._waiting = 0
        self._next: asyncio.Handle | None = None

    def takes(self, size: int) -> bool:
        """Return whether a job is to be done here and now; if so, it counts. If not, give it to `later`."""
        if self._jobs or self._done >= self._most:
            return False
        self._count(size)
        return True

    def later(self, job: Callable[[], None], size: int) -> None:
        """Do this in its turn."""
        self._jobs.append((job, size))
        self._waiting += size
        while self._waiting > self._limit:
            self._do_one()

    def close(self) -> None:
        """Forget what waits."""
        self._jobs.clear()
        self._waiting = 0
        if self._next is not None:
            self._next.cancel()

    def _count(self, size: int) -> None:
        self._done += size
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._turn)

    def _do_one(self) -> None:
        job, size = self._jobs.popleft()
        self._waiting -= size
        self._count(size)
        job()

    def _turn(self) -> None:
        self._next, self._done = None, 0
        while self._jobs and self._done < self._most:
            self._do_one()


class Outbox:
    """Events on their way to the session, in order, for one reader.

    Partial transcripts take each other's place, so that they never fill it. What is said waits for
    room (`put`); what was heard cannot wait (`put_now`), and an outbox that is full then has a
    reader that is dead.

    Args:
        limit: Events that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: deque[EngineEvent] = deque()
        self._changed = asyncio.Event()
        self._room: asyncio.Event | None = None
        """Set when there is room again; None until somebody waits for that."""
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be added any more."""
        return self._closed

    def put_now(self, event: EngineEvent) -> bool:
        """Add an event at once. Returns False, and adds nothing, when twice the limit wait or it is
        closed.
        """
        if self._closed or len(self._events) >= 2 * self._limit:
            return False
        if isinstance(event, Partial) and self._events and isinstance(self._events[-1], Partial):
            self._events.pop()
        self._events.append(event)
        self._changed.set()
        return True

    async def put(self, event: EngineEvent) -> None:
        """Add an event when there is room. Adds nothing when it is closed."""
        while len(self._events) >= self._limit and not self._closed:
            self._room = self._room or asyncio.Event()
            self._room.clear()
            await self._room.wait()
        self.put_now(event)

    def _tell_room(self) -> None:
        if self._room is not None and (self._closed or len(self._events) < self._limit):
            self._room.set()

    def drop_segments(self) -> None:
        """Forget what was to be said and not yet read. What was learned stays: it was learned."""
        kept = [event for event in self._events if not isinstance(event, Segment)]
        self._events.clear()
        self._events.extend(kept)
        self._tell_room()

    def close(self, last: EngineEvent | None = None) -> None:
        """Forget everything and end the iteration, after one last event if there is one."""
        self._closed = True
        self._events.clear()
        if last is not None:
            self._events.append(last)
        self._tell_room()
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            while self._events:
                event = self._events.popleft()
                self._tell_room()
                yield event
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()
