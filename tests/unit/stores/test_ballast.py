import errno
import os
from pathlib import Path

import pytest

from tenuto.stores.ballast import Ballast

SIZE = 64 * 1024


def test_it_takes_up_space_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "ballast"
    ballast = Ballast(path, SIZE)
    assert ballast.missing
    assert ballast.fill()
    assert path.stat().st_blocks * 512 >= SIZE
    assert ballast.release()
    assert not path.exists()
    assert not ballast.release()
    assert ballast.missing


def test_it_takes_up_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "ballast"
    ballast = Ballast(path, SIZE)
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full, raising=False)
        assert not ballast.fill()
        assert not path.exists()
    assert ballast.fill()


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", SIZE)
    ballast.fill()
    ballast.remove()
    ballast.remove()
    assert list(tmp_path.iterdir()) == []


def test_there_may_be_none(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", 0)
    assert ballast.fill()
    assert not ballast.release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_failure(tmp_path: Path) -> None:
    assert not Ballast(tmp_path / "nowhere" / "ballast", SIZE).fill()
