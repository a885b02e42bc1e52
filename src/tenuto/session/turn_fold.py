"""The turn that goes on: what is being said, the reply to it, and the alarms: the fold over `speech.*`, `reply.*`, `alarm.*`.

What is over is no more here: it is a message then (`conversation_fold`). Whose go it is say the tables of `state`.
"""

from typing import TYPE_CHECKING

import msgspec

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.ports import Alarm

if TYPE_CHECKING:
    from tenuto.session.fold import State

MICS = 8
"""Microphone streams of which it is remembered how much was dealt with."""


class OpenSpeech(msgspec.Struct, kw_only=True):
    """What somebody is saying."""

    turn: int
    mic: str
    offset: int


class OpenReply(msgspec.Struct, kw_only=True):
    """The reply that is being made, spoken or held."""

    reply: int
    turn: int
    aloud: bool
    alarm: int = 0
    segments: list[str] = []
    complete: bool = False
    """Whether the last segment is there."""
    cites: list[int] = []
    heard: float = 0.0
    """Seconds that were heard, as far as it is journaled."""
    at: float = 0.0
    pace: float | None = None
    """Words a minute that the voice keeps up with, from its beginning to its end; None for the voice's own pace."""

    @property
    def text(self) -> str:
        return " ".join(segment for segment in self.segments if segment)


def need_conversation(state: "State") -> None:
    """Refuse what needs an open conversation while there is none.

    Raises:
        IllegalEvent: None is open.
    """
    if not state.conversation:
        raise IllegalEvent("No conversation is open: start one first.")


def need_quiet(state: "State") -> None:
    """Refuse what would strand a reply or a speech.

    Raises:
        IllegalEvent: One is open.
    """
    if state.reply is not None or state.speech is not None:
        raise IllegalEvent("a reply or a speech is open: end it first")


# -------------------------------------------------------------------------------------------------------------- speech


def check_speech_started(state: "State", event: e.SpeechStarted) -> None:
    """A conversation is open, and turns are numbered in order."""
    need_conversation(state)
    if event.turn != state.turns + 1:
        raise IllegalEvent(f"turn {event.turn} after {state.turns}")


def speech_started(state: "State", event: e.SpeechStarted) -> None:
    """Somebody speaks."""
    state.turns = event.turn
    state.speech = OpenSpeech(turn=event.turn, mic=event.mic, offset=event.offset)


def speech_ended(state: "State", event: e.SpeechEnded) -> None:
    """That was all: the audio up to there is dealt with."""
    state.speech = None
    state.mic, state.mic_until = event.mic, event.until
    state.mics.pop(event.mic, None)
    state.mics[event.mic] = event.until
    if len(state.mics) > MICS:
        del state.mics[next(iter(state.mics))]


# --------------------------------------------------------------------------------------------------------------- reply


def check_reply_started(state: "State", event: e.ReplyStarted) -> None:
    """A conversation is open, and replies are numbered in order."""
    need_conversation(state)
    if event.reply != state.replies + 1:
        raise IllegalEvent(f"reply {event.reply} after {state.replies}")


def reply_started(state: "State", event: e.ReplyStarted) -> None:
    """A reply is made, to everything that is owed; or it tells of an alarm."""
    state.replies = event.reply
    state.turns = max(state.turns, event.turn)
    state.owed, state.owed_voice = [], False
    state.reply = OpenReply(
        reply=event.reply,
        turn=event.turn,
        aloud=event.aloud,
        alarm=event.alarm,
        at=event.at,
        pace=event.pace,
    )
    if event.alarm:
        state.rung = [alarm for alarm in state.rung if alarm.alarm != event.alarm]


def check_reply(
    state: "State", event: e.ReplySegment | e.ReplyEnded | e.ReplyCut | e.PlaybackMarked
) -> OpenReply:
    """Return the open reply.

    Raises:
        IllegalEvent: It is not the one that the event is about.
    """
    if state.reply is None or state.reply.reply != event.reply:
        raise IllegalEvent(f"{e.TAGS[type(event)]}: reply {event.reply} is not open")
    return state.reply


def check_segment(state: "State", event: e.ReplySegment) -> None:
    """Segments come in order, and none after the last."""
    reply = check_reply(state, event)
    if reply.complete or event.index != len(reply.segments):
        raise IllegalEvent(f"segment {event.index} of reply {event.reply} is out of order")


def segment(state: "State", event: e.ReplySegment) -> None:
    """More of the reply is there."""
    assert state.reply is not None
    state.reply.segments.append(event.text)
    state.reply.cites.extend(event.cites)
    state.reply.complete = event.last


def marked(state: "State", event: e.PlaybackMarked) -> None:
    """So much of the reply was heard; it never gets less."""
    assert state.reply is not None
    state.reply.heard = max(state.reply.heard, event.heard)


def check_reply_ended(state: "State", event: e.ReplyEnded) -> None:
    """All of its segments are there."""
    if not check_reply(state, event).complete:
        raise IllegalEvent("a reply ends after its last segment; before, it is cut")


def reply_over(state: "State", event: e.ReplyEnded | e.ReplyCut) -> None:
    """No reply is open."""
    state.reply = None


def given_up(state: "State", event: e.ErrorRaised) -> None:
    """Nothing is owed any more, unless the error says so."""
    if not event.still_owed:
        state.owed, state.owed_voice = [], False


# -------------------------------------------------------------------------------------------------------------- alarms


def check_alarm_set(state: "State", event: e.AlarmSet) -> None:
    """Alarms are numbered in order."""
    if event.alarm != state.alarm_count + 1:
        raise IllegalEvent(f"alarm {event.alarm} after {state.alarm_count}")


def alarm_set(state: "State", event: e.AlarmSet) -> None:
    """Something is due."""
    state.alarm_count = event.alarm
    state.alarms[event.alarm] = Alarm(
        alarm=event.alarm, due=event.due, text=event.text, turn=event.turn, at=event.at
    )


def check_alarm(state: "State", event: e.AlarmRang | e.AlarmCancelled) -> None:
    """The alarm is set, and has not rung."""
    if event.alarm not in state.alarms:
        raise IllegalEvent(f"alarm {event.alarm} is not set")


def alarm_rang(state: "State", event: e.AlarmRang) -> None:
    """Somebody has to be told of it."""
    state.rung.append(state.alarms.pop(event.alarm))


def alarm_cancelled(state: "State", event: e.AlarmCancelled) -> None:
    """Nobody is told of it."""
    del state.alarms[event.alarm]
