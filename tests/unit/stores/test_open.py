from pathlib import Path

import pytest

from tenuto.errors import InvalidConfig
from tenuto.session.ports import NewSession
from tenuto.stores.in_memory import InMemoryStore
from tenuto.stores.open import open_store
from tenuto.stores.sqlite import SqliteStore


@pytest.mark.parametrize("url", ["memory:", "memory://"])
def test_in_memory(url: str) -> None:
    assert isinstance(open_store(url), InMemoryStore)


async def make_something(url: str) -> None:
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    new = NewSession(session="s", tenant="t", user="u", epoch="e", at=1.0)
    await store.create(new, "host", "", 1.0)
    await store.close()


async def test_a_relative_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await make_something("sqlite:///a.db")
    assert (tmp_path / "a.db").is_file()


async def test_an_absolute_file(tmp_path: Path) -> None:
    await make_something(f"sqlite:///{tmp_path}/a%20b.db")
    assert (tmp_path / "a b.db").is_file()


def test_nothing_is_opened_yet(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/a.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://user:password@db/tenuto", "These exist: sqlite:///relative.db"),
        ("tenuto.db", "These exist"),
        ("", "These exist"),
        ("memory", "These exist"),
        ("memory:something", "These exist"),
        ("sqlite:", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:tenuto.db", "names no file"),
        ("sqlite://tenuto.db", "names no file"),
        ("sqlite:////var/lib/", "names no file"),
        ("sqlite:///a.db?mode=ro", "options"),
        ("sqlite:///:memory:", "memory:"),
    ],
)
def test_what_is_no_store_is_told_what_exists(url: str, says: str) -> None:
    with pytest.raises(InvalidConfig, match=says) as refused:
        open_store(url)
    assert "password" not in str(refused.value)
