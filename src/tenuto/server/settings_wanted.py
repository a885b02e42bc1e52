"""Settings of a session as they come over HTTP: those of `SessionConfig`, described so exactly that nothing else is taken."""

import zoneinfo
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tenuto.errors import InvalidConfig
from tenuto.session.config import RUNNING, TAG, MemoryMode, MemoryScope, Redaction, layer
from tenuto.session.layers import made_of
from tenuto.session.regions import REGIONS


class SettingsWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a session by name. What is left out is as the preset, or the host, has it."""

    instructions: Annotated[str, Meta(max_length=32_000)] | UnsetType = UNSET
    """What the engine is told to be."""
    voice: Annotated[str, Meta(pattern="^[ -~]{1,100}$")] | UnsetType = UNSET
    """The voice that the engine speaks with."""
    language: Annotated[str, Meta(pattern=f"^{TAG}$")] | UnsetType | None = UNSET
    """BCP 47 tag of the language to speak; null for the engine's own choice."""
    temperature: Annotated[float, Meta(ge=0, le=2)] | UnsetType = UNSET
    """0 to 2."""
    max_output_tokens: Annotated[float, Meta(ge=1, le=1_000_000, multiple_of=1)] | UnsetType = UNSET
    """The most tokens that one reply may have."""
    enable_functions: bool | UnsetType = UNSET
    """Whether the engine may call tools."""
    memory_mode: MemoryMode | UnsetType = UNSET
    """What outlives a conversation."""
    memory_scope: MemoryScope | UnsetType = UNSET
    """Whether what is learned is known in all of the user's sessions."""
    max_memory_size: Annotated[float, Meta(ge=1, le=10_000_000, multiple_of=1)] | UnsetType = UNSET
    """Tokens of memory that are kept."""
    enable_learning: bool | UnsetType = UNSET
    """Whether memories and preferences are learned from what is said."""
    enable_analytics: bool | UnsetType = UNSET
    """Whether counts, times, topics and satisfaction are collected."""
    enable_adaptation: bool | UnsetType = UNSET
    """Whether the engine is told of what was learned of the user's manner."""
    greeting: Annotated[str, Meta(max_length=2_000)] | UnsetType = UNSET
    """What the agent says first."""
    timezone: str | UnsetType = UNSET
    """IANA name of the user's time zone; empty for the host's."""
    context_policy: (
        Annotated[str, Meta(pattern="^(all|(last|tokens|summary)_[1-9][0-9]{0,6})$")] | UnsetType
    ) = UNSET
    """What of the history the engine is given: `last_N`, `all`, `tokens_N` or `summary_N`."""
    redaction: Redaction | UnsetType = UNSET
    """What happens to personal data in what the user says."""
    region: Annotated[str, Meta(pattern=f"^({'|'.join(sorted(REGIONS))})$")] | UnsetType = UNSET
    """ISO 3166 code of the country whose phone numbers and national ids are looked for."""

    @property
    def given(self) -> dict[str, Any]:
        """What was not left out, by name."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        given = {name: value for name, value in found.items() if value is not UNSET}
        # To JSON, 4096.0 is a whole number.
        return given | {name: int(given[name]) for name in _WHOLE if name in given}


_WHOLE = ("max_output_tokens", "max_memory_size")


def explain(given: Any, preset: Any = None) -> None:
    """Refuse settings of a new session in the words that Python has for them.

    Raises:
        InvalidConfig: They are wrong; the message says what may have been meant.
    """
    made_of(agent={}, preset=preset, config=_from_json(given))
    _need(given if given is not None else {})


def explain_change(given: Any) -> None:
    """Refuse changes of a running session in the words that Python has for them.

    Raises:
        InvalidConfig: They are wrong; the message says what may have been meant.
    """
    layer(_from_json(given), RUNNING)
    _need(given)


def _from_json(given: Any) -> Any:
    """Return settings with whole numbers where JSON has written them as 4096.0."""
    if not isinstance(given, dict):
        return given
    whole = {n: int(v) for n, v in given.items() if isinstance(v, float) and v.is_integer()}
    return given | {name: value for name, value in whole.items() if name in _WHOLE}


def _need(given: Any) -> None:
    try:
        msgspec.convert(given, SettingsWanted)
    except msgspec.ValidationError as error:
        # Over HTTP a few values are refused that Python takes, such as a voice that is not ASCII.
        raise InvalidConfig(f"The settings are wrong: {error}") from None


def complete(components: dict[str, Any]) -> None:
    """Put into the description what only this machine knows: its time zones."""
    zone = components[SettingsWanted.__name__]["properties"]["timezone"]
    zone["enum"] = ["", *sorted(zoneinfo.available_timezones())]
