"""`SessionTester` passes what lives as a session does, and finds what does not."""

import pytest

from tenuto.errors import TenutoError
from tenuto.session.answers import Reply
from tenuto.testing.engine import Step
from tenuto.testing.mock_session import MockSession
from tenuto.testing.session_tester import SessionTester
from tests.unit.host.hosting import hosting

pytestmark = pytest.mark.virtual


async def test_a_mock_lives_as_a_session_does() -> None:
    reply = await SessionTester.test_session_lifecycle(MockSession())
    assert reply.text == "You said: test"


async def test_a_real_session_lives_as_a_session_does() -> None:
    async with hosting(Step(hear="test", say=["Passed."])) as tenuto:
        session = await tenuto.create_session()
        reply = await SessionTester.test_session_lifecycle(session)
        assert (reply.text, session.is_active) == ("Passed.", False)


class Deaf(MockSession):
    async def start_listening(self, rate: int = 16_000) -> None:
        pass


class Eager(MockSession):
    async def stop_listening(self) -> None:
        pass


class Mute(MockSession):
    async def send_message(self, text: str, *, user: str = "") -> Reply:
        return Reply(text="", heard="", turn=1, reply=1)


class Undead(MockSession):
    async def close(self) -> None:
        self.state.end()


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Deaf, r"after start_listening\(\) the session is idle, not listening"),
        (Eager, r"after stop_listening\(\) the session is listening, not idle"),
        (Mute, "the reply to 'test' is empty"),
        (Undead, r"the session is active after close\(\)"),
    ],
)
async def test_a_session_that_lives_otherwise_is_found(kind: type[MockSession], wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong):
        await SessionTester.test_session_lifecycle(kind())


async def test_a_session_that_is_busy_at_first_is_found() -> None:
    session = MockSession()
    session.simulate_speaking()
    with pytest.raises(AssertionError, match="at first the session is speaking, not idle"):
        await SessionTester.test_session_lifecycle(session)
    session.failures["start_listening"] = TenutoError("no")
    session.simulate_idle()
    with pytest.raises(TenutoError):
        await SessionTester.test_session_lifecycle(session)
