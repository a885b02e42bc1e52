"""One socket, whoever carries it: picows in `tenuto serve`, ASGI when the app is mounted in a user's own server.

A carrier moves whole frames and knows nothing of what they mean. Everything here is synchronous, called on the event loop,
and returns at once: a frame costs one call in and one call out.
"""

from typing import Protocol


class Carrier(Protocol):
    """The way out. None of these raises, also not after the socket is gone."""

    def send_text(self, data: bytes) -> None:
        """Send one text frame of UTF-8."""
        ...

    def send_binary(self, data: bytes) -> None:
        """Send one binary frame."""
        ...

    def buffered(self) -> int:
        """Bytes that were sent and that the other side has not taken yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after what was sent before, then let the socket go. `Wire.lost` follows."""
        ...


class Wire(Protocol):
    """The way in: what a carrier calls. `lost` comes exactly once, and last."""

    def opened(self, carrier: Carrier) -> None: ...

    def text(self, data: bytes) -> None: ...

    def binary(self, data: bytes | memoryview) -> None:
        """Take one binary frame. The buffer is only valid during the call."""
        ...

    def lost(self) -> None: ...
