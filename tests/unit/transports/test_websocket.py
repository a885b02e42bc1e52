"""`tenuto.v1` at the server: what a carrier is given, and in which order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tenuto.host.host import Tenuto
from tenuto.security.grants import Admission
from tenuto.server.limits import Limits
from tenuto.session.session import Session
from tenuto.settings import TenutoConfig
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script
from tenuto.transports import websocket
from tenuto.transports.websocket import EARLY_AUDIO, WRAP, NativeWire
from tenuto.wire import native
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual

RATE = 16_000
FRAME = bytes(range(64)) * 10


class Socket:
    """A carrier that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def send_text(self, data: bytes) -> None:
        self.frames.append(data)

    def send_binary(self, data: bytes) -> None:
        self.frames.append(data)

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    @property
    def kinds(self) -> list[str]:
        """The types of the text frames; `audio` for the others."""
        return [
            msgspec.json.decode(frame)["type"] if frame.startswith(b"{") else "audio"
            for frame in self.frames
        ]

    @property
    def audio(self) -> list[tuple[int, int, bytes]]:
        """Reply, offset and samples of the audio frames."""
        heads = [(native.HEAD.unpack_from(f), f[8:]) for f in self.frames if not f.startswith(b"{")]
        return [(reply, offset, pcm) for (_, _, reply, offset), pcm in heads]


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[NativeWire, Socket, Session]]:
    """A socket that was just opened, and the session that it is for."""
    clock, socket = VirtualClock(), Socket()
    store = InMemoryStore(clock)
    async with Tenuto(TenutoConfig(), store=store, engines=Script(), clock=clock) as tenuto:
        session = await tenuto.create_session(session_id="s")
        admission = Admission(tenant="local", session="s", role="controller")
        wire = NativeWire(tenuto, lambda ticket, attach: admission, Limits())
        wire.opened(socket)
        yield wire, socket, session
        wire.lost()


async def attach(wire: NativeWire, loudspeaker: int | None = None, **more: Any) -> None:
    speaker = native.Loudspeaker(rate=loudspeaker)
    message = native.Attach(session="s", client="tab", loudspeaker=speaker, **more)
    wire.text(native.encode(message))
    await quiet()


class Halver:
    """Takes every second sample: a resampler that can be counted on."""

    def __init__(self, source: int, target: int) -> None:
        assert source == 2 * target

    def push(self, pcm: bytes) -> bytes:
        return b"".join(pcm[at : at + 2] for at in range(0, len(pcm) - 3, 4))

    def finish(self) -> bytes:
        return b""


async def test_audio_waits_until_the_client_was_told_its_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "Resampler", Halver)
    async with opened() as (wire, socket, _):
        for number in range(EARLY_AUDIO + 1):
            wire.audio(1, number * 320, FRAME)
        assert socket.frames == []
        await attach(wire, loudspeaker=RATE // 2)
        assert socket.kinds[:2] == ["attached", "audio"]
        half = Halver(2, 1).push(FRAME)
        assert socket.audio == [(1, number * 160, half) for number in range(EARLY_AUDIO)]


async def test_a_reply_that_goes_on_elsewhere_is_resampled_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "Resampler", Halver)
    async with opened() as (wire, socket, _):
        await attach(wire, loudspeaker=RATE // 2)
        for reply, offset in ((1, 0), (1, 320), (1, 3_200), (2, 6_400)):
            wire.audio(reply, offset, FRAME)
        assert [frame[:2] for frame in socket.audio] == [(1, 0), (1, 160), (1, 1_600), (2, 3_200)]
        before = len(socket.frames)
        wire.audio(2, 6_720, b"\0\0")
        assert len(socket.frames) == before, "a frame of which nothing is left is none"


async def test_offsets_of_a_microphone_that_is_on_for_days_begin_anew() -> None:
    async with opened() as (wire, _, session):
        await attach(wire, mic=native.Mic(stream="m", rate=RATE))
        microphone = session.driver.microphone
        microphone.start("m", RATE, WRAP - 320)
        for offset in (WRAP - 320, 0, 320):
            wire.binary(native.audio(native.MICROPHONE, 0, offset, bytes(640)))
        assert microphone.heard == WRAP + 640


async def test_a_client_that_is_gone_is_not_attached() -> None:
    async with opened() as (wire, socket, session):
        wire.text(native.encode(native.Attach(session="s", client="tab")))
        wire.lost()
        await quiet()
        assert (socket.frames, session.driver.core.state.attachments) == ([], 0)
