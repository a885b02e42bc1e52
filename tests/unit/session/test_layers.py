"""What a session is made of."""

from typing import Any

import pytest

from tenuto.errors import InvalidConfig, TemplateContextMissing
from tenuto.session.config import SessionConfig
from tenuto.session.layers import Made, made_of
from tenuto.session.presets import SessionPresets
from tenuto.session.templates import SessionTemplate

CLINIC = SessionTemplate(
    name="clinic",
    base_config=SessionConfig(memory_mode="persistent", voice="sage"),
    required_context=["patient_id"],
    memory_categories=["symptoms"],
)


def test_nothing_makes_the_defaults() -> None:
    assert made_of(agent={}) == Made(config={}, layers={}, template="", context={}, categories=[])


def test_every_layer_at_once() -> None:
    made = made_of(
        agent={"voice": "nova", "language": "de"},
        preset="educational",
        template=CLINIC,
        config=SessionConfig(temperature=0.8),
        context={"patient_id": 7},
    )
    assert made.config == {
        "voice": "sage",
        "language": "de",
        "temperature": 0.8,
        "memory_mode": "persistent",
    }
    assert made.layers == {
        "agent": {"voice": "nova", "language": "de"},
        "preset": {"temperature": 0.5},
        "template": {"memory_mode": "persistent", "voice": "sage"},
        "session": {"temperature": 0.8},
    }
    assert (made.template, made.context) == ("clinic", {"patient_id": "7"})
    assert made.categories == ["symptoms"]


def test_a_preset_comes_by_name_or_as_it_is() -> None:
    assert made_of(agent={}, preset="conversation") == made_of(
        agent={}, preset=SessionPresets.CONVERSATION
    )


def test_a_preset_wins_over_the_agent_also_with_what_is_the_default() -> None:
    made = made_of(agent={"temperature": 0.1}, preset=SessionPresets.CONVERSATION)
    assert made.config["temperature"] == 0.8


def test_a_mapping_says_what_it_names() -> None:
    made = made_of(agent={}, preset="educational", config={"temperature": 0.8})
    assert made.config == {"temperature": 0.8}


def test_a_wrong_setting_of_the_host_is_told_as_the_hosts() -> None:
    with pytest.raises(InvalidConfig, match="In `agent` of the host's settings: `temprature`"):
        made_of(agent={"temprature": 1})


def test_a_template_needs_its_context() -> None:
    with pytest.raises(TemplateContextMissing):
        made_of(agent={}, template=CLINIC)


def test_a_session_without_a_template_may_know_something_too() -> None:
    assert made_of(agent={}, context={"plan": "gold"}).context == {"plan": "gold"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"preset": 5}, "In `preset`: settings are a SessionConfig"),
        ({"config": "educational"}, "In `config`: settings are a SessionConfig"),
        ({"template": "medical"}, "`template` is a SessionTemplate"),
        ({"preset": SessionConfig(user_id="bob")}, "`user_id` cannot be set here"),
        ({"preset": SessionConfig(session_id="s")}, "`session_id` cannot be set here"),
    ],
)
def test_what_is_something_else_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidConfig, match=says):
        made_of(agent={}, **wrong)
