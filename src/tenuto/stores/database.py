"""One SQLite file: how a connection to it is opened, brought up to date, and how its failures are told.

The schema's version is `PRAGMA user_version`; `PRAGMA application_id` says that the file is ours. A migration and its
number are one transaction, so that a file is never between two versions.
"""

import os
import time
from pathlib import Path

import apsw
import msgspec

from tenuto.errors import (
    SchemaUnsupported,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
    TenutoError,
)
from tenuto.stores.sql import MIGRATIONS

_APPLICATION = 0x54656E75  # "Tenu"

STOREWIDE = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.NoMemError,
    OSError,
)
"""Failures of the whole file, not of one statement: to try again one by one would help nobody."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and how it is kept."""

    path: Path
    synchronous: str = "FULL"
    """SQLite's word for when a commit counts: `FULL` survives power loss, `NORMAL` only a killed process."""
    vfs: str = ""
    """Name of the SQLite VFS; empty for the system's own."""
    busy_milliseconds: int = 5_000
    """How long to wait for another process that writes."""

    def connect(self) -> apsw.Connection:
        """Open the file for writing, make it when it is missing, and bring its schema up to date.

        Raises:
            StoreUnavailable: The file or its folder cannot be used.
            StoreCorrupt: The file is no database, or another program's.
            SchemaUnsupported: A newer version of Tenuto wrote it.
        """
        try:
            self._make_private()
            connection = self._open(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        except (apsw.Error, OSError) as error:
            raise self.translate(error) from error
        try:
            self._check_owner(connection)
            self._use_wal(connection)
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            connection.execute("PRAGMA secure_delete = ON; PRAGMA cache_size = -8000")
            self._migrate(connection)
        except (apsw.Error, OSError) as error:
            connection.close()
            raise self.translate(error) from error
        except TenutoError:
            connection.close()
            raise
        return connection

    def connect_reader(self) -> apsw.Connection:
        """Open the file for reading only. It must exist, and its schema be up to date.

        Raises:
            StoreError: It cannot be opened.
        """
        try:
            connection = self._open(apsw.SQLITE_OPEN_READWRITE)
            connection.execute("PRAGMA query_only = ON; PRAGMA cache_size = -4000")
        except (apsw.Error, OSError) as error:
            raise self.translate(error) from error
        return connection

    def translate(self, error: BaseException) -> TenutoError:
        """Return the error that callers are told, with what to do about it."""
        path = self.path
        match error:
            case TenutoError():
                return error
            case apsw.FullError():
                return StoreFull(
                    f"No space is left for {path}. Nothing was written; free some space and go on."
                )
            case apsw.NotADBError():
                return StoreCorrupt(
                    f"{path} is not an SQLite database. Move it away, or name another file."
                )
            case apsw.CorruptError():
                return StoreCorrupt(
                    f"{path} is damaged. Restore it from a backup, or save what can be read with: "
                    f"sqlite3 {path} .recover"
                )
            case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
                return StoreUnavailable(
                    f"Another process has kept {path} locked for {self.busy_milliseconds / 1000:g} s. "
                    "Find it with: fuser " + str(path)
                )
            case apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError() | OSError():
                return StoreUnavailable(self._why_not())
            case apsw.IOError():
                return StoreUnavailable(
                    f"{path} could not be read or written ({error}). Look at the disk."
                )
        return StoreError(f"{path}: {error}")

    def _why_not(self) -> str:
        folder = self.path.parent
        if not folder.exists():
            return f"The folder {folder} does not exist. Make it with: mkdir -p {folder}"
        if not folder.is_dir():
            return f"{folder} is not a folder. Name another place for the store."
        if self.path.is_dir():
            return f"{self.path} is a folder. Name a file for the store."
        if not os.access(folder, os.W_OK | os.X_OK):
            return (
                f"The folder {folder} cannot be written to. SQLite needs to make files there: "
                "change its owner or mode, or name another place for the store."
            )
        return f"{self.path} cannot be opened for writing. Look at its owner and mode."

    def _make_private(self) -> None:
        # What people said is in this file: SQLite's own files take its mode.
        if not self.vfs:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _open(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), flags=flags, vfs=self.vfs or None)
        connection.set_busy_timeout(self.busy_milliseconds)
        return connection

    def _check_owner(self, connection: apsw.Connection) -> None:
        application = connection.pragma("application_id")
        if application == _APPLICATION:
            return
        empty = connection.execute("SELECT count(*) = 0 FROM sqlite_schema").get
        if application != 0 or not empty:
            raise StoreCorrupt(
                f"{self.path} is a database of another program. Name a file of its own for the store."
            )

    def _use_wal(self, connection: apsw.Connection) -> None:
        # SQLite does not wait here by itself when two processes open a new file at once.
        deadline = time.monotonic() + self.busy_milliseconds / 1000
        while True:
            try:
                mode = connection.pragma("journal_mode", "wal")
                break
            except apsw.BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        if mode != "wal":
            raise StoreUnavailable(
                f"{self.path} is on a file system without the locks that SQLite needs (a network "
                "share?). Name a file on a local disk."
            )

    def _migrate(self, connection: apsw.Connection) -> None:
        newest = MIGRATIONS[-1][0]
        while (version := int(connection.pragma("user_version"))) != newest:
            if version > newest:
                raise SchemaUnsupported(
                    f"{self.path} has schema {version}; this version of Tenuto knows {newest}. "
                    "Upgrade Tenuto."
                )
            connection.execute("BEGIN IMMEDIATE")
            try:
                # Another process may have been faster.
                if connection.pragma("user_version") == version:
                    number, text = next(entry for entry in MIGRATIONS if entry[0] > version)
                    connection.execute(text)
                    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {number}")
                connection.execute("COMMIT")
            except apsw.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
