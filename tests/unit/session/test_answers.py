"""Replies for whoever asked."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tenuto import events as e
from tenuto.errors import EngineError, IllegalEvent, LeaseLost
from tenuto.session.answers import Answers, Reply
from tenuto.session.driver import Driver
from tenuto.session.ports import Row


class Stage:
    """As much of a driver as answers need."""

    def __init__(self) -> None:
        self.time = 100.0
        self.watchers: list[Any] = []
        self.core = SimpleNamespace(state=SimpleNamespace(position=0))
        self.answers = Answers(cast(Driver, self))

    def now(self) -> float:
        return self.time

    def tell(self, *events: e.Event) -> None:
        for event in events:
            self.core.state.position += 1
            row = Row(self.core.state.position, e.TAGS[type(event)], b"")
            for watcher in self.watchers:
                watcher(row, event)


def started(turn: int = 1) -> e.Event:
    return e.ReplyStarted(at=1.0, reply=turn, turn=turn, conversation="c")


def said(text: str, reply: int = 1) -> e.Event:
    return e.ReplySegment(at=1.0, reply=reply, index=0, text=text, cites=[reply])


def heard(text: str, *, all_of_it: str = "", reply: int = 1) -> e.Event:
    return e.MessageAdded(
        at=1.0,
        message=1,
        role="agent",
        text=text,
        said=all_of_it,
        turn=reply,
        conversation="c",
        reply=reply,
    )


async def test_a_reply_is_put_together_from_its_parts() -> None:
    stage = Stage()
    stage.tell(started())
    asked = stage.answers.expect(1)
    stage.time = 101.0
    stage.tell(started(), said("One."))
    stage.time = 103.0
    stage.tell(said("Two."), e.ReplyEnded(at=1.0, reply=1), heard("One. Two."))
    assert await asked == Reply(
        text="One. Two.",
        heard="One. Two.",
        turn=1,
        reply=1,
        cites=[1, 1],
        first_seconds=1.0,
        seconds=3.0,
    )


async def test_a_cut_says_why_and_what_was_heard() -> None:
    stage = Stage()
    asked = stage.answers.expect(1)
    stage.tell(started(), said("One. Two."))
    stage.tell(e.ReplyCut(at=1.0, reply=1, reason="barge_in"), heard("One.", all_of_it="One. Two."))
    reply = await asked
    assert (reply.text, reply.heard, reply.cut) == ("One. Two.", "One.", "barge_in")


async def test_a_reply_without_a_word_is_a_reply() -> None:
    stage = Stage()
    asked = stage.answers.expect(1)
    stage.tell(started(), e.ReplyCut(at=1.0, reply=1, reason="stopped"))
    assert (await asked).cut == "stopped"


async def test_who_joined_the_turn_gets_the_same_reply() -> None:
    stage = Stage()
    both = [stage.answers.expect(1), stage.answers.expect(2)]
    later = stage.answers.expect(3)
    stage.tell(started(2), said("Both.", 2), e.ReplyEnded(at=1.0, reply=2), heard("Both.", reply=2))
    assert [(await each).text for each in both] == ["Both.", "Both."]
    assert not later.done()


async def test_messages_that_are_no_reply_answer_nobody() -> None:
    stage = Stage()
    asked = stage.answers.expect(1)
    injected = e.MessageAdded(
        at=1.0, message=1, role="agent", text="x", turn=1, conversation="c", by="injected"
    )
    stage.tell(started(), injected, e.MetricTracked(at=1.0, name="m", value=1.0))
    assert not asked.done()


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (e.ErrorRaised(at=1.0, code="stopped", message="It was stopped."), EngineError),
        (e.ConversationEnded(at=1.0, conversation="c", reason="user"), IllegalEvent),
    ],
)
async def test_what_will_not_be_answered_says_so(event: e.Event, error: type[Exception]) -> None:
    stage = Stage()
    stage.tell(event)
    asked, gone = stage.answers.expect(1), stage.answers.expect(2)
    gone.cancel()
    stage.tell(event)
    with pytest.raises(error):
        await asked


async def test_whoever_gave_up_is_not_told() -> None:
    stage = Stage()
    gone, asked = stage.answers.expect(1), stage.answers.expect(2)
    gone.cancel()
    stage.tell(started(2), said("Yes.", 2), e.ReplyEnded(at=1.0, reply=2), heard("Yes.", reply=2))
    assert (await asked).text == "Yes."
    last = stage.answers.expect(3)
    stage.answers.fail(LeaseLost())
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(last, 1.0)


async def test_what_fails_in_the_same_breath_fails_the_question() -> None:
    stage = Stage()
    stage.tell(started())
    stage.core.state.position = 3  # The question, and its error, which are not durable yet.
    asked, before = stage.answers.expect(1, since=1), stage.answers.expect(2, since=3)
    stage.core.state.position = 2
    stage.tell(e.ErrorRaised(at=1.0, code="not_answered", message="It answers nothing."))
    with pytest.raises(EngineError, match="answers nothing"):
        await asked
    assert not before.done()
