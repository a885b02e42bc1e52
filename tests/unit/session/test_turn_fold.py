"""The turn that goes on: what is being said, the reply to it, and the alarms."""

from collections.abc import Iterable

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.fold import apply
from tenuto.session.state import Turn
from tenuto.session.turn_fold import MICS, OpenSpeech, need_quiet
from tests.unit.session.folding import (
    AT,
    TALK,
    assert_refused,
    attached,
    detached,
    folded,
    open_now,
    replied,
    said,
    turn,
    typed,
)

# --------------------------------------------------------------------------------------------------------------- speech


def test_a_speech_is_open_until_its_audio_is_dealt_with() -> None:
    state = folded(TALK, e.SpeechStarted(at=AT, turn=1, mic="m", offset=100))
    assert turn(state) is Turn.LISTENING
    assert state.speech == OpenSpeech(turn=1, mic="m", offset=100)
    apply(state, e.SpeechEnded(at=AT, turn=1, mic="m", until=900))
    assert (state.mic, state.mic_until) == ("m", 900)
    assert open_now(state) == (Turn.IDLE, None, None)


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ([], e.SpeechStarted(at=AT, turn=1), "No conversation"),
        ([TALK], e.SpeechStarted(at=AT, turn=3), "turn 3 after 0"),
        ([TALK], e.SpeechEnded(at=AT, turn=1), "while the turn is idle"),
    ],
)
def test_an_illegal_speech(before: Iterable[e.Event], event: e.Event, why: str) -> None:
    assert_refused(folded(*before), event, IllegalEvent, why)


@pytest.mark.parametrize("open_", [e.SpeechStarted(at=AT, turn=1), replied()])
def test_what_would_strand_a_speech_or_a_reply_is_refused(open_: e.Event) -> None:
    need_quiet(folded(TALK))
    with pytest.raises(IllegalEvent, match="is open: end it first"):
        need_quiet(folded(TALK, open_))


def test_it_is_remembered_how_much_of_the_last_microphones_was_dealt_with() -> None:
    state = folded(attached(1), TALK)
    for number in [*range(MICS), 0, MICS]:
        apply(state, e.SpeechStarted(at=AT, turn=state.turns + 1, mic=f"m{number}", offset=0))
        apply(state, e.SpeechEnded(at=AT, turn=state.turns, mic=f"m{number}", until=number))
    assert state.mics == {f"m{number}": number for number in [*range(2, MICS), 0, MICS]}
    assert (state.mic, state.mic_until) == (f"m{MICS}", MICS)


# -------------------------------------------------------------------------------------------------------------- replies


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
        ([], replied(), "No conversation"),
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


def test_an_error_that_says_so_leaves_what_is_owed() -> None:
    lost = e.ErrorRaised(at=AT, code="engine_lost", message="x", still_owed=True)
    state = folded(TALK, typed(1, by="voice"), lost)
    assert (state.turn, state.owed, state.owed_voice) == (Turn.THINKING, [1], True)


# --------------------------------------------------------------------------------------------------------------- alarms


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


def test_an_alarm_waits_until_it_rings_or_is_cancelled() -> None:
    state = folded(
        e.AlarmSet(at=AT, alarm=1, due=50.0, text="tea", turn=3),
        e.AlarmSet(at=AT, alarm=2, due=20.0, text="eggs"),
    )
    assert (list(state.alarms), state.alarms[1].turn) == ([1, 2], 3)
    apply(state, e.AlarmRang(at=AT, alarm=2))
    apply(state, e.AlarmCancelled(at=AT, alarm=1))
    assert (state.alarms, [alarm.text for alarm in state.rung]) == ({}, ["eggs"])


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (e.AlarmSet(at=AT, alarm=2, due=1.0, text="x"), "alarm 2 after 0"),
        (e.AlarmRang(at=AT, alarm=1), "alarm 1 is not set"),
        (e.AlarmCancelled(at=AT, alarm=1), "alarm 1 is not set"),
    ],
)
def test_an_illegal_alarm(event: e.Event, why: str) -> None:
    assert_refused(folded(), event, IllegalEvent, why)
