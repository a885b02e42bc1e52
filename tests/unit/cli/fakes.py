"""Sessions for the commands to work on, without a store or a server."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tenuto.cli.options import Surroundings
from tenuto.cli.reach import Answer, Dialogue, Entry, Summary, Transcript, Where
from tenuto.errors import SessionLocked, SessionNotFound
from tenuto.session.analytics import Metric, Tally, Timing, Usage
from tenuto.session.analytics_part import Report, report
from tenuto.session.fold import State
from tenuto.session.ports import Message


def message(number: int, role: str, text: str) -> Message:
    return msgspec.convert(
        {
            "message": number,
            "role": role,
            "text": text,
            "turn": (number + 1) // 2,
            "conversation": "c1",
            "at": 1000.0 + number,
        },
        Message,
    )


def busy_report() -> Report:
    """The figures of a session in which everything happened, with names that try to get out of their places."""
    state = State(session="s1", user="alice <b>", created=1_000.0, updated=5_000.0)
    a = state.analytics
    a.total = Tally(seconds=754.0, turns=3, messages=6, interruptions=1, answers=3, waited=1.5)
    a.conversations = {"main": a.total, "<img src=x onerror=alert(1)>": Tally(seconds=4.0)}
    a.topics = {"<script>alert(1)</script>": 2, "quantum physics": 5}
    a.hours[9], a.hours[21], a.zone = 4, 2, "Europe/Rome"
    a.feelings, a.feeling = 2, 1.2
    a.metrics = {"task_completed": Metric(count=3, sum=3.0, min=1.0, max=1.0, last=1.0)}
    a.usage = {"local": Usage(heard=61.0, spoken=30.5, characters=420), "cloud": Usage(tokens_in=9)}
    for turn in range(1, 4):
        cut = "barge_in" if turn == 2 else ""
        a.timings.append(
            Timing(
                turn=turn,
                conversation="main",
                at=1_000.0 + turn,
                by="voice",
                thought=0.3 * turn,
                composed=0.1,
                cut=cut,
            )
        )
    a.timings.append(Timing(turn=4, conversation="main", at=1_004.0, by="text"))
    return report(state, 5_000.0, {})


class FakeDialogue:
    session = "s1"

    def __init__(self) -> None:
        self.said: list[str] = []

    async def say(self, text: str) -> Answer:
        self.said.append(text)
        return Answer(text=f"You said {text}", heard=f"You said {text}", seconds=0.25)


class FakeSessions:
    """One session, `s1`, with four events and three messages. `locked` is one that another process has."""

    def __init__(self) -> None:
        self.dialogues: list[tuple[str | None, str | None, FakeDialogue]] = []
        self.ended: list[str] = []
        self.changes: list[dict[str, object]] = []
        self.forgotten: list[str] = []
        self.taken: tuple[bytes, dict[str, str], str | None, str] | None = None
        self.where: Where | None = None
        self.typed = io.StringIO()
        self.report = busy_report()
        self.messages = [
            message(1, "user", "My name is Alice"),
            message(2, "agent", "Hello Alice"),
            message(3, "user", "Bye"),
        ]
        self.entries = [
            Entry(n, b'{"type":"message.added","at":%d.0,"message":%d,"text":"hi"}' % (1000 + n, n))
            for n in range(1, 5)
        ]

    @asynccontextmanager
    async def reach(self, where: Where) -> AsyncIterator["FakeSessions"]:
        self.where = where
        yield self

    async def summaries(self, limit: int) -> Sequence[Summary]:
        return [await self.summary("s1")][:limit]

    async def summary(self, session: str) -> Summary:
        if session not in ("s1", "locked"):
            raise SessionNotFound
        return Summary(
            session="s1",
            user="alice",
            created=1000.0,
            updated=1004.0,
            position=len(self.entries),
            ended=False,
            life="live",
            owner="host-1",
        )

    async def transcript(self, session: str, before: int | None, limit: int) -> Transcript:
        await self.summary(session)
        until = len(self.messages) if before is None else before
        begin = max(0, until - min(limit, 2))
        return Transcript(messages=self.messages[begin:until], next=begin or None)

    async def watch(self, session: str, after: int) -> AsyncIterator[Entry]:
        for entry in self.entries[after:]:
            yield entry
        await asyncio.sleep(0)
        yield Entry(5, b'{"type":"session.ended","at":1005.0,"reason":"user"}')

    async def analytics(self, session: str) -> Report:
        await self.summary(session)
        return self.report

    async def end(self, session: str) -> None:
        await self.summary(session)
        self.ended.append(session)

    async def forget(self, session: str) -> None:
        await self.summary(session)
        self.forgotten.append(session)

    async def configure(self, session: str, changes: Mapping[str, object]) -> int:
        await self.summary(session)
        self.changes.append(dict(changes))
        return len(self.changes)

    async def take_over(
        self,
        source: AsyncIterator[bytes],
        users: Mapping[str, str],
        name: str | None,
        kind: str,
    ) -> Sequence[str]:
        self.taken = (b"".join([chunk async for chunk in source]), dict(users), name, kind)
        return [name or "s2"]

    @asynccontextmanager
    async def dialogue(self, session: str | None, user: str | None) -> AsyncIterator[Dialogue]:
        if session == "locked":
            raise SessionLocked("locked", "host-2", 4.0)
        dialogue = FakeDialogue()
        self.dialogues.append((session, user, dialogue))
        yield dialogue

    def around(self, directory: Path, **environ: str) -> Surroundings:
        return Surroundings(
            environ=environ, directory=directory, reach=self.reach, read=self.typed.readline
        )
