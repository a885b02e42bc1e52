"""A browser, a scripted server, and the page open between them."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.browser import CHROMIUM, FLAGS, fake_server, opened, write_speech


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    speech = write_speech(tmp_path_factory.mktemp("microphone") / "speech.wav")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, speech])
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[httpx.Client]:
    with fake_server() as client:
        yield client


@pytest.fixture
def page(browser: Browser, server: httpx.Client) -> Iterator[Page]:
    """The page, open and live. Nothing may fail in it, its Content-Security-Policy included."""
    with opened(browser, str(server.base_url)) as page:
        page.locator("#empty").wait_for()
        yield page
