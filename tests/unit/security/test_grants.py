import os
from pathlib import Path

import pytest

from tenuto.errors import InvalidConfig, InvalidInput, NotAuthenticated, TooMuch
from tenuto.security.grants import (
    ACTIVE_KEYS,
    TICKET_LIFE,
    Admission,
    Keys,
    Role,
    Tickets,
    add_key,
    list_keys,
    revoke_key,
)
from tests.unit.server.fakes import FakeClock

CONTROLLER = Admission(tenant="t", session="s", role="controller")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tenuto.keys"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_key_opens_its_tenant_and_only_its_hash_is_stored(file: Path, clock: FakeClock) -> None:
    key = add_key(file, clock=clock, tenant="acme")
    assert key.startswith("tk_")
    assert len(key.split("_", 2)[2]) == 43
    assert Keys(file, clock).tenant(key) == "acme"
    assert key.split("_", 2)[2] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "wrong", ["", "tk_", "tk_0_", "nonsense", "tk_00000000_" + "x" * 43, "\ud800", "tk_é_ü"]
)
def test_key_that_is_not_known_is_refused(file: Path, clock: FakeClock, wrong: str) -> None:
    key = add_key(file, clock=clock)
    keys = Keys(file, clock)
    messages = set()
    for other in (wrong, key[:-1], key + "x", key.upper()):
        with pytest.raises(NotAuthenticated) as refused:
            keys.tenant(other)
        messages.add(refused.value.message)
    assert len(messages) == 1


def test_two_keys_are_active_for_a_rotation(file: Path, clock: FakeClock) -> None:
    old, new = (add_key(file, clock=clock, tenant="acme") for _ in range(ACTIVE_KEYS))
    with pytest.raises(TooMuch, match=r"tenuto keys revoke"):
        add_key(file, clock=clock, tenant="acme")
    add_key(file, clock=clock, tenant="another")
    revoke_key(file, old.split("_")[1])
    keys = Keys(file, clock)
    assert keys.tenant(new) == "acme"
    with pytest.raises(NotAuthenticated):
        keys.tenant(old)


def test_running_server_learns_of_a_change_within_a_second(file: Path, clock: FakeClock) -> None:
    keys = Keys(file, clock)
    before = keys.required
    key = add_key(file, clock=clock)
    clock.time += 1
    assert (before, keys.required) == (False, True)
    assert keys.tenant(key) == "local"
    revoke_key(file, key.split("_")[1])
    clock.time += 1
    with pytest.raises(NotAuthenticated):
        keys.tenant(key)


def test_file_without_keys_locks_a_server_that_had_one(file: Path, clock: FakeClock) -> None:
    key = add_key(file, clock=clock)
    keys = Keys(file, clock)
    revoke_key(file, key.split("_")[1])
    clock.time += 1
    assert keys.required
    file.unlink()
    clock.time += 1
    assert keys.required


def test_keys_are_listed_without_their_secrets(file: Path, clock: FakeClock) -> None:
    assert list_keys(file) == []
    key = add_key(file, clock=clock, tenant="acme")
    (listed,) = list_keys(file)
    assert (listed.id, listed.tenant, listed.created) == (key.split("_")[1], "acme", 1_000.0)


def test_what_is_no_keys_file_is_refused(file: Path, clock: FakeClock) -> None:
    file.write_text("not json\n")
    file.chmod(0o600)
    with pytest.raises(InvalidConfig, match="cannot be read"):
        list_keys(file)
    with pytest.raises(InvalidConfig, match="cannot be written"):
        add_key(file.parent / "nowhere" / "keys", clock=clock)
    with pytest.raises(InvalidInput, match="no key ffff"):
        revoke_key(file.parent / "another", "ffff")
    with pytest.raises(InvalidInput):
        add_key(file, clock=clock, tenant="")


@pytest.mark.skipif(os.name != "posix", reason="modes of files are of POSIX")
def test_file_that_others_may_read_is_refused(file: Path, clock: FakeClock) -> None:
    add_key(file, clock=clock)
    file.chmod(0o644)
    with pytest.raises(InvalidConfig, match="chmod 600"):
        Keys(file, clock)


def test_ticket_works_once(clock: FakeClock) -> None:
    tickets = Tickets(clock)
    ticket = tickets.issue(CONTROLLER)
    assert len(ticket) == 22
    assert tickets.redeem(ticket, session="s", role="controller") == CONTROLLER
    with pytest.raises(NotAuthenticated):
        tickets.redeem(ticket, session="s", role="controller")


def test_unknown_used_and_expired_look_the_same(clock: FakeClock) -> None:
    tickets = Tickets(clock)
    used, expired = tickets.issue(CONTROLLER), tickets.issue(CONTROLLER)
    tickets.redeem(used, session="s", role="controller")
    clock.time += TICKET_LIFE
    looks = set()
    for ticket in (used, expired, "unknown", ""):
        with pytest.raises(NotAuthenticated) as refused:
            tickets.redeem(ticket, session="s", role="controller")
        looks.add(refused.value.message)
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("session", "role", "origin", "says"),
    [
        ("another", "observer", "https://a.example", "another session"),
        ("s", "controller", "https://a.example", "an observer"),
        ("s", "observer", "https://b.example", "another origin"),
        ("s", "observer", "", "another origin"),
    ],
)
def test_ticket_is_bound(
    clock: FakeClock, session: str, role: Role, origin: str, says: str
) -> None:
    tickets = Tickets(clock)
    admission = Admission(tenant="t", session="s", role="observer")
    ticket = tickets.issue(admission, origin="https://a.example")
    with pytest.raises(NotAuthenticated, match=says):
        tickets.redeem(ticket, session=session, role=role, origin=origin)
    # It is used up by that.
    with pytest.raises(NotAuthenticated, match="used"):
        tickets.redeem(ticket, session="s", role="observer", origin="https://a.example")


def test_controllers_ticket_admits_an_observer(clock: FakeClock) -> None:
    tickets = Tickets(clock)
    admission = tickets.redeem(tickets.issue(CONTROLLER), session="s", role="observer")
    assert admission.role == "observer"


def test_table_of_tickets_is_bounded(clock: FakeClock) -> None:
    tickets = Tickets(clock, limit=3)
    for _ in range(3):
        tickets.issue(CONTROLLER)
    with pytest.raises(TooMuch):
        tickets.issue(CONTROLLER)
    clock.time += TICKET_LIFE
    tickets.issue(CONTROLLER)
    assert len(tickets) == 1
