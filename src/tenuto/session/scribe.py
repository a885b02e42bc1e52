"""What all subjects of a core share: the state, the time, who is there, and the one way to write.

An event is in the state as soon as it is written. It is not durable yet: the core hands it to the driver with the effects
that wait for its commit.
"""

from collections.abc import Iterable, Sequence

from tenuto import events as e
from tenuto.session import config, effects, ports
from tenuto.session.config import SessionConfig
from tenuto.session.fold import State, apply


class Scribe:
    """Writes what a core decides.

    Args:
        state: The fold that it goes on from.
        capabilities: What the session's engine can do.
        reader: Finds personal data and traits in what the user says.
    """

    def __init__(
        self, state: State, capabilities: ports.Capabilities, reader: ports.Reader
    ) -> None:
        self.state, self.capabilities, self.reader = state, capabilities, reader
        self.at = 0.0
        """When the stimulus came that is being taken, in seconds since 1970-01-01 UTC."""
        self.listening = False
        """Whether the program that holds the session has a microphone open."""
        self.elsewhere: Sequence[ports.Memory] = ()
        """What the user's other sessions know; kept up to date by the host."""
        self.extracts = False
        """Whether the host has facts found in conversations that have ended."""
        self.events: list[e.Event] = []
        """What happened, and was not taken yet."""
        self.durable: list[effects.Durable] = []
        """What is wanted after the commit of `events`, and was not taken yet."""
        self.reflexes: list[effects.Reflex] = []
        """What is wanted at once, and was not taken yet."""
        self._config: tuple[tuple[int, str], SessionConfig] | None = None

    @property
    def config(self) -> SessionConfig:
        """The settings that hold now."""
        version = (self.state.config_version, self.state.conversation)
        if self._config is None or self._config[0] != version:
            self._config = (version, config.effective(self.state))
        return self._config[1]

    @property
    def voice(self) -> bool:
        """Whether the controller is spoken to."""
        here = self.state.here.get(self.state.controller)
        return here is not None and here.voice

    @property
    def talks(self) -> bool:
        """Whether somebody is there who is spoken to or listened to."""
        return self.listening or self.voice

    def emit(self, event: e.Event) -> None:
        """Have an event happen.

        Raises:
            IllegalEvent: It cannot happen now. The state is unchanged.
        """
        apply(self.state, event)
        self.events.append(event)

    def emit_all(self, events: Iterable[e.Event]) -> None:
        """Have one event after the other happen."""
        for event in events:
            self.emit(event)

    def later(self, effect: effects.Durable) -> None:
        """Want this after the commit of what was written so far."""
        self.durable.append(effect)

    def at_once(self, effect: effects.Reflex) -> None:
        """Want this now, before any commit."""
        self.reflexes.append(effect)
