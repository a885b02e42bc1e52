"""Changes of what is known, in the making: each is decided on what the ones before it have made, and nothing is copied.

The cap holds at every position of the journal: what has to go for a fact goes before it comes, in the same append. The least
important go first, and of those the oldest.
"""

import heapq
from collections.abc import Iterator, Sequence

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session.memory_book import Memories, entry
from tenuto.session.ports import Memory
from tenuto.text.tokens import count as tokens_of

_ALONE = ("superseded", "forgotten", "full")
"""Reasons for which one fact may go by itself."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What shall be known; see `events.MemoryAdded`."""

    content: str
    key: str = ""
    value: str = ""
    category: str = ""
    importance: float = 0.5
    turn: int = 0
    conversation: str = ""
    expires: float = 0.0
    """Seconds since 1970-01-01 UTC; 0 for never."""
    sensitive: bool = False
    scope: e.Scope = "session"
    source: str = ""
    learned: float = 0.0
    """When it was first known, in seconds since 1970-01-01 UTC; 0 for now."""


_PLAIN = e.MemoryAdded(at=0.0, memory=0, content="")
_IMPORTANCE, _NEVER, _NOW = _PLAIN.importance, _PLAIN.expires, _PLAIN.learned


class Plan:
    """The events that one decision comes to.

    Args:
        memories: What is known. It is not changed.
        cap: Tokens that may be known.
        at: Seconds since 1970-01-01 UTC.
        cause: The command that it is for.
    """

    def __init__(self, memories: Memories, cap: int, at: float, cause: str = "") -> None:
        self.events: list[e.Event] = []
        """In their order."""
        self.count, self.tokens = memories.count, memories.used
        self._book, self._cap, self._at, self._cause = memories.book, cap, at, cause
        self._added: dict[int, Memory] = {}
        self._removed: set[int] = set()
        self._keys: dict[str, int] = {}
        self._least: list[tuple[float, int]] | None = None
        """A heap of (importance, number); it may hold some that went."""

    def get(self, number: int) -> Memory | None:
        """Return a fact; None when there is none of that number any more."""
        if number in self._removed:
            return None
        return self._added.get(number) or self._book.entries.get(number)

    def of_key(self, key: str) -> Memory | None:
        """Return the fact of a key; None when there is none, and for no key."""
        return self.get(self._keys.get(key) or self._book.keys.get(key, 0)) if key else None

    def live(self) -> Iterator[Memory]:
        """Yield what will be known, oldest first."""
        for entries in (self._book.entries, self._added):
            for number, memory in entries.items():
                if number not in self._removed:
                    yield memory

    def remove(self, numbers: Sequence[int], reason: str) -> None:
        """Have facts go. Numbers below 0 are of the user's own journal."""
        for number in numbers:
            if (memory := self.get(number)) is not None:
                self.tokens -= tokens_of(memory.content)
            self._removed.add(number)
        if len(numbers) == 1 and reason in _ALONE:
            self.events.append(
                e.MemoryRemoved(at=self._at, cause=self._cause, memory=numbers[0], reason=reason)
            )
        elif numbers:
            self.events.append(
                e.MemoryCleared(
                    at=self._at, cause=self._cause, memories=list(numbers), reason=reason
                )
            )

    def add(self, fact: Fact, replaces: Sequence[int] = ()) -> Memory:
        """Have a fact be known in place of others, which go first.

        Args:
            replaces: What it takes the place of, besides the fact of its key. Those below 0 go in the user's own journal.

        Raises:
            InvalidInput: It alone is more than may be known.
        """
        needed = tokens_of(fact.content)
        if needed > self._cap:
            raise InvalidInput(
                f"This memory has {needed} tokens; `max_memory_size` is {self._cap}. Make it shorter."
            )
        same = self.of_key(fact.key)
        parts = list(replaces)
        if same is not None and same.memory not in parts:
            parts.append(same.memory)
        own = [number for number in parts if number > 0]
        self.remove(own, "superseded" if len(own) == 1 else "compressed")
        self.make_room(needed)
        event = _added(fact, self.count + 1, parts, self._at, self._cause)
        self.events.append(event)
        self.count, self.tokens = event.memory, self.tokens + needed
        added = self._added[event.memory] = entry(event)
        if fact.key:
            self._keys[fact.key] = event.memory
        if self._least is not None:
            heapq.heappush(self._least, (fact.importance, event.memory))
        return added

    def make_room(self, needed: int = 0) -> None:
        """Have facts go until so many tokens more may be known: expired ones, then the least important, then the oldest."""
        going: list[int] = []
        tokens = self.tokens
        while tokens + needed > self._cap:
            if self._least is None:
                self._least = [(self._rank(memory), memory.memory) for memory in self.live()]
                heapq.heapify(self._least)
            number = heapq.heappop(self._least)[1]
            if (memory := self.get(number)) is not None:
                tokens -= tokens_of(memory.content)
                going.append(number)
        self.remove(going, "full")

    def _rank(self, memory: Memory) -> float:
        return -1.0 if is_over(memory, self._at) else memory.importance


def add_one(memories: Memories, fact: Fact, cap: int, at: float, cause: str = "") -> list[e.Event]:
    """Return the events by which one fact comes to be known, as a plan makes them: most facts need none for it.

    Raises:
        InvalidInput: It alone is more than may be known.
    """
    plain = memories.is_read and not fact.key
    if plain and memories.used + memories.weigh(fact.content) <= cap:
        return [_added(fact, memories.count + 1, [], at, cause)]
    plan = Plan(memories, cap, at, cause)
    plan.add(fact)
    return plan.events


def _added(fact: Fact, number: int, replaces: list[int], at: float, cause: str) -> e.MemoryAdded:
    # The journal leaves out what is a default, by its identity: an equal number is written.
    return e.MemoryAdded(
        at=at,
        cause=cause,
        memory=number,
        content=fact.content,
        key=fact.key,
        value=fact.value,
        turn=fact.turn,
        category=fact.category,
        importance=fact.importance if fact.importance != _IMPORTANCE else _IMPORTANCE,
        expires=fact.expires or _NEVER,
        sensitive=bool(fact.sensitive),
        conversation=fact.conversation,
        replaces=replaces,
        scope=fact.scope,
        source=fact.source,
        learned=fact.learned or _NOW,
    )


def is_over(memory: Memory, now: float) -> bool:
    """Say whether a fact has expired."""
    return 0.0 < memory.expires <= now
