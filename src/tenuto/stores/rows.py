"""Events into rows and back: the only place where an event becomes bytes.

An event is encoded once; the same bytes are stored, replayed and sent to every listener. Decoding takes two steps,
because a journal may hold events of a later version: a known tag gives the typed event, an unknown one gives
`events.Unknown`, which the fold skips while its row stays as it is.
"""

from collections.abc import Iterable

import msgspec

from tenuto.errors import InvalidInput, StoreCorrupt
from tenuto.events import KINDS, TAGS, Event, Unknown
from tenuto.session.ports import Row


class _Envelope(msgspec.Struct, frozen=True):
    """What every event has, in every version."""

    at: float
    cause: str = ""


_encode = msgspec.json.Encoder().encode
_decoders = {tag: msgspec.json.Decoder(kind) for tag, kind in KINDS.items()}
_envelope = msgspec.json.Decoder(_Envelope)


def to_row(position: int, event: Event) -> Row:
    """Encode an event for its place in the journal.

    Raises:
        InvalidInput: The event is an `Unknown`: its row exists already, and is passed on as it is.

    Example:
        >>> from tenuto.events import AlarmRang
        >>> to_row(7, AlarmRang(at=2.0, alarm=1))
        Row(position=7, type='alarm.rang', body=b'{"type":"alarm.rang","at":2.0,"alarm":1}')
    """
    if isinstance(event, Unknown):
        raise InvalidInput(
            f"An event of the later kind {event.kind!r} cannot be written again: pass its row on."
        )
    return Row(position, TAGS[type(event)], _encode(event))


def to_rows(after: int, events: Iterable[Event]) -> list[Row]:
    """Encode events for the places that follow the position `after`.

    Raises:
        InvalidInput: One of them is an `Unknown`.
    """
    return [to_row(position, event) for position, event in enumerate(events, after + 1)]


def to_event(row: Row) -> Event:
    """Decode a row. A tag that this version does not know gives an `Unknown` with that tag as its `kind`.

    Raises:
        StoreCorrupt: The body is not the event that its tag names.
    """
    decoder = _decoders.get(row.type)
    try:
        if decoder is not None:
            return decoder.decode(row.body)
        envelope = _envelope.decode(row.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The cause may quote the body, which is speech: it stays out of the traceback.
        raise StoreCorrupt(
            f"The {row.type} event at position {row.position} cannot be read. "
            "Restore the store from a backup."
        ) from None
    return Unknown(at=envelope.at, cause=envelope.cause, kind=row.type)
