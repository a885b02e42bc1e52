"""Names for things. An id is for finding something, never for proving a right to it: see `security.grants` for that."""

import os
import platform
import re
import secrets
import time
import uuid
from pathlib import Path
from typing import TypeGuard

LOCAL_TENANT = "local"
"""Whose the sessions of this machine are, where nobody shows a key."""
LONGEST_NAME = 100
"""Characters of a name that somebody gives: an id, a key, the name of a metric."""
NAME = f"1 to {LONGEST_NAME} printable characters and no slash"
"""What the id of a session or of a user is."""
RESERVED = "~"
"""What the name of a journal begins with that is no session's, such as that of a user's memory."""


def is_name(value: object) -> TypeGuard[str]:
    """Say whether something can be the id of a session or of a user: see `NAME`.

    Example:
        >>> is_name("alice"), is_name("a/b"), is_name(7)
        (True, False, False)
    """
    if not isinstance(value, str):
        return False
    return 1 <= len(value) <= LONGEST_NAME and value.isprintable() and "/" not in value


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
    """Return the name of this host process, new at each start: a restarted process is another owner.

    It says which process that is, where the system has such names, so that `is_gone` can tell on the same machine.
    """
    name = platform.node() or "host"
    return f"{name}-{os.getpid()}.{_started(os.getpid())}.{_namespace()}-{secrets.token_hex(4)}"


def is_gone(host: str) -> bool:
    """Say whether it is certain that a host process of this machine, and of this boot, has ended.

    Args:
        host: What `host_id` returned in that process. One of another container or system is never certain to be gone.
    """
    named = re.fullmatch(r".*-(\d+)\.(\d+)\.(\d+)-[0-9a-f]{8}", host)
    if named is None:
        return False
    pid, started, namespace = map(int, named.groups())
    return bool(started) and namespace == _namespace() and _started(pid) != started


def _started(pid: int) -> int:
    """Return when a process was started, in ticks since the boot; 0 when there is none, or nothing tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    # The second field is the program's name in brackets, which may hold anything. Z and X are dead.
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def _namespace() -> int:
    """Return the number of the namespace in which process ids mean something; 0 when nothing tells."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
