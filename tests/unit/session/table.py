"""A desk without a driver: a state, a time that stands still, and a journal that is a list."""

from collections.abc import Sequence

from tenuto import events as e
from tenuto.session.desk import Rule
from tenuto.session.fold import State, apply

START = 1_000_000.0
"""When the session was made, in seconds since 1970-01-01 UTC."""


class Table:
    """A `Desk`, and the part of an `Archive` that reads events."""

    def __init__(self) -> None:
        self.state = State()
        self.time = START
        self.journal: list[e.Event] = []
        self.commits = 0
        self.put(e.SessionCreated(at=START, session="s", tenant="t", user="alice", epoch="0" * 16))

    def put(self, *events: e.Event) -> None:
        for event in events:
            apply(self.state, event)
            self.journal.append(event)

    def now(self) -> float:
        return self.time

    def decide(self, rule: Rule) -> list[e.Event]:
        events = rule(self.state, self.time)
        self.put(*events)
        return events

    async def commit(self) -> int:
        self.commits += 1
        return self.state.position

    async def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        types: tuple[str, ...] = (),
        newest_first: bool = False,
        limit: int = 300,
    ) -> Sequence[tuple[int, e.Event]]:
        assert before is None and not newest_first
        found = [
            (position, event)
            for position, event in enumerate(self.journal, 1)
            if position > after and (not types or e.TAGS[type(event)] in types)
        ]
        return found[:limit]
