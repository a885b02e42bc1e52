"""The state of a session: what its journal amounts to, one event at a time.

`apply` is the only place where the state changes. It validates first and changes afterwards, so that an event which
cannot happen leaves everything as it was. What is kept here is bounded, whatever the length of the journal: a window of
messages, not the transcript; older messages are read in pages from the store.

What an event needs and what it does stands with its subject: the session itself in `life_fold`, who is here in `client_fold`,
what was said in `conversation_fold`, what is being said in `turn_fold`; and in `memory_book`, `shares`, `preferences` and
`analytics`. `RULES` is the one table of all of them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidInput
from tenuto.session import analytics as analyses
from tenuto.session import client_fold as clients
from tenuto.session import conversation_fold as conversations
from tenuto.session import life_fold as lives
from tenuto.session import memory as memories
from tenuto.session import preferences as manners
from tenuto.session import shares as sharing
from tenuto.session import turn_fold as turns
from tenuto.session.analytics import Analytics
from tenuto.session.client_fold import Client, Here
from tenuto.session.conversation_fold import Conversation, ToRead
from tenuto.session.memory import Memories
from tenuto.session.ports import Alarm, Message
from tenuto.session.preferences import Preferences
from tenuto.session.shares import Shares
from tenuto.session.state import OF_ATTACHMENTS, Life, Turn, joint, next_life, next_turn
from tenuto.session.turn_fold import OpenReply, OpenSpeech


class State(msgspec.Struct, kw_only=True):
    """A fold over the journal up to `position`. Read it; only `apply` writes it."""

    session: str = ""
    tenant: str = ""
    user: str = ""
    epoch: str = ""
    created: float = 0.0
    updated: float = 0.0
    position: int = 0
    life: Life = Life.DETACHED
    turn: Turn = Turn.IDLE
    owed: list[int] = []
    """Messages of the user that had no reply yet: the last `WINDOW`, as only those can be asked."""
    owed_voice: bool = False
    """Whether one of them was spoken, or came while somebody was there who is spoken to."""
    conversation: str = ""
    """The current one; empty when none is open."""
    conversations: dict[str, Conversation] = {}
    """All of them, the one that was used last at the end."""
    to_read: dict[str, ToRead] = {}
    """Those in which facts are to be found, by name, the oldest first."""
    recent: list[Message] = []
    """The last `WINDOW` messages, over conversations."""
    keys: list[str] = []
    """The keys of the messages that the application put into the context, oldest first."""
    reply: OpenReply | None = None
    speech: OpenSpeech | None = None
    mic: str = ""
    """The microphone stream heard last."""
    mic_until: int = 0
    """Samples of it that are dealt with."""
    mics: dict[str, int] = {}
    """As many as that of each of the last `MICS` streams: whoever takes the controls back may go on with an old one."""
    memory: Memories = msgspec.field(default_factory=Memories)
    preferences: Preferences = msgspec.field(default_factory=Preferences)
    analytics: Analytics = msgspec.field(default_factory=Analytics)
    shares: Shares = msgspec.field(default_factory=Shares)
    alarms: dict[int, Alarm] = {}
    rung: list[Alarm] = []
    """Alarms that rang and that nobody was told of yet."""
    here: dict[int, Here] = {}
    controller: int = 0
    """The attachment that has the controls; 0 when none has."""
    clients: dict[str, Client] = {}
    config: dict[str, Any] = {}
    """The settings that differ from the defaults, without those of the open conversation and the live ones."""
    layers: dict[str, dict[str, Any]] = {}
    """Where they come from."""
    live: dict[str, Any] = {}
    """Settings that were changed while the session was running. They hold over all others."""
    config_version: int = 0
    applied_version: int = 0
    """The version of the settings that the engine last said it goes by."""
    template: str = ""
    context: dict[str, str] = {}
    """What the template needed to know."""
    categories: list[str] = []
    """The only categories that memories may have; any when empty."""
    paused: bool = False
    end_reason: str = ""
    turns: int = 0
    replies: int = 0
    messages: int = 0
    alarm_count: int = 0
    attachments: int = 0
    links: int = 0

    @property
    def due(self) -> float | None:
        """When the session next has something to do by itself."""
        if not self.alarms and not self.memory.next_expiry and not self.shares.known:
            return None
        moments = (
            *(alarm.due for alarm in self.alarms.values()),
            memories.due(self.memory),
            sharing.due(self),
        )
        return _first(moments)

    @property
    def wake(self) -> float | None:
        """When a host has to load the session if none has it: at once while something is on its way to the user's journal."""
        if self.memory.outgoing or self.memory.gone:
            return self.updated
        if not self.to_read:
            return self.due
        return _first((self.due, *(each.wake for each in self.to_read.values())))

    @property
    def ended(self) -> bool:
        return self.life is Life.ENDED


def _first(moments: Iterable[float | None]) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(State).decode
"""A snapshot's bytes as a state."""


def encode(state: State) -> bytes:
    """Return a state as the bytes of a snapshot."""
    state.memory.pack()
    return _encode(state)


def need_position(position: int, head: int) -> None:
    """Refuse what is no position of a journal.

    Args:
        position: What was given.
        head: The last position of that journal.

    Raises:
        InvalidInput: It is none.
    """
    if not 1 <= position <= head:
        raise InvalidInput(f"The session has the positions 1 to {head}; {position} is none.")


def copy(state: State) -> State:
    """Return another state that is the same, to try something on."""
    return decode(encode(state))


def apply(state: State, event: e.Event) -> None:
    """Move the state by one event.

    Raises:
        IllegalEvent: The event cannot happen now. The state is unchanged.
    """
    kind = type(event)
    if kind is e.Unknown:
        state.position += 1
        return
    if not state.position and kind is not e.SessionCreated:
        raise IllegalEvent(f"{e.TAGS[kind]} before session.created")
    controls = kind in OF_ATTACHMENTS and clients.is_controllers(state, event)
    life = next_life(state.life, event, controller=controls)
    turn = next_turn(state.turn, event)
    check, change = RULES[kind]
    if check is not None:
        check(state, event)

    state.position += 1
    state.updated = event.at
    state.life, state.turn = life, turn
    if event.cause:
        clients.remember_command(state, event.cause)
    if change is not None:
        change(state, event)
    analyses.apply(state, event)
    if kind in _OF_PREFERENCES:
        learning = memories.setting(state, "enable_learning")
        manners.apply(state.preferences, event, learning=learning)
    aloud = state.reply is not None and state.reply.aloud
    state.turn = joint(state.life, state.turn, owed=bool(state.owed), aloud=aloud)


def _check_memory(state: State, event: memories.MemoryEvent) -> None:
    state.memory.check(event)


def _memory(state: State, event: memories.MemoryEvent) -> None:
    state.memory.apply(event)


def _check_share(state: State, event: e.Event) -> None:
    sharing.check(state.shares, event)


def _share(state: State, event: e.Event) -> None:
    sharing.apply(state.shares, event)


Check = Callable[[State, Any], object]
"""Refuses, with an `IllegalEvent` or another `Refused`, an event that cannot happen now. Changes nothing."""
Change = Callable[[State, Any], None]
"""Takes an event that was checked. Never raises."""

RULES: dict[type[e.Event], tuple[Check | None, Change | None]] = {
    e.SessionCreated: (lives.check_created, lives.created),
    e.SessionPaused: (lives.check_paused, lives.paused),
    e.SessionResumed: (lives.check_resumed, lives.resumed),
    e.SessionRestored: (None, conversations.restored),
    e.SessionParked: (None, conversations.parked),
    e.SessionEnded: (lives.check_ended, lives.ended),
    e.AttachmentAttached: (clients.check_attached, clients.attached),
    e.AttachmentDetached: (clients.check_detached, clients.detached),
    e.AttachmentRevoked: (None, clients.revoked),
    e.ConversationStarted: (conversations.check_started, conversations.started),
    e.ConversationResumed: (conversations.check_resumed, conversations.resumed),
    e.ConversationEnded: (conversations.check_ended, conversations.ended),
    e.ConversationExtracted: (conversations.check_extracted, conversations.extracted),
    e.ConversationSummarized: (conversations.check_summarized, conversations.summarized),
    e.SpeechStarted: (turns.check_speech_started, turns.speech_started),
    e.SpeechEnded: (None, turns.speech_ended),
    e.MessageAdded: (conversations.check_message, conversations.message),
    e.ReplyStarted: (turns.check_reply_started, turns.reply_started),
    e.ReplySegment: (turns.check_segment, turns.segment),
    e.ReplyEnded: (turns.check_reply_ended, turns.reply_over),
    e.ReplyCut: (turns.check_reply, turns.reply_over),
    e.PlaybackMarked: (turns.check_reply, turns.marked),
    e.EngineReady: (None, lives.engine_ready),
    e.EngineLost: (None, lives.engine_lost),
    e.UsageRecorded: (None, None),
    e.ConfigChanged: (lives.check_config, lives.config),
    e.ConfigApplied: (lives.check_config_applied, lives.config_applied),
    e.MemoryAdded: (_check_memory, _memory),
    e.MemoryRemoved: (_check_memory, _memory),
    e.MemoryCleared: (_check_memory, _memory),
    e.PreferenceLearned: (None, None),
    e.PreferenceSet: (None, None),
    e.ProfileApplied: (None, None),
    e.MetricTracked: (None, None),
    e.MilestoneReached: (None, None),
    e.ShareCreated: (_check_share, _share),
    e.ShareRevoked: (_check_share, _share),
    e.ShareAccessed: (_check_share, _share),
    e.NoteAdded: (_check_share, _share),
    e.AlarmSet: (turns.check_alarm_set, turns.alarm_set),
    e.AlarmRang: (turns.check_alarm, turns.alarm_rang),
    e.AlarmCancelled: (turns.check_alarm, turns.alarm_cancelled),
    e.ErrorRaised: (None, turns.given_up),
}
"""What an event needs, and what it does, beside what it does to the machines of `state`, the analytics and the preferences."""

_OF_PREFERENCES = frozenset(
    {
        e.MessageAdded,
        e.ReplyEnded,
        e.ReplyCut,
        e.PreferenceLearned,
        e.PreferenceSet,
        e.ProfileApplied,
    }
)
