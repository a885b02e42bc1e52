"""What a session is made of: its layers of settings, and what it knows from its beginning."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tenuto.errors import InvalidConfig
from tenuto.session import templates
from tenuto.session.config import SessionConfig, chosen_id, layer, merge, refuse_identity
from tenuto.session.presets import preset as named
from tenuto.session.templates import SessionTemplate


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """As it is journaled in `session.created`."""

    config: dict[str, Any]
    """The settings that differ from the defaults."""
    layers: dict[str, dict[str, Any]]
    """What each layer adds to the ones below it, where it adds something."""
    template: str
    """The template's name; empty without one."""
    context: dict[str, str]
    """What is known from the beginning, by name."""
    categories: list[str]
    """The only categories that memories may have; any when empty."""


def made_of(
    *,
    agent: Mapping[str, Any],
    preset: SessionConfig | str | None = None,
    template: SessionTemplate | None = None,
    config: SessionConfig | Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Made:
    """Put a session together from what it is made of.

    Args:
        agent: The settings of all sessions of the host, by name.
        preset: Settings that go well together, or the name of a preset.
        template: Settings of its kind, and what has to be known.
        config: Its own settings: they go before all others.
        context: What is known from the beginning, by name.

    Raises:
        InvalidConfig: Something is wrong; `fields` names it.
        TemplateContextMissing: The template needs to know more.
    """
    if template is not None and not isinstance(template, SessionTemplate):
        raise InvalidConfig(
            f"`template` is a SessionTemplate, not {template!r:.80}.", ("template",)
        )
    if isinstance(preset, str):
        preset = named(preset)
    if isinstance(preset, SessionConfig):
        own = {"session_id": chosen_id(preset), "user_id": preset.user_id}
        refuse_identity([name for name, given in own.items() if given is not None])
    layers = {
        "agent": layer(agent, "In `agent` of the host's settings: "),
        "preset": layer(preset or {}, "In `preset`: "),
        "template": layer(template.base_config) if template is not None else {},
        "session": layer(config or {}, "In `config`: "),
    }
    merged, recorded = merge(layers)
    return Made(
        config=merged,
        layers=recorded,
        template=template.name if template is not None else "",
        context=templates.known(template, context or {}),
        categories=list(template.memory_categories) if template is not None else [],
    )
