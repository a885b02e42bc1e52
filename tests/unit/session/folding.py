"""Events in short, and the states that they fold to."""

from typing import Literal

import pytest

from tenuto import events as e
from tenuto.errors import Refused
from tenuto.session.fold import State, apply, encode
from tenuto.session.state import Turn
from tenuto.session.turn_fold import OpenReply, OpenSpeech

AT = 1_000.0
CREATED = e.SessionCreated(
    at=AT, session="s", tenant="t", user="u", epoch="0" * 16, config={"greeting": "Hi."}
)
TALK = e.ConversationStarted(at=AT, conversation="c")
ENDED_TALK = e.ConversationEnded(at=AT, conversation="c", reason="user")


def attached(
    number: int,
    client: str = "tab",
    token: str = "",
    role: e.AttachmentRole = "controller",
    shown: str = "",
) -> e.Event:
    return e.AttachmentAttached(
        at=AT,
        attachment=number,
        role=role,
        client=client,
        transport="test",
        voice=True,
        token=token,
        shown=shown,
    )


def detached(number: int) -> e.Event:
    return e.AttachmentDetached(at=AT, attachment=number, reason="lost")


def typed(
    number: int, text: str = "Hi", cause: str = "", by: Literal["voice", "text"] = "text"
) -> e.MessageAdded:
    return e.MessageAdded(
        at=AT, cause=cause, message=number, role="user", text=text, turn=number, conversation="c", by=by
    )  # fmt: skip


def replied(reply: int = 1, *, aloud: bool = True, alarm: int = 0) -> e.Event:
    return e.ReplyStarted(at=AT, reply=reply, turn=1, conversation="c", aloud=aloud, alarm=alarm)


def said(index: int, text: str = "One.", *, last: bool = False, reply: int = 1) -> e.Event:
    return e.ReplySegment(at=AT, reply=reply, index=index, text=text, last=last, cites=[1])


def ended(name: str) -> e.Event:
    return e.ConversationEnded(at=AT + 9.0, conversation=name, reason="next")


def started(name: str, parent: str = "", fork: int = 0) -> e.Event:
    return e.ConversationStarted(at=AT + 1.0, conversation=name, parent=parent, fork=fork)


def summed_up(name: str, upto: int, text: str) -> e.Event:
    return e.ConversationSummarized(at=AT, conversation=name, upto=upto, text=text)


def to_be_read(name: str, at: float = AT + 9.0) -> e.Event:
    return e.ConversationEnded(at=at, conversation=name, reason="user", extract=True)


def extracted(name: str, upto: int, failed: str = "", again: float = 0.0) -> e.Event:
    return e.ConversationExtracted(
        at=AT + 20.0, conversation=name, upto=upto, failed=failed, again=again
    )


def folded(*events: e.Event) -> State:
    state = State()
    for event in (CREATED, *events):
        apply(state, event)
    return state


def due(state: State) -> float | None:
    """Read afresh: a type checker takes an attribute for what it was."""
    return state.due


def open_now(state: State) -> tuple[Turn, OpenReply | None, OpenSpeech | None]:
    return state.turn, state.reply, state.speech


def turn(state: State) -> Turn:
    return state.turn


def assert_refused(state: State, event: e.Event, why: type[Refused], match: str) -> None:
    """Law 4: an event that cannot happen raises, and changes nothing."""
    before = encode(state)
    with pytest.raises(why, match=match):
        apply(state, event)
    assert encode(state) == before
