"""`tenuto.v1`: what the web client, the command line and `tenuto.client` speak with a server.

One WebSocket of subprotocol `tenuto.v1`. Text frames are JSON objects with a `type`; binary frames are audio. Client and
server each have one union, decoded by one decoder made once. A field that the reader does not know is skipped; a `type`
that it does not know is an error of code `unknown_type`, which does not close the socket.

The order of a connection::

    C  attach          S  attached
                       S  snapshot?  event*  live        what was missed, then the present
    C  command         S  ok | no                        after the commit that holds the effect
    C  mark            S  event* tell* hush* audio*
    C  rewind audio*   S  rewind                         when an engine was lost in the middle of what was said
    C  auth            S  auth_soon, authorized          before what the client was let in for ends
    C  beat            S  beat                           any frame is proof of life
    C  bye             S  bye, close

Audio frames have a head of eight bytes, little-endian: kind (1 = microphone, 2 = reply), a zero, the reply's number modulo
65,536 (0 for the microphone and for relayed audio), and the offset of the first sample, modulo 2^32. Then 16-bit PCM, one
channel, at the rate that `attached` named.
"""

import struct
from typing import Any, Literal

import msgspec

from tenuto.errors import InvalidAudio, InvalidInput

SUBPROTOCOL = "tenuto.v1"
TICKET_PREFIX = "tenuto.t."
"""A client offers its ticket as a second subprotocol; the server answers with `tenuto.v1` alone."""

MAX_TEXT = 64 * 1024
"""Bytes of a control frame."""
MAX_AUDIO = 16 * 1024
"""Bytes of an audio frame, head included."""
MAX_COMMANDS = 256
"""Commands that a client may have unanswered."""

MICROPHONE, REPLY = 1, 2
HEAD = struct.Struct("<BBHI")
"""Kind, zero, reply, offset."""


class CloseCode:
    """Why a socket was closed, in classes that tell a client whether to come back."""

    ENDED = 4000
    """Final: the session has ended, or the client said bye."""
    SUPERSEDED = 4001
    """Final: a newer client took the controls. Come back only when the person asks for it."""
    REFUSED = 4003
    """Final: not allowed, or no such session."""
    PROTOCOL = 4004
    """Final: what was sent is not tenuto.v1."""
    OVERLOADED = 4100
    """Back off, then come back."""
    SLOW = 4101
    """Back off: the client did not read fast enough."""
    SILENT = 4201
    """Come back at once: nothing was heard from the client."""
    MOVED = 4202
    """Come back at once, at the address of the `moved` message."""
    DRAINING = 4203
    """Come back at once: this server is going down."""
    EXPIRED = 4301
    """Come back with new credentials."""


# ------------------------------------------------------------------------------------------------------- client to server


class Have(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the journal the client has seen."""

    epoch: str
    position: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a reply came out of the loudspeaker."""

    reply: int
    seconds: float


class Mic(msgspec.Struct, frozen=True, kw_only=True):
    stream: str
    """Random, new for each microphone stream; offsets count from its beginning."""
    rate: int
    """Hertz, 8,000 to 48,000."""
    rewinds: bool = False
    """Whether the client does what `rewind` asks. What is said to one that does not is lost with the engine that heard it."""


class Loudspeaker(msgspec.Struct, frozen=True, kw_only=True):
    rate: int | None = None
    """Hertz, 8,000 to 48,000; None for whatever the engine speaks."""


class Attach(msgspec.Struct, frozen=True, kw_only=True, tag="attach"):
    session: str
    client: str
    """The client program's own id, random: the same over its reconnects and reloads."""
    role: Literal["controller", "observer"] = "controller"
    ticket: str = ""
    """Where it could not be sent as a subprotocol."""
    token: str = ""
    """The resume token of the last `attached`; instead of a ticket."""
    have: Have | None = None
    heard: Heard | None = None
    mic: Mic | None = None
    loudspeaker: Loudspeaker | None = None


class SendMessage(msgspec.Struct, frozen=True, kw_only=True, tag="send_message"):
    """Say something in writing."""

    text: str


class StopReply(msgspec.Struct, frozen=True, kw_only=True, tag="stop_reply"):
    """Cut the reply that is being spoken."""

    heard: float | None = None
    """Seconds of it that were heard, if the client knows."""


class StopListening(msgspec.Struct, frozen=True, kw_only=True, tag="stop_listening"):
    """The microphone is off: what was said so far is all."""


class StartConversation(msgspec.Struct, frozen=True, kw_only=True, tag="start_conversation"):
    conversation: str = ""
    """Its id; made up when empty."""


class EndConversation(msgspec.Struct, frozen=True, kw_only=True, tag="end_conversation"):
    pass


class EndSession(msgspec.Struct, frozen=True, kw_only=True, tag="end_session"):
    pass


Do = SendMessage | StopReply | StopListening | StartConversation | EndConversation | EndSession


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    number: int
    """1, 2, 3 ... of this client. A command that is sent again is answered from the journal and runs once."""
    do: Do


class Mark(msgspec.Struct, frozen=True, kw_only=True, tag="mark"):
    """How much of a reply was heard by now: every 250 ms while playing, and once when all of it was."""

    reply: int
    seconds: float
    done: bool = False
    """Whether the client has played everything that it was sent of the reply."""


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag="beat"):
    """A proof of life."""

    position: int = 0
    """From a client: the last event it has seen."""
    mic: int = 0
    """From the server: nothing that was said before this sample can be lost any more."""


class Rewind(msgspec.Struct, frozen=True, kw_only=True, tag="rewind"):
    """The microphone is sent again, as after an attach: what was said came to nothing, as the engine that heard it was lost."""

    mic: int
    """From the server: send again from this sample on; what comes before the answer is not taken. From a client, in answer:
    what follows begins at this sample, the oldest that it has kept if that is later.
    """


class Auth(msgspec.Struct, frozen=True, kw_only=True, tag="auth"):
    """Let me stay: another ticket, in answer to `auth_soon`. One that is not good is an `error`, and changes nothing."""

    ticket: str


class Bye(msgspec.Struct, frozen=True, kw_only=True, tag="bye"):
    """This side is going, on purpose."""

    reason: str = "left"


FromClient = Attach | Command | Mark | Rewind | Auth | Beat | Bye

# ------------------------------------------------------------------------------------------------------- server to client


class Attached(msgspec.Struct, frozen=True, kw_only=True, tag="attached"):
    session: str
    epoch: str
    attachment: int
    role: Literal["controller", "observer"]
    mode: Literal["fresh", "replay", "snapshot"]
    recovered: bool
    """Whether every event after `have` follows. If not, a snapshot does."""
    head: int
    token: str
    """The next resume token. The one before it is void as soon as this one is used."""
    commands: int
    """The last command of this client that is durable. The client sends the later ones again."""
    beat: float = 5.0
    """Seconds between beats, both ways. After 12 s without a frame the other side is dead."""
    mic: int = 0
    """Send the microphone from this sample on."""
    hears: int = 0
    """Hertz of the microphone's audio; 0 when the engine takes no audio."""
    speaks: int = 0
    """Hertz of the audio that will be sent; 0 when none will."""
    url: str = ""
    """Where to come back to; empty for the same address."""
    limits: dict[str, int] = {}


class Live(msgspec.Struct, frozen=True, kw_only=True, tag="live"):
    """The end of what was missed."""

    head: int


class Ok(msgspec.Struct, frozen=True, kw_only=True, tag="ok"):
    """The command's effect is durable, at `position`."""

    number: int
    position: int


class No(msgspec.Struct, frozen=True, kw_only=True, tag="no"):
    """The command was refused; sending it again changes nothing unless `retryable`."""

    number: int
    code: str
    message: str
    retryable: bool = False


class Hush(msgspec.Struct, frozen=True, kw_only=True, tag="hush"):
    """Stop playing this reply, and drop what is buffered of it."""

    reply: int


class Tell(msgspec.Struct, frozen=True, kw_only=True, tag="tell"):
    """Something that is not journaled."""

    kind: str
    """`status` {state} or `partial` {text}."""
    body: dict[str, Any] = {}


class AuthSoon(msgspec.Struct, frozen=True, kw_only=True, tag="auth_soon"):
    """The client's credentials end. Send `auth` with another ticket, and the attachment goes on."""

    seconds: float
    """Until then. The socket is closed 30 s later, with 4301."""


class Authorized(msgspec.Struct, frozen=True, kw_only=True, tag="authorized"):
    """The ticket was good: the attachment goes on. Its resume token does not: come back with a ticket."""

    seconds: float
    """Until the new credentials end."""


class Moved(msgspec.Struct, frozen=True, kw_only=True, tag="moved"):
    """Another host serves this session."""

    url: str
    after: float = 0.0
    """Seconds to wait first."""


class Error(msgspec.Struct, frozen=True, kw_only=True, tag="error"):
    """What was sent could not be taken. The socket stays open unless a close follows."""

    code: str
    message: str


FromServer = (
    Attached
    | Live
    | Ok
    | No
    | Hush
    | Tell
    | Rewind
    | AuthSoon
    | Authorized
    | Beat
    | Moved
    | Error
    | Bye
)
"""All but `event` and `snapshot`, which carry journal bytes as they are: see `event` and `snapshot` below."""


class EventFrame(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """One event of the journal, as a client reads it."""

    position: int
    event: msgspec.Raw


class SnapshotFrame(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """The session's state at a position, for a client that missed too much: see `session.resume.view`."""

    position: int
    state: msgspec.Raw


ToClient = FromServer | EventFrame | SnapshotFrame

# ----------------------------------------------------------------------------------------------------------------- codecs

encode = msgspec.json.Encoder().encode
_from_client = msgspec.json.Decoder(FromClient).decode
_to_client = msgspec.json.Decoder(ToClient).decode


class UnknownType(InvalidInput):
    """The message is of a type that this version does not know."""

    code = "unknown_type"


def decode_client(data: bytes | bytearray | memoryview | str) -> FromClient:
    """Read what a client sent.

    Raises:
        UnknownType: It is of no known type.
        InvalidInput: It is too large, is not JSON, or lacks a field; the message says which.
    """
    if len(data) > MAX_TEXT:
        raise InvalidInput(f"A control frame may have {MAX_TEXT} bytes; this one has {len(data)}.")
    try:
        message: FromClient = _from_client(data)
        return message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what = str(error)
        unknown = what.startswith("Invalid value") and what.endswith("`$.type`")
        refusal = UnknownType if unknown else InvalidInput
        raise refusal(f"Not a message of tenuto.v1: {what}") from None


def decode_server(data: bytes | str) -> ToClient:
    """Read what a server sent.

    Raises:
        InvalidInput: It is no message of tenuto.v1.
    """
    try:
        message: ToClient = _to_client(data)
        return message
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Not a message of tenuto.v1: {error}") from None


def event(position: int, body: bytes) -> bytes:
    """Return the frame of one event: the journal's own bytes, with the position in front."""
    return b'{"type":"event","position":%d,"event":%b}' % (position, body)


def snapshot(position: int, state: bytes) -> bytes:
    """Return the frame of a snapshot."""
    return b'{"type":"snapshot","position":%d,"state":%b}' % (position, state)


def audio(kind: int, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> bytes:
    """Return one audio frame."""
    return HEAD.pack(kind, 0, reply & 0xFFFF, offset & 0xFFFFFFFF) + pcm


def decode_audio(
    data: bytes | bytearray | memoryview,
) -> tuple[int, int, int, bytes | bytearray | memoryview]:
    """Return kind, reply, offset and PCM of an audio frame; the PCM shares the buffer's memory if that is a memoryview.

    Raises:
        InvalidAudio: It is too large or too short, of an unknown kind, or ends within a sample.
    """
    if not 8 <= len(data) <= MAX_AUDIO or len(data) & 1:
        raise InvalidAudio(
            f"An audio frame has 8 bytes of head and whole 16-bit samples, {MAX_AUDIO} bytes at most; "
            f"this one has {len(data)} bytes."
        )
    kind, zero, reply, offset = HEAD.unpack_from(data)
    if zero or kind not in (MICROPHONE, REPLY):
        raise InvalidAudio(
            f"Audio frames are of kind 1 (microphone) or 2 (reply), then a zero; not {kind}, {zero}."
        )
    return kind, reply, offset, data[8:]
