"""A client's socket, carried by picows: one Python call a frame in, none out.

picows gives frames, so messages in several frames are put together here, and what is no UTF-8 is
refused. Pings are answered by picows itself. Whoever closes, the other side's close frame is waited
for, `CLOSING` at most.
"""

import asyncio
from collections.abc import Callable

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from tenuto.transports.carrier import Wire
from tenuto.wire.native import MAX_TEXT

CLOSING = 2.0
"""Seconds that the other side has to answer a close frame."""

_BINARY, _TEXT, _CLOSE = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSE
_CONTINUATION = WSMsgType.CONTINUATION


class PicowsCarrier(WSListener):
    """One socket. It is both what picows calls and the `Carrier` that a wire is given.

    Args:
        wire: What is called with everything that comes in.
        over: Called once the socket is gone, after `Wire.lost`.
    """

    __slots__ = (
        "_begun",
        "_binary",
        "_over",
        "_parts",
        "_timer",
        "_transport",
        "_whole",
        "_wire",
    )

    def __init__(self, wire: Wire, over: Callable[[], None]) -> None:
        super().__init__()
        self._wire = wire
        self._over = over
        self._binary = wire.binary
        self._transport: WSTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parts = bytearray()
        self._begun: WSMsgType | None = None
        # True when the next frame may be a whole message: nothing is half there, and nobody is
        # closing.
        self._whole = False

    # ---------------------------------------------------------------------------- what picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._whole = True
        self._wire.opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._whole and frame.msg_type == _BINARY and frame.fin and not frame.rsv1:
            self._binary(frame.get_payload_as_memoryview())
        else:
            self._unusual(transport, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._whole = False
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._wire.lost()
        finally:
            self._over()

    def pause_writing(self) -> None:
        """A wire looks at `buffered` by itself."""

    def resume_writing(self) -> None:
        """A wire looks at `buffered` by itself."""

    # -------------------------------------------------------------------------------- the `Carrier`

    def send_text(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.send(_TEXT, data)

    def send_binary(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.send(_BINARY, data)

    def buffered(self) -> int:
        if self._transport is None:
            return 0
        size: int = self._transport.underlying_transport.get_write_buffer_size()
        return size

    def close(self, code: int, reason: str) -> None:
        transport = self._transport
        if transport is None or transport.is_close_frame_sent:
            return
        self._whole = False
        transport.send_close(code, _reason(reason))  # type: ignore[arg-type]  # any code is taken, not only the listed
        self._timer = asyncio.get_running_loop().call_later(CLOSING, transport.disconnect)

    # ----------------------------------------------------------------------------------------------

    def _unusual(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take anything but a binary message in one frame."""
        kind = frame.msg_type
        if kind == _CLOSE:
            self._whole = False
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif transport.is_close_frame_sent:
            return
        elif frame.rsv1:
            self.close(1002, "no extension was agreed on")
        elif kind == _TEXT and frame.fin and self._begun is None:
            self._text(frame.get_payload_as_bytes())
        elif kind == _CONTINUATION and self._begun is not None:
            self._join(frame)
        elif kind in (_TEXT, _BINARY) and self._begun is None:
            self._begun = kind
            self._whole = False
            self._join(frame)
        elif kind in (_TEXT, _BINARY, _CONTINUATION):
            self.close(1002, "a message began within another")

    def _join(self, frame: WSFrame) -> None:
        if len(self._parts) + frame.payload_size > MAX_TEXT:
            self._parts = bytearray()
            self.close(1009, f"a message may have {MAX_TEXT} bytes")
            return
        self._parts += frame.get_payload_as_memoryview()
        if frame.fin:
            kind, data = self._begun, bytes(self._parts)
            self._begun, self._parts, self._whole = None, bytearray(), True
            if kind == _TEXT:
                self._text(data)
            else:
                self._binary(data)

    def _text(self, data: bytes) -> None:
        try:
            data.decode()
        except UnicodeDecodeError:
            self.close(1007, "text must be UTF-8")
            return
        self._wire.text(data)


def _reason(text: str) -> bytes:
    """Return what fits into a close frame, cut between characters."""
    return text.encode()[:123].decode(errors="ignore").encode()
