"""Analytics from outside: over HTTP, on the command line, while a server runs, after it was killed, and of a voice."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.peers import PATIENCE, attached, make
from tests.acceptance.serving import COMMAND, Served, environment
from tests.acceptance.speech import Speech


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return Speech(tmp_path_factory.mktemp("speech"))


def tenuto(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    ran = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


async def test_figures_outlive_a_killed_server_and_are_the_same_everywhere(tmp_path: Path) -> None:
    with Served(tmp_path, engine="text") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            session = await make(http)
            async with attached(server.url, session) as one:
                for text in ("I like quantum physics", "Tell me about black holes"):
                    await one.say(text)
                    await one.event("reply.ended")
                live = (await http.get(f"/sessions/{session}/analytics")).json()
            assert live["session_id"] == session
            assert live["analytics"]["message_count"] == 4
            assert live["analytics"]["topics"] == ["black holes", "quantum physics"]
            assert [turn["turn"] for turn in live["turns"]] == [1, 2]
            assert live["conversations"][0]["is_open"]

            # Another process reads the store that the server is using; and the server itself is asked.
            flags = ("stats", session, "--json")
            (here,) = await asyncio.to_thread(tenuto, tmp_path, *flags)
            (there,) = await asyncio.to_thread(tenuto, tmp_path, *flags, "--server", server.url)
            for found in (here, there):
                assert found["analytics"]["message_count"] == 4
                assert found["turns"] == live["turns"]

            await asyncio.to_thread(server.kill)
            (killed,) = await asyncio.to_thread(tenuto, tmp_path, *flags)
            assert killed["turns"] == live["turns"]
            before = killed["analytics"]["total_duration_seconds"]
            await asyncio.to_thread(server.start)
            async with attached(server.url, session) as one:
                await one.say("Hello")
                await one.event("reply.ended")
            after = (await http.get(f"/sessions/{session}/analytics")).json()["analytics"]
            assert after["message_count"] == 6
            # What the crash took is not time in conversation.
            assert before <= after["total_duration_seconds"] < before + PATIENCE


def test_a_page_is_written_of_all_sessions(tmp_path: Path) -> None:
    tenuto(tmp_path, "chat", "-m", "Tell me of <script>alert(1)</script>", "--json")
    assert tenuto(tmp_path, "stats", "--html", "stats.html") == []
    page = (tmp_path / "stats.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and "<script" not in page


def test_what_a_voice_used_is_recorded(tmp_path: Path, speech: Speech) -> None:
    said = speech.wav("my name is alice", "what is my name")
    talk = ("talk", "--wav", str(said), "--out", "out.wav", "--fast", "--json")
    session = tenuto(tmp_path, *talk)[0]["session"]
    (report,) = tenuto(tmp_path, "stats", session, "--json")
    used = report["usage"]["local"]
    assert 1.0 < used["heard"] < 15.0
    assert 0.5 < used["spoken"] < 60.0 and used["characters"] > 10
    assert report["cost"] == {"usd": 0.0, "engines": {"local": 0.0}, "unpriced": []}
    assert all(turn["by"] == "voice" for turn in report["turns"])
    assert report["analytics"]["total_duration_seconds"] > 1.0
