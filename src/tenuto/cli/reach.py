"""How the commands reach sessions: here, in a store that this process opens, or there, through a running server.

Both are the same to a command: `Sessions`. A session that a running server owns can be read here, but not spoken with:
that is `SessionLocked`, and the way is to go through the server.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tenuto.settings import TenutoConfig

if TYPE_CHECKING:
    from tenuto.session.analytics_part import Report
    from tenuto.session.ports import Message


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session in a list."""

    session: str
    user: str
    created: float
    updated: float
    position: int
    ended: bool
    life: str
    """`live` (a host has it), `parked` or `ended`."""
    owner: str = ""
    """The host that has it now, as far as the store is looked into; empty when none does."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a session's messages, oldest first."""

    messages: "Sequence[Message]"
    next: int | None
    """Where the page before begins; None when there is none."""


class Entry(msgspec.Struct, frozen=True):
    """One event of a journal."""

    position: int
    body: bytes
    """The event, as the journal has it: JSON."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent said to a message."""

    text: str
    heard: str
    seconds: float
    """From the message to the whole answer."""


class Dialogue(Protocol):
    """A conversation in writing."""

    @property
    def session(self) -> str: ...

    async def say(self, text: str) -> Answer:
        """Send a message and wait for the whole answer."""
        ...


class Sessions(Protocol):
    """The sessions that can be reached."""

    async def summaries(self, limit: int) -> Sequence[Summary]:
        """Return the sessions that were last active, the latest first."""
        ...

    async def summary(self, session: str) -> Summary:
        """Return one session.

        Raises:
            SessionNotFound: There is none of that id.
        """
        ...

    async def transcript(self, session: str, before: int | None, limit: int) -> Transcript:
        """Return a page of messages.

        Raises:
            SessionNotFound: There is none of that id.
        """
        ...

    def watch(self, session: str, after: int) -> AsyncIterator[Entry]:
        """Give every event after a position, then each one as it comes, until the session ends."""
        ...

    async def analytics(self, session: str) -> "Report":
        """Return what was counted of a session.

        Raises:
            SessionNotFound: There is none of that id.
        """
        ...

    async def end(self, session: str) -> None:
        """End a session. Its history stays."""
        ...

    async def forget(self, session: str) -> None:
        """Erase a session and all that was said in it."""
        ...

    async def configure(self, session: str, changes: Mapping[str, Any]) -> int:
        """Change settings of a session, by name. Returns the version of the settings.

        Raises:
            InvalidConfig: A name is unknown or a value is wrong. Nothing has changed.
            SessionLocked: Another process has the session.
        """
        ...

    async def take_over(
        self,
        source: AsyncIterator[bytes],
        users: Mapping[str, str],
        name: str | None,
        kind: str,
    ) -> Sequence[str]:
        """Import sessions and return their ids; see `Tenuto.import_sessions`."""
        ...

    def dialogue(
        self, session: str | None, user: str | None
    ) -> AbstractAsyncContextManager[Dialogue]:
        """Open a conversation in writing, in a session that there is or in a new one.

        Raises:
            SessionLocked: Another process has the session.
        """
        ...


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command was told to look."""

    config: TenutoConfig
    server: str | None = None
    """URL of a server; None for the store of `config`."""
    key: str | None = None
    """The server's API key."""


Reach = Callable[[Where], AbstractAsyncContextManager[Sessions]]


def reach(where: Where) -> AbstractAsyncContextManager[Sessions]:
    """Open the way to the sessions."""
    if where.server:
        from tenuto.cli.there import through

        return through(where.server, where.key or "")
    from tenuto.cli.here import inside

    return inside(where.config)
