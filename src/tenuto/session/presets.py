"""Settings that go well together, under a name. Each use is a new `SessionConfig`: nobody can change a preset."""

import difflib
from typing import Any

from tenuto.errors import InvalidConfig
from tenuto.session.config import SessionConfig, build


class Preset:
    """Reads as a new `SessionConfig` each time.

    Example:
        >>> class OurPresets:
        ...     TUTOR = Preset(temperature=0.4, memory_mode="persistent")
        >>> OurPresets.TUTOR.temperature
        0.4
    """

    def __init__(self, **settings: Any) -> None:
        build(settings)
        self._settings = settings

    def __get__(self, instance: object, owner: type) -> SessionConfig:
        return build(self._settings)


class SessionPresets:
    """Settings for what sessions are mostly made for.

    Example:
        >>> SessionPresets.EDUCATIONAL.temperature
        0.5
        >>> session = tenuto.create_session(preset=SessionPresets.EDUCATIONAL)  # doctest: +SKIP
        >>> session = tenuto.create_session(preset="educational")  # doctest: +SKIP
    """

    CONVERSATION = Preset(temperature=0.8, memory_mode="persistent", enable_learning=True)
    """Natural talk: a temperature of 0.8, persistent memory, learning."""
    TASK_ORIENTED = Preset(temperature=0.3, memory_mode="ephemeral", enable_functions=True)
    """To the point: a temperature of 0.3, memory that ends with the conversation, tools."""
    EDUCATIONAL = Preset(temperature=0.5, memory_mode="hybrid", enable_adaptation=True)
    """Balanced: a temperature of 0.5, hybrid memory, adaptation to the user's manner."""
    CUSTOMER_SUPPORT = Preset(
        instructions=(
            "You are a customer support agent. Keep a professional, courteous and patient tone. Say what you can do "
            "and what you cannot, ask for what is missing, and confirm what was agreed before you end."
        ),
        memory_mode="persistent",
        enable_analytics=True,
    )
    """A professional tone, persistent memory, analytics."""


NAMES = tuple(name for name, found in vars(SessionPresets).items() if isinstance(found, Preset))
"""The presets there are."""


def preset(name: str) -> SessionConfig:
    """Return a preset by its name, in any case and with `-` or `_`.

    Raises:
        InvalidConfig: There is none of that name.

    Example:
        >>> preset("task-oriented").temperature
        0.3
    """
    wanted = name.upper().replace("-", "_")
    if wanted not in NAMES:
        near = difflib.get_close_matches(wanted, NAMES, n=1)
        meant = f" Did you mean {near[0].lower()!r}?" if near else ""
        known = ", ".join(each.lower() for each in NAMES)
        raise InvalidConfig(f"There is no preset {name!r}.{meant} There are: {known}.", ("preset",))
    found: SessionConfig = getattr(SessionPresets, wanted)
    return found
