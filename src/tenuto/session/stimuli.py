"""What a core is told: a client came or went, somebody wrote, an engine spoke, a moment has come.

A stimulus is what happened outside, not yet what it means: the core makes events of it, or refuses it.
"""

from dataclasses import dataclass
from typing import Any

from tenuto import events as e
from tenuto.session import ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    session: str
    tenant: str
    user: str
    epoch: str
    config: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """This host has taken the session."""

    host: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A client attaches."""

    role: e.AttachmentRole
    client: str
    transport: str
    voice: bool = False
    opens: bool = True
    """Whether a conversation is started for it when none is open."""
    mic: str = ""
    """Its microphone stream; empty when it has none."""
    token: str = ""
    """SHA-256 of its next resume token."""
    shown: str = ""
    """SHA-256 of the resume token that it came with."""
    heard: tuple[int, float] | None = None
    """The open reply, and the seconds of it that the client has played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    attachment: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """The user says something in writing."""

    text: str
    client: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Cut the reply that is being made or spoken."""

    heard: float | None = None
    reason: str = "stopped"
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The user stops listening: what was said so far is all."""

    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConversation:
    conversation: str
    parent: str = ""
    resume: bool = False
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConversation:
    reason: str = "user"
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Somebody adds a memory by hand."""

    content: str
    key: str = ""
    value: str = ""
    category: str = ""
    importance: float = 0.5
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A client has played this much of a reply."""

    reply: int
    seconds: float
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """All audio of the reply was sent, and no client has said for a while how much of it was played."""

    reply: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAccepted:
    link: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FromEngine:
    link: int
    event: ports.EngineEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """It is late enough for the alarms that are due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    reason: str = "user"
    cause: str = ""


Stimulus = (
    Create
    | Restore
    | Join
    | Leave
    | Revoke
    | Type
    | Stop
    | Hold
    | StartConversation
    | EndConversation
    | Remember
    | Mark
    | Played
    | LinkAccepted
    | FromEngine
    | Due
    | Park
    | End
)
