"""A host that keeps a user's memory: a store that fails, others who are faster, journals that vanish."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tenuto import Session, SessionConfig, Tenuto, TenutoConfig
from tenuto.errors import AppendConflict, InvalidConfig, StoreUnavailable, TenutoError
from tenuto.host.extraction import extractor_of
from tenuto.session import ports
from tenuto.session.user_memory import journal_of
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tests.unit.session.house import contents

pytestmark = pytest.mark.virtual

SHARED = SessionConfig(memory_scope="user")
JOURNAL = journal_of("local", "alice")


class Shelf(InMemoryStore):
    """A store in RAM that can refuse to write to the user's journal."""

    refuse: TenutoError | None = None

    async def append(self, append: ports.Append) -> None:
        if self.refuse is not None and append.session == JOURNAL:
            raise self.refuse
        await super().append(append)


@asynccontextmanager
async def hosting(shelf: Shelf) -> AsyncIterator[Tenuto]:
    config = TenutoConfig(store="memory:", engine="text", lease=3_600)
    async with Tenuto(config, store=shelf, clock=VirtualClock()) as tenuto:
        yield tenuto


def on_its_way(session: Session) -> list[int]:
    return session.driver.core.state.memory.outgoing


async def test_a_store_that_fails_for_a_while_gets_it_later() -> None:
    shelf = Shelf(VirtualClock())
    async with hosting(shelf) as tenuto:
        session = await tenuto.create_session(user_id="alice", config=SHARED)
        shelf.refuse = StoreUnavailable()
        await session.add_memory("Likes tea.")
        await asyncio.sleep(0.3)
        assert (on_its_way(session), contents(session)) == ([1], ["Likes tea."])
        shelf.refuse = None
        await asyncio.sleep(3)
        assert (on_its_way(session), contents(session)) == ([], ["Likes tea."])


async def test_who_is_always_too_late_gives_up_for_now(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(VirtualClock())
    async with hosting(shelf) as tenuto:
        session = await tenuto.create_session(user_id="alice", config=SHARED)
        shelf.refuse = AppendConflict()
        with caplog.at_level(logging.WARNING):
            await session.add_memory("Likes tea.")
            await session.memory.flush()
        assert "session_conflict" in caplog.text
        assert "tea" not in caplog.text
        assert on_its_way(session) == [1]
        shelf.refuse = None
        await session.memory.flush()
        assert on_its_way(session) == []


async def test_a_memory_that_was_erased_elsewhere_begins_anew() -> None:
    shelf = Shelf(VirtualClock())
    async with hosting(shelf) as one, hosting(shelf) as two:
        here = await one.create_session(user_id="alice", config=SHARED)
        there = await two.create_session(user_id="alice", config=SHARED)
        for number in range(5):
            await here.add_memory(f"Fact {number}.")
        await here.memory.flush()
        await there.memory.fresh()
        assert len(contents(there)) == 5
        await one.forget_user_memory("alice")
        await there.add_memory("New.")
        await there.memory.flush()
        await here.memory.fresh()
        assert contents(here) == contents(there) == ["New."]
        await two.forget_user_memory("alice")
        await two.forget_user_memory("nobody")
        await here.memory.fresh()
        assert contents(here) == []


async def test_a_snapshot_of_another_version_is_read_around() -> None:
    shelf = Shelf(VirtualClock())
    async with hosting(shelf) as tenuto:
        session = await tenuto.create_session(user_id="alice", config=SHARED)
        await session.add_memory("Likes tea.")
        await session.memory.flush()
        head = await shelf.head(JOURNAL)
        assert head is not None
        await shelf.save_snapshot(JOURNAL, head.fence, ports.Snapshot(head.position, b"{}{"))
    async with hosting(shelf) as tenuto:
        session = await tenuto.create_session(user_id="alice", config=SHARED)
        assert contents(session) == ["Likes tea."]


async def test_a_running_session_may_begin_to_share() -> None:
    shelf = Shelf(VirtualClock())
    async with hosting(shelf) as tenuto:
        one = await tenuto.create_session(user_id="alice", config=SHARED)
        await one.add_memory("Likes tea.")
        other = await tenuto.create_session(user_id="alice")
        await other.add_memory("Its own.")
        assert contents(other) == ["Its own."]
        await other.update_config(memory_scope="user")
        await other.memory.fresh()
        assert contents(other) == ["Likes tea.", "Its own."]
        await other.add_memory("Likes cake.")
        assert contents(one) == ["Likes tea.", "Likes cake."]


def test_an_extractor_is_chosen_by_name() -> None:
    assert extractor_of("") is None
    assert extractor_of("openai:tiny@http://127.0.0.1:1/v1") is not None
    for wrong in ("openai:", "openai:@x", "other:x"):
        with pytest.raises(InvalidConfig, match="openai:MODEL"):
            TenutoConfig(extractor=wrong)
