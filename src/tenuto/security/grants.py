"""Who may do what: API keys for programs, tickets for one attachment.

A credential is compared by its SHA-256, never by itself, and only the hash is ever stored. Unknown,
used and expired look the same to whoever asks: a refusal never says which of them it was.

An API key is `tk_<id>_<256 bit>`: it belongs to a tenant, and two of a tenant can be active at
once, so that one can be rotated without a pause. The keys file is JSON lines, for its owner's eyes
only (mode 0600). A ticket is 128 bits, lasts 30 s, works once, and is bound to a tenant, a session,
a role and an origin.

What was given out because of an API key ends with it: tickets, attachments, and their resume
tokens. Those say, behind a dot, which key they stand on and when they end; the session's hash of a
token covers that, so nobody can write something else there.
"""

import hashlib
import hmac
import logging
import math
import os
import secrets
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from tenuto.clock import Clock
from tenuto.errors import InvalidConfig, InvalidInput, NotAuthenticated, TooMuch
from tenuto.ids import new_secret

log = logging.getLogger(__name__)

Role = Literal["controller", "observer"]

ACTIVE_KEYS = 2
"""Keys that a tenant may have at once: the old and the new one of a rotation."""
TICKET_LIFE = 30.0
"""Seconds that a ticket lasts."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at whether the keys file has changed."""
READ_SECONDS = 60.0
"""Seconds after which the keys file is read again even if it looks the same."""
MAX_TICKETS = 10_000
"""Tickets that are out at once. One more is refused until one is used or expires."""

_UNKNOWN_KEY = "This API key is not known. Make one with: tenuto keys new"
_UNKNOWN_TICKET = "This ticket is unknown, used or expired. Ask for another one."


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as it is stored: not the key itself."""

    id: str
    """Eight hex digits, the part of the key that may be shown."""
    tenant: str
    sha256: str
    """Of the whole key, in hex."""
    created: float
    """Seconds since 1970-01-01 UTC."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What a client was let in for."""

    tenant: str
    """Empty when only a resume token was shown: the session that made the token knows whose it
    is.
    """
    session: str
    role: Role
    share: int = 0
    """The number of the share that it looks through; 0 when it is the tenant's own."""
    key: str = ""
    """The id of the API key that it stands on; empty where none was needed."""
    until: float = math.inf
    """Seconds since 1970-01-01 UTC at which it ends; infinite when it stands on a standing proof."""

    @property
    def binding(self) -> str:
        """What its resume tokens end with; empty for one that has no key and no end."""
        if not self.key and self.until == math.inf:
            return ""
        return f".{self.key}.{'' if self.until == math.inf else math.floor(self.until)}"


def bound_to(token: str) -> tuple[str, float]:
    """Return what a resume token stands on and when it ends: `Admission.key` and `Admission.until`.

    Only the session can tell whether the token is good; what is said here is as good as the token.

    Example:
        >>> bound_to("secret.5f2c81aa.1795231634"), bound_to("secret")
        (('5f2c81aa', 1795231634.0), ('', inf))
    """
    _, _, bound = token.partition(".")
    key, _, until = bound.partition(".")
    return key, float(until) if until.isascii() and until.isdigit() else math.inf


def list_keys(path: str | os.PathLike[str]) -> list[Key]:
    """Return the keys of a keys file, oldest first; an empty list when there is no such file.

    Raises:
        InvalidConfig: It cannot be read, others may read it, or it is no keys file; or there is not
            even a folder for it.
    """
    file = Path(path)
    try:
        if not file.parent.is_dir():
            raise InvalidConfig(
                f"There is no folder {file.parent} for the keys file. Make it, or name another file."
            )
        if not file.is_file() and file.exists():
            raise InvalidConfig(
                f"{file} is no file. The keys file is a file, such as {file / 'tenuto.keys'}."
            )
        keys = [
            msgspec.json.decode(line, type=Key)
            for line in file.read_bytes().splitlines()
            if line.strip()
        ]
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise InvalidConfig(
                f"Other users may read the keys file {file}. Mend it with: chmod 600 {file}"
            )
        return keys
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InvalidConfig(f"The keys file {file} cannot be read: {error.strerror}.") from None
    except msgspec.MsgspecError as error:
        raise InvalidConfig(f"{file} is no keys file, or is damaged: {error}.") from None


def add_key(path: str | os.PathLike[str], *, clock: Clock, tenant: str = "local") -> str:
    """Make an API key and store its hash. The key itself is returned here and never again.

    Raises:
        TooMuch: The tenant has two active keys; revoke one first.
        InvalidConfig: The file cannot be read or written.

    Example:
        >>> add_key("tenuto.keys", clock=SystemClock())  # doctest: +SKIP
        'tk_5f2c81aa_8mJ...'
    """
    if not 1 <= len(tenant) <= 128 or not tenant.isprintable():
        raise InvalidInput("A tenant's name has 1 to 128 printable characters.")
    keys = list_keys(path)
    theirs = [key.id for key in keys if key.tenant == tenant]
    if len(theirs) >= ACTIVE_KEYS:
        raise TooMuch(
            f"Tenant {tenant} has {ACTIVE_KEYS} active keys ({', '.join(theirs)}). "
            f"Revoke one first: tenuto keys revoke {theirs[0]}"
        )
    name = secrets.token_hex(4)
    key = f"tk_{name}_{new_secret(256)}"
    _write(path, [*keys, Key(id=name, tenant=tenant, sha256=_hash(key).hex(), created=clock.now())])
    return key


def revoke_key(path: str | os.PathLike[str], key_id: str) -> Key:
    """Take a key out of the file; servers that use the file refuse it within a second, and close what
    was opened because of it.

    Raises:
        InvalidInput: There is no key of that id.
        InvalidConfig: The file cannot be read or written.
    """
    keys = list_keys(path)
    for key in keys:
        if key.id == key_id:
            _write(path, [other for other in keys if other is not key])
            return key
    raise InvalidInput(f"There is no key {key_id}. See which there are: tenuto keys list")


class Keys:
    """The API keys that a running server accepts, read again when the file has changed (looked at
    every `LOOK_SECONDS`) and every `READ_SECONDS`.

    A file that cannot be read any more leaves the keys as they were; the log says so.
    Once there was a key, one is always required: emptying the file locks the door, it does not open
    it.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock) -> None:
        self._path = Path(path)
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._looked = self._read = -math.inf
        self._problem = ""
        """Why the file could not be read when it was last tried."""
        self._required = False
        self._take(list_keys(self._path))
        self._look()

    @property
    def required(self) -> bool:
        """Whether a key must be shown."""
        self._look()
        return self._required

    def find(self, key: str) -> Key:
        """Return what is known of a key.

        Raises:
            NotAuthenticated: It is not known.
        """
        self._look()
        digest = _hash(key).hex()
        parts = key.split("_", 2)
        known = self._keys.get(parts[1]) if len(parts) == 3 and parts[0] == "tk" else None
        if not hmac.compare_digest(known.sha256 if known else "0" * 64, digest) or known is None:
            raise NotAuthenticated(_UNKNOWN_KEY)
        return known

    def is_active(self, key_id: str) -> bool:
        """Tell whether what was given out because of a key still holds. An empty id is that of
        nobody's key, which holds where no key is required.
        """
        self._look()
        return key_id in self._keys if key_id else not self._required

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = None
        if stamp == self._stamp and now - self._read < READ_SECONDS:
            return
        try:
            self._take(list_keys(self._path))
        except InvalidConfig as error:
            # Tried again at the next look, and said once.
            if error.message != self._problem:
                log.error("The API keys stay as they were. %s", error.message)
            self._problem = error.message
            return
        self._stamp, self._read, self._problem = stamp, now, ""

    def _take(self, keys: list[Key]) -> None:
        before, self._keys = self._keys, {key.id: key for key in keys}
        self._required = self._required or bool(keys)
        for gone in sorted(before.keys() - self._keys.keys()):
            log.info("API key %s is revoked.", gone)


class _Issued(msgspec.Struct, frozen=True):
    admission: Admission
    origin: str
    until: float


class Tickets:
    """Tickets that are out. They are kept in memory only: after a restart a client asks for another
    one.
    """

    def __init__(
        self, clock: Clock, *, life: float = TICKET_LIFE, limit: int = MAX_TICKETS
    ) -> None:
        self._clock = clock
        self._life = life
        self._limit = limit
        self._issued: dict[bytes, _Issued] = {}

    def __len__(self) -> int:
        return len(self._issued)

    def issue(self, admission: Admission, *, origin: str = "") -> str:
        """Return a new ticket. `origin` is that of the page that will use it; empty for no browser.

        Raises:
            TooMuch: Too many are out.
        """
        now = self._clock.monotonic()
        self._drop_expired(now)
        if len(self._issued) >= self._limit:
            raise TooMuch(f"{self._limit} tickets are out. Try again when some of them are used.")
        ticket = new_secret(128)
        self._issued[_hash(ticket)] = _Issued(admission, origin, now + self._life)
        return ticket

    def redeem(self, ticket: str, *, session: str, role: Role, origin: str = "") -> Admission:
        """Use a ticket up, whatever comes of it.

        A controller's ticket also admits an observer. The admission that is returned has the role
        that was asked for.

        Raises:
            NotAuthenticated: It is unknown, used or expired, which look the same; or it is for
                another session, role or
                origin.
        """
        # The table is searched by hash: how long that takes says nothing about any ticket.
        issued = self._issued.pop(_hash(ticket), None)
        if issued is None or issued.until <= self._clock.monotonic():
            raise NotAuthenticated(_UNKNOWN_TICKET)
        if not hmac.compare_digest(issued.admission.session.encode(), session.encode()):
            raise NotAuthenticated("This ticket is for another session.")
        if role == "controller" and issued.admission.role != "controller":
            raise NotAuthenticated("This ticket is for an observer.")
        if issued.origin != origin:
            raise NotAuthenticated(
                "This ticket is for another origin. Name the page's origin when you ask for one."
            )
        return msgspec.structs.replace(issued.admission, role=role)

    def _drop_expired(self, now: float) -> None:
        # All live equally long, so the oldest are first.
        while self._issued:
            first = next(iter(self._issued))
            if self._issued[first].until > now:
                return
            del self._issued[first]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _write(path: str | os.PathLike[str], keys: list[Key]) -> None:
    # A link stays one: what it leads to is what a server reads.
    file = Path(path).resolve()
    text = b"".join(msgspec.json.encode(key) + b"\n" for key in keys)
    try:
        # mkstemp makes it for its owner only; the rename is atomic, so that no server reads half a
        # file.
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, file)
        except OSError:
            os.unlink(name)
            raise
        if os.name == "posix":
            # A power cut must not bring a revoked key back.
            folder = os.open(file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise InvalidConfig(f"The keys file {file} cannot be written: {error.strerror}.") from None
