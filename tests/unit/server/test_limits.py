import pytest

from tenuto.errors import InvalidInput, TooMuch
from tenuto.server.limits import Limits, Occupancy, check_depth


def test_strangers_are_bounded_by_address_and_in_all() -> None:
    counts = Occupancy(Limits(strangers=3, strangers_per_address=2))
    counts.arrive("a", own=False)
    counts.arrive("a", own=False)
    with pytest.raises(TooMuch, match="your address"):
        counts.arrive("a", own=False)
    counts.arrive("b", own=False)
    with pytest.raises(TooMuch, match="Too many clients"):
        counts.arrive("c", own=True)
    counts.settle("a")
    counts.arrive("c", own=False)
    for address in "abc":
        counts.settle(address)
    assert counts.strangers == 0
    # One that is uncounted twice does not open the door.
    counts.settle("a")
    assert counts.strangers == 0


def test_own_addresses_share_only_the_limit_of_all() -> None:
    counts = Occupancy(Limits(strangers_per_address=2))
    for _ in range(5):
        counts.arrive("127.0.0.1", own=True)
    assert counts.strangers == 5


def test_sockets_of_a_session_are_bounded_by_role() -> None:
    counts = Occupancy(Limits(controllers_per_session=1, observers_per_session=2))
    counts.enter("s", "controller")
    with pytest.raises(TooMuch):
        counts.enter("s", "controller")
    counts.enter("s", "observer")
    counts.enter("another", "controller")
    counts.leave("s", "controller")
    counts.enter("s", "controller")


def test_json_may_nest_only_so_deep() -> None:
    check_depth(b'{"a":' * 16 + b"1" + b"}" * 16, 16)
    with pytest.raises(InvalidInput, match="16 levels"):
        check_depth(b'{"a":' * 17 + b"1" + b"}" * 17, 16)
    check_depth(b'["[[[[[[[[[[[[[[[[[[[[", "\\"[[[[[[[[[[[[[[[[[[[["]', 16)
    check_depth(b"[],[],[]" * 100, 16)
