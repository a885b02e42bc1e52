"""The presets of the document, by name."""

import pytest

from tenuto.errors import InvalidConfig
from tenuto.session.config import SessionConfig, layer
from tenuto.session.presets import NAMES, SessionPresets, preset


def test_a_conversation_is_natural_and_learns() -> None:
    config = SessionPresets.CONVERSATION
    assert (config.temperature, config.memory_mode) == (0.8, "persistent")
    assert config.enable_learning is True


def test_a_task_is_to_the_point_and_has_tools() -> None:
    config = SessionPresets.TASK_ORIENTED
    assert (config.temperature, config.memory_mode) == (0.3, "ephemeral")
    assert config.enable_functions is True


def test_education_is_balanced_and_adapts() -> None:
    config = SessionPresets.EDUCATIONAL
    assert (config.temperature, config.memory_mode) == (0.5, "hybrid")
    assert config.enable_adaptation is True


def test_support_is_professional_and_counted() -> None:
    config = SessionPresets.CUSTOMER_SUPPORT
    assert "professional" in config.instructions
    assert (config.memory_mode, config.enable_analytics) == ("persistent", True)


def test_each_use_is_a_new_config() -> None:
    config = SessionPresets.EDUCATIONAL
    config.temperature = 1.5
    assert SessionPresets.EDUCATIONAL.temperature == 0.5
    assert SessionPresets.EDUCATIONAL == SessionPresets.EDUCATIONAL
    assert SessionPresets.EDUCATIONAL.session_id != SessionPresets.EDUCATIONAL.session_id


def test_a_preset_says_also_what_is_the_default() -> None:
    assert layer(SessionPresets.CONVERSATION)["temperature"] == 0.8


@pytest.mark.parametrize("name", ["educational", "EDUCATIONAL", "Educational"])
def test_one_is_found_by_its_name(name: str) -> None:
    assert preset(name) == SessionPresets.EDUCATIONAL


def test_all_are_found() -> None:
    assert NAMES == ("CONVERSATION", "TASK_ORIENTED", "EDUCATIONAL", "CUSTOMER_SUPPORT")
    assert preset("customer-support") == SessionPresets.CUSTOMER_SUPPORT
    assert all(isinstance(preset(name), SessionConfig) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "meant"), [("educatonal", "Did you mean 'educational'"), ("zzz", "There are: conv")]
)
def test_one_that_is_not_there_is_refused(name: str, meant: str) -> None:
    with pytest.raises(InvalidConfig, match=meant) as caught:
        preset(name)
    assert caught.value.fields == ("preset",)
