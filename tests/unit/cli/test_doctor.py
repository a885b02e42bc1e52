"""`tenuto doctor`: what it says of stores, keys and ports that are as they should be, and of others."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import apsw
import pytest

from tenuto import SessionConfig, Tenuto
from tenuto.cli.doctor import (
    Finding,
    check_analytics,
    check_door,
    check_installation,
    check_sessions,
    check_store,
    check_variables,
)
from tenuto.settings import TenutoConfig
from tests.unit.cli.conftest import Command
from tests.unit.cli.fakes import FakeSessions


def of_store(path: Path) -> Finding:
    (finding,) = check_store(TenutoConfig(store=f"sqlite:///{path}"))
    return finding


def test_this_installation_is_in_order() -> None:
    assert [finding.what for finding in check_installation() if finding.state == "broken"] == []


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    finding = of_store(tmp_path / "new.db")
    assert (finding.state, finding.found) == ("ok", f"{tmp_path / 'new.db'} will be made")
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_no_folder_is_broken(tmp_path: Path) -> None:
    finding = of_store(tmp_path / "none" / "new.db")
    assert finding.state == "broken"
    assert finding.mend.startswith("mkdir -p")


def test_a_store_that_is_no_database_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("This is not a database, and it is long enough to be looked at. " * 20)
    finding = of_store(path)
    assert finding.state == "broken"
    assert "not an SQLite database" in finding.found


def test_a_store_of_a_newer_version_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE x(y); PRAGMA user_version = 999")
    connection.close()
    finding = of_store(path)
    assert (finding.state, finding.mend) == ("broken", "pip install --upgrade tenuto")


def test_memory_is_for_knowing() -> None:
    (finding,) = check_store(TenutoConfig(store="memory:"))
    assert finding.state == "note"


def test_a_port_that_something_else_has_is_broken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # It does not listen: whoever asks is refused at once.
        number = taken.getsockname()[1]
        port, keys = check_door(TenutoConfig(port=number, keys=str(tmp_path / "keys")))
    assert (port.state, port.mend) == ("broken", f"tenuto serve --port {number + 1}")
    assert keys.state == "ok"


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_keys_that_others_can_read_are_broken(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.touch()
    path.chmod(mode)
    _, keys = check_door(TenutoConfig(port=0, keys=str(path)))
    assert (keys.state, keys.mend) == ("broken", f"chmod 600 {path}")


def test_what_is_no_keys_file_is_not_to_be_made_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "keys"):
        _, keys = check_door(TenutoConfig(port=0, keys=str(path)))
        assert keys.state == "broken" and str(path.parent) in keys.found
        assert "chmod" not in keys.mend and "TENUTO_KEYS" in keys.mend


def test_an_open_address_without_a_key_is_broken(tmp_path: Path) -> None:
    _, keys = check_door(TenutoConfig(host="0.0.0.0", port=0, keys=str(tmp_path / "keys")))
    assert (keys.state, keys.mend) == ("broken", "tenuto keys new")


def test_a_misspelt_variable_is_pointed_at(sessions: FakeSessions, tmp_path: Path) -> None:
    around = sessions.around(tmp_path, TENUTO_STOER="x", TENUTO_KEY="tk", TENUTO_PORT="1")
    (note,) = check_variables(around)
    assert (note.state, note.found) == ("note", "TENUTO_STOER sets nothing")


def test_wrong_settings_are_a_finding_and_make_the_exit_code_1(
    tenuto: Command, tmp_path: Path
) -> None:
    (tmp_path / "tenuto.toml").write_text("port = -1")
    ran = tenuto("doctor", "--json")
    assert ran.code == 1
    (broken,) = [line for line in ran.lines if line["state"] == "broken"]
    assert broken["what"] == "settings"


def test_a_person_sees_what_is_broken(tenuto: Command) -> None:
    ran = tenuto("doctor", TENUTO_PORT="many", TENUTO_STOER="x")
    assert ran.code == 1
    assert "✗ settings" in ran.out
    assert "TENUTO_PORT cannot be 'many'" in ran.out
    assert "mend: unset TENUTO_STOER" in ran.out


# ------------------------------------------------------------------------------------------------------------- analytics


def test_a_store_that_cannot_be_written_to_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    with_one_session(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    finding = of_store(tmp_path / "t.db")
    assert (finding.state, finding.mend[:5]) == ("broken", "chmod")


def test_hours_without_a_time_zone_are_worth_knowing() -> None:
    _, finding = check_analytics(TenutoConfig())
    assert finding.state == "note" and "UTC" in finding.found
    for config in (
        TenutoConfig(timezone="Europe/Rome"),
        TenutoConfig(agent={"timezone": "Europe/Rome"}),
    ):
        _, finding = check_analytics(config)
        assert (finding.state, finding.mend) == ("ok", "") and "Europe/Rome" in finding.found


def test_analytics_that_are_off_are_worth_knowing() -> None:
    _, finding = check_analytics(TenutoConfig(agent={"enable_analytics": False}))
    assert finding.state == "note" and "off" in finding.found


def test_topics_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenuto.cli import doctor

    monkeypatch.setattr(doctor, "INSIGHT", ("no_module_of_this_name",))
    finding, _ = check_analytics(TenutoConfig())
    assert (finding.state, finding.mend) == ("note", "pip install 'tenuto[insight]'")


def with_one_session(tmp_path: Path, **settings: Any) -> TenutoConfig:
    """Make a store with one session, in which two facts are remembered."""
    config = TenutoConfig(store=f"sqlite:///{tmp_path / 't.db'}", engine="text")

    async def make() -> None:
        async with Tenuto(config) as tenuto:
            session = tenuto.create_session(session_id="s1", config=SessionConfig(**settings))
            async with session:
                session.add_memory("Likes the sound of rain on a tin roof.")

    asyncio.run(make())
    return config


def test_sessions_in_good_order_are_counted(tmp_path: Path) -> None:
    (finding,) = check_sessions(with_one_session(tmp_path))
    assert (finding.state, finding.found) == ("ok", "1 looked at")


def test_sessions_that_want_something_are_named(tmp_path: Path) -> None:
    off, full = check_sessions(
        with_one_session(tmp_path, enable_analytics=False, max_memory_size=12)
    )
    assert (off.state, off.found) == ("note", "off in s1")
    assert full.state == "note" and "80% full in s1" in full.found


def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (finding,) = check_sessions(TenutoConfig(store=f"sqlite:///{tmp_path / 'none' / 't.db'}"))
    assert finding.state == "broken"
