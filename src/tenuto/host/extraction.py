"""Has facts be found in conversations that have ended, beside everything else: never while somebody waits for a reply.

What is to be read stands in the journal from the end of the conversation on (`State.to_read`), and what came of it is one
append with the facts (`conversation.extracted`). So a host that dies loses nothing: whichever host has the session next reads
what is left, and nothing is learned twice. A conversation that goes on and ends again is read from where it was read to.

A model that fails, or gives no answer in `READ_SECONDS`, is asked again, later and later, `TRIES` times in all; the journal
says so each time. A host without an extractor, or a session that was told to learn no more, reads nothing and says that for
good: `off`. A session is not loaded to be read, only to be told of it. One that no host reads in time is loaded for that a few
times (`ToRead.wake`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from tenuto import events as e
from tenuto.errors import TenutoError
from tenuto.session import fold, history, memory, ports, stimuli
from tenuto.session.extract import MOST_MESSAGES, heard
from tenuto.session.session import Session
from tenuto.stores import rows

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

log = logging.getLogger("tenuto.host")

MOST_WAITING = 10_000
"""Conversations that wait to be read on one host. More are read when their session ends another one, or is loaded again."""
READ_SECONDS = 120.0
"""Seconds that an extractor may take for one."""
BACKOFF = (10.0, 60.0, 600.0, 3600.0)
"""Seconds from one try to the next."""
TRIES = len(BACKOFF) + 1
"""How often a conversation is read, if that fails."""
PAGES = 5
"""Pages of a journal that are read for one conversation."""
PAGE = 300
OPENAI = "openai:"

_Place = tuple[str, str, str]
"""A session, its tenant, and a conversation of it."""


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


class Extraction:
    """Reads conversations that have ended, one at a time.

    Args:
        tenuto: The host.
        extractor: Finds the facts; nothing is read when None.
    """

    def __init__(self, tenuto: "Tenuto", extractor: ports.Extractor | None) -> None:
        self._tenuto, self._extractor = tenuto, extractor
        self._waiting: dict[_Place, float] = {}
        """When each is to be read, in seconds since 1970-01-01 UTC."""
        self._more = asyncio.Event()
        self._works = False

    def join(self, session: Session) -> None:
        """Read what a session has left to be read, and its conversations as they end."""
        driver = session.driver
        if self._extractor is None:
            for name in list(driver.core.state.to_read):
                driver.receive(stimuli.Decide(rules=(_outcome(name, "off"),)))
            return
        driver.core.scribe.extracts = True

        def saw(row: ports.Row, event: e.Event) -> None:
            if isinstance(event, e.ConversationEnded):
                self._note(driver.core.state)

        driver.watchers.append(saw)
        self._note(driver.core.state)

    def _note(self, state: fold.State) -> None:
        for name, wanted in state.to_read.items():
            place = (state.session, state.tenant, name)
            if place in self._waiting or len(self._waiting) < MOST_WAITING:
                self._waiting[place] = wanted.since
        self._more.set()
        if self._waiting and not self._works:
            self._works = True
            self._tenuto.spawn(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                place, due = min(self._waiting.items(), key=lambda item: item[1])
                if (wait := due - self._tenuto.clock.now()) > 0:
                    self._more.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._more.wait()
                    continue
                again = 0.0
                try:
                    again = await self._read(place)
                except TenutoError as error:
                    # It is another host's now, or gone. Or the store is: nobody loads again what is here all the time.
                    log.warning("session %s: nothing extracted: %s", place[0], error.code)
                    if place[0] in self._tenuto.sessions_here:
                        again = self._tenuto.clock.now() + BACKOFF[-1]
                finally:
                    self._waiting.pop(place, None)
                if again:
                    self._waiting[place] = again
        finally:
            self._works = False

    async def _read(self, place: _Place) -> float:
        """Read a conversation if it still waits for that. Returns when to try again; 0 for never."""
        assert self._extractor is not None
        session_id, tenant, name = place
        state = await self._tenuto.peek(session_id, tenant=tenant)
        if state is None or name not in state.to_read:
            return 0.0
        failed, learned = "off", list[ports.Learned]()
        talk = state.conversations[name]
        upto, after = talk.last, talk.extracted
        if memory.setting(state, "enable_learning"):
            live = self._tenuto.sessions_here.get(session_id)
            now = self._tenuto.clock.now()
            known = live.memory.known() if live is not None else memory.known(state, now)
            messages = heard(await self._messages(session_id, name, after, upto))
            try:
                async with asyncio.timeout(READ_SECONDS):
                    found = list(await self._extractor.extract(messages, known)) if messages else []
                learned, failed = msgspec.convert(found, list[ports.Learned]), ""
            except Exception as error:  # noqa: BLE001 -- an extractor may be anybody's code
                failed = error.code if isinstance(error, TenutoError) else type(error).__name__
                log.warning("session %s: nothing extracted: %s", session_id, failed)
        return await self._keep(place, learned, upto, failed)

    async def _keep(
        self, place: _Place, learned: Sequence[ports.Learned], upto: int, failed: str
    ) -> float:
        """Have the journal say what came of it, all in one append. Returns when to try again; 0 for never."""
        session_id, tenant, name = place
        # One that is loaded for this is put away by its grace, as any other that nobody uses: somebody may by now.
        session = await self._tenuto.load_session(session_id, tenant=tenant)
        state = session.driver.core.state
        if name in state.to_read:
            with session.batch_update() as batch:
                session.memory.learn(learned, name)
                batch.decide(_outcome(name, failed, upto), session.driver.now())
            await session.commit()
        wanted = state.to_read.get(name)
        return wanted.since if wanted is not None else 0.0

    async def _messages(
        self, session_id: str, conversation: str, after: int, upto: int
    ) -> list[ports.Message]:
        """Return the last messages of a conversation after the one and up to the other, oldest first."""
        found: list[ports.Message] = []
        before: int | None = None
        for _ in range(PAGES):
            page = await self._tenuto.store.read(
                ports.Read(
                    session=session_id,
                    before=before,
                    types=(e.TAGS[e.MessageAdded],),
                    newest_first=True,
                    limit=PAGE,
                )
            )
            for row in page:
                event = rows.to_event(row)
                if isinstance(event, e.MessageAdded) and event.conversation == conversation:
                    if event.message <= after:
                        return found[::-1]
                    if event.message <= upto:
                        found.append(history.message(event))
            if len(page) < PAGE or len(found) >= MOST_MESSAGES:
                break
            before = page[-1].position
        return found[::-1]


def _outcome(name: str, failed: str, upto: int = 0) -> Callable[[fold.State, float], list[e.Event]]:
    """Return the rule that says what came of reading a conversation."""

    def outcome(state: fold.State, at: float) -> list[e.Event]:
        tries = state.to_read[name].tries
        event = e.ConversationExtracted(
            at=at,
            conversation=name,
            upto=upto or state.conversations[name].last,
            failed=failed,
        )
        if failed not in ("", "off") and tries < len(BACKOFF):
            event = msgspec.structs.replace(event, again=at + BACKOFF[tries])
        return [event]

    return outcome
