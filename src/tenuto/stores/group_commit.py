"""The one thread that writes: it takes what is queued, commits it as one transaction, and never waits for more.

While a commit runs, the next batch gathers: the running commit is the wait. Three rules:

1. An operation looks before it writes. When it refuses, by raising a `TenutoError`, it has written nothing, so its
   neighbours in the batch are left alone without savepoints.
2. Nothing is settled before the commit; a commit that fails fails everything in its batch.
3. An operation that breaks in a way of its own is found by doing the batch again, one at a time; so an operation may
   run twice, and must depend on nothing but the database.

On a full disk the ballast goes to what is urgent (leases, erasure); everything else is refused until there is space for
the ballast again, or something was erased.
"""

import logging
from collections.abc import Sequence
from queue import Empty
from typing import Any

import apsw

from tenuto.errors import TenutoError
from tenuto.stores.ballast import Ballast
from tenuto.stores.database import STOREWIDE, Database
from tenuto.stores.lane import Job, Lane, Queue, Stop, settle

logger = logging.getLogger("tenuto.stores")

BATCH = 512
"""Jobs in one commit, at most; the rest is the next batch."""
IDLE_SECONDS = 0.25
"""Without a job for so long, the thread tidies up."""
RETRY_SECONDS = 5.0
"""So long until it tries again, when tidying up was held up by a reader or by a full disk."""
CHECKPOINT_PAGES = 500
"""Pages in the log from which an idle thread checkpoints."""
OVERDUE_PAGES = 2_000
"""Pages in the log (8 MB) at which it checkpoints though it is busy: to write over the log's old blocks costs half of
what it costs to make the log longer."""


class GroupCommit:
    """Runs operations on one connection, many to a commit.

    Args:
        database: The file. It is opened with the first job, and again after a failure of the file.
        ballast: Space for what must be written though the disk is full.
    """

    def __init__(self, database: Database, ballast: Ballast) -> None:
        self._database, self._ballast = database, ballast
        self._lane = Lane("tenuto-store-writer", self._work)
        self.submit = self._lane.submit
        self.close = self._lane.close

        # What follows belongs to the thread.
        self._connection: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None
        self._pages = 0
        self._overdue = OVERDUE_PAGES
        self._scrub = True
        self._patience = IDLE_SECONDS
        self._is_full = False

    @property
    def is_open(self) -> bool:
        """Whether the file is there, with its schema up to date, and is this process's own."""
        return self._connection is not None and not self._lane.is_forked

    def scrub(self) -> None:
        """Empty the log when there is time: something was erased. For operations."""
        self._scrub, self._patience = True, IDLE_SECONDS
        self._is_full = False

    def _work(self, queue: Queue) -> None:
        while True:
            batch, stop = self._take(queue)
            if batch:
                outcomes = self._commit(batch)
                settle(zip((job.future for job in batch), outcomes, strict=True))
                del batch, outcomes  # an idle thread must not keep the last rows alive
                if self._pages >= self._overdue:
                    self._checkpoint()
            elif stop is None:
                self._tidy()
            if stop is not None:
                self._end()
                settle([(stop.future, None)])
                return

    def _take(self, queue: Queue) -> tuple[list[Job], Stop | None]:
        untidy = self._scrub or self._ballast.missing or self._pages >= CHECKPOINT_PAGES
        batch: list[Job] = []
        try:
            entry = queue.get(
                timeout=self._patience if untidy and self._connection is not None else None
            )
            while True:
                if isinstance(entry, Stop):
                    return batch, entry
                batch.append(entry)
                if len(batch) == BATCH:
                    break
                entry = queue.get_nowait()
        except Empty:
            pass
        return batch, None

    def _commit(self, batch: Sequence[Job]) -> list[Any]:
        """Return a result or an exception for each job; all that have a result are durable."""
        if self._is_full:
            self._is_full = not self._ballast.fill()
        if self._is_full:
            return self._do_urgent(batch, apsw.FullError())
        try:
            return self._transaction(batch)
        except TenutoError as error:  # the file could not be opened
            return [type(error)(error.message) for _ in batch]
        except Exception as error:  # noqa: BLE001 -- whatever it is, somebody waits to hear of it
            self._roll_back(error)
            if not isinstance(error, STOREWIDE):
                if len(batch) == 1:
                    return [self._database.translate(error)]
                return [self._commit([job])[0] for job in batch]
            logger.error("The store failed: %s", type(error).__name__)
            if isinstance(error, apsw.FullError) and self._ballast.release():
                self._is_full = True
                self._checkpoint()
                return self._do_urgent(batch, error)
            return [self._failure(error) for _ in batch]

    def _transaction(self, batch: Sequence[Job]) -> list[Any]:
        cursor = self._cursor or self._connect()
        results: list[Any] = []
        cursor.execute("BEGIN IMMEDIATE")
        for job in batch:
            try:
                results.append(job.operation(cursor, job.argument))
            except TenutoError as refusal:
                results.append(refusal)
        cursor.execute("COMMIT")
        return results

    def _do_urgent(self, batch: Sequence[Job], error: Exception) -> list[Any]:
        """Do what may use the ballast's space, and refuse the rest."""
        outcomes: list[Any] = [self._failure(error) for _ in batch]
        urgent = [place for place, job in enumerate(batch) if job.urgent]
        if urgent:
            try:
                results = self._transaction([batch[place] for place in urgent])
            except Exception as another:  # noqa: BLE001 -- the failure that they have is the one to tell
                self._roll_back(another)
            else:
                for place, result in zip(urgent, results, strict=True):
                    outcomes[place] = result
        return outcomes

    def _failure(self, error: BaseException) -> TenutoError:
        told = self._database.translate(error)
        told.__cause__ = error
        return told

    def _connect(self) -> apsw.Cursor:
        self._connection = connection = self._database.connect()
        connection.set_wal_hook(self._count)
        self._ballast.fill()
        self._cursor = connection.cursor()
        return self._cursor

    def _count(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _roll_back(self, error: BaseException) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error:
            self._disconnect()
        # After these the connection's own idea of the file may be wrong.
        if isinstance(error, apsw.IOError | apsw.CorruptError | apsw.NotADBError | OSError):
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            try:
                connection.close()
            except apsw.Error as error:
                logger.warning("The store did not close well: %s", type(error).__name__)

    def _tidy(self) -> None:
        self._ballast.fill()
        if self._pages >= CHECKPOINT_PAGES or self._scrub:
            self._checkpoint()
        untidy = self._scrub or self._ballast.missing or self._pages >= CHECKPOINT_PAGES
        self._patience = RETRY_SECONDS if untidy else IDLE_SECONDS

    def _checkpoint(self) -> None:
        """Bring the log into the database, as far as readers allow; with something to scrub, empty it too."""
        connection = self._connection
        if connection is None:
            return
        # On a full disk the log keeps its blocks: they may be all that there is to write to.
        scrub = self._scrub and not self._is_full
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if scrub else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            # To wait for a reader here would hold up the appends that come meanwhile.
            connection.set_busy_timeout(0)
            size, done = connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            self._overdue = self._pages + OVERDUE_PAGES
        except apsw.Error as error:
            logger.warning("A checkpoint failed: %s", type(error).__name__)
            self._overdue = self._pages + OVERDUE_PAGES
            if isinstance(error, apsw.FullError):
                self._ballast.release()
        else:
            self._scrub = self._scrub and not scrub
            if size == done:
                self._pages = 0
            self._overdue = self._pages + OVERDUE_PAGES
        finally:
            connection.set_busy_timeout(self._database.busy_milliseconds)

    def _end(self) -> None:
        self._disconnect()
        self._ballast.remove()
