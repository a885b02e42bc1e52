"""The default store: one SQLite file, durable against power loss (WAL, `synchronous=FULL`).

One thread writes (`group_commit`), two read (`readers`), and the event loop only waits. The operations that those
threads run are functions of a cursor. A writing one looks before it writes: when it refuses, it has changed nothing.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import apsw
import msgspec

from tenuto.errors import AppendConflict, SessionLocked, SessionNotFound
from tenuto.ids import is_gone
from tenuto.session.ports import Append, Head, Lease, Loaded, NewSession, Query, Read, Row, Snapshot
from tenuto.stores.ballast import Ballast
from tenuto.stores.boottime import LeaseClock, boottime
from tenuto.stores.database import Database
from tenuto.stores.group_commit import GroupCommit
from tenuto.stores.readers import Readers
from tenuto.stores.refusals import check_positions, conflict, lost
from tenuto.stores.sql import QUERIES

_LAST = 2**63 - 1
_MINUTE = 60.0

_ADVANCE, _INSERT, _SCHEDULE = QUERIES["advance"], QUERIES["insert"], QUERIES["schedule"]


class SqliteStore:
    """Keeps journals in one SQLite file, which several processes may open at once.

    Nothing is opened before the first call, so a store may be made before an event loop runs or a process forks. Beside
    the file stand SQLite's own `-wal` and `-shm`, and while the store is open `-ballast`: space that is given up when
    the disk is full, so that leases can still be renewed and sessions erased.

    Args:
        path: Of the file; made when it is missing, readable for its owner only. Its folder must exist.
        synchronous: `FULL` survives power loss. `NORMAL` survives a killed process only, and may lose what was
            acknowledged in the seconds before the power went.
        lease_clock: The clock of leases; all hosts of a file must share it.
        ballast: Bytes to keep for a full disk.
        vfs: Name of an SQLite VFS, such as those of `tenuto.testing.crash`.

    Example:
        >>> store = SqliteStore("tenuto.db")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        lease_clock: LeaseClock = boottime,
        ballast: int = 16 * 2**20,
        vfs: str = "",
    ) -> None:
        path = Path(path).absolute()
        database = Database(path=path, synchronous=synchronous, vfs=vfs)
        self._writer = GroupCommit(database, Ballast(Path(f"{path}-ballast"), ballast))
        self._readers = Readers(database, threads=2)
        self._clock = lease_clock

    async def create(self, new: NewSession, owner: str, url: str, ttl: float) -> Lease:
        """See `Store.create`."""
        await self._writer.submit(self._create, (new, owner, url, ttl))
        return Lease(session=new.session, fence=1, seconds=ttl)

    async def append(self, append: Append) -> None:
        """See `Store.append`. A cancelled append may have been written all the same.

        Raises:
            InvalidInput: The rows are not numbered from `expected + 1` on.
        """
        check_positions(append)
        await self._writer.submit(_append, append)

    async def read(self, read: Read) -> Sequence[Row]:
        """See `Store.read`."""
        rows: Sequence[Row] = await self._look(_read, read)
        return rows

    async def load(self, session: str) -> Loaded | None:
        """See `Store.load`."""
        loaded: Loaded | None = await self._look(self._load, session)
        return loaded

    async def save_snapshot(self, session: str, fence: int, snapshot: Snapshot) -> None:
        """See `Store.save_snapshot`. One that is older than the kept one, or ahead of the journal, is dropped too."""
        await self._writer.submit(_save_snapshot, (session, fence, snapshot))

    async def head(self, session: str) -> Head | None:
        """See `Store.head`."""
        head: Head | None = await self._look(self._head, session)
        return head

    async def sessions(self, query: Query) -> Sequence[Head]:
        """See `Store.sessions`."""
        heads: Sequence[Head] = await self._look(self._sessions, query)
        return heads

    async def due(self, before: float, limit: int = 100) -> Sequence[Head]:
        """See `Store.due`. What is due at `before` exactly is listed too."""
        heads: Sequence[Head] = await self._look(self._due, (before, max(0, limit)))
        return heads

    async def claim(self, session: str, owner: str, url: str, ttl: float) -> Lease:
        """See `Store.claim`."""
        fence = await self._writer.submit(self._claim, (session, owner, url, ttl), urgent=True)
        return Lease(session=session, fence=fence, seconds=ttl)

    async def renew(self, owner: str, sessions: Sequence[str], ttl: float) -> set[str]:
        """See `Store.renew`."""
        if not sessions:
            return set()
        held: set[str] = await self._writer.submit(self._renew, (owner, sessions, ttl), urgent=True)
        return held

    async def release(self, session: str, owner: str) -> None:
        """See `Store.release`."""
        await self._writer.submit(_release, (session, owner), urgent=True)

    async def forget(self, session: str, fence: int) -> None:
        """See `Store.forget`. What was erased is overwritten, and gone from the log at the next idle moment.

        Raises:
            LeaseLost: The fence has moved on, or the session is gone.
        """
        await self._writer.submit(self._forget, (session, fence), urgent=True)

    async def close(self) -> None:
        """Finish what was asked for, then let go of the file. Safe to call twice."""
        await self._readers.close()
        await self._writer.close()

    async def _look(self, operation: Any, argument: Any) -> Any:
        if not self._writer.is_open:
            # The writer makes the file and brings its schema up to date.
            await self._writer.submit(_nothing, None)
        return await self._readers.submit(operation, argument)

    # ------------------------------------------------------------------------------ for the writer's thread

    def _create(self, cursor: apsw.Cursor, new: tuple[NewSession, str, str, float]) -> None:
        session, owner, url, ttl = new
        boot, now = self._clock()
        values = msgspec.structs.asdict(session) | {
            "minute": int(session.at // _MINUTE),
            "owner": owner,
            "url": url,
            "boot": boot,
            "expires": now + ttl,
        }
        if cursor.execute(QUERIES["create"], values).fetchone() is None:
            raise AppendConflict(f"Session {session.session} exists already.")

    def _claim(self, cursor: apsw.Cursor, wanted: tuple[str, str, str, float]) -> int:
        session, owner, url, ttl = wanted
        boot, now = self._clock()
        values = {"session": session, "owner": owner, "url": url, "ttl": ttl}
        values |= {"boot": boot, "now": now}
        row = cursor.execute(QUERIES["claim"], values).fetchone()
        if row is not None:
            return int(row[0])
        held = cursor.execute(QUERIES["holder"], (session,)).fetchone()
        if held is None:
            raise SessionNotFound(f"There is no session {session}.")
        if is_gone(held[0]):
            # Killed: nobody waits for a lease that nobody can renew.
            _release(cursor, (session, held[0]))
            taken = cursor.execute(QUERIES["claim"], values).fetchone()
            assert taken is not None
            return int(taken[0])
        raise SessionLocked(session, held[0], held[3] - now, held[1])

    def _renew(self, cursor: apsw.Cursor, wanted: tuple[str, Sequence[str], float]) -> set[str]:
        owner, sessions, ttl = wanted
        boot, now = self._clock()
        values = {"sessions": json.dumps(list(sessions)), "owner": owner, "ttl": ttl}
        return {
            row[0] for row in cursor.execute(QUERIES["renew"], values | {"boot": boot, "now": now})
        }

    def _forget(self, cursor: apsw.Cursor, wanted: tuple[str, int]) -> None:
        found = cursor.execute(QUERIES["forget_find"], wanted).fetchone()
        if found is None:
            standing = cursor.execute(QUERIES["standing"], wanted[:1]).fetchone()
            raise lost(*wanted, None if standing is None else standing[0])
        for query in ("forget_rows", "forget_snapshot", "forget_session"):
            cursor.execute(QUERIES[query], found)
        self._writer.scrub()

    # ------------------------------------------------------------------------------- for the readers' threads

    def _load(self, cursor: apsw.Cursor, session: str) -> Loaded | None:
        found = cursor.execute(QUERIES["head"], (session,)).fetchone()
        if found is None:
            return None
        kept = cursor.execute(QUERIES["snapshot"], (found[-1],)).fetchone()
        snapshot = None if kept is None else Snapshot(*kept)
        after = 0 if snapshot is None else snapshot.position
        rows = [Row(*row) for row in cursor.execute(QUERIES["tail"], (found[-1], after))]
        return Loaded(head=self._to_head(found), snapshot=snapshot, rows=rows)

    def _head(self, cursor: apsw.Cursor, session: str) -> Head | None:
        found = cursor.execute(QUERIES["head"], (session,)).fetchone()
        return None if found is None else self._to_head(found)

    def _sessions(self, cursor: apsw.Cursor, query: Query) -> list[Head]:
        updated, last = query.before or (float("inf"), "")
        values = {
            "tenant": query.tenant,
            "minute": _LAST if query.before is None else int(updated // _MINUTE),
            "updated": updated,
            "last": last,
            "limit": max(0, query.limit),
        }
        name = "sessions_of_tenant"
        if query.user is not None:
            name, values["user"] = "sessions_of_user", query.user
        return [self._to_head(row) for row in cursor.execute(QUERIES[name], values).fetchall()]

    def _due(self, cursor: apsw.Cursor, bounds: tuple[float, int]) -> list[Head]:
        return [self._to_head(row) for row in cursor.execute(QUERIES["due"], bounds).fetchall()]

    def _to_head(self, row: tuple[Any, ...]) -> Head:
        boot, now = self._clock()
        return Head(
            session=row[0],
            tenant=row[1],
            user=row[2],
            epoch=row[3],
            position=row[4],
            created=row[5],
            updated=row[6],
            ended=bool(row[7]),
            due=row[8],
            fence=row[9],
            owner=row[10],
            url=row[11],
            expires=max(0.0, row[13] - now) if row[12] == boot else 0.0,
        )


def _nothing(cursor: apsw.Cursor, argument: None) -> None:
    pass


def _append(cursor: apsw.Cursor, append: Append) -> None:
    rows = append.rows
    found = cursor.execute(
        _ADVANCE, (len(rows), append.at, append.session, append.fence, append.expected)
    ).fetchone()
    if found is None:
        standing = cursor.execute(QUERIES["standing"], (append.session,)).fetchone()
        if standing is None or standing[0] != append.fence:
            raise lost(append.session, append.fence, None if standing is None else standing[0])
        raise conflict(append.session, append.expected, standing[1])
    journal, minute, due, ended = found
    for row in rows:
        cursor.execute(_INSERT, (journal, row.position, row.type, row.body))
    now_ended = ended or append.ended
    now_due = None if now_ended else append.due
    now_minute = int(append.at // _MINUTE)
    if now_minute != minute or now_due != due or now_ended != ended:
        cursor.execute(_SCHEDULE, (journal, now_minute, now_due, now_ended))


def _save_snapshot(cursor: apsw.Cursor, kept: tuple[str, int, Snapshot]) -> None:
    session, fence, snapshot = kept
    values = {
        "session": session,
        "fence": fence,
        "position": snapshot.position,
        "body": snapshot.body,
    }
    cursor.execute(QUERIES["save_snapshot"], values)


def _release(cursor: apsw.Cursor, held: tuple[str, str]) -> None:
    cursor.execute(QUERIES["release"], held)


def _read(cursor: apsw.Cursor, read: Read) -> list[Row]:
    values = {
        "session": read.session,
        "after": read.after,
        "before": _LAST if read.before is None else read.before,
        "types": json.dumps(read.types) if read.types else None,
        "limit": max(0, read.limit),
    }
    name = "read_backward" if read.newest_first else "read_forward"
    return [Row(*row) for row in cursor.execute(QUERIES[name], values)]
