"""The settings of a session that runs: read like a `SessionConfig`, and changed by assigning.

It holds nothing: every look is at the state, every change an event, so that two of them are never different.
"""

from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any

from tenuto.session import config as settings
from tenuto.session.config import SessionConfig
from tenuto.session.desk import Desk, Receipt


class LiveConfig(SessionConfig):
    """The settings that hold now.

    Assigning takes effect in memory at once, is journaled, and is told to the engine that is open; the engine's answer is
    `config.applied`. Assigning what holds already does nothing. Equal to a `SessionConfig` of the same settings.

    Example:
        >>> session.config.temperature  # doctest: +SKIP
        0.8
        >>> session.config.enable_adaptation = True  # doctest: +SKIP
        >>> await session.save()  # doctest: +SKIP
    """

    def __new__(cls, desk: Desk | None = None, **settings: Any) -> Any:
        # `dataclasses.replace(session.config, ...)` asks for another one of these settings: that is no session's.
        return super().__new__(cls) if desk is not None else SessionConfig(**settings)

    def __init__(self, desk: Desk) -> None:
        vars(self)["_desk"] = desk

    @property
    def version(self) -> int:
        """Counts the changes since the session was made; 0 before the first."""
        return _desk(self).state.config_version

    @property
    def applied_version(self) -> int:
        """The version that the engine last said it goes by; 0 before it has confirmed a change."""
        return _desk(self).state.applied_version

    @property
    def layers(self) -> dict[str, dict[str, Any]]:
        """Where the settings come from, from the bottom up: what each layer adds to the ones below it.

        `agent`, `preset`, `template`, `session`, `conversation` and `live`, as far as they say anything.
        """
        state = _desk(self).state
        known = state.conversations.get(state.conversation)
        found = dict(state.layers)
        found["conversation"] = known.config if known is not None else {}
        found["live"] = state.live
        return {name: deepcopy(added) for name, added in found.items() if added}

    @property
    def value(self) -> SessionConfig:
        """A copy as it is now, that does not change with the session."""
        return settings.effective(_desk(self).state)

    def update(self, changes: Mapping[str, Any]) -> Receipt[int]:
        """Change several settings at once: all of them, or none. Returns the version, to be awaited for durability.

        Args:
            changes: Settings by name.

        Raises:
            InvalidConfig: A name is unknown, a value is wrong, or a setting cannot change any more. Nothing has changed.
        """
        desk = _desk(self)
        desk.decide(lambda state, at: settings.change(state, changes, at))
        return Receipt(desk, desk.state.config_version)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionConfig):
            return NotImplemented
        return settings.settings_of(self.value) == settings.settings_of(other)

    def __reduce__(self) -> tuple[Any, ...]:
        return copy, (self.value,)

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={v!r}" for n, v in settings.differences(self.value).items())
        return f"LiveConfig(version={self.version}{', ' if shown else ''}{shown})"


def _desk(config: LiveConfig) -> Desk:
    desk: Desk = vars(config)["_desk"]
    return desk


def _assign(config: LiveConfig, name: str, value: Any) -> None:
    config.update({name: value})


# Not in the class: there, a type checker would take it as a leave to assign to any name.
LiveConfig.__setattr__ = _assign  # type: ignore[method-assign,assignment]


def _setting(name: str) -> property:
    return property(lambda config: getattr(config.value, name))


for _name in settings.NAMES:
    # The class behind it has a default of the same name: a property goes before that.
    setattr(LiveConfig, _name, _setting(_name))
