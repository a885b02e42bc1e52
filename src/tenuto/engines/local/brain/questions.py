"""Questions about what is remembered. Every answer says which turns it comes from, and cites them.

A question that names something unknown is answered with exactly that; a question that no rule takes is left to
others."""

import re
from collections.abc import Sequence

from tenuto.engines.local.brain.facts import KIN, PETS, RELATIONS
from tenuto.engines.local.brain.moments import local
from tenuto.engines.local.brain.normalise import Clause
from tenuto.engines.local.brain.situation import (
    Answer,
    Found,
    Reply,
    Rule,
    Situation,
    rule,
    say,
    saying,
    shown,
    sourced,
    turns_of,
)
from tenuto.engines.local.brain.statements import facts_in
from tenuto.engines.local.brain.wording import listed, second_person, sentence, to_you, together
from tenuto.session.ports import Memory

MOST = 12
"""How many memories an answer lists."""

_ALIASES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("name", "first name", "full name"), ("name",)),
    **dict.fromkeys(("interest", "hobby", "passion", "like"), ("interest",)),
    **dict.fromkeys(("home", "city", "town", "home town", "hometown"), ("place",)),
    "address": ("address", "place"),
    **dict.fromkeys(("job", "profession", "occupation", "work"), ("job", "workplace")),
    **dict.fromkeys(("birthday", "birth day", "date of birth", "birth date"), ("birthday",)),
    **dict.fromkeys(("allergy",), ("allergy",)),
    **dict.fromkeys(("preference",), ("preference",)),
    **dict.fromkeys(("dislike",), ("dislike",)),
    **dict.fromkeys(("language",), ("language",)),
    "country": ("origin", "place"),
    "partner": ("partner", "wife", "husband", "girlfriend", "boyfriend", "fiance"),
    "pet": PETS,
    "child": ("children", "child", "son", "daughter"),
    "children": ("children", "child", "son", "daughter"),
    "note": ("note",),
}
_PLURALS = {"hobbies": "hobby", "allergies": "allergy", "children": "children"}
_STOP = frozenset(
    "a an the and or of to in on at by for with about from is am are was were be been do does did have has had "
    "i you he she it we they me my mine your his her its our their this that what who where when why how which "
    "can could would will should there any some again please tell know remember say said told ever much many "
    "long old user asked".split()
)


def keys_of(noun: str) -> tuple[str, ...]:
    """Return the keys under which something of the user's may be kept: `wife's name` gives `wife`."""
    noun = re.sub(r"(?:'s|s'|s)? name$", "", noun) if noun.split()[:1] != ["name"] else noun
    noun = noun.removeprefix("the ").removeprefix("my ").removeprefix("own ")
    single = _PLURALS.get(noun, noun)
    for each in (single, single.removesuffix("s")):
        if each in _ALIASES:
            return (*_ALIASES[each], each)
    return (noun, noun.removesuffix("s"))


def memories_of(noun: str, situation: Situation) -> list[Memory]:
    """Return what is remembered of something of the user's, without repetition."""
    found: dict[str, Memory] = {}
    for key in dict.fromkeys(keys_of(noun)):
        for memory in situation.about(key):
            found[memory.content] = memory
    words = content_words(noun)
    notes = (m for m in matching(words, situation) if not m.key or m.key.startswith("note:"))
    return list(found.values()) or list(notes)


def tell(memories: Sequence[Memory], situation: Situation) -> Reply:
    """Return a reply that says these memories, the same beginnings put together, and where they come from."""
    kinds = {m.key.partition(":")[0] for m in memories}
    if len(memories) <= 3 or len(kinds) == 1:
        one = together([(m.content, m.value) for m in memories])
        return sourced([sentence(one)], memories, situation)
    return sourced([sentence(second_person(m.content)) for m in memories], memories, situation)


def _mine(found: Found, situation: Situation) -> Reply | None:
    """Answer "what is my name", "my name and interest", "my wife's name"."""
    nouns = [part for part in re.split(r"\s*,\s*|\s+and\s+", found.plain("n")) if part]
    nouns = [re.sub(r"^(?:and |also )?(?:my |the )?", "", noun) for noun in nouns]
    if not nouns or len(nouns) > 6 or any(_too_long(noun) for noun in nouns):
        return None
    known: list[Memory] = []
    unknown: list[str] = []
    for noun in nouns:
        if memories := memories_of(noun, situation):
            known += [m for m in memories if m not in known]
        else:
            unknown.append(noun)
    reply = tell(known, situation) if known else Reply()
    return reply + _unknown(unknown) if unknown else reply


def _too_long(noun: str) -> bool:
    return len(noun.split()) > 4 or bool(
        re.search(r"\b(?:what|who|where|when|how|do|does|i|you|is|are|can|tell|if|for)\b", noun)
    )


def _unknown(nouns: Sequence[str]) -> Reply:
    plain = all(noun.removesuffix("s") in _ALIASES or noun.startswith("favorite") for noun in nouns)
    about = "" if plain and not set(nouns) & {*RELATIONS, *PETS} else "about "
    return say(f"I do not know {about}your {listed(nouns)}: you have not told me.")


def _known_as(*keys: str, unknown: str) -> Answer:
    """Answer with all memories of these keys."""

    def answer(found: Found, situation: Situation) -> Reply | None:
        memories = [m for key in keys for m in situation.about(key)]
        return tell(memories, situation) if memories else say(unknown)

    return answer


def _who(found: Found, situation: Situation) -> Reply | None:
    """Answer "do I have a dog", "what is my dog called"."""
    who = found.plain("who")
    memories = memories_of(who, situation)
    if memories:
        return tell(memories, situation)
    some = f"any {who}" if who.endswith("s") or who == "children" else f"a {who}"
    return say(f"I do not know: you have not told me about {some}.")


def _age(found: Found, situation: Situation) -> Reply | None:
    """Answer "how old am I", from the year of birth where the age was not told."""
    if known := situation.about("age"):
        return tell(known, situation)
    born = [m for m in situation.about("birth year") if m.value.isdecimal()]
    if not born:
        return say("I do not know how old you are: you have not told me.")
    age = local(situation.now, situation.timezone).year - int(born[-1].value)
    text = f"You were born in {born[-1].value}, so you are {age - 1} or {age}."
    return sourced([text], born[-1:], situation)


def _am_i(found: Found, situation: Situation) -> Reply | None:
    """Answer "am I Italian", "am I a vegetarian", where that was told."""
    about = [*situation.about("trait"), *situation.about("job"), *situation.about("name")]
    memories = [m for m in about if m.value.lower() == found.plain("v")]
    return tell(memories, situation) if memories else None


def _one_of(kinds: tuple[str, ...]) -> Answer:
    """Answer "do I like jazz", "am I allergic to nuts"."""

    def answer(found: Found, situation: Situation) -> Reply | None:
        value = found.plain("v")
        memories = [
            m
            for kind in kinds
            for m in situation.about(kind)
            if value in m.value.lower().split(":")
        ]
        if memories:
            return tell(memories, situation)
        return say(f"I do not know: you have not told me anything about {value}.")

    return answer


def _thing(found: Found, situation: Situation) -> Reply | None:
    """Answer "when is the meeting", if it was told."""
    memories = [m for m in situation.memories if m.key == found.plain("n")]
    if memories:
        return tell(memories, situation)
    short = len(found.plain("n").split()) <= 2 and found.plain("w")
    verb = "are" if found.clause.plain.split()[1] == "are" else "is"
    unknown = (
        f"I do not know {found.plain('w')} the {found.plain('n')} {verb}: you have not told me."
    )
    return say(unknown) if short else None


def _everything(found: Found, situation: Situation) -> Reply | None:
    memories = sorted(situation.memories, key=lambda m: (-m.importance, m.at))
    if not memories:
        return say("I do not know anything about you yet.", "Tell me your name, for example.")
    reply = Reply()
    for memory in memories[:MOST]:
        reply += say(sentence(second_person(memory.content)), cites=turns_of([memory], situation))
    if len(memories) > MOST:
        reply += say(f"And there is more: {len(memories)} things in all.")
    turns = turns_of(memories[:MOST], situation)
    where = f"turn{'s' if len(turns) > 1 else ''} {listed([str(t) for t in turns])}"
    return reply + say(f"You told me in {where}.", cites=turns) if turns else reply


def content_words(text: str) -> set[str]:
    """Return the words of a text that carry its subject, in the singular."""
    words = re.findall(r"[^\W_]+", text.lower().replace("'s", ""))
    return {_stem(word) for word in words if word not in _STOP}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            return word.removesuffix(ending)
    return word


def _about(found: Found, situation: Situation) -> Reply | None:
    """Answer "what do you know about X", from memory, else from what the user said."""
    noun = re.sub(r"^my ", "", found.plain("n"))
    memories = memories_of(noun, situation) or matching(content_words(noun), situation)
    if memories:
        return tell(memories[:MOST], situation)
    reply = said_about(content_words(noun), situation)
    return reply or say(f"I know nothing about {to_you(found.said('n'))}: you have not told me.")


def matching(words: set[str], situation: Situation) -> list[Memory]:
    """Return the memories that hold all of these words, newest first."""
    return [
        m
        for m in reversed(situation.memories)
        if words and words <= content_words(f"{m.content} {m.key}")
    ]


def said_about(words: set[str], situation: Situation) -> Reply | None:
    """Quote what the user said with all of these words; None when he did not. Questions are not quoted."""
    if not words:
        return None
    quotes = [
        m
        for m in reversed(situation.messages)
        if m.role == "user"
        and m.user == situation.by
        and not m.text.endswith("?")
        and words <= content_words(m.text)
        and not re.match(r"\W*(?:what|who|where|when|how|do you)\b", m.text.lower())
    ][:2]
    reply = Reply()
    for message in quotes:
        reply += say(
            f'In turn {message.turn} you said: "{shown(message.text)}".', cites=(message.turn,)
        )
    return reply if quotes else None


def _said_about(found: Found, situation: Situation) -> Reply | None:
    return said_about(content_words(found.plain("n")), situation) or _about(found, situation)


def _when_told(found: Found, situation: Situation) -> Reply | None:
    memories = memories_of(found.plain("n"), situation)
    return tell(memories[:3], situation) if memories else _unknown([found.plain("n")])


def _do_you_know_me(found: Found, situation: Situation) -> Reply | None:
    if situation.guest:
        return say("You are a guest here: I know only this session's own user.")
    if name := situation.name():
        return sourced([f"Yes, you are {name}."], situation.about("name"), situation)
    if situation.memories:
        return say("Yes, but you have not told me your name.")
    return say("I know nothing about you yet: you have not told me your name.")


_MARKED = re.compile(r"\W*\?")
_TAG = re.compile(
    r" (?:right|correct|yes|no|(?:do|does|did|am|is|are|was|have|has|can)(?: not)? (?:i|it|he|she|they))$"
)


def asked(clause: Clause, situation: Situation) -> Reply | None:
    """Answer "my name is Alice?", "I live in Rome, don't I?": it is asked, so it teaches nothing and denies nothing."""
    if not clause.plain.startswith(("i ", "my ")):
        return None
    if not _MARKED.match(clause.raw, clause.words[-1].end):
        return None
    return _of_kind(clause.part(0, _TAG.sub("", clause.plain).count(" ") + 1), situation)


def _of_kind(statement: Clause, situation: Situation) -> Reply | None:
    """Tell what is known of what a statement is about, whether or not it is so; None when it states nothing."""
    keys = {fact.key for fact in facts_in(statement)}
    known = [memory for memory in situation.memories if memory.key in keys]
    if known:
        return tell(known, situation)
    return say("I do not know: you have not told me.") if keys else None


def _how_so(found: Found, situation: Situation) -> Reply | None:
    """Answer "who told you that I like jazz"."""
    return _of_kind(found.inner("v"), situation)


def noted(found: Found, situation: Situation) -> Reply | None:
    """Answer an open question from a note, if one note holds all that the question is about."""
    memories = matching(content_words(found.clause.plain), situation)
    return tell(memories[:2], situation) if memories else None


_ME = r"(?:about me|of me)"
_LIKE = r"(?:like|love|enjoy|like to do|enjoy doing|like doing)"

RULES: list[Rule] = [
    rule(_everything, rf"what (?:all )?(?:do|can) you (?:already )?(?:know|remember|recall) {_ME}"),
    rule(
        _everything,
        rf"(?:tell me |say |list )?(?:everything|all|what) (?:that )?you (?:know|remember) {_ME}"
        r"|(?:tell me )?about (?:me|myself)",
    ),
    rule(
        _everything,
        rf"what (?:have i told you|did i tell you|do you have)(?: {_ME}| about myself)?",
    ),
    rule(
        _everything,
        r"(?:what (?:do|can) you (?:remember|know)|what is in your memory|list your memories|who"
        r" am i to you)",
    ),
    rule(_do_you_know_me, r"(?:do you (?:still )?(?:know|remember)|you remember|remember) me"),
    rule(_do_you_know_me, r"do you (?:know|remember) who i am"),
    rule(
        _known_as("name", unknown="I do not know: you have not told me your name."),
        r"who am i|what am i called|what do you call me|who is (?:this|talking|speaking)",
    ),
    rule(_who, rf"what (?:is|are) my (?P<who>{KIN})s? (?:called|named)"),
    rule(_who, r"(?:what|which) (?P<who>pets|children) do i have"),
    rule(_mine, r"(?:what|who) (?:is|are|was|were) my (?P<n>.+?)(?: again)?"),
    rule(_mine, r"(?:where|when|which|how|what time|what day) (?:is|are) my (?P<n>.+)"),
    rule(
        _mine,
        r"(?:my|say my|what about my|and my) (?P<n>name|interests?|birthday|job|age|hobbies"
        r"|hobby)",
    ),
    rule(_who, rf"what (?:is|are) (?:the )?names? of my (?P<who>{KIN}|pets|children)s?"),
    rule(
        _who,
        rf"(?:do i have|have i got|how many) (?:an? |any )?(?P<who>{KIN}|pets|children)s?(?: do i"
        r" have)?",
    ),
    rule(
        _known_as(
            "place", "address", unknown="I do not know where you live: you have not told me."
        ),
        r"where do i live(?: now)?|(?:what|which) (?:city|town|place) do i live in"
        r"|where am i living",
    ),
    rule(
        _known_as("origin", unknown="I do not know where you are from: you have not told me."),
        r"where (?:am i|do i come) from",
    ),
    rule(
        _known_as("birthplace", unknown="I do not know where you were born: you have not told me."),
        r"where was i born",
    ),
    rule(
        _known_as(
            "birthday",
            "birth year",
            unknown="I do not know when you were born: you have not told me.",
        ),
        r"when was i born",
    ),
    rule(_age, r"how old am i|what age am i"),
    rule(
        _known_as(
            "wife", "husband", "fiance", "partner", unknown="I do not know: you have not told me."
        ),
        r"am i (?:married|engaged|single)",
    ),
    rule(
        _known_as("job", "workplace", unknown="I do not know what you do: you have not told me."),
        r"what do i do(?: for (?:a living|work))?|what is it that i do",
    ),
    rule(
        _known_as("workplace", unknown="I do not know where you work: you have not told me."),
        r"where do i work|who do i work for",
    ),
    rule(
        _known_as("study", unknown="I do not know what you study: you have not told me."),
        r"what (?:do|am) i study(?:ing)?",
    ),
    rule(
        _known_as("interest", unknown="I do not know what you like: you have not told me."),
        rf"what do i {_LIKE}|what am i (?:interested in|into)|what (?:things|else) do i {_LIKE}",
    ),
    rule(
        _known_as("dislike", unknown="I do not know of anything that you do not like."),
        rf"what do i (?:hate|dislike|not {_LIKE})|what do not i like",
    ),
    rule(
        _known_as("preference", unknown="I do not know what you prefer: you have not told me."),
        r"what do i prefer",
    ),
    rule(
        _known_as("allergy", unknown="I do not know of any allergy: you have not told me."),
        r"what (?:am i allergic to|allergies do i have)"
        r"|(?:do i have|have i got) any allerg(?:y|ies)|am i allergic to (?:anything|something)",
    ),
    rule(
        _known_as("language", unknown="I do not know what you speak: you have not told me."),
        r"what languages? do i speak",
    ),
    rule(_am_i, r"am i (?P<v>(?:an? )?\w+(?: \w+)?)"),
    rule(_one_of(("allergy",)), r"am i allergic to (?P<v>.+)"),
    rule(
        _one_of(("interest", "dislike", "preference")),
        rf"do i (?:{_LIKE}|hate|dislike|prefer) (?P<v>.+)",
    ),
    rule(
        _about,
        r"(?:do you remember|do you know|what do you (?:know|remember)|tell me what you know)(?:"
        r" anything)? about (?P<n>.+)",
    ),
    rule(_mine, r"(?:do you remember|do you know|remember) my (?P<n>.+)"),
    rule(
        _how_so,
        r"(?:how do you know|who (?:told you|says|said)|when did i (?:tell you|say)|where did i (?:tell you|say)"
        r"|why (?:do|did|would) you (?:think|say|believe)|what makes you (?:think|say|believe))(?: that)? (?P<v>(?:i|my) .+)",
    ),
    rule(_said_about, r"what did i (?:say|tell you) about (?P<n>.+)"),
    rule(_when_told, r"(?:when|where) did i (?:tell|say|mention)(?: you)?(?: about)? my (?P<n>.+)"),
    rule(_thing, r"(?:(?P<w>when|where)|what) (?:is|are) (?:the|our) (?P<n>.+)"),
    rule(
        saying(
            "Yes: all that is said goes into this session's journal.",
            "The facts that you tell me are kept for later conversations.",
        ),
        r"do you (?:keep|remember|store|save) (?:what i (?:say|tell you)|this|everything)",
    ),
]

OPEN: list[Rule] = [rule(noted, r"(?:what|where|when|who|which|do i|did i|have i|is|are) .+")]
"""Tried when nothing else takes a question."""
