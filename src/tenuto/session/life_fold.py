"""The session itself: made, paused and ended, its settings and its links: the fold over `session.*`, `config.*`, `engine.*`.

Whether it is live, detached, parked or ended say the tables of `state`.
"""

from typing import TYPE_CHECKING

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.turn_fold import need_quiet

if TYPE_CHECKING:
    from tenuto.session.fold import State


def check_created(state: "State", event: e.SessionCreated) -> None:
    """It comes first, and only then."""
    if state.position:
        raise IllegalEvent("session.created can only be the first event")


def created(state: "State", event: e.SessionCreated) -> None:
    """The session is somebody's, with the settings that it was made with."""
    state.session, state.tenant, state.user = event.session, event.tenant, event.user
    state.epoch, state.created, state.config = event.epoch, event.at, dict(event.config)
    state.layers, state.template = dict(event.layers), event.template
    state.context, state.categories = dict(event.context), list(event.categories)


def check_paused(state: "State", event: e.SessionPaused) -> None:
    """Nothing may be open, nor the session paused already."""
    if state.paused:
        raise IllegalEvent("the session is paused already")
    need_quiet(state)


def need_awake(state: "State") -> None:
    """Refuse what a paused session does not do.

    Raises:
        IllegalEvent: It is paused.
    """
    if state.paused:
        raise IllegalEvent("The session is paused. Resume it first.")


def paused(state: "State", event: e.SessionPaused) -> None:
    """Nothing goes on until it is resumed."""
    state.paused = True


def check_resumed(state: "State", event: e.SessionResumed) -> None:
    """It must be paused."""
    if not state.paused:
        raise IllegalEvent("the session is not paused")


def resumed(state: "State", event: e.SessionResumed) -> None:
    """It goes on."""
    state.paused = False


def check_ended(state: "State", event: e.SessionEnded) -> None:
    """Its conversation and its attachments end before it."""
    if state.conversation or state.here:
        raise IllegalEvent("the session ends after its conversation and its attachments")


def ended(state: "State", event: e.SessionEnded) -> None:
    """Nothing comes after it: nothing waits to be read any more."""
    state.end_reason = event.reason
    state.to_read = {}


def check_config(state: "State", event: e.ConfigChanged) -> None:
    """Changes are numbered in order."""
    if event.version != state.config_version + 1:
        raise IllegalEvent(f"settings {event.version} after {state.config_version}")


def config(state: "State", event: e.ConfigChanged) -> None:
    """These settings hold from now on."""
    state.live.update(event.changes)
    state.config_version = event.version


def check_config_applied(state: "State", event: e.ConfigApplied) -> None:
    """It is about a change that was made, and was not applied yet."""
    if not state.applied_version < event.version <= state.config_version:
        raise IllegalEvent(f"settings {event.version} are not the ones of a change not yet applied")


def config_applied(state: "State", event: e.ConfigApplied) -> None:
    """The engine goes by the settings of this version."""
    state.applied_version = event.version


def engine_ready(state: "State", event: e.EngineReady) -> None:
    """A link is ready."""
    state.links = event.link


def engine_lost(state: "State", event: e.EngineLost) -> None:
    """A link is lost; it may never have been ready."""
    state.links = max(state.links, event.link)
