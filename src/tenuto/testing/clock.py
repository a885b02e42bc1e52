"""Virtual time: an asyncio loop whose clock stands still while anything can run, and jumps when nothing can.

The law: time moves only when no callback is ready, no socket has news, and no outside work is under way; then it jumps
straight to the next timer. A test of a 30 s grace takes no time and gives the same order of events on every machine.

Three things end a run with an error that shows where every task stands, so that a test never hangs:

* `Deadlock`: nothing is ready, and no timer is left that could change that;
* `Deadlock` again, when the virtual time passes `limit`: a heartbeat goes on for ever, but nobody gets anywhere;
* `Livelock`: a million rounds of the loop in one instant.

Outside work is whatever another thread or process does for a task. Time stands still, for at most `patience` real
seconds, while some is pending. It is counted

* by itself for `loop.run_in_executor` and `asyncio.to_thread`;
* by `with outside():` around the wait for anything else;
* by `external(store)`, which counts every awaited call of an object: how to use a store with a thread of its own.

`loop.call_soon_threadsafe` works from any thread as usual. A thread that nobody counted loses the race against the next
timer, but is still given `STRAY` real seconds before a `Deadlock` is declared.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import inspect
import io
import math
import random
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar, TypeVarTuple, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_767_225_600.0
"""Where virtual wall-clock time begins: 2026-01-01T00:00:00Z, in seconds since 1970-01-01 UTC."""

SPINS = 1_000_000
"""Rounds of the loop in one instant that are taken for a livelock."""

NUDGE_AFTER = 1_000
"""Rounds of the loop in one instant after which the clock moves by `NUDGE`, as a real one would have."""
NUDGE = 1e-6
"""Seconds."""

STRAY = 0.2
"""Real seconds that a thread which nobody counted is given before a deadlock is declared."""


class Deadlock(AssertionError):
    """Nothing can happen any more. The message has the stack of every task."""


class Livelock(AssertionError):
    """Tasks keep each other busy, and time cannot move. The message has the stack of every task."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time.

    Args:
        limit: Virtual seconds after which the run is taken for stuck.
        patience: Real seconds that outside work may take.
        seed: For `random`, a generator that the fakes of this package draw from.
    """

    def __init__(
        self, *, limit: float = 86_400.0, patience: float = 10.0, seed: int | None = None
    ) -> None:
        self.limit = limit
        self.patience = patience
        self.random = random.Random(0 if seed is None else seed)
        """What the fakes of this package draw from."""
        self.jumps = 0
        """How often time has moved."""
        self._virtual = 0.0
        self._outside = 0
        self._spins = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._virtual

    def outside(self, n: int) -> None:
        """Count `n` more pieces of outside work, or fewer when negative. Prefer the context manager `outside()`."""
        self._outside += n

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """As in asyncio; time stands still until the future is done."""
        future = super().run_in_executor(executor, func, *args)
        self._outside += 1
        future.add_done_callback(lambda _: self.outside(-1))
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """As in asyncio; time stands still until its threads are gone."""
        self._outside += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._outside -= 1

    def wait(
        self,
        poll: Callable[[float], list[tuple[selectors.SelectorKey, int]]],
        timeout: float | None,
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Do what the loop's selector does when the loop has nothing to run for `timeout` seconds (None: for ever)."""
        if news := poll(0):
            return news
        if timeout is not None and timeout <= 0:
            self._spins += 1
            if self._spins > SPINS:
                self._spins = 0
                raise Livelock(self._story(f"{SPINS} rounds at {self._virtual:.3f} s"))
            if not self._spins % NUDGE_AFTER:
                self._virtual += NUDGE
            return []
        self._spins = 0
        if self._outside:
            if news := self._patient(poll, self.patience):
                return news
            raise Deadlock(self._story(f"Outside work took over {self.patience} real seconds"))
        if timeout is None:
            if threading.active_count() > 1 and (news := self._patient(poll, STRAY)):
                return news
            raise Deadlock(self._story("Nothing is ready and no timer is left"))
        self._virtual = self._due(self._virtual + timeout)
        self.jumps += 1
        if self._virtual > self.limit:
            self.limit = float("inf")
            raise Deadlock(self._story(f"More than the limit of virtual seconds, {self._virtual}"))
        return []

    def _due(self, about: float) -> float:
        """Return when exactly the next timer is due: a sum of differences may be a rounding error early."""
        timers: list[asyncio.TimerHandle] = getattr(self, "_scheduled", [])
        when = timers[0].when() if timers else about
        return when if abs(when - about) < NUDGE else about

    @property
    def _clock_resolution(self) -> float:
        # asyncio takes a timer for due when it is less than this away. Here a timer is due when it is due: whoever
        # looks at the clock in its callback and finds it early would arm it again, for ever.
        return math.ulp(self._virtual)

    @_clock_resolution.setter
    def _clock_resolution(self, seconds: float) -> None:
        """The base class sets the machine's."""

    def _patient(
        self, poll: Callable[[float], list[tuple[selectors.SelectorKey, int]]], seconds: float
    ) -> list[tuple[selectors.SelectorKey, int]]:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if news := poll(left):
                return news
        return []

    def _story(self, what: str) -> str:
        lines = [f"{what}, at {self._virtual:.3f} s of virtual time. Tasks:"]
        for task in sorted(asyncio.all_tasks(self), key=lambda task: task.get_name()):
            text = io.StringIO()
            task.print_stack(file=text)
            lines.append(text.getvalue().rstrip())
        return "\n".join(lines)


class _JumpingSelector(selectors.DefaultSelector):
    """The loop's selector; asks the loop whether to wait or to jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._loop.wait(super().select, timeout)


class VirtualClock:
    """A `tenuto.clock.Clock` that shows the time of a virtual loop, from any thread.

    Args:
        loop: The loop whose time it shows; the running one when None.
        epoch: The date at which its time begins, in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, *, epoch: float = EPOCH
    ) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._epoch = epoch

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC, in virtual time."""
        return self._epoch + self._loop.time()

    def monotonic(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._loop.time()


def run(
    coroutine: Coroutine[Any, Any, T],
    *,
    seed: int | None = None,
    limit: float = 86_400.0,
    patience: float = 10.0,
) -> T:
    """Run a coroutine to its end in virtual time, as `asyncio.run` does in real time.

    Args:
        coroutine: What to run.
        seed: For the module `random`, which is put back after the run; left alone when None.
        limit: Virtual seconds after which the run is taken for stuck.
        patience: Real seconds that outside work may take.

    Raises:
        Deadlock: Nothing can happen any more, or the time limit was passed.
        Livelock: Something goes on in circles without time moving.

    Example:
        >>> run(asyncio.sleep(3600, "an hour later"))
        'an hour later'
    """
    state = random.getstate() if seed is not None else None
    if seed is not None:
        random.seed(seed)
    factory = functools.partial(VirtualLoop, seed=seed, limit=limit, patience=patience)
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)
    finally:
        if state is not None:
            random.setstate(state)


@contextlib.contextmanager
def outside() -> Iterator[None]:
    """Let time stand still while something outside of the loop is waited for. Does nothing in real time.

    Example:
        with outside():
            line = await process.stdout.readline()
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        yield
        return
    loop.outside(1)
    try:
        yield
    finally:
        loop.outside(-1)


class _External:
    """Passes everything on; counts the awaited calls as outside work."""

    def __init__(self, subject: object) -> None:
        self._subject = subject

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._subject, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        @functools.wraps(attribute)
        async def counted(*args: Any, **kwargs: Any) -> Any:
            with outside():
                return await attribute(*args, **kwargs)

        return counted


def external(subject: T) -> T:
    """Return the same object with each of its coroutine methods counted as outside work.

    Args:
        subject: What has a thread or a process of its own, such as the SQLite store. Its methods must not wait for
            virtual time.

    Example:
        store = external(SqliteStore(path))
    """
    return cast(T, _External(subject))
