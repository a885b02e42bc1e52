"""What a client tells its user, in order. One stream; each kind is one struct."""

from typing import Any, Literal

import msgspec

from tenuto.events import CATALOGUE, KINDS, Event, Unknown

State = Literal["connecting", "live", "reconnecting", "closed"]
"""Where a client stands. `live` is: everything that was missed has been told."""


class Happened(msgspec.Struct, frozen=True):
    """An event of the journal. Each comes once, in the order of its position."""

    position: int
    """1, 2, 3 ..."""
    event: Event
    body: bytes
    """The event as it stands in the journal: JSON."""


class Restored(msgspec.Struct, frozen=True):
    """The session as a whole, in place of events that were missed: forget what was known before."""

    position: int
    """The next event has a later one."""
    state: dict[str, Any]
    """As `session.resume.View`."""


class Told(msgspec.Struct, frozen=True):
    """Something that is not journaled."""

    kind: str
    """`status` {state} or `partial` {text}."""
    body: dict[str, Any]


class Changed(msgspec.Struct, frozen=True):
    """The client's own state changed."""

    state: State


class Complained(msgspec.Struct, frozen=True):
    """The server could not take something that was sent; the connection stays."""

    code: str
    """The server's, as in `tenuto.errors`; or `speech_lost`: it began to hear something and could not be sent it again."""
    message: str


class Missed(msgspec.Struct, frozen=True):
    """Items were not read in time, and are gone. Read faster, or read the history over REST."""

    items: int
    """How many."""


class Answered(msgspec.Struct, frozen=True):
    """A command was carried out, and what it did is durable."""

    number: int
    position: int


class Refusal(msgspec.Struct, frozen=True):
    """A command was refused."""

    number: int
    code: str
    message: str


Item = Happened | Restored | Told | Changed | Complained | Missed
Answer = Answered | Refusal


class _Any(msgspec.Struct):
    type: str
    at: float = 0.0
    cause: str = ""


_decoders = {tag: msgspec.json.Decoder(kind) for tag, kind in KINDS.items()}
_any = msgspec.json.Decoder(_Any)
assert len(_decoders) == len(CATALOGUE)


def read_event(body: bytes) -> Event:
    """Return the event of these journal bytes; `Unknown` for a kind of a later version.

    Raises:
        msgspec.MsgspecError: They are no event.
    """
    known = _any.decode(body)
    decoder = _decoders.get(known.type)
    if decoder is None:
        return Unknown(at=known.at, cause=known.cause, kind=known.type)
    return decoder.decode(body)
