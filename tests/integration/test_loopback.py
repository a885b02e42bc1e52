"""The command line's client and a host in one process: `tenuto.v1` without a socket."""

import math
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tenuto.audio.format import Clip, read_wav, silence
from tenuto.cli.call import Call, Recorded
from tenuto.cli.loopback import dial_into
from tenuto.cli.output import Output
from tenuto.cli.written import WireDialogue
from tenuto.client.client import Client
from tenuto.errors import SessionEnded, SessionNotFound
from tenuto.host.host import Tenuto
from tenuto.settings import TenutoConfig
from tenuto.wire.native import EndSession, StartConversation

RATE = 16_000
TONE = b"".join(
    struct.pack("<h", round(12_000 * math.sin(2 * math.pi * 440 * n / RATE))) for n in range(RATE)
)
"""A second of 440 Hz."""


@asynccontextmanager
async def host(engine: str) -> AsyncIterator[Tenuto]:
    async with Tenuto(TenutoConfig(store="memory:", engine=engine)) as tenuto:
        yield tenuto


async def test_a_conversation_in_writing_goes_through_the_wire() -> None:
    async with host("text") as tenuto:
        session = await tenuto.create_session()
        async with Client(
            "ws://here", session=session.session_id, dial=dial_into(tenuto)
        ) as client:
            await client.live()
            await client.send(StartConversation())
            dialogue = WireDialogue(client, session.session_id)
            await dialogue.say("My name is Alice")
            answer = await dialogue.say("What is my name?")
    assert "Alice" in answer.text
    assert answer.heard == answer.text


async def test_the_same_words_twice_get_two_answers() -> None:
    async with host("text") as tenuto:
        session = await tenuto.create_session()
        async with Client(
            "ws://here", session=session.session_id, dial=dial_into(tenuto)
        ) as client:
            await client.live()
            dialogue = WireDialogue(client, session.session_id)
            first = await dialogue.say("What is 3 plus 4?")
            second = await dialogue.say("What is 3 plus 4?")
        page = await tenuto.history(session.session_id)
    assert "7" in first.text
    assert "7" in second.text
    assert [message.turn for message in page.messages] == [1, 1, 2, 2]


async def test_a_session_that_ends_ends_the_dialogue() -> None:
    async with host("text") as tenuto:
        session = await tenuto.create_session()
        async with Client(
            "ws://here", session=session.session_id, dial=dial_into(tenuto)
        ) as client:
            await client.live()
            dialogue = WireDialogue(client, session.session_id)
            await client.send(EndSession())
            with pytest.raises(SessionEnded):
                await dialogue.say("Hello?")


async def test_a_session_that_is_not_there_closes_the_client() -> None:
    async with (
        host("text") as tenuto,
        Client("ws://here", session="nothing", dial=dial_into(tenuto)) as client,
    ):
        with pytest.raises(SessionNotFound):
            await client.live()


async def test_a_recording_is_said_and_what_comes_back_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The echo engine relays: what is said is what is heard."""
    call = Call(Recorded(Clip(rate=RATE, pcm=TONE + silence(0.1, RATE)), fast=True), Output(True))
    async with host("echo") as tenuto:
        session = await tenuto.create_session()
        async with Client(
            "ws://here",
            session=session.session_id,
            microphone=RATE,
            play=call.played,
            dial=dial_into(tenuto),
        ) as client:
            await call.run(client, session.session_id)
    call.write(tmp_path / "out.wav")
    heard = read_wav(tmp_path / "out.wav")
    values = struct.unpack(f"<{len(heard.pcm) // 2}h", heard.pcm)
    assert heard.rate == RATE
    assert max(values) > 10_000
    assert capsys.readouterr().out == ""
