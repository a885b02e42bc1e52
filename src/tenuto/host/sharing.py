"""A session as somebody sees it that it was shared with: `Tenuto.access_shared_session` and the `SharedSession` it gives.

The law: each use is decided on anew, in the state of the live session, and is in its journal, refused or not, before its
outcome is given. Nothing is kept here that could be stale: what is shown is the session itself, through a `Lens`.

A token that proves nothing looks the same whatever the reason, leaves no trace in any journal, and has no session loaded.
"""

import contextlib
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tenuto import events as e
from tenuto.errors import (
    NotAllowed,
    SessionEnded,
    SessionNotFound,
    ShareExpired,
    ShareRevoked,
    TenutoError,
)
from tenuto.session import memory, ports, shares, stimuli
from tenuto.session.answers import Reply
from tenuto.session.attachment import Attachment, Joining, attach
from tenuto.session.checked import checked
from tenuto.session.fold import State
from tenuto.session.history import HistoryPage
from tenuto.session.live_desk import LiveDesk
from tenuto.session.session import Session
from tenuto.session.shares import Action, Note, Refusal, Share
from tenuto.session.shares_part import SharedView
from tenuto.session.streams import Reader
from tenuto.session.viewing import WITHHELD, Lens
from tenuto.stores import rows

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

log = logging.getLogger("tenuto.host")


class SharedEvents:
    """What happens to a shared session while it is looked at, as far as it is shown: an `async for` over it.

    It begins when the session was accessed and ends with the session, or when the view is closed. Bounded: a reader that
    falls 1,000 events behind gets `TooMuch`, and is let go of.

    Example:
        >>> async for event in shared.events:  # doctest: +SKIP
        ...     print(event.at, event)
    """

    def __init__(self, look: "_Look") -> None:
        self._look = look

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> e.Event:
        """Return the next event.

        Raises:
            ShareRevoked: The share was revoked.
            ShareExpired: It has expired.
            TooMuch: This reader is too slow.
        """
        try:
            event: e.Event = await anext(self._look.reader)
        except StopAsyncIteration:
            if self._look.error is not None:
                raise self._look.error from None
            raise
        return event


class _Look:
    """The attachment of a `SharedSession`, and its `Listener`: keeps what happens until it is read."""

    def __init__(self) -> None:
        self.reader = Reader(lambda reader: self.leave("slow"))
        self.attachment: Attachment | None = None
        self.error: TenutoError | None = None
        """Why it is over, where that is no good ending."""

    def leave(self, reason: str = "left") -> None:
        """End it. Safe to call twice."""
        attachment, self.attachment = self.attachment, None
        if attachment is not None:
            attachment.leave(reason)
        self.reader.end()

    def event(self, row: ports.Row) -> None:
        if row.type != WITHHELD:
            self.reader.put(rows.to_event(row))

    def audio(self, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> None:
        """A program reads what is said; it does not listen."""

    def hush(self, reply: int) -> None:
        """Nothing is played."""

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        """What is not journaled is not iterated over."""

    def closed(self, reason: str) -> None:
        self.attachment = None
        if reason == "revoked":
            self.error = ShareRevoked()
        elif reason == "expired":
            self.error = ShareExpired()
        self.reader.end()


@checked
class SharedSession:
    """A session that was shared with somebody, live. Close it, or use `async with`.

    With `read` it is an observer attachment of the session, named `share:N`: it sees what happens, and never has the
    controls. Each verb is checked and journaled when it is called.

    Example:
        >>> shared = await tenuto.access_shared_session(share_token=token, user_id="doctor_456")  # doctest: +SKIP
        >>> async with shared:  # doctest: +SKIP
        ...     page = await shared.history()
        ...     await shared.add_note("Follow up on the cough.")
    """

    def __init__(self, tenuto: "Tenuto", session: Session, share: Share, user: str) -> None:
        self._tenuto, self._session = tenuto, session
        self._tenant = session.driver.core.state.tenant
        self.session_id = session.session_id
        """The session that is shared."""
        self.owner_id = session.user_id
        """Whose session it is."""
        self.share = share.share
        """The number of the share."""
        self.user_id = user
        """Who looks at it."""
        self.permissions = list(share.permissions)
        """What the share allows."""
        self.expires_at = share.expires
        """From when on it is of no use, in seconds since 1970-01-01 UTC."""
        self._look = _Look()
        self.events = SharedEvents(self._look)
        """What happens to the session, as far as it is shown."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Look away. The share stays: it can be accessed again."""
        self._look.leave()

    async def history(self, before: int | None = None, limit: int = 50) -> HistoryPage:
        """Return a page of messages, oldest first: the newest page, or the one before a position.

        The application's own words to the agent are left out, so that a page may be shorter than `limit`; `next` says whether
        there is another one.

        Args:
            before: `next` of the page after it.
            limit: Messages, at most.

        Raises:
            NotAllowed: The share does not allow to read, or is over.
        """
        desk, lens = await self._use("read_history")
        page = await self._session.archive.history(before, limit)
        self._still(desk, "read_history")
        return msgspec.structs.replace(page, messages=lens.messages(page.messages))

    async def memory(self) -> list[ports.Memory]:
        """Return what the session knows for later conversations, without what is sensitive unless that was granted.

        What the user's other sessions know is not shown.

        Raises:
            NotAllowed: The share does not allow to read, or is over.
        """
        desk, lens = await self._use("read_memory")
        return lens.memories(memory.known(desk.state, desk.now()))

    async def notes(self) -> list[Note]:
        """Return the last notes, oldest first, whoever wrote them.

        Raises:
            NotAllowed: The share does not allow to read, or is over.
        """
        desk, _ = await self._use("read_notes")
        return list(desk.state.shares.recent)

    async def add_note(self, text: str) -> Note:
        """Add a note about the session. No engine is told of it.

        Args:
            text: 1 to 2,000 characters.

        Raises:
            NotAllowed: The share does not allow to add notes, or is over.
            InvalidInput: It is empty or too long.
            TooMuch: The share has added as many as it may.
        """
        desk = await self._allowed("add_note")
        desk.decide(
            lambda state, at: [
                *self._used(state, at, "add_note"),
                *shares.add_note(state, at, text, self.user_id, self.share),
            ]
        )
        note = desk.state.shares.recent[-1]
        await desk.commit()
        return note

    async def send_message(self, text: str) -> Reply:
        """Say something in writing, in the user's own name, and wait for the reply.

        A reply that is being spoken is cut, as it is by the session's own user. It is answered without anything sensitive,
        and nothing is learned from it.

        Args:
            text: 1 to 10,000 characters.

        Raises:
            NotAllowed: The share does not allow to speak, or is over; also when it is so only when the reply is there.
            InvalidInput: The text is empty or too long.
            EngineError: The engine cannot answer.
        """
        desk = await self._allowed("speak")
        desk.decide(lambda state, at: self._used(state, at, "speak"))
        reply = await self._session.send_message(text, user=self.user_id)
        self._still(desk, "speak")
        return reply

    async def create_shared_view(
        self,
        shared_with_user_id: str,
        permissions: Sequence[str] = ("read",),
        expire_after_hours: float | None = None,
    ) -> SharedView:
        """Share on: never more than this share allows, never for longer, and three deep at most.

        Args:
            shared_with_user_id: Who may use it, and nobody else.
            permissions: As in `Session.create_shared_view`.
            expire_after_hours: Hours that it lasts; as long as this share when None.

        Raises:
            NotAllowed: The share does not allow to grant, or not that much, or is over.
            InvalidInput: A value is wrong.
            TooMuch: The share is as deep as shares may be, or there are too many.
        """
        desk = await self._allowed("grant")
        token = shares.new_token(self.session_id)
        try:
            events = desk.decide(
                lambda state, at: [
                    *self._used(state, at, "grant"),
                    *shares.create(
                        state,
                        at,
                        token=shares.digest(token),
                        user=shared_with_user_id,
                        permissions=permissions,
                        hours=expire_after_hours,
                        parent=self.share,
                    ),
                ]
            )
        except NotAllowed:
            desk.decide(lambda state, at: self._used(state, at, "grant", "permission"))
            await desk.commit()
            raise
        made = events[-1]
        assert isinstance(made, e.ShareCreated)
        return await SharedView(desk, made, token)

    # ------------------------------------------------------------------------------------------------------------------ inside

    async def open(self, live: bool) -> None:
        """Look. Called by `access`.

        Args:
            live: Whether events are wanted.

        Raises:
            NotAllowed: The share is another user's, or is over.
        """
        desk = await self._allowed("open")
        desk.decide(lambda state, at: self._used(state, at, "open"))
        if live and Lens(desk, self.share).allows("read"):
            joining = Joining(client="share", role="observer", transport="python", share=self.share)
            await self._session.memory.fresh()
            # Nothing waits between this and joining: the number is this attachment's, and nobody else's.
            number = desk.state.attachments + 1
            try:
                self._look.attachment = await attach(self._session.driver, joining, self._look)
            except BaseException:
                # Nobody has this view: who waited for it has gone.
                with contextlib.suppress(TenutoError):
                    self._session.driver.receive(stimuli.Leave(attachment=number, reason="lost"))
                raise
        else:
            self._look.leave()
        await desk.commit()

    async def _use(self, action: Action) -> tuple[LiveDesk, Lens]:
        """Check and journal a use, and wait until that is durable."""
        desk = await self._allowed(action)
        desk.decide(lambda state, at: self._used(state, at, action))
        await desk.commit()
        self._still(desk, action)
        return desk, Lens(desk, self.share)

    def _used(self, state: State, at: float, action: Action, why: Refusal = "") -> list[e.Event]:
        return shares.accessed(state, at, self.share, self.user_id, action, why)

    async def _allowed(self, action: Action) -> LiveDesk:
        """Check a use; what the caller does without waiting is of the same moment. A refusal is journaled, then raised."""
        if self._session.driver.error is not None or self._session.driver.is_leaving:
            try:
                self._session = await self._tenuto.load_session(
                    self.session_id, tenant=self._tenant
                )
            except (SessionEnded, SessionNotFound):
                # Its shares ended with it.
                raise ShareRevoked from None
        # A desk of its own: what is decided here is no part of a batch that the session's owner has open.
        desk = LiveDesk(self._session.driver)
        why = shares.refusal(desk.state, self.share, self.user_id, action, desk.now())
        if why:
            if not desk.decide(lambda state, at: self._used(state, at, action, why)):
                log.warning("session %s: share %d: refused (%s)", self.session_id, self.share, why)
            await desk.commit()
            raise shares.error(why, action)
        return desk

    def _still(self, desk: LiveDesk, action: Action) -> None:
        """Refuse the outcome of what was allowed when it was asked, and is not any more."""
        why = shares.refusal(desk.state, self.share, self.user_id, action, desk.now())
        if why:
            raise shares.error(why, action)


async def access(tenuto: "Tenuto", token: str, user: str, tenant: str, live: bool) -> SharedSession:
    """Open a shared session; see `Tenuto.access_shared_session`."""
    user = shares.acceptable_user(user)
    session_id = shares.session_of(token)
    state = await tenuto.peek(session_id, tenant=tenant)
    share = shares.find(state.shares, token) if state is not None else None
    if state is None or share is None:
        raise shares.unknown()
    why = shares.refusal(state, share.share, user, "open", tenuto.clock.now())
    if why and (share.refused >= shares.REFUSALS_KEPT or state.ended):
        # It would be no news in the journal: the session is left where it is.
        log.warning("session %s: share %d: refused (%s)", session_id, share.share, why)
        raise shares.error(why, "open")
    try:
        session = await tenuto.load_session(session_id, tenant=tenant)
    except TenutoError:
        if why:
            raise shares.error(why, "open") from None
        raise
    shared = SharedSession(tenuto, session, share, user)
    await shared.open(live)
    return shared
