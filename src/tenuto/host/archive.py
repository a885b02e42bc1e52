"""A session's journal, read from its store, for the session's face."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from tenuto import events as e
from tenuto.errors import SessionNotFound
from tenuto.host import migration
from tenuto.session import history, ports
from tenuto.session.fold import State
from tenuto.session.history import HistoryPage
from tenuto.stores import rows

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto
    from tenuto.session.session import Session


class StoredArchive:
    """An `Archive` of one session."""

    def __init__(self, tenuto: "Tenuto", session: str) -> None:
        self._tenuto, self._session = tenuto, session

    async def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        types: tuple[str, ...] = (),
        newest_first: bool = False,
        limit: int = 300,
    ) -> Sequence[tuple[int, e.Event]]:
        """Return events with their positions; see `ports.Read`."""
        found = await self._tenuto.store.read(
            ports.Read(
                session=self._session,
                after=after,
                before=before,
                types=types,
                newest_first=newest_first,
                limit=limit,
            )
        )
        return [(row.position, rows.to_event(row)) for row in found]

    async def history(self, before: int | None, limit: int) -> HistoryPage:
        """Return a page of messages, oldest first: the newest page, or the one before a position.

        Raises:
            InvalidInput: `limit` is below 1.
        """
        history.need_limit(limit)
        found = await self.events(
            before=before, types=history.TYPES, newest_first=True, limit=limit + 1
        )
        return history.page(found, limit)

    async def state_at(self, position: int) -> State:
        """Return the session as it was at a position.

        Raises:
            InvalidInput: There is no such position.
        """
        return await migration.state_at(self._tenuto.store, await self._head(), position)

    async def export(self, upto: int) -> AsyncIterator[bytes]:
        """Yield the lines of an export."""
        head = await self._head()
        async for line in migration.export_lines(self._tenuto.store, head, upto):
            yield line

    async def fork(self, at: int, session_id: str | None) -> "Session":
        """Return a new session that shares the past up to a position."""
        head = await self._head()
        name = await migration.fork(self._tenuto, head, at, session_id)
        return await self._tenuto.load_session(name, tenant=head.tenant)

    async def _head(self) -> ports.Head:
        head = await self._tenuto.store.head(self._session)
        if head is None:
            raise SessionNotFound
        return head
