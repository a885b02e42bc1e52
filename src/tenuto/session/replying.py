"""The open reply and its playback: asked for, spoken, held while nobody hears it, gone on with, and ended or cut.

Heard is not said: what ends up in the history is what the client's marks say was heard; what was generated is kept beside
it. The playback is not journaled: it is lost with the process, safely, as a client tells it again when it comes back.
"""

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import effects, history, ports, preferences, turns
from tenuto.session.linking import Linking
from tenuto.session.messages import Messages
from tenuto.session.playback import Playback, heard_text, spoken_seconds
from tenuto.session.scribe import Scribe
from tenuto.session.state import Life, Turn
from tenuto.session.stimuli import Mark, Played, Stop
from tenuto.session.turn_fold import OpenReply

KEPT_BACK = 0.1
"""Seconds of a reply's end that a client need not have played: a resampler on the way may keep them."""


class Replying:
    """The replies of a core, one at a time."""

    def __init__(self, scribe: Scribe, linking: Linking, messages: Messages) -> None:
        self._scribe, self._linking, self._messages = scribe, linking, messages
        self._state = scribe.state
        self.playback: Playback | None = None
        """How much of the open reply was heard; None while none is open that is spoken."""

    # -------------------------------------------------------------------------------------------------- asked for and told

    def ask(self) -> None:
        """Ask for an answer to everything that is owed one."""
        state, scribe = self._state, self._scribe
        if state.turn is not Turn.THINKING or state.paused:
            return
        if scribe.capabilities.answers:
            self._linking.ask(*turns.question(state.recent, state.owed))
        else:
            name = scribe.capabilities.name
            message = f"The {name} engine only relays audio: it answers nothing."
            scribe.emit(e.ErrorRaised(at=scribe.at, code="not_answered", message=message))

    def ring(self) -> None:
        """Tell of an alarm that rang, when somebody is there and nobody speaks."""
        state, scribe = self._state, self._scribe
        if not state.rung or state.life is not Life.LIVE or state.turn is not Turn.IDLE:
            return
        if state.paused:
            return
        if not state.conversation:
            name = history.free_name(state)
            scribe.emit(e.ConversationStarted(at=scribe.at, conversation=name))
        self._linking.ring(state.rung[0])

    def tell(self, text: str, cause: str = "") -> None:
        """Say something that nobody asked for."""
        aloud = self._scribe.voice
        self._start(self._state.turns + 1, aloud=aloud, cause=cause)
        reply, at = self._state.replies, self._scribe.at
        self._scribe.emit(e.ReplySegment(at=at, reply=reply, index=0, text=text, last=True))
        if aloud:
            self._speak(reply, 0, text, last=True)
        else:
            self._end(0.0)

    def segment(self, event: ports.Segment) -> None:
        """The engine has made the next segment of what it was asked for."""
        state = self._state
        if event.last and event.turn == self._linking.asked:
            self._linking.asked = 0
        if state.reply is None:
            self._first_segment(event.turn)
        reply = state.reply
        if reply is None or event.turn != (-reply.alarm or reply.turn) or reply.complete:
            return
        index = len(reply.segments)
        self._scribe.emit(
            e.ReplySegment(
                at=self._scribe.at,
                reply=reply.reply,
                index=index,
                text=event.text,
                last=event.last,
                cites=list(event.cites),
            )
        )
        if not reply.aloud:
            if event.last:
                self._end(0.0)
        elif state.turn is Turn.SPEAKING:
            self._speak(reply.reply, index, event.text, event.last)

    def _first_segment(self, turn: int) -> None:
        state, voice = self._state, self._scribe.voice
        if turn < 0 and state.turn is Turn.IDLE and state.life is Life.LIVE:
            if any(alarm.alarm == -turn for alarm in state.rung):
                self._start(state.turns + 1, aloud=voice, alarm=-turn)
        elif state.turn is Turn.THINKING:
            owed, _ = turns.question(state.recent, state.owed)
            if turn == owed:
                # What is owed a spoken answer while nobody is there is kept to be spoken to whoever comes back.
                kept = state.owed_voice and state.life is not Life.LIVE
                self._start(turn, aloud=kept or voice)

    def _start(self, turn: int, *, aloud: bool, alarm: int = 0, cause: str = "") -> None:
        state, scribe = self._state, self._scribe
        scribe.emit(
            e.ReplyStarted(
                at=scribe.at,
                cause=cause,
                reply=state.replies + 1,
                turn=turn,
                conversation=state.conversation,
                aloud=aloud,
                alarm=alarm,
                pace=preferences.style(state, scribe.config).pace if aloud else None,
            )
        )
        self.playback = Playback(state.replies) if aloud else None
        self._linking.forgive()
        self._linking.unheard = False

    def _speak(self, reply: int, index: int, text: str, last: bool) -> None:
        assert self._state.reply is not None
        self._linking.speak(reply, index, text, last, self._state.reply.pace)

    # ----------------------------------------------------------------------------------------------------- what was heard

    def mark(self, s: Mark) -> None:
        """A client has played so much of it."""
        reply, playback = self._state.reply, self.playback
        if reply is None or playback is None or playback.reply != s.reply:
            return
        playback.mark(s.seconds, self._scribe.at)
        # One that is done with what it had, while the rest is under way, is done again.
        if s.done and _is_sent(reply, playback) and playback.marked >= playback.queued - KEPT_BACK:
            self._end(playback.queued)

    def played(self, s: Played) -> None:
        """All of it was sent, and no client has said how much it has played."""
        reply, playback = self._state.reply, self.playback
        if reply is None or playback is None or reply.reply != s.reply:
            return
        if self._state.turn is Turn.SPEAKING and _is_sent(reply, playback):
            self._end(playback.queued)

    def take_heard(self, heard: tuple[int, float] | None) -> None:
        """Take a client's word for how much of the open reply it has played, within what it can have been sent."""
        reply = self._state.reply
        if heard is None or reply is None or heard[0] != reply.reply or not heard[1] > 0:
            return
        known = self.playback or Playback(reply.reply)
        longest = known.sent if known.queued else 2.0 * spoken_seconds(reply.segments) + 1.0
        seconds = min(heard[1], longest)
        known.sent, known.marked, known.marked_at = max(known.sent, seconds), seconds, None
        self.playback = known

    def _heard(self) -> float:
        return self.playback.heard(self._scribe.at) if self.playback is not None else 0.0

    # --------------------------------------------------------------------------------------------------------- ended or cut

    def _end(self, heard: float) -> None:
        reply = self._state.reply
        assert reply is not None
        at = self._scribe.at
        self._scribe.emit(e.ReplyEnded(at=at, reply=reply.reply, heard=round(heard, 3)))
        self.playback = None
        self._add_answer(reply, reply.text)
        self.ring()

    def stop(self, s: Stop) -> None:
        """Cut what is being said, or what would be the answer.

        Raises:
            IllegalEvent: Nothing is said, and nothing is owed an answer.
        """
        state = self._state
        if s.heard is not None and state.reply is not None:
            self.take_heard((state.reply.reply, s.heard))
        if state.reply is None and state.turn is Turn.THINKING:
            turn, _ = turns.question(state.recent, state.owed)
            self._start(turn, aloud=False)
        if state.reply is None:
            raise IllegalEvent("There is no reply to stop.")
        self.cut(s.reason, s.cause)
        self.ring()

    def quit(self, reason: str) -> None:
        """Cut the open reply, if there is one, or drop the answer that is being thought of."""
        if self._state.reply is not None:
            self.cut(reason)
        elif self._linking.asked:
            self._linking.drop()

    def cut(self, reason: str, cause: str = "") -> None:
        """Cut the open reply where it was heard."""
        reply, scribe = self._state.reply, self._scribe
        assert reply is not None
        scribe.at_once(effects.Hush(reply.reply))
        self._linking.drop()
        heard = self._heard() if reply.aloud else 0.0
        ends = self.playback.ends if self.playback is not None else []
        text = heard_text(reply.segments, ends, heard) if reply.aloud else reply.text
        scribe.emit(
            e.ReplyCut(
                at=scribe.at, cause=cause, reply=reply.reply, reason=reason, heard=round(heard, 3)
            )
        )
        self.playback = None
        self._add_answer(reply, text)

    def _add_answer(self, reply: OpenReply, heard: str) -> None:
        """Put what was heard of a reply into the history, and all of it beside, when that was more."""
        if reply.text:
            self._messages.add(
                "agent",
                heard,
                reply.turn,
                reply=reply.reply,
                said=reply.text if heard != reply.text else "",
                by="voice" if reply.aloud else "text",
                cites=list(reply.cites),
            )

    # ------------------------------------------------------------------------------------------------- held and gone on with

    def hold(self) -> None:
        """Nobody is there to hear it any more."""
        reply, scribe, playback = self._state.reply, self._scribe, self.playback
        if reply is not None and reply.aloud and playback is not None:
            scribe.at_once(effects.Pause())
            self._linking.drop()
            playback.marked, playback.marked_at = playback.heard(scribe.at), None
            heard = round(playback.marked, 3)
            scribe.emit(e.PlaybackMarked(at=scribe.at, reply=reply.reply, heard=heard))
        elif self._linking.asked < 0:
            self._linking.drop()

    def restore(self, seconds_away: float, grace: float) -> None:
        """A process has ended in the middle of it. One that nobody can be waiting for any more is cut."""
        reply = self._state.reply
        if reply is not None:
            self.playback = Playback(reply.reply, marked=reply.heard, sent=reply.heard)
            if seconds_away > grace + spoken_seconds(reply.segments):
                self.cut("crashed")

    def go_on(self, *, greets: bool = True) -> None:
        """Somebody is there: open the engine, and go on with what waits for them."""
        state = self._state
        if state.paused:
            return
        if self._scribe.talks:
            if not self._linking.speaks:
                self._linking.close()
            self._linking.need()
        if state.reply is not None:
            self._go_on_with(state.reply)
        elif state.turn is Turn.THINKING:
            self.ask()
        elif greets and state.turn is Turn.IDLE and state.conversation and not state.rung:
            self._greet()
        self.ring()

    def _go_on_with(self, reply: OpenReply) -> None:
        """Go on with a reply that was interrupted, where it was heard."""
        voice, continues = self._scribe.voice, self._scribe.capabilities.continues
        rest = not reply.complete and not reply.alarm
        playback = self.playback
        if playback is not None and _is_sent(reply, playback) and playback.is_heard:
            self._end(playback.queued)
        elif reply.aloud and (not voice or not continues):
            if reply.complete and not voice:
                self._end(self._heard())
            else:
                self.cut("detached")
        elif not reply.complete and not rest:
            self.cut("crashed")
        else:
            if reply.aloud:
                self._speak_on(reply)
            if rest:
                self._ask_rest(reply)

    def _speak_on(self, reply: OpenReply) -> None:
        heard = self._heard()
        self.playback = Playback(reply.reply, marked=heard, sent=heard)
        self._linking.need()
        self._scribe.later(effects.Resume(reply.reply, heard))
        for index, text in enumerate(reply.segments):
            last = reply.complete and index == len(reply.segments) - 1
            self._speak(reply.reply, index, text, last)

    def _ask_rest(self, reply: OpenReply) -> None:
        """Ask for what is missing of a reply that was interrupted while it was made."""
        asked = [
            m.text
            for m in self._state.recent
            if m.turn == reply.turn and m.role == "user" and m.by != "injected"
        ]
        self._linking.ask(reply.turn, " ".join(asked), tuple(reply.segments))

    def _greet(self) -> None:
        greeting = self._scribe.config.greeting
        known = self._state.conversations[self._state.conversation]
        if greeting and not known.messages and not known.fork:
            self.tell(greeting)


def _is_sent(reply: OpenReply, playback: Playback) -> bool:
    """Whether all of a reply is there, and all of its audio was made and sent."""
    made = reply.complete and len(playback.ends) == len(reply.segments)
    return made and playback.sent >= playback.queued
