"""The mock session behaves as a session does, as far as a screen can tell."""

import asyncio
import inspect
from typing import Any

import pytest

from tenuto import Reply, Session, SessionState, SessionStatus
from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidInput, LeaseLost
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import ScriptError
from tenuto.testing.mock_session import MockSession
from tests.unit.host.hosting import hosting

pytestmark = pytest.mark.virtual

IDLE, LISTENING = SessionStatus.IDLE, SessionStatus.LISTENING
PROCESSING, SPEAKING, ERROR = SessionStatus.PROCESSING, SessionStatus.SPEAKING, SessionStatus.ERROR


class Screen:
    """Keeps everything that a session tells whoever listens."""

    def __init__(self, session: MockSession) -> None:
        self.session = session
        self.states: list[SessionState] = []
        self.events: list[e.Event] = []
        session.events.on("*", self.events.append)
        self.task = asyncio.create_task(self.watch(aiter(session.state)))

    async def watch(self, changes: Any) -> None:
        async for state in changes:
            self.states.append(state)

    async def shown(self) -> list[SessionStatus]:
        """What was shown, when the session is closed."""
        await self.session.close()
        await self.task
        return [state.state for state in self.states]


def verbs(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("_") and callable(value)
    }


def test_its_verbs_are_a_sessions_verbs_with_the_same_signatures() -> None:
    mine = {name for name in verbs(MockSession) if not name.startswith("simulate_")}
    assert mine >= {"start_listening", "stop_listening", "send_message", "pause", "resume", "close"}
    assert mine <= verbs(Session).keys()
    for name in sorted(mine):
        mocked, real = getattr(MockSession, name), getattr(Session, name)
        assert inspect.signature(mocked) == inspect.signature(real), name
        assert inspect.iscoroutinefunction(mocked) is inspect.iscoroutinefunction(real), name
    for name in ("session_id", "user_id", "is_active", "status"):
        assert isinstance(vars(MockSession)[name], property)
        assert isinstance(vars(Session)[name], property)


async def test_its_streams_are_those_of_a_session() -> None:
    async with hosting() as tenuto:
        real, mock = await tenuto.create_session(), MockSession()
        assert type(mock.state) is type(real.state)
        assert type(mock.events) is type(real.events)
        assert type(mock.state.value) is type(real.state.value) is SessionState


async def test_every_state_that_is_simulated_is_told_exactly_once() -> None:
    session = MockSession(clock=VirtualClock())
    screen = Screen(session)
    for simulate in ("listening", "processing", "speaking", "idle", "listening", "listening"):
        await asyncio.sleep(1)
        getattr(session, f"simulate_{simulate}")()
    session.simulate_error("engine_lost")
    assert await screen.shown() == [
        *(IDLE, LISTENING, PROCESSING, SPEAKING, IDLE, LISTENING, LISTENING),
        *(ERROR, IDLE),
    ]
    listening, speaking = screen.states[1], screen.states[3]
    assert (listening.is_listening, listening.is_speaking) == (True, False)
    assert (speaking.is_listening, speaking.is_speaking) == (False, True)
    assert speaking.last_activity - listening.last_activity == pytest.approx(2)


async def test_the_state_has_a_current_value() -> None:
    session = MockSession(clock=(clock := VirtualClock()))
    assert (session.state.value.state, session.status) == (IDLE, IDLE)
    await asyncio.sleep(60)
    session.simulate_listening()
    value = session.state.value
    assert (value.is_listening, value.last_activity) == (True, clock.now())
    # Whoever comes later is told of it first.
    assert (await anext(aiter(session.state))).state is LISTENING


async def test_messages_and_errors_are_events_of_a_session() -> None:
    session = MockSession(clock=VirtualClock())
    heard: list[str] = []
    session.events.on("message.added", lambda event: heard.append(event.text))
    screen = Screen(session)
    session.simulate_message("Hello!")
    session.simulate_message("Hi.", role="user")
    session.simulate_error("engine_lost", "The engine went away.")
    assert heard == ["Hello!", "Hi."]
    hello, hi, error = screen.events
    assert isinstance(hello, e.MessageAdded) and isinstance(hi, e.MessageAdded)
    assert [(m.message, m.role, m.reply) for m in (hello, hi)] == [(1, "agent", 1), (2, "user", 0)]
    assert isinstance(error, e.ErrorRaised)
    assert (error.code, error.message) == ("engine_lost", "The engine went away.")
    assert session.state.value.position == 3
    await screen.shown()


async def test_a_message_is_answered_as_scripted() -> None:
    session = MockSession({"Hi": "Hello."}, delay=2.0, clock=VirtualClock())
    screen = Screen(session)
    asking = asyncio.create_task(session.send_message("Hi", user="bob"))
    await asyncio.sleep(1)
    assert session.status is PROCESSING
    reply = await asking
    assert isinstance(reply, Reply)
    assert (reply.text, reply.turn) == ("Hello.", 1)
    assert reply.seconds == pytest.approx(2.0)
    with pytest.raises(ScriptError, match="'Bye' came"):
        await session.send_message("Bye")
    assert await screen.shown() == [IDLE, PROCESSING, SPEAKING, IDLE]
    assert [(m.role, m.text, m.user) for m in screen.events if isinstance(m, e.MessageAdded)] == [
        ("user", "Hi", "bob"),
        ("agent", "Hello.", ""),
    ]
    assert session.calls == ["send_message Hi", "send_message Bye", "close"]


async def test_without_a_script_everything_is_answered() -> None:
    session = MockSession()
    assert (await session.send_message("Hi")).text == "You said: Hi"
    for wrong in ("", " ", "x" * 10_001):
        with pytest.raises(InvalidInput):
            await session.send_message(wrong)


async def test_listening_goes_on_after_a_reply_and_after_a_pause() -> None:
    session = MockSession()
    screen = Screen(session)
    await session.start_listening()
    await session.start_listening()
    await session.send_message("Hi")
    await session.pause()
    await session.pause()
    for refused in (session.start_listening(), session.send_message("Hi")):
        with pytest.raises(IllegalEvent, match="paused"):
            await refused
    await session.resume()
    await session.resume()
    await session.stop_listening()
    assert await screen.shown() == [
        *(IDLE, LISTENING, PROCESSING, SPEAKING, LISTENING),
        *(IDLE, LISTENING, IDLE),
    ]
    kinds = [type(event) for event in screen.events]
    assert kinds == [e.MessageAdded, e.MessageAdded, e.SessionPaused, e.SessionResumed]


async def test_a_verb_fails_once_as_it_is_told() -> None:
    session = MockSession()
    session.failures["start_listening"] = OSError("no microphone")
    with pytest.raises(OSError, match="no microphone"):
        await session.start_listening()
    assert session.status is IDLE
    await session.start_listening()
    assert session.status is LISTENING


async def test_after_its_end_it_does_nothing() -> None:
    async with MockSession(session_id="s", user_id="u", delay=1) as session:
        assert (session.session_id, session.user_id, session.is_active) == ("s", "u", True)
        asking = asyncio.create_task(session.send_message("Hi"))
        await asyncio.sleep(0.5)
    with pytest.raises(IllegalEvent, match="was closed"):
        await asking
    assert (session.is_active, session.status) == (False, IDLE)
    await session.close()
    for verb in (session.start_listening, session.stop_listening):
        with pytest.raises(LeaseLost):
            await verb()
    for call in (
        session.pause,
        session.resume,
        session.simulate_listening,
        lambda: session.simulate_message("Hi"),
        lambda: session.simulate_error("error"),
    ):
        with pytest.raises(LeaseLost):
            call()
    with pytest.raises(LeaseLost):
        await session.send_message("Hi")


# ----------------------------------------------------------------------------------------------------------- the tester
