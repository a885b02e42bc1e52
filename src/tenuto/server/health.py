"""Whether this server lives, and whether it should be sent clients.

Liveness never touches the store: a server whose store is away must not be killed for it. Readiness
does, and says no while the server goes down.
"""

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tenuto.errors import StoreUnavailable
from tenuto.server.replies import Draining, Json
from tenuto.server.requests import reception
from tenuto.session.ports import Query

PATIENCE = 2.0
"""Seconds that the store may take to answer."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    """`live` or `ready`."""


async def live(request: Request) -> Response:
    """Say that the process runs."""
    return Json(Health(status="live"))


async def ready(request: Request) -> Response:
    """Say whether clients should come here."""
    desk = reception(request)
    if desk.draining.is_set():
        raise Draining()
    try:
        async with asyncio.timeout(PATIENCE):
            await desk.tenuto.sessions(Query(tenant="", limit=1))
    except TimeoutError:
        raise StoreUnavailable(f"The store did not answer within {PATIENCE:g} s.") from None
    return Json(Health(status="ready"))
