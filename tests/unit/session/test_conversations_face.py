"""Conversations, branches, and the verbs around them, through the public face: a whole host, with the local brain."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tenuto import ConversationInfo, SessionConfig, SessionStatus, Tenuto, TenutoConfig
from tenuto.errors import (
    ConversationExists,
    ConversationNotFound,
    EngineError,
    IllegalEvent,
    InvalidConfig,
    InvalidInput,
    TenutoError,
)
from tenuto.session import fold, ports
from tenuto.session.session import Session
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script, Step

pytestmark = pytest.mark.virtual

HELLO = Step(hear="Hi", say=["Hello."])
SLOW = Step(hear="Think", say=["Done."], delay=60.0)


def hosting() -> Tenuto:
    return Tenuto(TenutoConfig(store="memory:", engine="text"), clock=VirtualClock())


def scripted(*steps: Step) -> tuple[Tenuto, Script]:
    script = Script(*steps, ordered=False)
    return Tenuto(TenutoConfig(store="memory:"), engines=script, clock=VirtualClock()), script


def context(session: Session) -> ports.Context:
    return session.driver.core.linking.context()


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


# -------------------------------------------------------------------------------------------------------------- conversations


@pytest.mark.parametrize("mode", ["hybrid", "persistent"])
async def test_what_was_told_is_known_in_the_next_conversation(mode: str) -> None:
    async with hosting() as tenuto:
        config = SessionConfig(memory_mode=mode)  # type: ignore[arg-type]
        async with tenuto.session(user_id="alice", config=config) as session:
            async with session.start_conversation() as conversation:
                await conversation.send_message("My name is Alice")
                await conversation.send_message("I'm interested in quantum physics")
            async with session.conversation() as conversation:
                reply = await conversation.send_message("What's my name and interest?")
                assert "Alice" in reply.text and "quantum physics" in reply.text
                last = await conversation.send_message("What did we talk about last time?")
                assert "My name is Alice" in last.text


async def test_an_ephemeral_session_tells_the_next_conversation_nothing_of_the_last() -> None:
    async with hosting() as tenuto:
        config = SessionConfig(memory_mode="ephemeral")
        async with tenuto.session(user_id="alice", config=config) as session:
            async with session.start_conversation() as conversation:
                await conversation.send_message("I am going to say something")
            async with session.conversation():
                assert context(session).summary == ""
                assert context(session).messages == ()


async def test_the_calls_of_the_document() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        main = await session.start_conversation(conversation_id="main", parent_id=None)
        await main.send_message("My name is Alice")
        branch = await session.start_conversation(
            conversation_id="physics_deep_dive", parent_id="main"
        )
        assert texts(context(session).messages) == ["My name is Alice", "Nice to meet you, Alice."]
        await branch.send_message("I like the spin of electrons")
        main = await session.resume_conversation("main")
        told = context(session)
        assert texts(told.messages) == ["My name is Alice", "Nice to meet you, Alice."]
        assert 'In the branch "physics_deep_dive":' in told.summary
        assert "I like the spin of electrons" in told.summary
        assert (branch.parent_id, main.branches) == ("main", ["physics_deep_dive"])
        assert [(info.id, info.parent, info.fork) for info in session.conversations] == [
            ("main", "", 0),
            ("physics_deep_dive", "main", 2),
        ]
        assert isinstance(branch.info, ConversationInfo)


async def test_what_cannot_be_started_or_resumed_changes_nothing() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        with pytest.raises(ConversationNotFound):
            session.resume_conversation()
        session.start_conversation("main")
        before = fold.encode(session.driver.core.state)
        cases: list[tuple[Callable[[], object], type[TenutoError]]] = [
            (lambda: session.start_conversation("main"), ConversationExists),
            (lambda: session.start_conversation("main", parent_id="main"), ConversationExists),
            (lambda: session.start_conversation("b", parent_id="b"), ConversationNotFound),
            (lambda: session.start_conversation("b", parent_id="nobody"), ConversationNotFound),
            (lambda: session.resume_conversation("nobody"), ConversationNotFound),
            (lambda: session.reset("main"), ConversationExists),
            (lambda: session.reset(config={"voice": 1}), InvalidConfig),
            (lambda: session.start_conversation("x" * 101), InvalidInput),
        ]
        for refused, error in cases:
            with pytest.raises(error):
                refused()
            assert fold.encode(session.driver.core.state) == before


async def test_an_old_conversation_is_remembered_after_thousands_of_messages() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        old = await session.start_conversation("old")
        await old.send_message("I need a table for 4")
        await session.start_conversation("new")
        for start in range(0, 3_000, 1_000):
            record = [("user", f"number {n}") for n in range(start, start + 1_000)]
            assert await session.inject_history(record) == 1_000
        assert texts(await old.history())[0] == "I need a table for 4"
        await session.resume_conversation("old").send_message("Hello")
        last = await old.send_message("What did I say first?")
        assert last.text
        reply = await old.send_message("summarize our conversation")
        assert "I need a table for 4" in reply.text


async def test_reset_is_a_fresh_conversation_over_a_fresh_link() -> None:
    tenuto, script = scripted(HELLO)
    async with tenuto, tenuto.session(user_id="alice", config={"temperature": 0.3}) as session:
        await session.send_message("Hi")
        fresh = await session.reset(config={"voice": "echo"})
        assert fresh.is_open and context(session).messages == ()
        await session.send_message("Hi")
        assert len(script.links) == 2
        assert (session.config.temperature, session.config.voice) == (0.3, "echo")


# ------------------------------------------------------------------------------------------------------------ links


async def test_each_start_is_a_new_connection_and_history_reaches_it_once() -> None:
    tenuto, script = scripted(HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        await session.stop()
        assert session.connection_states == {"agent": "closed"}
        await session.send_message("Hi")
        for number in range(2, 4):
            await session.stop()
            await session.start()
            await session.start()
            assert len(script.links) == number
            assert session.connection_states == {"agent": "open"}
        page = await session.history()
        assert texts(page.messages) == ["Hi", "Hello."], "restoring is silent"
        record = [{"role": m.role, "content": m.text} for m in page.messages]
        assert [await session.inject_history(record) for _ in range(10)] == [0] * 10
        assert script.problems == []


async def test_who_waits_when_the_connection_is_stopped_is_told() -> None:
    tenuto, _ = scripted(SLOW, HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        asking = asyncio.create_task(session.send_message("Think"))
        await asyncio.sleep(1.0)
        await session.stop()
        with pytest.raises(EngineError, match="stopped"):
            await asking
        assert (await session.send_message("Hi")).text == "Hello.", "the next one connects again"


async def test_a_pause_outlasts_a_message_and_an_answer_comes_after_it() -> None:
    tenuto, _ = scripted(SLOW, HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        asking = asyncio.create_task(session.send_message("Think"))
        await asyncio.sleep(1.0)
        await session.pause()
        assert session.status is SessionStatus.IDLE
        for refused in (session.send_message("Hi"), session.start(), session.start_listening()):
            with pytest.raises(IllegalEvent, match="paused"):
                await refused
        await asyncio.sleep(600.0)
        assert not asking.done() and session.connection_states == {"agent": "closed"}
        await session.resume()
        assert (await asking).text == "Done."


async def test_the_agent_says_something_by_itself() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        assert await session.speak("Your taxi is here.") == 1
        await session.say("It waits.")
        page = await session.history()
        assert [(m.role, m.text) for m in page.messages] == [
            ("agent", "Your taxi is here."),
            ("agent", "It waits."),
        ]
        with pytest.raises(InvalidInput):
            session.speak(" ")


# -------------------------------------------------------------------------------------------------------------- instructions


async def test_instructions_change_at_once_and_the_engine_is_told_once() -> None:
    tenuto, _ = scripted(HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        await session.send_message("Hi")
        applied: list[int] = []
        session.events.on("config.applied", lambda event: applied.append(event.version))
        for number in range(10):
            session.update_instructions(f"Be number {number}.")
            await asyncio.sleep(0.1)
        assert session.config.instructions == "Be number 9."
        assert await session.config_applied() == 10
        assert applied == [10], "the last one wins"


async def test_context_comes_in_the_shape_of_the_document_and_once() -> None:
    tenuto, _ = scripted(HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        await session.send_message("Hi")
        last = [
            {"type": "History", "role": "user", "content": "Hi"},
            {"type": "History", "role": "assistant", "content": "Hello."},
            {"type": "History", "role": "user", "content": "I am at the desk"},
        ]
        for _ in range(3):
            await session.update_instructions("Support.", {"messages": last})
        page = await session.history()
        assert texts(page.messages) == ["Hi", "Hello.", "I am at the desk"]
        assert session.status is SessionStatus.IDLE, "nothing is answered"
        version = session.config.version
        for wrong in ({"messages": [{"role": "user"}]}, {"messages": 1}):
            with pytest.raises(InvalidInput):
                session.update_instructions("Other.", wrong)
        with pytest.raises(InvalidConfig):
            session.update_instructions("x" * 32_001, {"messages": [("user", "new")]})
        assert (session.config.version, session.position) == (version, await session.commit())
        await session.update_instructions()
        await session.end_conversation()
        with pytest.raises(IllegalEvent):
            session.update_instructions("Other.", {"messages": last})
        assert session.config.instructions == "Support."


async def test_roles_are_told_apart_in_both_directions() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        session.start_conversation()
        session.inject_message("assistant", "One")
        session.inject_message("agent", "Two")
        assert [m.role for m in context(session).messages] == ["agent", "agent"]
        with pytest.raises(InvalidInput, match="assistant"):
            session.inject_message("robot", "Three")


# -------------------------------------------------------------------------------------------------------------- listening


def speech(script: Script, step: int, seconds: float = 0.4) -> bytes:
    """What somebody who says a step sounds like to a scripted engine, and the silence after it."""
    value = ((step + 1) * 64).to_bytes(2, "little")
    return value * round(16_000 * seconds) + bytes(2 * 16_000)


async def test_a_program_talks_and_is_answered() -> None:
    tenuto, script = scripted(HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        seen: list[str] = []

        async def watch() -> None:
            async for state in session.state:
                seen.append(state.state.value)

        watching = asyncio.create_task(watch())
        with pytest.raises(IllegalEvent, match="does not listen"):
            session.hear(bytes(640))
        await session.start_listening()
        assert session.state.value.is_listening
        pcm = speech(script, 0)
        for start in range(0, len(pcm), 640):
            session.hear(pcm[start : start + 640])
            await asyncio.sleep(0.02)
        await session.stop_listening()
        await session.stop_listening()
        page = await session.history()
        assert [(m.text, m.by) for m in page.messages] == [("Hi", "voice"), ("Hello.", "text")]
        assert session.status is SessionStatus.IDLE
        await session.close()
        await watching
    assert (
        seen[0] == "processing" and seen[-1] == "idle" and {"listening", "processing"} <= set(seen)
    )
    assert all(a != b for a, b in pairwise(seen)), "each change is told once"


async def test_an_engine_that_only_reads_does_not_listen() -> None:
    async with hosting() as tenuto, tenuto.session(user_id="alice") as session:
        with pytest.raises(IllegalEvent, match="does not listen"):
            await session.start_listening()
        assert session.status is SessionStatus.IDLE


async def test_while_somebody_else_has_the_controls_this_microphone_is_off() -> None:
    tenuto, _ = scripted(HELLO)
    async with tenuto, tenuto.session(user_id="alice") as session:
        from tenuto.session.attachment import Joining
        from tests.unit.session.house import Ear

        await session.attach(Joining(client="tab"), Ear())
        with pytest.raises(IllegalEvent, match="has the controls"):
            await session.start_listening()


async def test_a_session_that_is_gone_says_why() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(user_id="alice")
        assert session.error is None
        await session.close()
        await session.stop()
        assert isinstance(session.error, TenutoError)
