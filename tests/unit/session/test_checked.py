"""What a checked verb takes, and that what it does not take is refused before anything has happened."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, Union

import pytest

from tenuto.errors import InvalidInput
from tenuto.session import checked as checks
from tenuto.session.checked import LARGEST, Kind, checked, unchecked
from tenuto.session.config import SessionConfig


class Named(str):
    pass


class Edge(Protocol):
    def meet(self) -> None: ...


@checked
class Face:
    """Every kind of verb."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def say(self, text: str, *, loud: bool = False) -> str:
        """Say it."""
        self.done.append((text, loud))
        return text

    speak = say

    async def wait(self, seconds: float = 1.0, number: "int | None" = None) -> None:
        self.done.append((seconds, number))

    def take(
        self,
        names: Sequence[str] = (),
        values: Mapping[str, Any] = {},
        anything: Any = None,
        config: SessionConfig | None = None,
        source: bytes | Iterable[bytes] | AsyncIterable[bytes] = b"",
        edge: Edge | None = None,
        role: Literal["user", "agent"] = "user",
        later: "Unknown" = None,  # type: ignore[name-defined]  # noqa: F821 -- as in a circle of imports
        call: Callable[[], None] | None = None,
        either: Union[bytes, list[Any]] = b"",  # noqa: UP007 -- as it was written once
        **more: Any,
    ) -> None:
        self.done.append((names, values, more))

    def plain(self) -> None:
        self.done.append("plain")

    @unchecked
    def hear(self, pcm: bytes) -> None:
        self.done.append(pcm)

    def _own(self, number: int) -> None:
        self.done.append(number)


WRONG: list[tuple[str, Any, str]] = [
    ("names", "read", "a list, each of it a text, not a value of type str"),
    ("names", [1], "a list"),
    ("names", None, "not None"),
    ("values", {1: 2}, "a mapping, each of it a text"),
    ("values", [("a", 1)], "a mapping"),
    ("role", 5, "a text"),
    ("call", "x", "callable or None"),
    ("either", "x", "bytes or list"),
    ("either", 5, "bytes or list"),
    ("either", True, "bytes or list"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_what_does_not_fit_is_refused_before_anything(name: str, value: Any, said: str) -> None:
    face = Face()
    with pytest.raises(InvalidInput, match=f"`{name}` has to be .*{said}"):
        face.take(**{name: value})
    assert face.done == []


@pytest.mark.parametrize("value", [None, 5, b"x", ["x"], True, "\ud800", 10**400])
def test_a_text_is_a_text(value: Any) -> None:
    face = Face()
    for call in (face.say, face.speak):
        with pytest.raises(InvalidInput, match="`text` has to be a text, not "):
            call(value)
        with pytest.raises(InvalidInput, match="`text`"):
            call(text=value)
    assert face.done == []


@pytest.mark.parametrize("value", [None, "1", True, 10**400, b"1", [1]])
async def test_a_number_is_a_number(value: Any) -> None:
    face = Face()
    with pytest.raises(InvalidInput, match="`seconds` has to be a number"):
        await face.wait(value)
    if value is not None:
        with pytest.raises(InvalidInput, match="`number` has to be a whole number or None"):
            await face.wait(1, number=value)
    with pytest.raises(InvalidInput, match="not a whole number"):
        face.say(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="so large a number"):
        await face.wait(1, LARGEST)
    with pytest.raises(InvalidInput):
        await face.wait(1, 1.5)  # type: ignore[arg-type]
    assert face.done == []


async def test_what_fits_is_passed_on_as_it_is() -> None:
    face = Face()
    assert face.say("Hi") == face.say(text="Hi") == "Hi"
    assert face.say("Grüße", loud=True) == "Grüße"
    face.say(Named("Hi"))
    await face.wait(1)
    await face.wait(0.5, LARGEST - 1)
    await face.wait(0.5, None)
    face.take(
        ("a", "b"),
        {"a": object()},
        object(),
        5,  # type: ignore[arg-type]
        source=5,  # type: ignore[arg-type]
        edge=5,  # type: ignore[arg-type]
        later=5,
        call=print,
        either=[],
        other=object(),
    )
    face.take(either=b"")
    face.plain()
    face.hear(5)  # type: ignore[arg-type]
    face._own("x")  # type: ignore[arg-type]
    assert len(face.done) == 12


def test_what_python_refuses_is_still_refused_by_python() -> None:
    face = Face()
    with pytest.raises(TypeError):
        face.say()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        face.say("a", "b")  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError):
        face.say("a", quiet=True)  # type: ignore[call-arg]


def test_a_verb_stays_what_it_was() -> None:
    assert Face.say is Face.speak
    assert Face.say.__name__ == "say" and Face.say.__doc__ == "Say it."
    assert not hasattr(Face.plain, "__wrapped__") and not hasattr(Face.hear, "__wrapped__")


def test_an_item_is_looked_at_only_where_somebody_says_what_it_is() -> None:
    assert Kind((Sequence,)).takes([object()])
    assert not Kind((Sequence,), Kind((str,))).takes([object()])
    assert not Kind((Sequence,)).takes(b"x")
    assert checks._kind(Sequence[Any], {}).takes([5])
    assert checks._kind(None, {}).takes(None) and not checks._kind(None, {}).takes(5)
