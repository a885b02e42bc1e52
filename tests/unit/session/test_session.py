"""The face: what a program sees of a session, with and without `await`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.errors import (
    ConversationNotFound,
    EngineError,
    EngineLost,
    IllegalEvent,
    InvalidInput,
    LeaseLost,
    SessionEnded,
    StoreFull,
)
from tenuto.session import ports, stimuli
from tenuto.session.archive import Archive
from tenuto.session.attachment import Joining
from tenuto.session.session import Session
from tenuto.session.state import Life, Status
from tenuto.stores import rows
from tenuto.testing.engine import Script, Step
from tests.unit.session.house import Ear, Hand, House, Papers, house, quiet

pytestmark = pytest.mark.virtual

HI = Step(hear="Hi", say=["Hello.", "Who are you?"], cites=[1], delay=0.5)
BYE = Step(hear="Bye", say=["Goodbye."])


@asynccontextmanager
async def live(*steps: Step) -> AsyncIterator[tuple[Session, House]]:
    """A session, as a host gives it: with an engine that plays these steps, or one that is played by hand."""
    script = Script(*steps, ordered=False)
    make: Callable[[bool], ports.Engine] | None = (lambda voice: script.engine()) if steps else None
    async with house(make_engine=make) as at:
        session = Session(at.driver, cast(Archive, Papers(at.store)))

        async def serve() -> None:
            await at.stopped()
            session.ended(at.driver.error or LeaseLost())

        serving = asyncio.create_task(serve())
        try:
            yield session, at
        finally:
            at.store.open.set()
            at.driver.stop()
            await serving


async def hand(at: House) -> Hand:
    """The engine that is played by hand, ready."""
    await quiet()
    at.hands.last.give(ports.Ready())
    await quiet()
    return at.hands.last


# ----------------------------------------------------------------------------------------------------------------- what it is


async def test_what_a_session_is() -> None:
    async with live() as (session, _):
        assert (session.session_id, session.user_id, session.position) == ("s", "u", 1)
        assert (session.status, session.is_active) == (Status.IDLE, True)
        assert (session.memories, session.alarms) == ([], [])
        assert session.config.instructions == "You are a helpful assistant"


async def test_alarms_are_shown_soonest_first() -> None:
    async with live() as (session, at):
        session.start_conversation()
        asking = asyncio.create_task(session.send_message("Hi"))
        engine = await hand(at)
        engine.give(
            ports.AlarmWanted(turn=1, due=at.driver.now() + 60, text="late"),
            ports.AlarmWanted(turn=1, due=at.driver.now() + 30, text="soon"),
            ports.Segment(turn=1, text="Yes.", last=True),
        )
        await asking
        assert [alarm.text for alarm in session.alarms] == ["soon", "late"]


# -------------------------------------------------------------------------------------------------------- asking, in writing


async def test_a_message_is_answered_with_the_reply_and_how_long_it_took() -> None:
    async with live(HI) as (session, _):
        reply = await session.send_message("Hi")
        assert (reply.text, reply.heard) == ("Hello. Who are you?", "Hello. Who are you?")
        assert (reply.turn, reply.reply, reply.cut) == (1, 1, "")
        assert sorted(set(reply.cites)) == [1]
        assert reply.first_seconds == pytest.approx(0.5, abs=0.01)
        assert reply.seconds == pytest.approx(1.0, abs=0.01)


async def test_a_reply_that_is_cut_says_what_was_heard_of_it() -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        engine = await hand(at)
        engine.give(ports.Segment(turn=1, text="Hello", last=False))
        await quiet()
        also = asyncio.create_task(session.send_message("Stop"))
        first = await asking
        assert (first.text, first.heard, first.cut) == ("Hello", "Hello", "text")
        engine.give(ports.Segment(turn=2, text="Yes.", last=True))
        assert (await also).text == "Yes."


async def test_messages_that_are_answered_together_have_one_reply() -> None:
    async with live() as (session, at):
        first = asyncio.create_task(session.send_message("my name is"))
        engine = await hand(at)
        second = asyncio.create_task(session.send_message("Alice"))
        await quiet()
        engine.give(ports.Segment(turn=2, text="Hello Alice.", last=True))
        assert (await first).reply == (await second).reply == 1


@pytest.mark.parametrize("texts", [[""], ["", ""]])
async def test_a_reply_without_a_word_is_a_reply(texts: list[str]) -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        engine = await hand(at)
        for number, text in enumerate(texts, 1):
            engine.give(ports.Segment(turn=1, text=text, last=number == len(texts)))
        assert (await asking).text == ""


async def test_a_reply_that_was_never_begun_is_cut() -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        await hand(at)
        at.driver.receive(stimuli.Stop())
        reply = await asking
        assert (reply.text, reply.cut) == ("", "stopped")


async def test_an_engine_that_cannot_answer_is_an_error_for_whoever_asked() -> None:
    async with live() as (session, at):

        def prepare(engine: Hand) -> None:
            engine.refuse = EngineLost("no")

        at.hands.prepare = prepare
        with pytest.raises(EngineError, match="could not be reached"):
            await session.send_message("Hi")
        at.hands.prepare = lambda engine: None
        asking = asyncio.create_task(session.send_message("Hi?"))
        (await hand(at)).give(ports.Segment(turn=2, text="Yes.", last=True))
        assert (await asking).text == "Yes."


async def test_who_asks_in_a_conversation_that_ends_is_told() -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        await hand(at)
        at.store.open.clear()
        next_one = session.start_conversation()
        also = asyncio.create_task(next_one.send_message("And?"))
        await quiet()
        at.store.open.set()
        with pytest.raises(IllegalEvent, match="ended before"):
            await asking
        at.hands.last.give(ports.Segment(turn=2, text="Yes.", last=True))
        assert (await also).text == "Yes.", "it was asked in the next one"


async def test_who_gives_up_asking_disturbs_nobody() -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        engine = await hand(at)
        asking.cancel()
        await asyncio.wait([asking])
        engine.give(ports.Segment(turn=1, text="Hello.", last=True))
        await quiet()
        assert [row.type for row in await at.journal()][-1] == "message.added"


async def test_a_message_that_cannot_be_stored_is_an_error_and_nobody_waits_for_its_answer() -> (
    None
):
    async with live() as (session, at):
        at.store.refuse = StoreFull()
        with pytest.raises(StoreFull):
            await session.send_message("Hi")
        await at.stopped()
        assert not session.is_active


@pytest.mark.parametrize("text", ["", "  ", "x" * 10_001])
async def test_a_wrong_message_is_refused_at_once(text: str) -> None:
    async with live() as (session, _):
        with pytest.raises(InvalidInput):
            await session.send_message(text)


# -------------------------------------------------------------------------------------------------------------- conversations


async def test_a_conversation_works_with_await_alone_and_as_a_context() -> None:
    async with live(HI, BYE) as (session, at):
        first = session.conversation("a")
        assert first.is_open is True
        second = await session.start_conversation("b", parent_id="a")
        assert (first.is_open, at.driver.durable) == (False, session.position)
        async with session.conversation("c") as third:
            await third.send_message("Bye")
        assert not third.is_open
        with pytest.raises(IllegalEvent, match="Resume it first"):
            await second.send_message("Hi")
        ended = [ev for ev in await journal(at) if isinstance(ev, e.ConversationEnded)]
        assert [(ev.conversation, ev.reason) for ev in ended] == [
            ("a", "next"),
            ("b", "next"),
            ("c", "user"),
        ]


async def test_a_conversation_that_breaks_ends_as_failed() -> None:
    async with live() as (session, at):
        with pytest.raises(ZeroDivisionError):
            async with session.conversation("a"):
                raise ZeroDivisionError
        (ended,) = [ev for ev in await journal(at) if isinstance(ev, e.ConversationEnded)]
        assert ended.reason == "failed"


async def test_a_conversation_that_was_ended_inside_is_not_ended_again() -> None:
    async with live() as (session, at):
        async with session.conversation("a") as conversation:
            await conversation.end("done")
        assert sum(isinstance(ev, e.ConversationEnded) for ev in await journal(at)) == 1


async def test_the_conversation_that_was_used_last_is_resumed() -> None:
    async with live() as (session, _):
        with pytest.raises(ConversationNotFound):
            session.resume_conversation()
        for name in ("a", "b"):
            session.start_conversation(name)
        await session.end_conversation()
        assert session.resume_conversation().conversation_id == "b"
        assert session.resume_conversation("a").conversation_id == "a"
        assert session.resume_conversation().conversation_id == "a"
        session.start_conversation("c")
        assert session.resume_conversation().conversation_id == "c"


async def test_a_conversation_has_its_own_history() -> None:
    async with live(HI, BYE) as (session, _):
        async with session.conversation("a") as first:
            await first.send_message("Hi")
        async with session.conversation("b") as second:
            await second.send_message("Bye")
            assert [m.text for m in await second.history()] == ["Bye", "Goodbye."]
        assert [m.text for m in await first.history(limit=1)] == ["Hello. Who are you?"]
        page = await session.history(limit=3)
        assert [m.text for m in page.messages] == ["Hello. Who are you?", "Bye", "Goodbye."]
        older = await session.history(before=page.next)
        assert [m.text for m in older.messages] == ["Hi"]


async def journal(at: House) -> list[e.Event]:
    await at.driver.commit()
    return [rows.to_event(row) for row in await at.journal()]


# --------------------------------------------------------------------------------------------------------- verbs without await


async def test_a_memory_is_there_at_once_and_durable_when_awaited() -> None:
    async with live() as (session, at):
        at.store.open.clear()
        pending = session.add_memory("Likes tea.", category="taste", importance=0.9, key="drink")
        assert [m.content for m in session.memories] == ["Likes tea."]
        waiting = asyncio.create_task(session.save())
        await quiet()
        assert not waiting.done()
        at.store.open.set()
        assert await waiting == 2
        assert (await pending).content == "Likes tea."


async def test_a_failure_that_nobody_awaited_is_raised_by_what_is_awaited_next() -> None:
    async with live() as (session, at):
        at.store.refuse = StoreFull()
        session.add_memory("Likes tea.")
        await at.stopped()
        for verb in (session.save, session.close):
            with pytest.raises(StoreFull):
                await verb()


async def test_a_failure_that_nobody_awaited_is_raised_at_the_end_of_the_block() -> None:
    async with live() as (session, at):
        with pytest.raises(StoreFull):
            async with session:
                at.store.refuse = StoreFull()
                session.add_memory("Likes tea.")


async def test_a_failure_of_the_block_itself_comes_first() -> None:
    async with live() as (session, at):
        with pytest.raises(ZeroDivisionError):
            async with session:
                at.store.refuse = StoreFull()
                session.add_memory("Likes tea.")
                raise ZeroDivisionError


# ------------------------------------------------------------------------------------------------------------- coming and going


async def test_a_program_counts_as_a_client_unless_a_person_has_the_controls() -> None:
    async with live(HI) as (session, at):
        await session.attach(Joining(client="tab"), Ear())
        await session.send_message("Hi")
        assert [here.client for here in at.driver.core.state.here.values()] == ["tab"]


async def test_a_program_that_lost_the_controls_gets_them_when_nobody_has_them() -> None:
    async with live(HI, BYE) as (session, at):
        await session.send_message("Hi")
        person = await session.attach(Joining(client="tab"), Ear())
        person.leave("left")
        await session.send_message("Bye")
        assert [here.client for here in at.driver.core.state.here.values()] == ["python"]


async def test_a_session_that_is_closed_is_parked_and_can_be_loaded_again() -> None:
    async with live(HI) as (session, at):
        async with session:
            await session.send_message("Hi")
        await at.stopped()
        assert (await at.folded()).life is Life.PARKED
        assert not session.is_active
        await session.close()


async def test_a_session_that_is_closed_while_a_person_talks_goes_on() -> None:
    async with live(HI) as (session, at):
        await session.send_message("Hi")
        await session.attach(Joining(client="tab"), Ear())
        await session.close()
        assert at.driver.core.state.life is Life.LIVE


async def test_who_waits_when_the_session_is_closed_is_told() -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        await hand(at)
        await session.close()
        with pytest.raises(IllegalEvent, match="closed"):
            await asking


async def test_who_waits_when_the_session_is_lost_is_told() -> None:
    async with live() as (session, at):
        asking = asyncio.create_task(session.send_message("Hi"))
        await hand(at)
        at.driver.lose(LeaseLost())
        with pytest.raises(LeaseLost):
            await asking


async def test_after_the_end_nothing_can_be_said() -> None:
    async with live(HI) as (session, at):
        async with session.conversation() as conversation:
            await session.end()
        await at.stopped()
        assert not conversation.is_open
        with pytest.raises(SessionEnded):
            await session.send_message("Hi")


# --------------------------------------------------------------------------------------------------------- events and the state


async def test_handlers_hear_of_what_is_durable_in_its_order() -> None:
    async with live() as (session, at):
        heard: list[str] = []
        session.events.on("memory.added", lambda event: heard.append(event.content))
        off = session.events.on("*", lambda event: heard.append("any"))
        at.store.open.clear()
        session.add_memory("one")
        await quiet()
        assert heard == []
        at.store.open.set()
        await session.save()
        assert heard == ["any", "one", "any"]
        off()
        off()
        await session.add_memory("two")
        assert heard[3:] == ["two"]


async def test_only_events_that_exist_can_be_listened_to() -> None:
    async with live() as (session, _):
        with pytest.raises(InvalidInput, match="no event 'memory'"):
            session.events.on("memory", print)


async def test_a_handler_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with live() as (session, _):
        heard: list[e.Event] = []

        def broken(event: e.Event) -> None:
            raise ZeroDivisionError

        async def broken_later(event: e.Event) -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        async def works(event: e.Event) -> None:
            await asyncio.sleep(0)
            heard.append(event)

        for handler in (broken, broken_later, works):
            session.events.on("memory.added", handler)
        with caplog.at_level(logging.ERROR):
            await session.add_memory("Likes tea.")
            await quiet()
        assert len(heard) == 1
        assert len(caplog.records) == 2
        assert "tea" not in caplog.text, "what was said is nobody's business"


async def test_events_can_be_iterated_over_until_the_session_is_gone() -> None:
    async with live() as (session, _):
        await session.commit()
        reader = aiter(session.events)
        for content in ("one", "two"):
            session.add_memory(content)
        assert (await anext(reader)).content == "one"
        await session.end()
        rest = [e.TAGS[type(event)] async for event in reader]
        assert rest == ["memory.added", "session.ended"]


async def test_a_reader_that_is_closed_gets_nothing_more() -> None:
    async with live() as (session, _):
        reader = aiter(session.events)
        waiting = asyncio.create_task(anext(reader, None))
        await session.commit()
        assert await waiting is not None
        again = asyncio.create_task(anext(reader, None))
        await quiet()
        reader.close()
        reader.close()
        assert await again is None
        await session.add_memory("x")
        assert await anext(reader, None) is None


async def test_the_state_has_a_value_and_tells_of_every_change() -> None:
    async with live() as (session, at):
        assert (session.state.value.state, session.state.value.is_active) == (Status.IDLE, False)
        reader = aiter(session.state)
        await session.attach(Joining(client="tab", voice=True, mic=("mic", 16_000)), Ear())
        engine = await hand(at)
        engine.give(ports.SpeechBegan(offset=0), ports.SpeechFinished(until=5, text="Hi"))
        await quiet()
        engine.give(ports.Segment(turn=1, text="Hello.", last=True))
        await quiet()
        assert (session.state.value.is_speaking, session.state.value.is_listening) == (True, False)
        reader.close()
        seen = [state.state.value async for state in reader]
        assert seen == ["idle", "processing", "idle", "listening", "processing", "speaking"]
        assert session.state.value.conversation == "c1"
        assert session.state.value.position == session.position


async def test_the_stream_of_states_ends_with_the_session() -> None:
    async with live() as (session, _):
        reader = aiter(session.state)
        await session.end()
        assert [state.state async for state in reader] == [Status.IDLE]


async def test_an_engine_that_answers_nothing_says_so_at_once() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="echo")) as tenuto,
        tenuto.session() as session,
        asyncio.timeout(5),
    ):
        with pytest.raises(EngineError, match="answers nothing"):
            await session.send_message("Hi")
