"""A client of `tenuto.v1` with no I/O: frames, audio and the time go in; frames to send and items for the user come out.

It owns no task, no socket and no clock: `now` is seconds of a clock that does not jump. After every call, take what there
is to do with `output`, what there is to tell with `items` and `answers`, and call `tick` again at `wake`.

What it promises, whatever happens to connections:

* every event is told once, in order; when the server cannot say what was missed, a `Restored` says so;
* every command is carried out once, or refused once; one that was not answered is sent again;
* what the microphone heard in the last 30 s is sent again from where the server has dealt with it, after a lost connection and
  after a lost engine; speech that is known to have been lost beyond that is complained of, so that it can be said again;
* the server knows to the sample what came out of the loudspeaker.

Bounded: 256 commands, 30 s of microphone, 60 s of loudspeaker, `EARLY` audio frames before the rate is known.
"""

import contextlib
from dataclasses import dataclass
from typing import Literal

import msgspec

from tenuto.client.items import (
    Answer,
    Answered,
    Changed,
    Complained,
    Happened,
    Item,
    Refusal,
    Restored,
    State,
    Told,
    read_event,
)
from tenuto.client.loudspeaker import Loudspeaker
from tenuto.client.microphone import Microphone
from tenuto.client.outbox import Outbox
from tenuto.client.returning import CloseClass, Returning, close_class, final_error, typed_error
from tenuto.errors import InvalidAudio, InvalidInput, SessionEnded, TenutoError, TooMuch
from tenuto.events import ReplyCut, ReplyStarted, SpeechEnded
from tenuto.wire import native

DEAD = 12.0
"""Seconds without a frame after which the server is dead."""
ROOM = 128 * 1024
"""Bytes of microphone that may be unsent in the socket; the rest waits in the ring."""
PUMP = 0.05
"""Seconds between two looks at whether the socket has room again."""
SPEECH_LOST = "What you said last was lost on the way. Say it again."
EARLY = 64
"""Audio frames that may come before `attached` says their rate; the oldest go first."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Who attaches, as what, with what."""

    session: str
    client: str
    """The program's own id: random, the same over its reconnects."""
    role: Literal["controller", "observer"] = "controller"
    microphone: int | None = None
    """Hertz of the audio given to `hear`, 8,000 to 48,000; None without a microphone."""
    stream: str = "m1"
    """The microphone stream's name: random, new for each run of the program."""
    loudspeaker: int | None = None
    """Hertz that are wanted, or 0 for what the engine speaks; None when replies are not spoken."""
    seed: int | None = None
    """Of the jitter between attempts."""


@dataclass(frozen=True)
class Send:
    """Send one frame."""

    data: bytes
    binary: bool


@dataclass(frozen=True)
class Close:
    """Close the socket, and forget it: nothing of it is wanted any more."""

    code: int
    reason: str


@dataclass(frozen=True)
class Renew:
    """Get a fresh ticket and hand it to `authorize`: what the client was let in for ends."""


class ClientCore:
    """One client of one session. Begin by connecting, at `connect_at`, and calling `opened`."""

    def __init__(self, options: Options, now: float = 0.0) -> None:
        self.options = options
        self.state: State = "connecting"
        self.error: TenutoError | None = None
        """Why it is closed; None while it is not, and when the session just ended or this side left."""
        self.connect_at: float | None = now
        """When to open the next socket; None while there is one, and when closed."""
        self.url = ""
        """Where the server said to connect to; empty for where it was."""
        self.epoch, self.position = "", 0
        """How much of the journal was told."""
        self.congestion = 0
        """Bytes that the socket has not got rid of. Set it before `hear` and `tick`."""
        self.microphone = (
            Microphone(options.stream, options.microphone) if options.microphone else None
        )
        self.loudspeaker = Loudspeaker()
        self.outbox = Outbox()
        self._returning = Returning(options.seed, now)
        self._token = ""
        self._showed_token = False
        self._attached: native.Attached | None = None
        self._open = False
        self._live_at: float | None = None
        self._heard_at = self._beaten_at = now
        self._said: TenutoError | None = None
        self._moved = 0.0
        self._pumped_at = now
        self._unheard: int | None = None
        """The sample at which speech began that was not understood before its host was gone; None when there is none."""
        self._goes_on = 0
        """The sample from which this connection has been sent the microphone."""
        self._stopped: int | None = None
        """The sample at which the user said that the microphone is off; None when they never did."""
        self._stops_again = False
        """Whether to say so again once all of it is sent: some of what was said before was behind it."""
        self._early: list[bytes] = []
        self._output: list[Send | Close | Renew] = []
        self._items: list[Item] = []
        self._answers: list[Answer] = []

    # -------------------------------------------------------------------------------------------------------- what comes out

    def output(self) -> list[Send | Close | Renew]:
        """Return what is to be done with the socket, in order. Each is returned once."""
        output, self._output = self._output, []
        return output

    def items(self) -> list[Item]:
        """Return what the user is to be told, in order. Each is returned once."""
        items, self._items = self._items, []
        return items

    def answers(self) -> list[Answer]:
        """Return the answers to commands. Each is returned once."""
        answers, self._answers = self._answers, []
        return answers

    @property
    def needs_ticket(self) -> bool:
        """Whether the next socket needs new credentials: there is no resume token."""
        return not self._token

    @property
    def attached(self) -> native.Attached | None:
        """What the server said when it let this client in; None while there is no attachment."""
        return self._attached

    @property
    def wake(self) -> float | None:
        """When `tick` is to be called next; None when nothing is due by itself."""
        if not self._open:
            return None
        due = [self._heard_at + DEAD]
        if self._attached is not None:
            due.append(self._beaten_at + self._attached.beat)
            if self.outbox.waits:
                due.append(self.outbox.due())
            if self._talks and self.microphone is not None and self.microphone.waiting:
                due.append(self._pumped_at + PUMP)
        return min(due)

    # ------------------------------------------------------------------------------------------------------ from the socket

    def opened(self, now: float, ticket: str = "") -> None:
        """A socket is open. `ticket` is for servers that were not offered it as a subprotocol."""
        self.connect_at, self._open, self._heard_at = None, True, now
        self._said, self._moved, self._early = None, 0.0, []
        self._showed_token = bool(self._token) and not ticket
        options = self.options
        mic = self.microphone
        speaker = options.loudspeaker
        self._message(
            native.Attach(
                session=options.session,
                client=options.client,
                role=options.role,
                ticket=ticket,
                token=self._token if self._showed_token else "",
                have=native.Have(epoch=self.epoch, position=self.position) if self.epoch else None,
                heard=self.loudspeaker.heard,
                mic=native.Mic(stream=mic.stream, rate=mic.rate, rewinds=True) if mic else None,
                loudspeaker=None if speaker is None else native.Loudspeaker(rate=speaker or None),
            )
        )

    def lost(self, code: int | None, reason: str, now: float) -> None:
        """The socket is gone, or could not be opened.

        Args:
            code: Of the close frame, or what an HTTP status amounts to; None when the network failed.
            reason: Of the close frame.
        """
        if self.state == "closed" or (not self._open and self.connect_at is None):
            return
        kind = close_class(code)
        if self._live_at is not None:
            self._returning.was_live(now - self._live_at, now)
        self._open, self._attached, self._live_at = False, None, None
        if kind is CloseClass.CREDENTIALS:
            was_token, self._token = self._showed_token, ""
            if not was_token and self._returning.denied():
                kind = CloseClass.FINAL
        if kind is CloseClass.FINAL:
            self._closed(final_error(code, reason, self._said))
            return
        self._become("reconnecting")
        self.connect_at = now + max(self._returning.wait(code, now), self._moved)

    def text(self, data: bytes | str, now: float) -> None:
        """Take one text frame. A message of a kind that this version does not know is skipped."""
        if not self._open:
            return
        self._heard_at = now
        try:
            message = native.decode_server(data)
        except InvalidInput:
            return
        match message:
            case native.EventFrame(position=position, event=event):
                self._event(position, bytes(event), now)
            case native.Attached():
                self._welcome(message, now)
            case native.SnapshotFrame(position=position, state=state):
                self.position, self._unheard = position, None
                self._items.append(Restored(position, msgspec.json.decode(state)))
            case native.Live():
                self._live_at = now
                self._become("live")
                self._admit_lost_speech()
            case native.Ok(number=number, position=position):
                if self.outbox.answered(number):
                    self._answers.append(Answered(number, position))
            case native.No(number=number, code=code, message=text):
                if self.outbox.answered(number):
                    self._answers.append(Refusal(number, code, text))
            case native.Hush(reply=reply):
                self.loudspeaker.hush(reply)
            case native.Tell(kind=kind, body=body):
                self._items.append(Told(kind, body))
            case native.AuthSoon():
                self._output.append(Renew())
            case native.Authorized():
                # Its end has not moved: it would be refused.
                self._token = ""
            case native.Moved(url=url, after=after):
                self.url, self._moved = url, after
            case native.Error(code=code, message=text):
                self._said = typed_error(code, text)
                self._items.append(Complained(code, text))
            case native.Rewind(mic=mic) if self._talks:
                self._go_on(mic)
                self._message(native.Rewind(mic=self._goes_on))
                self._admit_lost_speech()
                self._pump(now)
            case native.Rewind():
                pass
            case native.Beat(mic=safe):
                if self._unheard is not None and self._unheard < safe:
                    self._unheard = None
            case native.Bye():
                pass

    def binary(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take one audio frame. A malformed one is skipped."""
        if not self._open or self.options.loudspeaker is None:
            return
        self._heard_at = now
        if self._attached is None:
            self._early = [*self._early[1 - EARLY :], bytes(data)]
            return
        try:
            kind, reply, offset, pcm = native.decode_audio(data)
        except InvalidAudio:
            return
        if kind == native.REPLY:
            self.loudspeaker.take(reply, offset, pcm, now)

    # -------------------------------------------------------------------------------------------------------- from the user

    def command(self, do: native.Do, now: float) -> int:
        """Queue a command; it is sent as soon as there is a connection. Returns its number.

        Raises:
            TooMuch: 256 commands are unanswered.
            SessionEnded: The client is closed because the session ended, or it left. Else what closed it.
        """
        if self.state == "closed":
            raise self.error or SessionEnded()
        heard = self.loudspeaker.heard
        if isinstance(do, native.StopReply) and do.heard is None and heard is not None:
            do = native.StopReply(heard=heard.seconds)
        number = self.outbox.add(do)
        if isinstance(do, native.StopListening) and self.microphone is not None:
            self._stopped = self.microphone.offset
            self._stops_again = self.microphone.waiting > 0
        self._send_commands(now)
        return number

    def hear(self, pcm: bytes | bytearray | memoryview, now: float) -> None:
        """Take what the microphone heard next: 16-bit PCM, one channel, at `Options.microphone` Hz.

        Raises:
            InvalidInput: There is no microphone in the options.
            InvalidAudio: It ends within a sample.
        """
        if self.microphone is None:
            raise InvalidInput("This client attached without a microphone: give it a rate.")
        self.microphone.hear(pcm)
        self._pump(now)

    def play(self, now: float) -> bytes:
        """Return what comes out of the loudspeaker between the last call and now; the first call starts its clock."""
        pcm, marks = self.loudspeaker.play(now)
        if self._attached is not None and self._attached.role == "controller":
            for mark in marks:
                self._message(mark)
        return pcm

    def tick(self, now: float) -> None:
        """Do what is due by itself: beats, pacing, and noticing that the server is dead."""
        if not self._open:
            return
        if now >= self._heard_at + DEAD:
            self._drop("silent", now)
        elif self._attached is not None:
            if now >= self._beaten_at + self._attached.beat:
                self._beaten_at = now
                self._message(native.Beat(position=self.position))
            self._send_commands(now)
            self._pump(now)

    def authorize(self, ticket: str) -> None:
        """Show the server a fresh ticket, so that this attachment goes on. Without one, nothing happens."""
        if self._attached is not None:
            self._message(native.Auth(ticket=ticket))

    def online(self, now: float) -> None:
        """The network is back: try at once."""
        if self.connect_at is not None:
            self.connect_at = now

    def leave(self) -> None:
        """Say goodbye and be closed. Commands that are unanswered will not be."""
        if self._open:
            self._message(native.Bye())
            self._output.append(Close(1000, "left"))
        self._closed(None)

    def give_up(self, error: TenutoError) -> None:
        """Be closed for a reason that lies outside: there are no credentials."""
        if self.state != "closed":
            if self._open:
                self._output.append(Close(1000, "gave up"))
            self._closed(error)

    # --------------------------------------------------------------------------------------------------------------- inside

    @property
    def _talks(self) -> bool:
        """Whether the server takes this client's microphone."""
        return (
            self._attached is not None
            and self._attached.hears > 0
            and self._attached.role == "controller"
        )

    def _welcome(self, message: native.Attached, now: float) -> None:
        self._attached, self._token = message, message.token
        self._beaten_at = now
        if message.url:
            self.url = message.url
        if message.epoch != self.epoch:
            # A position means nothing in another journal.
            self.epoch, self.position = message.epoch, 0
        if self.options.loudspeaker is not None:
            self.loudspeaker.tune(message.speaks)
            self.loudspeaker.remind()
        early, self._early = self._early, []
        for frame in early:
            self.binary(frame, now)
        self._go_on(message.mic)
        self.outbox.begin(message.commands, now)
        # What was said comes first: it is older than what was typed meanwhile, or as old.
        self._pump(now)
        self._send_commands(now)

    def _go_on(self, sample: int) -> None:
        """Send the microphone from this sample on."""
        if (microphone := self.microphone) is not None:
            self._goes_on = microphone.rewind(sample)
            self._stops_again = self._goes_on < microphone.offset == self._stopped

    def _event(self, position: int, body: bytes, now: float) -> None:
        if position <= self.position:
            return
        if self.position and position > self.position + 1:
            # The server owes the events between: it replays them to a client that comes back.
            self._drop("gap", now)
            return
        try:
            event = read_event(body)
        except msgspec.MsgspecError:
            self._drop("not an event", now)
            return
        self.position = position
        if isinstance(event, ReplyStarted):
            self.loudspeaker.expect(event.reply)
        elif isinstance(event, ReplyCut):
            self.loudspeaker.hush(event.reply)
        elif isinstance(event, SpeechEnded) and event.mic == self.options.stream:
            self._unheard = event.until if event.reason == "lost" else None
        self._items.append(Happened(position, event, body))

    def _admit_lost_speech(self) -> None:
        """Complain of speech that the server began to hear and never will again: it is older than what is kept."""
        if self._talks and self._unheard is not None and self._unheard < self._goes_on:
            self._unheard = None
            self._items.append(Complained("speech_lost", SPEECH_LOST))

    def _send_commands(self, now: float) -> None:
        if self._attached is not None:
            for command in self.outbox.take(now):
                self._message(command)

    def _pump(self, now: float) -> None:
        if self._talks and self.microphone is not None:
            self._pumped_at = now
            for frame in self.microphone.frames(ROOM - self.congestion):
                self._output.append(Send(frame, binary=True))
            if self._stops_again and not self.microphone.waiting:
                self._stops_again = False
                if self._stopped == self.microphone.offset:
                    with contextlib.suppress(TooMuch):
                        self.outbox.add(native.StopListening())
                    self._send_commands(now)

    def _drop(self, reason: str, now: float) -> None:
        """Give up a socket that is of no use, and come back."""
        self._output.append(Close(native.CloseCode.SILENT, reason))
        self.lost(None, reason, now)

    def _message(self, message: native.FromClient) -> None:
        self._output.append(Send(native.encode(message), binary=False))

    def _become(self, state: State) -> None:
        if state != self.state and not (state == "reconnecting" and self.state == "connecting"):
            self.state = state
            self._items.append(Changed(state))

    def _closed(self, error: TenutoError | None) -> None:
        self.error, self.connect_at = error, None
        self._open, self._attached = False, None
        why = error or SessionEnded("The session has ended, or this client left it.")
        for number in self.outbox.numbers():
            self.outbox.answered(number)
            self._answers.append(Refusal(number, why.code, why.message))
        self._become("closed")
