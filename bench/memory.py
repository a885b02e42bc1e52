"""What does memory cost: a search, and one more fact; and do they grow with the journal?

Search is measured through the session's face, at 1,000 and 10,000 memories, each query on the whole of it. Its floor is FTS5
itself in the same moments: the same texts in a bare index, ranked by its own BM25, without the session around it.

One more fact is measured at 10 and at 1,000 memories, from the call until it counts (not until it is durable: that is
`bench.append`). That neither grows with the journal is measured at 1,000 and at 100,000 events behind the same memory: there
the floor is the short journal.

Usage: python -m bench.memory
"""

import random
import statistics
import time
from typing import Any

import apsw

from bench.harness import compare, report
from tenuto import events as e
from tenuto.session import fold
from tenuto.session.desk import Rule
from tenuto.session.fold import State
from tenuto.session.memory_part import MemoryPart
from tenuto.text.stopwords import FUNCTION

LENGTHS = (1_000, 100_000)
SIZES = (1_000, 10_000)
KNOWN = (10, 1_000)
ROUNDS = 60
EACH = 20
"""Searches, or facts, in a round."""
AT = 1_750_000_000.0
LIMIT_MS = 5.0
"""Milliseconds that a search may take at the most memories."""

_WHO = "user sister brother boss neighbor doctor teacher friend dog cat mother colleague".split()
_DOES = (
    "likes prefers visits plays studies cooks reads paints collects avoids repairs sells".split()
)
_WHAT = (
    "tea chess jazz physics trains gardens boats pasta history mountains poems bicycles clocks "
    "mushrooms films maps violins bread rivers stamps"
).split()
_WHEN = "mornings weekends summers evenings holidays winters mondays journeys".split()


class Here:
    """A desk over a state, without a store: what it decides counts at once."""

    def __init__(self, known: int, length: int = 0) -> None:
        chance = random.Random(known)
        self.state = State()
        session: dict[str, Any] = {"session": "s", "tenant": "t", "user": "u", "epoch": "0" * 16}
        self.take(
            e.SessionCreated(at=AT, config={"max_memory_size": 10_000_000}, **session),
            e.ConversationStarted(at=AT, conversation="c"),
        )
        for number in range(1, known + 1):
            self.take(e.MemoryAdded(at=AT, memory=number, content=fact(chance, number)))
        while self.state.position < length:
            self.take(e.MetricTracked(at=AT, name="x", value=1.0))
        self.memory = MemoryPart(self)

    def take(self, *events: e.Event) -> None:
        """Fold events."""
        for event in events:
            fold.apply(self.state, event)

    def now(self) -> float:
        """The time."""
        return AT

    def decide(self, rule: Rule) -> list[e.Event]:
        """Have a rule decide."""
        events = rule(self.state, AT)
        self.take(*events)
        return events

    async def commit(self) -> int:
        """Nothing is durable here."""
        return self.state.position


def fact(chance: random.Random, number: int) -> str:
    """Return a sentence as memories have them, of about ten words."""
    who, does, what, when = (chance.choice(words) for words in (_WHO, _DOES, _WHAT, _WHEN))
    return f"The {who} {does} {what} in the {when}, as was said in turn {number}."


def queries(count: int) -> list[str]:
    """Return questions as people ask them."""
    chance = random.Random(7)
    return [
        f"what does the {chance.choice(_WHO)} do with {chance.choice(_WHAT)} in {chance.choice(_WHEN)}?"
        for _ in range(count)
    ]


class Bare:
    """FTS5 and nothing around it."""

    def __init__(self, here: Here) -> None:
        self._connection = apsw.Connection(":memory:")
        self._connection.execute(
            "CREATE VIRTUAL TABLE entries USING fts5(text, content='', tokenize='porter unicode61')"
        )
        for number, memory in here.state.memory.book.entries.items():
            self._connection.execute(
                "INSERT INTO entries (rowid, text) VALUES (?, ?)", (number, memory.content)
            )

    def search(self, query: str) -> int:
        """Return how many were found."""
        words = [word for word in query.strip("?").split() if word not in FUNCTION]
        wanted = " OR ".join(f'"{word}"' for word in words)
        found = self._connection.execute(
            "SELECT rowid FROM entries WHERE entries MATCH ? ORDER BY rank LIMIT 10", (wanted,)
        )
        return len(list(found))


def milliseconds(begun: float, times: int = 1) -> float:
    """Return the milliseconds since `begun`, for one of so many."""
    return (time.perf_counter() - begun) / times * 1e3


def search() -> list[dict[str, Any]]:
    """Measure searches, at each size, against FTS5 alone."""
    results = []
    for size in SIZES:
        here = Here(size)
        bare = Bare(here)
        here.memory.search("tea")
        figures, floors = [], []
        for query in queries(ROUNDS * 4):
            # Of the processor: what else runs on the machine is no part of a search's worst case.
            begun = time.thread_time()
            assert here.memory.search(query)
            figures.append((time.thread_time() - begun) * 1e3)
            begun = time.thread_time()
            assert bare.search(query)
            floors.append((time.thread_time() - begun) * 1e3)
        results.append(compare(f"ms a search, {size:,} memories", figures, floors))
        tail = statistics.quantiles(figures, n=20)[-1]
        results.append(compare(f"ms a search, {size:,} memories, p95", [tail], at_most=LIMIT_MS))
        begun = time.perf_counter()
        here.memory.add("One more fact about tea.")
        here.memory.search("tea")
        results.append(
            compare(f"ms one more fact and a search, {size:,} memories", [milliseconds(begun)])
        )
    return results


def add() -> list[dict[str, Any]]:
    """Measure one more fact; each takes the place of the one before, so that there are as many as at the start."""
    results = []
    for known in KNOWN:
        here, figures = Here(known), []
        for number in range(ROUNDS):
            figures.append(one_more(here, number))
        results.append(compare(f"ms one more fact, {known:,} memories", figures, at_most=1.0))
    return results


def one_more(here: Here, number: int) -> float:
    """Return the milliseconds of one more fact."""
    begun = time.perf_counter()
    for each in range(EACH):
        here.memory.add(f"The answer is {number} or {each}.", key="answer")
    return milliseconds(begun, EACH)


def flat() -> list[dict[str, Any]]:
    """Measure both behind a short and a long journal, which take turns."""
    short, long = (Here(1_000, length) for length in LENGTHS)
    asked = queries(ROUNDS * EACH)
    times: dict[str, list[float]] = {
        name: [] for name in ("s short", "s long", "a short", "a long")
    }
    for number in range(ROUNDS):
        some = asked[number * EACH : (number + 1) * EACH]
        for name, here in (("short", short), ("long", long)):
            begun = time.perf_counter()
            for query in some:
                here.memory.search(query)
            times[f"s {name}"].append(milliseconds(begun, EACH))
            times[f"a {name}"].append(one_more(here, number))
    events = f"{LENGTHS[1]:,} events"
    return [
        compare(f"ms a search, {events}", times["s long"], times["s short"], at_most=1.3),
        compare(f"ms one more fact, {events}", times["a long"], times["a short"], at_most=1.3),
    ]


def main() -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    return report("memory", [*search(), *add(), *flat()])


if __name__ == "__main__":
    raise SystemExit(not main())
