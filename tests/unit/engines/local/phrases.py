"""Reads `engines/local/phrases.txt`, whose head says its format, and says its phrases in full."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tenuto.engines.local.grammar import read_phrases

_SLOT = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the file says."""

    slots: dict[str, list[str]]
    """The alternatives of each slot; an alternative may name other slots."""
    phrases: list[str]
    """The phrases, in the order of the file."""


@lru_cache(maxsize=1)
def load() -> Phrases:
    """Read the file. The result is shared: do not change it."""
    return parse(read_phrases())


def parse(text: str) -> Phrases:
    """Return the slots and phrases of a text in the file's format.

    Raises:
        ValueError: A line is neither, or a slot is used that is not defined.
    """
    found = Phrases({}, [])
    section = ""
    for line in (raw.strip() for raw in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "slots" and " = " in line:
            name, _, alternatives = line.partition(" = ")
            found.slots[name] = [each.strip() for each in alternatives.split("|")]
        elif section == "phrases":
            found.phrases.append(line)
        else:
            raise ValueError(f"not a slot or a phrase: {line}")
    for line in (*found.phrases, *(each for many in found.slots.values() for each in many)):
        if missing := set(_SLOT.findall(line)) - found.slots.keys():
            raise ValueError(f"no such slot: {sorted(missing)[0]}")
    return found


def examples(phrase: str, phrases: Phrases, number: int = 0) -> str:
    """Return one way to say a phrase: the `number`-th, where each slot goes round its alternatives.

    Example:
        >>> examples("my name is <name>", Phrases({"name": ["alice", "bob"]}, []), 1)
        'my name is bob'
    """
    while match := _SLOT.search(phrase):
        alternatives = phrases.slots[match[1]]
        phrase = phrase.replace(match[0], alternatives[number % len(alternatives)], 1)
        number = number * 7 + 3
    return phrase


def each_example(phrase: str, phrases: Phrases) -> Iterator[str]:
    """Give enough ways to say a phrase to use every alternative of its slots."""
    used = _SLOT.findall(phrase)
    count = max((len(phrases.slots[slot]) for slot in used), default=1)
    for number in range(count):
        yield examples(phrase, phrases, number)
