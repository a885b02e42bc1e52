"""What is learned of the user, what is decided, and what an engine is told of it."""

from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput, TooMuch
from tenuto.session import preferences as p
from tenuto.session.config import SessionConfig
from tenuto.session.fold import State
from tenuto.session.ports import Style


def said(**traits: Any) -> e.MessageAdded:
    traits = {"words": 10, "formality": 0.5, **traits}
    return e.MessageAdded(
        at=1.0,
        message=1,
        role="user",
        text="x",
        turn=1,
        conversation="c1",
        traits=e.Traits(**traits),
    )


def after(*happened: e.Event, learning: bool = True) -> State:
    state = State()
    for event in happened:
        p.apply(state.preferences, event, learning=learning)
    return state


class Desk:
    """A desk without a session."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.committed = 0

    def now(self) -> float:
        return 1.0

    def decide(self, rule: Any) -> list[e.Event]:
        events: list[e.Event] = rule(self.state, self.now())
        for event in events:
            p.apply(self.state.preferences, event)
        return events

    async def commit(self) -> int:
        self.committed += 1
        return 1


CONFIG = SessionConfig()


def test_averages_are_learned_from_what_is_said() -> None:
    state = after(
        said(words=10, seconds=4.0, formality=0.4, technical=0.2, topics=["quantum physics"]),
        said(
            words=20, seconds=4.0, formality=0.6, technical=0.4, topics=["quantum physics", "tea"]
        ),
    )
    found = p.PreferencesPart(Desk(state)).learned()
    assert found == {
        "speaking_pace": 225.0,
        "avg_message_length": 15.0,
        "formality_score": 0.5,
        "technical_level": 0.3,
        "verbosity": 0.375,
        "topics": ["quantum physics", "tea"],
        "evidence": 2,
        "overrides": {},
    }


def test_nothing_is_known_of_somebody_new() -> None:
    found = p.PreferencesPart(Desk(State())).learned()
    assert (found["speaking_pace"], found["formality_score"], found["verbosity"]) == (None,) * 3


def test_an_average_forgets() -> None:
    state = after(*[said(formality=0.0)] * 100, *[said(formality=1.0)] * 60)
    assert state.preferences.formality.value > 0.9


@pytest.mark.parametrize(
    "event",
    [
        said(formality=None),
        e.MessageAdded(at=1, message=1, role="user", text="x", turn=1, conversation="c1"),
        e.MessageAdded(
            at=1, message=1, role="user", text="x", turn=1, conversation="c", user="doctor",
            traits=e.Traits(words=3, formality=0.9),
        ),
        e.ReplyEnded(at=1, reply=1),
        e.ReplyCut(at=1, reply=1, reason="barge_in"),
        e.ReplyCut(at=1, reply=1, reason="stopped"),
    ],
)  # fmt: skip
def test_nothing_is_learned_from(event: e.Event) -> None:
    assert after(event).preferences == p.Preferences()


def test_off_means_off() -> None:
    happened = [said(), e.ReplyCut(at=1, reply=1, reason="barge_in"), e.ReplyEnded(at=1, reply=1)]
    assert after(*happened, learning=False).preferences == p.Preferences()


def test_short_or_silent_messages_tell_no_pace_and_no_length() -> None:
    state = after(said(words=0, seconds=0.5))
    assert (state.preferences.pace.count, state.preferences.length.count) == (0, 0)


def test_who_speaks_into_replies_likes_them_shorter() -> None:
    calm = after(said(words=40), e.ReplyEnded(at=1, reply=1))
    eager = after(said(words=40), e.ReplyCut(at=1, reply=1, reason="barge_in"))
    verbosity = [p.PreferencesPart(Desk(s)).learned()["verbosity"] for s in (calm, eager)]
    assert verbosity == [1.0, 0.5]


def test_topics_are_bounded_and_the_newest_stays() -> None:
    state = after(*[said(topics=[f"topic {n}"]) for n in range(p.TOPICS + 1)])
    assert len(state.preferences.topics) == p.TOPICS
    assert f"topic {p.TOPICS}" in state.preferences.topics
    assert "topic 0" not in state.preferences.topics


def test_it_is_told_when_it_rests_on_enough_and_when_it_has_changed() -> None:
    state = after(said(), said())
    assert p.learned(state, 2.0) == []
    p.apply(state.preferences, said())
    told = p.learned(state, 2.0)
    assert [event.name for event in told if isinstance(event, e.PreferenceLearned)] == [
        "avg_message_length",
        "formality",
        "verbosity",
    ]
    for event in told:
        p.apply(state.preferences, event)
    assert p.learned(state, 3.0) == []
    for _ in range(3):
        p.apply(state.preferences, said(words=10, formality=1.0))
    (changed,) = p.learned(state, 4.0)
    assert isinstance(changed, e.PreferenceLearned)
    assert (changed.name, changed.value, changed.evidence) == ("formality", 0.75, 6)


def test_a_word_that_was_learned_is_no_number() -> None:
    event = e.PreferenceLearned(at=1.0, name="tone", value="warm", evidence=3)
    assert after(event).preferences.told == {}


async def test_a_decision_stays_whatever_is_learned() -> None:
    desk = Desk(after(*[said(formality=0.1)] * 5))
    part = p.PreferencesPart(desk)
    await part.set("formality", "always_formal")
    assert desk.committed == 1
    p.apply(desk.state.preferences, said(formality=0.0))
    assert part.effective()["formality"] == 1.0
    assert part.learned()["overrides"] == {"formality": "always_formal"}
    assert p.style(desk.state, CONFIG).formality == 1.0
    part.set("formality", None)
    assert p.style(desk.state, CONFIG).formality == 0.083


def test_the_same_decision_again_is_no_event() -> None:
    desk = Desk(State())
    assert len(desk.decide(lambda s, at: p.decide(s, "brief", True, at))) == 1
    assert desk.decide(lambda s, at: p.decide(s, "brief", True, at)) == []
    assert len(desk.decide(lambda s, at: p.decide(s, "brief", 1, at))) == 1
    assert desk.decide(lambda s, at: p.decide(s, "other", None, at)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", 1.0),
        ("two words", 1.0),
        ("x" * 51, 1.0),
        (3, 1.0),
        ("formality", "loud"),
        ("formality", True),
        ("formality", 1.1),
        ("formality", -0.1),
        ("formality", float("nan")),
        ("units", float("inf")),
        ("units", ""),
        ("units", "x" * 201),
        ("units", [1]),
    ],
)
def test_a_wrong_decision_changes_nothing(name: Any, value: Any) -> None:
    state = State()
    with pytest.raises(InvalidInput):
        p.decide(state, name, value, 1.0)


def test_decisions_are_bounded() -> None:
    desk = Desk(State())
    part = p.PreferencesPart(desk)
    for number in range(p.DECISIONS):
        part.set(f"wish_{number}", number)
    with pytest.raises(TooMuch):
        part.set("one_more", 1)
    part.set("wish_0", 7)


def test_an_engine_is_told_what_is_known_and_what_was_wished() -> None:
    desk = Desk(after(*[said(words=5, seconds=2.0, formality=0.9, technical=0.8)] * 3))
    part = p.PreferencesPart(desk)
    part.set("units", "metric")
    part.set("speaking_pace", 120)
    assert p.style(desk.state, CONFIG) == Style(
        formality=0.9, verbosity=0.125, technical=0.8, pace=120.0, wishes={"units": "metric"}
    )
    assert part.effective() == {
        "formality": 0.9,
        "verbosity": 0.125,
        "technical_level": 0.8,
        "units": "metric",
        "speaking_pace": 120,
    }


def test_without_adaptation_an_engine_is_told_decisions_only() -> None:
    desk = Desk(after(*[said(formality=0.9)] * 5))
    p.PreferencesPart(desk).set("verbosity", "brief")
    told = p.style(desk.state, SessionConfig(enable_adaptation=False))
    assert told == Style(verbosity=0.1)


@pytest.mark.parametrize(
    ("style", "words"),
    [
        (Style(), ""),
        (Style(formality=0.5, verbosity=0.5, technical=0.5, pace=150.0), ""),
        (Style(formality=0.9, verbosity=0.9), "Speak formally. Answer in full detail."),
        (
            Style(technical=0.1, pace=100.0),
            "Use plain words. The user speaks slowly: speak slowly.",
        ),
        (Style(formality=0.1, pace=220.0), "Speak casually. The user speaks fast: be quick."),
    ],
)
def test_a_style_in_words(style: Style, words: str) -> None:
    assert p.describe(style) == words


def test_a_profile_goes_to_another_session() -> None:
    first = Desk(after(*[said(formality=0.8, topics=["tea"])] * 4))
    part = p.PreferencesPart(first)
    part.set("units", "metric")
    profile = part.export_profile()
    other = Desk(State())
    p.PreferencesPart(other).apply_profile(profile.to_dict())
    assert p.PreferencesPart(other).export_profile() == profile
    assert p.PreferencesPart(other).learned() == part.learned()


def test_profiles_merge_by_what_they_rest_on() -> None:
    one = p.SessionProfile(formality=0.2, formality_count=1, topics={"tea": 1}, decided={"a": 1})
    two = p.SessionProfile(
        formality=0.8, formality_count=3, topics={"tea": 2, "x": 1}, decided={"a": 2}
    )
    merged = p.SessionProfile.merge([one, two.to_dict()])
    assert (merged.formality, merged.formality_count) == (0.65, 4)
    assert (merged.topics, merged.decided) == ({"tea": 3, "x": 1}, {"a": 2})
    assert p.SessionProfile.merge([one, two]) == merged
    assert p.SessionProfile.merge([two, one]).formality == merged.formality
    with pytest.raises(InvalidInput):
        p.SessionProfile.merge([])


def test_somebody_elses_record_is_a_profile() -> None:
    record = {"formality": 0.7, "verbosity": 0.5, "technical_level": 0.8}
    desk = Desk(State())
    part = p.PreferencesPart(desk)
    part.apply_profile(record)
    assert part.effective() == record
    part.apply_profile({"formality": 0.7})
    assert part.effective() == record


@pytest.mark.parametrize(
    "wrong",
    [
        {"formality": 2.0},
        {"formality": "high"},
        {"formality": 0.5, "formality_count": "x"},
        {"topics": 3},
        {"decided": {"formality": "loud"}},
    ],
)
def test_what_is_no_profile_is_refused(wrong: dict[str, Any]) -> None:
    desk = Desk(State())
    with pytest.raises(InvalidInput):
        p.PreferencesPart(desk).apply_profile(wrong)
    assert desk.state.preferences == p.Preferences()


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        "{}",
        {"formallity": 0.5},
        {"formality": 9.5, "formality_count": 5},
        {"formality": float("nan"), "formality_count": 5},
        {"length": -1.0, "length_count": 5},
        {"formality": 0.5, "formality_count": -5},
        {"topics": {"tea": -1}},
        {"topics": {"tea" * 1_000: 1}},
    ],
)
def test_what_nobody_can_have_learned_never_gets_into_a_journal(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        p.take_profile(State(), wrong, 1.0)


def test_profiles_are_merged_from_a_list() -> None:
    one = p.SessionProfile(topics={"tea": 1})
    with pytest.raises(InvalidInput, match="as a list"):
        p.SessionProfile.merge(one)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no profile to merge"):
        p.SessionProfile.merge(iter(()))  # type: ignore[arg-type]
    assert p.SessionProfile.merge(iter((one, one))).topics == {"tea": 2}  # type: ignore[arg-type]


def test_what_a_session_exports_it_takes() -> None:
    state = after(*(said(words=5_000, seconds=1.0, technical=0.1, topics=["tea"]),) * 3)
    assert p.take_profile(State(), p.profile(state.preferences), 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        p.SessionProfile(formality="x"),  # type: ignore[arg-type]
        p.SessionProfile(topics={1: object()}),  # type: ignore[dict-item]
        {"topics": {"half \ud83d": 1}},
        {"decided": {"style": "half \ud83d"}},
        {"decided": {"style": 10**400}},
    ],
)
def test_what_no_journal_can_hold_is_no_profile(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        p.take_profile(State(), wrong, 1.0)
