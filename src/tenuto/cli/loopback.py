"""A socket within the process: a client of `tenuto.v1` speaks with a host beside it, through the very wire of the server.

Frames cross on the next turn of the event loop, in order, as over a network that is perfect.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from tenuto.client.socket import Dial, Ear, Socket
from tenuto.host.host import Tenuto
from tenuto.security.grants import Admission
from tenuto.transports.websocket import NativeWire
from tenuto.wire.native import Attach


class Generous(msgspec.Struct, frozen=True):
    """How much a client in the same process may send: as much as it likes."""

    audio_rate: int = 1 << 30
    """Bytes a second."""
    audio_burst: int = 1 << 30
    """Bytes at once."""
    command_rate: float = 1000.0
    """Commands a second."""
    command_burst: int = 1000
    """Commands at once."""


class End:
    """One end: what is sent into it comes out at the other, of which it knows only what to call."""

    def __init__(
        self,
        text: Callable[[bytes], None],
        binary: Callable[[bytes], None],
        hang_up: Callable[[int, str], None],
    ) -> None:
        self.closed: tuple[int, str] | None = None
        self._loop = asyncio.get_running_loop()
        self._text, self._binary, self._hang_up = text, binary, hang_up
        self._open = True

    def send_text(self, data: bytes) -> None:
        if self._open:
            self._loop.call_soon(self._text, data)

    def send_binary(self, data: bytes) -> None:
        if self._open:
            self._loop.call_soon(self._binary, bytes(data))

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        if self._open:
            self._open = False
            self._loop.call_soon(self._hang_up, code, reason)

    def shut(self) -> None:
        """Take nothing more."""
        self._open = False


def dial_into(tenuto: Tenuto) -> Dial:
    """Return what opens sockets to the sessions of a host in this process."""

    async def dial(url: str, protocols: Sequence[str], ear: Ear) -> Socket:
        wire = NativeWire(tenuto, _admit, Generous())
        gone = False

        def hang_up(code: int, reason: str) -> None:
            nonlocal gone
            if not gone:
                gone = True
                near.shut()
                far.shut()
                wire.lost()
                ear.lost()

        def hang_up_from_far(code: int, reason: str) -> None:
            near.closed = (code, reason)
            hang_up(code, reason)

        near = End(wire.text, wire.binary, hang_up)
        far = End(ear.text, ear.binary, hang_up_from_far)
        wire.opened(far)
        return near

    return dial


def _admit(ticket: str, attach: Attach) -> Admission:
    return Admission(tenant="local", session=attach.session, role=attach.role)
