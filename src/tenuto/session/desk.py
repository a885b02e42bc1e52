"""What a part of a session needs of it: the state to read, and one way to change it.

A part (`session.memory`, `session.preferences` ...) holds a desk and nothing else, so that it can be built and tested alone.
A rule is a decision that is not made yet: given the state and the time, it returns the events that it comes to, or refuses.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tenuto import events as e

if TYPE_CHECKING:
    from tenuto.session.fold import State

T = TypeVar("T")

Rule = Callable[["State", float], list[e.Event]]
"""From the state and the time (seconds since 1970-01-01 UTC) to events that can be applied one after the other.

Pure. Raises `TenutoError` to refuse; then nothing changes.
"""


class Desk(Protocol):
    """A session, as its parts see it."""

    @property
    def state(self) -> "State":
        """The state now, with everything that was decided. Read it; never change it."""
        ...

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def decide(self, rule: Rule) -> list[e.Event]:
        """Have a rule decide. It takes effect at once; `commit` waits until it is durable. Returns its events.

        Raises:
            TenutoError: The rule refused, or the session is gone from here. Nothing has changed.
        """
        ...

    def commit(self) -> Awaitable[int]:
        """Return what to await until everything so far is durable. It gives the position.

        Raises:
            TenutoError: It will not be.
        """
        ...


class Receipt(Generic[T]):
    """The outcome of a verb that took effect at once. Await it to know that it is durable.

    A failure that nobody awaited is raised by the next `save()`, `close()` or awaited verb.

    Example:
        >>> entry = session.add_memory("Prefers mornings").value  # doctest: +SKIP
        >>> entry = await session.add_memory("Prefers mornings")  # doctest: +SKIP
    """

    def __init__(self, desk: Desk, value: T) -> None:
        self._desk = desk
        self.value = value
        """What the verb made."""

    def __repr__(self) -> str:
        return f"Receipt({self.value!r})"

    def __await__(self) -> Generator[Any, None, T]:
        yield from self._desk.commit().__await__()
        return self.value
