"""What does a session cost in memory: attached and idle, detached, parked, and gone?

Sessions are opened over loopback in a server with the echo engine, in a process of its own whose resident memory is read.
A first batch warms the process up and is not counted.

Usage: python -m bench.density
"""

import asyncio
import json
import time
from typing import Any

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.harness import compare, report, serving

IDLE = 500
"""Sessions that are attached at the same time."""
CHURN = 2_000
"""Sessions that are opened and ended, one after the other."""
PARKED = 10_000
GRACE = 3.0
"""Seconds after which the server parks a session that a client has left."""
PROTOCOL = Subprotocol("tenuto.v1")


def kilobytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return psutil.Process(pid).memory_info().rss / 1024


async def attached(http: httpx.AsyncClient, url: str) -> tuple[str, ClientConnection]:
    """Make a session and attach to it with a microphone and a loudspeaker. Returns its id and the socket."""
    session: str = (await http.post("/sessions", json={})).json()["session_id"]
    address = f"{url.replace('http', 'ws')}/sessions/{session}/attach"
    socket = await connect(address, subprotocols=[PROTOCOL], compression=None)
    hello = {
        "type": "attach",
        "session": session,
        "client": "bench",
        "mic": {"stream": "m", "rate": 16_000},
        "loudspeaker": {},
    }
    await socket.send(json.dumps(hello))
    async for message in socket:
        if '"live"' in str(message)[:20]:
            break
    return session, socket


async def some(http: httpx.AsyncClient, url: str, count: int) -> list[tuple[str, ClientConnection]]:
    """Attach to so many new sessions."""
    return [await attached(http, url) for _ in range(count)]


async def churn(http: httpx.AsyncClient, url: str, count: int) -> None:
    """Open and end so many sessions."""
    for _ in range(count):
        session, socket = await attached(http, url)
        await socket.close()
        (await http.post(f"/sessions/{session}/end")).raise_for_status()


async def settled(pid: int, seconds: float) -> float:
    """Return the memory when it has not changed by more than 64 KB for a second, or after so many seconds."""
    until, before = time.monotonic() + seconds, kilobytes(pid)
    while time.monotonic() < until:
        await asyncio.sleep(1.0)
        now = kilobytes(pid)
        if abs(now - before) <= 64:
            return now
        before = now
    return before


async def measure(url: str, pid: int) -> list[dict[str, Any]]:
    """Measure every state of a session."""
    results = []
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        await churn(http, url, 200)
        before = await settled(pid, 10)
        held = await some(http, url, IDLE)
        idle = (await settled(pid, 4) - before) / IDLE
        results.append(compare("KB an idle attached session", [idle], at_most=40))
        for _, socket in held:
            await socket.close()
        detached = (kilobytes(pid) - before) / IDLE
        results.append(compare("KB a detached session", [detached], at_most=40))
        await asyncio.sleep(GRACE)
        parked = (await settled(pid, 10) - before) / IDLE
        results.append(compare("KB a parked session, right after it was live", [parked]))

        before = await settled(pid, 5)
        for _ in range(PARKED // 500):
            await asyncio.gather(*(http.post("/sessions", json={}) for _ in range(500)))
            await asyncio.sleep(GRACE)
        cost = (await settled(pid, 15) - before) / PARKED
        results.append(compare(f"KB each of {PARKED:,} parked sessions", [cost], at_most=0.5))

        before = await settled(pid, 5)
        await churn(http, url, CHURN)
        left = (await settled(pid, 10) - before) / (CHURN / 1_000)
        what = f"KB left for 1,000 of {CHURN:,} sessions opened and ended"
        results.append(compare(what, [left], at_most=50))
    return results


def main() -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    with serving("--engine", "echo", "--grace", str(GRACE)) as (url, pid):
        results = asyncio.run(measure(url, pid))
    return report("density", results)


if __name__ == "__main__":
    raise SystemExit(not main())
