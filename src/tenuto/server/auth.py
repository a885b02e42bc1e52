"""Who is asking, and from where. The same rules hold for requests and for WebSocket upgrades.

Without an API key the server serves this machine alone, as one local user: the other side must be
on a loopback address, the Host must be a loopback name, and a page may only come from an origin
that is allowed. So no page elsewhere can reach it, neither with a WebSocket across sites nor by
pointing its own name at 127.0.0.1. With keys the key is the proof, and the rules for Host and
Origin stay as they are on loopback addresses.

`allow` lists what else is good: `app.example` (a name of this server, for pages it serves) or
`https://app.example` (the origin of pages that come from elsewhere, which are answered with CORS
headers).
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from tenuto.errors import InvalidConfig, NotAuthenticated
from tenuto.ids import LOCAL_TENANT
from tenuto.security.grants import Keys, list_keys
from tenuto.server.replies import WrongHost, WrongOrigin
from tenuto.settings import TenutoConfig

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of itself, HTTP and WebSocket alike."""

    host: str
    """The Host header."""
    origin: str | None
    """The Origin header; None from most programs that are no browser."""
    address: str
    """The address of the other side; empty for a Unix socket."""
    local: str
    """The address of this side; empty for a Unix socket."""
    port: int
    """The port of this side."""
    authorization: str = ""
    """The Authorization header."""
    site: str = ""
    """The Sec-Fetch-Site header: where a browser says the request comes from."""
    navigates: bool = False
    """Whether a browser is following a link."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    key: str = ""
    """The id of the API key that was shown; empty where none is needed."""


def is_loopback(address: str) -> bool:
    """Tell whether an address or name is this machine's own.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    name = address.strip("[]").partition("%")[0]
    if name.lower() == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool(ip.is_loopback or (mapped is not None and mapped.is_loopback))


def check_bind(config: TenutoConfig) -> None:
    """Refuse to serve other machines without a key.

    Raises:
        InvalidConfig: `config.host` is not a loopback address, and there is no key.
    """
    if not is_loopback(config.host) and not list_keys(config.keys):
        raise InvalidConfig(
            f"Serving {config.host or 'every address'} needs an API key, for other machines can "
            f"reach it. Make one with: tenuto keys new (it is stored in {config.keys}), or serve "
            "127.0.0.1."
        )


class Access:
    """The rules of one server."""

    def __init__(self, keys: Keys, *, allow: Iterable[str] = (), url: str = "") -> None:
        self._keys = keys
        self._hosts: set[str] = set()
        self._origins: set[str] = set()
        for entry in (*allow, *([url] if url else [])):
            scheme, host = _split(entry)
            if entry == url:
                self._hosts.add(host)
                scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
            if scheme:
                self._origins.add(f"{scheme}://{_with_port(host, scheme)}")
            else:
                self._hosts.add(host)

    @property
    def required(self) -> bool:
        """Whether an API key must be shown."""
        return self._keys.required

    def stands(self, key_id: str) -> bool:
        """Tell whether what was given out because of this API key still holds; an empty id for what
        needed none.
        """
        return self._keys.is_active(key_id)

    def check(self, asking: Asking) -> None:
        """Let a request come in, whoever sends it.

        Raises:
            WrongHost: The server does not go by that name.
            WrongOrigin: It comes from a page that may not talk to this server.
            NotAuthenticated: It comes from another machine, and there is no key that could prove
                anything.
        """
        if not self.required and asking.address and not is_loopback(asking.address):
            raise NotAuthenticated(
                "This server has no API key, so it serves its own machine only. Make one with: "
                "tenuto keys new"
            )
        host = asking.host.lower()
        own = self._is_own(host, asking.port)
        if not own and (not host or not self.required or is_loopback(asking.local)):
            raise WrongHost(
                f"This server does not go by that name. It is 127.0.0.1:{asking.port}; other names "
                "have to be in `allow` (TENUTO_ALLOW)."
            )
        if asking.origin is not None:
            if not self._is_same(asking.origin, host) and not self.is_foreign(asking.origin):
                raise WrongOrigin(
                    "Pages of that origin may not talk to this server. It has to be in `allow` "
                    "(TENUTO_ALLOW)."
                )
        elif asking.site in ("cross-site", "same-site") and not asking.navigates:
            # A browser sends no Origin with some requests, such as for an image or a script.
            raise WrongOrigin("Pages of other sites may not use this server.")

    def is_foreign(self, origin: str) -> bool:
        """Tell whether pages of an origin that is not the server's own are allowed, and need CORS
        headers.
        """
        scheme, host = _split(origin)
        return f"{scheme}://{_with_port(host, scheme)}" in self._origins if scheme else False

    def caller(self, asking: Asking) -> Caller:
        """Tell who is asking, by the API key.

        Raises:
            NotAuthenticated: A key is required and there is none, or it is not known.
        """
        scheme, _, key = asking.authorization.partition(" ")
        if asking.authorization and (scheme.lower() != "bearer" or not key.strip()):
            raise NotAuthenticated("The Authorization header must be: Bearer tk_...")
        if asking.authorization:
            known = self._keys.find(key.strip())
            return Caller(tenant=known.tenant, key=known.id)
        if self.required:
            raise NotAuthenticated(
                "An API key is needed, as a header: Authorization: Bearer tk_..."
            )
        return Caller(tenant=LOCAL_TENANT)

    def _is_own(self, host: str, port: int) -> bool:
        if host in self._hosts:
            return True
        name, number = _name_and_port(host)
        return name in _LOOPBACK_NAMES and (number or 80) == port

    def _is_same(self, origin: str, host: str) -> bool:
        scheme, name = _split(origin)
        return scheme in ("http", "https") and _with_port(name, scheme) == _with_port(host, scheme)


def _split(entry: str) -> tuple[str, str]:
    """Return scheme and host[:port] of an origin, a URL or a bare host; both in lower case."""
    if "://" not in entry:
        return "", entry.strip().lower()
    try:
        parts = urlsplit(entry.strip())
    except ValueError:
        return "", entry
    return parts.scheme.lower(), parts.netloc.lower()


def _name_and_port(host: str) -> tuple[str, int | None]:
    name, colon, digits = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, None
    return name, int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else -1


def _with_port(host: str, scheme: str) -> str:
    name, port = _name_and_port(host)
    return f"{name}:{port if port is not None else _PORTS.get(scheme, -1)}"
