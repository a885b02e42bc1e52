"""Taking things back: "forget that", "forget my name", "no, it's Alicia", "that's wrong", "it is spelled A L I
C E".

What "that" means is found in what was just said: the memories that the last turns taught or spoke of. Where
that is not clear nothing is changed, and the answer asks."""

import re
from collections.abc import Sequence

from tenuto.engines.local.brain.facts import KINDS, Fact, fact, learn
from tenuto.engines.local.brain.names import certain_name, likely_name, spelled
from tenuto.engines.local.brain.normalise import Clause, readings
from tenuto.engines.local.brain.questions import content_words, matching, memories_of, tell
from tenuto.engines.local.brain.situation import (
    Effect,
    Found,
    Reply,
    Rule,
    Situation,
    rule,
    say,
    turns_of,
)
from tenuto.engines.local.brain.statements import facts_in
from tenuto.engines.local.brain.wording import listed, second_person, sentence, to_you
from tenuto.session.ports import Forgot, Memory

_UNCLEAR = 'I am not sure what you mean: say, for example, "forget my name".'
_SORRY = ("I am sorry.", 'Tell me what is right, for example "my name is Alice".')
NOT_NOTED = "All right: I have noted nothing of that."
_WHICH = ("Which of these do you mean?", 'Say, for example, "forget my name".')
_NAMED = ("place", "origin", "birthplace")


def just_said(situation: Situation, turns_back: int = 3) -> list[Memory]:
    """Return the memories that the last exchange taught or spoke of; of one before, as many turns back, when it has none."""
    this = [m for m in situation.memories if m.turn == situation.turn]
    if this:
        return this
    here = situation.here
    turns = list(dict.fromkeys(m.turn for m in reversed(here) if m.turn != situation.turn))
    for turn in turns[:turns_back]:
        texts = [(m.said or m.text).lower() for m in here if m.turn == turn and m.role == "agent"]
        found = [
            m
            for m in situation.memories
            if m.turn == turn or any(second_person(m.content).lower() in text for text in texts)
        ]
        if found:
            return found
    return []


def _drop(memories: Sequence[Memory], situation: Situation) -> list[Effect]:
    return [Forgot(turn=situation.turn, memory=m.memory) for m in memories if m.memory]


def forgotten(memories: Sequence[Memory], situation: Situation) -> Reply:
    """Return the reply that forgets these memories, and says which."""
    what = listed([second_person(m.content) for m in memories[:4]])
    more = " and more" if len(memories) > 4 else ""
    return say(
        sentence(f"I have forgotten that {what}{more}"),
        cites=turns_of(memories, situation),
        effects=_drop(memories, situation),
    )


def _forget_that(found: Found, situation: Situation) -> Reply | None:
    memories = [m for m in just_said(situation) if m.memory]
    if not memories:
        return say(_UNCLEAR)
    if len(memories) > 3:
        return say(*_WHICH)
    return forgotten(memories, situation)


def _forget_everything(found: Found, situation: Situation) -> Reply | None:
    if not situation.memories:
        return say("There is nothing to forget: I know nothing about you.")
    count = len(situation.memories)
    things = "the one thing" if count == 1 else f"all {count} things"
    return say(
        f"I have forgotten {things} that I knew about you.",
        "The transcript of our conversations stays.",
        effects=_drop(situation.memories, situation),
    )


def _forget_mine(found: Found, situation: Situation) -> Reply | None:
    noun = found.plain("n")
    memories = memories_of(noun, situation)
    return forgotten(memories, situation) if memories else say(f"I do not know your {noun}.")


def _forget_statement(found: Found, situation: Situation) -> Reply | None:
    """Forget "that I like jazz", "where I live", "about the meeting"."""
    inner = found.inner("v")
    for reading in readings(inner):
        keys = {(f.key, f.value.lower()) for f in facts_in(reading)}
        if memories := [m for m in situation.memories if (m.key, m.value.lower()) in keys]:
            return forgotten(memories, situation)
    keys_of_words = {"where i live": "place", "how old i am": "age", "where i work": "workplace"}
    keys_of_words |= {"what i like": "interest", "who i am": "name", "what i do": "job"}
    if kind := keys_of_words.get(inner.plain):
        memories = situation.about(kind)
    elif any(facts_in(reading) for reading in readings(inner)):
        memories = []
    else:
        memories = matching(content_words(inner.plain), situation)
    if memories:
        return forgotten(memories, situation)
    return say(f"I do not remember anything like that: {to_you(found.said('v'))[:80]}.")


def _replace(found: Found, situation: Situation) -> Reply | None:
    """Answer "no, it's Alicia": the value of what was just spoken of is another."""
    if found.plain("v").startswith("not "):
        return say(*_SORRY)
    memories = just_said(situation)
    key = memories[-1].key if len(memories) == 1 else _asked(situation)
    if not key and len({m.key for m in memories}) > 1:
        name = likely_name(found.said("v"))
        key = "name" if name and any(m.key == "name" for m in memories) else ""
    if not key and likely_name(found.said("v")) and situation.name():
        key = "name"
    new = filled(key, found.said("v"), next((m for m in memories if m.key == key), None))
    if new is None:
        return say("I am not sure what you mean.", 'Say, for example, "my name is Alicia".')
    old = [m for m in memories if m.key == key and m.key != new.key]
    reply = learn([new], situation)
    return reply + Reply(effects=tuple(_drop(old, situation))) if reply and old else reply


_NO_VALUE = re.compile(r"\b(?:what|who|where|how|why|it|i|you|we)\b")


def filled(key: str, value: str, memory: Memory | None) -> Fact | None:
    """Return the fact of a key with another value; None when the value does not fit."""
    kind = key.partition(":")[0]
    if key == "name":
        name = certain_name(value)
        return fact("name", name) if name else None
    if kind in KINDS and kind not in ("note", "trait"):
        if len(value.split()) > 8 or _NO_VALUE.search(value.lower()):
            return None
        content = KINDS[kind].content
        if memory is not None and memory.value and memory.value in memory.content:
            content = memory.content.replace(memory.value, "{}", 1)
            if content.count("{}") != 1 or content.count("{") != 1:
                content = KINDS[kind].content
        value = KINDS[kind].case(value)
        return fact(kind, value, content.replace("{}", value))
    if memory is None or not memory.value or memory.value not in memory.content:
        return None
    if " is called " in memory.content:
        value = certain_name(value)
    content = memory.content.replace(memory.value, value)
    return Fact(key, value, content, memory.category, memory.importance) if value else None


def _asked(situation: Situation) -> str:
    """Return the key that the agent asked for in its last message; empty when it asked for none."""
    message = situation.last("agent")
    text = (message.said or message.text) if message else ""
    return next((key for key, kind in KINDS.items() if kind.ask and text.endswith(kind.ask)), "")


def bare_answer(clause: Clause, situation: Situation) -> Reply | None:
    """Take a few bare words as the answer to what the agent has just asked."""
    key = _asked(situation)
    words = re.sub(r"^(?:it is|i am|that is|in|on) ", "", clause.plain)
    told = any(memory.turn == situation.turn for memory in situation.memories)
    if not key or told or not 1 <= len(words.split()) <= 3:
        return None
    said = clause.said(len(clause.plain) - len(words), len(clause.plain))
    if key == "name":
        single = len(words.split()) == 1
        name = spelled(said) or (certain_name(said) if single else likely_name(said))
        return learn([fact("name", name)], situation) if name else None
    new = filled(key, said, None)
    return learn([new], situation) if new else None


def _wrong(found: Found, situation: Situation) -> Reply | None:
    memories = just_said(situation, 1)
    if len(memories) != 1:
        return say(*_SORRY)
    memory = memories[0]
    ask = KINDS[memory.key].ask if memory.key in KINDS else ""
    dropped = say(
        sentence(f"I am sorry, I have forgotten that {second_person(memory.content)}"),
        cites=turns_of(memories, situation),
        effects=_drop(memories, situation),
    )
    return dropped + say(ask or "Tell me what is right.")


def takes_back(clause: Clause) -> bool:
    """Whether somebody says that they did not mean what they said, or did not say it."""
    return any(_TAKEN_BACK.fullmatch(reading.plain) for reading in readings(clause))


def _taken_back(found: Found, situation: Situation) -> Reply | None:
    """Answer "just kidding", "I never said that": what the last turn taught is forgotten, and nothing else."""
    last = situation.last("user")
    memories = [m for m in situation.memories if m.memory and last and m.turn == last.turn]
    if len(memories) > 1:
        return say(*_WHICH)
    return forgotten(memories, situation) if memories else say(NOT_NOTED)


def _spelled(found: Found, situation: Situation) -> Reply | None:
    word = spelled(found.said("v"))
    if not word:
        return None
    noun = re.sub(r"^my ", "", found.plain("n"))
    if noun and noun not in ("it", "that", "this", "name"):
        memories = memories_of(noun, situation)
        if not memories:
            return None
        new = filled(memories[-1].key, word, memories[-1])
        return learn([new], situation) if new else None
    about = [m for m in just_said(situation) if m.key.partition(":")[0] in _NAMED]
    if noun != "name" and len(about) == 1:
        new = filled(about[0].key, word, about[0])
        return learn([new], situation) if new else None
    return learn([fact("name", word)], situation)


def _how_known(found: Found, situation: Situation) -> Reply | None:
    memories = just_said(situation)
    if not memories:
        return say("I only know what you have told me in this session.")
    return tell(memories[:3], situation)


def _right(found: Found, situation: Situation) -> Reply | None:
    return say("Good.")


_TAKEN_BACK = re.compile(
    r"(?:(?:i am |i was )?(?:just |only )?(?:joking|kidding)(?: you)?"
    r"|(?:that|it|this) (?:is|was) (?:just |only )?a (?:joke|lie)"
    r"|i (?:just )?(?:lied|made (?:that|it) up|was (?:wrong|lying|mistaken))|i (?:never|did not) (?:say|said|mean|meant)"
    r" (?:that|it|this)|i take (?:that|it) back|(?:that|this|it) is not what i (?:said|meant)|scratch that|not"
    r"|you (?:misunderstood|misheard)(?: me)?)"
)
_FORGET = r"(?:forget|delete|erase|remove|do not remember)"

RULES: list[Rule] = [
    rule(
        _forget_that,
        rf"{_FORGET} (?:that|this|what i (?:just )?(?:said|told you)|the last (?:thing|one))",
    ),
    rule(
        _forget_everything,
        rf"{_FORGET} (?:about )?(?:everything|all(?: of it| that)?|all (?:my|your|the) (?:memories"
        r"|data|facts)|your memory|all you know)(?: (?:that )?(?:you (?:know|remember) )?(?:about"
        r"|of) me)?(?: i (?:said|told you))?",
    ),
    rule(_forget_mine, rf"{_FORGET} (?:about )?my (?P<n>\w+(?:'s)?(?: \w+){{0,3}})"),
    rule(_forget_statement, rf"{_FORGET} (?:that |about )?(?P<v>.+)"),
    rule(
        _wrong,
        r"(?:no )*(?:(?:that|this|it) is )?(?:wrong|not (?:right|correct|true)|incorrect|false)"
        r"|(?:no )*(?:you are|you got it|you got that) wrong",
    ),
    (_TAKEN_BACK, _taken_back),
    rule(
        _right, r"(?:that|this|it) is (?:right|correct|true)|(?:you are )?(?:right|correct)|exactly"
    ),
    rule(
        _spelled,
        r"(?:(?:no )*(?P<n>it|that|my \w+(?: name)?|this) is )?(?:spelled|spelt|written)(?: like"
        r" this| as)? (?P<v>.+)",
    ),
    rule(
        _replace,
        r"(?:no|nope|wrong|sorry|actually) (?:it is |that is |i said |i meant |i mean |it should"
        r" be )(?:actually )?(?P<v>.+)",
    ),
    rule(
        _how_known,
        r"how do you know(?: that| this| all that)?|(?:who told you|when did i (?:tell you|say)"
        r"|where did i (?:tell you|say))(?: that| this)?",
    ),
]
