"""The commands that nobody has answered yet, in order. Pure.

A command is kept until its answer is there, and sent again on each new connection: the server answers one that is in its
journal already without running it again. They are sent no faster than a server takes them.
"""

from collections.abc import Iterator

from tenuto.errors import TooMuch
from tenuto.wire.native import MAX_COMMANDS, Command, Do

BURST = 40
"""Commands that are sent at once on a connection; servers take 50."""
RATE = 8.0
"""Commands a second after that; servers take 10."""


class Outbox:
    """Numbers commands, keeps them until they are answered, and paces them."""

    def __init__(self) -> None:
        self._last = 0
        self._kept: dict[int, Command] = {}
        self._unsent: list[int] = []
        self._credit = float(BURST)
        self._then = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def waits(self) -> bool:
        """Whether something is not yet sent on this connection."""
        return bool(self._unsent)

    def add(self, do: Do) -> int:
        """Keep a command and return its number.

        Raises:
            TooMuch: `MAX_COMMANDS` are unanswered.
        """
        if len(self._kept) >= MAX_COMMANDS:
            raise TooMuch(f"{MAX_COMMANDS} commands are unanswered. Wait for some of them.")
        self._last += 1
        self._kept[self._last] = Command(number=self._last, do=do)
        self._unsent.append(self._last)
        return self._last

    def answered(self, number: int) -> bool:
        """Forget a command. Returns whether it was waited for."""
        return self._kept.pop(number, None) is not None

    def begin(self, durable: int, now: float) -> None:
        """A new connection: everything that is unanswered is sent again, in order.

        Args:
            durable: The last command of this client that the server has in its journal.
            now: Seconds of a clock that does not jump.
        """
        # A program that came back under its old id goes on where it was.
        if not self._kept:
            self._last = max(self._last, durable)
        self._unsent = list(self._kept)
        self._credit, self._then = float(BURST), now

    def take(self, now: float) -> Iterator[Command]:
        """Give the commands to send now."""
        self._credit = min(float(BURST), self._credit + (now - self._then) * RATE)
        self._then = now
        while self._unsent and self._credit >= 1.0:
            number = self._unsent.pop(0)
            if number in self._kept:
                self._credit -= 1.0
                yield self._kept[number]

    def due(self) -> float:
        """Return when the next one can be sent, if `waits`."""
        return self._then + max(0.0, 1.0 - self._credit) / RATE + 1e-6

    def numbers(self) -> list[int]:
        """Return the commands that are unanswered, in order."""
        return list(self._kept)
