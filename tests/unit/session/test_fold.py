"""The state of a session: its journal, folded one event at a time."""

from collections.abc import Iterable
from typing import Literal

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import ConversationExists, ConversationNotFound, IllegalEvent, Refused
from tenuto.session import fold
from tenuto.session.fold import (
    ANSWERS,
    CLIENTS,
    MICS,
    OLD_TOKENS,
    READING,
    TO_READ,
    WINDOW,
    State,
    ToRead,
    apply,
    decode,
    encode,
)
from tenuto.session.state import Life, Turn

AT = 1_000.0
CREATED = e.SessionCreated(
    at=AT, session="s", tenant="t", user="u", epoch="0" * 16, config={"greeting": "Hi."}
)
TALK = e.ConversationStarted(at=AT, conversation="c")


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


def due(state: State) -> float | None:
    """Read afresh: a type checker takes an attribute for what it was."""
    return state.due


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


def folded(*events: e.Event) -> State:
    state = State()
    for event in (CREATED, *events):
        apply(state, event)
    return state


def open_now(state: State) -> tuple[Turn, fold.OpenReply | None, fold.OpenSpeech | None]:
    return state.turn, state.reply, state.speech


def turn(state: State) -> Turn:
    return state.turn


def life(state: State) -> Life:
    return state.life


def assert_refused(state: State, event: e.Event, why: type[Refused], match: str) -> None:
    """Law 4: an event that cannot happen raises, and changes nothing."""
    before = encode(state)
    with pytest.raises(why, match=match):
        apply(state, event)
    assert encode(state) == before


# ---------------------------------------------------------------------------------------------------------------- the session


def test_a_created_session_is_somebodys_and_nobody_is_there() -> None:
    state = folded()
    assert (state.session, state.tenant, state.user, state.epoch) == ("s", "t", "u", "0" * 16)
    assert (state.position, state.created, state.config) == (1, AT, {"greeting": "Hi."})
    assert (state.life, state.turn, state.ended) == (Life.DETACHED, Turn.IDLE, False)


def test_a_journal_begins_with_the_creation() -> None:
    assert_refused(State(), TALK, IllegalEvent, "before session.created")


def test_a_session_is_created_once() -> None:
    assert_refused(folded(), CREATED, IllegalEvent, "only be the first")


def test_a_parked_session_can_only_be_restored() -> None:
    state = folded(e.SessionParked(at=AT))
    assert life(state) is Life.PARKED
    assert_refused(state, attached(1, role="observer"), IllegalEvent, "parked")
    apply(state, e.SessionRestored(at=AT, host="h", fence=2))
    assert life(state) is Life.DETACHED


def test_nothing_comes_after_the_end() -> None:
    state = folded(e.SessionEnded(at=AT, reason="user"))
    assert state.ended and state.end_reason == "user"
    assert_refused(state, TALK, IllegalEvent, "after session.ended")


@pytest.mark.parametrize("open_", [TALK, attached(1, role="observer")])
def test_a_session_ends_last(open_: e.Event) -> None:
    assert_refused(folded(open_), e.SessionEnded(at=AT, reason="user"), IllegalEvent, "ends after")


def test_an_event_of_a_later_version_has_a_place_and_no_meaning() -> None:
    state, other = folded(), folded()
    apply(state, e.Unknown(at=AT + 9, kind="of.later"))
    other.position = 2
    assert state == other


def test_changed_settings_are_kept_with_their_version() -> None:
    state = folded(e.ConfigChanged(at=AT, version=1, changes={"timezone": "Europe/Rome"}))
    assert (state.config, state.live) == ({"greeting": "Hi."}, {"timezone": "Europe/Rome"})
    assert (state.config_version, state.applied_version) == (1, 0)
    apply(state, e.ConfigApplied(at=AT, version=1, link=1))
    assert state.applied_version == 1


@pytest.mark.parametrize("version", [0, 1, 3])
def test_only_a_change_that_was_made_and_not_applied_yet_is_applied(version: int) -> None:
    state = folded(
        e.ConfigChanged(at=AT, version=1, changes={"voice": "nova"}),
        e.ConfigApplied(at=AT, version=1, link=1),
        e.ConfigChanged(at=AT, version=2, changes={"voice": "sage"}),
    )
    before = encode(state)
    with pytest.raises(IllegalEvent, match=f"settings {version}"):
        apply(state, e.ConfigApplied(at=AT, version=version, link=1))
    assert encode(state) == before


def test_links_are_counted() -> None:
    state = folded(
        e.EngineReady(at=AT, engine="x", link=3),
        e.EngineLost(at=AT, link=2, reason="gone"),
    )
    assert state.links == 3
    apply(state, e.EngineLost(at=AT, link=4, reason="gone"))
    assert state.links == 4


# ------------------------------------------------------------------------------------------------------------- attachments


def test_the_controllers_coming_and_going_is_the_life_of_the_session() -> None:
    state = folded(attached(1))
    assert (state.life, state.controller) == (Life.LIVE, 1)
    apply(state, attached(2, "phone", role="observer"))
    apply(state, detached(2))
    assert (state.life, state.controller) == (Life.LIVE, 1)
    apply(state, detached(1))
    assert (state.life, state.controller, state.here) == (Life.DETACHED, 0, {})


def test_there_is_one_controller() -> None:
    assert_refused(folded(attached(1)), attached(2), IllegalEvent, "second controller")


def test_attachments_are_numbered_in_order() -> None:
    assert_refused(folded(), attached(2), IllegalEvent, "attachment 2 after 0")


def test_who_is_not_here_cannot_leave() -> None:
    assert_refused(folded(), detached(1), IllegalEvent, "not here")


def test_tokens_are_kept_as_long_as_their_reuse_would_tell_of_a_copy() -> None:
    state = folded()
    for number in range(1, OLD_TOKENS + 5):
        apply(state, attached(number, token=f"t{number}"))
        apply(state, detached(number))
    client = state.clients["tab"]
    assert (client.token, client.previous, client.token_at) == ("t12", "t11", AT)
    assert client.used == [f"t{number}" for number in range(3, 11)]


def test_an_attachment_without_a_token_leaves_the_last_one_as_it_is() -> None:
    state = folded(attached(1, token="t1"), detached(1), attached(2))
    assert state.clients["tab"].token == "t1"


def test_a_token_whose_successors_were_all_lost_is_good_until_one_is_used() -> None:
    state = folded(attached(1, token="t1"))
    for number in (2, 3, 4):
        apply(state, detached(number - 1))
        apply(state, attached(number, token=f"t{number}", shown="t1"))
    client = state.clients["tab"]
    assert (client.token, client.previous, client.used) == ("t4", "t1", ["t2", "t3"])
    apply(state, detached(4))
    apply(state, attached(5, token="t5", shown="t4"))
    assert (client.token, client.previous, client.used) == ("t5", "t4", ["t2", "t3", "t1"])


def test_the_tokens_of_a_revoked_client_are_void_and_its_commands_stay_known() -> None:
    state = folded(attached(1, token="t1"), TALK, typed(1, cause="tab:3"))
    apply(state, e.AttachmentRevoked(at=AT, client="tab"))
    client = state.clients["tab"]
    assert (client.token, client.previous, client.used, client.last) == ("", "", [], 3)
    apply(state, e.AttachmentRevoked(at=AT, client="nobody"))


def test_the_clients_that_were_not_seen_for_longest_are_forgotten() -> None:
    state = folded()
    for number in range(1, CLIENTS + 3):
        apply(state, attached(number, f"client {number}"))
        apply(state, detached(number))
    assert list(state.clients) == [f"client {number}" for number in range(3, CLIENTS + 3)]


def test_commands_and_their_positions_are_remembered() -> None:
    state = folded(TALK, typed(1, cause="a:b:7"))
    client = state.clients["a:b"]
    assert (client.last, client.answers) == (7, {7: 3})


def test_only_the_last_commands_are_remembered() -> None:
    state = folded()
    for number in range(1, ANSWERS + 3):
        apply(state, e.ConfigChanged(at=AT, cause=f"tab:{number}", version=number, changes={}))
    client = state.clients["tab"]
    assert client.last == ANSWERS + 2
    assert list(client.answers) == list(range(3, ANSWERS + 3))


# ----------------------------------------------------------------------------------------------------------- conversations


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


ENDED_TALK = e.ConversationEnded(at=AT, conversation="c", reason="user")


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


# ----------------------------------------------------------------------------------------------------- speeches and messages


def test_a_speech_is_open_until_its_audio_is_dealt_with() -> None:
    state = folded(TALK, e.SpeechStarted(at=AT, turn=1, mic="m", offset=100))
    assert turn(state) is Turn.LISTENING
    assert state.speech == fold.OpenSpeech(turn=1, mic="m", offset=100)
    apply(state, e.SpeechEnded(at=AT, turn=1, mic="m", until=900))
    assert (state.mic, state.mic_until) == ("m", 900)
    assert open_now(state) == (Turn.IDLE, None, None)


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ([], e.SpeechStarted(at=AT, turn=1), "no conversation"),
        ([TALK], e.SpeechStarted(at=AT, turn=3), "turn 3 after 0"),
        ([TALK], e.SpeechEnded(at=AT, turn=1), "while the turn is idle"),
        ([TALK], typed(2), "message 2 after 0"),
        ([TALK, replied()], typed(1), "cut it first"),
    ],
)
def test_an_illegal_speech_or_message(before: Iterable[e.Event], event: e.Event, why: str) -> None:
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


# ----------------------------------------------------------------------------------------------------------------- replies


def test_a_reply_answers_everything_that_is_owed() -> None:
    state = folded(attached(1), TALK, typed(1), replied(), said(0), said(1, "", last=True))
    assert (state.turn, state.owed) == (Turn.SPEAKING, [])
    assert state.reply is not None
    assert (state.reply.text, state.reply.complete) == ("One.", True)
    apply(state, e.ReplyEnded(at=AT, reply=1, heard=1.0))
    assert open_now(state) == (Turn.IDLE, None, None)


def test_a_spoken_reply_is_held_while_nobody_is_there() -> None:
    state = folded(attached(1), TALK, typed(1), replied())
    apply(state, e.PlaybackMarked(at=AT, reply=1, heard=0.7))
    apply(state, e.PlaybackMarked(at=AT, reply=1, heard=0.2))
    apply(state, detached(1))
    assert turn(state) is Turn.HELD
    assert state.reply is not None and state.reply.heard == 0.7
    apply(state, attached(2))
    assert turn(state) is Turn.SPEAKING
    apply(state, e.ReplyCut(at=AT, reply=1, reason="text"))
    assert turn(state) is Turn.IDLE


def test_a_written_reply_is_not_held() -> None:
    assert folded(TALK, typed(1), replied(aloud=False)).turn is Turn.SPEAKING


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ([], replied(), "no conversation"),
        ([TALK], replied(2), "reply 2 after 0"),
        ([TALK], said(0), "reply 1 is not open"),
        ([TALK], e.PlaybackMarked(at=AT, reply=1, heard=1.0), "reply 1 is not open"),
        ([TALK, replied()], e.ReplyCut(at=AT, reply=2, reason="text"), "reply 2 is not open"),
        ([TALK, replied()], said(1), "out of order"),
        ([TALK, replied(), said(0, last=True)], said(1), "out of order"),
        ([TALK, replied(), said(0)], e.ReplyEnded(at=AT, reply=1), "before, it is cut"),
        ([TALK, replied()], replied(2), "while the turn is held"),
    ],
)
def test_an_illegal_reply(before: Iterable[e.Event], event: e.Event, why: str) -> None:
    assert_refused(folded(*before), event, IllegalEvent, why)


def test_an_error_means_that_nothing_is_owed_any_more() -> None:
    state = folded(
        TALK, typed(1, by="voice"), e.ErrorRaised(at=AT, code="engine_lost", message="x")
    )
    assert (state.turn, state.owed, state.owed_voice) == (Turn.IDLE, [], False)


# ------------------------------------------------------------------------------------------------------ memories and alarms


def test_memories_come_and_go() -> None:
    state = folded(e.MemoryAdded(at=AT, memory=1, content="Alice", key="name", turn=2))
    assert state.memory.book.entries[1].turn == 2
    assert state.memory.book.keys == {"name": 1}
    apply(state, e.MemoryAdded(at=AT, memory=2, content="Likes tea"))
    apply(state, e.MemoryRemoved(at=AT, memory=2, reason="forgotten"))
    apply(state, e.MemoryRemoved(at=AT, memory=1, reason="forgotten"))
    assert (state.memory.book.entries, state.memory.book.keys, state.memory.count) == ({}, {}, 2)


def test_the_key_stays_with_the_newer_memory() -> None:
    state = folded(
        e.MemoryAdded(at=AT, memory=1, content="Alice", key="name"),
        e.MemoryAdded(at=AT, memory=2, content="Bob", key="name"),
        e.MemoryRemoved(at=AT, memory=1, reason="superseded"),
    )
    assert state.memory.book.keys == {"name": 2}


def test_a_session_is_due_when_its_first_alarm_is() -> None:
    state = folded(
        e.AlarmSet(at=AT, alarm=1, due=50.0, text="tea"),
        e.AlarmSet(at=AT, alarm=2, due=20.0, text="eggs"),
    )
    assert state.due == 20.0
    apply(state, e.AlarmRang(at=AT, alarm=2))
    assert state.due == 50.0
    assert [alarm.text for alarm in state.rung] == ["eggs"]
    apply(state, e.AlarmCancelled(at=AT, alarm=1))
    assert state.due is None


def test_an_alarm_that_is_told_of_has_rung() -> None:
    state = folded(
        TALK,
        e.AlarmSet(at=AT, alarm=1, due=50.0, text="tea"),
        e.AlarmSet(at=AT, alarm=2, due=50.0, text="eggs"),
        e.AlarmRang(at=AT, alarm=1),
        e.AlarmRang(at=AT, alarm=2),
        replied(alarm=1),
    )
    assert [alarm.alarm for alarm in state.rung] == [2]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (e.MemoryAdded(at=AT, memory=2, content="x"), "memory 2 after 0"),
        (e.MemoryRemoved(at=AT, memory=1, reason="forgotten"), "memory 1 is not there"),
        (e.AlarmSet(at=AT, alarm=2, due=1.0, text="x"), "alarm 2 after 0"),
        (e.AlarmRang(at=AT, alarm=1), "alarm 1 is not set"),
        (e.AlarmCancelled(at=AT, alarm=1), "alarm 1 is not set"),
    ],
)
def test_an_illegal_memory_or_alarm(event: e.Event, why: str) -> None:
    assert_refused(folded(), event, IllegalEvent, why)


# --------------------------------------------------------------------------------------------------------------- snapshots


def test_a_snapshot_is_the_state() -> None:
    state = folded(
        attached(1, token="t1"),
        TALK,
        e.MemoryAdded(at=AT, cause="tab:3", memory=1, content="Alice", key="name"),
        e.AlarmSet(at=AT, alarm=1, due=50.0, text="tea"),
        e.AlarmRang(at=AT, alarm=1),
        typed(1, "Zwölf?", by="voice"),
        replied(),
        said(0),
        e.PlaybackMarked(at=AT, reply=1, heard=0.5),
        detached(1),
    )
    assert decode(encode(state)) == state


def test_two_states_share_nothing() -> None:
    state, other = folded(), folded()
    apply(state, TALK)
    apply(state, typed(1))
    apply(state, e.ConfigChanged(at=AT, version=1, changes={"greeting": "Ciao."}))
    assert (other.conversations, other.owed, other.recent) == ({}, [], [])
    assert other.config == CREATED.config == {"greeting": "Hi."}


def test_who_looks_through_a_share_has_no_controls_and_is_no_client() -> None:
    state = folded(attached(1, token="t1"))
    share = e.ShareCreated(
        at=AT, share=1, token="x", user="doctor", permissions=["read"], expires=AT + 60.0
    )
    looks = e.AttachmentAttached(
        at=AT, attachment=2, role="observer", client="share:1", transport="test", share=1
    )
    apply(state, share)
    assert due(state) is None
    apply(state, looks)
    assert (state.here[2].share, state.controller, list(state.clients)) == (1, 1, ["tab"])
    assert due(state) == AT + 60.0
    controls = e.AttachmentAttached(
        at=AT, attachment=3, role="controller", client="share:1", transport="test", share=1
    )
    apply(state, detached(1))
    before = encode(state)
    with pytest.raises(IllegalEvent, match="never gives the controls"):
        apply(state, controls)
    with pytest.raises(IllegalEvent, match="share 1 after 1"):
        apply(state, share)
    assert encode(state) == before


# ------------------------------------------------------------------------------------- conversations, pauses and settings


def ended(name: str) -> e.Event:
    return e.ConversationEnded(at=AT + 9.0, conversation=name, reason="next")


def started(name: str, parent: str = "", fork: int = 0) -> e.Event:
    return e.ConversationStarted(at=AT + 1.0, conversation=name, parent=parent, fork=fork)


def summed_up(name: str, upto: int, text: str) -> e.Event:
    return e.ConversationSummarized(at=AT, conversation=name, upto=upto, text=text)


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
        (e.SessionResumed(at=AT), IllegalEvent, "not paused"),
        (e.ConfigChanged(at=AT, version=2, changes={}), IllegalEvent, "settings 2 after 0"),
    ],
)
def test_an_illegal_conversation_pause_or_setting(
    event: e.Event, error: type[Refused], why: str
) -> None:
    state = folded(TALK, typed(1), summed_up("c", 1, "Tea."), ended("c"))
    before = encode(state)
    with pytest.raises(error, match=why):
        apply(state, event)
    assert encode(state) == before


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
    monkeypatch.setattr(fold, "SUMMARIES", 2)
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


def test_the_keys_of_injected_messages_are_remembered_and_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fold, "KEYS", 2)
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


def is_paused(state: State) -> bool:
    return state.paused


def test_a_pause_is_remembered() -> None:
    state = folded(TALK, e.SessionPaused(at=AT))
    assert is_paused(state)
    with pytest.raises(IllegalEvent, match="paused already"):
        apply(state, e.SessionPaused(at=AT))
    apply(state, e.SessionResumed(at=AT))
    assert not is_paused(state)
    apply(state, replied())
    with pytest.raises(IllegalEvent, match="end it first"):
        apply(state, e.SessionPaused(at=AT))


def test_a_copy_goes_its_own_way() -> None:
    state = folded(TALK, typed(1))
    other = fold.copy(state)
    assert other == state
    apply(other, ended("c"))
    assert state.conversation == "c"


def test_the_host_wakes_a_session_whose_facts_are_on_their_way_to_the_user() -> None:
    state = folded(TALK)
    assert state.wake is state.due is None
    apply(state, e.MemoryAdded(at=AT + 5.0, memory=1, content="Likes tea.", scope="user"))
    assert state.wake == AT + 5.0


# --------------------------------------------------------------------------------------------------------- what is to be read


def to_be_read(name: str, at: float = AT + 9.0) -> e.Event:
    return e.ConversationEnded(at=at, conversation=name, reason="user", extract=True)


def extracted(name: str, upto: int, failed: str = "", again: float = 0.0) -> e.Event:
    return e.ConversationExtracted(
        at=AT + 20.0, conversation=name, upto=upto, failed=failed, again=again
    )


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


def test_what_is_due_before_is_due_before() -> None:
    alarm = e.AlarmSet(at=AT, alarm=1, due=AT + 10.0, text="tea")
    state = folded(TALK, typed(1), alarm, to_be_read("c"))
    assert state.wake == AT + 10.0


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
def test_what_cannot_have_been_read_is_refused(event: e.Event, error: type[Exception]) -> None:
    state = folded(TALK, typed(1), to_be_read("c"), extracted("c", 1))
    before = encode(state)
    with pytest.raises(error):
        apply(state, event)
    assert encode(state) == before


def test_it_is_remembered_how_much_of_the_last_microphones_was_dealt_with() -> None:
    state = folded(attached(1), TALK)
    for number in [*range(MICS), 0, MICS]:
        apply(state, e.SpeechStarted(at=AT, turn=state.turns + 1, mic=f"m{number}", offset=0))
        apply(state, e.SpeechEnded(at=AT, turn=state.turns, mic=f"m{number}", until=number))
    assert state.mics == {f"m{number}": number for number in [*range(2, MICS), 0, MICS]}
    assert (state.mic, state.mic_until) == (f"m{MICS}", MICS)
