"""The idle sweep: sessions that nobody uses any more are let go of. They stay in the store, and can be loaded again.

A session whose person has gone is parked after its grace, without a sweep. What is left is held by a program that has
forgotten it: for hours nothing happened in it, no person's client is attached to it, and no reply is being made.
A block (`async with`) that waits that long has forgotten it, too.
"""

import asyncio
import logging

from tenuto.errors import InvalidInput
from tenuto.host.host import Tenuto
from tenuto.session.session import Session
from tenuto.session.state import Status

log = logging.getLogger("tenuto.host")

CLOSE_SECONDS = 10.0
"""Seconds that a session may take to close; the sweep does not wait for it longer."""
PROGRAM = "python"
"""The client of an attachment that is this program itself."""


class IdleSweep:
    """Closes the sessions of a host in which nothing has happened for long.

    Args:
        tenuto: The host.
        every: Seconds between two sweeps, more than 0.
        idle: Seconds without an event after which a session is closed; at exactly so many it is kept. More than 0.

    Raises:
        InvalidInput: A value is wrong.

    Example:
        >>> async with Tenuto() as tenuto:  # doctest: +SKIP
        ...     IdleSweep(tenuto, every=600, idle=1800).start()
    """

    def __init__(self, tenuto: Tenuto, every: float = 1800.0, idle: float = 3600.0) -> None:
        if not every > 0 or not idle > 0:
            raise InvalidInput("`every` and `idle` are more than 0 seconds.")
        self.every, self.idle = every, idle
        self._tenuto = tenuto
        self._stop: asyncio.Event | None = None

    @property
    def is_running(self) -> bool:
        """Whether it sweeps by itself."""
        return self._stop is not None

    def start(self) -> None:
        """Sweep again and again, beside, until `stop` or until the host closes. Starting twice is starting once."""
        if self._stop is None:
            self._stop = asyncio.Event()
            self._tenuto.spawn(self._run(self._stop))

    def stop(self) -> None:
        """Sweep no more. Sessions that are being closed are closed."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    async def sweep(self) -> list[str]:
        """Close what is idle now. One that fails to close is logged, and keeps none of the others from being closed.

        Returns:
            The ids of the sessions that were closed.
        """
        idle = [session for session in self._tenuto.sessions_here.values() if self.is_idle(session)]
        closed = await asyncio.gather(*map(_close, idle))
        return [session.session_id for session, done in zip(idle, closed, strict=True) if done]

    def is_idle(self, session: Session) -> bool:
        """Return whether nobody misses that session: see the module for what that means."""
        state = session.driver.core.state
        return (
            session.is_active
            and session.status not in (Status.PROCESSING, Status.SPEAKING)
            and all(here.client == PROGRAM for here in state.here.values())
            # By the clock that the session's events are dated with, which does not jump while it is here.
            and session.driver.now() - session.state.value.last_activity > self.idle
        )

    async def _run(self, stop: asyncio.Event) -> None:
        while True:
            try:
                async with asyncio.timeout(self.every):
                    await stop.wait()
                return
            except TimeoutError:
                await self.sweep()


async def _close(session: Session) -> bool:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.close()
    except Exception as error:  # noqa: BLE001 -- one session's bug must not strand the others
        log.warning("session %s did not close: %s", session.session_id, type(error).__name__)
        return False
    log.info("session %s closed: idle", session.session_id)
    return True
