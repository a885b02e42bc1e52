"""Everything that can happen to a session. The journal is a list of these, and nothing else is stored.

The rules of change, for ever:

1. An event is a fact: it is named `noun.past`, it is frozen, and it is never edited.
2. A new field needs a default. A released field keeps its name, its type and its meaning.
3. A released tag keeps its meaning. An event that is no longer written can still be read.
4. A tag that this version does not know is kept, passed on to listeners, and skipped by the fold (`stores.rows`), so that
   two versions can run side by side.

Numbers such as `turn`, `reply` and `attachment` count from 1 within the session, in the order of the journal. They are
given by the fold, so that the core needs no randomness.
"""

from typing import Any, Literal

import msgspec

Role = Literal["user", "agent", "system", "tool"]
"""Who wrote a message."""

AttachmentRole = Literal["controller", "observer"]
"""What an attachment may do: the controller speaks and types; an observer sees and hears."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    at: float
    """When it happened: seconds since 1970-01-01 UTC. For people; the order of events is their position."""

    cause: str = ""
    """The command that caused it, as `client:number`; empty when no client's command did."""


class SessionCreated(Event, frozen=True, kw_only=True, tag="session.created"):
    session: str
    tenant: str
    user: str
    epoch: str
    """Sixteen hex digits, new with each journal: a position means nothing without it."""
    config: dict[str, Any] = {}
    """The settings that differ from `SessionConfig`'s defaults."""


class SessionRestored(Event, frozen=True, kw_only=True, tag="session.restored"):
    host: str
    fence: int


class SessionParked(Event, frozen=True, kw_only=True, tag="session.parked"):
    """Nobody is attached and the grace is over: the engine is closed and nothing bills."""


class SessionEnded(Event, frozen=True, kw_only=True, tag="session.ended"):
    reason: str


class AttachmentAttached(Event, frozen=True, kw_only=True, tag="attachment.attached"):
    attachment: int
    role: AttachmentRole
    client: str
    """The client program's own id: the same over its reconnects, another in another tab."""
    transport: str
    voice: bool = False
    """Whether replies are spoken to it."""
    token: str = ""
    """SHA-256, in hex, of the resume token that this attachment was given; empty when it was given none."""
    shown: str = ""
    """SHA-256, in hex, of the resume token that the client came with; empty when it proved itself otherwise."""


class AttachmentDetached(Event, frozen=True, kw_only=True, tag="attachment.detached"):
    attachment: int
    reason: str
    """`left`, `lost`, `superseded`, `slow`, `revoked`, `draining`, `crashed` or `ended`."""


class AttachmentRevoked(Event, frozen=True, kw_only=True, tag="attachment.revoked"):
    """A resume token was shown after its successor was used: every token of that client is void."""

    client: str


class ConversationStarted(Event, frozen=True, kw_only=True, tag="conversation.started"):
    conversation: str
    parent: str = ""


class ConversationResumed(Event, frozen=True, kw_only=True, tag="conversation.resumed"):
    conversation: str


class ConversationEnded(Event, frozen=True, kw_only=True, tag="conversation.ended"):
    conversation: str
    reason: str


class SpeechStarted(Event, frozen=True, kw_only=True, tag="speech.started"):
    turn: int
    mic: str = ""
    """The client's microphone stream."""
    offset: int = 0
    """Where in that stream the speech began, in samples at the stream's own rate."""


class SpeechEnded(Event, frozen=True, kw_only=True, tag="speech.ended"):
    turn: int
    mic: str = ""
    until: int = 0
    """All audio of the stream before this sample is dealt with; a client sends again what came after."""
    reason: str = "pause"
    """`pause`, `stopped`, `limit`, or `lost` when what was said is not known and has to be sent again."""


class MessageAdded(Event, frozen=True, kw_only=True, tag="message.added"):
    message: int
    role: Role
    text: str
    """What was said and, for the agent, heard."""
    turn: int
    conversation: str
    reply: int = 0
    """For the agent: the reply that this message is the outcome of."""
    said: str = ""
    """For the agent: the whole text, when not all of it was heard."""
    by: Literal["voice", "text"] = "text"
    client: str = ""
    """Who sent it, as the client's own id."""
    cites: list[int] = []
    """For the agent: the turns that it draws on."""


class ReplyStarted(Event, frozen=True, kw_only=True, tag="reply.started"):
    reply: int
    turn: int
    conversation: str
    aloud: bool = False
    """Whether it is spoken. A reply that is not is heard when it is delivered."""
    alarm: int = 0
    """The alarm that it tells of; 0 when it answers somebody."""


class ReplySegment(Event, frozen=True, kw_only=True, tag="reply.segment"):
    """A part of a reply, journaled before it is spoken."""

    reply: int
    index: int
    """0, 1, 2 ..."""
    text: str
    last: bool = False
    cites: list[int] = []
    """The turns that this part draws on."""


class ReplyEnded(Event, frozen=True, kw_only=True, tag="reply.ended"):
    """The whole reply was heard."""

    reply: int
    heard: float = 0.0
    """Seconds of it that were heard."""


class ReplyCut(Event, frozen=True, kw_only=True, tag="reply.cut"):
    """The reply was ended where it was heard."""

    reply: int
    reason: str
    """`barge_in`, `stopped`, `text`, `detached`, `engine`, `paused` or `ended`."""
    heard: float = 0.0


class PlaybackMarked(Event, frozen=True, kw_only=True, tag="playback.marked"):
    """How much of a reply was heard, journaled when it might otherwise be forgotten."""

    reply: int
    heard: float


class EngineReady(Event, frozen=True, kw_only=True, tag="engine.ready"):
    engine: str
    link: int
    """1, 2, 3 ...: the session's provider connections. A link is never used again."""


class EngineLost(Event, frozen=True, kw_only=True, tag="engine.lost"):
    link: int
    reason: str


class ConfigChanged(Event, frozen=True, kw_only=True, tag="config.changed"):
    version: int
    changes: dict[str, Any]


class MemoryAdded(Event, frozen=True, kw_only=True, tag="memory.added"):
    memory: int
    content: str
    """A sentence a person would understand, such as `The user's name is Alice.`"""
    key: str = ""
    """What it is about, such as `name`. A new memory of the same key takes the old one's place."""
    value: str = ""
    turn: int = 0
    """The turn it came from; 0 when it was added by hand."""
    category: str = ""
    importance: float = 0.5


class MemoryRemoved(Event, frozen=True, kw_only=True, tag="memory.removed"):
    memory: int
    reason: str
    """`superseded`, `forgotten` or `full`."""


class AlarmSet(Event, frozen=True, kw_only=True, tag="alarm.set"):
    alarm: int
    due: float
    """Seconds since 1970-01-01 UTC."""
    text: str
    turn: int = 0


class AlarmRang(Event, frozen=True, kw_only=True, tag="alarm.rang"):
    alarm: int


class AlarmCancelled(Event, frozen=True, kw_only=True, tag="alarm.cancelled"):
    alarm: int


class ErrorRaised(Event, frozen=True, kw_only=True, tag="error.raised"):
    code: str
    message: str


class Unknown(Event, frozen=True, kw_only=True, tag="unknown.kept"):
    """An event of a later version: kept as it is in the journal, and skipped by the fold."""

    kind: str
    """The tag that this version does not know."""


CATALOGUE: tuple[type[Event], ...] = (
    SessionCreated,
    SessionRestored,
    SessionParked,
    SessionEnded,
    AttachmentAttached,
    AttachmentDetached,
    AttachmentRevoked,
    ConversationStarted,
    ConversationResumed,
    ConversationEnded,
    SpeechStarted,
    SpeechEnded,
    MessageAdded,
    ReplyStarted,
    ReplySegment,
    ReplyEnded,
    ReplyCut,
    PlaybackMarked,
    EngineReady,
    EngineLost,
    ConfigChanged,
    MemoryAdded,
    MemoryRemoved,
    AlarmSet,
    AlarmRang,
    AlarmCancelled,
    ErrorRaised,
)
"""Every kind of event that can be in a journal, in the order of the docs."""

_ALL: tuple[type[Event], ...] = (*CATALOGUE, Unknown)

TAGS: dict[type[Event], str] = {kind: str(kind.__struct_config__.tag) for kind in _ALL}
"""The name of each kind, as it is spelt in the journal, on the wire and in `session.events.on`."""

KINDS: dict[str, type[Event]] = {tag: kind for kind, tag in TAGS.items() if kind is not Unknown}
"""The kind of each name."""
