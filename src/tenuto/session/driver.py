"""Joins a core to its ports: with `link`, `playing`, `timer` and `session.py` the only room that knows asyncio.

What is acquired where, and released where:

| what | acquired | released |
|---|---|---|
| the lease | by the host, before the driver is made | by the host, after `stopped` |
| the task group | `run` | `run` returns; the host owns the task |
| a link (an engine and its task) | effect `OpenEngine` | effect `CloseEngine` or `OpenEngine`, or the end of `run` |
| what plays its audio (`playing`) | with the link | with the link, or `lose` |
| a listener | `add` | effect `LetGo`, or `lose` |
| timers (`timer`: grace, alarm, refresh, retry) | where they are set | where they fire, or `lose` |
| whoever waits for a commit | `when_durable`, `commit` | the commit, or `lose` |

`run` ends with `lose`, however it ends. After `lose` nothing is received, sent, timed or carried out any more.

One append is under way at a time; what happens meanwhile is the next one. Reflex effects are carried out inside
`receive`. Listeners, waiters and durable effects come after the commit, in that order.
"""

import asyncio
import logging
import random
from bisect import insort
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Protocol

import msgspec

from tenuto import events as e
from tenuto.clock import Clock
from tenuto.errors import LeaseLost, SessionEnded, StoreError, TenutoError
from tenuto.session import core as c
from tenuto.session import effects, fold, history, ports, stimuli
from tenuto.session.link import EngineLink
from tenuto.session.microphone import Microphone
from tenuto.session.past import Past
from tenuto.session.playing import Playing
from tenuto.session.state import Life, Link, Status
from tenuto.session.timer import Timer
from tenuto.text import spoken

log = logging.getLogger("tenuto.session")

SNAPSHOT_EVERY = 200
"""Events between two snapshots of a journal."""
RING_EVENTS = 1_000
"""Newest events that are kept in RAM for clients that come back."""
RING_BYTES = 1 << 20
REFRESH_SECONDS = 0.5
"""Seconds that a new context waits for a newer one before the engine is told: the last one wins."""
LONGEST_WAIT = 86_400.0
"""Seconds that an alarm's timer runs at most, before it is looked at again."""

_PARKED = Life.PARKED
_POSITION = itemgetter(0)


class Rows(Protocol):
    """Turns events into rows and back; the module `stores.rows` is one. Given, because neighbours are strangers."""

    def to_row(self, position: int, event: e.Event) -> ports.Row:
        """Return the row of an event."""
        ...

    def to_event(self, row: ports.Row) -> e.Event:
        """Return the event of a row."""
        ...


class Home(Protocol):
    """What a driver needs of its host."""

    def unload(self, driver: "Driver") -> None:
        """The session is parked, ended or lost: forget it here."""
        ...


class Driver:
    """One live session.

    Args:
        core: The session's decisions.
        store: Where its journal is kept.
        fence: The number that proves that this host owns it.
        rows: Turns events into rows and back.
        make_engine: Makes the engine of one link, told whether it has to hear and speak.
        clock: The time.
        home: The host.
        opening: For a session that does not exist yet: makes its journal and returns the fence.
    """

    def __init__(
        self,
        core: c.SessionCore,
        store: ports.Store,
        fence: int,
        rows: Rows,
        make_engine: Callable[[bool], ports.Engine],
        clock: Clock,
        home: Home,
        opening: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self.core = core
        self.fence = fence
        self._opening = opening
        self.durable = core.state.position
        """The last position that is committed."""
        self.listeners: dict[int, ports.Listener] = {}
        self.watchers: list[Callable[[ports.Row, e.Event], None]] = []
        """Called with each event after its commit. Must not raise."""
        self.watch_status: list[Callable[[Status], None]] = []
        self.error: TenutoError | None = None
        """Why the session is gone from here; None while it is not."""
        self.held = 0
        """Blocks of this program (`async with`) that hold it: while there are any, it is not parked for want of use."""
        self.microphone = Microphone()
        self.ring: deque[ports.Row] = deque()
        self._ring_bytes = 0
        self._store, self._rows, self._make_engine, self._home = store, rows, make_engine, home
        self._past = Past(self._read)
        self._clock = clock
        self._wall = clock.now() - clock.monotonic()
        self._pending: list[tuple[int, c.Taken]] = []
        """What is not committed yet, each with `_quits` at the time."""
        self._quits = 0
        """How often the engine was told to drop what it was asked before."""
        self._wake: asyncio.Future[None] | None = None
        self._waiters: list[tuple[int, Callable[[TenutoError | None], None]]] = []
        self._snapshot_at = core.state.position
        self._group: asyncio.TaskGroup | None = None
        self._link: EngineLink | None = None
        self._status = core.status
        self._grace = Timer(self._park)
        self._alarm = Timer(self._ring)
        self._due: float | None = None
        """When the alarm's timer is to ring; None when it is not set."""
        self._refresh = Timer(self._tell_context)
        self._retry = Timer(partial(self._try, stimuli.Retry()))
        self.jitter: Callable[[], float] = random.random
        """Which part of a wait is waited before another link is tried: from 0 to 1, another one each time."""
        self._timers = (self._grace, self._alarm, self._refresh, self._retry)
        self._speech_from = 0
        """Where the open speech began, in samples of the engine's stream."""
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop of `run`: to ask for the running one costs a system call before Python 3.12."""
        self.playing = Playing(core, clock, self.now, self._try)

    # ------------------------------------------------------------------------------------------------------------- stimuli

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC, that do not jump while the session is here."""
        return self._wall + self._clock.monotonic()

    def receive(self, stimulus: stimuli.Stimulus) -> int:
        """Take a stimulus and return the journal's head after it. Nothing of it is durable yet: see `when_durable`.

        Raises:
            TenutoError: As `SessionCore.receive`; or the session is gone from this host.
        """
        if self.error is not None:
            raise self.error
        core = self.core
        if core.state.life is _PARKED and not isinstance(stimulus, stimuli.Restore):
            raise LeaseLost(self._why_gone())  # It is on its way out: the same as a moment later.
        try:
            core.receive(stimulus, self.now())
        finally:
            for reflex in core.reflexes():
                self._reflex(reflex)
            if self.microphone.listens and not core.state.controller:
                self.microphone.stop()
            if self.microphone.is_muted is not core.state.paused:
                self.microphone.mute(core.state.paused)
            taken = core.take()
            if taken.events or taken.effects:
                self._pending.append((self._quits, taken))
                self._nudge()
        return core.state.position

    def when_durable(self, position: int, then: Callable[[TenutoError | None], None]) -> None:
        """Call `then` as soon as `position` is committed, or with the error that keeps it from being."""
        if self.error is not None:
            then(self.error)
        elif position <= self.durable:
            then(None)
        elif not self._waiters or self._waiters[-1][0] <= position:
            self._waiters.append((position, then))
        else:
            insort(self._waiters, (position, then), key=_POSITION)

    def commit(self, position: int | None = None) -> "asyncio.Future[int]":
        """Return what to await until `position`, or everything so far, is durable. It holds the position.

        Raises:
            TenutoError: It will not be: the session is gone from this host.
        """
        if self.error is not None:
            raise self.error
        target = self.core.state.position if position is None else position
        done: asyncio.Future[int] = (self._loop or asyncio.get_running_loop()).create_future()
        self.when_durable(target, partial(_settle, done, target))
        return done

    # ----------------------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Serve the session until it is parked, ended or lost. The host owns the task that this runs in."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._write()
                await self._drop_link()
        finally:
            self._group = None
            self._unlink()
            if self.core.state.ended:
                self.lose(SessionEnded(), "ended")
            else:
                self.lose(LeaseLost(self._why_gone()), "draining")

    def _why_gone(self) -> str:
        if self.core.state.life is not Life.PARKED:
            return "The session was unloaded from this host. Load it again."
        name = self.core.state.session
        return (
            f"Session {name} was closed, or nobody used it for {self.core.grace:g} s: it was put away, and nothing is lost. "
            f"Load it again with `session = await tenuto.load_session({name!r})`; within `async with session:` it stays."
        )

    @property
    def is_leaving(self) -> bool:
        """Whether the session is being put away here."""
        return self._stopping or self.core.state.life in (Life.PARKED, Life.ENDED)

    def stop(self) -> None:
        """Have `run` return after what is pending is committed."""
        self._stopping = True
        self._nudge()

    def _nudge(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def lose(self, error: TenutoError, reason: str = "moved") -> None:
        """Let go of everything at once: somebody else owns the session, or the store will not take its events."""
        if self.error is not None:
            return
        self.error = error
        self.stop()
        for timer in self._timers:
            timer.stop()
        self.playing.end()
        listeners = list(self.listeners.values())
        self.listeners.clear()
        for listener in listeners:
            try:
                listener.closed(reason)
            except Exception:
                # The others are told all the same, and so is whoever waits for a commit.
                log.exception("session %s: a listener failed", self.core.state.session)
        while self._waiters:
            self._waiters.pop(0)[1](error)

    async def _write(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        if self._opening is not None:
            try:
                self.fence = await self._opening()
            except TenutoError as error:
                self.lose(error)
                self._home.unload(self)
        while self.error is None:
            if not self._pending:
                if self._stopping:
                    return
                self._wake = loop.create_future()
                await self._wake
                self._wake = None
                continue
            batch, self._pending = self._pending, []
            events = [event for _, taken in batch for event in taken.events]
            if events and not await self._commit(events):
                return
            for quits, taken in batch:
                for effect in taken.effects:
                    await self._carry_out(effect, quits)
            self._arm_alarm()
            self.tell_status()

    async def _commit(self, events: Sequence[e.Event]) -> bool:
        """Append, then tell listeners and waiters. False when the session is gone."""
        first, state = self.durable + 1, self.core.state
        to_row = self._rows.to_row
        rows = [to_row(first + index, event) for index, event in enumerate(events)]
        head = first + len(rows) - 1
        snapshot = None
        if head - self._snapshot_at >= SNAPSHOT_EVERY or self._stopping:
            snapshot = ports.Snapshot(head, fold.encode(state))
        append = ports.Append(
            session=state.session,
            expected=self.durable,
            fence=self.fence,
            rows=rows,
            at=events[-1].at,
            due=state.wake,
            ended=state.ended,
        )
        try:
            await self._store.append(append)
        except TenutoError as error:
            log.warning("session %s lost: %s", state.session, error.code)
            self.lose(error, "overloaded" if isinstance(error, StoreError) else "moved")
            self._home.unload(self)
            return False
        self.durable = head
        self._tell(rows, events)
        while self._waiters and self._waiters[0][0] <= head:
            self._waiters.pop(0)[1](None)
        if snapshot is not None:
            await self._keep(snapshot)
        return self.error is None

    async def _keep(self, snapshot: ports.Snapshot) -> None:
        self._snapshot_at = snapshot.position
        session = self.core.state.session
        try:
            await self._store.save_snapshot(session, self.fence, snapshot)
        except StoreError as error:
            log.warning("session %s: no snapshot: %s", session, error.code)

    def _tell(self, rows: Sequence[ports.Row], events: Sequence[e.Event]) -> None:
        ring = self.ring
        for row, event in zip(rows, events, strict=True):
            ring.append(row)
            self._ring_bytes += len(row.body)
            while len(ring) > RING_EVENTS or self._ring_bytes > RING_BYTES:
                self._ring_bytes -= len(ring.popleft().body)
            if self.listeners:
                for listener in list(self.listeners.values()):
                    listener.event(row)
            for watcher in tuple(self.watchers):
                watcher(row, event)
            if isinstance(event, e.MessageAdded):
                self._past.note(event)

    def tell_status(self) -> None:
        """Tell everybody of a change of status."""
        status = self.core.status
        if status is not self._status:
            self._status = status
            self._tell_all("status", {"state": status.value})
            for watcher in list(self.watch_status):
                watcher(status)

    # -------------------------------------------------------------------------------------------------------------- effects

    def _reflex(self, effect: effects.Reflex) -> None:
        match effect:
            case effects.Hush(reply=reply):
                self.playing.stop()
                for listener in list(self.listeners.values()):
                    listener.hush(reply)
            case effects.Pause():
                self.playing.stop()
            case effects.Quit():
                self._quits += 1
                if self._link is not None:
                    self._link.send(ports.Cancel())

    async def _carry_out(self, effect: effects.Durable, quits: int) -> None:
        if self.error is not None:
            return
        if quits != self._quits and effects.is_for_an_answer(effect):
            return  # A reflex overtook what waited for its commit: what it cancelled must not be asked after it.
        match effect:
            case effects.OpenEngine():
                await self._drop_link()
                if self.error is None:
                    self._open_link(effect)
            case effects.ToEngine(request=request):
                if isinstance(request, ports.Configure):
                    self._refresh.stop()  # This one is newer than the context that waits.
                self._refresh.hurry()
                if self._link is not None:
                    self._link.send(request)
            case effects.Refresh(context=context):
                self._refresh.set(REFRESH_SECONDS, context)
            case effects.RetryLater(seconds=seconds):
                self._retry.set(seconds * self.jitter())
            case effects.Resume(reply=reply, heard=heard):
                self.playing.resume(reply, heard)
            case effects.CloseEngine():
                await self._drop_link()
            case effects.LetGo(attachment=number, reason=reason):
                listener = self.listeners.pop(number, None)
                self._set_ears()
                if listener is not None:
                    listener.closed(reason)
            case effects.StartGrace():
                self._grace.set(self.core.grace)
            case effects.Unload():
                state = self.core.state
                if self._snapshot_at < self.durable == state.position:
                    await self._keep(ports.Snapshot(self.durable, fold.encode(state)))
                self._stopping = True
                self._home.unload(self)

    def _park(self) -> None:
        self._try(stimuli.Park(held=self.held > 0))

    def _try(self, stimulus: stimuli.Stimulus) -> None:
        """Receive from a timer or an engine, where nobody is there to be told of a refusal."""
        try:
            self.receive(stimulus)
        except TenutoError as error:
            log.debug("%s: %s", type(stimulus).__name__, error.code)

    def _arm_alarm(self) -> None:
        due = self.core.state.due
        if due is not None and self.is_leaving:
            due = None  # Nothing that rings is heard here any more.
        if due == self._due:
            return
        self._due = due
        if due is None:
            self._alarm.stop()
        else:
            self._alarm.set(min(max(0.0, due - self.now()), LONGEST_WAIT))

    def _ring(self) -> None:
        self._due = None
        self._try(stimuli.Due())
        self._arm_alarm()

    # ------------------------------------------------------------------------------------------------------------- the link

    def _open_link(self, opening: effects.OpenEngine) -> None:
        number = opening.link
        try:
            engine = self._make_engine(opening.voice)
        except TenutoError as error:
            log.error("no engine: %s", error.message)
            self._take(number, ports.Failed(reason=error.code))
            return
        except Exception:
            # A bug of whoever makes engines must not take the session along.
            log.exception("no engine")
            self._take(number, ports.Failed(reason="error"))
            return
        link = self._link = EngineLink(number, engine, self._past, self)
        audio = self.playing.open(engine.capabilities.speaks or self.microphone.rate or 16_000)
        self._set_ears()
        self.microphone.connect(engine.hear, engine.capabilities.hears, link.broke)
        assert self._group is not None
        link.start(self._group, opening.context, audio)

    def _tell_context(self, context: ports.Context) -> None:
        if self._link is not None:
            self._link.send(ports.Configure(context=context))

    async def _drop_link(self) -> None:
        self._refresh.hurry()
        link = self._unlink()
        if link is not None:
            await link.close()

    def _unlink(self) -> EngineLink | None:
        link, self._link = self._link, None
        if link is not None:
            self.microphone.disconnect()
            self.playing.close()
        return link

    def accepted(self, link: EngineLink) -> None:
        """An engine has taken the context that it was opened with."""
        self._try(stimuli.LinkAccepted(link=link.number))

    def from_engine(self, link: EngineLink, event: ports.EngineEvent) -> None:
        """Take what an engine says. Late words, of a link that was replaced or a session that is gone, are dropped."""
        if link is not self._link or self.error is not None:
            return
        match event:
            case ports.Partial(text=text):
                self._tell_partial(text)
                return
            case ports.SpeechBegan(offset=offset):
                self._speech_from = offset
                event = ports.SpeechBegan(offset=self.microphone.at_client(offset))
            case ports.SpeechFinished(until=until):
                event = msgspec.structs.replace(
                    event,
                    until=self.microphone.at_client(until),
                    seconds=max(0.0, (until - self._speech_from) / link.hears),
                )
            case ports.Failed():
                link.lose()
                self.microphone.lose(self.safe_microphone())
                log.warning("session %s: engine lost: %s", self.core.state.session, event.reason)
            case _:
                pass
        self._take(link.number, event)
        if isinstance(event, ports.Ready):
            # What was said is older than what is asked: the end of a speech comes after it.
            self.microphone.ready()
            link.ready()
        self.tell_status()

    def _take(self, link: int, event: ports.EngineEvent) -> None:
        self._try(stimuli.FromEngine(link=link, event=event))
        if isinstance(event, ports.Failed) and self.core.link is Link.FAILED:
            # No other link is opened to hear it.
            self.microphone.forget()

    def safe_microphone(self) -> int:
        """Return the sample of the microphone before which nothing that was said can be lost any more."""
        state, stream = self.core.state, self.microphone.stream
        began = None
        if state.speech is not None:
            # Somebody may have taken over in the middle of it, with a stream of their own.
            began = state.speech.offset if state.speech.mic == stream else 0
        return max(self.microphone.safe(began), state.mics.get(stream, 0))

    def _tell_partial(self, text: str) -> None:
        """Show what was heard so far, as it may be stored; nothing when it cannot be made so."""
        try:
            clean, _ = self.core.clean(text)
        except TenutoError as error:
            log.warning("session %s: nothing is shown: %s", self.core.state.session, error.code)
            return
        if self.core.config.redaction != "off":
            clean = spoken.settled(clean)
        self._tell_all("partial", {"text": clean})

    def _tell_all(self, kind: str, body: dict[str, Any]) -> None:
        for listener in list(self.listeners.values()):
            listener.tell(kind, body)

    async def _read(self, before: int | None, limit: int) -> Sequence[tuple[int, e.Event]]:
        """Read messages of the journal, the newest first."""
        read = ports.Read(
            session=self.core.state.session,
            before=before,
            types=history.TYPES,
            newest_first=True,
            limit=limit,
        )
        try:
            rows = await self._store.read(read)
        except StoreError as error:
            log.warning("session %s: history not read: %s", read.session, error.code)
            raise
        return [(row.position, self._rows.to_event(row)) for row in rows]

    # ---------------------------------------------------------------------------------------------------------------- audio

    def add(self, number: int, listener: ports.Listener) -> None:
        """Tell this listener of everything from now on."""
        self.listeners[number] = listener
        self._set_ears()

    def _set_ears(self) -> None:
        here = self.core.state.here
        self.playing.heard_by(
            tuple(
                listener
                for number, listener in self.listeners.items()
                if (who := here.get(number)) is not None and who.voice
            )
        )


def _settle(done: "asyncio.Future[int]", position: int, error: TenutoError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(position)
    else:
        done.set_exception(error)
