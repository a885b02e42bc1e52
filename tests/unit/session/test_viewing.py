"""What a share shows: only what is on the list, and of each event only the fields that are."""

from typing import Any, get_type_hints

import msgspec
import pytest

from tenuto import events as e
from tenuto.session import ports, resume, shares, viewing
from tenuto.session.state import Status
from tenuto.session.viewing import HIDDEN, SHOWN, WITHHELD, Lens, Viewer
from tenuto.stores import rows
from tests.unit.session.house import Ear
from tests.unit.session.table import START, Table

SECRET = "s3cret"
KINDS = [*e.CATALOGUE, e.Unknown]


def seen_by(*permissions: str) -> tuple[Table, Lens]:
    table = Table()
    made = shares.create(
        table.state, START, token="0" * 64, user="doctor", permissions=permissions, hours=1.0
    )
    table.put(*made)
    return table, Lens(table, 1)


def full(kind: type[e.Event], **more: Any) -> e.Event:
    """An event whose every text is a secret, and every number 7."""
    values: dict[str, Any] = {"at": 5.0}
    for name, hint in get_type_hints(kind).items():
        if name in ("at", "type") or name.startswith("__"):
            continue
        values[name] = _value(hint)
    return msgspec.convert(values | more, kind)


def _value(hint: Any) -> Any:
    text = str(hint)
    if text.startswith("typing.Literal"):
        return hint.__args__[0]
    if "dict" in text:
        return {"x": {}} if "dict[str, dict" in text else {"x": SECRET}
    if text.startswith("list[str"):
        return [SECRET]
    if text.startswith("list"):
        return [7]
    if "Traits" in text:
        return {"topics": [SECRET]}
    if hint in (int, float, float | None):
        return 7
    return True if hint is bool else SECRET


# ---------------------------------------------------------------------------------------------------------- the list


def test_every_kind_of_event_has_a_decision() -> None:
    """A new kind fails here: is it shown, and which of its fields?"""
    assert set(SHOWN) | HIDDEN == set(KINDS)
    assert not set(SHOWN) & HIDDEN


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in SHOWN], ids=str)
def test_fields_that_are_not_named_are_not_shown(kind: type[e.Event]) -> None:
    _, lens = seen_by("read", "read_sensitive")
    event = full(kind, cause=f"{SECRET}:1")
    shown = lens.event(event)
    assert type(shown) is kind and shown.at == 5.0
    for field in msgspec.structs.fields(kind):
        value = getattr(shown, field.name)
        if field.name in SHOWN[kind]:
            assert value == getattr(event, field.name)
        elif field.name != "at":
            assert value == "" if field.required else value == _default(field)


def _default(field: Any) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


@pytest.mark.parametrize("kind", [kind for kind in e.CATALOGUE if kind in HIDDEN], ids=str)
def test_what_is_hidden_leaves_its_place(kind: type[e.Event]) -> None:
    _, lens = seen_by(*shares.PERMISSIONS)
    row = lens.row(rows.to_row(7, full(kind)))
    assert (row.position, row.type) == (7, WITHHELD)
    assert msgspec.json.decode(row.body) == {"type": WITHHELD, "at": 5.0}


def test_no_secret_of_the_session_is_ever_shown() -> None:
    """Tokens, hashes, instructions, a template's context, client ids: in none of the rows."""
    _, lens = seen_by(*shares.PERMISSIONS)
    texts = {"text", "content", "key", "value", "category", "said", "user", "conversation"}
    texts |= {"parent", "reason", "code", "message"}
    for kind in e.CATALOGUE:
        event = full(kind)
        plain = {name: "plain" for name in texts & set(SHOWN.get(kind, ())) if name != "message"}
        if kind is e.ErrorRaised:
            plain["message"] = "plain"
        event = msgspec.structs.replace(event, **plain)
        assert SECRET.encode() not in lens.row(rows.to_row(1, event)).body, e.TAGS[kind]


def test_an_event_of_a_later_version_is_withheld() -> None:
    _, lens = seen_by("read")
    row = lens.row(ports.Row(3, "secret.told", b'{"type":"secret.told","at":2.5,"x":"s3cret"}'))
    assert row == ports.Row(3, WITHHELD, b'{"type":"event.withheld","at":2.5}')
    assert WITHHELD not in e.KINDS


def test_the_applications_own_words_are_not_shown() -> None:
    _, lens = seen_by(*shares.PERMISSIONS)
    assert lens.event(full(e.MessageAdded, role="system")) is None
    for role in ("user", "agent", "tool"):
        assert lens.event(full(e.MessageAdded, role=role)) is not None


@pytest.mark.parametrize(
    ("permissions", "seen"), [(["read"], False), (["read", "read_sensitive"], True)]
)
def test_sensitive_memory_has_a_permission_of_its_own(permissions: list[str], seen: bool) -> None:
    _, lens = seen_by(*permissions)
    plain, secret = (
        ports.Memory(memory=1, content="a"),
        ports.Memory(memory=2, content="b", sensitive=True),
    )
    assert lens.memories([plain, secret]) == ([plain, secret] if seen else [plain])
    assert (lens.event(full(e.MemoryAdded, sensitive=True)) is not None) is seen
    assert lens.event(full(e.MemoryAdded, sensitive=False)) is not None


def test_without_read_nothing_is_seen() -> None:
    table, lens = seen_by("add_notes", "grant")
    assert all(lens.event(full(kind)) is None for kind in SHOWN)
    message = ports.Message(message=1, role="user", text="x", turn=1, conversation="c", at=1.0)
    assert lens.messages([message]) == []
    assert lens.memories([ports.Memory(memory=1, content="a")]) == []
    view = lens.view(resume.view(table.state, Status.IDLE))
    assert (view.messages, view.memories) == ([], [])


def test_a_view_leaves_out_what_is_not_shown() -> None:
    table, lens = seen_by("read")
    view = msgspec.structs.replace(
        resume.view(table.state, Status.IDLE),
        messages=[
            ports.Message(message=1, role=role, text=SECRET, turn=1, conversation="c", at=1.0)
            for role in ("system", "user")
        ],
        memories=[ports.Memory(memory=1, content="x", sensitive=True)],
    )
    shown = lens.view(view)
    assert [message.role for message in shown.messages] == ["user"]
    assert shown.memories == []


# -------------------------------------------------------------------------------------------------------- its end


def test_nothing_is_shown_from_the_end_on() -> None:
    table, lens = seen_by("read")
    event = full(e.ReplySegment)
    table.time = START + 3600.0 - 1e-6
    assert lens.event(event) is not None
    table.time = START + 3600.0
    assert lens.event(event) is None and not lens.allows("read")


def test_nothing_is_shown_once_it_is_revoked() -> None:
    table, lens = seen_by("read")
    table.put(e.ShareRevoked(at=START, share=1))
    assert lens.event(full(e.ReplySegment)) is None


def test_a_share_that_is_not_there_shows_nothing() -> None:
    assert Lens(Table(), 7).event(full(e.ReplySegment)) is None


# ---------------------------------------------------------------------------------------------------- the listener


def test_a_viewer_passes_on_what_is_shown() -> None:
    table, lens = seen_by("read")
    ear = Ear()
    viewer: ports.Listener = Viewer(ear, lens)
    viewer.event(rows.to_row(3, full(e.ReplySegment)))
    viewer.event(rows.to_row(4, full(e.ConfigChanged)))
    viewer.audio(1, 0, b"\0\0")
    viewer.tell("status", {"state": "idle"})
    viewer.tell("cost", {"usd": 1})
    viewer.hush(1)
    assert ear.types == ["reply.segment", WITHHELD]
    assert (ear.positions, ear.hushed) == ([3, 4], [1])
    assert (ear.frames, ear.told) == ([(1, 0, b"\0\0")], [("status", {"state": "idle"})])
    table.time += 3600.0
    viewer.audio(1, 1, b"\0\0")
    viewer.tell("status", {"state": "idle"})
    viewer.event(rows.to_row(5, full(e.ReplySegment)))
    viewer.closed("expired")
    assert (len(ear.frames), len(ear.told), ear.types[-1]) == (1, 1, WITHHELD)
    assert ear.let_go == ["expired"]


def test_what_is_told_is_a_list_too() -> None:
    assert viewing.TOLD == {"partial", "status"}


def test_a_summary_does_not_tell_what_the_application_told_the_agent() -> None:
    _, lens = seen_by("read")
    text = f"Began with: I like tea.\nSystem: {SECRET}"
    shown = lens.event(
        e.ConversationSummarized(at=5.0, conversation="c", upto=1, text=text, cause="x:1")
    )
    assert shown == e.ConversationSummarized(
        at=5.0, conversation="c", upto=1, text="Began with: I like tea."
    )
