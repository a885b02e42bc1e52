"""What the session needs of the world, as small Protocols. The session owns them; the world implements them.

Four edges: `Store` keeps journals, `Engine` listens, thinks and speaks, `Transport` carries a client, and `Ownership` of a
session is the store's lease. Calls that may grow take one frozen struct.

Audio is 16-bit signed little-endian PCM, one channel, everywhere inside. Its lane is synchronous (`Engine.hear`,
`AudioOut.relay`, `AudioOut.play`): one call a frame, no task hop, and it never waits for the journal.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from tenuto.errors import InvalidInput
from tenuto.events import Role as Role
from tenuto.events import Traits
from tenuto.ids import is_gone

# ----------------------------------------------------------------------------------------------------------------- store


class Row(msgspec.Struct, frozen=True, gc=False):
    """One event as a store sees it: bytes and a few clear columns."""

    position: int
    """1, 2, 3 ... without gaps."""
    type: str
    """The event's tag."""
    body: bytes
    """The event, encoded once; a store never looks inside."""


class Append(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One atomic addition to a journal: all of its rows or none."""

    session: str
    expected: int
    """The journal's head before this append; 0 for a journal that does not exist yet."""
    fence: int
    """The number that proves that the writer is still the owner; see `Store.claim`."""
    rows: Sequence[Row]
    at: float
    """When, in seconds since 1970-01-01 UTC: becomes the session's `updated`."""
    due: float | None = None
    """When the session next has something to do by itself (an alarm); None when it has not."""
    ended: bool = False
    """Whether these rows end the session."""


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a store must know of a session before its first append."""

    session: str
    tenant: str
    user: str
    epoch: str
    at: float


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a store knows of a session without reading its journal."""

    session: str
    tenant: str
    user: str
    epoch: str
    position: int
    created: float
    updated: float
    ended: bool
    due: float | None
    fence: int
    owner: str
    """The host that holds the lease, or held it last; empty when nobody ever did."""
    url: str
    """Where clients reach that host; empty when it did not say."""
    expires: float
    """Seconds until the lease runs out, by the store's own clock; 0 or less when nobody holds it."""

    @property
    def life(self) -> Literal["live", "parked", "ended"]:
        """`live` while a host has it, whether or not somebody is there; else `parked`, until it has `ended`."""
        if self.ended:
            return "ended"
        return "live" if self.expires > 0 and not is_gone(self.owner) else "parked"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    fence: int
    """Grows with every change of owner. Each append carries it."""
    seconds: float


class Snapshot(msgspec.Struct, frozen=True):
    position: int
    body: bytes


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    head: Head
    snapshot: Snapshot | None
    rows: Sequence[Row]
    """The events after the snapshot, up to the head."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions to list, the most recently updated first."""

    tenant: str
    user: str | None = None
    """None for all users of the tenant."""
    before: tuple[float, str] | None = None
    """(updated, session) of the last one of the page before."""
    limit: int = 50


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a journal to read."""

    session: str
    after: int = 0
    before: int | None = None
    """Rows before this position; None for no bound."""
    types: tuple[str, ...] = ()
    """Only rows of these types; all when empty."""
    newest_first: bool = False
    limit: int = 300


class Store(Protocol):
    """Keeps journals. Every method may raise `StoreUnavailable` or `StoreCorrupt`.

    A row is durable when `append` returns: it survives power loss, not only a killed process, unless the store's own
    docstring says otherwise.
    """

    async def create(self, new: NewSession, owner: str, url: str, ttl: float) -> Lease:
        """Make an empty journal, leased to `owner` for `ttl` seconds.

        Raises:
            AppendConflict: A session of that id exists.
            StoreFull: No space left; nothing was written.
        """
        ...

    async def append(self, append: Append) -> None:
        """Add rows after `append.expected`, if the fence still holds: one atomic comparison and write.

        Raises:
            LeaseLost: The fence has moved on, or the session is gone.
            AppendConflict: The head is not at `append.expected`.
            StoreFull: No space left; nothing was written.
        """
        ...

    async def read(self, read: Read) -> Sequence[Row]:
        """Return rows in the order asked for; an empty list for an unknown session."""
        ...

    async def load(self, session: str) -> Loaded | None:
        """Return the newest snapshot and what came after it; None for an unknown session."""
        ...

    async def save_snapshot(self, session: str, fence: int, snapshot: Snapshot) -> None:
        """Keep a fold, in place of older ones. A snapshot whose fence is not the session's is dropped silently."""
        ...

    async def head(self, session: str) -> Head | None:
        """Return what is known of a session; None for an unknown one."""
        ...

    async def sessions(self, query: Query) -> Sequence[Head]:
        """List sessions. Journals whose names begin with `ids.RESERVED` are none, and are left out."""
        ...

    async def due(self, before: float, limit: int = 100) -> Sequence[Head]:
        """List sessions that are not ended and have something to do by themselves before that moment, soonest first."""
        ...

    async def claim(self, session: str, owner: str, url: str, ttl: float) -> Lease:
        """Take the lease if nobody else holds it. A change of owner, or an expired lease, raises the fence by one.

        Raises:
            SessionLocked: Another owner holds it.
            SessionNotFound: There is no such session.
        """
        ...

    async def renew(self, owner: str, sessions: Sequence[str], ttl: float) -> set[str]:
        """Renew these leases in one write. Returns the ones that `owner` still holds."""
        ...

    async def release(self, session: str, owner: str) -> None:
        """Give up the lease; does nothing when `owner` does not hold it."""
        ...

    async def forget(self, session: str, fence: int) -> None:
        """Erase the session: journal, snapshots, everything. The fence is compared as in `append`.

        Raises:
            LeaseLost: The fence has moved on.
        """
        ...

    async def close(self) -> None:
        """Finish what was asked for, then let go of files and connections."""
        ...


# ---------------------------------------------------------------------------------------------------------------- engine


def is_text(value: object) -> bool:
    """Say whether a value is a text that can be stored: no lone surrogates, which have no bytes.

    Example:
        >>> is_text("Grüße"), is_text("\\ud800"), is_text(7)
        (True, False, False)
    """
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def role(name: str) -> Role:
    """Return a role by its name; `assistant` is another word for `agent`.

    Raises:
        InvalidInput: There is no such role.
    """
    try:
        return _ROLES[name]
    except KeyError:
        raise InvalidInput(f"There is no role {name!r}. There are: {', '.join(_ROLES)}.") from None


_ROLES: dict[str, Role] = {
    "user": "user",
    "agent": "agent",
    "assistant": "agent",
    "system": "system",
    "tool": "tool",
}


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One entry of a conversation's history."""

    message: int
    role: Literal["user", "agent", "system", "tool"]
    text: str
    turn: int
    conversation: str
    at: float
    """Seconds since 1970-01-01 UTC."""
    said: str = ""
    """For the agent: the whole text, when not all of it was heard."""
    by: Literal["voice", "text", "injected"] = "text"
    """Whether it was spoken, written, or put into the context by the application."""
    cites: list[int] = []
    """For the agent: the turns that it draws on."""
    user: str = ""
    """The user who said it, when it was not the session's own."""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that later conversations should know."""

    memory: int
    """Its number in the session's journal; below 0 in the user's own; 0 while it has none there yet."""
    content: str
    key: str = ""
    value: str = ""
    turn: int = 0
    category: str = ""
    importance: float = 0.5
    """0 to 1."""
    at: float = 0.0
    """Seconds since 1970-01-01 UTC."""
    expires: float = 0.0
    """When it is forgotten, in seconds since 1970-01-01 UTC; 0 for never."""
    sensitive: bool = False
    """Whether it is kept out of shares and exports of memory."""
    conversation: str = ""
    """The conversation it came from."""
    replaces: list[int] = []
    """The memories whose place it took."""
    scope: Literal["session", "user"] = "session"
    """`user`: it is on its way to the user's own journal, where all of the user's sessions find it."""
    source: str = ""
    """In a user's own journal: where it was learned, as `session:memory`."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that the session does by itself at a moment."""

    alarm: int
    due: float
    """Seconds since 1970-01-01 UTC."""
    text: str
    turn: int = 0
    at: float = 0.0
    """When it was set."""


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """How the user likes to be spoken to; None where nothing is known."""

    formality: float | None = None
    """0 casual to 1 formal."""
    verbosity: float | None = None
    """0 as short as can be to 1 in full detail."""
    technical: float | None = None
    """0 plain to 1 technical."""
    pace: float | None = None
    """Words a minute that the user speaks."""
    wishes: Mapping[str, str] = {}
    """Whatever else was decided, by name."""


class Older(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that a policy wants and the state does not keep: the driver reads them from the store."""

    line: Sequence[tuple[str, int]]
    """(conversation, its last message that counts), the conversation itself first, then its ancestors. 0 for no bound."""
    before: int
    """Only messages with a smaller number."""
    count: int | None = None
    """How many, the newest ones; None for no bound."""
    tokens: int | None = None
    """How many tokens of them; None for no bound."""
    earlier: bool = False
    """Whether messages of other conversations count too, after those of the line."""
    apart: Sequence[str] = ()
    """Conversations that never count: they belong to the same tree, on another branch."""


class Recap(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in a conversation, in short."""

    kind: Literal["before", "branch", "earlier"]
    """`before`: in this line, before the messages that are given. `branch`: in a branch of this conversation. `earlier`: in
    another conversation."""
    conversation: str
    text: str
    """A line for each thing that mattered, the oldest first."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is given to answer from: chosen from the history by a policy, never the history itself."""

    instructions: str
    messages: Sequence[Message]
    """Oldest first. Messages of earlier conversations come before those of `conversation`."""
    summary: str = ""
    """What was said before the oldest of `messages`, in short; and what was said in branches, each with its name."""
    recaps: Sequence[Recap] = ()
    """What `summary` says, one by one."""
    given: Mapping[str, str] = {}
    """What the session's template needed to know, by name."""
    memories: Sequence[Memory]
    alarms: Sequence[Alarm]
    conversation: str
    now: float
    """Seconds since 1970-01-01 UTC."""
    timezone: str = ""
    """IANA name; empty for the host's."""
    language: str = ""
    """BCP 47 tag of the language to speak; empty for the engine's own choice."""
    voice: str = ""
    temperature: float | None = None
    """As it was set; an engine that accepts another range clamps it to its own."""
    max_output_tokens: int | None = None
    """The most tokens that one reply may have; None for the engine's own bound."""
    functions: bool = False
    """Whether the engine may call tools."""
    guest: bool = False
    """Whether somebody else than the session's user speaks: they teach the session nothing, and take nothing from it."""
    style: Style = Style()
    """What was learned of the user, where adaptation is on. `session.context.instructions_text` puts it into words."""
    version: int = 0
    """The version of the settings that this context was built from."""
    older: Older | None = None
    """What has to be read before the engine gets this; None when all is there."""


class Configure(msgspec.Struct, frozen=True, kw_only=True):
    """The settings have changed: go by this context from now on, and say so with `Configured`. Triggers no reply."""

    context: Context


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Answer this turn. The engine gives `Segment` events of the same turn, the last one marked."""

    turn: int
    text: str
    context: Context
    spoken: Sequence[str] = ()
    """Segments of this reply that are journaled already: go on after them. Learn nothing twice."""


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm is due: say so, as a reply that nobody asked for."""

    turn: int
    alarm: Alarm
    context: Context


class Speak(msgspec.Struct, frozen=True, kw_only=True):
    """Speak a segment that is now durable. Its audio goes to `AudioOut.play` with the same numbers."""

    reply: int
    index: int
    text: str
    last: bool
    pace: float | None = None
    """Words a minute that the user speaks, for a voice that keeps up with them: the same for all of a reply, also when it is
    spoken on elsewhere. None for the voice's own pace."""


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Drop the answer that is being made and every segment not yet spoken. `AudioOut.stop` was already called."""


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The microphone is off: what was said so far is all. Ends an open speech with `SpeechFinished` as soon as it is known."""


Request = Configure | Ask | Ring | Speak | Cancel | Finish


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and context are accepted; the engine listens."""


class SpeechBegan(msgspec.Struct, frozen=True, kw_only=True):
    offset: int
    """Where, in samples of the microphone stream as it was given to `hear`."""


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard so far. Never journaled."""

    text: str


class SpeechFinished(msgspec.Struct, frozen=True, kw_only=True):
    until: int
    """All audio before this sample is dealt with."""
    text: str
    """What was said; empty when it was no speech after all."""
    reason: str = "pause"
    seconds: float = 0.0
    """How long it was, by its samples. The session fills it in."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    turn: int
    text: str
    last: bool
    cites: Sequence[int] = ()


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    turn: int
    content: str
    key: str = ""
    value: str = ""
    category: str = ""
    importance: float = 0.5


class Forgot(msgspec.Struct, frozen=True, kw_only=True):
    turn: int
    memory: int


class AlarmWanted(msgspec.Struct, frozen=True, kw_only=True):
    turn: int
    due: float
    text: str


class AlarmDropped(msgspec.Struct, frozen=True, kw_only=True):
    turn: int
    alarm: int


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """The engine goes by that version of the settings."""

    version: int


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine used since it last said so."""

    heard: float = 0.0
    """Seconds of the user's audio that were listened to."""
    spoken: float = 0.0
    """Seconds of audio that were made."""
    tokens_in: int = 0
    """Tokens that were read."""
    tokens_out: int = 0
    """Tokens that were written."""
    characters: int = 0
    """Of text that was spoken."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The link is gone; it is never used again."""

    reason: str
    """Why, in a word. The code of an error that is `Refused` says that the next link would fail in the same way."""


EngineEvent = (
    Ready
    | SpeechBegan
    | Partial
    | SpeechFinished
    | Segment
    | Learned
    | Forgot
    | AlarmWanted
    | AlarmDropped
    | Configured
    | Used
    | Failed
)


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine can do, as data, so that nobody asks for its name."""

    name: str
    """As it stands in `engine.ready`."""
    listens: bool = True
    """Whether it takes audio at all."""
    hears: int | None = None
    """The rate it must be given, in Hz; None when it takes what comes."""
    speaks: int | None = None
    """The rate of its audio, in Hz; None when it is the rate it hears."""
    answers: bool = True
    """Whether it answers turns. An engine that does not only relays audio."""
    continues: bool = False
    """Whether it can speak on after a cut: the same text gives the same audio."""
    maximum: float | None = None
    """Seconds that a link may last; None for no limit."""
    temperature: tuple[float, float] | None = None
    """The lowest and the highest temperature that it accepts; None when it takes any, or has no use for one."""

    def clamped(self, temperature: float | None) -> float | None:
        """Return a temperature as this engine accepts it. Presets and users need not know its range.

        Example:
            >>> Capabilities(name="x", temperature=(0.6, 1.2)).clamped(0.3)
            0.6
        """
        if temperature is None or self.temperature is None:
            return temperature
        lowest, highest = self.temperature
        return min(max(temperature, lowest), highest)


class AudioOut(Protocol):
    """Where an engine puts its audio. Every call is synchronous and returns at once."""

    def relay(self, pcm: bytes | bytearray | memoryview) -> None:
        """Send one frame now. For audio that is in real time already and belongs to no reply."""
        ...

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        """Queue audio of a segment to be sent in real time; `last` with the last audio of the segment (may be empty)."""
        ...

    def queued(self) -> float:
        """Seconds of audio that wait to be sent. An engine waits while it is over 5."""
        ...

    def stop(self) -> None:
        """Drop what is queued. Called by the session at a cut; an engine need not."""
        ...


class Engine(Protocol):
    """What listens, thinks and speaks, for one link of one session.

    Whatever one of its methods raises is a failure of the link, as `Failed` is: this one is closed, and another one is made.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self, context: Context, rate: int, audio: AudioOut) -> None:
        """Begin. `rate` is that of the audio given to `hear`, in Hz: `capabilities.hears` where that is set.

        Raises:
            EngineError: It cannot begin.
        """
        ...

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Take one frame of the microphone. `offset` counts samples of the stream and may jump where audio was lost.

        The buffer is only valid during the call.
        """
        ...

    def send(self, request: Request) -> None:
        """Take a request. Returns at once, before it is carried out; a failure comes as a `Failed` event.

        Synchronous, so that a `Cancel` never waits in a queue behind what it cancels.
        """
        ...

    def __aiter__(self) -> AsyncIterator[EngineEvent]: ...

    async def close(self) -> None:
        """Stop everything within two seconds and end the iteration. Safe to call twice."""
        ...


class Engines(Protocol):
    """Makes the engines of a host's sessions: how to put your own in place of the built-in ones.

    Example:
        >>> async with Tenuto(engines=MyEngines()) as tenuto: ...  # doctest: +SKIP
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the engines can do. Known before one is made."""
        ...

    def make(self, voice: bool) -> Engine:
        """Return a new engine for one link.

        Args:
            voice: Whether it has to hear and speak; otherwise reading and writing is enough.

        Raises:
            TenutoError: There can be none; the session is told why.
        """
        ...

    async def start(self) -> None:
        """Load what is slow to load, beside: sessions may come before it is there.

        Raises:
            TenutoError: It cannot be loaded.
        """
        ...

    async def close(self) -> None:
        """Stop what all engines share."""
        ...


# ---------------------------------------------------------------------------------------------------------------- reader


class Reader(Protocol):
    """Reads what the user says, before it is stored. Pure and synchronous: once a turn, not once a frame."""

    def warm(self) -> None:
        """Import what is slow to import. It may run in a thread."""
        ...

    def redact(
        self, text: str, policy: Literal["mask", "drop"], region: str
    ) -> tuple[str, list[str]]:
        """Return a text without personal data, never empty, and the kinds that were found, each once.

        Raises:
            MissingExtra: What finds them is not installed.
        """
        ...

    def measure(
        self, text: str, seconds: float, *, learning: bool, analytics: bool
    ) -> Traits | None:
        """Return what a message tells; None when neither learning nor analytics wants anything."""
        ...


class Extractor(Protocol):
    """Finds facts in conversations that have ended. `engines.openai_extractor` has one that asks a language model."""

    async def extract(
        self, messages: Sequence[Message], known: Sequence[Memory]
    ) -> Sequence[Learned]:
        """Return the facts that the user tells of themselves, each with the turn that it was told in.

        Args:
            messages: The conversation, oldest first: what the session's own user said, and the agent. What somebody else, a
                tool or a program said is left out.
            known: What is known already.

        Raises:
            TenutoError: It cannot now. It is asked again later.
        """
        ...


# ------------------------------------------------------------------------------------------------------------- transport


class Listener(Protocol):
    """One attachment as the session sees it. Every call is synchronous and returns at once; none raises.

    A listener that cannot keep up closes itself: it never makes the session wait.
    """

    def event(self, row: Row) -> None:
        """Take one durable event. The bytes are the journal's, encoded once for all listeners."""
        ...

    def audio(self, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> None:
        """Take one frame to play now. `offset` is its first sample within the reply's audio; reply 0 is relayed audio."""
        ...

    def hush(self, reply: int) -> None:
        """The reply was cut: drop what is buffered of it. Comes before the event that says so."""
        ...

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        """Take something that is not journaled: a partial transcript, a change of status."""
        ...

    def closed(self, reason: str) -> None:
        """The session let go of this attachment: `superseded`, `ended`, `revoked`, `moved` or `draining`."""
        ...
