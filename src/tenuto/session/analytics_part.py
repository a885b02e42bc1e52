"""`session.analytics`: what was counted, in figures for people, and the one rule that adds to it.

All figures are read from the fold at one moment: `now` counts, so that they move while a conversation runs. Reading costs
the same whatever the length of the journal.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput, TooMuch
from tenuto.ids import LONGEST_NAME
from tenuto.session import analytics as fold
from tenuto.session import memory
from tenuto.session.analytics import MOST_METRICS, Analytics, Tally, Usage
from tenuto.session.checked import checked
from tenuto.session.conversation_fold import find
from tenuto.session.desk import Desk, Receipt
from tenuto.settings import FREE, Price

if TYPE_CHECKING:
    from tenuto.session.fold import State

SHOWN_TOPICS = 10
"""Topics that are shown, the most frequent first."""
SHOWN_CONVERSATIONS = 50
"""Conversations that a report holds: the last ones."""
LARGEST_VALUE = 1e15
"""Of a metric, either way: sums stay exact enough and finite."""
SATISFACTION = "user_satisfaction"
"""The custom metric, 0 to 5, that outweighs what is guessed from the way the user speaks."""


class SessionAnalytics(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of a session, at one moment."""

    conversation_count: int
    message_count: int
    """Messages of the user and the agent; what was injected is counted by `injection_count`."""
    avg_duration_seconds: float
    """Of its conversations: time in conversation, without the time that nobody was there or it was paused."""
    total_duration_seconds: float
    """Of its conversations, together."""
    topics: list[str]
    """What the user talked of, the most frequent first: ten at most."""
    satisfaction_score: float | None
    """0 to 5; None when nothing is known."""
    active_hours: list[int]
    """Hours of the day, 0 to 23 in `timezone`, in which the user said something, the busiest first."""
    interruption_count: int
    """Replies that the user cut short."""
    injection_count: int
    turn_count: int
    """Turns that the user began."""
    avg_response_time_ms: float | None
    """From the end of the user's message to the first segment of the reply; None before the first."""
    topic_counts: dict[str, int]
    """How often each of `topics` came up."""
    hour_counts: list[int]
    """Messages of the user in each of the 24 hours."""
    timezone: str
    """IANA name of the time zone that hours are counted in; `UTC` when the session has none."""
    user_words: int
    """Words of the user."""
    agent_words: int
    """As far as they were heard."""
    enabled: bool
    """Whether figures are collected now."""
    created: str
    """ISO 8601, UTC."""
    updated: str
    """When the last event happened: ISO 8601, UTC."""


class ConversationAnalytics(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of one conversation, at one moment."""

    conversation_id: str
    duration_seconds: float
    """Time in conversation, without the time that nobody was there or it was paused."""
    turn_count: int
    """Turns that the user began."""
    interruption_count: int
    """Replies that the user cut short."""
    injection_count: int
    """Messages that were injected, and changes of settings while it was open."""
    avg_response_time_ms: float | None
    """From the end of the user's message to the first segment of the reply; None before the first."""
    message_count: int
    """Messages of the user and the agent."""
    user_words: int
    """Words of the user."""
    agent_words: int
    """As far as they were heard."""
    is_open: bool


class MetricFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of a custom metric."""

    count: int
    """How often it was tracked."""
    sum: float
    """Of its values, in whatever unit they have."""
    min: float
    """The smallest value."""
    max: float
    """The largest value."""
    last: float
    """The value that was tracked last."""
    mean: float
    """`sum` by `count`."""


class TurnTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of a turn went. None for what did not happen, or not yet."""

    turn: int
    conversation_id: str
    at: str
    """When the user's message was there: ISO 8601, UTC."""
    by: str
    """`voice` or `text`."""
    speech_to_message_ms: float | None
    """From the end of the speech to its text; None for what was written."""
    message_to_reply_ms: float | None
    """From the message to the start of the reply."""
    reply_to_segment_ms: float | None
    """From the start of the reply to its first segment."""
    segment_to_end_ms: float | None
    """From the first segment to the end of the reply."""
    heard_seconds: float | None
    """How much of the reply was heard; 0 for a reply that was not spoken."""
    cut: str
    """Why the reply was cut, such as `barge_in`; empty when it was not."""

    @property
    def response_ms(self) -> float | None:
        """From the message to the first segment of the reply."""
        if self.message_to_reply_ms is None or self.reply_to_segment_ms is None:
            return None
        return self.message_to_reply_ms + self.reply_to_segment_ms


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the engines cost, by the table of prices."""

    usd: float | None
    """All engines together; None when one of them has no price."""
    engines: dict[str, float | None]
    """USD for each engine; None for one that has no price."""
    unpriced: list[str]
    """The engines that have no price: give them one in `TenutoConfig.prices`."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a session at one moment."""

    session_id: str
    user_id: str
    analytics: SessionAnalytics
    conversations: list[ConversationAnalytics]
    """The last fifty, oldest first."""
    metrics: dict[str, MetricFigures]
    usage: dict[str, Usage]
    """What each engine used."""
    cost: Cost
    turns: list[TurnTimes]
    """The last fifty, oldest first."""
    memory_usage: float
    """How full the session's own memory is, 0 to 1."""


@checked
class AnalyticsPart:
    """The analytics of one session, live.

    Args:
        desk: The session.
        prices: What each engine costs, by its name; the ones that run here are free.

    Example:
        >>> session.analytics.session()["message_count"]  # doctest: +SKIP
        12
    """

    def __init__(self, desk: Desk, prices: Mapping[str, Price] | None = None) -> None:
        self._desk = desk
        self.prices: Mapping[str, Price] = prices or {}
        """USD by engine."""

    def session(self) -> dict[str, Any]:
        """Return the figures of the session by name; see `SessionAnalytics`."""
        found: dict[str, Any] = msgspec.to_builtins(of_session(self._desk.state, self._desk.now()))
        return found

    def conversation(self, conversation_id: str) -> dict[str, Any]:
        """Return the figures of a conversation by name; see `ConversationAnalytics`.

        Args:
            conversation_id: Its id.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        state = self._desk.state
        find(state, conversation_id)
        found: dict[str, Any] = msgspec.to_builtins(
            of_conversation(state, conversation_id, self._desk.now())
        )
        return found

    def turns(self) -> list[TurnTimes]:
        """Return where the time of each of the last fifty turns went, oldest first."""
        return times(self._desk.state.analytics)

    def usage(self) -> dict[str, dict[str, float]]:
        """Return what each engine used, by its name; see `Usage`."""
        found: dict[str, dict[str, float]] = msgspec.to_builtins(self._desk.state.analytics.usage)
        return found

    def estimated_cost(self) -> dict[str, Any]:
        """Return what that cost in USD, by the table of prices; see `Cost`."""
        found: dict[str, Any] = msgspec.to_builtins(cost(self._desk.state.analytics, self.prices))
        return found

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return the custom metrics by name; see `MetricFigures`."""
        found: dict[str, dict[str, float]] = msgspec.to_builtins(
            metrics(self._desk.state.analytics)
        )
        return found

    def track(self, name: str, value: float) -> Receipt[dict[str, float]]:
        """Add a value to a custom metric. Its value is the metric's figures; none while analytics are off.

        Args:
            name: 1 to 100 printable characters; a session has 200 names at most.
            value: A finite number, -1e15 to 1e15. `user_satisfaction` has 0 to 5.

        Raises:
            InvalidInput: The name or the value is wrong.
            TooMuch: The session has 200 other names already.

        Example:
            >>> await session.analytics.track("task_completed", 1)  # doctest: +SKIP
            {'count': 1, 'sum': 1.0, 'min': 1.0, 'max': 1.0, 'last': 1.0, 'mean': 1.0}
        """
        self._desk.decide(lambda state, at: tracked(state, name, value, at))
        return Receipt(self._desk, self.metrics().get(name, {}))

    def report(self) -> Report:
        """Return all of it at once."""
        return report(self._desk.state, self._desk.now(), self.prices)


# ---------------------------------------------------------------------------------------------------------------- the rule


def tracked(state: "State", name: str, value: float, at: float) -> list[e.Event]:
    """Return the event that adds a value to a custom metric; none while analytics are off.

    Raises:
        InvalidInput: The name or the value is wrong.
        TooMuch: The session has `MOST_METRICS` other names already.
    """
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"The name of a metric has 1 to {LONGEST_NAME} printable characters.")
    # A comparison that a number that is none does not pass.
    if not -LARGEST_VALUE <= value <= LARGEST_VALUE:
        raise InvalidInput(
            f"The value of the metric {name!r} is finite and at most {LARGEST_VALUE:g}."
        )
    if not fold.collects(state):
        return []
    if name not in state.analytics.metrics and len(state.analytics.metrics) >= MOST_METRICS:
        raise TooMuch(f"A session has at most {MOST_METRICS} metrics. Use a name that it has.")
    return [e.MetricTracked(at=at, name=name, value=float(value))]


# -------------------------------------------------------------------------------------------------------------- the figures


def of_session(state: "State", now: float) -> SessionAnalytics:
    """Return the figures of a session at a moment: seconds since 1970-01-01 UTC."""
    a = state.analytics
    total, duration = a.total, fold.seconds(a, now)
    newest_first = enumerate(reversed(a.topics.items()))
    ranked = sorted(newest_first, key=lambda item: (-item[1][1], item[0]))[:SHOWN_TOPICS]
    topics = dict(item for _, item in ranked)
    busiest = sorted((hour for hour in range(24) if a.hours[hour]), key=lambda h: (-a.hours[h], h))
    return SessionAnalytics(
        conversation_count=len(a.conversations),
        message_count=total.messages,
        avg_duration_seconds=round(duration / max(1, len(a.conversations)), 3),
        total_duration_seconds=round(duration, 3),
        topics=list(topics),
        satisfaction_score=satisfaction(a),
        active_hours=busiest,
        interruption_count=total.interruptions,
        injection_count=total.injections,
        turn_count=total.turns,
        avg_response_time_ms=_response(total),
        topic_counts=topics,
        hour_counts=list(a.hours),
        timezone=a.zone or "UTC",
        user_words=total.user_words,
        agent_words=total.agent_words,
        enabled=a.on,
        created=_moment(state.created),
        updated=_moment(state.updated),
    )


def of_conversation(state: "State", conversation: str, now: float) -> ConversationAnalytics:
    """Return the figures of a conversation at a moment: seconds since 1970-01-01 UTC."""
    a = state.analytics
    tally = a.conversations.get(conversation) or Tally()
    return ConversationAnalytics(
        conversation_id=conversation,
        duration_seconds=round(fold.seconds(a, now, conversation), 3),
        turn_count=tally.turns,
        interruption_count=tally.interruptions,
        injection_count=tally.injections,
        avg_response_time_ms=_response(tally),
        message_count=tally.messages,
        user_words=tally.user_words,
        agent_words=tally.agent_words,
        is_open=conversation == state.conversation,
    )


def satisfaction(analytics: Analytics) -> float | None:
    """Return 0 to 5: the mean of the metric `user_satisfaction`, else guessed from sentiment; None when nothing is known.

    The guess is 2.5 + 2.5 x the mean sentiment of the user's messages, which is -1 to 1.
    """
    rated = analytics.metrics.get(SATISFACTION)
    if rated is not None:
        return round(min(5.0, max(0.0, rated.sum / rated.count)), 2)
    if analytics.feelings:
        return round(2.5 + 2.5 * analytics.feeling / analytics.feelings, 2)
    return None


def metrics(analytics: Analytics) -> dict[str, MetricFigures]:
    """Return the figures of each custom metric."""
    return {
        name: MetricFigures(
            count=kept.count,
            sum=kept.sum,
            min=kept.min,
            max=kept.max,
            last=kept.last,
            mean=kept.sum / kept.count,
        )
        for name, kept in analytics.metrics.items()
    }


def times(analytics: Analytics) -> list[TurnTimes]:
    """Return the times of the last turns, oldest first."""
    return [
        TurnTimes(
            turn=kept.turn,
            conversation_id=kept.conversation,
            at=_moment(kept.at),
            by=kept.by,
            speech_to_message_ms=_milliseconds(kept.recognised),
            message_to_reply_ms=_milliseconds(kept.thought),
            reply_to_segment_ms=_milliseconds(kept.composed),
            segment_to_end_ms=_milliseconds(kept.delivered),
            heard_seconds=kept.heard,
            cut=kept.cut,
        )
        for kept in analytics.timings
    ]


def cost(analytics: Analytics, prices: Mapping[str, Price]) -> Cost:
    """Return what the usage of each engine costs."""
    engines: dict[str, float | None] = {}
    for name, used in analytics.usage.items():
        price = prices.get(name, FREE.get(name))
        engines[name] = None if price is None else round(_priced(used, price), 6)
    known = [usd for usd in engines.values() if usd is not None]
    unpriced = [name for name, usd in engines.items() if usd is None]
    return Cost(
        usd=None if unpriced else round(sum(known, 0.0), 6), engines=engines, unpriced=unpriced
    )


def report(state: "State", now: float, prices: Mapping[str, Price]) -> Report:
    """Return all figures of a session at a moment: seconds since 1970-01-01 UTC."""
    a = state.analytics
    last = list(islice(reversed(a.conversations), SHOWN_CONVERSATIONS))
    return Report(
        session_id=state.session,
        user_id=state.user,
        analytics=of_session(state, now),
        conversations=[of_conversation(state, name, now) for name in reversed(last)],
        metrics=metrics(a),
        usage={name: msgspec.structs.replace(used) for name, used in a.usage.items()},
        cost=cost(a, prices),
        turns=times(a),
        memory_usage=round(state.memory.used / memory.setting(state, "max_memory_size"), 3),
    )


def _priced(used: Usage, price: Price) -> float:
    return (
        used.heard / 60 * price.heard_minute
        + used.spoken / 60 * price.spoken_minute
        + used.tokens_in / 1e6 * price.million_tokens_in
        + used.tokens_out / 1e6 * price.million_tokens_out
        + used.characters / 1e6 * price.million_characters
    )


def _response(tally: Tally) -> float | None:
    return round(tally.waited / tally.answers * 1e3, 1) if tally.answers else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


def _moment(at: float) -> str:
    written = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")
