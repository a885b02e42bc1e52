"""A host: one process and its live sessions. `Tenuto` is its public face.

A session is live on one host at a time, by the lease in its store. The host opens and loads sessions, renews their leases
in one write, wakes the ones that have something to do by themselves, and lets go of them when nobody needs them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from tenuto import events as e
from tenuto.clock import Clock, SystemClock
from tenuto.errors import (
    AppendConflict,
    InvalidInput,
    LeaseLost,
    NotAuthenticated,
    SessionEnded,
    SessionNotFound,
    StoreError,
    StoreUnavailable,
    TenutoError,
)
from tenuto.host.engines import BuiltInEngines
from tenuto.ids import host_id, is_gone, new_epoch, new_id
from tenuto.session import config as settings
from tenuto.session import core as c
from tenuto.session import fold, history, ports, resume, stimuli
from tenuto.session.config import SessionConfig
from tenuto.session.driver import Driver
from tenuto.session.history import HistoryPage
from tenuto.session.session import Session
from tenuto.session.state import Life
from tenuto.settings import TenutoConfig
from tenuto.stores import rows
from tenuto.stores.open import open_store

log = logging.getLogger("tenuto.host")

WATCH_SECONDS = 0.5
"""How often a journal that another host writes is read by `watch`."""
ALARM_SECONDS = 0.5
"""How often the store is asked for parked sessions whose alarm is due."""
DRAIN_SECONDS = 5.0
"""Seconds that sessions may take to be put away."""
MARGIN = 0.2
"""The part of a lease before its end at which an owner that could not renew stops acting."""


class Opening:
    """A session that is about to be here: await it, or use it with `async with`, which closes it at the end."""

    def __init__(self, opening: Coroutine[Any, Any, Session]) -> None:
        self._opening = opening
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._opening.__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._opening
        return self._session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()


class Tenuto:
    """Sessions for voice agents that outlive reloads, lost networks and killed servers.

    Args:
        config: The settings; the defaults keep journals in `tenuto.db` and need no key and no network.
        store: A store to use in place of `config.store`.
        engines: Engines to use in place of `config.engine`.
        clock: The time.

    Example:
        >>> async with Tenuto() as tenuto:  # doctest: +SKIP
        ...     async with tenuto.session(user_id="alice") as session:
        ...         reply = await session.send_message("What time is it?")
    """

    def __init__(
        self,
        config: TenutoConfig | None = None,
        *,
        store: ports.Store | None = None,
        engines: ports.Engines | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or TenutoConfig()
        self.clock = clock or SystemClock()
        self.id = host_id()
        self.sessions_here: dict[str, Session] = {}
        """The sessions that are live on this host, by id."""
        self._given_store, self._store = store, store
        self.engines: ports.Engines = engines or BuiltInEngines(self.config)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loading: dict[str, asyncio.Task[Session]] = {}
        self._making: dict[str, Session] = {}
        """Sessions whose journals are being made: nobody knows yet whether there is one of that id."""
        self._background: set[asyncio.Task[None]] = set()
        self._renewed = 0.0
        self._closing = False
        self.pulse: set[Callable[[float], None]] = set()
        """Called once a second, with seconds of a clock that does not jump."""

    @property
    def store(self) -> ports.Store:
        """Where journals are kept.

        Raises:
            TenutoError: It cannot be opened; the message says what to do.
        """
        if self._store is None:
            self._store = open_store(self.config.store)
        return self._store

    async def __aenter__(self) -> Self:
        await self.store.due(0.0, 1)
        self._renewed = self.clock.monotonic()
        for job in (self._renew_leases, self._ring_alarms, self._beat):
            self.spawn(job())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def warm(self) -> None:
        """Load the engine's voice beside, so that the first to speak does not wait for it."""

        async def load() -> None:
            try:
                await self.engines.start()
            except TenutoError as error:
                log.error("no voice: %s", error.message)

        self.spawn(load())

    async def close(self) -> None:
        """Put every session away and let go of the store and the engines."""
        await self.drain()
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        await self.engines.close()
        if self._given_store is None and self._store is not None:
            await self._store.close()
            self._store = None

    async def drain(self) -> None:
        """Put every session away: clients are told to come back, journals are complete, leases are given up."""
        self._closing = True
        if self._loading:
            await asyncio.wait(list(self._loading.values()), timeout=DRAIN_SECONDS)
        for session in [*self.sessions_here.values(), *self._making.values()]:
            driver = session.driver
            try:
                for number in list(driver.core.state.here):
                    driver.receive(stimuli.Leave(attachment=number, reason="draining"))
            except TenutoError as error:
                log.warning("session %s: %s while draining", session.session_id, error.code)
            driver.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=DRAIN_SECONDS)

    # ---------------------------------------------------------------------------------------------------------------- sessions

    def session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | None = None,
        tenant: str = "local",
    ) -> Opening:
        """Open the session of that id, or make one. Works with `await` and `async with`, which closes it at the end."""

        async def open_or_create() -> Session:
            if session_id is not None:
                try:
                    return await self.load_session(session_id, tenant=tenant)
                except SessionNotFound:
                    pass
            return await self.create_session(
                user_id=user_id, session_id=session_id, config=config, tenant=tenant
            )

        return Opening(open_or_create())

    def create_session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | None = None,
        tenant: str = "local",
    ) -> Session:
        """Make a session. It can be used at once; await it for durability.

        Args:
            user_id: Whose it is; `local` when not given.
            session_id: Its id, 1 to 100 characters; made up when not given.
            config: Its settings.

        Raises:
            InvalidInput: A value is wrong.
            AppendConflict: There is a session of that id; raised when awaited, or at once if it is live here.
        """
        session_id = _acceptable("session_id", session_id or new_id())
        user = _acceptable("user_id", user_id or "local")
        if session_id in self._tasks or session_id in self._loading:
            raise AppendConflict(f"Session {session_id} exists already.")
        state = fold.State()
        new = ports.NewSession(
            session=session_id, tenant=tenant, user=user, epoch=new_epoch(), at=self.clock.now()
        )

        async def opening() -> int:
            try:
                lease = await self.store.create(new, self.id, self.config.url, self.config.lease)
            finally:
                self._making.pop(session_id, None)
            self.sessions_here[session_id] = session
            return lease.fence

        driver = self._driver(state, 0, opening)
        driver.receive(
            stimuli.Create(
                session=session_id,
                tenant=tenant,
                user=user,
                epoch=new.epoch,
                config=settings.differences(config or SessionConfig()),
            )
        )
        session = self._making[session_id] = self._start(session_id, driver)
        return session

    async def load_session(self, session_id: str, *, tenant: str = "local") -> Session:
        """Take a session to this host. One that is live here already is the same object.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
            SessionEnded: It has ended.
            SessionLocked: Another host has it; the error says which, and until when.
            StoreUnavailable: This host is going down.
        """
        making = self._making.get(session_id)
        if making is not None and making.driver.core.state.tenant == tenant:
            try:
                return await making
            except AppendConflict:
                pass  # There was one of that id before.
        live = self.sessions_here.get(session_id)
        if live is not None and live.driver.error is None and not live.driver.is_leaving:
            if live.driver.core.state.tenant != tenant:
                raise SessionNotFound
            await live.commit()
            return live
        if self._closing:
            raise StoreUnavailable("This host is going down. Come back in a moment.")
        head = await self.head(session_id, tenant=tenant)
        if head.ended:
            raise SessionEnded
        if session_id not in self._loading:
            task = asyncio.create_task(self._load(session_id))
            self._loading[session_id] = task
            task.add_done_callback(lambda _: self._loading.pop(session_id, None))
        return await asyncio.shield(self._loading[session_id])

    async def resume_session(self, session_id: str, client: str, token: str) -> Session:
        """Load a session for a client that shows nothing but its resume token.

        Nothing is taken or written before the token is known to be of that client.

        Raises:
            NotAuthenticated: It is not, or there is no such session: the two look the same.
        """
        live = self.sessions_here.get(session_id)
        if live is not None and live.driver.error is None:
            state = live.driver.core.state
        else:
            loaded = await self.store.load(session_id)
            state = await self._fold(loaded) if loaded is not None else fold.State()
        proof = resume.prove(state.clients.get(client), token, self.clock.now())
        if proof is resume.Proof.UNKNOWN:
            raise NotAuthenticated("The resume token is not valid any more. Get a ticket.")
        return await self.load_session(session_id, tenant=state.tenant)

    async def head(self, session_id: str, *, tenant: str = "local") -> ports.Head:
        """Return what is known of a session without loading it.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
        """
        head = await self.store.head(session_id)
        if head is None or head.tenant != tenant or head.position == 0:
            raise SessionNotFound
        return head

    async def sessions(self, query: ports.Query) -> Sequence[ports.Head]:
        """List sessions, the most recently updated first."""
        return await self.store.sessions(query)

    async def history(
        self, session_id: str, *, tenant: str = "local", before: int | None = None, limit: int = 50
    ) -> HistoryPage:
        """Return a page of messages, oldest first: the newest page, or the one before a position.

        Raises:
            SessionNotFound: There is no such session.
        """
        await self.head(session_id, tenant=tenant)
        return await self._history(session_id, before, limit)

    async def _history(self, session_id: str, before: int | None, limit: int) -> HistoryPage:
        found = await self.store.read(
            ports.Read(
                session=session_id,
                before=before,
                types=history.TYPES,
                newest_first=True,
                limit=limit + 1,
            )
        )
        return history.page([(row.position, rows.to_event(row)) for row in found], limit)

    async def watch(
        self, session_id: str, *, tenant: str = "local", after: int = 0
    ) -> AsyncIterator[ports.Row]:
        """Yield every event after a position: what happened, then what happens. Ends after `session.ended`.

        Works for sessions of other hosts too. Slow readers cost nothing: they read the journal, not a queue.

        Raises:
            SessionNotFound: There is no such session.
        """
        await self.head(session_id, tenant=tenant)
        more = asyncio.Event()
        ended = e.TAGS[e.SessionEnded]
        watched: Driver | None = None

        def wake(row: ports.Row, event: e.Event) -> None:
            more.set()

        try:
            while not self._closing:
                more.clear()
                live = self.sessions_here.get(session_id)
                if live is not None and live.driver is not watched:
                    watched = live.driver
                    watched.watchers.append(wake)
                found = await self.store.read(ports.Read(session=session_id, after=after))
                for row in found:
                    yield row
                    after = row.position
                    if row.type == ended:
                        return
                if not found:
                    try:
                        await asyncio.wait_for(more.wait(), WATCH_SECONDS)
                    except TimeoutError:
                        if await self.store.head(session_id) is None:
                            return
        finally:
            if watched is not None:
                watched.watchers.remove(wake)

    async def end_session(
        self, session_id: str, *, tenant: str = "local", reason: str = "user"
    ) -> None:
        """End a session for good. Its history can still be read.

        Raises:
            SessionNotFound: There is no such session.
            SessionEnded: It has ended already.
            SessionLocked: Another host has it.
        """
        session = await self.load_session(session_id, tenant=tenant)
        await session.end(reason)
        await self._gone(session_id)

    async def forget_session(self, session_id: str, *, tenant: str = "local") -> None:
        """Erase a session: nothing of it is left in the store.

        Raises:
            SessionNotFound: There is no such session.
            SessionLocked: Another host has it.
        """
        await self.head(session_id, tenant=tenant)
        live = self.sessions_here.get(session_id)
        if live is not None:
            live.driver.lose(SessionNotFound("The session was forgotten."), "ended")
            await self._gone(session_id)
        lease = await self.store.claim(session_id, self.id, self.config.url, self.config.lease)
        await self.store.forget(session_id, lease.fence)

    # ------------------------------------------------------------------------------------------------------------- life of one

    async def _load(self, session_id: str) -> Session:
        await self._gone(session_id)
        lease = await self.store.claim(session_id, self.id, self.config.url, self.config.lease)
        loaded = await self.store.load(session_id)
        if loaded is None:
            raise SessionNotFound
        state = await self._fold(loaded)
        driver = self._driver(state, lease.fence)
        driver.receive(stimuli.Restore(host=self.id, fence=lease.fence))
        session = self.sessions_here[session_id] = self._start(session_id, driver)
        return await session

    async def _fold(self, loaded: ports.Loaded) -> fold.State:
        """Fold a journal to its state: the newest snapshot, if this version can read it, and what came after."""
        state, found = fold.State(), loaded.rows
        if loaded.snapshot is not None:
            try:
                state = fold.decode(loaded.snapshot.body)
            except msgspec.MsgspecError:
                found = await self._read_all(loaded.head.session)
        for row in found:
            fold.apply(state, rows.to_event(row))
        return state

    async def _read_all(self, session_id: str) -> Sequence[ports.Row]:
        found: list[ports.Row] = []
        while True:
            after = found[-1].position if found else 0
            page = await self.store.read(ports.Read(session=session_id, after=after, limit=1_000))
            if not page:
                return found
            found.extend(page)

    def _driver(
        self,
        state: fold.State,
        fence: int,
        opening: Callable[[], Coroutine[Any, Any, int]] | None = None,
    ) -> Driver:
        core = c.SessionCore(state, self.engines.capabilities, self.config.grace)
        return Driver(
            core,
            self.store,
            fence,
            rows.to_row,
            self.engines.make,
            self.clock,
            self,
            opening,
        )

    def _start(self, session_id: str, driver: Driver) -> Session:
        async def read(before: int | None, limit: int) -> HistoryPage:
            return await self._history(session_id, before, limit)

        session = Session(driver, read)
        task = asyncio.create_task(self._serve(session_id, session))
        self._tasks[session_id] = task
        return session

    async def _serve(self, session_id: str, session: Session) -> None:
        try:
            await session.driver.run()
        except Exception:  # one session's bug must not take the host along
            log.exception("session %s failed", session_id)
        finally:
            if self._making.get(session_id) is session:
                del self._making[session_id]
            if self.sessions_here.get(session_id) is session:
                del self.sessions_here[session_id]
            session.ended(session.driver.error or LeaseLost())
            try:
                if session.driver.fence:
                    await self.store.release(session_id, self.id)
            except StoreError as error:
                log.warning("session %s: lease not released: %s", session_id, error.code)
            if self._tasks.get(session_id) is asyncio.current_task():
                del self._tasks[session_id]

    async def _gone(self, session_id: str) -> None:
        """Wait until a session that is on its way out has let go of its lease."""
        task = self._tasks.get(session_id)
        if task is not None:
            await asyncio.wait([task])

    def unload(self, driver: Driver) -> None:
        """Forget a session here. Called by its driver."""
        driver.stop()

    # -------------------------------------------------------------------------------------------------------------- background

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run something that this host owns and waits for when it closes. What it raises is logged."""
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the host failed", exc_info=error)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._beat_once(self.clock.monotonic())

    def _beat_once(self, now: float) -> None:
        for tick in list(self.pulse):
            try:
                tick(now)
            except Exception:  # one socket's bug must not stop the beats of all
                log.exception("a beat failed")

    async def _renew_leases(self) -> None:
        """Renew every lease in one write. An owner that cannot stops acting before anybody can take over."""
        while True:
            await asyncio.sleep(self.config.lease / 3)
            await self._renew_once(self.config.lease)

    async def _renew_once(self, lease: float) -> None:
        began = self.clock.monotonic()
        here = dict(self.sessions_here)
        if not here:
            self._renewed = began
            return
        try:
            async with asyncio.timeout(lease / 3):
                held = await self.store.renew(self.id, list(here), lease)
            self._renewed = began
        except (StoreError, TimeoutError):
            log.warning("leases not renewed for %.1f s", self.clock.monotonic() - self._renewed)
            late = self.clock.monotonic() - self._renewed > lease * (1 - MARGIN)
            held = set() if late else set(here)
        for session_id, session in here.items():
            # One that was let go and taken again meanwhile is another object, with a lease of its own.
            if session_id not in held and session.driver.fence:
                session.driver.lose(LeaseLost())

    async def _ring_alarms(self) -> None:
        """Wake the sessions that have something to do by themselves."""
        while not self._closing:
            await asyncio.sleep(ALARM_SECONDS)
            try:
                due = await self.store.due(self.clock.now(), 100)
                for head in due:
                    if head.session not in self.sessions_here and (
                        head.expires <= 0 or is_gone(head.owner)
                    ):
                        await self._ring(head)
            except TenutoError as error:
                log.warning("alarms: %s", error.code)

    async def _ring(self, head: ports.Head) -> None:
        try:
            session = await self.load_session(head.session, tenant=head.tenant)
            if session.driver.core.state.life is not Life.ENDED:
                await session.driver.commit(session.driver.receive(stimuli.Due()))
        except TenutoError as error:
            log.warning("session %s: alarm: %s", head.session, error.code)


def _acceptable(name: str, value: str) -> str:
    if not 1 <= len(value) <= 100 or not value.isprintable() or "/" in value:
        raise InvalidInput(f"`{name}` has 1 to 100 printable characters and no slash.")
    return value
