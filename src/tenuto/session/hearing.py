"""What the engine tells: that somebody speaks, what was said, what it learned of it, and that it is gone.

What belongs to a reply or to the link goes straight to them. The rest is decided here: whose speech it was, and what becomes
of speech that a lost link took along.
"""

from collections.abc import Callable
from typing import Any

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import memory, ports, turns
from tenuto.session.life_fold import need_awake
from tenuto.session.linking import HOPELESS, Linking
from tenuto.session.messages import LONGEST_TEXT, Messages
from tenuto.session.replying import Replying
from tenuto.session.scribe import Scribe
from tenuto.session.state import Life, Link, Turn
from tenuto.session.stimuli import FromEngine, Join, Listen

LOST = "The engine could not be reached. Say it again to try once more."
LOST_FOR_NOW = (
    "The engine could not be reached. It is tried again by itself; what it owes is answered then."
)
HAS_TO_BE_MENDED = (
    "The engine cannot be used as it is set up ({}). `tenuto doctor` says what to do."
)
SPEECH_LOST = "What you said last was lost: the engine could not be reached. Say it again."


class Hearing:
    """Takes what the engine of a core tells."""

    def __init__(
        self, scribe: Scribe, linking: Linking, messages: Messages, replying: Replying
    ) -> None:
        self._scribe, self._linking = scribe, linking
        self._messages, self._replying = messages, replying
        self._state = scribe.state
        self.mic, self.client = "", ""
        """The microphone and the id of the client that had the controls last: it may be gone when it is known what it said."""
        self._left = 0
        """The sample at which somebody else took over from the stream of the open speech."""

    def take(self, s: FromEngine) -> None:
        """Take what a link tells, unless it is one of long ago."""
        if s.link != self._linking.number:
            return
        if self._linking.is_open:
            _TAKE[type(s.event)](self, s.event)
        elif isinstance(s.event, ports.Used) and self._state.life is not Life.PARKED:
            # What was used counts also when it is told on the way out.
            self._linking.use(s.event)

    # ------------------------------------------------------------------------------------------------------- who speaks

    def take_over(self, s: Join) -> None:
        """Somebody has the controls from now on, and brings their own microphone."""
        speech = self._state.speech
        if speech is not None and speech.mic != s.mic:
            # It goes on in no stream that will be heard.
            self._left = s.left
            self._linking.finish()
        self.mic, self.client, self._scribe.listening = s.mic, s.client, False

    def listen(self, s: Listen) -> None:
        """The program that holds the session opens or closes its microphone.

        Raises:
            IllegalEvent: Nobody would listen.
        """
        state, scribe, linking = self._state, self._scribe, self._linking
        if not s.on:
            if scribe.listening:
                scribe.listening = False
                linking.finish()
            return
        if not scribe.capabilities.listens:
            raise IllegalEvent(f"The {scribe.capabilities.name} engine does not listen.")
        need_awake(state)
        if state.life is not Life.LIVE or not state.conversation:
            raise IllegalEvent("Nobody is there, or no conversation is open.")
        scribe.listening, self.mic, linking.lost = True, s.mic, False
        if not linking.speaks or not linking.is_open:
            linking.forgive()
            self._replying.go_on(greets=False)

    def _speech_began(self, event: ports.SpeechBegan) -> None:
        state = self._state
        if state.speech is not None or not state.conversation:
            return
        self._replying.quit("barge_in")
        self._linking.unheard = False
        self._scribe.emit(
            e.SpeechStarted(
                at=self._scribe.at, turn=state.turns + 1, mic=self.mic, offset=event.offset
            )
        )

    def _speech_finished(self, event: ports.SpeechFinished) -> None:
        speech = self._state.speech
        if speech is None:
            return
        text = event.text.strip()[:LONGEST_TEXT]
        # A client that took over in the middle of the speech has brought its own stream: `event.until` is in that.
        until = event.until if speech.mic == self.mic else self._left or event.until
        self._end_speech(until, event.reason)
        if text:
            read = self._messages.read(text, event.seconds)
            self._messages.take("user", turn=speech.turn, by="voice", client=self.client, **read)
        self._replying.ask()
        self._replying.ring()

    def lose_speech(self) -> None:
        """What is being said is not known yet: its audio has to be sent again from where it began."""
        if self._state.speech is not None:
            self._end_speech(self._state.speech.offset, "lost")

    def _end_speech(self, until: int, reason: str) -> None:
        speech, at = self._state.speech, self._scribe.at
        assert speech is not None
        self._scribe.emit(
            e.SpeechEnded(at=at, turn=speech.turn, mic=speech.mic, until=until, reason=reason)
        )

    # ------------------------------------------------------------------------------------------------- what is made of it

    def _learned(self, event: ports.Learned) -> None:
        scribe, clean = self._scribe, self._messages.clean
        # What may not be stored is not learned either: an engine that listens has heard more than the text that is kept.
        may = not any(clean(text)[1] for text in (event.content, event.value))
        if scribe.config.enable_learning and may:
            scribe.emit_all(memory.learn(scribe.state, event, scribe.at, scribe.elsewhere))

    def _forgot(self, event: ports.Forgot) -> None:
        scribe = self._scribe
        if not self._is_a_guests(event.turn):
            scribe.emit_all(memory.drop(scribe.state, event.memory, scribe.at, scribe.elsewhere))

    def _alarm_wanted(self, event: ports.AlarmWanted) -> None:
        state, at = self._state, self._scribe.at
        text, _ = self._messages.clean(event.text)
        same = [a for a in state.alarms.values() if a.turn == event.turn and a.text == text]
        if not same:
            number = state.alarm_count + 1
            self._scribe.emit(
                e.AlarmSet(at=at, alarm=number, due=event.due, text=text, turn=event.turn)
            )

    def _alarm_dropped(self, event: ports.AlarmDropped) -> None:
        if event.alarm in self._state.alarms and not self._is_a_guests(event.turn):
            self._scribe.emit(e.AlarmCancelled(at=self._scribe.at, alarm=event.alarm))

    def _is_a_guests(self, turn: int) -> bool:
        """Whether somebody else than the session's user asks for what the engine wants: they take nothing from it."""
        return turns.is_a_guests(self._state.recent, self._state.owed, turn)

    # -------------------------------------------------------------------------------------------------------- when it is gone

    def _failed(self, event: ports.Failed) -> None:
        state, scribe, linking = self._state, self._scribe, self._linking
        is_hopeless = event.reason in HOPELESS
        # It was told that the engine is lost: that another try was in vain is no news, however long it goes on.
        is_news = is_hopeless or not (linking.lost and scribe.talks)
        linking.fail()
        linking.unheard |= state.speech is not None and state.life is Life.LIVE
        self.lose_speech()
        if is_news:
            scribe.emit(e.EngineLost(at=scribe.at, link=linking.number, reason=event.reason))
        if state.reply is not None and state.turn is not Turn.HELD:
            self._replying.cut("engine")
        if is_hopeless:
            self._give_up(HAS_TO_BE_MENDED.format(event.reason), still_owed=False)
        elif linking.is_spent:
            if is_news:
                self._give_up(LOST_FOR_NOW if scribe.talks else LOST, still_owed=scribe.talks)
            if scribe.talks:
                linking.wait()
        elif linking.is_first_failure:
            self._try_again()
        elif self._is_needed:
            linking.wait()

    @property
    def _is_needed(self) -> bool:
        state = self._state
        owes = state.turn is Turn.THINKING or bool(state.rung)
        return owes or self._scribe.talks or self._linking.unheard

    def retry(self) -> None:
        """It is time to try another link, if somebody still needs one."""
        linking = self._linking
        if linking.link in (Link.WAITING, Link.FAILED):
            self._try_again()
        if linking.link is Link.WAITING:
            linking.close()

    def _try_again(self) -> None:
        self._replying.ask()
        self._replying.ring()
        if self._scribe.talks or self._linking.unheard:
            self._linking.need()

    def _give_up(self, message: str, *, still_owed: bool) -> None:
        """Say that the engine is lost, and what was lost with it."""
        scribe, linking = self._scribe, self._linking
        unheard, linking.unheard = linking.unheard, False
        if self._state.turn is Turn.THINKING or (scribe.talks and not unheard):
            scribe.emit(
                e.ErrorRaised(
                    at=scribe.at, code="engine_lost", message=message, still_owed=still_owed
                )
            )
        if unheard:
            scribe.emit(
                e.ErrorRaised(
                    at=scribe.at, code="speech_lost", message=SPEECH_LOST, still_owed=still_owed
                )
            )
        linking.lost = True


def _partial(hearing: Hearing, event: ports.Partial) -> None:
    """Partials are shown, not kept: the driver passes them on."""


_TAKE: dict[type, Callable[[Hearing, Any], None]] = {
    ports.Ready: lambda hearing, event: hearing._linking.ready(),
    ports.SpeechBegan: Hearing._speech_began,
    ports.Partial: _partial,
    ports.SpeechFinished: Hearing._speech_finished,
    ports.Segment: lambda hearing, event: hearing._replying.segment(event),
    ports.Learned: Hearing._learned,
    ports.Forgot: Hearing._forgot,
    ports.AlarmWanted: Hearing._alarm_wanted,
    ports.AlarmDropped: Hearing._alarm_dropped,
    ports.Configured: lambda hearing, event: hearing._linking.apply(event.version),
    ports.Used: lambda hearing, event: hearing._linking.use(event),
    ports.Failed: Hearing._failed,
}
