"""`session.shares`: give others a view of the session, take it back, and see what they did with it.

The token of a share is returned once, here; the journal has its hash only.
"""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.session import shares
from tenuto.session.checked import checked
from tenuto.session.desk import Desk, Receipt
from tenuto.session.history import need_limit
from tenuto.session.shares import Note

if TYPE_CHECKING:
    from tenuto.session.archive import Archive

DEFAULT_HOURS = 24.0
"""Hours that a share lasts when nobody says how many."""
AUDIT_PAGE = 300
"""Entries of an audit that are read at a time."""

_AUDITED = tuple(
    e.TAGS[kind] for kind in (e.ShareCreated, e.ShareRevoked, e.ShareAccessed, e.NoteAdded)
)


class ShareEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A share as its session's owner sees it."""

    share: int
    """1, 2, 3 ..."""
    user: str
    """Who may use it."""
    permissions: list[str]
    created_at: float
    """Seconds since 1970-01-01 UTC."""
    expires_at: float
    """From when on it is of no use, in seconds since 1970-01-01 UTC."""
    parent: int
    """The share that it was granted out of; 0 when the session's owner gave it."""
    by: str
    """The user who gave it."""
    is_open: bool
    """Whether it is of use now."""
    revoked: bool
    last_access: float
    """Seconds since 1970-01-01 UTC; 0 when it never was used."""
    accesses: int
    """How often it was used."""
    refused: int
    """How often its use was refused, as far as the journal counts."""
    notes: int
    """Notes that were added with it."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a share."""

    position: int
    at: float
    """Seconds since 1970-01-01 UTC."""
    event: str
    """`share.created`, `share.revoked`, `share.accessed` or `note.added`."""
    share: int
    """Which share; 0 for a note of the session's owner."""
    user: str
    """Who did it, or who was given the share. Empty when the session's end revoked it."""
    action: str = ""
    """For `share.accessed`: what was done, or tried."""
    refused: str = ""
    """Why it was refused: `user`, `expired`, `revoked` or `permission`; empty when it was not."""


class SharedView:
    """A share that was just made. Await it for durability.

    Example:
        >>> view = await session.create_shared_view(shared_with_user_id="doctor_456")  # doctest: +SKIP
        >>> send_to_the_doctor(view.token)  # doctest: +SKIP
    """

    def __init__(self, desk: Desk, made: e.ShareCreated, token: str) -> None:
        self._desk = desk
        self._number = made.share
        self.token = token
        """What its user shows. It is nowhere else: keep it as you would a password."""
        self.user_id = made.user
        """Who may use it."""
        self.permissions = list(made.permissions)
        """What it allows."""
        self.expires_at = made.expires
        """From when on it is of no use, in seconds since 1970-01-01 UTC."""

    @property
    def share(self) -> int:
        """Its number within the session."""
        # One that was made in a batch has its number for certain only when the batch is over.
        known = shares.find(self._desk.state.shares, self.token)
        return known.share if known is not None else self._number

    def revoke(self) -> Receipt[None]:
        """Take the share back, and every one that was granted out of it: whoever looks through one is let go of.

        Raises:
            InvalidInput: The session has forgotten the share: it has been over for long.
            TenutoError: The session is not here any more. Load it, and use `session.shares.revoke`.
        """
        number, by = self.share, self._by
        self._desk.decide(lambda state, at: shares.revoke(state, at, number, by))
        return Receipt(self._desk, None)

    @property
    def _by(self) -> str:
        known = self._desk.state.shares.known.get(self.share)
        return known.by if known is not None else ""

    def __await__(self) -> Generator[Any, None, "SharedView"]:
        yield from self._desk.commit().__await__()
        return self

    def __repr__(self) -> str:
        return f"SharedView(share={self.share}, user_id={self.user_id!r})"


@checked
class SharesPart:
    """A session's shares, and the notes that were written about it.

    Args:
        desk: The session.
        archive: Its journal, for the audit.
    """

    def __init__(self, desk: Desk, archive: "Archive") -> None:
        self._desk, self._archive = desk, archive

    def create(
        self,
        user_id: str,
        permissions: Sequence[str],
        expire_after_hours: float,
    ) -> SharedView:
        """Make a share; see `Session.create_shared_view`.

        Args:
            user_id: Who may use it, and nobody else.
            permissions: Of `read`, `read_sensitive`, `add_notes`, `speak` and `grant`.
            expire_after_hours: Hours that it lasts, up to a year.

        Raises:
            InvalidInput: A value is wrong.
            TooMuch: The session has 100 open shares.
        """
        token = shares.new_token(self._desk.state.session)
        events = self._desk.decide(
            lambda state, at: shares.create(
                state,
                at,
                token=shares.digest(token),
                user=user_id,
                permissions=permissions,
                hours=expire_after_hours,
            )
        )
        made = events[0]
        assert isinstance(made, e.ShareCreated)
        return SharedView(self._desk, made, token)

    def list(self) -> list[ShareEntry]:
        """Return the shares, oldest first: all that are open, and the last ones that are over."""
        now = self._desk.now()
        return [entry(share, now) for share in self._desk.state.shares.known.values()]

    def revoke(self, share: int) -> Receipt[None]:
        """Take a share back, and every one that was granted out of it. Whoever looks through one is let go of.

        Args:
            share: Its number.

        Raises:
            InvalidInput: There is no such share.
        """
        self._desk.decide(lambda state, at: shares.revoke(state, at, share, state.user))
        return Receipt(self._desk, None)

    @property
    def notes(self) -> Sequence[Note]:
        """The last notes, oldest first."""
        return list(self._desk.state.shares.recent)

    def add_note(self, text: str) -> Receipt[Note]:
        """Add a note of the session's owner. Whoever may read sees it; no engine is told of it.

        Args:
            text: 1 to 2,000 characters.

        Raises:
            InvalidInput: It is empty or too long.
        """
        self._desk.decide(lambda state, at: shares.add_note(state, at, text, state.user))
        return Receipt(self._desk, self._desk.state.shares.recent[-1])

    async def audit(self, after: int = 0, limit: int = 1_000) -> Sequence[AuditEntry]:
        """Return what happened to the shares, oldest first, from the journal: every use, and every refusal that it has.

        Args:
            after: Only what came after this position; that of the last entry of the page before.
            limit: Entries, at most.

        Raises:
            InvalidInput: `limit` is below 1.
            TenutoError: Something has not become durable, or the store does not answer.

        Example:
            >>> for entry in await session.shares.audit():  # doctest: +SKIP
            ...     print(entry.at, entry.user, entry.action, entry.refused)
        """
        need_limit(limit)
        await self._desk.commit()
        found: list[AuditEntry] = []
        while len(found) < limit:
            page = await self._archive.events(
                after=found[-1].position if found else after,
                types=_AUDITED,
                limit=min(AUDIT_PAGE, limit - len(found)),
            )
            if not page:
                break
            found.extend(_audited(position, event) for position, event in page)
        return found


def entry(share: shares.Share, now: float) -> ShareEntry:
    """Return a share as its session's owner sees it.

    Args:
        now: Seconds since 1970-01-01 UTC.
    """
    return ShareEntry(
        share=share.share,
        user=share.user,
        permissions=list(share.permissions),
        created_at=share.at,
        expires_at=share.expires,
        parent=share.parent,
        by=share.by,
        is_open=share.is_open(now),
        revoked=share.revoked,
        last_access=share.accessed,
        accesses=share.accesses,
        refused=share.refused,
        notes=share.notes,
    )


def _audited(position: int, event: e.Event) -> AuditEntry:
    assert isinstance(event, e.ShareCreated | e.ShareRevoked | e.ShareAccessed | e.NoteAdded)
    action, refused = "", ""
    if isinstance(event, e.ShareAccessed):
        action, refused = event.action, event.refused
    return AuditEntry(
        position=position,
        at=event.at,
        event=e.TAGS[type(event)],
        share=event.share,
        user=event.by if isinstance(event, e.ShareRevoked) else event.user,
        action=action,
        refused=refused,
    )
