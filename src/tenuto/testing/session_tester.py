"""Walks a session through its life and says where it does not do as sessions do: a real one, a mock, or one of your own."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from tenuto.session.answers import Reply
from tenuto.session.state import Status
from tenuto.session.streams import StateStream

SECONDS = 5.0
"""Seconds that `SessionTester` waits for each state."""


class Living(Protocol):
    """What `SessionTester` needs of a session."""

    @property
    def state(self) -> StateStream:
        """Its state, with a current value."""
        ...

    @property
    def is_active(self) -> bool:
        """Whether it can go on."""
        ...

    def start_listening(self) -> Awaitable[object]:
        """Listen."""
        ...

    def stop_listening(self) -> Awaitable[object]:
        """Listen no more."""
        ...

    def send_message(self, text: str) -> Awaitable[Reply]:
        """Say something in writing and wait for the reply."""
        ...

    def close(self) -> Awaitable[object]:
        """Let go of it."""
        ...


class SessionTester:
    """Tests that hold for every session.

    Example:
        >>> async with Tenuto() as tenuto:  # doctest: +SKIP
        ...     session = await tenuto.create_session()
        ...     await SessionTester.test_session_lifecycle(session)
    """

    @staticmethod
    async def test_session_lifecycle(session: Living, text: str = "test") -> Reply:
        """Walk a session through its life: it listens, stops listening, answers a message, and is closed.

        Args:
            session: One that is idle: a `Session` or a `MockSession`. It is closed at the end.
            text: What it is asked, something that it has an answer to.

        Returns:
            What it answered.

        Raises:
            AssertionError: It does not do as sessions do; the message says what it did.
        """
        await _reaches(session, Status.IDLE, "at first")
        await session.start_listening()
        await _reaches(session, Status.LISTENING, "after start_listening()")
        await session.stop_listening()
        await _reaches(session, Status.IDLE, "after stop_listening()")
        async with asyncio.timeout(SECONDS):
            reply = await session.send_message(text)
        assert reply.text, f"the reply to {text!r} is empty"
        await _reaches(session, Status.IDLE, "after the reply")
        changes = aiter(session.state)
        await session.close()
        async with asyncio.timeout(SECONDS):
            async for _ in changes:
                pass
        assert not session.is_active, "the session is active after close()"
        return reply


async def _reaches(session: Living, wanted: Status, when: str) -> None:
    changes = aiter(session.state)
    try:
        async with asyncio.timeout(SECONDS):
            async for state in changes:
                if state.state is wanted:
                    return
    except TimeoutError:
        pass
    finally:
        changes.close()
    now = session.state.value.state
    raise AssertionError(f"{when} the session is {now}, not {wanted}")
