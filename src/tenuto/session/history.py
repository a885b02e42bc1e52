"""The transcript: messages in the order of the journal, folded from `message.added`."""

from collections.abc import Iterable

import msgspec

from tenuto import events as e
from tenuto.session.ports import Message

TYPES = (e.TAGS[e.MessageAdded],)
"""The only rows that a page of history has to read."""


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some messages of a session, oldest first."""

    messages: list[Message]
    next: int | None
    """Give it as `before` to get the page of older messages; None when there is none."""


def message(event: e.MessageAdded) -> Message:
    """Return the message that an event added."""
    return Message(
        message=event.message,
        role=event.role,
        text=event.text,
        turn=event.turn,
        conversation=event.conversation,
        at=event.at,
        said=event.said,
        by=event.by,
        cites=event.cites,
    )


def page(newest_first: Iterable[tuple[int, e.Event]], limit: int) -> HistoryPage:
    """Return a page from up to `limit` + 1 journal entries, the newest first: the one too many says that there is more."""
    entries = [
        (position, event) for position, event in newest_first if isinstance(event, e.MessageAdded)
    ]
    messages = [message(event) for _, event in entries[:limit]][::-1]
    return HistoryPage(
        messages=messages, next=entries[limit - 1][0] if len(entries) > limit else None
    )
