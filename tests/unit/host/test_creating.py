"""What somebody asks for is checked as a whole before there is a session."""

from typing import Any

import pytest

from tenuto import SessionConfig, Tenuto, TenutoConfig
from tenuto.errors import AppendConflict, IllegalEvent, InvalidInput, TenutoError
from tests.unit.host.hosting import hosting

pytestmark = pytest.mark.virtual


def test_a_session_needs_a_loop() -> None:
    tenuto = Tenuto(TenutoConfig(store="memory:", engine="text"))
    with pytest.raises(IllegalEvent, match=r"asyncio\.run"):
        tenuto.create_session()


@pytest.mark.parametrize("user", ["", 5, "a/b", "x" * 101])
async def test_who_has_lost_a_user_is_not_the_local_one(user: object) -> None:
    async with hosting() as tenuto:
        with pytest.raises(InvalidInput, match="`user_id`"):
            tenuto.create_session(user_id=user)  # type: ignore[arg-type]
        assert tenuto.create_session().user_id == "local"


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": "a/b"},
        {"session_id": "~alice"},
        {"session_id": "a\n"},
        {"user_id": ""},
        {"config": {"temperature": "hot"}},
        {"preset": "of_no_such_name"},
        {"preference_profile": {"format": "something else"}},
    ],
)
async def test_what_cannot_be_made_leaves_nothing(wrong: dict[str, Any]) -> None:
    async with hosting() as tenuto:
        with pytest.raises(TenutoError):
            tenuto.create_session(**{"session_id": "s", **wrong})
        assert await tenuto.sessions() == []
        assert (await tenuto.create_session(session_id="s")).is_active


async def test_an_id_of_settings_is_for_one_session() -> None:
    async with hosting() as tenuto:
        config = SessionConfig(session_id="mine", user_id="alice")
        made = await tenuto.create_session(config=config)
        assert (made.session_id, made.user_id) == ("mine", "alice")
        with pytest.raises(AppendConflict):
            tenuto.create_session(config=config)
