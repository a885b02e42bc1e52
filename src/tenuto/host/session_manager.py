"""Several sessions of one user, of which one is the current: what a switcher of conversations on a screen needs.

It keeps no state of its own besides which sessions there are and which is current: what was said is in the journals.
A session that the host has let go of meanwhile is loaded again when it is used.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from tenuto.errors import InvalidInput, SessionNotFound, TenutoError
from tenuto.host.host import Tenuto
from tenuto.host.together import all_of
from tenuto.ids import new_id
from tenuto.session.checked import checked
from tenuto.session.session import Session


@checked
class SessionManager:
    """Creates, switches, saves and closes the sessions of one user.

    Args:
        tenuto: The host; it has to be open while the manager is used.
        user_id: Whose sessions it makes; `local` when not given. Another user's cannot be restored.
        tenant: The tenant of that user.

    Example:
        >>> manager = SessionManager(tenuto, user_id="alice")  # doctest: +SKIP
        >>> session = await manager.create_session({"topic": "physics"})  # doctest: +SKIP
        >>> await manager.add_message("user", "I like quantum physics.")  # doctest: +SKIP
        >>> await manager.get_conversation_history()  # doctest: +SKIP
        [{'role': 'user', 'content': 'I like quantum physics.', 'timestamp': 1767225600000}]
    """

    def __init__(
        self, tenuto: Tenuto, user_id: str | None = None, *, tenant: str = "local"
    ) -> None:
        self._tenuto, self._user, self._tenant = tenuto, user_id or "local", tenant
        self._sessions: tuple[Session, ...] = ()
        self._current: Session | None = None
        self._one = asyncio.Lock()
        """Held while the current session is being changed."""

    @property
    def current_session(self) -> Session | None:
        """The session that the other verbs are about; None when there is none."""
        return self._current

    @property
    def current_session_id(self) -> str | None:
        """Its id; None when there is none."""
        return self._current.session_id if self._current is not None else None

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All of its sessions, the oldest first. The same tuple until one is added or goes."""
        return self._sessions

    def generate_session_id(self) -> str:
        """Return an id that no session has: it is random, and sorts by when it was made."""
        return new_id()

    async def create_session(
        self,
        initial_context: Mapping[str, object] | None = None,
        session_id: str | None = None,
        **how: Any,
    ) -> Session:
        """Make a session; it becomes the current one. The former stays as it is.

        Args:
            initial_context: What the agent should know from the beginning, by name; kept as memories.
            session_id: Its id, 1 to 100 characters; made up when not given.
            how: More arguments for `Tenuto.create_session`, such as `config`.

        Raises:
            AppendConflict: There is a session of that id. The current one is unchanged.
            InvalidInput: A value is wrong. There is no new session.

        Example:
            >>> session = await manager.create_session({"topic": "physics"})  # doctest: +SKIP
        """
        known = {} if initial_context is None else initial_context
        if not isinstance(known, Mapping):
            raise InvalidInput("`initial_context` is what the agent should know, by name.")
        async with self._one:
            session = self._tenuto.create_session(
                user_id=self._user, session_id=session_id, tenant=self._tenant, **how
            )
            try:
                for name, value in known.items():
                    session.add_memory(f"{name}: {value}", category="context")
            except TenutoError:
                await self._discard(session)
                raise
            await session
            self._take(session)
            return session

    async def switch_session(self, session_id: str) -> Session:
        """Make another of its sessions the current one. The former is closed: nothing of it is heard any more.

        Args:
            session_id: The id of one of `sessions`.

        Raises:
            SessionNotFound: It is none of them. The current one is unchanged.
            SessionLocked: Another host has it. The current one is unchanged.
            TenutoError: The last events of the former have not become durable. The switch is made all the same.
        """
        if session_id not in {session.session_id for session in self._sessions}:
            raise SessionNotFound
        return await self.restore_session(session_id)

    async def restore_session(self, session_id: str) -> Session:
        """Load a session of the user from the store and make it the current one. The former is closed.

        Args:
            session_id: The id of any session of the user.

        Raises:
            SessionNotFound: The user has no such session. The current one is unchanged.
            SessionEnded: It has ended. The current one is unchanged.
            SessionLocked: Another host has it. The current one is unchanged.
            TenutoError: The last events of the former have not become durable. The switch is made all the same.
        """
        async with self._one:
            former = self._current
            session = await self._load(session_id)
            try:
                if former is not None and former is not session:
                    await former.close()
            finally:
                self._take(session)
            return session

    async def delete_session(self, session_id: str) -> None:
        """Erase a session: nothing of it is left in the store. If it was the current one, there is none.

        Args:
            session_id: The id of any session of the user.

        Raises:
            SessionNotFound: The user has no such session.
            SessionLocked: Another host has it.
        """
        async with self._one:
            await self._mine(session_id)
            await self._tenuto.forget_session(session_id, tenant=self._tenant)
            self._sessions = tuple(s for s in self._sessions if s.session_id != session_id)
            if self.current_session_id == session_id:
                self._current = None

    async def save_session(self) -> None:
        """Wait until everything that happened in the current session is durable; do nothing when there is none.

        Raises:
            TenutoError: It will not be.
        """
        session = self._current
        if session is not None:
            # One that is gone from here knows whether all of it became durable.
            await (session.save() if session.is_active else session.close())

    async def close_all_sessions(self) -> None:
        """Close every session and forget which there were, also when one fails to. They stay in the store.

        Raises:
            TenutoError: The last events of a session have not become durable.
            ExceptionGroup: Those of several.
        """
        async with self._one:
            sessions, self._sessions, self._current = self._sessions, (), None
            await all_of((s.close() for s in sessions), "Sessions did not close well.")

    async def add_message(self, role: str, content: str) -> None:
        """Put a message into the current session without having it answered; do nothing when there is none.

        Args:
            role: `user`, `agent` (or `assistant`, which is the same), `system` or `tool`.
            content: What was said, 1 to 10,000 characters.

        Raises:
            InvalidInput: There is no such role, or the text is empty or too long.
        """
        session = await self._here()
        if session is not None:
            if not session.state.value.conversation:
                session.start_conversation()
            await session.inject_message(role, content)

    async def get_conversation_history(
        self, session_id: str | None = None, *, limit: int = 50, agent: str = "agent"
    ) -> list[dict[str, Any]]:
        """Return the last messages of a session, oldest first; none when there is no current session.

        Args:
            session_id: The id of any session of the user; the current one when not given.
            limit: How many messages, 1 to 1,000.
            agent: What to call the agent: `agent`, or `assistant` as OpenAI does.

        Returns:
            For each message `role`, `content` and `timestamp` in milliseconds since 1970-01-01 UTC.

        Raises:
            SessionNotFound: The user has no such session.
            InvalidInput: `limit` or `agent` is something else.
        """
        if not 1 <= limit <= 1_000 or agent not in ("agent", "assistant"):
            raise InvalidInput("`limit` is 1 to 1,000; `agent` is `agent` or `assistant`.")
        session_id = session_id or self.current_session_id
        if session_id is None:
            return []
        await self._mine(session_id)
        page = await self._tenuto.history(session_id, tenant=self._tenant, limit=limit)
        return [
            {
                "role": agent if message.role == "agent" else message.role,
                "content": message.text,
                "timestamp": round(message.at * 1000),
            }
            for message in page.messages
        ]

    def get_session_stats(self) -> dict[str, Any]:
        """Return what a status line shows.

        Returns:
            `total_sessions`; and of the current session, or None and 0 when there is none, `session_id`, `is_active`,
            `current_session_messages` (also as `message_count`) and `current_session_age` (also as `duration`), the
            seconds since it was made.
        """
        session = self._current
        state = session.driver.core.state if session is not None else None
        age = max(0.0, self._tenuto.clock.now() - state.created) if state is not None else 0.0
        messages = state.messages if state is not None else 0
        return {
            "total_sessions": len(self._sessions),
            "session_id": self.current_session_id,
            "is_active": session is not None and session.is_active,
            "current_session_messages": messages,
            "message_count": messages,
            "current_session_age": age,
            "duration": age,
        }

    async def _discard(self, session: Session) -> None:
        """Leave nothing of a session that could not be made as it was asked for."""
        with contextlib.suppress(TenutoError):
            await session  # One whose id was taken is not there to be erased.
            await self._tenuto.forget_session(session.session_id, tenant=self._tenant)

    async def _here(self) -> Session | None:
        """Return the current session, loaded again if the host has let go of it."""
        async with self._one:
            if self._current is not None and not self._current.is_active:
                self._take(await self._load(self._current.session_id))
            return self._current

    async def _load(self, session_id: str) -> Session:
        await self._mine(session_id)
        return await self._tenuto.load_session(session_id, tenant=self._tenant)

    async def _mine(self, session_id: str) -> None:
        for session in self._sessions:
            # What it made itself may not be durable yet.
            if session.session_id == session_id and session.is_active:
                await session.save()
        head = await self._tenuto.head(session_id, tenant=self._tenant)
        if head.user != self._user:
            raise SessionNotFound

    def _take(self, session: Session) -> None:
        """Make a session the current one, in place of an older object of the same session."""
        self._current = session
        if session not in self._sessions:
            known = [s.session_id for s in self._sessions]
            if session.session_id in known:
                at = known.index(session.session_id)
                self._sessions = (*self._sessions[:at], session, *self._sessions[at + 1 :])
            else:
                self._sessions = (*self._sessions, session)
