from pathlib import Path
from typing import Any

import pytest

from tenuto.errors import NotAuthenticated, TooMuch
from tenuto.security.grants import Admission, add_key
from tenuto.server.auth import Asking
from tenuto.server.limits import Limits
from tenuto.server.reception import Arrival, Reception, Visit
from tenuto.server.replies import Draining, NotUpgraded, WrongHost
from tenuto.wire.native import Attach
from tests.unit.server.fakes import Echoes, FakeClock, FakeHost

ATTACH = Attach(session="s1", client="c")


def reception(folder: Path, **limits: Any) -> Reception:
    return Reception(
        FakeHost(folder), limits=Limits(**limits), clock=FakeClock(), make_wire=Echoes()
    )


def arrival(*offers: str, **asking: Any) -> Arrival:
    here: dict[str, Any] = {
        "host": "127.0.0.1:80",
        "origin": None,
        "address": "127.0.0.1",
        "local": "127.0.0.1",
        "port": 80,
    }
    return Arrival(session="s1", asking=Asking(**here | asking), protocols=("tenuto.v1", *offers))


def keyed(folder: Path) -> tuple[Reception, str]:
    key = add_key(folder / "tenuto.keys", clock=FakeClock(), tenant="acme")
    return reception(folder), key


def test_local_user_is_admitted(tmp_path: Path) -> None:
    desk = reception(tmp_path)
    admission = desk.receive(arrival()).admit("", ATTACH)
    assert admission == Admission(tenant="local", session="s1", role="controller")


def test_bad_ticket_is_refused_even_where_none_is_needed(tmp_path: Path) -> None:
    visit = reception(tmp_path).receive(arrival("tenuto.t.wrong"))
    with pytest.raises(NotAuthenticated):
        visit.admit("", ATTACH)


@pytest.mark.parametrize("where", ["subprotocol", "argument", "attach"])
def test_ticket_admits_where_a_key_is_needed(tmp_path: Path, where: str) -> None:
    desk, _ = keyed(tmp_path)
    ticket = desk.tickets.issue(Admission(tenant="acme", session="s1", role="controller"))
    visit = desk.receive(arrival(f"tenuto.t.{ticket}" if where == "subprotocol" else "other"))
    attach = Attach(session="s1", client="c", ticket=ticket if where == "attach" else "")
    assert visit.admit(ticket if where == "argument" else "", attach).tenant == "acme"


def test_key_admits_a_program(tmp_path: Path) -> None:
    desk, key = keyed(tmp_path)
    visit = desk.receive(arrival(authorization=f"Bearer {key}"))
    assert visit.admit("", ATTACH).tenant == "acme"


def test_resume_token_is_left_to_the_session(tmp_path: Path) -> None:
    desk, _ = keyed(tmp_path)
    attach = Attach(session="s1", client="c", token="resume")
    assert desk.receive(arrival()).admit("", attach).tenant == ""
    with pytest.raises(NotAuthenticated, match="/tickets"):
        desk.receive(arrival()).admit("", ATTACH)


def test_socket_is_for_one_session_and_one_role(tmp_path: Path) -> None:
    visit = reception(tmp_path).receive(arrival())
    with pytest.raises(NotAuthenticated, match="another session"):
        visit.admit("", Attach(session="s2", client="c"))
    admission = visit.admit("", ATTACH)
    # A client whose first attach was refused for something else may correct it: its ticket is used.
    assert visit.admit("", ATTACH) is admission
    with pytest.raises(NotAuthenticated, match="another role"):
        visit.admit("", Attach(session="s1", client="c", role="observer"))


def test_ticket_is_bound_to_the_origin_of_the_page(tmp_path: Path) -> None:
    desk = reception(tmp_path)
    own = "http://127.0.0.1:80"
    admission = Admission(tenant="local", session="s1", role="controller")
    good, bad = (desk.tickets.issue(admission, origin=origin) for origin in (own, ""))
    desk.receive(arrival(f"tenuto.t.{good}", origin=own)).admit("", ATTACH)
    with pytest.raises(NotAuthenticated, match="origin"):
        desk.receive(arrival(f"tenuto.t.{bad}", origin=own)).admit("", ATTACH)


def test_places_are_counted_and_given_back(tmp_path: Path) -> None:
    desk = reception(tmp_path, strangers=1, controllers_per_session=1)
    first = desk.receive(arrival())
    with pytest.raises(TooMuch):
        desk.receive(arrival())
    first.admit("", ATTACH)
    second = desk.receive(arrival())
    with pytest.raises(TooMuch):
        second.admit("", ATTACH)
    first.over()
    first.over()
    second.admit("", ATTACH)
    second.over()
    assert desk.occupancy.strangers == 0
    assert isinstance(desk.receive(arrival()), Visit)


def test_who_may_not_come_in_is_not_counted(tmp_path: Path) -> None:
    desk = reception(tmp_path)
    with pytest.raises(WrongHost):
        desk.receive(arrival(host="evil.example"))
    with pytest.raises(NotUpgraded):
        desk.receive(
            Arrival(session="s1", asking=arrival().asking, protocols=("tenuto.t.x", "other"))
        )
    desk.draining.set()
    with pytest.raises(Draining):
        desk.receive(arrival())
    assert desk.occupancy.strangers == 0
