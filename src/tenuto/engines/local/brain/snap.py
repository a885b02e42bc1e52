"""A near miss of a phrase that is understood, as a recogniser makes them: "what do you know it about me".

Only long questions that change nothing are snapped to, and the answer says what was understood, so that a wrong
guess is heard."""

from collections.abc import Callable
from difflib import SequenceMatcher

from tenuto.engines.local.brain.normalise import Clause, read
from tenuto.engines.local.brain.situation import Reply, Situation, say

_PHRASES = (
    "what do you know about me",
    "what do you remember about me",
    "tell me what you know about me",
    "what did we talk about last time",
    "what have we talked about",
    "what am i interested in",
    "what am i allergic to",
    "give me a summary of our conversation",
    "summarize our conversation",
    "how many children do i have",
    "what is my name and interest",
    "can you say that again",
    "what timers do i have",
    "what reminders do i have",
)
_NEAR = 0.84
"""How alike, of 1, two phrases have to be, letter by letter."""


def snapped(
    clause: Clause,
    situation: Situation,
    answer: Callable[[Clause, Situation], Reply | None],
) -> Reply | None:
    """Answer the phrase that a clause nearly is, and say so; None when it is near to none."""
    plain = clause.plain
    if not 12 <= len(plain) <= 60:
        return None
    best, score = "", _NEAR
    for phrase in _PHRASES:
        if phrase.split()[0] != clause.words[0].text:
            continue
        matcher = SequenceMatcher(None, plain, phrase, autojunk=False)
        if matcher.real_quick_ratio() > score and matcher.ratio() > score:
            best, score = phrase, matcher.ratio()
    if not best:
        return None
    reply = answer(read(best), situation)
    return say(f'I took that as "{best}".') + reply if reply else None
