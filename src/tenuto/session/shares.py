"""Who else may see a session, what they may do, and what they did.

The law: a share is decided on by its own entry alone, at the moment of use. Whose it is comes first, then whether it was
revoked, then whether it has expired, then whether it allows what is asked. A grant out of a share never allows more, or
longer, than that share, and goes with it.

Bounded: `MOST_OPEN` open shares, `CLOSED_KEPT` that are over, `NOTES_KEPT` notes, and `REFUSALS_KEPT` refusals of one share
in the journal. Only the SHA-256 of a token is known here.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from tenuto import events as e
from tenuto.errors import (
    IllegalEvent,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    ShareExpired,
    ShareRevoked,
    TooMuch,
)
from tenuto.ids import NAME, is_name, new_secret
from tenuto.session.ports import is_text

if TYPE_CHECKING:
    from tenuto.session.fold import State

PERMISSIONS = ("read", "read_sensitive", "add_notes", "speak", "grant")
"""What a share may allow. `read_sensitive` and `speak` bring `read` with them; no other implies another."""
MOST_OPEN = 100
"""Shares of one session that are open at once."""
CLOSED_KEPT = 100
"""Shares that are over and still known, the newest ones: an older one's token is unknown."""
DEEPEST = 3
"""Shares in a line: the one that the session's owner gave, one granted out of it, and one out of that."""
LONGEST_HOURS = 8_760.0
"""Hours that a share may last: a year."""
NOTES_KEPT = 50
"""Notes that the state keeps; older ones are in the journal."""
LONGEST_NOTE = 2_000
"""Characters of a note."""
MOST_NOTES = 1_000
"""Notes that one share may add."""
REFUSALS_KEPT = 20
"""Refused uses of one share that are journaled; more are only logged, so that nobody can make a journal grow with them."""

Action = Literal[
    "open", "read_history", "read_memory", "read_notes", "add_note", "speak", "grant", "revoke"
]
Refusal = Literal["", "user", "revoked", "expired", "permission"]

NEEDS: dict[Action, str] = {
    "open": "",
    "read_history": "read",
    "read_memory": "read",
    "read_notes": "read",
    "add_note": "add_notes",
    "speak": "speak",
    "grant": "grant",
    "revoke": "grant",
}
"""The permission that each action needs."""


class Share(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One share, as far as the state remembers it."""

    share: int
    """1, 2, 3 ..."""
    token: str
    """SHA-256 of its token, in hex."""
    user: str
    """Who may use it."""
    permissions: list[str]
    at: float
    """When it was made, in seconds since 1970-01-01 UTC."""
    expires: float
    """From when on it is of no use, in seconds since 1970-01-01 UTC."""
    parent: int = 0
    """The share that it was granted out of; 0 when the session's owner gave it."""
    by: str = ""
    """The user who gave it."""
    revoked: bool = False
    accessed: float = 0.0
    """When it was last used, in seconds since 1970-01-01 UTC; 0 when it never was."""
    accesses: int = 0
    """How often it was used."""
    refused: int = 0
    """How often its use was refused, up to `REFUSALS_KEPT`."""
    notes: int = 0
    """Notes that were added with it."""

    def is_open(self, at: float) -> bool:
        """Whether it is of use at a moment: it ends exactly at `expires`."""
        return not self.revoked and at < self.expires


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wrote about a session. It is no part of any conversation, and no engine is told of it."""

    note: int
    """1, 2, 3 ..."""
    text: str
    user: str
    at: float
    """When, in seconds since 1970-01-01 UTC."""
    share: int = 0
    """The share that it was added with; 0 when the session's owner wrote it."""


class Shares(msgspec.Struct):
    """A fold over `share.*` and `note.added`. Read it; only `apply` writes it."""

    count: int = 0
    """Shares that there ever were."""
    notes: int = 0
    """Notes that there ever were."""
    known: dict[int, Share] = {}
    """By number, oldest first."""
    recent: list[Note] = []
    """The last notes, oldest first."""


# --------------------------------------------------------------------------------------------------------------- the fold


def check(shares: Shares, event: e.Event) -> None:
    """Refuse what cannot happen.

    Raises:
        IllegalEvent: It is out of order, or about a share that is not there.
    """
    match event:
        case e.ShareCreated(share=number, parent=parent):
            if number != shares.count + 1:
                raise IllegalEvent(f"share {number} after {shares.count}")
            if parent and parent not in shares.known:
                raise IllegalEvent(f"share {parent} is not there")
        case e.ShareRevoked(share=number):
            if number not in shares.known or shares.known[number].revoked:
                raise IllegalEvent(f"share {number} is not open")
        case e.ShareAccessed(share=number):
            if number not in shares.known:
                raise IllegalEvent(f"share {number} is not there")
        case e.NoteAdded(note=number) if number != shares.notes + 1:
            raise IllegalEvent(f"note {number} after {shares.notes}")
        case _:
            pass


def apply(shares: Shares, event: e.Event) -> None:
    """Take an event that was checked."""
    match event:
        case e.ShareCreated():
            shares.count = event.share
            shares.known[event.share] = Share(
                share=event.share,
                token=event.token,
                user=event.user,
                permissions=list(event.permissions),
                at=event.at,
                expires=event.expires,
                parent=event.parent,
                by=event.by,
            )
            over = [n for n, share in shares.known.items() if not share.is_open(event.at)]
            for number in over[: max(0, len(over) - CLOSED_KEPT)]:
                del shares.known[number]
        case e.ShareRevoked(share=number):
            shares.known[number].revoked = True
        case e.ShareAccessed(share=number, refused=refused):
            share = shares.known[number]
            if refused:
                share.refused += 1
            else:
                share.accesses, share.accessed = share.accesses + 1, event.at
        case e.NoteAdded():
            shares.notes = event.note
            note = Note(
                note=event.note, text=event.text, user=event.user, at=event.at, share=event.share
            )
            shares.recent = [*shares.recent, note][-NOTES_KEPT:]
            if (writer := shares.known.get(event.share)) is not None:
                writer.notes += 1
        case _:
            pass


# --------------------------------------------------------------------------------------------------------------- the rules


def create(
    state: "State",
    at: float,
    *,
    token: str,
    user: str,
    permissions: Sequence[str],
    hours: float | None,
    parent: int = 0,
) -> list[e.Event]:
    """Return what makes a share.

    Args:
        at: Seconds since 1970-01-01 UTC.
        token: The SHA-256 of its token.
        hours: How long it lasts; None for as long as its parent.
        parent: The share that it is granted out of; 0 when the session's owner gives it.

    Raises:
        InvalidInput: A value is wrong.
        NotAllowed: It would allow more than its parent, or for longer.
        TooMuch: There are as many as there may be, or they are as deep as they may be.
    """
    user = acceptable_user(user)
    wanted = _in_order(permissions)
    above = state.shares.known[parent] if parent else None
    if hours is None and above is None:
        raise InvalidInput("A share needs an end: say after how many hours.")
    if hours is not None and (
        isinstance(hours, bool)
        or not isinstance(hours, int | float)
        or not 0 < hours <= LONGEST_HOURS
    ):
        raise InvalidInput(f"A share lasts more than 0 and up to {LONGEST_HOURS:,.0f} hours.")
    by, expires = state.user, at + (hours or 0.0) * 3600
    if above is not None:
        more = [name for name in wanted if name not in above.permissions]
        if more:
            raise NotAllowed(f"This share does not allow {', '.join(more)}: it cannot grant it.")
        if hours is not None and expires > above.expires:
            raise NotAllowed("A share cannot grant access for longer than it lasts itself.")
        by, expires = above.user, expires if hours is not None else above.expires
        if len(_line(state.shares, parent)) >= DEEPEST:
            raise TooMuch(f"Shares are granted out of each other {DEEPEST} deep at most.")
    if sum(share.is_open(at) for share in state.shares.known.values()) >= MOST_OPEN:
        raise TooMuch(f"The session has {MOST_OPEN} open shares. Revoke one first.")
    return [
        e.ShareCreated(
            at=at,
            share=state.shares.count + 1,
            token=token,
            user=user,
            permissions=wanted,
            expires=expires,
            parent=parent,
            by=by,
        )
    ]


def revoke(state: "State", at: float, number: int, by: str) -> list[e.Event]:
    """Return what revokes a share and every one that was granted out of it; nothing when that was done before.

    Raises:
        InvalidInput: There is no such share.
    """
    known = state.shares.known
    if number not in known:
        raise InvalidInput(f"The session knows no share {number}.")
    gone = {number}
    for share in known.values():
        # A share is younger than the one that it was granted out of.
        if share.parent in gone:
            gone.add(share.share)
    return [
        e.ShareRevoked(at=at, share=share.share, by=by)
        for share in known.values()
        if share.share in gone and not share.revoked
    ]


def refusal(state: "State", number: int, user: str, action: Action, at: float) -> Refusal:
    """Return why a user may not do something with a share; empty when they may.

    Args:
        at: Seconds since 1970-01-01 UTC.
    """
    share = state.shares.known.get(number)
    if share is None:
        return "revoked"
    if share.user != user:
        return "user"
    if share.revoked:
        return "revoked"
    if not share.is_open(at):
        return "expired"
    needed = NEEDS[action]
    return "permission" if needed and needed not in share.permissions else ""


def error(why: Refusal, action: Action) -> NotAllowed:
    """Return what says so to whoever was refused."""
    match why:
        case "revoked":
            return ShareRevoked()
        case "expired":
            return ShareExpired()
        case "permission":
            return NotAllowed(
                f"This share does not allow {NEEDS[action]!r}. Ask for one that does."
            )
        case _:
            return NotAllowed("This share is another user's.")


def accessed(
    state: "State", at: float, number: int, user: str, action: Action, why: Refusal
) -> list[e.Event]:
    """Return what the audit keeps of a use; nothing when enough refusals of that share are in it."""
    share = state.shares.known.get(number)
    if share is None or (why and share.refused >= REFUSALS_KEPT):
        return []
    return [e.ShareAccessed(at=at, share=number, user=user[:100], action=action, refused=why)]


def add_note(state: "State", at: float, text: str, user: str, share: int = 0) -> list[e.Event]:
    """Return what adds a note.

    Raises:
        InvalidInput: It is empty or too long.
        TooMuch: The share has added as many as it may.
    """
    clean = text.strip() if is_text(text) else ""
    if not 1 <= len(clean) <= LONGEST_NOTE:
        raise InvalidInput(f"A note has 1 to {LONGEST_NOTE:,} characters.")
    writer = state.shares.known.get(share)
    if writer is not None and writer.notes >= MOST_NOTES:
        raise TooMuch(f"This share has added {MOST_NOTES:,} notes: that is all it may.")
    return [e.NoteAdded(at=at, note=state.shares.notes + 1, text=clean, user=user, share=share)]


def end_session(state: "State", at: float) -> list[e.Event]:
    """Return what ends with the session: every share that is open."""
    return [
        e.ShareRevoked(at=at, share=share.share)
        for share in state.shares.known.values()
        if share.is_open(at)
    ]


def due(state: "State") -> float | None:
    """Return when the next share expires that somebody is looking through; None when nobody is."""
    return min(
        (known.expires for _, known in _looking(state) if known is not None),
        default=None,
    )


def over(state: "State", at: float) -> list[tuple[int, str]]:
    """Return the attachments whose share is over, each with why: `revoked` or `expired`."""
    return [
        (number, "expired" if known is not None and not known.revoked else "revoked")
        for number, known in _looking(state)
        if known is None or not known.is_open(at)
    ]


def _looking(state: "State") -> list[tuple[int, Share | None]]:
    known = state.shares.known
    return [(n, known.get(here.share)) for n, here in state.here.items() if here.share]


def acceptable_user(user: str) -> str:
    """Return the id of a user.

    Raises:
        InvalidInput: It is none.
    """
    if not is_name(user):
        raise InvalidInput(f"A user's id has {NAME}.")
    return user


def _in_order(permissions: Sequence[str]) -> list[str]:
    if not isinstance(permissions, list | tuple | set | frozenset) or not permissions:
        raise InvalidInput(f"Name the permissions as a list, of: {', '.join(PERMISSIONS)}.")
    for name in permissions:
        if name not in PERMISSIONS:
            raise InvalidInput(
                f"There is no permission {name!r}. There are: {', '.join(PERMISSIONS)}."
            )
    implied = ["read"] if {"read_sensitive", "speak"} & set(permissions) else []
    return [name for name in PERMISSIONS if name in (*implied, *permissions)]


def _line(shares: Shares, number: int) -> list[int]:
    """Return a share and those that it was granted out of."""
    found = []
    while number in shares.known:
        found.append(number)
        number = shares.known[number].parent
    return found


# -------------------------------------------------------------------------------------------------------------- the tokens


def new_token(session: str) -> str:
    """Return a new token of a session: its id, so that any host finds it, and 256 random bits."""
    name = base64.urlsafe_b64encode(session.encode()).rstrip(b"=").decode()
    return f"ts_{name}.{new_secret(256)}"


def session_of(token: str) -> str:
    """Return the session that a token says it is of. That is no proof: see `find`.

    Raises:
        NotAuthenticated: It is no share's token.
    """
    if not isinstance(token, str):
        raise unknown()
    name, dot, secret = token.removeprefix("ts_").partition(".")
    try:
        session = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except (binascii.Error, ValueError):
        raise unknown() from None
    if not token.startswith("ts_") or not dot or not secret or not 1 <= len(session) <= 100:
        raise unknown()
    return session


def unknown() -> NotAuthenticated:
    """Return what is said of a token that proves nothing, whatever the reason: law 11."""
    return NotAuthenticated("This share token is not known. Ask whoever shared it for another one.")


def digest(token: str) -> str:
    """Return the SHA-256 of a token, in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def find(shares: Shares, token: str) -> Share | None:
    """Return the share of a token; None when there is none."""
    shown = digest(token)
    found = None
    for share in shares.known.values():
        if hmac.compare_digest(share.token, shown):
            found = share
    return found
