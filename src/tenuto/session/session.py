"""`Session` and `Conversation`: the face. They delegate; what they delegate to can be built and tested alone.

A verb that returns an object may be used with and without `await`: it takes effect in memory at once, and awaiting it
waits for durability. A failure that nobody awaited is raised by the next awaited verb.
"""

import asyncio
import inspect
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Self

import msgspec

from tenuto import events as e
from tenuto.errors import EngineError, IllegalEvent, InvalidInput, TenutoError, TooMuch
from tenuto.session import ports, stimuli
from tenuto.session.attachment import Attachment, Joining, attach
from tenuto.session.config import SessionConfig
from tenuto.session.driver import Driver
from tenuto.session.history import HistoryPage
from tenuto.session.ports import Message
from tenuto.session.state import Life, Status

log = logging.getLogger("tenuto.session")

MOST_UNREAD = 1_000
"""Events that wait for one `async for`; a reader that is slower is told so."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent said in a turn."""

    text: str
    """All of it."""
    heard: str
    """What was heard of it: all, unless it was cut."""
    turn: int
    reply: int
    cut: str = ""
    """Why it was cut; empty when it was not."""
    cites: list[int] = []
    """The turns that it draws on."""
    first_seconds: float = 0.0
    """From the message to the first segment."""
    seconds: float = 0.0
    """From the message to the end of the reply."""


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """What everyone sees of a session, at one moment."""

    state: Status
    last_activity: float
    """Seconds since 1970-01-01 UTC."""
    position: int
    conversation: str

    @property
    def is_listening(self) -> bool:
        return self.state is Status.LISTENING

    @property
    def is_speaking(self) -> bool:
        return self.state is Status.SPEAKING

    @property
    def is_active(self) -> bool:
        return self.state not in (Status.IDLE, Status.ERROR)


class Reader:
    """An `async for` over something that goes on. Bounded: a reader that falls `MOST_UNREAD` behind gets `TooMuch`."""

    def __init__(self, stop: Callable[["Reader"], None]) -> None:
        self._unread: deque[Any] = deque()
        self._more = asyncio.Event()
        self._stop = stop
        self._over = False

    def put(self, item: Any) -> None:
        """Have it wait to be read. What comes after one too many is dropped: the reader is told."""
        if len(self._unread) <= MOST_UNREAD:
            self._unread.append(item)
        self._more.set()

    def end(self) -> None:
        """End the iteration after what waits to be read."""
        self._over = True
        self._more.set()

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> Any:
        while not self._unread:
            if self._over:
                raise StopAsyncIteration
            self._more.clear()
            await self._more.wait()
        if len(self._unread) > MOST_UNREAD:
            self.close()
            raise TooMuch(
                f"This reader is {MOST_UNREAD} events behind. Read faster, or read the journal."
            )
        return self._unread.popleft()

    def close(self) -> None:
        """Stop listening."""
        self.end()
        self._stop(self)


class Events:
    """What happens to the session, after it is durable.

    Example:
        >>> session.events.on("memory.added", lambda event: print(event.content))  # doctest: +SKIP
        >>> async for event in session.events: ...  # doctest: +SKIP
    """

    def __init__(self, driver: Driver) -> None:
        self._handlers: dict[str, list[Callable[[Any], object]]] = {}
        self._readers: list[Reader] = []
        self._running: set[asyncio.Future[Any]] = set()
        driver.watchers.append(self._take)

    def on(self, name: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Call `handler` with each event of that name; `*` is all of them. Returns a function that stops it.

        Handlers are called in the order of the journal. One that raises is logged and does not disturb the session; one
        that returns an awaitable has it run beside.

        Raises:
            InvalidInput: There is no event of that name.
        """
        if name != "*" and name not in e.KINDS:
            raise InvalidInput(
                f"There is no event {name!r}. There are: {', '.join(sorted(e.KINDS))}."
            )
        self._handlers.setdefault(name, []).append(handler)

        def off() -> None:
            if handler in self._handlers.get(name, ()):
                self._handlers[name].remove(handler)

        return off

    def __aiter__(self) -> Reader:
        reader = Reader(self._forget)
        self._readers.append(reader)
        return reader

    def _forget(self, reader: Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)

    def end(self) -> None:
        """The session is gone from here: end every iteration."""
        for reader in self._readers:
            reader.end()
        self._readers.clear()

    def _take(self, row: ports.Row, event: e.Event) -> None:
        if not self._handlers and not self._readers:
            return
        for handler in (*self._handlers.get(row.type, ()), *self._handlers.get("*", ())):
            try:
                result = handler(event)
                if inspect.isawaitable(result):
                    task = asyncio.ensure_future(result)
                    self._running.add(task)
                    task.add_done_callback(self._done)
            except Exception:
                # A user's handler must not break the session.
                log.exception("a handler of %s raised", row.type)
        for reader in self._readers:
            reader.put(event)

    def _done(self, task: "asyncio.Future[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a handler raised", exc_info=task.exception())


class StateStream:
    """The session's state: a current value, and every change of it.

    Example:
        >>> session.state.value.state  # doctest: +SKIP
        <Status.IDLE: 'idle'>
        >>> async for state in session.state: ...  # doctest: +SKIP
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._readers: list[Reader] = []
        driver.watch_status.append(self._take)

    @property
    def value(self) -> SessionState:
        """The state now."""
        state = self._driver.core.state
        return SessionState(
            state=self._driver.core.status,
            last_activity=state.updated,
            position=state.position,
            conversation=state.conversation,
        )

    def __aiter__(self) -> Reader:
        """Iterate over the current state and then every change."""
        reader = Reader(self._forget)
        reader.put(self.value)
        self._readers.append(reader)
        return reader

    def _forget(self, reader: Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)

    def end(self) -> None:
        """The session is gone from here: end every iteration."""
        for reader in self._readers:
            reader.end()
        self._readers.clear()

    def _take(self, status: Status) -> None:
        for reader in self._readers:
            reader.put(self.value)


class _Answers:
    """Waits for replies: folds segments to a `Reply` for whoever asked."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._asked: dict[int, tuple[float, int, asyncio.Future[Reply]]] = {}
        """By turn: when it was asked, the position that it was asked at, and who waits."""
        self._turn, self._segments, self._cites = 0, list[str](), list[int]()
        self._first = 0.0
        driver.watchers.append(self._take)

    def expect(self, turn: int) -> asyncio.Future[Reply]:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked[turn] = (self._driver.now(), self._driver.core.state.position, future)
        return future

    def fail(self, error: TenutoError, before: float = math.inf) -> None:
        """Nothing that was asked before that position will be answered."""
        for turn in [turn for turn, (_, at, _) in self._asked.items() if at < before]:
            future = self._asked.pop(turn)[-1]
            if not future.done():
                future.set_exception(error)

    def _take(self, row: ports.Row, event: e.Event) -> None:
        if not self._asked:
            return
        match event:
            case e.ReplyStarted(turn=turn):
                self._turn, self._segments, self._cites, self._first = turn, [], [], 0.0
            case e.ReplySegment():
                self._first = self._first or self._driver.now()
                self._segments.append(event.text)
                self._cites.extend(event.cites)
            case e.ReplyEnded(reply=reply) | e.ReplyCut(reply=reply):
                self._cut = event.reason if isinstance(event, e.ReplyCut) else ""
                if not any(self._segments):
                    self._settle(reply, "", "", self._cut)
            case e.MessageAdded(role="agent", reply=reply) if reply:
                self._settle(reply, event.said or event.text, event.text, self._cut)
            case e.ErrorRaised():
                self.fail(EngineError(event.message), row.position)
            case e.ConversationEnded():
                error = IllegalEvent("The conversation ended before there was a reply.")
                self.fail(error, row.position)
            case _:
                pass

    def _settle(self, reply: int, text: str, heard: str, cut: str) -> None:
        now = self._driver.now()
        for turn in [turn for turn in self._asked if turn <= self._turn]:
            at, _, future = self._asked.pop(turn)
            if not future.done():
                answer = Reply(
                    text=text,
                    heard=heard,
                    turn=self._turn,
                    reply=reply,
                    cut=cut,
                    cites=list(self._cites),
                    first_seconds=max(0.0, self._first - at),
                    seconds=now - at,
                )
                future.set_result(answer)

    _cut = ""


class Conversation:
    """One dialogue of a session. Await it for durability; leave it as a context manager to end it."""

    def __init__(self, session: "Session", conversation_id: str) -> None:
        self.session = session
        self.conversation_id = conversation_id

    def __await__(self) -> Generator[Any, None, "Conversation"]:
        yield from self.session.commit().__await__()
        return self

    async def __aenter__(self) -> Self:
        await self.session.commit()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self.session.driver.error is None and self.is_open:
            await self.end("failed" if kind is not None else "user")

    @property
    def is_open(self) -> bool:
        return self.session.driver.core.state.conversation == self.conversation_id

    async def send_message(self, text: str) -> Reply:
        """Say something in writing and wait for the reply.

        Raises:
            InvalidInput: The text is empty or too long.
            IllegalEvent: The conversation is not the open one.
            EngineError: The engine cannot answer.
        """
        if not self.is_open:
            raise IllegalEvent(
                f"Conversation {self.conversation_id!r} is not open. Resume it first."
            )
        return await self.session.send_message(text)

    async def end(self, reason: str = "user") -> None:
        """End the conversation. Its history stays."""
        await self.session.driver.commit(
            self.session.driver.receive(stimuli.EndConversation(reason=reason))
        )

    async def history(self, limit: int = 50) -> list[Message]:
        """Return its last messages, oldest first."""
        page = await self.session.history(limit=1_000)
        mine = [m for m in page.messages if m.conversation == self.conversation_id]
        return mine[-limit:]


class Session:
    """A session that is live in this process.

    Made by `Tenuto.create_session`, `Tenuto.load_session` and `Tenuto.session`. Await it for durability.
    """

    def __init__(
        self, driver: Driver, history: Callable[[int | None, int], Awaitable[HistoryPage]]
    ) -> None:
        self.driver = driver
        self.events = Events(driver)
        self.state = StateStream(driver)
        self._answers = _Answers(driver)
        self._history = history
        self._face: Attachment | None = None

    def __await__(self) -> Generator[Any, None, "Session"]:
        yield from self.driver.commit().__await__()
        return self

    async def __aenter__(self) -> Self:
        await self.commit()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.close()
        except TenutoError:
            if error is None:
                raise

    # -------------------------------------------------------------------------------------------------------------- what it is

    @property
    def session_id(self) -> str:
        return self.driver.core.state.session

    @property
    def user_id(self) -> str:
        return self.driver.core.state.user

    @property
    def is_active(self) -> bool:
        """Whether it can go on here: it has not ended, and this host has it."""
        return self.driver.error is None and self.driver.core.state.life is not Life.ENDED

    @property
    def status(self) -> Status:
        return self.driver.core.status

    @property
    def position(self) -> int:
        """The journal's head; what is durable of it is `await session.commit()`."""
        return self.driver.core.state.position

    @property
    def config(self) -> SessionConfig:
        return self.driver.core.config

    @property
    def memories(self) -> list[ports.Memory]:
        """What later conversations know, oldest first."""
        return list(self.driver.core.state.memories.values())

    @property
    def alarms(self) -> list[ports.Alarm]:
        """What the session will do by itself, soonest first."""
        return sorted(self.driver.core.state.alarms.values(), key=lambda alarm: alarm.due)

    # ------------------------------------------------------------------------------------------------------------------- verbs

    async def commit(self) -> int:
        """Wait until everything so far is durable. Returns the position.

        Raises:
            TenutoError: It will not be: the store refused it, or another host has the session.
        """
        return await self.driver.commit()

    save = commit

    def start_conversation(
        self, conversation_id: str = "", parent_id: str | None = None
    ) -> Conversation:
        """Start a conversation; the one that is open ends. Works with `await`, with `async with`, and alone.

        Args:
            conversation_id: Its id, up to 100 characters; made up when empty.
            parent_id: The conversation that it goes on from.

        Raises:
            ConversationExists: There is one of that id.
            ConversationNotFound: There is no parent of that id.
        """
        self._hold()
        self.driver.receive(
            stimuli.StartConversation(conversation=conversation_id, parent=parent_id or "")
        )
        return Conversation(self, self.driver.core.state.conversation)

    conversation = start_conversation

    def resume_conversation(self, conversation_id: str = "") -> Conversation:
        """Go on with a conversation: the one of that id, or the latest. The agent remembers it; it is not greeted again.

        Raises:
            ConversationNotFound: There is none.
        """
        self._hold()
        name = conversation_id or next(reversed(self.driver.core.state.conversations), "")
        self.driver.receive(stimuli.StartConversation(conversation=name or "?", resume=True))
        return Conversation(self, self.driver.core.state.conversation)

    async def send_message(self, text: str) -> Reply:
        """Say something in writing in the open conversation, starting one if none is, and wait for the reply.

        Raises:
            InvalidInput: The text is empty or too long.
            EngineError: The engine cannot answer.
        """
        self._hold()
        if not self.driver.core.state.conversation:
            self.start_conversation()
        self.driver.receive(stimuli.Type(text=text, client="python"))
        answer = self._answers.expect(self.driver.core.state.turns)
        try:
            await self.driver.commit()
            return await answer
        finally:
            answer.cancel()

    def add_memory(
        self, content: str, category: str = "", importance: float = 0.5, key: str = ""
    ) -> Self:
        """Have later conversations know something. Await it for durability."""
        self.driver.receive(
            stimuli.Remember(content=content, category=category, importance=importance, key=key)
        )
        return self

    async def history(self, before: int | None = None, limit: int = 50) -> HistoryPage:
        """Return a page of messages, oldest first, the newest page when `before` is None."""
        await self.commit()
        return await self._history(before, limit)

    async def attach(self, joining: Joining, listener: ports.Listener) -> Attachment:
        """Bind a client to the session; see `tenuto.session.attachment.attach`."""
        return await attach(self.driver, joining, listener)

    async def close(self) -> None:
        """Let go of the session here. It stays in the store, and any host can load it again.

        Raises:
            TenutoError: Something that nobody awaited has not become durable.
        """
        if self.driver.error is not None:
            if self.driver.core.state.position > self.driver.durable:
                raise self.driver.error
            return
        self._answers.fail(IllegalEvent("The session was closed."))
        if self._face is not None and self._face.number in self.driver.core.state.here:
            self._face.leave("left")
        if self.driver.core.state.life is Life.DETACHED:
            self.driver.receive(stimuli.Park())
        await self.driver.commit()

    async def end(self, reason: str = "user") -> None:
        """End the session for good. Its history can still be read."""
        await self.driver.commit(self.driver.receive(stimuli.End(reason=reason)))

    # ----------------------------------------------------------------------------------------------------------------- the face

    def _hold(self) -> None:
        """This program uses the session: it counts as a client, unless a person has the controls."""
        state = self.driver.core.state
        if self._face is None or self._face.number not in state.here:
            if state.controller:
                return
            self.driver.receive(
                stimuli.Join(role="controller", client="python", transport="python", opens=False)
            )
            self._face = Attachment(
                self.driver, state.attachments, Joining(client="python", transport="python")
            )

    def ended(self, error: TenutoError) -> None:
        """The session is gone from this host: wake whoever waits. Called by the host."""
        self._answers.fail(error)
        self.events.end()
        self.state.end()
