"""The statements that facts are found in. What is asked, quoted, meant otherwise or said of nothing is none."""

import re
from collections.abc import Callable
from dataclasses import replace

from tenuto.engines.local.brain.facts import KIN, KINDS, PETS, RELATIONS, Fact, fact, learn
from tenuto.engines.local.brain.names import certain_name, likely_name, nationality, with_names
from tenuto.engines.local.brain.normalise import Clause, readings
from tenuto.engines.local.brain.situation import Found, Reply, Situation
from tenuto.engines.local.brain.wording import listed, lowered, titled

Facts = Callable[[Found], list[Fact]]
"""The function of a statement: the facts in it, none when it is no such statement after all."""

_OPEN = re.compile(
    r"\b(?:and|but|because|so|when|if) (?:i|my|you|we|it|tell|set|remind|call|please)\b"
    r"|\b(?:what|where|who|how)\b(?! ?to\b)|\b(?:why|but|not|never|your business)\b|^(?:that|this|her)$"
    r"|^(?:nothing|nobody|none|no one|nowhere|it|you|him|them)\b|\bto(?: know| ask| hear| tell|$)|^to .+ (?:it|that|this|you)$"
)
"""What runs on into another sentence, points at something, or says that there is nothing."""
_PAIRS = re.compile(r"\b(rock|mac|fish|arts|bed) and (roll|cheese|chips|crafts|breakfast)\b", re.I)
_LIKING = {"like": "likes", "love": "loves", "enjoy": "enjoys", "adore": "adores"}
_POINTER = re.compile(
    r"(?:this|that|it|you|them|these|those|him|her|(?:many )?thanks?(?: you)?(?: (?:very|so) much)?)",
    re.IGNORECASE,
)
"""What only points at something, or is said out of politeness."""
_QUOTES = '"\u201c\u201d\u00ab\u00bb'


def _values(text: str) -> list[str]:
    """Split `jazz, chess and tea`; nothing when the text runs on into another sentence, or says that there is nothing."""
    if _OPEN.search(text.lower()) or len(text.split()) > 14:
        return []
    kept = _PAIRS.sub(r"\1&\2", text)
    parts = [p.strip(_QUOTES) for p in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", kept)]
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
    r"|(?:\w+ ){1,3}ago|(?:in|since) (?:\d{4}|last \w+)|any more|at the moment|for good))+$",
    re.I,
)
"""What follows a place and says since when."""
_NO_PLACE = re.compile(
    r"(?:(?:the )?(?:moment|past|present|future|now|mornings?|afternoons?|evenings?|nights?|day|weekends?|middle of nowhere)"
    r"|(?:constant )?(?:fear|hope|peace|denial|harmony|luxury|poverty|pain|sin|silence|shifts|all|most|least)|hell|paradise"
    r"|an? (?:dream|bubble|simulation|movie|lie|nightmare|fantasy|hurry)|your .+|my (?:own|head|mind|sleep|dreams?))\b.*"
)
"""What one lives or works in without having an address there."""


def _place(found: Found) -> list[Fact]:
    value = found.said("v")
    company: list[Fact] = []
    if match := re.search(
        rf" (?:together )?with (?:my ({KIN})\b ?(\w*)|(?:my|our|the|an?|some|two) ).*", value
    ):
        value = value[: match.start()]
        if match[1]:
            company = _named(match[1], certain_name(match[2] or ""))
    lower = value.lower()
    if not _values(value) or lower.endswith(("no longer", "no more")) or _NO_PLACE.fullmatch(lower):
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
    if not _values(where) or _NO_PLACE.fullmatch(where.lower()):
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


def _job(found: Found) -> list[Fact]:
    """Answer "my job is teacher", but not "my job is boring"."""
    value = lowered(re.sub(r"^(?:to be|being) ", "", found.said("v"), flags=re.I))
    whole = value if value.startswith(("a ", "an ")) else f"a {value}"
    return [fact("job", value)] if _JOB.fullmatch(whole.lower()) else []


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
    if thing in KINDS and not (thing == "age" and re.match(_NUMBER, found.plain("v"))):
        # It is said about what is kept in another way: "my place is a mess" is not where somebody lives.
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
        r" (?P<v>.+?)(?: (?:any more|at all|a lot|(?:very|that|so) much))?",
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
    _statement(_job, r"my (?:job|profession|occupation) is (?P<v>.+)"),
    _statement(_keeps("study"), r"i (?:study|am studying) (?P<v>.+)"),
    _statement(_keeps("language"), r"i (?:can )?speak (?P<v>.+)"),
    _statement(_keeps("allergy"), r"i am (?:very |highly |severely |also )?allergic to (?P<v>.+)"),
    _statement(_allergy, r"i have an? (?P<v>\w+) allergy"),
    _statement(_relation(certain_name), rf"my (?P<who>{KIN})(?:'s|s)? name is (?P<v>.+)"),
    _statement(_relation(certain_name), rf"my (?P<who>{KIN}) is (?:called|named) (?P<v>.+)"),
    _statement(_relation(certain_name), rf"the name of my (?P<who>{KIN}) is (?P<v>.+)"),
    _statement(_relation(likely_name), rf"my (?P<who>{KIN}) is (?P<v>\w+)"),
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


_MY = re.compile(r"\bmy\b", re.I)


def facts_in(clause: Clause) -> list[Fact]:
    """Return the facts that a clause states; none when it states none, or when somebody is quoted."""
    begin = clause.words[0].start if clause.words else 0
    if begin and clause.raw[begin - 1] in _QUOTES:
        return []
    for pattern, facts in STATEMENTS:
        match = pattern.fullmatch(clause.plain)
        if match is not None:
            found = facts(Found(match, clause))
            if any(quote in each.value for each in found for quote in _QUOTES):
                return []
            if found:
                return [
                    replace(each, content=_MY.sub("the user's", each.content)) for each in found
                ]
    return []


def stated(clause: Clause, situation: Situation) -> Reply | None:
    """Answer a statement: learn what is new in it, and say what was learned or is known already."""
    return learn(facts_in(clause), situation)


def remembered(found: Found, situation: Situation) -> Reply | None:
    """Answer "remember that ...": a fact where there is one, else a note in the user's own words."""
    inner = found.inner("v")
    for reading in readings(inner):
        if facts := facts_in(reading):
            return learn(facts, situation)
    if re.search(r"\b(?:what|who|where|how) (?:is|are|do|did|time)\b", inner.plain):
        return None
    note = with_names(re.sub(r"^to\s+", "", found.said("v"), flags=re.I))
    return learn([fact("note", note)], situation)
