"""A conversation whose engine's link is dropped at every frame and at everything it tells: nothing that was said is lost.

In virtual time, over lines within the process. The engines are those of a provider far away: they tell late that somebody
speaks, later what was said, and a link that is dropped takes along what it was about to tell. A reply that is being spoken
ends with the link that speaks it (`reply.cut reason=engine`), so links are only dropped while none is.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Literal

import pytest

from tenuto import events as e
from tenuto.client.core import ClientCore
from tenuto.session.microphone import Microphone
from tenuto.session.ports import Append
from tenuto.stores import rows
from tenuto.testing.clock import run
from tests.acceptance.conversation import HISTORY, Outcome
from tests.acceptance.far import FarTalk
from tests.acceptance.faults import Disk, Fault, Place, converse

PLACES: tuple[Place, ...] = ("to_server", "to_client", "told")


def watching(talk: FarTalk) -> type[Disk]:
    """Return a disk that tells a talk whether a reply is open."""

    class Watching(Disk):
        def __getattr__(self, name: str) -> Callable[..., Any]:
            call = super().__getattr__(name)
            if name != "append":
                return call

            async def append(asked: Append) -> None:
                for event in map(rows.to_event, asked.rows):
                    if isinstance(event, e.ReplyStarted | e.ReplyEnded | e.ReplyCut):
                        talk.speaks = isinstance(event, e.ReplyStarted)
                await call(asked)

            return append

    return Watching


async def talked(*faults: Fault) -> tuple[Outcome, int]:
    """Have the conversation. Returns what came of it, and how many links were dropped."""
    talk = FarTalk()
    came = await converse(*faults, disk=watching(talk), talk=talk)
    return came, talk.drops


@cache
def uncut() -> Outcome:
    """Return what comes of the conversation when nothing happens."""
    return run(talked(), seed=1)[0]


def failures(courses: Iterable[Sequence[Fault]], enough: int = 10) -> tuple[dict[str, str], int]:
    """Have the conversation once for each course of faults. Returns what went wrong, by course, and the links dropped."""
    wrong: dict[str, str] = {}
    dropped = 0
    for number, faults in enumerate(courses):
        try:
            came, drops = run(talked(*faults), seed=number)
            dropped += drops
            came.check(uncut())
        except Exception as error:  # noqa: BLE001 -- whatever it was, the next course is tried
            wrong[", ".join(map(str, faults))] = str(error) or repr(error)
        if len(wrong) >= enough:
            break
    return wrong, dropped


def everywhere(at: Place, step: int = 1) -> list[list[Fault]]:
    """Return the courses with one link dropped, at each place."""
    return [[Fault("dropped", at, n)] for n in range(1, uncut().counts[at] + 1, step)]


def test_what_the_conversation_is_when_nothing_happens() -> None:
    assert uncut().history == HISTORY
    assert uncut().counts["told"] > 15


@pytest.mark.parametrize("at", PLACES)
def test_at_every_place(at: Place) -> None:
    wrong, dropped = failures(everywhere(at))
    assert wrong == {}
    assert dropped > 10


@pytest.mark.parametrize("more", [1, 2])
def test_again_while_it_is_sent_again(more: int) -> None:
    # At most three in a row: that many links are opened without a reply before the session gives up.
    courses = [
        [Fault("dropped", "to_server", n + later) for later in range(0, 3 * (more + 1), 3)]
        for n in range(1, uncut().counts["to_server"], 2)
    ]
    wrong, dropped = failures(courses)
    assert wrong == {}
    assert dropped > 50


@pytest.mark.parametrize("how", ["reset", "killed"])
def test_a_connection_or_a_server_that_goes_with_it(how: Literal["reset", "killed"]) -> None:
    courses = [
        [Fault("dropped", "to_server", n), Fault(how, "to_client", m)]
        for n in range(10, uncut().counts["to_server"], 4)
        for m in (n + n // 3, n + n // 3 + 2)
    ]
    wrong, _ = failures(courses)
    assert wrong == {}


def never(_: object) -> bool:
    """Stand in for a flag that is never set."""
    return False


@pytest.mark.parametrize(
    ("where", "what", "instead"),
    [
        pytest.param(Microphone, "lose", lambda mic, safe: mic.disconnect(), id="nobody is asked"),
        pytest.param(ClientCore, "_go_on", lambda core, sample: None, id="nobody sends it again"),
        pytest.param(
            Microphone,
            "_awaits",
            property(never, lambda mic, value: None),
            id="nobody waits for it",
        ),
    ],
)
def test_control_what_is_not_done_is_missed(
    monkeypatch: pytest.MonkeyPatch, where: type, what: str, instead: object
) -> None:
    courses = everywhere("to_server")
    assert uncut().history == HISTORY
    monkeypatch.setattr(where, what, instead, raising=False)
    wrong, _ = failures(courses, enough=1)
    assert wrong
