"""The messages that contexts want and the state does not keep: read once from the store, then kept up to date.

What is kept are the newest messages of one line of conversations, or of all that a context may tell. It is read when a
context wants it for the first time; after that every message that is added is noted, so that nothing is read twice.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from tenuto import events as e
from tenuto.session import context, history, ports
from tenuto.text import tokens

MOST = 10_000
"""Messages that are read for a context, whosesoever they are, and that are kept. Older ones are not told."""
PAGE = 1_000
"""Messages that are read at a time."""

Read = Callable[[int | None, int], Awaitable[Sequence[tuple[int, e.Event]]]]
"""From a position and a limit to `message.added` events before that position, with theirs, the newest first."""


class Past:
    """The newest messages that a context may want.

    Args:
        read: Reads them.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._of: ports.Older | None = None
        """What was read for; None when nothing was."""
        self._is_all = False
        """Whether there is nothing older, or nothing older that would be read."""
        self._messages: list[ports.Message] = []
        self._late: list[e.MessageAdded] = []
        """What was added while something is read."""
        self._reading = 0

    def note(self, event: e.MessageAdded) -> None:
        """A message was added."""
        if self._reading:
            self._late.append(event)
        if self._of is not None and _is_wanted(self._of, event):
            if len(self._messages) == MOST:
                self._is_all = True
                del self._messages[0]
            self._messages.append(history.message(event))

    def covers(self, older: ports.Older | None) -> bool:
        """Whether all that is wanted is here."""
        if older is None:
            return True
        if self._of is None or _who(self._of) != _who(older):
            return False
        return self._is_all or _suffices(older, reversed(self._messages))

    async def read(self, older: ports.Older | None) -> None:
        """Read what is wanted, unless it is here.

        Raises:
            StoreError: The store does not answer. What was there before stays.
        """
        if older is None or self.covers(older):
            return
        self._reading += 1
        try:
            found, is_all = await self._read_back(older)
        finally:
            self._reading -= 1
            late, self._late = self._late, self._late if self._reading else []
        newest = found[-1].message if found else 0
        found += [
            history.message(event)
            for event in late
            if event.message > newest and _is_wanted(older, event)
        ]
        self._of, self._is_all = older, is_all
        self._messages = found[-MOST:]

    async def _read_back(self, older: ports.Older) -> tuple[list[ports.Message], bool]:
        """Return the newest messages that are wanted, oldest first, and whether there are no others."""
        found: list[ports.Message] = []
        position: int | None = None
        for _ in range(MOST // PAGE):
            page = await self._read(position, PAGE)
            for _, event in page:
                if isinstance(event, e.MessageAdded) and _is_wanted(older, event):
                    found.append(history.message(event))
            if len(page) < PAGE:
                return found[::-1], True
            if _suffices(older, found):
                return found[::-1], False
            position = page[-1][0]
        return found[::-1], True

    def complete(self, wanted: ports.Context) -> ports.Context:
        """Return a context with what is here of the messages that it lacks."""
        older = wanted.older
        if older is None:
            return wanted
        is_mine = self._of is not None and _who(self._of) == _who(older)
        return context.complete(wanted, self._messages if is_mine else [])


def _who(older: ports.Older) -> tuple[object, ...]:
    return tuple(older.line), older.earlier, tuple(older.apart)


def _is_wanted(older: ports.Older, message: e.MessageAdded | ports.Message) -> bool:
    for name, upto in older.line:
        if name == message.conversation:
            return not upto or message.message <= upto
    return older.earlier and message.conversation not in older.apart


def _suffices(older: ports.Older, newest_first: Iterable[ports.Message]) -> bool:
    """Whether there are enough messages of the line before the ones that the state keeps."""
    line = {name for name, _ in older.line}
    count, cost = 0, 0
    for message in newest_first:
        if message.message < older.before and message.conversation in line:
            count += 1
            if older.count is not None and count >= older.count:
                return True
            if older.tokens is not None:
                cost += tokens.count(message.text)
                if cost > older.tokens:
                    return True
    return False
