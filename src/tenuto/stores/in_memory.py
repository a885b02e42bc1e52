"""A store in RAM, with the semantics of the durable ones: for tests, and for sessions that nobody wants to keep.

It survives nothing: a row is gone when the process is. No method awaits between a comparison and the change that
depends on it, so each is atomic on its event loop.
"""

from collections.abc import Iterable, Sequence

import msgspec

from tenuto.clock import Clock, SystemClock
from tenuto.errors import AppendConflict, SessionLocked, SessionNotFound, StoreUnavailable
from tenuto.ids import RESERVED
from tenuto.session.ports import Append, Head, Lease, Loaded, NewSession, Query, Read, Row, Snapshot
from tenuto.stores.refusals import check_positions, conflict, lost


class _Journal(msgspec.Struct, kw_only=True):
    new: NewSession
    updated: float
    owner: str
    url: str
    fence: int = 1
    rows: list[Row] = []
    snapshot: Snapshot | None = None
    due: float | None = None
    ended: bool = False
    expires: float
    """When the lease runs out, by `Clock.monotonic`."""


class InMemoryStore:
    """Keeps journals in RAM. Everything is lost with the process.

    Args:
        clock: Its `monotonic` is the clock of the leases.

    Example:
        >>> store = InMemoryStore()
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._journals: dict[str, _Journal] = {}
        self._closed = False

    async def create(self, new: NewSession, owner: str, url: str, ttl: float) -> Lease:
        """See `Store.create`."""
        journals = self._open()
        if new.session in journals:
            raise AppendConflict(f"Session {new.session} exists already.")
        expires = self._clock.monotonic() + ttl
        journals[new.session] = _Journal(
            new=new, updated=new.at, owner=owner, url=url, expires=expires
        )
        return Lease(session=new.session, fence=1, seconds=ttl)

    async def append(self, append: Append) -> None:
        """See `Store.append`.

        Raises:
            InvalidInput: The rows are not numbered from `expected + 1` on.
        """
        check_positions(append)
        journal = self._fenced(append.session, append.fence)
        if len(journal.rows) != append.expected:
            raise conflict(append.session, append.expected, len(journal.rows))
        journal.rows.extend(append.rows)
        journal.updated = append.at
        journal.ended = journal.ended or append.ended
        journal.due = None if journal.ended else append.due

    async def read(self, read: Read) -> Sequence[Row]:
        """See `Store.read`."""
        journal = self._open().get(read.session)
        if journal is None:
            return []
        end = len(journal.rows) if read.before is None else max(0, read.before - 1)
        rows: Iterable[Row] = journal.rows[max(0, read.after) : end]
        if read.types:
            rows = [row for row in rows if row.type in read.types]
        found = list(rows)
        if read.newest_first:
            found.reverse()
        return found[: max(0, read.limit)]

    async def load(self, session: str) -> Loaded | None:
        """See `Store.load`."""
        journal = self._open().get(session)
        if journal is None:
            return None
        after = journal.snapshot.position if journal.snapshot else 0
        return Loaded(
            head=self._head(journal), snapshot=journal.snapshot, rows=journal.rows[after:]
        )

    async def save_snapshot(self, session: str, fence: int, snapshot: Snapshot) -> None:
        """See `Store.save_snapshot`. One that is older than the kept one, or ahead of the journal, is dropped too."""
        journal = self._open().get(session)
        if journal is None or journal.fence != fence or snapshot.position > len(journal.rows):
            return
        if journal.snapshot is None or journal.snapshot.position <= snapshot.position:
            journal.snapshot = snapshot

    async def head(self, session: str) -> Head | None:
        """See `Store.head`."""
        journal = self._open().get(session)
        return None if journal is None else self._head(journal)

    async def sessions(self, query: Query) -> Sequence[Head]:
        """See `Store.sessions`."""
        found = [
            journal
            for journal in self._open().values()
            if journal.new.tenant == query.tenant
            and not journal.new.session.startswith(RESERVED)
            and (query.user is None or journal.new.user == query.user)
            and (query.before is None or (journal.updated, journal.new.session) < query.before)
        ]
        found.sort(key=lambda journal: (journal.updated, journal.new.session), reverse=True)
        return [self._head(journal) for journal in found[: max(0, query.limit)]]

    async def due(self, before: float, limit: int = 100) -> Sequence[Head]:
        """See `Store.due`. What is due at `before` exactly is listed too."""
        waiting = [
            (journal.due, journal.new.session, journal)
            for journal in self._open().values()
            if journal.due is not None and journal.due <= before
        ]
        waiting.sort(key=lambda entry: entry[:2])
        return [self._head(journal) for _, _, journal in waiting[: max(0, limit)]]

    async def claim(self, session: str, owner: str, url: str, ttl: float) -> Lease:
        """See `Store.claim`."""
        journal = self._open().get(session)
        if journal is None:
            raise SessionNotFound(f"There is no session {session}.")
        now = self._clock.monotonic()
        left = journal.expires - now
        if left > 0 and journal.owner != owner:
            raise SessionLocked(session, journal.owner, left, journal.url)
        if left <= 0 or journal.owner != owner:
            journal.fence += 1
        journal.owner, journal.url, journal.expires = owner, url, now + ttl
        return Lease(session=session, fence=journal.fence, seconds=ttl)

    async def renew(self, owner: str, sessions: Sequence[str], ttl: float) -> set[str]:
        """See `Store.renew`."""
        now = self._clock.monotonic()
        held = set()
        for session in sessions:
            journal = self._open().get(session)
            if journal is not None and journal.owner == owner and journal.expires > now:
                journal.expires = now + ttl
                held.add(session)
        return held

    async def release(self, session: str, owner: str) -> None:
        """See `Store.release`."""
        journal = self._open().get(session)
        if journal is not None and journal.owner == owner:
            journal.expires = self._clock.monotonic()

    async def forget(self, session: str, fence: int) -> None:
        """See `Store.forget`.

        Raises:
            LeaseLost: The fence has moved on, or the session is gone.
        """
        self._fenced(session, fence)
        del self._journals[session]

    async def close(self) -> None:
        """Drop everything. Safe to call twice."""
        self._closed = True
        self._journals.clear()

    def _open(self) -> dict[str, _Journal]:
        if self._closed:
            raise StoreUnavailable("The store is closed. Open another one.")
        return self._journals

    def _fenced(self, session: str, fence: int) -> _Journal:
        journal = self._open().get(session)
        if journal is None or journal.fence != fence:
            raise lost(session, fence, None if journal is None else journal.fence)
        return journal

    def _head(self, journal: _Journal) -> Head:
        new = journal.new
        return Head(
            session=new.session,
            tenant=new.tenant,
            user=new.user,
            epoch=new.epoch,
            position=len(journal.rows),
            created=new.at,
            updated=journal.updated,
            ended=journal.ended,
            due=journal.due,
            fence=journal.fence,
            owner=journal.owner,
            url=journal.url,
            expires=max(0.0, journal.expires - self._clock.monotonic()),
        )
