"""What waits to be read: when it is read, how often that is tried, and when it is not."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tenuto import Session, SessionConfig, Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.errors import EngineError, StoreUnavailable
from tenuto.host import extraction
from tenuto.host.extraction import BACKOFF, READ_SECONDS, TRIES
from tenuto.session import conversation_fold, ports, stimuli
from tenuto.session.conversation_fold import READING, WAKES
from tenuto.session.ports import Learned, Memory, Message
from tenuto.stores import rows
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script, Step
from tests.unit.host.hosting import Shelf
from tests.unit.session.house import contents, quiet

pytestmark = pytest.mark.virtual

SAILS = Learned(turn=1, content="The user sails.", importance=0.8)


class Reads:
    """An extractor: fails as often as it is told to, and waits while it is held."""

    def __init__(self, *fails: Exception) -> None:
        self.fails = list(fails)
        self.read: list[list[str]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def extract(
        self, messages: Sequence[Message], known: Sequence[Memory]
    ) -> Sequence[Learned]:
        self.read.append([message.text for message in messages if message.role == "user"])
        await self.free.wait()
        if self.fails:
            raise self.fails.pop(0)
        return [SAILS]


def host(store: ports.Store, reads: Reads | None) -> Tenuto:
    steps = [Step(hear="Hi", say=["Hello."]), Step(hear="I sail", say=["Ah."])]
    config = TenutoConfig(store="memory:", lease=3600)
    return Tenuto(
        config,
        store=store,
        engines=Script(*steps, ordered=False),
        clock=VirtualClock(),
        extractor=reads,
    )


async def talk(session: Session, *texts: str) -> None:
    async with session.conversation() as conversation:
        for text in texts:
            await conversation.send_message(text)


async def outcomes(store: ports.Store, name: str) -> list[tuple[str, float]]:
    """What came of reading: why it failed, and in how many seconds it is tried again."""
    found = await store.read(
        ports.Read(session=name, types=(e.TAGS[e.ConversationExtracted],), limit=100)
    )
    events = [rows.to_event(row) for row in found]
    extracted = [event for event in events if isinstance(event, e.ConversationExtracted)]
    return [(each.failed, round(each.again and each.again - each.at, 3)) for each in extracted]


async def test_what_fails_is_tried_later_and_later_and_given_up() -> None:
    store = InMemoryStore(VirtualClock())
    reads = Reads(*[EngineError("No."), RuntimeError("a bug of theirs")] * TRIES)
    async with host(store, reads) as tenuto:
        session = await tenuto.create_session()
        await talk(session, "Hi")
        await asyncio.sleep(sum(BACKOFF) + READING)
        assert len(reads.read) == TRIES
        found = await outcomes(store, session.session_id)
        assert [again for _, again in found] == [*BACKOFF, 0.0]
        assert [failed for failed, _ in found[:2]] == [EngineError.code, "RuntimeError"]
        await talk(session, "I sail")
        await quiet()
        assert reads.read[-1] == ["I sail"], "the next one begins afresh"


async def test_what_fails_once_is_learned_the_second_time() -> None:
    store = InMemoryStore(VirtualClock())
    async with host(store, Reads(EngineError("No."))) as tenuto:
        session = await tenuto.create_session()
        await talk(session, "I sail")
        await quiet()
        assert contents(session) == []
        await asyncio.sleep(BACKOFF[0] + 1)
        assert contents(session) == ["The user sails."]
        found = await outcomes(store, session.session_id)
        assert found == [(EngineError.code, BACKOFF[0]), ("", 0.0)]


async def test_what_is_no_fact_is_a_failure() -> None:
    store = InMemoryStore(VirtualClock())

    class Wrong(Reads):
        async def extract(self, messages: Any, known: Any) -> Any:
            return ["The user sails."]

    async with host(store, Wrong()) as tenuto:
        session = await tenuto.create_session()
        await talk(session, "I sail")
        await quiet()
        found = await outcomes(store, session.session_id)
        assert found == [("ValidationError", BACKOFF[0])]


async def test_what_a_host_did_not_come_to_the_next_one_does_when_the_session_is_loaded() -> None:
    store = InMemoryStore(VirtualClock())
    held, reads = Reads(), Reads()
    held.free.clear()
    async with host(store, held) as tenuto:
        session = await tenuto.create_session(session_id="s1")
        await talk(session, "I sail")
        await quiet()
        assert held.read == [["I sail"]]
    assert await outcomes(store, "s1") == []
    async with host(store, reads) as tenuto:
        session = await tenuto.load_session("s1")
        await quiet()
        assert contents(session) == ["The user sails."]
    async with host(store, reads) as tenuto:
        await tenuto.load_session("s1")
        await asyncio.sleep(READING)
    assert reads.read == [["I sail"]], "once"


async def test_a_host_without_an_extractor_ends_the_waiting() -> None:
    store = InMemoryStore(VirtualClock())
    held = Reads()
    held.free.clear()
    async with host(store, held) as tenuto:
        await talk(await tenuto.create_session(session_id="s1"), "I sail")
        await quiet()
    async with host(store, None) as tenuto:
        await tenuto.load_session("s1")
    assert await outcomes(store, "s1") == [("off", 0.0)]
    assert (await store.due(1e12, 10)) == []


async def test_who_is_told_to_learn_no_more_reads_nothing() -> None:
    store = InMemoryStore(VirtualClock())
    reads = Reads(EngineError("No."))
    async with host(store, reads) as tenuto:
        session = await tenuto.create_session(session_id="s1")
        await talk(session, "I sail")
        await quiet()
        await session.update_config(enable_learning=False)
        await asyncio.sleep(BACKOFF[0] + 1)
        assert (len(reads.read), contents(session)) == (1, [])
        await talk(session, "Hi")
        await asyncio.sleep(BACKOFF[0] + 1)
    assert len(reads.read) == 1
    assert (await outcomes(store, "s1"))[1:] == [("off", 0.0)]


async def test_what_goes_on_while_it_is_read_is_read_to_its_end() -> None:
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        session = await tenuto.create_session()
        await talk(session, "I sail")
        await quiet()
        again = await session.resume_conversation()
        await again.send_message("Hi")
        await again.end()
        reads.free.set()
        await quiet()
        assert reads.read == [["I sail"], ["Hi"]]
        assert not session.driver.core.state.to_read


async def test_a_fork_leaves_what_waits_to_the_first() -> None:
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        session = await tenuto.create_session()
        await talk(session, "I sail")
        fork = await session.fork()
        assert not fork.driver.core.state.to_read
        reads.free.set()
        await quiet()
        assert (contents(session), contents(fork)) == (["The user sails."], [])
        assert len(reads.read) == 1


async def test_a_session_that_is_forgotten_meanwhile_holds_up_nobody() -> None:
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        first, other = await tenuto.create_session(), await tenuto.create_session()
        await talk(first, "I sail")
        await talk(other, "I sail")
        await quiet()
        await tenuto.forget_session(first.session_id)
        reads.free.set()
        await quiet()
        assert contents(other) == ["The user sails."]


async def test_what_finds_no_room_waits_for_the_next_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MOST_WAITING", 10)
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        session = await tenuto.create_session()
        for _ in range(10):
            await talk(session, "Hi")
        last = await tenuto.create_session()
        await talk(last, "I sail")
        reads.free.set()
        await quiet()
        assert last.driver.core.state.to_read
        await talk(last, "I sail")
        await quiet()
        assert not last.driver.core.state.to_read


async def test_who_opens_a_session_while_it_is_told_what_was_found_keeps_it() -> None:
    shelf, reads = Shelf(VirtualClock()), Reads()
    reads.free.clear()
    async with host(shelf, reads) as tenuto:
        async with tenuto.session(session_id="s1") as session:
            await talk(session, "I sail")
        with shelf.holding("load") as gate:
            reads.free.set()
            await quiet()
            opening = asyncio.create_task(held_for(tenuto, "s1", READING))
            await quiet()
            gate.set()
            assert await opening == ["The user sails."]


async def held_for(tenuto: Tenuto, name: str, seconds: float) -> list[str]:
    """Open a session for a while, and return what it knows in the end."""
    async with tenuto.session(session_id=name) as session:
        await asyncio.sleep(seconds)
        assert session.is_active
        return contents(session)


async def kinds(store: ports.Store, name: str, kind: type[e.Event]) -> int:
    return len(await store.read(ports.Read(session=name, types=(e.TAGS[kind],), limit=1000)))


async def test_a_model_that_never_answers_holds_up_the_next_conversation_for_a_bounded_time() -> (
    None
):
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        first, other = await tenuto.create_session(), await tenuto.create_session()
        await talk(first, "I sail")
        await talk(other, "Hi")
        await asyncio.sleep(READ_SECONDS + 1)
        assert await outcomes(store, first.session_id) == [("TimeoutError", BACKOFF[0])]
        assert reads.read == [["I sail"], ["Hi"]]
        reads.free.set()
        await asyncio.sleep(READ_SECONDS)
        assert contents(first) == contents(other) == ["The user sails."]


async def test_a_session_that_nobody_comes_to_read_is_not_woken_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extraction, "READ_SECONDS", 1e9)
    monkeypatch.setattr(conversation_fold, "READING", 1.0)
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        async with tenuto.session(session_id="s1") as session:
            await talk(session, "I sail")
        engines = await kinds(store, "s1", e.EngineReady)
        await asyncio.sleep(600)
        assert await kinds(store, "s1", e.SessionRestored) == WAKES
        assert await kinds(store, "s1", e.EngineReady) == engines, "none of it bills"
        assert "s1" not in tenuto.sessions_here
        assert await store.due(1e12, 10) == []
        reads.free.set()
        await quiet()
        assert contents(await tenuto.load_session("s1")) == ["The user sails."], "and yet not lost"


async def test_hundreds_of_conversations_that_wait_are_read_each_of_them_once() -> None:
    store = InMemoryStore(VirtualClock())
    reads = Reads()
    reads.free.clear()
    async with host(store, reads) as tenuto:
        for _ in range(300):
            async with tenuto.session() as session:
                await talk(session, "I sail")
        reads.free.set()
        await asyncio.sleep(READ_SECONDS)
        assert len(reads.read) == 300
        assert await store.due(1e12, 10) == []


async def test_of_an_ephemeral_session_that_was_put_away_nothing_is_read() -> None:
    store = InMemoryStore(VirtualClock())
    held, reads = Reads(), Reads()
    held.free.clear()
    config = SessionConfig(memory_mode="ephemeral")
    async with host(store, held) as tenuto:
        async with tenuto.session(session_id="s1", config=config) as session:
            await talk(session, "I sail")
            assert session.driver.core.state.to_read
        await asyncio.sleep(READING)
    assert await store.due(1e12, 10) == []
    async with host(store, reads) as tenuto:
        await tenuto.load_session("s1")
        await asyncio.sleep(READING)
    assert reads.read == []


async def test_what_a_store_did_not_give_is_read_later_while_the_session_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, reads = InMemoryStore(VirtualClock()), Reads()

    async def fails(read: ports.Read) -> Sequence[ports.Row]:
        raise StoreUnavailable("Not now.")

    async with host(store, reads) as tenuto:
        session = await tenuto.create_session()
        with monkeypatch.context() as patch:
            patch.setattr(store, "read", fails)
            await talk(session, "I sail")
            await quiet()
        assert contents(session) == []
        await asyncio.sleep(BACKOFF[-1] + 1)
        assert contents(session) == ["The user sails."]


async def test_what_a_guest_says_is_not_read() -> None:
    store, reads = InMemoryStore(VirtualClock()), Reads()
    async with host(store, reads) as tenuto:
        session = await tenuto.create_session()
        async with session.conversation() as conversation:
            await conversation.send_message("Hi")
            session.driver.receive(stimuli.Type(text="I sail", user="guest"))
            await quiet()
        await quiet()
        assert reads.read == [["Hi"]]


async def test_what_was_found_and_that_it_was_looked_for_are_one_append() -> None:
    appended: list[list[str]] = []

    class Told(InMemoryStore):
        async def append(self, append: ports.Append) -> None:
            appended.append([row.type for row in append.rows])
            await super().append(append)

    async with host(Told(VirtualClock()), Reads()) as tenuto:
        async with tenuto.session() as session:
            await talk(session, "I sail")
        await quiet()
    (together,) = [t for t in appended if {"memory.added", "conversation.extracted"} & set(t)]
    assert together[:2] == ["memory.added", "conversation.extracted"]
