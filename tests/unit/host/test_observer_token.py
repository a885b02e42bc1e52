"""A resume token gives back what its client had, and no more."""

from typing import Any

import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto.errors import NotAllowed, NotAuthenticated
from tenuto.events import AttachmentRole
from tenuto.session.attachment import Joining
from tenuto.session.ports import Row

pytestmark = pytest.mark.virtual


class Deaf:
    """A listener that takes everything in and does nothing with it."""

    def event(self, row: Row) -> None: ...

    def audio(self, reply: int, offset: int, pcm: object) -> None: ...

    def hush(self, reply: int) -> None: ...

    def tell(self, kind: str, body: dict[str, Any]) -> None: ...

    def closed(self, reason: str) -> None: ...


async def token_of(tenuto: Tenuto, role: AttachmentRole) -> str:
    session = await tenuto.load_session("s")
    attachment = await session.attach(
        Joining(client=f"tab-{role}", transport="test", role=role), Deaf()
    )
    await session.commit()
    return attachment.token


async def test_an_observers_token_does_not_give_the_controls() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        await tenuto.create_session(session_id="s")
        token = await token_of(tenuto, "observer")
        with pytest.raises(NotAllowed, match="observer"):
            await tenuto.resume_session("s", "tab-observer", token, "controller")
        session = await tenuto.resume_session("s", "tab-observer", token, "observer")
        assert session.session_id == "s"


async def test_a_controllers_token_gives_both() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        await tenuto.create_session(session_id="s")
        token = await token_of(tenuto, "controller")
        roles: tuple[AttachmentRole, ...] = ("controller", "observer")
        for role in roles:
            assert await tenuto.resume_session("s", "tab-controller", token, role)
        with pytest.raises(NotAuthenticated):
            await tenuto.resume_session("s", "tab-observer", token, "observer")
