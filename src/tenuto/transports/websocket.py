"""`tenuto.v1` at the server: one socket between a carrier and a session.

Everything that comes in is taken at once, in the carrier's own call; only attaching waits, in a task that the house owns.
Audio goes straight through to the session's microphone and back. Once a second `tick` does what takes time: beats, silence,
rates, and readers that are too slow.

What is bounded: 10 s to attach; the bytes and commands a second of `Rates`; the time until what the client was let in for
ends (`SOON_SECONDS`, `LATE_SECONDS`); `CHOKED` bytes unsent before audio is dropped;
`UNSENT` bytes unsent for `SLOW_SECONDS` before the socket is closed, or `REFUSALS` for the answers to mistakes.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tenuto.audio.resample import Resampler
from tenuto.clock import Clock
from tenuto.errors import (
    InvalidAudio,
    InvalidInput,
    NotAuthenticated,
    SessionEnded,
    SessionLocked,
    StoreError,
    TenutoError,
    TooMuch,
)
from tenuto.events import AttachmentRole
from tenuto.session import ports, stimuli
from tenuto.session.attachment import Attachment, Joining
from tenuto.session.microphone import Microphone
from tenuto.session.session import Session
from tenuto.transports.carrier import Carrier
from tenuto.wire import native
from tenuto.wire.native import CloseCode

log = logging.getLogger("tenuto.transports")

ATTACH_SECONDS = 10.0
"""Seconds that a socket may stay without an attachment."""
BEAT_SECONDS = 5.0
"""Seconds between beats."""
SILENT_SECONDS = 12.0
"""Seconds without a frame after which the other side is dead."""
SOON_SECONDS = 60.0
"""Seconds before the end of a client's credentials at which it is told to get others."""
LATE_SECONDS = 30.0
"""Seconds after their end in which it still may."""
FRAME_COST = 64
"""Bytes that a control frame that is no command counts for, beside the audio: two thousand a second may come for ever."""
CHOKED = 64 * 1024
"""Unsent bytes over which audio is dropped: what comes late is not worth hearing."""
UNSENT = 1024 * 1024
"""Unsent bytes over which the client is slow."""
SLOW_SECONDS = 5.0
MISTAKES = 100
"""Frames that are no message or no audio that a client may send at once, and `MISTAKE_RATE` a second: answering them
takes time from everybody else.
"""
MISTAKE_RATE = 10.0
REFUSALS = 2 * UNSENT
"""Unsent bytes over which a client that is told of its mistakes is closed at once."""
RING_SECONDS = 30
"""Seconds of microphone that a client that comes back may send at once."""
MOST_NUMBER = 2**53
"""The largest number of a command: what every JSON library reads exactly."""
WRAP = 1 << 32
"""Samples after which an offset on the wire begins anew."""
EARLY_AUDIO = 100
"""Frames of audio that wait until the client is told their rate; more are dropped."""
EARLY_EVENTS = 2_000
"""Events that wait while a client is told what it missed; one more, and it has to come back."""

CLOSE: dict[str, int] = {
    "ended": CloseCode.ENDED,
    "left": CloseCode.ENDED,
    "superseded": CloseCode.SUPERSEDED,
    "revoked": CloseCode.EXPIRED,
    "expired": CloseCode.EXPIRED,
    "moved": CloseCode.MOVED,
    "draining": CloseCode.DRAINING,
    "overloaded": CloseCode.OVERLOADED,
}
"""Why the session let go of an attachment, as a close code; come back at once for everything else."""


class Admission(Protocol):
    """What a client was let in for; `security.grants` makes them."""

    @property
    def tenant(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def role(self) -> AttachmentRole: ...
    @property
    def share(self) -> int: ...
    @property
    def binding(self) -> str:
        """What the client's resume tokens end with."""
        ...


class Right(Protocol):
    """What a client was let in for, as it goes on; `server.reception.Visit` is one."""

    def left(self) -> float:
        """Seconds until it ends; infinite without an end. Raises NotAuthenticated when it was taken back."""
        ...

    def renew(self, ticket: str) -> None:
        """Let it go on for another ticket; raises NotAuthenticated, and changes nothing, when that is not good."""
        ...


class Rates(Protocol):
    """How much one socket may send; `server.limits` has them."""

    @property
    def audio_rate(self) -> int: ...
    @property
    def audio_burst(self) -> int: ...
    @property
    def command_rate(self) -> float: ...
    @property
    def command_burst(self) -> int: ...


class House(Protocol):
    """Where sessions are; `host.Tenuto` is one."""

    clock: Clock
    pulse: set[Callable[[float], None]]
    """Called once a second, with seconds of a clock that does not jump."""

    @property
    def store(self) -> ports.Store: ...

    async def load_session(self, session_id: str, *, tenant: str = "local") -> Session: ...

    async def resume_session(
        self, session_id: str, client: str, token: str, role: AttachmentRole = "controller"
    ) -> Session:
        """Load a session for a client that shows nothing but its resume token."""
        ...

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run something that the house waits for when it closes."""
        ...


Admit = Callable[[str, native.Attach], Admission]


class NativeWire:
    """One socket of a client that speaks `tenuto.v1`. It is the session's `Listener` and the carrier's `Wire`.

    Args:
        house: Where sessions are.
        admit: Lets the client in, by its ticket and what it says; raises what refuses it.
        rates: How much it may send.
        right: What it was let in for, as it goes on; None when that has no end.
    """

    def __init__(
        self, house: House, admit: Admit, rates: Rates, right: Right | None = None
    ) -> None:
        self._house, self._admit, self._rates, self._right = house, admit, rates, right
        self._warned = False
        """Whether the client was told that its credentials end."""
        self._carrier: Carrier | None = None
        self._attachment: Attachment | None = None
        self._attaching = False
        self._early: list[ports.Row] | None = []
        """What happened while the client is told what it missed; None once it is live."""
        self._early_audio: list[tuple[int, int, bytes]] | None = []
        """What was spoken before the client was told at which rate; None once it was."""
        self._sent = 0
        """The last position that was sent."""
        self._microphone: _Deaf | Microphone = _Deaf()
        self._resampler: Resampler | None = None
        self._ratio = 1.0
        self._resampled = (0, 0, 0)
        """The reply that is resampled, and the next sample of it, before and after."""
        self._choked = False
        self._heard_something = True
        self._credit: float = rates.audio_burst
        self._commands: float = rates.command_burst
        self._mistakes: float = MISTAKES
        self._ticked = self._began = self._alive = self._beaten = house.clock.monotonic()
        self._slow_since: float | None = None

    # ------------------------------------------------------------------------------------------------------ from the carrier

    def opened(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._house.pulse.add(self.tick)

    def lost(self) -> None:
        self._carrier = None
        self._house.pulse.discard(self.tick)
        self._leave("lost")

    def binary(self, data: bytes | memoryview) -> None:
        size = len(data)
        self._heard_something = True
        self._credit -= size
        if size > native.MAX_AUDIO or size < 8 or size & 1 or self._credit < 0:
            self._bad_audio(data)
            return
        kind, _, _, offset = native.HEAD.unpack_from(data)
        if kind == 1:
            microphone = self._microphone
            # An offset on the wire is modulo 2^32, a day at 48 kHz: it is the one nearest to where the stream is.
            rounds = (microphone.heard - offset + WRAP // 2) // WRAP
            microphone.hear(data[8:], offset + rounds * WRAP)
        else:
            self._bad_audio(data)

    def text(self, data: bytes) -> None:
        self._heard_something = True
        try:
            message = native.decode_client(data)
            if not isinstance(message, native.Command):
                self._credit -= FRAME_COST
                if self._credit < 0:
                    self._too_much()
                    return
            if isinstance(message, native.Attach):
                self._begin_attach(message)
            elif isinstance(message, native.Bye):
                self._bye()
            elif self._attachment is None:
                raise InvalidInput("Attach first: the first message of a socket is `attach`.")
            elif isinstance(message, native.Command):
                self._command(self._attachment, message)
            elif isinstance(message, native.Mark):
                self._attachment.mark(message.reply, message.seconds, message.done)
            elif isinstance(message, native.Rewind):
                self._attachment.rewound()
            elif isinstance(message, native.Auth):
                self._renew(message.ticket)
        except InvalidInput as error:
            self._complain(error)
        except TenutoError as error:
            self._refuse(error)

    # ------------------------------------------------------------------------------------------------------ from the session

    def event(self, row: ports.Row) -> None:
        if self._early is None:
            if row.position > self._sent and self._carrier is not None:
                self._sent = row.position
                self._carrier.send_text(native.event(row.position, row.body))
        else:
            self._early.append(row)
            if len(self._early) > EARLY_EVENTS:
                self._close(CloseCode.SLOW, "slow")

    def audio(self, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> None:
        carrier = self._carrier
        if carrier is None or self._choked:
            return
        if self._early_audio is not None:
            if len(self._early_audio) < EARLY_AUDIO:
                self._early_audio.append((reply, offset, bytes(pcm)))
            return
        if self._resampler is not None:
            offset, pcm = self._resample(self._resampler, reply, offset, pcm)
            if not pcm:
                return
        carrier.send_binary(native.HEAD.pack(2, 0, reply & 0xFFFF, offset & 0xFFFFFFFF) + pcm)

    def hush(self, reply: int) -> None:
        self._send(native.Hush(reply=reply))

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        if self._early is None:
            self._send(native.Tell(kind=kind, body=body))

    def closed(self, reason: str) -> None:
        attachment, self._attachment = self._attachment, None
        if reason == "overloaded":
            if attachment is None:
                return  # `attach` is about to raise why.
            if attachment.driver.error is not None:
                self._complain(attachment.driver.error)
        self._microphone = _Deaf()
        if reason in ("ended", "left"):
            self._send(native.Bye(reason=reason))
        self._close(CLOSE.get(reason, CloseCode.SILENT), reason)

    # ------------------------------------------------------------------------------------------------------------- attaching

    def _begin_attach(self, message: native.Attach) -> None:
        if self._attaching:
            raise InvalidInput("This socket is attached already. Open another one.")
        admission = self._admit("", message)
        rewinds = message.mic is not None and message.mic.rewinds
        joining = _joining(message, admission, self._rewind if rewinds else None)
        self._attaching = True
        self._house.spawn(self._attach(message, admission, joining))

    async def _attach(self, message: native.Attach, admission: Admission, joining: Joining) -> None:
        try:
            if admission.tenant:
                session = await self._house.load_session(message.session, tenant=admission.tenant)
            else:
                session = await self._house.resume_session(
                    message.session, message.client, message.token, message.role
                )
            if self._is_gone():
                return
            attachment = await session.attach(joining, self)
            if self._is_gone():
                attachment.leave("lost")
                return
            if attachment.driver.error is not None:
                raise attachment.driver.error
            self._attachment = attachment
            attachment.there(self._began)
            self._welcome(message, attachment)
            await self._catch_up(attachment)
        except TenutoError as error:
            self._refuse(error)
            self._close(CloseCode.OVERLOADED, error.code)
        except Exception:
            self._close(CloseCode.OVERLOADED, "error")
            raise

    def _is_gone(self) -> bool:
        return self._carrier is None

    def _welcome(self, message: native.Attach, attachment: Attachment) -> None:
        wanted = message.loudspeaker.rate if message.loudspeaker is not None else None
        speaks = attachment.speaks if message.loudspeaker is not None else 0
        if wanted is not None and wanted != speaks:
            self._resampler, self._ratio = Resampler(speaks, wanted), wanted / speaks
            speaks = wanted
        if message.mic is not None and attachment.is_controller:
            self._credit += 2 * RING_SECONDS * message.mic.rate
            self._microphone = attachment.microphone
        self._send(
            native.Attached(
                session=message.session,
                epoch=attachment.driver.core.state.epoch,
                attachment=attachment.number,
                role=attachment.role,
                mode=attachment.mode,  # type: ignore[arg-type]
                recovered=attachment.mode != "snapshot",
                head=attachment.head,
                token=attachment.token,
                commands=attachment.answered,
                beat=BEAT_SECONDS,
                mic=attachment.mic,
                hears=attachment.hears if message.mic is not None else 0,
                speaks=speaks,
                limits={
                    "text": native.MAX_TEXT,
                    "audio": native.MAX_AUDIO,
                    "commands": native.MAX_COMMANDS,
                },
            )
        )
        early, self._early_audio = self._early_audio or [], None
        for reply, offset, pcm in early:
            self.audio(reply, offset, pcm)

    async def _catch_up(self, attachment: Attachment) -> None:
        carrier = self._carrier
        if attachment.snapshot is not None and carrier is not None:
            carrier.send_text(native.snapshot(attachment.head, attachment.snapshot))
        self._sent = attachment.after
        async for rows in attachment.missed(self._house.store):
            for row in rows:
                if row.position > self._sent and self._carrier is not None:
                    self._sent = row.position
                    self._carrier.send_text(native.event(row.position, row.body))
        early, self._early = self._early or [], None
        for row in early:
            self.event(row)
        self._send(native.Live(head=self._sent))
        self.tell("status", {"state": attachment.driver.core.status.value})

    def _rewind(self, mic: int) -> None:
        """Ask for the microphone again from this sample on. A client that is not told yet where to begin needs no asking."""
        if self._attachment is not None:
            self._credit += 2 * RING_SECONDS * self._attachment.microphone.rate
            self._send(native.Rewind(mic=mic))

    # -------------------------------------------------------------------------------------------------------------- commands

    def _command(self, attachment: Attachment, message: native.Command) -> None:
        number = message.number
        if abs(number) > MOST_NUMBER:
            raise InvalidInput(f"Commands are numbered from 1 to {MOST_NUMBER}.")
        if self._commands < 1:
            self._no(number, TooMuch("Too many commands at once. Wait a second and send it again."))
            return
        self._commands -= 1
        do = message.do
        client = attachment.client

        def settle(position: int, error: TenutoError | None) -> None:
            if error is not None:
                self._no(number, error)
            else:
                self._send(native.Ok(number=number, position=position))

        attachment.command(number, lambda cause: _stimulus(do, client, cause), settle)

    def _no(self, number: int, error: TenutoError) -> None:
        self._answer(
            native.No(
                number=number, code=error.code, message=error.message, retryable=error.retryable
            )
        )

    # ------------------------------------------------------------------------------------------------------------ going away

    def tick(self, now: float) -> None:
        """Do what takes time.

        Args:
            now: Seconds of a clock that does not jump.
        """
        carrier, before = self._carrier, self._ticked
        passed, self._ticked = now - before, now
        if carrier is None:
            return
        rates = self._rates
        self._credit = min(
            self._credit + passed * rates.audio_rate, max(self._credit, rates.audio_burst)
        )
        self._commands = min(rates.command_burst, self._commands + passed * rates.command_rate)
        self._mistakes = min(MISTAKES, self._mistakes + passed * MISTAKE_RATE)
        if self._heard_something:
            self._heard_something, self._alive = False, now
            if self._attachment is not None:
                self._attachment.there(before)
        elif now - self._alive >= SILENT_SECONDS:
            self._close(CloseCode.SILENT, "silent")
            return
        if self._attachment is None:
            if now - self._began >= ATTACH_SECONDS and not self._attaching:
                self._close(CloseCode.PROTOCOL, "not attached")
            return
        if self._right is not None and not self._stands(self._right):
            return
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            self._send(native.Beat(mic=self._attachment.safe_microphone()))
        unsent = carrier.buffered()
        self._choked = unsent > CHOKED
        if unsent <= UNSENT:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now
        elif now - self._slow_since >= SLOW_SECONDS:
            self._close(CloseCode.SLOW, "slow")

    def _stands(self, right: Right) -> bool:
        """Tell the client that its credentials end; close the socket when they have, or were taken back."""
        try:
            left = right.left()
            if left < -LATE_SECONDS:
                raise NotAuthenticated("The ticket behind this ended. Come back with another one.")
        except NotAuthenticated as error:
            self._complain(error)
            self._close(CloseCode.EXPIRED, error.code)
            return False
        if left <= SOON_SECONDS and not self._warned:
            self._warned = True
            self._send(native.AuthSoon(seconds=max(0.0, left)))
        return True

    def _renew(self, ticket: str) -> None:
        if self._right is None:
            raise InvalidInput("This attachment has no end: there is nothing to renew.")
        self._right.renew(ticket)
        self._warned = False
        self._send(native.Authorized(seconds=self._right.left()))

    def _bye(self) -> None:
        self._leave("left")
        self._close(CloseCode.ENDED, "left")

    def _leave(self, reason: str) -> None:
        attachment, self._attachment = self._attachment, None
        self._microphone = _Deaf()
        if attachment is not None:
            attachment.leave(reason)

    def _bad_audio(self, data: bytes | memoryview) -> None:
        if self._credit < 0:
            self._too_much()
            return
        try:
            kind, _, _, _ = native.decode_audio(data)
            raise InvalidAudio(f"A client sends audio of kind 1 (microphone), not {kind}.")
        except InvalidAudio as error:
            self._complain(error)

    def _too_much(self) -> None:
        self._refuse(TooMuch("Too much at once: send audio no faster than four times real time."))
        self._close(CloseCode.OVERLOADED, "too much")

    def _complain(self, error: TenutoError) -> None:
        """Say what is wrong with something that was sent. The socket stays open, unless that was too often."""
        self._answer(native.Error(code=error.code, message=error.message))
        self._mistakes -= 1
        if self._mistakes < 0:
            self._close(CloseCode.PROTOCOL, "too many mistakes")

    def _refuse(self, error: TenutoError) -> None:
        """Say what is wrong; close the socket unless the client is attached already."""
        if isinstance(error, SessionLocked) and error.url:
            self._send(native.Moved(url=error.url))
        self._complain(error)
        if self._attachment is not None:
            return
        match error:
            case SessionLocked() if error.url:
                code = CloseCode.MOVED
            case NotAuthenticated():
                code = CloseCode.EXPIRED
            case SessionEnded():
                code = CloseCode.ENDED
            case SessionLocked() | StoreError() | TooMuch():
                code = CloseCode.OVERLOADED
            case _:
                code = CloseCode.REFUSED
        self._close(code, error.code)

    def _close(self, code: int, reason: str) -> None:
        carrier, self._carrier = self._carrier, None
        self._house.pulse.discard(self.tick)
        self._leave("slow" if code == CloseCode.SLOW else "lost")
        if carrier is not None:
            carrier.close(code, reason)

    def _answer(self, message: native.Error | native.No) -> None:
        """Send what a client can cause as often as it likes; who does so and never reads is closed at once."""
        self._send(message)
        if self._carrier is not None and self._carrier.buffered() > REFUSALS:
            self._close(CloseCode.SLOW, "slow")

    def _send(self, message: native.FromServer) -> None:
        if self._carrier is not None:
            self._carrier.send_text(native.encode(message))

    def _resample(
        self, resampler: Resampler, reply: int, offset: int, pcm: bytes | bytearray | memoryview
    ) -> tuple[int, bytes]:
        known, due, at = self._resampled
        if (known, due) != (reply, offset):
            resampler.finish()
            at = round(offset * self._ratio)
        ready = resampler.push(pcm)
        self._resampled = (reply, offset + (len(pcm) >> 1), at + (len(ready) >> 1))
        return at, ready


class _Deaf:
    """Takes audio of a socket that has no microphone in the session."""

    heard = 0

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Nobody listens: an observer, or a client that was superseded."""


def _joining(
    message: native.Attach, admission: Admission, again: Callable[[int], None] | None
) -> Joining:
    mic, loudspeaker = message.mic, message.loudspeaker
    for rate in (mic.rate if mic else None, loudspeaker.rate if loudspeaker else None):
        if rate is not None and not 8_000 <= rate <= 48_000:
            raise InvalidAudio(f"Audio has 8,000 to 48,000 samples a second, not {rate}.")
    if mic is not None and not 1 <= len(mic.stream) <= 64:
        raise InvalidInput("The name of a microphone stream has 1 to 64 characters.")
    return Joining(
        client=message.client,
        role=admission.role,
        share=admission.share,
        binding=admission.binding,
        transport=native.SUBPROTOCOL,
        token=message.token,
        have=(message.have.epoch, message.have.position) if message.have else None,
        heard=(message.heard.reply, message.heard.seconds) if message.heard else None,
        mic=(mic.stream, mic.rate) if mic else None,
        again=again,
        voice=loudspeaker is not None,
    )


def _stimulus(do: native.Do, client: str, cause: str) -> stimuli.Stimulus:
    match do:
        case native.SendMessage(text=text):
            return stimuli.Type(text=text, client=client, cause=cause)
        case native.StopReply(heard=heard):
            return stimuli.Stop(heard=heard, cause=cause)
        case native.StopListening():
            return stimuli.Hold(cause=cause)
        case native.StartConversation(conversation=conversation):
            return stimuli.StartConversation(conversation=conversation, cause=cause)
        case native.EndConversation():
            return stimuli.EndConversation(cause=cause)
        case native.EndSession():
            return stimuli.End(cause=cause)
