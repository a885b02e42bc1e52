"""The conversation of `tests.acceptance.conversation` through the whole server, over real sockets that are cut at some of
their frame boundaries.

The server listens on loopback, the proxy of `tenuto.testing.proxy` stands before it, and all of them run in one virtual
loop: sockets are real, and the twelve seconds that a half-open connection takes to be noticed are not.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from tenuto.client.client import Client
from tenuto.client.microphone import Microphone
from tenuto.host.host import Tenuto
from tenuto.server.door import Server
from tenuto.session import ports
from tenuto.settings import TenutoConfig
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock, run
from tenuto.testing.proxy import Direction, FaultProxy, How, Rule
from tests.acceptance.conversation import (
    CONFIG,
    HISTORY,
    RATE,
    SESSION,
    Ear,
    Outcome,
    Person,
    Talk,
    left_behind,
    outcome,
)
from tests.acceptance.far import FarTalk

STEP = 5
"""Frames from one place of a cut to the next: some fifty places in all."""
FRAME = 0.04
"""Seconds of microphone in a frame."""
OPEN_SECONDS = 10.0
"""Seconds that a server may take to start, or to end."""


@contextlib.asynccontextmanager
async def serving(host: Tenuto, listening: socket.socket) -> AsyncIterator[None]:
    """Serve a host from this socket."""
    server, started = Server(host), asyncio.Event()
    server.on_started = lambda address: started.set()
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.wait_for(started.wait(), OPEN_SECONDS)
        yield
    finally:
        server.stop()
        await asyncio.wait_for(running, 2 * OPEN_SECONDS)


async def converse(folder: Path, cut: Rule, talk: Talk | None = None) -> Outcome:
    """Have the conversation, with the first connection cut by this rule.

    Args:
        folder: Where the server's keys are.
        cut: What befalls the connection.
        talk: Engines whose links are dropped; those of `Talk` when None.
    """
    problems: list[str] = []
    level = logging.WARNING if talk is None else logging.ERROR
    talk, clock = talk or Talk(), VirtualClock()
    store = InMemoryStore(clock)
    person = Person(talk, FRAME)
    with Ear(problems, level), socket.create_server(("127.0.0.1", 0)) as listening:
        rules = {1: cut}
        port = listening.getsockname()[1]
        async with FaultProxy(port, rule=lambda number: rules.get(number, Rule())) as proxy:
            door = f"127.0.0.1:{proxy.port}"
            config = TenutoConfig(port=port, keys=str(folder / "keys"), allow=(door,))
            host = Tenuto(config, store=store, engines=talk, clock=clock)
            async with serving(host, listening):
                await host.create_session(session_id=SESSION, user_id="alice", config=CONFIG)
                client = Client(f"ws://{door}", session=SESSION, microphone=RATE, play=person.play)
                async with person.at(client):
                    await person.converse(client)
        problems += [*talk.problems, *await left_behind()]
    came = await outcome(store, person, problems, proxy.statistics.connections)
    came.counts = {way: frames for way, frames in proxy.statistics.frames.items()}
    return came


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(converse(tmp_path_factory.mktemp("uncut"), Rule()))


def test_what_the_conversation_is_when_nothing_happens(uncut: Outcome) -> None:
    assert uncut.history == HISTORY
    assert uncut.connections == 1
    uncut.check(uncut)


def failures(folder: Path, uncut: Outcome, how: How, direction: Direction) -> dict[int, str]:
    """Have the conversation with a cut after every so many frames. Returns what went wrong, by frame."""
    wrong: dict[int, str] = {}
    for after in range(0, uncut.counts[direction] - 3, STEP):
        try:
            came = run(converse(folder, Rule(after=after, direction=direction, how=how)))
            assert came.connections == 2, "the connection was not cut"
            came.check(uncut)
        except Exception as error:  # noqa: BLE001 -- whatever it was, the next place is tried
            wrong[after] = str(error) or repr(error)
    return wrong


@pytest.mark.parametrize("direction", get_args(Direction))
@pytest.mark.parametrize("how", get_args(How))
def test_cut(tmp_path: Path, uncut: Outcome, how: How, direction: Direction) -> None:
    assert failures(tmp_path, uncut, how, direction) == {}


def test_engines_that_are_dropped_in_the_middle_of_what_is_said(
    tmp_path: Path, uncut: Outcome
) -> None:
    talk = FarTalk()
    dropped: set[str] = set()

    def drop(_: str) -> None:
        """Drop the link that is about to tell what was said, the first time that it is said."""
        match talk.telling:
            case ports.SpeechFinished(text=text) if text not in dropped:
                dropped.add(text)
                talk.drop()

    talk.reached = drop
    came = run(converse(tmp_path, Rule(), talk))
    came.check(uncut)
    assert (talk.drops, came.connections) == (3, 1)


def test_control_a_microphone_that_goes_on_where_it_was_is_caught(
    tmp_path: Path, uncut: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Microphone, "rewind", lambda self, offset: 0)
    assert failures(tmp_path, uncut, "half-open", "to_server")
