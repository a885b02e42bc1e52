"""Which store a URL means. A store's library is imported only when its URL asks for it."""

from urllib.parse import unquote

from tenuto.errors import InvalidConfig
from tenuto.session.ports import Store
from tenuto.stores.in_memory import InMemoryStore

_EXIST = "sqlite:///relative.db, sqlite:////absolute.db, memory:"


def open_store(url: str) -> Store:
    """Make the store that `url` names. Files are opened with the first call to it, not here.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory:`. A path may be percent-encoded.

    Raises:
        InvalidConfig: No store is meant by that.

    Example:
        >>> store = open_store("memory:")
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "memory" and not rest.strip("/"):
        return InMemoryStore()
    if colon and scheme == "sqlite":
        return _sqlite(url, rest)
    raise InvalidConfig(f"There is no store {_named(url)}. These exist: {_EXIST}.")


def _sqlite(url: str, rest: str) -> Store:
    path = unquote(rest.removeprefix("///"))
    if not rest.startswith("///") or not path or path.endswith("/"):
        raise InvalidConfig(
            f"The store {_named(url)} names no file. Three slashes and a path: sqlite:///tenuto.db is "
            "in the current folder, sqlite:////var/lib/tenuto.db is absolute."
        )
    if path == ":memory:":
        raise InvalidConfig("A store in memory is spelt memory: here.")
    if "?" in rest or "#" in rest:
        raise InvalidConfig(
            f"The store {_named(url)} has options, and there are none. Write ? as %3F and # as %23 in a path."
        )

    from tenuto.stores.sqlite import SqliteStore

    return SqliteStore(path)


def _named(url: str) -> str:
    """Return the URL without what may be a password in it."""
    scheme, separator, rest = url.partition("://")
    if separator and "@" in rest:
        return f"{scheme}://...@{rest.rpartition('@')[2]}"
    return repr(url)
