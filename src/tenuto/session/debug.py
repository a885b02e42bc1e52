"""What a session does, for whoever looks for a fault: kept only while somebody asks for it, bounded, and without content.

A debug log is one more fold over the journal: it takes each event when it is durable and moves a state of its own by it, so
that every transition and every size of the memory is that of its position, and not of the moment somebody looked. What is
not journaled, the link to the engine and the status, is noted when it moves.

What people said, and whatever else may tell of them, is left out: what is not known to be harmless is content. Its length is
shown in its place. `content=True` shows all of it.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from tenuto import events as e
from tenuto.errors import TenutoError
from tenuto.session import fold, ports
from tenuto.session.checked import checked
from tenuto.session.config import SessionConfig
from tenuto.session.driver import Driver
from tenuto.session.state import Link, Status

log = logging.getLogger("tenuto.session")

MOST_EVENTS = 1_000
"""Events that a log keeps; the oldest go first."""
MOST_SNAPSHOTS = 100
"""Sizes of the memory that a log keeps; the oldest go first."""
MOST_TRANSITIONS = 1_000
"""Transitions that a log keeps; the oldest go first."""
FULL = 0.8
"""The part of `max_memory_size` from which on memory should be compressed."""
SLOW = 1.0
"""Seconds from which on a load is slow."""

Machine = Literal["life", "turn", "link", "status"]

HARMLESS = frozenset(
    "type cause session tenant user epoch attachment role client transport reason conversation parent mic by engine host "
    "code scope template origin source name action refused milestone kind permissions redacted categories".split()
)
"""Fields whose text is a name or a word of ours, and never what somebody said."""
SETTINGS = frozenset(("config", "layers", "changes", "context"))
"""Fields that map names of settings to values: the names are harmless, the values may not be."""
ERRORS = (e.ErrorRaised, e.EngineLost)
"""Events that count as errors."""

_MEMORY = (e.MemoryAdded, e.MemoryRemoved, e.MemoryCleared)
_ERROR_NAMES = frozenset(e.TAGS[kind] for kind in ERRORS)


class Transition(msgspec.Struct, frozen=True):
    """One move of one of the session's machines."""

    at: float
    """Seconds since 1970-01-01 UTC."""
    machine: Machine
    before: str
    after: str

    def shown(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"at": self.at, "from": self.before, "to": self.after, "machine": self.machine}


class Size(msgspec.Struct, frozen=True):
    """How much is known at a position."""

    position: int
    at: float
    """Seconds since 1970-01-01 UTC."""
    entries: int
    """How many memories."""
    tokens: int
    """Tokens of their texts."""

    def shown(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made


class DebugLog:
    """A fold for debugging. Bounded: see `MOST_EVENTS`, `MOST_SNAPSHOTS` and `MOST_TRANSITIONS`.

    Args:
        state: The session when the log begins. It is copied.
        errors: Errors that there were before.
    """

    def __init__(self, state: fold.State, errors: int = 0) -> None:
        self._state = fold.copy(state)
        self.errors = errors
        self._events: deque[tuple[int, e.Event]] = deque(maxlen=MOST_EVENTS)
        self._sizes: deque[Size] = deque(maxlen=MOST_SNAPSHOTS)
        self._transitions: deque[Transition] = deque(maxlen=MOST_TRANSITIONS)

    def take(self, position: int, event: e.Event) -> None:
        """Take an event that has become durable."""
        self._events.append((position, event))
        self.errors += isinstance(event, ERRORS)
        state = self._state
        if position <= state.position:
            return  # The state had it already when the log began.
        life, turn = state.life, state.turn
        try:
            fold.apply(state, event)
        except TenutoError as error:
            # A log that has lost track must not take the session along.
            log.warning("the debug log has lost track at position %d: %s", position, error.code)
            return
        self.moved("life", life.value, state.life.value, event.at)
        self.moved("turn", turn.value, state.turn.value, event.at)
        if isinstance(event, _MEMORY):
            memory = state.memory
            self._sizes.append(Size(position, event.at, len(memory.book.entries), memory.used))

    def moved(self, machine: Machine, before: str, after: str, at: float) -> None:
        """Note where a machine went, if it moved.

        Args:
            at: Seconds since 1970-01-01 UTC.
        """
        if before != after:
            self._transitions.append(Transition(at, machine, before, after))

    def linked(self, before: Link, after: Link, at: float) -> None:
        """Note where the link to the engine went."""
        self.moved("link", before.value, after.value, at)

    def info(self, *, content: bool = False) -> dict[str, Any]:
        """Return what is in the log, as JSON can hold it."""
        return {
            "memory_snapshots": [size.shown() for size in self._sizes],
            "events": [shown(position, event, content=content) for position, event in self._events],
            "state_transitions": [transition.shown() for transition in self._transitions],
            "error_count": self.errors,
        }

    def lines(self, *, content: bool = False) -> list[dict[str, Any]]:
        """Return everything in the log, oldest first: each with `kind`, which is `event`, `transition` or `memory`."""
        found = [
            {"kind": "event"} | shown(position, event, content=content)
            for position, event in self._events
        ]
        found += [{"kind": "transition"} | transition.shown() for transition in self._transitions]
        found += [{"kind": "memory"} | size.shown() for size in self._sizes]
        return sorted(found, key=lambda line: float(line["at"]))


def shown(position: int, event: e.Event, *, content: bool = False) -> dict[str, Any]:
    """Return an event as JSON can hold it: with `position` and `type`, and without content unless asked.

    Example:
        >>> shown(7, e.NoteAdded(at=1.0, note=1, text="Sleeps badly", user="dr"))
        {'position': 7, 'type': 'note.added', 'at': 1.0, 'note': 1, 'text_length': 12, 'user': 'dr'}
    """
    fields: dict[str, Any] = msgspec.to_builtins(event)
    found: dict[str, Any] = {"position": position, "type": event.type}
    for name, value in fields.items():
        if name == "type":
            continue
        if content or name in HARMLESS or isinstance(value, bool | int | float):
            found[name] = value
        elif isinstance(value, Mapping) and name in SETTINGS:
            found[name] = _without_content(value)
        elif isinstance(value, Sequence) and all(isinstance(item, int) for item in value):
            found[name] = value
        elif isinstance(value, Mapping) and name == "traits":
            found[name] = {key: part for key, part in value.items() if key != "topics"}
        else:
            found[f"{name}_length"] = len(value)
    return found


def _without_content(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found[name] = _without_content(value)
        elif isinstance(value, str | list):
            found[f"{name}_length"] = len(value)
        else:
            found[name] = value
    return found


def hints(
    state: fold.State, config: SessionConfig, *, pending: int = 0, load_seconds: float = 0.0
) -> list[str]:
    """Return what may be the matter, each with what to do; empty when nothing is.

    Args:
        pending: Events that are not durable yet.
        load_seconds: Seconds that the session took to load.

    Example:
        >>> hints(fold.State(), SessionConfig(timezone="UTC"), pending=2)
        ['2 events are not durable yet: await session.save().']
    """
    found: list[str] = []
    if pending:
        one = pending == 1
        found.append(
            f"{pending} event{' is' if one else 's are'} not durable yet: await session.save()."
        )
    if config.memory_mode == "ephemeral":
        found.append("`memory_mode` is ephemeral: no memory is kept when the session is closed.")
    used = state.memory.used / config.max_memory_size
    if used > FULL:
        found.append(
            f"The memory is {used:.0%} full: use compress_memory(), expires_after_days=, or clear_memory(category=...)."
        )
    if load_seconds > SLOW:
        found.append(
            f"The session took {load_seconds:.1f} s to load: use load_session(..., lazy_load=True), and see that the store is "
            "not on a network drive."
        )
    if not config.enable_analytics:
        found.append("`enable_analytics` is off: nothing is counted.")
    elif not config.timezone:
        found.append("`timezone` is not set: the hours of analytics are those of UTC.")
    if not config.enable_learning:
        found.append("`enable_learning` is off: no preference is learned.")
    if state.paused:
        found.append("The session is paused: await session.resume().")
    return found


@checked
class DebugPart:
    """`session.debug`: what the session does, and what may be the matter.

    Example:
        >>> session.enable_debug()  # doctest: +SKIP
        >>> session.get_debug_info()["error_count"]  # doctest: +SKIP
        0
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._log: DebugLog | None = None
        self._status = driver.core.status
        self.load_seconds = 0.0
        """Seconds that the session took to load."""
        self.load_events = 0
        """Events that were read to load it, after the newest snapshot."""

    @property
    def enabled(self) -> bool:
        """Whether a log is kept."""
        return self._log is not None

    def enable(self, on: bool = True) -> None:
        """Begin a log, or drop it. One that is there already goes on.

        Args:
            on: Whether there is to be one.
        """
        driver = self._driver
        if on and self._log is None:
            self._log = DebugLog(driver.core.state, self._errors_before())
            self._status = driver.core.status
            driver.watchers.append(self._take)
            driver.watch_status.append(self._take_status)
            driver.core.linking.moved = self._log.linked
        elif not on and self._log is not None:
            self._log = None
            driver.watchers.remove(self._take)
            driver.watch_status.remove(self._take_status)
            driver.core.linking.moved = None

    def info(self, *, content: bool = False) -> dict[str, Any]:
        """Return what is known; see `Session.get_debug_info`.

        Args:
            content: Whether to show what people said.
        """
        driver, state, config = self._driver, self._driver.core.state, self._driver.core.config
        pending = state.position - driver.durable
        nothing: dict[str, Any] = {
            "memory_snapshots": [],
            "events": [],
            "state_transitions": [],
            "error_count": self._errors_before(),
        }
        return {
            "enabled": self.enabled,
            "session_id": state.session,
            "position": state.position,
            "durable_position": driver.durable,
            "pending": pending,
            "life": state.life.value,
            "turn": state.turn.value,
            "link": driver.core.link.value,
            "links": state.links,
            "status": driver.core.status.value,
            "error": driver.error.code if driver.error is not None else None,
            "listeners": len(driver.listeners),
            "attachments": len(state.here),
            "conversation": state.conversation,
            "config_version": state.config_version,
            "applied_version": state.applied_version,
            "memory_is_read": state.memory.is_read,
            "memory_tokens": state.memory.used,
            "max_memory_size": config.max_memory_size,
            "load_seconds": round(self.load_seconds, 6),
            "load_events": self.load_events,
            "hints": hints(state, config, pending=pending, load_seconds=self.load_seconds),
            **(nothing if self._log is None else self._log.info(content=content)),
        }

    def export(self, *, content: bool = False) -> list[dict[str, Any]]:
        """Return the log, oldest first, after one line that says how the session is; see `Session.export_debug_logs`.

        Args:
            content: Whether to show what people said.
        """
        info = self.info(content=content)
        for name in ("memory_snapshots", "events", "state_transitions"):
            info[name] = len(info[name])
        lines = [] if self._log is None else self._log.lines(content=content)
        return [{"kind": "session", "at": round(self._driver.now(), 6)} | info, *lines]

    def _errors_before(self) -> int:
        """Return the errors among the newest events that the driver keeps anyway."""
        return sum(row.type in _ERROR_NAMES for row in self._driver.ring)

    def _take(self, row: ports.Row, event: e.Event) -> None:
        if self._log is not None:
            self._log.take(row.position, event)

    def _take_status(self, status: Status) -> None:
        if self._log is not None:
            self._log.moved("status", self._status.value, status.value, self._driver.now())
        self._status = status
