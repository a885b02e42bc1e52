"""What a share shows of a session: an allow-list. What is not named here is not shown.

`SHOWN` names the fields of each event that a viewer sees; all others have their default, or are empty. An event that is not
shown leaves `event.withheld` in its place, which says nothing but that something happened: positions stay without gaps, so
that a viewer who comes back knows where it was. Not shown are the settings, their instructions and the template's context,
client ids, tokens and their hashes, the host, the engine and what it costs, what was learned of the user, and other shares.

Of the text of the conversations nothing is left out but the application's own words to the agent (role `system`): whoever
may read hears what is said, also where it is about something sensitive. Notes are seen by everybody who may read.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.session import ports, summary
from tenuto.session.desk import Desk

if TYPE_CHECKING:
    from tenuto.session.resume import View

WITHHELD = "event.withheld"
"""Stands where an event was that is not shown. It is never in a journal."""

SHOWN: dict[type[e.Event], tuple[str, ...]] = {
    e.SessionPaused: (),
    e.SessionResumed: (),
    e.SessionParked: (),
    e.SessionEnded: ("reason",),
    e.AttachmentAttached: ("attachment", "role", "voice"),
    e.AttachmentDetached: ("attachment", "reason"),
    e.ConversationStarted: ("conversation", "parent", "fork"),
    e.ConversationResumed: ("conversation",),
    e.ConversationEnded: ("conversation", "reason"),
    e.ConversationSummarized: ("conversation", "upto", "text"),
    e.SpeechStarted: ("turn",),
    e.SpeechEnded: ("turn", "reason"),
    e.MessageAdded: (
        "message",
        "role",
        "text",
        "turn",
        "conversation",
        "reply",
        "said",
        "by",
        "cites",
        "user",
    ),
    e.ReplyStarted: ("reply", "turn", "conversation", "aloud", "alarm"),
    e.ReplySegment: ("reply", "index", "text", "last", "cites"),
    e.ReplyEnded: ("reply", "heard"),
    e.ReplyCut: ("reply", "reason", "heard"),
    e.PlaybackMarked: ("reply", "heard"),
    e.MemoryAdded: (
        "memory",
        "content",
        "key",
        "value",
        "turn",
        "category",
        "importance",
        "expires",
        "sensitive",
        "conversation",
        "replaces",
    ),
    e.MemoryRemoved: ("memory", "reason"),
    e.MemoryCleared: ("memories", "reason"),
    e.NoteAdded: ("note", "text", "user"),
    e.AlarmSet: ("alarm", "due", "text", "turn"),
    e.AlarmRang: ("alarm",),
    e.AlarmCancelled: ("alarm",),
    e.ErrorRaised: ("code", "message"),
}
"""The events that a viewer sees, each with the fields of it; `at` always is."""

HIDDEN: frozenset[type[e.Event]] = frozenset(
    {
        e.SessionCreated,
        e.SessionRestored,
        e.AttachmentRevoked,
        e.ConversationExtracted,
        e.EngineReady,
        e.EngineLost,
        e.UsageRecorded,
        e.ConfigChanged,
        e.ConfigApplied,
        e.PreferenceLearned,
        e.PreferenceSet,
        e.ProfileApplied,
        e.MetricTracked,
        e.MilestoneReached,
        e.ShareCreated,
        e.ShareRevoked,
        e.ShareAccessed,
        e.Unknown,
    }
)
"""The events that a viewer does not see. Those of later versions are not shown either."""

TOLD = frozenset({"partial", "status"})
"""What a viewer is told of what is not journaled."""

_decoders = {e.TAGS[kind]: msgspec.json.Decoder(kind) for kind in SHOWN}
_encode = msgspec.json.Encoder().encode
_empty = {
    kind: {
        field.name: ""
        for field in msgspec.structs.fields(kind)
        if field.required and field.name not in (*names, "at")
    }
    for kind, names in SHOWN.items()
}
"""The fields that are not shown and have no default: they are texts."""


class Lens:
    """One share, as what a viewer looks through.

    Args:
        desk: The session.
        share: The number of the share.
    """

    def __init__(self, desk: Desk, share: int) -> None:
        self._desk, self.share = desk, share

    def allows(self, permission: str) -> bool:
        """Whether the share is open at this moment and allows something."""
        share = self._desk.state.shares.known.get(self.share)
        now = self._desk.now()
        return share is not None and share.is_open(now) and permission in share.permissions

    def event(self, event: e.Event) -> e.Event | None:
        """Return an event as it is shown; None when it is not."""
        kind = type(event)
        names = SHOWN.get(kind)
        if names is None or not self.allows("read"):
            return None
        if isinstance(event, e.MemoryAdded) and event.sensitive:
            if not self.allows("read_sensitive"):
                return None
        if isinstance(event, e.MessageAdded) and event.role == "system":
            return None
        shown = kind(at=event.at, **{name: getattr(event, name) for name in names}, **_empty[kind])
        if isinstance(shown, e.ConversationSummarized):
            shown = msgspec.structs.replace(shown, text=summary.without_system(shown.text))
        return shown

    def row(self, row: ports.Row) -> ports.Row:
        """Return a row of the journal as it is shown: of the same position, and perhaps withheld."""
        decoder = _decoders.get(row.type)
        shown = self.event(decoder.decode(row.body)) if decoder is not None else None
        if shown is None:
            at = msgspec.json.decode(row.body, type=_Moment).at
            return ports.Row(row.position, WITHHELD, _encode({"type": WITHHELD, "at": at}))
        return ports.Row(row.position, row.type, _encode(shown))

    def messages(self, messages: Sequence[ports.Message]) -> list[ports.Message]:
        """Return the messages that are shown."""
        return [m for m in messages if m.role != "system"] if self.allows("read") else []

    def memories(self, memories: Sequence[ports.Memory]) -> list[ports.Memory]:
        """Return the memories that are shown."""
        if not self.allows("read"):
            return []
        sensitive = self.allows("read_sensitive")
        return [memory for memory in memories if sensitive or not memory.sensitive]

    def view(self, view: "View") -> "View":
        """Return a view of the session as it is shown."""
        return msgspec.structs.replace(
            view,
            messages=self.messages(view.messages),
            memories=self.memories(view.memories),
        )


class Viewer:
    """A `Listener` that passes on to another one what a share shows, and nothing once the share is over."""

    def __init__(self, listener: ports.Listener, lens: Lens) -> None:
        self._listener, self._lens = listener, lens

    def event(self, row: ports.Row) -> None:
        self._listener.event(self._lens.row(row))

    def audio(self, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> None:
        if self._lens.allows("read"):
            self._listener.audio(reply, offset, pcm)

    def hush(self, reply: int) -> None:
        self._listener.hush(reply)

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        if kind in TOLD and self._lens.allows("read"):
            self._listener.tell(kind, body)

    def closed(self, reason: str) -> None:
        self._listener.closed(reason)


class _Moment(msgspec.Struct):
    at: float
