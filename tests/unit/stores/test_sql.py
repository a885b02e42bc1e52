import re
from pathlib import Path

import apsw
import pytest

import tenuto.stores
from tenuto.stores.sql import MIGRATIONS, QUERIES

STORES = Path(tenuto.stores.__path__[0])


def schema() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for _, text in MIGRATIONS:
        connection.execute(text)
    return connection


def plan(name: str) -> str:
    query = "EXPLAIN QUERY PLAN " + QUERIES[name]
    bindings: dict[str, None] = dict.fromkeys(re.findall(r":(\w+)", query))
    numbered = (None,) * len(set(re.findall(r"\?\d", query)))
    rows = schema().execute(query, bindings or numbered)
    return "\n".join(str(row[3]) for row in rows)


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _ in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_fits_the_schema(name: str) -> None:
    plan(name)


def test_every_query_is_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in STORES.glob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in code] == []


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("sessions_of_tenant", "session_of_tenant (tenant=? AND minute<?)"),
        ("sessions_of_user", "session_of_user (tenant=? AND user=? AND minute<?)"),
        ("due", "session_due"),
        ("read_forward", "sqlite_autoindex_journal_1 (session=? AND position>? AND position<?)"),
        ("read_backward", "sqlite_autoindex_journal_1 (session=? AND position>? AND position<?)"),
        ("tail", "sqlite_autoindex_journal_1 (session=? AND position>?)"),
        ("advance", "sqlite_autoindex_session_1 (session=?)"),
        ("forget_rows", "sqlite_autoindex_journal_1 (session=?)"),
    ],
)
def test_queries_use_their_index(name: str, index: str) -> None:
    assert index in plan(name)
    assert "SCAN session" not in plan(name).replace("SCAN session USING INDEX session_due", "")


@pytest.mark.parametrize("name", ["sessions_of_tenant", "sessions_of_user", "due", "read_backward"])
def test_no_listing_is_sorted_as_a_whole(name: str) -> None:
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan(name)
