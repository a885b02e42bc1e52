from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenuto.errors import InvalidConfig, NotAuthenticated
from tenuto.security.grants import Keys, add_key
from tenuto.server.auth import Access, Asking, check_bind, is_loopback
from tenuto.server.replies import WrongHost, WrongOrigin
from tenuto.settings import TenutoConfig
from tests.unit.server.fakes import FakeClock

HERE = Asking(host="127.0.0.1:8765", origin=None, address="127.0.0.1", local="127.0.0.1", port=8765)


def asks(**changes: Any) -> Asking:
    return msgspec.structs.replace(HERE, **changes)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(
        Keys(tmp_path / "keys", FakeClock()),
        allow=("voice.example", "https://app.example", "http://dev.example:3000"),
        url="wss://public.example",
    )


@pytest.fixture
def keyed(tmp_path: Path) -> tuple[Access, str]:
    key = add_key(tmp_path / "keys", clock=FakeClock(), tenant="acme")
    return Access(Keys(tmp_path / "keys", FakeClock())), key


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765", "voice.example",
     "public.example"],
)  # fmt: skip
def test_own_names_are_served(access: Access, host: str) -> None:
    access.check(asks(host=host))


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1", "127.0.0.1:80", "localhost:8766", "127.0.0.1.evil.example",
     "localhost.evil.example:8765", "evil@127.0.0.1:8765", "127.0.0.1:8765,evil.example",
     "voice.example:8765", "app.example", "127.0.0.1:08765x", "0x7f.1:8765", "[::1]", "::1:8765"],
)  # fmt: skip
def test_names_that_somebody_points_here_are_refused(access: Access, host: str) -> None:
    with pytest.raises(WrongHost, match="TENUTO_ALLOW"):
        access.check(asks(host=host))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8765", None),
        ("127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("localhost:8765", "http://localhost:8765"),
        ("[::1]:8765", "http://[::1]:8765"),
        ("voice.example", "https://voice.example"),
        ("127.0.0.1:8765", "https://app.example"),
        ("127.0.0.1:8765", "https://app.example:443"),
        ("127.0.0.1:8765", "http://dev.example:3000"),
        ("127.0.0.1:8765", "https://public.example"),
    ],
)
def test_own_and_allowed_pages_may_talk(access: Access, host: str, origin: str | None) -> None:
    access.check(asks(host=host, origin=origin))


@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:3000",
     "http://app.example", "https://app.example.evil.example", "http://localhost:8765",
     "http://dev.example", "file://", "https://app.example:444", "http://[::1", "voice.example",
     "chrome-extension://127.0.0.1:8765"],
)  # fmt: skip
def test_other_pages_may_not_talk(access: Access, origin: str) -> None:
    with pytest.raises(WrongOrigin):
        access.check(asks(origin=origin))


def test_requests_of_other_sites_without_an_origin_are_refused(access: Access) -> None:
    for site in ("cross-site", "same-site"):
        with pytest.raises(WrongOrigin):
            access.check(asks(site=site))
        # Following a link to the page is no harm.
        access.check(asks(site=site, navigates=True))
    access.check(asks(site="same-origin"))
    access.check(asks(site="none"))


def test_without_a_key_only_this_machine_is_served(access: Access) -> None:
    with pytest.raises(NotAuthenticated, match="tenuto keys new"):
        access.check(asks(address="192.0.2.7", host="voice.example"))
    access.check(asks(address="::1"))
    access.check(asks(address="::ffff:127.0.0.1"))
    access.check(asks(address=""))
    assert access.caller(HERE).tenant == "local"


def test_key_is_needed_once_there_is_one(keyed: tuple[Access, str]) -> None:
    access, key = keyed
    assert access.caller(asks(authorization=f"Bearer {key}")).tenant == "acme"
    assert access.caller(asks(authorization=f"bearer  {key}")).tenant == "acme"
    for wrong in ("", key, f"Basic {key}", "Bearer", "Bearer ", "Bearer tk_00000000_x"):
        with pytest.raises(NotAuthenticated):
            access.caller(asks(authorization=wrong))


def test_with_a_key_other_machines_are_served_by_any_name(keyed: tuple[Access, str]) -> None:
    access, _ = keyed
    access.check(asks(address="192.0.2.7", local="192.0.2.1", host="any.example"))
    with pytest.raises(WrongOrigin):
        access.check(
            asks(
                address="192.0.2.7",
                local="192.0.2.1",
                host="any.example",
                origin="https://evil.example",
            )
        )
    with pytest.raises(WrongHost):
        access.check(asks(host="any.example"))


def test_wrong_key_is_refused_where_none_is_needed(access: Access) -> None:
    with pytest.raises(NotAuthenticated):
        access.caller(asks(authorization="Bearer tk_00000000_x"))


@pytest.mark.parametrize(
    ("address", "own"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("", False), ("192.168.1.5", False), ("voice.example", False),
     ("127.0.0.1.evil.example", False)],
)  # fmt: skip
def test_loopback_addresses(address: str, own: bool) -> None:
    assert is_loopback(address) is own


def test_other_machines_are_not_served_without_a_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    check_bind(TenutoConfig(keys=str(file)))
    for host in ("0.0.0.0", "::", "192.168.1.5"):
        with pytest.raises(InvalidConfig, match="tenuto keys new"):
            check_bind(TenutoConfig(host=host, keys=str(file)))
    add_key(file, clock=FakeClock())
    check_bind(TenutoConfig(host="0.0.0.0", keys=str(file)))


def test_where_a_key_is_the_proof_a_name_is_still_needed(keyed: tuple[Access, str]) -> None:
    access, _ = keyed
    far = {"local": "192.0.2.9", "address": "192.0.2.1"}
    access.check(asks(host="whatever.example", **far))
    with pytest.raises(WrongHost):
        access.check(asks(host="", **far))


def test_caller_says_which_key_it_has(keyed: tuple[Access, str]) -> None:
    access, key = keyed
    caller = access.caller(asks(authorization=f"Bearer {key}"))
    assert (caller.tenant, caller.key) == ("acme", key.split("_")[1])
    assert access.stands(caller.key) and not access.stands("")
