"""Old facts in fewer words, by a rule that always gives the same: for a memory that is nearly full.

The facts of one category that are old, have no key, do not expire and are of an importance below `WORTH_KEEPING` become one
fact. It keeps their most important sentences (of equal ones, the newest) within a quarter of their tokens, in the order in
which they were learned; each sentence once. Sensitive facts are combined with sensitive ones only, and so are facts of the
user's own journal. A group of which no sentence fits into the quarter stays as it is.
"""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session.memory import LONGEST_CONTENT, known, setting
from tenuto.session.memory_plan import Fact, Plan
from tenuto.session.ports import Memory
from tenuto.text.tokens import count as tokens_of

if TYPE_CHECKING:
    from tenuto.session.fold import State

WORTH_KEEPING = 0.7
"""The importance from which on a fact is never compressed."""
QUARTER = 4
"""A combined fact has at most this part of the tokens of what it was made of."""

_SENTENCE = re.compile(r"(?<=[.!?\u2026])\s+|\s*\n+\s*")


def compress(
    state: "State", keep_recent_days: float, at: float, elsewhere: Sequence[Memory] = ()
) -> list[e.Event]:
    """Return the events by which old facts become fewer.

    Args:
        keep_recent_days: Facts that are younger stay as they are. 0 or more.
        at: Seconds since 1970-01-01 UTC.
        elsewhere: What the user's own journal knows.

    Raises:
        InvalidInput: `keep_recent_days` is not a number of days.
    """
    if not isinstance(keep_recent_days, int | float) or not 0 <= keep_recent_days < math.inf:
        raise InvalidInput("`keep_recent_days` is a number of days, 0 or more.")
    before = at - keep_recent_days * 86_400.0
    groups: dict[tuple[str, bool, bool], list[Memory]] = {}
    for memory in (*elsewhere, *known(state, at)):
        if _is_spent(memory, before):
            group = (memory.category, memory.sensitive, memory.memory < 0)
            groups.setdefault(group, []).append(memory)
    plan = Plan(state.memory, setting(state, "max_memory_size"), at)
    for (category, sensitive, theirs), parts in sorted(groups.items()):
        content = combined(parts)
        if len(parts) > 1 and content:
            plan.add(
                Fact(
                    content=content,
                    category=category,
                    importance=max(part.importance for part in parts),
                    sensitive=sensitive,
                    scope="user" if theirs else "session",
                    learned=max(part.at for part in parts),
                ),
                [part.memory for part in parts],
            )
    return plan.events


def _is_spent(memory: Memory, before: float) -> bool:
    """Whether a fact may be compressed. One that is on its way to the user's journal is not, nor one that is not there yet."""
    on_its_way = memory.scope == "user" and memory.memory >= 0
    kept = memory.key or memory.expires or memory.importance >= WORTH_KEEPING
    return memory.at < before and not kept and not on_its_way


def combined(parts: Sequence[Memory]) -> str:
    """Return the most important sentences of facts within a quarter of their tokens; empty when none fits.

    Example:
        >>> facts = ["She likes tea. Green tea. With milk. And cake. Always.", "It rained."]
        >>> combined([Memory(memory=n, content=c, importance=0.1) for n, c in enumerate(facts)])
        'It rained.'
    """
    budget = sum(tokens_of(part.content) for part in parts) // QUARTER
    ranked: list[tuple[float, float, int, int, str]] = []
    for place, part in enumerate(parts):
        for index, sentence in enumerate(_SENTENCE.split(part.content.strip())):
            ranked.append((-part.importance, -part.at, -place, index, sentence.strip()))
    kept: dict[str, tuple[int, int, str]] = {}
    text = ""
    for _, _, place, index, sentence in sorted(ranked):
        # In whatever order sentences are joined, their tokens are as many.
        longer = f"{text} {sentence}" if text else sentence
        if len(longer) > LONGEST_CONTENT or tokens_of(longer) > budget:
            continue
        if sentence and (same := sentence.casefold()) not in kept:
            kept[same], text = (-place, index, sentence), longer
    return " ".join(sentence for _, _, sentence in sorted(kept.values()))
