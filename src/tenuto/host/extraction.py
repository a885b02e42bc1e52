"""Has facts be found in conversations that have ended, beside everything else: never while somebody waits for a reply.

A conversation is read once each time that it ends. What waits when the host closes or dies is not read again: memory is
poorer then, never wrong. What is found twice is learned once, since facts of the same words are the same.
"""

import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tenuto import events as e
from tenuto.errors import TenutoError
from tenuto.session import memory, ports
from tenuto.session.extract import MOST_MESSAGES
from tenuto.session.session import Session
from tenuto.stores import rows

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

log = logging.getLogger("tenuto.host")

MOST_WAITING = 100
"""Conversations that wait to be read; the oldest go first."""
PAGES = 5
"""Pages of a journal that are read for one conversation."""
PAGE = 300
OPENAI = "openai:"


def extractor_of(name: str) -> ports.Extractor | None:
    """Return what `TenutoConfig.extractor` names; None for nothing.

    Raises:
        MissingExtra: What it needs is not installed.
    """
    if not name:
        return None
    from tenuto.engines.openai_extractor import LLMExtractor

    model, _, url = name.removeprefix(OPENAI).partition("@")
    return LLMExtractor(model, base_url=url or None)


class _Waiting(msgspec.Struct, frozen=True):
    """A conversation that is to be read."""

    session: str
    tenant: str
    conversation: str
    known: Sequence[ports.Memory]


class Extraction:
    """Reads conversations that have ended.

    Args:
        tenuto: The host.
        extractor: Finds the facts; nothing is read when None.
    """

    def __init__(self, tenuto: "Tenuto", extractor: ports.Extractor | None) -> None:
        self._tenuto, self._extractor = tenuto, extractor
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_WAITING)
        self._works = False

    def join(self, session: Session) -> None:
        """Read the conversations of a session as they end, if it is set to learn."""
        if self._extractor is None:
            return
        driver = session.driver

        def saw(row: ports.Row, event: e.Event) -> None:
            state = driver.core.state
            if isinstance(event, e.ConversationEnded) and memory.setting(state, "enable_learning"):
                self._waiting.append(
                    _Waiting(
                        state.session, state.tenant, event.conversation, session.memory.known()
                    )
                )
                if not self._works:
                    self._works = True
                    self._tenuto.spawn(self._work())

        driver.watchers.append(saw)

    async def _work(self) -> None:
        try:
            while self._waiting:
                waiting = self._waiting.popleft()
                try:
                    await self._read(waiting)
                except TenutoError as error:
                    log.warning("session %s: nothing extracted: %s", waiting.session, error.code)
        finally:
            self._works = False

    async def _read(self, waiting: _Waiting) -> None:
        assert self._extractor is not None
        messages = await self._messages(waiting)
        if not messages:
            return
        learned = list(await self._extractor.extract(messages, waiting.known))
        if not learned:
            return
        live = self._tenuto.sessions_here.get(waiting.session)
        session = await self._tenuto.load_session(waiting.session, tenant=waiting.tenant)
        session.memory.learn(learned, waiting.conversation)
        await session.commit()
        if session is not live:
            # It was parked, or on its way there: nobody is in need of it.
            await session.close()

    async def _messages(self, waiting: _Waiting) -> list[ports.Message]:
        """Return the last messages of a conversation, oldest first."""
        found: list[ports.Message] = []
        before: int | None = None
        for _ in range(PAGES):
            page = await self._tenuto.store.read(
                ports.Read(
                    session=waiting.session,
                    before=before,
                    types=(e.TAGS[e.MessageAdded],),
                    newest_first=True,
                    limit=PAGE,
                )
            )
            for row in page:
                event = rows.to_event(row)
                if isinstance(event, e.MessageAdded) and event.conversation == waiting.conversation:
                    found.append(_message(event))
            if len(page) < PAGE or len(found) >= MOST_MESSAGES:
                break
            before = page[-1].position
        return found[::-1]


def _message(event: e.MessageAdded) -> ports.Message:
    return ports.Message(
        message=event.message,
        role=event.role,
        text=event.text,
        turn=event.turn,
        conversation=event.conversation,
        at=event.at,
        by=event.by,
        user=event.user,
    )
