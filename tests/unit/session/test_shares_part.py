"""`session.shares`: what its owner can do, and read back."""

import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session import shares
from tenuto.session.shares_part import AUDIT_PAGE, SharesPart
from tests.unit.session.table import START, Table


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def part(table: Table) -> SharesPart:
    return SharesPart(table, table)  # type: ignore[arg-type]


async def test_a_share_is_made_with_and_without_await(part: SharesPart, table: Table) -> None:
    view = part.create("doctor", ["read", "add_notes"], 2.0)
    assert table.commits == 0
    assert (view.share, view.user_id, view.permissions) == (1, "doctor", ["read", "add_notes"])
    assert view.expires_at == START + 7200.0
    assert await view is view
    assert table.commits == 1
    assert view.token not in repr(view)


async def test_a_share_is_listed_until_it_is_over_and_after(part: SharesPart, table: Table) -> None:
    part.create("doctor", ["read"], 1.0)
    view = part.create("nurse", ["add_notes"], 1.0)
    await part.revoke(1)
    assert view.revoke().value is None
    open_, revoked = [s.is_open for s in part.list()], [s.revoked for s in part.list()]
    assert (open_, revoked) == ([False, False], [True, True])
    part.create("doctor", ["read"], 1.0)
    assert part.list()[-1].is_open
    table.time += 3600.0
    last = part.list()[-1]
    assert (last.is_open, last.revoked, last.by, last.user) == (False, False, "alice", "doctor")
    with pytest.raises(InvalidInput):
        part.revoke(9)


def test_a_view_of_a_forgotten_share_cannot_be_revoked(part: SharesPart, table: Table) -> None:
    view = part.create("doctor", ["read"], 1.0)
    table.state.shares.known.clear()
    assert view.share == 1
    with pytest.raises(InvalidInput):
        view.revoke()


async def test_the_owner_writes_notes_too(part: SharesPart, table: Table) -> None:
    receipt = part.add_note("  Call back.  ")
    note = await receipt
    assert (note.text, note.user, note.share) == ("Call back.", "alice", 0)
    assert part.notes == [note]


async def test_an_audit_is_read_in_pages_and_in_order(part: SharesPart, table: Table) -> None:
    view = part.create("doctor", ["add_notes"], 1.0)

    def use(why: shares.Refusal) -> None:
        table.decide(lambda state, at: shares.accessed(state, at, 1, "doctor", "open", why))

    use("")
    part.add_note("mine")
    table.put(e.SessionPaused(at=START))
    for _ in range(AUDIT_PAGE):
        use("")
    use("permission")
    view.revoke()
    audit = await part.audit()
    assert [entry.event for entry in audit[:3]] == ["share.created", "share.accessed", "note.added"]
    assert [entry.user for entry in audit[:3]] == ["doctor", "doctor", "alice"]
    assert (audit[1].action, audit[1].refused, audit[0].action) == ("open", "", "")
    assert (audit[-2].refused, audit[-1].event, audit[-1].user) == (
        "permission",
        "share.revoked",
        "alice",
    )
    assert len(audit) == AUDIT_PAGE + 5
    assert len({entry.position for entry in audit}) == len(audit)
    assert list(await part.audit(after=audit[4].position, limit=2)) == list(audit[5:7])
