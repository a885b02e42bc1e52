"""What time it is. Everything that needs the time is given a `Clock`, so that a test can own it."""

import time
from functools import cache
from typing import Protocol

ZONE = "an IANA name such as Europe/Rome, or nothing for the host's own"
"""What names a time zone."""


class Clock(Protocol):
    """Two clocks: one for people, one for durations."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC. May jump: for showing and for what is due at a date."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment. Never jumps: for timeouts, leases and pacing."""
        ...


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@cache
def is_zone(name: str) -> bool:
    """Say whether something names a time zone: see `ZONE`.

    Example:
        >>> is_zone("Europe/Rome"), is_zone("Mars")
        (True, False)
    """
    if name == "":
        return True
    import zoneinfo  # Few set a zone, and all would pay for it.

    try:
        return bool(zoneinfo.ZoneInfo(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
