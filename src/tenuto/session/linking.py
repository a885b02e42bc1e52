"""The link to the engine: when there is one, what it is told and asked, and when another one is tried.

A link is never used again. One that is lost is followed by the next: at once after the first failure, then later and later,
`FIRST_WAIT` doubled up to `LONGEST_WAIT` seconds. `RETRIES` of them without a reply, and the engine counts as lost. From
then on it is tried only for somebody who is spoken to or listened to, for as long as they are there.
"""

from collections.abc import Callable, Iterator

import msgspec

from tenuto import events as e
from tenuto.errors import Refused, TenutoError
from tenuto.session import context, effects, ports, turns
from tenuto.session.scribe import Scribe
from tenuto.session.state import Link, LinkSignal, next_link

RETRIES = 3
"""Links that are opened in a row without one reply, before the session says that the engine is lost."""
FIRST_WAIT = 0.5
"""Seconds before the second retry, at most; the first one is at once."""
LONGEST_WAIT = 30.0
"""Seconds before any retry, at most."""
STEADY = 30.0
"""Seconds after which a link that is ready makes good the failures before it."""


def _codes(kind: type[TenutoError]) -> Iterator[str]:
    """Yield the codes of an error and its kinds that no second try makes good."""
    if not kind.retryable:
        yield kind.code
    for special in kind.__subclasses__():
        yield from _codes(special)


HOPELESS = frozenset(_codes(Refused))
"""Reasons that another link would fail for as well, until somebody mends the settings: a wrong key, a missing package."""


class Linking:
    """The link of a core to its engine."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe, self._state = scribe, scribe.state
        self.link = Link.CLOSED
        """It is not journaled: a new process has none."""
        self.moved: Callable[[Link, Link, float], None] | None = None
        """Told of each move of the link, before it: from where, to where, and when."""
        self.number = scribe.state.links
        """Of the newest link."""
        self.speaks = False
        """Whether it was opened for a client that is spoken to."""
        self.asked = 0
        """The turn whose answer it is making, an alarm's with a minus; 0 while it makes none."""
        self.unheard = False
        """Whether something was said that a link took along, and no other link has heard yet."""
        self.lost = False
        """Whether it was told that the engine is lost, and since then none was ready, and nobody has asked for one anew."""
        self._opened_with = 0
        """The version of the settings that the link was opened with."""
        self._failures = 0
        self._ready_at = 0.0

    # -------------------------------------------------------------------------------------------------------- the link

    @property
    def is_open(self) -> bool:
        """Whether there is a link, ready or about to be."""
        return self.link not in (Link.CLOSED, Link.WAITING, Link.FAILED)

    def _move(self, signal: LinkSignal) -> None:
        to = next_link(self.link, signal)
        if self.moved is not None:
            self.moved(self.link, to, self._scribe.at)
        self.link = to

    def need(self) -> None:
        """Open a link, if none is."""
        if not self._state.paused and not self.is_open:
            self._move(LinkSignal.OPEN)
            self.number += 1
            self.speaks = self._scribe.talks
            self._opened_with = self._state.config_version
            self._scribe.later(effects.OpenEngine(self.number, self.speaks, self.context()))

    def close(self) -> None:
        """Close the link, if there is one, and think no more of those before it."""
        if self.link is not Link.CLOSED:
            self._move(LinkSignal.CLOSE)
            self.asked, self._failures, self.lost = 0, 0, False
            self._scribe.later(effects.CloseEngine())

    def accept(self, number: int) -> None:
        """The engine answers."""
        if number == self.number and self.link is Link.CONNECTING:
            self._move(LinkSignal.ACCEPTED)

    def ready(self) -> None:
        """The engine has taken the settings and the history."""
        at = self._scribe.at
        self._move(LinkSignal.READY)
        self._ready_at, self.lost = at, False
        name = self._scribe.capabilities.name
        self._scribe.emit(e.EngineReady(at=at, engine=name, link=self.number))
        self.apply(self._opened_with)

    # ----------------------------------------------------------------------------------------------------- when it fails

    def fail(self) -> None:
        """The link is gone, and whatever it was asked with it."""
        if self.link is Link.READY and self._scribe.at - self._ready_at >= STEADY:
            self._failures = 0
        self._move(LinkSignal.LOST)
        self._failures += 1
        self.asked = 0

    @property
    def is_first_failure(self) -> bool:
        """Whether the link before the one that failed did not: another one is tried at once."""
        return self._failures == 1

    @property
    def is_spent(self) -> bool:
        """Whether so many links have failed in a row that the engine counts as lost."""
        return self._failures > RETRIES

    def wait(self) -> None:
        """Have the next link tried a while after the second failure, and later after each one that follows."""
        if not self.is_spent:
            self._move(LinkSignal.WAIT)
        doubled = 2.0 ** min(self._failures - 2, 10)
        self._scribe.later(effects.RetryLater(min(LONGEST_WAIT, FIRST_WAIT * doubled)))

    def forgive(self) -> None:
        """There is a reply, or somebody wants to start anew: what failed before does not count any more."""
        self._failures = 0

    # -------------------------------------------------------------------------------------------- what it is told and asked

    def ask(self, turn: int, text: str, spoken: tuple[str, ...] = ()) -> None:
        """Ask for an answer, unless it is being made.

        Args:
            turn: The turn to answer.
            text: What the user said in it.
            spoken: The segments of the answer that there are already.
        """
        if self._scribe.capabilities.answers and self.asked != turn:
            self.need()
            guest = turns.is_a_guests(self._state.recent, self._state.owed, turn)
            given = self._context_of_guest() if guest else self.context()
            self._tell(ports.Ask(turn=turn, text=text, context=given, spoken=spoken))
            self.asked = turn

    def ring(self, alarm: ports.Alarm) -> None:
        """Ask for words for an alarm that rang, unless they are being found."""
        if self._scribe.capabilities.answers and self.asked != -alarm.alarm:
            self.need()
            self._tell(ports.Ring(turn=-alarm.alarm, alarm=alarm, context=self.context()))
            self.asked = -alarm.alarm

    def speak(self, reply: int, index: int, text: str, last: bool, pace: float | None) -> None:
        """Have a segment of a reply spoken."""
        self.need()
        self._tell(ports.Speak(reply=reply, index=index, text=text, last=last, pace=pace))

    def drop(self) -> None:
        """Have it drop the answer that it is making and speaking."""
        self._scribe.at_once(effects.Quit())
        self.asked = 0

    def finish(self) -> None:
        """What was said so far is all. The engine may not have told of it yet: what waits for a link is heard first."""
        if self.link is Link.WAITING:
            self.need()
        if self.is_open:
            self._tell(ports.Finish())

    def configure(self) -> None:
        """Tell it of the settings, and of what it should know."""
        if self.is_open:
            self._tell(ports.Configure(context=self.context()))

    def refresh(self) -> None:
        """Tell it of what it should know, together with what comes next."""
        if self.is_open:
            self._scribe.later(effects.Refresh(self.context()))

    def apply(self, version: int) -> None:
        """It goes by that version of the settings. It may say so as often as it likes: it is news once."""
        if self._state.applied_version < version <= self._state.config_version:
            at = self._scribe.at
            self._scribe.emit(e.ConfigApplied(at=at, version=version, link=self.number))

    def use(self, used: ports.Used) -> None:
        """It has used that much."""
        # What is zero is left out: only the very default is left out of the journal by itself.
        amounts = {name: value for name, value in msgspec.structs.asdict(used).items() if value}
        name, at = self._scribe.capabilities.name, self._scribe.at
        self._scribe.emit(e.UsageRecorded(at=at, engine=name, link=self.number, **amounts))

    def _tell(self, request: ports.Request) -> None:
        self._scribe.later(effects.ToEngine(request))

    def context(self) -> ports.Context:
        """What the engine is given of the session now."""
        scribe = self._scribe
        return context.build(scribe.state, scribe.config, scribe.at, scribe.elsewhere)

    def _context_of_guest(self) -> ports.Context:
        """What somebody else than the session's user is answered from: nothing sensitive, and nothing of other sessions."""
        all_of_it = context.build(self._state, self._scribe.config, self._scribe.at)
        memories = tuple(memory for memory in all_of_it.memories if not memory.sensitive)
        return msgspec.structs.replace(all_of_it, memories=memories, given={}, guest=True)
