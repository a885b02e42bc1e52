"""What the user says of himself, turned into memories: the kinds of facts, and how one is learned. `statements` finds them.

A kind that holds one value (`name`, `place`) keeps one memory under its key, so that a new value takes the old
one's place. A kind that holds many (`interest`) keeps one memory for each, under `interest:chess`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenuto.engines.local.brain.names import with_names
from tenuto.engines.local.brain.situation import (
    Effect,
    Reply,
    Situation,
    say,
    shown,
    sourced,
    turns_of,
)
from tenuto.engines.local.brain.wording import lowered, second_person, sentence, titled, together
from tenuto.session.ports import Forgot, Learned

RELATIONS = (
    *("wife", "husband", "partner", "girlfriend", "boyfriend", "fiance", "mother", "father"),
    *("sister", "brother", "son", "daughter", "friend", "best friend", "boss", "colleague"),
    *("neighbor", "grandmother", "grandfather", "aunt", "uncle", "cousin", "teacher", "doctor"),
    *("child", "baby", "roommate", "manager"),
)
PETS = (
    "dog",
    "cat",
    "horse",
    "bird",
    "rabbit",
    "hamster",
    "fish",
    "parrot",
    "puppy",
    "kitten",
    "pet",
)
KIN = "|".join(sorted(RELATIONS + PETS, key=len, reverse=True))
"""A pattern of all of them."""
OPPOSITES = {"interest": "dislike", "dislike": "interest"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What all facts of one key have in common."""

    content: str
    """The sentence kept, with `{}` for the value."""
    category: str
    importance: float = 0.5
    many: bool = False
    """Whether there can be more than one at a time."""
    case: Callable[[str], str] = lowered
    ask: str = ""
    """How to ask for it; a bare answer to this question is understood."""


KINDS: dict[str, Kind] = {
    "name": Kind("The user's name is {}.", "identity", 1.0, False, titled, "What is your name?"),
    "age": Kind("The user is {} years old.", "identity", 0.6),
    "place": Kind("The user lives in {}.", "place", 0.8, False, titled, "Where do you live?"),
    "origin": Kind("The user is from {}.", "place", 0.6, False, titled),
    "birthplace": Kind("The user was born in {}.", "place", 0.6, False, titled),
    "birth year": Kind("The user was born in {}.", "identity", 0.6),
    "birthday": Kind("The user's birthday is {}.", "identity", 0.8, ask="When is your birthday?"),
    "job": Kind("The user is {}.", "work", 0.7),
    "workplace": Kind("The user works {}.", "work", 0.6),
    "study": Kind("The user studies {}.", "work", 0.6),
    "interest": Kind("The user is interested in {}.", "interest", 0.7, True),
    "dislike": Kind("The user does not like {}.", "preference", 0.5, True),
    "preference": Kind("The user prefers {}.", "preference", 0.6, True),
    "language": Kind("The user speaks {}.", "identity", 0.5, True),
    "allergy": Kind("The user is allergic to {}.", "health", 1.0, True),
    "trait": Kind("The user is {}.", "identity", 0.5, True),
    "children": Kind("The user has {}.", "relation", 0.7, case=with_names),
    "note": Kind('The user asked to remember this: "{}".', "note", 0.6, True, str),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, ready to be learned."""

    key: str
    value: str
    content: str
    category: str
    importance: float = 0.5


def fact(kind: str, value: str, content: str = "", key: str = "") -> Fact:
    """Return a fact of a kind in `KINDS`."""
    k = KINDS[kind]
    key = key or (f"{kind}:{value.lower()[:60]}" if k.many else kind)
    return Fact(key, value, content or k.content.format(value), k.category, k.importance)


def learn(facts: Sequence[Fact], situation: Situation) -> Reply | None:
    """Return the reply that learns these facts; None when there are none."""
    if not facts:
        return None
    reply = Reply()
    fresh: list[Fact] = []
    for each in facts:
        known = [m for m in situation.memories if m.key == each.key]
        same = [m for m in known if m.content.lower() == each.content.lower()]
        if each.value == f"a {each.key}":
            same = known
        if same:
            reply += _known_already(each, situation)
            continue
        learned = Learned(
            turn=situation.turn,
            content=each.content,
            key=each.key,
            value=each.value,
            category=each.category,
            importance=each.importance,
        )
        effects: list[Effect] = [learned, *_contradicted(each, situation)]
        reply += Reply(effects=tuple(effects))
        if each.key == "name":
            reply += _met(each.value, situation.name())
        elif known and ":" not in each.key and known[-1].value != f"a {each.key}":
            turns = turns_of(known, situation)
            where = f", as you told me in turn {turns[-1]}" if turns else ""
            now = sentence(f"noted: {second_person(each.content)} now")
            reply += say(now) + say(f"Before, it was {known[-1].value}{where}.", cites=turns)
        else:
            fresh.append(each)
        situation = situation.after(effects)
    notes = [each.value for each in fresh if each.category == "note" and each.key[:5] == "note:"]
    others = [(each.content, each.value) for each in fresh if each.value not in notes]
    if others:
        reply += say(sentence(f"I will remember that {together(others)}"))
    for note in notes:
        reply += say(f'I have noted: "{shown(note, 200)}".')
    return reply


def _known_already(each: Fact, situation: Situation) -> Reply:
    memory = [m for m in situation.memories if m.key == each.key]
    if each.key == "name":
        return sourced([f"Yes, {each.value}, I remember."], memory, situation)
    known = second_person(memory[-1].content)
    return sourced([sentence(f"I remember that already: {known}")], memory, situation)


def _met(name: str, before: str) -> Reply:
    if before:
        return say(f"All right, I will call you {name} instead of {before}.")
    return say(f"Nice to meet you, {name}.")


def _contradicted(each: Fact, situation: Situation) -> list[Effect]:
    """Return what to forget: who hates jazz no longer likes it."""
    kind, _, value = each.key.partition(":")
    opposite = f"{OPPOSITES.get(kind, '')}:{value}"
    return [
        Forgot(turn=situation.turn, memory=m.memory)
        for m in situation.memories
        if value and m.key == opposite and m.memory
    ]
