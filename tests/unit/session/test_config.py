"""The settings of one session: what is accepted, and what of it is journaled."""

import copy
import dataclasses
from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import InvalidConfig
from tenuto.session.config import (
    DEFAULTS,
    NAMES,
    SessionConfig,
    build,
    change,
    chosen_id,
    differences,
    effective,
    in_conversation,
    layer,
    merge,
    take_id,
    with_changes,
)
from tenuto.session.fold import State, apply


def created(**config: Any) -> State:
    state = State()
    apply(
        state,
        e.SessionCreated(
            at=1.0, session="s", tenant="t", user="u", epoch="0" * 16, config=dict(config)
        ),
    )
    return state


def in_a_conversation(state: State, **config: Any) -> State:
    apply(state, e.ConversationStarted(at=2.0, conversation="c1", config=dict(config)))
    return state


# -------------------------------------------------------------------------------------------------------------- defaults


def test_the_defaults_are_those_of_the_document() -> None:
    config = SessionConfig()
    assert len(config.session_id) == 36
    assert (config.user_id, config.language) == (None, None)
    assert config.instructions == "You are a helpful assistant"
    assert (config.voice, config.temperature, config.max_output_tokens) == ("alloy", 0.8, 4096)
    assert (config.enable_functions, config.memory_mode) == (False, "hybrid")
    assert config.max_memory_size == 10_000
    assert (config.enable_learning, config.enable_analytics) == (True, True)
    assert config.enable_adaptation is True


def test_no_differences_make_the_defaults() -> None:
    assert build({}) == SessionConfig()
    assert differences(SessionConfig()) == {}


def test_only_what_differs_is_journaled() -> None:
    config = SessionConfig(session_id="s", user_id="u", greeting="Hi.", timezone="Europe/Rome")
    assert differences(config) == {"greeting": "Hi.", "timezone": "Europe/Rome"}


def test_equal_are_those_with_equal_settings_whatever_id_was_made_up() -> None:
    assert SessionConfig() == SessionConfig()
    assert SessionConfig().session_id != SessionConfig().session_id
    assert SessionConfig(session_id="a") == SessionConfig(session_id="a")
    assert SessionConfig(session_id="a") != SessionConfig(session_id="b")
    assert SessionConfig(session_id="a") != SessionConfig()
    assert SessionConfig(user_id="a") != SessionConfig()
    assert SessionConfig(voice="nova") != SessionConfig()
    assert SessionConfig() != {}


# ---------------------------------------------------------------------------------------------------------------- values

GOOD: list[tuple[str, Any]] = [
    ("session_id", "sess_abc123"),
    ("user_id", "u"),
    ("instructions", ""),
    ("instructions", "x" * 32_000),
    ("voice", "nova"),
    ("language", "en-GB"),
    ("language", "de"),
    ("language", "zh-Hant-TW"),
    ("language", "es-419"),
    ("temperature", 0),
    ("temperature", 2.0),
    ("max_output_tokens", 1),
    ("max_memory_size", 10_000_000),
    ("memory_scope", "user"),
    ("greeting", "x" * 2_000),
    ("timezone", ""),
    ("timezone", "Europe/Rome"),
    ("context_policy", "all"),
    ("context_policy", "last_1"),
    ("context_policy", "tokens_2000"),
    ("context_policy", "summary_20"),
    ("redaction", "mask"),
    ("region", "GB"),
]

BAD: list[tuple[str, Any]] = [
    ("session_id", ""),
    ("session_id", "a/b"),
    ("session_id", None),
    ("session_id", "x" * 101),
    ("user_id", ""),
    ("user_id", "a\nb"),
    ("instructions", "x" * 32_001),
    ("instructions", None),
    ("voice", ""),
    ("voice", "x" * 101),
    ("voice", "a\tb"),
    ("voice", 3),
    ("language", ""),
    ("language", "english"),
    ("language", "en_GB"),
    ("language", 7),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", True),
    ("temperature", "0.5"),
    ("temperature", float("nan")),
    ("temperature", None),
    ("max_output_tokens", 0),
    ("max_output_tokens", 1.5),
    ("max_output_tokens", True),
    ("max_output_tokens", 1_000_001),
    ("max_memory_size", 0),
    ("max_memory_size", -1),
    ("memory_mode", "forever"),
    ("memory_mode", ["hybrid"]),
    ("memory_scope", "world"),
    ("enable_functions", 1),
    ("enable_learning", "yes"),
    ("enable_analytics", None),
    ("enable_adaptation", 0),
    ("greeting", "x" * 2_001),
    ("timezone", "Europe/Rom"),
    ("timezone", "../etc/passwd"),
    ("timezone", 3),
    ("timezone", []),
    ("context_policy", "last_0"),
    ("context_policy", "last_"),
    ("context_policy", "newest_5"),
    ("context_policy", 50),
    ("redaction", "on"),
    ("region", "us"),
    ("region", "ZZ"),
    ("region", 1),
]


@pytest.mark.parametrize(("name", "value"), GOOD, ids=lambda value: str(value)[:20])
def test_what_is_good_is_taken_everywhere(name: str, value: Any) -> None:
    assert getattr(SessionConfig(**{name: value}), name) == value
    assert getattr(build({name: value}), name) == value
    config = SessionConfig()
    setattr(config, name, value)
    assert getattr(config, name) == value


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: str(value)[:20])
def test_what_is_wrong_is_named_and_changes_nothing(name: str, value: Any) -> None:
    config = SessionConfig()
    before = getattr(config, name)
    for act in (
        lambda: SessionConfig(**{name: value}),
        lambda: build({name: value}),
        lambda: setattr(config, name, value),
    ):
        with pytest.raises(InvalidConfig, match=f"`{name}` cannot be .* Accepted: ") as caught:
            act()
        assert caught.value.fields == (name,)
    assert getattr(config, name) == before


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidConfig) as caught:
        SessionConfig(temperature=3, memory_mode="forever")  # type: ignore[arg-type]
    assert caught.value.fields == ("temperature", "memory_mode")
    assert "a number from 0 to 2" in caught.value.message
    assert "ephemeral, persistent, hybrid" in caught.value.message


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidConfig) as caught:
        SessionConfig(greeting="x" * 5_000)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ({"temprature": 1}, "temperature"),
        ({"memory_mode": "hybird"}, "hybrid"),
        ({"timezone": "Europe/Rom"}, "Europe/Rome"),
        ({"redaction": "masked"}, "mask"),
        ({"context_policy": "last50"}, "last_50"),
        ({"memory_scope": "users"}, "user"),
    ],
)
def test_what_was_meant_is_offered(wrong: dict[str, Any], meant: str) -> None:
    with pytest.raises(InvalidConfig, match=f"Did you mean `{meant}`"):
        build(wrong)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    for act in (
        lambda: build({"x": 1}),
        lambda: SessionConfig(x=1),  # type: ignore[call-arg]
        lambda: setattr(SessionConfig(), "x", 1),
    ):
        with pytest.raises(InvalidConfig, match=f"Settings are: {', '.join(NAMES)}") as caught:
            act()
        assert caught.value.fields == ("x",)


# ------------------------------------------------------------------------------------------------------------------- ids


def test_an_id_that_was_made_up_is_for_one_session() -> None:
    config = SessionConfig()
    assert chosen_id(config) is None
    assert take_id(config) == config.session_id
    assert take_id(config) is None


def test_a_chosen_id_is_used_as_it_is() -> None:
    config = SessionConfig(session_id="mine")
    assert chosen_id(config) == "mine"
    assert [take_id(config), take_id(config)] == ["mine", "mine"]


def test_what_is_journaled_is_a_plain_text() -> None:
    assert type(take_id(SessionConfig())) is str


# ---------------------------------------------------------------------------------------------------------------- layers


def test_what_is_named_counts_also_where_it_is_the_default() -> None:
    assert layer(SessionConfig()) == {}
    assert layer(SessionConfig(temperature=0.8)) == {"temperature": 0.8}
    assert layer({"temperature": 0.8}) == {"temperature": 0.8}
    config = SessionConfig(voice="nova")
    config.temperature = 0.8
    assert layer(config) == {"voice": "nova", "temperature": 0.8}


def test_a_copy_says_what_the_original_says() -> None:
    config = SessionConfig(temperature=0.8, voice="nova")
    assert layer(copy.copy(config)) == layer(config)
    assert copy.deepcopy(config) == config
    assert layer(dataclasses.replace(config, greeting="Hi.")) == {
        "voice": "nova",
        "greeting": "Hi.",
    }


def test_nobody_says_whose_session_it_is_in_a_layer() -> None:
    with pytest.raises(InvalidConfig, match=r"^In agent: `session_id` and `user_id`") as caught:
        layer({"session_id": "s", "user_id": "u"}, "In agent: ")
    assert caught.value.fields == ("session_id", "user_id")


def test_the_later_layer_wins_and_each_is_recorded() -> None:
    merged, recorded = merge(
        {
            "agent": {"voice": "nova", "temperature": 0.5},
            "preset": {"temperature": 0.5, "memory_mode": "hybrid"},
            "template": {},
            "session": {"temperature": 0.8},
        }
    )
    assert merged == {"voice": "nova", "temperature": 0.8}
    assert recorded == {
        "agent": {"voice": "nova", "temperature": 0.5},
        "session": {"temperature": 0.8},
    }


# ------------------------------------------------------------------------------------------------------------------ live


def test_the_conversation_goes_before_the_session_and_the_live_before_both() -> None:
    state = in_a_conversation(created(temperature=0.1, voice="a"), temperature=0.2, voice="b")
    assert (effective(state).temperature, effective(state).voice) == (0.2, "b")
    (event,) = change(state, {"temperature": 0.3}, 3.0, "tab:1")
    assert event == e.ConfigChanged(at=3.0, cause="tab:1", version=1, changes={"temperature": 0.3})
    apply(state, event)
    assert (effective(state).temperature, effective(state).voice) == (0.3, "b")
    apply(state, e.ConversationEnded(at=4.0, conversation="c1", reason="user"))
    assert (effective(state).temperature, effective(state).voice) == (0.3, "a")
    assert in_conversation(state, {"temperature": 0.9, "voice": "c"}).temperature == 0.3
    assert in_conversation(state, {"temperature": 0.9, "voice": "c"}).voice == "c"


def test_the_settings_that_hold_know_whose_they_are_and_that_the_id_is_taken() -> None:
    config = effective(created())
    assert (config.session_id, config.user_id) == ("s", "u")
    assert take_id(config) is None
    assert effective(State()).user_id is None


def test_what_holds_already_changes_nothing() -> None:
    state = created(temperature=0.3)
    assert change(state, {}, 2.0) == []
    assert change(state, {"temperature": 0.3, "voice": "alloy"}, 2.0) == []


def test_what_only_the_conversation_says_can_be_said_for_good() -> None:
    state = in_a_conversation(created(), temperature=0.3)
    (event,) = change(state, {"temperature": 0.3}, 3.0)
    apply(state, event)
    assert change(state, {"temperature": 0.3}, 4.0) == []


@pytest.mark.parametrize("changes", [{"session_id": "x"}, {"user_id": "x"}, {"temperature": 9}])
def test_what_cannot_change_is_refused(changes: dict[str, Any]) -> None:
    state = created()
    with pytest.raises(InvalidConfig) as caught:
        change(state, changes, 2.0)
    assert caught.value.fields == tuple(changes)
    assert state.config_version == 0


def test_less_room_for_memories_is_made_before_it_is_said() -> None:
    state = created()
    apply(state, e.MemoryAdded(at=2.0, memory=1, content="word " * 100))
    *gone, changed = change(state, {"max_memory_size": 10}, 3.0)
    assert gone and not any(isinstance(event, e.ConfigChanged) for event in gone)
    assert isinstance(changed, e.ConfigChanged)


def test_changes_are_made_one_after_the_other() -> None:
    config = with_changes(SessionConfig(), [{"temperature": 0.1}, {"temperature": 0.2}])
    assert config.temperature == 0.2


def test_settings_of_a_later_version_keep_no_session_from_being_loaded() -> None:
    config = effective(created(hologram=True, memory_mode="crystal", voice="nova"))
    assert (config.voice, config.memory_mode) == ("nova", DEFAULTS["memory_mode"])


def test_an_id_that_was_made_up_is_one_sessions_however_its_settings_are_copied() -> None:
    first = SessionConfig()
    copies = copy.deepcopy(first), copy.copy(first), dataclasses.replace(first, temperature=0.3)
    assert take_id(first) == first.session_id
    assert [take_id(each) for each in copies] == [None] * 3


@pytest.mark.parametrize("wrong", [5, "educational", [("temperature", 0.3)]])
def test_settings_come_by_name(wrong: Any) -> None:
    with pytest.raises(
        InvalidConfig, match=r"^Here: settings are a SessionConfig, or some of them"
    ):
        layer(wrong, "Here: ")


def test_what_is_no_name_and_what_has_no_name_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="`1` is not a setting"):
        build({1: "x"})  # type: ignore[dict-item]
    with pytest.raises(InvalidConfig, match="given by name"):
        SessionConfig("alloy")  # type: ignore[call-arg]


def test_a_text_that_has_no_bytes_is_refused() -> None:
    for name in ("instructions", "greeting"):
        with pytest.raises(InvalidConfig):
            build({name: "half \ud83d"})


def test_a_number_that_nobody_can_read_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidConfig, match="`temperature` cannot be so large a number"):
        build({"temperature": 10**5_000})
