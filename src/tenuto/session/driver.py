"""Joins a core to its ports: the only room, with `session.py`, that knows asyncio.

What is acquired where, and released where:

| what | acquired | released |
|---|---|---|
| the lease | by the host, before the driver is made | by the host, after `stopped` |
| the task group | `run` | `run` returns; the host owns the task |
| a link (an engine and the task that reads it) | effect `OpenEngine` | effect `CloseEngine`, a failure, or the end of `run` |
| a listener | `add` | effect `LetGo`, `lose`, or the end of `run` |
| timers (grace, alarm, play-out) | where they are armed | where they fire, or the end of `run` |

One append is under way at a time; what happens meanwhile is the next one. Reflex effects are carried out inside
`receive`. Listeners, waiters and durable effects come after the commit, in that order.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from tenuto import events as e
from tenuto.clock import Clock
from tenuto.errors import LeaseLost, SessionEnded, StoreError, TenutoError
from tenuto.session import core as c
from tenuto.session import effects, fold, history, ports, stimuli
from tenuto.session.microphone import Microphone
from tenuto.session.past import Past
from tenuto.session.player import FRAME, Player
from tenuto.session.state import Life, Link, Status, Turn
from tenuto.text import spoken

log = logging.getLogger("tenuto.session")

SNAPSHOT_EVERY = 200
"""Events between two snapshots."""
RING_EVENTS = 1_000
"""Newest events that are kept in RAM for clients that come back."""
RING_BYTES = 1 << 20
CLOSE_SECONDS = 2.0
"""Seconds that an engine may take to close."""
PLAYED_SECONDS = 2.0
"""Seconds after the last audio of a reply was sent, without a mark from the client, until it counts as heard."""
PLACE_SECONDS = 1.0
"""Seconds that a client which comes back after a crash waits for the audio that it has heard to be made again."""
REFRESH_SECONDS = 0.5
"""Seconds that a new context waits for a newer one before the engine is told: the last one wins."""
ARRIVED_SECONDS = 0.5
"""Seconds that audio may take to a client, at most: one that was there after that has it."""


_PARKED = Life.PARKED


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
        self.there: float | None = None
        """When the controller was there for certain, by `Clock.monotonic`; None when its transport does not say."""
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
        self._waiters: deque[tuple[int, Callable[[TenutoError | None], None]]] = deque()
        self._snapshot_at = core.state.position
        self._group: asyncio.TaskGroup | None = None
        self._link: _Link | None = None
        self._status = core.status
        self._grace: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due: float | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._played: asyncio.TimerHandle | None = None
        self._refreshing: asyncio.TimerHandle | None = None
        self._fresh: ports.Context | None = None
        """The context that the link is told of when the timer fires."""
        self._speech_from = 0
        """Where the open speech began, in samples of the engine's stream."""
        self._made = asyncio.Event()
        """Set when the engine has made more audio."""
        self._stopping = False

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
                if self._wake is not None and not self._wake.done():
                    self._wake.set_result(None)
        return core.state.position

    def when_durable(self, position: int, then: Callable[[TenutoError | None], None]) -> None:
        """Call `then` as soon as `position` is committed, or with the error that keeps it from being."""
        if self.error is not None:
            then(self.error)
        elif position <= self.durable:
            then(None)
        else:
            self._waiters.append((position, then))

    def commit(self, position: int | None = None) -> "asyncio.Future[int]":
        """Return what to await until `position`, or everything so far, is durable. It holds the position.

        Raises:
            TenutoError: It will not be: the session is gone from this host.
        """
        target = self.core.state.position if position is None else position
        if self.error is not None:
            raise self.error
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if target > self.durable:
            self._waiters.append((target, partial(_settle, done, target)))
        else:
            done.set_result(target)
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
            timers = (self._grace, self._alarm, self._ticking, self._played, self._refreshing)
            for timer in timers:
                if timer is not None:
                    timer.cancel()
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
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def lose(self, error: TenutoError, reason: str = "moved") -> None:
        """Let go of everything at once: somebody else owns the session, or the store will not take its events."""
        if self.error is not None:
            return
        self.error = error
        if self._link is not None:
            self._link.player.stop()
        for listener in list(self.listeners.values()):
            listener.closed(reason)
        self.listeners.clear()
        waiters, self._waiters = self._waiters, deque()
        for _, then in waiters:
            then(error)
        self.stop()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
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
                    # A reflex overtakes what waits for its commit: what it cancelled must not be asked after it.
                    if quits == self._quits or not effects.is_for_an_answer(effect):
                        await self._carry_out(effect)
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
            self._waiters.popleft()[1](None)
        if snapshot is not None:
            self._snapshot_at = head
            try:
                await self._store.save_snapshot(state.session, self.fence, snapshot)
            except StoreError as error:
                log.warning("session %s: no snapshot: %s", state.session, error.code)
        return self.error is None

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
            for listener in list(self.listeners.values()):
                listener.tell("status", {"state": status.value})
            for watcher in list(self.watch_status):
                watcher(status)

    # -------------------------------------------------------------------------------------------------------------- effects

    def _reflex(self, effect: effects.Reflex) -> None:
        link = self._link
        match effect:
            case effects.Hush(reply=reply):
                if link is not None:
                    link.player.stop()
                for listener in list(self.listeners.values()):
                    listener.hush(reply)
            case effects.Pause():
                if link is not None:
                    link.player.stop()
            case effects.Quit():
                self._quits += 1
                if link is not None:
                    link.send(ports.Cancel())

    async def _carry_out(self, effect: effects.Durable) -> None:
        match effect:
            case effects.OpenEngine():
                await self._drop_link()
                self._open_link(effect)
            case effects.ToEngine(request=request):
                if self._link is not None:
                    self._refresh_now(newer=isinstance(request, ports.Configure))
                    self._link.send(request)
            case effects.Refresh(context=context):
                self._refresh_later(context)
            case effects.Resume(reply=reply, heard=heard):
                if self._link is not None:
                    self._link.player.begin(reply, heard)
            case effects.CloseEngine():
                await self._drop_link()
            case effects.LetGo(attachment=number, reason=reason):
                listener = self.listeners.pop(number, None)
                self._set_ears()
                if listener is not None:
                    listener.closed(reason)
            case effects.StartGrace():
                if self._grace is not None:
                    self._grace.cancel()
                self._grace = asyncio.get_running_loop().call_later(self.core.grace, self._park)
            case effects.Unload():
                await self._last_snapshot()
                self._stopping = True
                self._home.unload(self)

    async def _last_snapshot(self) -> None:
        state = self.core.state
        if self._snapshot_at < self.durable == state.position:
            self._snapshot_at = self.durable
            snapshot = ports.Snapshot(self.durable, fold.encode(state))
            try:
                await self._store.save_snapshot(state.session, self.fence, snapshot)
            except StoreError as error:
                log.warning("session %s: no snapshot: %s", state.session, error.code)

    def _park(self) -> None:
        self._grace = None
        self._try(stimuli.Park(held=self.held > 0))

    def _try(self, stimulus: stimuli.Stimulus) -> None:
        """Receive from a timer or an engine, where nobody is there to be told of a refusal."""
        try:
            self.receive(stimulus)
        except TenutoError as error:
            log.debug("%s: %s", type(stimulus).__name__, error.code)

    def _arm_alarm(self) -> None:
        due = self.core.state.due
        if due == self._alarm_due:
            return
        self._alarm_due = due
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if due is not None:
            wait = max(0.0, due - self.now())
            self._alarm = asyncio.get_running_loop().call_later(min(wait, 86_400.0), self._ring_due)

    def _ring_due(self) -> None:
        self._alarm, self._alarm_due = None, None
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
        rate = engine.capabilities.speaks or self.microphone.rate or 16_000
        link = _Link(number, engine, Player(rate, self.core), self)
        self._link = link
        self._set_ears()
        self.microphone.connect(engine.hear, engine.capabilities.hears)
        assert self._group is not None
        link.task = self._group.create_task(link.run(opening.context))

    def _refresh_later(self, context: ports.Context) -> None:
        self._fresh = context
        if self._refreshing is not None:
            self._refreshing.cancel()
        loop = asyncio.get_running_loop()
        self._refreshing = loop.call_later(REFRESH_SECONDS, self._refresh_now)

    def _refresh_now(self, *, newer: bool = False) -> None:
        """Tell the engine of the context that waits, unless it is about to be told of a newer one."""
        context, self._fresh = self._fresh, None
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None
        if context is not None and self._link is not None and not newer:
            self._link.send(ports.Configure(context=context))

    async def _drop_link(self) -> None:
        self._refresh_now()
        link, self._link = self._link, None
        if link is None:
            return
        self.microphone.disconnect()
        link.player.stop()
        if link.task is not None:
            link.task.cancel()
            await asyncio.wait([link.task], timeout=CLOSE_SECONDS + 1.0)

    def from_engine(self, link: "_Link", event: ports.EngineEvent) -> None:
        """Take what an engine says. Late words of a link that was replaced are dropped."""
        if link is not self._link:
            return
        match event:
            case ports.Partial(text=text):
                self._tell_partial(text)
                return
            case ports.SpeechBegan(offset=offset):
                self._speech_from = offset
                event = ports.SpeechBegan(offset=self.microphone.at_client(offset))
            case ports.SpeechFinished(until=until):
                rate = link.engine.capabilities.hears or self.microphone.rate or 16_000
                event = msgspec.structs.replace(
                    event,
                    until=self.microphone.at_client(until),
                    seconds=max(0.0, (until - self._speech_from) / rate),
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
        for listener in list(self.listeners.values()):
            listener.tell("partial", {"text": clean})

    async def _read(self, before: int | None, limit: int) -> Sequence[tuple[int, e.Event]]:
        """Read messages of the journal, the newest first."""
        read = ports.Read(
            session=self.core.state.session,
            before=before,
            types=history.TYPES,
            newest_first=True,
            limit=limit,
        )
        return [(row.position, self._rows.to_event(row)) for row in await self._store.read(read)]

    def has_past(self, context: ports.Context) -> bool:
        """Whether there is nothing to read for a context."""
        return self._past.covers(context.older)

    async def read_past(self, context: ports.Context) -> bool:
        """Read the messages that a context wants and the state does not keep. False when the store does not answer."""
        try:
            await self._past.read(context.older)
        except StoreError as error:
            log.warning("session %s: history not read: %s", self.core.state.session, error.code)
            return False
        return True

    def whole(self, context: ports.Context) -> ports.Context:
        """Return a context with the older messages that were read for it."""
        return self._past.complete(context)

    # ---------------------------------------------------------------------------------------------------------------- audio

    def add(self, number: int, listener: ports.Listener) -> None:
        """Tell this listener of everything from now on."""
        self.listeners[number] = listener
        self._set_ears()

    def _set_ears(self) -> None:
        if self._link is not None:
            here = self.core.state.here
            self._link.player.ears = tuple(
                listener
                for number, listener in self.listeners.items()
                if (who := here.get(number)) is not None and who.voice
            )

    def playing(self) -> None:
        """Audio of a reply came from the engine: see that it is sent in time."""
        self._made.set()
        if self._ticking is None:
            self._tick()

    def _tick(self) -> None:
        self._ticking = None
        link = self._link
        if link is None:
            return
        wait = link.player.tick(self._clock.monotonic())
        if wait is not None:
            self._expect_nothing()
            loop = asyncio.get_running_loop()
            self._ticking = loop.call_later(max(wait, FRAME / 4), self._tick)
        elif self._is_all_sent():
            playback = self.core.playback
            if playback is not None and playback.is_heard:
                self._try(stimuli.Played(reply=playback.reply))
            else:
                self._expect_played()

    def _is_all_sent(self) -> bool:
        reply, playback = self.core.state.reply, self.core.playback
        return (
            reply is not None
            and playback is not None
            and reply.complete
            and len(playback.ends) == len(reply.segments)
        )

    async def find_place(self) -> None:
        """Wait until it is known which words of a reply that goes on were heard; at most `PLACE_SECONDS`.

        After a crash only the seconds are known. Whoever speaks before the audio is made again would cut it anywhere.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PLACE_SECONDS):
                while self._seeks_place():
                    self._made.clear()
                    await self._made.wait()

    def _seeks_place(self) -> bool:
        playback = self.core.playback
        seeks = playback is not None and playback.marked > 0 and not playback.knows_place
        return seeks and self.core.state.turn is Turn.SPEAKING and self.error is None

    def _expect_played(self) -> None:
        """Count the reply as heard when the client says nothing about it for a while; one that marks is believed."""
        self._look_later(self.core.state.replies, self._clock.monotonic() + ARRIVED_SECONDS)

    def _expect_nothing(self) -> None:
        if self._played is not None:
            self._played.cancel()
            self._played = None

    def _look_later(self, reply: int, arrived: float) -> None:
        self._expect_nothing()
        self._played = asyncio.get_running_loop().call_later(
            PLAYED_SECONDS, self._not_marked, reply, arrived
        )

    def _not_marked(self, reply: int, arrived: float) -> None:
        self._played = None
        playback = self.core.playback
        if playback is None or playback.reply != reply or not self.core.state.controller:
            return
        marks = playback.marked_at is not None and self.now() - playback.marked_at < PLAYED_SECONDS
        # Nobody hears anything over a connection that is dead, and it takes a while until that shows.
        if marks or (self.there is not None and self.there < arrived):
            self._look_later(reply, arrived)
        else:
            self._try(stimuli.Played(reply=reply))


def _settle(done: "asyncio.Future[int]", position: int, error: TenutoError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(position)
    else:
        done.set_exception(error)


class _Link:
    """One engine and the task that reads it.

    Requests are sent in their order. One whose context lacks messages that have to be read first holds up those after it,
    and nothing else.
    """

    def __init__(self, number: int, engine: ports.Engine, player: Player, driver: Driver) -> None:
        self.number, self.engine, self.player = number, engine, player
        self.task: asyncio.Task[None] | None = None
        self._driver = driver
        self._is_ready = False
        self._reading: asyncio.Task[None] | None = None
        self._waiting: list[ports.Request] = []

    def send(self, request: ports.Request) -> None:
        """Send now, or as soon as the link is ready: at most one answer's worth waits, and the newest settings."""
        if isinstance(request, ports.Cancel):
            self._forget(lambda waits: not isinstance(waits, ports.Configure | ports.Finish))
            if self._is_ready:
                self.engine.send(request)
            return
        if isinstance(request, ports.Configure):
            self._forget(lambda waits: isinstance(waits, ports.Configure))
        self._waiting.append(request)
        self._flush()

    def _forget(self, which: Callable[[ports.Request], bool]) -> None:
        self._waiting = [waits for waits in self._waiting if not which(waits)]

    def ready(self) -> None:
        self._is_ready = True
        self._flush()

    def lose(self) -> None:
        """Send nothing any more: what is still asked of it is asked of the next one too."""
        self._is_ready = False

    def _flush(self) -> None:
        """Send what waits, up to the first request that something has to be read for."""
        while self._waiting and self._is_ready and self._reading is None:
            request = self._waiting[0]
            if isinstance(request, _WITH_CONTEXT) and not self._driver.has_past(request.context):
                self._reading = asyncio.ensure_future(self._read(request.context))
            else:
                self._send_first()

    def _send_first(self) -> None:
        request = self._waiting.pop(0)
        if isinstance(request, _WITH_CONTEXT) and request.context.older is not None:
            whole = self._driver.whole(request.context)
            request = msgspec.structs.replace(request, context=whole)
        self.engine.send(request)

    async def _read(self, context: ports.Context) -> None:
        read = await self._driver.read_past(context)
        self._reading = None
        if not read and self._waiting:
            self._send_first()
        self._flush()

    async def run(self, context: ports.Context) -> None:
        driver, engine = self._driver, self.engine
        rate = engine.capabilities.hears or driver.microphone.rate or 16_000
        try:
            if not driver.has_past(context):
                await driver.read_past(context)
            await engine.open(driver.whole(context), rate, _Out(self.player, driver))
            driver._try(stimuli.LinkAccepted(link=self.number))
            async for event in engine:
                driver.from_engine(self, event)
            driver.from_engine(self, ports.Failed(reason="closed"))
        except TenutoError as error:
            driver.from_engine(self, ports.Failed(reason=error.code))
        except Exception:
            # An engine's bug must not take the session along.
            log.exception("engine %s failed", engine.capabilities.name)
            driver.from_engine(self, ports.Failed(reason="error"))
        finally:
            if self._reading is not None:
                self._reading.cancel()
            try:
                await asyncio.wait_for(engine.close(), CLOSE_SECONDS)
            except Exception as error:  # noqa: BLE001 -- an engine's bug must not take the session along
                name = engine.capabilities.name
                log.warning("engine %s did not close: %s", name, type(error).__name__)


_WITH_CONTEXT = (ports.Ask, ports.Ring, ports.Configure)


class _Out:
    """The player, as the engine sees it: what is queued starts to be sent at once."""

    def __init__(self, player: Player, driver: Driver) -> None:
        self.relay = player.relay
        self.queued = player.queued
        self.stop = player.stop
        self._player, self._driver = player, driver

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        self._player.play(reply, index, pcm, last)
        self._driver.playing()
