"""`tenuto serve`: one port for HTTP and WebSockets, on uvicorn and picows.

uvicorn keeps HTTP, TLS and the accepting of connections. Its `http=` hook is `HttpDoor`: it closes
a connection whose request head is late or too large. Its `ws=` hook is `SocketDoor`: it hands each
upgraded socket to picows, which costs one Python call a frame where ASGI needs some eighty.

    acquired                                   released
    a stranger's place (Reception.receive)     when the client attaches, or by Visit.over
    a place in the session (Visit.admit)       Visit.over, once the socket is gone
    the head's deadline (HttpDoor)             at the head's end, or when the connection is lost
    the body's deadline (HttpDoor)             at the body's end, or when the connection is lost
    the close timer (PicowsCarrier)            on_ws_disconnected
    the linger timer (Lingering)               connection_lost of Rest

picows does not export `WSProtocol`, and its constructor takes 15 positional arguments: a contract
test holds the pin.
"""

import asyncio
import contextlib
import logging
import re
import signal
import socket
from collections.abc import Callable, Generator, MutableMapping
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

import httptools
import picows
import uvicorn
from picows import WSUpgradeRequest, WSUpgradeResponse
from picows.common import WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # see above
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tenuto.errors import InvalidInput, TenutoError
from tenuto.server import replies
from tenuto.server.app import SECURITY_HEADERS, create_app
from tenuto.server.auth import Asking, check_bind
from tenuto.server.limits import Limits
from tenuto.server.reception import Arrival, Host, Reception, Visit
from tenuto.settings import TenutoConfig
from tenuto.transports.picows import PicowsCarrier
from tenuto.wire.native import MAX_TEXT, SUBPROTOCOL, CloseCode

log = logging.getLogger(__name__)

READ_BUFFER = 4096
"""Bytes that each socket has for reading, to begin with; it grows with the frames that come."""
SEND_BUFFER = 64 * 1024
"""Bytes that the kernel takes of what a client has not read. It would take megabytes: half a minute
of audio, which nobody wants to hear that late, and which `Carrier.buffered` could not see.
"""
LINGER = 1.0
"""Seconds that what still comes is read and dropped after a close, so that a reset does not
overtake the close frame.
"""
KEEP_ALIVE = 2
"""Seconds that an HTTP connection may be idle between requests."""
_ATTACH = re.compile(rb"^/sessions/([^/?#]+)/attach(?:\?.*)?$")


class HttpDoor(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits on the head, a deadline for bodies that nobody reads, and
    with JSON where uvicorn itself refuses.
    """

    def __init__(self, desk: Reception, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = desk.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._body: asyncio.TimerHandle | None = None
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_done()
        self._body_is_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._hand_over(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(InvalidInput("This is no HTTP request."), 400)
        else:
            if self._deadline is None:
                return
            self._head += len(data)
            most = self._limits.head_bytes
            if self._head > most:
                self._refuse(InvalidInput(f"The head of a request may have {most} bytes."), 431)

    def on_message_begin(self) -> None:
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_is_done()
        self._await_body()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._body_is_done()
        super().on_message_complete()

    def _await_head(self) -> None:
        self._head_is_done()
        self._head = 0
        self._deadline = self.loop.call_later(self._limits.head_seconds, self._late)

    def _head_is_done(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _await_body(self) -> None:
        self._body = self.loop.call_later(self._limits.body_seconds, self._late_body)

    def _late_body(self) -> None:
        # Whoever reads it has its own patience. Once there is a reply, nobody does.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self._await_body()

    def _body_is_done(self) -> None:
        if self._body is not None:
            self._body.cancel()
            self._body = None

    def _late(self) -> None:
        self._deadline = None
        if self._head:
            self._refuse(replies.TooSlow("The head of the request did not come in time."), 408)
        else:
            self.transport.abort()

    def _refuse(self, error: TenutoError, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(_response(error, status))
            self.transport.close()

    def _hand_over(self, tail: bytes) -> None:
        """Give the socket to picows, with what came in the same segment as the head."""
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_OF_PICOWS:
            self._refuse(InvalidInput("The head of the request is too large."), 431)
            return
        self._body_is_done()
        super().handle_websocket_upgrade()
        door = cast(SocketDoor, self.transport.get_protocol())
        door.take(tail)


HEAD_OF_PICOWS = 15 * 1024
"""Bytes of headers that picows takes, with some left for the request line."""


class SocketDoor(WSProtocol):  # type: ignore[misc]  # untyped, see above
    """What uvicorn's `ws=` hook wants, done by picows.

    uvicorn calls `connection_made`, then `data_received` once with the head that it has parsed,
    then switches the transport over to this. Reading pauses until that is done.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "SocketDoor":
        # WSProtocol's __new__ takes what its __init__ takes, and this __init__ takes something
        # else.
        made: SocketDoor = super().__new__(cls)
        return made

    def __init__(self, desk: Reception, config: Any, server_state: Any, app_state: Any) -> None:
        super().__init__(
            None,  # host and port
            None,  # path
            False,  # is the client
            self._listener,
            _PicowsLog(logging.getLogger("tenuto.server.picows"), {}),
            True,  # disconnect on exception
            desk.limits.head_seconds,
            False,  # pings of its own: tenuto.v1 has beats
            20,
            20,
            picows.WSAutoPingStrategy.PING_WHEN_IDLE,
            True,  # answer pings
            MAX_TEXT,
            None,  # headers
            READ_BUFFER,
        )
        self._desk = desk
        self._connections: set[Any] = server_state.connections
        self._visit: Visit | None = None
        self._raw: asyncio.Transport | None = None
        self._lingering: Lingering | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._raw = transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        transport.pause_reading()
        self._connections.add(self)
        self._lingering = Lingering(transport, self)
        super().connection_made(self._lingering)

    def data_received(self, head: bytes) -> None:
        self._data = head

    def take(self, tail: bytes) -> None:
        """Begin, once uvicorn has switched over. `tail` is what the client sent behind the head."""
        self._data += tail
        asyncio.get_running_loop().call_soon(self._begin)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        try:
            super().connection_lost(exc)
        finally:
            if self._visit is not None:
                self._visit.over()
            if self._lingering is not None:
                self._lingering.forget()
            self._raw = self._visit = self._lingering = None

    def shutdown(self) -> None:
        """Tell the client that the server goes down, and let it go."""
        if isinstance(self.listener, PicowsCarrier):
            self.listener.close(CloseCode.DRAINING, "draining")
        elif self.transport is not None:
            self.transport.disconnect()

    def abort(self) -> None:
        """Drop the socket."""
        if self._raw is not None:
            self._raw.abort()

    def _begin(self) -> None:
        data, self._data = memoryview(self._data), b""
        while data and self._raw is not None and not self._raw.is_closing():
            room = self.get_buffer(len(data))
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self.buffer_updated(size)
            data = data[size:]
        if self._raw is not None and not self._raw.is_closing():
            self._raw.resume_reading()

    def _listener(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Decide about an upgrade: picows calls this with the head, and sends what it returns."""
        try:
            match = _ATTACH.match(request.path)
            if match is None:
                raise replies.NoSuchPlace()
            _check_handshake(request)
            assert self._raw is not None
            visit = self._visit = self._desk.receive(
                Arrival(
                    session=unquote(match[1].decode("latin-1")),
                    asking=_asking(request, self._raw),
                    protocols=tuple(
                        offer.strip()
                        for value in request.headers.getall("Sec-WebSocket-Protocol", [])
                        for offer in value.split(",")
                    ),
                )
            )
        except TenutoError as error:
            return WSUpgradeResponseWithListener(_refusal(error), None)
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": SUBPROTOCOL})
        return WSUpgradeResponseWithListener(response, PicowsCarrier(visit.wire, visit.over))


class Lingering:
    """The transport that picows sees. Closing says goodbye first, then reads and drops what still
    comes.

    A socket that is closed with something unread answers with a reset, and a reset may overtake the
    close frame: the client would never learn why.
    """

    def __init__(self, raw: asyncio.Transport, owner: asyncio.BaseProtocol) -> None:
        self._raw = raw
        self._owner = owner
        self._closing = False
        # Bound once: picows calls these for each frame.
        self.get_write_buffer_size: Callable[..., int] = raw.get_write_buffer_size
        self.write: Callable[..., object] = raw.write
        self.writelines: Callable[..., object] = raw.writelines
        self.get_extra_info: Callable[..., Any] = raw.get_extra_info
        self.is_closing: Callable[[], bool] = raw.is_closing
        self.abort: Callable[..., object] = raw.abort

    def forget(self) -> None:
        """Let go of the socket and what it has not sent: it is gone.

        picows and its transport refer to each other. Without this, what a slow client never took
        would stay until the garbage collector comes by.
        """
        del self._raw, self._owner
        self._closing = True
        self.write = self.writelines = self.abort = self.get_extra_info = _nothing
        self.get_write_buffer_size = _nothing
        self.is_closing = _is_gone

    def close(self) -> None:
        """Close within `LINGER` seconds, whatever the other side does."""
        if self._closing or self.is_closing():
            return
        self._closing = True
        # Not within picows's own reading of the buffer that would be switched.
        asyncio.get_running_loop().call_soon(self._linger)

    def _linger(self) -> None:
        if self.is_closing():
            return
        raw = self._raw
        if not raw.can_write_eof():
            raw.close()
            timer = asyncio.get_running_loop().call_later(LINGER, raw.abort)
            raw.set_protocol(Rest(self._owner, timer, raw))
            return
        timer = asyncio.get_running_loop().call_later(LINGER, raw.abort)
        raw.set_protocol(Rest(self._owner, timer, raw))
        with contextlib.suppress(OSError):  # The other side is gone already.
            raw.write_eof()
        raw.resume_reading()


def _nothing(*data: Any) -> int:
    """Do nothing with what comes too late."""
    return 0


def _is_gone() -> bool:
    return True


class Rest(asyncio.Protocol):
    """Reads and drops what comes after the end. `connection_lost` reaches its owner."""

    def __init__(
        self, owner: asyncio.BaseProtocol, timer: asyncio.TimerHandle, raw: asyncio.Transport
    ) -> None:
        self._owner, self._timer, self._raw = owner, timer, raw

    def eof_received(self) -> None:
        """Returning None closes the transport."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._owner.connection_lost(exc)


class Server(uvicorn.Server):
    """uvicorn's server, which tells its clients before it goes, and then goes in time.

    Args:
        tenuto: The host whose sessions are served.
        config: Where to listen; `tenuto.config` when it is left out.
        limits: How much of everything is taken.

    Example:
        >>> await Server(Tenuto()).serve()  # doctest: +SKIP
    """

    def __init__(
        self,
        tenuto: Host,
        config: TenutoConfig | None = None,
        *,
        limits: Limits | None = None,
        app: Any = None,
    ) -> None:
        config = config or tenuto.config
        check_bind(config)
        self.app = app or create_app(tenuto, limits=limits)
        self.reception: Reception = self.app.state.reception
        self.on_started: Callable[[str], None] | None = None
        """Called with the address, once clients can come."""
        super().__init__(
            uvicorn.Config(
                self.app,
                host=config.host,
                port=config.port,
                loop="none",
                http=cast(Any, partial(HttpDoor, self.reception)),
                ws=cast(Any, partial(SocketDoor, self.reception)),
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=max(1, round(self.reception.limits.drain_seconds)),
            )
        )

    @property
    def address(self) -> str:
        """Where the server listens, as `http://127.0.0.1:8765`; empty before it does."""
        for server in getattr(self, "servers", []):
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return ""

    def stop(self) -> None:
        """Go down, as for SIGTERM: `serve` returns when that is done. Safe to call twice."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.on_started is not None:
            self.on_started(self.address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody new, hand the sessions over, tell the clients (4203), and drop who is left at
        the deadline.
        """
        for server in self.servers:
            server.close()
        self.reception.draining.set()
        loop = asyncio.get_running_loop()
        until = loop.time() + self.reception.limits.drain_seconds
        try:
            async with asyncio.timeout_at(until):
                await self.reception.tenuto.drain()
        except TimeoutError:
            log.warning("The host was not drained in time.")
        # Also whom uvicorn would wait for: at the deadline there is nobody left.
        deadline = loop.call_at(until, self._drop)
        try:
            await super().shutdown(sockets)
        finally:
            deadline.cancel()
            self._drop()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at SIGINT and SIGTERM, and return from `serve` as if nothing had happened: the
        ending was orderly.
        """
        previous: dict[signal.Signals, Any] = {}
        with contextlib.suppress(ValueError):  # not the main thread: no signals
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _drop(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, SocketDoor):
                connection.abort()
            elif connection.transport is not None:
                connection.transport.abort()


async def serve(
    config: TenutoConfig | None = None, *, on_started: Callable[[str], None] | None = None
) -> None:
    """Serve until a signal to stop.

    Args:
        config: The settings; the defaults when it is left out.
        on_started: Called with the address, once clients can come.

    Raises:
        InvalidConfig: The address needs an API key, and there is none.
        TenutoError: The store cannot be opened; the message says what to do.
        SystemExit: The port is taken; uvicorn's log says so.
    """
    from tenuto.host.host import Tenuto

    config = config or TenutoConfig()
    check_bind(config)
    async with Tenuto(config) as tenuto:
        tenuto.warm()
        server = Server(tenuto, config, app=create_app(tenuto, manage=False))
        server.on_started = on_started
        await server.serve()


class _PicowsLog(logging.LoggerAdapter[logging.Logger]):
    """picows's words at our levels: a client's mistake is no error of ours, and a head with a
    ticket in it is not logged.

    An adapter is also lighter than a logger: of that, picows would make one for each connection.
    """

    def isEnabledFor(self, level: int) -> bool:
        return level >= logging.DEBUG and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        failed = bool(kwargs.get("exc_info"))
        super().log(logging.ERROR if failed else logging.DEBUG, msg, *args, **kwargs)


def _asking(request: WSUpgradeRequest, transport: asyncio.Transport) -> Asking:
    headers = request.headers
    local = transport.get_extra_info("sockname")
    peer = transport.get_extra_info("peername")
    has_names = isinstance(local, tuple) and isinstance(peer, tuple)
    origins = headers.getall("Origin", [])
    hosts = headers.getall("Host", [])
    return Asking(
        host=hosts[0] if len(hosts) == 1 else "",
        # Two Origins are nobody's right one.
        origin=None if not origins else origins[0] if len(origins) == 1 else "",
        address=peer[0] if has_names else "",
        local=local[0] if has_names else "",
        port=local[1] if has_names else 0,
        authorization=headers.get("Authorization", ""),
    )


def _check_handshake(request: WSUpgradeRequest) -> None:
    if request.headers.get("Sec-WebSocket-Version") != "13":
        raise replies.NotUpgraded("The WebSocket must be of version 13.")
    if len(request.headers.get("Sec-WebSocket-Key", "")) != 24:
        raise InvalidInput("The Sec-WebSocket-Key is missing or wrong.")


def _refusal(error: TenutoError) -> WSUpgradeResponse:
    headers = _headers(error)
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(
        replies.status(error), replies.body(error), headers
    )
    return response


def _headers(error: TenutoError) -> dict[str, str]:
    fixed = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return SECURITY_HEADERS | fixed | replies.headers(error)


def _response(error: TenutoError, status: int) -> bytes:
    content = replies.body(error)
    phrase = {400: "Bad Request", 408: "Request Timeout"}.get(status, "Refused")
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in _headers(error).items()]
    lines += [f"Content-Length: {len(content)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + content
