"""A host that cannot renew its leases stops in time, and goes on when it can again."""

import asyncio

import pytest

from tenuto import Session, Tenuto, TenutoConfig
from tenuto.errors import LeaseLost, StoreUnavailable
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script
from tests.unit.host.hosting import HI, Host, hosting
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual

LEASE = 10.0


async def lost_after(tenuto: Host, session: Session, least: float = 0.0) -> float:
    """The virtual seconds until a session is lost, all of which its lease lasts; it is not before `least`."""
    began = tenuto.clock.monotonic()
    while session.is_active:
        await asyncio.sleep(0.01)
        if session.is_active:
            head = await InMemoryStore.head(tenuto.shelf, session.session_id)
            assert head is not None and head.expires > LEASE / 10, "too late: it may be another's"
    assert isinstance(session.error, LeaseLost)
    assert tenuto.clock.monotonic() - began >= least
    return tenuto.clock.monotonic() - began


async def test_a_host_without_a_block_renews_its_leases_too() -> None:
    clock = VirtualClock()
    store = InMemoryStore(clock)
    config = TenutoConfig(store="memory:", lease=30)
    tenuto = Tenuto(config, store=store, engines=Script(HI, ordered=False), clock=clock)
    session = await tenuto.create_session()
    async with session:
        await asyncio.sleep(config.lease * 3)
        head = await tenuto.head(session.session_id)
        assert head.expires > 0
        assert (await session.send_message("Hi")).text == "Hello."
    await tenuto.close()


async def test_a_lease_that_is_renewed_is_kept() -> None:
    async with hosting(lease=LEASE) as tenuto, await tenuto.create_session() as session:
        await asyncio.sleep(LEASE * 100)
        assert session.is_active


async def test_a_host_whose_store_does_not_answer_stops_before_its_lease_ends() -> None:
    async with hosting(lease=LEASE) as tenuto, await tenuto.create_session() as session:
        with tenuto.shelf.holding("renew"):
            await lost_after(tenuto, session, LEASE / 2)


@pytest.mark.parametrize("error", [StoreUnavailable("Not now."), OSError("of another kind")])
async def test_a_host_whose_store_refuses_stops_before_its_lease_ends(error: Exception) -> None:
    async with hosting(lease=LEASE) as tenuto, await tenuto.create_session() as session:
        tenuto.shelf.fails["renew"] = error
        await lost_after(tenuto, session, LEASE / 2)


async def test_a_store_that_is_back_in_time_costs_nothing() -> None:
    async with hosting(lease=LEASE) as tenuto, await tenuto.create_session() as session:
        await asyncio.sleep(LEASE)
        tenuto.shelf.fails["renew"] = StoreUnavailable("Not now.")
        await asyncio.sleep(LEASE / 3)
        tenuto.shelf.fails.clear()
        await asyncio.sleep(LEASE * 10)
        assert session.is_active


async def test_what_is_loaded_after_an_outage_is_renewed_again() -> None:
    async with hosting(lease=LEASE) as tenuto:
        session = await tenuto.create_session(session_id="s")
        tenuto.shelf.fails["renew"] = OSError("of another kind")
        await lost_after(tenuto, session)
        tenuto.shelf.fails.clear()
        await quiet()
        async with await tenuto.load_session("s") as again:
            await asyncio.sleep(LEASE * 10)
            assert again.is_active and again is not session


async def test_what_another_host_has_taken_is_lost_here_and_nothing_else() -> None:
    async with hosting(lease=LEASE) as tenuto:
        async with await tenuto.create_session(session_id="kept") as kept:
            session = await tenuto.create_session(session_id="s")
            await tenuto.shelf.release("s", tenuto.id)
            await tenuto.shelf.claim("s", "another", "", 3600)
            await asyncio.sleep(LEASE)
            assert isinstance(session.error, LeaseLost)
            assert kept.is_active


async def test_what_is_let_go_and_taken_again_meanwhile_is_not_lost() -> None:
    async with hosting(lease=LEASE) as tenuto:
        session = await tenuto.create_session(session_id="s")
        with tenuto.shelf.holding("renew") as gate:
            await asyncio.sleep(LEASE / 3 + 0.1)
            await session.close()
            await quiet()
            again = await tenuto.load_session("s")
            await tenuto.shelf.release("s", tenuto.id)  # The renewal finds that it is not held.
            gate.set()
            await quiet()
        assert again is not session and again.is_active


@pytest.mark.parametrize("days", [-365, 365])
async def test_a_date_that_jumps_costs_no_lease(days: float) -> None:
    class Dated(VirtualClock):
        off = 0.0

        def now(self) -> float:
            return super().now() + self.off

    clock = Dated()
    config = TenutoConfig(store="memory:", lease=LEASE)
    engines = Script(HI, ordered=False)
    async with Tenuto(config, store=InMemoryStore(clock), engines=engines, clock=clock) as tenuto:
        async with await tenuto.create_session() as session:
            clock.off = days * 86_400
            await asyncio.sleep(LEASE * 10)
            assert (await session.send_message("Hi")).text == "Hello."
