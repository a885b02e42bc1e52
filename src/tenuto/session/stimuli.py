"""What a core is told: a client came or went, somebody wrote, an engine spoke, a moment has come.

A stimulus is what happened outside, not yet what it means: the core makes events of it, or refuses it.
"""

from typing import Any

import msgspec

from tenuto import events as e
from tenuto.session import ports
from tenuto.session.desk import Rule


class Create(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    tenant: str
    user: str
    epoch: str
    config: dict[str, Any]
    layers: dict[str, dict[str, Any]] = {}
    template: str = ""
    context: dict[str, str] = {}
    categories: list[str] = []


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
    left: int = 0
    """The sample of the stream before it at which that one was left."""
    token: str = ""
    """SHA-256 of its next resume token."""
    shown: str = ""
    """SHA-256 of the resume token that it came with."""
    heard: tuple[int, float] | None = None
    """The open reply, and the seconds of it that the client has played."""
    share: int = 0
    """The share that it looks through; 0 when it is the session's own user's."""


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    attachment: int
    reason: str


class Revoke(msgspec.Struct, frozen=True, kw_only=True):
    client: str


class Type(msgspec.Struct, frozen=True, kw_only=True):
    """The user says something in writing."""

    text: str
    client: str = ""
    user: str = ""
    """Who says it, when it is not the session's own user."""
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
    config: dict[str, Any] = {}
    """Settings that hold while it is open."""
    resume: bool = False
    """Go on with one: of that id, or the one that was used last when it is empty."""
    fresh: bool = False
    """Whether the link is closed too: the next one has heard nothing of what was."""
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


class Decide(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody wants something that only the state decides on. Several rules are one step: all of them, or none."""

    rules: tuple[Rule, ...]
    waits: bool = False
    """Whether the engine may be told of it a little later, together with what comes next."""


class Inject(msgspec.Struct, frozen=True, kw_only=True):
    """The application puts a message into the context. It is not answered."""

    role: e.Role
    text: str
    key: str = ""
    """A message of a key that is known already is not put in again."""
    cause: str = ""


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """The application has the agent say something that nobody asked for."""

    text: str
    cause: str = ""


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """Open a link to the engine, if none is."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """It is time to try another link, if one was lost and somebody still needs it."""


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """Close the link to the engine. Everything that it knew of the session is in the journal."""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Stop everything that bills, and keep the context."""

    cause: str = ""


class Unpause(msgspec.Struct, frozen=True, kw_only=True):
    cause: str = ""


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """The program that holds the session has opened a microphone, or closed it."""

    on: bool
    mic: str = ""
    """The stream that it gives its frames to."""


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
    """Nobody needs the session here any more."""

    held: bool = False
    """Whether a program is in a block that holds it: then the engine is closed, and the session stays."""


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
    | Decide
    | Inject
    | Say
    | Connect
    | Retry
    | Disconnect
    | Pause
    | Unpause
    | Listen
    | Mark
    | Played
    | LinkAccepted
    | FromEngine
    | Due
    | Park
    | End
)
