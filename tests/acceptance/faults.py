"""A house that a client dials in virtual time, and everything that can befall it: lines that break, servers that die.

The house is a journal that stays, servers that come and go, and the lines to them. `converse` has the conversation of
`tests.acceptance.conversation` in it, with a list of faults, and sees that nothing is left but the journal.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from tenuto.client import socket
from tenuto.client.client import Client
from tenuto.errors import NotAuthenticated, StoreUnavailable
from tenuto.host.host import Tenuto
from tenuto.security.grants import Admission
from tenuto.server.limits import Limits
from tenuto.session import ports
from tenuto.settings import TenutoConfig
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.transport import Cut, Direction, Line, Weather
from tenuto.transports.carrier import Carrier, Wire
from tenuto.transports.websocket import NativeWire
from tenuto.wire import native
from tests.acceptance.conversation import (
    CONFIG,
    RATE,
    SESSION,
    Ear,
    Outcome,
    Person,
    Talk,
    left_behind,
    outcome,
)

LATENCY = 0.05
"""Seconds each way: at a reset a few frames are under way."""
COMMIT = 0.002
"""Seconds that a commit takes, one half before and one half after anything is durable."""
RESTART = 0.2
"""Seconds from a server's end to the next one's beginning."""
LEASE = 1.0
FRAME = 0.05
"""Seconds of microphone that are heard at a time."""

How = Literal["clean", "reset", "half-open", "killed", "drained", "dropped"]
Place = Literal["to_server", "to_client", "asked", "written", "told"]


@dataclass(frozen=True)
class Fault:
    """What happens, and when."""

    how: How
    """What befalls the line; or the server, which is killed or put away in order, and started again; or its engine's link,
    which is dropped by whoever is at the other end.
    """
    at: Place
    """Frames of a direction are counted; or appends that the store was asked for, or that it has made durable; or what
    engines have told, where they count that.
    """
    after: int
    """So many of them."""
    line: int = 0
    """The connection whose frames are counted, from 0."""


class Disk:
    """A store as one process sees it: it takes time, and is out of reach once the process is dead."""

    def __init__(self, store: ports.Store, reached: Callable[[str], None]) -> None:
        self.dead = False
        self._store, self._reached = store, reached

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def call(*args: Any) -> Any:
            await self._pass(name, "asked")
            result = await method(*args)
            await self._pass(name, "written")
            return result

        return call

    async def _pass(self, name: str, stage: str) -> None:
        if name == "append":
            self._reached(stage)
            await asyncio.sleep(COMMIT / 2)
        if self.dead:
            raise StoreUnavailable("The process is dead.")


class Tap:
    """Passes everything on to the wire at one end of a line, and says when a frame was taken."""

    def __init__(self, wire: Wire, taken: Callable[[], None]) -> None:
        self.dead = False
        self.frames: list[bytes] = []
        """The text frames."""
        self._wire, self._taken = wire, taken

    def opened(self, carrier: Carrier) -> None:
        self._wire.opened(carrier)

    def text(self, data: bytes) -> None:
        if not self.dead:
            self.frames.append(data)
            self._wire.text(data)
            self._taken()

    def binary(self, data: bytes | memoryview) -> None:
        if not self.dead:
            self._wire.binary(data)
            self._taken()

    def lost(self) -> None:
        if not self.dead:
            self._wire.lost()


class House:
    """Where the session lives. Begin with `open`, when every task that is to outlive a server is there."""

    def __init__(self, *faults: Fault, disk: type[Disk] = Disk, talk: Talk | None = None) -> None:
        self.clock = VirtualClock()
        self.talk = talk or Talk()
        self.store = InMemoryStore(self.clock)
        self.lines: list[Line] = []
        self.talk.reached = self._reached
        self.appends = {"asked": 0, "written": 0, "told": 0}
        self.problems: list[str] = []
        self._server: Tenuto | None = None
        self._disk = disk(self.store, self._reached)
        self._taps: list[tuple[Tap, Tap]] = []
        self._faults = faults
        self._outliving: set[asyncio.Task[Any]] = set()
        self._changing: asyncio.Task[None] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """What faults are counted by."""
        counts: dict[str, int] = dict(self.appends)
        for way, traffic in self.lines[0].statistics.items():
            counts[way] = traffic.delivered
        return counts

    async def open(self) -> None:
        """Begin, with the session made."""
        self._outliving = asyncio.all_tasks()
        first = await self._start()
        await first.create_session(session_id=SESSION, user_id="alice", config=CONFIG)
        self._server = first

    async def close(self) -> None:
        """End, with the session put away."""
        if self._changing is not None:
            await self._changing
        assert self._server is not None
        # A server that was killed after the goodbye has left to the next one to say so.
        await asyncio.sleep(LEASE)
        await self._server.load_session(SESSION)
        await self._server.close()

    async def ticket(self) -> str:
        """Give a ticket, which a client that was ever let in does not need."""
        if any(
            frame.startswith(b'{"type":"attached"') for _, tap in self._taps for frame in tap.frames
        ):
            self.problems.append("the client had a resume token, and asked for a ticket")
        return "ticket"

    async def dial(self, url: str, protocols: Sequence[str], ear: socket.Ear) -> socket.Socket:
        """Open a line to the server that is there: `tenuto.client`'s `Dial`."""
        await asyncio.sleep(2 * LATENCY)
        if self._server is None:
            raise socket.NoSocket(None, "nobody listens")
        number = len(self.lines)

        def admit(ticket: str, attach: native.Attach) -> Admission:
            if not attach.token and f"{native.TICKET_PREFIX}ticket" not in protocols:
                raise NotAuthenticated("There is neither a ticket nor a token.")
            tenant = "" if attach.token else "local"
            return Admission(tenant=tenant, session=attach.session, role=attach.role)

        wire = NativeWire(self._server, admit, Limits())
        taps = (
            Tap(wire, lambda: self._taken(number, "to_server")),
            Tap(cast(Wire, ear), lambda: self._taken(number, "to_client")),
        )
        cut = next(filter(None, (_cut(fault, number) for fault in self._faults)), None)
        self._taps.append(taps)
        self.lines.append(Line(*taps, Weather(latency=LATENCY), cut))
        return self.lines[-1].client

    def _taken(self, number: int, way: Direction) -> None:
        """A frame was taken at the end of its way."""
        if number < len(self.lines):
            frames = self.lines[number].statistics[way].delivered
            self._strike(lambda fault: (fault.line, fault.at, fault.after) == (number, way, frames))

    def _reached(self, stage: str) -> None:
        """An append was asked for, or is durable and nobody was told yet; or an engine is about to tell something."""
        self.appends[stage] += 1
        self._strike(lambda fault: (fault.at, fault.after) == (stage, self.appends[stage]))

    def _strike(self, due: Callable[[Fault], bool]) -> None:
        for fault in filter(due, self._faults):
            if fault.how == "killed":
                self._kill()
            elif fault.how == "drained":
                self._changing = asyncio.create_task(self._drain())
            elif fault.how == "dropped":
                self.talk.drop()

    def _kill(self) -> None:
        """End the server as `kill -9` does: nothing more is said or written, and what was in RAM is gone."""
        self._disk.dead, self._server = True, None
        for (tap, _), line in zip(self._taps, self.lines, strict=True):
            tap.dead = True
            line.cut("reset")
        dead = asyncio.all_tasks() - self._outliving
        for task in dead:
            task.cancel()
        self._changing = asyncio.create_task(self._bury(dead))

    async def _bury(self, dead: set[asyncio.Task[Any]]) -> None:
        if dead:
            await asyncio.wait(dead)
        await asyncio.sleep(RESTART)
        self._server = await self._start()

    async def _drain(self) -> None:
        """Put the server away as a new version's rollout does, and start the next one."""
        server, self._server = self._server, None
        assert server is not None
        await server.close()
        await asyncio.sleep(RESTART)
        self._server = await self._start()

    async def _start(self) -> Tenuto:
        self._disk = type(self._disk)(self.store, self._reached)
        server = Tenuto(
            TenutoConfig(lease=LEASE),
            store=cast(ports.Store, self._disk),
            engines=self.talk,
            clock=self.clock,
        )
        return await server.__aenter__()


def _cut(fault: Fault, line: int) -> Cut | None:
    """Return a fault as what a line knows, if it is this line's."""
    if fault.line != line or fault.how in ("killed", "drained", "dropped"):
        return None
    return Cut(fault.after, cast(Direction, fault.at), fault.how)  # type: ignore[arg-type]


async def converse(
    *faults: Fault, patient: bool = True, disk: type[Disk] = Disk, talk: Talk | None = None
) -> Outcome:
    """Have the conversation with these faults.

    Args:
        patient: As `Person`'s.
        disk: How servers see the store.
        talk: Other engines than `Talk`'s.
    """
    house = House(*faults, disk=disk, talk=talk)
    crashes = any(fault.how in ("killed", "dropped") for fault in faults)
    with Ear(house.problems, logging.ERROR if crashes else logging.WARNING):
        person = Person(house.talk, FRAME, patient=patient)
        client = Client(
            "ws://house",
            session=SESSION,
            ticket_source=house.ticket,
            microphone=RATE,
            play=person.play,
            dial=house.dial,
        )
        async with person.at(client):
            await house.open()
            await person.converse(client)
        await house.close()
        house.problems += [*house.talk.problems, *await left_behind()]
    came = await outcome(house.store, person, house.problems, len(house.lines))
    came.counts = house.counts
    return came
