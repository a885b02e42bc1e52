"""Each folder may import only what stands below it. The list is the architecture."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent / "src" / "tenuto"

LAYERS: list[set[str]] = [
    {"errors", "ids", "clock", "settings", "events"},
    {"audio", "wire", "text"},
    {"session"},
    {"transports", "engines", "stores", "cluster", "security", "client"},
    {"host"},
    {"server"},
    {"cli"},
]
"""From the bottom up. Neighbours in a layer are strangers. The command line starts the server, so it stands on it."""

FIRST = {"errors", "ids", "clock", "settings", "events"}
"""The one layer whose members know each other: they are the vocabulary of all the others."""

NARROW = {"client": {*FIRST, "wire", "audio"}}
"""Rooms that may use less than what stands below them."""

HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}
TOP_OF_TESTING = HEIGHT["host"]
"""`testing` may import up to here; nothing in the house imports `testing`."""

PUBLIC = {"__init__", "__main__"}
"""The face: `__init__` may name anything, since it imports lazily; `__main__` starts the command line."""


def room(path: Path, root: Path) -> str:
    return path.relative_to(root).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """The rooms that a module imports, anywhere in it, also inside functions and for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=None) | ast.ImportFrom(level=1 | 2 | 3):
                yield "a relative name"
            case ast.ImportFrom(module="tenuto", names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)) if module.startswith("tenuto."):
                yield module.split(".")[1]
            case ast.Import(names=names):
                yield from (a.name.split(".")[1] for a in names if a.name.startswith("tenuto."))


def allowed(here: str, name: str) -> bool:
    if name == here:
        return True
    if name == "a relative name" or here not in HEIGHT | dict.fromkeys({"testing", *PUBLIC}, 0):
        return False
    if here in PUBLIC:
        return name != "testing"
    if here == "testing":
        return HEIGHT.get(name, 99) <= TOP_OF_TESTING
    if here in NARROW:
        return name in NARROW[here]
    if here in FIRST:
        return name in FIRST
    if name in HEIGHT:
        return HEIGHT[name] < HEIGHT[here]
    # `from tenuto import Tenuto`: the public face is for users, and for the command line, which is one.
    return here == "cli" and name != "testing"


def trespasses(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)} imports {name}"
        for path in sorted(root.rglob("*.py"))
        for name in sorted(set(imports(path)))
        if not allowed(room(path, root), name)
    ]


def test_nothing_imports_upwards_or_sideways() -> None:
    assert trespasses(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "wrong"),
    [
        ("session/core.py", "from tenuto.host.host import Tenuto", "host"),
        ("stores/sqlite.py", "from tenuto.engines import echo", "engines"),
        ("wire/native.py", "import tenuto.session.core", "session"),
        ("text/search.py", "from tenuto.wire import native", "wire"),
        ("client/socket.py", "from tenuto.session.ports import Row", "session"),
        ("host/host.py", "def later():\n    from tenuto.testing import clock", "testing"),
        ("session/core.py", "from .state import TURN", "a relative name"),
        ("utils/strings.py", "from tenuto import errors", "errors"),
    ],
)
def test_a_trespass_is_found(tmp_path: Path, file: str, text: str, wrong: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert trespasses(tmp_path) == [f"{Path(file)} imports {wrong}"]


def test_every_room_is_in_the_list() -> None:
    rooms = {room(path, ROOT) for path in ROOT.rglob("*.py")}
    assert rooms <= HEIGHT.keys() | PUBLIC | {"testing"}


def test_no_room_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "common", "helpers", "base", "manager", "types", "util", "helper", "misc"}
    assert [path for path in ROOT.rglob("*") if path.stem in empty] == []


def test_no_test_sets_a_private_attribute() -> None:
    private = re.compile(r"(?<!self)(?<!cls)\._[a-z]\w* = ")
    wrong = [
        f"{path.relative_to(TESTS)}:{number}"
        for path in TESTS.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if private.search(line)
    ]
    assert wrong == []
