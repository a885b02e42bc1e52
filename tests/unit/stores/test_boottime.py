import time

import pytest

from tenuto.stores.boottime import boottime


def test_the_date_does_not_move_it(monkeypatch: pytest.MonkeyPatch) -> None:
    boot, before = boottime()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    again, after = boottime()
    if boot == "date":
        assert after == 0.0
    else:
        assert again == boot
        assert 0 <= after - before < 60


def test_without_such_a_clock_it_is_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    monkeypatch.setattr(time, "time", lambda: 12.0)
    assert boottime() == ("date", 12.0)
