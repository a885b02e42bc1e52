"""The conversations and what was said in them: the fold over `conversation.*` and `message.added`.

Of each conversation a few numbers are kept, and what was said in it in short; of the messages a window, over conversations.
A conversation in which facts are to be looked for waits in `State.to_read`, from its end until the journal says that it was
read (`conversation.extracted`): so whichever host has the session next reads it, and nobody reads it twice.
"""

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.errors import ConversationExists, ConversationNotFound, IllegalEvent
from tenuto.session import history, memory, summary
from tenuto.session.turn_fold import need_quiet

if TYPE_CHECKING:
    from tenuto.session.fold import State

WINDOW = 50
"""Messages that the state keeps."""
SUMMARIES = 100
"""Conversations that are remembered with a whole summary: those that were used last. Of the others a few words are kept."""
KEYS = 256
"""Keys of injected messages that the state remembers; the oldest go first."""
TO_READ = 100
"""Conversations that wait until facts are found in them; of more the oldest are not read."""
READING = 120.0
"""Seconds that the host which has the session has for that, before any host has to load the session for it. Each time that
this was in vain the next host has four times as long."""
WAKES = 5
"""How often a session is loaded for that in vain. After that it is read when somebody loads the session anyway."""


class Conversation(msgspec.Struct):
    number: int = 0
    """1, 2, 3 ... in the order in which they were started."""
    parent: str = ""
    """The conversation that it branches from; empty when it is no branch."""
    messages: int = 0
    """How many it has of its own."""
    ended: bool = False
    fork: int = 0
    """The last message of the parent's line that it knows."""
    first: int = 0
    """Its first message; 0 when it has none."""
    last: int = 0
    """Its last message; 0 when it has none."""
    started: float = 0.0
    """When it was started, in seconds since 1970-01-01 UTC."""
    closed: float = 0.0
    """When it ended last, in seconds since 1970-01-01 UTC; 0 when it never has."""
    config: dict[str, Any] = {}
    """Settings that hold while it is open."""
    summary: str = ""
    """What was said in it up to `summary_upto`, in short."""
    summary_upto: int = 0
    """The last message that the summary covers."""
    unsummarized: int = 0
    """Messages after that."""
    inherited: str = ""
    """Of a branch: what was said before the fork, in short. It stays as it was then."""
    extracted: int = 0
    """The last message that facts were looked for in."""


class ToRead(msgspec.Struct, kw_only=True):
    """A conversation that ended, and in which no facts were looked for yet."""

    since: float
    """When it may be read, in seconds since 1970-01-01 UTC."""
    tries: int = 0
    """How often that has failed."""
    woken: int = 0
    """How often the session was loaded when it should have been read already."""

    @property
    def wake(self) -> float | None:
        """When a host has to load the session for it; None for never."""
        return self.since + READING * 4**self.woken if self.woken < WAKES else None


def find(state: "State", name: str) -> Conversation:
    """Return a conversation by its id.

    Raises:
        ConversationNotFound: There is none of that id.
    """
    known = state.conversations.get(name)
    if known is None:
        raise ConversationNotFound(f"The session has no conversation {name!r}.")
    return known


def need_new(state: "State", name: str) -> None:
    """Refuse an id that is taken.

    Raises:
        ConversationExists: There is a conversation of that id.
    """
    if name in state.conversations:
        raise ConversationExists(f"The session already has a conversation {name!r}.")


# --------------------------------------------------------------------------------------------------------- open and closed


def check_started(state: "State", event: e.ConversationStarted) -> None:
    """None is open, the name is a new one, and what it branches from is there."""
    _need_none(state)
    need_new(state, event.conversation)
    if event.parent:
        find(state, event.parent)
    if event.fork > state.messages:
        raise IllegalEvent(f"a fork at message {event.fork} of {state.messages}")


def started(state: "State", event: e.ConversationStarted) -> None:
    """A conversation is open. What is known of the line that it branches from is known in it."""
    parent = state.conversations.get(event.parent)
    conversation = Conversation(
        number=len(state.conversations) + 1,
        parent=event.parent,
        fork=event.fork,
        started=event.at,
        config=event.config,
        inherited=_so_far(parent, event.fork) if parent is not None else "",
    )
    _open(state, event.conversation, conversation)


def check_resumed(state: "State", event: e.ConversationResumed) -> None:
    """None is open, and this one is there."""
    _need_none(state)
    find(state, event.conversation)


def resumed(state: "State", event: e.ConversationResumed) -> None:
    """A conversation is open again."""
    known = state.conversations.pop(event.conversation)
    known.ended = False
    _open(state, event.conversation, known)


def check_ended(state: "State", event: e.ConversationEnded) -> None:
    """It is the open one, and nobody says anything in it any more."""
    if not state.conversation or state.conversation != event.conversation:
        raise IllegalEvent("that conversation is not open")
    need_quiet(state)


def ended(state: "State", event: e.ConversationEnded) -> None:
    """No conversation is open, and nothing is owed. Its facts are to be looked for, if that was wished."""
    known = state.conversations[event.conversation]
    known.ended, known.closed = True, event.at
    state.conversation = ""
    state.owed, state.owed_voice = [], False
    if event.extract and known.last > known.extracted:
        state.to_read[event.conversation] = ToRead(since=event.at)
        if len(state.to_read) > TO_READ:
            del state.to_read[next(iter(state.to_read))]


def _need_none(state: "State") -> None:
    if state.conversation:
        raise IllegalEvent("a conversation is open: end it first")


def _so_far(parent: Conversation, fork: int) -> str:
    """Return what was said in a line up to a fork, in short; nothing that was said after it."""
    known = [parent.inherited, parent.summary if parent.summary_upto <= fork else ""]
    return summary.shortened("\n".join(text for text in known if text), summary.MOST)


def _open(state: "State", name: str, conversation: Conversation) -> None:
    state.conversation = name
    state.conversations[name] = conversation
    for old in islice(reversed(state.conversations.values()), SUMMARIES, SUMMARIES + 1):
        old.summary = summary.shortened(old.summary, summary.BRIEF)
        old.inherited = summary.shortened(old.inherited, summary.BRIEF)


# ----------------------------------------------------------------------------------------------------------- what was said


def check_message(state: "State", event: e.MessageAdded) -> None:
    """Messages are numbered in order; one of the user comes when no reply is open."""
    if event.message != state.messages + 1:
        raise IllegalEvent(f"message {event.message} after {state.messages}")
    if event.role == "user" and event.by != "injected" and state.reply is not None:
        raise IllegalEvent("a message of the user while a reply is open: cut it first")
    find(state, event.conversation)


def message(state: "State", event: e.MessageAdded) -> None:
    """Something was said. If the user said it, an answer is owed."""
    state.messages = event.message
    state.turns = max(state.turns, event.turn)
    conversation = state.conversations[event.conversation]
    if not conversation.messages:
        conversation.first = event.message
    conversation.messages += 1
    conversation.unsummarized += 1
    conversation.last = event.message
    if event.key:
        state.keys = [*state.keys, event.key][-KEYS:]
    state.recent.append(history.message(event))
    if len(state.recent) > WINDOW:
        del state.recent[0]
    if event.role == "user" and event.by != "injected":
        state.owed = [*state.owed, event.message][-WINDOW:]
        here = state.here.get(state.controller)
        spoken_to = here is not None and here.voice
        state.owed_voice = state.owed_voice or event.by == "voice" or spoken_to


def check_summarized(state: "State", event: e.ConversationSummarized) -> None:
    """The summary covers as much as the last one, or more of what there is."""
    known = find(state, event.conversation)
    if not known.summary_upto <= event.upto <= known.last:
        raise IllegalEvent(f"a summary up to message {event.upto} of {known.last}")


def summarized(state: "State", event: e.ConversationSummarized) -> None:
    """It is known in short what was said."""
    known = state.conversations[event.conversation]
    known.summary, known.summary_upto, known.unsummarized = event.text, event.upto, 0


# ------------------------------------------------------------------------------------------------------- what is to be read


def check_extracted(state: "State", event: e.ConversationExtracted) -> None:
    """As much as before was read, or more of what there is."""
    known = find(state, event.conversation)
    if not known.extracted <= event.upto <= known.last:
        raise IllegalEvent(f"facts up to message {event.upto} of {known.last}")


def extracted(state: "State", event: e.ConversationExtracted) -> None:
    """Facts were looked for: it waits no more, unless that failed, or it has gone on meanwhile."""
    waited = state.to_read.pop(event.conversation, None)
    known = state.conversations[event.conversation]
    if event.again and waited is not None:
        state.to_read[event.conversation] = ToRead(since=event.again, tries=waited.tries + 1)
        return
    known.extracted = event.upto
    if waited is not None and known.ended and known.last > event.upto:
        # It went on, and ended again, while it was read.
        state.to_read[event.conversation] = ToRead(since=event.at)


def restored(state: "State", event: e.SessionRestored) -> None:
    """What should have been read long ago has waited in vain once more."""
    for name, each in state.to_read.items():
        if each.wake is not None and each.wake <= event.at:
            state.to_read[name] = ToRead(since=event.at, tries=each.tries, woken=each.woken + 1)


def parked(state: "State", event: e.SessionParked) -> None:
    """A session that remembers nothing has nothing to read."""
    if memory.setting(state, "memory_mode") == "ephemeral":
        # What would be found would go at once.
        state.to_read = {}
