"""Each pure module is covered, every branch of it, by the test file that mirrors it, alone.

A module that only its neighbours' tests reach is not tested: it is used.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import coverage
import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "tenuto"

IMPURE = {"session/driver.py", "session/session.py"}
"""The two modules of the session that know asyncio: tested through the driver, in tests/integration too."""


def runs(path: Path) -> bool:
    """Whether there is anything to run in a module: Protocols and structs alone are only declared."""
    return any(
        not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
    )


PURE = sorted(
    name
    for folder in ("session", "wire", "audio", "text")
    for path in (SOURCE / folder).rglob("*.py")
    if (name := path.relative_to(SOURCE).as_posix()) not in IMPURE
    if path.name != "__init__.py" and runs(path)
)


def mirror_of(module: str) -> Path:
    folder, _, name = module.rpartition("/")
    return TESTS / "unit" / folder / f"test_{name}"


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the mirror tests once, under coverage."""
    path = tmp_path_factory.mktemp("mirror") / "coverage"
    files = [str(mirror_of(name)) for name in PURE if mirror_of(name).exists()]
    assert files, "No pure module has a test file of its own."
    run = subprocess.run(
        [sys.executable, str(TESTS / "mirror.py"), str(path), *files],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=TESTS.parent,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return path


def missing(data_file: Path, module: str, test: Path, report: Path) -> list[str]:
    """Return the lines and branches of a module that its own test does not reach."""
    measured = coverage.Coverage(data_file=str(data_file), branch=True)
    measured.load()
    # Lines that run at import have the empty context.
    measured.json_report(
        morfs=[str(SOURCE / module)],
        contexts=["^$", f"^{re.escape(str(test))}$"],
        outfile=str(report),
    )
    (found,) = json.loads(report.read_text())["files"].values()
    lines = [f"line {line}" for line in found["missing_lines"]]
    return lines + [f"branch {a} -> {b}" for a, b in found["missing_branches"]]


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("mirror")
@pytest.mark.parametrize("module", PURE)
def test_module_is_covered_by_its_own_test(module: str, data_file: Path, tmp_path: Path) -> None:
    test = mirror_of(module)
    assert test.exists(), f"{module} has no test file of its own: make {test.relative_to(TESTS)}"
    assert missing(data_file, module, test, tmp_path / "report.json") == []


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("mirror")
def test_a_module_is_not_covered_by_the_tests_of_another(data_file: Path, tmp_path: Path) -> None:
    stranger = mirror_of("nothing/of_that_name.py")
    assert missing(data_file, "wire/native.py", stranger, tmp_path / "report.json") != []
