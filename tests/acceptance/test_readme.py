"""What the README shows is true: its Python runs as it stands there, and its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.serving import PATIENCE, environment

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


AROUND = """
import asyncio
from tenuto import SessionPresets, Tenuto, TenutoConfig

async def main():
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        {body}
        print(session.session_id, copy.session_id, other.session_id, view.token)

asyncio.run(main())
"""


def run(code: str, directory: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    first, second = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    said = run(first, tmp_path)
    assert "Alice" in said and "quantum physics" in said
    body = "\n        ".join(second.splitlines())
    assert len(run(AROUND.format(body=body), tmp_path).split()) == 4


@pytest.mark.parametrize("verb", ["serve", "talk", "chat", "sessions", "stats", "doctor", "keys"])
def test_every_command_of_the_readme_exists(verb: str) -> None:
    assert f"tenuto {verb}" in README
    ran = subprocess.run(
        [sys.executable, "-m", "tenuto", verb, "--help"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_link_of_the_readme_leads_somewhere() -> None:
    root = Path(__file__).parents[2]
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (root / link).exists(), link
