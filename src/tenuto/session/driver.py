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
from typing import Protocol

from tenuto import events as e
from tenuto.audio.resample import Resampler
from tenuto.clock import Clock
from tenuto.errors import LeaseLost, SessionEnded, StoreError, TenutoError
from tenuto.session import core as c
from tenuto.session import effects, fold, ports, stimuli
from tenuto.session.player import FRAME, Player
from tenuto.session.state import Life, Status, Turn

log = logging.getLogger("tenuto.session")

SNAPSHOT_EVERY = 200
"""Events between two snapshots."""
RING_EVENTS = 1_000
"""Newest events that are kept in RAM for clients that come back."""
RING_BYTES = 1 << 20
EARLY_SECONDS = 30
"""Seconds of microphone that wait for the engine to be ready: as many as a client keeps. The oldest go first."""
CLOSE_SECONDS = 2.0
"""Seconds that an engine may take to close."""
PLAYED_SECONDS = 2.0
"""Seconds after the last audio of a reply was sent, without a mark from the client, until it counts as heard."""
PLACE_SECONDS = 1.0
"""Seconds that a client which comes back after a crash waits for the audio that it has heard to be made again."""
ARRIVED_SECONDS = 0.5
"""Seconds that audio may take to a client, at most: one that was there after that has it."""


class Encoder(Protocol):
    """Turns events into rows; `stores.rows` is one. Given, because neighbours are strangers."""

    def __call__(self, position: int, event: e.Event) -> ports.Row: ...


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
        encode: Turns events into rows.
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
        encode: Encoder,
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
        self.microphone = Microphone()
        self.there: float | None = None
        """When the controller was there for certain, by `Clock.monotonic`; None when its transport does not say."""
        self.ring: deque[ports.Row] = deque()
        self._ring_bytes = 0
        self._store, self._encode, self._make_engine, self._home = store, encode, make_engine, home
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
        try:
            core.receive(stimulus, self.now())
        finally:
            for reflex in core.reflexes():
                self._reflex(reflex)
            if self.microphone.listens and not core.state.controller:
                self.microphone.stop()
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

    async def commit(self, position: int | None = None) -> int:
        """Wait until `position`, or everything so far, is durable. Returns the position.

        Raises:
            TenutoError: It will not be: the session is gone from this host.
        """
        target = self.core.state.position if position is None else position
        if target > self.durable or self.error is not None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def settle(error: TenutoError | None) -> None:
                if not done.done():
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(error)

            self.when_durable(target, settle)
            await done
        return target

    # ----------------------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Serve the session until it is parked, ended or lost. The host owns the task that this runs in."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._write()
                await self._drop_link()
        finally:
            self._group = None
            for timer in (self._grace, self._alarm, self._ticking, self._played):
                if timer is not None:
                    timer.cancel()
            if self.core.state.ended:
                self.lose(SessionEnded(), "ended")
            else:
                self.lose(
                    LeaseLost("The session was unloaded from this host. Load it again."), "draining"
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
        rows = [self._encode(first + index, event) for index, event in enumerate(events)]
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
            due=state.due,
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
        for row, event in zip(rows, events, strict=True):
            self.ring.append(row)
            self._ring_bytes += len(row.body)
            while len(self.ring) > RING_EVENTS or self._ring_bytes > RING_BYTES:
                self._ring_bytes -= len(self.ring.popleft().body)
            if self.listeners:
                for listener in list(self.listeners.values()):
                    listener.event(row)
            for watcher in self.watchers:
                watcher(row, event)

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
                    self._link.send(request)
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
        self._try(stimuli.Park())

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
            self._try(stimuli.FromEngine(link=number, event=ports.Failed(reason=error.code)))
            return
        rate = engine.capabilities.speaks or self.microphone.rate or 16_000
        link = _Link(number, engine, Player(rate, self.core), self)
        self._link = link
        self._set_ears()
        self.microphone.connect(engine.hear, engine.capabilities.hears)
        assert self._group is not None
        link.task = self._group.create_task(link.run(opening.context))

    async def _drop_link(self) -> None:
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
                for listener in list(self.listeners.values()):
                    listener.tell("partial", {"text": text})
                return
            case ports.SpeechBegan(offset=offset):
                event = ports.SpeechBegan(offset=self.microphone.at_client(offset))
            case ports.SpeechFinished(until=until, text=text, reason=reason):
                until = self.microphone.at_client(until)
                event = ports.SpeechFinished(until=until, text=text, reason=reason)
            case ports.Failed():
                self.microphone.disconnect()
                log.warning("session %s: engine lost: %s", self.core.state.session, event.reason)
            case _:
                pass
        self._try(stimuli.FromEngine(link=link.number, event=event))
        if isinstance(event, ports.Ready):
            link.ready()
            self.microphone.ready()
        self.tell_status()

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


class _Link:
    """One engine and the task that reads it."""

    def __init__(self, number: int, engine: ports.Engine, player: Player, driver: Driver) -> None:
        self.number, self.engine, self.player = number, engine, player
        self.task: asyncio.Task[None] | None = None
        self._driver = driver
        self._waiting: list[ports.Request] | None = []

    def send(self, request: ports.Request) -> None:
        """Send now, or as soon as the link is ready: at most one answer's worth waits."""
        if self._waiting is None:
            self.engine.send(request)
        elif isinstance(request, ports.Cancel):
            self._waiting.clear()
        else:
            self._waiting.append(request)

    def ready(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for request in waiting:
            self.engine.send(request)

    async def run(self, context: ports.Context) -> None:
        driver, engine = self._driver, self.engine
        rate = engine.capabilities.hears or driver.microphone.rate or 16_000
        try:
            await engine.open(context, rate, _Out(self.player, driver))
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
            try:
                await asyncio.wait_for(engine.close(), CLOSE_SECONDS)
            except Exception as error:  # noqa: BLE001 -- an engine's bug must not take the session along
                name = engine.capabilities.name
                log.warning("engine %s did not close: %s", name, type(error).__name__)


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


class Microphone:
    """The controller's microphone on its way to the engine.

    A client counts samples from the beginning of its stream, at its own rate; an engine hears one stream without an end, at
    the engine's rate. This is where one becomes the other, and where early audio waits.
    """

    def __init__(self) -> None:
        self.stream = ""
        self.rate = 0
        self.listens = False
        """Whether what comes is taken: somebody has the controls."""
        self.heard = 0
        """The client's sample after the last one that was taken."""
        self.hear: Callable[[bytes | bytearray | memoryview, int], None] = self._drop
        """Takes one frame and its offset in the client's stream. Replaced as the link comes and goes."""
        self._engine: Callable[[bytes | bytearray | memoryview, int], None] | None = None
        self._wanted: int | None = None
        self._resampler: Resampler | None = None
        self._shift = 0
        """What is added to a client's sample to get the engine's, both at the engine's rate."""
        self._given = 0
        """The engine's sample after the last one that it was given."""
        self._ratio = 1.0
        self._early: deque[tuple[bytes, int]] = deque()
        self._early_bytes = 0
        self._is_ready = False

    @property
    def alive(self) -> bool:
        """Whether a link has heard what was heard so far."""
        return self._engine is not None

    def start(self, stream: str, rate: int, offset: int) -> None:
        """A client's stream goes on at `offset`; a new stream begins there."""
        goes_on = (stream, rate, offset) == (self.stream, self.rate, self.heard)
        if stream != self.stream or rate != self.rate:
            self._early.clear()
            self._early_bytes = 0
        self.stream, self.rate, self.heard, self.listens = stream, rate, offset, True
        if goes_on:
            self._choose()
        else:
            self._tune()

    def stop(self) -> None:
        """The client is gone: what still comes of its connection is not taken, as it comes again."""
        self.listens, self.hear = False, self._drop

    def connect(
        self,
        hear: Callable[[bytes | bytearray | memoryview, int], None],
        wanted: int | None,
    ) -> None:
        """A new link: it is given audio when it is ready; until then what comes waits."""
        self._engine, self._wanted, self._is_ready, self._given = hear, wanted, False, 0
        self._tune()

    def disconnect(self) -> None:
        """The link is gone: what comes from now on waits for the next one."""
        self._engine, self._is_ready = None, False
        self._choose()

    def ready(self) -> None:
        """The link is ready: give it what waited."""
        self._is_ready = True
        early, self._early = self._early, deque()
        self._early_bytes = 0
        if early:
            self.heard = early[0][1]
        self._tune()
        for pcm, offset in early:
            self.hear(pcm, offset)

    def at_client(self, sample: int) -> int:
        """Return the client's sample of one of the engine's."""
        return max(0, round((sample - self._shift) / self._ratio))

    def safe(self, speech: int | None) -> int:
        """Return the sample before which nothing that was said can be lost.

        Args:
            speech: Where the open speech began, in the client's samples; None when nobody speaks.
        """
        return speech if speech is not None else max(0, self.heard - self.rate)

    def _tune(self) -> None:
        wanted = self._wanted or self.rate
        self._ratio = wanted / self.rate if self.rate else 1.0
        resamples = bool(self.rate) and wanted != self.rate
        self._resampler = Resampler(self.rate, wanted) if resamples else None
        self._shift = self._given - round(self.heard * self._ratio)
        self._choose()

    def _choose(self) -> None:
        if not self.listens:
            self.hear = self._drop
        elif not self._is_ready or self._engine is None:
            self.hear = self._keep
        else:
            self.hear = self._pass if self._resampler is None else self._resample

    def _pass(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        assert self._engine is not None
        if offset < self.heard:
            # A frame that was under way on the connection before: an engine hears each sample once.
            pcm, offset = pcm[2 * (self.heard - offset) :], self.heard
            if not pcm:
                return
        self.heard = offset + (len(pcm) >> 1)
        self._given = self.heard + self._shift
        self._engine(pcm, offset + self._shift)

    def _resample(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        assert self._engine is not None and self._resampler is not None
        if offset < self.heard:
            pcm, offset = pcm[2 * (self.heard - offset) :], self.heard
            if not pcm:
                return
        if offset > self.heard:
            self._given += round((offset - self.heard) * self._ratio)
        self.heard = offset + (len(pcm) >> 1)
        ready = self._resampler.push(pcm)
        if ready:
            self._engine(ready, self._given)
            self._given += len(ready) >> 1

    def _keep(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Have it wait. What is sent again takes the place of what was sent before."""
        while self._early and self._early[-1][1] >= offset:
            self._early_bytes -= len(self._early.pop()[0])
        self.heard = offset + (len(pcm) >> 1)
        self._early.append((bytes(pcm), offset))
        self._early_bytes += len(pcm)
        while self._early_bytes > 2 * EARLY_SECONDS * max(self.rate, 8_000):
            self._early_bytes -= len(self._early.popleft()[0])

    def _drop(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Nobody knows what this is, or it comes again."""
