"""What happens to a session, for whoever listens in the same program: its events, and its state with a current value."""

import asyncio
import difflib
import inspect
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput, TooMuch
from tenuto.session import ports
from tenuto.session.checked import checked
from tenuto.session.driver import Driver
from tenuto.session.state import Status

log = logging.getLogger("tenuto.session")

_NAMES = frozenset(("*", *e.KINDS, *(f"{tag.partition('.')[0]}.*" for tag in e.KINDS)))
"""What one can listen for."""

MOST_UNREAD = 1_000
"""Events that wait for one `async for`; a reader that is slower is told so."""


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """What everyone sees of a session, at one moment."""

    state: Status
    """`idle`, `listening`, `processing`, `speaking` or `error`."""
    last_activity: float
    """When something last happened: seconds since 1970-01-01 UTC."""
    position: int
    """The journal's head."""
    conversation: str
    """The id of the open conversation; empty when none is."""

    @property
    def is_listening(self) -> bool:
        """Whether it hears the user now."""
        return self.state is Status.LISTENING

    @property
    def is_speaking(self) -> bool:
        """Whether the agent speaks now."""
        return self.state is Status.SPEAKING

    @property
    def is_active(self) -> bool:
        """Whether it does anything: it is neither idle nor failed."""
        return self.state not in (Status.IDLE, Status.ERROR)


class Reader:
    """An `async for` over something that goes on. Bounded: a reader that falls `MOST_UNREAD` behind gets `TooMuch`."""

    def __init__(self, stop: Callable[["Reader"], None]) -> None:
        self._unread: deque[Any] = deque()
        self._more = asyncio.Event()
        self._stop = stop
        self._over = False

    def put(self, item: Any) -> None:
        """Have it wait to be read. What comes after one too many is dropped: the reader is told."""
        if len(self._unread) <= MOST_UNREAD:
            self._unread.append(item)
        self._more.set()

    def end(self) -> None:
        """End the iteration after what waits to be read."""
        self._over = True
        self._more.set()

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> Any:
        while not self._unread:
            if self._over:
                raise StopAsyncIteration
            self._more.clear()
            await self._more.wait()
        if len(self._unread) > MOST_UNREAD:
            self.close()
            raise TooMuch(
                f"This reader is {MOST_UNREAD} events behind. Read faster, or read the journal."
            )
        return self._unread.popleft()

    def close(self) -> None:
        """Stop listening."""
        self.end()
        self._stop(self)


@checked
class Events:
    """What happens to the session, after it is durable.

    Example:
        >>> session.events.on("memory.added", lambda event: print(event.content))  # doctest: +SKIP
        >>> async for event in session.events: ...  # doctest: +SKIP
    """

    def __init__(self, driver: Driver) -> None:
        self._handlers: dict[str, list[_Handler]] = {}
        self._readers: list[Reader] = []
        self._running: set[asyncio.Future[Any]] = set()
        self._over = False
        self.failures = 0
        """How often a handler raised."""
        driver.watchers.append(self._take)

    def on(self, name: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Call `handler` with each event of that name. Returns a function that stops it.

        Handlers are called in the order of the journal. One that raises is logged and does not disturb the session; one
        that returns an awaitable has it run beside.

        Args:
            name: Such as `memory.added`; `memory.*` is all that happens to memories, and `*` is everything.
            handler: Takes the event. `event.type` is its name.

        Raises:
            InvalidInput: There is no event of that name, or the handler cannot be called.
        """
        return self._add(name, handler, once=False)

    def once(self, name: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Call `handler` with the next event of that name, and never again; otherwise as `on`."""
        return self._add(name, handler, once=True)

    def off(self, handler: Callable[[Any], object]) -> None:
        """Never call `handler` again, under whatever names it was given. One that is not known is fine."""
        for known in self._handlers.values():
            for entry in [entry for entry in known if entry.call == handler]:
                entry.stop()

    def _add(
        self, name: str, handler: Callable[[Any], object], *, once: bool
    ) -> Callable[[], None]:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidInput(
                f"There is no event {name!r}.{meant} There are: {', '.join(sorted(e.KINDS))}; with `memory.*` for a group of "
                "them and `*` for all."
            )
        entry = _Handler(handler, once, self._handlers.setdefault(name, []))
        return entry.stop

    def __aiter__(self) -> Reader:
        """Iterate over what happens from now on, until the session is gone from here."""
        reader = Reader(self._forget)
        if self._over:
            reader.end()
        else:
            self._readers.append(reader)
        return reader

    def _forget(self, reader: Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)

    def end(self) -> None:
        """The session is gone from here: end every iteration."""
        self._over = True
        for reader in self._readers:
            reader.end()
        self._readers.clear()

    def _take(self, row: ports.Row, event: e.Event) -> None:
        if not self._handlers and not self._readers:
            return
        group = row.type.partition(".")[0]
        for name in (row.type, f"{group}.*", "*"):
            for entry in tuple(self._handlers.get(name, ())):
                self._call(entry, row, event)
        for reader in self._readers:
            reader.put(event)

    def _call(self, entry: "_Handler", row: ports.Row, event: e.Event) -> None:
        if entry.stopped:
            return
        if entry.once:
            entry.stop()
        try:
            result = entry.call(event)
            if inspect.isawaitable(result):
                task = asyncio.ensure_future(result)
                self._running.add(task)
                task.add_done_callback(self._done)
        except Exception:
            # A user's handler must not break the session.
            self.failures += 1
            log.exception("a handler of %s raised", row.type)

    def _done(self, task: "asyncio.Future[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failures += 1
            log.error("a handler raised", exc_info=task.exception())


class _Handler:
    """A handler, in the list of those that wait for the same name."""

    def __init__(self, call: Callable[[Any], object], once: bool, among: "list[_Handler]") -> None:
        self.call, self.once, self.stopped = call, once, False
        self._among = among
        among.append(self)

    def stop(self) -> None:
        """Be called no more. Safe to call twice."""
        if not self.stopped:
            self.stopped = True
            self._among.remove(self)


class StateStream:
    """The session's state: a current value, and every change of it.

    Example:
        >>> session.state.value.state  # doctest: +SKIP
        <Status.IDLE: 'idle'>
        >>> async for state in session.state: ...  # doctest: +SKIP
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._readers: list[Reader] = []
        self._began: dict[Reader, Status] = {}
        """What each reader was given first: a change to it that is told only now is none."""
        self._over = False
        driver.watch_status.append(self._take)

    @property
    def value(self) -> SessionState:
        """The state now."""
        state = self._driver.core.state
        return SessionState(
            state=self._driver.core.status,
            last_activity=state.updated,
            position=state.position,
            conversation=state.conversation,
        )

    def __aiter__(self) -> Reader:
        """Iterate over the current state and then every change, until the session is gone from here."""
        reader = Reader(self._forget)
        reader.put(self.value)
        if self._over:
            reader.end()
        else:
            self._readers.append(reader)
            self._began[reader] = self._driver.core.status
        return reader

    def _forget(self, reader: Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
            self._began.pop(reader, None)

    def end(self) -> None:
        """The session is gone from here: end every iteration."""
        self._over = True
        for reader in self._readers:
            reader.end()
        self._readers.clear()
        self._began.clear()

    def _take(self, status: Status) -> None:
        for reader in self._readers:
            if self._began.pop(reader, None) is not status:
                reader.put(self.value)
