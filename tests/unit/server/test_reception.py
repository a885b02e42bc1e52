import math
from pathlib import Path
from typing import Any

import pytest

from tenuto.errors import NotAuthenticated, RateLimited, TooMuch
from tenuto.security.grants import Admission, add_key, revoke_key
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


def admission_of(key: str, /, **more: Any) -> Admission:
    """What a ticket is for that was asked for with this key."""
    given = {"tenant": "acme", "session": "s1", "role": "controller", "key": key.split("_")[1]}
    return Admission(**given | more)


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
    desk, key = keyed(tmp_path)
    ticket = desk.tickets.issue(admission_of(key))
    visit = desk.receive(arrival(f"tenuto.t.{ticket}" if where == "subprotocol" else "other"))
    attach = Attach(session="s1", client="c", ticket=ticket if where == "attach" else "")
    assert visit.admit(ticket if where == "argument" else "", attach).tenant == "acme"


def test_key_admits_a_program(tmp_path: Path) -> None:
    desk, key = keyed(tmp_path)
    visit = desk.receive(arrival(authorization=f"Bearer {key}"))
    assert visit.admit("", ATTACH).tenant == "acme"


def test_resume_token_is_left_to_the_session(tmp_path: Path) -> None:
    desk, key = keyed(tmp_path)
    attach = Attach(session="s1", client="c", token="resume" + admission_of(key).binding)
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


def test_a_second_try_does_not_rest_on_what_the_first_one_made_up(tmp_path: Path) -> None:
    """The session sees the token of the try that it takes, so that is the one to go by."""
    desk, clock, key = lasting(tmp_path, controllers_per_session=1)

    def attach(until: float) -> Attach:
        return Attach(session="s1", client="c", token="x" + admission_of(key, until=until).binding)

    visit = desk.receive(arrival())
    visit.admit("", attach(clock.now() + 99_999))
    with pytest.raises(NotAuthenticated, match="not valid any more"):
        visit.admit("", attach(clock.now() - 1))
    assert visit.admit("", attach(clock.now() + 10)).until == clock.now() + 10
    assert visit.left() == 10
    visit.over()
    assert desk.occupancy.strangers == 0
    desk.occupancy.enter("s1", "controller")


def test_a_key_that_is_revoked_before_its_client_attaches_lets_nobody_in(tmp_path: Path) -> None:
    desk, clock, key = lasting(tmp_path)
    good, gone = (desk.receive(arrival(authorization=f"Bearer {key}")) for _ in range(2))
    assert good.admit("", ATTACH).tenant == "acme"
    revoke_key(tmp_path / "tenuto.keys", key.split("_")[1])
    clock.time += 1
    with pytest.raises(NotAuthenticated):
        gone.admit("", ATTACH)


@pytest.mark.parametrize("shows", ["nothing", "a key"])
def test_upgrades_are_counted_as_other_requests_are(tmp_path: Path, shows: str) -> None:
    desk, clock, key = lasting(tmp_path, address_burst=3, strangers_per_address=99)
    far = {"address": "192.0.2.1", "local": "192.0.2.9", "host": "voice.example"}
    if shows == "a key":
        far["authorization"] = f"Bearer {key}"
    for _ in range(3):
        desk.receive(arrival(**far)).over()
    with pytest.raises(RateLimited):
        desk.receive(arrival(**far))
    desk.receive(arrival(**far | {"address": "192.0.2.2"})).over()
    clock.time += 1
    desk.receive(arrival(**far)).over()


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


def lasting(folder: Path, **limits: Any) -> tuple[Reception, FakeClock, str]:
    """A desk whose clock a test moves, and its key."""
    clock = FakeClock()
    key = add_key(folder / "tenuto.keys", clock=clock, tenant="acme")
    desk = Reception(FakeHost(folder), limits=Limits(**limits), clock=clock, make_wire=Echoes())
    return desk, clock, key


def come(desk: Reception, key: str, **more: Any) -> Visit:
    """A client that was let in by a ticket."""
    ticket = desk.tickets.issue(admission_of(key, **more))
    visit = desk.receive(arrival(f"tenuto.t.{ticket}"))
    visit.admit("", Attach(session="s1", client="c", role=more.get("role", "controller")))
    return visit


@pytest.mark.parametrize("by", ["key", "ticket", "token"])
def test_what_stands_on_a_key_ends_when_it_is_revoked(tmp_path: Path, by: str) -> None:
    desk, clock, key = lasting(tmp_path)
    another = add_key(tmp_path / "tenuto.keys", clock=clock, tenant="acme")
    clock.time += 1

    def visit(key: str) -> Visit:
        if by == "ticket":
            return come(desk, key)
        asks = {"authorization": f"Bearer {key}"} if by == "key" else {}
        token = "x" + admission_of(key, until=5_000.0).binding if by == "token" else ""
        made = desk.receive(arrival(**asks))
        made.admit("", Attach(session="s1", client="c", token=token))
        return made

    theirs, other = visit(key), visit(another)
    out = desk.tickets.issue(admission_of(key))
    assert theirs.left() > 0
    revoke_key(tmp_path / "tenuto.keys", key.split("_")[1])
    clock.time += 1
    with pytest.raises(NotAuthenticated, match="revoked"):
        theirs.left()
    assert other.left() > 0, "the control: another key's client goes on"
    with pytest.raises(NotAuthenticated):
        visit(key)
    with pytest.raises(NotAuthenticated, match="revoked"):
        desk.receive(arrival(f"tenuto.t.{out}")).admit("", ATTACH)


def test_what_came_by_ticket_ends_and_goes_on_for_another_one(tmp_path: Path) -> None:
    desk, clock, key = lasting(tmp_path, attachment_seconds=100.0)
    visit = come(desk, key)
    assert visit.left() == 100.0
    clock.time += 90
    visit.renew(desk.tickets.issue(admission_of(key)))
    assert visit.left() == 100.0
    clock.time += 120
    assert visit.left() == -20.0
    visit.renew(desk.tickets.issue(admission_of(key)))
    assert visit.left() == 100.0
    assert desk.occupancy.strangers == 0


@pytest.mark.parametrize(
    "other",
    [{"session": "s2"}, {"role": "observer"}, {"share": 1}, {"key": "ffffffff"}],
    ids=lambda one: next(iter(one)),
)
def test_a_ticket_for_something_else_renews_nothing(tmp_path: Path, other: dict[str, Any]) -> None:
    desk, clock, key = lasting(tmp_path, attachment_seconds=100.0)
    visit = come(desk, key)
    clock.time += 90
    ticket = desk.tickets.issue(admission_of(key, **other))
    for _ in range(2):
        with pytest.raises(NotAuthenticated):
            visit.renew(ticket)
    assert visit.left() == 10.0


def test_what_a_share_shows_is_renewed_by_the_same_share_only(tmp_path: Path) -> None:
    desk, _, key = lasting(tmp_path)
    visit = come(desk, key, role="observer", share=2)
    with pytest.raises(NotAuthenticated, match="another share"):
        visit.renew(desk.tickets.issue(admission_of(key)))
    visit.renew(desk.tickets.issue(admission_of(key, role="observer", share=2)))


def test_who_has_not_attached_renews_nothing(tmp_path: Path) -> None:
    desk, _, key = lasting(tmp_path)
    with pytest.raises(NotAuthenticated, match="not attached"):
        desk.receive(arrival()).renew(desk.tickets.issue(admission_of(key)))


def test_a_resume_token_lasts_no_longer_than_what_it_stands_on(tmp_path: Path) -> None:
    desk, clock, key = lasting(tmp_path, attachment_seconds=100.0)
    token = "x" + admission_of(key, until=clock.now() + 60).binding

    def resume() -> Visit:
        visit = desk.receive(arrival())
        visit.admit("", Attach(session="s1", client="c", token=token))
        return visit

    clock.time += 20
    assert resume().left() == 40.0
    clock.time += 40
    with pytest.raises(NotAuthenticated, match="not valid any more"):
        resume()
    clock.time -= 500
    assert resume().left() == 100.0, "a clock that went back gives no more than a ticket would"


def test_a_resume_token_from_before_there_was_a_key_is_of_no_use(tmp_path: Path) -> None:
    desk, _, _ = lasting(tmp_path)
    with pytest.raises(NotAuthenticated, match="Get a ticket"):
        desk.receive(arrival()).admit("", Attach(session="s1", client="c", token="x"))


def test_what_the_local_user_has_does_not_end(tmp_path: Path) -> None:
    visit = reception(tmp_path).receive(arrival())
    visit.admit("", ATTACH)
    assert visit.left() == math.inf


def test_requests_are_counted_by_address_and_by_key(tmp_path: Path) -> None:
    desk, clock, key = lasting(
        tmp_path, key_rate=1.0, key_burst=3, address_rate=1.0, address_burst=2
    )
    far = {"host": "h", "local": "192.0.2.9"}
    good = {"authorization": f"Bearer {key}"}

    def ask(address: str, **more: str) -> None:
        desk.caller(arrival(**far, address=address, **more).asking)

    ask("2001:db8::1", **good)
    with pytest.raises(NotAuthenticated):
        ask("2001:db8::2")
    # Also who shows nothing is counted, and a network of IPv6 is one address.
    with pytest.raises(RateLimited):
        ask("2001:db8::3", **good)
    ask("192.0.2.1", **good)
    ask("127.0.0.1", **good)
    with pytest.raises(RateLimited) as refused:
        ask("127.0.0.1", **good)
    assert refused.value.retry_after == pytest.approx(1.0)
    clock.time += 1
    ask("127.0.0.1", **good)


def test_strangers_of_one_network_are_strangers_of_one_address(tmp_path: Path) -> None:
    key = add_key(tmp_path / "tenuto.keys", clock=FakeClock())
    desk = reception(tmp_path, strangers_per_address=1)
    far = {"host": "h", "local": "2001:db8::9", "authorization": f"Bearer {key}"}
    first = desk.receive(arrival(**far, address="2001:db8:1::1"))
    with pytest.raises(TooMuch, match="your address"):
        desk.receive(arrival(**far, address="2001:db8:1::2"))
    desk.receive(arrival(**far, address="2001:db8:2::2"))
    first.over()
    desk.receive(arrival(**far, address="2001:db8:1::2"))
