import pytest

from tenuto.errors import InvalidInput, StoreCorrupt
from tenuto.events import CATALOGUE, AlarmRang, Event, MessageAdded, Unknown
from tenuto.session.ports import Row
from tenuto.stores.rows import to_event, to_row, to_rows

MESSAGE = MessageAdded(
    at=12.5, message=1, role="user", text="ciao \U0001f3b5", turn=1, conversation="c", cause="a:1"
)


def test_an_event_survives_the_journal() -> None:
    row = to_row(7, MESSAGE)
    assert (row.position, row.type) == (7, "message.added")
    assert to_event(row) == MESSAGE


def test_a_row_holds_the_event_as_json() -> None:
    assert to_row(1, AlarmRang(at=2.0, alarm=3)).body == b'{"type":"alarm.rang","at":2.0,"alarm":3}'


def test_rows_follow_the_position() -> None:
    events: list[Event] = [AlarmRang(at=1.0, alarm=1), MESSAGE]
    rows = to_rows(41, events)
    assert [row.position for row in rows] == [42, 43]
    assert [to_event(row) for row in rows] == events


def test_every_kind_has_a_decoder() -> None:
    for kind in CATALOGUE:
        tag = str(kind.__struct_config__.tag)
        with pytest.raises(StoreCorrupt):
            to_event(Row(1, tag, b"{}"))


def test_an_event_of_a_later_version_is_kept() -> None:
    body = b'{"type":"mood.sensed","at":3.5,"cause":"b:2","mood":{"deep":[1]}}'
    assert to_event(Row(1, "mood.sensed", body)) == Unknown(at=3.5, cause="b:2", kind="mood.sensed")


def test_a_field_of_a_later_version_is_passed_over() -> None:
    body = b'{"type":"alarm.rang","at":2.0,"alarm":3,"loudness":11}'
    assert to_event(Row(1, "alarm.rang", body)) == AlarmRang(at=2.0, alarm=3)


def test_an_event_of_a_later_version_is_not_written_again() -> None:
    with pytest.raises(InvalidInput, match=r"mood\.sensed"):
        to_row(1, Unknown(at=1.0, kind="mood.sensed"))


@pytest.mark.parametrize(
    ("type", "body"),
    [
        ("alarm.rang", b""),
        ("alarm.rang", b"\xff\xfe"),
        ("alarm.rang", b'{"type":"alarm.rang","at":2.0'),
        ("alarm.rang", b'{"type":"alarm.rang","at":"secret","alarm":3}'),
        ("alarm.rang", b'{"type":"alarm.set","at":2.0,"alarm":3}'),
        ("mood.sensed", b"secret"),
        ("mood.sensed", b'{"type":"mood.sensed"}'),
        ("mood.sensed", b'{"type":"mood.sensed","at":1.0,"cause":"\xff"}'),
    ],
)
def test_a_damaged_row_says_where_it_is_and_not_what_it_holds(type: str, body: bytes) -> None:
    with pytest.raises(StoreCorrupt, match=f"{type} event at position 9") as damaged:
        to_event(Row(9, type, body))
    assert "secret" not in str(damaged.value)
    assert damaged.value.__cause__ is None
