"""The entry: a turn's text in, sentences and effects out. A small set of rules, deterministic, with no state of
its own.

An input is read as sentences, and a sentence that no rule takes as a whole as clauses: "my name is Alice and I
like tea", "hello my name is bob what time is it". Each part is answered once, in order, and sees what the parts
before it taught.

All effects come before the first sentence. So a reply that is taken up again (`Ask.spoken`) has had its effects
already, and only its remaining sentences are given."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenuto.engines.local.brain import (
    clock_talk,
    corrections,
    denials,
    guests,
    manner,
    questions,
    smalltalk,
    statements,
    summary,
)
from tenuto.engines.local.brain.arithmetic import arithmetic
from tenuto.engines.local.brain.normalise import LONGEST_CLAUSE, Clause, readings, sentences
from tenuto.engines.local.brain.situation import (
    Effect,
    Reply,
    Rule,
    Situation,
    answered,
    rule,
    say,
    shown,
)
from tenuto.engines.local.brain.snap import snapped
from tenuto.engines.local.brain.wording import second_person, to_you
from tenuto.session.ports import Ask, Context, Forgot, Learned, Ring, Segment, Style

Output = Segment | Effect
"""What the brain gives, in order: effects first, then the segments of the reply."""

MOST_PARTS = 8
"""Parts of one input that are answered; the rest is said to be left."""
MOST_BREAKS = 10
"""Places in one sentence at which it may be taken apart."""

_REMEMBER: list[Rule] = [
    rule(
        statements.remembered,
        (
            r"(?:remember|note(?: down)?|make a note|do not forget|keep in mind|memorize|take a note)"
            r"(?: that)? (?P<v>(?:to|my|the|i|we|our|he|she|it|they|there|a|an) .+)"
        ),
    ),
    rule(
        statements.remembered,
        r"(?:remember|note(?: down)?|do not forget|keep in mind) that (?P<v>.+)",
    ),
]

_STARTERS = frozenset(
    "what who where when which how why i my can could do does tell set remind call remember forget please hello "
    "hi hey is are say repeat cancel start stop summarize calculate the our thank thanks bye goodbye good wake "
    "it that you".split()
)
_JOINTS = frozenset(("and", "but", "then", "also", "so"))


class Brain:
    """Answers turns and says what is due. Both methods are pure functions of what they are given, and never raise."""

    def answer(self, ask: Ask) -> list[Output]:
        """Return the effects and the sentences that answer a turn; exactly one segment, the last, is marked `last`.

        After a reply was taken up again, with `ask.spoken`, only what is still to be said comes.
        """
        situation = _situation(ask)
        reply = _reply(ask.text, situation)
        reply = _mannered(reply, situation, ask.context.style, ask.spoken)
        effects: Sequence[Effect] = () if ask.spoken else _new(reply.effects, ask.context, ask.turn)
        return [*effects, *_segments(reply, ask.turn, len(ask.spoken))]

    def ring(self, ring: Ring) -> list[Output]:
        """Return the sentences that say that an alarm is due."""
        texts = clock_talk.ringing(ring.alarm, ring.context.now, ring.context.timezone)
        cites = (ring.alarm.turn,) if 0 < ring.alarm.turn != ring.turn else ()
        style = ring.context.style
        texts = [manner.fit(text, style, [to_you(ring.alarm.text)]) for text in texts]
        return [*_segments(say(*texts, cites=cites), ring.turn, 0)]


def _situation(ask: Ask) -> Situation:
    """Return the situation as it was before this turn, so that a turn asked a second time is answered the same way."""
    context = ask.context
    memories = [m for m in context.memories if not m.turn or m.turn != ask.turn]
    return Situation(
        turn=ask.turn,
        now=context.now,
        timezone=context.timezone,
        conversation=context.conversation,
        messages=[
            m for m in context.messages if m.turn != ask.turn and m.role in ("user", "agent")
        ],
        memories=[guests.of_the_user(m) for m in memories] if context.guest else memories,
        alarms=[a for a in context.alarms if not a.turn or a.turn != ask.turn],
        recaps=context.recaps,
        guest=context.guest,
        by=next((m.user for m in context.messages if m.turn == ask.turn and m.user), ""),
    )


def _mannered(reply: Reply, situation: Situation, style: Style, spoken: Sequence[str]) -> Reply:
    """Put a reply in the user's manner. What is known of the user stays as it is: it is found again by its words."""
    if manner.manner(style) == manner.PLAIN and not spoken:
        return reply
    known = situation.after(reply.effects)
    facts_told = [second_person(memory.content) for memory in known.memories]
    values = [memory.value for memory in (*situation.memories, *known.memories)]
    alarms = [to_you(alarm.text) for alarm in known.alarms]
    keep = [*facts_told, *values, *alarms]
    return Reply(manner.fit_all(reply.sentences, style, keep, spoken), reply.effects)


def _new(effects: Sequence[Effect], context: Context, turn: int) -> list[Effect]:
    """Leave out what an earlier attempt at this turn has done already, and what a later part undid."""
    known = {(m.key, m.content) for m in context.memories if m.turn == turn}
    alarms = {a.text for a in context.alarms if a.turn == turn}
    kept: list[Effect] = []
    forgotten: set[int] = set()
    for effect in effects:
        if isinstance(effect, Learned):
            if (effect.key, effect.content) in known:
                continue
        elif isinstance(effect, Forgot):
            if effect.memory in forgotten:
                continue
            forgotten.add(effect.memory)
        elif hasattr(effect, "text") and effect.text in alarms:
            continue
        kept.append(effect)
    return kept


def _segments(reply: Reply, turn: int, spoken: int) -> list[Segment]:
    """Return the sentences after those that were spoken, as segments; a closing word when none is left."""
    left = reply.sentences[spoken:] or (("That is all.", ()),)
    end = len(left) - 1
    return [
        Segment(turn=turn, text=text, last=number == end, cites=cites)
        for number, (text, cites) in enumerate(left)
    ]


# -------------------------------------------------------------------------------------------------------------- parts


@dataclass(frozen=True, slots=True)
class _Part:
    clause: Clause
    taken: bool
    """Whether a rule takes it."""


def _reply(text: str, situation: Situation) -> Reply:
    parts, cut = _parts(text, situation)
    if not parts:
        return say("I did not hear any words.", "Please say that again.")
    reply, begin = Reply(), situation
    known = [part for part in parts if part.taken]
    for part in parts:
        if reply.effects and corrections.takes_back(part.clause):
            reply, situation = say(corrections.NOT_NOTED), begin
            continue
        heard = shown(part.clause.raw[part.clause.words[0].start : part.clause.words[-1].end])
        new = answer_to(part.clause, situation) or snapped(part.clause, situation, answer_to)
        if new is None and known:
            new = say(f'I cannot help with "{heard}".')
        elif new is None:
            new = smalltalk.fallback(heard, situation.turn)
        new = guests.told(new) if situation.guest else new
        reply += new
        situation = situation.after(new.effects)
    if cut:
        reply += say("That was a lot at once, so I have stopped there.")
    return Reply(_once(reply), reply.effects)


def _once(reply: Reply) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(dict.fromkeys(reply.sentences))


def _parts(text: str, situation: Situation) -> tuple[list[_Part], bool]:
    """Return the parts of an input in order, no part twice, and whether there were more than are answered."""
    parts: dict[str, _Part] = {}
    unknown: _Part | None = None
    for sentence in sentences(text[:10_000]):
        for part in _taken_apart(sentence, situation):
            if not part.taken and unknown is not None:
                continue
            if len(parts) == MOST_PARTS:
                return list(parts.values()), True
            unknown = unknown if part.taken else part
            parts.setdefault(part.clause.plain, part)
    return list(parts.values()), False


def _taken_apart(sentence: Clause, situation: Situation) -> list[_Part]:
    """Return the sentence as one part when a rule takes it, else as the clauses that rules take."""
    if answer_to(sentence, situation) is not None:
        return [_Part(sentence, True)]
    breaks = _breaks(sentence)[:MOST_BREAKS]
    parts = _split(sentence, breaks, situation, {}) if breaks else None
    return parts or [_Part(sentence, False)]


def _breaks(sentence: Clause) -> list[tuple[int, int, bool]]:
    """Return where a sentence may fall apart: end of the left, beginning of the right, and whether it is a
    strong break.
    """
    if len(sentence.plain) > LONGEST_CLAUSE:
        return []
    words = sentence.words
    breaks = []
    for at in range(1, len(words)):
        gap = sentence.raw[words[at - 1].end : words[at].start]
        if words[at].text in _JOINTS and at + 1 < len(words):
            breaks.append((at, at + 1, True))
        elif "," in gap or ":" in gap:
            breaks.append((at, at, True))
        elif words[at].text in _STARTERS and words[at - 1].text not in _JOINTS:
            breaks.append((at, at, False))
    return breaks


def _split(
    sentence: Clause,
    breaks: Sequence[tuple[int, int, bool]],
    situation: Situation,
    seen: dict[tuple[int, int], bool],
    first: int = 0,
) -> list[_Part] | None:
    """Take the sentence apart from `first` on. Weak breaks count only when rules take all the rest."""

    def taken(begin: int, end: int) -> bool:
        if (begin, end) not in seen:
            seen[begin, end] = answer_to(sentence.part(begin, end), situation) is not None
        return seen[begin, end]

    end = len(sentence.words)
    partly: list[_Part] | None = None
    for number, (left, right, strong) in enumerate(breaks):
        if left <= first or not taken(first, left):
            continue
        part = _Part(sentence.part(first, left), True)
        if taken(right, end):
            return [part, _Part(sentence.part(right, end), True)]
        rest = _split(sentence, breaks[number + 1 :], situation, seen, right)
        if rest is not None and all(each.taken for each in rest):
            return [part, *rest]
        if strong and partly is None:
            partly = [part, *(rest or [_Part(sentence.part(right, end), False)])]
    return partly


# -------------------------------------------------------------------------------------------------------------- rules


def answer_to(clause: Clause, situation: Situation) -> Reply | None:
    """Return what the rules answer to one clause, in the order of this function; None when none takes it."""
    if len(clause.plain) > LONGEST_CLAUSE:
        return None
    for reading in readings(clause):
        reply = (
            answered(summary.RULES, reading, situation)
            or answered(smalltalk.RULES, reading, situation)
            or clock_talk.clock_talk(reading, situation)
            or arithmetic(reading, situation)
            or questions.asked(reading, situation)
            or answered(corrections.RULES, reading, situation)
            or denials.denied(reading, situation)
            or answered(_REMEMBER, reading, situation)
            or answered(questions.RULES, reading, situation)
            or statements.stated(reading, situation)
        )
        if reply is not None:
            return reply
    return corrections.bare_answer(clause, situation) or answered(questions.OPEN, clause, situation)
