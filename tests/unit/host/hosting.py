"""A host in RAM and in virtual time, whose store can be held up and can refuse one session's events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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

    async def append(self, append: ports.Append) -> None:
        await self.open.wait()
        if append.session in self.full:
            raise StoreFull
        await super().append(append)


class Host(Tenuto):
    """A host, with its store at hand."""

    shelf: Shelf


@asynccontextmanager
async def hosting(*steps: Step) -> AsyncIterator[Host]:
    """A host whose engine plays these steps, or one in which `Hi` is answered with `Hello.`"""
    clock = VirtualClock()
    shelf = Shelf(clock)
    script = Script(*(steps or (HI,)), ordered=False)
    config = TenutoConfig(store="memory:", lease=3600)
    async with Host(config, store=shelf, engines=script, clock=clock) as host:
        host.shelf = shelf
        try:
            yield host
        finally:
            shelf.open.set()
