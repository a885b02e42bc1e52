"""Keeps the memories of users whose sessions are live on this host: takes facts to the user's journal, and reads it.

A user's journal has no owner: any host appends to it at the position that it has read, with the fence that the head shows.
When another one was faster, it reads again and decides anew, `TRIES` times at most; what is not taken then stays in the
session's journal, and is sent when the session is next loaded. One append for a user is under way at a time in a process.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.clock import Clock
from tenuto.errors import AppendConflict, LeaseLost, TenutoError
from tenuto.ids import new_epoch
from tenuto.session import fold, memory, ports, stimuli, user_memory
from tenuto.session.driver import SNAPSHOT_EVERY, Driver
from tenuto.session.session import Session
from tenuto.session.user_memory import Elsewhere, Outbox, UserBook
from tenuto.stores import rows

log = logging.getLogger("tenuto.host")

TRIES = 50
"""Times that an append to a user's journal is tried while others append to it."""
PAUSE = 0.002
"""Seconds before it is tried again, times the number of tries so far."""
FLUSH_SECONDS = 5.0
"""Seconds that a session which closes waits for its facts to be taken."""
WAITS = (0.1, 0.5, 2.0, 5.0, 10.0)
"""Seconds between tries when the store does not take it. Then it waits for the next fact, or the next load."""
LEASE = 1.0
"""Seconds of the lease that a new journal comes with. Nobody renews it."""

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class UserMemories:
    """The memories of all users with sessions on this host.

    Args:
        store: Where journals are kept.
        clock: The time.
        owner: The host's id.
        spawn: Runs what the host owns.
    """

    def __init__(
        self, store: Callable[[], ports.Store], clock: Clock, owner: str, spawn: Spawn
    ) -> None:
        self.store, self.clock, self.owner, self.spawn = store, clock, owner, spawn
        self._users: dict[tuple[str, str], UserMemory] = {}

    def of(self, tenant: str, user: str) -> "UserMemory":
        """Return the memory of a user; the same object for all that ask while somebody needs it."""
        known = self._users.get((tenant, user))
        return known or UserMemory(self, tenant, user)

    def join(self, session: Session) -> None:
        """Have a session that is live here share its user's memory, as far as it is set to."""
        state = session.driver.core.state
        here = self._users.setdefault((state.tenant, state.user), self.of(state.tenant, state.user))
        here.join(session)

    def leave(self, session: Session) -> None:
        """The session is gone from here."""
        state = session.driver.core.state
        here = self._users.get((state.tenant, state.user))
        if here is not None and here.leave(session):
            del self._users[state.tenant, state.user]

    async def flush(self) -> None:
        """Take everything that is on its way; a few seconds at most."""
        await asyncio.gather(*(here.flush() for here in list(self._users.values())))

    async def expire(self, head: ports.Head) -> None:
        """Forget what has expired in a user's journal."""
        await self.of(head.tenant, head.user).expire()


class UserMemory:
    """The memory of one user, as this host keeps it. It is the `Keeper` of each of the user's sessions."""

    def __init__(self, host: UserMemories, tenant: str, user: str) -> None:
        self._host, self._tenant, self._user = host, tenant, user
        self.name = user_memory.journal_of(tenant, user)
        self.book = UserBook()
        self._head: ports.Head | None = None
        self._drivers: dict[str, Driver] = {}
        self._one = asyncio.Lock()
        """Held by whoever reads or writes the user's journal."""
        self._sending = False
        self._snapshot_at = 0

    @property
    def journal(self) -> "UserMemory":
        """The user's own journal, to read back."""
        return self

    async def events(
        self, *, after: int = 0, types: tuple[str, ...] = (), limit: int = 300
    ) -> Sequence[tuple[int, e.Event]]:
        """Return events of the user's journal with their positions; see `ports.Read`."""
        read = ports.Read(session=self.name, after=after, types=types, limit=limit)
        found = await self._host.store().read(read)
        return [(row.position, rows.to_event(row)) for row in found]

    # ------------------------------------------------------------------------------------------------------- who shares it

    def join(self, session: Session) -> None:
        """Have a session share it from now on."""
        driver = session.driver
        state = driver.core.state
        self._drivers[state.session] = driver
        self.book.live[state.session] = state
        driver.core.scribe.elsewhere = Elsewhere(self.book, state, driver.now)
        session.memory.keeper = self
        driver.watchers.append(self._saw)
        if _is_shared(state):
            self._host.spawn(self.fresh())
        if state.memory.outgoing or state.memory.gone:
            self._send_soon()

    def leave(self, session: Session) -> bool:
        """The session is gone from here. Returns whether it was the last one."""
        name = session.driver.core.state.session
        if self._drivers.get(name) is session.driver:
            del self._drivers[name], self.book.live[name]
        return not self._drivers

    def _saw(self, row: ports.Row, event: e.Event) -> None:
        if isinstance(event, e.MemoryAdded):
            if event.scope == "user":
                self._send_soon()
            return
        match event:
            case e.MemoryRemoved(memory=number) if number < 0:
                self._send_soon()
            case e.MemoryCleared(memories=numbers, reason=reason) if reason != "kept":
                if min(numbers, default=0) < 0:
                    self._send_soon()
            case e.ConversationStarted() | e.ConversationResumed() | e.ConfigChanged():
                if any(_is_shared(state) for state in self.book.live.values()):
                    self._host.spawn(self.fresh())
            case _:
                pass

    # ------------------------------------------------------------------------------------------------------------ to and fro

    async def fresh(self) -> None:
        """Read what other hosts have added. What cannot be read now is read later."""
        try:
            async with self._one:
                await self._catch_up()
        except TenutoError as error:
            log.warning("a user's memory was not read: %s", error.code)

    async def flush(self) -> None:
        """Take to the user's journal what is on its way. What cannot be taken now is taken later."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._send()
        except TimeoutError:
            log.warning("a user's memory was not written in time")

    async def expire(self) -> None:
        """Forget what has expired."""
        async with self._one:
            await self._append(lambda state, at: memory.expire(state, at))

    async def forget(self) -> None:
        """Erase the user's journal: nothing of it is left in the store."""
        async with self._one:
            store = self._host.store()
            if (head := await store.head(self.name)) is not None:
                await store.forget(self.name, head.fence)
            self.book.state = fold.State()

    def _send_soon(self) -> None:
        if not self._sending:
            self._sending = True
            self._host.spawn(self._send_all())

    async def _send_all(self) -> None:
        for wait in WAITS:
            if await self._send():
                return
            await asyncio.sleep(wait)

    async def _send(self) -> bool:
        """Take what is on its way. Returns whether all of it could be taken."""
        done = True
        async with self._one:
            self._sending = False
            for driver in list(self._drivers.values()):
                try:
                    await self._send_of(driver)
                except TenutoError as error:
                    log.warning("a user's memory was not written: %s", error.code)
                    done = driver.error is not None and done
        return done

    async def _send_of(self, driver: Driver) -> None:
        box = user_memory.outbox(driver.core.state)
        if box is not None and driver.error is None:
            # A number that is not durable in the session's journal might be another fact's after a crash.
            await driver.commit()
            await self._take(driver, box)

    async def _take(self, driver: Driver, box: Outbox) -> None:
        """Take one session's outbox to the user's journal, then say so in the session's."""
        await self._append(lambda state, at: user_memory.take(state, box, at))
        if driver.error is not None:
            return
        state, numbers = driver.core.state, {fact.memory for fact in box.facts}
        withdrawn = numbers - set(state.memory.outgoing)
        try:
            driver.receive(stimuli.Decide(rules=(user_memory.kept(box.numbers),)))
            if gone := self._numbers_of(box.session, withdrawn):
                driver.receive(stimuli.Decide(rules=(user_memory.forget_after_all(gone),)))
        except TenutoError as error:
            # It has ended meanwhile. Its facts are where they belong.
            log.debug("session %s: %s", box.session, error.code)

    def _numbers_of(self, session: str, withdrawn: set[int]) -> list[int]:
        """Return the facts in the user's journal, below 0, that their session has removed while they were on their way."""
        sources = {f"{session}:{number}" for number in withdrawn}
        entries = self.book.state.memory.book.entries.values() if sources else ()
        return [-entry.memory for entry in entries if entry.source in sources]

    async def _append(self, rule: Callable[[fold.State, float], Sequence[e.Event]]) -> None:
        """Have a rule decide on the user's journal as it is, and append what it comes to."""
        for tries in range(TRIES):
            await self._catch_up()
            head = self._head or await self._create()
            at, state, first = self._host.clock.now(), self.book.state, list[e.Event]()
            if not state.position:
                state = fold.State()
                first.append(self._created(head, at))
                fold.apply(state, first[0])
            events = rule(state, at)
            if not events:
                return
            try:
                await self._host.store().append(
                    ports.Append(
                        session=self.name,
                        expected=state.position - len(first),
                        fence=head.fence,
                        rows=rows.to_rows(state.position - len(first), [*first, *events]),
                        at=at,
                        due=user_memory.due_after(state, events),
                    )
                )
            except (AppendConflict, LeaseLost):
                await asyncio.sleep(PAUSE * tries)
                continue
            for event in events:
                fold.apply(state, event)
            self.book.state = state
            await self._save_snapshot(head)
            return
        raise AppendConflict("A user's memory is written by too many at once. Try again.")

    async def _save_snapshot(self, head: ports.Head) -> None:
        state = self.book.state
        if state.position - self._snapshot_at >= SNAPSHOT_EVERY:
            self._snapshot_at = state.position
            snapshot = ports.Snapshot(state.position, fold.encode(state))
            await self._host.store().save_snapshot(self.name, head.fence, snapshot)

    async def _create(self) -> ports.Head:
        """Make the user's journal, unless somebody else has just done so."""
        store, at = self._host.store(), self._host.clock.now()
        new = ports.NewSession(
            session=self.name, tenant=self._tenant, user=self._user, epoch=new_epoch(), at=at
        )
        try:
            await store.create(new, self._host.owner, "", LEASE)
        except AppendConflict:
            pass
        head = self._head = await store.head(self.name)
        if head is None:
            raise AppendConflict("The user's memory was erased just now. Try again.")
        return head

    def _created(self, head: ports.Head, at: float) -> e.SessionCreated:
        caps = [memory.setting(state, "max_memory_size") for state in self.book.live.values()]
        cap = max(caps, default=memory.setting(fold.State(), "max_memory_size"))
        return user_memory.begin(self._tenant, self._user, head.epoch, cap, at)

    async def _catch_up(self) -> None:
        """Bring what is known here to the journal's head."""
        store = self._host.store()
        head = self._head = await store.head(self.name)
        state = self.book.state
        if head is None:
            self.book.state = fold.State()
        elif state.position and (state.epoch != head.epoch or state.position > head.position):
            await self._load()
        elif state.position < head.position:
            if state.position:
                await self._read_on()
            else:
                await self._load()

    async def _read_on(self) -> None:
        store, state = self._host.store(), self.book.state
        while found := await store.read(
            ports.Read(session=self.name, after=state.position, limit=1_000)
        ):
            for row in found:
                fold.apply(state, rows.to_event(row))

    async def _load(self) -> None:
        loaded = await self._host.store().load(self.name)
        state = fold.State()
        if loaded is not None:
            found = loaded.rows
            if loaded.snapshot is not None:
                try:
                    state = fold.decode(loaded.snapshot.body)
                except msgspec.MsgspecError:
                    # An older version's. The journal is the truth.
                    self.book.state = state
                    await self._read_on()
                    return
            self._snapshot_at = state.position
            for row in found:
                fold.apply(state, rows.to_event(row))
        self.book.state = state


def _is_shared(state: fold.State) -> bool:
    return bool(memory.setting(state, "memory_scope") == "user")
