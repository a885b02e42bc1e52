"""What a rule looks at and what it gives: a `Situation` in, a `Reply` or None out. Rules change nothing themselves.

A reply is a list of sentences, each with the turns it draws on, and a list of effects. When one input holds
several parts, each part sees the situation as the parts before it left it (`Situation.after`)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tenuto.engines.local.brain.normalise import Clause
from tenuto.engines.local.brain.wording import listed
from tenuto.session.ports import (
    Alarm,
    AlarmDropped,
    AlarmWanted,
    Forgot,
    Learned,
    Memory,
    Message,
    Recap,
)

Effect = Learned | Forgot | AlarmWanted | AlarmDropped
"""What a reply does besides being said."""

Sentence = tuple[str, tuple[int, ...]]
"""What is said, and the turns it draws on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a rule answers to one part of the input."""

    sentences: tuple[Sentence, ...] = ()
    effects: tuple[Effect, ...] = ()

    def __add__(self, other: "Reply") -> "Reply":
        return Reply(self.sentences + other.sentences, self.effects + other.effects)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that an answer may depend on."""

    turn: int
    now: float
    """Seconds since 1970-01-01 UTC."""
    timezone: str
    """IANA name; empty for the host's."""
    conversation: str
    messages: Sequence[Message]
    """What was said before this turn, oldest first, in this conversation and in earlier ones."""
    memories: Sequence[Memory]
    """What is remembered; a memory learned in this very turn has the number 0."""
    alarms: Sequence[Alarm]
    recaps: Sequence[Recap] = ()
    """What was said in conversations of which `messages` tell nothing, in short."""
    guest: bool = False
    """Whether somebody else than the session's user speaks."""
    by: str = ""
    """Who speaks, when it is not the session's own user."""

    @property
    def here(self) -> list[Message]:
        """The messages of this conversation."""
        return [m for m in self.messages if m.conversation == self.conversation]

    def last(self, role: str) -> Message | None:
        """Return the newest message of that role in this conversation; of the user's, one by whoever speaks now."""
        of_role = (m for m in reversed(self.here) if m.role == role)
        return next((m for m in of_role if role != "user" or m.user == self.by), None)

    def about(self, key: str) -> list[Memory]:
        """Return the memories of a key, or of all keys that begin with it: `interest` also gives `interest:chess`."""
        many = f"{key}:"
        return [m for m in self.memories if m.key == key or m.key.startswith(many)]

    def name(self) -> str:
        """Return the name of who speaks; empty when it is not known, as a guest's never is."""
        if self.guest:
            return ""
        return next((m.value for m in reversed(self.memories) if m.key == "name"), "")

    def after(self, effects: Sequence[Effect]) -> "Situation":
        """Return the situation as these effects leave it."""
        memories, alarms = list(self.memories), list(self.alarms)
        for effect in effects:
            match effect:
                case Learned(key=key):
                    memories = [m for m in memories if not key or m.key != key]
                    memories.append(
                        Memory(
                            memory=0,
                            content=effect.content,
                            key=key,
                            value=effect.value,
                            turn=self.turn,
                            category=effect.category,
                            importance=effect.importance,
                            at=self.now,
                        )
                    )
                case Forgot(memory=number):
                    memories = [m for m in memories if not m.memory or m.memory != number]
                case AlarmWanted(due=due, text=text):
                    alarms.append(Alarm(alarm=0, due=due, text=text, turn=self.turn, at=self.now))
                case AlarmDropped(alarm=number):
                    alarms = [a for a in alarms if not a.alarm or a.alarm != number]
        return replace(self, memories=memories, alarms=alarms)


class Found:
    """What a rule's pattern found: each named group as the rules read it, or as the person said it."""

    __slots__ = ("clause", "match")

    def __init__(self, match: re.Match[str], clause: Clause) -> None:
        self.match = match
        self.clause = clause

    def plain(self, group: str) -> str:
        """Return the group in the words of the rules; empty when it took no part."""
        return self.match.groupdict().get(group) or ""

    def inner(self, group: str) -> Clause:
        """Return the clause from the group on."""
        return self.clause.part(self.clause.plain[: self.match.start(group)].count(" "))

    def said(self, group: str) -> str:
        """Return the group in the person's own letters; empty when it took no part."""
        if not self.plain(group):
            return ""
        return self.clause.said(self.match.start(group), self.match.end(group))


Answer = Callable[[Found, Situation], Reply | None]
"""The function of a rule. None means: not mine after all, let others try."""

Rule = tuple[re.Pattern[str], Answer]
"""The pattern has to match the whole clause."""


def rule(answer: Answer, *patterns: str) -> Rule:
    """Return one row of a table of rules: the function, and the ways to say what it answers."""
    return re.compile("|".join(patterns)), answer


def answered(rules: Sequence[Rule], clause: Clause, situation: Situation) -> Reply | None:
    """Return what the first rule that takes the clause answers."""
    for pattern, answer in rules:
        match = pattern.fullmatch(clause.plain)
        if match is not None:
            reply = answer(Found(match, clause), situation)
            if reply is not None:
                return reply
    return None


def say(*texts: str, cites: tuple[int, ...] = (), effects: Sequence[Effect] = ()) -> Reply:
    """Return a reply of these sentences, all of which draw on the same turns."""
    return Reply(tuple((text, cites) for text in texts), tuple(effects))


def saying(*texts: str) -> Answer:
    """Return the function of a rule that always says the same."""
    reply = say(*texts)
    return lambda found, situation: reply


def turns_of(memories: Sequence[Memory], situation: Situation) -> tuple[int, ...]:
    """Return the earlier turns that these memories come from, in order. Turn 0 was no turn: it was added by hand."""
    return tuple(sorted({m.turn for m in memories if 0 < m.turn != situation.turn}))


def told(turns: tuple[int, ...]) -> str:
    """Return the words that say where an answer comes from."""
    return f"You told me in turn{'s' if len(turns) > 1 else ''} {listed([str(t) for t in turns])}."


def sourced(texts: Sequence[str], memories: Sequence[Memory], situation: Situation) -> Reply:
    """Return a reply that says these sentences and then where they come from."""
    turns = turns_of(memories, situation)
    reply = say(*texts, cites=turns)
    return reply + say(told(turns), cites=turns) if turns else reply


def shown(text: str, longest: int = 80) -> str:
    """Return what somebody said on one line, cut to size, without what would end a quotation."""
    text = " ".join(text.replace('"', "'").split())
    return text if len(text) <= longest else text[: longest - 4].rstrip() + " ..."
