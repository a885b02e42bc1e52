"""A model of a server of tenuto.v1, for one session: no I/O, and as little as a client can notice."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.client.core import ClientCore, Close, Send
from tenuto.client.items import Happened, Item
from tenuto.wire import native

RATE = 8_000
encode_event = msgspec.json.Encoder().encode


def texts(items: Sequence[Item]) -> list[str]:
    """The messages among what a client was told."""
    events = [item.event for item in items if isinstance(item, Happened)]
    return [event.text for event in events if isinstance(event, e.MessageAdded)]


class Server:
    """A journal, the commands in it, and what was heard; they outlive every connection."""

    def __init__(self, epoch: str = "e" * 16) -> None:
        self.epoch = epoch
        self.journal: list[bytes] = []
        self.ran: list[int] = []
        self.answers: dict[int, int] = {}
        self.heard = bytearray()
        self.marks: list[native.Mark] = []
        self.attaches: list[native.Attach] = []
        self.tokens = 0
        self.tickets: list[str] = []
        """What was shown to go on."""
        self.refuse: set[int] = set()
        self.most_replayed = 1_000
        self.awaits = False
        """Whether it has asked for the microphone again, and not been answered."""
        self.stops: list[int] = []
        """Samples that were heard when the microphone was said to be off."""
        self.skips = False
        """Whether a client may leave out audio that it does not have any more."""

    def add(self, text: str, cause: str = "") -> int:
        position = len(self.journal) + 1
        event = e.MessageAdded(
            at=float(position),
            cause=cause,
            message=position,
            role="user",
            text=text,
            turn=1,
            conversation="c",
        )
        self.journal.append(encode_event(event))
        return position


class Desk:
    """The server's side of one socket: frames in, and a queue of frames out."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.to_client: deque[bytes | tuple[bytes]] = deque()
        self.attached = False
        self.sent = 0

    def say(self, message: msgspec.Struct) -> None:
        self.to_client.append(native.encode(message))

    def audio(self, reply: int, offset: int, pcm: bytes) -> None:
        self.to_client.append((native.audio(native.REPLY, reply, offset, pcm),))

    def push(self) -> None:
        """Send the events that the client has not been sent."""
        if self.attached:
            while self.sent < len(self.server.journal):
                self.to_client.append(native.event(self.sent + 1, self.server.journal[self.sent]))
                self.sent += 1

    def take(self, data: bytes, *, binary: bool) -> None:
        """Take one frame of the client's."""
        server = self.server
        if binary:
            if server.awaits:
                return
            _, _, offset, pcm = native.decode_audio(data)
            known = len(server.heard) // 2
            assert offset <= known or server.skips, "audio was skipped"
            server.heard += bytes(2 * max(0, offset - known))
            known = len(server.heard) // 2
            server.heard += pcm[2 * (known - offset) :]
            return
        match native.decode_client(data):
            case native.Attach() as attach:
                self.attach(attach)
            case native.Command(number=number, do=native.SendMessage(text=text)):
                if number in server.refuse:
                    self.say(native.No(number=number, code="invalid_transition", message="no"))
                    return
                if number not in server.answers:
                    server.ran.append(number)
                    server.answers[number] = server.add(text, cause=f"me:{number}")
                    self.push()
                self.say(native.Ok(number=number, position=server.answers[number]))
            case native.Command(number=number, do=native.StopListening()):
                server.stops.append(len(server.heard) // 2)
                self.say(native.Ok(number=number, position=len(server.journal)))
            case native.Rewind(mic=mic):
                assert server.skips or mic * 2 == len(server.heard), "it goes on elsewhere"
                server.awaits = False
            case native.Mark() as mark:
                server.marks.append(mark)
            case native.Auth(ticket=ticket):
                server.tickets.append(ticket)
                self.say(native.Authorized(seconds=7200.0))
            case native.Beat():
                self.say(native.Beat())
            case _:
                pass

    def rewind(self, sample: int) -> None:
        """Lose what was heard from this sample on, and ask for it again, once."""
        if self.attached and not self.server.awaits and 2 * sample < len(self.server.heard):
            del self.server.heard[2 * sample :]
            self.server.awaits = True
            self.say(native.Rewind(mic=sample))

    def attach(self, attach: native.Attach) -> None:
        server = self.server
        server.awaits = False
        server.attaches.append(attach)
        server.tokens += 1
        have = attach.have
        mode: Any = "replay"
        self.sent = have.position if have else 0
        if have is None:
            mode = "fresh"
        elif have.epoch != server.epoch or len(server.journal) - self.sent > server.most_replayed:
            mode = "snapshot"
        self.say(
            native.Attached(
                session=attach.session,
                epoch=server.epoch,
                attachment=server.tokens,
                role=attach.role,
                mode=mode,
                recovered=mode != "snapshot",
                head=len(server.journal),
                token=f"token-{server.tokens}",
                commands=max(server.answers, default=0),
                mic=len(server.heard) // 2,
                hears=RATE if attach.mic else 0,
                speaks=RATE if attach.loudspeaker else 0,
            )
        )
        if mode == "snapshot":
            self.sent = len(server.journal)
            state = native.encode({"position": self.sent})
            self.to_client.append(native.snapshot(self.sent, state))
        self.attached = True
        self.push()
        self.say(native.Live(head=self.sent))


class Connection(Desk):
    """One socket between a client's core and the server: frames wait until they are delivered, or are lost."""

    def __init__(self, server: Server, core: ClientCore, now: float) -> None:
        super().__init__(server)
        self.core = core
        self.to_server: deque[Send] = deque()
        self.open = True
        core.opened(now, ticket="t" if core.needs_ticket else "")
        self.collect()

    def collect(self) -> None:
        """Take what the client wants to send."""
        for one in self.core.output():
            if isinstance(one, Close):
                self.open = False
            elif self.open and isinstance(one, Send):
                self.to_server.append(one)

    def serve_one(self) -> None:
        """Let the server take one frame."""
        frame = self.to_server.popleft()
        self.take(frame.data, binary=frame.binary)

    def deliver_one(self, now: float) -> None:
        """Let the client take one frame."""
        frame = self.to_client.popleft()
        if isinstance(frame, tuple):
            self.core.binary(frame[0], now)
        else:
            self.core.text(frame, now)
        self.collect()

    def settle(self, now: float) -> None:
        """Deliver everything, both ways, until nothing is left."""
        self.collect()
        while self.open and (self.to_server or self.to_client):
            while self.to_server:
                self.serve_one()
            while self.to_client:
                self.deliver_one(now)
