"""`tenuto.session(...)`: the session of an id, loaded or made, whoever else asks for it at the same time."""

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tenuto.errors import AppendConflict, SessionNotFound
from tenuto.session.session import Session

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto
    from tenuto.host.live import LiveSessions


class Opening:
    """A session that is about to be here: await it, or use it with `async with`, which holds it and closes it at the end.

    Example:
        >>> async with tenuto.session(user_id="alice") as session:  # doctest: +SKIP
        ...     await session.send_message("Hello")
    """

    def __init__(self, opening: Callable[[], Coroutine[Any, Any, Session]]) -> None:
        self._opening = opening
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def _open(self) -> Session:
        # Whoever had it until now may be putting it away.
        while self._session is None or self._session.driver.is_leaving:
            self._session = await self._opening()
        return self._session

    async def __aenter__(self) -> Session:
        return await (await self._open()).__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.__aexit__(kind, error, trace)


async def open_or_create(
    tenuto: "Tenuto",
    live: "LiveSessions",
    session_id: str,
    user_id: str | None,
    tenant: str,
    create: Callable[[], Session],
) -> Session:
    """Load the session of that id, or make it.

    Args:
        tenuto: The host.
        live: Its sessions.
        session_id: Its id.
        user_id: Whose it has to be; anybody's when None.
        tenant: Whose it has to be.
        create: Makes it.

    Raises:
        AppendConflict: There is a session of that id, and it is another user's.
    """
    for last in (False, True):
        try:
            await _need_user(tenuto, live, session_id, user_id, tenant)
            return await tenuto.load_session(session_id, tenant=tenant)
        except SessionNotFound:
            pass
        try:
            return await create()
        except AppendConflict:
            # Somebody was faster, and has made it meanwhile; or it is one that nobody may see here.
            if last:
                raise
    raise AssertionError


async def _need_user(
    tenuto: "Tenuto", live: "LiveSessions", session_id: str, user_id: str | None, tenant: str
) -> None:
    """Let nobody have somebody else's session by its id: to them it is as if there were one that they cannot see.

    Raises:
        SessionNotFound: There is no such session.
        AppendConflict: There is one, and it is another user's.
    """
    if user_id is None:
        return
    here = live.making.get(session_id) or live.here.get(session_id)
    mine = here is not None and here.driver.core.state.tenant == tenant
    known = here.user_id if here is not None and mine else ""
    if (known or (await tenuto.head(session_id, tenant=tenant)).user) != user_id:
        raise AppendConflict(f"Session {session_id} exists already.")
