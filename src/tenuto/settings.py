"""What can be set, and where it comes from: arguments, `TENUTO_*` variables, `tenuto.toml`, defaults, in that order.

Every value is checked where it enters, and an error names the key, the place that the value came from and what is
accepted there. A key that nobody knows is an error in a file, where it can only be a mistake; a variable of another
name is left alone, since it may belong to somebody else (`tenuto doctor` points at it).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tenuto.clock import ZONE, is_zone
from tenuto.errors import InvalidConfig

PREFIX = "TENUTO_"
"""What the variables begin with: `TENUTO_STORE` sets `store`."""

FILE = "tenuto.toml"
"""The file of settings that the command line looks for in its working directory."""

STORES = ("sqlite:///", "memory:")
"""What a store's URL may begin with."""

ENGINES = ("local", "text", "echo")
"""The engines that can be chosen by name."""


class _Named(msgspec.StructMeta):
    """Makes settings from names that it knows, and from nothing else."""

    def __call__(cls, *given: Any, **named: Any) -> Any:
        if given:
            raise InvalidConfig("Settings are given by name, such as store='memory:'.")
        for name in named:
            if name not in cls.__struct_fields__:
                raise InvalidConfig(_unknown(name, cls.__struct_fields__), (name,))
        return super().__call__(**named)


class Price(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, metaclass=_Named
):
    """What an engine costs, in USD."""

    heard_minute: float = 0.0
    """Each minute of the user's audio."""
    spoken_minute: float = 0.0
    """Each minute of audio that is made."""
    million_tokens_in: float = 0.0
    """A million tokens that it is given."""
    million_tokens_out: float = 0.0
    """A million tokens that it makes."""
    million_characters: float = 0.0
    """A million characters of text that is spoken."""


FREE = {name: Price() for name in ENGINES}
"""The engines that run on the host itself."""


class TenutoConfig(msgspec.Struct, frozen=True, kw_only=True, metaclass=_Named):
    """The settings of a host: one process and its live sessions.

    Raises:
        InvalidConfig: A key is not known, or a value is not accepted; the message names the key and says what is.
    """

    store: str = "sqlite:///tenuto.db"
    """Where journals are kept: `sqlite:///PATH` or `memory:`."""
    engine: str = "local"
    """What listens, thinks and speaks: `local` (offline), `text` (the local brain without a voice) or `echo`."""
    host: str = "127.0.0.1"
    """The address that `serve` binds."""
    port: int = 8765
    """The port that `serve` binds; 0 for any that is free."""
    url: str = ""
    """Where clients reach this host, such as `wss://a.example`; told to clients of a session that this host owns."""
    keys: str = "tenuto.keys"
    """The file of hashed API keys, made by `tenuto keys new`."""
    allow: tuple[str, ...] = ()
    """Hosts and origins that browsers may come from, besides this server's own."""
    grace: float = 30.0
    """Seconds that the engine is kept after the controller went away."""
    lease: float = 10.0
    """Seconds that a host owns a session without renewing; renewed at a third of it."""
    listeners: int = 2
    """Worker processes for speech recognition, at most."""
    timezone: str = ""
    """IANA name of the time zone in which the agent tells the time; empty for the host's own."""
    extractor: str = ""
    """A language model that finds facts in conversations which have ended: `openai:MODEL` or `openai:MODEL@BASE_URL`."""
    agent: dict[str, Any] = {}
    """Settings of all sessions of this host, by name (see `SessionConfig`); a session's own go before them.
    In a file it is the table `[agent]`; there is no variable for it."""
    prices: dict[str, Price] = {}
    """What engines cost, by name, for estimates; in TOML `[prices.NAME]`. What runs here is free."""

    def __post_init__(self) -> None:
        for key in self.__struct_fields__:
            value = _value(key, getattr(self, key), f"`{key}`", strict=True)
            msgspec.structs.force_setattr(self, key, value)


def load(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    path: Path | None = None,
) -> TenutoConfig:
    """Put the settings together from their layers.

    Args:
        flags: What the command line gave, by key; None counts as not given.
        environ: The process's variables, of which `TENUTO_*` count. A list is written with commas.
        path: The file of settings, in TOML; None for no file.

    Raises:
        InvalidConfig: The file cannot be read or holds an unknown key, or a value is not accepted. The message names
            the key, the flag, variable or file that it came from, and what is accepted.

    Example:
        >>> load({"port": 9000}, {"TENUTO_PORT": "8000", "TENUTO_STORE": "memory:"}).port
        9000
    """
    values: dict[str, Any] = {}
    for key, value in _from_file(path).items() if path is not None else ():
        values[key] = _value(key, value, f"`{key}` in {path}")
    for key in TenutoConfig.__struct_fields__:
        variable = f"{PREFIX}{key.upper()}"
        if key != "agent" and (text := (environ or {}).get(variable)) is not None:
            values[key] = _value(key, text, f"the variable {variable}")
        if (flag := (flags or {}).get(key)) is not None:
            values[key] = _value(key, flag, f"the flag --{key}")
    return TenutoConfig(**values)


def unknown_variables(environ: Mapping[str, str], known: tuple[str, ...] = ()) -> list[str]:
    """Return the `TENUTO_*` variables that set nothing: misspelt ones, mostly."""
    keys = {key for key in TenutoConfig.__struct_fields__ if key != "agent"}
    names = {f"{PREFIX}{key.upper()}" for key in keys} | set(known)
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in names)


# ---------------------------------------------------------------------------------------------------------- inside


def _from_file(path: Path) -> dict[str, Any]:
    import tomllib  # A program without a file of settings does not pay for reading one.

    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError:
        raise InvalidConfig(f"There is no file of settings at {path}.") from None
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path} is not TOML: {error}.") from None
    for key in found:
        if key not in TenutoConfig.__struct_fields__:
            fields = TenutoConfig.__struct_fields__
            raise InvalidConfig(_unknown(key, fields, f" in {path}"), (key,))
    return found


def _unknown(key: str, known: tuple[str, ...], place: str = "") -> str:
    import difflib  # Only who errs pays for it.

    near = difflib.get_close_matches(key, known, n=1)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    return f"`{key}`{place} is not a setting.{meant} Settings are: {', '.join(known)}."


def _value(key: str, value: object, place: str, *, strict: bool = False) -> object:
    """Return the value in the type of its key, whether it was written as text or, as `strict` wants it, as itself."""
    if key == "allow" and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        if key == "prices" and isinstance(value, str) and not strict:
            value = msgspec.json.decode(value)
        kind = TenutoConfig.__annotations__[key]
        converted: object = msgspec.convert(
            value, kind, strict=strict or not isinstance(value, str)
        )
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise _refusal(key, value, place) from None
    if not _accepts(key, converted):
        raise _refusal(key, value, place)
    return converted


def _accepts(key: str, value: object) -> bool:
    try:
        return _ACCEPTED[key][0](value)
    except TypeError:
        return False


def _refusal(key: str, value: object, place: str) -> InvalidConfig:
    place = place[0].upper() + place[1:]
    large = isinstance(value, int) and abs(value) >= 1 << 63
    shown = "so large a number" if large else repr(value)
    return InvalidConfig(f"{place} cannot be {shown}. Accepted: {_ACCEPTED[key][1]}.")


def _is_store(url: str) -> bool:
    return url == "memory:" or (url.startswith("sqlite:///") and len(url) > len("sqlite:///"))


_ACCEPTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "store": (_is_store, "sqlite:///PATH (sqlite:////PATH for an absolute path) or memory:"),
    "engine": (lambda name: name in ENGINES, ", ".join(ENGINES)),
    "host": (lambda name: name != "", "an address such as 127.0.0.1, or a name"),
    "port": (lambda number: 0 <= number <= 65535, "a whole number from 0 to 65535"),
    "url": (
        lambda url: url == "" or url.startswith(("ws://", "wss://", "http://", "https://")),
        "a URL that begins with ws://, wss://, http:// or https://",
    ),
    "keys": (lambda path: path != "", "the path of a file"),
    "allow": (
        lambda names: all(isinstance(name, str) and name for name in names),
        "a list of hosts and origins, such as app.example, https://app.example",
    ),
    "grace": (lambda seconds: 0 <= seconds <= 86400, "seconds, from 0 to 86400"),
    "lease": (lambda seconds: 0 < seconds <= 3600, "seconds, more than 0 and at most 3600"),
    "listeners": (lambda number: 1 <= number <= 64, "a whole number from 1 to 64"),
    "prices": (
        lambda prices: all(
            0 <= usd <= 1e9 for price in prices.values() for usd in msgspec.structs.astuple(price)
        ),
        "for each engine USD, 0 or more, such as "
        '{"openai": {"heard_minute": 0.06, "spoken_minute": 0.24}}; also million_tokens_in, '
        "million_tokens_out, million_characters",
    ),
    "extractor": (
        lambda name: name == "" or (name.startswith("openai:") and name[7:8] not in ("", "@")),
        "openai:MODEL or openai:MODEL@BASE_URL, or nothing for none",
    ),
    "timezone": (is_zone, ZONE),
    "agent": (
        lambda table: isinstance(table, dict) and all(isinstance(name, str) for name in table),
        "a table of session settings, such as temperature = 0.5",
    ),
}
