"""Threads that read, each with a connection of its own: a long read holds up neither the appends nor the event loop.

An operation runs in one read transaction, so that what it reads is of one moment.
"""

import logging

import apsw

from tenuto.errors import TenutoError
from tenuto.stores.database import STOREWIDE, Database
from tenuto.stores.lane import Job, Lane, Queue, Stop, settle

logger = logging.getLogger("tenuto.stores")


class Readers:
    """Runs reading operations.

    Args:
        database: The file, which must be there already.
        threads: Reads that may run at the same time.
    """

    def __init__(self, database: Database, threads: int) -> None:
        self._database = database
        self._lane = Lane("tenuto-store-reader", self._work, threads)
        self.submit = self._lane.submit
        self.close = self._lane.close

    def _work(self, queue: Queue) -> None:
        connection: apsw.Connection | None = None
        while True:
            entry = queue.get()
            if isinstance(entry, Stop):
                if connection is not None:
                    connection.close()
                settle([(entry.future, None)])
                return
            try:
                connection = connection or self._database.connect_reader()
                result = self._read(connection, entry)
            except Exception as error:  # noqa: BLE001 -- whatever it is, somebody waits to hear of it
                result = self._database.translate(error)
                if connection is not None and isinstance(error, STOREWIDE):
                    connection.close(True)
                    connection = None
            settle([(entry.future, result)])
            del entry, result  # an idle thread must not keep the last rows alive

    def _read(self, connection: apsw.Connection, job: Job) -> object:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        try:
            return job.operation(cursor, job.argument)
        except TenutoError as refusal:
            return refusal
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
