"""A conversation by voice and in writing through the whole house, cut at every frame boundary: nothing may change.

In virtual time, over lines within the process: host, session, transport and client are the real ones; the engine plays a
script that notices audio which was lost or came twice.
"""

import asyncio
from collections.abc import Sequence

import pytest

from tenuto.client import Client, Happened
from tenuto.client.socket import Ear, Socket
from tenuto.events import ReplyCut, ReplyEnded
from tenuto.host.host import Tenuto
from tenuto.security.grants import Admission
from tenuto.server.limits import Limits
from tenuto.settings import TenutoConfig
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script, Step, voice
from tenuto.testing.transport import Cut, Direction, How, Line, Weather
from tenuto.transports.websocket import NativeWire
from tenuto.wire.native import Attach, SendMessage

RATE = 16_000
FRAME = bytes(2 * RATE // 50)
SAID = ["Nice to meet you, Alice.", "How are you?", "Alice."]
HISTORY = ["My name is Alice", f"{SAID[0]} {SAID[1]}", "What's my name?", SAID[2]]


def admit(_: str, attach: Attach) -> Admission:
    return Admission(tenant="local", session=attach.session, role=attach.role)


class Talk:
    """One run of the conversation; the first line has the cut."""

    def __init__(self, cut: Cut | None = None, loss: float = 0.0) -> None:
        self.lines: list[Line] = []
        self.heard = bytearray()
        """What came out of the loudspeaker."""
        self.positions: list[int] = []
        self.history: list[str] = []
        self._replies = 0
        self._cut = cut
        self._weather = Weather(latency=0.01, loss=loss)
        self._script = Script(
            Step(hear=HISTORY[0], seconds=0.5, say=SAID[:2], delay=0.1),
            Step(hear=HISTORY[2], say=SAID[2:]),
        )

    async def run(self) -> None:
        try:
            await self._house()
        finally:
            # What the script did not expect is the cause of all that follows from it.
            self._script.check()

    async def _house(self) -> None:
        clock = VirtualClock()
        config, store = TenutoConfig(engine="echo"), InMemoryStore(clock=clock)
        engines: object = self._script
        async with Tenuto(config, store=store, engines=engines, clock=clock) as tenuto:  # type: ignore[arg-type]
            await tenuto.create_session(user_id="alice", session_id="s")

            async def dial(url: str, protocols: Sequence[str], ear: Ear) -> Socket:
                wire = NativeWire(tenuto, admit, Limits())
                cut = None if self.lines else self._cut
                self.lines.append(Line(wire, ear, self._weather, cut))  # type: ignore[arg-type]
                return self.lines[-1].client

            async with Client(
                "ws://house", session="s", dial=dial, microphone=RATE, play=self.heard.extend
            ) as client:
                reading = asyncio.create_task(self._read(client))
                await self._converse(client)
                await client.close()
                await reading
            self.history = [message.text for message in (await tenuto.history("s")).messages]

    async def _converse(self, client: Client) -> None:
        speech = self._script.speech(1, RATE)
        for start in range(0, len(speech), len(FRAME)):
            client.hear(speech[start : start + len(FRAME)])
            await asyncio.sleep(0.02)
        async with asyncio.timeout(60.0):
            await self._listen(client, 1)
            await client.send(SendMessage(text=HISTORY[2]))
            await self._listen(client, 2)
        await asyncio.sleep(0.5)

    async def _listen(self, client: Client, replies: int) -> None:
        while self._replies < replies:
            client.hear(FRAME)
            await asyncio.sleep(0.02)

    async def _read(self, client: Client) -> None:
        async for item in client:
            if isinstance(item, Happened):
                self.positions.append(item.position)
                self._replies += isinstance(item.event, ReplyEnded | ReplyCut)


@pytest.mark.virtual
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
@pytest.mark.parametrize("how", ["clean", "reset", "half-open"])
async def test_a_cut_changes_nothing(how: How, direction: Direction, part: int) -> None:
    uncut = Talk()
    await uncut.run()
    assert uncut.history == HISTORY
    assert uncut.heard.replace(b"\0\0", b"") == b"".join(voice(text, RATE) for text in SAID)
    frames = uncut.lines[0].statistics[direction].delivered
    for after in range(part, frames, 4):
        talk = Talk(Cut(after, direction, how))
        await talk.run()
        where = f"{how} {direction} after {after} of {frames} frames"
        assert talk.history == HISTORY, where
        assert talk.positions == list(
            range(talk.positions[0], talk.positions[0] + len(talk.positions))
        )
        if how != "half-open":
            assert talk.heard.replace(b"\0\0", b"") == uncut.heard.replace(b"\0\0", b""), where


@pytest.mark.virtual
async def test_control_audio_that_is_lost_shows_in_the_history() -> None:
    talk = Talk(loss=0.4)
    with pytest.raises(AssertionError, match=r"heard 0\.\d+ of 0\.500 s"):
        await talk.run()
