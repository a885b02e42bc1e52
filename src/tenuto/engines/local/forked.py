"""The worker's side of `zygote`: load once, then one child for each connection. Run as a script, by
path.

Its children share what was loaded, and each begins from the same state: the same input always gives
the same output. It imports nothing of Tenuto and nothing heavy, so that a worker holds what it
needs and no more. When the host dies, by whatever means, every socket ends, and with it every
worker.

    python forked.py CONTROL_FD WORKER.py
"""

import gc
import importlib.util
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable

HEADER = struct.Struct("<cI")
"""Before each message: its kind, one byte, and the length of its body in bytes."""

LONGEST = 1 << 22
"""Bytes of a body, at most."""


class Pipe:
    """Messages over a socket, blocking."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send a message."""
        self._sock.sendall(HEADER.pack(kind, len(body)) + body)

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next message.

        Raises:
            EOFError: The other side has let go.
        """
        kind, size = HEADER.unpack(self._exactly(HEADER.size))
        if size > LONGEST:
            raise EOFError
        return kind, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)


Work = Callable[[Pipe], None]
"""What a child does with its connection."""


def main(control_fd: int, path: str) -> None:
    """Load the worker, say that it is ready, and fork a child for each socket that is passed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    pipe = Pipe(control)
    try:
        _, setup = pipe.receive()
        work = _load(path)(setup)
        gc.collect()
        gc.freeze()
        pipe.send(b"R")
        while True:
            message, fds, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                return
            for fd in fds:
                _fork(control, fd, work)
    except (EOFError, OSError):
        return


def _load(path: str) -> Callable[[bytes], Work]:
    spec = importlib.util.spec_from_file_location("worker", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    load: Callable[[bytes], Work] = module.load
    return load


def _fork(control: socket.socket, fd: int, work: Work) -> None:
    try:
        child = os.fork()
    except OSError:
        # No process is to be had: the closed socket says so.
        os.close(fd)
        return
    if child:
        os.close(fd)
        return
    status = 1
    try:
        control.close()
        with socket.socket(fileno=fd) as sock:
            work(Pipe(sock))
        status = 0
    except (EOFError, OSError):
        status = 0
    except BaseException:  # noqa: BLE001 -- a child ends here, whatever happened to it
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
