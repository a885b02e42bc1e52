"""A host in RAM and in virtual time, whose store can be held up, verb by verb, and can refuse."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from tenuto import Tenuto, TenutoConfig
from tenuto.errors import StoreFull
from tenuto.session import ports
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script, Step

HI = Step(hear="Hi", say=["Hello."])


class Shelf(InMemoryStore):
    """A store in RAM."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.open = asyncio.Event()
        """Nothing is durable before it is set."""
        self.open.set()
        self.full: set[str] = set()
        """Sessions for which there is no space left."""

        self.fails: dict[str, Exception] = {}
        """What a verb of the store raises, by its name; `create` and `load` also with the session, such as `load s`."""
        self._gates: dict[str, asyncio.Event] = {}

    @contextmanager
    def holding(self, verb: str) -> Iterator[asyncio.Event]:
        """Within the block, calls of a verb wait for the event that it is given, or for the end of the test."""
        self._gates[verb] = gate = asyncio.Event()
        try:
            yield gate
        finally:
            del self._gates[verb]

    async def _pass(self, verb: str) -> None:
        if (gate := self._gates.get(verb)) is not None:
            await gate.wait()
        if (error := self.fails.get(verb)) is not None:
            raise error

    async def append(self, append: ports.Append) -> None:
        await self.open.wait()
        if append.session in self.full:
            raise StoreFull
        await super().append(append)

    async def create(self, new: ports.NewSession, owner: str, url: str, ttl: float) -> ports.Lease:
        await self._pass("create")
        await self._pass(f"create {new.session}")
        return await super().create(new, owner, url, ttl)

    async def head(self, session: str) -> ports.Head | None:
        await self._pass("head")
        return await super().head(session)

    async def load(self, session: str) -> ports.Loaded | None:
        await self._pass("load")
        await self._pass(f"load {session}")
        return await super().load(session)

    async def due(self, before: float, limit: int = 100) -> Sequence[ports.Head]:
        await self._pass("due")
        return await super().due(before, limit)

    async def renew(self, owner: str, sessions: Sequence[str], ttl: float) -> set[str]:
        await self._pass("renew")
        return await super().renew(owner, sessions, ttl)

    async def forget(self, session: str, fence: int) -> None:
        await self._pass("forget")
        await super().forget(session, fence)


class Host(Tenuto):
    """A host, with its store at hand."""

    shelf: Shelf


@asynccontextmanager
async def hosting(
    *steps: Step, lease: float = 3600, shelf: Shelf | None = None
) -> AsyncIterator[Host]:
    """A host whose engine plays these steps, or one in which `Hi` is answered with `Hello.`; on a shelf of its own, or not."""
    clock = VirtualClock()
    shelf = shelf or Shelf(clock)
    script = Script(*(steps or (HI,)), ordered=False)
    config = TenutoConfig(store="memory:", lease=lease)
    async with Host(config, store=shelf, engines=script, clock=clock) as host:
        host.shelf = shelf
        try:
            yield host
        finally:
            shelf.open.set()
