"""The clock of leases in a file: it counts through suspension, and no change of the date moves it.

Hosts on one machine share it, so that each can tell whether another's lease has run out. After a reboot it starts anew;
a lease of another boot is void, for no process of that boot is alive.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path

LeaseClock = Callable[[], tuple[str, float]]
"""Gives the boot's name, and the seconds since some moment of that boot. All hosts of a store share it."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def boottime() -> tuple[str, float]:
    """Return the name of this boot and the seconds since it.

    Where the system has no such clock (anything but Linux), it is the date's clock under the name `date`: a jump of the
    date can then end a lease early or late. The fence keeps the journal whole all the same.
    """
    boot = _boot()
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    if boot and clock is not None:
        return boot, time.clock_gettime(clock)
    return "date", time.time()
