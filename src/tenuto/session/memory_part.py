"""`session.memory`: what later conversations should know, for whoever writes a program. The rules are in `memory`.

Memory is the third of three tiers: the transcript (all that was said, in the journal), the context (what of it an engine is
given), and memory (facts that outlive both). A verb without `await` takes effect at once; await its receipt for durability.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from tenuto import events as e
from tenuto.errors import ExportUnsupported, InvalidInput
from tenuto.session import memory as rules
from tenuto.session.checked import checked
from tenuto.session.compression import compress
from tenuto.session.desk import Desk, Receipt, Rule
from tenuto.session.fold import State
from tenuto.session.memory_book import entry
from tenuto.session.memory_plan import Fact, Plan
from tenuto.session.ports import Learned, Memory, Message
from tenuto.session.recall import Recall
from tenuto.session.user_memory import UserBook
from tenuto.text.search import Embed

FORMAT = "tenuto.memory"
VERSION = 1
PAGE = 1_000
"""Events that `trail` reads at once."""

_TRAIL = ("memory.added", "memory.removed", "memory.cleared")


class Journal(Protocol):
    """A journal to read back; `archive.Archive` is one."""

    async def events(
        self, *, after: int = 0, types: tuple[str, ...] = (), limit: int = 300
    ) -> Sequence[tuple[int, e.Event]]:
        """Return events with their positions."""
        ...


class Keeper(Protocol):
    """Keeps a user's memory: `host.user_memory` has one."""

    @property
    def book(self) -> UserBook:
        """What is known of the user here."""
        ...

    @property
    def journal(self) -> Journal:
        """The user's own journal."""
        ...

    async def fresh(self) -> None:
        """Read what other hosts have added to it. Raises nothing: what cannot be read now is read later."""
        ...

    async def flush(self) -> None:
        """Take to it what is on its way. Raises nothing: what cannot be taken now is taken later."""
        ...


class MemoryEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One memory, as it was when it was asked for."""

    memory: int
    """Its number: what `update_memory` and `forget_memory` take. Below 0 when it is in the user's own journal."""
    content: str
    timestamp: str
    """When it was first known: ISO 8601 in UTC, such as `2026-01-15T10:05:00Z`."""
    importance: float
    """0 to 1."""
    category: str = ""
    key: str = ""
    """What it is about, such as `name`: a newer memory of the same key takes its place."""
    value: str = ""
    expires_at: str | None = None
    """When it is forgotten, as `timestamp`; None for never."""
    sensitive: bool = False
    """Whether it is kept out of exports and shares."""
    turn: int = 0
    """The turn that it was learned from; 0 when it was added by hand, or in another session."""
    conversation: str = ""
    """The conversation that was open."""
    replaces: list[int] = []
    """The memories whose place it took; see `MemoryPart.trail`."""
    scope: e.Scope = "session"
    """`user`: all of the user's sessions know it."""


@checked
class MemorySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a session knows at one moment.

    Example:
        >>> memory = session.get_memory()  # doctest: +SKIP
        >>> len(memory.entries), memory.token_count, memory.max_tokens  # doctest: +SKIP
        (3, 17, 10000)
    """

    entries: list[MemoryEntry]
    """The user's own first, then the session's; oldest first."""
    token_count: int
    """Tokens of the memory that new facts go to: the session's, or the user's with `memory_scope="user"`."""
    max_tokens: int
    """The most that it may have: `max_memory_size`."""
    recent: list[Message] = []
    """The last messages that the session keeps at hand, at most 50, oldest first."""

    def get_recent_messages(self, limit: int = 10) -> list[Message]:
        """Return the last messages of the transcript, oldest first.

        Args:
            limit: How many at most, 1 or more. Older ones than the last 50 are read with `Session.history`.

        Raises:
            InvalidInput: `limit` is below 1.
        """
        if limit < 1:
            raise InvalidInput("`limit` is 1 or more.")
        return self.recent[-limit:]


class MemoryCompression(msgspec.Struct, frozen=True, kw_only=True):
    """What `compress` has done."""

    combined: int
    """Memories that are part of another one now."""
    entries: list[MemoryEntry]
    """What they have become; `replaces` says of which."""
    tokens_before: int
    """Tokens of the memory before."""
    tokens_after: int
    """Tokens of the memory now."""


@checked
class MemoryPart:
    """A session's memory.

    Example:
        >>> await session.memory.add("Prefers mornings", category="scheduling")  # doctest: +SKIP
        >>> [entry.content for entry in session.memory.search("when to meet")]  # doctest: +SKIP
        ['Prefers mornings']
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._recall: Recall | None = None
        self.embed: Embed | None = None
        """Adds meaning to the words of a search; set before the first one."""
        self.journal: Journal | None = None
        """The session's journal, for `trail`."""
        self.keeper: Keeper | None = None
        """Who takes facts to the user's own journal, and knows what is there; None when nobody does."""

    # ----------------------------------------------------------------------------------------------------------- what is known

    @property
    def is_read(self) -> bool:
        """Whether the facts were read since the session was loaded; see `Tenuto.load_session(lazy_load=True)`."""
        return self._desk.state.memory.is_read

    def read(self) -> None:
        """Have the facts be read now, as they otherwise are when somebody first needs one."""
        self._desk.state.memory.book  # noqa: B018 -- reading it is the point

    def known(self) -> list[Memory]:
        """Return what is known, the user's own first, oldest first; nothing that has expired."""
        state, now = self._desk.state, self._desk.now()
        return [*self._elsewhere(state, now), *rules.known(state, now)]

    def _elsewhere(self, state: State, now: float) -> list[Memory]:
        return self.keeper.book.seen(state, now) if self.keeper is not None else []

    def snapshot(self) -> MemorySnapshot:
        """Return what is known now."""
        tokens, most = self._size()
        return MemorySnapshot(
            entries=[shown(memory) for memory in self.known()],
            token_count=tokens,
            max_tokens=most,
            recent=list(self._desk.state.recent),
        )

    @property
    def usage(self) -> float:
        """How full the memory is, 0 to 1."""
        tokens, most = self._size()
        return min(1.0, tokens / most) if most else 1.0

    def _size(self) -> tuple[int, int]:
        state = self._desk.state
        tokens, cap = state.memory.used, rules.setting(state, "max_memory_size")
        if self.keeper is not None and self._is_shared:
            tokens += self.keeper.book.tokens
            cap = max(cap, self.keeper.book.cap)
        return min(tokens, cap), cap

    def search(self, query: str, limit: int = 10, category: str | None = None) -> list[MemoryEntry]:
        """Return the memories that answer a query, best first.

        Words count by their stems and by how rare they are (BM25); where the host was given `embed`, meaning counts too.

        Args:
            query: What is looked for, in any words.
            limit: How many at most, 1 to 1,000.
            category: Only of this category; of any when None.

        Raises:
            InvalidInput: `limit` is not in its range.
        """
        if self._recall is None:
            self._recall = Recall(self.embed)
        found = self._recall.search(self.known, query, limit, category, self._version())
        return [shown(memory) for memory in found]

    @property
    def _is_shared(self) -> bool:
        """Whether it belongs to all of the user's sessions."""
        shared: bool = rules.setting(self._desk.state, "memory_scope") == "user"
        return shared

    async def fresh(self) -> None:
        """Wait until what the user's other sessions have added on other hosts is known here too."""
        if self.keeper is not None and self._is_shared:
            await self.keeper.fresh()

    async def flush(self) -> None:
        """Wait until what belongs to the user is in the user's own journal; a few seconds at most."""
        memories = self._desk.state.memory
        if self.keeper is not None and (memories.outgoing or memories.gone):
            await self.keeper.flush()

    def _version(self) -> tuple[object, int] | None:
        """Return what tells one state of what is known from another; None when more than the journal does."""
        memories = self._desk.state.memory
        passing = 0.0 < memories.next_expiry <= self._desk.now()
        shared = self.keeper is not None and self._is_shared
        return None if passing or shared else (memories, memories.changes)

    def close(self) -> None:
        """Drop the index. Called when the session goes."""
        if self._recall is not None:
            self._recall.close()
            self._recall = None

    async def trail(self, which: str | int) -> list[MemoryEntry]:
        """Return what a memory has taken the place of, oldest first. What was forgotten has no trail.

        Args:
            which: The key of a memory, such as `place`, or its number.

        Example:
            >>> [old.content for old in await session.memory.trail("place")]  # doctest: +SKIP
            ['The user lives in Paris.']
        """
        live = [m for m in self.known() if which in (m.memory, m.key) and which]
        if not live:
            return []
        await self._desk.commit()
        newest = live[-1]
        found: dict[int, MemoryEntry] = {}
        if self.journal is not None:
            _follow(await _added(self.journal), newest.memory, newest.replaces, found, 1)
        if self.keeper is not None and self._is_shared:
            added = await _added(self.keeper.journal)
            if newest.memory < 0:
                _follow(added, -newest.memory, newest.replaces, found, -1)
            for number in [old for old in newest.replaces if old < 0]:
                _follow(added, 0, [-number], found, -1)
        return sorted(found.values(), key=lambda old: (old.timestamp, abs(old.memory)))

    # ----------------------------------------------------------------------------------------------------------------- changes

    def add(
        self,
        content: str,
        category: str = "",
        importance: float = 0.5,
        expires_after_days: float | None = None,
        sensitive: bool = False,
        key: str = "",
    ) -> Receipt[MemoryEntry]:
        """Have later conversations know something. It counts at once; await it for durability.

        Args:
            content: A sentence that a person would understand, 1 to 2,000 characters.
            category: Up to 100 characters; one of the template's, where the session was made from one that has some.
            importance: 0 to 1.
            expires_after_days: Days until it is forgotten, above 0; None for never.
            sensitive: Whether it is kept out of exports and shares.
            key: What it is about, such as `place`, up to 100 characters: it takes the place of the memory of that key.

        Raises:
            InvalidInput: A value is wrong, or it alone is larger than `max_memory_size`. Nothing has changed.
        """

        def rule(state: State, at: float) -> list[e.Event]:
            fact = Fact(
                content=content,
                key=key,
                category=category,
                importance=importance,
                expires=rules.expiry(expires_after_days, at),
                sensitive=sensitive,
                conversation=state.conversation,
            )
            elsewhere = self._elsewhere(state, at) if key else ()
            return rules.add(state, fact, at, elsewhere=elsewhere)

        events = self._desk.decide(rule)
        return Receipt(self._desk, self._made(events) or self._of_key(key))

    def update(
        self, memory: "MemoryEntry | int", content: str | None = None, **changes: Any
    ) -> Receipt[MemoryEntry]:
        """Put a changed memory in an old one's place.

        Args:
            memory: The old one, or its number.
            content: What it says now; as before when None.
            changes: `category`, `importance`, `sensitive` or `expires_after_days`, as for `add`.

        Raises:
            InvalidInput: There is no such memory, or a value is wrong. Nothing has changed.
        """
        number = _number(memory)
        if unknown := changes.keys() - {
            "category",
            "importance",
            "sensitive",
            "expires_after_days",
        }:
            raise InvalidInput(f"A memory has no {min(unknown)!r} that can be changed.")

        def rule(state: State, at: float) -> list[e.Event]:
            fields = {
                name: value for name, value in changes.items() if name != "expires_after_days"
            }
            if "expires_after_days" in changes:
                fields["expires"] = rules.expiry(changes["expires_after_days"], at)
            if content is not None:
                fields["content"] = content
            return rules.update(state, number, fields, at, self._elsewhere(state, at))

        made = self._made(self._desk.decide(rule))
        assert made is not None
        return Receipt(self._desk, made)

    def forget(self, memory: "MemoryEntry | int") -> Receipt[None]:
        """Forget one memory.

        Args:
            memory: The memory, or its number.

        Raises:
            InvalidInput: There is no such memory.
        """
        number = _number(memory)
        self._decide(lambda state, at: rules.forget(state, number, at, self._elsewhere(state, at)))
        return Receipt(self._desk, None)

    def clear(self, category: str | None = None) -> Receipt[int]:
        """Forget all memories of a category, and no others. Returns how many went.

        Args:
            category: The category; all memories when None.
        """
        events = self._decide(
            lambda state, at: rules.clear(state, category, at, self._elsewhere(state, at))
        )
        count = sum(len(event.memories) for event in events if isinstance(event, e.MemoryCleared))
        return Receipt(self._desk, count)

    def compress(self, keep_recent_days: float = 7) -> Receipt[MemoryCompression]:
        """Make old memories fewer, by the rule of `compression`: their main sentences stay.

        Args:
            keep_recent_days: Memories that are younger stay as they are; 0 or more.

        Raises:
            InvalidInput: `keep_recent_days` is not a number of days.
        """
        before = self._size()[0]
        events = self._decide(
            lambda state, at: compress(state, keep_recent_days, at, self._elsewhere(state, at))
        )
        added = [event for event in events if isinstance(event, e.MemoryAdded)]
        receipt = MemoryCompression(
            combined=sum(len(event.replaces) for event in added),
            entries=[shown(entry(event)) for event in added],
            tokens_before=before,
            tokens_after=self._size()[0],
        )
        return Receipt(self._desk, receipt)

    def learn(self, learned: Sequence[Learned], conversation: str) -> Receipt[int]:
        """Learn what was found in a conversation that has ended. Returns how much of it is new.

        Args:
            learned: The facts; those that are not acceptable, or known, are left out.
            conversation: Where they come from.
        """
        events = self._decide(
            lambda state, at: rules.learn_later(
                state, learned, conversation, at, self._elsewhere(state, at)
            )
        )
        return Receipt(self._desk, sum(isinstance(event, e.MemoryAdded) for event in events))

    # ------------------------------------------------------------------------------------------------------------------- files

    def export(self, include_sensitive: bool = False) -> dict[str, Any]:
        """Return the memory as plain data that JSON can hold; `load` takes it.

        Args:
            include_sensitive: Whether sensitive memories are in it.
        """
        tokens, most = self._size()
        return {
            "format": FORMAT,
            "version": VERSION,
            "entries": [
                msgspec.to_builtins(shown(memory))
                for memory in self.known()
                if include_sensitive or not memory.sensitive
            ],
            "token_count": tokens,
            "max_tokens": most,
        }

    def load(self, data: Any) -> Receipt[int]:
        """Add what was exported, here or elsewhere: all of it, or nothing. Returns how many memories are new.

        Args:
            data: An export, its `entries`, or any list of `{content, timestamp, importance, category}`.

        Raises:
            ExportUnsupported: It is something else, or of a later version.
            InvalidInput: An entry is wrong. Nothing has changed.
        """
        facts = imported(data)

        def rule(state: State, at: float) -> list[e.Event]:
            known = {
                (m.content, m.category, m.key)
                for m in (*self._elsewhere(state, at), *rules.known(state, at))
            }
            plan = Plan(state.memory, rules.setting(state, "max_memory_size"), at)
            for fact in facts:
                rules.accept(state, fact)
                words = (fact.content, fact.category, fact.key)
                if words not in known and not 0.0 < fact.expires <= at:
                    known.add(words)
                    plan.add(rules.scoped(state, fact))
            return plan.events

        events = self._decide(rule)
        return Receipt(self._desk, sum(isinstance(event, e.MemoryAdded) for event in events))

    # ------------------------------------------------------------------------------------------------------------------ pieces

    def _decide(self, rule: Rule) -> list[e.Event]:
        return self._desk.decide(rule)

    def _made(self, events: Sequence[e.Event]) -> MemoryEntry | None:
        made = [event for event in events if isinstance(event, e.MemoryAdded)]
        return shown(self._desk.state.memory.book.entries[made[-1].memory]) if made else None

    def _of_key(self, key: str) -> MemoryEntry:
        (same,) = [memory for memory in self.known() if memory.key == key][-1:]
        return shown(same)


def shown(memory: Memory) -> MemoryEntry:
    """Return a memory as a program sees it."""
    return MemoryEntry(
        memory=memory.memory,
        content=memory.content,
        timestamp=_iso(memory.at),
        importance=memory.importance,
        category=memory.category,
        key=memory.key,
        value=memory.value,
        expires_at=_iso(memory.expires) if memory.expires else None,
        sensitive=memory.sensitive,
        turn=memory.turn,
        conversation=memory.conversation,
        replaces=list(memory.replaces),
        scope=memory.scope,
    )


def _iso(moment: float) -> str:
    second, micros = divmod(round(moment * 1e6), 1_000_000)
    return f"{_second(second)}.{micros // 1_000:03}Z" if moment % 1.0 else f"{_second(second)}Z"


@lru_cache(maxsize=64)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat()


def _number(memory: "MemoryEntry | int") -> int:
    return memory.memory if isinstance(memory, MemoryEntry) else memory


# --------------------------------------------------------------------------------------------------------------------- trail


async def _added(journal: Journal) -> dict[int, Memory]:
    """Return the facts of a journal that were superseded or compressed, and those that are known."""
    facts: dict[int, Memory] = {}
    after = 0
    while page := await journal.events(after=after, types=_TRAIL, limit=PAGE):
        for position, event in page:
            after = position
            if isinstance(event, e.MemoryAdded):
                facts[event.memory] = entry(event)
            elif isinstance(event, e.MemoryRemoved) and event.reason != "superseded":
                facts.pop(event.memory, None)
            elif isinstance(event, e.MemoryCleared) and event.reason not in ("compressed", "kept"):
                for number in event.memories:
                    facts.pop(number, None)
    return facts


def _follow(
    facts: dict[int, Memory],
    number: int,
    replaces: Sequence[int],
    found: dict[int, MemoryEntry],
    sign: int,
) -> None:
    """Collect what a fact took the place of, and what that did."""
    waiting = list(facts[number].replaces) if number in facts else list(replaces)
    while waiting:
        old = waiting.pop()
        if old in facts and sign * old not in found:
            found[sign * old] = shown(msgspec.structs.replace(facts[old], memory=sign * old))
            waiting.extend(facts[old].replaces)


# -------------------------------------------------------------------------------------------------------------------- import


def imported(data: Any) -> list[Fact]:
    """Return the facts of an export: this library's, or any list of `{content, timestamp, importance, category}`.

    Raises:
        ExportUnsupported: It is of another format, or of a later version.
        InvalidInput: An entry is wrong; the message says which one. What an entry says is checked when it is added.
    """
    if isinstance(data, dict):
        if data.get("format", FORMAT) != FORMAT or data.get("version", VERSION) != VERSION:
            raise ExportUnsupported(
                f"This is not an export of memory: `format` is {FORMAT!r} and `version` is {VERSION}."
            )
        data = data.get("entries")
    if not isinstance(data, list):
        raise InvalidInput("An export of memory has a list of `entries`.")
    return [_imported(place, item) for place, item in enumerate(data)]


def _imported(place: int, item: Any) -> Fact:
    try:
        found = msgspec.convert(item, _Imported)
        return Fact(
            content=found.content,
            key=found.key,
            value=found.value,
            category=found.category,
            importance=found.importance,
            sensitive=found.sensitive,
            expires=_moment(found.expires_at),
            learned=_moment(found.timestamp),
        )
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise InvalidInput(f"Entry {place} of the memory is wrong: {error}") from None


class _Imported(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of an export; what else it has is of the session that it was exported from."""

    content: str
    timestamp: str | float | None = None
    importance: float = 0.5
    category: str = ""
    key: str = ""
    value: str = ""
    expires_at: str | float | None = None
    sensitive: bool = False


def _moment(written: str | float | None) -> float:
    """Return a moment in seconds since 1970-01-01 UTC; 0 for none. One without a zone is in UTC."""
    if written is None:
        return 0.0
    if isinstance(written, str):
        moment = datetime.fromisoformat(written)
        written = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= written < math.inf:
        raise ValueError("a moment is not before 1970")
    return written
