"""The public verbs take what their signatures say; anything else is `InvalidInput`, before anything has happened.

    @checked
    class MemoryPart: ...

reads the annotations of each public verb and looks at the arguments of each call: two lookups an argument, so that it costs
nothing worth naming beside what a verb does. What fits the annotation is the verb's own to judge: ranges, lengths, names.

Taken are: subclasses, an `int` where a `float` is wanted (never a `bool` where a number is), and anything that is a sequence
or a mapping where one is wanted. Not looked at is what a verb says is `Any`, and settings and streams, which have checks
and errors of their own. A verb without arguments is left as it is, and so is one of `@unchecked`.
"""

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from functools import wraps
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from tenuto.errors import InvalidInput
from tenuto.session import ports
from tenuto.session.config import SessionConfig

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_PLAIN: frozenset[type] = frozenset((str, float, bool, NoneType))
"""Types that are taken at a glance."""
LARGEST = 1 << 63
"""Whole numbers stay below it: a store has no room for more."""

_ANYTHING = (Any, object, SessionConfig, Iterable, AsyncIterable)
"""Where one of these is among what a verb takes, it looks for itself."""

_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    bytes: "bytes",
    NoneType: "None",
    Sequence: "a list",
    Mapping: "a mapping",
    Callable: "callable",  # type: ignore[dict-item]
}
"""What a person calls a type."""


class Kind:
    """What one parameter takes.

    Args:
        types: The types; empty when it takes anything.
        items: What each item of a list or key of a mapping has to be; None when nobody looks.
    """

    __slots__ = ("_items", "_types", "plain")

    def __init__(self, types: tuple[type, ...], items: "Kind | None" = None) -> None:
        self._types, self._items = types, items
        self.plain = _PLAIN.intersection(types)
        """Types of which every value will do, but for a text that is not ASCII: that one is to be looked at."""

    def takes(self, value: object) -> bool:
        """Say whether it takes a value.

        Example:
            >>> Kind((float,)).takes(1), Kind((float,)).takes(True)
            (True, False)
        """
        if not self._types:
            return True
        if isinstance(value, bool):
            return bool in self._types
        if isinstance(value, str):
            # A text is a sequence of texts, too: nobody who wants a list means that.
            return str in self._types and ports.is_text(value)
        if isinstance(value, int):
            return (int in self._types or float in self._types) and abs(value) < LARGEST
        if isinstance(value, bytes):
            return bytes in self._types
        if not isinstance(value, self._types):
            return False
        if self._items is None or not isinstance(value, Sequence | Mapping):
            return True
        return all(map(self._items.takes, value))

    def __str__(self) -> str:
        said = " or ".join(_WORDS.get(kind, kind.__name__) for kind in self._types)
        return said if self._items is None else f"{said}, each of it {self._items}"


def checked(cls: C) -> C:
    """Have the public verbs of a class refuse arguments that are not what their signatures say."""
    made: dict[Any, Any] = {}
    for name, verb in list(vars(cls).items()):
        if name.startswith("_") or not inspect.isfunction(verb) or hasattr(verb, "unchecked"):
            continue
        if verb not in made and verb.__code__.co_argcount + verb.__code__.co_kwonlyargcount > 1:
            made[verb] = _check(verb)
        # Two names of one verb stay one verb.
        setattr(cls, name, made.get(verb, verb))
    return cls


def unchecked(verb: F) -> F:
    """Leave a verb as it is: it is called for every frame of audio, or passes what it is given on to a verb that looks."""
    vars(verb)["unchecked"] = True
    return verb


def _check(verb: Callable[..., Any]) -> Callable[..., Any]:
    kinds: dict[str, Kind] = {}
    plain: list[frozenset[type]] = []
    """What each argument that is given in its place may plainly be; empty before the first call."""

    def look(given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not kinds:
            # At the first call: annotations may name what is imported after the class.
            kinds.update(_kinds(verb))
            # What is given by name alone comes last, and its place is none.
            plain.extend(
                kind.plain for kind in list(kinds.values())[: verb.__code__.co_argcount - 1]
            )
        in_order = zip(list(kinds)[: len(plain)], given, strict=False)
        for name, value in [*in_order, *named.items()]:
            if name in kinds and not kinds[name].takes(value):
                raise InvalidInput(f"`{name}` has to be {kinds[name]}, not {_said(value)}.")

    def fits(given: tuple[Any, ...]) -> bool:
        for value, types in zip(given, plain, strict=False):
            kind = type(value)
            if kind not in types or (kind is str and not value.isascii()):
                return False
        return bool(plain)

    if inspect.iscoroutinefunction(verb):

        @wraps(verb)
        async def later(self: Any, *given: Any, **named: Any) -> Any:
            if named or not fits(given):
                look(given, named)
            return await verb(self, *given, **named)

        return later

    @wraps(verb)
    def at_once(self: Any, *given: Any, **named: Any) -> Any:
        if named or not fits(given):
            look(given, named)
        return verb(self, *given, **named)

    return at_once


def _kinds(verb: Callable[..., Any]) -> dict[str, Kind]:
    """Return what each parameter takes, but for `self` and what is gathered under any name."""
    _, *parameters = inspect.signature(verb).parameters.values()
    return {
        each.name: _kind(each.annotation, verb.__globals__)
        for each in parameters
        if each.kind is not each.VAR_KEYWORD
    }


def _said(value: object) -> str:
    # What it was is not said: a text may be what somebody spoke.
    if isinstance(value, str) and not ports.is_text(value):
        return "a text with half a character in it (a lone surrogate)"
    if type(value) is int:
        return "so large a number" if abs(value) >= LARGEST else "a whole number"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _kind(annotation: Any, names: dict[str, Any]) -> Kind:
    """Return what an annotation allows."""
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, names)
        except NameError:
            # Known to type checkers alone: there would be a circle of imports.
            return Kind(())
    types: list[type] = []
    items: Kind | None = None
    for each in get_args(annotation) if _is_union(annotation) else (annotation,):
        kind = get_origin(each) or each
        if kind is Literal:
            kind = str
        elif kind is None:
            kind = NoneType
        if not isinstance(kind, type) or kind in _ANYTHING or getattr(kind, "_is_protocol", False):
            return Kind(())
        if kind in (Sequence, Mapping) and get_args(each)[0] is not Any:
            items = _kind(get_args(each)[0], names)
        types.append(kind)
    return Kind(tuple(types), items)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)
