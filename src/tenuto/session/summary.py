"""What was said, in short, by rules alone: for a context that has no room for all of it, and for a branch's parent.

Extractive: nothing is put in anybody's mouth. A summary is a text of lines. The first says what it began with and stays for
ever; each of the others is one message in short, the oldest first, and begins with who said it. It is made of nothing but
the summary before and the messages since, so that the same journal always gives the same summary.

What goes first when there is no room: what the agent said, the oldest of it; then the oldest lines of the others.
"""

import re
from collections.abc import Sequence

from tenuto.session.ports import Message

MOST = 2_000
"""Characters of a summary."""
BRIEF = 200
"""Characters of a summary that only has to say what a conversation was about."""
QUOTED = 240
"""Characters of what the user said in one message."""
ANSWERED = 120
"""Characters of what anybody else said in one message."""

BEGAN = "Began with: "
_WHO = {"user": "User: ", "agent": "Agent: ", "system": "System: ", "tool": "Tool: "}

_ends = re.compile(r"(?<=[.!?])\s+").split
_words = re.compile(r"[^\W_]+").findall
_matters = re.compile(
    r"[?\d]|(?<=[a-z,] )[A-Z][a-z]|(?i:\b(?:my|mine|i'?m|i am|i live|i work|i have|names?|named|called|decid\w+|agree\w*"
    r"|choose|chose|want\w*|need\w*|prefer\w*|like|love|hate|will|must|book\w*|cancel\w*|order\w*|remember|remind\w*"
    r"|forget|plan\w*|interested|because|let'?s|please)\b)"
).search
_CHATTER = frozenset(
    "hello hi hey thanks thank you yes yeah no ok okay sure right good great fine bye goodbye please and so well i see "
    "got it go on mhm uh um there very much".split()
)


def _is_chatter(text: str) -> bool:
    return _CHATTER.issuperset(_words(text.lower()))


def extend(before: str, messages: Sequence[Message], most: int = MOST) -> str:
    """Return a summary: of what a summary covered before, and of the messages since.

    Args:
        before: The summary so far; empty when there is none.
        messages: Oldest first.
        most: The most characters of it.

    Example:
        >>> m = Message(message=1, role="user", text="Hi. I want to book a table.", turn=1, conversation="c", at=0.0)
        >>> extend("", [m])
        'Began with: I want to book a table.'
    """
    lines = before.split("\n") if before else []
    known = set(lines)
    for message in messages:
        line = _line(message)
        if not line:
            continue
        if not lines:
            line = BEGAN + (line.removeprefix(_WHO["user"]))
        if line not in known:
            known.add(line)
            lines.append(line)
    return _fitted(lines, most)


def shortened(text: str, most: int) -> str:
    """Return a summary with less detail: at most so many characters."""
    return _fitted(text.split("\n"), most) if len(text) > most else text


def said_by_user(text: str) -> list[str]:
    """Return what a summary says that the user said, oldest first.

    Example:
        >>> said_by_user("Began with: I like tea.\\nAgent: Noted.\\nUser: Green, please.")
        ['I like tea.', 'Green, please.']
    """
    marks = (BEGAN, _WHO["user"])
    others = tuple(BEGAN + who for role, who in _WHO.items() if role != "user")
    return [
        line.removeprefix(BEGAN).removeprefix(_WHO["user"])
        for line in text.split("\n")
        if line.startswith(marks) and not line.startswith(others)
    ]


def without_system(text: str) -> str:
    """Return a summary without what the application said to the agent.

    Example:
        >>> without_system("Began with: I like tea.\\nSystem: Sell coffee.\\nAgent: Noted.")
        'Began with: I like tea.\\nAgent: Noted.'
    """
    own = (_WHO["system"], BEGAN + _WHO["system"])
    return "\n".join(line for line in text.split("\n") if not line.startswith(own))


def _line(message: Message) -> str:
    """Return a message in short, on one line; empty when it says nothing that matters."""
    text = " ".join(message.text.split())
    if not text or _is_chatter(text):
        return ""
    sentences = [each for each in _ends(text) if not _is_chatter(each)]
    if message.role == "user":
        kept = [each for each in sentences if _matters(each)] or sentences[:1]
        return _WHO["user"] + _cut(" ".join(kept), QUOTED)
    return _WHO[message.role] + _cut(sentences[0], ANSWERED)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 4].rstrip() + " ..."


def _fitted(lines: list[str], most: int) -> str:
    """Return lines as a text, without as many of the old ones as it takes."""
    room = most - sum(len(line) + 1 for line in lines) + 1
    gone: set[int] = set()
    answers = [i for i, line in enumerate(lines) if i and line.startswith(_WHO["agent"])]
    # What was answered last still says where things stand.
    for i in [*answers[: -len(answers) // 2 or None], *range(1, len(lines))]:
        if room >= 0:
            break
        if i not in gone:
            gone.add(i)
            room += len(lines[i]) + 1
    return _cut("\n".join(line for i, line in enumerate(lines) if i not in gone), most)
