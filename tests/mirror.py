"""Run unit tests under coverage, each test file as a context of its own: `test_mirror` runs this in a process.

Usage: python tests/mirror.py DATA_FILE TEST_FILE...
"""

import sys
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest


class ContextPerFile:
    """Switches the coverage context to the test file that is running. Imports and collection have the empty one."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.measured.switch_context(str(item.path))
        outcome = yield
        self.measured.switch_context("")
        return outcome


def main(data_file: str, files: list[str]) -> int:
    measured = coverage.Coverage(data_file=data_file, branch=True, source_pkgs=["tenuto"])
    measured.start()
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    code = pytest.main([*options, *files], plugins=[ContextPerFile(measured)])
    measured.stop()
    measured.save()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], [str(Path(name).resolve()) for name in sys.argv[2:]]))
