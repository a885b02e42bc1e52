"""A server as a person has it: `tenuto serve` in a process of its own, on a store on disk, which tests kill, stop and
start again.

Every wait here is bounded by `PATIENCE`, and whatever a test does, its processes are gone at the end.
"""

import asyncio
import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tenuto.server.door import Server

COMMAND = [sys.executable, "-m", "tenuto"]
SOURCE = str(Path(__file__).parents[2] / "src")
PATIENCE = 30.0
"""Seconds that a process may take for whatever it was asked to do."""


def environment() -> dict[str, str]:
    """Return the variables of a process that no setting of the tester's own shell reaches."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENUTO_")}
    return kept | {"PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"}


def free_port() -> int:
    """Return a port of the loopback that nobody has now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def in_process(server: Server) -> AsyncIterator[str]:
    """Run a server in this process, and leave the signals alone. Yields its URL."""
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server.on_started = started.set_result
    running = asyncio.create_task(server.serve())
    try:
        yield await asyncio.wait_for(started, PATIENCE)
    finally:
        server.stop()
        await asyncio.wait_for(running, PATIENCE)


class Served:
    """A `tenuto serve` in a process of its own. It starts where the `with` begins; at the end it is killed if it runs.

    Args:
        folder: Where the process runs, and keeps its store and its file of keys.
        options: More of the command line, such as `"--grace", "1"`.
        port: The port; any that is free when left out. It stays the same over restarts.
        engine: What answers.
        store: The store's URL; `tenuto.db` in the folder when left out.
        command: What goes before `tenuto`'s own arguments, to run it in other circumstances.

    Example:
        >>> with Served(tmp_path, "--grace", "1") as server:  # doctest: +SKIP
        ...     httpx.post(f"{server.url}/sessions")
        ...     server.kill()
        ...     server.restart()
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        port: int | None = None,
        engine: str = "echo",
        store: str | None = None,
        command: list[str] | None = None,
    ) -> None:
        self.folder = folder
        self.options = options
        self.port = port or free_port()
        self.engine = engine
        self.database = folder / "tenuto.db"
        """The journal's file, where `store` was left out."""
        self.store = store or f"sqlite:///{self.database}"
        self.keys = folder / "tenuto.keys"
        """The file of API keys; there is none before a test makes one."""
        self.url = ""
        """Where it listens: `http://127.0.0.1:PORT`."""
        self.errors: list[str] = []
        """What came on stderr, line by line, over all starts."""
        self._command = command or COMMAND
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._said: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.runs:
            self.kill()
        self._forget()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._running.pid

    @property
    def runs(self) -> bool:
        """Whether it is there. Paused counts."""
        return self._process is not None and self._process.poll() is None

    @property
    def websocket(self) -> str:
        """Where clients attach: `ws://127.0.0.1:PORT`."""
        return self.url.replace("http", "ws", 1)

    @property
    def stderr(self) -> str:
        """All that came on stderr so far."""
        return "\n".join(self.errors)

    @property
    def memory(self) -> int:
        """Bytes of RAM that the process has (RSS)."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def start(self) -> Self:
        """Start it, and wait until clients can come."""
        assert not self.runs, "It runs already."
        self._forget()
        arguments = ["serve", "--port", str(self.port), "--engine", self.engine, "--json"]
        arguments += ["--store", self.store, "--keys", str(self.keys), *self.options]
        self._process = subprocess.Popen(
            [*self._command, *arguments],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said = queue.Queue()
        for reader in (self._read_stdout, self._read_stderr):
            thread = threading.Thread(target=reader, args=(self._process, self._said), daemon=True)
            thread.start()
            self._readers.append(thread)
        try:
            line = self._said.get(timeout=PATIENCE)
        except queue.Empty:
            self.kill()
            raise AssertionError(f"It was not ready in {PATIENCE} s:\n{self.stderr}") from None
        if not line:
            code = self.wait()
            raise AssertionError(f"It ended with {code} before it was ready:\n{self.stderr}")
        said: dict[str, Any] = json.loads(line)
        self.url = str(said["url"])
        return self

    def kill(self) -> None:
        """End it as a crash or `kill -9` does, and wait until it is gone."""
        self._running.kill()
        self.wait()

    def stop(self) -> str:
        """End it in order (SIGTERM), and return what it ever said on stderr.

        Raises:
            AssertionError: It did not end with 0, or it had a traceback to tell.
        """
        self._running.send_signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"It ended with {code}:\n{self.stderr}"
        assert "Traceback" not in self.stderr, self.stderr
        return self.stderr

    def pause(self) -> None:
        """Stop its clock, its lease and its sockets (SIGSTOP), until `go_on`."""
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._running.send_signal(signal.SIGCONT)

    def restart(self) -> Self:
        """Start it again on the same port and store; it is killed first if it runs."""
        if self.runs:
            self.kill()
        return self.start()

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        assert self._process is not None, "It was never started."
        try:
            code = self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=PATIENCE)
            self._join()
            raise AssertionError(f"It did not end in {PATIENCE} s:\n{self.stderr}") from None
        self._join()
        return code

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None and self._process.poll() is None, "It does not run."
        return self._process

    def _join(self) -> None:
        for thread in self._readers:
            thread.join(timeout=PATIENCE)
        self._readers.clear()

    def _forget(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _read_stdout(self, process: subprocess.Popen[str], said: "queue.Queue[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(line)
        said.put("")

    def _read_stderr(self, process: subprocess.Popen[str], said: "queue.Queue[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.errors.append(line.rstrip("\n"))
