import random
import sys
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto.errors import InvalidInput, MissingExtra
from tenuto.text.search import BATCH, MAX_QUERY_WORDS, Hit, Index

ABOUT = {
    "dog": (1.0, 0.0, 0.0), "puppy": (0.9, 0.1, 0.0), "hound": (0.95, 0.05, 0.0),
    "rain": (0.0, 1.0, 0.0), "storm": (0.0, 0.9, 0.0), "sonata": (0.0, 0.0, 1.0),
}  # fmt: skip
"""Three axes of meaning: animals, weather, music."""


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Sum the meanings of a text's words."""
    known = [[ABOUT[word] for word in text.lower().split() if word in ABOUT] for text in texts]
    return [[sum(axis) for axis in zip(*words, strict=True)] or [0.0] * 3 for words in known]


def filled(*texts: str) -> Index:
    index = Index()
    for key, text in enumerate(texts, 1):
        index.add(key, text)
    return index


def keys(hits: list[Hit]) -> list[int]:
    return [hit.key for hit in hits]


def test_stems_and_accents_do_not_matter() -> None:
    index = filled("She runs a café", "He likes tea")
    assert keys(index.search("running CAFE")) == [1]


def test_the_rarer_word_and_the_shorter_text_win() -> None:
    index = filled("tea", "tea and cake", "coffee with tea and cake and milk", "tea tonight", "x")
    hits = index.search("coffee or cake")
    assert keys(hits) == [3, 2]
    assert hits[0].score > hits[1].score >= 0


def test_of_equals_the_newest_comes_first() -> None:
    index = filled(*["likes tea"] * 5, *["something else"] * 9)
    assert keys(index.search("tea", limit=3)) == [5, 4, 3]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", []),
        ("   ", []),
        ("?!", []),
        ("what does the user like?", [1]),
        ("who", []),
        ("the", [2]),
        ('"', []),
        ('tea" OR "cake', [1]),
        ("tea AND NOT (cake*) NEAR/2 text:tea ^tea", [1]),
        ("te", []),
        ("\ud800 tea \x00", [1]),
        ("O'Brien", [3]),
        ("don't", [4]),
    ],
)
def test_a_query_is_what_a_person_says(query: str, found: list[int]) -> None:
    index = filled(
        "User likes tea", "the end of all", "Works with O\u2019Brien", "don't forget that"
    )
    assert keys(index.search(query)) == found


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    index = Index()
    index.add(1, text)
    assert len(index.search(text)) <= 1
    index.close()


def test_only_so_many_words_of_a_query_count() -> None:
    index = filled("needle")
    words = [f"word{number}" for number in range(MAX_QUERY_WORDS)]
    assert index.search(" ".join([*words[1:], "needle"]))
    assert not index.search(" ".join([*words, "needle"]))


def test_entries_come_and_go() -> None:
    index = filled("tea", "coffee")
    index.add(1, "cocoa")
    index.remove(2)
    index.remove(2)
    assert len(index) == 1
    assert keys(index.search("tea coffee cocoa")) == [1]
    index.remove(1)
    assert index.search("cocoa") == []


def test_a_closed_index_is_empty_and_may_be_filled_again() -> None:
    index = filled("tea")
    index.close()
    index.close()
    assert len(index) == 0
    assert index.search("tea") == []
    index.add(7, "tea")
    assert keys(index.search("tea")) == [7]


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1])
def test_a_key_that_does_not_fit_is_refused(key: int) -> None:
    index = Index()
    with pytest.raises(InvalidInput, match="64 bits"):
        index.add(key, "tea")
    assert len(index) == 0


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match="limit"):
        Index().search("tea", limit=0)


# Ten thousand entries


@pytest.fixture(scope="module")
def large() -> Iterator[Index]:
    dice = random.Random(1)
    words = [f"word{number}" for number in range(5_000)]
    index = Index()
    for key in range(10_000):
        half = ("alpha", "beta")[key % 2]
        index.add(key, " ".join(["the user likes", half, *dice.choices(words, k=6)]))
    yield index
    index.close()


@pytest.mark.parametrize(
    "query",
    ["word17", "user", "user likes", "what does the user like? word17", "alpha beta user word17"],
)
def test_ten_thousand_entries_are_searched(large: Index, query: str) -> None:
    """How long it takes is `bench/memory.py`'s to say."""
    assert large.search(query)


def test_a_word_of_every_entry_gives_the_newest_of_them(large: Index) -> None:
    assert large.search("user", limit=2) == [Hit(9_999, 0.0), Hit(9_998, 0.0)]


def test_a_word_of_every_entry_does_not_hide_a_rare_one(large: Index) -> None:
    rare = keys(large.search("word17"))
    assert rare
    assert keys(large.search("user likes word17")) == rare


# Meaning


def test_an_entry_without_a_common_word_is_found() -> None:
    index = Index(embed)
    for key, text in enumerate(["my puppy sleeps", "a storm comes", "a sonata", "nothing"], 1):
        index.add(key, text)
    assert keys(index.search("dog")) == [1]
    assert keys(filled("my puppy sleeps").search("dog")) == []


def test_both_rankings_count() -> None:
    index = Index(embed)
    for key, text in enumerate(["the hound", "dog dog rain", "a dog", "rain"], 1):
        index.add(key, text)
    hits = index.search("dog")
    assert keys(hits)[0] == 3
    assert set(keys(hits)) == {1, 2, 3}
    # First by meaning and second by words, in which the text with two dogs is first.
    assert hits[0].score == pytest.approx(1 / 61 + 1 / 62)
    assert keys(index.search("dog", limit=1)) == [3]


def test_vectors_come_and_go_with_their_entries() -> None:
    index = Index(embed)
    for key, word in enumerate(["dog", "rain", "sonata"], 1):
        index.add(key, word)
    assert keys(index.search("storm")) == [2]
    index.add(1, "storm")
    index.remove(3)
    assert keys(index.search("rain")) == [2, 1]
    index.remove(1)
    assert keys(index.search("storm")) == [2]
    index.remove(2)
    index.add(5, "puppy")
    index.remove(5)
    index.add(6, "hound")
    assert keys(index.search("dog")) == [6]
    index.close()
    assert index.search("dog") == []
    index.add(7, "dog")
    assert keys(index.search("puppy")) == [7]


def test_many_entries_are_embedded_in_batches() -> None:
    asked: list[int] = []

    def counted(texts: Sequence[str]) -> list[list[float]]:
        asked.append(len(texts))
        return embed(texts)

    index = Index(counted)
    for key in range(2 * BATCH + 1):
        index.add(key, "dog")
    assert asked == []
    assert len(index.search("puppy", limit=1_000)) == 2 * BATCH + 1
    assert asked == [BATCH, BATCH, 1, 1]
    index.search("hound")
    assert asked == [BATCH, BATCH, 1, 1, 1]


@pytest.mark.parametrize(
    "vectors",
    [[], [[1.0], [1.0]], [[]], [[1.0, 2.0]], [[float("nan")] * 3], [[float("inf"), 0.0, 0.0]]],
)
def test_bad_vectors_are_refused_and_nothing_is_lost(vectors: list[list[float]]) -> None:
    good = True
    index = Index(lambda texts: embed(texts) if good else vectors)
    index.add(1, "dog")
    assert keys(index.search("puppy")) == [1]
    index.add(2, "hound")
    good = False
    with pytest.raises(InvalidInput, match="embedding function"):
        index.search("puppy")
    good = True
    assert set(keys(index.search("puppy"))) == {1, 2}


def test_vectors_of_two_lengths_are_refused() -> None:
    index = Index(lambda texts: [[1.0] * (1 + place) for place, _ in enumerate(texts)])
    index.add(1, "dog")
    index.add(2, "rain")
    with pytest.raises(InvalidInput, match="all of one length"):
        index.search("dog")


def test_meaning_needs_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingExtra, match="insight"):
        Index(embed)
