"""A session as text that a person reads: its events in order, one a line, with the turns they belong to.

For snapshot tests, and for anybody who wants to see what happened. In stable form, the default, nothing in it depends on
the machine or the day: times count from the first event; ids, which are random, are numbered in the order in which they
appear; secrets and hosts are left out. Two runs that did the same give the same text.
"""

from collections.abc import Iterable, Iterator

import msgspec

from tenuto.events import TAGS, Event, Unknown

HIDDEN = frozenset({"epoch", "token", "shown", "host", "session", "fence"})
"""Fields that differ from run to run and say nothing; left out of the stable form."""
NUMBERED = frozenset({"client", "conversation", "parent", "mic"})
"""Fields that hold random ids; in the stable form the n-th id of a kind is `kind-n`."""
KIND = {"parent": "conversation"}
"""What kind of id a field holds, where it is not the field's own name."""


def timeline(events: Iterable[tuple[int, Event]], *, stable: bool = True) -> str:
    """Return a journal, or a part of one, as text.

    Args:
        events: Positions and events, in order.
        stable: Whether to leave out and number what differs from run to run. If not, everything is shown as it is.

    Example:
        >>> from tenuto.events import MessageAdded
        >>> said = MessageAdded(at=9.0, message=1, role="user", text="Hi", turn=1, conversation="x")
        >>> print(timeline([(7, said)]))
        turn 1
           0.000     7  message.added          message=1 role=user text="Hi" conversation=conversation-1
    """
    return "\n".join(lines(events, stable=stable))


def lines(events: Iterable[tuple[int, Event]], *, stable: bool = True) -> Iterator[str]:
    """Yield the lines of `timeline` one by one, as the events come; `stable` is the same there."""
    names = _Names()
    began: float | None = None
    turn, turns = 0, dict[int, int]()
    for position, event in events:
        if began is None:
            began = event.at
        now = _turn(event, turns)
        if now and now != turn:
            if turn or position > 1:
                yield ""
            yield f"turn {now}"
        turn = now or turn
        fields = " ".join(_fields(event, names, stable))
        yield f"{event.at - began:8.3f} {position:5d}  {_tag(event):<22} {fields}".rstrip()


def _turn(event: Event, turns: dict[int, int]) -> int:
    """Return the turn that an event belongs to; 0 for none."""
    turn = int(getattr(event, "turn", 0))
    reply = int(getattr(event, "reply", 0))
    if turn and reply:
        turns[reply] = turn
    return turn or turns.get(reply, 0)


def _tag(event: Event) -> str:
    return event.kind if isinstance(event, Unknown) else TAGS[type(event)]


def _fields(event: Event, names: "_Names", stable: bool) -> Iterator[str]:
    for field in msgspec.structs.fields(event):
        name, value = field.name, getattr(event, field.name)
        # As in the journal: a field that an event gained later does not change what older ones look like.
        if name in ("at", "turn", "kind") or value == field.default or value in ([], {}):
            continue
        if name == "cause":
            client, _, number = value.rpartition(":")
            yield f"cause={names.of('client', client) if stable else client}:{number}"
        elif stable and name in HIDDEN:
            continue
        elif stable and name in NUMBERED:
            yield f"{name}={names.of(KIND.get(name, name), value)}"
        else:
            yield f"{name}={_shown(name, value)}"


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, str) and (name in ("text", "said", "content", "message") or " " in value):
        return msgspec.json.encode(value).decode()
    if isinstance(value, str | int):
        return str(value)
    return msgspec.json.encode(value, order="sorted").decode()


class _Names:
    """Numbers ids in the order in which they appear."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._count: dict[str, int] = {}

    def of(self, kind: str, value: str) -> str:
        if (kind, value) not in self._known:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._known[kind, value] = f"{kind}-{self._count[kind]}"
        return self._known[kind, value]
