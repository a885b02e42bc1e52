"""One client bound to one session: how it joins, what it missed, and what it may do."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput, NotAllowed, NotAuthenticated, TenutoError
from tenuto.ids import new_secret
from tenuto.session import ports, resume, shares, stimuli
from tenuto.session.client_fold import Client
from tenuto.session.driver import Driver
from tenuto.session.live_desk import LiveDesk
from tenuto.session.viewing import Lens, Viewer

PAGE = 300
"""Events that are read from the store at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """How a client wants to join."""

    client: str
    """Its own id, the same over its reconnects."""
    role: e.AttachmentRole = "controller"
    transport: str = "websocket"
    token: str = ""
    """Its resume token; empty when it proved itself otherwise."""
    have: tuple[str, int] | None = None
    """Epoch and position that it has seen."""
    heard: tuple[int, float] | None = None
    """Reply, and seconds of it that it has played."""
    mic: tuple[str, int] | None = None
    """Microphone stream and its rate in Hz."""
    again: Callable[[int], None] | None = None
    """Asks the client to send its microphone again from a sample on, and to say when it does; None when it cannot."""
    voice: bool = False
    """Whether replies are spoken to it."""
    resumable: bool = True
    """Whether it is given a resume token."""
    binding: str = ""
    """What its resume token ends with: what it was let in for, for whoever reads that when it comes back."""
    share: int = 0
    """The share that it looks through: it is an observer named `share:N`, sees what the share shows, and comes back by the
    share alone. 0 when it is the session's own user's.
    """


class Attachment:
    """A client's hold on a session. Made by `attach`; every call is synchronous unless it says otherwise.

    Example:
        >>> attachment = await session.attach(Joining(client="tab-1"), listener)  # doctest: +SKIP
        >>> attachment.leave("left")  # doctest: +SKIP
    """

    def __init__(self, driver: Driver, number: int, joining: Joining) -> None:
        self.number = number
        """Its number within the session."""
        self.role = joining.role
        """`controller` or `observer`."""
        self.client = joining.client
        """The client program's own id."""
        self.driver = driver
        """What serves the session."""
        self.microphone = driver.microphone
        """The session's microphone, which the controller's frames go into."""
        self.token = ""
        """The next resume token."""
        self.mode = "fresh"
        """How it is brought to the present: `fresh`, `replay` or `snapshot`."""
        self.after = 0
        """The client is told every event after this position, one by one."""
        self.head = 0
        """The position of the attachment itself."""
        self.snapshot: bytes | None = None
        """The view at `head`, as JSON, when the client missed too much."""
        self.mic = 0
        """Where the microphone has to go on, in samples of its stream."""
        self._told_live = 0
        self.lens: Lens | None = None
        """What it looks through; None when it sees everything."""

    @property
    def is_controller(self) -> bool:
        """Whether it has the controls now."""
        return self.driver.core.state.controller == self.number

    @property
    def hears(self) -> int:
        """Hertz that the client sends its microphone at; 0 when it has none, or the engine does not listen."""
        listens = self.role == "controller" and self.driver.core.capabilities.listens
        return self.microphone.rate if listens else 0

    @property
    def speaks(self) -> int:
        """Hertz of the audio that it is sent."""
        return self.driver.core.capabilities.speaks or self.microphone.rate or 16_000

    @property
    def answered(self) -> int:
        """The last command of this client that is durable or about to be."""
        known = self.driver.core.state.clients.get(self.client)
        return known.last if known else 0

    def mark(self, reply: int, seconds: float, done: bool) -> None:
        """The client has played this much of a reply. Only the controller's word counts.

        Args:
            reply: Which one.
            seconds: How much of its audio.
            done: Whether that is all that it had.
        """
        if self.is_controller:
            self.driver.receive(stimuli.Mark(reply=reply, seconds=seconds, done=done))

    def there(self, at: float) -> None:
        """The client was there at that moment, in seconds of a clock that does not jump: something came from it later."""
        if self.is_controller:
            self.driver.playing.there = at

    def leave(self, reason: str) -> None:
        """The client is gone.

        Args:
            reason: `left`, `lost`, `slow` or `draining`.
        """
        if self.driver.error is None and not self.driver.core.state.ended:
            self.driver.receive(stimuli.Leave(attachment=self.number, reason=reason))

    def safe_microphone(self) -> int:
        """Return the sample of its microphone before which nothing can be lost any more."""
        return self.driver.safe_microphone()

    def rewound(self) -> None:
        """What the client sends of its microphone from now on is what it was asked to send again."""
        if self.is_controller:
            self.microphone.rewound()

    def command(
        self,
        number: int,
        make: Callable[[str], stimuli.Stimulus],
        then: Callable[[int, TenutoError | None], None],
    ) -> None:
        """Carry out a command once, and call `then` with its position when it is durable, or with what refused it.

        Args:
            number: The client's own number of the command, from 1. One that is in the journal already is only answered.
            make: Makes the stimulus from the cause that its events carry.
            then: Called once, with the position and None, or with 0 and the error.
        """
        state = self.driver.core.state
        if self.number not in state.here and not state.ended:
            # It is being let go of. The close that follows says why, and the command comes again or not at all.
            return
        known = state.clients.get(self.client)
        position = known.answers.get(number) if known else None
        try:
            if number < 1:
                raise InvalidInput("Commands are numbered from 1.")
            if position is None and self.role != "controller":
                raise NotAllowed("An observer cannot do this. Attach as the controller.")
            if position is None:
                head = self.driver.receive(make(f"{self.client}:{number}"))
                known = state.clients.get(self.client)
                # The same answer as when the command is sent again.
                position = known.answers.get(number, head) if known else head
        except TenutoError as error:
            then(0, error)
            return
        at = position
        self.driver.when_durable(at, lambda error: then(at, error))

    async def missed(self, store: ports.Store) -> AsyncIterator[Sequence[ports.Row]]:
        """Yield the events after `after` and up to where the listener was told live, in pages, oldest first.

        Args:
            store: Where those are read that are not in RAM any more.
        """
        async for rows in self._missed(store):
            yield rows if self.lens is None else [self.lens.row(row) for row in rows]

    async def _missed(self, store: ports.Store) -> AsyncIterator[Sequence[ports.Row]]:
        ring = list(self.driver.ring)
        after, until = self.after, self._told_live
        if after >= until:
            return
        if ring and ring[0].position <= after + 1:
            yield [row for row in ring if after < row.position <= until]
            return
        while after < until:
            rows = await store.read(
                ports.Read(
                    session=self.driver.core.state.session,
                    after=after,
                    before=until + 1,
                    limit=PAGE,
                )
            )
            if not rows:
                return
            yield rows
            after = rows[-1].position


async def attach(driver: Driver, joining: Joining, listener: ports.Listener) -> Attachment:
    """Bind a client to a live session. The listener is told of every event from here on, also while this waits.

    Raises:
        NotAuthenticated: The resume token is unknown, expired or was used before; in the last case every token of the
            client is void from now on.
        InvalidInput: The client's id is not acceptable.
        NotAllowed: The share that it looks through is over, or does not allow to read.
    """
    lens: Lens | None = None
    if joining.share:
        lens = _lens(driver, joining.share)
        joining = Joining(
            client=f"share:{joining.share}",
            role="observer",
            transport=joining.transport,
            have=joining.have,
            voice=joining.voice,
            resumable=False,
            share=joining.share,
        )
        listener = Viewer(listener, lens)
    elif not 1 <= len(joining.client) <= 64 or ":" in joining.client:
        raise InvalidInput("A client's id has 1 to 64 characters and no colon.")
    core, state = driver.core, driver.core.state
    if joining.token:
        proof = resume.prove(state.clients.get(joining.client), joining.token, driver.now())
        if proof is resume.Proof.REUSED:
            await driver.commit(driver.receive(stimuli.Revoke(client=joining.client)))
        if proof is not resume.Proof.GOOD:
            raise NotAuthenticated(resume.STALE)
    epoch, position = joining.have or ("", 0)
    plan = resume.plan(state, epoch, position)
    known = state.clients.get(joining.client)
    resumable = joining.resumable and not _is_in_disguise(known, joining)
    if joining.role == "controller" and known is not None and known.observes:
        # What its name was given while it only looked on does not give the controls.
        driver.receive(stimuli.Revoke(client=joining.client))
    token = new_secret() + joining.binding if resumable else ""
    microphone = driver.microphone
    goes_on = 0
    if joining.mic is not None:
        stream, _ = joining.mic
        if microphone.stream == stream and microphone.alive:
            goes_on = microphone.heard
        else:
            goes_on = state.mics.get(stream, 0)

    head = driver.receive(
        stimuli.Join(
            role=joining.role,
            client=joining.client,
            transport=joining.transport,
            voice=joining.voice,
            mic=joining.mic[0] if joining.mic else "",
            left=microphone.heard,
            token=resume.digest(token) if token else "",
            shown=resume.digest(joining.token) if joining.token else "",
            heard=joining.heard,
            share=joining.share,
        )
    )
    attachment = Attachment(driver, state.attachments, joining)
    attachment.token, attachment.mode, attachment.after = token, plan.mode, plan.after
    attachment.head = head
    attachment._told_live, attachment.lens = driver.durable, lens
    if plan.mode == "snapshot":
        view = resume.view(state, core.status)
        attachment.snapshot = msgspec.json.encode(view if lens is None else lens.view(view))
        attachment.after = head
    if joining.role == "controller" and joining.mic is not None:
        microphone.start(joining.mic[0], joining.mic[1], goes_on, joining.again)
    if joining.role == "controller":
        driver.playing.there = None
    driver.add(attachment.number, listener)
    await driver.commit(head)
    if joining.role == "controller":
        await driver.playing.find_place()
    if joining.mic is not None and attachment.is_controller:
        # A link that was lost meanwhile has moved it.
        attachment.mic = microphone.heard
        microphone.rewound()
    return attachment


def _is_in_disguise(known: Client | None, joining: Joining) -> bool:
    """Tell whether it is an observer that calls itself what a controller is called, and cannot prove to be that one: a
    resume token would give it the controls, and take them from the other.
    """
    if joining.role != "observer" or joining.token or known is None:
        return False
    return not known.observes


def _lens(driver: Driver, share: int) -> Lens:
    known = driver.core.state.shares.known.get(share)
    user = known.user if known is not None else ""
    why = shares.refusal(driver.core.state, share, user, "read_history", driver.now())
    if why:
        raise shares.error(why, "read_history")
    return Lens(LiveDesk(driver), share)
