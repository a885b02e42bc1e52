"""The Python client: `client.core` with a socket, a clock and a loudspeaker.

    async with Client("ws://127.0.0.1:8765", session="…") as client:
        await client.send(SendMessage(text="Hello"))
        async for item in client:
            match item:
                case Happened(event=MessageAdded(role="agent", text=text)):
                    ...

What is acquired where, and released where: the task that connects, and through it the socket, by `__aenter__`, released by
`close`; the task that gets another ticket, by whoever asks first, released by `close`; the two timers, for the core and for
the loudspeaker, where they are armed, and by `close`. Items that nobody reads are bounded by `UNREAD`: the oldest go, and a
`Missed` says how many.
"""

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Literal
from urllib.parse import quote

from tenuto.client import socket
from tenuto.client.core import ClientCore, Close, Options, Renew, Send
from tenuto.client.items import Answered, Item, Missed, State
from tenuto.client.returning import typed_error
from tenuto.errors import InvalidInput, RateLimited, SessionEnded, TenutoError
from tenuto.ids import new_secret
from tenuto.wire import native

log = logging.getLogger("tenuto.client")

UNREAD = 4_096
"""Items that wait to be read, at most."""
PLAY_EVERY = 0.02
"""Seconds of audio that `play` is given at a time."""
ANSWER_SECONDS = 5.0
"""Seconds that closing waits for commands that are unanswered."""

RENEW_SECONDS = 5.0
"""Seconds between two attempts to get another ticket while the client is attached."""

TicketSource = Callable[[], Awaitable[str]]
"""Gets a fresh ticket. Raises a `TenutoError`: a `retryable` one is tried again later, another ends the client."""


class Client:
    """One client of one session, over as many connections as it takes.

    Args:
        url: Where the server is, such as `ws://127.0.0.1:8765`; `http` in place of `ws` will do.
        session: The session's id.
        ticket_source: Gets a ticket whenever one is needed; or the base URL of the server to ask for one; None where the
            server needs none, as on loopback without a key.
        role: `controller` or `observer`.
        microphone: Hertz of the audio that `hear` is given; None without a microphone.
        play: Is given what comes out of the loudspeaker, at the speed of time, silence included: 16-bit PCM, one channel,
            at `rate` Hz. Must not block. None when replies are not spoken.
        loudspeaker: Hertz that `play` wants; 0 for whatever the engine speaks.
        dial: Opens a socket; over the network when left out.

    Example:
        See the module's docstring.
    """

    def __init__(
        self,
        url: str,
        *,
        session: str,
        ticket_source: TicketSource | str | None = None,
        role: Literal["controller", "observer"] = "controller",
        microphone: int | None = None,
        play: Callable[[bytes], None] | None = None,
        loudspeaker: int = 0,
        dial: socket.Dial = socket.dial,
    ) -> None:
        scheme, _, rest = url.rstrip("/").partition("://")
        if scheme not in ("ws", "wss", "http", "https") or not rest:
            raise InvalidInput(f"A server's address begins with ws:// or http://, not: {url}")
        self._base = f"{scheme.replace('http', 'ws')}://{rest}"
        self._options = Options(
            session=session,
            client=new_secret(128),
            role=role,
            microphone=microphone,
            stream=new_secret(64),
            loudspeaker=loudspeaker if play is not None else None,
        )
        if isinstance(ticket_source, str):
            ticket_source = functools.partial(_ticket, ticket_source, session, role)
        self._ticket_source = ticket_source
        self._play, self._dial = play, dial
        self._core: ClientCore | None = None
        self._socket: socket.Socket | None = None
        self._ear: _Ear | None = None
        self._task: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        """Set whenever something may be new for the task that connects."""
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._unread: deque[Item] = deque()
        self._missed = 0
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._player: asyncio.TimerHandle | None = None
        self._ears: set[_Ear] = set()
        """Of the sockets that are not gone yet, those that were given up included."""

    # ---------------------------------------------------------------------------------- life

    async def __aenter__(self) -> "Client":
        loop = asyncio.get_running_loop()
        if self._core is not None:
            raise InvalidInput("A client is entered once. Make another one.")
        self._core = ClientCore(self._options, loop.time())
        self._task = loop.create_task(self._connect())
        if self._play is not None:
            self._play_next(loop.time())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close(wait=kind is None)

    async def close(self, *, wait: bool = True) -> None:
        """Say goodbye and let go of everything. Safe to call twice.

        Args:
            wait: Whether to wait up to five seconds for the answers to commands while there is a connection.
        """
        core = self._core
        if core is None or self._task is None:
            return
        if wait and self._waiting and core.state == "live":
            await asyncio.wait(list(self._waiting.values()), timeout=ANSWER_SECONDS)
        core.leave()
        self._step()
        for timer in (self._timer, self._player):
            if timer is not None:
                timer.cancel()
        tasks = [task for task in (self._task, self._renewing) if task is not None]
        self._task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * socket.CLOSE_SECONDS):
                while self._ears:
                    await self._next_change()

    # ---------------------------------------------------------------------------------- what it is

    @property
    def state(self) -> State:
        """`connecting`, `live`, `reconnecting` or `closed`."""
        return self._core.state if self._core is not None else "connecting"

    @property
    def error(self) -> TenutoError | None:
        """Why the client is closed; None while it is not, and after a good end."""
        return self._core.error if self._core is not None else None

    @property
    def position(self) -> int:
        """The last event that was told, or is about to be."""
        return self._core.position if self._core is not None else 0

    @property
    def rate(self) -> int:
        """Hertz of what `play` is given; 0 before the first connection."""
        return self._core.loudspeaker.rate if self._core is not None else 0

    @property
    def playing(self) -> float:
        """Seconds of replies that wait to be played."""
        return self._core.loudspeaker.queued if self._core is not None else 0.0

    # ---------------------------------------------------------------------------------- verbs

    async def send(self, do: native.Do) -> int:
        """Carry out a command, on this connection or a later one, once. Returns its position in the journal.

        Raises:
            TooMuch: 256 commands are unanswered, or there were too many a second.
            TenutoError: What the server refused it with; or what ended the client.
        """
        core = self._entered()
        number = core.command(do, self._now())
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._step()
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def hear(self, pcm: bytes | bytearray | memoryview) -> None:
        """Take what the microphone heard next: 16-bit PCM, one channel, at the rate of `microphone`.

        Call it at the speed of time. While there is no connection, the last 30 s are kept.

        Raises:
            InvalidInput: There is no microphone.
            InvalidAudio: It ends within a sample.
        """
        core = self._entered()
        self._look_at_socket()
        core.hear(pcm, self._now())
        self._step()

    async def renew(self) -> None:
        """Show the server a fresh ticket, so that the attachment does not end. Callers at the same time share one.

        The client does so by itself when the server says that the credentials end. Without a connection there is
        nothing to renew: the next one is made with what it needs.

        Raises:
            InvalidInput: There is no `ticket_source`.
            TenutoError: What the source says; a `retryable` one is tried again first, as long as the connection lasts.
        """
        core, source = self._entered(), self._ticket_source
        if source is None:
            raise InvalidInput("There is nothing to renew: this client has no `ticket_source`.")
        renewing = self._begin_renewing(core, source)
        try:
            # Whoever gives up waiting leaves it to the others.
            await asyncio.shield(renewing)
        except asyncio.CancelledError:
            if not renewing.cancelled():
                raise
            # The client was closed: there is nothing to renew any more.

    def online(self) -> None:
        """Tell it that the network is back: it tries at once."""
        self._entered().online(self._now())
        self._changed.set()

    async def live(self) -> None:
        """Wait until everything that was missed has been told.

        Raises:
            TenutoError: The client was closed before.
        """
        core = self._entered()
        while core.state != "live":
            if core.state == "closed":
                raise core.error or SessionEnded()
            await self._next_change()

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Give the items in order, until the session ends or `close`.

        Raises:
            TenutoError: The client was closed for good, after its last item.
        """
        core = self._entered()
        while True:
            while self._missed or self._unread:
                if self._missed:
                    missed, self._missed = self._missed, 0
                    yield Missed(missed)
                else:
                    yield self._unread.popleft()
            if core.state == "closed":
                if core.error is not None:
                    raise core.error
                return
            self._news.clear()
            await self._news.wait()

    # ---------------------------------------------------------------------------------- inside

    def _entered(self) -> ClientCore:
        if self._core is None:
            raise InvalidInput("Enter the client first: async with Client(...) as client")
        return self._core

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _connect(self) -> None:
        """Open one socket after the other. Ends when the core is closed."""
        core = self._entered()
        try:
            await self._keep_connected(core)
        except Exception as error:
            log.warning("the client gives up: %s", type(error).__name__, exc_info=True)
            core.give_up(TenutoError(f"The client could not go on: {type(error).__name__}"))
            self._step()

    async def _keep_connected(self, core: ClientCore) -> None:
        while core.state != "closed":
            if self._socket is not None or core.connect_at is None:
                await self._next_change()
            elif (wait := core.connect_at - self._now()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._next_change()
            else:
                await self._open(core)

    async def _open(self, core: ClientCore) -> None:
        core.connect_at = None
        protocols = [native.SUBPROTOCOL]
        ticket = ""
        try:
            if core.needs_ticket and self._ticket_source is not None:
                ticket = await self._ticket_source()
                protocols.append(native.TICKET_PREFIX + ticket)
        except TenutoError as error:
            if not error.retryable:
                core.give_up(error)
            else:
                self._not_opened(core, None, error.code)
                core.connect_at = max(core.connect_at or 0.0, self._now() + _pause(error))
            self._step()
            return
        ear = _Ear(self)
        self._ears.add(ear)
        try:
            opened = await self._dial(self._address(core), protocols, ear)
        except socket.NoSocket as refused:
            log.debug("no connection: %s", refused.reason)
            self._ears.discard(ear)
            self._not_opened(core, refused.code, refused.reason)
            self._step()
            return
        except asyncio.CancelledError:
            self._ears.discard(ear)
            raise
        if core.state == "closed":
            opened.close(1000, "left")
        elif ear.gone:
            self._not_opened(core, *(opened.closed or (None, "lost")))
            self._step()
        else:
            self._socket, self._ear = opened, ear
            core.opened(self._now())
            self._step()

    def _begin_renewing(self, core: ClientCore, source: TicketSource) -> asyncio.Task[None]:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(core, source))
            self._renewing.add_done_callback(_renewed)
        return self._renewing

    async def _renew(self, core: ClientCore, source: TicketSource) -> None:
        attached = core.attached
        while attached is not None and core.attached is attached:
            try:
                ticket = await source()
            except TenutoError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(max(RENEW_SECONDS, _pause(error)))
                continue
            if core.attached is attached:
                core.authorize(ticket)
                self._step()
            return

    def _not_opened(self, core: ClientCore, code: int | None, reason: str) -> None:
        core.connect_at = self._now()
        core.lost(code, reason, self._now())

    def _address(self, core: ClientCore) -> str:
        path = f"/sessions/{quote(self._options.session, safe='')}/attach"
        if not core.url:
            return self._base + path
        url = core.url.rstrip("/")
        scheme, _, rest = url.partition("://")
        url = f"{scheme.replace('http', 'ws')}://{rest}"
        return url if url.endswith("/attach") else url + path

    def receive(self, ear: "_Ear", data: bytes | memoryview, *, binary: bool) -> None:
        """Take one frame of a socket."""
        if ear is not self._ear:
            return
        core = self._entered()
        if binary:
            core.binary(data, self._now())
        else:
            core.text(bytes(data), self._now())
        self._step()

    def lose(self, ear: "_Ear") -> None:
        """A socket is gone."""
        self._ears.discard(ear)
        self._changed.set()
        if ear is self._ear and self._socket is not None:
            code, reason = self._socket.closed or (None, "")
            self._socket = self._ear = None
            self._entered().lost(code, reason, self._now())
            self._step()

    def _look_at_socket(self) -> None:
        if self._socket is not None:
            self._entered().congestion = self._socket.buffered()

    def _step(self) -> None:
        """Do what the core wants done, tell what it tells, and wake up when it wants to be called."""
        core = self._entered()
        for one in core.output():
            match one:
                case Send(data=data, binary=True) if self._socket is not None:
                    self._socket.send_binary(data)
                case Send(data=data) if self._socket is not None:
                    self._socket.send_text(data)
                case Renew() if self._ticket_source is not None:
                    self._begin_renewing(core, self._ticket_source)
                case Close(code=code, reason=reason) if self._socket is not None:
                    self._socket.close(code, reason)
                    if core.state != "closed":
                        # It is of no use any more, and its closing may take long: do not wait.
                        self._socket = self._ear = None
        for answer in core.answers():
            future = self._waiting.pop(answer.number, None)
            if future is None or future.done():
                continue
            if isinstance(answer, Answered):
                future.set_result(answer.position)
            else:
                future.set_exception(typed_error(answer.code, answer.message))
        items = core.items()
        self._unread.extend(items)
        while len(self._unread) > UNREAD:
            self._unread.popleft()
            self._missed += 1
        if items or core.state == "closed":
            self._news.set()
        self._changed.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if core.wake is not None:
            self._timer = asyncio.get_running_loop().call_at(core.wake, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._look_at_socket()
        self._entered().tick(self._now())
        self._step()

    def _play_next(self, due: float) -> None:
        core, play = self._entered(), self._play
        if core.state == "closed" or play is None:
            return
        if pcm := core.play(self._now()):
            play(pcm)
        self._step()
        due = max(due + PLAY_EVERY, self._now() - 1.0)
        self._player = asyncio.get_running_loop().call_at(due, self._play_next, due)


class _Ear:
    """Takes the frames of one socket. Those of a socket that was given up are dropped."""

    def __init__(self, client: Client) -> None:
        self.gone = False
        self._client = client

    def opened(self, carrier: object) -> None:
        """Take the call of carriers that announce themselves; `dial` returns the socket."""

    def text(self, data: bytes) -> None:
        self._client.receive(self, data, binary=False)

    def binary(self, data: bytes | memoryview) -> None:
        self._client.receive(self, data, binary=True)

    def lost(self) -> None:
        self.gone = True
        self._client.lose(self)


def _renewed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("the credentials end, and there are no others: %s", type(error).__name__)


def _pause(error: TenutoError) -> float:
    return error.retry_after if isinstance(error, RateLimited) else 0.0


async def _ticket(url: str, session: str, role: Literal["controller", "observer"]) -> str:
    from tenuto.client.rest import Rest

    async with Rest(url) as rest:
        return (await rest.ticket(session, role)).ticket
