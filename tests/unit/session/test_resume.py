"""Coming back: tokens that are shown once, and what a client missed."""

import pytest

from tenuto import events as e
from tenuto.session.client_fold import Client
from tenuto.session.fold import State, apply
from tenuto.session.resume import (
    LOST_ANSWER,
    MOST_REPLAYED,
    Plan,
    Proof,
    digest,
    plan,
    prove,
    view,
)
from tenuto.session.state import Status


@pytest.fixture
def state() -> State:
    state = State()
    apply(state, e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16))
    return state


def attach(state: State, token: str, at: float) -> None:
    number = state.attachments + 1
    if state.controller:
        apply(state, e.AttachmentDetached(at=at, attachment=state.controller, reason="superseded"))
    apply(
        state,
        e.AttachmentAttached(
            at=at,
            attachment=number,
            role="controller",
            client="tab",
            transport="test",
            token=digest(token),
        ),
    )


def test_a_token_that_was_just_given_is_good(state: State) -> None:
    attach(state, "one", at=10.0)
    assert prove(state.clients["tab"], "one", at=9_999.0) is Proof.GOOD


def test_a_stranger_proves_nothing(state: State) -> None:
    attach(state, "one", at=10.0)
    assert prove(None, "one", at=10.0) is Proof.UNKNOWN
    assert prove(state.clients["tab"], "two", at=10.0) is Proof.UNKNOWN
    assert prove(Client(), "", at=10.0) is Proof.UNKNOWN


def test_the_token_before_is_good_for_a_while_if_the_answer_with_the_next_was_lost(
    state: State,
) -> None:
    attach(state, "one", at=10.0)
    attach(state, "two", at=20.0)
    assert prove(state.clients["tab"], "one", at=20.0 + LOST_ANSWER) is Proof.GOOD
    assert prove(state.clients["tab"], "one", at=20.1 + LOST_ANSWER) is Proof.REUSED


def test_a_token_whose_successor_was_used_is_void(state: State) -> None:
    for at, token in ((10.0, "one"), (20.0, "two"), (21.0, "three")):
        attach(state, token, at)
    assert prove(state.clients["tab"], "one", at=21.0) is Proof.REUSED
    assert prove(state.clients["tab"], "two", at=21.0) is Proof.GOOD


def test_what_was_revoked_is_forgotten(state: State) -> None:
    attach(state, "one", at=10.0)
    apply(state, e.AttachmentRevoked(at=11.0, client="tab"))
    assert prove(state.clients.get("tab"), "one", at=11.0) is Proof.UNKNOWN


def test_a_new_client_of_a_new_session_starts_fresh(state: State) -> None:
    assert plan(state, "", 0) == Plan(mode="fresh", after=1)


def test_a_new_client_of_an_old_session_gets_a_snapshot(state: State) -> None:
    apply(state, e.ConversationStarted(at=2.0, conversation="c"))
    apply(state, e.MessageAdded(at=2.0, message=1, role="user", text="x", turn=1, conversation="c"))
    assert plan(state, "", 0) == Plan(mode="snapshot", after=3)


@pytest.mark.parametrize(
    ("epoch", "position", "mode", "after"),
    [
        ("0" * 16, 1_001, "replay", 1_001),
        ("0" * 16, 1_002, "replay", 1_002),
        ("0" * 16, 2, "replay", 2),
        ("0" * 16, 1, "snapshot", 1_002),
        ("0" * 16, 1_003, "snapshot", 1_002),
        ("0" * 16, -1, "snapshot", 1_002),
        ("f" * 16, 1_001, "snapshot", 1_002),
    ],
)
def test_all_that_was_missed_or_a_snapshot(
    state: State, epoch: str, position: int, mode: str, after: int
) -> None:
    for _ in range(MOST_REPLAYED + 1):
        apply(state, e.Unknown(at=2.0, kind="of.later"))
    made = plan(state, epoch, position)
    assert (made.mode, made.after) == (mode, after)


def test_a_view_is_the_session_as_a_client_needs_it(state: State) -> None:
    attach(state, "one", at=2.0)
    apply(state, e.ConversationStarted(at=2.0, conversation="c"))
    apply(
        state, e.MessageAdded(at=2.0, message=1, role="user", text="Hi", turn=1, conversation="c")
    )
    apply(state, e.MemoryAdded(at=2.0, memory=1, content="Alice"))
    apply(state, e.AlarmSet(at=2.0, alarm=1, due=9.0, text="tea"))
    seen = view(state, Status.PROCESSING)
    assert (seen.session, seen.epoch, seen.position, seen.user) == ("s", "0" * 16, 6, "u")
    assert (seen.conversation, seen.status, seen.created) == ("c", Status.PROCESSING, 1.0)
    assert [m.text for m in seen.messages] == ["Hi"]
    assert [m.content for m in seen.memories] == ["Alice"]
    assert [a.text for a in seen.alarms] == ["tea"]
    assert seen.reply is None


def test_a_view_has_the_open_reply_and_how_much_of_it_was_heard(state: State) -> None:
    attach(state, "one", at=2.0)
    apply(state, e.ConversationStarted(at=2.0, conversation="c"))
    apply(state, e.ReplyStarted(at=2.0, reply=1, turn=1, conversation="c", aloud=True))
    apply(state, e.ReplySegment(at=2.0, reply=1, index=0, text="One."))
    apply(state, e.PlaybackMarked(at=2.0, reply=1, heard=0.2))
    reply = view(state, Status.SPEAKING).reply
    assert reply is not None
    assert (reply.reply, reply.turn, reply.segments, reply.heard, reply.aloud) == (
        1,
        1,
        ["One."],
        0.2,
        True,
    )
