"""Credentials end while they are in use: what stands on them ends within a second or two, and nothing else does.

A revoked key is tried on a server in a process of its own; attachments that end by time on one in this process, whose patience
is short. How long both take to the second is tested in virtual time, in `tests/unit`.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from tenuto.client.client import Client
from tenuto.client.rest import Rest
from tenuto.client.socket import Ear, Socket, dial
from tenuto.clock import SystemClock
from tenuto.errors import NotAuthenticated
from tenuto.host.host import Tenuto
from tenuto.security.grants import add_key, revoke_key
from tenuto.server.app import create_app
from tenuto.server.door import Server
from tenuto.server.limits import Limits
from tenuto.settings import TenutoConfig
from tenuto.transports import websocket
from tenuto.wire import native
from tests.acceptance.peers import PATIENCE, eventually, make, peer, soon
from tests.acceptance.serving import Served, in_process


async def test_what_stands_on_a_revoked_key_ends_and_nothing_else(tmp_path: Path) -> None:
    clock = SystemClock()
    key, other = (add_key(tmp_path / "tenuto.keys", clock=clock, tenant="acme") for _ in range(2))
    headers = [{"Authorization": f"Bearer {one}"} for one in (key, other)]
    with Served(tmp_path) as server:
        async with (
            httpx.AsyncClient(base_url=server.url, headers=headers[0], timeout=PATIENCE) as http,
            httpx.AsyncClient(base_url=server.url, headers=headers[1], timeout=PATIENCE) as good,
        ):
            session, beside = await make(http), await make(good)
            given = (
                await http.post(f"/sessions/{session}/tickets", json={"role": "observer"})
            ).json()
            unused = (await http.post(f"/sessions/{session}/tickets", json={})).json()
            async with (
                peer(server.url, session, additional_headers=headers[0], client="mine") as by_key,
                peer(server.url, session, f"tenuto.t.{given['ticket']}") as by_ticket,
                peer(server.url, beside, additional_headers=headers[1]) as control,
                http.stream("GET", f"/sessions/{session}/events") as listening,
            ):
                token = (await by_key.attach())["token"]
                await by_ticket.attach(role="observer")
                await control.attach()
                await by_key.say("before")

                revoke_key(tmp_path / "tenuto.keys", key.split("_")[1])
                for one in (by_key, by_ticket):
                    assert (await one.refused())[:2] == ("authentication_failed", 4301)
                await soon(listening.aread())

                await control.say("I go on")
            # Nothing that it gave is of use any more: not its tickets, and not the resume tokens.
            async with peer(server.url, session, f"tenuto.t.{unused['ticket']}") as one:
                await one.ask_to_attach()
                assert (await one.refused())[:2] == ("authentication_failed", 4301)
            async with peer(server.url, session, client="mine") as one:
                await one.ask_to_attach(token=token)
                assert (await one.refused())[:2] == ("authentication_failed", 4301)
            assert (await http.get(f"/sessions/{session}")).status_code == 401
            # The session itself has lost nothing: the tenant's other key opens it.
            assert not (await good.get(f"/sessions/{session}")).json()["ended"]
            async with peer(
                server.url, session, client="mine", additional_headers=headers[1]
            ) as one:
                await one.attach(token=token)
                await one.say("after")


@contextlib.asynccontextmanager
async def serving(folder: Path, limits: Limits) -> AsyncIterator[tuple[Server, str]]:
    """A server in this process, and the key that it wants."""
    key = add_key(folder / "tenuto.keys", clock=SystemClock())
    config = TenutoConfig(store="memory:", engine="echo", port=0, keys=str(folder / "tenuto.keys"))
    host = Tenuto(config)
    server = Server(host, app=create_app(host, limits=limits, static=None))
    async with in_process(server):
        yield server, key


@pytest.mark.parametrize("answers", [True, False], ids=["renewed", "control"])
async def test_an_attachment_goes_on_for_another_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(websocket, "LATE_SECONDS", 0.0)
    async with (
        serving(tmp_path, Limits(attachment_seconds=2.0)) as (server, key),
        Rest(server.address, key) as rest,
    ):
        session = (await rest.create_session()).session_id
        source = rest.ticket_source(session)
        tickets: list[str] = []
        sockets: list[str] = []

        async def ticket() -> str:
            if tickets and not answers:
                raise NotAuthenticated
            tickets.append(await source())
            return tickets[-1]

        async def dialled(url: str, protocols: Sequence[str], ear: Ear) -> Socket:
            sockets.append(url)
            return await dial(url, protocols, ear)

        async with Client(
            server.address, session=session, ticket_source=ticket, dial=dialled
        ) as client:
            await soon(client.live())
            if not answers:
                # It comes back with its resume token, which ended with the ticket, and then with nothing.
                await eventually(lambda: client.state == "closed")
                assert isinstance(client.error, NotAuthenticated)
                return
            # Each is asked for when the one before is about to end: four of them last longer than two seconds.
            await eventually(lambda: len(tickets) > 4)
            await soon(client.send(native.SendMessage(text="still here")))
            assert (client.state, len(sockets)) == ("live", 1)
