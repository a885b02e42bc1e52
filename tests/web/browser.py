"""The talk page in Chromium, and a scripted server for it to talk to."""

import contextlib
import math
import os
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

HERE = Path(__file__).parent
SOURCE = str(HERE.parents[1] / "src")
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=15_000)


def write_speech(path: Path) -> str:
    """Write what the fake microphone hears: after a second, a hum with the rhythm of speech."""
    rate = 48_000

    def sample(n: int) -> int:
        t = n / rate
        if not 1.0 < t < 2.2:
            return 0
        hum = sum(math.sin(2 * math.pi * 120 * k * t) / k for k in range(1, 20))
        return round(6_000 * hum * (0.55 - 0.45 * math.cos(2 * math.pi * 4 * t)))

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample(n)) for n in range(6 * rate)))
    return f"--use-file-for-fake-audio-capture={path}%noloop"


@contextlib.contextmanager
def fake_server(key: str = "") -> Iterator[httpx.Client]:
    """Run the scripted server and yield a client of its back door."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(HERE / "fake_server.py"), str(port), *filter(None, [key])]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": SOURCE})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            deadline = time.monotonic() + 20
            while True:
                with contextlib.suppress(httpx.TransportError):
                    client.get("/_fake/seen")
                    break
                assert process.poll() is None and time.monotonic() < deadline, (
                    "the server did not start"
                )
                time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def opened(browser: Browser, url: str, expected: str = "\0") -> Iterator[Page]:
    """Open the page in a new tab. Afterwards nothing but what is `expected` may have failed."""
    context = browser.new_context(
        permissions=["microphone"], viewport={"width": 1280, "height": 800}
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda line: failures.extend([line.text] if line.type == "error" else []))
    page.goto(url)
    yield page
    context.close()
    assert [failure for failure in failures if expected not in failure] == []
