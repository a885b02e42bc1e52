"""What the core wants done.

Durable effects wait for the commit of the events that they came with: whatever anybody sees or is told. Reflex effects are
carried out at once, before any commit: they stop something, and are safe to lose or to repeat.
"""

import msgspec

from tenuto.session.ports import Configure, Context, Finish, Request


class OpenEngine(msgspec.Struct, frozen=True):
    """Durable. Open a new link and restore this context into it, silently."""

    link: int
    voice: bool
    """Whether it has to hear and speak; otherwise reading and writing is enough."""
    context: Context


class ToEngine(msgspec.Struct, frozen=True):
    """Durable. Send a request over the link, or as soon as it is ready."""

    request: Request


class Refresh(msgspec.Struct, frozen=True):
    """Durable. Have the link go by this context when nothing newer has come for a moment: the last one wins."""

    context: Context


class Resume(msgspec.Struct, frozen=True):
    """Durable. Speak from here on: what comes before `heard` seconds of the reply's audio was heard and is left out."""

    reply: int
    heard: float


class RetryLater(msgspec.Struct, frozen=True):
    """Durable. Send `Retry` after a random part of these seconds. The newest one counts, and no other."""

    seconds: float


class CloseEngine(msgspec.Struct, frozen=True):
    """Durable. Close the link."""


class LetGo(msgspec.Struct, frozen=True):
    """Durable. Tell an attachment that it is over, and forget it."""

    attachment: int
    reason: str


class StartGrace(msgspec.Struct, frozen=True):
    """Durable. Park the session when nobody has come back after the grace."""


class Unload(msgspec.Struct, frozen=True):
    """Durable. The session is parked or ended: give up the lease and forget it in RAM."""


class Hush(msgspec.Struct, frozen=True):
    """Reflex. Stop this reply's audio here and at the client."""

    reply: int


class Pause(msgspec.Struct, frozen=True):
    """Reflex. Stop sending audio. What a client has buffered is heard: the reply goes on after it."""


class Quit(msgspec.Struct, frozen=True):
    """Reflex. Have the engine drop the answer that it is making and speaking."""


Durable = (
    OpenEngine
    | ToEngine
    | Refresh
    | Resume
    | RetryLater
    | CloseEngine
    | LetGo
    | StartGrace
    | Unload
)
Reflex = Hush | Pause | Quit
Effect = Durable | Reflex


def is_for_an_answer(effect: Effect) -> bool:
    """Whether `Quit` makes this void: a request to answer or to speak."""
    return isinstance(effect, ToEngine) and not isinstance(effect.request, Finish | Configure)
