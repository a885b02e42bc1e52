"""The session itself: made, paused and ended, its settings and its links."""

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.fold import State, apply
from tenuto.session.life_fold import need_awake
from tests.unit.session.folding import (
    AT,
    CREATED,
    TALK,
    assert_refused,
    attached,
    folded,
    replied,
)


def test_a_session_is_created_once() -> None:
    assert_refused(folded(), CREATED, IllegalEvent, "only be the first")


def test_nothing_comes_after_the_end() -> None:
    state = folded(e.SessionEnded(at=AT, reason="user"))
    assert state.ended and state.end_reason == "user"
    assert_refused(state, TALK, IllegalEvent, "after session.ended")


def test_a_paused_session_is_not_awake() -> None:
    need_awake(folded())
    with pytest.raises(IllegalEvent, match="Resume it first"):
        need_awake(folded(e.SessionPaused(at=AT)))


@pytest.mark.parametrize("open_", [TALK, attached(1, role="observer")])
def test_a_session_ends_last(open_: e.Event) -> None:
    assert_refused(folded(open_), e.SessionEnded(at=AT, reason="user"), IllegalEvent, "ends after")


def test_changed_settings_are_kept_with_their_version() -> None:
    state = folded(e.ConfigChanged(at=AT, version=1, changes={"timezone": "Europe/Rome"}))
    assert (state.config, state.live) == ({"greeting": "Hi."}, {"timezone": "Europe/Rome"})
    assert (state.config_version, state.applied_version) == (1, 0)
    apply(state, e.ConfigApplied(at=AT, version=1, link=1))
    assert state.applied_version == 1


@pytest.mark.parametrize("version", [0, 1, 3])
def test_only_a_change_that_was_made_and_not_applied_yet_is_applied(version: int) -> None:
    state = folded(
        e.ConfigChanged(at=AT, version=1, changes={"voice": "nova"}),
        e.ConfigApplied(at=AT, version=1, link=1),
        e.ConfigChanged(at=AT, version=2, changes={"voice": "sage"}),
    )
    applied = e.ConfigApplied(at=AT, version=version, link=1)
    assert_refused(state, applied, IllegalEvent, f"settings {version}")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (e.SessionResumed(at=AT), "not paused"),
        (e.ConfigChanged(at=AT, version=2, changes={}), "settings 2 after 0"),
    ],
)
def test_an_illegal_pause_or_setting(event: e.Event, why: str) -> None:
    assert_refused(folded(TALK), event, IllegalEvent, why)


def test_links_are_counted() -> None:
    state = folded(
        e.EngineReady(at=AT, engine="x", link=3),
        e.EngineLost(at=AT, link=2, reason="gone"),
    )
    assert state.links == 3
    apply(state, e.EngineLost(at=AT, link=4, reason="gone"))
    assert state.links == 4


def is_paused(state: State) -> bool:
    return state.paused


def test_a_pause_is_remembered() -> None:
    state = folded(TALK, e.SessionPaused(at=AT))
    assert is_paused(state)
    with pytest.raises(IllegalEvent, match="paused already"):
        apply(state, e.SessionPaused(at=AT))
    apply(state, e.SessionResumed(at=AT))
    assert not is_paused(state)
    apply(state, replied())
    with pytest.raises(IllegalEvent, match="end it first"):
        apply(state, e.SessionPaused(at=AT))
