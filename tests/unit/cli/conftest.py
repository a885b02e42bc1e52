"""Runs commands inside the test's own process."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tenuto.cli.app import run
from tests.unit.cli.fakes import FakeSessions


class Ran(msgspec.Struct, frozen=True):
    """How a command went."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, object]]:
        """Standard output, each line of it read as JSON."""
        return [msgspec.json.decode(line, type=dict) for line in self.out.splitlines()]


Command = Callable[..., Ran]


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
def tenuto(sessions: FakeSessions, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: str, **environ: str) -> Ran:
        code = run(arguments, sessions.around(tmp_path, **environ))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return command
