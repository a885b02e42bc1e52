"""The sessions that are live on this host: made, loaded, served, and let go of.

| what | acquired | released |
|---|---|---|
| a lease | with its journal by `make`, or by a load | `_serve`, when the driver has returned; a load that fails |
| a session's task, and its place in `_tasks` | `_start` | `_serve` returns; `drain` cancels one that is late |
| a place in `making` | `make` | its journal is there, or cannot be made |
| a place in `here` | a load, or when its journal was made | the driver has returned |
| a load's or an erasure's task | `_change` | it is done; `drain` cancels one that is late |

For one id there is one task that serves it, and one load or erasure under way, at most: whoever comes meanwhile waits for that
one. These go on when whoever asked for them is cancelled, and end by themselves.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tenuto.errors import (
    AppendConflict,
    LeaseLost,
    SessionEnded,
    SessionNotFound,
    StoreError,
    StoreUnavailable,
    TenutoError,
)
from tenuto.host.archive import StoredArchive
from tenuto.host.extraction import Extraction
from tenuto.host.journals import head_of, is_free, state_of
from tenuto.host.user_memory import UserMemories
from tenuto.session import core as c
from tenuto.session import fold, ports, stimuli
from tenuto.session.driver import Driver
from tenuto.session.session import Session
from tenuto.stores import rows
from tenuto.text.search import Embed

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

log = logging.getLogger("tenuto.host")

DRAIN_SECONDS = 5.0
"""Seconds that sessions may take to be put away, and again when they were told to hurry."""
GOING = "This host is going down, or was closed. Come back in a moment; in a program, make another `Tenuto`."


class LiveSessions:
    """The sessions of a host. It is the `Home` of their drivers.

    Args:
        tenuto: The host.
        memories: The memories of users, which sessions share.
        extraction: What reads their conversations when these have ended.
        embed: What gives a search in their memories meaning.
        begin: Called before the first one is served: from now on there are leases to be renewed.
    """

    def __init__(
        self,
        tenuto: "Tenuto",
        memories: UserMemories,
        extraction: Extraction,
        embed: Embed | None,
        begin: Callable[[], None],
    ) -> None:
        self._tenuto, self._memories, self._extraction = tenuto, memories, extraction
        self._embed, self._begin = embed, begin
        self.here: dict[str, Session] = {}
        """Those that have a lease, by id."""
        self.making: dict[str, Session] = {}
        """Those whose journals are being made: nobody knows yet whether there is one of that id."""
        self.closing = False
        """Whether the host takes no more of them."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """What serves each of both."""
        self._changes: dict[str, asyncio.Task[Session | None]] = {}
        """Loads and erasures that are under way."""

    def need_open(self) -> None:
        """Let nobody in any more when the host is going down.

        Raises:
            StoreUnavailable: It is, or has.
        """
        if self.closing:
            raise StoreUnavailable(GOING)

    # ------------------------------------------------------------------------------------------------------------ to be here

    def make(self, new: ports.NewSession, first: Sequence[stimuli.Stimulus]) -> Session:
        """Make a session; its journal is made by its own task.

        Args:
            new: What its journal is to be.
            first: What it is told to begin with.

        Raises:
            AppendConflict: There is one of that id here.
        """
        name = new.session
        if name in self._tasks or name in self._changes:
            raise AppendConflict(f"Session {name} exists already.")

        async def opening() -> int:
            try:
                fence = await self._create(new)
            finally:
                del self.making[name]
            self.here[name] = session
            return fence

        driver = self._driver(fold.State(), 0, opening)
        for stimulus in first:
            driver.receive(stimulus)
        session = self.making[name] = self._start(name, driver)
        return session

    async def _create(self, new: ports.NewSession) -> int:
        """Make a journal, and return its fence."""
        tenuto = self._tenuto
        how = (tenuto.id, tenuto.config.url, tenuto.config.lease)
        try:
            return (await tenuto.store.create(new, *how)).fence
        except AppendConflict:
            if not await self._clear(new.session):
                raise
        return (await tenuto.store.create(new, *how)).fence

    async def _clear(self, session_id: str) -> bool:
        """Clear an id of a journal that nobody has ever written to, because its host died or its disk was full."""
        tenuto = self._tenuto
        head = await tenuto.store.head(session_id)
        if head is None or head.position or not is_free(head):
            return head is None
        lease = await tenuto.store.claim(
            session_id, tenuto.id, tenuto.config.url, tenuto.config.lease
        )
        await tenuto.store.forget(session_id, lease.fence)
        return True

    async def take(self, session_id: str, tenant: str) -> Session:
        """Return a session that can be used here: the one that is here, or a loaded one.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
            SessionEnded: It has ended.
            SessionLocked: Another host has it.
            StoreUnavailable: This host is going down, or was closed.
        """
        known = self.making.get(session_id) or self.here.get(session_id)
        session: Session | None = None
        if known is not None and known.driver.core.state.tenant == tenant:
            session = await self._settled(session_id)
        if session is None:
            self.need_open()
            if (await head_of(self._tenuto.store, session_id, tenant)).ended:
                raise SessionEnded
            self.need_open()
            session = await self._change(session_id, self._load)
        if session is None or session.driver.core.state.tenant != tenant:
            raise SessionNotFound
        return session

    async def _settled(self, session_id: str) -> Session | None:
        """Return the session that is here, after whoever makes it or puts it away has done so; None when there is none."""
        while (task := self._tasks.get(session_id)) is not None:
            session = self.making.get(session_id) or self.here.get(session_id)
            if session is None or not session.is_active:
                self.need_open()
                await asyncio.wait([task])
                continue
            try:
                await session.commit()
            except TenutoError:
                if session.is_active:
                    raise
            if session.is_active:
                return session
        return None

    async def _load(self, session_id: str) -> Session:
        # Somebody may have been faster than whoever has just found out that it is not here.
        if (session := await self._settled(session_id)) is not None:
            return session
        tenuto = self._tenuto
        began = tenuto.clock.monotonic()
        try:
            lease = await tenuto.store.claim(
                session_id, tenuto.id, tenuto.config.url, tenuto.config.lease
            )
            loaded = await tenuto.store.load(session_id)
            if loaded is None:
                raise SessionNotFound
            driver = self._driver(await state_of(tenuto.store, loaded), lease.fence)
            driver.receive(stimuli.Restore(host=tenuto.id, fence=lease.fence))
            session = self.here[session_id] = self._start(session_id, driver)
        except BaseException:
            # Nobody serves it, so nobody else would give the lease back; a claim that was cut short may have got it.
            await self._release(session_id)
            raise
        session.debug.load_seconds = tenuto.clock.monotonic() - began
        session.debug.load_events = len(loaded.rows)
        return await session

    async def _change(
        self, session_id: str, job: Callable[[str], Coroutine[Any, Any, Session | None]]
    ) -> Session | None:
        """Wait for the load or erasure of a session that is under way, or else for this one."""
        task = self._changes.get(session_id)
        if task is None:
            task = self._changes[session_id] = asyncio.create_task(job(session_id))
            task.add_done_callback(lambda done: self._changed(session_id, done))
        await asyncio.wait([task])
        if task.cancelled():
            raise StoreUnavailable(GOING)
        return task.result()

    def _changed(self, session_id: str, task: asyncio.Task[Session | None]) -> None:
        del self._changes[session_id]
        if not task.cancelled():
            task.exception()  # Whoever asked may not be there any more to be told.

    # --------------------------------------------------------------------------------------------------------------- to serve

    def _driver(
        self,
        state: fold.State,
        fence: int,
        opening: Callable[[], Coroutine[Any, Any, int]] | None = None,
    ) -> Driver:
        tenuto = self._tenuto
        engines = tenuto.engines
        core = c.SessionCore(state, engines.capabilities, tenuto.config.grace, tenuto.reader)
        return Driver(core, tenuto.store, fence, rows, engines.make, tenuto.clock, self, opening)

    def _start(self, session_id: str, driver: Driver) -> Session:
        self._begin()
        session = Session(driver, StoredArchive(self._tenuto, session_id))
        session.analytics.prices = self._tenuto.config.prices
        session.memory.embed = self._embed
        self._memories.join(session)
        self._extraction.join(session)
        self._tasks[session_id] = asyncio.create_task(self._serve(session_id, session))
        return session

    async def _serve(self, session_id: str, session: Session) -> None:
        try:
            await session.driver.run()
        except Exception:  # one session's bug must not take the host along
            log.exception("session %s failed", session_id)
        finally:
            for table in (self.making, self.here):
                if table.get(session_id) is session:
                    del table[session_id]
            self._memories.leave(session)
            session.ended(session.driver.error or LeaseLost())
            try:
                if session.driver.fence:
                    await self._release(session_id)
            finally:
                del self._tasks[session_id]

    async def _release(self, session_id: str) -> None:
        try:
            await self._tenuto.store.release(session_id, self._tenuto.id)
        except StoreError as error:
            log.warning("session %s: lease not released: %s", session_id, error.code)

    def unload(self, driver: Driver) -> None:
        """Forget a session here. Called by its driver."""
        driver.stop()

    # ------------------------------------------------------------------------------------------------------------- to let go

    async def gone(self, session_id: str) -> None:
        """Wait until a session that is on its way out has let go of its lease."""
        task = self._tasks.get(session_id)
        if task is not None:
            await asyncio.wait([task])

    async def forget(self, session_id: str, tenant: str) -> None:
        """Erase a session, whoever uses it here.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
            SessionLocked: Another host has it.
        """
        making = self.making.get(session_id)
        if making is not None:
            with contextlib.suppress(TenutoError):
                await making.driver.commit()
        await head_of(self._tenuto.store, session_id, tenant)
        while (task := self._changes.get(session_id)) is not None:
            await asyncio.wait([task])
        await self._change(session_id, self._forget)

    async def _forget(self, session_id: str) -> None:
        tenuto = self._tenuto
        live = self.here.get(session_id)
        if live is not None:
            live.driver.lose(SessionNotFound("The session was forgotten."), "ended")
        await self.gone(session_id)
        lease = await tenuto.store.claim(
            session_id, tenuto.id, tenuto.config.url, tenuto.config.lease
        )
        await tenuto.store.forget(session_id, lease.fence)

    async def drain(self) -> None:
        """Put every session away: clients are told to come back, journals are complete, leases are given up."""
        self.closing = True
        await _end(self._changes.values())
        await self._memories.flush()
        for session in [*self.here.values(), *self.making.values()]:
            driver = session.driver
            try:
                for number in list(driver.core.state.here):
                    driver.receive(stimuli.Leave(attachment=number, reason="draining"))
            except TenutoError as error:
                log.warning("session %s: %s while draining", session.session_id, error.code)
            driver.stop()
        await _end(self._tasks.values())


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Wait for tasks; cancel those that are late, and wait as long again."""
    late = set(tasks)
    for _ in range(2):
        if late:
            _, late = await asyncio.wait(late, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
