"""What is known now: the fold over `memory.*`. It is read, but it decides nothing: the rules are in `memory`.

The facts themselves are bytes in a snapshot, which nobody reads before somebody asks for a fact (`Memories.is_read`). Beside
them stands what a host has to know of an unread memory: when the next fact expires, and what is on its way to the user.

A number above 0 is a fact of this journal. A number below 0 is a fact of the user's own journal (there with a plus): the
session's journal says what shall become of it, and the host carries it there.
"""

import msgspec

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.ports import Memory
from tenuto.text.tokens import count as tokens_of

MOST_SOURCES = 1_000
"""Sessions of which a user's journal remembers what it has taken; the one not heard of for longest goes first."""

MemoryEvent = e.MemoryAdded | e.MemoryRemoved | e.MemoryCleared


class Book(msgspec.Struct):
    """The facts, read."""

    entries: dict[int, Memory] = {}
    """By number, oldest first."""
    keys: dict[str, int] = {}
    """The fact of each key."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Book).decode
_NOTHING = _encode(Book())
_NOTHING_WEIGHED: tuple[str | None, int] = (None, 0)


class Memories(msgspec.Struct, dict=True, eq=False):
    """What is known, as far as the journal was folded. Read it; only `apply` writes it."""

    count: int = 0
    """The number of the newest fact there ever was."""
    tokens: int = 0
    """Tokens of the facts, without those of `backlog`: see `used`."""
    next_expiry: float = 0.0
    """When the next fact expires, in seconds since 1970-01-01 UTC; 0 when none does."""
    expiries: dict[int, float] = {}
    """When each fact expires that does."""
    outgoing: list[int] = []
    """Facts that are on their way to the user's own journal."""
    gone: list[int] = []
    """Facts of the user's own journal that were removed here, and not there yet. Below 0."""
    sources: dict[str, int] = {}
    """In a user's journal: the newest fact that was taken of each session."""
    body: msgspec.Raw = msgspec.Raw(_NOTHING)
    """The facts as they were when they were packed."""
    backlog: list[MemoryEvent] = []
    """What happened since, while nobody read them."""

    def __post_init__(self) -> None:
        if bytes(self.body) == _NOTHING and not self.backlog:
            self.__dict__["_book"] = Book()

    @classmethod
    def unread(cls) -> "Memories":
        """Return memories that a whole journal can be folded into, and that nobody has read."""
        made = cls()
        del made.__dict__["_book"]
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Memories):
            return NotImplemented
        self.pack()
        other.pack()
        return _encode(self) == _encode(other)

    @property
    def is_read(self) -> bool:
        """Whether the facts were read since they were loaded."""
        return "_book" in self.__dict__

    @property
    def book(self) -> Book:
        """The facts. The first to ask has them read."""
        book: Book | None = self.__dict__.get("_book")
        if book is None:
            book = self.__dict__["_book"] = self._decoded()
        return book

    @property
    def used(self) -> int:
        """Tokens of the facts. Has them read if any came or went since they were packed."""
        if self.backlog:
            self.book  # noqa: B018 -- reading it counts
        return self.tokens

    @property
    def changes(self) -> int:
        """A number that is another one after each change of the facts, within this process."""
        changes: int = self.__dict__.get("_changes", 0)
        return changes

    def _decoded(self) -> Book:
        book = _decode(self.body)
        if self.backlog:
            for event in self.backlog:
                self._change(book, event)
            self.backlog, self.body = [], msgspec.Raw(_encode(book))
        return book

    def pack(self) -> None:
        """Put the facts into `body`, as a snapshot needs them. What nobody has read or changed passes through."""
        if self.backlog:
            self._decoded()
        elif self.__dict__.get("_unpacked"):
            self.body, self.__dict__["_unpacked"] = msgspec.Raw(_encode(self.book)), False

    def weigh(self, content: str) -> int:
        """Return the tokens of a fact that is about to come. They are not counted again when it does."""
        tokens = tokens_of(content)
        self.__dict__["_weighed"] = (content, tokens)
        return tokens

    def check(self, event: MemoryEvent) -> None:
        """Refuse what cannot happen.

        Raises:
            IllegalEvent: It adds out of order, or removes what is not there.
        """
        if isinstance(event, e.MemoryAdded):
            if event.memory != self.count + 1:
                raise IllegalEvent(f"memory {event.memory} after {self.count}")
            return
        numbers = numbers_of(event)
        if len(set(numbers)) != len(numbers):
            raise IllegalEvent("a memory is removed twice at once")
        # What is not read comes from a journal, where it was checked when it was written.
        for number in numbers if self.is_read else ():
            if number >= 0 and number not in self.book.entries:
                raise IllegalEvent(f"memory {number} is not there")

    def apply(self, event: MemoryEvent) -> None:
        """Take an event that was checked."""
        if isinstance(event, e.MemoryAdded):
            self._note_added(event)
        else:
            self._note_removed(numbers_of(event), kept=_is_kept(event))
        own = self.__dict__
        own["_changes"] = own.get("_changes", 0) + 1
        book: Book | None = own.get("_book")
        if book is None:
            self.backlog.append(event)
        else:
            self._change(book, event)
            own["_unpacked"] = True

    def _note_added(self, event: e.MemoryAdded) -> None:
        self.count = event.memory
        if event.expires:
            self.expiries[event.memory] = event.expires
            self.next_expiry = min(self.next_expiry or event.expires, event.expires)
        if event.scope == "user":
            self.outgoing.append(event.memory)
        if event.source:
            session, _, number = event.source.rpartition(":")
            self.sources.pop(session, None)
            self.sources[session] = int(number)
            if len(self.sources) > MOST_SOURCES:
                del self.sources[next(iter(self.sources))]

    def _note_removed(self, numbers: list[int], *, kept: bool) -> None:
        if any([self.expiries.pop(number, 0.0) for number in numbers]):
            self.next_expiry = min(self.expiries.values(), default=0.0)
        there = [number for number in numbers if number < 0]
        if kept:
            self.gone = [number for number in self.gone if number not in there]
        else:
            self.gone.extend(number for number in there if number not in self.gone)
        if self.outgoing:
            self.outgoing = [number for number in self.outgoing if number not in numbers]

    def _change(self, book: Book, event: MemoryEvent) -> None:
        if isinstance(event, e.MemoryAdded):
            book.entries[event.memory] = entry(event)
            content, tokens = self.__dict__.pop("_weighed", _NOTHING_WEIGHED)
            self.tokens += tokens if content is event.content else tokens_of(event.content)
            if event.key:
                book.keys[event.key] = event.memory
            return
        for number in numbers_of(event):
            if number > 0:
                old = book.entries.pop(number)
                self.tokens -= tokens_of(old.content)
                if old.key and book.keys.get(old.key) == number:
                    del book.keys[old.key]


def numbers_of(event: e.MemoryRemoved | e.MemoryCleared) -> list[int]:
    """Return what an event removes."""
    return [event.memory] if isinstance(event, e.MemoryRemoved) else event.memories


def _is_kept(event: e.MemoryRemoved | e.MemoryCleared) -> bool:
    """Whether what goes is in the user's own journal now."""
    return event.reason == "kept"


def entry(event: e.MemoryAdded) -> Memory:
    """Return the fact that an event added."""
    return Memory(
        memory=event.memory,
        content=event.content,
        key=event.key,
        value=event.value,
        turn=event.turn,
        category=event.category,
        importance=event.importance,
        at=event.learned or event.at,
        expires=event.expires,
        sensitive=event.sensitive,
        conversation=event.conversation,
        replaces=event.replaces,
        scope=event.scope,
        source=event.source,
    )
