"""The hour of the day that a moment has where somebody is: in their time zone, across daylight saving."""

from datetime import datetime, tzinfo
from functools import lru_cache


def hour(at: float, name: str) -> int:
    """Return the local hour, 0 to 23.

    Args:
        at: Seconds since 1970-01-01 UTC.
        name: IANA name of the zone; UTC when empty, or when this machine does not know it.

    Example:
        >>> hour(0.0, "America/New_York")
        19
    """
    found = _zone(name) if name else None
    if found is None:
        return int(at // 3600) % 24
    return datetime.fromtimestamp(at, found).hour


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    import zoneinfo  # Few sessions set a zone, and all would pay for it.

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
