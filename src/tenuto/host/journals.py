"""What can be known of a session without taking it: from its journal, or from the session itself while it is live here.

Nothing here is written, and nothing is acquired but a place among a driver's watchers, which `watch` gives back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from tenuto import events as e
from tenuto.errors import NotAllowed, NotAuthenticated, SessionNotFound, TenutoError
from tenuto.ids import RESERVED, is_gone
from tenuto.session import fold, ports, resume
from tenuto.session.analytics_part import Report, report
from tenuto.session.driver import Driver
from tenuto.session.memory_book import Memories
from tenuto.session.session import Session
from tenuto.stores import rows

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto
    from tenuto.host.live import LiveSessions

WATCH_SECONDS = 0.5
"""How often a journal that another host writes is read by `watch`."""
PAGE = 1_000
"""Rows that are read at a time."""


def is_free(head: ports.Head) -> bool:
    """Return whether no host has a session: its lease was given up or ran out, or whoever held it has died."""
    return head.expires <= 0 or is_gone(head.owner)


async def head_of(store: ports.Store, session_id: str, tenant: str) -> ports.Head:
    """Return what is known of a session.

    Raises:
        SessionNotFound: There is no such session, or it is another tenant's.
    """
    head = await store.head(session_id)
    mine = head is not None and head.tenant == tenant and head.position > 0
    if head is None or not mine or session_id.startswith(RESERVED):
        raise SessionNotFound
    return head


async def state_of(store: ports.Store, loaded: ports.Loaded) -> fold.State:
    """Fold a journal to its state: the newest snapshot, if this version can read it, and what came after."""
    state, found = fold.State(memory=Memories.unread()), loaded.rows
    if loaded.snapshot is not None:
        try:
            state = fold.decode(loaded.snapshot.body)
        except msgspec.MsgspecError:
            found = await _all_of(store, loaded.head.session)
        else:
            if not state.analytics.last:
                # It was made by a version that counted nothing yet.
                state = fold.State(memory=Memories.unread())
                found = await _all_of(store, loaded.head.session)
    for row in found:
        fold.apply(state, rows.to_event(row))
    return state


async def _all_of(store: ports.Store, session_id: str) -> Sequence[ports.Row]:
    found: list[ports.Row] = []
    while page := await store.read(
        ports.Read(session=session_id, after=found[-1].position if found else 0, limit=PAGE)
    ):
        found.extend(page)
    return found


class Journals:
    """The sessions of a store, as a host can read them.

    Args:
        tenuto: The host.
        live: Those of which it need not read the journal.
    """

    def __init__(self, tenuto: "Tenuto", live: "LiveSessions") -> None:
        self._tenuto, self._live = tenuto, live

    async def head(self, session_id: str, tenant: str) -> ports.Head:
        """See `Tenuto.head`."""
        return await head_of(self._tenuto.store, session_id, tenant)

    async def peek(self, session_id: str, tenant: str) -> fold.State | None:
        """See `Tenuto.peek`."""
        making = self._live.making.get(session_id)
        if making is not None and making.driver.core.state.tenant == tenant:
            with contextlib.suppress(TenutoError):
                await making
        state = await self._state(session_id)
        return state if state.position and state.tenant == tenant else None

    async def prove(self, session_id: str, client: str, token: str, role: e.AttachmentRole) -> str:
        """Return the tenant of a session, to a client that has a resume token of it.

        Raises:
            NotAuthenticated: The token is not that client's, or there is no such session.
            NotAllowed: It wants the controls, and has only ever observed.
        """
        state = await self._state(session_id)
        proof = resume.prove(state.clients.get(client), token, self._tenuto.clock.now())
        if proof is resume.Proof.UNKNOWN:
            raise NotAuthenticated(resume.STALE)
        if role == "controller" and state.clients[client].observes:
            raise NotAllowed("This token is an observer's. Get a ticket for the controls.")
        return state.tenant

    async def analytics(self, session_id: str, tenant: str) -> Report:
        """See `Tenuto.analytics`."""
        head = await self.head(session_id, tenant)
        live = self._alive(session_id)
        if live is not None:
            await live.commit()
            return live.analytics.report()
        state = await self._state(session_id)
        if not state.position:
            raise SessionNotFound
        # While no host has it nobody talks, even where a crash has left a conversation open.
        now = max(self._tenuto.clock.now(), state.updated) if head.expires > 0 else state.updated
        return report(state, now, self._tenuto.config.prices)

    async def watch(self, session_id: str, tenant: str, after: int) -> AsyncIterator[ports.Row]:
        """See `Tenuto.watch`."""
        await self.head(session_id, tenant)
        store = self._tenuto.store
        more = asyncio.Event()
        ended = e.TAGS[e.SessionEnded]
        watched: Driver | None = None

        def wake(row: ports.Row, event: e.Event) -> None:
            more.set()

        try:
            while not self._live.closing:
                more.clear()
                live = self._live.here.get(session_id)
                if live is not None and live.driver is not watched:
                    watched = live.driver
                    watched.watchers.append(wake)
                found = await store.read(ports.Read(session=session_id, after=after))
                for row in found:
                    yield row
                    after = row.position
                    if row.type == ended:
                        return
                if not found:
                    try:
                        await asyncio.wait_for(more.wait(), WATCH_SECONDS)
                    except TimeoutError:
                        if await store.head(session_id) is None:
                            return
        finally:
            if watched is not None:
                watched.watchers.remove(wake)

    async def _state(self, session_id: str) -> fold.State:
        """Return the state of a session, maybe the live one; one at position 0 when there is none."""
        live = self._alive(session_id)
        if live is not None:
            return live.driver.core.state
        store = self._tenuto.store
        loaded = await store.load(session_id)
        return await state_of(store, loaded) if loaded is not None else fold.State()

    def _alive(self, session_id: str) -> Session | None:
        live = self._live.here.get(session_id)
        return live if live is not None and live.driver.error is None else None
