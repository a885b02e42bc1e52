"""How much of everything the server takes. Sums only: the time is passed in, and nothing here
waits.

Where a limit is passed, something is refused; nothing is queued because of a limit.
"""

import ipaddress
import re
from typing import Any

import msgspec

from tenuto.errors import InvalidInput, RateLimited, TooMuch

MOST_NAMES = 10_000
"""Addresses, or keys, whose requests are counted at once; who asked longest ago is forgotten first."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one server allows. The defaults suit a server on the open internet."""

    head_seconds: float = 5.0
    """Seconds in which the head of a request must be there, from the first byte the server could
    have read.
    """
    head_bytes: int = 16 * 1024
    """Bytes of a request's head."""
    body_seconds: float = 10.0
    """Seconds in which the body of a request must be there."""
    body_bytes: int = 256 * 1024
    """Bytes of a request's body."""
    import_seconds: float = 300.0
    """Seconds in which the body of an import must be there."""
    import_bytes: int = 64 * 1024 * 1024
    """Bytes of the body of an import. All of it is in RAM until it was checked."""
    imports: int = 2
    """Imports at a time."""
    json_depth: int = 16
    """Objects and arrays inside each other."""
    audio_rate: int = 128 * 1024
    """Bytes of audio a second that a socket may send for ever; 48 kHz PCM is 96,000."""
    audio_burst: int = 256 * 1024
    """Bytes of audio that a socket may send at once after a silence."""
    command_rate: float = 10.0
    """Commands a second that a socket may send for ever."""
    command_burst: int = 50
    """Commands that a socket may send at once after a silence."""
    attachment_seconds: float = 7200.0
    """Seconds that an attachment lasts that came with a ticket, unless it is given another one."""
    key_rate: float = 100.0
    """Requests a second that may be made with one API key, for ever. The local user, who has none, is
    exempt.
    """
    key_burst: int = 1_000
    """Requests that may be made at once with one API key."""
    address_rate: float = 50.0
    """Requests a second of one address, whatever they show; this machine's own address is exempt."""
    address_burst: int = 500
    """Requests at once of one address; this machine's own address is exempt."""
    strangers: int = 256
    """Sockets of this host that have not attached yet."""
    strangers_per_address: int = 8
    """The same for one address; this machine's own address is exempt. A network of IPv6 (/64) counts
    as one address.
    """
    controllers_per_session: int = 5
    """Sockets of one session that want its controls, those being superseded included."""
    observers_per_session: int = 32
    """Observing sockets of one session; and as many listeners to its server-sent events."""
    listener_seconds: float = 30.0
    """Seconds that a listener to server-sent events may take to read what was sent before it is let
    go.
    """
    drain_seconds: float = 10.0
    """Seconds between the signal to stop and the last socket's end."""


class Occupancy:
    """Who is in: sockets that have not attached yet by address, and attached ones by session. Only
    counts.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._strangers: dict[str, int] = {}
        self._attached: dict[tuple[str, str], int] = {}

    @property
    def strangers(self) -> int:
        """Sockets that have not attached yet."""
        return sum(self._strangers.values())

    def arrive(self, address: str, *, own: bool) -> None:
        """Count a socket that has not attached yet. `own` is true for this machine's own addresses.

        Raises:
            TooMuch: There are too many of them, here or from this address.
        """
        count = self._strangers.get(address, 0)
        if self.strangers >= self._limits.strangers:
            raise TooMuch("Too many clients have connected and not attached. Try again in a while.")
        if not own and count >= self._limits.strangers_per_address:
            raise TooMuch("Too many clients of your address have connected and not attached.")
        self._strangers[address] = count + 1

    def settle(self, address: str) -> None:
        """Count a socket as attached, or as gone before it was: it is no stranger any more."""
        _less(self._strangers, address)

    def enter(self, session: str, role: str) -> None:
        """Count an attached socket.

        Raises:
            TooMuch: The session has as many of that role as it may have.
        """
        most = (
            self._limits.controllers_per_session
            if role == "controller"
            else self._limits.observers_per_session
        )
        count = self._attached.get((session, role), 0)
        if count >= most:
            raise TooMuch(
                f"The session has {most} clients of role {role}. Close one of them first."
            )
        self._attached[session, role] = count + 1

    def leave(self, session: str, role: str) -> None:
        """Count an attached socket as gone."""
        _less(self._attached, (session, role))


def _less(counts: dict[Any, int], name: object) -> None:
    left = counts.get(name, 0) - 1
    if left > 0:
        counts[name] = left
    else:
        counts.pop(name, None)


class Rates:
    """How often somebody asked, by name: each may ask `burst` times at once, and `rate` times a
    second for ever.

    One number a name: until when its requests are paid for. `most` names are kept.
    """

    def __init__(self, rate: float, burst: int, *, most: int = MOST_NAMES) -> None:
        self._cost = 1 / rate
        self._room = (burst - 1) / rate
        self._most = most
        self._paid: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._paid)

    def take(self, name: str, now: float) -> None:
        """Count a request. One that is refused counts for nothing.

        Args:
            name: Who asks.
            now: Seconds of a clock that does not jump.

        Raises:
            RateLimited: It is one too many; says when it will not be.
        """
        paid = max(now, self._paid.pop(name, now))
        over = paid - now - self._room
        # Whoever asked last goes to the end.
        self._paid[name] = paid if over > 0 else paid + self._cost
        if len(self._paid) > self._most:
            del self._paid[next(iter(self._paid))]
        if over > 0:
            refused = RateLimited()
            refused.retry_after = over
            raise refused


def network(address: str) -> str:
    """Return what counts as one address: one of IPv4, or a /64 of IPv6, which is what one customer
    has.

    Example:
        >>> network("2001:db8::1:2"), network("::ffff:192.0.2.1"), network("192.0.2.1")
        ('2001:db8::/64', '192.0.2.1', '192.0.2.1')
    """
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


# Possessive, and an unclosed string goes to the end: each byte is looked at once, whatever was sent.
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def check_depth(data: bytes, most: int) -> None:
    """Refuse JSON that nests too deep, before anything is built from it.

    Raises:
        InvalidInput: More than `most` objects and arrays are inside each other.
    """
    depth = 0
    for match in _NESTING.finditer(data):
        first = data[match.start()]
        if first in b"[{":
            depth += 1
            if depth > most:
                raise InvalidInput(f"The JSON nests deeper than {most} levels.")
        elif first in b"]}":
            depth -= 1
