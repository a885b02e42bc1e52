"""What was said: repeating it, going on with it, and summing it up, in this conversation or the one before.

Extractive: nothing is put in anybody's mouth. A reply that was cut is repeated as it was meant, not as far as
it was heard."""

import re
from collections.abc import Sequence

from tenuto.engines.local.brain.numerals import in_words
from tenuto.engines.local.brain.situation import (
    Found,
    Reply,
    Rule,
    Sentence,
    Situation,
    rule,
    say,
    shown,
)
from tenuto.engines.local.brain.wording import listed, second_person, sentence
from tenuto.session.ports import Message
from tenuto.session.summary import said_by_user

QUOTED = 5
"""How many things that the user said a summary quotes."""

_END = re.compile(r"(?<=[.!?])\s+")
_META = re.compile(
    r".*\b(?:summar\w*|talk(?:ed|ing)? about|recap|say that again|repeat|last time|sum up)\b.*"
    r"|(?:hello|hi|hey|thanks?|thank you|yes|no|okay|bye|goodbye)\b[a-z ,]{0,8}[.!]?",
    re.I | re.S,
)


def sentences_of(text: str, turn: int) -> tuple[Sentence, ...]:
    """Return a text as the sentences of a reply that cites that turn."""
    parts = [part.strip() for part in _END.split(text) if part.strip()]
    return tuple((part, (turn,)) for part in parts[:12])


def _again(found: Found, situation: Situation) -> Reply | None:
    message = situation.last("agent")
    if message is None:
        return say("I have not said anything yet.")
    return Reply(sentences_of(message.said or message.text, message.turn))


def _go_on(found: Found, situation: Situation) -> Reply | None:
    message = situation.last("agent")
    if message is None or not message.said or not message.said.startswith(message.text):
        return say("I had finished.")
    rest = message.said[len(message.text) :].strip()
    return Reply(sentences_of(rest, message.turn)) if rest else say("I had finished.")


def _your_words(found: Found, situation: Situation) -> Reply | None:
    message = situation.last("user")
    if message is None:
        return say("You have not said anything before this.")
    return say(f'You said: "{shown(message.text, 200)}".', cites=(message.turn,))


def _said_by_user(messages: Sequence[Message], by: str) -> list[Message]:
    """Return what that user said, small talk and questions for a summary apart, no text twice, the newest ones."""
    said: dict[str, Message] = {}
    for message in messages:
        if (
            message.role == "user"
            and message.user == by
            and message.text.strip()
            and not _META.fullmatch(shown(message.text))
        ):
            said.setdefault(message.text.strip().lower(), message)
    return list(said.values())[-QUOTED:]


def _quoted(messages: Sequence[Message], opening: str = "You said") -> Reply:
    quotes = listed([f'"{shown(m.text.rstrip(". "))}"' for m in messages])
    return say(f"{opening}: {quotes}.", cites=tuple(dict.fromkeys(m.turn for m in messages)))


def _summary(found: Found, situation: Situation) -> Reply | None:
    here = situation.here
    said = _said_by_user(here, situation.by)
    if not here:
        return say("We have only just begun: there is nothing to sum up yet.")
    turns = len({m.turn for m in here if m.role == "user"})
    count = f"{in_words(turns)} turn{'s' if turns != 1 else ''}"
    reply = say(f"We have talked for {count} in this conversation.")
    mine = {m.turn for m in here}
    learned = [m for m in situation.memories if m.turn in mine][-6:]
    if learned:
        what = listed([second_person(m.content) for m in learned])
        reply += say(
            sentence(f"I have learned that {what}"), cites=tuple(sorted({m.turn for m in learned}))
        )
    rest = [m for m in said if m.turn not in {memory.turn for memory in learned}]
    return reply + _quoted(rest) if rest else reply


def _last_time(found: Found, situation: Situation) -> Reply | None:
    earlier = [m for m in situation.messages if m.conversation != situation.conversation]
    if not earlier:
        return _in_short(situation)
    last = earlier[-1].conversation
    said = _said_by_user([m for m in earlier if m.conversation == last], situation.by)
    if not said:
        return say("We only exchanged a few words last time.")
    return _quoted(said, "Last time you said")


def _in_short(situation: Situation) -> Reply:
    """Tell of the last conversation what a summary kept of it."""
    recaps = [recap for recap in situation.recaps if recap.kind == "earlier"]
    if not recaps:
        return say("This is our first conversation, as far as I can see.")
    said = [line for line in said_by_user(recaps[-1].text) if not _META.fullmatch(shown(line))]
    if not said:
        return say("We only exchanged a few words last time.")
    quotes = listed([f'"{shown(line.rstrip(". "))}"' for line in said[-QUOTED:]])
    return say(f"Last time you said: {quotes}.")


def _about(found: Found, situation: Situation) -> Reply | None:
    """Answer "what did we talk about": this conversation, or the last one when this has only begun."""
    if _said_by_user(situation.here, situation.by):
        return _summary(found, situation)
    others = any(m.conversation != situation.conversation for m in situation.messages)
    others = others or any(recap.kind == "earlier" for recap in situation.recaps)
    return _last_time(found, situation) if others else _summary(found, situation)


_LAST = (
    r"(?:last time|yesterday|before|earlier|previously|the last time|the other day"
    r"|in (?:our|the) (?:last|previous|earlier) (?:conversation|session|call|chat)"
    r"|last (?:week|session|conversation|call))"
)

RULES: list[Rule] = [
    rule(
        _again,
        r"(?:say|repeat|tell me) (?:that|it|this)(?: again| once more| one more time)?"
        r"|repeat(?: yourself| what you (?:just )?said| the last (?:one|answer|sentence))?"
        r"|what did you (?:just )?say(?: again)?|what was that|what were you saying"
        r"|pardon(?: me)?|come again|once more"
        r"|(?:i )?(?:did not|do not|could not) (?:hear|catch|understand)(?: (?:that|you|it))?"
        r"|say again|one more time|what",
    ),
    rule(_go_on, r"(?:go on|continue|keep going|carry on|finish (?:that|your sentence|it))"),
    rule(
        _your_words,
        r"what did i (?:just |last )?(?:say|tell you|ask(?: you)?)(?: (?:just now|last|before))?"
        r"|what was my last (?:question|sentence|message)|repeat what i said|what was i saying",
    ),
    rule(
        _last_time,
        r"(?:what|do you (?:remember|know) what) (?:did|were|have) (?:we|i|you) (?:talk(?:ed"
        rf"|ing)? about|discuss(?:ed)?|do|say|speak about|tell you|been talking about) {_LAST}",
    ),
    rule(
        _last_time,
        r"(?:do you remember |tell me about |summarize |what was in )?(?:our|the|my) (?:last"
        r"|previous) (?:conversation|session|call|chat)",
    ),
    rule(_last_time, r"where did we (?:stop|leave off)(?: last time)?"),
    rule(
        _summary,
        r"(?:summarize|sum up|recap)(?: (?:our|this|the))?(?: (?:conversation|session|talk|chat"
        r"|everything|so far|it|that|call))*|(?:give me )?(?:an? |the )?(?:short )?(?:summary"
        r"|recap)(?: (?:of|please|our|this|the|conversation|so far|talk|session))*",
    ),
    rule(
        _summary,
        r"what have we (?:talked about|been talking about|discussed|said|done)(?: (?:so far|today"
        r"|until now|here|in this conversation))?",
    ),
    rule(
        _about,
        r"what (?:did|do|are) we (?:talk(?:ing)? about|discuss|say)(?: (?:so far|today|just now"
        r"|in this conversation))?",
    ),
]
