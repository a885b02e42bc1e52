"""Has the audio of replies sent in time, and counts a reply as heard when its client says nothing about it.

What a client marks is believed. One that does not mark has heard a reply `PLAYED_SECONDS` after its last audio was sent, if it
was there after that had arrived: nobody hears anything over a connection that is dead.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from tenuto.clock import Clock
from tenuto.session import ports, stimuli
from tenuto.session.core import SessionCore
from tenuto.session.player import FRAME, Player
from tenuto.session.state import Turn
from tenuto.session.timer import Timer

PLAYED_SECONDS = 2.0
"""Seconds after the last audio of a reply was sent, without a mark from the client, until it counts as heard."""
ARRIVED_SECONDS = 0.5
"""Seconds that audio may take to a client, at most: one that was there after that has it."""
PLACE_SECONDS = 1.0
"""Seconds that a client which comes back after a crash waits for the audio that it has heard to be made again."""


class Playing:
    """The audio of the link that a session has, on its way to whoever listens.

    Args:
        core: Knows the reply that is open, and what was heard of it.
        clock: The time.
        now: Seconds since 1970-01-01 UTC, as the core is told them.
        take: Tells the session that a reply was heard. Must not raise.
    """

    def __init__(
        self,
        core: SessionCore,
        clock: Clock,
        now: Callable[[], float],
        take: Callable[[stimuli.Played], None],
    ) -> None:
        self.there: float | None = None
        """When the controller was there for certain, by `Clock.monotonic`; None when its transport does not say."""
        self._core, self._clock, self._now, self._take = core, clock, now, take
        self._player: Player | None = None
        self._made: asyncio.Event | None = None
        """Set when the engine has made more audio; None until somebody waits for that."""
        self._is_over = False
        self._next = Timer(self._send)
        self._unmarked = Timer(self._not_marked)

    # ---------------------------------------------------------------------------------------------------------- the link

    def open(self, rate: int) -> ports.AudioOut:
        """Return where the engine of a new link puts its audio.

        Args:
            rate: Hertz of that audio.
        """
        self._player = Player(rate, self._core.replying)
        return _Out(self._player, self)

    def close(self) -> None:
        """The link is gone: its late audio goes nowhere."""
        if self._player is not None:
            self._player.stop()
            self._player.ears = ()
            self._player = None

    def end(self) -> None:
        """The session is gone from here: nothing is sent, timed or waited for any more."""
        self.close()
        self._next.stop()
        self._unmarked.stop()
        self._is_over = True
        if self._made is not None:
            self._made.set()

    def heard_by(self, ears: Sequence[ports.Listener]) -> None:
        """Send everything from now on to these."""
        if self._player is not None:
            self._player.ears = ears

    def stop(self) -> None:
        """Send nothing of what was made so far."""
        if self._player is not None:
            self._player.stop()

    def resume(self, reply: int, heard: float) -> None:
        """Send this reply from here on, and leave out what comes before `heard` seconds of it."""
        if self._player is not None:
            self._player.begin(reply, heard)

    def made(self) -> None:
        """The engine has made audio of a reply: see that it is sent in time."""
        if self._made is not None:
            self._made.set()
        if not self._next.is_set:
            self._send()

    # --------------------------------------------------------------------------------------------------------- the sending

    def _send(self) -> None:
        if self._player is None:
            return
        wait = self._player.tick(self._clock.monotonic())
        if wait is not None:
            self._unmarked.stop()
            self._next.set(max(wait, FRAME / 4))
        elif self._is_all_sent():
            playback = self._core.playback
            if playback is not None and playback.is_heard:
                self._take(stimuli.Played(reply=playback.reply))
            else:
                arrived = self._clock.monotonic() + ARRIVED_SECONDS
                self._unmarked.set(PLAYED_SECONDS, self._core.state.replies, arrived)

    def _is_all_sent(self) -> bool:
        reply, playback = self._core.state.reply, self._core.playback
        return (
            reply is not None
            and playback is not None
            and reply.complete
            and len(playback.ends) == len(reply.segments)
        )

    def _not_marked(self, reply: int, arrived: float) -> None:
        playback = self._core.playback
        if playback is None or playback.reply != reply or not self._core.state.controller:
            return
        marks = playback.marked_at is not None and self._now() - playback.marked_at < PLAYED_SECONDS
        if marks or (self.there is not None and self.there < arrived):
            # Over a connection that is dead nothing is heard, and it takes a while until that shows.
            self._unmarked.set(PLAYED_SECONDS, reply, arrived)
        else:
            self._take(stimuli.Played(reply=reply))

    # ----------------------------------------------------------------------------------------------------------- the place

    async def find_place(self) -> None:
        """Wait until it is known which words of a reply that goes on were heard; at most `PLACE_SECONDS`.

        After a crash only the seconds are known. Whoever speaks before the audio is made again would cut it anywhere.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PLACE_SECONDS):
                while self._seeks_place():
                    self._made = self._made or asyncio.Event()
                    self._made.clear()
                    await self._made.wait()

    def _seeks_place(self) -> bool:
        playback = self._core.playback
        seeks = playback is not None and playback.marked > 0 and not playback.knows_place
        return seeks and self._core.state.turn is Turn.SPEAKING and not self._is_over


class _Out:
    """The player, as the engine sees it: what is queued starts to be sent at once."""

    def __init__(self, player: Player, playing: Playing) -> None:
        self.relay = player.relay
        self.queued = player.queued
        self.stop = player.stop
        self._play, self._made = player.play, playing.made

    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None:
        self._play(reply, index, pcm, last)
        self._made()
