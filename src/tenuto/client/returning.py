"""When a client comes back, and when it does not. Pure: a close code and the time go in, a decision comes out.

The classes of close codes are `wire.native.CloseCode`'s: 4000 final, 4100 back off, 4200 at once, 4300 with new
credentials. Anything else, or no code at all, is the network: come back.

Somebody may be speaking meanwhile, and the microphone's ring does not wait: for as long as it still holds everything that
was said, a client is never away for more than `SOON` by its own choice. Only then, and for a server that asks to be
spared, attempts become rare.
"""

import random
from enum import Enum

from tenuto.client.microphone import SECONDS
from tenuto.errors import (
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    Refused,
    Superseded,
    TenutoError,
)
from tenuto.wire.native import CloseCode

FIRST = (0.0, 0.3)
"""Seconds before the first two attempts; then full jitter (AWS: exponential backoff and jitter)."""
SOON = 2.0
"""Seconds between two attempts, at most, in the first `KEEN` seconds."""
KEEN = SECONDS
"""Seconds since the last steady connection for which attempts come soon: the microphone's ring is that long."""
LONGEST = 10.0
"""Seconds between two attempts, at most."""
OVERLOADED_FROM = 4
"""The attempt at which the schedule goes on for a server that asks to be spared."""
STEADY = 1.0
"""Seconds that a connection must have been live for the schedule to begin anew."""
DENIALS = 2
"""How often in a row fresh credentials are refused before that is taken for final."""


class CloseClass(Enum):
    """What a close code tells a client."""

    FINAL = "final"
    BACK_OFF = "back off"
    AT_ONCE = "at once"
    CREDENTIALS = "new credentials"
    NETWORK = "network"


def close_class(code: int | None) -> CloseClass:
    """Return the class of a close code; None is a connection that just broke."""
    if code is None or not 4000 <= code < 4400:
        return CloseClass.NETWORK
    return {
        40: CloseClass.FINAL,
        41: CloseClass.BACK_OFF,
        42: CloseClass.AT_ONCE,
        43: CloseClass.CREDENTIALS,
    }[code // 100]


class Returning:
    """Counts attempts and says how long to wait before the next. `now` is seconds of a clock that does not jump.

    Args:
        seed: Of the jitter; None for one from the module `random`, which is another one in each process.
        now: When the first attempt is made.
    """

    def __init__(self, seed: int | None = None, now: float = 0.0) -> None:
        self._random = random.Random(random.getrandbits(64) if seed is None else seed)
        self._attempt = 0
        self._denials = 0
        self._steady_at = now
        """When the last steady connection was lost; before the first one, when it began."""
        self._spare = False
        """Whether a server has asked to be spared since then."""

    def was_live(self, seconds: float, now: float) -> None:
        """The connection that is lost now had been live for so long."""
        self._denials = 0
        if seconds >= STEADY:
            self._attempt, self._steady_at, self._spare = 0, now, False

    def wait(self, code: int | None, now: float) -> float:
        """Return the seconds to wait after a connection that ended with this code, or was never made."""
        kind = close_class(code)
        if kind is CloseClass.BACK_OFF:
            self._attempt, self._spare = max(self._attempt, OVERLOADED_FROM), True
        attempt, self._attempt = self._attempt, self._attempt + 1
        if attempt < len(FIRST):
            return FIRST[attempt]
        keen = not self._spare and now - self._steady_at < KEEN
        longest = SOON if keen else LONGEST
        return self._random.uniform(0.0, min(longest, FIRST[1] * 2.0 ** min(attempt, 10)))

    def denied(self) -> bool:
        """Fresh credentials were refused. Returns whether that is final."""
        self._denials += 1
        return self._denials >= DENIALS


def final_error(code: int | None, reason: str, said: TenutoError | None) -> TenutoError | None:
    """Return why a final close ended it all; None when the session just ended.

    Args:
        code: The close code.
        reason: The close frame's reason.
        said: The server's last `error`, which is more exact.
    """
    if code == CloseCode.ENDED:
        return None
    if said is not None:
        return said
    match code:
        case CloseCode.SUPERSEDED:
            return Superseded()
        case CloseCode.REFUSED:
            return NotAllowed()
        case CloseCode.PROTOCOL:
            return InvalidInput(f"The server does not take what this client sends: {reason}")
        case CloseCode.EXPIRED:
            return NotAuthenticated()
    return Refused(f"The server closed the connection for good: {code} {reason}".rstrip())


def typed_error(code: str, message: str) -> TenutoError:
    """Return the error of `tenuto.errors` that has this code; `Refused` for one that this version does not know."""
    kind = _BY_CODE.get(code)
    if kind is None:
        return Refused(f"{code}: {message}")
    error = kind.__new__(kind)
    # Some kinds make their message from parts that are not on the wire.
    TenutoError.__init__(error, message)
    return error


def _kinds(kind: type[TenutoError]) -> list[type[TenutoError]]:
    return [kind, *(below for sub in kind.__subclasses__() for below in _kinds(sub))]


_BY_CODE = {kind.code: kind for kind in reversed(_kinds(TenutoError))}
