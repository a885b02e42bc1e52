"""Sessions that come as a file: what `tenuto sessions export` wrote, or what others keep.

The body is read as it comes, within a size and a time of its own, and nothing is written before all of it was checked.
"""

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tenuto.errors import TooMuch
from tenuto.server import replies, rest
from tenuto.server.body import stream
from tenuto.server.replies import WrongForm
from tenuto.server.requests import asking, reception

FORMS = ("application/json", "application/jsonl", "application/x-ndjson")
"""What an import may say that it is. Which of them makes no difference."""

Renamed = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[!-.0-<>-~]{1,100}=[!-.0-~]{1,100}$",
        description="OLD=NEW: another name for a user. May be repeated.",
    ),
]


class ImportAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user_map: Annotated[list[Renamed], msgspec.Meta(max_length=100)] = []
    session_id: rest.SessionId | None = None
    """The id that the session gets here, where there is just one; its own, or a new one if that is taken."""
    kind: Literal["", "chat", "map", "record", "structure"] = ""
    """What it is, where that is not plain."""


class SessionsImported(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that were imported."""

    session_ids: list[str]


async def take_over(request: Request) -> Response:
    """Import sessions: all of them, or none."""
    desk = reception(request)
    caller = desk.caller(asking(request.scope))
    asked = rest.asked_in_query(request, ImportAsked)
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form not in FORMS:
        raise WrongForm(f"An import has a Content-Type of {', '.join(FORMS[:-1])} or {FORMS[-1]}.")
    if desk.importing >= desk.limits.imports:
        raise TooMuch(f"{desk.importing} imports are going on. Try again in a while.")
    desk.importing += 1
    try:
        made = await desk.tenuto.import_sessions(
            stream(request, desk.limits.import_bytes, desk.limits.import_seconds),
            user_id_mapping=dict(each.split("=", 1) for each in asked.user_map),
            session_id=asked.session_id,
            tenant=caller.tenant,
            kind=asked.kind,
        )
    finally:
        desk.importing -= 1
    return replies.Json(SessionsImported(session_ids=list(made)), 201)


def route() -> Route:
    """Return the route of imports. It stands before those of single sessions."""
    return Route("/sessions/import", take_over, methods=["POST"])
