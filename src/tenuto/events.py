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

Scope = Literal["session", "user"]
"""Whose a memory is: the session's, or that of all of the user's sessions."""

AttachmentRole = Literal["controller", "observer"]
"""What an attachment may do: the controller speaks and types; an observer sees and hears."""


class Event(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False
):
    """Something that happened to a session."""

    at: float
    """When it happened: seconds since 1970-01-01 UTC. For people; the order of events is their position."""

    cause: str = ""
    """The command that caused it, as `client:number`; empty when no client's command did."""

    @property
    def type(self) -> str:
        """Its name, such as `memory.added`."""
        return TAGS[self.__class__]


class SessionCreated(Event, frozen=True, kw_only=True, tag="session.created"):
    session: str
    tenant: str
    user: str
    epoch: str
    """Sixteen hex digits, new with each journal: a position means nothing without it."""
    config: dict[str, Any] = {}
    """The settings that differ from `SessionConfig`'s defaults."""
    layers: dict[str, dict[str, Any]] = {}
    """Where they come from: `agent`, `preset`, `template`, `session`; what differs from the layers below."""
    template: str = ""
    """The name of the template that it was made from."""
    context: dict[str, str] = {}
    """What the template needed to know, such as a patient's id."""
    categories: list[str] = []
    """The only categories that memories may have; any when empty."""
    origin: str = ""
    """Where its past comes from: `fork` or `import`; empty when it has none from before."""
    source: str = ""
    """The session that its past comes from, as `session@position`."""


class SessionPaused(Event, frozen=True, kw_only=True, tag="session.paused"):
    """The engine is closed and nothing bills; the context is kept."""


class SessionResumed(Event, frozen=True, kw_only=True, tag="session.resumed"):
    """After a pause."""


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
    share: int = 0
    """The share that it looks through; 0 when it is the session's own user's."""


class AttachmentDetached(Event, frozen=True, kw_only=True, tag="attachment.detached"):
    attachment: int
    reason: str
    """`left`, `lost`, `superseded`, `slow`, `revoked`, `expired`, `draining`, `crashed` or `ended`."""


class AttachmentRevoked(Event, frozen=True, kw_only=True, tag="attachment.revoked"):
    """Every resume token of a client is void: one was shown after its successor was used, or the client had only looked on
    and gets the controls.
    """

    client: str


class ConversationStarted(Event, frozen=True, kw_only=True, tag="conversation.started"):
    conversation: str
    parent: str = ""
    """The conversation that it branches from."""
    fork: int = 0
    """The last message of the parent's line that it knows."""
    config: dict[str, Any] = {}
    """Settings that hold while it is open."""


class ConversationResumed(Event, frozen=True, kw_only=True, tag="conversation.resumed"):
    conversation: str


class ConversationEnded(Event, frozen=True, kw_only=True, tag="conversation.ended"):
    conversation: str
    reason: str
    extract: bool = False
    """Whether facts are to be found in it now: the host has an extractor, and the session learns."""


class ConversationExtracted(Event, frozen=True, kw_only=True, tag="conversation.extracted"):
    """A conversation that ended was read for facts. What was new in it stands next to this, in the same append."""

    conversation: str
    upto: int
    """The last message that was there to be read."""
    failed: str = ""
    """Why it was not read: the code of an error, or `off`; empty when it was."""
    again: float = 0.0
    """When that is tried again, in seconds since 1970-01-01 UTC; 0 for never."""


class ConversationSummarized(Event, frozen=True, kw_only=True, tag="conversation.summarized"):
    """What was said in a conversation, in short: for a parent, and for a context that has no room for all of it."""

    conversation: str
    upto: int
    """The last message that it covers."""
    text: str


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


class Traits(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What a message tells of the way that somebody speaks, measured when it was said."""

    words: int = 0
    """How many words it has."""
    seconds: float = 0.0
    """How long it took to say; 0 for what was written."""
    formality: float | None = None
    """0 casual to 1 formal."""
    technical: float | None = None
    """0 plain to 1 technical."""
    sentiment: float | None = None
    """-1 to 1."""
    topics: list[str] = []
    """At most three key phrases."""


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
    by: Literal["voice", "text", "injected"] = "text"
    """`injected`: put into the context by the application; it is not answered."""
    client: str = ""
    """Who sent it, as the client's own id."""
    cites: list[int] = []
    """For the agent: the turns that it draws on."""
    user: str = ""
    """The user who said it, when it was not the session's own."""
    redacted: list[str] = []
    """Kinds of personal data that were taken out of it before it was stored."""
    traits: Traits | None = None
    key: str = ""
    """The application's own name for a message that it put into the context: of each name there is one."""


class ReplyStarted(Event, frozen=True, kw_only=True, tag="reply.started"):
    reply: int
    turn: int
    conversation: str
    aloud: bool = False
    """Whether it is spoken. A reply that is not is heard when it is delivered."""
    alarm: int = 0
    """The alarm that it tells of; 0 when it answers somebody."""
    pace: float | None = None
    """Words a minute that the user speaks, where the voice is to keep up with them; None for the voice's own pace."""


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


class UsageRecorded(Event, frozen=True, kw_only=True, tag="usage.recorded"):
    """What an engine used, as far as it was not recorded before."""

    engine: str
    link: int
    heard: float = 0.0
    """Seconds of the user's audio that were listened to."""
    spoken: float = 0.0
    """Seconds of audio that were made."""
    tokens_in: int = 0
    """Tokens that it was given."""
    tokens_out: int = 0
    """Tokens that it made."""
    characters: int = 0
    """Of text that was spoken."""


class ConfigChanged(Event, frozen=True, kw_only=True, tag="config.changed"):
    version: int
    """1, 2, 3 ..."""
    changes: dict[str, Any]
    """Setting to its new value."""


class ConfigApplied(Event, frozen=True, kw_only=True, tag="config.applied"):
    """The engine goes by this version of the settings from now on."""

    version: int
    link: int


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
    """0 to 1."""
    expires: float = 0.0
    """When it is forgotten, in seconds since 1970-01-01 UTC; 0 for never."""
    sensitive: bool = False
    """Whether it is kept out of shares and exports of memory."""
    conversation: str = ""
    """The conversation it came from."""
    replaces: list[int] = []
    """The memories whose place it takes. Below 0: of the user's own journal."""
    scope: Scope = "session"
    """`user`: it belongs to all of the user's sessions, and goes on to the user's own journal."""
    source: str = ""
    """In a user's journal: where it was learned, as `session:memory`."""
    learned: float = 0.0
    """When it was first known, in seconds since 1970-01-01 UTC, where that was before `at`; 0 where it was not."""


class MemoryRemoved(Event, frozen=True, kw_only=True, tag="memory.removed"):
    memory: int
    """Below 0: of the user's own journal, where the host carries this."""
    reason: str
    """`superseded`, `forgotten` or `full`."""


class MemoryCleared(Event, frozen=True, kw_only=True, tag="memory.cleared"):
    """Several memories went at once."""

    memories: list[int]
    """Below 0: of the user's own journal, where the host carries this."""
    reason: str
    """`cleared`, `expired`, `full`, `compressed`, `closed`, `unimportant`, or `kept` in the user's own journal."""


class PreferenceLearned(Event, frozen=True, kw_only=True, tag="preference.learned"):
    """What was learned of the user has changed enough to say so."""

    name: str
    value: float | str
    """0 to 1; for the pace, words a minute; for the length, words."""
    evidence: int
    """Messages that it rests on."""


class PreferenceSet(Event, frozen=True, kw_only=True, tag="preference.set"):
    """Somebody has decided: this stays, whatever is learned."""

    name: str
    value: float | str | bool | None
    """None takes the decision back."""


class ProfileApplied(Event, frozen=True, kw_only=True, tag="preference.profile_applied"):
    """What was learned elsewhere is known here, as a start."""

    profile: dict[str, Any]


class MetricTracked(Event, frozen=True, kw_only=True, tag="metric.tracked"):
    name: str
    value: float
    """In whatever unit the metric has."""


class MilestoneReached(Event, frozen=True, kw_only=True, tag="analytics.milestone"):
    milestone: str
    """Such as `10 conversations`."""
    value: int
    """How many there were when it was reached."""


class ShareCreated(Event, frozen=True, kw_only=True, tag="share.created"):
    share: int
    """1, 2, 3 ... within the session."""
    token: str
    """SHA-256, in hex, of the share's token."""
    user: str
    """Who may use it."""
    permissions: list[str]
    expires: float
    """Seconds since 1970-01-01 UTC."""
    parent: int = 0
    """The share that it was granted from; 0 when the session's owner did."""
    by: str = ""
    """The user who granted it."""


class ShareRevoked(Event, frozen=True, kw_only=True, tag="share.revoked"):
    share: int
    """The share that is void, and with it all that was granted from it."""
    by: str = ""


class ShareAccessed(Event, frozen=True, kw_only=True, tag="share.accessed"):
    """For the audit: somebody used a share, or tried to."""

    share: int
    """The share that was used."""
    user: str
    action: str
    """`open`, `read_history`, `read_memory`, `read_notes`, `add_note`, `speak`, `grant` or `revoke`."""
    refused: str = ""
    """Why it was refused: `user`, `expired`, `revoked` or `permission`; empty when it was not."""


class NoteAdded(Event, frozen=True, kw_only=True, tag="note.added"):
    note: int
    """1, 2, 3 ... within the session."""
    text: str
    user: str
    share: int = 0
    """The share by which it was written; 0 when the session's own user did."""


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
    still_owed: bool = False
    """Whether what is owed an answer stays owed: it is asked again without anybody's saying it again."""


class Unknown(Event, frozen=True, kw_only=True, tag="unknown.kept"):
    """An event of a later version: kept as it is in the journal, and skipped by the fold."""

    kind: str
    """The tag that this version does not know."""

    @property
    def type(self) -> str:
        """The name that it has in the journal."""
        return self.kind


CATALOGUE: tuple[type[Event], ...] = (
    SessionCreated,
    SessionRestored,
    SessionPaused,
    SessionResumed,
    SessionParked,
    SessionEnded,
    AttachmentAttached,
    AttachmentDetached,
    AttachmentRevoked,
    ConversationStarted,
    ConversationResumed,
    ConversationEnded,
    ConversationExtracted,
    ConversationSummarized,
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
    UsageRecorded,
    ConfigChanged,
    ConfigApplied,
    MemoryAdded,
    MemoryRemoved,
    MemoryCleared,
    PreferenceLearned,
    PreferenceSet,
    ProfileApplied,
    MetricTracked,
    MilestoneReached,
    ShareCreated,
    ShareRevoked,
    ShareAccessed,
    NoteAdded,
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
