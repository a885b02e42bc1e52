"""A session as a file: what goes out comes back, and what was damaged does not."""

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import ExportUnsupported, InvalidInput
from tenuto.session import transfer
from tenuto.session.ports import Row
from tenuto.stores import rows

JOURNAL = [
    *rows.to_rows(
        0,
        [
            e.SessionCreated(at=1.0, session="s", tenant="t", user="old", epoch="0" * 16),
            e.ConversationStarted(at=2.0, conversation="c1"),
            e.MessageAdded(
                at=3.0, message=1, role="user", text="Hi", turn=1, conversation="c1", user="guest"
            ),
        ],
    ),
    Row(4, "weather.changed", b'{"type":"weather.changed","at":4.0,"sky":"gr\xc3\xa5"}'),
]


def lines(journal: list[Row] = JOURNAL) -> list[bytes]:
    writer = transfer.Writer("s", "old", len(journal))
    return [writer.begin(), *(writer.line(row) for row in journal), writer.end()]


def read(found: list[bytes]) -> list[Row]:
    reader = transfer.Reader(found[0])
    made = [row for line in found[1:] if (row := reader.line(line)) is not None]
    assert reader.complete
    return made


def test_what_goes_out_comes_back_byte_for_byte() -> None:
    assert read(lines()) == JOURNAL


def test_one_object_is_the_same_export() -> None:
    record = transfer.to_record(lines())
    assert msgspec.json.decode(msgspec.json.encode(record)) == record
    assert record["events"][3]["sky"] == "grå"
    assert read(list(transfer.to_lines(record))) == JOURNAL


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b"hello", "not an export"),
        (b"\xff\xff", "not an export"),
        (b'{"format":"tenuto.session"}', "not an export"),
        (lines()[0].replace(b'"version":1', b'"version":2'), "version 2; known is"),
        (lines()[0].replace(b"tenuto.session", b"other.session"), "other.session version 1"),
    ],
)
def test_what_is_no_export_of_a_known_version_is_refused(first: bytes, message: str) -> None:
    with pytest.raises(ExportUnsupported, match=message):
        transfer.Reader(first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: [*found[:2], found[2].replace(b"c1", b"c2"), *found[3:]], "checksum"),
        (lambda found: [*found[:3], *found[4:]], r"no event|last line|checksum"),
        (lambda found: [*found[:3], b"\xff", *found[4:]], "Line 4 of the export is no event"),
        (lambda found: [*found[:3], b"[]", *found[4:]], "Line 4 of the export is no event"),
        (lambda found: [*found[:-1], b"\xff"], "last line is damaged"),
        (lambda found: [*found, b"{}"], "after the export's last line"),
        (lambda found: [*found[:2], b'"' + b"x" * (1 << 20) + b'"', *found[3:]], "longer than"),
    ],
)
def test_what_was_damaged_is_found(change: object, message: str) -> None:
    assert callable(change)
    with pytest.raises(InvalidInput, match=message):
        read(change(lines()))


@pytest.mark.parametrize(
    "record", [{}, {"events": 3}, {**transfer.to_record(lines()), "events": 1}]
)
def test_an_object_that_is_no_export_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ExportUnsupported):
        list(transfer.to_lines(record))


def test_a_row_is_adopted_under_other_names() -> None:
    users = {"old": "new", "guest": "friend"}
    adopted = [
        transfer.adopt(row, session="s2", tenant="t2", epoch="1" * 16, users=users, origin="fork")
        for row in JOURNAL
    ]
    created = rows.to_event(adopted[0])
    assert isinstance(created, e.SessionCreated)
    assert (created.session, created.tenant, created.user, created.origin) == (
        "s2",
        "t2",
        "new",
        "fork",
    )
    assert adopted[1] is JOURNAL[1]
    message = rows.to_event(adopted[2])
    assert isinstance(message, e.MessageAdded)
    assert message.user == "friend"
    assert adopted[3] is JOURNAL[3]


def test_a_field_that_is_not_known_goes_along() -> None:
    row = Row(1, "note.added", b'{"type":"note.added","at":1.5,"colour":"red","user":"old"}')
    adopted = transfer.adopt(row, session="s2", tenant="t2", epoch="", users={"old": "new"})
    assert adopted.body == b'{"type":"note.added","at":1.5,"colour":"red","user":"new"}'


def test_a_copy_knows_its_clients_and_none_of_their_tokens() -> None:
    attached = e.AttachmentAttached(
        at=1.0, attachment=1, role="controller", client="tab", transport="x", token="a", shown="b"
    )
    (row,) = rows.to_rows(0, [attached])
    adopted = transfer.adopt(row, session="s2", tenant="t2", epoch="", users={})
    assert rows.to_event(adopted) == msgspec.structs.replace(attached, token="", shown="")


DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def test_what_is_nested_to_do_harm_is_refused() -> None:
    with pytest.raises(ExportUnsupported):
        transfer.Reader(DEEP)
    first = lines()[0]
    with pytest.raises(InvalidInput, match="Line 2"):
        transfer.Reader(first).line(DEEP)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ExportUnsupported):
        list(transfer.to_lines({**transfer.to_record(lines()), "events": [deep]}))
    while deep:
        deep = deep[0]  # type: ignore[assignment]


def test_a_first_line_is_known() -> None:
    assert transfer.is_header(lines()[0])
    assert not transfer.is_header(b'[{"role":"user"}')
    assert not transfer.is_header(lines()[0].replace(b"tenuto.", b"other."))


def test_every_field_that_names_a_user_is_renamed() -> None:
    """A new event with a `user` or a `by` that is a user's fails here."""
    named = {
        e.TAGS[kind]: tuple(
            field.name
            for field in msgspec.structs.fields(kind)
            if field.name in ("user", "by") and field.type is str
        )
        for kind in e.CATALOGUE
    }
    assert transfer._OF_USERS == {tag: names for tag, names in named.items() if names}


def test_who_is_not_renamed_keeps_the_name() -> None:
    row = transfer.adopt(JOURNAL[2], session="s", tenant="t", epoch="e", users={"old": "new"})
    assert msgspec.json.decode(row.body)["user"] == "guest"
