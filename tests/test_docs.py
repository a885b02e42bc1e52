"""Every public name says what it is, and every number says what it counts."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe
import pytest

from docs import python_api

ROOT = Path(__file__).parents[1] / "src" / "tenuto"

NUMBERS = {"int", "float"}

COUNTED = set(
    "after alarm at attachment attachments cites created due fence head heard importance index limit link links memory "
    "message messages number offset position replies reply seconds turn turns updated version".split()
)
"""Words of the glossary that are numbers: it says once what they count, so that a field need not."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def is_public(name: str) -> bool:
    return not name.startswith("_")


def is_counted(name: str) -> bool:
    return name in COUNTED or name.endswith(("_count", "_version"))


def classes(body: list[ast.stmt]) -> Iterator[ast.ClassDef]:
    yield from (node for node in body if isinstance(node, ast.ClassDef) and is_public(node.name))


def bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).split(".")[-1] for base in node.bases}


def parsed() -> list[tuple[str, ast.Module]]:
    return [
        (str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(ROOT.rglob("*.py"))
        if path.stem != "__init__" or path.stat().st_size
    ]


def promised() -> set[str]:
    """The methods that a Protocol of the house declares: what implements one need not say it again."""
    return {
        method.name
        for _, module in parsed()
        for node in classes(module.body)
        if "Protocol" in bases(node)
        for method in node.body
        if isinstance(method, Definition)
    }


def is_data(node: ast.ClassDef) -> bool:
    """Whether a class only has fields: its name and its fields are the documentation."""
    return all(
        isinstance(item, ast.AnnAssign | ast.Pass)
        or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
        for item in node.body
    )


def foreign(module: ast.Module) -> set[str]:
    """The names that a module has from other packages than ours."""
    return {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        if not (getattr(node, "module", None) or "").startswith("tenuto")
        for alias in node.names
    } - {"Enum", "Protocol"}


def speaks_for_itself(
    method: Definition, node: ast.ClassDef, known: set[str], others: set[str]
) -> bool:
    """Whether a method needs no docstring of its own."""
    decorators = {ast.unparse(decorator).split(".")[-1] for decorator in method.decorator_list}
    return (
        # A method of a Protocol whose class says it all, or one that a Protocol says it of.
        "Protocol" in bases(node)
        or method.name in known
        # One that another package declares and calls.
        or any(ast.unparse(base).split(".")[0] in others for base in node.bases)
        # A property that only hands something out, and its setter.
        or ("property" in decorators and len(method.body) == 1)
        or "setter" in decorators
        # A test, whose name is a sentence.
        or method.name.startswith("test_")
    )


def silent(name: str, module: ast.Module, known: set[str]) -> Iterator[str]:
    """The public names of a module that have no docstring."""
    others = foreign(module)
    if not ast.get_docstring(module):
        yield f"{name}: the module"
    for item in module.body:
        if isinstance(item, Definition) and is_public(item.name) and not ast.get_docstring(item):
            yield f"{name}: {item.name}()"
    for node in classes(module.body):
        if not ast.get_docstring(node) and not is_data(node):
            yield f"{name}: {node.name}"
        for item in node.body:
            if isinstance(item, Definition) and is_public(item.name):
                if not ast.get_docstring(item) and not speaks_for_itself(item, node, known, others):
                    yield f"{name}: {node.name}.{item.name}()"


def unitless(name: str, module: ast.Module) -> Iterator[str]:
    """The public numbers among the fields of structs that do not say what they count."""
    for node in classes(module.body):
        if "Struct" not in bases(node) and "Event" not in bases(node):
            continue
        for item, below in zip(node.body, [*node.body[1:], None], strict=True):
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            kinds = {n.id for n in ast.walk(item.annotation) if isinstance(n, ast.Name)}
            if not kinds & NUMBERS or "dict" in kinds or is_counted(item.target.id):
                continue
            said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if is_public(item.target.id) and not said:
                yield f"{name}: {node.name}.{item.target.id}"


def test_every_public_name_has_a_docstring() -> None:
    known = promised()
    assert [entry for name, module in parsed() for entry in silent(name, module, known)] == []


def test_every_number_says_its_unit() -> None:
    assert [entry for name, module in parsed() for entry in unitless(name, module)] == []


def test_what_is_generated_of_the_documentation_is_up_to_date() -> None:
    """`make docs` would change nothing."""
    run = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"],
        cwd=ROOT.parents[1],
        env=os.environ | {"PYTHONPATH": str(ROOT.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_python_api_is_described() -> None:
    """Each public verb and attribute has a docstring, each argument is explained, each class's page has an example."""
    assert sorted(python_api.undescribed()) == []


def test_every_link_of_the_python_api_leads_somewhere() -> None:
    made = python_api.pages()
    anchors = {name: python_api.anchors(page) for name, page in made.items()}
    links = [
        (name, file or name, anchor)
        for name, page in made.items()
        for file, anchor in re.findall(r"\]\(([\w.-]*)#?([\w-]*)\)", page)
    ]
    assert len(links) > 200
    assert [
        link
        for link in links
        if link[1] not in made or (link[2] and link[2] not in anchors[link[1]])
    ] == []


POOR = '''
class Thing:
    """A thing."""

    size = 1

    def __init__(self) -> None:
        self.rest = 2
        self.known = 3
        """Said."""
        self._inside = 4

    def go(self, far: int, back: bool) -> None:
        """Go so far."""

    def stay(self, near: int, still: bool) -> None:
        """Stay.

        Args:
            near: How near.
        """

    def stop(self) -> None: ...

    halt = stop
'''


@pytest.mark.parametrize("example", ["", "\n\n    Example:\n        >>> Thing()\n    "])
def test_what_is_not_described_is_found(example: str) -> None:
    text = POOR.replace("A thing.", f"A thing.{example}")
    with griffe.temporary_visited_module(text, docstring_parser="google") as module:
        thing = module["Thing"]
        assert set(python_api.silent(thing)) == {
            "Thing.rest",
            "Thing.go(back)",
            "Thing.stay(still)",
            "Thing.stop",
        }
        assert python_api.has_example(thing) is bool(example)


def test_what_is_missing_is_found() -> None:
    module = ast.parse(
        "class Thing(Struct):\n    rate: int\n    pace: float\n    '''Hertz.'''\n"
        "    def go(self) -> None: ...\ndef run() -> None: ...\n"
    )
    found = ["x: the module", "x: run()", "x: Thing", "x: Thing.go()"]
    assert list(silent("x", module, set())) == found
    assert list(unitless("x", module)) == ["x: Thing.rate"]
