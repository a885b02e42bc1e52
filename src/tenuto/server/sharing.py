"""Shares over HTTP: give, list, take back; and what the one does that a session was shared with.

A share's token is bound to a user. Nobody on the network can say who a user is but the tenant's own server, which has the
API key: it shows the token, names the user and so vouches for them. To see the session live it asks for a ticket here and
hands that to the user's page, which attaches with it as an observer and sees what the share shows.
"""

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tenuto.security.grants import TICKET_LIFE, Admission
from tenuto.server import replies, rest
from tenuto.server.body import read_json
from tenuto.server.requests import asking, reception
from tenuto.session import shares, shares_part

Permission = Literal["read", "read_sensitive", "add_notes", "speak", "grant"]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=600, description="A share's token.")]


class ShareWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share to be made."""

    user_id: rest.UserId
    """Who may use it, and nobody else."""
    permissions: Annotated[list[Permission], msgspec.Meta(min_length=1, max_length=5)] = (
        msgspec.field(default_factory=lambda: ["read"])
    )
    """`read` when it is left out. `read_sensitive` and `speak` bring `read` with them."""
    expire_after_hours: Annotated[float, msgspec.Meta(gt=0, le=shares.LONGEST_HOURS)] = (
        shares_part.DEFAULT_HOURS
    )
    """Hours that it lasts."""


class ShareMade(msgspec.Struct, frozen=True, kw_only=True):
    """A share, with its token: this is the only time that it is said."""

    share: int
    """Its number within the session."""
    token: str
    user_id: str
    permissions: list[Permission]
    expires: str
    """ISO 8601, UTC."""


class ShareShown(msgspec.Struct, frozen=True, kw_only=True):
    """A share as it stands."""

    share: int
    """Its number within the session."""
    user_id: str
    permissions: list[Permission]
    created: str
    """ISO 8601, UTC."""
    expires: str
    """ISO 8601, UTC."""
    open: bool
    """Whether it is of use now."""
    revoked: bool
    parent: int
    """The share that it was granted out of; 0 when the session's owner gave it."""
    by: str
    """The user who gave it."""
    accesses: int
    """How often it was used."""
    refused: int
    """How often its use was refused, as far as the journal counts."""


class SharesShown(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of a session, oldest first."""

    shares: list[ShareShown]


class AccessWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who wants to see a session that was shared with them."""

    share_token: Token
    user_id: rest.UserId
    """Who they are: the caller vouches for it."""
    origin: rest.Origin | None = None


class AccessGiven(msgspec.Struct, frozen=True, kw_only=True):
    """What a share gives, and a ticket with which its user attaches once, as an observer."""

    session_id: str
    share: int
    """Its number within the session."""
    permissions: list[Permission]
    expires: str
    """ISO 8601, UTC: when the share ends, and whatever is attached through it."""
    ticket: str | None
    """Offer it as the subprotocol `tenuto.t.<ticket>` beside `tenuto.v1`. Null when the share does not allow to read."""
    expires_in: float
    """Seconds until the ticket ends."""
    url: str
    """The WebSocket to open."""


class PastWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who reads the history of a shared session."""

    share_token: Token
    user_id: rest.UserId
    """Who asks: the caller vouches for it."""


class NoteWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note to be added."""

    share_token: Token
    user_id: rest.UserId
    """Who writes it: the caller vouches for it."""
    text: Annotated[str, msgspec.Meta(pattern=r"\S", min_length=1, max_length=shares.LONGEST_NOTE)]


class NoteShown(msgspec.Struct, frozen=True, kw_only=True):
    """A note about a session."""

    note: int
    """Counts from 1 within the session."""
    text: str
    user_id: str
    at: str
    """ISO 8601, UTC."""


async def give(request: Request) -> Response:
    """Share a session."""
    desk = reception(request)
    head = await rest.find_head(request)
    wanted = await read_json(request, ShareWanted, desk.limits)
    session = await desk.tenuto.load_session(head.session, tenant=head.tenant)
    made = await session.create_shared_view(
        wanted.user_id, wanted.permissions, wanted.expire_after_hours
    )
    return replies.Json(
        ShareMade(
            share=made.share,
            token=made.token,
            user_id=made.user_id,
            permissions=made.permissions,
            expires=rest.time_text(made.expires_at),
        ),
        201,
    )


async def browse(request: Request) -> Response:
    """List the shares of a session."""
    desk = reception(request)
    head = await rest.find_head(request)
    state = await desk.tenuto.peek(head.session, tenant=head.tenant)
    known = state.shares.known.values() if state is not None else ()
    now = desk.clock.now()
    return replies.Json(
        SharesShown(
            shares=[
                ShareShown(
                    share=share.share,
                    user_id=share.user,
                    permissions=share.permissions,
                    created=rest.time_text(share.at),
                    expires=rest.time_text(share.expires),
                    open=share.is_open(now),
                    revoked=share.revoked,
                    parent=share.parent,
                    by=share.by,
                    accesses=share.accesses,
                    refused=share.refused,
                )
                for share in known
            ]
        )
    )


async def take_back(request: Request) -> Response:
    """Revoke a share, and every one that was granted out of it."""
    desk = reception(request)
    head = await rest.find_head(request)
    number = request.path_params["share"]
    state = await desk.tenuto.peek(head.session, tenant=head.tenant)
    if state is None or number not in state.shares.known:
        raise replies.NoSuchPlace(f"The session knows no share {number}.")
    if not state.shares.known[number].revoked:
        session = await desk.tenuto.load_session(head.session, tenant=head.tenant)
        await session.shares.revoke(number)
    return Response(status_code=204)


async def access(request: Request) -> Response:
    """Let in the user of a share."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    wanted = await read_json(request, AccessWanted, desk.limits)
    shared = await desk.tenuto.access_shared_session(
        wanted.share_token, wanted.user_id, tenant=caller.tenant, live=False
    )
    ticket = None
    if "read" in shared.permissions:
        admission = Admission(
            tenant=caller.tenant,
            session=shared.session_id,
            role="observer",
            share=shared.share,
            key=caller.key,
        )
        origin = wanted.origin or request.headers.get("origin", "")
        ticket = desk.tickets.issue(admission, origin=origin)
    head = await desk.tenuto.head(shared.session_id, tenant=caller.tenant)
    return replies.Json(
        AccessGiven(
            session_id=shared.session_id,
            share=shared.share,
            permissions=shared.permissions,
            expires=rest.time_text(shared.expires_at),
            ticket=ticket,
            expires_in=TICKET_LIFE,
            url=rest.attach_url(request, desk, head),
        ),
        201,
    )


async def history(request: Request) -> Response:
    """Read the history of a shared session."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    asked = rest.asked_in_query(request, rest.HistoryAsked)
    wanted = await read_json(request, PastWanted, desk.limits)
    shared = await desk.tenuto.access_shared_session(
        wanted.share_token, wanted.user_id, tenant=caller.tenant, live=False
    )
    page = await shared.history(asked.before, asked.limit)
    return replies.Json(rest.history_shown(page))


async def note(request: Request) -> Response:
    """Add a note to a shared session."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    wanted = await read_json(request, NoteWanted, desk.limits)
    shared = await desk.tenuto.access_shared_session(
        wanted.share_token, wanted.user_id, tenant=caller.tenant, live=False
    )
    added = await shared.add_note(wanted.text)
    return replies.Json(
        NoteShown(
            note=added.note, text=added.text, user_id=added.user, at=rest.time_text(added.at)
        ),
        201,
    )


def routes() -> list[Route]:
    """Return the routes of shares."""
    return [
        Route("/sessions/{session_id}/shares", give, methods=["POST"]),
        Route("/sessions/{session_id}/shares", browse, methods=["GET"]),
        Route("/sessions/{session_id}/shares/{share:int}", take_back, methods=["DELETE"]),
        Route("/shared/access", access, methods=["POST"]),
        Route("/shared/history", history, methods=["POST"]),
        Route("/shared/notes", note, methods=["POST"]),
    ]
