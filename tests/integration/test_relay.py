"""A frame of audio costs no more function calls than promised. They are counted, not timed: the
count repeats exactly.
"""

import asyncio
import os
from pathlib import Path

import pytest

from bench.relay import AIMS, Server, count_calls

SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.mark.parametrize("kind", sorted(AIMS))
def test_frame_costs_no_more_calls_than_promised(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")]))
    server = Server(kind)
    try:
        assert asyncio.run(count_calls(server, frames=50)) <= AIMS[kind]
    finally:
        server.stop()


def test_count_finds_what_python_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a server whose cost is known to be far over the promise is counted so."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")]))
    server = Server("starlette")
    try:
        assert asyncio.run(count_calls(server, frames=50)) > 3 * AIMS["tenuto"]
    finally:
        server.stop()
