"""What time it is. Everything that needs the time is given a `Clock`, so that a test can own it."""

import time
from typing import Protocol


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
