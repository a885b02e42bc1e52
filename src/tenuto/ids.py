"""Names for things. An id is for finding something, never for proving a right to it: see `security.grants` for that."""

import os
import platform
import secrets
import time
import uuid


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then random bits.

    Ids made later sort later, which keeps the pages of a store's index together.

    Example:
        >>> len(new_id())
        36
    """
    stamp = time.time_ns() // 1_000_000
    bits = int.from_bytes(os.urandom(10), "big")
    high = (stamp << 16) | 0x7000 | (bits >> 68 & 0xFFF)
    low = 0x8000000000000000 | (bits & 0x3FFFFFFFFFFFFFFF)
    return str(uuid.UUID(int=(high << 64) | low))


def new_secret(bits: int = 256) -> str:
    """Return an unguessable token of `bits` random bits, in base64url without padding."""
    return secrets.token_urlsafe(bits // 8)


def new_epoch() -> str:
    """Return the name of a journal: sixteen hex digits, without which a position in it means nothing."""
    return secrets.token_hex(8)


def host_id() -> str:
    """Return the name of this host process, new at each start: a restarted process is another owner."""
    return f"{platform.node() or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"
