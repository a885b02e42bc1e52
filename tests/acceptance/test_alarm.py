"""A timer that was set before the server was killed rings after it is started again."""

import asyncio
import functools
from pathlib import Path

from tenuto import events as e
from tenuto.client.client import Client
from tenuto.client.items import Happened
from tenuto.client.rest import Rest
from tenuto.wire.native import SendMessage
from tests.acceptance.serving import PATIENCE, Served


async def until(client: Client, kind: type[e.Event]) -> e.Event:
    """Read the client's items up to an event of a kind, and return it."""
    async with asyncio.timeout(PATIENCE):
        async for item in client:
            if isinstance(item, Happened) and isinstance(item.event, kind):
                return item.event
    raise AssertionError("the client was closed")


async def test_timer_rings_though_the_server_was_killed(tmp_path: Path) -> None:
    with Served(tmp_path, engine="text") as server:
        async with Rest(server.url) as rest:
            session = (await rest.create_session()).session_id
        async with Client(server.websocket, session=session, ticket_source=server.url) as client:
            await client.send(SendMessage(text="set a timer for three seconds"))
            alarm = await until(client, e.AlarmSet)
            await asyncio.to_thread(server.restart)
            await until(client, e.AlarmRang)
            told = await until(client, e.ReplyStarted)
            said = await until(client, e.MessageAdded)
    assert isinstance(alarm, e.AlarmSet) and isinstance(told, e.ReplyStarted)
    assert told.alarm == alarm.alarm
    assert isinstance(said, e.MessageAdded) and "three second timer is up" in said.text


async def test_timer_of_a_parked_session_waits_for_somebody_to_tell(tmp_path: Path) -> None:
    with Served(tmp_path, "--grace", "0.1", engine="text") as server:
        async with Rest(server.url) as rest:
            session = (await rest.create_session()).session_id
        here = functools.partial(
            Client, server.websocket, session=session, ticket_source=server.url
        )
        async with here() as client:
            await client.send(SendMessage(text="set a timer for one second"))
            await until(client, e.AlarmSet)
        async with here(role="observer") as observer:
            await until(observer, e.AlarmRang)
        async with here() as client:
            said = await until(client, e.MessageAdded)
    assert isinstance(said, e.MessageAdded) and "timer is up" in said.text
