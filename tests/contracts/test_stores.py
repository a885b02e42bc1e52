"""Both stores do what a store must do."""

from pathlib import Path

import pytest

from tenuto.session.ports import Store
from tenuto.stores.in_memory import InMemoryStore
from tenuto.stores.sqlite import SqliteStore
from tenuto.testing.contracts import StoreContract


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def since_boot(self) -> tuple[str, float]:
        return "this boot", self.seconds


class TestInMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def clock(self) -> None:
        self.hand = HandClock()

    def make(self) -> Store:
        return InMemoryStore(clock=self.hand)

    async def lapse(self, seconds: float) -> None:
        self.hand.seconds += seconds


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "tenuto.db"
        self.hand = HandClock()

    def make(self) -> Store:
        return SqliteStore(self.path, lease_clock=self.hand.since_boot)

    async def lapse(self, seconds: float) -> None:
        self.hand.seconds += seconds
