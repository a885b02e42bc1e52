"""A template: settings for many sessions of one kind, and what has to be known before one of them begins.

What is known (`context`) is data. It is journaled with the session, and told to the engine apart from the instructions
(`Context.given`): a name that reads like an instruction is still a name.
"""

import copy
import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from tenuto.errors import InvalidConfig, MissingExtra, TemplateContextMissing
from tenuto.ids import LONGEST_NAME
from tenuto.session.config import SessionConfig, build, chosen_id, refuse_identity, shown
from tenuto.session.ports import is_text

LONGEST_VALUE = 2_000
"""Characters of one value of the context."""
MOST = 50
"""Keys of a context, and categories of a template, at most."""


class _Base:
    """Keeps settings, and gives a copy to whoever looks: a template is the same for all of its sessions."""

    def __set__(self, template: "SessionTemplate", value: SessionConfig) -> None:
        vars(template)["_base"] = copy.copy(value)

    def __get__(self, template: "SessionTemplate | None", owner: type) -> SessionConfig:
        if template is None:
            raise AttributeError  # It has no default.
        kept: SessionConfig = vars(template)["_base"]
        return copy.copy(kept)


@dataclass(frozen=True)
class SessionTemplate:
    """Settings for many sessions of one kind.

    Raises:
        InvalidConfig: Something is wrong; `fields` names it.

    Example:
        >>> template = SessionTemplate(
        ...     name="medical_consultation",
        ...     base_config=SessionConfig(memory_mode="persistent"),
        ...     required_context=["patient_id", "appointment_type"],
        ...     memory_categories=["medical_history", "symptoms", "medications"],
        ... )
        >>> session = tenuto.create_session_from_template(  # doctest: +SKIP
        ...     template, context={"patient_id": "P12345", "appointment_type": "follow_up"}
        ... )
    """

    name: str
    """1 to 100 characters; journaled with every session that is made from it."""
    base_config: SessionConfig = _Base()  # type: ignore[assignment]
    """Its settings, without an identity. They are copied: what happens to yours later does not matter."""
    required_context: Sequence[str] = ()
    """What has to be known before a session begins, such as `patient_id`."""
    memory_categories: Sequence[str] = ()
    """The only categories that memories may have; any when empty."""

    def __new__(cls, *given: Any, **named: Any) -> Self:
        _refuse_unknown(named)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        _refuse_unless(_is_name(self.name), "name", self.name, _NAME)
        base = self.base_config
        _refuse_unless(isinstance(base, SessionConfig), "base_config", base, "a SessionConfig")
        identity = {"session_id": chosen_id(base), "user_id": base.user_id}
        refuse_identity([name for name, given in identity.items() if given is not None])
        for field in ("required_context", "memory_categories"):
            names = getattr(self, field)
            fits = isinstance(names, list | tuple) and len(names) <= MOST
            fits = fits and all(map(_is_name, names)) and len(set(names)) == len(names)
            _refuse_unless(fits, field, names, f"a list of up to {MOST} names, each once: {_NAME}")
            object.__setattr__(self, field, tuple(names))

    def __hash__(self) -> int:
        return hash(self.name)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a template from a TOML or YAML file. Without a `name`, it has the file's.

        Args:
            path: A file that ends in `.toml`, `.yaml` or `.yml`.

        Raises:
            InvalidConfig: The file cannot be read, or something in it is wrong; the message names the file and the key.
            MissingExtra: It is YAML, and what reads that is not installed.

        Example:
            >>> SessionTemplate.from_file("medical_consultation.toml")  # doctest: +SKIP
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidConfig(f"{path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise InvalidConfig(f"{path} is not UTF-8.") from None
        return cls.from_text(text, path)

    @classmethod
    def from_text(cls, text: str, path: Path) -> Self:
        """Read a template as `from_file` does, from the text of a file.

        Args:
            text: What is in the file.
            path: Where it came from: its ending says what it is written in, and messages name it.

        Raises:
            InvalidConfig: Something in it is wrong; the message names the file and the key.
            MissingExtra: It is YAML, and what reads that is not installed.
        """
        try:
            read = _READERS.get(path.suffix.lower())
            _refuse_unless(read is not None, "suffix", path.suffix, ", ".join(_READERS))
            assert read is not None
            return cls(**_template(read(text), path.stem))
        except InvalidConfig as error:
            raise InvalidConfig(f"{path}: {error.message}", error.fields) from None


# --------------------------------------------------------------------------------------------------------------- context


def known(template: SessionTemplate | None, context: Mapping[str, Any]) -> dict[str, str]:
    """Return what a session is to know from its beginning, as it is journaled. More than is required may be known.

    Args:
        context: Texts, numbers and True or False, by name.

    Raises:
        TemplateContextMissing: The template needs to know more; all that is missing is named.
        InvalidConfig: A name or a value is wrong.
    """
    fits = isinstance(context, Mapping)
    _refuse_unless(fits, "context", context, "what is known, by name")
    given = {key: value for key, value in context.items() if value is not None and value != ""}
    missing = tuple(k for k in template.required_context if k not in given) if template else ()
    if missing and template is not None:
        raise TemplateContextMissing(
            f"The template {template.name!r} needs to know {', '.join(missing)}: give it in `context`.",
            missing,
        )
    _refuse_unless(len(given) <= MOST, "context", len(given), f"up to {MOST} keys")
    for key, value in given.items():
        _refuse_unless(_is_name(key), "context", key, _NAME)
        fits = isinstance(value, str | int | float) and _is_value(value)
        accepted = f"a text of up to {LONGEST_VALUE:,} characters, a number, or True or False"
        _refuse_unless(fits, f"context.{key}", value, accepted)
    return {key: str(value) for key, value in given.items()}


# ---------------------------------------------------------------------------------------------------------------- inside

_NAME = f"1 to {LONGEST_NAME} printable characters"


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and value.isprintable()


def _is_value(value: str | float) -> bool:
    if isinstance(value, int):
        return abs(value) < 1 << 63
    return is_text(str(value)) and len(str(value)) <= LONGEST_VALUE


def _refuse_unless(fits: bool, field: str, value: object, accepted: str) -> None:
    if not fits:
        raise InvalidConfig(f"`{field}` cannot be {shown(value)}. Accepted: {accepted}.", (field,))


def _refuse_unknown(given: Iterable[str]) -> None:
    names = [each.name for each in fields(SessionTemplate)]
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            meant = f" Did you mean `{near[0]}`?" if near else ""
            raise InvalidConfig(f"`{key}` is unknown.{meant} Known: {', '.join(names)}.", (key,))


def _template(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a file says as what a template is made of."""
    _refuse_unknown(found)
    settings = found.get("base_config", {})
    _refuse_unless(isinstance(settings, dict), "base_config", settings, "a table of settings")
    try:
        refuse_identity(settings)
        base = build(settings)
    except InvalidConfig as error:
        wrong = tuple(f"base_config.{each}" for each in error.fields)
        raise InvalidConfig(f"In `base_config`: {error.message}", wrong) from None
    return {"name": name, **found, "base_config": base}


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(f"This is not TOML: {error}.") from None


def _yaml(text: str) -> dict[str, Any]:
    from msgspec import MsgspecError, yaml

    try:
        return yaml.decode(text, type=dict[str, Any])
    except ImportError:
        raise MissingExtra("yaml", "A template in YAML") from None
    except MsgspecError as error:
        raise InvalidConfig(f"This is not YAML of a template: {error}.") from None


_READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
