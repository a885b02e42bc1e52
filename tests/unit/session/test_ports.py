"""The little that the ports decide by themselves."""

import pytest

from tenuto.errors import InvalidInput
from tenuto.session import ports
from tenuto.session.ports import Capabilities, Head, is_text, role


@pytest.mark.parametrize(
    ("accepted", "temperature", "given"),
    [
        (None, 0.3, 0.3),
        (None, None, None),
        ((0.6, 1.2), None, None),
        ((0.6, 1.2), 0.3, 0.6),
        ((0.6, 1.2), 0.8, 0.8),
        ((0.6, 1.2), 2.0, 1.2),
    ],
)
def test_a_temperature_is_brought_into_the_range_of_the_engine(
    accepted: tuple[float, float] | None, temperature: float | None, given: float | None
) -> None:
    assert Capabilities(name="x", temperature=accepted).clamped(temperature) == given


def test_a_role_has_a_second_name() -> None:
    assert (role("assistant"), role("tool")) == ("agent", "tool")
    with pytest.raises(InvalidInput, match="user, agent, assistant, system, tool"):
        role("bot")


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("", True),
        ("Hi", True),
        ("Grüße 😀", True),
        ("half \ud83d", False),
        (7, False),
        (None, False),
    ],
)
def test_what_can_be_stored_as_a_text(value: object, is_one: bool) -> None:
    assert is_text(value) == is_one


def head(owner: str, expires: float, ended: bool = False) -> Head:
    return Head(
        session="s",
        tenant="t",
        user="u",
        epoch="",
        position=1,
        created=0.0,
        updated=0.0,
        ended=ended,
        due=None,
        fence=1,
        owner=owner,
        url="",
        expires=expires,
    )


@pytest.mark.parametrize(
    ("expires", "owner", "ended", "life"),
    [
        (5.0, "elsewhere", False, "live"),
        (0.0, "elsewhere", False, "parked"),
        (5.0, "elsewhere", True, "ended"),
        (0.0, "", True, "ended"),
    ],
)
def test_a_head_tells_the_life_of_its_session(
    expires: float, owner: str, ended: bool, life: str
) -> None:
    assert head(owner, expires, ended).life == life


def test_a_session_whose_host_was_killed_is_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_gone", lambda host: host == "killed")
    assert (head("killed", 5.0).life, head("there", 5.0).life) == ("parked", "live")
