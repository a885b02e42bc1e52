"""A conversation whose connection is cut at every frame boundary, and whose server dies at every one of them.

In virtual time, over lines within the process. Whatever happens, what comes of the conversation is what comes of it
undisturbed: the history, the journal's story, what was told and what was heard (`Outcome.check`).
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, get_args

import pytest

from tenuto.client.microphone import Microphone
from tenuto.session import client_fold
from tenuto.session.attachment import Attachment
from tenuto.session.ports import Append
from tenuto.session.replying import Replying
from tenuto.testing.clock import run
from tests.acceptance.conversation import HISTORY, Outcome
from tests.acceptance.faults import COMMIT, Disk, Fault, How, Place, converse

HOWS = tuple(how for how in get_args(How) if how != "dropped")
FRAMES: tuple[Place, ...] = ("to_server", "to_client")
APPENDS: tuple[Place, ...] = ("asked", "written")


@cache
def uncut(patient: bool = True) -> Outcome:
    """Return what comes of the conversation when nothing happens."""
    return run(converse(patient=patient), seed=1)


def failures(
    courses: Iterable[Sequence[Fault]],
    *,
    patient: bool = True,
    disk: type[Disk] = Disk,
    enough: int = 10,
) -> dict[str, str]:
    """Have the conversation once for each course of faults. Returns what went wrong, by course.

    Args:
        enough: Failures after which no more are looked for.
    """
    wrong: dict[str, str] = {}
    for number, faults in enumerate(courses):
        try:
            came = run(converse(*faults, patient=patient, disk=disk), seed=number)
            came.check(uncut(patient))
        except Exception as error:  # noqa: BLE001 -- whatever it was, the next course is tried
            wrong[", ".join(map(str, faults))] = str(error) or repr(error)
        if len(wrong) >= enough:
            break
    return wrong


def everywhere(how: How, at: Place, *, patient: bool = True, step: int = 1) -> list[list[Fault]]:
    """Return the courses with one fault, at each place."""
    first = 2 if at in APPENDS else 0  # Without the first append there is no session.
    return [[Fault(how, at, n)] for n in range(first, uncut(patient).counts[at] + 1, step)]


def test_what_the_conversation_is_when_nothing_happens() -> None:
    came = uncut()
    assert came.history == HISTORY
    assert came.connections == 1
    assert came.counts["to_server"] > 90 and came.counts["to_client"] > 130
    came.check(uncut(patient=False))


@pytest.mark.parametrize("at", FRAMES)
@pytest.mark.parametrize("how", HOWS)
def test_at_every_frame(how: How, at: Place) -> None:
    assert failures(everywhere(how, at)) == {}


@pytest.mark.parametrize("at", APPENDS)
def test_a_server_that_is_killed_at_every_commit(at: Place) -> None:
    assert failures(everywhere("killed", at)) == {}


@pytest.mark.parametrize("how", ("half-open", "killed", "drained"))
def test_somebody_who_goes_on_as_soon_as_they_heard_a_reply(how: How) -> None:
    courses = [course for at in FRAMES for course in everywhere(how, at, patient=False, step=4)]
    assert failures(courses, patient=False) == {}


@pytest.mark.parametrize("how", ("reset", "killed"))
def test_again_at_every_frame_of_coming_back(how: How) -> None:
    counts = uncut().counts
    again = [("to_server", n) for n in range(4)] + [("to_client", n) for n in range(14)]
    firsts = [(at, counts[at] * tenth // 10) for at in FRAMES for tenth in (3, 7)]
    courses = [
        [Fault("reset", first, after), Fault(how, then, n, line=1)]  # type: ignore[arg-type]
        for first, after in firsts
        for then, n in again
    ]
    assert failures(courses) == {}


@pytest.mark.parametrize("how", ("reset", "half-open"))
def test_the_answer_to_coming_back_lost_again_and_again(how: How) -> None:
    # Each of them brings the next resume token, which the client never sees. It has the one before, and needs no other.
    lines = (1, 2, 3) if how == "reset" else (1,)
    lost = [Fault(how, "to_server", 1, line) for line in lines]
    firsts = range(1, uncut().counts["to_client"], 10)
    assert failures([[Fault("reset", "to_client", first), *lost] for first in firsts]) == {}


def flaky(seed: int) -> list[Fault]:
    """Return what happens on a bad day: up to four things, of which at most one takes long to be noticed."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    for line in range(chance.randint(2, 4)):
        at: Place = chance.choice(FRAMES)
        after = chance.randint(0, uncut().counts[at] if chance.random() < 0.4 else 14)
        hows = HOWS if not any(fault.how == "half-open" for fault in faults) else ("clean", "reset")
        faults.append(Fault(chance.choice(hows), at, after, line))
    return faults


def test_bad_days() -> None:
    assert failures(map(flaky, range(60))) == {}


# --------------------------------------------------------------------------------------------------------------- controls


class Liar(Disk):
    """A store that says that an append is durable, and writes it a little later."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name != "append":
            return super().__getattr__(name)

        async def append(asked: Append) -> None:
            await self._pass(name, "asked")
            asyncio.get_running_loop().call_later(COMMIT, self._write, asked)
            await self._pass(name, "written")

        return append

    def _write(self, asked: Append) -> None:
        if not self.dead:
            with pytest.raises(StopIteration):  # It has nothing to wait for.
                self._store.append(asked).__await__().send(None)


def test_control_a_store_that_acknowledges_too_early_is_caught() -> None:
    assert failures(everywhere("killed", "written"), disk=Liar, enough=1)


def ignored(*_: object) -> int:
    """Does nothing, in place of what should be done."""
    return 0


@pytest.mark.parametrize(
    ("where", "what", "how", "at"),
    [
        pytest.param(Microphone, "rewind", "reset", "to_server", id="a microphone that goes on"),
        pytest.param(
            Replying, "take_heard", "killed", "to_client", id="nobody asks what was heard"
        ),
        pytest.param(
            Attachment, "there", "half-open", "to_client", id="the dead count as listeners"
        ),
        pytest.param(
            client_fold, "remember_command", "reset", "to_client", id="commands are forgotten"
        ),
    ],
)
def test_control_what_is_not_done_is_missed(
    monkeypatch: pytest.MonkeyPatch, where: object, what: str, how: How, at: Place
) -> None:
    courses = everywhere(how, at)
    assert uncut().history == HISTORY
    monkeypatch.setattr(where, what, ignored)
    assert failures(courses, enough=1)
