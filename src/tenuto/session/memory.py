"""What later conversations should know: facts, each with the turn that it came from.

A fact has a key, such as `name`; a new fact of the same key takes the old one's place, and both stay in the journal. The
session keeps `MOST` facts: when one more comes, the least important goes, and of those the oldest.
"""

from tenuto import events as e
from tenuto.session.fold import State
from tenuto.session.ports import Learned

MOST = 1_000
"""Facts that a session keeps."""


def add(state: State, fact: Learned, at: float, cause: str = "") -> list[e.Event]:
    """Return the events that make the session know a fact; none when it knows just that already.

    Args:
        at: Seconds since 1970-01-01 UTC.
    """
    old = state.memories.get(state.keys.get(fact.key, 0)) if fact.key else None
    if old is not None and (old.value, old.content) == (fact.value, fact.content):
        return []
    if not fact.key and _said_in_turn(state, fact):
        return []
    events: list[e.Event] = []
    if old is not None:
        events.append(e.MemoryRemoved(at=at, cause=cause, memory=old.memory, reason="superseded"))
    elif len(state.memories) >= MOST:
        least = min(state.memories.values(), key=lambda m: (m.importance, m.memory))
        events.append(e.MemoryRemoved(at=at, cause=cause, memory=least.memory, reason="full"))
    events.append(
        e.MemoryAdded(
            at=at,
            cause=cause,
            memory=state.memory_count + 1,
            content=fact.content,
            key=fact.key,
            value=fact.value,
            turn=fact.turn,
            category=fact.category,
            importance=fact.importance,
        )
    )
    return events


def _said_in_turn(state: State, fact: Learned) -> bool:
    """Say whether the same turn has given the same fact already, as it does when it is answered anew after a crash."""
    if not fact.turn:
        return False
    for memory in reversed(state.memories.values()):
        if memory.turn != fact.turn:
            return False
        if memory.content == fact.content:
            return True
    return False
