"""What the README shows is true: its Python runs as it stands there, and its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.serving import PATIENCE, environment

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_of_python_answer(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Alice" in ran.stdout and "quantum physics" in ran.stdout


@pytest.mark.parametrize("verb", ["serve", "talk", "chat", "sessions", "doctor", "keys"])
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
