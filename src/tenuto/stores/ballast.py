"""Space that is kept for a full disk: a file of zeros beside the store, given up when nothing else can be written.

On a full disk SQLite cannot even delete. With the ballast gone there is room to renew leases, to erase, and to bring
the write-ahead log back into the database, which lets the log's own space be used again.
"""

import os
from pathlib import Path


class Ballast:
    """A file that takes up space until it is needed.

    Args:
        path: Of the file. It exists while the store is open.
        size: Bytes; 0 for no ballast.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self.missing = size > 0
        """Whether there is less of it than there should be."""

    def fill(self) -> bool:
        """Take the space up again, if the disk has it. Returns whether there is nothing missing now."""
        if self.missing:
            self.missing = not self._take_up()
        return not self.missing

    def release(self) -> bool:
        """Give the space up. Returns whether there was any."""
        if self._size == 0 or self.missing:
            return False
        self.missing = True
        return self._remove()

    def remove(self) -> None:
        """Leave nothing behind, when the store is closed."""
        if self._size:
            self.missing = True
            self._remove()

    def _take_up(self) -> bool:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, self._size)
            else:  # a file of holes takes up nothing
                os.pwrite(file, bytes(self._size), 0)
            return True
        except OSError:
            # Half a ballast would only keep the space from those who need it.
            self._remove()
            return False
        finally:
            os.close(file)

    def _remove(self) -> bool:
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
