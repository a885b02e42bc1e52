"""A driver in its house: a store that can be held up or refuse, an engine that is played by hand, and somebody who listens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tenuto import events as e
from tenuto.errors import TenutoError
from tenuto.session import core as c
from tenuto.session import fold, history, ports, stimuli
from tenuto.session.driver import Driver
from tenuto.session.session import Session
from tenuto.session.state import Status, Turn
from tenuto.stores import rows
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock

CAPABILITIES = ports.Capabilities(name="hand", hears=16_000, speaks=16_000, continues=True)


async def quiet() -> None:
    """Wait until nothing can happen any more without time passing."""
    await asyncio.sleep(1e-6)


def contents(session: Session) -> list[str]:
    """What a session knows."""
    return [entry.content for entry in session.get_memory().entries]


class Hand:
    """An engine that says what the test has it say, and nothing else."""

    def __init__(self, capabilities: ports.Capabilities = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.context: ports.Context | None = None
        self.rate = 0
        self.audio: ports.AudioOut | None = None
        self.requests: list[ports.Request] = []
        self.heard: list[tuple[bytes, int]] = []
        self.closed = False
        self.refuse: Exception | None = None
        """What `open` raises."""
        self.bug: Exception | None = None
        """What `hear` and `send` raise, which they may not."""
        self.diary: list[str] = []
        """Where it notes that it was asked."""
        self.hangs = 0.0
        """Seconds that `close` takes."""
        self._events: asyncio.Queue[ports.EngineEvent | None] = asyncio.Queue()

    async def open(self, context: ports.Context, rate: int, audio: ports.AudioOut) -> None:
        self.context, self.rate, self.audio = context, rate, audio
        if self.refuse is not None:
            raise self.refuse

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        if self.bug is not None:
            raise self.bug
        self.heard.append((bytes(pcm), offset))

    def send(self, request: ports.Request) -> None:
        if self.bug is not None:
            raise self.bug
        self.requests.append(request)
        self.diary.append("engine")

    def give(self, *events: ports.EngineEvent) -> None:
        for event in events:
            self._events.put_nowait(event)

    def hang_up(self) -> None:
        """End the iteration, as a socket that closes does."""
        self._events.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[ports.EngineEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self.closed = True
        if self.hangs:
            await asyncio.sleep(self.hangs)

    @property
    def asked(self) -> list[str]:
        """What was asked of it, in short."""
        short = []
        for request in self.requests:
            match request:
                case ports.Ask(text=text) | ports.Speak(text=text):
                    short.append(f"{type(request).__name__} {text}")
                case _:
                    short.append(type(request).__name__)
        return short


class Hands:
    """Makes engines, and keeps them."""

    def __init__(self, capabilities: ports.Capabilities = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.made: list[Hand] = []
        self.voices: list[bool] = []
        self.fails: Exception | None = None
        self.prepare: Callable[[Hand], None] = lambda hand: None

    def __call__(self, voice: bool) -> ports.Engine:
        if self.fails is not None:
            raise self.fails
        hand = Hand(self.capabilities)
        self.prepare(hand)
        self.made.append(hand)
        self.voices.append(voice)
        return hand

    @property
    def last(self) -> Hand:
        return self.made[-1]


class Shelf(InMemoryStore):
    """A store in RAM that can be held up, and that can refuse."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.open = asyncio.Event()
        """No append is durable before it is set."""
        self.open.set()
        self.refuse: TenutoError | None = None
        self.no_snapshots: TenutoError | None = None
        self.appends: list[ports.Append] = []
        self.snapshots: list[int] = []
        self.shelf = asyncio.Event()
        """No read ends before it is set."""
        self.shelf.set()
        self.unreadable: TenutoError | None = None
        self.reads = 0

    async def read(self, read: ports.Read) -> Sequence[ports.Row]:
        self.reads += 1
        await self.shelf.wait()
        if self.unreadable is not None:
            raise self.unreadable
        return await super().read(read)

    async def append(self, append: ports.Append) -> None:
        self.appends.append(append)
        await self.open.wait()
        if self.refuse is not None:
            raise self.refuse
        await super().append(append)

    async def save_snapshot(self, session: str, fence: int, snapshot: ports.Snapshot) -> None:
        if self.no_snapshots is not None:
            raise self.no_snapshots
        self.snapshots.append(snapshot.position)
        await super().save_snapshot(session, fence, snapshot)


class Papers:
    """As much of an archive as a session's face needs to read its history back."""

    def __init__(self, store: Shelf) -> None:
        self.store = store
        self.reads = 0

    async def events(self, **what: Any) -> Sequence[tuple[int, e.Event]]:
        self.reads += 1
        found = await self.store.read(ports.Read(session="s", **what))
        return [(row.position, rows.to_event(row)) for row in found]

    async def history(self, before: int | None, limit: int) -> history.HistoryPage:
        found = await self.events(
            before=before, types=history.TYPES, newest_first=True, limit=limit + 1
        )
        return history.page(found, limit)


class Ear:
    """Somebody who listens to a session."""

    def __init__(self, diary: list[str] | None = None) -> None:
        self.rows: list[ports.Row] = []
        self.frames: list[tuple[int, int, bytes]] = []
        self.hushed: list[int] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.let_go: list[str] = []
        self.diary = diary if diary is not None else []

    def event(self, row: ports.Row) -> None:
        self.rows.append(row)
        self.diary.append(row.type)

    def audio(self, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> None:
        self.frames.append((reply, offset, bytes(pcm)))

    def hush(self, reply: int) -> None:
        self.hushed.append(reply)

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        self.told.append((kind, body))

    def closed(self, reason: str) -> None:
        self.let_go.append(reason)

    @property
    def types(self) -> list[str]:
        return [row.type for row in self.rows]

    @property
    def positions(self) -> list[int]:
        return [row.position for row in self.rows]


class House:
    """One session, its driver, and the host that runs it."""

    def __init__(
        self,
        store: Shelf,
        hands: Hands,
        clock: VirtualClock,
        grace: float,
        make_engine: Callable[[bool], ports.Engine],
    ) -> None:
        self.store, self.hands, self.clock = store, hands, clock
        self.make_engine = make_engine
        self.unloaded = 0
        self.capabilities = hands.capabilities
        self.grace = grace
        self.driver = self.make(fold.State(), self.create)
        self.task: asyncio.Task[None] | None = None

    def make(self, state: fold.State, opening: Any = None, fence: int = 0) -> Driver:
        core = c.SessionCore(state, self.capabilities, self.grace)
        engine = self.make_engine
        return Driver(core, self.store, fence, rows, engine, self.clock, self, opening)

    async def create(self) -> int:
        """Make the journal."""
        new = ports.NewSession(
            session="s", tenant="t", user="u", epoch="0" * 16, at=self.clock.now()
        )
        return (await self.store.create(new, "host", "", 60.0)).fence

    def unload(self, driver: Driver) -> None:
        self.unloaded += 1
        driver.stop()

    def start(self) -> None:
        self.task = asyncio.create_task(self.driver.run())

    async def stopped(self) -> None:
        """Wait until the driver has returned."""
        assert self.task is not None
        await self.task

    async def restart(self) -> None:
        """Lose the process, and load the session again."""
        self.driver.stop()
        await self.stopped()
        lease = await self.store.claim("s", "host", "", 60.0)
        self.driver = self.make(await self.folded(), fence=lease.fence)
        self.driver.receive(stimuli.Restore(host="host", fence=lease.fence))
        self.start()
        await self.driver.commit()

    async def folded(self) -> fold.State:
        """Fold what is in the store."""
        loaded = await self.store.load("s")
        assert loaded is not None
        state = fold.decode(loaded.snapshot.body) if loaded.snapshot is not None else fold.State()
        for row in loaded.rows:
            fold.apply(state, rows.to_event(row))
        return state

    async def journal(self) -> Sequence[ports.Row]:
        return await self.store.read(ports.Read(session="s", limit=10_000))

    def turn(self) -> Turn:
        return self.driver.core.state.turn

    def status(self) -> Status:
        return self.driver.core.status

    # What people do.

    def join(self, ear: Ear, client: str = "tab", **more: Any) -> int:
        """Join as the controller with a loudspeaker, and listen from then on."""
        joining = {"role": "controller", "transport": "test", "voice": True, **more}
        self.driver.receive(stimuli.Join(client=client, **joining))
        number = self.driver.core.state.attachments
        self.driver.add(number, ear)
        return number

    def say(self, *texts: str) -> None:
        """Put messages of the user into the open conversation, which nobody answers."""
        for text in texts:
            self.driver.receive(stimuli.Inject(role="user", text=text))

    async def talking(self, ear: Ear) -> Hand:
        """Somebody is there, and the engine is ready."""
        self.join(ear)
        await quiet()
        self.hands.last.give(ports.Ready())
        await quiet()
        return self.hands.last


@asynccontextmanager
async def house(
    capabilities: ports.Capabilities = CAPABILITIES,
    *,
    grace: float = 30.0,
    make_engine: Callable[[bool], ports.Engine] | None = None,
) -> AsyncIterator[House]:
    """A new session in a house of its own, until the end of the block. Nothing is left behind.

    Args:
        make_engine: Makes its engines; when None, they are played by hand.
    """
    clock, hands = VirtualClock(), Hands(capabilities)
    made = House(Shelf(clock), hands, clock, grace, make_engine or hands)
    made.driver.receive(
        stimuli.Create(session="s", tenant="t", user="u", epoch="0" * 16, config={})
    )
    made.start()
    try:
        yield made
    finally:
        made.store.open.set()
        made.store.shelf.set()
        made.driver.stop()
        await made.stopped()
