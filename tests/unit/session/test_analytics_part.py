"""`session.analytics`: figures for people, the cost, and what may be tracked."""

from typing import Any

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import ConversationNotFound, InvalidInput, TooMuch
from tenuto.session import fold
from tenuto.session.analytics import MOST_METRICS, MOST_TOPICS
from tenuto.session.analytics_part import (
    SHOWN_CONVERSATIONS,
    SHOWN_TOPICS,
    AnalyticsPart,
    TurnTimes,
    satisfaction,
)
from tenuto.session.desk import Rule
from tenuto.settings import Price

NOON = 12 * 3600.0
KEYS = {
    "conversation_count",
    "message_count",
    "avg_duration_seconds",
    "total_duration_seconds",
    "topics",
    "satisfaction_score",
    "active_hours",
    "interruption_count",
    "turn_count",
    "avg_response_time_ms",
}
CONVERSATION_KEYS = {
    "duration_seconds",
    "turn_count",
    "interruption_count",
    "injection_count",
    "avg_response_time_ms",
    "message_count",
    "user_words",
    "agent_words",
}


class Table:
    """A desk without a session behind it: a fold, a clock, and nothing to wait for."""

    def __init__(self, **config: Any) -> None:
        self.state, self.time, self.commits = fold.State(), NOON, 0
        self.add(
            e.SessionCreated(
                at=NOON, session="s", tenant="t", user="u", epoch="0" * 16, config=config
            )
        )

    def now(self) -> float:
        return self.time

    def decide(self, rule: Rule) -> list[e.Event]:
        events = rule(self.state, self.time)
        self.add(*events)
        return events

    async def commit(self) -> int:
        self.commits += 1
        return self.state.position

    def add(self, *events: e.Event) -> None:
        for event in events:
            fold.apply(self.state, event)

    def come(self, conversation: str = "c") -> None:
        number = self.state.attachments + 1
        come = {"role": "controller", "client": "x", "transport": "t"}
        self.add(
            e.AttachmentAttached(at=self.time, attachment=number, **come),  # type: ignore[arg-type]
            e.ConversationStarted(at=self.time, conversation=conversation),
        )

    def say(self, text: str = "Hello there", **more: Any) -> None:
        number = self.state.messages + 1
        self.add(
            e.MessageAdded(
                at=self.time,
                message=number,
                role="user",
                text=text,
                turn=self.state.turns + 1,
                conversation=self.state.conversation,
                **more,
            )
        )

    def used(self, engine: str, **amounts: Any) -> None:
        self.add(e.UsageRecorded(at=self.time, engine=engine, link=1, **amounts))


def desk(**config: Any) -> tuple[Table, AnalyticsPart]:
    table = Table(**config)
    return table, AnalyticsPart(table)


# --------------------------------------------------------------------------------------------------------------- the figures


def test_a_new_session_has_every_figure_and_knows_nothing() -> None:
    _, part = desk()
    figures = part.session()
    assert figures.keys() >= KEYS
    assert (figures["conversation_count"], figures["avg_duration_seconds"]) == (0, 0.0)
    assert figures["satisfaction_score"] is None and figures["avg_response_time_ms"] is None
    assert (figures["topics"], figures["active_hours"]) == ([], [])
    assert (figures["timezone"], figures["enabled"]) == ("UTC", True)
    assert figures["created"] == figures["updated"] == "1970-01-01T12:00:00.000Z"
    assert msgspec.json.encode(figures)


def test_the_figures_move_while_a_conversation_runs() -> None:
    table, part = desk()
    table.come()
    table.say("one two three", by="voice")
    table.time += 7.5
    session, conversation = part.session(), part.conversation("c")
    assert session["total_duration_seconds"] == session["avg_duration_seconds"] == 7.5
    assert conversation.keys() >= CONVERSATION_KEYS
    assert (conversation["duration_seconds"], conversation["is_open"]) == (7.5, True)
    assert (conversation["turn_count"], conversation["user_words"]) == (1, 3)


def test_the_average_is_over_the_conversations() -> None:
    table, part = desk()
    table.come()
    table.time += 30.0
    table.add(e.ConversationEnded(at=table.time, conversation="c", reason="user"))
    table.add(e.ConversationStarted(at=table.time, conversation="d"))
    table.time += 10.0
    figures = part.session()
    assert (figures["conversation_count"], figures["avg_duration_seconds"]) == (2, 20.0)


def test_a_conversation_that_is_not_there_has_no_figures() -> None:
    _, part = desk()
    with pytest.raises(ConversationNotFound):
        part.conversation("c")


def test_a_conversation_of_which_nothing_was_collected_has_none() -> None:
    table, part = desk(enable_analytics=False)
    table.come()
    table.say()
    assert part.conversation("c")["message_count"] == 0
    assert not part.session()["enabled"]


def test_the_most_frequent_topics_come_first_and_of_these_the_latest() -> None:
    table, part = desk()
    table.come()
    for topics in (["chess", "go"], ["chess", "ludo"]):
        table.say(traits=e.Traits(topics=topics))
    assert part.session()["topics"] == ["chess", "ludo", "go"]
    for number in range(MOST_TOPICS):
        table.say(traits=e.Traits(topics=[f"t{number}"]))
    figures = part.session()
    assert len(figures["topics"]) == SHOWN_TOPICS and figures["topic_counts"]["chess"] == 2


def test_the_busiest_hours_come_first() -> None:
    table, part = desk(timezone="Europe/Rome")
    table.come()
    for later, times in ((0, 1), (3_600, 3), (7_200, 1)):
        table.time = NOON + later
        for _ in range(times):
            table.say()
    figures = part.session()
    assert (figures["active_hours"], figures["timezone"]) == ([14, 13, 15], "Europe/Rome")
    assert figures["hour_counts"][14] == 3 and sum(figures["hour_counts"]) == 5


def test_satisfaction_is_guessed_from_sentiment_until_it_is_tracked() -> None:
    table, part = desk()
    table.come()
    table.say(traits=e.Traits(sentiment=0.6))
    table.say(traits=e.Traits(sentiment=-0.2))
    assert part.session()["satisfaction_score"] == 3.0
    part.track("user_satisfaction", 4)
    part.track("user_satisfaction", 5)
    assert part.session()["satisfaction_score"] == 4.5


@pytest.mark.parametrize(("value", "score"), [(9.0, 5.0), (-9.0, 0.0)])
def test_satisfaction_stays_within_its_scale(value: float, score: float) -> None:
    table, part = desk()
    part.track("user_satisfaction", value)
    assert satisfaction(table.state.analytics) == score


def test_the_times_of_turns_are_in_milliseconds() -> None:
    table, part = desk()
    table.come()
    table.say()
    (waiting,) = part.turns()
    assert (waiting.message_to_reply_ms, waiting.response_ms) == (None, None)
    table.add(e.ReplyStarted(at=NOON + 0.25, reply=1, turn=1, conversation="c"))
    assert part.turns()[0].response_ms is None
    table.add(
        e.ReplySegment(at=NOON + 0.5, reply=1, index=0, text="x", last=True),
        e.ReplyEnded(at=NOON + 2.5, reply=1, heard=1.5),
    )
    (done,) = part.turns()
    assert done == TurnTimes(
        turn=1,
        conversation_id="c",
        at="1970-01-01T12:00:00.000Z",
        by="text",
        speech_to_message_ms=None,
        message_to_reply_ms=250.0,
        reply_to_segment_ms=250.0,
        segment_to_end_ms=2_000.0,
        heard_seconds=1.5,
        cut="",
    )
    assert done.response_ms == part.session()["avg_response_time_ms"] == 500.0


# ------------------------------------------------------------------------------------------------------------ usage and cost


def test_what_runs_here_is_free_and_what_has_no_price_says_so() -> None:
    table, part = desk()
    assert part.estimated_cost() == {"usd": 0.0, "engines": {}, "unpriced": []}
    table.used("local", heard=60.0, characters=10)
    assert part.estimated_cost()["usd"] == 0.0
    table.used("cloud", heard=60.0)
    cost = part.estimated_cost()
    assert cost == {
        "usd": None,
        "engines": {"local": 0.0, "cloud": None},
        "unpriced": ["cloud"],
    }
    assert part.usage()["cloud"]["heard"] == 60.0


def test_every_price_counts() -> None:
    table, part = desk()
    table.used("cloud", heard=90.0, spoken=30.0, tokens_in=2_000_000, tokens_out=500_000)
    table.used("cloud", characters=100_000)
    part.prices = {
        "cloud": Price(
            heard_minute=0.06,
            spoken_minute=0.24,
            million_tokens_in=1.0,
            million_tokens_out=4.0,
            million_characters=15.0,
        )
    }
    assert part.estimated_cost()["usd"] == pytest.approx(0.09 + 0.12 + 2.0 + 2.0 + 1.5)
    assert part.report().cost.usd == part.estimated_cost()["usd"]


# -------------------------------------------------------------------------------------------------------------- the metrics


async def test_a_metric_is_tracked_at_once_and_durable_when_awaited() -> None:
    table, part = desk()
    receipt = part.track("task_completed", 1)
    assert part.metrics() == {"task_completed": receipt.value}
    assert receipt.value == {"count": 1, "sum": 1, "min": 1, "max": 1, "last": 1, "mean": 1}
    assert table.commits == 0
    assert (await part.track("task_completed", 4.5))["mean"] == 2.75
    assert table.commits == 1


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", 5])
def test_the_name_of_a_metric_is_short_and_printable(name: Any) -> None:
    table, part = desk()
    with pytest.raises(InvalidInput, match=r"`name`|name of a metric"):
        part.track(name, 1)
    assert table.state.position == 1


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 1e16, 10**400, True, "1", None, 1j]
)
def test_the_value_of_a_metric_is_a_finite_number(value: Any) -> None:
    table, part = desk()
    with pytest.raises(InvalidInput, match=r"`value`|value of the metric"):
        part.track("m", value)
    assert table.state.position == 1


def test_there_are_not_too_many_metrics() -> None:
    _, part = desk()
    for number in range(MOST_METRICS):
        part.track(f"m{number}", number)
    with pytest.raises(TooMuch, match="at most 200"):
        part.track("one more", 1)
    assert part.track("m0", 1).value["count"] == 2


def test_nothing_is_tracked_while_analytics_are_off() -> None:
    table, part = desk(enable_analytics=False)
    assert part.track("m", 1).value == {}
    assert part.metrics() == {} and table.state.position == 1
    with pytest.raises(InvalidInput):
        part.track("m", float("nan"))


# --------------------------------------------------------------------------------------------------------------- the report


def test_a_report_holds_all_of_it_and_does_not_change_afterwards() -> None:
    table, part = desk()
    for number in range(SHOWN_CONVERSATIONS + 5):
        table.add(e.ConversationStarted(at=NOON, conversation=f"c{number}"))
        table.add(e.ConversationEnded(at=NOON, conversation=f"c{number}", reason="user"))
    part.track("m", 1)
    table.used("local", characters=1)
    report = part.report()
    names = [one.conversation_id for one in report.conversations]
    assert names == [f"c{number}" for number in range(5, SHOWN_CONVERSATIONS + 5)]
    assert (report.session_id, report.user_id, report.metrics["m"].count) == ("s", "u", 1)
    table.used("local", characters=1)
    assert report.usage["local"].characters == 1
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report
