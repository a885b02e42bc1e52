"""What is counted of a session: by scenes, and over random journals against a recount that knows nothing of the fold."""

from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tenuto import events as e
from tenuto.session import analytics, effects, fold, ports, stimuli
from tenuto.session.analytics import MOST_ENGINES, MOST_METRICS, MOST_TOPICS, MOST_TURNS, Analytics
from tenuto.session.state import Life
from tests.unit.session.world import MOVES, OFTEN, Move, World

NOON = 12 * 3600.0


class Journal:
    """Events that follow one another, each some seconds after the one before."""

    def __init__(self, **config: Any) -> None:
        self.state, self.at, self.events = fold.State(), NOON, list[e.Event]()
        self.add(e.SessionCreated, session="s", tenant="t", user="u", epoch="0" * 16, config=config)

    def add(self, kind: type[e.Event], after: float = 0.0, **fields: Any) -> "Journal":
        self.at += after
        event = kind(at=self.at, **fields)
        fold.apply(self.state, event)
        self.events.append(event)
        return self

    @property
    def counted(self) -> Analytics:
        return self.state.analytics

    def come(self, after: float = 0.0, role: e.AttachmentRole = "controller") -> "Journal":
        number = self.state.attachments + 1
        return self.add(
            e.AttachmentAttached, after, attachment=number, role=role, client="c", transport="t"
        )

    def leave(self, after: float = 0.0) -> "Journal":
        return self.add(
            e.AttachmentDetached, after, attachment=self.state.controller, reason="lost"
        )

    def talk(self, name: str = "c", after: float = 0.0, **config: Any) -> "Journal":
        return self.add(e.ConversationStarted, after, conversation=name, config=config)

    def over(self, after: float = 0.0) -> "Journal":
        name = self.state.conversation
        return self.add(e.ConversationEnded, after, conversation=name, reason="user")

    def say(
        self,
        text: str = "Hello there",
        after: float = 0.0,
        by: Literal["voice", "text", "injected"] = "text",
        role: e.Role = "user",
        **more: Any,
    ) -> "Journal":
        more = {"turn": self.state.turns + (role == "user" and by != "injected")} | more
        return self.add(
            e.MessageAdded,
            after,
            message=self.state.messages + 1,
            role=role,
            text=text,
            conversation=self.state.conversation,
            by=by,
            **more,
        )

    def answer(self, wait: float = 1.0, lasts: float = 2.0, cut: str = "") -> "Journal":
        number, name = self.state.replies + 1, self.state.conversation
        self.add(
            e.ReplyStarted, wait, reply=number, turn=self.state.turns, conversation=name, aloud=True
        )
        self.add(e.ReplySegment, 0.25, reply=number, index=0, text="Well.", last=True)
        if cut:
            self.add(e.ReplyCut, lasts, reply=number, reason=cut, heard=lasts / 2)
        else:
            self.add(e.ReplyEnded, lasts, reply=number, heard=lasts)
        return self.say("Well.", role="agent")

    def used(self, engine: str = "e", **amounts: float) -> "Journal":
        return self.add(e.UsageRecorded, engine=engine, link=1, **amounts)


def here(**config: Any) -> Journal:
    """Somebody is there and a conversation is open."""
    return Journal(**config).come().talk()


def duration(journal: Journal, after: float = 0.0, conversation: str = "") -> float:
    return analytics.seconds(journal.counted, journal.at + after, conversation)


# ----------------------------------------------------------------------------------------------------------------- the clock


def test_time_runs_while_a_conversation_is_open() -> None:
    journal = here()
    assert duration(journal, 5.0) == duration(journal, 5.0, "c") == 5.0
    journal.over(10.0)
    assert duration(journal, 99.0) == duration(journal, 99.0, "c") == 10.0


def test_time_away_is_not_time_in_conversation() -> None:
    journal = here().leave(10.0)
    assert duration(journal, 3600.0) == 10.0
    journal.come(3600.0).over(5.0)
    assert duration(journal) == 15.0


def test_a_pause_is_not_time_in_conversation() -> None:
    journal = here().add(e.SessionPaused, 10.0)
    assert duration(journal, 600.0) == 10.0
    journal.add(e.SessionResumed, 600.0).over(5.0)
    assert duration(journal) == 15.0


def test_a_parked_session_is_not_in_conversation() -> None:
    journal = here().leave(10.0).add(e.SessionParked, 30.0)
    journal.add(e.SessionRestored, 86_400.0, host="h", fence=2).come(1.0).over(5.0)
    assert duration(journal) == 15.0


def test_the_time_that_a_crash_took_is_not_time_in_conversation() -> None:
    journal = here().say(after=10.0).add(e.SessionRestored, 7_200.0, host="h", fence=2)
    journal.add(e.AttachmentDetached, attachment=1, reason="crashed")
    assert duration(journal, 60.0) == 10.0
    journal.come().over(5.0)
    assert duration(journal) == 15.0


def test_each_conversation_has_its_own_time_also_when_it_goes_on_later() -> None:
    journal = here().over(10.0).talk("d", 100.0).over(20.0)
    journal.add(e.ConversationResumed, 100.0, conversation="c")
    assert [duration(journal, 1.0, name) for name in ("c", "d", "?")] == [11.0, 20.0, 0.0]
    assert duration(journal, 1.0) == 31.0


def test_observers_are_not_counted_as_present() -> None:
    journal = Journal().come(role="observer").talk()
    assert duration(journal, 60.0) == 0.0


def test_a_clock_that_was_put_back_takes_nothing_away() -> None:
    journal = here().over(-10.0)
    assert duration(journal) == 0.0
    assert duration(here(), -5.0) == 0.0


# ------------------------------------------------------------------------------------------------------- messages and turns


def test_messages_turns_and_words_are_counted() -> None:
    journal = here().say("one two three").answer().say("four").say("five six", turn=2)
    for tally in (journal.counted.total, journal.counted.conversations["c"]):
        assert (tally.messages, tally.turns) == (4, 2)
        assert (tally.user_words, tally.agent_words) == (6, 1)


def test_what_is_injected_is_counted_apart() -> None:
    journal = here().say(by="injected").say(by="injected", role="system")
    journal.add(e.ConfigChanged, version=1, changes={"voice": "coral"})
    tally = journal.counted.conversations["c"]
    assert (tally.injections, tally.messages, tally.turns) == (3, 0, 0)
    journal.over().add(e.ConfigChanged, version=2, changes={"voice": "ash"})
    assert journal.counted.total.injections == 3


@pytest.mark.parametrize(
    ("reason", "interruptions"),
    [("barge_in", 1), ("text", 1), ("stopped", 1), ("engine", 0), ("detached", 0), ("", 0)],
)
def test_interruptions_are_the_persons_own_doing(reason: str, interruptions: int) -> None:
    journal = here().say().answer(cut=reason)
    assert journal.counted.total.interruptions == interruptions
    assert journal.counted.conversations["c"].interruptions == interruptions


def test_the_times_of_a_turn_by_voice() -> None:
    journal = here().add(e.SpeechStarted, turn=1).add(e.SpeechEnded, 1.0, turn=1)
    journal.say(by="voice", after=0.5, turn=1).answer(wait=1.0, lasts=2.0)
    (timing,) = journal.counted.timings
    assert (timing.turn, timing.conversation, timing.by) == (1, "c", "voice")
    assert timing.at == NOON + 1.5
    assert (timing.recognised, timing.thought, timing.composed) == (0.5, 1.0, 0.25)
    assert (timing.delivered, timing.heard, timing.cut) == (2.0, 2.0, "")
    assert (journal.counted.total.answers, journal.counted.total.waited) == (1, 1.25)


def test_a_reply_that_was_cut_says_so() -> None:
    (timing,) = here().say().answer(lasts=3.0, cut="barge_in").counted.timings
    assert (timing.recognised, timing.heard, timing.cut) == (None, 1.5, "barge_in")


def test_a_reply_that_said_nothing_has_no_first_segment() -> None:
    journal = here().say().add(e.ReplyStarted, 1.0, reply=1, turn=1, conversation="c")
    journal.add(e.ReplyCut, reply=1, reason="engine")
    (timing,) = journal.counted.timings
    assert (timing.thought, timing.composed, timing.delivered, timing.heard) == (1.0, None, None, 0)
    assert journal.counted.total.answers == 0


def test_only_the_first_segment_is_the_response() -> None:
    journal = here().say().add(e.ReplyStarted, 1.0, reply=1, turn=1, conversation="c")
    for index in range(3):
        journal.add(e.ReplySegment, 1.0, reply=1, index=index, text="x")
    assert (journal.counted.total.answers, journal.counted.total.waited) == (1, 2.0)


def test_the_last_of_several_messages_is_the_one_that_is_answered() -> None:
    journal = here().say().say(after=5.0).answer()
    first, second = journal.counted.timings
    assert (first.thought, second.thought) == (None, 1.0)


def test_greetings_and_alarms_answer_nobody() -> None:
    journal = here().answer()
    journal.say().add(e.ReplyStarted, reply=2, turn=3, conversation="c", alarm=1)
    journal.add(e.ReplyCut, reply=2, reason="engine")
    (timing,) = journal.counted.timings
    assert timing.thought is None
    assert journal.answer().counted.total.answers == 1


def test_an_answer_that_came_while_nobody_was_there_is_no_response_time() -> None:
    journal = here().say().leave(1.0).come(3_600.0).answer()
    assert journal.counted.timings[0].thought == 3_602.0
    assert journal.counted.total.answers == 0
    assert (
        here().say().add(e.SessionPaused).add(e.SessionResumed).answer().counted.total.answers == 0
    )


def test_a_turn_is_given_up_when_its_conversation_ends() -> None:
    journal = here().say().over().talk("d").answer()
    assert journal.counted.timings[0].thought is None


def test_noise_before_a_written_message_is_no_part_of_it() -> None:
    journal = here().add(e.SpeechStarted, turn=1).add(e.SpeechEnded, 1.0, turn=1).say(after=60.0)
    assert journal.counted.timings[0].recognised is None
    journal = here().add(e.SpeechStarted, turn=1).add(e.SpeechEnded, turn=1, reason="lost")
    assert journal.counted.speech_over is None


def test_the_times_of_the_last_turns_are_kept() -> None:
    journal = here()
    for _ in range(MOST_TURNS + 5):
        journal.say()
    turns = [timing.turn for timing in journal.counted.timings]
    assert turns == list(range(6, MOST_TURNS + 6))


# ------------------------------------------------------------------------------------------------ topics, hours, satisfaction


def test_topics_and_sentiment_come_from_what_was_measured() -> None:
    journal = here().say(traits=e.Traits(topics=["chess", "x" * 200], sentiment=0.5))
    journal.say(traits=e.Traits(topics=["chess"])).say()
    assert journal.counted.topics == {"x" * 100: 1, "chess": 2}
    assert (journal.counted.feelings, journal.counted.feeling) == (1, 0.5)


def test_the_topics_that_are_kept_are_bounded_and_the_frequent_and_the_fresh_stay() -> None:
    journal = here()
    for number in range(MOST_TOPICS * 3):
        journal.say(traits=e.Traits(topics=["chess", f"t{number}"]))
        assert len(journal.counted.topics) <= MOST_TOPICS
    assert journal.counted.topics["chess"] == MOST_TOPICS * 3
    assert (
        f"t{MOST_TOPICS * 3 - 1}" in journal.counted.topics and "t0" not in journal.counted.topics
    )


def test_hours_are_those_of_the_users_zone_at_that_time() -> None:
    journal = here(timezone="Asia/Tokyo").say()
    journal.add(e.ConfigChanged, version=1, changes={"timezone": "America/New_York"})
    journal.say(after=3_600.0).answer()
    assert [hour for hour, count in enumerate(journal.counted.hours) if count] == [8, 21]
    assert here().say().counted.hours[12] == 1


# --------------------------------------------------------------------------------------------------------- metrics and usage


def test_a_metric_is_counted() -> None:
    journal = Journal()
    for value in (4.0, 1.0, 5.0):
        journal.add(e.MetricTracked, name="m", value=value)
    metric = journal.counted.metrics["m"]
    assert (metric.count, metric.sum, metric.min, metric.max, metric.last) == (3, 10, 1, 5, 5)


def test_the_names_of_metrics_are_bounded_whatever_the_journal_holds() -> None:
    journal = Journal()
    for number in range(MOST_METRICS + 5):
        journal.add(e.MetricTracked, name=f"m{number}", value=1.0)
    journal.add(e.MetricTracked, name="m0", value=2.0)
    assert len(journal.counted.metrics) == MOST_METRICS
    assert journal.counted.metrics["m0"].count == 2


def test_usage_is_counted_for_each_engine() -> None:
    journal = Journal().used("a", heard=1.5, tokens_in=10).used("a", spoken=2.5, tokens_out=3)
    journal.used("b", characters=7)
    a, b = journal.counted.usage["a"], journal.counted.usage["b"]
    assert (a.heard, a.spoken, a.tokens_in, a.tokens_out) == (1.5, 2.5, 10, 3)
    assert b.characters == 7


def test_engines_beyond_the_bound_are_counted_as_others() -> None:
    journal = Journal()
    for number in range(MOST_ENGINES + 5):
        journal.used(f"e{number}", characters=1)
    assert len(journal.counted.usage) == MOST_ENGINES
    assert journal.counted.usage["other"].characters == 6


# -------------------------------------------------------------------------------------------------------------- off means off


def test_nothing_is_added_while_analytics_are_off() -> None:
    journal = here().say(traits=e.Traits(topics=["chess"])).answer()
    journal.add(e.ConfigChanged, 5.0, version=1, changes={"enable_analytics": False})
    before = fold.encode(journal.state)
    kept = fold.decode(before).analytics
    journal.say(traits=e.Traits(topics=["go"]), after=10.0).add(e.SpeechStarted, turn=3)
    journal.add(e.SpeechEnded, turn=3).say(by="voice", turn=3).answer(cut="barge_in")
    journal.add(e.MetricTracked, name="m", value=1.0).used(heard=1.0)
    journal.over().talk("d").over()
    after = journal.counted
    after.last = kept.last
    assert after == kept
    assert not analytics.collects(journal.state)


def test_what_is_collected_again_begins_anew() -> None:
    journal = here(enable_analytics=False).say()
    journal.add(e.ConfigChanged, 5.0, version=1, changes={"enable_analytics": True})
    assert journal.counted.conversations["c"].injections == 1
    journal.answer()
    assert (journal.counted.total.messages, journal.counted.total.answers) == (1, 0)
    assert duration(journal) == 3.25


def test_a_conversation_may_have_it_off() -> None:
    journal = Journal().come().talk(enable_analytics=False).say().over(10.0)
    assert journal.counted.conversations == {} and journal.counted.ended == 0
    journal.talk("d").say()
    assert list(journal.counted.conversations) == ["d"]
    assert journal.counted.total.messages == 1


# ----------------------------------------------------------------------------------------------------------------- milestones


def told(journal: Journal) -> list[str]:
    found = analytics.reached(journal.state, journal.at)
    for event in found:
        fold.apply(journal.state, event)
    return [event.milestone for event in found if isinstance(event, e.MilestoneReached)]


def test_each_milestone_is_told_once() -> None:
    journal = here()
    assert told(journal) == []
    for _ in range(10):
        journal.say()
    assert told(journal) == ["10 messages"]
    journal.over()
    assert told(journal) == ["first conversation"]
    journal.add(e.ConversationResumed, conversation="c").over(3_600.0)
    assert told(journal) == ["1 hour"]
    for number in range(9):
        journal.talk(f"d{number}").over()
    assert told(journal) == ["10 conversations"]
    journal.talk("e").over(9 * 3_600.0)
    assert told(journal) == ["10 hours"]
    assert told(journal) == []


def test_hours_are_told_while_the_conversation_runs() -> None:
    journal = here()
    (milestone,) = analytics.reached(journal.state, journal.at + 3_600.0)
    assert isinstance(milestone, e.MilestoneReached)
    assert (milestone.milestone, milestone.value) == ("1 hour", 1)


def test_several_milestones_at_once_are_all_told() -> None:
    journal = here()
    journal.counted.total.messages = 120
    assert told(journal) == ["10 messages", "50 messages", "100 messages"]


def test_a_session_that_is_put_away_hears_of_it_when_it_is_back() -> None:
    journal = here().over().leave().add(e.SessionParked)
    assert told(journal) == []
    assert told(journal.add(e.SessionRestored, host="h", fence=2)) == ["first conversation"]
    ended = here().over().leave().add(e.SessionEnded, reason="user")
    assert told(ended) == []


def test_after_the_last_milestone_nothing_more_is_told() -> None:
    journal = here()
    journal.counted.total.messages = 10**9
    assert len(told(journal)) == len(analytics.MESSAGES)
    assert told(journal) == []


def test_a_milestone_of_another_version_is_let_be() -> None:
    journal = here().add(e.MilestoneReached, milestone="first smile", value=1)
    assert journal.counted.told == [0, 0, 0]


# ------------------------------------------------------------------------------------- random journals, and a recount of them


class Reader:
    """Finds something in every message."""

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        return text, []

    def measure(
        self, text: str, seconds: float, *, learning: bool, analytics: bool
    ) -> e.Traits | None:
        return e.Traits(topics=[text[:5]], sentiment=0.5 if "?" in text else -0.25)


class Counted(World):
    """A world in which things are tracked, settings change and pauses are made."""

    def receive(self, stimulus: stimuli.Stimulus) -> Any:
        self.core.scribe.reader = Reader()
        return super().receive(stimulus)

    def carry_out(self, effect: effects.Effect) -> None:
        match effect:
            case effects.ToEngine(request=ports.Configure()):
                pass
            case _:
                super().carry_out(effect)

    def happen(self, event: e.Event) -> None:
        self.receive(stimuli.Decide(rules=(lambda state, at: [replace(event, at=at)],)))

    def extra(self, n: int) -> None:
        changes = (
            {"enable_analytics": n % 3 > 0},
            {"timezone": ("Asia/Tokyo", "")[n % 2]},
        )[n // 8 % 2]
        match n % 8:
            case 0 | 1:
                version = self.state.config_version + 1
                self.happen(e.ConfigChanged(at=self.now, version=version, changes=changes))
            case 2:
                self.happen(e.MetricTracked(at=self.now, name=f"m{n % 3}", value=n / 3))
            case 3:
                self.receive(stimuli.Pause())
            case 4:
                self.receive(stimuli.Unpause())
            case 5:
                self.receive(stimuli.Inject(role="system", text="Mind the gap."))
            case _:
                self.engine(ports.Used(heard=n / 7, characters=n), n)

    def run(self, moves: list[Move]) -> "Counted":
        for name, n in moves:
            if name == "extra":
                self.extra(n)
            else:
                self.play([(name, n)])
        return self


MOVE = st.tuples(
    st.sampled_from((*MOVES, *OFTEN, *OFTEN, "extra", "extra", "extra", "extra")),
    st.integers(0, 63),
)


@given(moves=st.lists(MOVE, max_size=60))
@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_what_is_counted_live_is_what_a_recount_finds_at_every_position(moves: list[Move]) -> None:
    world = Counted().run(moves)
    state, position = fold.State(), 0
    for step in world.steps:
        for event in step.events:
            fold.apply(state, event)
            position += 1
        assert fold.decode(step.after).analytics == state.analytics
        state = fold.decode(fold.encode(state))
    compare(world.journal, state)


def test_the_recount_would_see_a_message_too_many() -> None:
    journal = here().say().answer().over(5.0)
    compare(journal.events, journal.state)
    journal.counted.total.messages += 1
    with pytest.raises(AssertionError):
        compare(journal.events, journal.state)


def compare(journal: list[e.Event], found: fold.State) -> None:
    """Count a journal with lists, not with a fold, and hold what the fold has against it."""
    state, collected, stretches = fold.State(), list[e.Event](), list[tuple[str, float]]()
    runs, before = "", 0.0
    for event in journal:
        if runs and not isinstance(event, e.SessionRestored):
            stretches.append((runs, event.at - before))
        was_on = bool(state.position) and effective(state)
        open_before = state.conversation
        fold.apply(state, event)
        on, before = effective(state), event.at
        if on if isinstance(event, e.ConfigChanged | e.ConversationStarted) else was_on:
            collected.append(event)
        if isinstance(event, e.ConfigChanged) and not open_before:
            collected = [kept for kept in collected if kept is not event]
        live = state.life is Life.LIVE and not state.paused
        runs = state.conversation if on and live else ""

    counted = found.analytics
    messages = [m for m in collected if isinstance(m, e.MessageAdded)]
    theirs = [m for m in messages if m.role == "user" and m.by != "injected"]
    total = counted.total
    assert total.seconds == pytest.approx(
        sum(length for _, length in stretches) - running(found, journal), abs=1e-6
    )
    assert total.messages == len([m for m in messages if m.by != "injected"])
    assert total.turns == len({m.turn for m in theirs})
    assert total.user_words == sum(len(m.text.split()) for m in theirs)
    assert total.injections == len([m for m in messages if m.by == "injected"]) + len(
        [c for c in collected if isinstance(c, e.ConfigChanged)]
    )
    cuts = [c for c in collected if isinstance(c, e.ReplyCut)]
    assert total.interruptions == len([c for c in cuts if c.reason in analytics.INTERRUPTIONS])
    assert sum(counted.hours) == len(theirs)
    assert sum(counted.topics.values()) == len([m for m in theirs if m.traits])
    for name, tally in counted.conversations.items():
        mine = [m for m in messages if m.conversation == name and m.by != "injected"]
        assert tally.messages == len(mine)
    assert sum(metric.count for metric in counted.metrics.values()) == len(
        [m for m in collected if isinstance(m, e.MetricTracked)]
    )
    used = [u for u in collected if isinstance(u, e.UsageRecorded)]
    assert sum(u.characters for u in counted.usage.values()) == sum(u.characters for u in used)


def effective(state: fold.State) -> bool:
    open_now = state.conversations.get(state.conversation)
    layers = {**state.config, **(open_now.config if open_now else {}), **state.live}
    return bool(layers.get("enable_analytics", True))


def running(found: fold.State, journal: list[e.Event]) -> float:
    """The stretch that is still running is not in the fold's sum yet."""
    since = found.analytics.since
    return 0.0 if since is None else journal[-1].at - since
