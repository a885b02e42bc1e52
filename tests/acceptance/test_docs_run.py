"""The documentation's snippets run, one page after the other, each as it stands; and no link in it leads nowhere."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from tenuto import Tenuto, TenutoConfig

DOCS = Path(__file__).parents[2] / "docs"
RUN = ("preferences", "migration", "debugging", "redaction", "pool", "memory", "conversations")
"""Pages whose snippets are one program: they find an open host, `tenuto`, and a session, `session`."""

_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def snippets(page: str) -> list[str]:
    return _SNIPPET.findall((DOCS / f"{page}.md").read_text(encoding="utf-8"))


async def run(page: str, known: dict[str, Any]) -> None:
    source = "\n".join(snippets(page))
    code = compile(source, f"{page}.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, known)
    if inspect.iscoroutine(made):
        await made


@pytest.mark.parametrize("page", RUN)
async def test_the_snippets_of_a_page_run(page: str, tmp_path: Path) -> None:
    assert snippets(page)
    config = TenutoConfig(store=f"sqlite:///{tmp_path}/tenuto.db", engine="text")
    async with Tenuto(config) as tenuto, tenuto.session() as session:
        await run(page, {"tenuto": tenuto, "session": session})


async def test_a_snippet_that_is_wrong_is_found() -> None:
    with pytest.raises(NameError):
        await run("preferences", {})


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_no_link_leads_nowhere(path: Path) -> None:
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), f"{path.name} links {link}"


def test_every_page_is_in_the_table_of_contents() -> None:
    linked = set(_LINK.findall((DOCS / "index.md").read_text(encoding="utf-8")))
    pages = {path.name for path in DOCS.glob("*.md")} - {"index.md"}
    assert pages <= linked, f"docs/index.md does not link {sorted(pages - linked)}"
