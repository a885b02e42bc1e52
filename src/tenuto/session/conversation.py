"""One dialogue of a session, for whoever holds the session."""

from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import history, stimuli
from tenuto.session.checked import checked
from tenuto.session.history import ConversationInfo
from tenuto.session.ports import Message

if TYPE_CHECKING:
    from tenuto.session.answers import Reply
    from tenuto.session.session import Session

PAGE = 1_000
"""Messages of the session that are read at a time to find those of one conversation."""


@checked
class Conversation:
    """One dialogue of a session. Await it for durability; use it with `async with` to have it end at the end of the block.

    Example:
        >>> async with session.conversation() as conversation:  # doctest: +SKIP
        ...     reply = await conversation.send_message("What time is it?")
    """

    def __init__(self, session: "Session", conversation_id: str) -> None:
        self.session = session
        """The session that it belongs to."""
        self.conversation_id = conversation_id
        """Its id: as it was given, or made up."""

    def __repr__(self) -> str:
        return f"Conversation({self.conversation_id!r}, session_id={self.session.session_id!r})"

    def __await__(self) -> Generator[Any, None, "Conversation"]:
        yield from self.session.commit().__await__()
        return self

    async def __aenter__(self) -> Self:
        await self.session.commit()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.session.driver.error is None and self.is_open:
            await self.end("failed" if kind is not None else "user")

    @property
    def info(self) -> ConversationInfo:
        """What is known of it without reading it."""
        infos = history.conversations(self.session.driver.core.state)
        return next(info for info in infos if info.id == self.conversation_id)

    @property
    def is_open(self) -> bool:
        """Whether it is the one that is going on."""
        return self.session.driver.core.state.conversation == self.conversation_id

    @property
    def parent_id(self) -> str | None:
        """The conversation that it branches from; None when it is no branch."""
        return self.session.driver.core.state.conversations[self.conversation_id].parent or None

    @property
    def branches(self) -> list[str]:
        """The ids of the conversations that branch from it, in the order in which they were started."""
        infos = history.conversations(self.session.driver.core.state)
        return [info.id for info in infos if info.parent == self.conversation_id]

    @property
    def summary(self) -> str:
        """What was said in it, in short, as far as it was summed up; see `ConversationInfo.summary`."""
        return self.info.summary

    async def send_message(self, text: str) -> "Reply":
        """Say something in writing and wait for the reply.

        Args:
            text: 1 to 10,000 characters.

        Raises:
            InvalidInput: The text is empty or too long.
            IllegalEvent: The conversation is not the open one, or the session is paused.
            EngineError: The engine cannot answer.
        """
        self._need_open()
        return await self.session.send_message(text)

    async def end(self, reason: str = "user") -> None:
        """End the conversation. Its history stays, and it can be resumed.

        Args:
            reason: Why, as `conversation.ended` tells it.

        Raises:
            IllegalEvent: It is not the open one.
        """
        self._need_open()
        driver = self.session.driver
        await driver.commit(driver.receive(stimuli.EndConversation(reason=reason)))

    def get_analytics(self) -> dict[str, Any]:
        """Return what was counted of it up to now, by name; see `ConversationAnalytics` for each.

        Example:
            >>> conversation.get_analytics()["turn_count"]  # doctest: +SKIP
            2
        """
        return self.session.analytics.conversation(self.conversation_id)

    async def history(self, limit: int = 50) -> list[Message]:
        """Return its own last messages, oldest first, however much was said in others since.

        Args:
            limit: How many messages, 1 or more.

        Raises:
            InvalidInput: `limit` is below 1.
            TenutoError: Something has not become durable, or the store does not answer.
        """
        history.need_limit(limit)
        await self.session.commit()
        known = self.session.driver.core.state.conversations[self.conversation_id]
        wanted = min(limit, known.messages)
        found: list[Message] = []
        before: int | None = None
        while len(found) < wanted:
            page = await self.session.archive.events(
                before=before, types=history.TYPES, newest_first=True, limit=PAGE
            )
            found += [
                history.message(event)
                for _, event in page
                if isinstance(event, e.MessageAdded) and event.conversation == self.conversation_id
            ]
            if len(page) < PAGE:
                break
            before = page[-1][0]
        return found[:wanted][::-1]

    def _need_open(self) -> None:
        if not self.is_open:
            name = self.conversation_id
            raise IllegalEvent(f"Conversation {name!r} is not open. Resume it first.")
