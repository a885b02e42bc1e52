import pytest

from tenuto.errors import InvalidInput, RateLimited, TooMuch
from tenuto.server.limits import Limits, Occupancy, Rates, check_depth, network


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


def test_json_that_is_made_to_be_slow_to_read_is_read_once() -> None:
    # The control is the budget of a unit test: to look for each quote's end anew takes minutes.
    check_depth(b'"' + b'\\"' * 100_000, 16)
    check_depth(b'"' + b"\\" * 200_001, 16)
    check_depth(b'"[[[[[[[[[[[[[[[[[[', 16)


def test_requests_have_a_burst_and_a_rate() -> None:
    rates = Rates(2.0, 3)
    for _ in range(3):
        rates.take("a", 100.0)
    with pytest.raises(RateLimited) as refused:
        rates.take("a", 100.0)
    assert refused.value.retry_after == pytest.approx(0.5)
    with pytest.raises(RateLimited):
        rates.take("a", 100.4)
    # What was refused costs nothing, and others are not held up.
    rates.take("a", 100.5)
    rates.take("b", 100.5)
    for _ in range(3):
        rates.take("a", 110.0)
    with pytest.raises(RateLimited):
        rates.take("a", 110.0)


def test_rates_keep_only_so_many_names() -> None:
    rates = Rates(1.0, 1, most=2)
    for name in "abac":
        try:
            rates.take(name, 0.0)
        except RateLimited:
            assert name == "a"
    assert len(rates) == 2
    with pytest.raises(RateLimited):
        rates.take("a", 0.0)
    rates.take("b", 0.0)


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_a_network_counts_as_one_address(address: str, counts_as: str) -> None:
    assert network(address) == counts_as
