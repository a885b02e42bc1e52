"""The server is killed at random moments of a spoken conversation, fifty times, and nobody is the wiser.

A person (a WAV, played at the speed of a microphone) says a sentence, listens to the reply, and says the next one. The
server is killed with SIGKILL at seeded moments, in the middle of whatever is going on, and started again. At the end the
conversation must be the one that was spoken: each sentence once, each reply heard once, to the sample.

A client keeps what was said for half a minute, and a server has to live for some seconds to understand a sentence: about two,
and more on a machine that is busy. Where every life is shorter than that, what was said is lost in the end, as promised. So a
sentence that is a third as old as that is given one life that lasts until it is understood.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from pathlib import Path

import numpy
import pytest
import soxr

from tenuto import events as e
from tenuto.client.client import Client
from tenuto.client.items import Complained, Happened, Missed, Restored
from tenuto.client.microphone import SECONDS
from tenuto.client.rest import Rest
from tenuto.engines.local.speaker import LocalSpeaker
from tenuto.session.ports import Read, Row
from tenuto.stores.open import open_store
from tenuto.stores.rows import to_event
from tests.acceptance.serving import PATIENCE, Served

KILLS = 50
RATE = 16_000
FRAME = RATE // 50
SENTENCES = (
    "my name is alice",
    "what is my name",
    "my favorite color is purple",
    "what do you remember about me",
    "where do i live",
    "who are you",
)
GREETING = "Hello. I am listening."


@asynccontextmanager
async def voice() -> AsyncIterator[LocalSpeaker]:
    speaker = LocalSpeaker()
    await speaker.open()
    try:
        yield speaker
    finally:
        await speaker.close()


async def audio(speaker: LocalSpeaker, text: str, pace: float | None = None) -> bytes:
    """Return a text as the engine speaks it."""
    return b"".join([chunk async for chunk in speaker.speak(text, pace)])


def recorded(pcm: bytes) -> bytes:
    """Return the engine's voice as a person's recording: at the microphone's rate, with some quiet before."""
    samples = soxr.resample(numpy.frombuffer(pcm, "<i2"), 22_050, RATE).astype("<i2")
    return bytes(RATE) + bytes(samples)


def sounding(pcm: bytes) -> bytes:
    """Return audio without its samples of silence, so that pauses of any length compare equal."""
    samples = numpy.frombuffer(pcm, "<i2")
    return bytes(samples[samples != 0].tobytes())


class Person:
    """Somebody with a microphone, who says one sentence after the other and listens to each reply."""

    def __init__(self, voices: dict[str, bytes]) -> None:
        self.voices = voices
        self.said: list[str] = []
        self.tired = False
        """Whether this sentence is the last."""
        self.speech = bytearray()
        self.events: dict[int, bytes] = {}
        self.heard = bytearray()
        self.over = asyncio.Event()
        self.understood = asyncio.Event()
        """Set while every sentence so far has arrived in the journal."""
        self.understood.set()
        self.began = 0.0
        """When the last sentence was begun, by `time.monotonic`."""

    async def listen(self, client: Client) -> None:
        async for item in client:
            assert not isinstance(item, Restored | Missed | Complained), item
            if isinstance(item, Happened):
                assert item.position not in self.events, "an event came twice"
                self.events[item.position] = item.body
                if isinstance(item.event, e.ReplyEnded):
                    self.say_next()
                elif isinstance(item.event, e.MessageAdded) and item.event.role == "user":
                    self.understood.set()
        raise AssertionError("the client was closed")

    @property
    def is_running_late(self) -> bool:
        """Whether what she said is soon older than what a client keeps."""
        return not self.understood.is_set() and time.monotonic() - self.began > SECONDS / 3

    def say_next(self) -> None:
        if self.tired:
            self.over.set()
        else:
            self.began = time.monotonic()
            self.understood.clear()
            self.said.append(SENTENCES[len(self.said) % len(SENTENCES)])
            self.speech += self.voices[self.said[-1]]

    async def speak(self, client: Client) -> None:
        """Give the client what the microphone hears, at the speed of time: speech, or the quiet of a room."""
        begun, frames = time.monotonic(), 0
        while not self.over.is_set():
            frame = bytes(self.speech[: 2 * FRAME]).ljust(2 * FRAME, b"\0")
            del self.speech[: 2 * FRAME]
            client.hear(frame)
            frames += 1
            wait = begun + frames * FRAME / RATE - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)


@pytest.mark.timeout(600)
async def test_fifty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    moments = random.Random(20261121)
    async with voice() as speaker:
        spoken = {text: recorded(await audio(speaker, text)) for text in SENTENCES}
        person = Person(spoken)
        with Served(tmp_path, engine="local") as server:
            async with Rest(server.url) as rest:
                session = (await rest.create_session(config={"greeting": GREETING})).session_id
                client = Client(
                    server.websocket,
                    session=session,
                    ticket_source=server.url,
                    microphone=RATE,
                    play=person.heard.extend,
                )
                async with client:
                    listening = asyncio.create_task(person.listen(client))
                    speaking = asyncio.create_task(person.speak(client))
                    for _ in range(KILLS):
                        await asyncio.sleep(moments.uniform(0.2, 3.6))
                        if person.is_running_late:
                            await until(person.understood, person, listening)
                        await asyncio.to_thread(server.restart)
                    person.tired = True
                    await until(person.over, person, listening)
                    await speaking
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
            server.stop()

        journal = await read(server, session)
        happened = {row.position: to_event(row) for row in journal}
        assert [row.position for row in journal] == list(range(1, len(journal) + 1))
        assert list(person.events) == list(range(2, 2 + len(person.events)))
        assert person.events.items() <= {row.position: row.body for row in journal}.items()
        messages = [event for event in happened.values() if isinstance(event, e.MessageAdded)]
        told = [message.text for message in messages if message.role == "user"]
        answers = [message for message in messages if message.role == "agent"]
        assert len(told) == len(person.said), "a sentence was lost, or came twice"
        assert all(alike(*pair) for pair in zip(told, person.said, strict=True)), told
        assert answers[0].text == GREETING
        assert len(answers) == 1 + len(person.said)
        assert [answer.said for answer in answers] == [""] * len(answers), "a reply was cut"
        paces = {ev.reply: ev.pace for ev in happened.values() if isinstance(ev, e.ReplyStarted)}
        assert len(set(paces.values())) > 1, "the voice keeps up with her, and never within a reply"
        segments = [event for event in happened.values() if isinstance(event, e.ReplySegment)]
        replies = [await audio(speaker, each.text, paces[each.reply]) for each in segments]
        assert sounding(bytes(person.heard)) == sounding(b"".join(replies))


async def until(event: asyncio.Event, person: Person, listening: "asyncio.Task[None]") -> None:
    """Wait until the person has come so far, or fail with the end of what she was told."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((waiting, listening), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if listening.done():
        listening.result()
    told = b"\n".join(list(person.events.values())[-30:]).decode()
    assert event.is_set(), f"nothing came of {person.said[-1:]} in {PATIENCE} s:\n{told}"


def alike(heard: str, said: str) -> bool:
    """Whether these are one sentence: the recogniser may mishear a word of it, and more of another one."""
    return SequenceMatcher(None, heard, said).ratio() >= 0.4


async def read(server: Served, session: str) -> list[Row]:
    """Return the whole journal of a server that has stopped."""
    store = open_store(server.store)
    try:
        return list(await store.read(Read(session=session, limit=100_000)))
    finally:
        await store.close()
