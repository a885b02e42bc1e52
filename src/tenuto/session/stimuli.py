"""What a core is told: a client came or went, somebody wrote, an engine spoke, a moment has come.

A stimulus is what happened outside, not yet what it means: the core makes events of it, or refuses it.
"""

from typing import Any

import msgspec

from tenuto import events as e
from tenuto.session import ports


class Create(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    tenant: str
    user: str
    epoch: str
    config: dict[str, Any]


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """This host has taken the session."""

    host: str
    fence: int


class Join(msgspec.Struct, frozen=True, kw_only=True):
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


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    attachment: int
    reason: str


class Revoke(msgspec.Struct, frozen=True, kw_only=True):
    client: str


class Type(msgspec.Struct, frozen=True, kw_only=True):
    """The user says something in writing."""

    text: str
    client: str = ""
    cause: str = ""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Cut the reply that is being made or spoken."""

    heard: float | None = None
    reason: str = "stopped"
    cause: str = ""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """The user stops listening: what was said so far is all."""

    cause: str = ""


class StartConversation(msgspec.Struct, frozen=True, kw_only=True):
    conversation: str
    parent: str = ""
    resume: bool = False
    cause: str = ""


class EndConversation(msgspec.Struct, frozen=True, kw_only=True):
    reason: str = "user"
    cause: str = ""


class Remember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody adds a memory by hand."""

    content: str
    key: str = ""
    value: str = ""
    category: str = ""
    importance: float = 0.5
    cause: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A client has played this much of a reply."""

    reply: int
    seconds: float
    done: bool = False


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """All audio of the reply was sent, and no client has said for a while how much of it was played."""

    reply: int


class LinkAccepted(msgspec.Struct, frozen=True, kw_only=True):
    link: int


class FromEngine(msgspec.Struct, frozen=True, kw_only=True):
    link: int
    event: ports.EngineEvent


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """It is late enough for the alarms that are due."""


class Park(msgspec.Struct, frozen=True, kw_only=True):
    pass


class End(msgspec.Struct, frozen=True, kw_only=True):
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
