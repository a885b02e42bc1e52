"""Two ends of a connection in one process, with the faults of a real one: latency, loss, and every kind of cut.

Each end is a `Carrier`; each drives the `Wire` at its side. Frames travel through the event loop, so that the line works
in virtual time, and they keep their order, as on one TCP connection. `loss` concerns binary frames only: on a stream a
lost packet shows as a stall or as a cut, but a transport of datagrams may lose audio, and nobody may fall over that.

The strictness of the real carriers is kept: a binary frame is a view that is taken away after the call, `lost` comes once
and last, and nothing raises after the line is gone.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tenuto.testing.proxy import Direction as Direction
from tenuto.testing.proxy import How as How
from tenuto.transports.carrier import Wire


@dataclass
class Traffic:
    """What went in one direction."""

    sent: int = 0
    """Frames given to the line."""
    delivered: int = 0
    """Frames taken by the other side's wire."""
    lost: int = 0
    """Frames that never arrived: by `loss`, or under way at a cut, or sent after it."""
    bytes: int = 0
    """Bytes of the frames given to the line."""
    waiting: int = 0
    """Bytes under way: what `Carrier.buffered` says."""


@dataclass(frozen=True)
class Cut:
    """When and how a line breaks."""

    after: int
    """Frames of `direction` that are delivered before it; 0 for none at all."""
    direction: Direction
    how: How = "clean"
    """`clean`: what is under way the other way arrives, then both sides hear of the end. `reset`: it is gone, and both
    sides hear at once. `half-open`: from now on nothing arrives, and nobody is told."""


@dataclass(frozen=True)
class Weather:
    """The faults of a line that do not break it."""

    latency: float = 0.0
    """Seconds each way."""
    jitter: float = 0.0
    """Up to so many seconds more, different for each frame; the order is kept."""
    loss: float = 0.0
    """The share of binary frames that never arrive, 0 to 1."""
    seed: int = 0
    """Of the randomness of `jitter` and `loss`."""


class Line:
    """One connection between two wires, open from the beginning.

    Args:
        server: The wire at the server's side; its `opened` is called first.
        client: The wire at the client's side.
        weather: Latency, jitter and loss.
        cut: Where the line breaks by itself.

    Example:
        line = Line(server_wire, client_wire, cut=Cut(after=7, direction="to_client", how="reset"))
        line.client.send_text(b'{"type":"beat"}')
    """

    def __init__(
        self,
        server: Wire,
        client: Wire,
        weather: Weather = Weather(),
        cut: Cut | None = None,
    ) -> None:
        self.server = End(self, server)
        """The server's end."""
        self.client = End(self, client)
        """The client's end."""
        self.statistics: dict[Direction, Traffic] = {"to_server": Traffic(), "to_client": Traffic()}
        """What went each way."""
        self.silent = False
        """Whether the line is half-open: nothing arrives any more."""
        self._lanes = {
            "to_server": _Lane(self.server, self.statistics["to_server"], weather),
            "to_client": _Lane(self.client, self.statistics["to_client"], weather),
        }
        self._cut = cut
        self.server.wire.opened(self.server)
        self.client.wire.opened(self.client)
        if cut is not None and cut.after == 0:
            self.cut(cut.how, cut.direction)

    def cut_after(self, frames: int, direction: Direction, how: How = "clean") -> None:
        """Break the line after `frames` frames of a `direction`, counted from its beginning; see `Cut.how`."""
        self._cut = Cut(frames, direction, how)
        if self.statistics[direction].delivered >= frames:
            self.cut(how, direction)

    def cut(self, how: How, direction: Direction | None = None) -> None:
        """Break the line now; see `Cut.how`. What is under way in `direction` is lost in any case."""
        self._cut = None
        if how == "half-open":
            self.silent = True
            for lane in self._lanes.values():
                lane.drop()
            return
        for way, end in (("to_server", self.server), ("to_client", self.client)):
            if how == "reset" or way == direction:
                self._lanes[way].drop()
            end.leaving = True
            self._lanes[way].put(end.lose, 0, binary=False)

    def carry(self, sender: "End", data: bytes, *, binary: bool) -> None:
        """Take one frame of text or `binary` data from an end, the sender."""
        direction, receiver = self._other(sender)
        traffic, lane = self.statistics[direction], self._lanes[direction]
        traffic.sent += 1
        traffic.bytes += len(data)
        if self.silent or receiver.gone:
            traffic.lost += 1
            if self.silent:
                traffic.waiting += len(data)
            return

        def deliver() -> None:
            if receiver.gone:
                traffic.lost += 1
                return
            traffic.delivered += 1
            receiver.take(data, binary=binary)
            cut = self._cut
            if cut is not None and cut.direction == direction and traffic.delivered >= cut.after:
                self.cut(cut.how, direction)

        lane.put(deliver, len(data), binary=binary)

    def close(self, sender: "End", code: int, reason: str) -> None:
        """Carry a close frame: the other side is lost when it arrives, the sender when that is answered."""
        direction, receiver = self._other(sender)
        back: Direction = "to_client" if direction == "to_server" else "to_server"
        if self.silent:
            return

        def arrive() -> None:
            if receiver.gone:
                return
            receiver.closed = receiver.closed or (code, reason)
            receiver.leaving = True
            self._lanes[back].put(sender.lose, 0, binary=False)
            receiver.lose()

        self._lanes[direction].put(arrive, 0, binary=False)

    def _other(self, sender: "End") -> tuple[Direction, "End"]:
        return ("to_server", self.server) if sender is self.client else ("to_client", self.client)


class End:
    """One side of a line: a `Carrier` that drives the wire at this side."""

    def __init__(self, line: Line, wire: Wire) -> None:
        self.wire = wire
        """What is driven at this side."""
        self.closed: tuple[int, str] | None = None
        """Code and reason of the other side's close frame; None when the line just broke."""
        self.gone = False
        """Whether `lost` was called."""
        self.leaving = False
        """Whether nothing can be sent any more."""
        self._line = line

    def send_text(self, data: bytes) -> None:
        """Send one text frame."""
        if not self.leaving:
            self._line.carry(self, bytes(data), binary=False)

    def send_binary(self, data: bytes) -> None:
        """Send one binary frame."""
        if not self.leaving:
            self._line.carry(self, bytes(data), binary=True)

    def buffered(self) -> int:
        """Bytes that were sent and have not arrived."""
        direction: Direction = "to_server" if self is self._line.client else "to_client"
        return self._line.statistics[direction].waiting

    def close(self, code: int, reason: str) -> None:
        """Send a close frame. On a half-open line the wire is told at once, as by a closing that timed out."""
        if self.leaving:
            return
        self.leaving = True
        self._line.close(self, code, reason)
        if self._line.silent:
            asyncio.get_running_loop().call_soon(self.lose)

    def take(self, data: bytes, *, binary: bool) -> None:
        """Give one frame of text or `binary` data to the wire."""
        if not binary:
            self.wire.text(data)
            return
        view = memoryview(data)
        try:
            self.wire.binary(view)
        finally:
            view.release()

    def lose(self) -> None:
        """Tell the wire that the line is gone; once."""
        if self.gone:
            return
        self.gone = self.leaving = True
        self.wire.lost()


@dataclass
class _Lane:
    """One direction: what is under way, in order."""

    receiver: End
    traffic: Traffic
    weather: Weather
    _queue: deque[tuple[Callable[[], None], int]] = field(default_factory=deque)
    _free: float = 0.0
    _generation: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.weather.seed)

    def put(self, action: Callable[[], None], size: int, *, binary: bool) -> None:
        weather, loop = self.weather, asyncio.get_running_loop()
        if binary and weather.loss and self._random.random() < weather.loss:
            self.traffic.lost += 1
            return
        self.traffic.waiting += size
        self._queue.append((action, size))
        delay = weather.latency
        if weather.jitter:
            delay += self._random.uniform(0.0, weather.jitter)
        due = max(self._free, loop.time() + delay)
        self._free = due
        if due <= loop.time():
            loop.call_soon(self._next, self._generation)
        else:
            loop.call_at(due, self._next, self._generation)

    def drop(self) -> None:
        """Lose all frames that are under way."""
        frames = [size for _, size in self._queue if size]
        self.traffic.lost += len(frames)
        self.traffic.waiting -= sum(frames)
        self._queue.clear()
        self._generation += 1
        self._free = 0.0

    def _next(self, generation: int) -> None:
        # Timers of one instant fire in any order: each takes what is first, not what it was made for.
        if generation != self._generation:
            return
        action, size = self._queue.popleft()
        self.traffic.waiting -= size
        action()
