"""A conversation in writing over `tenuto.v1`."""

import asyncio
import time
from collections.abc import AsyncIterator

from tenuto import events as e
from tenuto.cli.reach import Answer
from tenuto.client.client import Client
from tenuto.client.items import Changed, Happened, Item, Restored
from tenuto.errors import EngineError, SessionEnded
from tenuto.wire.native import SendMessage, StartConversation

LONGEST_ANSWER = 120.0
"""Seconds that an answer may take."""


class WireDialogue:
    """A conversation in writing, through a client that was entered; see `reach.Dialogue`."""

    def __init__(self, client: Client, session: str) -> None:
        self.session = session
        self._client = client
        self._items: AsyncIterator[Item] = aiter(client)

    async def begin(self) -> None:
        """Wait until the client is live, and see to it that nothing was said in the conversation that is open.

        Coming in has begun one where none was open; where one was, it is another talk, and ends.

        Raises:
            TenutoError: The client was closed before.
        """
        fresh = True
        async for item in self._items:
            if isinstance(item, Restored):
                open_now = item.state["conversation"]
                fresh = all(each["conversation"] != open_now for each in item.state["messages"])
            if isinstance(item, Changed) and item.state == "live":
                if not fresh:
                    await self._client.send(StartConversation())
                return
        raise SessionEnded

    async def say(self, text: str) -> Answer:
        begun = time.monotonic()
        position = await self._client.send(SendMessage(text=text))
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                said, heard = await self._answer(text, position)
        except TimeoutError:
            raise EngineError(f"There was no answer within {LONGEST_ANSWER:g} s.") from None
        return Answer(text=said, heard=heard, seconds=time.monotonic() - begun)

    async def _answer(self, text: str, position: int) -> tuple[str, str]:
        """Return what was said and what of it was heard, in the turn of the message."""
        turn, reply = 0, 0
        async for item in self._items:
            if not isinstance(item, Happened):
                continue
            match item.event:
                case e.MessageAdded(role="user", text=said) if said == text and not turn:
                    turn = item.event.turn
                case e.ReplyStarted(turn=of) if turn and of >= turn:
                    reply = item.event.reply
                case e.MessageAdded(role="agent") if reply and item.event.reply == reply:
                    return item.event.said or item.event.text, item.event.text
                case e.ErrorRaised(message=message) if item.position > position:
                    raise EngineError(message)
                case _:
                    pass
        raise SessionEnded
