"""The conversations, what was said in them, and what is to be read."""

from collections.abc import Iterable

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import ConversationExists, ConversationNotFound, IllegalEvent, Refused
from tenuto.session import conversation_fold
from tenuto.session.conversation_fold import READING, TO_READ, WAKES, WINDOW, ToRead
from tenuto.session.fold import apply, decode, encode
from tenuto.session.state import Turn
from tests.unit.session.folding import (
    AT,
    ENDED_TALK,
    TALK,
    assert_refused,
    due,
    ended,
    extracted,
    folded,
    replied,
    started,
    summed_up,
    to_be_read,
    turn,
    typed,
)

# ------------------------------------------------------------------------------------------------------ open and closed


def test_a_conversation_is_open_until_it_ends_and_can_be_resumed() -> None:
    state = folded(TALK)
    assert state.conversation == "c"
    apply(state, e.ConversationEnded(at=AT, conversation="c", reason="user"))
    assert (state.conversation, state.conversations["c"].ended) == ("", True)
    apply(state, e.ConversationStarted(at=AT, conversation="d", parent="c"))
    assert state.conversations["d"].parent == "c"
    apply(state, e.ConversationEnded(at=AT, conversation="d", reason="user"))
    apply(state, e.ConversationResumed(at=AT, conversation="c"))
    assert (state.conversation, state.conversations["c"].ended) == ("c", False)


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ([TALK], e.ConversationStarted(at=AT, conversation="d"), IllegalEvent),
        ([TALK], e.ConversationResumed(at=AT, conversation="c"), IllegalEvent),
        ([TALK, ENDED_TALK], TALK, ConversationExists),
        ([], e.ConversationStarted(at=AT, conversation="d", parent="x"), ConversationNotFound),
        ([], e.ConversationResumed(at=AT, conversation="x"), ConversationNotFound),
        ([], ENDED_TALK, IllegalEvent),
        ([TALK], e.ConversationEnded(at=AT, conversation="d", reason="user"), IllegalEvent),
        ([TALK, e.SpeechStarted(at=AT, turn=1)], ENDED_TALK, IllegalEvent),
        ([TALK, replied()], ENDED_TALK, IllegalEvent),
    ],
)
def test_an_illegal_conversation(
    before: Iterable[e.Event], event: e.Event, why: type[Refused]
) -> None:
    assert_refused(folded(*before), event, why, "conversation|open")


def test_what_was_not_answered_when_a_conversation_ends_is_not_owed_any_more() -> None:
    state = folded(TALK, typed(1, by="voice"))
    assert (state.turn, state.owed, state.owed_voice) == (Turn.THINKING, [1], True)
    apply(state, ENDED_TALK)
    assert (state.turn, state.owed, state.owed_voice) == (Turn.IDLE, [], False)


def test_of_a_conversation_it_is_known_what_it_is() -> None:
    state = folded(TALK, typed(1), typed(2), ended("c"))
    known = state.conversations["c"]
    assert (known.messages, known.first, known.last, known.unsummarized) == (2, 1, 2, 2)
    assert (known.started, known.closed, known.ended) == (AT, AT + 9.0, True)
    apply(state, summed_up("c", 2, "Tea."))
    assert (known.summary, known.summary_upto, known.unsummarized) == ("Tea.", 2, 0)


def test_the_conversation_that_was_used_last_is_the_last() -> None:
    state = folded(TALK, ended("c"), started("d"), ended("d"))
    assert list(state.conversations) == ["c", "d"]
    apply(state, e.ConversationResumed(at=AT, conversation="c"))
    assert (list(state.conversations), state.conversations["c"].ended) == (["d", "c"], False)


def test_a_branch_keeps_what_was_said_before_its_fork() -> None:
    state = folded(TALK, typed(1), summed_up("c", 1, "Tea."), ended("c"), started("b", "c", 1))
    state2 = folded(
        *(TALK, typed(1), typed(2), summed_up("c", 2, "Tea."), ended("c"), started("b", "c", 1))
    )
    assert state.conversations["b"].inherited == "Tea."
    assert state2.conversations["b"].inherited == "", "that tells more than it may know"
    for event in (ended("b"), started("b2", "b", 1)):
        apply(state, event)
    assert state.conversations["b2"].inherited == "Tea."


@pytest.mark.parametrize(
    ("event", "error", "why"),
    [
        (started("b", "b"), ConversationNotFound, "no conversation 'b'"),
        (started("c", "c"), ConversationExists, "already has"),
        (started("b", "nobody"), ConversationNotFound, "nobody"),
        (started("b", "c", 3), IllegalEvent, "a fork at message 3 of 1"),
        (summed_up("nobody", 1, ""), ConversationNotFound, "nobody"),
        (summed_up("c", 2, ""), IllegalEvent, "up to message 2 of 1"),
        (summed_up("c", 0, ""), IllegalEvent, "up to message 0 of 1"),
    ],
)
def test_a_conversation_that_cannot_be(event: e.Event, error: type[Refused], why: str) -> None:
    state = folded(TALK, typed(1), summed_up("c", 1, "Tea."), ended("c"))
    assert_refused(state, event, error, why)


def test_branches_never_go_in_circles() -> None:
    """A parent is there before its branch, and an id is used once: so the way up always ends."""
    state = folded(TALK, ended("c"), started("b", "c"), ended("b"), started("a", "b"), ended("a"))
    for name in ("a", "b", "c"):
        for parent in ("a", "b", "c"):
            with pytest.raises(ConversationExists):
                apply(state, started(name, parent))
    for name in state.conversations:
        seen = [name]
        while parent := state.conversations[seen[-1]].parent:
            assert parent not in seen
            seen.append(parent)


def test_only_what_was_used_last_is_remembered_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_fold, "SUMMARIES", 2)
    long = "Began with: tea\n" + "User: and more\n" * 50
    state = folded(TALK, typed(1), summed_up("c", 1, long), ended("c"), started("b", "c", 1))
    for event in (ended("b"), started("next")):
        apply(state, event)
    known = state.conversations
    assert len(known["c"].summary) <= 200 and known["c"].summary.startswith("Began with: tea")
    assert len(known["b"].inherited) > 200
    for event in (ended("next"), started("last")):
        apply(state, event)
    assert len(known["b"].inherited) <= 200


# -------------------------------------------------------------------------------------------------------- what was said


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ([TALK], typed(2), "message 2 after 0"),
        ([TALK, replied()], typed(1), "cut it first"),
    ],
)
def test_an_illegal_message(before: Iterable[e.Event], event: e.Event, why: str) -> None:
    assert_refused(folded(*before), event, IllegalEvent, why)


def test_a_message_belongs_to_a_known_conversation() -> None:
    assert_refused(folded(), typed(1), ConversationNotFound, "'c'")


def test_a_message_of_the_user_is_owed_an_answer() -> None:
    state = folded(TALK, typed(1), typed(2))
    assert (state.turn, state.owed, state.owed_voice, state.turns) == (
        Turn.THINKING,
        [1, 2],
        False,
        2,
    )
    assert state.conversations["c"].messages == 2


def test_a_message_of_the_agent_is_owed_nothing() -> None:
    state = folded(
        TALK,
        e.MessageAdded(
            at=AT, message=1, role="agent", text="Hi", turn=1, conversation="c", reply=1
        ),
    )
    assert (state.turn, state.owed) == (Turn.IDLE, [])


def test_of_many_messages_only_a_window_is_kept() -> None:
    state = folded(TALK, *(typed(number) for number in range(1, WINDOW + 11)))
    assert [m.message for m in state.recent] == state.owed == list(range(11, WINDOW + 11))
    assert state.messages == state.conversations["c"].messages == WINDOW + 10


def test_the_keys_of_injected_messages_are_remembered_and_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation_fold, "KEYS", 2)
    state = folded(TALK)
    for number in range(1, 4):
        apply(
            state,
            e.MessageAdded(
                at=AT,
                message=number,
                role="user",
                text="x",
                turn=0,
                conversation="c",
                by="injected",
                key=f"k{number}",
            ),
        )
    assert state.keys == ["k2", "k3"]
    assert turn(state) is Turn.IDLE and state.owed == []


# --------------------------------------------------------------------------------------------------- what is to be read


def test_a_conversation_waits_from_its_end_until_it_was_read() -> None:
    state = folded(TALK, typed(1), to_be_read("c"))
    assert state.to_read == {"c": ToRead(since=AT + 9.0)}
    assert state.wake == AT + 9.0 + READING, "for whichever host there is then"
    apply(state, extracted("c", 1))
    assert not state.to_read
    assert state.conversations["c"].extracted == 1
    assert due(state) is None
    for event in (e.ConversationResumed(at=AT, conversation="c"), to_be_read("c")):
        apply(state, event)
    assert not state.to_read, "nothing new was said in it"


def test_a_session_that_is_loaded_and_not_read_is_woken_later_and_later_and_then_no_more() -> None:
    state = folded(TALK, typed(1), to_be_read("c"))
    early = e.SessionRestored(at=AT + 10.0, host="h", fence=2)
    apply(state, early)
    assert state.to_read == {"c": ToRead(since=AT + 9.0)}, "whoever has it has time"
    waits: list[float] = []
    while (wake := state.wake) is not None:
        waits.append(wake - state.to_read["c"].since)
        apply(state, e.SessionRestored(at=wake, host="h", fence=3))
    assert waits == [READING * 4**woken for woken in range(WAKES)]
    assert set(state.to_read) == {"c"}, "and yet it waits for whoever comes"
    apply(state, early)
    assert decode(encode(state)) == state
    apply(state, extracted("c", 1, "engine", AT + 60.0))
    assert state.to_read["c"].woken == 0


def test_a_session_that_forgets_all_when_it_is_parked_is_not_woken_to_learn() -> None:
    for mode, left in (("hybrid", {"c"}), ("ephemeral", set())):
        config = e.ConfigChanged(at=AT, version=1, changes={"memory_mode": mode})
        state = folded(config, TALK, typed(1), to_be_read("c"), e.SessionParked(at=AT))
        assert set(state.to_read) == left


def test_nothing_waits_where_nobody_asked_for_it_or_nothing_was_said() -> None:
    assert not folded(TALK, typed(1), ended("c")).to_read
    assert not folded(TALK, to_be_read("c")).to_read


def test_what_failed_is_tried_again_until_it_is_given_up() -> None:
    state = folded(TALK, typed(1), to_be_read("c"), extracted("c", 1, "engine", AT + 60.0))
    assert state.to_read == {"c": ToRead(since=AT + 60.0, tries=1)}
    assert state.conversations["c"].extracted == 0
    apply(state, extracted("c", 1, "engine"))
    assert (state.to_read, state.conversations["c"].extracted) == ({}, 1)


def test_what_was_said_while_it_was_read_is_read_as_well() -> None:
    state = folded(TALK, typed(1), to_be_read("c"))
    resumed = e.ConversationResumed(at=AT, conversation="c")
    for event in (resumed, typed(2), to_be_read("c", AT + 12.0), extracted("c", 1)):
        apply(state, event)
    assert state.to_read == {"c": ToRead(since=AT + 20.0)}
    for event in (resumed, extracted("c", 1, "off")):
        apply(state, event)
    assert not state.to_read, "it is open: its end says so"


def test_of_too_many_the_oldest_are_not_read() -> None:
    state = folded(TALK, typed(1), to_be_read("c"))
    for number in range(TO_READ):
        name = f"d{number}"
        message = msgspec.structs.replace(typed(number + 2), conversation=name)
        for event in (started(name), message, to_be_read(name)):
            apply(state, event)
    assert len(state.to_read) == TO_READ
    assert next(iter(state.to_read)) == "d0"


def test_a_session_that_has_ended_reads_nothing() -> None:
    state = folded(TALK, typed(1), to_be_read("c"))
    apply(state, e.SessionEnded(at=AT, reason="user"))
    assert not state.to_read


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (extracted("d", 1), ConversationNotFound),
        (extracted("c", 2), IllegalEvent),
        (extracted("c", 0), IllegalEvent),
    ],
)
def test_what_cannot_have_been_read_is_refused(event: e.Event, error: type[Refused]) -> None:
    state = folded(TALK, typed(1), to_be_read("c"), extracted("c", 1))
    assert_refused(state, event, error, "conversation|facts up to")
