"""Keeps the leases of the sessions that are live on this host: every one in one write, three times a lease.

An owner that cannot renew stops acting before anybody can take over: at `MARGIN` before the end of the lease, also when the
store neither answers nor refuses. The fence would keep it from writing; this keeps two hosts from speaking to one person.
Time is that of a clock that does not jump.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from tenuto.errors import LeaseLost

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

log = logging.getLogger("tenuto.host")

MARGIN = 0.2
"""The part of a lease before its end at which an owner that could not renew stops acting."""


class Leases:
    """The leases of a host.

    Args:
        tenuto: The host.
    """

    def __init__(self, tenuto: "Tenuto") -> None:
        self._tenuto = tenuto
        self._renewed = 0.0
        """When every lease was last known to be held, by `Clock.monotonic`."""

    async def run(self) -> None:
        """Renew for ever."""
        self._renewed = self._tenuto.clock.monotonic()
        while True:
            await asyncio.sleep(self._at_most())
            await self._renew()

    def _at_most(self) -> float:
        """Return the seconds that a pause, or a try, may take: a third of a lease, and never beyond the last moment."""
        lease = self._tenuto.config.lease
        last = self._renewed + lease * (1 - MARGIN)
        return min(lease / 3, max(0.0, last - self._tenuto.clock.monotonic()))

    async def _renew(self) -> None:
        tenuto = self._tenuto
        began, here = tenuto.clock.monotonic(), dict(tenuto.sessions_here)
        held: set[str] = set()
        if here:
            try:
                async with asyncio.timeout(self._at_most()):
                    held = await tenuto.store.renew(tenuto.id, list(here), tenuto.config.lease)
            except Exception as error:  # noqa: BLE001 -- whatever a store raises: nothing was renewed
                age = tenuto.clock.monotonic() - self._renewed
                log.warning("leases not renewed for %.1f s: %s", age, type(error).__name__)
                if self._at_most() > 0:
                    return
        self._renewed = began
        for session_id, session in here.items():
            # One that was let go and taken again meanwhile is another object, with a lease of its own.
            if session_id not in held:
                session.driver.lose(LeaseLost())
