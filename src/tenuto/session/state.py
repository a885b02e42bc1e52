"""The session's state machines, as tables, and the state that they move.

Rule 1: every transition lives in this file.
Rule 2: this file does not know which engine, transport or store is in use.

Three machines are folded from the journal or moved by the driver, and stay small by being coupled, not merged:

- LIFE of the session: who owns it, and whether anybody is there;
- TURN of the current conversation: whose go it is;
- LINK to the engine: one provider connection, never used again. It is not journaled: a new process has no link.

An event moves each machine that has a row for it. Then JOINT says what the states together imply for the turn: a reply is
held while nobody is there to hear it, and a message that is owed an answer is thought about as soon as nobody speaks.

An event that no row allows raises `IllegalEvent` and changes nothing.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum

from tenuto import events as e
from tenuto.errors import IllegalEvent


class Life(Enum):
    """The life of a session."""

    LIVE = "live"
    """Owned by a host, and somebody is there."""
    DETACHED = "detached"
    """Owned by a host, which keeps the engine for a grace in case the controller comes back."""
    PARKED = "parked"
    """Only in the store: nothing bills."""
    ENDED = "ended"


class Turn(Enum):
    """Whose go it is in the current conversation."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    HELD = "held"
    """A reply waits for somebody to hear it."""


class Link(Enum):
    """One connection to an engine."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    RESTORING = "restoring"
    READY = "ready"
    WAITING = "waiting"
    """Lost, and the next one is opened in a moment."""
    FAILED = "failed"


class LinkSignal(Enum):
    """What moves a link."""

    OPEN = "open"
    ACCEPTED = "accepted"
    READY = "ready"
    LOST = "lost"
    WAIT = "wait"
    CLOSE = "close"


class Status(StrEnum):
    """What everyone sees: derived from the machines, never stored."""

    IDLE = "idle"
    LISTENING = "listening"
    PROCESSING = "processing"
    SPEAKING = "speaking"
    ERROR = "error"


EventType = type[e.Event]

LIFE: Mapping[Life, Mapping[EventType, Life]] = {
    Life.LIVE: {
        e.SessionRestored: Life.DETACHED,
        e.AttachmentDetached: Life.DETACHED,
        e.SessionParked: Life.PARKED,
        e.SessionEnded: Life.ENDED,
    },
    Life.DETACHED: {
        e.SessionRestored: Life.DETACHED,
        e.AttachmentAttached: Life.LIVE,
        e.SessionParked: Life.PARKED,
        e.SessionEnded: Life.ENDED,
    },
    Life.PARKED: {
        e.SessionRestored: Life.DETACHED,
    },
    Life.ENDED: {},
}
"""Attachments move it only when they are the controller's."""

TURN: Mapping[Turn, Mapping[EventType, Turn]] = {
    Turn.IDLE: {
        e.SpeechStarted: Turn.LISTENING,
        e.ReplyStarted: Turn.SPEAKING,
    },
    Turn.LISTENING: {
        e.SpeechEnded: Turn.IDLE,
    },
    Turn.THINKING: {
        e.SpeechStarted: Turn.LISTENING,
        e.ReplyStarted: Turn.SPEAKING,
        e.ErrorRaised: Turn.IDLE,
        e.ConversationEnded: Turn.IDLE,
    },
    Turn.SPEAKING: {
        e.ReplyEnded: Turn.IDLE,
        e.ReplyCut: Turn.IDLE,
    },
    Turn.HELD: {
        e.ReplyEnded: Turn.IDLE,
        e.ReplyCut: Turn.IDLE,
    },
}

NEEDS_TURN: frozenset[EventType] = frozenset(
    {e.SpeechStarted, e.SpeechEnded, e.ReplyStarted, e.ReplyEnded, e.ReplyCut}
)
"""Events that are illegal where TURN has no row for them; the others just do not move it."""

LINK: Mapping[Link, Mapping[LinkSignal, Link]] = {
    Link.CLOSED: {LinkSignal.OPEN: Link.CONNECTING, LinkSignal.CLOSE: Link.CLOSED},
    Link.CONNECTING: {
        LinkSignal.ACCEPTED: Link.RESTORING,
        LinkSignal.READY: Link.READY,
        LinkSignal.LOST: Link.FAILED,
        LinkSignal.CLOSE: Link.CLOSED,
    },
    Link.RESTORING: {
        LinkSignal.READY: Link.READY,
        LinkSignal.LOST: Link.FAILED,
        LinkSignal.CLOSE: Link.CLOSED,
    },
    Link.READY: {LinkSignal.LOST: Link.FAILED, LinkSignal.CLOSE: Link.CLOSED},
    Link.WAITING: {LinkSignal.OPEN: Link.CONNECTING, LinkSignal.CLOSE: Link.CLOSED},
    Link.FAILED: {
        LinkSignal.OPEN: Link.CONNECTING,
        LinkSignal.WAIT: Link.WAITING,
        LinkSignal.CLOSE: Link.CLOSED,
    },
}


_MOVES_LIFE = frozenset(kind for moves in LIFE.values() for kind in moves)
_MOVES_TURN = frozenset(kind for moves in TURN.values() for kind in moves) | NEEDS_TURN
OF_ATTACHMENTS = frozenset({e.AttachmentAttached, e.AttachmentDetached})
"""They move the life of a session only when they are the controller's."""


# Until Python 3.12 a member of an enum is looked up by a function of Python's; these are looked at with each event.
_LIVE, _PARKED, _ENDED = Life.LIVE, Life.PARKED, Life.ENDED
_IDLE, _THINKING, _SPEAKING, _HELD = Turn.IDLE, Turn.THINKING, Turn.SPEAKING, Turn.HELD


def joint(life: Life, turn: Turn, *, owed: bool, aloud: bool) -> Turn:
    """Return what the states together imply for the turn.

    Args:
        owed: Whether a message of the user has had no reply yet.
        aloud: Whether the open reply is spoken.
    """
    if turn is _IDLE:
        return _THINKING if owed else turn
    if turn is _SPEAKING:
        return _HELD if aloud and life is not _LIVE else turn
    return _SPEAKING if turn is _HELD and life is _LIVE else turn


def next_life(life: Life, event: e.Event, *, controller: bool) -> Life:
    """Return the life after an event.

    Args:
        controller: Whether the event is about the controller's attachment.

    Raises:
        IllegalEvent: It cannot happen now.
    """
    if life is _ENDED:
        raise IllegalEvent(f"{e.TAGS[type(event)]} after session.ended")
    kind = type(event)
    if kind not in _MOVES_LIFE and life is not _PARKED:
        return life
    to = LIFE[life].get(kind)
    if to is None and life is _PARKED:
        raise IllegalEvent(f"{e.TAGS[kind]} while the session is parked")
    if not controller and kind in OF_ATTACHMENTS:
        return life
    return to or life


def next_turn(turn: Turn, event: e.Event) -> Turn:
    """Return the turn after an event, before `joint`.

    Raises:
        IllegalEvent: It cannot happen now.
    """
    kind = type(event)
    if kind not in _MOVES_TURN:
        return turn
    to = TURN[turn].get(kind)
    if to is None and kind in NEEDS_TURN:
        raise IllegalEvent(f"{e.TAGS[kind]} while the turn is {turn.value}")
    return to or turn


def next_link(link: Link, signal: LinkSignal) -> Link:
    """Return the link after a signal.

    Raises:
        IllegalEvent: It cannot happen now.
    """
    to = LINK[link].get(signal)
    if to is None:
        raise IllegalEvent(f"link.{signal.value} while the link is {link.value}")
    return to


def status(
    life: Life, turn: Turn, link: Link, *, listening: bool = False, paused: bool = False
) -> Status:
    """Return what everyone sees of the three machines (the table of ARCHITECTURE 2).

    Args:
        listening: Whether the program that holds the session has a microphone open.
        paused: Whether the session is paused: then nothing goes on, whatever is owed.
    """
    if life is not _LIVE or paused:
        return Status.IDLE
    if link is Link.FAILED:
        return Status.ERROR
    match turn:
        case Turn.LISTENING:
            return Status.LISTENING
        case Turn.THINKING:
            return Status.PROCESSING
        case Turn.SPEAKING:
            return Status.SPEAKING
        case _ if link in (Link.CONNECTING, Link.RESTORING, Link.WAITING):
            return Status.PROCESSING
        case _ if listening:
            return Status.LISTENING
        case _:
            return Status.IDLE
