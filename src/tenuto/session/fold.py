"""The state of a session: what its journal amounts to, one event at a time.

`apply` is the only place where the state changes. It validates first and changes afterwards, so that an event which
cannot happen leaves everything as it was. What is kept here is bounded, whatever the length of the journal: a window of
messages, not the transcript; older messages are read in pages from the store.
"""

from itertools import islice
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import ConversationExists, ConversationNotFound, IllegalEvent
from tenuto.session import analytics as analyses
from tenuto.session import memory as memories
from tenuto.session import preferences as manners
from tenuto.session import shares as sharing
from tenuto.session import summary
from tenuto.session.analytics import Analytics
from tenuto.session.memory import Memories
from tenuto.session.ports import Alarm, Message
from tenuto.session.preferences import Preferences
from tenuto.session.shares import Shares
from tenuto.session.state import Life, Turn, joint, next_life, next_turn

WINDOW = 50
"""Messages that the state keeps."""
CLIENTS = 32
"""Client programs whose commands and tokens the state remembers; the one not seen for longest goes first."""
ANSWERS = 256
"""Commands of one client whose outcome the state remembers: as many as a client may have unanswered."""
SUMMARIES = 100
"""Conversations that are remembered with a whole summary: those that were used last. Of the others a few words are kept."""
KEYS = 256
"""Keys of injected messages that the state remembers; the oldest go first."""
TO_READ = 100
"""Conversations that wait until facts are found in them; of more the oldest are not read."""
READING = 120.0
"""Seconds that the host which has the session has for that, before any host has to load the session for it."""
MICS = 8
"""Microphone streams of which it is remembered how much was dealt with."""
OLD_TOKENS = 8
"""Resume tokens of one client that are recognised as used before."""


class Conversation(msgspec.Struct):
    number: int = 0
    """1, 2, 3 ... in the order in which they were started."""
    parent: str = ""
    """The conversation that it branches from; empty when it is no branch."""
    messages: int = 0
    """How many it has of its own."""
    ended: bool = False
    fork: int = 0
    """The last message of the parent's line that it knows."""
    first: int = 0
    """Its first message; 0 when it has none."""
    last: int = 0
    """Its last message; 0 when it has none."""
    started: float = 0.0
    """When it was started, in seconds since 1970-01-01 UTC."""
    closed: float = 0.0
    """When it ended last, in seconds since 1970-01-01 UTC; 0 when it never has."""
    config: dict[str, Any] = {}
    """Settings that hold while it is open."""
    summary: str = ""
    """What was said in it up to `summary_upto`, in short."""
    summary_upto: int = 0
    """The last message that the summary covers."""
    unsummarized: int = 0
    """Messages after that."""
    inherited: str = ""
    """Of a branch: what was said before the fork, in short. It stays as it was then."""
    extracted: int = 0
    """The last message that facts were looked for in."""


class ToRead(msgspec.Struct, kw_only=True):
    """A conversation that ended, and in which no facts were looked for yet."""

    since: float
    """When it may be read, in seconds since 1970-01-01 UTC."""
    tries: int = 0
    """How often that has failed."""


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


class OpenSpeech(msgspec.Struct, kw_only=True):
    turn: int
    mic: str
    offset: int


class Here(msgspec.Struct, kw_only=True):
    """One attachment."""

    role: e.AttachmentRole
    client: str
    voice: bool
    share: int = 0
    """The share that it looks through; 0 when it is the session's own user's."""


class Client(msgspec.Struct):
    """What is remembered of one client program."""

    last: int = 0
    """Its last command that is in the journal."""
    answers: dict[int, int] = {}
    """Command to position, for the last ones."""
    token: str = ""
    """SHA-256 of the resume token that it was given last."""
    previous: str = ""
    """SHA-256 of the one before, until the last one is used."""
    token_at: float = 0.0
    """When the last one was given."""
    used: list[str] = []
    """SHA-256 of older ones."""
    observes: bool = False
    """Whether it has never had the controls: then its tokens do not give them either."""


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
        moments = [alarm.due for alarm in self.alarms.values()]
        for moment in (memories.due(self.memory), sharing.due(self)):
            if moment is not None:
                moments.append(moment)
        return min(moments, default=None)

    @property
    def wake(self) -> float | None:
        """When a host has to load the session if none has it: at once while something is on its way to the user's journal."""
        if self.memory.outgoing or self.memory.gone:
            return self.updated
        due = self.due
        if self.to_read:
            read = min(each.since for each in self.to_read.values()) + READING
            return read if due is None else min(read, due)
        return due

    @property
    def ended(self) -> bool:
        return self.life is Life.ENDED


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(State).decode
"""A snapshot's bytes as a state."""


def encode(state: State) -> bytes:
    """Return a state as the bytes of a snapshot."""
    state.memory.pack()
    return _encode(state)


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
    controls = kind in _OF_ATTACHMENTS and _is_controllers(state, event)
    life = next_life(state.life, event, controller=controls)
    turn = next_turn(state.turn, event)
    check = _CHECKS.get(kind)
    if check is not None:
        check(state, event)

    state.position += 1
    state.updated = event.at
    state.life, state.turn = life, turn
    if event.cause:
        _remember_command(state, event.cause)
    change = _CHANGES.get(kind)
    if change is not None:
        change(state, event)
    analyses.apply(state, event)
    if kind in _OF_PREFERENCES:
        wanted = state.live.get("enable_learning", state.config.get("enable_learning", True))
        manners.apply(state.preferences, event, learning=wanted)
    aloud = state.reply is not None and state.reply.aloud
    state.turn = joint(state.life, state.turn, owed=bool(state.owed), aloud=aloud)


def _is_controllers(state: State, event: e.Event) -> bool:
    if isinstance(event, e.AttachmentAttached):
        return event.role == "controller"
    return isinstance(event, e.AttachmentDetached) and event.attachment == state.controller


def client_of(state: State, client: str) -> Client:
    """Return what is remembered of a client, making room for it: the one not seen for longest goes."""
    known = state.clients.pop(client, None) or Client()
    state.clients[client] = known
    while len(state.clients) > CLIENTS:
        del state.clients[next(iter(state.clients))]
    return known


def _remember_command(state: State, cause: str) -> None:
    name, _, number = cause.rpartition(":")
    client = client_of(state, name)
    client.last = max(client.last, int(number))
    client.answers[int(number)] = state.position
    while len(client.answers) > ANSWERS:
        del client.answers[next(iter(client.answers))]


# ----------------------------------------------------------------------------------------------------------------- checks


def _check_created(state: State, event: e.SessionCreated) -> None:
    if state.position:
        raise IllegalEvent("session.created can only be the first event")


def _check_attached(state: State, event: e.AttachmentAttached) -> None:
    if event.attachment != state.attachments + 1:
        raise IllegalEvent(f"attachment {event.attachment} after {state.attachments}")
    if event.role == "controller" and state.controller:
        raise IllegalEvent("a second controller: the first has to be detached")
    if event.role == "controller" and event.share:
        raise IllegalEvent("a share never gives the controls")


def _check_detached(state: State, event: e.AttachmentDetached) -> None:
    if event.attachment not in state.here:
        raise IllegalEvent(f"attachment {event.attachment} is not here")


def _check_conversation_started(state: State, event: e.ConversationStarted) -> None:
    if state.conversation:
        raise IllegalEvent("a conversation is open: end it first")
    if event.conversation in state.conversations:
        raise ConversationExists(f"The session already has a conversation {event.conversation!r}.")
    if event.parent and event.parent not in state.conversations:
        raise ConversationNotFound(f"The session has no conversation {event.parent!r}.")
    if event.fork > state.messages:
        raise IllegalEvent(f"a fork at message {event.fork} of {state.messages}")


def _check_conversation_resumed(state: State, event: e.ConversationResumed) -> None:
    if state.conversation:
        raise IllegalEvent("a conversation is open: end it first")
    if event.conversation not in state.conversations:
        raise ConversationNotFound(f"The session has no conversation {event.conversation!r}.")


def _check_conversation_ended(state: State, event: e.ConversationEnded) -> None:
    if not state.conversation or state.conversation != event.conversation:
        raise IllegalEvent("that conversation is not open")
    if state.reply is not None or state.speech is not None:
        raise IllegalEvent("a reply or a speech is open: end it first")


def _check_speech_started(state: State, event: e.SpeechStarted) -> None:
    _need_conversation(state)
    if event.turn != state.turns + 1:
        raise IllegalEvent(f"turn {event.turn} after {state.turns}")


def _check_message(state: State, event: e.MessageAdded) -> None:
    if event.message != state.messages + 1:
        raise IllegalEvent(f"message {event.message} after {state.messages}")
    if event.role == "user" and event.by != "injected" and state.reply is not None:
        raise IllegalEvent("a message of the user while a reply is open: cut it first")
    if event.conversation not in state.conversations:
        raise ConversationNotFound(f"The session has no conversation {event.conversation!r}.")


def _check_reply_started(state: State, event: e.ReplyStarted) -> None:
    _need_conversation(state)
    if event.reply != state.replies + 1:
        raise IllegalEvent(f"reply {event.reply} after {state.replies}")


def _check_reply(
    state: State, event: e.ReplySegment | e.ReplyEnded | e.ReplyCut | e.PlaybackMarked
) -> None:
    if state.reply is None or state.reply.reply != event.reply:
        raise IllegalEvent(f"{e.TAGS[type(event)]}: reply {event.reply} is not open")


def _check_segment(state: State, event: e.ReplySegment) -> None:
    _check_reply(state, event)
    assert state.reply is not None
    if state.reply.complete or event.index != len(state.reply.segments):
        raise IllegalEvent(f"segment {event.index} of reply {event.reply} is out of order")


def _check_reply_ended(state: State, event: e.ReplyEnded) -> None:
    _check_reply(state, event)
    assert state.reply is not None
    if not state.reply.complete:
        raise IllegalEvent("a reply ends after its last segment; before, it is cut")


def _check_memory(state: State, event: memories.MemoryEvent) -> None:
    state.memory.check(event)


def _check_share(state: State, event: e.Event) -> None:
    sharing.check(state.shares, event)


def _check_paused(state: State, event: e.SessionPaused) -> None:
    if state.paused:
        raise IllegalEvent("the session is paused already")
    if state.reply is not None or state.speech is not None:
        raise IllegalEvent("a reply or a speech is open: end it first")


def _check_resumed(state: State, event: e.SessionResumed) -> None:
    if not state.paused:
        raise IllegalEvent("the session is not paused")


def _check_summarized(state: State, event: e.ConversationSummarized) -> None:
    known = state.conversations.get(event.conversation)
    if known is None:
        raise ConversationNotFound(f"The session has no conversation {event.conversation!r}.")
    if not known.summary_upto <= event.upto <= known.last:
        raise IllegalEvent(f"a summary up to message {event.upto} of {known.last}")


def _check_extracted(state: State, event: e.ConversationExtracted) -> None:
    known = state.conversations.get(event.conversation)
    if known is None:
        raise ConversationNotFound(f"The session has no conversation {event.conversation!r}.")
    if not known.extracted <= event.upto <= known.last:
        raise IllegalEvent(f"facts up to message {event.upto} of {known.last}")


def _check_config(state: State, event: e.ConfigChanged) -> None:
    if event.version != state.config_version + 1:
        raise IllegalEvent(f"settings {event.version} after {state.config_version}")


def _check_config_applied(state: State, event: e.ConfigApplied) -> None:
    if not state.applied_version < event.version <= state.config_version:
        raise IllegalEvent(f"settings {event.version} are not the ones of a change not yet applied")


def _check_alarm_set(state: State, event: e.AlarmSet) -> None:
    if event.alarm != state.alarm_count + 1:
        raise IllegalEvent(f"alarm {event.alarm} after {state.alarm_count}")


def _check_alarm(state: State, event: e.AlarmRang | e.AlarmCancelled) -> None:
    if event.alarm not in state.alarms:
        raise IllegalEvent(f"alarm {event.alarm} is not set")


def _check_ended(state: State, event: e.SessionEnded) -> None:
    if state.conversation or state.here:
        raise IllegalEvent("the session ends after its conversation and its attachments")


def _need_conversation(state: State) -> None:
    if not state.conversation:
        raise IllegalEvent("no conversation is open: start one first")


# ---------------------------------------------------------------------------------------------------------------- changes


def _created(state: State, event: e.SessionCreated) -> None:
    state.session, state.tenant, state.user = event.session, event.tenant, event.user
    state.epoch, state.created, state.config = event.epoch, event.at, dict(event.config)
    state.layers, state.template = dict(event.layers), event.template
    state.context, state.categories = dict(event.context), list(event.categories)


def _ended(state: State, event: e.SessionEnded) -> None:
    state.end_reason = event.reason
    state.to_read = {}


def _attached(state: State, event: e.AttachmentAttached) -> None:
    state.attachments = event.attachment
    state.here[event.attachment] = Here(
        role=event.role, client=event.client, voice=event.voice, share=event.share
    )
    if event.role == "controller":
        state.controller = event.attachment
    if event.share:
        # Viewers come by their share alone; however many they are, they push out nobody who has a token.
        return
    stranger = event.client not in state.clients
    client = client_of(state, event.client)
    client.observes = event.role == "observer" and (stranger or client.observes)
    if event.token:
        if event.shown and event.shown == client.previous:
            # The answer that held the last one was lost: that one is void, and the one before is good once more.
            void = client.token
        else:
            void, client.previous = client.previous, client.token
        if void:
            client.used = [*client.used, void][-OLD_TOKENS:]
        client.token, client.token_at = event.token, event.at


def _detached(state: State, event: e.AttachmentDetached) -> None:
    del state.here[event.attachment]
    if event.attachment == state.controller:
        state.controller = 0


def _revoked(state: State, event: e.AttachmentRevoked) -> None:
    # Its commands stay known: it may come back by other means, and have them sent again.
    if (client := state.clients.get(event.client)) is not None:
        client.token, client.previous, client.used = "", "", []


def _conversation_started(state: State, event: e.ConversationStarted) -> None:
    parent = state.conversations.get(event.parent)
    _open(
        state,
        event.conversation,
        Conversation(
            number=len(state.conversations) + 1,
            parent=event.parent,
            fork=event.fork,
            started=event.at,
            config=event.config,
            inherited=_so_far(parent, event.fork) if parent is not None else "",
        ),
    )


def _so_far(parent: Conversation, fork: int) -> str:
    """Return what was said in a line up to a fork, in short; nothing that was said after it."""
    known = [parent.inherited, parent.summary if parent.summary_upto <= fork else ""]
    return summary.shortened("\n".join(text for text in known if text), summary.MOST)


def _conversation_resumed(state: State, event: e.ConversationResumed) -> None:
    known = state.conversations.pop(event.conversation)
    known.ended = False
    _open(state, event.conversation, known)


def _open(state: State, name: str, conversation: Conversation) -> None:
    state.conversation = name
    state.conversations[name] = conversation
    for old in islice(reversed(state.conversations.values()), SUMMARIES, SUMMARIES + 1):
        old.summary = summary.shortened(old.summary, summary.BRIEF)
        old.inherited = summary.shortened(old.inherited, summary.BRIEF)


def _conversation_ended(state: State, event: e.ConversationEnded) -> None:
    known = state.conversations[event.conversation]
    known.ended, known.closed = True, event.at
    state.conversation = ""
    state.owed, state.owed_voice = [], False
    if event.extract and known.last > known.extracted:
        state.to_read[event.conversation] = ToRead(since=event.at)
        if len(state.to_read) > TO_READ:
            del state.to_read[next(iter(state.to_read))]


def _speech_started(state: State, event: e.SpeechStarted) -> None:
    state.turns = event.turn
    state.speech = OpenSpeech(turn=event.turn, mic=event.mic, offset=event.offset)


def _speech_ended(state: State, event: e.SpeechEnded) -> None:
    state.speech = None
    state.mic, state.mic_until = event.mic, event.until
    state.mics.pop(event.mic, None)
    state.mics[event.mic] = event.until
    if len(state.mics) > MICS:
        del state.mics[next(iter(state.mics))]


def _message(state: State, event: e.MessageAdded) -> None:
    state.messages = event.message
    state.turns = max(state.turns, event.turn)
    conversation = state.conversations[event.conversation]
    if not conversation.messages:
        conversation.first = event.message
    conversation.messages += 1
    conversation.unsummarized += 1
    conversation.last = event.message
    if event.key:
        state.keys = [*state.keys, event.key][-KEYS:]
    state.recent.append(
        Message(
            message=event.message,
            role=event.role,
            text=event.text,
            turn=event.turn,
            conversation=event.conversation,
            at=event.at,
            said=event.said,
            by=event.by,
            cites=event.cites,
            user=event.user,
        )
    )
    if len(state.recent) > WINDOW:
        del state.recent[0]
    if event.role == "user" and event.by != "injected":
        state.owed = [*state.owed, event.message][-WINDOW:]
        here = state.here.get(state.controller)
        spoken_to = here is not None and here.voice
        state.owed_voice = state.owed_voice or event.by == "voice" or spoken_to


def _reply_started(state: State, event: e.ReplyStarted) -> None:
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


def _segment(state: State, event: e.ReplySegment) -> None:
    assert state.reply is not None
    state.reply.segments.append(event.text)
    state.reply.cites.extend(event.cites)
    state.reply.complete = event.last


def _marked(state: State, event: e.PlaybackMarked) -> None:
    assert state.reply is not None
    state.reply.heard = max(state.reply.heard, event.heard)


def _reply_over(state: State, event: e.Event) -> None:
    state.reply = None


def _error(state: State, event: e.Event) -> None:
    state.owed, state.owed_voice = [], False


def _engine_ready(state: State, event: e.EngineReady) -> None:
    state.links = event.link


def _engine_lost(state: State, event: e.EngineLost) -> None:
    state.links = max(state.links, event.link)


def _config(state: State, event: e.ConfigChanged) -> None:
    state.live.update(event.changes)
    state.config_version = event.version


def _config_applied(state: State, event: e.ConfigApplied) -> None:
    state.applied_version = event.version


def _summarized(state: State, event: e.ConversationSummarized) -> None:
    known = state.conversations[event.conversation]
    known.summary, known.summary_upto, known.unsummarized = event.text, event.upto, 0


def _extracted(state: State, event: e.ConversationExtracted) -> None:
    waited = state.to_read.pop(event.conversation, None)
    known = state.conversations[event.conversation]
    if event.again and waited is not None:
        state.to_read[event.conversation] = ToRead(since=event.again, tries=waited.tries + 1)
        return
    known.extracted = event.upto
    if waited is not None and known.ended and known.last > event.upto:
        # It went on, and ended again, while it was read.
        state.to_read[event.conversation] = ToRead(since=event.at)


def _paused(state: State, event: e.SessionPaused) -> None:
    state.paused = True


def _resumed(state: State, event: e.SessionResumed) -> None:
    state.paused = False


def _memory(state: State, event: memories.MemoryEvent) -> None:
    state.memory.apply(event)


def _share(state: State, event: e.Event) -> None:
    sharing.apply(state.shares, event)


def _alarm_set(state: State, event: e.AlarmSet) -> None:
    state.alarm_count = event.alarm
    state.alarms[event.alarm] = Alarm(
        alarm=event.alarm, due=event.due, text=event.text, turn=event.turn, at=event.at
    )


def _alarm_rang(state: State, event: e.AlarmRang) -> None:
    state.rung.append(state.alarms.pop(event.alarm))


def _alarm_cancelled(state: State, event: e.AlarmCancelled) -> None:
    del state.alarms[event.alarm]


_CHECKS: dict[type[e.Event], Any] = {
    e.SessionCreated: _check_created,
    e.SessionEnded: _check_ended,
    e.AttachmentAttached: _check_attached,
    e.AttachmentDetached: _check_detached,
    e.ConversationStarted: _check_conversation_started,
    e.ConversationResumed: _check_conversation_resumed,
    e.ConversationEnded: _check_conversation_ended,
    e.SpeechStarted: _check_speech_started,
    e.MessageAdded: _check_message,
    e.ReplyStarted: _check_reply_started,
    e.ReplySegment: _check_segment,
    e.ReplyEnded: _check_reply_ended,
    e.ReplyCut: _check_reply,
    e.PlaybackMarked: _check_reply,
    e.MemoryAdded: _check_memory,
    e.MemoryRemoved: _check_memory,
    e.MemoryCleared: _check_memory,
    e.ShareCreated: _check_share,
    e.ShareRevoked: _check_share,
    e.ShareAccessed: _check_share,
    e.NoteAdded: _check_share,
    e.SessionPaused: _check_paused,
    e.SessionResumed: _check_resumed,
    e.ConversationSummarized: _check_summarized,
    e.ConversationExtracted: _check_extracted,
    e.ConfigChanged: _check_config,
    e.ConfigApplied: _check_config_applied,
    e.AlarmSet: _check_alarm_set,
    e.AlarmRang: _check_alarm,
    e.AlarmCancelled: _check_alarm,
}

_CHANGES: dict[type[e.Event], Any] = {
    e.SessionCreated: _created,
    e.SessionEnded: _ended,
    e.AttachmentAttached: _attached,
    e.AttachmentDetached: _detached,
    e.AttachmentRevoked: _revoked,
    e.ConversationStarted: _conversation_started,
    e.ConversationResumed: _conversation_resumed,
    e.ConversationEnded: _conversation_ended,
    e.SpeechStarted: _speech_started,
    e.SpeechEnded: _speech_ended,
    e.MessageAdded: _message,
    e.ReplyStarted: _reply_started,
    e.ReplySegment: _segment,
    e.ReplyEnded: _reply_over,
    e.ReplyCut: _reply_over,
    e.PlaybackMarked: _marked,
    e.ErrorRaised: _error,
    e.EngineReady: _engine_ready,
    e.EngineLost: _engine_lost,
    e.ConfigChanged: _config,
    e.ConfigApplied: _config_applied,
    e.ConversationSummarized: _summarized,
    e.ConversationExtracted: _extracted,
    e.SessionPaused: _paused,
    e.SessionResumed: _resumed,
    e.MemoryAdded: _memory,
    e.MemoryRemoved: _memory,
    e.MemoryCleared: _memory,
    e.ShareCreated: _share,
    e.ShareRevoked: _share,
    e.ShareAccessed: _share,
    e.NoteAdded: _share,
    e.AlarmSet: _alarm_set,
    e.AlarmRang: _alarm_rang,
    e.AlarmCancelled: _alarm_cancelled,
}

_OF_ATTACHMENTS = frozenset({e.AttachmentAttached, e.AttachmentDetached})
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
