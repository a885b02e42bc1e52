"""A host owns its store: it is opened once, and closed whatever happens."""

import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto.errors import StoreUnavailable
from tenuto.host import host
from tenuto.session import ports
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script
from tests.unit.host.hosting import HI, Shelf

pytestmark = pytest.mark.virtual


class Kept(InMemoryStore):
    """A store that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.closings = 0
        self.fails: Exception | None = None

    async def due(self, before: float, limit: int = 100) -> list[ports.Head]:
        if self.fails is not None:
            raise self.fails
        return list(await super().due(before, limit))

    async def close(self) -> None:
        self.closings += 1
        await super().close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Kept]:
    """The stores that hosts have opened."""
    stores: list[Kept] = []

    def opening(url: str) -> Kept:
        stores.append(Kept())
        return stores[-1]

    monkeypatch.setattr(host, "open_store", opening)
    return stores


async def test_its_store_is_opened_once_and_not_again_after_its_end(opened: list[Kept]) -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        await tenuto.create_session()
    with pytest.raises(StoreUnavailable, match="closed"):
        await tenuto.sessions()
    await tenuto.close()
    assert [store.closings for store in opened] == [1]


async def test_a_store_that_cannot_be_used_is_closed_and_may_be_tried_again(
    opened: list[Kept],
) -> None:
    tenuto = Tenuto(TenutoConfig(store="memory:", engine="text"))
    tenuto.store.fails = StoreUnavailable("Not now.")  # type: ignore[attr-defined]
    with pytest.raises(StoreUnavailable, match="Not now"):
        async with tenuto:
            raise AssertionError("it began")
    async with tenuto:
        assert (await tenuto.create_session()).is_active
    assert [store.closings for store in opened] == [1, 1]


async def test_engines_that_fail_to_close_do_not_keep_the_store_open(opened: list[Kept]) -> None:
    class Stuck(Script):
        async def close(self) -> None:
            raise ZeroDivisionError

    tenuto = Tenuto(TenutoConfig(store="memory:"), engines=Stuck(HI, ordered=False))
    with pytest.raises(ZeroDivisionError):
        async with tenuto:
            await tenuto.create_session()
    assert [store.closings for store in opened] == [1]


async def test_a_store_that_was_given_is_left_open() -> None:
    shelf = Shelf(VirtualClock())
    async with Tenuto(TenutoConfig(store="memory:", engine="text"), store=shelf) as tenuto:
        await tenuto.create_session()
    assert len(await tenuto.sessions()) == 1
