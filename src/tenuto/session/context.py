"""What of the history an engine is given: chosen by a policy, never the history itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenuto.session.config import SessionConfig
from tenuto.session.fold import State
from tenuto.session.ports import Context, Message


@dataclass(frozen=True, slots=True)
class LastMessages:
    """The newest `count` messages of the session, over its conversations."""

    count: int = 50

    def choose(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return what an engine is given of these, oldest first."""
        return messages[-self.count :]


def build(state: State, config: SessionConfig, now: float, policy: LastMessages) -> Context:
    """Return what an engine is told of a session.

    An agent's message that was cut carries what was heard; the engine never learns that more was said, except by `said`.

    Args:
        now: Seconds since 1970-01-01 UTC.
    """
    return Context(
        instructions=config.instructions,
        messages=tuple(policy.choose(state.recent)),
        memories=tuple(state.memories.values()),
        alarms=tuple(state.alarms.values()),
        conversation=state.conversation,
        now=now,
        timezone=config.timezone,
    )
