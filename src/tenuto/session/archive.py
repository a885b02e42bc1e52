"""A session's journal, to read back: what happened longer ago than the state remembers."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

from tenuto import events as e
from tenuto.session.fold import State
from tenuto.session.history import HistoryPage

if TYPE_CHECKING:
    from tenuto.session.session import Session


class Archive(Protocol):
    """The journal of one session as its store has it. What is not committed yet is not in it."""

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
        ...

    async def history(self, before: int | None, limit: int) -> HistoryPage:
        """Return a page of messages, oldest first: the newest page, or the one before a position."""
        ...

    async def state_at(self, position: int) -> State:
        """Return the session as it was at a position."""
        ...

    def export(self, upto: int) -> AsyncIterator[bytes]:
        """Yield the lines of an export."""
        ...

    async def fork(self, at: int, session_id: str | None) -> "Session":
        """Return a new session that shares the past up to a position."""
        ...
