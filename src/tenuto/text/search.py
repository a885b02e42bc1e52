"""Find the entries of a small collection that answer a query, best first. All of it is in RAM and belongs to one owner.

Words are weighed by SQLite's FTS5: BM25 over English stems, without accents. A query is free text of a person, never
FTS5's own syntax. The only module of the room that knows apsw and numpy, and it asks for them when they are needed.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tenuto.errors import InvalidInput, MissingExtra
from tenuto.text.stopwords import FUNCTION

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Turns texts into vectors, one for each text, all of one length."""

MAX_QUERY_WORDS = 32
"""Different words of a query that count; those after them are ignored."""

MAX_RANKED = 5_000
"""Matches that one query may rank. The rarest words come first: a word that would take the sum over this is left out,
and a query all of whose words are in more entries than this gives the newest of them, unranked."""

FUSION_DEPTH = 50
"""How many of the best, by words and by meaning, are fused at least."""

FUSION_K = 60
"""The constant of reciprocal rank fusion."""

BATCH = 256
"""Texts that are embedded in one call."""

_TOKENIZER = ("porter", "unicode61", "remove_diacritics", "2")
_SCHEMA = f"""
CREATE VIRTUAL TABLE entries USING fts5(
    text, content='', contentless_delete=1, tokenize='{" ".join(_TOKENIZER)}'
);
CREATE VIRTUAL TABLE stems USING fts5vocab(entries, 'row');
"""
_RANKED = """
SELECT rowid, max(0.0, -rank) FROM entries WHERE entries MATCH ? ORDER BY rank, rowid DESC LIMIT ?
"""
_NEWEST = "SELECT rowid, 0.0 FROM entries WHERE entries MATCH ? ORDER BY rowid DESC LIMIT ?"


class Hit(msgspec.Struct, frozen=True):
    """An entry that answers a query."""

    key: int
    """The number under which the entry was added."""

    score: float
    """How well it answers: 0 or more, higher is better. Comparable within one answer only."""


class Index:
    """A collection of texts that can be searched.

    Without `embed`, an entry is found if it shares a word's stem with the query. With it, an entry that is near in
    meaning is found too: the two rankings are joined by reciprocal rank fusion (Cormack, Clarke and Buettcher,
    "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009, k = 60), in which
    an entry scores the sum of 1 / (60 + its place) over the rankings that it is in.

    Entries of equal score come newest first: the higher key is the newer one. Text in scripts without spaces between
    words is found by whole runs of characters only. An index that was never filled costs nothing.

    Example:
        >>> index = Index()
        >>> index.add(1, "The user is learning Italian")
        >>> index.add(2, "The user runs in the mornings")
        >>> [hit.key for hit in index.search("does she run?")]
        [2]

    Args:
        embed: What turns texts into vectors. It is called by `search`, with the texts added since the last search in
            batches of `BATCH` and then with the query; what it raises passes through, and nothing is lost.

    Raises:
        MissingExtra: `embed` was given and numpy is not installed.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._keys: set[int] = set()
        self._connection: Any = None
        self._split: Any = None
        self._meaning = None if embed is None else _Meaning(embed)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: int, text: str) -> None:
        """Add an entry, or replace the one that has the key.

        Raises:
            InvalidInput: The key is not a 64-bit integer.
        """
        if not -(2**63) <= key < 2**63:
            raise InvalidInput("The key of an entry must be an integer of at most 64 bits.")
        if self._connection is None:
            self._connection, self._split = _open()
        self._begin()
        # A lone surrogate is no text to SQLite.
        text = text.encode("utf-8", "replace").decode()
        self._connection.execute(
            "INSERT OR REPLACE INTO entries (rowid, text) VALUES (?, ?)", (key, text)
        )
        self._keys.add(key)
        if self._meaning:
            self._meaning.add(key, text)

    def remove(self, key: int) -> None:
        """Remove an entry. A key that is not there is no mistake."""
        if key not in self._keys:
            return
        self._begin()
        self._connection.execute("DELETE FROM entries WHERE rowid = ?", (key,))
        self._keys.remove(key)
        if self._meaning:
            self._meaning.remove(key)

    def search(self, query: str, limit: int = 10) -> list[Hit]:
        """Return the entries that answer a query best, best first: at most `limit` of them.

        Any of the query's words will do; English function words count only if there is nothing else in it.

        Raises:
            InvalidInput: `limit` is below 1, or `embed` returned vectors that do not fit.
        """
        if limit < 1:
            raise InvalidInput("The limit of a search must be 1 or more.")
        if not self._keys or not query.strip():
            return []
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        if self._meaning is None:
            return [Hit(key, score) for key, score in self._by_words(query, limit)]
        depth = max(limit, FUSION_DEPTH)
        by_words = [key for key, _ in self._by_words(query, depth)]
        return _fused([by_words, self._meaning.nearest(query, depth)])[:limit]

    def close(self) -> None:
        """Forget every entry and give the memory back. The index may be filled again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._split = None
        self._keys.clear()
        if self._meaning:
            self._meaning.clear()

    def _begin(self) -> None:
        # FTS5 writes a segment at each commit: everything up to the next search is one.
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")

    def _by_words(self, query: str, limit: int) -> list[tuple[int, float]]:
        counted = sorted(
            (count, word) for word, stem in self._words(query) if (count := self._count(stem))
        )
        if not counted:
            return []
        statement = _NEWEST if counted[0][0] > MAX_RANKED else _RANKED
        total = 0
        words: list[str] = []
        for count, word in counted:
            total += count
            if not words or total <= MAX_RANKED:
                words.append(f'"{word}"')
        return list(self._connection.execute(statement, (" OR ".join(words), limit)))

    def _words(self, query: str) -> list[tuple[str, str]]:
        """The query's different words that count, with their stems."""
        raw = query.encode("utf-8", "replace")
        stems: dict[str, str] = {}
        for start, end, *(stem,) in self._split(raw, _query_flag(), None):
            stems.setdefault(stem, raw[start:end].decode().lower())
        words = [(word, stem) for stem, word in stems.items()]
        telling = [pair for pair in words if pair[0] not in FUNCTION]
        return (telling or words)[:MAX_QUERY_WORDS]

    def _count(self, stem: str) -> int:
        """How many entries have a word."""
        found = self._connection.execute("SELECT doc FROM stems WHERE term = ?", (stem,)).fetchone()
        return int(found[0]) if found else 0


def _open() -> tuple[Any, Any]:
    import apsw

    connection = apsw.Connection(":memory:")
    connection.execute(_SCHEMA)
    return connection, connection.fts5_tokenizer(_TOKENIZER[0], list(_TOKENIZER[1:]))


def _query_flag() -> int:
    import apsw

    return apsw.FTS5_TOKENIZE_QUERY


def _fused(rankings: list[list[int]]) -> list[Hit]:
    """Join rankings of keys, best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (FUSION_K + place)
    hits = [Hit(key, score) for key, score in scores.items()]
    return sorted(hits, key=lambda hit: (-hit.score, -hit.key))


class _Meaning:
    """The vectors of the entries, as rows of one matrix; each has the length 1."""

    def __init__(self, embed: Embed) -> None:
        try:
            import numpy
        except ImportError:
            raise MissingExtra("insight", "Search by meaning") from None
        self._numpy: Any = numpy
        self._embed = embed
        self._waiting: dict[int, str] = {}
        self._keys: list[int] = []
        self._rows: dict[int, int] = {}
        self._matrix: Any = None

    def add(self, key: int, text: str) -> None:
        self.remove(key)
        self._waiting[key] = text

    def remove(self, key: int) -> None:
        self._waiting.pop(key, None)
        row = self._rows.pop(key, None)
        if row is None:
            return
        last = self._keys.pop()
        if last != key:
            self._matrix[row] = self._matrix[len(self._keys)]
            self._keys[row], self._rows[last] = last, row

    def clear(self) -> None:
        self._waiting.clear()
        self._keys.clear()
        self._rows.clear()
        self._matrix = None

    def nearest(self, query: str, limit: int) -> list[int]:
        """The entries whose meaning is nearest to that of a query, nearest first."""
        while self._waiting:
            batch = dict(list(self._waiting.items())[:BATCH])
            self._keep(list(batch), self._vectors(list(batch.values())))
            for key in batch:
                del self._waiting[key]
        (asked,) = self._vectors([query])
        near = self._matrix[: len(self._keys)] @ asked
        best = self._numpy.argsort(-near, kind="stable")[:limit]
        found = [(float(near[row]), self._keys[row]) for row in best]
        return [key for cosine, key in sorted(found, reverse=True) if cosine > 0]

    def _vectors(self, texts: list[str]) -> Any:
        numpy = self._numpy
        wanted = None if self._matrix is None else self._matrix.shape[1]
        given = self._embed(texts)
        lengths = {len(vector) for vector in given}
        if len(given) != len(texts) or len(lengths) != 1 or lengths == {0}:
            raise InvalidInput(
                f"The embedding function was given {len(texts)} texts and returned {len(given)} vectors "
                f"of the lengths {sorted(lengths)}. It must return a vector for each, all of one length."
            )
        vectors = numpy.array(given, dtype="float32")
        if wanted not in (None, vectors.shape[1]):
            raise InvalidInput(
                f"The embedding function returned vectors of {vectors.shape[1]} numbers after vectors of {wanted}."
            )
        lengths_of = numpy.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
        if not math.isfinite(float(lengths_of.sum())):
            raise InvalidInput("The embedding function returned a number that is not finite.")
        return vectors / numpy.maximum(lengths_of, 1e-12)

    def _keep(self, keys: list[int], vectors: Any) -> None:
        numpy = self._numpy
        count = len(self._keys)
        if self._matrix is None:
            self._matrix = numpy.zeros((BATCH, vectors.shape[1]), dtype="float32")
        while len(self._matrix) < count + len(keys):
            self._matrix = numpy.concatenate([self._matrix, numpy.zeros_like(self._matrix)])
        self._matrix[count : count + len(keys)] = vectors
        self._rows |= {key: count + at for at, key in enumerate(keys)}
        self._keys += keys
