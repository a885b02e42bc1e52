"""Every example runs by itself, from an empty folder, offline, in silence but for what it says that it prints."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONGEST = 60
"""Lines of an example, below which it stays."""
HEADING = "Prints:"
"""In the docstring of an example, what comes before the lines that it prints, among others, in this order."""


def promised(source: str) -> list[str]:
    """Return the lines that an example says it prints."""
    _, found, rest = (ast.get_docstring(ast.parse(source)) or "").partition(f"{HEADING}\n")
    assert found, f"say in the docstring what it prints, after a line `{HEADING}`"
    return [line.strip() for line in rest.splitlines() if line.strip()]


def broken_promises(promises: list[str], printed: list[str]) -> list[str]:
    """Return the lines that were not printed, or not in this order."""
    left = iter(printed)
    return [promise for promise in promises if promise not in left]


def run(path: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "SYSTEMROOT", "COVERAGE_PROCESS_START")
    return subprocess.run(
        [sys.executable, "-W", "error", str(path), *arguments],
        cwd=folder,
        env={name: os.environ[name] for name in kept if name in os.environ}
        | {"PYTHONPATH": str(ROOT / "src"), "HOME": str(folder), "PYTHONHASHSEED": "random"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 13


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    promises = promised(source)
    assert promises, "an example that prints nothing shows nothing"
    assert len(source.splitlines()) < LONGEST
    result = run(path, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert broken_promises(promises, result.stdout.splitlines()) == []
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_uses_the_public_face(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            assert not private, f"line {node.lineno} uses {node.attr}"
            assert node.attr not in ("driver", "core"), f"line {node.lineno} uses {node.attr}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise SystemExit(3)", "exit code"),
        ("import warnings; warnings.warn('old')", "noise"),
        ("print('two'); print('one')", "order"),
        ("print('one')", "missing"),
        ("open('left', 'w').close(); print('one'); print('two')", "left behind"),
    ],
)
def test_an_example_that_is_broken_is_found(body: str, why: str, tmp_path: Path) -> None:
    path, folder = tmp_path / "example.py", tmp_path / "folder"
    folder.mkdir()
    path.write_text(f'"""It is broken.\n\n{HEADING}\n    one\n    two\n"""\n\n{body}\n')
    with pytest.raises(AssertionError):
        test_example(path, folder)
