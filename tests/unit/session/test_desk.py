"""A receipt: what a verb made at once, and its durability for whoever waits."""

from typing import cast

import pytest

from tenuto.errors import StoreFull
from tenuto.session.desk import Desk, Receipt


class Counter:
    """A desk that counts commits."""

    def __init__(self) -> None:
        self.commits = 0
        self.fails = False

    async def commit(self) -> int:
        self.commits += 1
        if self.fails:
            raise StoreFull
        return self.commits


async def test_a_receipt_has_its_value_at_once_and_waits_when_it_is_awaited() -> None:
    desk = Counter()
    receipt = Receipt(cast(Desk, desk), "made")
    assert (receipt.value, desk.commits) == ("made", 0)
    assert await receipt == "made"
    assert await receipt == "made"
    assert desk.commits == 2


async def test_a_receipt_that_will_not_be_durable_raises() -> None:
    desk = Counter()
    desk.fails = True
    with pytest.raises(StoreFull):
        await Receipt(cast(Desk, desk), None)


def test_a_receipt_shows_what_was_made() -> None:
    assert repr(Receipt(cast(Desk, Counter()), "made")) == "Receipt('made')"
