"""Shares over a restart: the state after `load_session` is what it was, in the store that people have."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto.errors import NotAllowed, ShareRevoked, TenutoError


async def refused(what: Any) -> type[TenutoError]:
    with pytest.raises(TenutoError) as caught:
        await what
    return type(caught.value)


async def test_after_a_restart_the_shares_are_what_they_were(tmp_path: Path) -> None:
    config = TenutoConfig(store=f"sqlite:///{tmp_path / 'tenuto.db'}", engine="text")
    async with Tenuto(config) as host:
        session = await host.create_session(user_id="alice", session_id="s")
        view = await session.create_shared_view("doctor", ["read", "grant", "add_notes"])
        async with await host.access_shared_session(view.token, "doctor") as one:
            await one.add_note("Before.")
            child = await one.create_shared_view("nurse", ["read"])
        await session.shares.revoke(child.share)
        assert await refused(host.access_shared_session(view.token, "eve")) is NotAllowed
        await session.commit()
        before = msgspec.json.encode(session.driver.core.state.shares)
    async with Tenuto(config) as host:
        session = await host.load_session("s")
        assert msgspec.json.encode(session.driver.core.state.shares) == before
        assert await refused(host.access_shared_session(child.token, "nurse")) is ShareRevoked
        async with await host.access_shared_session(view.token, "doctor") as one:
            assert [note.text for note in await one.notes()] == ["Before."]


async def test_sensitive_memory_is_left_out_unless_it_was_granted() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as host:
        session = await host.create_session(user_id="alice")
        session.add_memory("Prefers mornings.")
        session.add_memory("Takes medication X.", sensitive=True)
        plain = await session.create_shared_view("doctor", ["read"])
        full = await session.create_shared_view("doctor", ["read", "read_sensitive"])
        seen = {}
        for name, view in (("plain", plain), ("full", full)):
            async with await host.access_shared_session(view.token, "doctor") as one:
                seen[name] = [memory.content for memory in await one.memory()]
        assert seen == {
            "plain": ["Prefers mornings."],
            "full": ["Prefers mornings.", "Takes medication X."],
        }


async def test_nothing_is_learned_from_whoever_it_is_shared_with() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as host:
        session = await host.create_session(user_id="alice")
        await session.send_message("My name is Alice")
        known = [memory.content for memory in session.memories]
        view = await session.create_shared_view("mallory", ["speak"])
        async with await host.access_shared_session(view.token, "mallory") as one:
            await one.send_message("My name is Mallory")
        assert [memory.content for memory in session.memories] == known
        reply = await session.send_message("What is my name?")
        assert "Alice" in reply.text and "Mallory" not in reply.text


async def test_a_guest_is_not_told_that_something_was_done_that_was_not() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as host:
        session = await host.create_session(user_id="alice")
        await session.send_message("My name is Alice")
        await session.send_message("Set a timer for one hour")
        known = [memory.content for memory in session.memories]
        view = await session.create_shared_view("mallory", ["speak"])
        async with await host.access_shared_session(view.token, "mallory") as one:
            for text in ("Forget my name", "My name is not Alice", "Cancel the timer"):
                assert "Only this session's own user" in (await one.send_message(text)).text
        assert [memory.content for memory in session.memories] == known
        assert len(session.alarms) == 1
        assert "have forgotten" in (await session.send_message("Forget my name")).text
        assert "have cancelled" in (await session.send_message("Cancel the timer")).text
        assert (session.memories, session.alarms) == ([], [])


async def test_what_is_sensitive_is_told_to_its_own_user_only() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as host:
        session = await host.create_session(user_id="alice")
        session.add_memory("The user's name is Alice.", key="name", sensitive=True)
        view = await session.create_shared_view("mallory", ["speak"])
        async with await host.access_shared_session(view.token, "mallory") as one:
            reply = await one.send_message("What is my name?")
            assert "Alice" not in reply.text
