"""A session as a file: a header, one line for each event, a last line that proves that nothing is missing.

    {"format":"tenuto.session","version":1,"session":"...","user":"...","position":3}
    {"type":"session.created", ...}
    ...
    {"position":3,"sha256":"..."}

The events are the bytes of the journal, so that what this version does not know goes along unharmed. Import gives the
journal back, but for the names that have to change (the session's id where it is taken, and users) and the hashes of
resume tokens, which let nobody into a copy.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import ExportUnsupported, InvalidInput
from tenuto.session.ports import Row

FORMAT = "tenuto.session"
VERSION = 1
LONGEST_LINE = 1 << 20
"""Bytes of one line."""

_OF_USERS: dict[str, tuple[str, ...]] = {
    "session.created": ("user",),
    "message.added": ("user",),
    "share.created": ("user", "by"),
    "share.revoked": ("by",),
    "share.accessed": ("user",),
    "note.added": ("user",),
}
"""Where an event names a user."""
_OF_CLIENTS = {"attachment.attached": ("token", "shown")}
"""Where an event holds what a client proves itself with. It proves nothing elsewhere: whoever wrote the file chose it."""
_NO_EXPORT = "This is not an export of Tenuto."


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str
    version: int
    session: str
    user: str
    position: int
    """How many events follow."""


class Footer(msgspec.Struct, frozen=True, kw_only=True):
    """The last line."""

    position: int
    sha256: str
    """Of the lines of the events, each with its newline, in hex."""


class _Named(msgspec.Struct, frozen=True):
    type: str


NOT_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What a decoder raises: it is no JSON, no text, or nested so deep that it is meant to do harm."""

_encode = msgspec.json.Encoder().encode
_name = msgspec.json.Decoder(_Named)
_fields = msgspec.json.Decoder(dict[str, Any])
_header = msgspec.json.Decoder(Header)
_footer = msgspec.json.Decoder(Footer)


class Writer:
    """Makes the lines of an export, as the rows of a journal come in.

    Args:
        session: The session's id.
        user: Whose it is.
        position: How many rows there will be.
    """

    def __init__(self, session: str, user: str, position: int) -> None:
        self._header = Header(
            format=FORMAT, version=VERSION, session=session, user=user, position=position
        )
        self._position = 0
        self._sum = hashlib.sha256()

    def begin(self) -> bytes:
        """Return the first line."""
        return _encode(self._header) + b"\n"

    def line(self, row: Row) -> bytes:
        """Return the line of the next row."""
        line = row.body + b"\n"
        self._position += 1
        self._sum.update(line)
        return line

    def end(self) -> bytes:
        """Return the last line."""
        return _encode(Footer(position=self._position, sha256=self._sum.hexdigest())) + b"\n"


class Reader:
    """Reads an export, line by line.

    Raises:
        ExportUnsupported: It is of another format, or of a later version.
        InvalidInput: A line is damaged or missing; the message says which.
    """

    def __init__(self, first: bytes) -> None:
        try:
            self.header = _header.decode(first)
        except NOT_JSON:
            raise ExportUnsupported(_NO_EXPORT) from None
        if self.header.format != FORMAT or self.header.version > VERSION:
            raise ExportUnsupported(
                f"This export is {self.header.format} version {self.header.version}; known is {FORMAT} up to "
                f"version {VERSION}. Upgrade Tenuto."
            )
        self._sum = hashlib.sha256()
        self._position = 0
        self.complete = False
        """Whether the last line came, and all is there."""

    def line(self, line: bytes) -> Row | None:
        """Return the row of the next line; None for the last one."""
        line = line.rstrip(b"\r\n")
        if self.complete:
            raise InvalidInput("There is something after the export's last line.")
        if len(line) > LONGEST_LINE:
            raise InvalidInput(f"Line {self._position + 2} is longer than {LONGEST_LINE} bytes.")
        if self._position == self.header.position:
            self._finish(line)
            return None
        self._position += 1
        self._sum.update(line + b"\n")
        try:
            return Row(self._position, _name.decode(line).type, line)
        except NOT_JSON:
            raise InvalidInput(f"Line {self._position + 1} of the export is no event.") from None

    def _finish(self, line: bytes) -> None:
        try:
            footer = _footer.decode(line)
        except NOT_JSON:
            raise InvalidInput("The export's last line is damaged.") from None
        if footer != Footer(position=self._position, sha256=self._sum.hexdigest()):
            raise InvalidInput("The export was changed or cut: its checksum does not match.")
        self.complete = True


def is_header(line: bytes) -> bool:
    """Say whether a line is the first one of an export, of this version or another."""
    try:
        return _header.decode(line).format == FORMAT
    except NOT_JSON:
        return False


def to_lines(record: Mapping[str, Any]) -> Iterator[bytes]:
    """Return the lines of an export that was given as one object, as `export_full` does."""
    try:
        head = {key: record[key] for key in Header.__struct_fields__}
        foot = {"position": record["position"], "sha256": record["sha256"]}
        events = list(record["events"])
        lines = [_encode(each) for each in (head, *events, foot)]
    except (LookupError, TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        raise ExportUnsupported(_NO_EXPORT) from None
    yield from lines


def to_record(lines: Iterable[bytes]) -> dict[str, Any]:
    """Return an export as one object that JSON can hold."""
    head, *events, foot = (_fields.decode(line) for line in lines)
    return {**head, "sha256": foot["sha256"], "events": events}


def adopt(
    row: Row, *, session: str, tenant: str, epoch: str, users: Mapping[str, str], **more: str
) -> Row:
    """Return a row as it stands in the journal of another session.

    Args:
        session: That session's id.
        tenant: That session's tenant.
        epoch: That session's epoch.
        users: Users by the names that they had.
        more: What else its first event says.
    """
    places, secrets = _OF_USERS.get(row.type, ()), _OF_CLIENTS.get(row.type, ())
    if not places and not secrets:
        return row
    event = _fields.decode(row.body)
    for place in places:
        if event.get(place) in users:
            event[place] = users[event[place]]
    for place in secrets:
        event.pop(place, None)
    if row.type == e.TAGS[e.SessionCreated]:
        event.update({"session": session, "tenant": tenant, "epoch": epoch, **more})
    return Row(row.position, row.type, _encode(event))
