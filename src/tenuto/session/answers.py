"""Replies for whoever asked: segments folded to a `Reply`."""

import asyncio
import math

import msgspec

from tenuto import events as e
from tenuto.errors import EngineError, IllegalEvent, TenutoError
from tenuto.session import ports
from tenuto.session.driver import Driver


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent said in a turn."""

    text: str
    """All of it."""
    heard: str
    """What was heard of it: all, unless it was cut."""
    turn: int
    reply: int
    cut: str = ""
    """Why it was cut; empty when it was not."""
    cites: list[int] = []
    """The turns that it draws on."""
    first_seconds: float = 0.0
    """From the message to the first segment."""
    seconds: float = 0.0
    """From the message to the end of the reply."""


class Answers:
    """Waits for replies: folds segments to a `Reply` for whoever asked."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._asked: dict[int, tuple[float, int, asyncio.Future[Reply]]] = {}
        """By turn: when it was asked, the position that it was asked at, and who waits."""
        self._turn, self._segments, self._cites = 0, list[str](), list[int]()
        self._first = 0.0
        driver.watchers.append(self._take)

    def expect(self, turn: int, since: int | None = None) -> asyncio.Future[Reply]:
        """Return what will hold the reply to a turn.

        Args:
            since: The position before the question: what fails after it fails the question too. Now when None.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        position = self._driver.core.state.position if since is None else since
        self._asked[turn] = (self._driver.now(), position, future)
        return future

    def fail(self, error: TenutoError, before: float = math.inf) -> None:
        """Nothing that was asked before that position will be answered."""
        for turn in [turn for turn, (_, at, _) in self._asked.items() if at < before]:
            future = self._asked.pop(turn)[-1]
            if not future.done():
                future.set_exception(error)

    def _take(self, row: ports.Row, event: e.Event) -> None:
        if not self._asked:
            return
        match event:
            case e.ReplyStarted(turn=turn):
                self._turn, self._segments, self._cites, self._first = turn, [], [], 0.0
            case e.ReplySegment():
                self._first = self._first or self._driver.now()
                self._segments.append(event.text)
                self._cites.extend(event.cites)
            case e.ReplyEnded(reply=reply) | e.ReplyCut(reply=reply):
                self._cut = event.reason if isinstance(event, e.ReplyCut) else ""
                if not any(self._segments):
                    self._settle(reply, "", "", self._cut)
            case e.MessageAdded(role="agent", reply=reply) if reply:
                self._settle(reply, event.said or event.text, event.text, self._cut)
            case e.ErrorRaised():
                self.fail(EngineError(event.message), row.position)
            case e.ConversationEnded():
                error = IllegalEvent("The conversation ended before there was a reply.")
                self.fail(error, row.position)
            case _:
                pass

    def _settle(self, reply: int, text: str, heard: str, cut: str) -> None:
        now = self._driver.now()
        for turn in [turn for turn in self._asked if turn <= self._turn]:
            at, _, future = self._asked.pop(turn)
            if not future.done():
                answer = Reply(
                    text=text,
                    heard=heard,
                    turn=self._turn,
                    reply=reply,
                    cut=cut,
                    cites=list(self._cites),
                    first_seconds=max(0.0, self._first - at),
                    seconds=now - at,
                )
                future.set_result(answer)

    _cut = ""
