"""Shares: who may do what, until when, and that nothing granted out of one is more than it."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto import events as e
from tenuto.errors import (
    IllegalEvent,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    ShareExpired,
    ShareRevoked,
    TooMuch,
)
from tenuto.session import fold, shares
from tests.unit.session.table import START, Table

HOUR = 3600.0


@pytest.fixture
def table() -> Table:
    return Table()


def share(
    table: Table,
    user: str = "doctor",
    permissions: Sequence[str] = ("read",),
    hours: float | None = 1.0,
    parent: int = 0,
) -> str:
    """Make a share and return its token."""
    token = shares.new_token("s")
    hashed = shares.digest(token)
    table.decide(
        lambda state, at: shares.create(
            state,
            at,
            token=hashed,
            user=user,
            permissions=permissions,
            hours=hours,
            parent=parent,
        )
    )
    return token


def revoke(table: Table, number: int) -> list[int]:
    events = table.decide(lambda state, at: shares.revoke(state, at, number, "alice"))
    return [event.share for event in events if isinstance(event, e.ShareRevoked)]


def known(table: Table, number: int = 1) -> shares.Share:
    return table.state.shares.known[number]


# -------------------------------------------------------------------------------------------------------------- making


def test_a_share_is_known_by_its_hash_only(table: Table) -> None:
    token = share(table, permissions=["add_notes", "read", "read"])
    made = table.journal[-1]
    assert isinstance(made, e.ShareCreated)
    assert (made.share, made.user, made.permissions) == (1, "doctor", ["read", "add_notes"])
    assert (made.expires, made.parent, made.by) == (START + HOUR, 0, "alice")
    assert made.token == shares.digest(token)
    assert token not in fold.encode(table.state).decode()


@pytest.mark.parametrize(
    ("asked", "given_"),
    [
        (["read"], ["read"]),
        (["speak"], ["read", "speak"]),
        (["read_sensitive"], ["read", "read_sensitive"]),
        (["add_notes"], ["add_notes"]),
        (["grant"], ["grant"]),
        (("grant", "speak", "add_notes"), ["read", "add_notes", "speak", "grant"]),
    ],
)
def test_what_is_implied(table: Table, asked: Sequence[str], given_: list[str]) -> None:
    share(table, permissions=asked)
    assert known(table).permissions == given_


@pytest.mark.parametrize(
    "wrong",
    [
        {"permissions": []},
        {"permissions": "read"},
        {"permissions": ["write"]},
        {"permissions": ["read", "admin"]},
        {"user": ""},
        {"user": "x" * 101},
        {"user": "a\nb"},
        {"user": "a/b"},
        {"hours": 0.0},
        {"hours": -1.0},
        {"hours": math.nan},
        {"hours": math.inf},
        {"hours": 8_761.0},
        {"hours": True},
        {"hours": "24"},
        {"user": 5},
        {"user": "a\ud800"},
        {"permissions": 5},
        {"permissions": [["read"]]},
        {"hours": None},
    ],
)
def test_bad_input_changes_nothing(table: Table, wrong: dict[str, Any]) -> None:
    before = fold.encode(table.state)
    with pytest.raises(InvalidInput):
        share(table, **wrong)
    assert fold.encode(table.state) == before


def test_there_are_so_many_open_shares_and_no_more(table: Table) -> None:
    for _ in range(shares.MOST_OPEN):
        share(table)
    with pytest.raises(TooMuch, match="Revoke one first"):
        share(table)
    revoke(table, 7)
    share(table)
    table.time += HOUR
    share(table)
    assert [one.share for one in table.state.shares.known.values() if one.is_open(table.time)] == [
        102
    ]


def test_those_that_are_over_are_forgotten_at_some_time(table: Table) -> None:
    for _ in range(shares.CLOSED_KEPT + 20):
        share(table)
        revoke(table, table.state.shares.count)
    share(table)
    assert len(table.state.shares.known) == shares.CLOSED_KEPT + 1
    assert table.state.shares.count == shares.CLOSED_KEPT + 21
    assert 20 not in table.state.shares.known and 21 in table.state.shares.known


# ------------------------------------------------------------------------------------------------------------- granting


def test_a_grant_is_no_more_than_what_it_is_granted_out_of(table: Table) -> None:
    share(table, "doctor", ["read", "grant"], 2.0)
    for more in (["read", "add_notes"], ["speak"], ["read_sensitive"]):
        with pytest.raises(NotAllowed, match="cannot grant"):
            share(table, "nurse", more, 1.0, parent=1)
    with pytest.raises(NotAllowed, match="longer"):
        share(table, "nurse", ["read"], 2.0001, parent=1)
    share(table, "nurse", ["read"], 2.0, parent=1)
    table.time += HOUR
    with pytest.raises(NotAllowed, match="longer"):
        share(table, "nurse", ["read"], 1.1, parent=1)
    share(table, "nurse", ["read"], None, parent=1)
    assert known(table, 3).expires == known(table, 1).expires
    assert (known(table, 3).parent, known(table, 3).by) == (1, "doctor")


def test_grants_are_three_deep(table: Table) -> None:
    share(table, permissions=["read", "grant"])
    share(table, permissions=["read", "grant"], parent=1)
    share(table, permissions=["read", "grant"], parent=2)
    with pytest.raises(TooMuch, match="3 deep"):
        share(table, permissions=["read"], parent=3)


SUBSETS = st.lists(st.sampled_from(shares.PERMISSIONS), min_size=1, unique=True)


@given(mine=SUBSETS, wanted=SUBSETS, hours=st.floats(0.01, 48.0), lasts=st.floats(0.01, 48.0))
def test_no_grant_ever_escalates(
    mine: list[str], wanted: list[str], hours: float, lasts: float
) -> None:
    table = Table()
    share(table, permissions=mine, hours=lasts)
    try:
        share(table, permissions=wanted, hours=hours, parent=1)
    except NotAllowed:
        assert 2 not in table.state.shares.known
        return
    child, parent = known(table, 2), known(table, 1)
    assert set(child.permissions) <= set(parent.permissions)
    assert child.expires <= parent.expires


def test_a_revoked_share_takes_with_it_what_was_granted_out_of_it(table: Table) -> None:
    share(table, permissions=["read", "grant"])
    share(table, permissions=["read", "grant"], parent=1)
    share(table)
    share(table, parent=2)
    assert revoke(table, 2) == [2, 4]
    assert revoke(table, 2) == []
    assert revoke(table, 1) == [1]
    assert not known(table, 3).revoked
    with pytest.raises(InvalidInput, match="no share 9"):
        revoke(table, 9)


# ---------------------------------------------------------------------------------------------------------------- using


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (["read"], {"open", "read_history", "read_memory", "read_notes"}),
        (["add_notes"], {"open", "add_note"}),
        (["speak"], {"open", "read_history", "read_memory", "read_notes", "speak"}),
        (["grant"], {"open", "grant", "revoke"}),
    ],
)
def test_nothing_is_allowed_that_was_not_granted(
    table: Table, permissions: list[str], allowed: set[str]
) -> None:
    share(table, permissions=permissions)
    got = {
        action: shares.refusal(table.state, 1, "doctor", action, table.time)
        for action in shares.NEEDS
    }
    assert {action for action, why in got.items() if not why} == allowed
    assert {why for action, why in got.items() if action not in allowed} == {"permission"}


def test_the_end_is_exact(table: Table) -> None:
    share(table)
    end = known(table).expires
    before = math.nextafter(end, 0.0)
    assert shares.refusal(table.state, 1, "doctor", "open", before) == ""
    assert shares.refusal(table.state, 1, "doctor", "open", end) == "expired"


def test_what_is_wrong_first_is_said_first(table: Table) -> None:
    share(table)
    end = known(table).expires
    assert shares.refusal(table.state, 1, "eve", "speak", end) == "user"
    assert shares.refusal(table.state, 1, "doctor", "speak", end) == "expired"
    revoke(table, 1)
    assert shares.refusal(table.state, 1, "eve", "open", end) == "user"
    assert shares.refusal(table.state, 1, "doctor", "open", end) == "revoked"
    assert shares.refusal(table.state, 99, "doctor", "open", end) == "revoked"


def test_each_refusal_has_its_error() -> None:
    assert type(shares.error("revoked", "open")) is ShareRevoked
    assert type(shares.error("expired", "open")) is ShareExpired
    assert type(shares.error("user", "open")) is NotAllowed
    missing = shares.error("permission", "speak")
    assert type(missing) is NotAllowed and "'speak'" in missing.message
    assert missing.code == "permission_denied"


def test_uses_are_kept_and_refusals_up_to_a_bound(table: Table) -> None:
    share(table)

    def use(why: shares.Refusal, number: int = 1) -> int:
        return len(
            table.decide(
                lambda state, at: shares.accessed(state, at, number, "doctor", "open", why)
            )
        )

    table.time += 5.0
    assert use("") == 1
    assert (known(table).accesses, known(table).accessed) == (1, START + 5.0)
    assert sum(use("user") for _ in range(100)) == shares.REFUSALS_KEPT == known(table).refused
    assert use("") == 1
    assert use("", 99) == 0


def test_a_users_id_in_the_audit_is_bounded(table: Table) -> None:
    share(table)
    (event,) = shares.accessed(table.state, 1.0, 1, "x" * 5_000, "open", "user")
    assert isinstance(event, e.ShareAccessed) and len(event.user) == 100


# ---------------------------------------------------------------------------------------------------------------- notes


def note(table: Table, text: str, number: int = 0) -> None:
    table.decide(lambda state, at: shares.add_note(state, at, text, "doctor", number))


def test_the_last_notes_are_kept(table: Table) -> None:
    share(table, permissions=["add_notes"])
    for count in range(shares.NOTES_KEPT + 3):
        note(table, f" note {count} ", 1)
    note(table, "mine")
    kept = table.state.shares.recent
    assert (len(kept), kept[0].text, kept[-1].text) == (shares.NOTES_KEPT, "note 4", "mine")
    assert (kept[-1].note, kept[-1].share, kept[0].share) == (shares.NOTES_KEPT + 4, 0, 1)
    assert known(table).notes == shares.NOTES_KEPT + 3


@pytest.mark.parametrize("text", ["", "  ", "x" * 2_001])
def test_a_note_has_a_length(table: Table, text: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 2,000"):
        note(table, text)


def test_a_share_adds_so_many_notes(table: Table) -> None:
    share(table, permissions=["add_notes"])
    known(table).notes = shares.MOST_NOTES
    with pytest.raises(TooMuch):
        note(table, "one more", 1)
    note(table, "the owner's")


# ------------------------------------------------------------------------------------------------------- the session's end


def test_open_shares_end_with_the_session(table: Table) -> None:
    share(table, hours=1.0)
    share(table, hours=3.0)
    share(table, hours=3.0)
    revoke(table, 2)
    ending = shares.end_session(table.state, START + 2 * HOUR)
    assert [event.share for event in ending if isinstance(event, e.ShareRevoked)] == [3]


# ------------------------------------------------------------------------------------------------------------ who looks


def look(table: Table, number: int) -> None:
    table.put(
        e.AttachmentAttached(
            at=table.time,
            attachment=table.state.attachments + 1,
            role="observer",
            client=f"share:{number}",
            transport="python",
            share=number,
        )
    )


def test_what_is_looked_through_is_due_when_it_expires(table: Table) -> None:
    share(table, hours=2.0)
    share(table, hours=1.0)
    assert [shares.due(table.state), table.state.due] == [None, None]
    look(table, 1)
    assert table.state.due == START + 2 * HOUR
    look(table, 2)
    assert table.state.due == START + HOUR
    assert shares.over(table.state, START) == []
    assert shares.over(table.state, START + HOUR) == [(2, "expired")]
    revoke(table, 1)
    assert shares.over(table.state, START) == [(1, "revoked")]


def test_a_viewer_of_a_share_that_is_forgotten_is_let_go_of(table: Table) -> None:
    look(table, 7)
    assert shares.over(table.state, START) == [(1, "revoked")]
    assert shares.due(table.state) is None


def test_viewers_push_out_nobody_who_has_a_token(table: Table) -> None:
    table.put(
        e.AttachmentAttached(
            at=START, attachment=1, role="controller", client="tab", transport="t", token="x"
        )
    )
    share(table)
    for _ in range(100):
        look(table, 1)
    assert list(table.state.clients) == ["tab"]


def test_a_share_never_gives_the_controls(table: Table) -> None:
    share(table)
    with pytest.raises(IllegalEvent, match="never gives the controls"):
        table.put(
            e.AttachmentAttached(
                at=START, attachment=1, role="controller", client="x", transport="t", share=1
            )
        )


# ------------------------------------------------------------------------------------------------------------- the fold


@pytest.mark.parametrize(
    "event",
    [
        e.ShareCreated(at=1.0, share=3, token="x", user="u", permissions=["read"], expires=2.0),
        e.ShareCreated(
            at=1.0, share=2, token="x", user="u", permissions=["read"], expires=2.0, parent=9
        ),
        e.ShareRevoked(at=1.0, share=9),
        e.ShareAccessed(at=1.0, share=9, user="u", action="open"),
        e.NoteAdded(at=1.0, note=2, text="x", user="u"),
    ],
)
def test_what_cannot_happen_raises_and_changes_nothing(table: Table, event: e.Event) -> None:
    share(table)
    before = fold.encode(table.state)
    with pytest.raises(IllegalEvent):
        table.put(event)
    assert fold.encode(table.state) == before


def test_a_share_is_revoked_once(table: Table) -> None:
    share(table)
    revoke(table, 1)
    with pytest.raises(IllegalEvent):
        table.put(e.ShareRevoked(at=START, share=1))


def test_events_of_others_are_none_of_its_business(table: Table) -> None:
    before = fold.encode(table.state)
    shares.check(table.state.shares, e.SessionPaused(at=1.0))
    shares.apply(table.state.shares, e.SessionPaused(at=1.0))
    assert fold.encode(table.state) == before


def test_the_fold_of_the_journal_is_the_state_also_after_a_snapshot(table: Table) -> None:
    share(table, permissions=["read", "add_notes", "grant"])
    note(table, "hello", 1)
    share(table, permissions=["read"], parent=1)
    look(table, 2)
    table.decide(lambda state, at: shares.accessed(state, at, 2, "eve", "open", "user"))
    revoke(table, 1)
    again = fold.State()
    for event in table.journal:
        fold.apply(again, event)
        again = fold.decode(fold.encode(again))
    assert again == table.state


# ------------------------------------------------------------------------------------------------------------- the tokens


def test_a_token_names_its_session_and_proves_itself(table: Table) -> None:
    first, second = share(table), share(table)
    for token, number in ((first, 1), (second, 2)):
        assert token.startswith("ts_") and len(token.rpartition(".")[2]) == 43
        assert shares.session_of(token) == "s"
        found = shares.find(table.state.shares, token)
        assert found is not None and found.share == number
    assert shares.find(table.state.shares, first[:-1]) is None
    assert shares.find(table.state.shares, "\udcff") is None


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=100))
def test_any_id_fits_into_a_token(session: str) -> None:
    token = shares.new_token(session)
    assert shares.session_of(token) == session
    assert token.isascii() and " " not in token


@given(st.text(max_size=80) | st.text("ts_ABCab.-=", max_size=80).map(lambda text: f"ts_{text}"))
def test_what_is_no_token_looks_like_one_that_is_unknown(token: str) -> None:
    try:
        assert 1 <= len(shares.session_of(token)) <= 100
    except NotAuthenticated as error:
        assert error.message == shares.unknown().message


@pytest.mark.parametrize(
    "token",
    ["", "ts_", "ts_.x", "ts_cw.", "ts_cw", "tk_cw.x", "cw.x", "ts_é.x", "ts_/w.x", "ts__w.x"],
)
def test_these_are_no_tokens(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        shares.session_of(token)


def test_a_token_of_another_session_is_unknown(table: Table) -> None:
    token = share(table)
    name, _, secret = token.partition(".")
    forged = shares.new_token("other").partition(".")[0] + "." + secret
    assert shares.session_of(forged) == "other"
    assert shares.find(table.state.shares, forged) is None
    assert shares.find(table.state.shares, name + "." + secret) is not None


@pytest.mark.parametrize("text", ["half \ud800", 5, None])
def test_a_note_that_cannot_be_stored_is_refused(table: Table, text: Any) -> None:
    with pytest.raises(InvalidInput):
        shares.add_note(table.state, table.time, text, "alice")


def test_what_is_no_text_is_no_token() -> None:
    with pytest.raises(NotAuthenticated):
        shares.session_of(None)  # type: ignore[arg-type]
