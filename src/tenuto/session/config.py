"""What can be set for one session, and the layers that a setting comes from.

default < agent < preset < template < session < conversation < live update: the later layer wins. What is journaled are
differences from the layers below, so that a later version's defaults reach old sessions.

Every value is checked where it enters. What is in a journal already is taken as far as this version understands it: a
setting of a later version never keeps a session from being loaded.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Self, get_args
from uuid import uuid4

from tenuto import events as e
from tenuto.clock import ZONE, is_zone
from tenuto.errors import InvalidConfig
from tenuto.ids import NAME, is_name
from tenuto.session import policy
from tenuto.session.ports import is_text
from tenuto.session.regions import REGIONS

if TYPE_CHECKING:
    from tenuto.session.fold import State

MemoryMode = Literal["ephemeral", "persistent", "hybrid"]
MemoryScope = Literal["session", "user"]
Redaction = Literal["off", "mask", "drop"]

IDENTITY = ("session_id", "user_id")
"""Settings that say whose session it is: they are never journaled as settings, nor inherited, nor changed."""


class FreshId(str):
    """An id that was made up. The first session that is made from its settings takes it; the next ones get others."""

    taken = False

    def __deepcopy__(self, memo: object) -> "FreshId":
        # One id is one session's, however often the settings around it are copied.
        return self


@dataclass(kw_only=True, eq=False)
class SessionConfig:
    """The settings of a session.

    What you name counts as set, also where it is what the default is: `SessionConfig(temperature=0.8)` on top of a preset
    of 0.5 makes 0.8. Two are equal when their settings are; ids that were made up are not compared.

    Raises:
        InvalidConfig: A name is unknown or values are wrong. `fields` names all of them; the message says what is accepted.

    Example:
        >>> SessionConfig(instructions="You are a friendly tutor", memory_mode="persistent").temperature
        0.8
    """

    session_id: str = field(default_factory=lambda: FreshId(uuid4()))
    """The id of the session that is made from these settings. One that was made up is for the first session only."""
    user_id: str | None = None
    """Whose session it is; None for the local user."""
    instructions: str = "You are a helpful assistant"
    """What the engine is told to be. Up to 32,000 characters."""
    voice: str = "alloy"
    """The voice that the engine speaks with; one that an engine does not have is its own default."""
    language: str | None = None
    """BCP 47 tag of the language to speak, such as `en-GB`; None for the engine's own choice."""
    temperature: float = 0.8
    """0 to 2. An engine that accepts another range clamps it to its own."""
    max_output_tokens: int = 4096
    """1 to 1,000,000: the most tokens that one reply may have."""
    enable_functions: bool = False
    """Whether the engine may call tools."""
    memory_mode: MemoryMode = "hybrid"
    """What outlives a conversation; see `tenuto.session.memory`."""
    memory_scope: MemoryScope = "session"
    """`user`: what is learned is known in all of the user's sessions."""
    max_memory_size: int = 10_000
    """Tokens of memory that are kept, 1 to 10,000,000. It is never passed."""
    enable_learning: bool = True
    """Whether memories and preferences are learned from what is said."""
    enable_analytics: bool = True
    """Whether counts, times, topics and satisfaction are collected."""
    enable_adaptation: bool = True
    """Whether the engine is told of what was learned of the user's manner."""
    greeting: str = ""
    """What the agent says first in a conversation that has no messages yet; nothing when empty."""
    timezone: str = ""
    """IANA name of the user's time zone; empty for the host's."""
    context_policy: str = "summary_50"
    """What of the history the engine is given: `last_N`, `all`, `tokens_N` or `summary_N` (a summary and the last N)."""
    redaction: Redaction = "off"
    """What happens to personal data in what the user says, before it is stored and before the engine gets it."""
    region: str = "US"
    """ISO 3166 code of the country whose phone numbers and national ids are looked for."""

    def __new__(cls, *args: Any, **given: Any) -> Self:
        if args:
            raise InvalidConfig("Settings are given by name, such as voice='alloy'.")
        if not given.keys() <= set(NAMES):
            refuse_wrong(given)
        made = super().__new__(cls)
        vars(made)["_given"] = frozenset(given)
        return made

    def __post_init__(self) -> None:
        refuse_wrong({name: getattr(self, name) for name in NAMES})
        vars(self)["_checked"] = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionConfig):
            return NotImplemented
        same = (chosen_id(self), self.user_id) == (chosen_id(other), other.user_id)
        return same and settings_of(self) == settings_of(other)


def _assign(config: SessionConfig, name: str, value: Any) -> None:
    if "_checked" in vars(config):
        refuse_wrong({name: value})
        vars(config)["_given"] |= {name}
    object.__setattr__(config, name, value)


# Not in the class: there, a type checker would take it as a leave to assign to any name.
SessionConfig.__setattr__ = _assign  # type: ignore[method-assign,assignment]

NAMES = tuple(each.name for each in fields(SessionConfig))
"""Every setting, in the order of the docs."""

DEFAULTS: dict[str, Any] = {
    each.name: each.default
    for each in fields(SessionConfig)
    if each.name not in IDENTITY and each.default is not MISSING
}
"""What holds where no layer says anything else: every setting but the identity."""


def settings_of(config: SessionConfig) -> dict[str, Any]:
    """Return all settings by name, without the identity."""
    return {name: getattr(config, name) for name in DEFAULTS}


# ---------------------------------------------------------------------------------------------------------------- values


def refuse_wrong(values: Mapping[str, Any]) -> None:
    """Check settings by name.

    Raises:
        InvalidConfig: Names are unknown or values are wrong: all of them are named, with what is accepted.
    """
    problems: dict[str, str] = {}
    for name, value in values.items():
        if name not in _ACCEPTED:
            problems[name] = _unknown(name)
        elif not _accepts(name, value):
            problems[name] = (
                f"`{name}` cannot be {shown(value)}. Accepted: {_ACCEPTED[name][1]}."
                + (_meant(value, _CHOICES.get(name, tuple)()) if isinstance(value, str) else "")
            )
    if problems:
        raise InvalidConfig(" ".join(problems.values()), tuple(problems))


def _accepts(name: str, value: object) -> bool:
    try:
        return _ACCEPTED[name][0](value)
    except (TypeError, OverflowError):
        return False


def _unknown(name: object) -> str:
    return f"`{name}` is not a setting.{_meant(str(name), NAMES)} Settings are: {', '.join(NAMES)}."


def shown(value: object) -> str:
    """Return a value that was refused, as a message has it."""
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return "so large a number"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}... ({len(text)} characters)"


def _meant(given: str, known: Iterable[str]) -> str:
    import difflib  # Only who errs pays for it.

    near = difflib.get_close_matches(given, list(known), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _is_text(longest: int) -> Callable[[Any], bool]:
    return lambda value: is_text(value) and len(value) <= longest


def _is_whole(most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 1 <= value <= most


def _is_temperature(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 2


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_one_of(kind: Any) -> Callable[[Any], bool]:
    return lambda value: value in get_args(kind)


def _is_policy(value: Any) -> bool:
    try:
        return bool(policy.parse_policy(value))
    except InvalidConfig:
        return False


def _zones() -> Iterable[str]:
    import zoneinfo

    return zoneinfo.available_timezones()


TAG = (
    "[A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{1,8})*"
)
"""A pattern of BCP 47."""
_is_tag = re.compile(TAG).fullmatch

_FLAG = (_is_flag, "True or False")

_ACCEPTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "session_id": (is_name, NAME),
    "user_id": (lambda value: value is None or is_name(value), f"{NAME}, or None"),
    "instructions": (_is_text(32_000), "a text of up to 32,000 characters"),
    "voice": (
        lambda value: isinstance(value, str) and 1 <= len(value) <= 100 and value.isprintable(),
        "the name of a voice, 1 to 100 printable characters",
    ),
    "language": (
        lambda value: value is None or bool(_is_tag(value)),
        "a BCP 47 tag such as en-GB, or None for the engine's own choice",
    ),
    "temperature": (_is_temperature, "a number from 0 to 2"),
    "max_output_tokens": (_is_whole(1_000_000), "a whole number from 1 to 1,000,000"),
    "enable_functions": _FLAG,
    "memory_mode": (_is_one_of(MemoryMode), ", ".join(get_args(MemoryMode))),
    "memory_scope": (_is_one_of(MemoryScope), ", ".join(get_args(MemoryScope))),
    "max_memory_size": (_is_whole(10_000_000), "a whole number from 1 to 10,000,000"),
    "enable_learning": _FLAG,
    "enable_analytics": _FLAG,
    "enable_adaptation": _FLAG,
    "greeting": (_is_text(2_000), "a text of up to 2,000 characters"),
    "timezone": (is_zone, ZONE),
    "context_policy": (_is_policy, policy.ACCEPTED),
    "redaction": (_is_one_of(Redaction), ", ".join(get_args(Redaction))),
    "region": (
        lambda value: value in REGIONS,
        "the ISO 3166 code of a country, two capital letters such as US",
    ),
}

_CHOICES: dict[str, Callable[[], Iterable[str]]] = {
    "memory_mode": lambda: get_args(MemoryMode),
    "memory_scope": lambda: get_args(MemoryScope),
    "redaction": lambda: get_args(Redaction),
    "timezone": _zones,
    "context_policy": lambda: ("last_50", "all", "tokens_2000", "summary_20"),
}
"""What may have been meant."""

# ---------------------------------------------------------------------------------------------------------------- layers

RUNNING = "Of a running session: "
"""What a refusal of a live change begins with."""


def build(changes: Mapping[str, Any]) -> SessionConfig:
    """Return the settings that these differences from the defaults make.

    Raises:
        InvalidConfig: Names are unknown or values are wrong; the message says which.

    Example:
        >>> build({"greeting": "Hello."}).greeting
        'Hello.'
    """
    refuse_wrong(changes)
    return SessionConfig(**changes)


def differences(config: SessionConfig) -> dict[str, Any]:
    """Return what differs from the defaults: without the identity."""
    return {name: value for name, value in settings_of(config).items() if value != DEFAULTS[name]}


def layer(settings: SessionConfig | Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return what these settings say: all that was named, whether or not it is what the default is.

    A mapping may not name the identity. Of a `SessionConfig` that names everything, as a copy does, it is what differs
    from the defaults.

    Args:
        where: What the message begins with when something is wrong, such as "`agent` of the host: ".

    Raises:
        InvalidConfig: Names are unknown or values are wrong, or it is something else.
    """
    if isinstance(settings, SessionConfig):
        given: frozenset[str] = vars(settings).get("_given", frozenset())
        named = frozenset() if given.issuperset(NAMES) else given
        different = differences(settings)
        return {n: v for n, v in settings_of(settings).items() if n in named or n in different}
    if not isinstance(settings, Mapping):
        raise InvalidConfig(
            f"{where}settings are a SessionConfig, or some of them by name such as {{'temperature': 0.3}}, "
            f"not {shown(settings)}."
        )
    try:
        refuse_identity(settings)
        built = build(settings)
    except InvalidConfig as error:
        raise InvalidConfig(where + error.message, error.fields) from None
    return {name: getattr(built, name) for name in settings}


def refuse_identity(settings: Iterable[str]) -> None:
    """Check that nobody says whose session it is where that cannot be said.

    Raises:
        InvalidConfig: Somebody does.
    """
    wrong = tuple(name for name in IDENTITY if name in settings)
    if wrong:
        names = " and ".join(f"`{name}`" for name in wrong)
        raise InvalidConfig(
            f"{names} cannot be set here: it is given when a session is made.", wrong
        )


def merge(layers: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that these layers make, and what each of them adds to the ones below.

    Args:
        layers: By name, from the bottom up. A layer that adds nothing is left out of the second value.

    Example:
        >>> merge({"preset": {"temperature": 0.5, "memory_mode": "hybrid"}, "session": {"temperature": 0.3}})
        ({'temperature': 0.3}, {'preset': {'temperature': 0.5}, 'session': {'temperature': 0.3}})
    """
    merged: dict[str, Any] = {}
    recorded: dict[str, Any] = {}
    for name, settings in layers.items():
        fresh = {n: v for n, v in settings.items() if merged.get(n, DEFAULTS[n]) != v}
        merged |= fresh
        if fresh:
            recorded[name] = fresh
    return merged, recorded


def chosen_id(config: SessionConfig) -> str | None:
    """Return the id that somebody has given; None when it was made up."""
    return None if isinstance(config.session_id, FreshId) else config.session_id


def take_id(config: SessionConfig) -> str | None:
    """Return the id for a session that is made from these settings; None when it needs a new one.

    An id that was made up is for one session: whoever asks again gets None.
    """
    name = config.session_id
    if isinstance(name, FreshId):
        if name.taken:
            return None
        name.taken = True
    return str(name)


# ------------------------------------------------------------------------------------------------------ a live session's


def effective(state: "State") -> SessionConfig:
    """Return the settings that hold now: those of the session, of the open conversation, and the live ones."""
    return _understood(state, {**state.config, **_of_conversation(state), **state.live})


def in_conversation(state: "State", changes: Mapping[str, Any]) -> SessionConfig:
    """Return the settings that would hold in a conversation with these of its own.

    Raises:
        InvalidConfig: Names are unknown or values are wrong.
    """
    return _understood(state, {**state.config, **layer(changes), **state.live})


def with_changes(config: SessionConfig, changes: Iterable[Mapping[str, Any]]) -> SessionConfig:
    """Return settings with these changes, one after the other."""
    changed = settings_of(config)
    for each in changes:
        changed |= each
    return SessionConfig(**changed)


def change(state: "State", changes: Mapping[str, Any], at: float, cause: str = "") -> list[e.Event]:
    """Return the event that changes settings of a running session; none when nothing would change.

    Args:
        changes: Settings by name.
        at: Seconds since 1970-01-01 UTC.
        cause: The client's command that asked for it.

    Raises:
        InvalidConfig: Names are unknown, values are wrong, or a setting cannot change any more.
    """
    wanted = layer(changes, RUNNING)
    now = settings_of(effective(state))
    # What an open conversation sets for itself holds only as long as it is open: whoever says the same means it for good.
    later = settings_of(_understood(state, {**state.config, **state.live}))
    news = {n: v for n, v in wanted.items() if not now[n] == v == later[n]}
    if not news:
        return []
    changed = e.ConfigChanged(at=at, cause=cause, version=state.config_version + 1, changes=news)
    if "max_memory_size" not in news:
        return [changed]
    # What has no room any more goes first, so that the cap holds at every position.
    from tenuto.session import memory  # Memory reads its settings here.

    return [*memory.fit(state, news["max_memory_size"], at), changed]


def _of_conversation(state: "State") -> dict[str, Any]:
    known = state.conversations.get(state.conversation)
    return known.config if known is not None else {}


def _understood(state: "State", settings: Mapping[str, Any]) -> SessionConfig:
    """Return settings of a journal, without those of a later version."""
    known = {n: v for n, v in settings.items() if n in DEFAULTS and _accepts(n, v)}
    if state.session:
        # Its id is taken: whoever makes a session from these settings wants another one.
        known["session_id"] = FreshId(state.session)
        known["session_id"].taken = True
    return SessionConfig(**known, user_id=state.user or None)
