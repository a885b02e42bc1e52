"""How many events a second can be acknowledged, durable against power loss, and what does the store add to bare SQLite?

The store is measured by itself, and through `Session`, where each event is a decision of the core, a fold, an encoding, an
append and a wake-up of whoever awaits it.

The floor is what SQLite does by itself on the same disk in the same moments: apsw, the same tables, rows and batch
size, each append a fenced UPDATE ... RETURNING and an INSERT, a batch in one BEGIN IMMEDIATE; no asyncio, no thread.
Floor and store take turns in slices of a fraction of a second, so that the noise of the machine meets both; a ratio is
the median over pairs of slices.

Usage: python -m bench.append
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import uvloop

from bench.harness import compare, report
from tenuto import Session, Tenuto, TenutoConfig
from tenuto.session.ports import Append, Lease, NewSession, Row, Store
from tenuto.stores.database import Database
from tenuto.stores.sql import QUERIES
from tenuto.stores.sqlite import SqliteStore

PRODUCERS = 100
"""Sessions that append at the same time."""
BODY = os.urandom(200)
"""Of each event: 200 bytes."""
METRIC = (
    "sentences_of_the_user_that_were_understood_at_once_and_answered_within_a_second_by_the_agent"
)
"""What a session is made to count; with the rest of its event some 170 bytes."""
FACT = "The user said something of which the agent should know. " * 2
"""What a session is made to know; with the rest of its event some 200 bytes."""
AT = 1_000_000.0
LONG = 10_000
"""Events in the long journal."""

Verb = Callable[[Session], Awaitable[float]]


class Floor:
    """SQLite by itself: no asyncio, no thread."""

    def __init__(self, path: Path, sessions: int) -> None:
        self.connection = Database(path=path).connect()
        self.cursor = self.connection.cursor()
        self.sessions = [f"00000000-0000-7000-8000-{n:012}" for n in range(sessions)]
        self.position = 0
        for session in self.sessions:
            values = {
                "session": session,
                "tenant": "local",
                "user": "local",
                "epoch": "0123456789abcdef",
                "at": AT,
                "minute": int(AT // 60),
                "owner": "host",
                "url": "",
                "boot": "boot",
                "expires": 0.0,
            }
            self.cursor.execute(QUERIES["create"], values).fetchone()

    def batch(self) -> float:
        """Append one event to each session in one transaction. Returns the seconds it took."""
        execute, position = self.cursor.execute, self.position
        advance, insert = QUERIES["advance"], QUERIES["insert"]
        begun = time.perf_counter()
        execute("BEGIN IMMEDIATE")
        for session in self.sessions:
            found = execute(advance, (1, AT, session, 1, position)).fetchone()
            assert found is not None
            execute(insert, (found[0], position + 1, "message.added", BODY))
        execute("COMMIT")
        took = time.perf_counter() - begun
        self.position += 1
        return took

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


class Producer:
    """One session that appends, an event at a time, each acknowledged before the next."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self.store, self.lease, self.position = store, lease, 0

    async def append(self, rows: int = 1) -> float:
        """Append one event, or as many in one append. Returns the seconds until it was acknowledged."""
        first = self.position + 1
        added = [Row(place, "message.added", BODY) for place in range(first, first + rows)]
        begun = time.perf_counter()
        await self.store.append(
            Append(
                session=self.lease.session,
                expected=self.position,
                fence=self.lease.fence,
                rows=added,
                at=AT,
            )
        )
        took = time.perf_counter() - begun
        self.position += rows
        return took

    async def run(self, appends: int) -> list[float]:
        """Append so many events one after the other. Returns the seconds that each took."""
        return [await self.append() for _ in range(appends)]


async def producers(store: Store, count: int, prefix: str) -> list[Producer]:
    """Make so many new sessions."""
    made = []
    for n in range(count):
        new = NewSession(
            session=f"00000000-0000-7000-{prefix}-{n:012}",
            tenant="local",
            user="local",
            epoch="0123456789abcdef",
            at=AT,
        )
        made.append(Producer(store, await store.create(new, "host", "", 3_600.0)))
    return made


async def many(folder: Path, seconds: float) -> dict[str, Any]:
    """Appends a second with a hundred producers."""
    floor = Floor(folder / "floor-many.db", PRODUCERS)
    store = SqliteStore(folder / "store-many.db")
    crowd = await producers(store, PRODUCERS, "8001")
    floors: list[float] = []
    figures: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(floors) < 5:
        took = sum(floor.batch() for _ in range(50))
        floors.append(50 * PRODUCERS / took)
        begun = time.perf_counter()
        await asyncio.gather(*(producer.run(50) for producer in crowd))
        figures.append(50 * PRODUCERS / (time.perf_counter() - begun))
    floor.close()
    await store.close()
    return compare("appends/s, 100 producers", figures, floors, at_least=0.6)


async def one(folder: Path, seconds: float) -> dict[str, Any]:
    """Milliseconds of one append by one producer alone, p50."""
    floor = Floor(folder / "floor-one.db", 1)
    store = SqliteStore(folder / "store-one.db")
    (alone,) = await producers(store, 1, "8002")
    floors: list[float] = []
    figures: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(floors) < 5:
        floors.append(statistics.median(floor.batch() for _ in range(200)) * 1e3)
        figures.append(statistics.median(await alone.run(200)) * 1e3)
    floor.close()
    await store.close()
    return compare("ms an append, one producer, p50", figures, floors, at_most=2.0)


async def length(folder: Path, seconds: float) -> dict[str, Any]:
    """Milliseconds of one append at 10,000 events, p50; the floor is the same at 0."""
    store = SqliteStore(folder / "store-length.db")
    (long,) = await producers(store, 1, "8003")
    for _ in range(LONG // 500):
        await long.append(500)
    floors: list[float] = []
    figures: list[float] = []
    deadline = time.perf_counter() + seconds
    slices = 0
    while time.perf_counter() < deadline or len(floors) < 5:
        slices += 1
        (short,) = await producers(store, 1, f"{9000 + slices}")
        begun, ended = [], []
        for _ in range(100):  # one by one, so that a checkpoint or a noisy neighbour meets both
            begun.append(await short.append())
            ended.append(await long.append())
        floors.append(statistics.median(begun) * 1e3)
        figures.append(statistics.median(ended) * 1e3)
    await store.close()
    return compare("ms an append at 10,000 events, p50", figures, floors, at_most=1.1)


async def through_session_many(folder: Path, seconds: float) -> dict[str, Any]:
    """Acknowledged events a second through a hundred sessions, a producer each: what a session adds to an append."""
    what = "events/s through Session, 100 producers"
    return compare(what, *await through_sessions(folder, seconds, count), at_least=0.35)


async def memories(folder: Path, seconds: float) -> dict[str, Any]:
    """Acknowledged facts a second through as many: with what a fact costs (tokens, the cap, the entry that comes back)."""
    what = "memories/s through Session, 100 producers"
    return compare(what, *await through_sessions(folder, seconds, remember))


async def through_sessions(
    folder: Path, seconds: float, verb: Verb
) -> tuple[list[float], list[float]]:
    """Have a hundred sessions each do something over and over. Returns times a second, and the floor's, slice by slice."""
    floor = Floor(folder / f"floor-{verb.__name__}.db", PRODUCERS)
    floors: list[float] = []
    figures: list[float] = []
    store = f"sqlite:///{folder}/session-{verb.__name__}.db"
    async with Tenuto(TenutoConfig(store=store, engine="echo")) as tenuto:

        async def produce(session: Session, events: int) -> None:
            for _ in range(events):
                await verb(session)

        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline or len(floors) < 5:
            floors.append(20 * PRODUCERS / sum(floor.batch() for _ in range(20)))
            crowd = [await tenuto.create_session() for _ in range(PRODUCERS)]
            begun = time.perf_counter()
            await asyncio.gather(*(produce(session, 20) for session in crowd))
            figures.append(20 * PRODUCERS / (time.perf_counter() - begun))
            for session in crowd:
                await session.end()
    floor.close()
    return figures, floors


async def through_session_one(folder: Path, seconds: float) -> dict[str, Any]:
    """Milliseconds from a verb of one session to its durability, p50."""
    floor = Floor(folder / "floor-session-one.db", 1)
    floors: list[float] = []
    figures: list[float] = []
    store = f"sqlite:///{folder}/session-one.db"
    async with Tenuto(TenutoConfig(store=store, engine="echo")) as tenuto:
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline or len(floors) < 5:
            session = await tenuto.create_session()
            floors.append(statistics.median(floor.batch() for _ in range(100)) * 1e3)
            figures.append(statistics.median([await remember(session) for _ in range(100)]) * 1e3)
    floor.close()
    return compare("ms a verb of Session, one producer, p50", figures, floors, at_most=3.0)


async def count(session: Session) -> float:
    """Have a session count one more of something: one event. Returns the seconds until it was durable."""
    begun = time.perf_counter()
    await session.track_metric(METRIC, 1.0)
    return time.perf_counter() - begun


async def remember(session: Session) -> float:
    """Have a session know one more fact: one event of some 200 bytes. Returns the seconds until it was durable."""
    begun = time.perf_counter()
    await session.add_memory(FACT + str(session.position))
    return time.perf_counter() - begun


QUESTIONS = (many, one, length, through_session_many, memories, through_session_one)


async def measure(seconds: float) -> list[dict[str, Any]]:
    """Measure everything, in about so many seconds."""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        return [await question(here, seconds / len(QUESTIONS)) for question in QUESTIONS]


def main(seconds: float = 15.0) -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(measure(seconds))
    return report("append", results, sqlite=apsw.sqlite_lib_version())


if __name__ == "__main__":
    raise SystemExit(not main())
