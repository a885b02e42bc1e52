"""What later conversations should know: facts, each with the turn that it came from. Here are the rules; `memory_book` folds.

A fact has a key, such as `name`, or none. A new fact of the same key takes the old one's place: "I moved to Rome" goes in
place of Paris, and the journal keeps the trail (`replaces`). Facts are added by hand, or learned: from what the session's own
user says, and from nothing else. What a tool, an injected text or another user says is never learned, nor is what reads as
an order to the agent (`is_instruction`).

`max_memory_size` is a cap in tokens that is never passed, at any position of the journal: see `memory_plan`. It is the
session's; one that is set for a single conversation does not count. One more fact pushes out the least important, and of
those the oldest.

`memory_mode` says what outlives what:

- `ephemeral`: everything is kept until the session is closed, parked or ended, and then it goes.
- `persistent`: everything stays, and later conversations are given the turns of earlier ones too.
- `hybrid`: what was added by hand stays, and what was learned with an importance of at least `LASTING`; what is less
  important goes when its conversation ends. Later conversations are given facts, and no turns of earlier ones.

An expired fact is not returned, not told to an engine and not exported from that moment on, and an event removes it for
good as soon as the session, or the host for a parked one, is woken for it.

With `memory_scope="user"` facts belong to all of the user's sessions: see `user_memory`. Facts that do not last stay here.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.ids import LONGEST_NAME
from tenuto.session.config import DEFAULTS
from tenuto.session.memory_book import Memories, MemoryEvent
from tenuto.session.memory_plan import Fact, Plan, add_one, is_over
from tenuto.session.orders import is_instruction
from tenuto.session.ports import Learned, Memory
from tenuto.text.tokens import count as tokens_of

if TYPE_CHECKING:
    from tenuto.session.fold import State

LASTING = 0.5
"""The importance from which on a learned fact outlives its conversation in `hybrid` mode."""
LONGEST_CONTENT = 2_000
"""Characters of a fact."""

_TEXTS = ("content", "key", "value", "category")
_NUMBER = (int, float)

__all__ = ["Fact", "Memories", "MemoryEvent", "is_instruction"]


def setting(state: "State", name: str) -> Any:
    """Return a setting of the session as it is now, whatever its open conversation has set."""
    if name in state.live:
        return state.live[name]
    return state.config[name] if name in state.config else DEFAULTS[name]


# ----------------------------------------------------------------------------------------------------------- what is known


def due(memories: Memories) -> float | None:
    """Return when the next fact expires, in seconds since 1970-01-01 UTC; None when none does. Reads no fact."""
    return memories.next_expiry or None


def known(state: "State", now: float) -> list[Memory]:
    """Return the session's facts, oldest first: none that has expired."""
    return [memory for memory in state.memory.book.entries.values() if not is_over(memory, now)]


# -------------------------------------------------------------------------------------------------------------- coming


def accept(state: "State", fact: Fact) -> Fact:
    """Return a fact that somebody wants to be known, checked.

    Raises:
        InvalidInput: The message names the value that is wrong, and says what is accepted.
    """
    try:
        is_text = _is_text("".join((fact.content, fact.key, fact.value, fact.category)))
    except TypeError:
        is_text = False
    if not is_text:
        values = {name: getattr(fact, name) for name in _TEXTS}
        wrong = [n for n, v in values.items() if not isinstance(v, str) or not _is_text(v)]
        raise InvalidInput(f"The `{wrong[0]}` of a memory is text.")
    if not fact.content or fact.content.isspace():
        raise InvalidInput("A memory needs content: 1 to 2,000 characters.")
    if len(fact.content) > LONGEST_CONTENT:
        raise InvalidInput(f"A memory has 1 to {LONGEST_CONTENT:,} characters; this one has more.")
    if len(fact.key) > LONGEST_NAME or len(fact.category) > LONGEST_NAME:
        raise InvalidInput(
            f"The `key` and the `category` of a memory may have {LONGEST_NAME} characters."
        )
    if len(fact.value) > LONGEST_CONTENT:
        raise InvalidInput(f"The `value` of a memory may have {LONGEST_CONTENT:,} characters.")
    given = fact.importance
    if not isinstance(given, _NUMBER) or isinstance(given, bool) or not 0 <= given <= 1:
        raise InvalidInput("The `importance` of a memory is a number from 0 to 1.")
    if fact.category and state.categories and fact.category not in state.categories:
        raise InvalidInput(
            f"There is no category {fact.category[:40]!r} in this session. There are: "
            f"{', '.join(state.categories)}."
        )
    return fact


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def expiry(days: float | None, at: float) -> float:
    """Return when something expires that is to be known for so many days; 0 for never.

    Raises:
        InvalidInput: It is not a number above 0.
    """
    if days is None:
        return 0.0
    if not isinstance(days, _NUMBER) or not 0 < days < math.inf:
        raise InvalidInput("`expires_after_days` is a number of days above 0, or None for never.")
    return at + days * 86_400.0


def add(
    state: "State", fact: Fact, at: float, cause: str = "", elsewhere: Sequence[Memory] = ()
) -> list[e.Event]:
    """Return the events by which somebody makes the session know a fact; none when it knows just that under its key.

    Args:
        at: Seconds since 1970-01-01 UTC.
        elsewhere: What the user's own journal knows.

    Raises:
        InvalidInput: A value is wrong, or the fact alone is larger than `max_memory_size`.
    """
    fact = accept(state, fact)
    if same := _of_key(state, fact.key, at, elsewhere):
        kept = ("content", "value", "category", "importance", "expires", "sensitive")
        if all(getattr(same, name) == getattr(fact, name) for name in kept):
            return []
    cap: int = setting(state, "max_memory_size")
    return add_one(state.memory, scoped(state, fact), cap, at, cause)


def learn(
    state: "State", learned: Learned, at: float, elsewhere: Sequence[Memory] = ()
) -> list[e.Event]:
    """Return the events by which the session learns a fact from what its user says; none when it must not, or knows it.

    Args:
        at: Seconds since 1970-01-01 UTC.
        elsewhere: What the user's own journal knows.
    """
    if not _is_own_word(state, learned.turn):
        return []
    return _learn(state, _fact(state, learned), at, elsewhere)


def learn_later(
    state: "State",
    learned: Sequence[Learned],
    conversation: str,
    at: float,
    elsewhere: Sequence[Memory] = (),
) -> list[e.Event]:
    """Return the events by which the session learns facts of a conversation that was read after it had ended.

    Whoever read it has read the words of the session's own user alone. What is known already, by its key or in the
    same words, is not learned again.
    """
    if not setting(state, "enable_learning"):
        return []
    plan = Plan(state.memory, setting(state, "max_memory_size"), at)
    said = {memory.content.casefold() for memory in (*known(state, at), *elsewhere)}
    for each in learned:
        fact = _fact(state, each, conversation)
        fleeting = conversation != state.conversation and _goes(state, fact.importance)
        if fact.content.casefold() in said or fleeting or not _is_acceptable(state, fact):
            continue
        said.add(fact.content.casefold())
        plan.add(scoped(state, fact))
    return plan.events


def _learn(state: "State", fact: Fact, at: float, elsewhere: Sequence[Memory]) -> list[e.Event]:
    if not _is_acceptable(state, fact):
        return []
    same = _of_key(state, fact.key, at, elsewhere)
    if same is not None and (same.value, same.content) == (fact.value, fact.content):
        return []
    if not fact.key and _said_in_turn(state.memory, fact):
        return []
    plan = Plan(state.memory, setting(state, "max_memory_size"), at)
    plan.add(scoped(state, fact))
    return plan.events


def _is_acceptable(state: "State", fact: Fact) -> bool:
    """Whether what was learned may be known: it is well made, it fits, and it is no order."""
    try:
        accept(state, fact)
    except InvalidInput:
        return False
    fits = tokens_of(fact.content) <= setting(state, "max_memory_size")
    return fits and not any(is_instruction(text) for text in (fact.content, fact.value, fact.key))


def _fact(state: "State", learned: Learned, conversation: str = "") -> Fact:
    """Return what was learned as a fact. A category that the session does not have is left out."""
    wanted = learned.category
    return Fact(
        content=learned.content,
        key=learned.key,
        value=learned.value,
        category=wanted if not state.categories or wanted in state.categories else "",
        importance=learned.importance,
        turn=learned.turn,
        conversation=conversation or state.conversation,
    )


def _is_own_word(state: "State", turn: int) -> bool:
    """Whether a turn is the session's own user's, and so is all that is answered together with it."""
    found = False
    for message in reversed(state.recent):
        if message.by == "injected":
            continue
        if message.role == "user":
            found = found or message.turn == turn
            if found and message.user:
                return False
        elif found:
            break
    return found


def _of_key(state: "State", key: str, now: float, elsewhere: Sequence[Memory]) -> Memory | None:
    """Return the fact of a key that has not expired: the session's own, or else the user's."""
    if not key:
        return None
    book = state.memory.book
    if key in book.keys and not is_over(book.entries[book.keys[key]], now):
        return book.entries[book.keys[key]]
    return next((memory for memory in elsewhere if memory.key == key), None)


def _said_in_turn(memories: Memories, fact: Fact) -> bool:
    """Whether the same turn has given the same fact already, as it does when it is answered anew after a crash."""
    for memory in reversed(memories.book.entries.values()):
        if memory.turn != fact.turn:
            return False
        if memory.content == fact.content:
            return True
    return False


def scoped(state: "State", fact: Fact) -> Fact:
    """Return a fact with whom it belongs to: the user, when that is set and the fact lasts."""
    if setting(state, "memory_scope") != "user" or setting(state, "memory_mode") == "ephemeral":
        return fact
    if fact.turn and _goes(state, fact.importance):
        return fact
    return msgspec.structs.replace(fact, scope="user")


def _goes(state: "State", importance: float) -> bool:
    """Whether what is learned with this importance goes when its conversation ends."""
    return setting(state, "memory_mode") == "hybrid" and importance < LASTING


# --------------------------------------------------------------------------------------------------------------- changing


def update(
    state: "State",
    number: int,
    changes: dict[str, Any],
    at: float,
    elsewhere: Sequence[Memory] = (),
) -> list[e.Event]:
    """Return the events that put a changed fact in an old one's place. The trail stays.

    Args:
        number: The old one.
        changes: Fields of `Fact`, by name. What is not named stays; `value` goes with the content.

    Raises:
        InvalidInput: There is no such fact, or a value is wrong.
    """
    old = find(state, number, at, elsewhere)
    number = old.memory
    fields: dict[str, Any] = {
        name: getattr(old, name)
        for name in ("content", "key", "value", "category", "importance", "expires", "sensitive")
    }
    content = changes.get("content", old.content)
    if content != old.content and isinstance(content, str):
        fields["value"] = _value_in(content, old)
    fields |= changes | {"conversation": state.conversation}
    fact = accept(state, Fact(**fields))
    scope: e.Scope = "user" if number < 0 or old.scope == "user" else "session"
    plan = Plan(state.memory, setting(state, "max_memory_size"), at)
    plan.add(msgspec.structs.replace(fact, scope=scope), [number])
    return plan.events


def _value_in(content: str, old: Memory) -> str:
    """Return the value in a sentence that differs from the old one by its value only; empty when it differs by more."""
    before, found, after = old.content.partition(old.value) if old.value else ("", "", "")
    fits = content.startswith(before) and content.endswith(after)
    if not found or not fits or len(content) < len(before) + len(after):
        return ""
    return content[len(before) : len(content) - len(after)]


def find(state: "State", number: int, now: float, elsewhere: Sequence[Memory] = ()) -> Memory:
    """Return a fact by its number.

    Raises:
        InvalidInput: There is none, or it has expired.
    """
    found = state.memory.book.entries.get(number)
    if found is None:
        # One that was added here may be in the user's own journal by now.
        moved = f"{state.session}:{number}"
        theirs = [m for m in elsewhere if number and (m.memory == number or m.source == moved)]
        found = theirs[0] if theirs else None
    if found is None or is_over(found, now):
        raise InvalidInput(f"There is no memory {number}. It may have been replaced or forgotten.")
    return found


def forget(
    state: "State", number: int, at: float, elsewhere: Sequence[Memory] = ()
) -> list[e.Event]:
    """Return the event that removes one fact.

    Raises:
        InvalidInput: There is none of that number.
    """
    old = find(state, number, at, elsewhere)
    return [e.MemoryRemoved(at=at, memory=old.memory, reason="forgotten")]


def drop(state: "State", number: int, at: float, elsewhere: Sequence[Memory] = ()) -> list[e.Event]:
    """Return the event that removes one fact, as an engine asks for it; none when there is no such fact."""
    try:
        return forget(state, number, at, elsewhere)
    except InvalidInput:
        return []


def clear(
    state: "State", category: str | None, at: float, elsewhere: Sequence[Memory] = ()
) -> list[e.Event]:
    """Return the event that removes the facts of a category, or all when it is None; no event when there are none."""
    # An expired fact goes with the others: nobody wants it kept.
    facts = (*elsewhere, *state.memory.book.entries.values())
    numbers = [
        memory.memory
        for memory in facts
        if memory.memory and (category is None or memory.category == category)
    ]
    return [e.MemoryCleared(at=at, memories=numbers, reason="cleared")] if numbers else []


# ----------------------------------------------------------------------------------------------------- going by themselves


def expire(state: "State", at: float) -> list[e.Event]:
    """Return what forgets the facts whose time is over. Reads nothing while none is due."""
    if not 0.0 < state.memory.next_expiry <= at:
        return []
    over = [number for number, moment in state.memory.expiries.items() if moment <= at]
    return [e.MemoryCleared(at=at, memories=over, reason="expired")]


def close(state: "State", at: float) -> list[e.Event]:
    """Return what forgets the facts that do not outlive the session's closing."""
    if setting(state, "memory_mode") != "ephemeral":
        return []
    numbers = list(state.memory.book.entries)
    return [e.MemoryCleared(at=at, memories=numbers, reason="closed")] if numbers else []


def end_conversation(state: "State", conversation: str, at: float) -> list[e.Event]:
    """Return what forgets the facts that do not outlive their conversation."""
    if setting(state, "memory_mode") != "hybrid":
        return []
    numbers = [
        memory.memory
        for memory in state.memory.book.entries.values()
        if memory.turn and memory.conversation == conversation and memory.importance < LASTING
    ]
    return [e.MemoryCleared(at=at, memories=numbers, reason="unimportant")] if numbers else []


def fit(state: "State", cap: int, at: float) -> list[e.Event]:
    """Return what forgets the facts that a lower cap has no room for. It comes before the change of the cap."""
    plan = Plan(state.memory, cap, at)
    plan.make_room()
    return plan.events
