"""How long does it take to come back to a session, and does it grow with its journal?

A client attaches over loopback to a server in a process of its own, from the opening of the socket to `live`. Cold: the
session is parked, so that it is loaded from the store. Warm: it is live. The floor is the same at 10 events.

Usage: python -m bench.resume
"""

import asyncio
import json
import statistics
import tempfile
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.harness import compare, report, serving
from tenuto import Tenuto, TenutoConfig

ROUNDS = 40
GRACE = 0.2
"""Seconds after which the server parks a session that a client has left."""
LENGTHS = (10, 10_000)
PROTOCOL = Subprotocol("tenuto.v1")


async def attach(
    url: str, session: str, client: str, have: dict[str, Any] | None
) -> tuple[float, dict[str, Any]]:
    """Attach and leave. Returns the seconds to `live`, and what `attached` said."""
    begun = time.perf_counter()
    address = f"{url.replace('http', 'ws')}/sessions/{session}/attach"
    async with connect(address, subprotocols=[PROTOCOL], compression=None) as socket:
        await socket.send(
            json.dumps({"type": "attach", "session": session, "client": client, "have": have})
        )
        attached: dict[str, Any] = {}
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "attached":
                attached = message
            if message["type"] == "live":
                took = time.perf_counter() - begun
                attached["head"] = message["head"]
                break
        await socket.send('{"type":"bye"}')
    return took, attached


async def fill(store: str) -> dict[int, str]:
    """Make a parked session of each length. Returns their ids."""
    made = {}
    async with Tenuto(TenutoConfig(store=store, engine="text")) as tenuto:
        for length in LENGTHS:
            async with await tenuto.create_session() as session:
                number = 0
                while session.position < length - 2:
                    number += 1
                    session.add_memory(f"Fact {number}.", key=f"k{number % 20}")
                    if number % 500 == 0:
                        await session.commit()
                made[length] = session.session_id
    return made


async def measure(url: str, made: dict[int, str]) -> list[dict[str, Any]]:
    """Attach to each session in turn, cold and warm."""
    found: dict[tuple[str, int], list[float]] = {
        (how, length): [] for how in ("cold", "warm") for length in LENGTHS
    }
    client = 0
    for _ in range(ROUNDS):
        for length in LENGTHS:
            client += 1
            cold, attached = await attach(url, made[length], f"c{client}", None)
            have = {"epoch": attached["epoch"], "position": attached["head"]}
            warm, _ = await attach(url, made[length], f"c{client}", have)
            found["cold", length].append(cold * 1e3)
            found["warm", length].append(warm * 1e3)
        await asyncio.sleep(GRACE + 0.1)
    short, long = LENGTHS
    results = []
    for how in ("cold", "warm"):
        what = f"ms to live, {how}, {long:,} events"
        results.append(compare(what, found[how, long], found[how, short], at_most=1.5))
        tail = statistics.quantiles(found[how, long], n=20)[-1]
        results.append(compare(f"{what}, p95", [tail], at_most=50.0))
    return results


def main() -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/resume.db"
        made = asyncio.run(fill(store))
        with serving("--engine", "echo", "--grace", str(GRACE), store=store) as (url, _):
            results = asyncio.run(measure(url, made))
    return report("resume", results)


if __name__ == "__main__":
    raise SystemExit(not main())
