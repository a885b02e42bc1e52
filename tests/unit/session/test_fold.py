"""The state of a session: its journal, folded one event at a time, and the snapshots of it."""

import inspect
from pathlib import Path
from typing import get_args

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidInput
from tenuto.session import client_fold, conversation_fold, fold, life_fold, turn_fold
from tenuto.session.fold import RULES, State, apply, decode, encode, need_position
from tenuto.session.state import Life, Turn
from tests.unit.session.folding import (
    AT,
    CREATED,
    TALK,
    assert_refused,
    attached,
    detached,
    ended,
    extracted,
    folded,
    replied,
    said,
    started,
    summed_up,
    to_be_read,
    typed,
)


def life(state: State) -> Life:
    return state.life


# ------------------------------------------------------------------------------------------------------- what is folded


def test_a_created_session_is_somebodys_and_nobody_is_there() -> None:
    state = folded()
    assert (state.session, state.tenant, state.user, state.epoch) == ("s", "t", "u", "0" * 16)
    assert (state.position, state.created, state.config) == (1, AT, {"greeting": "Hi."})
    assert (state.life, state.turn, state.ended) == (Life.DETACHED, Turn.IDLE, False)


def test_a_journal_begins_with_the_creation() -> None:
    assert_refused(State(), TALK, IllegalEvent, "before session.created")


def test_a_parked_session_can_only_be_restored() -> None:
    state = folded(e.SessionParked(at=AT))
    assert life(state) is Life.PARKED
    assert_refused(state, attached(1, role="observer"), IllegalEvent, "parked")
    apply(state, e.SessionRestored(at=AT, host="h", fence=2))
    assert life(state) is Life.DETACHED


def test_an_event_of_a_later_version_has_a_place_and_no_meaning() -> None:
    state, other = folded(), folded()
    apply(state, e.Unknown(at=AT + 9, kind="of.later"))
    other.position = 2
    assert state == other


def test_the_table_has_every_event() -> None:
    """An event of a later version is the one that means nothing."""
    assert RULES.keys() == e.TAGS.keys() - {e.Unknown}


def test_each_rule_is_about_the_events_that_it_stands_beside() -> None:
    used = set()
    for kind, (check, change) in RULES.items():
        for rule in (check, change):
            if rule is not None:
                wanted = inspect.signature(rule).parameters["event"].annotation
                assert kind in (get_args(wanted) or (wanted,)) or wanted is e.Event, rule
                used.add(rule)
    for module in (life_fold, client_fold, conversation_fold, turn_fold):
        for name, rule in inspect.getmembers(module, inspect.isfunction):
            if rule.__module__ == module.__name__ and not name.startswith("_"):
                about = "event" in inspect.signature(rule).parameters
                assert rule in used or name == "is_controllers" or not about, name


@pytest.mark.parametrize("position", [-1, 0, 4])
def test_a_journal_has_the_positions_from_1_to_its_head(position: int) -> None:
    need_position(1, 3)
    need_position(3, 3)
    with pytest.raises(InvalidInput, match=f"positions 1 to 3; {position} is none"):
        need_position(position, 3)


# -------------------------------------------------------------------------------------------- memories, and what is due


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


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (e.MemoryAdded(at=AT, memory=2, content="x"), "memory 2 after 0"),
        (e.MemoryRemoved(at=AT, memory=1, reason="forgotten"), "memory 1 is not there"),
        (e.ShareRevoked(at=AT, share=1), "share 1 is not open"),
    ],
)
def test_an_illegal_memory_or_share(event: e.Event, why: str) -> None:
    assert_refused(folded(), event, IllegalEvent, why)


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


def test_the_host_wakes_a_session_whose_facts_are_on_their_way_to_the_user() -> None:
    state = folded(TALK)
    assert state.wake is state.due is None
    apply(state, e.MemoryAdded(at=AT + 5.0, memory=1, content="Likes tea.", scope="user"))
    assert state.wake == AT + 5.0


def test_what_is_due_before_is_due_before() -> None:
    alarm = e.AlarmSet(at=AT, alarm=1, due=AT + 10.0, text="tea")
    state = folded(TALK, typed(1), alarm, to_be_read("c"))
    assert state.wake == AT + 10.0


# ------------------------------------------------------------------------------------------------------------ snapshots


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


EVERYTHING: list[e.Event] = [
    CREATED,
    attached(1, token="t1"),
    e.ConfigChanged(at=AT, version=1, changes={"timezone": "Europe/Rome"}),
    e.ConfigApplied(at=AT, version=1, link=1),
    e.EngineReady(at=AT, engine="x", link=1),
    e.UsageRecorded(at=AT, engine="x", link=1, tokens_in=7),
    TALK,
    e.SpeechStarted(at=AT, turn=1, mic="m", offset=100),
    e.SpeechEnded(at=AT, turn=1, mic="m", until=900),
    typed(1, "Zwölf?", cause="tab:3", by="voice"),
    replied(),
    said(0, last=True),
    e.PlaybackMarked(at=AT, reply=1, heard=0.5),
    e.ReplyEnded(at=AT, reply=1, heard=1.0),
    e.MemoryAdded(at=AT, memory=1, content="Alice", key="name", expires=AT + 900.0),
    e.MemoryAdded(at=AT, memory=2, content="Likes tea.", scope="user"),
    e.MemoryAdded(at=AT, memory=3, content="Likes eggs."),
    e.MemoryRemoved(at=AT, memory=3, reason="forgotten"),
    e.MemoryCleared(at=AT, memories=[2], reason="forgotten"),
    e.PreferenceLearned(at=AT, name="pace", value=150.0, evidence=3),
    e.PreferenceSet(at=AT, name="verbosity", value=0.5),
    e.ProfileApplied(at=AT, profile={}),
    e.MetricTracked(at=AT, name="task_completed", value=1.0),
    e.MilestoneReached(at=AT, milestone="1 conversation", value=1),
    e.ShareCreated(
        at=AT, share=1, token="x", user="doctor", permissions=["read"], expires=AT + 60.0
    ),
    e.ShareAccessed(at=AT, share=1, user="doctor", action="open"),
    e.NoteAdded(at=AT, note=1, text="Well.", user="doctor", share=1),
    e.ShareRevoked(at=AT, share=1),
    e.AlarmSet(at=AT, alarm=1, due=AT + 50.0, text="tea"),
    e.AlarmSet(at=AT, alarm=2, due=AT + 60.0, text="eggs"),
    e.AlarmSet(at=AT, alarm=3, due=AT + 70.0, text="toast"),
    e.AlarmRang(at=AT, alarm=1),
    e.AlarmCancelled(at=AT, alarm=2),
    summed_up("c", 1, "Twelve."),
    to_be_read("c"),
    extracted("c", 1, "engine", AT + 80.0),
    e.SessionPaused(at=AT),
    e.SessionResumed(at=AT),
    e.ConversationResumed(at=AT, conversation="c"),
    typed(2),
    e.ErrorRaised(at=AT, code="engine_lost", message="x"),
    e.EngineLost(at=AT, link=1, reason="gone"),
    ended("c"),
    started("d", "c", 1),
    e.ReplyStarted(at=AT, reply=2, turn=2, conversation="d", aloud=True),
    e.ReplyCut(at=AT, reply=2, reason="text"),
    detached(1),
    e.AttachmentRevoked(at=AT, client="tab"),
    attached(2, "phone", token="t2", role="observer"),
    detached(2),
    e.SessionParked(at=AT),
    e.SessionRestored(at=AT + 20.0, host="h", fence=2),
    replied(3),
    said(0, reply=3),
]
"""Something of everything that may happen."""


def test_a_snapshot_of_an_earlier_version_is_the_same_state() -> None:
    """`snapshot.json` was written before: a field may come to it, none may go or mean something else."""
    kinds = {type(event) for event in EVERYTHING}
    assert kinds == RULES.keys() - {e.SessionEnded}, "nothing comes after the end"
    state = folded(*EVERYTHING[1:])
    before = Path(__file__).with_name("snapshot.json").read_bytes()
    assert decode(before) == state
    assert decode(before.replace(b"Twelve.", b"Eleven.")) != state, "it is looked at"


def test_two_states_share_nothing() -> None:
    state, other = folded(), folded()
    apply(state, TALK)
    apply(state, typed(1))
    apply(state, e.ConfigChanged(at=AT, version=1, changes={"greeting": "Ciao."}))
    assert (other.conversations, other.owed, other.recent) == ({}, [], [])
    assert other.config == CREATED.config == {"greeting": "Hi."}


def test_a_copy_goes_its_own_way() -> None:
    state = folded(TALK, typed(1))
    other = fold.copy(state)
    assert other == state
    apply(other, ended("c"))
    assert state.conversation == "c"
