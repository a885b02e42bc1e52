"""The talk page in a real browser, in front of a server that does what a test tells it to."""

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import fake_server, opened

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "src" / "tenuto" / "server" / "static"
ALICE = "My name is Alice and I like quantum physics"


def seen(server: httpx.Client, kind: str) -> list[Any]:
    """Return what the server was sent of one kind, oldest first."""
    return [one[kind] for one in server.get("/_fake/seen").json() if kind in one]


def say(page: Page, text: str) -> None:
    page.locator("#say").fill(text)
    page.locator("#say").press("Enter")


def test_modules_pass_their_own_tests() -> None:
    tests = sorted(map(str, HERE.glob("*.test.js")))
    done = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-4000:]


def test_text_is_only_ever_text() -> None:
    wrong = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage|https?://(?!www\.w3\.org|127)"
    )
    for path in STATIC.iterdir():
        text = path.read_text().replace("only on https:// pages or on http://", "")
        assert not wrong.search(text), path.name
        assert path.suffix != ".html" or not re.search(
            r"<style|style=|\son\w+=|<script(?![^>]*src=)", text
        )


def test_speech_is_shown_as_it_happens(page: Page, server: httpx.Client) -> None:
    page.locator("#talk").click()
    expect(page.locator("#partial")).to_have_text("my name is")
    expect(page.locator("#state-text")).to_have_text("Listening")
    expect(page.locator("#talk")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".entry.user .text")).to_contain_text("my name is alice")
    frames = seen(server, "audio")
    assert all(count == 320 for _, count in frames)
    assert [offset for offset, _ in frames] == list(range(0, 320 * len(frames), 320))


def test_speech_is_sent_again_when_the_server_has_lost_its_engine(
    page: Page, server: httpx.Client
) -> None:
    page.locator("#talk").click()
    expect(page.locator("#partial")).to_have_text("my name is")
    server.post("/_fake/rewind", json={"mic": 640})
    expect(page.locator(".entry.user .text")).to_contain_text("my name is alice")
    page.locator("#talk").click()
    expect(page.locator("#talk")).to_have_attribute("aria-pressed", "false")
    kinds = [next(iter(one)) for one in server.get("/_fake/seen").json()]
    audio = [offset for offset, _ in seen(server, "audio")]
    before = kinds[: kinds.index("rewind")].count("audio")
    assert seen(server, "rewind") == [{"type": "rewind", "mic": 640}]
    assert audio[:before] == list(range(0, 320 * before, 320))
    again = audio[before:]
    assert again == list(range(640, 640 + 320 * len(again), 320)) and len(again) > before


def test_a_microphone_that_is_off_is_off_again_behind_what_is_sent_again(
    page: Page, server: httpx.Client
) -> None:
    page.locator("#talk").click()
    expect(page.locator("#partial")).to_have_text("my name is")
    page.locator("#talk").click()
    expect(page.locator("#talk")).to_have_attribute("aria-pressed", "false")
    server.post("/_fake/rewind", json={"mic": 0})
    deadline = time.monotonic() + 15
    while len(stops(server)) < 2 and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    first, second = stops(server)
    assert second > first
    kinds = [next(iter(one)) for one in server.get("/_fake/seen").json()]
    assert "audio" in kinds[first:second]


def stops(server: httpx.Client) -> list[int]:
    """Return where, among all that the server was sent, the microphone was said to be off."""
    return [
        place
        for place, one in enumerate(server.get("/_fake/seen").json())
        if one.get("command", {}).get("do", {}).get("type") == "stop_listening"
    ]


def test_a_reply_grows_and_tells_heard_from_not_yet_heard(page: Page, server: httpx.Client) -> None:
    page.locator("#suggestion").click()
    expect(page.locator(".entry.agent.open .word.ahead").first).to_be_visible()
    expect(page.locator("#state-text")).to_have_text("Speaking")
    expect(page.locator(".entry.agent.open .word:not(.ahead)").first).to_be_visible()
    expect(page.locator(".entry.agent.ended .text")).to_contain_text("I will remember both.")
    expect(page.locator("#memories li")).to_have_count(2)
    marks = [mark["seconds"] for mark in seen(server, "mark")]
    assert marks == sorted(marks) and len(marks) > 10
    assert seen(server, "mark")[-1]["done"]
    assert abs(marks[-1] - 88 / 30) < 0.5


def test_a_cut_reply_shows_what_was_heard_and_the_rest_on_demand(
    page: Page, server: httpx.Client
) -> None:
    say(page, "What is my name?")
    expect(page.locator(".word:not(.ahead)").nth(2)).to_be_visible()
    page.locator("body").press("Escape")
    cut = page.locator(".entry.agent.cut")
    expect(cut.locator(".text")).to_contain_text("Your name")
    expect(cut.locator("s")).to_be_hidden()
    cut.get_by_text("show the rest").click()
    expect(cut.locator("s")).to_contain_text("physics.")
    stop = next(one["do"] for one in seen(server, "command") if one["do"]["type"] == "stop_reply")
    assert 0.2 < stop["heard"] < 3
    assert not seen(server, "mark")[-1]["done"]


def test_a_cited_turn_is_found(page: Page, server: httpx.Client) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    say(page, "What is my name?")
    page.locator(".entry.agent .meta").get_by_text("from turn 1").click()
    expect(page.locator(".entry.found")).to_contain_text(ALICE)


def test_a_reload_goes_on_with_the_same_session(page: Page, server: httpx.Client) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    before = page.locator("#transcript .text").all_text_contents()
    page.reload()
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    assert page.locator("#transcript .text").all_text_contents() == before
    expect(page.locator("#memories li")).to_have_count(2)
    first, second = seen(server, "attach")
    assert second["token"] and second["client"] == first["client"]
    assert second["have"] is None
    assert page.evaluate("localStorage.length") == 0
    assert "token" not in page.url


def test_a_reload_in_the_middle_of_a_reply_says_how_much_was_heard(
    page: Page, server: httpx.Client
) -> None:
    say(page, ALICE)
    expect(page.locator(".word:not(.ahead)").nth(5)).to_be_visible()
    page.reload()
    expect(page.locator(".entry.agent.open .word").first).to_be_visible()
    heard = seen(server, "attach")[-1]["heard"]
    assert heard["reply"] == 1 and heard["seconds"] > 0.5
    expect(page.locator(".entry.agent.ended .text")).to_contain_text("I will remember both.")


def test_a_cut_connection_comes_back_by_itself(page: Page, server: httpx.Client) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    server.post("/_fake/drop")
    say(page, "What is my name?")
    expect(page.locator(".entry.agent.ended")).to_have_count(2)
    attach = seen(server, "attach")[-1]
    assert attach["token"] and attach["have"]["position"] > 5
    assert len(seen(server, "command")) == 2


def test_a_refused_token_gives_way_to_a_ticket(page: Page, server: httpx.Client) -> None:
    server.post("/_fake/refuse")
    server.post("/_fake/drop")
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    assert [bool(one["token"]) for one in seen(server, "attach")] == [False, True, False]


def test_what_a_newer_client_took_is_taken_back_by_hand_only(
    page: Page, server: httpx.Client
) -> None:
    server.post("/_fake/supersede")
    expect(page.locator("#state-text")).to_have_text("Opened elsewhere")
    expect(page.locator("#talk")).to_be_disabled()
    assert len(seen(server, "attach")) == 1
    page.get_by_text("Take it back here").click()
    expect(page.locator("#state-text")).to_have_text("Idle")
    assert len(seen(server, "attach")) == 2


def test_an_ended_session_stays_readable_and_a_new_one_begins(
    page: Page, server: httpx.Client
) -> None:
    say(page, ALICE)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    page.locator("#end-session").click()
    page.get_by_text("Go back").click()
    expect(page.locator("#state-text")).to_have_text("Idle")
    page.locator("#end-session").click()
    page.get_by_text("End it").click()
    expect(page.locator("#state-text")).to_have_text("Ended")
    expect(page.locator(".entry.user .text")).to_contain_text("Alice")
    page.get_by_text("Start a new session").click()
    expect(page.locator("#state-text")).to_have_text("Idle")


def test_alarms_count_down_and_errors_say_what_to_do(page: Page, server: httpx.Client) -> None:
    due = page.evaluate("Date.now() / 1000") + 65
    server.post("/_fake/event", json={"type": "alarm.set", "alarm": 1, "due": due, "text": "Tea"})
    expect(page.locator("#alarms .countdown")).to_have_text(re.compile(r"1:0\d"))
    server.post(
        "/_fake/event",
        json={"type": "error.raised", "code": "engine_lost", "message": "<b>Wait</b>."},
    )
    expect(page.locator(".toast")).to_contain_text("<b>Wait</b>.")
    expect(page.locator(".toast .code")).to_have_text("engine_lost")


def test_an_api_key_is_asked_for_and_kept_in_the_tab(browser: Browser) -> None:
    with fake_server("tk_secret") as server, opened(browser, str(server.base_url), "401") as page:
        page.locator("#key").fill("wrong")
        page.locator("#key").press("Enter")
        expect(page.locator("#key-wrong")).to_be_visible()
        page.locator("#key").fill("tk_secret")
        page.locator("#key").press("Enter")
        expect(page.locator("#state-text")).to_have_text("Idle")
        page.reload()
        expect(page.locator("#state-text")).to_have_text("Idle")


def test_a_phone_of_360_pixels_shows_everything(page: Page, server: httpx.Client) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    say(page, "Supercalifragilistic" * 8)
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator("#panel-toggle").click()
    expect(page.locator("#end-session")).to_be_in_viewport()
    expect(page.locator("#panel-close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#end-session")).to_be_hidden()
    expect(page.locator("#panel-toggle")).to_be_focused()


def test_keys_are_enough(page: Page, server: httpx.Client) -> None:
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert {"scroll", "suggestion", "talk", "say", "new-session"} <= set(reached)
    shown = page.locator("button:visible").all()
    assert all(one.get_attribute("aria-label") or one.inner_text().strip() for one in shown)


SILENT = """
const Loud = AudioContext;
let touched = false;
addEventListener('pointerdown', () => { touched = true; }, true);
window.AudioContext = class extends Loud {
  constructor(options) { super(options); super.suspend(); }
  resume() { return touched ? super.resume() : Promise.resolve(); }
};
"""
"""A browser that plays nothing before the person has pressed something."""


def test_a_silent_browser_says_so_and_claims_to_have_heard_nothing(
    page: Page, server: httpx.Client
) -> None:
    page.add_init_script(SILENT)
    page.reload()
    page.locator("#empty").wait_for()
    say(page, ALICE)
    play = page.get_by_text("Play the reply")
    expect(play).to_be_visible()
    expect(page.locator(".word.ahead").nth(8)).to_be_visible()
    marks = seen(server, "mark")
    assert all(mark["seconds"] == 0 and not mark["done"] for mark in marks)
    play.click()
    expect(page.locator(".entry.agent.ended")).to_have_count(1)
    expect(play).to_be_hidden()
    assert seen(server, "mark")[-1]["done"]
