"""What does counting cost: an event in the fold, and a look at the figures; and do they grow with the journal?

The floor of both is the same at 1,000 events, in the same moments: slices at the long and at the short journal take turns,
so that the noise of the machine meets both. What an event costs in all (`fold.apply`) is measured beside.

Usage: python -m bench.analytics
"""

import time
from collections.abc import Callable
from typing import Any

from bench.harness import compare, report
from tenuto import events as e
from tenuto.session import analytics, fold
from tenuto.session.analytics_part import of_session

LENGTHS = (1_000, 100_000)
SLICES = 40
EACH = 200
"""Exchanges in a slice."""
AT = 1_750_000_000.0


class Talk:
    """A journal that grows by exchanges of five events: a message, a reply of two events, its end, and what was heard."""

    def __init__(self, length: int) -> None:
        self.state = fold.State()
        self.at = AT
        self.counted = 0.0
        """Seconds that the analytics took."""
        for event in self.opening():
            fold.apply(self.state, event)
        while self.state.position < length:
            self.exchange(fold.apply)

    def opening(self) -> list[e.Event]:
        """Return what comes before the first word."""
        config: dict[str, Any] = {"timezone": "Europe/Rome"}
        session: dict[str, Any] = {"session": "s", "tenant": "t", "user": "u", "epoch": "0" * 16}
        come: dict[str, Any] = {"client": "c", "transport": "t"}
        return [
            e.SessionCreated(at=self.at, config=config, **session),
            e.AttachmentAttached(at=self.at, attachment=1, role="controller", **come),
            e.ConversationStarted(at=self.at, conversation="c"),
        ]

    def exchange(self, apply: Callable[[fold.State, e.Event], None]) -> None:
        """Say something and have it answered."""
        state, turn, reply = self.state, self.state.turns + 1, self.state.replies + 1
        self.at += 1.0
        at = self.at
        traits = e.Traits(words=6, sentiment=0.2, topics=[f"topic {turn % 300}", "chess"])
        said: dict[str, Any] = {"turn": turn, "conversation": "c", "by": "voice"}
        number = state.messages + 1
        asked = e.MessageAdded(
            at=at,
            message=number,
            role="user",
            text="What time is it in Rome?",
            traits=traits,
            **said,
        )
        for event in (
            asked,
            e.ReplyStarted(at=at, reply=reply, turn=turn, conversation="c", aloud=True),
            e.ReplySegment(at=at, reply=reply, index=0, text="It is noon in Rome.", last=True),
            e.ReplyEnded(at=at, reply=reply, heard=1.5),
            e.MessageAdded(
                at=at, message=number + 1, role="agent", text="It is noon in Rome.", **said
            ),
        ):
            apply(state, event)

    def whole(self) -> float:
        """Microseconds of one event in the whole fold."""
        begun = time.perf_counter()
        for _ in range(EACH):
            self.exchange(fold.apply)
        return (time.perf_counter() - begun) / (5 * EACH) * 1e6

    def part(self) -> float:
        """Microseconds of one event in the analytics alone: the same events once more, on what they have made."""
        events: list[e.Event] = []

        def keep(state: fold.State, event: e.Event) -> None:
            fold.apply(state, event)
            events.append(event)

        for _ in range(EACH):
            self.exchange(keep)
        begun = time.perf_counter()
        for event in events:
            analytics.apply(self.state, event)
        return (time.perf_counter() - begun) / len(events) * 1e6

    def look(self) -> float:
        """Microseconds of one look at the figures."""
        begun = time.perf_counter()
        for _ in range(EACH):
            of_session(self.state, self.at)
        return (time.perf_counter() - begun) / EACH * 1e6


def measure() -> list[dict[str, Any]]:
    """Measure everything in turns, short and long."""
    short, long = Talk(LENGTHS[0]), Talk(LENGTHS[1])
    results = []
    for what, slice_, at_most in (
        (f"us an event in the analytics at {LENGTHS[1]:,} events", Talk.part, 1.15),
        (f"us an event in the whole fold at {LENGTHS[1]:,} events", Talk.whole, 1.15),
        (f"us a look at the figures at {LENGTHS[1]:,} events", Talk.look, 1.3),
    ):
        floors, figures = [], []
        for _ in range(SLICES):
            short_again = Talk(LENGTHS[0]) if slice_ is not Talk.look else short
            floors.append(slice_(short_again))
            figures.append(slice_(long))
        results.append(compare(what, figures, floors, at_most=at_most))
    size = len(fold.encode(long.state))
    kept = len(fold.encode(short.state))
    results.append(compare("bytes of a snapshot", [float(size)], [float(kept)], at_most=1.2))
    return results


def main() -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    return report("analytics", measure())


if __name__ == "__main__":
    raise SystemExit(not main())
