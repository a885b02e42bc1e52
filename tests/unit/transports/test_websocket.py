"""`tenuto.v1` at the server: what a carrier is given, and in which order."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tenuto.errors import NotAuthenticated
from tenuto.host.host import Tenuto
from tenuto.security.grants import Admission
from tenuto.server.limits import Limits
from tenuto.session.session import Session
from tenuto.settings import TenutoConfig
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script, Step
from tenuto.transports import websocket
from tenuto.transports.websocket import (
    EARLY_AUDIO,
    FRAME_COST,
    LATE_SECONDS,
    SOON_SECONDS,
    WRAP,
    NativeWire,
)
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
    def code(self) -> int:
        """Of the close frame; 0 while there is none."""
        return self.closed[0] if self.closed is not None else 0

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


class Rightful:
    """What a client was let in for: it ends when the test says, and is renewed by the ticket `good`."""

    def __init__(self, clock: VirtualClock, seconds: float = math.inf) -> None:
        self._clock, self._seconds = clock, seconds
        self.until = clock.monotonic() + seconds
        self.revoked = False

    def left(self) -> float:
        if self.revoked:
            raise NotAuthenticated("Revoked.")
        return self.until - self._clock.monotonic()

    def renew(self, ticket: str) -> None:
        if ticket != "good":
            raise NotAuthenticated("This ticket is unknown, used or expired.")
        self.until = self._clock.monotonic() + self._seconds


@asynccontextmanager
async def opened(
    right: Rightful | None = None,
    script: Script | None = None,
) -> AsyncIterator[tuple[NativeWire, Socket, Session]]:
    """A socket that was just opened, and the session that it is for."""
    clock, socket = VirtualClock(), Socket()
    store = InMemoryStore(clock)
    async with Tenuto(
        TenutoConfig(), store=store, engines=script or Script(), clock=clock
    ) as tenuto:
        session = await tenuto.create_session(session_id="s")
        admission = Admission(tenant="local", session="s", role="controller")
        wire = NativeWire(tenuto, lambda ticket, attach: admission, Limits(), right)
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


async def test_a_client_is_asked_for_its_microphone_again_when_the_engine_was_lost() -> None:
    script = Script(Step(hear="Hi"))
    async with opened(script=script) as (wire, socket, session):
        await attach(wire, mic=native.Mic(stream="m", rate=RATE, rewinds=True))
        driver = session.driver
        wire.binary(native.audio(native.MICROPHONE, 0, 0, b"\x40\0" * 8_000))
        script.links[-1].fail("gone")
        await quiet()
        assert said(socket, "rewind") == [{"type": "rewind", "mic": 0}]
        wire.binary(native.audio(native.MICROPHONE, 0, 8_000, bytes(640)))
        assert driver.microphone.heard == 0, "it was under way"
        wire.text(native.encode(native.Rewind(mic=0)))
        wire.binary(native.audio(native.MICROPHONE, 0, 0, bytes(640)))
        assert driver.microphone.heard == 320


async def test_a_client_that_does_not_rewind_is_not_asked_to() -> None:
    script = Script(Step(hear="Hi"))
    async with opened(script=script) as (wire, socket, session):
        await attach(wire, mic=native.Mic(stream="m", rate=RATE))
        driver = session.driver
        wire.binary(native.audio(native.MICROPHONE, 0, 0, b"\x40\0" * 8_000))
        script.links[-1].fail("gone")
        await quiet()
        wire.binary(native.audio(native.MICROPHONE, 0, 8_000, bytes(640)))
        assert (said(socket, "rewind"), driver.microphone.heard) == ([], 8_320)


async def test_a_client_that_is_gone_is_not_attached() -> None:
    async with opened() as (wire, socket, session):
        wire.text(native.encode(native.Attach(session="s", client="tab")))
        wire.lost()
        await quiet()
        assert (socket.frames, session.driver.core.state.attachments) == ([], 0)


# ------------------------------------------------------------------------------------------------------- credentials that end


async def stay(wire: NativeWire, seconds: float) -> None:
    """Let so much time pass, with a beat of the client's each second."""
    for _ in range(round(seconds)):
        wire.text(native.encode(native.Beat()))
        await asyncio.sleep(1.0)


def said(socket: Socket, kind: str) -> list[Any]:
    frames = [msgspec.json.decode(one) for one in socket.frames if one.startswith(b"{")]
    return [frame for frame in frames if frame["type"] == kind]


async def test_a_client_is_told_that_its_credentials_end_and_goes_on_with_others() -> None:
    right = Rightful(VirtualClock(), 100.0)
    async with opened(right) as (wire, socket, session):
        await attach(wire, mic=native.Mic(stream="m", rate=RATE))
        await stay(wire, 100 - SOON_SECONDS - 2)
        assert said(socket, "auth_soon") == []
        await stay(wire, 4)
        (soon,) = said(socket, "auth_soon")
        assert SOON_SECONDS - 3 <= soon["seconds"] <= SOON_SECONDS
        # What is not good changes nothing, and may be followed by what is.
        wire.text(native.encode(native.Auth(ticket="bad")))
        assert said(socket, "error")[-1]["code"] == "authentication_failed"
        for number in range(50):
            wire.binary(native.audio(native.MICROPHONE, 0, number * 320, bytes(640)))
            if number == 25:
                wire.text(native.encode(native.Auth(ticket="good")))
        assert said(socket, "authorized") == [{"type": "authorized", "seconds": 100.0}]
        assert session.driver.microphone.heard == 50 * 320, "nothing was left out"
        await stay(wire, 100 - SOON_SECONDS + 2)
        assert len(said(socket, "auth_soon")) == 2, "the next end is told again"
        assert (socket.closed, session.driver.core.state.attachments) == (None, 1)


async def test_who_comes_late_is_still_taken_and_who_does_not_come_is_let_go() -> None:
    right = Rightful(VirtualClock(), 10.0)
    async with opened(right) as (wire, socket, session):
        await attach(wire)
        await stay(wire, 10 + LATE_SECONDS - 2)
        wire.text(native.encode(native.Auth(ticket="good")))
        await stay(wire, 10 + LATE_SECONDS - 2)
        assert socket.code == 0
        await stay(wire, 4)
        assert socket.code == native.CloseCode.EXPIRED
        state = session.driver.core.state
        assert (state.here, state.ended) == ({}, False)
        await session.driver.commit()
        assert str(session.state) != "ended"


async def test_what_is_taken_back_ends_within_a_second() -> None:
    right = Rightful(VirtualClock())
    async with opened(right) as (wire, socket, session):
        await attach(wire)
        await stay(wire, 2)
        assert socket.code == 0
        right.revoked = True
        await asyncio.sleep(1.1)
        assert socket.code == native.CloseCode.EXPIRED
        assert said(socket, "error")[-1]["code"] == "authentication_failed"
        assert session.driver.core.state.here == {}


async def test_where_nothing_ends_nothing_is_renewed() -> None:
    async with opened() as (wire, socket, _):
        wire.text(native.encode(native.Auth(ticket="good")))
        await attach(wire)
        wire.text(native.encode(native.Auth(ticket="good")))
        assert [one["code"] for one in said(socket, "error")] == ["invalid_input"] * 2
        assert socket.closed is None


async def test_a_flood_of_beats_is_not_taken() -> None:
    async with opened() as (wire, socket, _):
        await attach(wire)
        for _ in range(Limits().audio_burst // FRAME_COST - 2):
            wire.text(native.encode(native.Beat()))
        assert socket.code == 0
        for _ in range(4):
            wire.text(native.encode(native.Beat()))
        assert socket.code == native.CloseCode.OVERLOADED
