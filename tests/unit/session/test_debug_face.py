"""Monitoring and debugging through the public face, name for name as it is documented."""

import json
import logging
from typing import Any

import pytest

from tenuto import Tenuto, TenutoConfig

TEXT = TenutoConfig(store="memory:", engine="text")


async def test_all_that_happens_can_be_monitored() -> None:
    async with Tenuto(TEXT) as tenuto, tenuto.session(user_id="alice") as session:
        seen: dict[str, list[Any]] = {name: [] for name in ("*", "memory", "started", "learned")}
        session.events.on("*", lambda event: seen["*"].append(event.type))
        session.events.on("memory.added", seen["memory"].append)
        session.events.on("conversation.started", seen["started"].append)
        session.events.on("preference.learned", seen["learned"].append)
        async with session.conversation() as conversation:
            await conversation.send_message("My name is Alice and I like quantum physics.")
            await conversation.send_message("Could you please tell me what time it is?")
            await conversation.send_message("Would you kindly tell me a joke?")
        await session.save()
        assert seen["memory"][0].content == "The user's name is Alice."
        assert len(seen["started"]) == 1
        assert "formality" in {event.name for event in seen["learned"]}
        for name in ("memory.added", "conversation.started", "preference.learned", "reply.ended"):
            assert name in seen["*"]


async def test_debugging_says_what_happened_and_keeps_what_was_said() -> None:
    async with Tenuto(TEXT) as tenuto, tenuto.session(user_id="alice") as session:
        session.enable_debug()
        await session.send_message("My name is Alice.")
        await session.save()
        info = session.get_debug_info()
        assert info["memory_snapshots"][-1]["entries"] == 1
        assert info["error_count"] == 0
        assert info["pending"] == 0
        assert {"at", "from", "to", "machine"} == set(info["state_transitions"][0])
        assert info["events"][-1]["position"] == session.position
        logs = session.export_debug_logs()
        assert "Alice" not in json.dumps([info, logs])
        assert "Alice" in json.dumps(session.export_debug_logs(content=True))
        session.enable_debug(False)
        assert session.get_debug_info()["events"] == []


async def test_a_handler_that_raises_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with Tenuto(TEXT) as tenuto, tenuto.session() as session:
        session.events.on("memory.added", lambda event: 1 / 0)
        with caplog.at_level(logging.CRITICAL):
            await session.add_memory("Likes tea.")
        assert session.get_debug_info()["handler_failures"] == 1
        assert session.is_active


async def test_a_load_is_measured() -> None:
    async with Tenuto(TEXT) as tenuto:
        async with tenuto.session(session_id="s") as session:
            await session.add_memory("Likes tea.")
        info = (await tenuto.load_session("s")).get_debug_info()
        assert info["load_events"] == 0, "a session that was put away left a snapshot"
        assert info["load_seconds"] > 0


async def test_nothing_waits_for_a_session_that_is_gone() -> None:
    async with Tenuto(TEXT) as tenuto:
        async with tenuto.session() as session:
            await session.add_memory("Likes tea.")
        await tenuto.drain()
        assert [event async for event in session.events] == []
        assert len([state async for state in session.state]) == 1
