"""What everybody who comes in passes, by whichever way: the rules of access, the tickets, the
counts, the end.

One `Reception` belongs to a server. REST asks it who is calling; the two doors for WebSockets
(`server.door` for picows, `server.app` for ASGI) ask it for the `Wire` of a new socket.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from tenuto.clock import Clock, SystemClock
from tenuto.errors import NotAuthenticated
from tenuto.security.grants import Admission, Keys, Role, Tickets, bound_to
from tenuto.server.auth import Access, Asking, Caller, is_loopback
from tenuto.server.limits import Limits, Occupancy, Rates, network
from tenuto.server.replies import Draining, NotUpgraded
from tenuto.session.analytics_part import Report
from tenuto.session.config import SessionConfig
from tenuto.session.ports import Head, Message, Query, Row
from tenuto.settings import TenutoConfig
from tenuto.transports.carrier import Wire
from tenuto.wire.native import SUBPROTOCOL, TICKET_PREFIX, Attach


class Page(Protocol):
    """A page of a history, newest last."""

    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def next(self) -> int | None:
        """Where the page before begins: `before` of the next call; None when there is none."""
        ...


class Host(Protocol):
    """What the server needs of a `Tenuto`. Errors as `Tenuto` says."""

    @property
    def config(self) -> TenutoConfig: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *error: Any) -> Any: ...

    def create_session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | Mapping[str, Any] | None = None,
        preset: SessionConfig | str | None = None,
        tenant: str = "local",
    ) -> Awaitable[Any]: ...

    async def head(self, session_id: str, *, tenant: str) -> Head: ...

    async def peek(self, session_id: str, *, tenant: str) -> Any: ...

    async def load_session(self, session_id: str, *, tenant: str) -> Any: ...

    async def access_shared_session(
        self, share_token: str, user_id: str, *, tenant: str, live: bool = True
    ) -> Any: ...

    async def sessions(self, query: Query) -> Sequence[Head]: ...

    async def history(
        self, session_id: str, *, tenant: str, before: int | None = None, limit: int = 50
    ) -> Page: ...

    async def analytics(self, session_id: str, *, tenant: str) -> Report: ...

    def watch(self, session_id: str, *, tenant: str, after: int = 0) -> AsyncIterator[Row]: ...

    async def end_session(self, session_id: str, *, tenant: str, reason: str = "user") -> Any: ...

    async def import_sessions(
        self,
        data: AsyncIterator[bytes],
        *,
        user_id_mapping: Mapping[str, str] | None = None,
        session_id: str | None = None,
        tenant: str,
        kind: str = "",
    ) -> Sequence[str]: ...

    async def forget_session(self, session_id: str, *, tenant: str) -> Any: ...

    def warm(self) -> None: ...

    async def drain(self) -> Any: ...


MakeWire = Callable[[Any, "Visit", Limits], Wire]
"""Makes the session's end of a socket, from the host, who lets its client in, and how much it may
send.
"""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A WebSocket upgrade that somebody asks for."""

    session: str
    """As in the path."""
    asking: Asking
    protocols: tuple[str, ...]
    """The subprotocols that are offered, in order."""


class Reception:
    """The place that all doors of a server share.

    Args:
        tenuto: The host behind it.
        limits: What is allowed.
        clock: The time.
        make_wire: Makes the session's end of a socket; the native wire when it is left out.
    """

    def __init__(
        self,
        tenuto: Host,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        make_wire: MakeWire | None = None,
    ) -> None:
        config = tenuto.config
        self.tenuto = tenuto
        self.limits = limits or Limits()
        self.clock: Clock = clock or SystemClock()
        self.access = Access(Keys(config.keys, self.clock), allow=config.allow, url=config.url)
        self.tickets = Tickets(self.clock)
        self.occupancy = Occupancy(self.limits)
        self._of_keys = Rates(self.limits.key_rate, self.limits.key_burst)
        self._of_addresses = Rates(self.limits.address_rate, self.limits.address_burst)
        self.importing = 0
        """Imports that are going on."""
        self.draining = asyncio.Event()
        """Set once the server goes down: listeners end, and nobody new comes in."""
        self._make_wire = make_wire or _native

    def caller(self, asking: Asking) -> Caller:
        """Tell who is asking, and count the request.

        Raises:
            NotAuthenticated: A key is required and there is none, or it is not known.
            RateLimited: There are too many requests of this address, or with this key.
        """
        self._count(asking)
        caller = self.access.caller(asking)
        if caller.key:
            self._of_keys.take(caller.key, self.clock.monotonic())
        return caller

    def receive(self, arrival: Arrival) -> "Visit":
        """Let a socket come up, or refuse it before it does.

        A ticket is looked at when the client attaches, not here: a browser cannot read why an
        upgrade was refused, but it can read a message.

        Raises:
            WrongHost: The server does not go by that name.
            WrongOrigin: It comes from a page that may not talk to this server.
            NotAuthenticated: It comes from another machine, and there is no key; or its key is not
                known.
            NotUpgraded: It does not offer `tenuto.v1`.
            RateLimited: There are too many requests of this address, or with this key.
            TooMuch: There are too many sockets that have not attached.
            Draining: The server is going down.
        """
        self.access.check(arrival.asking)
        if SUBPROTOCOL not in arrival.protocols:
            raise NotUpgraded()
        if self.draining.is_set():
            raise Draining()
        if arrival.asking.authorization:
            caller = self.caller(arrival.asking)
        else:
            self._count(arrival.asking)
            caller = None
        address = arrival.asking.address
        self.occupancy.arrive(network(address), own=not address or is_loopback(address))
        visit = Visit(self, arrival, caller)
        visit.wire = self._make_wire(self.tenuto, visit, self.limits)
        return visit

    def _count(self, asking: Asking) -> None:
        if asking.address and not is_loopback(asking.address):
            self._of_addresses.take(network(asking.address), self.clock.monotonic())


class Visit:
    """One socket, from its upgrade to its end: what it was let in for, until when, and what has to
    be uncounted.
    """

    __slots__ = (
        "_admission",
        "_arrival",
        "_caller",
        "_key",
        "_reception",
        "_stranger",
        "_until",
        "wire",
    )

    wire: Wire

    def __init__(self, reception: Reception, arrival: Arrival, caller: Caller | None) -> None:
        self._reception = reception
        self._arrival = arrival
        self._caller = caller
        self._stranger = True
        self._admission: Admission | None = None
        self._key = ""
        """The id of the API key that it stands on now."""
        self._until = math.inf
        """When what it stands on ends, on the clock that does not jump."""

    def admit(self, ticket: str, attach: Attach) -> Admission:
        """Let the client in: by its ticket, by its API key, by its resume token (which the session
        itself checks), or because it is the local user.

        Raises:
            NotAuthenticated: It has shown nothing, or nothing good.
            TooMuch: The session has as many clients as it may have.
        """
        if attach.session != self._arrival.session:
            raise NotAuthenticated("This socket was opened for another session.")
        before = self._admission
        if before is not None and before.role != attach.role:
            raise NotAuthenticated("This socket was let in for another role.")
        if before is not None and before.tenant:
            # The first try was let in, and then refused for something else that it said.
            return before
        # A resume token proves nothing before the session has seen it, nor does it for another one.
        admission = self._prove(ticket or attach.ticket or self._offered(), attach)
        if before is None:
            self._reception.occupancy.enter(admission.session, admission.role)
            self._settle()
        self._admission = admission
        self._rest_on(admission)
        return admission

    def left(self) -> float:
        """Return the seconds until what the client was let in for ends; infinite when it has no end.

        Raises:
            NotAuthenticated: It was taken back.
        """
        if not self._reception.access.stands(self._key):
            raise NotAuthenticated("The API key behind this was revoked. Get another ticket.")
        return self._until - self._reception.clock.monotonic()

    def renew(self, ticket: str) -> None:
        """Let the client stay, for a ticket as good as what it came with.

        Raises:
            NotAuthenticated: It is unknown, used or expired; or for another session, role, share or
                origin.
        """
        before = self._admission
        if before is None:
            raise NotAuthenticated("This socket has not attached yet.")
        after = self._redeem(ticket, session=before.session, role=before.role)
        if after.share != before.share:
            raise NotAuthenticated("This ticket is for another share.")
        self._rest_on(after)

    def over(self) -> None:
        """Count the socket as gone. Safe to call twice."""
        self._settle()
        if self._admission is not None:
            self._reception.occupancy.leave(self._admission.session, self._admission.role)
            self._admission = None

    def _prove(self, ticket: str, attach: Attach) -> Admission:
        if ticket:
            return self._redeem(ticket, session=attach.session, role=attach.role)
        tenant, key, until = "", "", math.inf
        if self._caller is not None:
            tenant, key = self._caller.tenant, self._caller.key
        elif not self._reception.access.required:
            tenant = self._reception.access.caller(self._arrival.asking).tenant
        elif attach.token:
            key, until = bound_to(attach.token)
        else:
            raise NotAuthenticated(
                "A ticket is needed. Ask for one with: POST /sessions/{id}/tickets"
            )
        if not self._reception.access.stands(key) or until <= self._reception.clock.now():
            what = "API key" if tenant else "resume token"
            raise NotAuthenticated(f"The {what} is not valid any more. Get a ticket.")
        return Admission(
            tenant=tenant, session=attach.session, role=attach.role, key=key, until=until
        )

    def _redeem(self, ticket: str, *, session: str, role: Role) -> Admission:
        desk = self._reception
        admission = desk.tickets.redeem(
            ticket, session=session, role=role, origin=self._arrival.asking.origin or ""
        )
        if not desk.access.stands(admission.key):
            raise NotAuthenticated("The API key behind this ticket was revoked.")
        until = desk.clock.now() + desk.limits.attachment_seconds
        return msgspec.structs.replace(admission, until=until)

    def _rest_on(self, admission: Admission) -> None:
        desk = self._reception
        # Never longer than it could have been given for, whatever the clock on the wall did since.
        left = min(admission.until - desk.clock.now(), desk.limits.attachment_seconds)
        self._key = admission.key
        self._until = math.inf if admission.until == math.inf else desk.clock.monotonic() + left

    def _offered(self) -> str:
        for protocol in self._arrival.protocols:
            if protocol.startswith(TICKET_PREFIX):
                return protocol.removeprefix(TICKET_PREFIX)
        return ""

    def _settle(self) -> None:
        if self._stranger:
            self._stranger = False
            self._reception.occupancy.settle(network(self._arrival.asking.address))


def _native(tenuto: Any, visit: Visit, limits: Limits) -> Wire:
    from tenuto.transports.websocket import NativeWire

    wire: Wire = NativeWire(tenuto, visit.admit, limits, visit)
    return wire
