"""Coming back: what a client missed, how it proves who it is, and where its microphone goes on.

A resume token is shown once. Each attach gives the next one, and the journal keeps only their hashes, so that a restart
loses none. Because networks are bad exactly when clients come back, the answer that held the next token may never have
arrived: the token before it stays good for `LOST_ANSWER` seconds, as long as the next one was not used, and again when that
answer is lost too. A token that was used up and is shown again has been copied: every token of that client becomes void
(RFC 9700, 4.14).
"""

import hashlib
import hmac
from enum import Enum
from typing import Literal

import msgspec

from tenuto.session.client_fold import Client
from tenuto.session.fold import State
from tenuto.session.ports import Alarm, Memory, Message
from tenuto.session.state import Status

LOST_ANSWER = 30.0
"""Seconds that the previous token is still taken, while its successor is unused."""
MOST_REPLAYED = 1_000
"""Events that are replayed one by one; a client that missed more gets a snapshot."""
STALE = "The resume token is not valid any more. Get a ticket."


class Proof(Enum):
    """What a resume token proves."""

    GOOD = "good"
    UNKNOWN = "unknown"
    REUSED = "reused"


def digest(token: str) -> str:
    """Return the SHA-256 of a token, in hex. Enough for 256 random bits; passwords would need more."""
    return hashlib.sha256(token.encode()).hexdigest()


def prove(client: Client | None, token: str, at: float) -> Proof:
    """Say what a resume token proves for a client.

    Args:
        client: What the state remembers of the client; None when it knows no such client.
        at: Seconds since 1970-01-01 UTC.
    """
    if client is None:
        return Proof.UNKNOWN
    shown = digest(token)
    if hmac.compare_digest(shown, client.token):
        return Proof.GOOD
    if client.previous and hmac.compare_digest(shown, client.previous):
        return Proof.GOOD if at - client.token_at <= LOST_ANSWER else Proof.REUSED
    if shown in client.used:
        return Proof.REUSED
    return Proof.UNKNOWN


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a client is brought to the present."""

    mode: Literal["fresh", "replay", "snapshot"]
    after: int
    """Events after this position are sent one by one."""


def plan(state: State, epoch: str, position: int) -> Plan:
    """Return how a client that has seen `position` events of journal `epoch` is brought to the present.

    All or nothing: either every event that it missed, or a snapshot. A position that does not exist is a snapshot too.
    """
    if not epoch:
        return Plan(mode="fresh" if state.messages == 0 else "snapshot", after=state.position)
    if epoch != state.epoch or not 0 <= position <= state.position:
        return Plan(mode="snapshot", after=state.position)
    if state.position - position > MOST_REPLAYED:
        return Plan(mode="snapshot", after=state.position)
    return Plan(mode="replay", after=position)


class ReplyView(msgspec.Struct, frozen=True, kw_only=True):
    reply: int
    turn: int
    segments: list[str]
    complete: bool
    """Whether these are all of its segments."""
    cites: list[int]
    heard: float
    aloud: bool


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A session as a client sees it that missed too much to be told event by event."""

    session: str
    epoch: str
    position: int
    user: str
    created: float
    status: Status
    conversation: str
    messages: list[Message]
    """The last ones, oldest first; older ones are read in pages over REST."""
    reply: ReplyView | None
    memories: list[Memory]
    alarms: list[Alarm]


def view(state: State, status: Status) -> View:
    """Return what a client is shown of a state."""
    reply = state.reply
    return View(
        session=state.session,
        epoch=state.epoch,
        position=state.position,
        user=state.user,
        created=state.created,
        status=status,
        conversation=state.conversation,
        messages=list(state.recent),
        reply=None
        if reply is None
        else ReplyView(
            reply=reply.reply,
            turn=reply.turn,
            segments=list(reply.segments),
            complete=reply.complete,
            cites=list(reply.cites),
            heard=reply.heard,
            aloud=reply.aloud,
        ),
        memories=list(state.memory.book.entries.values()),
        alarms=list(state.alarms.values()),
    )
