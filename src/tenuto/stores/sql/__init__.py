"""The SQL of the stores, as files: `queries.sql` by name, and `migrations/` in the order of their numbers.

A migration is never edited once released. `pre` in its name says that the version before can still work with the schema
that it leaves; `post` that it runs only when no host of that version is left.
"""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_MIGRATION = re.compile(r"^(\d{4})_(pre|post)_\w+\.sql$")


def _queries(text: str) -> dict[str, str]:
    _, *parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _migrations() -> list[tuple[int, str]]:
    found = []
    for entry in files(__name__).joinpath("migrations").iterdir():
        if match := _MIGRATION.match(entry.name):
            found.append((int(match[1]), entry.read_text(encoding="utf-8")))
    return sorted(found)


QUERIES = _queries(files(__name__).joinpath("queries.sql").read_text(encoding="utf-8"))
"""Each query of `queries.sql`, by name."""

MIGRATIONS = _migrations()
"""Number and text of each migration, in order. The number of the last one is the version of the schema."""
