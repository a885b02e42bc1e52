"""What the core wants done.

Durable effects wait for the commit of the events that they came with: whatever anybody sees or is told. Reflex effects are
carried out at once, before any commit: they stop something, and are safe to lose or to repeat.
"""

from dataclasses import dataclass

from tenuto.session.ports import Context, Finish, Request


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """Durable. Open a new link and restore this context into it, silently."""

    link: int
    voice: bool
    """Whether it has to hear and speak; otherwise reading and writing is enough."""
    context: Context


@dataclass(frozen=True, slots=True)
class ToEngine:
    """Durable. Send a request over the link, or as soon as it is ready."""

    request: Request


@dataclass(frozen=True, slots=True)
class Resume:
    """Durable. Speak from here on: what comes before `heard` seconds of the reply's audio was heard and is left out."""

    reply: int
    heard: float


@dataclass(frozen=True, slots=True)
class CloseEngine:
    """Durable. Close the link."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """Durable. Tell an attachment that it is over, and forget it."""

    attachment: int
    reason: str


@dataclass(frozen=True, slots=True)
class StartGrace:
    """Durable. Park the session when nobody has come back after the grace."""


@dataclass(frozen=True, slots=True)
class Unload:
    """Durable. The session is parked or ended: give up the lease and forget it in RAM."""


@dataclass(frozen=True, slots=True)
class Hush:
    """Reflex. Stop this reply's audio here and at the client."""

    reply: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Reflex. Stop sending audio. What a client has buffered is heard: the reply goes on after it."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Reflex. Have the engine drop the answer that it is making and speaking."""


Durable = OpenEngine | ToEngine | Resume | CloseEngine | LetGo | StartGrace | Unload
Reflex = Hush | Pause | Quit
Effect = Durable | Reflex


def is_for_an_answer(effect: Effect) -> bool:
    """Whether `Quit` makes this void: a request to answer or to speak."""
    return isinstance(effect, ToEngine) and not isinstance(effect.request, Finish)
