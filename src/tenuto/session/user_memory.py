"""A user's memory: what all of a user's sessions know. It is a journal of its own, of which no session is the owner.

The way of a fact: it goes into its session's journal first, as `memory.added` with the scope `user`, and counts from that
moment on. The host takes what is outgoing (`outbox`) to the user's journal, where `take` decides on it, and appends it at the
position that it has read: when somebody else was faster, it reads again and decides anew. Then the session's journal says
`memory.cleared` with the reason `kept`. Whatever was in between when a process dies is sent again, and taken once: the user's
journal knows how far it has taken each session's facts (`Memories.sources`). Removals go the same way.

Of facts with the same key the newest wins; and in a session, its own fact wins over the user's.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import overload

import msgspec

from tenuto import events as e
from tenuto.ids import RESERVED
from tenuto.session.desk import Rule
from tenuto.session.fold import State
from tenuto.session.memory import setting
from tenuto.session.memory_book import numbers_of
from tenuto.session.memory_plan import Fact, Plan, is_over
from tenuto.session.ports import Memory

_BETWEEN = "\0"
"""In no tenant's name and in no user's."""


def journal_of(tenant: str, user: str) -> str:
    """Return the name of a user's journal. No session can have it.

    Example:
        >>> journal_of("local", "alice")[:10]
        '~user-f4e3'
    """
    return f"{RESERVED}user-{sha256(_BETWEEN.join((tenant, user)).encode()).hexdigest()[:32]}"


class Outbox(msgspec.Struct, frozen=True, kw_only=True):
    """What of a session is on its way to its user's journal."""

    session: str
    facts: Sequence[Memory]
    """Oldest first."""
    gone: Sequence[int]
    """Facts of the user's journal that go, below 0."""
    cap: int
    """Tokens that the session may know: the user's memory may have as many."""

    @property
    def numbers(self) -> list[int]:
        """What `memory.cleared` says when all of it has arrived."""
        return [*(fact.memory for fact in self.facts), *self.gone]


def outbox(state: State) -> Outbox | None:
    """Return what is on its way; None when nothing is. Reads no fact then."""
    memories = state.memory
    if not memories.outgoing and not memories.gone:
        return None
    return Outbox(
        session=state.session,
        facts=[memories.book.entries[number] for number in memories.outgoing],
        gone=list(memories.gone),
        cap=setting(state, "max_memory_size"),
    )


def kept(numbers: Sequence[int]) -> Rule:
    """Return the rule that says in the session's journal that these are in the user's."""

    def rule(state: State, at: float) -> list[e.Event]:
        on_their_way = {*state.memory.outgoing, *state.memory.gone}
        arrived = [number for number in numbers if number in on_their_way]
        return [e.MemoryCleared(at=at, memories=arrived, reason="kept")] if arrived else []

    return rule


def forget_after_all(numbers: Sequence[int]) -> Rule:
    """Return the rule that removes facts which were forgotten while they were on their way. Numbers are below 0."""

    def rule(state: State, at: float) -> list[e.Event]:
        return [e.MemoryCleared(at=at, memories=list(numbers), reason="cleared")] if numbers else []

    return rule


# -------------------------------------------------------------------------------------------------------- the user's journal


def begin(tenant: str, user: str, epoch: str, cap: int, at: float) -> e.SessionCreated:
    """Return the first event of a user's journal."""
    return e.SessionCreated(
        at=at,
        session=journal_of(tenant, user),
        tenant=tenant,
        user=user,
        epoch=epoch,
        config={"max_memory_size": cap},
    )


def take(state: State, box: Outbox, at: float) -> list[e.Event]:
    """Return what a session's outbox makes of the user's journal. What was taken before is not taken again.

    Args:
        state: The fold of the user's journal.
        at: Seconds since 1970-01-01 UTC.
    """
    events: list[e.Event] = []
    cap = setting(state, "max_memory_size")
    if box.cap > cap:
        cap, version = box.cap, state.config_version + 1
        events.append(e.ConfigChanged(at=at, version=version, changes={"max_memory_size": cap}))
    plan = Plan(state.memory, cap, at)
    plan.remove([n for n, moment in state.memory.expiries.items() if moment <= at], "expired")
    leaving = [-number for number in box.gone if plan.get(-number) is not None]
    plan.remove(leaving, "forgotten" if len(leaving) == 1 else "cleared")
    taken = state.memory.sources.get(box.session, 0)
    fresh = [fact for fact in box.facts if fact.memory > taken and not is_over(fact, at)]
    if fresh:
        sources = {memory.source: memory.memory for memory in plan.live()}
        said = {_words(memory) for memory in plan.live()}
        for fact in fresh:
            _take(plan, fact, box.session, sources, said)
    return [*events, *plan.events]


def due_after(state: State, events: Sequence[e.Event]) -> float | None:
    """Return when the next fact of the user's journal will expire, once these events have happened; None for never."""
    expiries = dict(state.memory.expiries)
    for event in events:
        match event:
            case e.MemoryAdded(memory=number, expires=expires) if expires:
                expiries[number] = expires
            case e.MemoryRemoved() | e.MemoryCleared():
                for number in numbers_of(event):
                    expiries.pop(number, None)
            case _:
                pass
    return min(expiries.values(), default=None)


def _words(memory: Memory) -> tuple[str, str, str]:
    return (memory.content.casefold(), memory.category, memory.key)


def _take(
    plan: Plan, fact: Memory, session: str, sources: dict[str, int], said: set[tuple[str, str, str]]
) -> None:
    parts = [
        number
        for old in fact.replaces
        if (number := -old if old < 0 else sources.get(f"{session}:{old}", 0))
        and plan.get(number) is not None
    ]
    whole = len(fact.replaces) == len(parts)
    if len(fact.replaces) > 1 and max(fact.replaces) < 0 and not whole:
        # Something of what was compressed was forgotten or replaced meanwhile: nothing of it may come back that way.
        return
    if not parts and _words(fact) in said:
        return
    said.add(_words(fact))
    added = plan.add(
        Fact(
            content=fact.content,
            key=fact.key,
            value=fact.value,
            category=fact.category,
            importance=fact.importance,
            turn=fact.turn,
            conversation=fact.conversation,
            expires=fact.expires,
            sensitive=fact.sensitive,
            source=f"{session}:{fact.memory}",
            learned=fact.at,
        ),
        parts,
    )
    sources[added.source] = added.memory


# ----------------------------------------------------------------------------------------------------- what sessions see of it


class UserBook:
    """One user's memory as one process knows it: the fold of the user's journal, and what its live sessions have for it."""

    def __init__(self) -> None:
        self.state = State()
        """The fold of the user's journal; nothing while there is none."""
        self.live: dict[str, State] = {}
        """The sessions of the user that are live here."""
        self._key: tuple[int, int] = (0, -1)
        self._entries: list[tuple[str, Memory, Memory]] = []

    def seen(self, state: State, now: float) -> list[Memory]:
        """Return what a session knows of its user, oldest first, without what it has changed or knows better itself.

        Turns and conversations are those of the session: a fact of another one has none.
        """
        if setting(state, "memory_scope") != "user":
            return []
        hidden, better = _changed_by(state), set(state.memory.book.keys)
        fresh: list[Memory] = []
        for name, other in self.live.items():
            if name != state.session and (other.memory.outgoing or other.memory.gone):
                hidden |= _changed_by(other)
                for number in other.memory.outgoing:
                    fresh.append(_of_another(other.memory.book.entries[number], 0))
        fresh = [m for m in fresh if m.key not in better and not is_over(m, now)]
        better |= {memory.key for memory in fresh}
        better.discard("")
        known = [
            own if session == state.session else foreign
            for session, own, foreign in self._theirs()
            if own.memory not in hidden and own.key not in better and not is_over(own, now)
        ]
        return known + fresh

    @property
    def tokens(self) -> int:
        """Tokens of the user's own journal."""
        return self.state.memory.used

    @property
    def cap(self) -> int:
        """Tokens that it may have."""
        cap: int = setting(self.state, "max_memory_size")
        return cap

    def _theirs(self) -> list[tuple[str, Memory, Memory]]:
        """The facts with the numbers that sessions know them by: with the session they are of, and for other sessions."""
        key = (id(self.state), self.state.memory.changes)
        if key != self._key:
            self._entries = [
                (
                    memory.source.rpartition(":")[0],
                    memory,
                    _of_another(memory, memory.memory),
                )
                for memory in map(_negated, self.state.memory.book.entries.values())
            ]
            self._key = key
        return self._entries


def _changed_by(state: State) -> set[int]:
    """The facts of the user's journal that a session has removed or replaced, and that are still there."""
    memories = state.memory
    hidden = set(memories.gone)
    for number in memories.outgoing:
        hidden.update(old for old in memories.book.entries[number].replaces if old < 0)
    return hidden


def _negated(memory: Memory) -> Memory:
    """Return a fact of the user's journal with the numbers that sessions know it by."""
    return msgspec.structs.replace(
        memory,
        memory=-memory.memory,
        scope="user",
        replaces=[-number for number in memory.replaces],
    )


def _of_another(memory: Memory, number: int) -> Memory:
    return msgspec.structs.replace(memory, memory=number, scope="user", turn=0, conversation="")


class Elsewhere(Sequence[Memory]):
    """What a session knows of its user, as it is whenever it is read."""

    def __init__(self, book: UserBook, state: State, now: Callable[[], float]) -> None:
        self._book, self._state, self._now = book, state, now

    def _seen(self) -> list[Memory]:
        return self._book.seen(self._state, self._now())

    def __len__(self) -> int:
        return len(self._seen())

    def __iter__(self) -> Iterator[Memory]:
        return iter(self._seen())

    @overload
    def __getitem__(self, index: int) -> Memory: ...
    @overload
    def __getitem__(self, index: slice) -> list[Memory]: ...
    def __getitem__(self, index: int | slice) -> Memory | list[Memory]:
        return self._seen()[index]
