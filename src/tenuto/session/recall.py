"""Finding memories: an index in RAM over what a session knows, made at the first search and kept in step afterwards.

It is never stored: with a key configured, nothing of a memory may be in the clear outside of the process.
"""

from collections.abc import Callable, Iterable

from tenuto.errors import InvalidInput
from tenuto.session.ports import Memory
from tenuto.text.search import Embed, Index

MOST = 1_000
"""Results of one search."""

Identity = int | str
"""What stays the same about a memory while it is known: its number, or where it comes from while it has none."""


class Recall:
    """The index of one session.

    Args:
        embed: Adds meaning to words; see `tenuto.text.search.Index`.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._index = Index(embed)
        self._known: dict[Identity, tuple[int, Memory]] = {}
        """Each memory with its key in the index."""
        self._entries: dict[int, Memory] = {}
        self._next = 1
        self._of: object = None
        self._version = -1

    def search(
        self,
        memories: Callable[[], Iterable[Memory]],
        query: str,
        limit: int,
        category: str | None,
        version: tuple[object, int] | None = None,
    ) -> list[Memory]:
        """Return the memories that answer a query, best first.

        Args:
            memories: Returns all that there are now.
            query: Words; without any there is no answer.
            limit: 1 to `MOST`.
            category: Only of this category; of any when None.
            version: An object and a number: while both are the same, so are the memories. None when nobody can say.

        Raises:
            InvalidInput: `query` is not text, or `limit` is not in its range.
        """
        if not isinstance(query, str) or not isinstance(limit, int) or not 1 <= limit <= MOST:
            raise InvalidInput(f"A search has a text as its query, and a limit from 1 to {MOST:,}.")
        if version is None or self._of is not version[0] or self._version != version[1]:
            self._keep_in_step(memories())
            self._of, self._version = version or (None, -1)
        wanted = limit
        while True:
            hits = self._index.search(query, wanted)
            found = [self._entries[hit.key] for hit in hits]
            fitting = [m for m in found if category is None or m.category == category]
            if len(fitting) >= limit or len(hits) < wanted:
                return fitting[:limit]
            wanted *= 8

    def close(self) -> None:
        """Forget everything."""
        self._index.close()
        self._of = None
        self._known.clear()
        self._entries.clear()

    def _keep_in_step(self, memories: Iterable[Memory]) -> None:
        gone = dict(self._known)
        for memory in memories:
            identity: Identity = memory.memory or f"{memory.content}\0{memory.at}"
            known = gone.pop(identity, None)
            if known is not None and (known[1] is memory or known[1] == memory):
                continue
            if known is not None:
                self._drop(known[0])
            self._index.add(self._next, _text(memory))
            self._known[identity] = (self._next, memory)
            self._entries[self._next] = memory
            self._next += 1
        for identity, (key, _) in gone.items():
            del self._known[identity]
            self._drop(key)

    def _drop(self, key: int) -> None:
        self._index.remove(key)
        del self._entries[key]


def _text(memory: Memory) -> str:
    """What a memory is found by: "language preference" finds what is categorised so."""
    return f"{memory.content} {memory.category} {memory.key}"
