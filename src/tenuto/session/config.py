"""What can be set for one session."""

from typing import Any

import msgspec

from tenuto.errors import InvalidConfig


class SessionConfig(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The settings of a session. They are journaled: only what differs from the defaults."""

    instructions: str = "You are a helpful assistant."
    """What the engine is told to be. Up to 32,000 characters."""
    greeting: str = ""
    """What the agent says first in a conversation that has no messages yet; nothing when empty."""
    timezone: str = ""
    """IANA name of the user's time zone; empty for the host's."""


def build(changes: dict[str, Any]) -> SessionConfig:
    """Return the settings that these differences from the defaults make.

    Raises:
        InvalidConfig: A name is unknown or a value is wrong; the message says which.

    Example:
        >>> build({"greeting": "Hello."}).greeting
        'Hello.'
    """
    try:
        config = msgspec.convert(changes, SessionConfig)
    except msgspec.ValidationError as error:
        raise InvalidConfig(
            f"Session settings: {error}. Known: {', '.join(SessionConfig.__struct_fields__)}."
        ) from None
    if len(config.instructions) > 32_000:
        raise InvalidConfig("Session settings: `instructions` may have 32,000 characters.")
    if len(config.greeting) > 2_000:
        raise InvalidConfig("Session settings: `greeting` may have 2,000 characters.")
    return config


def differences(config: SessionConfig) -> dict[str, Any]:
    """Return what differs from the defaults, as it is journaled."""
    changes: dict[str, Any] = msgspec.to_builtins(config)
    return changes
