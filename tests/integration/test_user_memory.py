"""One memory of a user in several sessions, hosts and crashes: nothing is lost, nothing comes twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tenuto import SessionConfig, Tenuto, TenutoConfig
from tenuto.errors import SessionNotFound, StoreUnavailable
from tenuto.session import ports
from tenuto.session.session import Session
from tenuto.session.user_memory import journal_of
from tenuto.stores.sqlite import SqliteStore
from tests.integration.waiting import until

SHARED = SessionConfig(memory_scope="user")
JOURNAL = journal_of("local", "alice")


def host(path: Path, store: ports.Store | None = None) -> Tenuto:
    return Tenuto(TenutoConfig(store=f"sqlite:///{path}/m.db", engine="text"), store=store)


async def of_alice(tenuto: Tenuto, **more: Any) -> Session:
    return await tenuto.create_session(user_id="alice", config=SHARED, **more)


def contents(session: Session) -> list[str]:
    return [entry.content for entry in session.get_memory().entries]


async def test_two_hosts_at_once_lose_nothing_and_keep_the_order(tmp_path: Path) -> None:
    async with host(tmp_path) as one, host(tmp_path) as two:
        first, second = await of_alice(one), await of_alice(two)

        async def tell(session: Session, who: str) -> None:
            for number in range(100):
                session.add_memory(f"{who} {number:03}.")
                if number % 7 == 0:
                    await session.commit()
                await asyncio.sleep(0)

        await asyncio.gather(tell(first, "one"), tell(second, "two"))
        await asyncio.gather(first.memory.flush(), second.memory.flush())
        await asyncio.gather(first.memory.fresh(), second.memory.fresh())
        assert contents(first) == contents(second)
        for who in ("one", "two"):
            told = [c for c in contents(first) if c.startswith(who)]
            assert told == [f"{who} {number:03}." for number in range(100)]
        assert first.driver.core.state.memory.book.entries == {}, "all of it has arrived"


async def test_sessions_of_one_process_know_at_once(tmp_path: Path) -> None:
    async with host(tmp_path) as tenuto:
        one, two = await of_alice(tenuto), await of_alice(tenuto)
        other = await tenuto.create_session(user_id="bob", config=SHARED)
        alone = await tenuto.create_session(user_id="alice")
        one.add_memory("The user's name is Alice.", key="name")
        assert contents(two) == contents(one) == ["The user's name is Alice."]
        assert contents(other) == contents(alone) == []
        entry = two.get_memory().entries[0]
        await two.memory.flush()
        await one.memory.flush()
        (entry,) = two.search_memory("name")
        assert await two.update_memory(entry, "The user's name is Alicia.")
        assert contents(one) == ["The user's name is Alicia."]
        await two.memory.flush()
        assert [old.content for old in await one.memory.trail("name")] == [
            "The user's name is Alice."
        ]
        one.clear_memory()
        assert contents(two) == []
        await one.memory.flush()
        assert contents(two) == contents(one) == []


async def test_what_the_user_says_in_one_session_is_known_in_the_next(tmp_path: Path) -> None:
    async with host(tmp_path) as tenuto:
        async with tenuto.session(user_id="alice", config=SHARED) as session:
            await session.send_message("My name is Alice")
            await session.send_message("I live in Paris")
    async with host(tmp_path) as tenuto:
        async with tenuto.session(user_id="alice", config=SHARED) as session:
            assert "Alice" in (await session.send_message("What is my name?")).text
            await session.send_message("I moved to Rome")
            await session.send_message("Forget my name")
            assert contents(session) == ["The user lives in Rome."]
    async with host(tmp_path) as tenuto, tenuto.session(user_id="alice", config=SHARED) as session:
        assert contents(session) == ["The user lives in Rome."]
        assert [old.content for old in await session.memory.trail("place")] == [
            "The user lives in Paris."
        ]


async def test_the_users_journal_is_no_session(tmp_path: Path) -> None:
    async with host(tmp_path) as tenuto:
        async with tenuto.session(user_id="alice", config=SHARED) as session:
            await session.add_memory("Likes tea.")
        assert await tenuto.store.head(JOURNAL) is not None
        listed = await tenuto.sessions(ports.Query(tenant="local"))
        assert [head.session for head in listed] == [session.session_id]
        for verb in (
            tenuto.load_session,
            tenuto.head,
            tenuto.history,
            tenuto.forget_session,
            tenuto.end_session,
        ):
            with pytest.raises(SessionNotFound):
                await verb(JOURNAL)
        await tenuto.forget_user_memory("alice")
        assert await tenuto.store.head(JOURNAL) is None
        async with tenuto.session(user_id="alice", config=SHARED) as session:
            assert contents(session) == []
            await session.add_memory("Likes cake.")
            await session.memory.flush()
            assert contents(session) == ["Likes cake."]


class Fragile(SqliteStore):
    """A store on which nothing can be written to one journal, or of which the answer is lost."""

    broken = ""
    """`before` the write, `after` it, or not at all."""
    only = JOURNAL
    """The journal; of all others when it begins with an exclamation mark."""

    async def append(self, append: ports.Append) -> None:
        mine = append.session == JOURNAL if self.only == JOURNAL else append.session != JOURNAL
        if mine and self.broken == "before":
            raise StoreUnavailable
        await super().append(append)
        if mine and self.broken == "after":
            raise StoreUnavailable


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_between_the_two_appends_loses_nothing_and_doubles_nothing(
    tmp_path: Path, when: str
) -> None:
    store = Fragile(tmp_path / "m.db")
    async with host(tmp_path, store) as tenuto:
        session = await of_alice(tenuto)
        await session.add_memory("Likes tea.")
        await session.memory.flush()
        store.broken = when
        await session.add_memory("Likes cake.")
        await session.forget_memory(-1)
        await session.memory.flush()
        assert contents(session) == ["Likes cake."], "it counts all the same"
        store.broken = "before"
        session.driver.lose(StoreUnavailable())  # the process dies here
    await store.close()
    async with host(tmp_path) as tenuto:
        again = await tenuto.load_session(session.session_id)
        assert contents(again) == ["Likes cake."]
        await again.memory.flush()
        assert contents(again) == ["Likes cake."]
        state = again.driver.core.state.memory
        assert (state.outgoing, state.gone, state.book.entries) == ([], [], {})
        other = await of_alice(tenuto)
        assert contents(other) == ["Likes cake."]


async def test_what_a_dead_host_has_left_is_taken_without_anybody_asking_for_the_session(
    tmp_path: Path,
) -> None:
    store = Fragile(tmp_path / "m.db")
    async with host(tmp_path, store) as tenuto:
        session = await of_alice(tenuto)
        store.broken = "before"
        await session.add_memory("Likes tea.")
        await session.memory.flush()
        session.driver.stop()
        await until(lambda: not tenuto.sessions_here)
        store.broken = ""
        other = await of_alice(tenuto)
        assert contents(other) == []
        await until(lambda: contents(other) == ["Likes tea."])
    await store.close()


async def test_what_is_forgotten_while_it_is_on_its_way_is_forgotten_there_too(
    tmp_path: Path,
) -> None:
    store = Fragile(tmp_path / "m.db")
    async with host(tmp_path, store) as tenuto:
        session = await of_alice(tenuto)
        await session.add_memory("Likes tea.")
        await session.memory.flush()

        reached, go = asyncio.Event(), asyncio.Event()
        plain = store.append

        async def slow(append: ports.Append) -> None:
            if append.session == JOURNAL:
                reached.set()
                await go.wait()
            await plain(append)

        store.append = slow  # type: ignore[method-assign]
        entry = session.add_memory("Secret.").value
        await reached.wait()
        session.forget_memory(entry)
        go.set()
        await session.memory.flush()
        await session.memory.flush()
        assert contents(session) == ["Likes tea."]
        other = await of_alice(tenuto)
        assert contents(other) == ["Likes tea."]
    await store.close()


async def test_a_long_memory_is_loaded_from_its_snapshot(tmp_path: Path) -> None:
    async with host(tmp_path) as tenuto:
        session = await of_alice(tenuto)
        for number in range(250):
            session.add_memory(f"Fact {number}.")
            if number % 50 == 49:
                await session.memory.flush()
        loaded = await tenuto.store.load(JOURNAL)
        assert loaded is not None
        assert loaded.snapshot is not None
    async with host(tmp_path) as tenuto:
        session = await of_alice(tenuto)
        assert len(contents(session)) == 250


async def test_what_expires_in_the_users_journal_goes_without_a_session(tmp_path: Path) -> None:
    async with host(tmp_path) as tenuto:
        async with tenuto.session(user_id="alice", config=SHARED) as session:
            await session.add_memory("For a moment.", expires_after_days=0.2 / 86_400)
            await session.add_memory("For ever.")

        async def gone() -> bool:
            rows = await tenuto.store.read(ports.Read(session=JOURNAL, types=("memory.cleared",)))
            return bool(rows)

        await until(gone)
        head = await tenuto.store.head(JOURNAL)
        assert head is not None
        assert head.due is None


# ------------------------------------------------------------------------------------------------------ one session's memory


def is_read(session: Session) -> bool:
    return session.memory.is_read


async def test_a_memory_is_unread_until_it_is_needed_and_the_same_as_before(tmp_path: Path) -> None:
    async with host(tmp_path) as tenuto:
        session = await tenuto.create_session(user_id="alice")
        with session.batch_update():
            for number in range(300):
                session.add_memory(f"Fact {number}.", expires_after_days=number + 1)
        before = session.get_memory().entries
        await session.close()
    async with host(tmp_path) as tenuto:
        session = await tenuto.load_session(session.session_id, lazy_load=True)
        assert not is_read(session)
        assert session.memory_usage > 0
        await session.save()
        assert not is_read(session)
        await session.close()
    async with host(tmp_path) as tenuto:
        session = await tenuto.load_session(session.session_id, lazy_load=True)
        assert not is_read(session), "its bytes went through a snapshot"
        assert session.get_memory().entries == before
        assert is_read(session)
        await session.close()
        session = await tenuto.load_session(session.session_id)
        assert is_read(session), "the control"
