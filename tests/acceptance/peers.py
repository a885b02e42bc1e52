"""Clients of `tenuto.v1` that do exactly what they are told, also what no good client would, and what to compare after.

Every wait is bounded by `PATIENCE`.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tenuto.wire import native

PATIENCE = 20.0
"""Seconds for anything that has to happen."""

T = TypeVar("T")


async def soon(what: Awaitable[T]) -> T:
    """Wait for something that has to happen."""
    return await asyncio.wait_for(what, PATIENCE)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that has to become true and that nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


class Closed(AssertionError):
    """The server closed a socket that was to stay open."""


class Peer:
    """One socket. Made by `peer`.

    Args:
        socket: The socket.
        session: The session of its path.
        client: Its own id.
    """

    def __init__(self, socket: ClientConnection, session: str, client: str) -> None:
        self.socket, self.session, self.client = socket, session, client
        self.events: list[dict[str, Any]] = []
        """The event frames that came, in order."""
        self.audio: list[bytes] = []
        """The audio frames that came, in order."""
        self.complaints: list[str] = []
        """The codes of the `error` and `no` frames that came."""
        self.commands = 0
        """The number of its last command."""
        self.attached: dict[str, Any] = {}

    async def receive(self) -> dict[str, Any]:
        """Return the next control frame; audio is kept on the way."""
        while True:
            try:
                frame = await soon(self.socket.recv())
            except ConnectionClosed as error:
                raise Closed(f"closed: {error.rcvd}, after {self.complaints[-3:]}") from None
            if isinstance(frame, bytes):
                self.audio.append(frame)
                continue
            message: dict[str, Any] = json.loads(frame)
            if message["type"] == "event":
                self.events.append(message)
            elif message["type"] in ("error", "no"):
                self.complaints.append(message["code"])
            return message

    async def until(self, *kinds: str) -> dict[str, Any]:
        """Return the next control frame of one of these types."""
        while True:
            message = await self.receive()
            if message["type"] in kinds:
                return message

    async def event(self, tag: str) -> dict[str, Any]:
        """Return the next event of a name."""
        while True:
            event: dict[str, Any] = (await self.until("event"))["event"]
            if event["type"] == tag:
                return event

    async def ask_to_attach(self, **more: Any) -> None:
        """Send an `attach`, whatever comes of it."""
        wanted = {"session": self.session, "client": self.client} | more
        await self.tell(native.Attach(**wanted))

    async def attach(self, **more: Any) -> dict[str, Any]:
        """Attach, and wait until the present is reached. Returns `attached`."""
        await self.ask_to_attach(**more)
        self.attached = await self.until("attached")
        self.commands = max(self.commands, int(self.attached["commands"]))
        await self.until("live")
        return self.attached

    async def tell(self, message: native.FromClient) -> None:
        """Send a message of the wire."""
        await self.send(native.encode(message).decode())

    async def send(self, data: str | bytes) -> None:
        """Send a frame, whatever is in it."""
        try:
            await self.socket.send(data)
        except ConnectionClosed as error:
            raise Closed(f"closed: {error.rcvd}") from None

    async def command(self, do: native.Do, number: int | None = None) -> dict[str, Any]:
        """Send a command, and return its `ok` or `no`."""
        self.commands = self.commands + 1 if number is None else number
        await self.tell(native.Command(number=self.commands, do=do))
        while (answer := await self.until("ok", "no"))["number"] != self.commands:
            pass
        return answer

    async def say(self, text: str) -> int:
        """Say something in writing, and return its position in the journal."""
        answer = await self.command(native.SendMessage(text=text))
        assert answer["type"] == "ok", answer
        return int(answer["position"])

    async def closed(self) -> tuple[int, str]:
        """Wait for the server's close frame and return it. 1006 is none."""
        with contextlib.suppress(Closed):
            while True:
                await self.receive()
        return self.socket.close_code or 1006, self.socket.close_reason or ""

    async def refused(self) -> tuple[str, int, str]:
        """Return how the server sent it away: the code and the message of its `error`, and the close code."""
        error = await self.until("error")
        code, _ = await self.closed()
        return error["code"], code, error["message"]


@contextlib.asynccontextmanager
async def peer(
    url: str, session: str, *offers: str, client: str = "", **options: Any
) -> AsyncIterator[Peer]:
    """Open a socket, and let go of it at the end.

    Args:
        url: The server's, as `http://...`.
        session: Of the path.
        offers: Subprotocols besides `tenuto.v1`.
        client: Its own id; random when empty.
        options: Of `websockets`' `connect`.
    """
    address = f"{url.replace('http', 'ws', 1)}/sessions/{session}/attach"
    protocols = [Subprotocol(name) for name in (native.SUBPROTOCOL, *offers)]
    settings = {"proxy": None, "compression": None, "ping_interval": None, "close_timeout": 1.0}
    socket = await connect(address, subprotocols=protocols, **(settings | options))
    try:
        yield Peer(socket, session, client or uuid.uuid4().hex)
    finally:
        # It aborts a transport that is gone already, when the server reset it in the middle of a frame.
        with contextlib.suppress(AttributeError):
            await socket.close()


@contextlib.asynccontextmanager
async def attached(url: str, session: str, **more: Any) -> AsyncIterator[Peer]:
    """Open a socket and attach; arguments as of `Attach`."""
    async with peer(url, session) as one:
        await one.attach(**more)
        yield one


async def make(http: httpx.AsyncClient) -> str:
    """Make a session and return its id."""
    reply = await http.post("/sessions", json={})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["session_id"])


async def texts(http: httpx.AsyncClient, session: str) -> list[str]:
    """Return everything that was said in a session, oldest first."""
    said: list[str] = []
    before: int | None = None
    while True:
        query = {"limit": 100} | ({} if before is None else {"before": before})
        reply = await http.get(f"/sessions/{session}/history", params=query)
        assert reply.status_code == 200, reply.text
        page = reply.json()
        said[:0] = [message["text"] for message in page["messages"]]
        before = page["next"]
        if before is None:
            return said


class Entry(msgspec.Struct, frozen=True):
    """One event as server-sent events give it."""

    position: int
    type: str
    body: dict[str, Any]


async def follow(
    http: httpx.AsyncClient, session: str, after: int | None = None
) -> AsyncGenerator[Entry, None]:
    """Follow a session's events, for as long as the server lets."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with http.stream("GET", f"/sessions/{session}/events", headers=headers) as reply:
        assert reply.status_code == 200, reply.status_code
        fields: dict[str, str] = {}
        async for line in reply.aiter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "id" in fields:
                yield Entry(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                fields = {}


async def journal(http: httpx.AsyncClient, session: str) -> list[Entry]:
    """Return a session's whole journal as it is now, and hold that it has no gaps."""
    shown = await http.get(f"/sessions/{session}")
    head = int(shown.json()["position"])
    found: list[Entry] = []
    async with contextlib.aclosing(follow(http, session)) as events:
        async for entry in _bounded(events):
            found.append(entry)
            if entry.position >= head:
                break
    assert [entry.position for entry in found] == list(range(1, len(found) + 1))
    return found


async def _bounded(entries: AsyncIterator[T]) -> AsyncIterator[T]:
    while True:
        try:
            yield await soon(anext(entries))
        except StopAsyncIteration:
            return


async def wait_for_event(
    http: httpx.AsyncClient, session: str, tag: str, **fields: object
) -> Sequence[Entry]:
    """Wait until an event of that name and with these fields is in the journal; return all up to it."""
    found: list[Entry] = []
    async with contextlib.aclosing(follow(http, session)) as events:
        async for entry in _bounded(events):
            found.append(entry)
            if entry.type == tag and fields.items() <= entry.body.items():
                return found
    raise AssertionError(f"There is no {tag} with {fields} in {[one.type for one in found]}")
