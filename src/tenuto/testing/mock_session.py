"""A session for the tests of what is built on sessions: it is in the state that the test says, and answers as it is told.

`MockSession` has the verbs of a `Session` that a screen needs, with the same signatures, and the very same streams: what
listens to it cannot tell the difference. There is no host, no store and no engine behind it, and nothing is journaled.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast

from tenuto import events as e
from tenuto.clock import Clock, SystemClock
from tenuto.errors import IllegalEvent, InvalidInput, LeaseLost
from tenuto.session import ports
from tenuto.session.answers import Reply
from tenuto.session.desk import Desk, Receipt
from tenuto.session.driver import Driver
from tenuto.session.fold import State
from tenuto.session.state import Status
from tenuto.session.streams import Events, StateStream
from tenuto.stores import rows
from tenuto.testing.engine import ScriptError


class MockSession:
    """A session that does what the test says.

    Args:
        replies: What is answered to which message. A message that is not in it fails with `ScriptError`. When None,
            every message is answered with `You said: ...`.
        delay: Seconds until a message is answered; meanwhile it is being processed.
        session_id: Its id.
        user_id: Whose it is.
        clock: What dates its states and events.

    Example:
        >>> session = MockSession({"What time is it?": "Noon."})  # doctest: +SKIP
        >>> screen = Screen(session)  # doctest: +SKIP
        >>> session.simulate_listening()  # doctest: +SKIP
        >>> assert screen.text == "Listening..."  # doctest: +SKIP
    """

    def __init__(
        self,
        replies: Mapping[str, str] | None = None,
        *,
        delay: float = 0.0,
        session_id: str = "mock-session",
        user_id: str = "local",
        clock: Clock | None = None,
    ) -> None:
        self.calls: list[str] = []
        """The verbs that were called, oldest first; `send_message` with its text."""
        self.failures: dict[str, Exception] = {}
        """What the next call of a verb raises, by the verb's name. It is raised once."""
        self._replies, self._delay = replies, delay
        self._session_id, self._user_id = session_id, user_id
        self._stage = _Stage(clock or SystemClock())
        self._listens = self._paused = self._closed = False
        self._turns = self._messages = 0
        self.events = Events(cast(Driver, self._stage))
        """What happens to it, as `Session.events`."""
        self.state = StateStream(cast(Driver, self._stage))
        """Its state, with a current value, as `Session.state`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def session_id(self) -> str:
        """Its id."""
        return self._session_id

    @property
    def user_id(self) -> str:
        """Whose it is."""
        return self._user_id

    @property
    def is_active(self) -> bool:
        """Whether it is not closed."""
        return not self._closed

    @property
    def status(self) -> Status:
        """What its state is now."""
        return self._stage.status

    # --------------------------------------------------------------------------------------------------- as a Session

    async def start_listening(self, rate: int = 16_000) -> None:
        """Listen: its state becomes `listening`.

        Args:
            rate: Samples a second, in Hz. Nobody listens.

        Raises:
            IllegalEvent: It is paused.
            LeaseLost: It is closed.
        """
        self._called("start_listening")
        self._awake()
        self._listens = True
        self._become(Status.LISTENING)

    async def stop_listening(self) -> None:
        """Listen no more: its state becomes `idle`.

        Raises:
            LeaseLost: It is closed.
        """
        self._called("stop_listening")
        self._listens = False
        self._become(Status.IDLE)

    async def send_message(self, text: str, *, user: str = "") -> Reply:
        """Say something in writing, and return what was scripted.

        Args:
            text: What is said, 1 to 10,000 characters.
            user: Who says it, when it is not the session's own user.

        Raises:
            ScriptError: There is no reply to that.
            InvalidInput: The text is empty or too long.
            IllegalEvent: It is paused, or is closed before it has answered.
            LeaseLost: It is closed.
        """
        self._called("send_message", text)
        if not 1 <= len(text.strip()) <= 10_000:
            raise InvalidInput("A message has 1 to 10,000 characters.")
        self._awake()
        answer = f"You said: {text}" if self._replies is None else self._replies.get(text)
        if answer is None:
            raise ScriptError(f"{text!r} came, to which there is no reply")
        begun = self._stage.clock.now()
        turn = self._turns = self._turns + 1
        self._say("user", text, turn, user=user)
        self._become(Status.PROCESSING)
        await asyncio.sleep(self._delay)
        if self._closed:
            raise IllegalEvent("The session was closed.")
        self._become(Status.SPEAKING)
        self._say("agent", answer, turn)
        self._become(self._at_rest())
        seconds = self._stage.clock.now() - begun
        return Reply(
            text=answer, heard=answer, turn=turn, reply=turn, first_seconds=seconds, seconds=seconds
        )

    def pause(self) -> Receipt[None]:
        """Do nothing any more, until `resume`. Twice is once.

        Raises:
            LeaseLost: It is closed.
        """
        self._called("pause")
        if not self._paused:
            self._paused = True
            self._tell(e.SessionPaused(at=self._stage.clock.now()))
            self._become(Status.IDLE)
        return Receipt(cast(Desk, self._stage), None)

    def resume(self) -> Receipt[None]:
        """Go on after a pause, listening if it was.

        Raises:
            LeaseLost: It is closed.
        """
        self._called("resume")
        if self._paused:
            self._paused = False
            self._tell(e.SessionResumed(at=self._stage.clock.now()))
            self._become(self._at_rest())
        return Receipt(cast(Desk, self._stage), None)

    async def close(self) -> None:
        """Let go of it: its streams end. Twice is once."""
        if self._closed:
            return
        self._called("close")
        self._become(Status.IDLE)
        self._closed = True
        self.events.end()
        self.state.end()

    # ------------------------------------------------------------------------------------------- what the test has it do

    def simulate_idle(self) -> None:
        """Show `idle`. As with every state that is simulated, whoever listens is told once."""
        self._show(Status.IDLE)

    def simulate_listening(self) -> None:
        """Show `listening`."""
        self._show(Status.LISTENING)

    def simulate_processing(self) -> None:
        """Show `processing`."""
        self._show(Status.PROCESSING)

    def simulate_speaking(self) -> None:
        """Show `speaking`."""
        self._show(Status.SPEAKING)

    def simulate_message(self, text: str, role: e.Role = "agent") -> None:
        """Have a message be added, by the agent unless another `role` is given, with that text.

        Example:
            >>> session.simulate_message("Hello!")  # doctest: +SKIP
        """
        self._turns += 1
        self._say(role, text, self._turns)

    def simulate_error(self, code: str, message: str = "Simulated.") -> None:
        """Have something go wrong: an event `error.raised`, and the state `error`.

        Args:
            code: The error's code, such as `engine_lost`.
            message: What the event says.
        """
        self._tell(e.ErrorRaised(at=self._stage.clock.now(), code=code, message=message))
        self._show(Status.ERROR)

    # ---------------------------------------------------------------------------------------------------------- inside

    def _called(self, verb: str, *words: str) -> None:
        self.calls.append(" ".join((verb, *words)))
        if self._closed:
            raise LeaseLost("The session was unloaded from this host. Load it again.")
        if verb in self.failures:
            raise self.failures.pop(verb)

    def _awake(self) -> None:
        if self._paused:
            raise IllegalEvent("The session is paused. Resume it first.")

    def _at_rest(self) -> Status:
        return Status.LISTENING if self._listens and not self._paused else Status.IDLE

    def _become(self, status: Status) -> None:
        if status is not self._stage.status:
            self._show(status)

    def _show(self, status: Status) -> None:
        if self._closed:
            raise LeaseLost("The session was closed: it has no state any more.")
        self._stage.show(status)

    def _say(self, role: e.Role, text: str, turn: int, *, user: str = "") -> None:
        self._messages += 1
        self._tell(
            e.MessageAdded(
                at=self._stage.clock.now(),
                message=self._messages,
                role=role,
                text=text,
                turn=turn,
                conversation="c1",
                reply=turn if role == "agent" else 0,
                user=user,
            )
        )

    def _tell(self, event: e.Event) -> None:
        if self._closed:
            raise LeaseLost("The session was closed: nothing happens to it any more.")
        self._stage.tell(event)


class _Stage:
    """As much of a driver and of a desk as the streams and the receipts need."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.status = Status.IDLE
        self.state = State(updated=clock.now(), conversation="c1")
        self.watchers: list[Callable[[ports.Row, e.Event], None]] = []
        self.watch_status: list[Callable[[Status], None]] = []

    @property
    def core(self) -> Any:
        return self

    def show(self, status: Status) -> None:
        self.status = status
        self.state.updated = self.clock.now()
        for watcher in self.watch_status:
            watcher(status)

    def tell(self, event: e.Event) -> None:
        self.state.position += 1
        self.state.updated = event.at
        row = rows.to_row(self.state.position, event)
        for watcher in self.watchers:
            watcher(row, event)

    async def commit(self) -> int:
        return self.state.position
