"""A bounded number of sessions at a time: whoever comes when all are out waits, first come, first served.

A pool keeps places, not sessions. What comes back is ended, and whoever gets its place gets a session that is new from
its id on: there is nothing in it that could be carried over. A place is free again as soon as its session is gone from
this host, whether it was returned, ended by itself, was parked for want of use, or was lost; whoever waits is served.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from tenuto.errors import IllegalEvent, InvalidInput, PoolTimeout, TenutoError
from tenuto.host.host import Tenuto
from tenuto.host.together import all_of
from tenuto.session.checked import checked
from tenuto.session.session import Session
from tenuto.session.streams import Reader


@checked
class SessionPool:
    """At most `limit` sessions at a time.

    Args:
        tenuto: The host; it has to be open while the pool is used.
        limit: Sessions that may be checked out at a time, 1 or more.
        timeout: Seconds that `get_session` waits for a place, 0 or more.
        how: More arguments for `Tenuto.create_session`, such as `config`; all but `user_id` and `session_id`.

    Raises:
        InvalidInput: A value is wrong; the message says what is accepted.

    Example:
        >>> async with SessionPool(tenuto, limit=3) as pool:  # doctest: +SKIP
        ...     async with pool.checkout(user_id="alice") as session:
        ...         reply = await session.send_message("What time is it?")
    """

    def __init__(self, tenuto: Tenuto, limit: int = 3, timeout: float = 30.0, **how: Any) -> None:
        if type(limit) is not int or limit < 1:
            raise InvalidInput(f"`limit` is 1 or more sessions, a whole number, not {limit!r}.")
        if own := {"session_id", "user_id"} & how.keys():
            raise InvalidInput(
                f"`{min(own)}` differs from session to session: a pool cannot fix it."
            )
        self.limit = limit
        """Sessions that may be checked out at a time."""
        self.timeout = _seconds(timeout)
        """Seconds that `get_session` waits for a place when it is not told how long."""
        self._tenuto, self._how = tenuto, how
        self._places = asyncio.Semaphore(limit)
        self._live: set[Session] = set()
        """Sessions that hold a place."""
        self._out: weakref.WeakSet[Session] = weakref.WeakSet()
        """Sessions that were not returned yet, also those that are gone."""
        self._waiting = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions that hold a place now, in no order."""
        return tuple(self._live)

    @property
    def waiting(self) -> int:
        """How many callers of `get_session` wait for a place."""
        return self._waiting

    async def get_session(
        self,
        user_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- part of the question
    ) -> Session:
        """Return a new session of that user, as soon as there is a place for it.

        It is held only as any other is: one in which nobody talks is put away after the host's grace, and gives its place
        back. `checkout` holds it as long as its block takes.

        Args:
            user_id: Whose it is; `local` when not given.
            timeout: Seconds to wait, 0 for not at all; the pool's own when not given.

        Raises:
            PoolTimeout: No place became free in time.
            IllegalEvent: The pool was closed.
            InvalidInput: A value is wrong.
            StoreError: The session could not be made.

        Example:
            >>> session = await pool.get_session(user_id="alice", timeout=5)  # doctest: +SKIP
        """
        await self._place(self.timeout if timeout is None else _seconds(timeout))
        try:
            session = self._tenuto.create_session(user_id=user_id, **self._how)
        except BaseException:
            self._places.release()
            raise
        self._live.add(session)
        # From now on the place is the session's: it is free again when the session is gone, and not before.
        self._tenuto.spawn(self._watch(session, aiter(session.state)))
        try:
            await session
        except BaseException:
            self._tenuto.spawn(_end(session))
            raise
        self._out.add(session)
        return session

    async def return_session(self, session: Session) -> None:
        """Give a session back. It is ended: what was said can be read, and nothing of it reaches whoever comes next.

        One that has ended or was lost meanwhile is just not waited for any more.

        Args:
            session: As `get_session` returned it.

        Raises:
            InvalidInput: It is not of this pool, or was returned before.
            TenutoError: Its last events have not become durable. Its place is free all the same.
        """
        if session not in self._out:
            raise InvalidInput(
                f"Session {session.session_id} is not out of this pool, or was returned before."
            )
        self._out.discard(session)
        await _end(session)

    @asynccontextmanager
    async def checkout(
        self,
        user_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- part of the question
    ) -> AsyncIterator[Session]:
        """Have a session for a block, used or not, and return it at the end, also of one that fails.

        Args:
            user_id: Whose it is; `local` when not given.
            timeout: Seconds to wait for a place; the pool's own when not given.

        Raises:
            PoolTimeout: No place became free in time.
            IllegalEvent: The pool was closed.

        Example:
            >>> async with pool.checkout(user_id="alice") as session:  # doctest: +SKIP
            ...     reply = await session.send_message("What time is it?")
        """
        session = await self.get_session(user_id, timeout)
        session.driver.held += 1
        try:
            yield session
        finally:
            session.driver.held -= 1
            if session in self._out:
                await self.return_session(session)

    async def close(self) -> None:
        """End every session that is out, also when one fails to. Whoever waits for a place is told so.

        Raises:
            TenutoError: The last events of a session have not become durable.
            ExceptionGroup: Those of several.
        """
        if not self._closed:
            self._closed = True
            self._places.release()  # The first who waits wakes, and wakes the next.
        self._out.clear()
        await all_of(map(_end, self.sessions), "Sessions of the pool did not end well.")

    async def _place(self, timeout: float) -> None:  # noqa: ASYNC109 -- part of the question
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout):
                await self._places.acquire()
        except TimeoutError:
            raise PoolTimeout(
                f"No session of the pool became free in {timeout:g} s: all {self.limit} are out. "
                "Return them sooner, wait longer, or raise the limit."
            ) from None
        finally:
            self._waiting -= 1
        if self._closed:
            self._places.release()
            raise IllegalEvent("The pool is closed.")

    async def _watch(self, session: Session, changes: Reader) -> None:
        try:
            async for _ in changes:
                pass
        finally:
            self._live.discard(session)
            self._places.release()


async def _end(session: Session) -> None:
    if session.is_active:
        try:
            await session.end("returned")
        except TenutoError:
            # What counts is whether it is durable, whoever was first to end it.
            await session.close()


def _seconds(timeout: float) -> float:
    if not timeout >= 0:
        raise InvalidInput(f"`timeout` is 0 seconds or more, not {timeout}.")
    return timeout
