"""Finding what is known, whatever has come and gone since the last search."""

from typing import Any

import pytest

from tenuto.errors import InvalidInput
from tenuto.session.ports import Memory
from tenuto.session.recall import Recall


def known(*contents: str, category: str = "") -> list[Memory]:
    return [Memory(memory=n, content=c, category=category) for n, c in enumerate(contents, 1)]


def found(
    recall: Recall, memories: list[Memory], query: str, limit: int = 10, category: str | None = None
) -> list[str]:
    return [memory.content for memory in recall.search(lambda: memories, query, limit, category)]


def test_the_best_comes_first() -> None:
    memories = known(
        "The user likes tea.",
        "The user runs every morning.",
        "Running shoes, size 41, for running.",
    )
    assert found(Recall(), memories, "when does she run?")[0].startswith("Running")
    assert found(Recall(), memories, "tea") == ["The user likes tea."]
    assert found(Recall(), memories, "") == []
    assert found(Recall(), [], "tea") == []


def test_the_category_and_the_key_count_too() -> None:
    memory = Memory(memory=1, content="Speaks formally.", category="preference", key="language")
    assert found(Recall(), [memory], "language preference") == ["Speaks formally."]


def test_what_comes_and_goes_is_kept_in_step() -> None:
    recall = Recall()
    first, second = known("Likes tea.", "Likes tea and cake.")
    assert len(found(recall, [first], "tea")) == 1
    assert len(found(recall, [first, second], "tea")) == 2
    assert found(recall, [second], "tea") == ["Likes tea and cake."]
    other = Memory(memory=2, content="Likes jazz.")
    assert found(recall, [other], "tea") == []
    assert found(recall, [other, first], "jazz") == ["Likes jazz."]
    equal = Memory(memory=2, content="Likes jazz.")
    assert recall.search(lambda: [equal], "jazz", 1, None)[0] is other, "the same as before"
    recall.close()
    assert found(recall, [first], "tea") == ["Likes tea."]


def test_those_without_a_number_are_told_apart() -> None:
    memories = [Memory(memory=0, content=c, at=1.0) for c in ("Likes tea.", "Likes jazz.")]
    assert found(Recall(), memories, "likes") == ["Likes jazz.", "Likes tea."]


def test_what_has_not_changed_is_not_looked_at_again() -> None:
    recall, looks = Recall(), list[int]()

    def memories() -> list[Memory]:
        looks.append(1)
        return known("Likes tea.")

    one, other = object(), object()
    for version, looked in (
        ((one, 1), 1),
        ((one, 1), 1),
        ((one, 2), 2),
        ((other, 2), 3),
        (None, 4),
        (None, 5),
    ):
        assert len(recall.search(memories, "tea", 1, None, version)) == 1
        assert len(looks) == looked
    recall.search(memories, "tea", 1, None, (one, 1))
    recall.close()
    assert len(recall.search(memories, "tea", 1, None, (one, 1))) == 1


def test_a_category_is_searched_to_its_end() -> None:
    memories = [
        Memory(memory=n, content="A note on tea.", category="rare" if n == 1 else "common")
        for n in range(1, 101)
    ]
    assert len(found(Recall(), memories, "tea", 2, "rare")) == 1
    assert len(found(Recall(), memories, "tea", 2, "common")) == 2
    assert found(Recall(), memories, "tea", 2, "none") == []


def test_meaning_may_be_added() -> None:
    def embed(texts: Any) -> list[list[float]]:
        return [[1.0, 0.0] if "dog" in t or "puppy" in t else [0.0, 1.0] for t in texts]

    memories = known("Has a dog.", "Plays chess.")
    assert found(Recall(), memories, "puppy") == []
    assert found(Recall(embed), memories, "puppy") == ["Has a dog."]


@pytest.mark.parametrize("limit", [0, 1_001, "3"])
def test_a_limit_is_checked(limit: Any) -> None:
    with pytest.raises(InvalidInput, match="limit from 1 to 1,000"):
        Recall().search(list, "x", limit, None)
    with pytest.raises(InvalidInput):
        Recall().search(list, 7, 1, None)  # type: ignore[arg-type]
