"""What does a 20 ms audio frame cost on its way through a server, and what does Tenuto add to a
bare echo?

Each server runs in a process of its own: `tenuto serve` with the echo engine (picows), the same app
mounted in a plain uvicorn (ASGI), and three bare echo servers. The clients are one other process,
the same for all: each session sends a frame every 20 ms and waits for it to come back. Function
calls are counted by cProfile and repeat exactly; CPU and round-trip time are of a machine that does
other things too, so read them as ratios to the floor, which takes its turn in the same run.

Usage: python -m bench.relay [--sessions 50 100 200] [--seconds 4]
"""

import argparse
import asyncio
import contextlib
import cProfile
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import picows
import uvloop
from picows import WSListener, WSMsgType, WSTransport

from bench.harness import report

RATE = 16_000
"""Hertz."""
SAMPLES = RATE // 50
"""Of one frame: 20 ms."""
HEAD = struct.Struct("<BBHI")
PCM = bytes(2 * SAMPLES)
KINDS = ("picows", "websockets", "starlette", "tenuto", "tenuto-asgi")
FLOOR = "picows"
AIMS = {"tenuto": 15.0, "tenuto-asgi": 130.0}
"""Function calls a frame, at most."""
WARM_SECONDS = 1.0

# ------------------------------------------------------------------------------------ the servers


async def serve_picows() -> int:
    class Echo(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: picows.WSFrame) -> None:
            if frame.msg_type == WSMsgType.BINARY:
                transport.send(WSMsgType.BINARY, frame.get_payload_as_memoryview())

    server = await picows.ws_create_server(lambda request: Echo(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def serve_websockets() -> int:
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    async def echo(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)

    server = await serve(echo, "127.0.0.1", 0, compression=None)
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


async def serve_starlette() -> int:
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket.iter_bytes():
            await socket.send_bytes(message)

    return await _uvicorn(Starlette(routes=[WebSocketRoute("/{path:path}", echo)]))


def _tenuto() -> Any:
    from tenuto.host.host import Tenuto
    from tenuto.settings import TenutoConfig

    folder = os.environ["TENUTO_BENCH_FOLDER"]
    store, keys = f"sqlite:///{folder}/bench.db", f"{folder}/keys"
    return Tenuto(TenutoConfig(store=store, keys=keys, engine="echo", port=0))


async def serve_tenuto() -> int:
    from tenuto.server.door import Server

    server = Server(_tenuto())
    running = asyncio.create_task(server.serve())
    RUNNING.add(running)
    while not server.address:  # noqa: ASYNC110 -- there is nothing to wait for
        await asyncio.sleep(0.01)
    return int(server.address.rpartition(":")[2])


async def serve_tenuto_asgi() -> int:
    from tenuto.server.app import create_app

    return await _uvicorn(create_app(_tenuto(), static=None))


RUNNING: set[asyncio.Task[None]] = set()


async def _uvicorn(app: Any) -> int:
    import uvicorn

    config = uvicorn.Config(
        app, port=0, log_config=None, log_level="error", ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)
    RUNNING.add(asyncio.create_task(server.serve()))
    while not server.started:  # noqa: ASYNC110 -- there is nothing to wait for
        await asyncio.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


SERVERS: dict[str, Callable[[], Awaitable[int]]] = {
    "picows": serve_picows,
    "websockets": serve_websockets,
    "starlette": serve_starlette,
    "tenuto": serve_tenuto,
    "tenuto-asgi": serve_tenuto_asgi,
}


async def serve(kind: str) -> None:
    """Be a server under test. Lines on stdin: `count` begins to count calls, `calls` says how many,
    `cpu` says the time.
    """
    port = await SERVERS[kind]()
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline()))
    profile = cProfile.Profile()

    def say(value: object) -> None:
        print(json.dumps(value), flush=True)

    say(port)
    while True:
        line = (await lines.get()).strip()
        if line == "count":
            profile.enable()
            say(True)
        elif line == "calls":
            profile.disable()
            say(sum(entry.callcount for entry in profile.getstats()))
            profile.clear()
        elif line == "cpu":
            say(time.process_time())
        else:
            return


class Server:
    """A server under test, in a process of its own."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._folder = tempfile.TemporaryDirectory(prefix="tenuto-bench-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.relay", "--serve", kind],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"TENUTO_BENCH_FOLDER": self._folder.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port: int = self._read()

    def ask(self, line: str) -> Any:
        """Say a line and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._read()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


# ------------------------------------------------------------------------------------ the clients


class Client(WSListener):
    """One session: sends a frame every 20 ms, and notes how long each takes to come back."""

    def __init__(self, attach: bytes) -> None:
        self._attach = attach
        self._transport: WSTransport | None = None
        self._sent: deque[float] = deque()
        self._offset = 0
        self.took: list[float] = []
        self.ready = asyncio.Event()
        self.lost = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._attach:
            transport.send(WSMsgType.TEXT, self._attach)
        else:
            self.ready.set()

    def on_ws_frame(self, transport: WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self.took.append(time.perf_counter() - self._sent.popleft())
        elif frame.msg_type == WSMsgType.CLOSE:
            self.lost = True
        elif b"engine.ready" in frame.get_payload_as_bytes():
            self.ready.set()

    def send(self) -> None:
        """Send one frame."""
        assert self._transport is not None
        self._sent.append(time.perf_counter())
        head = HEAD.pack(1, 0, 0, self._offset)
        self._offset += SAMPLES
        self._transport.send(WSMsgType.BINARY, head + PCM)

    def close(self) -> None:
        """Go away."""
        if self._transport is not None:
            self._transport.disconnect(False)


async def connect(server: Server, count: int) -> list[Client]:
    is_tenuto = server.kind.startswith("tenuto")
    clients = []
    for number in range(count):
        path, attach = "/", b""
        headers = []
        if is_tenuto:
            name = f"s{time.monotonic_ns()}-{number}"
            await _post(server.port, {"session_id": name})
            path = f"/sessions/{name}/attach"
            message = {"type": "attach", "session": name, "client": name}
            message |= {"mic": {"stream": "m", "rate": RATE}, "loudspeaker": {}}  # type: ignore[dict-item]
            attach = msgspec.json.encode(message)
            headers = [("Sec-WebSocket-Protocol", "tenuto.v1")]
        _, client = await picows.ws_connect(
            lambda attach=attach: Client(attach),
            f"ws://127.0.0.1:{server.port}{path}",
            extra_headers=headers,
        )
        assert isinstance(client, Client)
        clients.append(client)
    async with asyncio.timeout(30):
        for client in clients:
            await client.ready.wait()
    return clients


async def _post(port: int, body: object) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = msgspec.json.encode(body)
    head = (
        f"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    )
    head += f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 201"), answer
    writer.close()


async def talk(clients: list[Client], frames: int) -> None:
    """Send `frames` frames of each session at the speed of time, the sessions spread over the 20
    ms.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time() + 0.02

    async def one(number: int, client: Client) -> None:
        first = begun + 0.02 * number / len(clients)
        for frame in range(frames):
            await asyncio.sleep(max(0.0, first + 0.02 * frame - loop.time()))
            client.send()

    await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))
    await asyncio.sleep(0.1)


async def count_calls(server: Server, frames: int = 500) -> float:
    """Return the function calls of one frame, on one session: those of many frames, less those of
    none.
    """
    (client,) = await connect(server, 1)
    await talk([client], 10)

    async def calls(sent: int) -> int:
        server.ask("count")
        for _ in range(sent):
            before = len(client.took)
            client.send()
            while len(client.took) == before:  # noqa: ASYNC110 -- it is soon
                await asyncio.sleep(0)
        found: int = server.ask("calls")
        return found

    few, many = await calls(1), await calls(frames + 1)
    client.close()
    return (many - few) / frames


async def measure(server: Server, sessions: int, seconds: float) -> dict[str, float]:
    """Return CPU and round-trip times, in microseconds a frame."""
    clients = await connect(server, sessions)
    await talk(clients, round(WARM_SECONDS * 50))
    for client in clients:
        client.took.clear()
    before, frames = server.ask("cpu"), round(seconds * 50)
    await talk(clients, frames)
    cpu = server.ask("cpu") - before
    took = sorted(one for client in clients for one in client.took)
    lost = sum(client.lost for client in clients)
    assert not lost and len(took) == frames * sessions, (server.kind, lost, len(took))
    for client in clients:
        client.close()
    return {
        "cpu_us": cpu / len(took) * 1e6,
        "p50_us": took[len(took) // 2] * 1e6,
        "p99_us": took[len(took) * 99 // 100] * 1e6,
    }


# ------------------------------------------------------------------------------------ the figures


async def run(sessions: list[int], seconds: float, slices: int) -> dict[str, Any]:
    """Measure everything. The servers take turns, `slices` times at each number of sessions."""
    results: dict[str, Any] = {}
    calls: dict[str, float] = {}
    for kind in KINDS:
        server = Server(kind)
        try:
            calls[kind] = await count_calls(server)
        finally:
            server.stop()
    for kind in KINDS:
        results[f"calls_{kind}"] = _figure(
            f"function calls a frame, {kind}", calls[kind], calls[FLOOR], AIMS.get(kind)
        )
    for count in sessions:
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        servers = [Server(kind) for kind in KINDS]
        try:
            for _ in range(slices):
                for server in servers:
                    found[server.kind].append(await measure(server, count, seconds / slices))
        finally:
            for server in servers:
                server.stop()
        for kind in KINDS:
            for what, text in (
                ("cpu_us", "us of CPU a frame"),
                ("p50_us", "us round trip, p50"),
                ("p99_us", "us round trip, p99"),
            ):
                figure, floor = (
                    statistics.median(one[what] for one in found[name]) for name in (kind, FLOOR)
                )
                results[f"{what}_{kind}_{count}"] = _figure(
                    f"{text}, {kind}, {count} sessions", figure, floor, None
                )
    return results


def _figure(what: str, figure: float, floor: float, aim: float | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "what": what,
        "figure": round(figure, 2),
        "floor": round(floor, 2),
        "ratio": round(figure / floor, 3),
        "added": round(figure - floor, 2),
    }
    if aim is not None:
        made |= {"aim": f"<= {aim:g}", "reached": figure <= aim}
    return made


def main(arguments: Sequence[str] = ()) -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--sessions", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--slices", type=int, default=2)
    chosen = parser.parse_args(arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if chosen.serve:
            runner.run(serve(chosen.serve))
            return True
        results = runner.run(run(chosen.sessions, chosen.seconds, chosen.slices))
    versions = {"picows": version("picows"), "python": sys.version.split()[0]}
    return report("relay", list(results.values()), **versions)


if __name__ == "__main__":
    raise SystemExit(not main(sys.argv[1:]))
