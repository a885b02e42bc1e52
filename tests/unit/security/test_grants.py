import errno
import math
import os
from pathlib import Path

import msgspec
import pytest

from tenuto.errors import InvalidConfig, InvalidInput, NotAuthenticated, TooMuch
from tenuto.security.grants import (
    ACTIVE_KEYS,
    LOOK_SECONDS,
    READ_SECONDS,
    TICKET_LIFE,
    Admission,
    Keys,
    Role,
    Tickets,
    add_key,
    bound_to,
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
    assert Keys(file, clock).find(key).tenant == "acme"
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
            keys.find(other)
        messages.add(refused.value.message)
    assert len(messages) == 1


def test_two_keys_are_active_for_a_rotation(file: Path, clock: FakeClock) -> None:
    old, new = (add_key(file, clock=clock, tenant="acme") for _ in range(ACTIVE_KEYS))
    with pytest.raises(TooMuch, match=r"tenuto keys revoke"):
        add_key(file, clock=clock, tenant="acme")
    add_key(file, clock=clock, tenant="another")
    revoke_key(file, old.split("_")[1])
    keys = Keys(file, clock)
    assert keys.find(new).tenant == "acme"
    with pytest.raises(NotAuthenticated):
        keys.find(old)


def test_running_server_learns_of_a_change_within_a_second(file: Path, clock: FakeClock) -> None:
    keys = Keys(file, clock)
    before = keys.required
    key = add_key(file, clock=clock)
    clock.time += 1
    assert (before, keys.required) == (False, True)
    assert keys.find(key).tenant == "local"
    revoke_key(file, key.split("_")[1])
    clock.time += 1
    with pytest.raises(NotAuthenticated):
        keys.find(key)


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
    with pytest.raises(InvalidConfig, match="is no keys file"):
        list_keys(file)
    # Nobody is told to change the mode of what is something else.
    file.chmod(0o644)
    with pytest.raises(InvalidConfig, match="is no keys file"):
        list_keys(file)
    for ask in (list_keys, lambda path: add_key(path, clock=clock)):
        with pytest.raises(InvalidConfig, match=r"is no file.*such as .*tenuto\.keys"):
            ask(file.parent)
        with pytest.raises(InvalidConfig, match=r"no folder .*nowhere for the keys file"):
            ask(file.parent / "nowhere" / "keys")
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


def test_what_a_key_gave_ends_with_the_key(file: Path, clock: FakeClock) -> None:
    old, new = (add_key(file, clock=clock).split("_")[1] for _ in range(2))
    keys = Keys(file, clock)
    assert keys.is_active(old) and keys.is_active(new)
    assert not keys.is_active(""), "without a key nothing is given any more"
    assert not keys.is_active("ffffffff")
    revoke_key(file, old)
    clock.time += LOOK_SECONDS
    assert (keys.is_active(old), keys.is_active(new)) == (False, True)


def test_without_keys_nothing_stands_on_a_key(file: Path, clock: FakeClock) -> None:
    keys = Keys(file, clock)
    assert (keys.is_active(""), keys.is_active("ffffffff")) == (True, False)


def test_file_that_looks_the_same_is_read_again_in_time(file: Path, clock: FakeClock) -> None:
    one, two = (add_key(file, clock=clock, tenant="acme").split("_")[1] for _ in range(2))
    keys = Keys(file, clock)
    before = file.stat()
    # The same length, the same file, and a clock that stood still: nothing tells it from before.
    file.write_text(file.read_text().replace(two, "ffffffff"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.time += READ_SECONDS - 1
    assert keys.is_active(two), "the control: it cannot be seen from outside"
    clock.time += 1
    assert (keys.is_active(one), keys.is_active(two)) == (True, False)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are of POSIX")
def test_file_that_was_mended_counts_at_the_next_look(
    file: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    gone = add_key(file, clock=clock).split("_")[1]
    keys = Keys(file, clock)
    # As an editor writes it: the key is taken out, and others may read what is left.
    file.write_text("")
    file.chmod(0o644)
    for _ in range(3):
        clock.time += LOOK_SECONDS
        assert keys.is_active(gone)
    assert caplog.text.count("chmod 600") == 1, "said once"
    # Neither its time nor its length tells that it may be read now.
    file.chmod(0o600)
    clock.time += LOOK_SECONDS
    assert not keys.is_active(gone)


@pytest.mark.skipif(os.name != "posix", reason="links are of POSIX")
def test_a_link_to_the_keys_file_stays_one(file: Path, clock: FakeClock) -> None:
    key = add_key(file, clock=clock)
    link = file.parent / "link"
    link.symlink_to(file)
    keys = Keys(file, clock)
    revoke_key(link, key.split("_")[1])
    assert link.is_symlink()
    clock.time += LOOK_SECONDS
    with pytest.raises(NotAuthenticated):
        keys.find(key)


def test_a_write_that_fails_leaves_nothing_behind(
    file: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add_key(file, clock=clock)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidConfig, match=r"cannot be written: No space left on device\.$"):
        revoke_key(file, key.split("_")[1])
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert len(list_keys(file)) == 1


def test_file_that_cannot_be_read_any_more_leaves_the_keys_as_they_were(
    file: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(file, clock=clock)
    keys = Keys(file, clock)
    file.write_text("not json\n")
    clock.time += LOOK_SECONDS
    assert keys.find(key).tenant == "local"
    assert "stay as they were" in caplog.text
    file.unlink()
    clock.time += LOOK_SECONDS
    with pytest.raises(NotAuthenticated):
        keys.find(key)


@pytest.mark.parametrize(
    ("key", "until", "binding"),
    [
        ("", math.inf, ""),
        ("5f2c81aa", math.inf, ".5f2c81aa."),
        ("5f2c81aa", 2_000.7, ".5f2c81aa.2000"),
        ("", 2_000.0, "..2000"),
    ],
)
def test_token_says_what_it_stands_on_and_when_it_ends(
    key: str, until: float, binding: str
) -> None:
    admission = msgspec.structs.replace(CONTROLLER, key=key, until=until)
    assert admission.binding == binding
    ends = until if until == math.inf else math.floor(until)
    assert bound_to("secret" + binding) == (key, ends)


@pytest.mark.parametrize(
    "token", ["", "x", ".", "a.b.c", "a.b.-1", "a.b.1e9", "a.b.\u0663", "a.b.1.2"]
)
def test_token_that_says_nothing_readable_ends_by_itself(token: str) -> None:
    assert bound_to(token)[1] == math.inf
