"""The hour of the day, where somebody is."""

from datetime import UTC, datetime

import pytest

from tenuto.session.zone import hour


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        ("2025-07-01T06:30:00", "", 6),
        ("2025-07-01T06:30:00", "Europe/Rome", 8),
        ("2025-01-01T06:30:00", "Europe/Rome", 7),
        # The clock is put forward at 01:00 UTC, and back at 01:00 UTC: an hour is left out, and comes twice.
        ("2025-03-30T00:59:59", "Europe/Rome", 1),
        ("2025-03-30T01:00:00", "Europe/Rome", 3),
        ("2025-10-26T00:30:00", "Europe/Rome", 2),
        ("2025-10-26T01:30:00", "Europe/Rome", 2),
        ("2025-10-26T02:30:00", "Europe/Rome", 3),
        ("2025-03-09T06:59:59", "America/New_York", 1),
        ("2025-03-09T07:00:00", "America/New_York", 3),
        # Half an hour, and the day before.
        ("2025-07-01T18:45:00", "Asia/Kolkata", 0),
        ("2025-07-01T03:00:00", "America/Los_Angeles", 20),
        ("1969-12-31T23:00:00", "", 23),
    ],
)
def test_the_hour_is_the_one_on_the_wall(moment: str, zone: str, expected: int) -> None:
    assert hour(at(moment), zone) == expected


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "x\0"])
def test_a_zone_that_this_machine_does_not_know_is_utc(zone: str) -> None:
    assert hour(at("2025-07-01T06:30:00"), zone) == 6
