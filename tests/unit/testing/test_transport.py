import asyncio

import pytest

from tenuto.testing.transport import Cut, How, Line, Weather
from tenuto.transports.carrier import Carrier, Wire


class Recorder:
    """A wire that keeps what it is given, and when."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.times: list[float] = []
        self.views: list[memoryview | bytes] = []
        self.carrier: Carrier | None = None
        self.losses = 0

    def opened(self, carrier: Carrier) -> None:
        self.carrier = carrier

    def text(self, data: bytes) -> None:
        assert not self.losses, "a frame after `lost`"
        self.frames.append(data)
        self.times.append(asyncio.get_running_loop().time())

    def binary(self, data: bytes | memoryview) -> None:
        self.text(bytes(data))
        self.views.append(data)

    def lost(self) -> None:
        self.losses += 1


def pair(weather: Weather | None = None, cut: Cut | None = None) -> tuple[Line, Recorder, Recorder]:
    server, client = Recorder(), Recorder()
    wires: tuple[Wire, Wire] = (server, client)
    return Line(*wires, weather or Weather(), cut), server, client


def numbers(n: int) -> list[bytes]:
    return [b"%d" % i for i in range(n)]


@pytest.mark.virtual
async def test_frames_arrive_in_order_and_late() -> None:
    line, server, client = pair(Weather(latency=0.1, jitter=0.05, seed=3))
    for frame in numbers(50):
        line.client.send_text(frame)
        line.server.send_binary(frame)
    assert line.client.buffered() == sum(map(len, numbers(50)))
    await asyncio.sleep(1.0)
    assert server.frames == client.frames == numbers(50)
    assert 0.1 <= server.times[0] <= server.times[-1] <= 0.15
    assert line.client.buffered() == 0
    assert line.statistics["to_server"].delivered == 50


@pytest.mark.virtual
async def test_a_binary_frame_is_taken_away_after_the_call() -> None:
    line, server, _ = pair()
    line.client.send_binary(b"pcm")
    await asyncio.sleep(0.1)
    with pytest.raises(ValueError):
        bytes(server.views[0])


@pytest.mark.virtual
async def test_loss_takes_audio_only_and_is_seeded() -> None:
    lost = []
    for _ in range(2):
        line, server, _ = pair(Weather(loss=0.3, seed=5))
        for frame in numbers(100):
            line.client.send_text(b"t")
            line.client.send_binary(frame)
        await asyncio.sleep(0.1)
        assert server.frames.count(b"t") == 100
        lost.append([frame for frame in numbers(100) if frame not in server.frames])
    assert lost[0] == lost[1]
    assert 10 < len(lost[0]) < 60


@pytest.mark.virtual
@pytest.mark.parametrize("how", ["clean", "reset"])
@pytest.mark.parametrize("after", [0, 1, 4])
async def test_a_cut_is_exact_and_both_sides_hear_of_it_once(how: How, after: int) -> None:
    line, server, client = pair(Weather(latency=0.1), Cut(after, "to_server", how))
    for frame in numbers(10):
        line.client.send_text(frame)
    await asyncio.sleep(1.0)
    assert server.frames == numbers(after)
    assert server.losses == client.losses == 1
    assert line.client.closed is None
    line.client.send_text(b"late")
    line.client.close(4000, "late")
    await asyncio.sleep(1.0)
    assert server.losses == client.losses == 1


@pytest.mark.virtual
async def test_a_clean_cut_lets_the_other_way_arrive_and_a_reset_does_not() -> None:
    for how, arrives in (("clean", True), ("reset", False)):
        line, _, client = pair(Weather(latency=0.1))
        line.server.send_text(b"under way")
        await asyncio.sleep(0.05)
        line.cut("clean" if how == "clean" else "reset")
        await asyncio.sleep(1.0)
        assert (client.frames == [b"under way"]) is arrives
        assert client.losses == 1


@pytest.mark.virtual
async def test_half_open_tells_nobody() -> None:
    line, server, client = pair()
    line.cut_after(1, "to_server", "half-open")
    for frame in numbers(3):
        line.client.send_text(frame)
        line.server.send_text(frame)
    await asyncio.sleep(3600.0)
    assert server.frames == [b"0"]
    assert server.losses == client.losses == 0
    line.client.send_text(b"12345")
    assert line.client.buffered() >= 5
    line.client.close(4201, "silent")
    await asyncio.sleep(1.0)
    assert (client.losses, server.losses) == (1, 0)


@pytest.mark.virtual
async def test_a_close_comes_after_what_was_sent_and_tells_its_code() -> None:
    line, server, client = pair(Weather(latency=0.1))
    line.server.send_text(b"bye")
    line.server.close(4203, "draining")
    line.client.send_text(b"crossing")
    await asyncio.sleep(1.0)
    assert client.frames == [b"bye"]
    assert server.frames == [b"crossing"]
    assert line.client.closed == (4203, "draining")
    assert line.server.closed is None
    assert (server.losses, client.losses) == (1, 1)
