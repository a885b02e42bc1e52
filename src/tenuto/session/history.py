"""The transcript: messages in the order of the journal, folded from `message.added`; and the tree of conversations.

A conversation may branch from another. Its *line* is itself and the ones that it branches from, each up to the fork: what
was said there is what it knows. Its *tree* is all that hangs together by branching: of the rest of the tree a conversation
is told no messages, whatever the settings.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session.ports import Message

if TYPE_CHECKING:
    from tenuto.session.fold import State

TYPES = (e.TAGS[e.MessageAdded],)
"""The only rows that a page of history has to read."""
MOST_ALIKE = 50
"""Messages of the same words that are told apart by their place; of more, the newest."""


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some messages of a session, oldest first."""

    messages: list[Message]
    next: int | None
    """Give it as `before` to get the page of older messages; None when there is none."""


class ConversationInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a conversation without reading it."""

    id: str
    """As it was given to `start_conversation`, or made up: `c1`, `c2` ..."""
    parent: str
    """The conversation that it branches from; empty when it is no branch."""
    fork: int
    """The number of the last message that it knows of its parent's; 0 when it knows none."""
    messages: int
    """How many it has of its own."""
    started: float
    """When it was started, in seconds since 1970-01-01 UTC."""
    ended: float | None
    """When it ended last, in seconds since 1970-01-01 UTC; None while it is open."""
    summary: str
    """What was said in it, in short, as far as it was summed up: a line for each thing that mattered."""

    @property
    def is_open(self) -> bool:
        """Whether it is the one that is going on."""
        return self.ended is None


def message(event: e.MessageAdded) -> Message:
    """Return the message that an event added."""
    return Message(
        message=event.message,
        role=event.role,
        text=event.text,
        turn=event.turn,
        conversation=event.conversation,
        at=event.at,
        said=event.said,
        by=event.by,
        cites=event.cites,
        user=event.user,
    )


def need_limit(limit: int) -> None:
    """Refuse to read no messages at all.

    Raises:
        InvalidInput: `limit` is below 1.
    """
    if limit < 1:
        raise InvalidInput("`limit` is 1 or more.")


def page(newest_first: Iterable[tuple[int, e.Event]], limit: int) -> HistoryPage:
    """Return a page from up to `limit` + 1 journal entries, the newest first: the one too many says that there is more."""
    entries = [
        (position, event) for position, event in newest_first if isinstance(event, e.MessageAdded)
    ]
    messages = [message(event) for _, event in entries[:limit]][::-1]
    return HistoryPage(
        messages=messages, next=entries[limit - 1][0] if len(entries) > limit else None
    )


def conversations(state: "State") -> list[ConversationInfo]:
    """Return all conversations of a session, in the order in which they were started."""
    return [
        ConversationInfo(
            id=name,
            parent=known.parent,
            fork=known.fork,
            messages=known.messages,
            started=known.started,
            ended=known.closed if known.ended else None,
            summary=known.summary,
        )
        for name, known in sorted(state.conversations.items(), key=lambda item: item[1].number)
    ]


def free_name(state: "State") -> str:
    """Return an id that no conversation of a session has: `c1`, `c2` and so on."""
    number = len(state.conversations) + 1
    while f"c{number}" in state.conversations:
        number += 1
    return f"c{number}"


def line(state: "State", conversation: str) -> list[tuple[str, int]]:
    """Return a conversation and the ones that it branches from, each with the last message that counts; 0 for no bound.

    Example:
        >>> line(state, "deep dive")  # doctest: +SKIP
        [('deep dive', 0), ('main', 12)]
    """
    found, upto, name = [], 0, conversation
    while name:
        found.append((name, upto))
        known = state.conversations[name]
        upto = min(upto, known.fork) if upto else known.fork
        name = known.parent if upto else ""
    return found


def newest(state: "State", conversation: str) -> int:
    """Return the newest message of a conversation's line; 0 when it has none."""
    for name, upto in line(state, conversation) if conversation else ():
        last = state.conversations[name].last
        if last:
            return min(last, upto) if upto else last
    return 0


def root(state: "State", conversation: str) -> str:
    """Return the conversation that a tree of branches began with."""
    while parent := state.conversations[conversation].parent:
        conversation = parent
    return conversation


def tree(state: "State", conversation: str) -> set[str]:
    """Return all conversations that hang together with this one by branching, and itself."""
    found = {root(state, conversation)}
    # A branch is always younger than what it branches from, but a conversation that is resumed moves to the end.
    rest = [(name, known.parent) for name, known in state.conversations.items() if known.parent]
    while True:
        more = {name for name, parent in rest if parent in found} - found
        if not more:
            return found
        found |= more


def missing(have: Sequence[Hashable], wanted: Sequence[Hashable]) -> list[int]:
    """Return which of `wanted` are not among `have`, in their order: what is left out by the longest common part.

    Both are told oldest first. What stands in both, in the same order, is the same.

    Example:
        >>> missing(["Hi", "Hello.", "Tea?"], ["Hello.", "Tea?", "Yes."])
        [2]
    """
    where: dict[Hashable, list[int]] = {}
    for place, item in enumerate(have):
        where.setdefault(item, []).append(place)
    # The longest increasing run of places: of each length, the run that ends soonest.
    ends: list[int] = []
    heads: list[int] = []
    steps: list[tuple[int, int]] = []  # An index of `wanted`, and the step before it; -1 for none.
    for index, item in enumerate(wanted):
        for place in reversed(where.get(item, [])[-MOST_ALIKE:]):
            length = bisect_left(ends, place)
            if ends[length : length + 1] == [place]:
                continue  # The earlier of two that are alike was there first.
            steps.append((index, heads[length - 1] if length else -1))
            ends[length : length + 1], heads[length : length + 1] = [place], [len(steps) - 1]
    found, step = set[int](), heads[-1] if heads else -1
    while step >= 0:
        index, step = steps[step]
        found.add(index)
    return [index for index in range(len(wanted)) if index not in found]
