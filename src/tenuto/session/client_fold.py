"""Who is here, and which client programs are known: the fold over `attachment.*`, and over the commands of clients.

An attachment is known while it is here. Of a client program is remembered, beyond that, what it needs to come back and to send
its last commands again: which ones were taken, and the hashes of its resume tokens (`resume` says what those prove).
"""

from typing import TYPE_CHECKING

import msgspec

from tenuto import events as e
from tenuto.errors import IllegalEvent

if TYPE_CHECKING:
    from tenuto.session.fold import State

CLIENTS = 32
"""Client programs whose commands and tokens the state remembers; the one not seen for longest goes first."""
ANSWERS = 256
"""Commands of one client whose outcome the state remembers: as many as a client may have unanswered."""
OLD_TOKENS = 8
"""Resume tokens of one client that are recognised as used before."""


class Here(msgspec.Struct, kw_only=True):
    """One attachment."""

    role: e.AttachmentRole
    client: str
    voice: bool
    share: int = 0
    """The share that it looks through; 0 when it is the session's own user's."""


class Client(msgspec.Struct):
    """What is remembered of one client program."""

    last: int = 0
    """Its last command that is in the journal."""
    answers: dict[int, int] = {}
    """Command to position, for the last ones."""
    token: str = ""
    """SHA-256 of the resume token that it was given last."""
    previous: str = ""
    """SHA-256 of the one before, until the last one is used."""
    token_at: float = 0.0
    """When the last one was given."""
    used: list[str] = []
    """SHA-256 of older ones."""
    observes: bool = False
    """Whether it has never had the controls: then its tokens do not give them either."""


def is_controllers(state: "State", event: e.Event) -> bool:
    """Whether an event is about the coming or going of the controller."""
    if isinstance(event, e.AttachmentAttached):
        return event.role == "controller"
    return isinstance(event, e.AttachmentDetached) and event.attachment == state.controller


def check_attached(state: "State", event: e.AttachmentAttached) -> None:
    """Attachments are numbered in order, and one has the controls; a share never gives them."""
    if event.attachment != state.attachments + 1:
        raise IllegalEvent(f"attachment {event.attachment} after {state.attachments}")
    if event.role == "controller" and state.controller:
        raise IllegalEvent("a second controller: the first has to be detached")
    if event.role == "controller" and event.share:
        raise IllegalEvent("a share never gives the controls")


def attached(state: "State", event: e.AttachmentAttached) -> None:
    """Somebody is here. Its client is remembered, with the token that it was given."""
    state.attachments = event.attachment
    state.here[event.attachment] = Here(
        role=event.role, client=event.client, voice=event.voice, share=event.share
    )
    if event.role == "controller":
        state.controller = event.attachment
    if event.share:
        # Viewers come by their share alone; however many they are, they push out nobody who has a token.
        return
    stranger = event.client not in state.clients
    client = _client(state, event.client)
    client.observes = event.role == "observer" and (stranger or client.observes)
    if event.token:
        if event.shown and event.shown == client.previous:
            # The answer that held the last one was lost: that one is void, and the one before is good once more.
            void = client.token
        else:
            void, client.previous = client.previous, client.token
        if void:
            client.used = [*client.used, void][-OLD_TOKENS:]
        client.token, client.token_at = event.token, event.at


def check_detached(state: "State", event: e.AttachmentDetached) -> None:
    """Who leaves is here."""
    if event.attachment not in state.here:
        raise IllegalEvent(f"attachment {event.attachment} is not here")


def detached(state: "State", event: e.AttachmentDetached) -> None:
    """Somebody is gone."""
    del state.here[event.attachment]
    if event.attachment == state.controller:
        state.controller = 0


def revoked(state: "State", event: e.AttachmentRevoked) -> None:
    """Every token of a client is void."""
    # Its commands stay known: it may come back by other means, and have them sent again.
    if (client := state.clients.get(event.client)) is not None:
        client.token, client.previous, client.used = "", "", []


def remember_command(state: "State", cause: str) -> None:
    """Note that a client's command has made the event at the state's position.

    Args:
        cause: The client and the number of its command, with a colon between them.
    """
    name, _, number = cause.rpartition(":")
    client = _client(state, name)
    client.last = max(client.last, int(number))
    client.answers[int(number)] = state.position
    while len(client.answers) > ANSWERS:
        del client.answers[next(iter(client.answers))]


def _client(state: "State", name: str) -> Client:
    """Return what is remembered of a client, making room for it: the one not seen for longest goes."""
    known = state.clients.pop(name, None) or Client()
    state.clients[name] = known
    while len(state.clients) > CLIENTS:
        del state.clients[next(iter(state.clients))]
    return known
