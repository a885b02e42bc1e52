"""The session manager: one current session among several, and no state of its own."""

import asyncio

import pytest

from tenuto.errors import (
    AppendConflict,
    InvalidInput,
    SessionEnded,
    SessionNotFound,
    StoreFull,
)
from tenuto.host.session_manager import SessionManager
from tests.unit.host.hosting import hosting
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual


async def test_a_session_that_is_created_becomes_the_current_one() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto, user_id="alice")
        assert (manager.current_session, manager.current_session_id) == (None, None)
        first = await manager.create_session()
        second = await manager.create_session(session_id="s-2")
        assert (manager.current_session, manager.current_session_id) == (second, "s-2")
        assert (first.user_id, first.memories) == ("alice", [])
        assert manager.sessions == (first, second)


async def test_what_is_known_from_the_beginning() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        session = await manager.create_session({"topic": "physics", "level": 3})
        assert [memory.content for memory in session.memories] == ["topic: physics", "level: 3"]


async def test_the_sessions_are_the_same_tuple_until_there_is_another() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        await manager.create_session(session_id="a")
        before = manager.sessions
        await manager.add_message("user", "Hi")
        assert manager.sessions is before
        await manager.create_session(session_id="b")
        assert ([s.session_id for s in before], len(manager.sessions)) == (["a"], 2)


async def test_an_id_that_is_taken_changes_nothing() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        session = await manager.create_session(session_id="a")
        with pytest.raises(AppendConflict):
            await manager.create_session(session_id="a")
        await session.close()
        await quiet()
        with pytest.raises(AppendConflict):
            await manager.create_session(session_id="a")
        assert (manager.current_session, manager.sessions) == (session, (session,))
        ids = {manager.generate_session_id() for _ in range(100)}
        assert len(ids) == 100


async def test_switching_closes_the_former_session() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        first = await manager.create_session(session_id="a")
        await first.send_message("Hi")
        second = await manager.create_session(session_id="b")
        assert await manager.switch_session("a") is first
        await quiet()
        assert (first.is_active, second.is_active) == (True, False)
        again = await manager.switch_session("b")
        await quiet()
        # Another object of the same session, in the same place.
        assert (again.is_active, first.is_active) == (True, False)
        assert manager.sessions == (first, again)
        assert await manager.switch_session("b") is again
        assert again.is_active


async def test_switching_to_an_unknown_session_changes_nothing() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        with pytest.raises(SessionNotFound):
            await manager.switch_session("a")
        session = await manager.create_session()
        await tenuto.create_session(session_id="stranger")
        for unknown in ("nowhere", "stranger"):
            with pytest.raises(SessionNotFound):
                await manager.switch_session(unknown)
        assert (manager.current_session, session.is_active) == (session, True)


async def test_a_former_session_that_fails_to_close_is_told_after_the_switch() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        await manager.create_session(session_id="a")
        second = await manager.create_session(session_id="b")
        await second.send_message("Hi")
        tenuto.shelf.full.add("b")
        with pytest.raises(StoreFull):
            await manager.switch_session("a")
        assert manager.current_session_id == "a"


async def test_a_session_is_restored_from_the_store() -> None:
    async with hosting() as tenuto:
        async with tenuto.session(session_id="old", user_id="alice") as session:
            await session.send_message("Hi")
        manager = SessionManager(tenuto, user_id="alice")
        with pytest.raises(SessionNotFound):
            await manager.switch_session("old")
        restored = await manager.restore_session("old")
        assert (manager.current_session, manager.sessions) == (restored, (restored,))
        assert [m["content"] for m in await manager.get_conversation_history()] == ["Hi", "Hello."]


async def test_another_users_session_is_not_found() -> None:
    async with hosting() as tenuto:
        await tenuto.create_session(session_id="hers", user_id="bob")
        manager = SessionManager(tenuto, user_id="alice")
        with pytest.raises(SessionNotFound):
            await manager.restore_session("hers")
        with pytest.raises(SessionNotFound):
            await manager.delete_session("hers")
        with pytest.raises(SessionNotFound):
            await manager.get_conversation_history("hers")
        stranger = SessionManager(tenuto, user_id="bob", tenant="acme")
        with pytest.raises(SessionNotFound):
            await stranger.restore_session("hers")
        assert (await tenuto.head("hers")).user == "bob"


async def test_one_that_has_ended_is_not_restored() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        session = await manager.create_session(session_id="a")
        await session.end()
        current = await manager.create_session()
        with pytest.raises(SessionEnded):
            await manager.switch_session("a")
        assert (manager.current_session, current.is_active) == (current, True)


async def test_messages_are_added_and_read_in_both_words_for_the_agent() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        await manager.create_session()
        await manager.add_message("user", "Where were we?")
        await manager.add_message("assistant", "In Rome.")
        await manager.add_message("agent", "In June.")
        ours = await manager.get_conversation_history()
        theirs = await manager.get_conversation_history(agent="assistant")
        assert [m["role"] for m in ours] == ["user", "agent", "agent"]
        assert [m["role"] for m in theirs] == ["user", "assistant", "assistant"]
        assert [m["content"] for m in ours] == ["Where were we?", "In Rome.", "In June."]
        assert ours[0]["timestamp"] == pytest.approx(tenuto.clock.now() * 1000, abs=1000)
        assert await manager.get_conversation_history(limit=1) == ours[-1:]
        # Nobody answered what was only added.
        assert manager.get_session_stats()["message_count"] == 3


async def test_a_message_of_nobody_is_refused() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        await manager.create_session()
        with pytest.raises(InvalidInput):
            await manager.add_message("narrator", "Meanwhile")
        for wrong in ({"limit": 0}, {"limit": 1_001}, {"agent": "bot"}):
            with pytest.raises(InvalidInput):
                await manager.get_conversation_history(**wrong)


async def test_without_a_current_session_nothing_happens() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        await manager.add_message("user", "Hi")
        await manager.save_session()
        await manager.close_all_sessions()
        assert await manager.get_conversation_history() == []
        assert manager.get_session_stats() == {
            "total_sessions": 0,
            "session_id": None,
            "is_active": False,
            "current_session_messages": 0,
            "message_count": 0,
            "current_session_age": 0.0,
            "duration": 0.0,
        }


async def test_a_session_that_was_parked_meanwhile_is_loaded_again() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        session = await manager.create_session()
        await session.close()
        await quiet()
        assert not manager.get_session_stats()["is_active"]
        await manager.add_message("user", "Still there?")
        assert manager.current_session is not session
        assert [m["content"] for m in await manager.get_conversation_history()] == ["Still there?"]


async def test_statistics() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        await manager.create_session()
        session = await manager.create_session()
        await session.send_message("Hi")
        await asyncio.sleep(10)
        stats = manager.get_session_stats()
        assert (stats["total_sessions"], stats["current_session_messages"]) == (2, 2)
        assert stats["current_session_age"] == pytest.approx(10, abs=0.1)
        assert (stats["session_id"], stats["is_active"]) == (session.session_id, True)


async def test_saving_waits_until_all_is_durable() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        session = await manager.create_session()
        session.start_conversation()
        await manager.save_session()
        assert session.driver.durable == session.position
        await session.close()
        await quiet()
        await manager.save_session()
        lost = await manager.create_session()
        tenuto.shelf.full.add(lost.session_id)
        lost.start_conversation()
        for _ in range(2):
            with pytest.raises(StoreFull):
                await manager.save_session()


async def test_a_session_is_erased() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        first = await manager.create_session(session_id="a")
        await manager.create_session(session_id="b")
        await manager.delete_session("b")
        assert (manager.current_session, manager.sessions) == (None, (first,))
        with pytest.raises(SessionNotFound):
            await manager.delete_session("b")
        with pytest.raises(SessionNotFound):
            await tenuto.head("b")


async def test_all_are_closed_even_if_some_fail() -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        sessions = [await manager.create_session(session_id=name) for name in "abcd"]
        for session in sessions:
            await session.send_message("Hi")
        tenuto.shelf.full |= {"b", "c"}
        with pytest.raises(ExceptionGroup) as failed:
            await manager.close_all_sessions()
        assert [type(error) for error in failed.value.exceptions] == [StoreFull, StoreFull]
        await quiet()
        assert not any(session.is_active for session in sessions)
        assert (manager.sessions, manager.current_session) == ((), None)


@pytest.mark.parametrize("context", ["physics", {"topic": "x" * 3_000}])
async def test_a_context_that_cannot_be_known_makes_no_session(context: object) -> None:
    async with hosting() as tenuto:
        manager = SessionManager(tenuto)
        with pytest.raises(InvalidInput):
            await manager.create_session(context, session_id="a")  # type: ignore[arg-type]
        assert (manager.sessions, tenuto.sessions_here) == ((), {})
        with pytest.raises(SessionNotFound):
            await tenuto.load_session("a")
        kept = await manager.create_session(session_id="a")
        await kept.close()
        with pytest.raises(InvalidInput):
            await manager.create_session({"topic": "x" * 3_000}, session_id="a")
        assert (await tenuto.load_session("a")).is_active, "one that was there is not touched"
