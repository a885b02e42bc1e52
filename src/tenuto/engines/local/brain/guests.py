"""What is said to a guest: somebody else than the user of a session that is shared.

A guest is answered from what is known of the user, as of somebody else. They teach the session nothing and take nothing from
it, so an answer that would do so says that instead: what the brain says it has done, it has done. They may set alarms.
"""

import re

import msgspec

from tenuto.engines.local.brain.situation import Reply, say
from tenuto.session.ports import AlarmDropped, AlarmWanted, Forgot, Memory

_USER = re.compile(r"\bthe user\b", re.I)
_SOURCE = re.compile(r"You told me in (turns? [\d, and]+)\.")
_UNTOLD = re.compile(r": you have not told me.*\.$")


def of_the_user(memory: Memory) -> Memory:
    """Return a memory so that a guest does not take it for theirs.

    Example:
        >>> of_the_user(Memory(memory=1, content="The user's name is Alice.")).content
        "This session's user's name is Alice."
    """

    def named(match: re.Match[str]) -> str:
        return "This session's user" if match[0][0] == "T" else "this session's user"

    return msgspec.structs.replace(memory, content=_USER.sub(named, memory.content))


def told(reply: Reply) -> Reply:
    """Return what a guest is told in place of a reply, with the effects that a guest may have."""
    kinds = {type(effect) for effect in reply.effects}
    if Forgot in kinds:
        return say(
            "Only this session's own user can have me forget something.", "Nothing has changed."
        )
    if AlarmDropped in kinds:
        return say("Only this session's own user can cancel an alarm.", "It stays as it is.")
    if kinds - {AlarmWanted}:
        return say("You are a guest here: I remember only what this session's own user tells me.")
    return Reply(tuple((_put(text), cites) for text, cites in reply.sentences), reply.effects)


def _put(text: str) -> str:
    if match := _SOURCE.fullmatch(text):
        return f"That was told me in {match[1]}."
    return _UNTOLD.sub(": I know only what this session's own user tells me.", text)
