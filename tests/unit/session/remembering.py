"""A desk without a session behind it, and short ways to say what is known."""

from collections.abc import Sequence
from typing import Any

from tenuto import events as e
from tenuto.session import fold
from tenuto.session.desk import Rule
from tenuto.session.fold import State
from tenuto.session.ports import Memory
from tenuto.text.tokens import count

DAY = 86_400.0
NOW = 1_000_000.0


class Table:
    """A `Desk` over a state, with the journal that the state is the fold of."""

    def __init__(self, config: dict[str, Any] | None = None, **created: Any) -> None:
        self.state, self.time = State(), NOW
        self.journal: list[e.Event] = []
        self.take(
            e.SessionCreated(
                at=NOW - 1,
                **{
                    "session": "s",
                    "tenant": "t",
                    "user": "u",
                    "epoch": "0" * 16,
                    "config": config or {},
                    **created,
                },
            )
        )

    def now(self) -> float:
        return self.time

    def take(self, *events: e.Event) -> list[str]:
        """Fold events; return their names. The cap holds after each."""
        for event in events:
            fold.apply(self.state, event)
            self.journal.append(event)
            memories = self.state.memory
            cap = {**self.state.config, **self.state.live}.get("max_memory_size", 10_000)
            assert memories.used == sum(count(m.content) for m in memories.book.entries.values())
            assert memories.used <= cap, "the cap was passed"
        return [e.TAGS[type(event)] for event in events]

    def decide(self, rule: Rule) -> list[e.Event]:
        events = rule(self.state, self.time)
        self.take(*events)
        return events

    async def commit(self) -> int:
        return self.state.position

    async def events(
        self, *, after: int = 0, types: tuple[str, ...] = (), limit: int = 300
    ) -> Sequence[tuple[int, e.Event]]:
        """The journal, to read back."""
        found = [
            (position, event)
            for position, event in enumerate(self.journal, 1)
            if position > after and (not types or e.TAGS[type(event)] in types)
        ]
        return found[:limit]

    # -------------------------------------------------------------------------------------------------------- what is known

    @property
    def contents(self) -> list[str]:
        return [memory.content for memory in self.state.memory.book.entries.values()]

    def memory(self, number: int) -> Memory:
        return self.state.memory.book.entries[number]

    def hear(self, text: str, *, user: str = "", by: Any = "text", role: Any = "user") -> int:
        """Somebody says something in the conversation. Returns its turn."""
        if not self.state.conversation:
            self.take(e.ConversationStarted(at=self.time, conversation="c1"))
        turn = self.state.turns + (1 if role == "user" and by != "injected" else 0)
        self.take(
            e.MessageAdded(
                at=self.time,
                message=self.state.messages + 1,
                role=role,
                text=text,
                turn=turn,
                conversation=self.state.conversation,
                user=user,
                by=by,
            )
        )
        return turn

    def answer(self) -> None:
        """The agent answers."""
        turn, reply = self.state.turns, self.state.replies + 1
        self.take(
            e.ReplyStarted(at=self.time, reply=reply, turn=turn, conversation="c1"),
            e.ReplySegment(at=self.time, reply=reply, index=0, text="Yes.", last=True),
            e.ReplyEnded(at=self.time, reply=reply),
        )
        self.hear("Yes.", role="agent")


def added(number: int, content: str = "", **more: Any) -> e.MemoryAdded:
    return e.MemoryAdded(
        at=more.pop("at", NOW), memory=number, content=content or f"Fact {number}.", **more
    )
