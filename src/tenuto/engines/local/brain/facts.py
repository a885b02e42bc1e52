"""What the user says of himself, turned into memories: the kinds of facts, and the statements that give them.

A kind that holds one value (`name`, `place`) keeps one memory under its key, so that a new value takes the old
one's place. A kind that holds many (`interest`) keeps one memory for each, under `interest:chess`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenuto.engines.local.brain.names import certain_name, likely_name, nationality, with_names
from tenuto.engines.local.brain.normalise import Clause, readings
from tenuto.engines.local.brain.situation import (
    Effect,
    Found,
    Reply,
    Situation,
    say,
    shown,
    sourced,
    turns_of,
)
from tenuto.engines.local.brain.wording import (
    listed,
    lowered,
    second_person,
    sentence,
    titled,
    together,
)
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
_LIKING = {"like": "likes", "love": "loves", "enjoy": "enjoys", "adore": "adores"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, ready to be learned."""

    key: str
    value: str
    content: str
    category: str
    importance: float = 0.5


Facts = Callable[[Found], list[Fact]]
"""The function of a statement: the facts in it, none when it is no such statement after all."""

_OPEN = re.compile(
    r"\b(?:and|but|because|so|when|if) (?:i|my|you|we|it|tell|set|remind|call|please)\b"
    r"|\b(?:what|where|who|how)\b(?! ?to\b)|\bwhy\b|^(?:it|that|this|you|him|her|them|to know|to ask)$"
    r"|\bto (?:know|ask|hear|tell)\b"
)
_PAIRS = re.compile(r"\b(rock|mac|fish|arts|bed) and (roll|cheese|chips|crafts|breakfast)\b", re.I)


def fact(kind: str, value: str, content: str = "", key: str = "") -> Fact:
    """Return a fact of a kind in `KINDS`."""
    k = KINDS[kind]
    key = key or (f"{kind}:{value.lower()[:60]}" if k.many else kind)
    return Fact(key, value, content or k.content.format(value), k.category, k.importance)


_POINTER = re.compile(
    r"(?:this|that|it|you|them|these|those|him|her|(?:many )?thanks?(?: you)?(?: (?:very|so) much)?)",
    re.IGNORECASE,
)
"""What only points at something, or is said out of politeness."""


def _values(text: str) -> list[str]:
    """Split `jazz, chess and tea`; nothing when the text runs on into another sentence."""
    if _OPEN.search(text.lower()) or len(text.split()) > 14:
        return []
    kept = _PAIRS.sub(r"\1&\2", text)
    parts = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", kept)
    told = (part for part in parts if part and not _POINTER.fullmatch(part))
    return [part.replace("&", " and ") if kept != text else part for part in told][:8]


def _keeps(kind: str) -> Facts:
    """The group `v` is a value of that kind, or several when the kind holds many."""

    def facts(found: Found) -> list[Fact]:
        k = KINDS[kind]
        values = _values(found.said("v"))
        if not k.many:
            values = [found.said("v")] if values else []
        return [fact(kind, k.case(value)) for value in values]

    return facts


_WHEN = re.compile(
    r"(?: (?:now|again|today|yesterday|recently|lately|already|currently|(?:just |only )?(?:last|this) \w+"
    r"|(?:\w+ ){1,3}ago|(?:in|since) (?:\d{4}|last \w+)|any ?more|at the moment|for good))+$",
    re.I,
)
"""What follows a place and says since when."""


def _place(found: Found) -> list[Fact]:
    value = found.said("v")
    company: list[Fact] = []
    if match := re.search(
        rf" (?:together )?with (?:my ({_KIN})\b ?(\w*)|(?:my|our|the|an?|some|two) ).*", value
    ):
        value = value[: match.start()]
        if match[1]:
            company = _named(match[1], certain_name(match[2] or ""))
    if not _values(value) or value.lower().endswith(("no longer", "no more")):
        return []
    when = _WHEN.search(value)
    value = value[: when.start()] if when else value
    return [fact("place", titled(value)), *company]


def _name(test: Callable[[str], str]) -> Facts:
    def facts(found: Found) -> list[Fact]:
        name = test(found.said("v"))
        return [fact("name", name)] if name else []

    return facts


def _likes(found: Found) -> list[Fact]:
    verb = _LIKING[found.plain("verb")]
    values = [lowered(value) for value in _values(found.said("v"))]
    return [fact("interest", value, f"The user {verb} {value}.") for value in values]


def _work(found: Found) -> list[Fact]:
    where, _, job = found.said("v").partition(" as ")
    if not _values(where):
        return []
    place = fact("workplace", f"{found.plain('prep')} {titled(where)}")
    return [place, fact("job", lowered(job))] if job.lower().startswith(("a ", "an ")) else [place]


_JOB = re.compile(
    r"an? (?:\w+ )*(?:\w+(?:eer|er|or|ist|cian|rian|ant|tect|chef|nurse)"
    r"|chef|nurse|pilot|judge|clerk|cook|student|coach|mechanic|"
    r"surgeon|physician|musician|vet|dean|diplomat|guard|priest|professor|scientist|researcher|lawyer|doctor)"
)
_NO_JOB = re.compile(
    r"an? (?:bit|little|lot|fan|big fan|huge fan|few|human|person|man|woman|\w+ (?:fan|lover|person)"
    r"|vegetarian|bot|computer)\b.*"
    r"|.*\b(?:sister|brother|mother|father|believer|beginner|loser|winner|owner|monster|joker|member|foreigner|beer)"
)


def _is_a(found: Found) -> list[Fact]:
    value = found.plain("v")
    if _OPEN.search(value) or len(value.split()) > 5:
        return []
    if re.match(r"an? (?:bit|little|lot|few)\b", value):
        return []
    kind = "job" if _JOB.fullmatch(value) and not _NO_JOB.fullmatch(value) else "trait"
    return [fact(kind, lowered(found.said("v")))]


def _origin(found: Found) -> list[Fact]:
    word = found.said("v")
    return [fact("trait", word.capitalize())] if nationality(word) else []


def _relation(test: Callable[[str], str]) -> Facts:
    def facts(found: Found) -> list[Fact]:
        name = test(found.said("v"))
        return _named(found.plain("who"), name) if name else []

    return facts


def _named(who: str, name: str) -> list[Fact]:
    """Return the fact that the user has such a relation or pet, by name where there is one."""
    category = "pet" if who in PETS else "relation"
    if name:
        return [Fact(who, name, f"The user's {who} is called {name}.", category, 0.7)]
    return [Fact(who, f"a {who}", f"The user has a {who}.", category, 0.6)]


def _has(found: Found) -> list[Fact]:
    if found.said("v"):
        return _relation(certain_name)(found)
    return _named(found.plain("who"), "")


def _has_several(found: Found) -> list[Fact]:
    """Answer "I have two cats, Tom and Jerry"."""
    who, count, names = found.plain("who"), found.said("n").lower(), found.said("v")
    given = [certain_name(name) for name in _values(names)] if names else []
    if not all(given):
        return []
    called = f", {listed(given)}" if given else ""
    category = "pet" if who in PETS else "relation"
    content = f"The user has {count} {who}s{called}."
    return [Fact(who, listed(given) or f"{count} {who}s", content, category, 0.6)]


def _allergy(found: Found) -> list[Fact]:
    return [fact("allergy", lowered(found.said("v")))]


def _favorite(found: Found) -> list[Fact]:
    thing, value = found.plain("thing"), lowered(found.said("v"))
    if not _values(value):
        return []
    content = f"The user's favorite {thing} is {value}."
    return [Fact(f"favorite {thing}", value, content, "preference", 0.6)]


_NO_THING = re.compile(
    r".*\b(?:question|point|answer|problem|guess|opinion|idea|understanding|god|name|bad|turn"
    r"|mistake|goodness|and|or|what|i|is|are|was)"
)
_NO_VALUE = re.compile(
    r"(?:\w+ing|not|so|very|too|really|also|still|always|never|what|where|who|when|how|why"
    r"|wrong|right|because|gone|it)\b.*"
)


def _thing(found: Found) -> list[Fact]:
    """Anything of the user's: "my flight is on Friday"."""
    thing, verb, value = found.plain("thing"), found.plain("verb"), found.said("v")
    if _NO_THING.fullmatch(thing) or _NO_VALUE.fullmatch(found.plain("v")) or not _values(value):
        return []
    value = lowered(value)
    key = f"{thing}:{value.lower()[:60]}" if thing in RELATIONS + PETS else thing
    return [Fact(key, value, f"The user's {found.said('thing')} {verb} {value}.", "note", 0.5)]


def _matter(found: Found) -> list[Fact]:
    """A thing with a place or a time: "the meeting is on Friday"."""
    thing, verb, value = found.plain("thing"), found.plain("verb"), lowered(found.said("v"))
    if _NO_THING.fullmatch(thing) or not _values(value):
        return []
    return [Fact(thing, value, f"The {found.said('thing')} {verb} {value}.", "note", 0.5)]


def _having(found: Found) -> list[Fact]:
    """Something with a time: "I have a meeting on Monday at ten"."""
    thing, value = found.plain("thing"), lowered(found.said("v"))
    if _NO_THING.fullmatch(thing) or not _values(value):
        return []
    return [Fact(thing, value, f"The user's {found.said('thing')} is {value}.", "note", 0.5)]


def _address(found: Found) -> list[Fact]:
    value = found.said("v")
    content = f"The user's address is {value}."
    return [Fact("address", value, content, "place", 0.8)] if _values(value) else []


def _age(found: Found) -> list[Fact]:
    return [fact("age", found.said("v"))]


_KIN = "|".join(sorted(RELATIONS + PETS, key=len, reverse=True))
_PET = "|".join((*PETS, *RELATIONS))
_NUMBER = (
    r"(?:\d{1,3}|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?: \w+)?"
    r"|\w+teen|eighteen|ten|eleven|twelve|one|two|three|four|five|six|seven|eight|nine|no)"
)
_EVER = r"(?:really |also |just |still |now |currently |actually |very much |always )*"


def _statement(facts: Facts, pattern: str) -> tuple[re.Pattern[str], Facts]:
    return re.compile(pattern), facts


STATEMENTS: list[tuple[re.Pattern[str], Facts]] = [
    _statement(_name(certain_name), r"my (?:first |full |real )?name is (?:now )?(?P<v>.+)"),
    _statement(
        _name(certain_name),
        r"(?:you (?:can|may) |people |everyone |everybody )?calls? me (?P<v>.+)",
    ),
    _statement(_name(certain_name), r"i am (?:called|named) (?P<v>.+)"),
    _statement(_name(certain_name), r"(?:this is|it is) (?P<v>.+?) (?:speaking|here)"),
    _statement(_age, rf"i am {_EVER}(?P<v>{_NUMBER})(?: years old)?"),
    _statement(_keeps("interest"), rf"i am {_EVER}interested in (?P<v>.+)"),
    _statement(
        _keeps("interest"),
        r"my (?:main |biggest |other )?(?:interests?|hobby|hobbies|passions?) (?:is|are)"
        r" (?P<v>.+)",
    ),
    _statement(
        _keeps("interest"),
        rf"i am {_EVER}(?:into|fond of|keen on|passionate about|(?:an? )?(?:big |huge |great )?fan"
        r" of) (?P<v>.+)",
    ),
    _statement(
        _likes,
        rf"i {_EVER}(?P<verb>like|love|enjoy|adore) (?P<v>.+?)(?: (?:a lot|very much|so much))?",
    ),
    _statement(
        _keeps("dislike"),
        rf"i {_EVER}(?:hate|dislike|can not stand|do not (?:really )?(?:like|love|enjoy))"
        r" (?P<v>.+?)(?: (?:any ?more|at all|a lot|(?:very|that|so) much))?",
    ),
    _statement(_keeps("preference"), rf"i {_EVER}prefer (?P<v>.+)"),
    _statement(
        _place,
        rf"i (?:have )?{_EVER}(?:live in|moved (?:house )?to|have moved to|relocated to) (?P<v>.+)",
    ),
    _statement(
        _place, rf"(?:i|we) (?:have )?{_EVER}(?:moved|relocated) from (?:\w+ ){{1,3}}to (?P<v>.+)"
    ),
    _statement(_place, rf"i am {_EVER}(?:living|based) in (?P<v>.+)"),
    _statement(
        _keeps("origin"), r"(?:i am|i come|i am originally|i come originally) from (?P<v>.+)"
    ),
    _statement(_keeps("birthday"), r"my (?:birthday|birth day|date of birth) is (?:on )?(?P<v>.+)"),
    _statement(_keeps("birthday"), r"i was born (?:on (?P<v>.+))"),
    _statement(
        _keeps("birth year"), r"i was born in (?P<v>(?:\d{4}|nineteen \w+|twenty \w+)(?: \w+)?)"
    ),
    _statement(_keeps("birthplace"), r"i was born in (?P<v>(?!nineteen|twenty)[^\d]+)"),
    _statement(_keeps("job"), r"i work as (?P<v>an? .+)"),
    _statement(_work, r"i work (?P<prep>at|for|in) (?P<v>.+)"),
    _statement(_keeps("job"), r"my (?:job|profession|occupation) is (?P<v>.+)"),
    _statement(_keeps("study"), r"i (?:study|am studying) (?P<v>.+)"),
    _statement(_keeps("language"), r"i (?:can )?speak (?P<v>.+)"),
    _statement(_keeps("allergy"), r"i am (?:very |highly |severely |also )?allergic to (?P<v>.+)"),
    _statement(_allergy, r"i have an? (?P<v>\w+) allergy"),
    _statement(_relation(certain_name), rf"my (?P<who>{_KIN})(?:'s|s)? name is (?P<v>.+)"),
    _statement(_relation(certain_name), rf"my (?P<who>{_KIN}) is (?:called|named) (?P<v>.+)"),
    _statement(_relation(certain_name), rf"the name of my (?P<who>{_KIN}) is (?P<v>.+)"),
    _statement(_relation(likely_name), rf"my (?P<who>{_KIN}) is (?P<v>\w+)"),
    _statement(
        _has,
        rf"i (?:have|have got) an? (?P<who>{_PET})(?: (?:called|named|whose name is) (?P<v>.+))?",
    ),
    _statement(
        _has_several,
        rf"i (?:have|have got) (?P<n>{_NUMBER}) (?P<who>{_PET})s(?: (?:called|named|whose names are))?"
        r"(?: (?P<v>\w+(?: \w+){0,4}))?",
    ),
    _statement(
        _keeps("children"),
        rf"i (?:have|have got) (?P<v>{_NUMBER} (?:children|child|sons?|daughters?|grandchildren)"
        r"(?: (?:called|named) .+)?)",
    ),
    _statement(
        _favorite,
        r"my (?:favorite|best loved) (?P<thing>\w+(?: \w+){0,2}) (?:is|are) (?:actually |now |really )?(?P<v>.+)",
    ),
    _statement(_is_a, r"i am (?P<v>an? .+)"),
    _statement(_origin, rf"i am {_EVER}(?P<v>\w+)"),
    _statement(_name(likely_name), r"i am (?P<v>.+)"),
    _statement(
        _having,
        r"i have an? (?P<thing>\w+(?: \w+){0,2}?) (?P<v>(?:on|tomorrow|today|next|this)\b.*|at \d.*)",
    ),
    _statement(_address, r"i live at (?P<v>.+)"),
    _statement(_thing, r"my (?P<thing>\w+(?: \w+){0,3}?) (?P<verb>is|are) (?P<v>.+)"),
    _statement(
        _matter,
        r"(?:the|our) (?P<thing>\w+(?: \w+){0,3}?) (?P<verb>is|are) (?P<v>(?:on|at|in|under"
        r"|behind|next|tomorrow)\b.*)",
    ),
]


def facts_in(clause: Clause) -> list[Fact]:
    """Return the facts that a clause states; none when it states none."""
    for pattern, facts in STATEMENTS:
        match = pattern.fullmatch(clause.plain)
        if match is not None:
            found = facts(Found(match, clause))
            if found:
                return found
    return []


def stated(clause: Clause, situation: Situation) -> Reply | None:
    """Answer a statement: learn what is new in it, and say what was learned or is known already."""
    return learn(facts_in(clause), situation)


def remembered(found: Found, situation: Situation) -> Reply | None:
    """Answer "remember that ...": a fact where there is one, else a note in the user's own words."""
    inner = found.clause.part(found.clause.plain[: found.match.start("v")].count(" "))
    for reading in readings(inner):
        if facts := facts_in(reading):
            return learn(facts, situation)
    if re.search(r"\b(?:what|who|where|how) (?:is|are|do|did|time)\b", inner.plain):
        return None
    note = with_names(re.sub(r"^to\s+", "", found.said("v"), flags=re.I))
    return learn([fact("note", note)], situation)


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
