"""Disks that fail, for SQLite: one that loses power, and one that is full.

A killed process proves next to nothing about durability, for the system still writes what the process had handed over.
Here the power goes: of what was written since the last sync, a random half of the 512-byte sectors is there afterwards,
in any combination. A store that acknowledges before it syncs loses rows at once; one that syncs loses none, in as many
rounds as you like.

Example:
    >>> import asyncio, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> asyncio.run(power_loss_rounds(folder, rounds=2, seed=1)).lost
    0
"""

import asyncio
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import apsw
import msgspec

from tenuto.errors import StoreError
from tenuto.ids import new_id
from tenuto.session.ports import Append, Lease, NewSession, Read, Row, Snapshot, Store
from tenuto.stores.sqlite import SqliteStore

SECTOR = 512
"""Bytes that a disk writes as one: a sector is there whole or not at all."""

PRODUCERS = 3
"""Sessions that are written to at the same time in a round."""


class _File(msgspec.Struct):
    """What is known of a file: the bytes that a sync has seen, and what was done since, in order."""

    durable: bytearray
    pending: list[tuple[int, bytes | None]] = []
    """Place and bytes of a write; None instead of bytes for a change of length to that place."""
    deleted: bytearray | None = None
    """What an earlier file of that name held, while nothing has made its deletion durable."""
    is_new: bool = True
    """Whether no sync has seen it yet."""

    def apply(self, place: int, data: bytes | None) -> None:
        size = len(self.durable)
        if data is None:
            del self.durable[place:]
        else:
            if size < place:
                self.durable.extend(bytes(place - size))
            self.durable[place : place + len(data)] = data

    def sync(self) -> None:
        for place, data in self.pending:
            self.apply(place, data)
        self.pending.clear()

    def crash(self, chance: random.Random) -> None:
        if self.deleted is not None and chance.random() < 0.5:
            self.durable = self.deleted
            return
        for place, data in self.pending:
            if data is None:
                if chance.random() < 0.5:
                    self.apply(place, None)
                continue
            start = 0
            while start < len(data):
                end = min(len(data), start + SECTOR - (place + start) % SECTOR)
                if chance.random() < 0.5:
                    self.apply(place + start, data[start:end])
                start = end
        self.pending.clear()


class PowerLoss(apsw.VFS):
    """A disk whose power can go. Use it by its `name`: `SqliteStore(path, vfs=disk.name, ballast=0)`.

    Until then it is a real folder, apart from syncs, which cost nothing. Afterwards every write fails, and `survivors`
    says what is left.

    Args:
        seed: Of what survives.
        after: Writes, syncs and truncations until the power goes; None to call `cut` instead.
        honest: Whether a sync syncs. Some disks only say so, and no store survives on them.
    """

    def __init__(self, seed: int, after: int | None = None, honest: bool = True) -> None:
        self.name = f"power-loss-{new_id()}"
        """What SQLite knows the disk by: the `vfs` of `SqliteStore`."""
        self._chance = random.Random(seed)
        self._after, self._honest = after, honest
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        self.is_off = False
        """Whether the power is gone."""
        super().__init__(self.name, "")

    def cut(self) -> None:
        """Take the power away now."""
        with self._lock:
            self.is_off = True

    def survivors(self, folder: Path) -> None:
        """Write what is left of the files into another folder. Ends the disk: call it once."""
        self.cut()
        with self._lock:
            for name, file in sorted(self._files.items()):
                file.crash(self._chance)
                if file.durable:
                    (folder / Path(name).name).write_bytes(file.durable)
        self.unregister()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """Open a file for SQLite."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert path is not None, "SQLite wants a temporary file, and none of these disks has any"
        return _PoweredFile(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Delete a file. Without a sync of its folder it comes back after the crash, or does not."""
        super().xDelete(filename, syncdir)
        with self._lock:
            if not self.is_off:
                file = self._files.pop(filename)
                file.sync()
                if not syncdir:
                    self._files[filename] = _File(bytearray(), deleted=file.durable)

    def begin(self, path: str) -> _File:
        """Return what is known of a file; what it held before is taken for durable."""
        with self._lock:
            if path not in self._files:
                existing = Path(path)
                self._files[path] = _File(
                    bytearray(existing.read_bytes()) if existing.exists() else bytearray(),
                    is_new=not existing.exists(),
                )
            return self._files[path]

    def note(self, change: Callable[[], None]) -> None:
        """Count an operation and keep what it did, while there is power.

        Raises:
            apsw.IOError: There is none, or this was the operation at which it went.
        """
        with self._lock:
            if self.is_off:
                raise apsw.IOError("the power is off")
            if self._after is not None:
                self._after -= 1
                self.is_off = self._after < 0
            if self.is_off:
                raise apsw.IOError("the power went")
            change()

    def sync(self, file: _File) -> None:
        """Make a file durable, if this disk is an honest one."""

        def done() -> None:
            if file.is_new:
                # SQLite syncs the folder together with a new log, and that settles every deletion in it.
                for other in self._files.values():
                    other.deleted = None
            file.is_new = False
            file.sync()

        self.note(done if self._honest else lambda: None)


class _PoweredFile(apsw.VFSFile):
    def __init__(
        self, disk: PowerLoss, path: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk, self._file = disk, disk.begin(path)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        kept = bytes(data)
        self._disk.note(lambda: self._file.pending.append((offset, kept)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.note(lambda: self._file.pending.append((newsize, None)))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.sync(self._file)


class SmallDisk(apsw.VFS):
    """A disk with a limit, to be used by its `name`. Everything in its folder takes space, whoever wrote it.

    Args:
        folder: What counts.
        capacity: Bytes that fit. Set it to another number to make space, or to take it away.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self.name = f"small-disk-{new_id()}"
        """What SQLite knows the disk by: the `vfs` of `SqliteStore`."""
        self.folder, self.capacity = folder, capacity
        super().__init__(self.name, "")

    def used(self) -> int:
        """Bytes in the folder, without the memory that SQLite shares between processes as a file."""
        return sum(
            path.stat().st_size for path in self.folder.iterdir() if not path.name.endswith("-shm")
        )

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """Open a file for SQLite."""
        return _LimitedFile(self, name, flags)


class _LimitedFile(apsw.VFSFile):
    def __init__(
        self, disk: SmallDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        more = offset + len(data) - self.xFileSize()
        if more > 0 and self._disk.used() + more > self._disk.capacity:
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)


class Tally(msgspec.Struct, kw_only=True):
    """What the rounds came to."""

    rounds: int = 0
    """Rounds that were run."""
    acknowledged: int = 0
    """Rows that were acknowledged before the power went."""
    lost: int = 0
    """Rows that were acknowledged, and are not there as they were written."""
    losing: int = 0
    """Rounds in which a row was lost."""
    corrupt: int = 0
    """Rounds after which the file was damaged, or could not be opened."""


async def power_loss_rounds(
    folder: Path,
    rounds: int,
    seed: int = 0,
    synchronous: Literal["FULL", "NORMAL"] = "FULL",
    honest: bool = True,
) -> Tally:
    """Write to an SQLite store until the power goes, look at what is left, and begin again.

    In each round the store is closed and opened a few times, so that the power also goes while it takes its log into
    the database, removes it, or starts another.

    Args:
        folder: For the files of the rounds; left as it was.
        rounds: How many.
        seed: Of the moments at which the power goes, and of what survives.
        synchronous: As for `SqliteStore`.
        honest: As for `PowerLoss`.
    """
    tally = Tally()
    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        disk = PowerLoss(chance.getrandbits(32), after=chance.randrange(1, 200), honest=honest)
        await _round(folder / f"round-{number}", disk, synchronous, chance, tally)
    return tally


async def _round(
    folder: Path,
    disk: PowerLoss,
    synchronous: Literal["FULL", "NORMAL"],
    chance: random.Random,
    tally: Tally,
) -> None:
    before, after = folder / "before", folder / "after"
    before.mkdir(parents=True)
    after.mkdir()

    written: dict[str, list[Row]] = {}
    while not disk.is_off:
        store = SqliteStore(before / "a.db", synchronous=synchronous, ballast=0, vfs=disk.name)
        appends = chance.randrange(1, 20)
        try:
            await asyncio.gather(
                *(
                    _produce(store, f"s{n}", appends, written, random.Random(chance.random()))
                    for n in range(PRODUCERS)
                )
            )
        finally:
            await store.close()
    disk.survivors(after)

    tally.rounds += 1
    tally.acknowledged += sum(map(len, written.values()))
    lost, corrupt = await _inspect(after / "a.db", written)
    tally.lost += lost
    tally.losing += lost > 0
    tally.corrupt += corrupt
    shutil.rmtree(folder)


async def _produce(
    store: Store, session: str, appends: int, written: dict[str, list[Row]], chance: random.Random
) -> None:
    """Append, until the power goes at most. What is acknowledged goes into `written`."""
    try:
        if session not in written:
            new = NewSession(session=session, tenant="t", user="u", epoch="e", at=0.0)
            await store.create(new, "host", "", 60.0)
            written[session] = []
        rows = written[session]
        lease = await store.claim(session, "host", "", 60.0)
        for _ in range(appends):
            await _append(store, lease, rows, chance)
            if chance.random() < 0.1:
                snapshot = Snapshot(len(rows), chance.randbytes(3_000))
                await store.save_snapshot(session, lease.fence, snapshot)
    except StoreError:
        return


async def _append(store: Store, lease: Lease, rows: list[Row], chance: random.Random) -> None:
    added = [
        Row(len(rows) + 1 + n, "message.added", chance.randbytes(chance.randrange(1, 900)))
        for n in range(chance.randrange(1, 4))
    ]
    await store.append(
        Append(
            session=lease.session,
            expected=len(rows),
            fence=lease.fence,
            rows=added,
            at=float(len(rows)),
        )
    )
    rows.extend(added)


async def _inspect(path: Path, written: dict[str, list[Row]]) -> tuple[int, bool]:
    """Return how many of the rows are missing, and whether the file is damaged."""
    store = SqliteStore(path, ballast=0)
    try:
        lost = 0
        corrupt = False
        for session, rows in written.items():
            loaded = await store.load(session)
            if loaded is None:
                lost += max(1, len(rows))  # the session itself was acknowledged
                continue
            found = {row.position: row for row in await _whole(store, session)}
            lost += sum(found.get(row.position) != row for row in rows)
            corrupt = corrupt or sorted(found) != list(range(1, loaded.head.position + 1))
    except StoreError:
        return sum(map(len, written.values())), True
    finally:
        await store.close()
    return lost, corrupt or not _is_whole(path)


async def _whole(store: Store, session: str) -> list[Row]:
    return list(await store.read(Read(session=session, limit=1_000_000)))


def _is_whole(path: Path) -> bool:
    if not path.exists():
        return True
    connection = apsw.Connection(str(path))
    try:
        return bool(connection.pragma("integrity_check") == "ok")
    except apsw.Error:
        return False
    finally:
        connection.close()
