"""What is not so, or no longer: "I no longer live in Rome", "I never lived there", "I don't like jazz any more".

A denial is read as the statement that it denies. What is known in just that sense is forgotten. Where nothing of the kind is
known, nothing changes, and the answer says so. A denial never teaches anything; "I don't like jazz" does: it is a dislike.
"""

import re
from collections.abc import Sequence

from tenuto.engines.local.brain.corrections import filled, forgotten, just_said
from tenuto.engines.local.brain.facts import KINDS, PETS, RELATIONS, Fact, fact, learn
from tenuto.engines.local.brain.names import certain_name, likely_name
from tenuto.engines.local.brain.normalise import Clause, Word, readings
from tenuto.engines.local.brain.questions import memories_of
from tenuto.engines.local.brain.situation import Found, Reply, Rule, Situation, answered, rule, say
from tenuto.engines.local.brain.statements import facts_in
from tenuto.engines.local.brain.wording import second_person, sentence
from tenuto.session.ports import Memory

_PRESENT = {
    "lived": "live",
    "worked": "work",
    "studied": "study",
    "spoke": "speak",
    "spoken": "speak",
    "liked": "like",
    "loved": "love",
    "enjoyed": "enjoy",
    "hated": "hate",
    "disliked": "dislike",
    "preferred": "prefer",
    "had": "have",
    "was": "am",
    "been": "am",
    "be": "am",
}
_AUXILIARIES = set("am is are was were do does did have has can could will would".split())
"""What stands right before the "not" that denies a statement: "I prefer not to say" denies nothing."""
_ADVERBS = set("really also just still actually honestly even".split())
_NAMES = {"name", "place", "origin"}
_LEFT_OUT = {
    ("no", "longer"): True,
    ("no", "more"): True,
    ("used", "to"): True,
    ("any", "more"): False,
    ("any", "longer"): False,
}
"""Words that say that it was so before, and whether they deny that it still is."""
_TASTE = re.compile(r"i (?:\w+ )?do not (?:really )?(?:like|love|enjoy) .+")
"""Denied as it stands, this is a dislike, and learned."""


def _affirmed(clause: Clause) -> tuple[Clause, bool] | None:
    """Return what a clause denies, as a statement, and whether it was so before; None when it denies nothing."""
    words, kept, denies, ever = clause.words, list[Word](), False, False
    at = 0
    while at < len(words):
        word, after = words[at], words[at + 1].text if at + 1 < len(words) else ""
        before = kept[-1].text if kept else ""
        at += 1
        if (pair := (word.text, after)) in _LEFT_OUT:
            denies, ever, at = denies or _LEFT_OUT[pair], True, at + 1
        elif word.text in ("not", "never"):
            if before not in _AUXILIARIES and (word.text, before) != ("never", "i"):
                return None
            if kept[0].text == "i" and sum(word.text not in _ADVERBS for word in kept) > 2:
                return None
            denies, ever = True, ever or word.text == "never"
            if before in ("do", "does", "did", "can") or (before == "have" and after in _PRESENT):
                kept.pop()
        elif word.text == "no" and before in ("have", "got", "am"):
            denies = True
            kept.append(word._replace(text="a"))
        elif denies and before in ("am", "is") and word.text in _ADVERBS:
            pass
        else:
            kept.append(word)
    if not denies:
        return None
    if kept[:1] and kept[0].text == "i" and not any(word.text == "born" for word in kept):
        kept = [word._replace(text=_PRESENT.get(word.text, word.text)) for word in kept]
    return Clause(clause.raw, tuple(kept)), ever


def denied(clause: Clause, situation: Situation) -> Reply | None:
    """Answer a denial: forget what it denies, or say that there is nothing to forget."""
    if reply := answered(_RULES, clause, situation):
        return reply
    found = _affirmed(clause)
    if found is None or (not found[1] and _TASTE.fullmatch(clause.plain)):
        return None
    return next(filter(None, (_retract(facts_in(r), situation) for r in readings(found[0]))), None)


def _retract(facts: Sequence[Fact], situation: Situation) -> Reply | None:
    if not facts:
        return None
    known = [memory for memory in situation.memories if any(_same(memory, each) for each in facts)]
    if known:
        return _gone(known, situation)
    if facts[0].category == "note":
        return None
    others = [m for m in situation.memories if m.key == facts[0].key]
    if facts[0].key == "name" and not others:
        return say("I do not know your name yet.", KINDS["name"].ask)
    if others:
        return say(
            sentence(f"I had not noted that: I know that {second_person(others[-1].content)}")
        )
    return say(
        sentence(f"I had not noted that {second_person(facts[0].content)}"),
        "So there is nothing to forget.",
    )


def _same(memory: Memory, fact: Fact) -> bool:
    """Whether a memory says what a fact says: "a dog" is any dog, and "Rome" is "Rome in Italy"."""
    if fact.value.lower() == "anything":
        return memory.key.partition(":")[0] == fact.key.partition(":")[0]
    if memory.key != fact.key:
        return False
    mine, theirs = memory.value.lower(), fact.value.lower()
    return (
        theirs in (mine, f"a {fact.key}") or re.match(rf"{re.escape(theirs)}\b", mine) is not None
    )


def _gone(memories: Sequence[Memory], situation: Situation) -> Reply:
    """Forget, and ask for what is to be known instead, where there is a question for it."""
    kind = KINDS.get(memories[0].key)
    ask = kind.ask if kind and len(memories) == 1 else ""
    return forgotten(memories, situation) + (say(ask) if ask else Reply())


def _pointed(found: Found, situation: Situation) -> Reply | None:
    """Answer "I don't live there any more", "I don't like it any more"."""
    kinds = {"live": ("place",), "work": ("workplace", "job")}.get(found.plain("verb"))
    said = situation.memories if kinds else just_said(situation)
    memories = [m for m in said if m.key.partition(":")[0] in (kinds or ("interest", "preference"))]
    return _gone(memories, situation) if memories and (kinds or len(memories) == 1) else None


def _left(found: Found, situation: Situation) -> Reply | None:
    """Answer "I left Rome", where that is where the user lives, and "I quit my job"."""
    if found.plain("job"):
        memories = memories_of("job", situation)
    else:
        memories = [m for m in situation.about("place") if m.value.lower() == found.plain("v")]
    return _gone(memories, situation) if memories else None


def _has_none(found: Found, situation: Situation) -> Reply | None:
    """Answer "I have no allergies", "I do not have any pets"."""
    noun = found.plain("n")
    if memories := memories_of(noun, situation):
        return _gone(memories, situation)
    near = noun.removesuffix("s") in (*RELATIONS, *PETS, "children")
    return say(f"I had noted no {noun}, so there is nothing to forget.") if near else None


def _no_name(found: Found, situation: Situation) -> Reply | None:
    """Answer "Bob is not my name", "that's not my name"."""
    if found.plain("v") in ("that", "this", "it"):
        known = situation.about("name")
        return _gone(known, situation) if known else None
    name = likely_name(found.said("v"))
    return _retract([fact("name", name)], situation) if name else None


def _never_said(found: Found, situation: Situation) -> Reply | None:
    facts = (facts_in(reading) for reading in readings(found.inner("v")))
    return next(filter(None, (_retract(each, situation) for each in facts)), None)


def _to_remember(found: Found, situation: Situation) -> Reply | None:
    return denied(found.inner("v"), situation)


def _rather(found: Found, situation: Situation) -> Reply | None:
    """Answer "my name is not Bob, it's Carl", "I don't live in Rome but in Paris": learn what is so instead."""
    part = _affirmed(found.clause.part(0, found.plain("no").count(" ") + 1))
    facts = facts_in(part[0]) if part else []
    if len(facts) != 1 or facts[0].key not in KINDS:
        return None
    key, value = facts[0].key, re.sub(r"^(?:in|from|on) ", "", found.said("v"))
    value = certain_name(value) if key in _NAMES else value
    new = filled(key, value, None) if value else None
    return learn([new], situation) if new else None


def _not_other(found: Found, situation: Situation) -> Reply | None:
    """Answer "I live in Milan, not Rome": learn what is so."""
    yes = found.clause.part(0, found.plain("yes").count(" ") + 1)
    facts = facts_in(yes)
    apart = found.plain("apart") or "," in yes.raw[yes.words[-1].end :].partition("not")[0]
    return learn(facts, situation) if apart or {each.key for each in facts} <= _NAMES else None


def _other_name(found: Found, situation: Situation) -> Reply | None:
    """Answer "Bob is not my name, it's Carl"."""
    name = certain_name(found.said("v"))
    return learn([fact("name", name)], situation) if name else None


_ANY_MORE = r"(?: any (?:more|longer))?"

_RULES: list[Rule] = [
    rule(_to_remember, r"(?:remember|note|do not forget) that (?P<v>(?:i|my) .+)"),
    rule(_rather, r"(?P<no>(?:my|i) .*\bnot\b.*?) (?:but|it is|i am|it is actually) (?P<v>.+)"),
    rule(
        _not_other,
        r"(?P<yes>(?:i|my) (?:(?!not\b)\S+ )*?(?!not\b|and\b|but\b)\S+)(?P<apart> and| but)? not (?P<v>.+)",
    ),
    rule(_other_name, r"\w+(?: \w+)? is (?:not|no longer) my name (?:but|it is|i am) (?P<v>.+)"),
    rule(_no_name, rf"(?P<v>\w+(?: \w+)?) is (?:not|no longer) my name{_ANY_MORE}"),
    rule(
        _never_said,
        r"(?:i (?:never|did not) (?:say|said|tell|told)(?: you)?(?: that)?"
        r"|(?:it|that) is (?:not (?:true|so|right|correct)|wrong|false|a lie) that) (?P<v>(?:i|my) .+)",
    ),
    rule(
        _pointed,
        r"i (?:do not|no longer|never)(?: really)? (?P<verb>like|love|enjoy|live|work)"
        rf" (?:it|that|this|them|those|these|there|here){_ANY_MORE}",
    ),
    rule(
        _left,
        r"i (?:have )?(?:just )?(?:left|moved (?:away from|out of)) (?P<v>\w+(?: \w+)?)",
        r"i (?:have )?(?:just )?(?:quit|left|lost) (?P<job>my job)",
    ),
    rule(
        _has_none,
        rf"i (?:do not have|have not got|no longer have|have no)(?: any)? (?P<n>\w+s|children){_ANY_MORE}",
    ),
]
