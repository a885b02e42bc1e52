"""Messages that the application puts into the context, each once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidConfig, InvalidInput, TooMuch
from tenuto.session import injecting as module
from tenuto.session import stimuli
from tenuto.session.archive import Archive
from tenuto.session.conversation_fold import WINDOW
from tenuto.session.fold import apply
from tenuto.session.injecting import MOST, Injecting, parse, parse_context
from tenuto.session.ports import Message
from tests.unit.session.house import House, Papers, house, quiet

pytestmark = pytest.mark.virtual

RECORD = [
    {"role": "user", "content": "I am Alice."},
    {"role": "assistant", "content": "Hello Alice."},
    {"role": "agent", "content": "What would you like?"},
]


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Injecting, House, Papers]]:
    async with house() as at:
        papers = Papers(at.store)
        at.driver.receive(stimuli.StartConversation(conversation="main"))
        yield Injecting(at.driver, cast(Archive, papers)), at, papers


def texts(at: House) -> list[str]:
    return [m.text for m in at.driver.core.state.recent]


async def test_a_record_that_comes_ten_times_is_put_in_once() -> None:
    async with talking() as (injecting, at, _):
        counts = [await injecting.put(RECORD) for _ in range(5)]
        counts += await asyncio.gather(*(injecting.put(RECORD) for _ in range(5)))
        assert counts == [3, *[0] * 9]
        assert texts(at) == ["I am Alice.", "Hello Alice.", "What would you like?"]
        assert [m.role for m in at.driver.core.state.recent] == ["user", "agent", "agent"]
        assert at.driver.core.state.owed == []


async def test_a_record_that_grows_is_put_in_as_it_grows() -> None:
    async with talking() as (injecting, at, _):
        for end in range(1, 4):
            assert await injecting.put(RECORD[:end]) == 1
        assert await injecting.put([*RECORD[-2:], ("user", "Tea.")]) == 1
        assert texts(at)[-1] == "Tea."


async def test_what_was_said_long_ago_is_known_too() -> None:
    async with talking() as (injecting, at, _):
        record = [("user", f"number {n}") for n in range(WINDOW * 2)]
        assert await injecting.put(record) == len(record)
        assert await injecting.put(record) == 0
        at.say(*(f"later {n}" for n in range(WINDOW + 5)))
        assert await injecting.put(record) == 0
        assert injecting.put_now([*record, ("user", "later 50"), ("user", "new")]) == 1
        assert texts(at)[-1] == "new"


async def test_recent_messages_are_enough_for_an_update_in_passing() -> None:
    async with talking() as (injecting, at, papers):
        assert injecting.put_now(RECORD[-2:]) == 2
        assert injecting.put_now(RECORD[-2:]) == 0
        assert papers.reads == 0
        assert injecting.put_now([]) == 0
        at.say(*(f"later {n}" for n in range(WINDOW)))
        assert injecting.put_now([("user", "new")]) == 1


async def test_of_a_reply_that_was_cut_all_of_it_is_known() -> None:
    async with talking() as (injecting, at, _):
        state = at.driver.core.state
        said = e.MessageAdded(
            at=1.0,
            message=1,
            role="agent",
            text="One",
            said="One two three.",
            turn=1,
            conversation="main",
            reply=1,
        )
        apply(state, said)
        assert injecting.put_now([("agent", "One two three."), ("user", "Go on.")]) == 1
        assert texts(at) == ["One", "Go on."]


async def test_a_policy_brings_messages_of_earlier_conversations() -> None:
    async with talking() as (injecting, at, _):
        at.say("one", "two", "three")
        at.driver.receive(stimuli.StartConversation(conversation="branch", parent="main"))
        at.say("of the branch")
        at.driver.receive(stimuli.StartConversation(conversation="next"))
        at.say("here")
        assert await injecting.put("last_2") == 2
        assert await injecting.put("last_2") == 0
        assert texts(at)[-3:] == ["here", "three", "of the branch"]
        at.driver.receive(stimuli.StartConversation(conversation="main", resume=True))
        assert await injecting.put("all") == 2, "not of its own branch"
        assert texts(at)[-2:] == ["here", "of the branch"], "that is a copy"
        with pytest.raises(InvalidConfig):
            await injecting.put("some")


async def test_so_many_messages_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 4)
    monkeypatch.setattr(module, "MOST_READ", 8)
    async with talking() as (injecting, at, papers):
        at.say(*(f"old {n}" for n in range(3)))
        at.driver.receive(stimuli.StartConversation(conversation="next"))
        at.say(*(f"new {n}" for n in range(9)))
        assert await injecting.put([("user", f"new {n}") for n in range(9)]) == 0
        assert papers.reads == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ["Hi"],
        [{"role": "user"}],
        [{"role": 1, "content": "Hi"}],
        [("user", "Hi", "there")],
        [("nobody", "Hi")],
        [("user", " ")],
        [("user", "x" * 10_001)],
        [None],
    ],
)
async def test_what_is_no_message_is_refused_and_nothing_is_put_in(wrong: list[Any]) -> None:
    async with talking() as (injecting, at, _):
        for given in (wrong, [*RECORD, *wrong]):
            with pytest.raises(InvalidInput):
                await injecting.put(given)
            with pytest.raises(InvalidInput):
                injecting.put_now(given)
        assert texts(at) == []


async def test_there_must_be_a_conversation_and_it_must_stay() -> None:
    async with talking() as (injecting, at, _):
        at.store.open.clear()
        putting = asyncio.create_task(injecting.put(RECORD))
        await quiet()
        at.driver.receive(stimuli.StartConversation(conversation="next"))
        at.store.open.set()
        with pytest.raises(IllegalEvent, match="'main' is not open any more"):
            await putting
        at.driver.receive(stimuli.EndConversation())
        with pytest.raises(IllegalEvent, match="start one first"):
            await injecting.put(RECORD)
        with pytest.raises(IllegalEvent, match="start one first"):
            injecting.put_now(RECORD)


def test_messages_come_in_three_shapes() -> None:
    known = Message(message=1, role="tool", text=" 21 ", turn=1, conversation="c", at=0.0)
    assert parse([known, ("user", "Hi"), {"role": "assistant", "content": "Yes", "at": 1}]) == [
        ("tool", "21"),
        ("user", "Hi"),
        ("agent", "Yes"),
    ]
    with pytest.raises(TooMuch, match="1000 messages"):
        parse([("user", "Hi")] * (MOST + 1))


def test_a_context_is_a_list_of_history() -> None:
    messages = [{"type": "History", "role": "assistant", "content": "Hi"}]
    assert parse_context({"messages": messages}) == [("agent", "Hi")]
    assert parse_context({"messages": [("user", "Hi")]}) == [("user", "Hi")]
    shapes: list[Any] = [{}, [], {"messages": 1}, {"messages": [], "more": 1}]
    for wrong in shapes:
        with pytest.raises(InvalidInput, match="A context is"):
            parse_context(wrong)
    with pytest.raises(InvalidInput, match="Message 1 is not of the type"):
        parse_context({"messages": [{"type": "Function", "role": "user", "content": "Hi"}]})
