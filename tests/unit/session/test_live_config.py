"""The settings of a session that runs: read like a `SessionConfig`, changed by assigning."""

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import InvalidConfig
from tenuto.session.config import SessionConfig, take_id
from tenuto.session.desk import Rule
from tenuto.session.fold import State, apply
from tenuto.session.live_config import LiveConfig

pytestmark = pytest.mark.virtual


class Table:
    """A desk over a state alone."""

    def __init__(self, config: dict[str, Any], layers: dict[str, Any] | None = None) -> None:
        self.state = State()
        self.commits = 0
        self.take(
            e.SessionCreated(
                at=1.0,
                session="s",
                tenant="t",
                user="u",
                epoch="0" * 16,
                config=config,
                layers=layers or {"session": config},
            )
        )

    def take(self, event: e.Event) -> None:
        apply(self.state, event)

    def now(self) -> float:
        return 2.0

    def decide(self, rule: Rule) -> list[e.Event]:
        events = rule(self.state, self.now())
        for event in events:
            self.take(event)
        return events

    async def commit(self) -> int:
        self.commits += 1
        return self.state.position


def test_it_reads_like_a_config() -> None:
    config = LiveConfig(Table({"temperature": 0.3}))
    assert isinstance(config, SessionConfig)
    assert (config.temperature, config.voice, config.enable_adaptation) == (0.3, "alloy", True)
    assert (config.session_id, config.user_id) == ("s", "u")
    assert dataclasses.asdict(config)["temperature"] == 0.3
    assert (config.version, config.applied_version) == (0, 0)


def test_assigning_is_an_event() -> None:
    table = Table({})
    config = LiveConfig(table)
    config.enable_adaptation = False
    config.temperature = 0.3
    assert (config.enable_adaptation, config.temperature, config.version) == (False, 0.3, 2)
    assert table.state.live == {"enable_adaptation": False, "temperature": 0.3}


def test_assigning_what_holds_is_nothing() -> None:
    table = Table({})
    before = table.state.position
    LiveConfig(table).enable_adaptation = True
    assert (table.state.position, table.state.config_version) == (before, 0)


@pytest.mark.parametrize(
    ("name", "value"), [("enable_adaption", True), ("temperature", 3), ("session_id", "x")]
)
def test_what_is_wrong_is_refused(name: str, value: Any) -> None:
    config = LiveConfig(Table({}))
    with pytest.raises(InvalidConfig) as caught:
        setattr(config, name, value)
    assert caught.value.fields == (name,)
    assert config.version == 0


async def test_several_change_at_once_or_not_at_all() -> None:
    table = Table({})
    config = LiveConfig(table)
    assert await config.update({"temperature": 0.3, "voice": "nova"}) == 1
    assert table.commits == 1
    with pytest.raises(InvalidConfig):
        config.update({"voice": "echo", "temperature": 9})
    assert (config.voice, config.version) == ("nova", 1)


def test_each_layer_says_what_it_adds() -> None:
    table = Table(
        {"voice": "nova", "temperature": 0.3},
        {"agent": {"voice": "nova"}, "session": {"temperature": 0.3}},
    )
    config = LiveConfig(table)
    table.take(e.ConversationStarted(at=2.0, conversation="c1", config={"greeting": "Hi."}))
    config.language = "de"
    assert config.layers == {
        "agent": {"voice": "nova"},
        "session": {"temperature": 0.3},
        "conversation": {"greeting": "Hi."},
        "live": {"language": "de"},
    }
    config.layers["live"]["language"] = "fr"
    assert config.layers["live"] == {"language": "de"}


def test_it_equals_a_config_of_the_same_settings() -> None:
    config = LiveConfig(Table({"temperature": 0.3}))
    assert config == SessionConfig(temperature=0.3) == config
    assert config != SessionConfig()
    assert config != 3


def test_a_copy_does_not_change_with_the_session() -> None:
    config = LiveConfig(Table({}))
    copies = [
        config.value,
        copy.copy(config),
        copy.deepcopy(config),
        pickle.loads(pickle.dumps(config)),
    ]
    config.temperature = 0.3
    assert [each.temperature for each in copies] == [0.8] * 4
    assert {type(each) for each in copies} == {SessionConfig}
    # Its id is taken: a session made from it gets another one.
    assert take_id(config.value) is None


def test_it_shows_what_differs() -> None:
    config = LiveConfig(Table({}))
    assert repr(config) == "LiveConfig(version=0)"
    config.temperature = 0.3
    assert repr(config) == "LiveConfig(version=1, temperature=0.3)"


def test_other_settings_are_made_of_it() -> None:
    config = LiveConfig(Table({"temperature": 0.3, "voice": "nova"}))
    other = dataclasses.replace(config, temperature=0.4)
    assert (type(other), other.temperature, other.voice) == (SessionConfig, 0.4, "nova")
    assert config.temperature == 0.3
    assert take_id(other) is None, "the session has its id"
