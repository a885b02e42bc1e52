"""Wakes the sessions that have something to do by themselves, and that no host has. It is also how a session is adopted whose
host has died while something was due.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenuto.errors import TenutoError
from tenuto.host.journals import is_free
from tenuto.host.live import LiveSessions
from tenuto.host.user_memory import UserMemories
from tenuto.ids import RESERVED
from tenuto.session import ports, stimuli
from tenuto.session.state import Life

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

log = logging.getLogger("tenuto.host")

EVERY_SECONDS = 0.5
"""How often the store is asked for what is due."""
AT_ONCE = 100
"""Sessions that are asked for in one round; twice as many in the next one when hosts have all of these."""
MOST_AT_ONCE = 100 * AT_ONCE


class Alarms:
    """The alarms of a host.

    Args:
        tenuto: The host.
        live: Its sessions.
        memories: What expires in the memories of users.
    """

    def __init__(self, tenuto: "Tenuto", live: LiveSessions, memories: UserMemories) -> None:
        self._tenuto, self._live, self._memories = tenuto, live, memories

    async def run(self) -> None:
        """Ring until the host closes. Whatever fails is logged, and tried again in the next round."""
        tenuto, most = self._tenuto, AT_ONCE
        while not self._live.closing:
            await asyncio.sleep(EVERY_SECONDS)
            due: Sequence[ports.Head] = ()
            try:
                due = await tenuto.store.due(tenuto.clock.now(), most)
            except Exception as error:  # noqa: BLE001 -- whatever a store raises: it may answer again
                log.warning("alarms: %s", type(error).__name__)
            free = [h for h in due if h.session not in self._live.here and is_free(h)]
            # What hosts have is listed before what waits behind it: it must not be all that is ever seen.
            most = min(2 * most, MOST_AT_ONCE) if len(due) == most and not free else AT_ONCE
            for head in free[:AT_ONCE]:
                await self._ring(head)

    async def _ring(self, head: ports.Head) -> None:
        try:
            if head.session.startswith(RESERVED):
                await self._memories.expire(head)
                return
            session = await self._tenuto.load_session(head.session, tenant=head.tenant)
            if session.driver.core.state.life is not Life.ENDED:
                await session.driver.commit(session.driver.receive(stimuli.Due()))
        except TenutoError as error:
            log.warning("session %s: alarm: %s", head.session, error.code)
        except Exception:  # one session's bug must not keep the others from being woken
            log.exception("session %s: alarm", head.session)
