"""One dialogue, for whoever holds the session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import conversation as module
from tenuto.session import ports
from tenuto.session.archive import Archive
from tenuto.session.session import Session
from tenuto.stores import rows
from tests.unit.session.house import House, Papers, house, quiet

pytestmark = pytest.mark.virtual


@asynccontextmanager
async def live() -> AsyncIterator[tuple[Session, House]]:
    async with house() as at:
        yield Session(at.driver, cast(Archive, Papers(at.store))), at


async def ends(at: House) -> list[str]:
    await at.driver.commit()
    events = [rows.to_event(row) for row in await at.journal()]
    return [event.reason for event in events if isinstance(event, e.ConversationEnded)]


async def test_it_works_alone_awaited_and_as_a_context() -> None:
    async with live() as (session, at):
        alone = session.start_conversation("a")
        awaited = await session.start_conversation("b")
        async with session.start_conversation("c") as third:
            assert (alone.is_open, awaited.is_open, third.is_open) == (False, False, True)
        assert await ends(at) == ["next", "next", "user"]


async def test_one_that_breaks_ends_as_failed_and_one_that_is_over_ends_once() -> None:
    async with live() as (session, at):
        with pytest.raises(ZeroDivisionError):
            async with session.start_conversation("a"):
                raise ZeroDivisionError
        async with session.resume_conversation("a") as again:
            await again.end("done")
        assert await ends(at) == ["failed", "done"]


async def test_only_the_open_one_is_ended_or_spoken_in() -> None:
    async with live() as (session, at):
        first = session.start_conversation("a")
        session.start_conversation("b")
        for refused in (first.end(), first.send_message("Hi")):
            with pytest.raises(IllegalEvent, match="'a' is not open"):
                await refused
        assert await ends(at) == ["next"]


async def test_it_knows_its_place_in_the_tree() -> None:
    async with live() as (session, at):
        main = session.start_conversation("main")
        at.say("I like physics")
        branch = session.start_conversation("deep", parent_id="main")
        session.start_conversation("wide", parent_id="main")
        assert (main.parent_id, branch.parent_id) == (None, "main")
        assert (main.branches, branch.branches) == (["deep", "wide"], [])
        assert (branch.info.fork, main.info.messages) == (1, 1)
        assert main.summary == "Began with: I like physics"
        assert "turn_count" in main.get_analytics()


async def test_it_has_its_own_last_messages_whatever_came_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAGE", 40)
    async with live() as (session, at):
        first = session.start_conversation("first")
        at.say(*(f"first {n}" for n in range(10)))
        second = session.start_conversation("second")
        assert await second.history() == []
        at.say(*(f"second {n}" for n in range(100)))
        assert [m.text for m in await first.history(limit=2)] == ["first 8", "first 9"]
        assert len(await first.history()) == 10
        assert [m.text for m in await second.history(limit=1)] == ["second 99"]
        assert len(await second.history(limit=1_000)) == 100


async def test_a_journal_that_has_less_than_it_should_is_read_to_its_end() -> None:
    async with live() as (session, at):
        first = session.start_conversation("first")
        at.say("Hi")
        at.driver.core.state.conversations["first"].messages = 9
        assert [m.text for m in await first.history()] == ["Hi"]


async def test_a_message_is_answered() -> None:
    async with live() as (session, at):
        first = session.start_conversation("a")
        asking = asyncio.create_task(first.send_message("Hi"))
        await quiet()
        at.hands.last.give(ports.Ready(), ports.Segment(turn=1, text="Hello.", last=True))
        assert (await asking).text == "Hello."


async def test_a_conversation_shows_which_one_it_is() -> None:
    async with live() as (session, _):
        assert repr(session.start_conversation("main")) == "Conversation('main', session_id='s')"
        assert repr(session) == "Session('s', user_id='u', status='idle')"
