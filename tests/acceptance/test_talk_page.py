"""The talk page in a real browser, before the real server: speech, reloads and killed servers."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tenuto.engines.local.speaker import RATE, LocalSpeaker
from tests.web.browser import CHROMIUM, FLAGS, SOURCE, opened

ALICE = "My name is Alice and I like quantum physics"
SPOKEN = [(3.0, "my name is alice"), (1.2, "stop")]
"""Seconds of silence, and what is said after it; the second falls into the answer to the first."""

pytestmark = pytest.mark.timeout(120)


class Server:
    """`tenuto serve` on one port and one store, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self.start()

    def start(self) -> None:
        store = f"sqlite:///{self._folder / 'talk.db'}"
        command = [
            sys.executable,
            "-m",
            "tenuto",
            "serve",
            "--port",
            str(self.port),
            "--store",
            store,
        ]
        self.process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": SOURCE}, cwd=self._folder
        )
        deadline = time.monotonic() + 30
        while not self._is_ready():
            assert self.process.poll() is None and time.monotonic() < deadline, (
                "the server did not start"
            )
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.process.terminate()
    server.process.wait(15)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    speech = tmp_path_factory.mktemp("microphone") / "speech.wav"
    asyncio.run(write_speech(speech))
    flag = f"--use-file-for-fake-audio-capture={speech}%noloop"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, flag])
        yield browser
        browser.close()


async def write_speech(path: Path) -> None:
    speaker = LocalSpeaker()
    await speaker.open()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for silence, text in SPOKEN:
            file.writeframes(bytes(2 * round(silence * RATE)))
            async for chunk in speaker.speak(text):
                file.writeframes(chunk)
        file.writeframes(bytes(2 * 8 * RATE))
    await speaker.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    # A killed server is a failed request to the browser's console, and to nobody else.
    with opened(browser, server.url, "ERR_CONNECTION") as page:
        page.locator("#empty").wait_for()
        yield page


def say(page: Page, text: str) -> None:
    page.locator("#say").fill(text)
    page.locator("#say").press("Enter")


def told(page: Page) -> list[str]:
    return page.locator("#transcript .text").all_text_contents()


def session(page: Page) -> str:
    return page.locator("#connection span").first.inner_text()


def test_what_is_spoken_is_heard_answered_and_interrupted(page: Page) -> None:
    """Which words are understood is tested where the same audio always gives the same text, not behind a browser."""
    page.locator("#talk").click()
    expect(page.locator(".entry.user .text").first).to_contain_text(
        re.compile(r"You: \w+"), timeout=60_000
    )
    expect(page.locator(".entry.agent .text").first).to_contain_text(re.compile(r"\w+"))
    expect(page.locator(".entry.agent.cut").first).to_be_visible(timeout=60_000)


def test_a_reload_goes_on_with_the_same_session_and_greets_nobody_twice(page: Page) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    before, name = told(page), session(page)
    page.reload()
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    assert (told(page), session(page)) == (before, name)
    say(page, "What's my name?")
    expect(page.locator(".entry.agent.ended").last).to_contain_text("Alice")
    page.locator(".entry.agent .meta").get_by_text("from turn 1").click()
    expect(page.locator(".entry.found")).to_contain_text(ALICE)


def test_a_reload_in_the_middle_of_a_reply_hears_the_rest(page: Page) -> None:
    say(page, ALICE)
    expect(page.locator(".word:not(.ahead)").nth(3)).to_be_visible()
    page.reload()
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    expect(page.locator(".entry.agent")).to_have_count(1)
    expect(page.locator(".entry.agent.cut")).to_have_count(0)


def test_a_killed_server_is_outlived(page: Page, server: Server) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    before, name = told(page), session(page)
    server.kill()
    expect(page.locator("#state-text")).to_have_text("Reconnecting")
    say(page, "What's my name?")
    expect(page.locator(".entry.pending")).to_have_count(1)
    server.start()
    expect(page.locator(".entry.agent.ended")).to_have_count(2, timeout=30_000)
    assert session(page) == name
    assert told(page)[: len(before)] == before
    assert len(told(page)) == len(before) + 2
    assert "Alice" in told(page)[-1]


def test_a_server_killed_in_the_middle_of_a_reply_finishes_it(page: Page, server: Server) -> None:
    say(page, ALICE)
    expect(page.locator(".word:not(.ahead)").nth(3)).to_be_visible()
    server.kill()
    server.start()
    expect(page.locator(".entry.agent.ended")).to_have_count(1, timeout=30_000)
    expect(page.locator(".entry.agent")).to_have_count(1)


def test_what_was_typed_while_away_survives_a_reload_as_well(page: Page, server: Server) -> None:
    server.kill()
    say(page, ALICE)
    expect(page.locator(".entry.pending")).to_have_count(1)
    # The page itself comes from the server, so it is back before the reload; the socket is not yet.
    server.start()
    page.reload()
    expect(page.locator(".entry.agent.ended")).to_have_count(1, timeout=30_000)
    expect(page.locator(".entry.user")).to_have_count(1)


def test_a_second_tab_takes_over_and_the_first_does_not_fight(
    browser: Browser, page: Page, server: Server
) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    # As in a tab that was duplicated, session storage begins as a copy.
    with page.context.expect_page() as opening:
        page.evaluate("window.open('/')")
    second = opening.value
    expect(second.locator(".entry.agent.ended")).to_have_count(1)
    expect(page.locator("#state-text")).to_have_text("Opened elsewhere")
    page.get_by_text("Take it back here").click()
    expect(page.locator("#state-text")).to_have_text("Idle")
    expect(second.locator("#state-text")).to_have_text("Opened elsewhere")


def test_an_older_page_of_the_history_is_loaded_when_it_is_asked_for(page: Page) -> None:
    for number in range(30):
        say(page, f"What is {number} plus 1?")
        expect(page.locator(".entry.user:not(.pending)")).to_have_count(number + 1)
    page.reload()
    expect(page.locator(".entry.agent").last).to_be_visible()
    page.locator("#scroll").evaluate("element => element.scrollTo(0, 0)")
    expect(page.locator(".entry.user").first).to_contain_text("What is 0 plus 1?")
