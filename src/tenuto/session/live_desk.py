"""The desk of a live session: its parts read and decide here, one by one or as a batch that is one atomic append.

A batch is its task's: what other tasks do with the session meanwhile is not in it, and does not see it.
"""

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import fold, stimuli
from tenuto.session.desk import Rule
from tenuto.session.driver import Driver


class LiveDesk:
    """A `Desk` over a driver."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._batches: dict[asyncio.Task[Any] | None, Batch] = {}
        """The open batches, by the task that opened them."""

    @property
    def state(self) -> fold.State:
        """The state now; within a batch, as it will be if the batch succeeds."""
        batch = self._open_batch()
        return self._driver.core.state if batch is None else batch.draft

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._driver.now()

    def decide(self, rule: Rule, *, waits: bool = False) -> list[e.Event]:
        """Have a rule decide, at once or at the end of the batch.

        Args:
            waits: Whether the engine may be told of it a little later, together with what comes next.

        Raises:
            TenutoError: The rule refused, or the session is gone from here. Nothing has changed.
        """
        batch = self._open_batch()
        if batch is not None:
            return batch.decide(rule, self.now())
        made: list[e.Event] = []

        def remember(state: fold.State, at: float) -> list[e.Event]:
            nonlocal made
            made = rule(state, at)
            return made

        self._driver.receive(stimuli.Decide(rules=(remember,), waits=waits))
        return made

    def commit(self) -> asyncio.Future[int]:
        """Return what to await until everything so far is durable. It gives the position.

        Raises:
            TenutoError: It will not be.
            IllegalEvent: A batch is open: what is in it cannot be durable yet.
        """
        if self._open_batch() is not None:
            raise IllegalEvent("A batch is open: leave it first, then await.")
        return self._driver.commit()

    def batch(self) -> "Batch":
        """Begin a batch.

        Raises:
            IllegalEvent: This task has one open already.
        """
        self._need_no_batch()
        return Batch(self, self._driver)

    def _open_batch(self) -> "Batch | None":
        return self._batches.get(asyncio.current_task()) if self._batches else None

    def _need_no_batch(self) -> None:
        if self._open_batch() is not None:
            raise IllegalEvent("A batch is open already: leave it first.")


class Batch:
    """Updates that are one atomic append: all of them, or none when the block raises.

    Inside the block each update is checked at once and can be read back; nobody else sees it, and it is not durable: awaiting
    it there raises `IllegalEvent`. Await the batch after the block, or use `async with`, to wait for durability at the end.

    Example:
        >>> with session.batch_update() as batch:  # doctest: +SKIP
        ...     session.add_memory("Prefers mornings", category="scheduling")
        ...     session.track_metric("task_completed", 1)
        >>> await batch  # doctest: +SKIP
    """

    def __init__(self, desk: LiveDesk, driver: Driver) -> None:
        self._desk, self._driver = desk, driver
        self._rules: list[Rule] = []
        self._task: asyncio.Task[Any] | None = None
        self._begun = False
        self.draft = driver.core.state
        """The state as it will be."""

    def decide(self, rule: Rule, at: float) -> list[e.Event]:
        """Try a rule on the draft, and keep it for the end.

        Args:
            rule: What decides.
            at: Now, in seconds since 1970-01-01 UTC.
        """
        events = rule(self.draft, at)
        for event in events:
            fold.apply(self.draft, event)
        self._rules.append(rule)
        return events

    def __await__(self) -> Generator[Any, None, int]:
        """Wait until everything so far is durable. Returns the position."""
        return self._desk.commit().__await__()

    def __enter__(self) -> Self:
        self._desk._need_no_batch()
        if self._begun:
            raise IllegalEvent("A batch is used once: make another one with `batch_update()`.")
        self._begun = True
        self._task = asyncio.current_task()
        self.draft = fold.copy(self._driver.core.state)
        self._desk._batches[self._task] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._desk._batches[self._task]
        if kind is None and self._rules:
            self._driver.receive(stimuli.Decide(rules=tuple(self._rules)))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)
        if kind is None:
            await self._driver.commit()
