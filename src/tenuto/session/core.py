"""The session with no I/O: stimuli in, events and effects out. It owns no task, no clock, no socket and no randomness.

The driver calls `receive` with what happened and when. The core decides which events that makes, folds them into its
state, and keeps them with their effects until the driver takes them with `take`. Nothing here waits: an event in the state
is not durable yet, and nobody outside may be told of it before the driver has committed it.

What is not journaled is kept beside the state and is lost with the process, safely: the link to the engine, and the
playback of the open reply, which a client tells again when it comes back.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import (
    ConversationExists,
    ConversationNotFound,
    IllegalEvent,
    InvalidConfig,
    InvalidInput,
    SessionEnded,
)
from tenuto.session import (
    analytics,
    config,
    context,
    effects,
    history,
    memory,
    ports,
    preferences,
    shares,
    summary,
    turns,
)
from tenuto.session.config import SessionConfig
from tenuto.session.fold import WINDOW, OpenReply, State, apply, copy
from tenuto.session.playback import Playback, heard_text, spoken_seconds
from tenuto.session.reading import NoReader
from tenuto.session.state import Life, Link, LinkSignal, Status, Turn, next_link, status
from tenuto.session.stimuli import (
    Connect,
    Create,
    Decide,
    Disconnect,
    Due,
    End,
    EndConversation,
    FromEngine,
    Hold,
    Inject,
    Join,
    Leave,
    LinkAccepted,
    Listen,
    Mark,
    Park,
    Pause,
    Played,
    Remember,
    Restore,
    Revoke,
    Say,
    StartConversation,
    Stimulus,
    Stop,
    Type,
    Unpause,
)

LONGEST_TEXT = 10_000
"""Characters of one message of the user."""
KEPT_BACK = 0.1
"""Seconds of a reply's end that a client need not have played: a resampler on the way may keep them."""
LONGEST_NAME = 100
"""Characters of the id of a conversation."""
WORTH_SUMMARY = 10
"""Messages of a conversation that are worth a summary when it ends."""
_ENDED = Life.ENDED
RETRIES = 3
"""Links that are opened in a row without one reply, before the session says that the engine is lost."""


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What one or more stimuli made of the session, not yet durable."""

    events: list[e.Event]
    effects: list[effects.Durable]


# ------------------------------------------------------------------------------------------------------------------- core


class SessionCore:
    """A session's decisions.

    Args:
        state: The fold to go on from; a new one for a session that does not exist yet.
        capabilities: What the session's engine can do.
        grace: Seconds that a held reply waits after a crash for somebody to hear the rest.
        reader: Finds personal data and traits in what the user says; one that finds nothing when None.
    """

    def __init__(
        self,
        state: State,
        capabilities: ports.Capabilities,
        grace: float = 30.0,
        reader: ports.Reader | None = None,
    ) -> None:
        self.state = state
        self.reader = reader or NoReader()
        self.capabilities = capabilities
        self.grace = grace
        self._link = Link.CLOSED
        self.link_moved: Callable[[Link, Link, float], None] | None = None
        """Told of each move of the link, before it: from where, to where, and when."""
        self.playback: Playback | None = None
        self.mic, self.client = "", ""
        """The microphone and the id of the client that had the controls last: it may be gone when it is known what it said."""
        self._left = 0
        """The sample at which somebody else took over from the stream of the open speech."""
        self.listening = False
        """Whether the program that holds the session has a microphone open."""
        self.elsewhere: Sequence[ports.Memory] = ()
        """What the user's other sessions know; kept up to date by the driver."""
        self.extracts = False
        """Whether the host has facts found in conversations that have ended."""
        self._config: tuple[tuple[int, str], SessionConfig] | None = None
        self._opened_with = 0
        """The version of the settings that the link was opened with."""
        self.link_number = state.links
        self.link_speaks = False
        """Whether the link was opened for a client that is spoken to."""
        self._asked = 0
        """The turn whose answer the link is making, an alarm's with a minus; 0 while it makes none."""
        self._failures = 0
        self._unheard = False
        """Whether something was said that a link took along, and no other link has heard yet."""
        self._at = 0.0
        self._events: list[e.Event] = []
        self._durable: list[effects.Durable] = []
        self._reflex: list[effects.Reflex] = []

    # ---------------------------------------------------------------------------------------------------- what goes in and out

    def receive(self, stimulus: Stimulus, at: float) -> None:
        """Take one stimulus. Then carry out `reflexes`, and commit what `take` returns.

        Args:
            at: Seconds since 1970-01-01 UTC, from a clock that does not jump while the session is in RAM.

        Raises:
            IllegalEvent: It cannot happen now. The session is unchanged.
            SessionEnded: The session has ended. Nothing can happen any more.
            Refused: It is not acceptable for another reason. The session is unchanged.
        """
        if self.state.life is _ENDED:
            raise SessionEnded
        self._at = at
        _RECEIVE[type(stimulus)](self, stimulus)
        for milestone in analytics.reached(self.state, at):
            self._emit(milestone)

    def take(self) -> Taken:
        """Return the events and durable effects not yet taken. Each is returned once."""
        taken = Taken(self._events, self._durable)
        self._events, self._durable = [], []
        return taken

    def reflexes(self) -> list[effects.Reflex]:
        """Return the reflex effects not yet returned, to be carried out at once."""
        reflexes, self._reflex = self._reflex, []
        return reflexes

    @property
    def config(self) -> SessionConfig:
        """The settings that hold now."""
        version = (self.state.config_version, self.state.conversation)
        if self._config is None or self._config[0] != version:
            self._config = (version, config.effective(self.state))
        return self._config[1]

    @property
    def link(self) -> Link:
        """The connection to the engine. It is not journaled: a new process has none."""
        return self._link

    @link.setter
    def link(self, to: Link) -> None:
        if self.link_moved is not None:
            self.link_moved(self._link, to, self._at)
        self._link = to

    @property
    def status(self) -> Status:
        """What everyone sees of the session."""
        state = self.state
        return status(
            state.life, state.turn, self.link, listening=self.listening, paused=state.paused
        )

    @property
    def voice(self) -> bool:
        """Whether the controller is spoken to."""
        here = self.state.here.get(self.state.controller)
        return here is not None and here.voice

    # -------------------------------------------------------------------------------------------------------------- the stimuli

    def _create(self, s: Create) -> None:
        self._need_reader(config.build(s.config))
        self._emit(
            e.SessionCreated(
                layers=s.layers,
                template=s.template,
                context=s.context,
                categories=s.categories,
                at=self._at,
                session=s.session,
                tenant=s.tenant,
                user=s.user,
                epoch=s.epoch,
                config=s.config,
            )
        )
        self._durable.append(effects.StartGrace())

    def _restore(self, s: Restore) -> None:
        state = self.state
        seconds_away = self._at - state.updated
        self._emit(e.SessionRestored(at=self._at, host=s.host, fence=s.fence))
        for number in list(state.here):
            self._emit(e.AttachmentDetached(at=self._at, attachment=number, reason="crashed"))
        for event in memory.expire(state, self._at):
            self._emit(event)
        self._lose_speech()
        reply = state.reply
        if reply is not None:
            self.playback = Playback(reply.reply, marked=reply.heard, sent=reply.heard)
            if seconds_away > self.grace + spoken_seconds(reply.segments):
                self._cut("crashed")
        self._durable.append(effects.StartGrace())

    def _join(self, s: Join) -> None:
        state, at = self.state, self._at
        if s.role == "controller":
            self._take_heard(s.heard)
            if state.controller:
                self._detach(state.controller, "superseded")
        self._emit(
            e.AttachmentAttached(
                at=at,
                attachment=state.attachments + 1,
                role=s.role,
                client=s.client,
                transport=s.transport,
                voice=s.voice,
                token=s.token,
                shown=s.shown,
                share=s.share,
            )
        )
        if s.role != "controller":
            return
        if state.speech is not None and state.speech.mic != s.mic:
            # It goes on in no stream that will be heard.
            self._left = s.left
            self._finish()
        self.mic, self.client, self.listening = s.mic, s.client, False
        if s.opens and not state.conversation:
            self._emit(e.ConversationStarted(at=at, conversation=self._free_name()))
        self._go_on()

    def _leave(self, s: Leave) -> None:
        if s.attachment not in self.state.here:
            return
        self._detach(s.attachment, s.reason)

    def _revoke(self, s: Revoke) -> None:
        for number, here in list(self.state.here.items()):
            if here.client == s.client:
                self._detach(number, "revoked")
        self._emit(e.AttachmentRevoked(at=self._at, client=s.client))

    def _type(self, s: Type) -> None:
        text = _acceptable(s.text)
        if not self.state.conversation:
            raise IllegalEvent("No conversation is open: start one first.")
        if self.state.paused:
            raise IllegalEvent("The session is paused. Resume it first.")
        read = self._read(text)
        self._quit("text")
        turn = self.state.turns + 1
        self._emit(
            self._message(
                "user", turn=turn, by="text", client=s.client, user=s.user, cause=s.cause, **read
            )
        )
        self._after_message()
        self._ask()
        if self.state.life is Life.DETACHED:
            # Somebody writes while nobody has the controls: the engine is closed a while after that.
            self._durable.append(effects.StartGrace())

    def _stop(self, s: Stop) -> None:
        reply = self.state.reply
        if s.heard is not None and reply is not None:
            self._take_heard((reply.reply, s.heard))
        if reply is None and self.state.turn is Turn.THINKING:
            turn, _ = turns.question(self.state.recent, self.state.owed)
            self._start_reply(turn, aloud=False)
        if self.state.reply is None:
            raise IllegalEvent("There is no reply to stop.")
        self._cut(s.reason, s.cause)
        self._ring()

    def _hold(self, s: Hold) -> None:
        self._finish()

    def _finish(self) -> None:
        """What was said so far is all. The engine may not have told of it yet: what waits for a link is heard first."""
        if self.link not in (Link.CLOSED, Link.FAILED):
            self._durable.append(effects.ToEngine(ports.Finish()))

    def _start_conversation(self, s: StartConversation) -> None:
        known, at = self.state.conversations, self._at
        self._need_reader(config.in_conversation(self.state, s.config))
        name = s.conversation or (next(reversed(known), "") if s.resume else self._free_name())
        if not name:
            raise ConversationNotFound("The session has no conversation yet. Start one.")
        if not ports.is_text(name) or len(name) > LONGEST_NAME:
            raise InvalidInput(
                f"The id of a conversation is a text of up to {LONGEST_NAME} characters."
            )
        if s.resume and name == self.state.conversation:
            return
        for needed in (name if s.resume else "", s.parent):
            if needed and needed not in known:
                raise ConversationNotFound(f"The session has no conversation {needed!r}.")
        if not s.resume and name in known:
            raise ConversationExists(f"The session already has a conversation {name!r}.")
        if self.state.conversation:
            self._end_conversation(EndConversation(reason="next"))
        if s.parent and not s.resume and known[s.parent].unsummarized:
            # The branch keeps what was said so far, in short; a later summary tells more than it may know.
            self._summarize(s.parent)
        if s.resume:
            self._emit(e.ConversationResumed(at=at, conversation=name, cause=s.cause))
        else:
            self._emit(
                e.ConversationStarted(
                    at=at,
                    conversation=name,
                    parent=s.parent,
                    fork=history.newest(self.state, s.parent),
                    config=s.config,
                    cause=s.cause,
                )
            )
        # The link goes by what is known in the conversation before: an answer brings its own context, and nothing else does.
        if s.fresh:
            self._close_engine()
        self._configure()
        if self.state.life is Life.LIVE:
            self._go_on()

    def _end_conversation(self, s: EndConversation) -> None:
        if not self.state.conversation:
            raise IllegalEvent("No conversation is open.")
        name = self.state.conversation
        known = self.state.conversations[name]
        self._quit("ended")
        self._lose_speech()
        if known.unsummarized >= (1 if known.parent else WORTH_SUMMARY):
            self._summarize(name)
        extract = self.extracts and memory.setting(self.state, "enable_learning")
        self._emit(
            e.ConversationEnded(
                at=self._at, conversation=name, reason=s.reason, extract=extract, cause=s.cause
            )
        )
        for event in memory.end_conversation(self.state, name, self._at):
            self._emit(event)
        # Here already: nothing can be told after the end of a session.
        for milestone in analytics.reached(self.state, self._at):
            self._emit(milestone)

    def _remember(self, s: Remember) -> None:
        fact = memory.Fact(
            content=s.content,
            key=s.key,
            value=s.value,
            category=s.category,
            importance=s.importance,
            conversation=self.state.conversation,
        )
        for event in memory.add(self.state, fact, self._at, s.cause, self.elsewhere):
            self._emit(event)

    def _decide(self, s: Decide) -> None:
        if len(s.rules) == 1:
            events = s.rules[0](self.state, self._at)
        else:
            # A rule decides on what the rules before it have made; none of it is true before all have decided.
            draft, events = copy(self.state), []
            for rule in s.rules:
                for event in rule(draft, self._at):
                    apply(draft, event)
                    events.append(event)
        kinds = {type(event) for event in events}
        if e.ConfigChanged in kinds:
            changes = [event.changes for event in events if isinstance(event, e.ConfigChanged)]
            self._need_reader(config.with_changes(self.config, changes))
        for event in events:
            self._emit(event)
        if e.ConfigChanged in kinds:
            self._refresh() if s.waits else self._configure()
        if e.ShareRevoked in kinds:
            self._let_go_of_viewers()

    def _inject(self, s: Inject) -> None:
        text = _acceptable(s.text)
        if not self.state.conversation:
            raise IllegalEvent("No conversation is open: start one first.")
        if s.key and s.key in self.state.keys:
            return
        text, redacted = self.clean(text)
        self._emit(
            self._message(
                s.role,
                text,
                turn=self.state.turns,
                by="injected",
                redacted=redacted,
                key=s.key,
                cause=s.cause,
            )
        )
        self._after_message()
        self._refresh()

    def _say(self, s: Say) -> None:
        text = _acceptable(s.text)
        state = self.state
        if not state.conversation:
            raise IllegalEvent("No conversation is open: start one first.")
        if state.paused:
            raise IllegalEvent("The session is paused. Resume it first.")
        if state.life is not Life.LIVE:
            raise IllegalEvent("Nobody is there to hear it.")
        if state.turn is not Turn.IDLE:
            raise IllegalEvent(
                f"The turn is {state.turn.value}: wait until it is over, or stop it."
            )
        if self._asked:
            self._drop_answer()
        self._speak_alone(text, s.cause)

    def _connect(self, s: Connect) -> None:
        if self.state.paused:
            raise IllegalEvent("The session is paused. Resume it first.")
        if self.state.life is not Life.LIVE:
            raise IllegalEvent("Nobody is there to need an engine.")
        if self.link in (Link.CLOSED, Link.FAILED):
            self._failures = 0
            self._need_engine()
            self._go_on(greets=False)

    def _disconnect(self, s: Disconnect) -> None:
        if self.link is Link.CLOSED:
            return
        self._lose_speech()
        self._quit("stopped")
        self._close_engine()
        if self.state.turn is Turn.THINKING:
            message = "The connection was stopped before there was an answer."
            self._emit(e.ErrorRaised(at=self._at, code="stopped", message=message))

    def _pause(self, s: Pause) -> None:
        if self.state.paused:
            return
        self._lose_speech()
        self._quit("paused")
        self._close_engine()
        self._emit(e.SessionPaused(at=self._at, cause=s.cause))

    def _unpause(self, s: Unpause) -> None:
        if not self.state.paused:
            return
        self._emit(e.SessionResumed(at=self._at, cause=s.cause))
        if self.state.life is Life.LIVE:
            self._go_on(greets=False)

    def _listen(self, s: Listen) -> None:
        state = self.state
        if not s.on:
            if self.listening:
                self.listening = False
                self._finish()
            return
        if not self.capabilities.listens:
            raise IllegalEvent(f"The {self.capabilities.name} engine does not listen.")
        if state.paused:
            raise IllegalEvent("The session is paused. Resume it first.")
        if state.life is not Life.LIVE or not state.conversation:
            raise IllegalEvent("Nobody is there, or no conversation is open.")
        self.listening, self.mic = True, s.mic
        if not self.link_speaks or self.link in (Link.CLOSED, Link.FAILED):
            self._failures = 0
            self._go_on(greets=False)

    def _mark(self, s: Mark) -> None:
        reply, playback = self.state.reply, self.playback
        if reply is None or playback is None or playback.reply != s.reply:
            return
        playback.mark(s.seconds, self._at)
        # One that is done with what it had, while the rest is under way, is done again.
        if s.done and _is_sent(reply, playback) and playback.marked >= playback.queued - KEPT_BACK:
            self._end_reply(playback.queued)

    def _played(self, s: Played) -> None:
        reply, playback = self.state.reply, self.playback
        if reply is None or playback is None or reply.reply != s.reply:
            return
        if self.state.turn is Turn.SPEAKING and _is_sent(reply, playback):
            self._end_reply(playback.queued)

    def _link_accepted(self, s: LinkAccepted) -> None:
        if s.link == self.link_number and self.link is Link.CONNECTING:
            self.link = next_link(self.link, LinkSignal.ACCEPTED)

    def _from_engine(self, s: FromEngine) -> None:
        if s.link != self.link_number:
            return
        if self.link not in (Link.CLOSED, Link.FAILED):
            _FROM_ENGINE[type(s.event)](self, s.event)
        elif isinstance(s.event, ports.Used) and self.state.life is not Life.PARKED:
            # What was used counts also when it is told on the way out.
            self._used(s.event)

    def _due(self, s: Due) -> None:
        for alarm in sorted(self.state.alarms.values(), key=lambda alarm: alarm.due):
            if alarm.due <= self._at:
                self._emit(e.AlarmRang(at=self._at, alarm=alarm.alarm))
        for event in memory.expire(self.state, self._at):
            self._emit(event)
        self._let_go_of_viewers()
        self._ring()

    def _park(self, s: Park) -> None:
        if self.state.life is not Life.DETACHED:
            return
        self._lose_speech()
        self._quit("detached")
        self._close_engine()
        if not self.state.here and not s.held:
            for event in memory.close(self.state, self._at):
                self._emit(event)
            self._emit(e.SessionParked(at=self._at))
            self._durable.append(effects.Unload())

    def _end(self, s: End) -> None:
        if self.state.conversation:
            self._end_conversation(EndConversation(reason=s.reason))
        for number in list(self.state.here):
            self._detach(number, "ended")
        self._close_engine()
        for event in [
            *memory.close(self.state, self._at),
            *shares.end_session(self.state, self._at),
        ]:
            self._emit(event)
        self._emit(e.SessionEnded(at=self._at, reason=s.reason, cause=s.cause))
        self._durable.append(effects.Unload())

    # --------------------------------------------------------------------------------------------------- what the engine says

    def _ready(self, event: ports.Ready) -> None:
        self.link = next_link(self.link, LinkSignal.READY)
        self._emit(e.EngineReady(at=self._at, engine=self.capabilities.name, link=self.link_number))
        self._applied(self._opened_with)

    def _speech_began(self, event: ports.SpeechBegan) -> None:
        if self.state.speech is not None or not self.state.conversation:
            return
        self._quit("barge_in")
        self._unheard = False
        turn = self.state.turns + 1
        self._emit(e.SpeechStarted(at=self._at, turn=turn, mic=self.mic, offset=event.offset))

    def _partial(self, event: ports.Partial) -> None:
        """Partials are shown, not kept: the driver passes them on."""

    def _speech_finished(self, event: ports.SpeechFinished) -> None:
        speech = self.state.speech
        if speech is None:
            return
        text = event.text.strip()[:LONGEST_TEXT]
        # A client that took over in the middle of the speech has brought its own stream: `event.until` is in that.
        until = event.until if speech.mic == self.mic else self._left or event.until
        self._emit(
            e.SpeechEnded(
                at=self._at, turn=speech.turn, mic=speech.mic, until=until, reason=event.reason
            )
        )
        if text:
            read = self._read(text, event.seconds)
            self._emit(
                self._message("user", turn=speech.turn, by="voice", client=self.client, **read)
            )
            self._after_message()
        self._ask()
        self._ring()

    def _segment(self, event: ports.Segment) -> None:
        state, at = self.state, self._at
        if event.last and event.turn == self._asked:
            self._asked = 0
        if state.reply is None:
            self._first_segment(event)
        reply = state.reply
        if reply is None or event.turn != (-reply.alarm or reply.turn) or reply.complete:
            return
        index = len(reply.segments)
        self._emit(
            e.ReplySegment(
                at=at,
                reply=reply.reply,
                index=index,
                text=event.text,
                last=event.last,
                cites=list(event.cites),
            )
        )
        if not reply.aloud:
            if event.last:
                self._end_reply(0.0)
        elif state.turn is Turn.SPEAKING:
            self._speak(reply.reply, index, event.text, event.last)

    def _first_segment(self, event: ports.Segment) -> None:
        state = self.state
        if event.turn < 0 and state.turn is Turn.IDLE and state.life is Life.LIVE:
            if any(alarm.alarm == -event.turn for alarm in state.rung):
                self._start_reply(state.turns + 1, aloud=self.voice, alarm=-event.turn)
        elif state.turn is Turn.THINKING:
            owed, _ = turns.question(state.recent, state.owed)
            if event.turn == owed:
                # What is owed a spoken answer while nobody is there is kept to be spoken to whoever comes back.
                kept = state.owed_voice and state.life is not Life.LIVE
                self._start_reply(event.turn, aloud=kept or self.voice)

    def _learned(self, event: ports.Learned) -> None:
        # What may not be stored is not learned either: an engine that listens has heard more than the text that is kept.
        may = not any(self.clean(text)[1] for text in (event.content, event.value))
        if self.config.enable_learning and may:
            for added in memory.learn(self.state, event, self._at, self.elsewhere):
                self._emit(added)

    def _forgot(self, event: ports.Forgot) -> None:
        if self._is_a_guests(event.turn):
            return
        for removed in memory.drop(self.state, event.memory, self._at, self.elsewhere):
            self._emit(removed)

    def _alarm_wanted(self, event: ports.AlarmWanted) -> None:
        text, _ = self.clean(event.text)
        same = [a for a in self.state.alarms.values() if a.turn == event.turn and a.text == text]
        if not same:
            number = self.state.alarm_count + 1
            self._emit(
                e.AlarmSet(at=self._at, alarm=number, due=event.due, text=text, turn=event.turn)
            )

    def _alarm_dropped(self, event: ports.AlarmDropped) -> None:
        if event.alarm in self.state.alarms and not self._is_a_guests(event.turn):
            self._emit(e.AlarmCancelled(at=self._at, alarm=event.alarm))

    def _is_a_guests(self, turn: int) -> bool:
        """Whether somebody else than the session's user asks for what the engine wants: they take nothing from it."""
        return turns.is_a_guests(self.state.recent, self.state.owed, turn)

    def _configured(self, event: ports.Configured) -> None:
        self._applied(event.version)

    def _used(self, event: ports.Used) -> None:
        self._emit(
            e.UsageRecorded(
                at=self._at,
                engine=self.capabilities.name,
                link=self.link_number,
                heard=event.heard,
                spoken=event.spoken,
                tokens_in=event.tokens_in,
                tokens_out=event.tokens_out,
                characters=event.characters,
            )
        )

    def _failed(self, event: ports.Failed) -> None:
        self.link = next_link(self.link, LinkSignal.LOST)
        self._unheard |= self.state.speech is not None and self.state.life is Life.LIVE
        self._lose_speech()
        self._emit(e.EngineLost(at=self._at, link=self.link_number, reason=event.reason))
        self._failures += 1
        self._asked = 0
        if self.state.reply is not None and self.state.turn is not Turn.HELD:
            self._cut("engine")
        if self._failures <= RETRIES:
            self._ask()
            self._ring()
            if self.voice or self.listening or self._unheard:
                self._need_engine()
            return
        if self.state.turn is Turn.THINKING:
            message = "The engine could not be reached. Say it again to try once more."
            self._emit(e.ErrorRaised(at=self._at, code="engine_lost", message=message))
        if self._unheard:
            self._unheard = False
            message = "What you said last was lost: the engine could not be reached. Say it again."
            self._emit(e.ErrorRaised(at=self._at, code="speech_lost", message=message))

    # ------------------------------------------------------------------------------------------------------------- the pieces

    def _emit(self, event: e.Event) -> None:
        apply(self.state, event)
        self._events.append(event)

    def clean(self, text: str) -> tuple[str, list[str]]:
        """Return a text as it may be stored and told, and the kinds of personal data that were taken out of it."""
        settings = self.config
        if settings.redaction == "off":
            return text, []
        return self.reader.redact(text, settings.redaction, settings.region)

    def _read(self, text: str, seconds: float = 0.0) -> dict[str, Any]:
        """Return what is stored of what the user says: the text without what may not be, and what it tells of them."""
        settings = self.config
        clean, redacted = self.clean(text)
        traits = self.reader.measure(
            clean,
            seconds,
            learning=settings.enable_learning,
            analytics=settings.enable_analytics,
        )
        return {"text": clean, "redacted": redacted, "traits": traits}

    def _after_message(self) -> None:
        """A message came in: say what was learned of it."""
        if self.config.enable_learning:
            for event in preferences.learned(self.state, self._at):
                self._emit(event)

    def _keep_what_leaves(self) -> None:
        """See that no message leaves the window before a summary covers it."""
        state = self.state
        if len(state.recent) == WINDOW:
            oldest = state.recent[0]
            if oldest.message > state.conversations[oldest.conversation].summary_upto:
                self._summarize(oldest.conversation)

    def _summarize(self, name: str) -> None:
        known = self.state.conversations[name]
        fresh = [
            m
            for m in self.state.recent
            if m.conversation == name and m.message > known.summary_upto
        ]
        self._emit(
            e.ConversationSummarized(
                at=self._at,
                conversation=name,
                upto=known.last,
                text=summary.extend(known.summary, fresh),
            )
        )

    def _configure(self) -> None:
        """Tell the engine that is open of the settings, and of what it should know."""
        if self.link not in (Link.CLOSED, Link.FAILED):
            self._durable.append(effects.ToEngine(ports.Configure(context=self._context())))

    def _refresh(self) -> None:
        """Tell the engine that is open of what it should know, together with what comes next."""
        if self.link not in (Link.CLOSED, Link.FAILED):
            self._durable.append(effects.Refresh(self._context()))

    def _applied(self, version: int) -> None:
        """The engine goes by that version. It may say so as often as it likes: it is news once."""
        if self.state.applied_version < version <= self.state.config_version:
            self._emit(e.ConfigApplied(at=self._at, version=version, link=self.link_number))

    def _need_reader(self, settings: SessionConfig) -> None:
        """Refuse settings by which nothing could be said: what cannot be redacted must not be stored."""
        if settings.redaction != "off":
            try:
                self.reader.redact("a", settings.redaction, settings.region)
            except InvalidInput as error:
                raise InvalidConfig(error.message, ("redaction", "region")) from None

    def _message(
        self, role: e.Role, text: str, turn: int, cause: str = "", **more: Any
    ) -> e.MessageAdded:
        self._keep_what_leaves()
        return e.MessageAdded(
            at=self._at,
            cause=cause,
            message=self.state.messages + 1,
            role=role,
            text=text,
            turn=turn,
            conversation=self.state.conversation,
            **more,
        )

    def _free_name(self) -> str:
        number = len(self.state.conversations) + 1
        while f"c{number}" in self.state.conversations:
            number += 1
        return f"c{number}"

    def _need_engine(self) -> None:
        if not self.state.paused and self.link in (Link.CLOSED, Link.FAILED):
            self.link = next_link(self.link, LinkSignal.OPEN)
            self.link_number += 1
            self.link_speaks = self.voice or self.listening
            self._opened_with = self.state.config_version
            self._durable.append(
                effects.OpenEngine(self.link_number, self.link_speaks, self._context())
            )

    def _context(self) -> ports.Context:
        return context.build(self.state, self.config, self._at, self.elsewhere)

    def _context_of_guest(self) -> ports.Context:
        """What somebody else than the session's user is answered from: nothing sensitive, and nothing of other sessions."""
        all_of_it = context.build(self.state, self.config, self._at)
        memories = tuple(memory for memory in all_of_it.memories if not memory.sensitive)
        return msgspec.structs.replace(all_of_it, memories=memories, given={}, guest=True)

    def _ask(self) -> None:
        """Ask for an answer to everything that is owed one."""
        if self.state.turn is not Turn.THINKING or self.state.paused:
            return
        if self.capabilities.answers:
            turn, text = turns.question(self.state.recent, self.state.owed)
            self._request_answer(turn, text, ())
        else:
            message = f"The {self.capabilities.name} engine only relays audio: it answers nothing."
            self._emit(e.ErrorRaised(at=self._at, code="not_answered", message=message))

    def _ask_rest(self, reply: OpenReply) -> None:
        """Ask for what is missing of a reply that was interrupted while it was made."""
        asked = [
            m.text
            for m in self.state.recent
            if m.turn == reply.turn and m.role == "user" and m.by != "injected"
        ]
        self._request_answer(reply.turn, " ".join(asked), tuple(reply.segments))

    def _request_answer(self, turn: int, text: str, spoken: tuple[str, ...]) -> None:
        if self.capabilities.answers and self._asked != turn:
            self._need_engine()
            given = self._context_of_guest() if self._is_a_guests(turn) else self._context()
            ask = ports.Ask(turn=turn, text=text, context=given, spoken=spoken)
            self._durable.append(effects.ToEngine(ask))
            self._asked = turn

    def _speak(self, reply: int, index: int, text: str, last: bool) -> None:
        self._need_engine()
        assert self.state.reply is not None
        pace = self.state.reply.pace
        speak = ports.Speak(reply=reply, index=index, text=text, last=last, pace=pace)
        self._durable.append(effects.ToEngine(speak))

    def _go_on(self, *, greets: bool = True) -> None:
        """Somebody is there: open the engine, and go on with what waits for them."""
        state = self.state
        if state.paused:
            return
        if self.voice or self.listening:
            if not self.link_speaks:
                self._close_engine()
            self._need_engine()
        reply = state.reply
        if reply is not None:
            self._go_on_with(reply)
        elif state.turn is Turn.THINKING:
            self._ask()
        elif greets and state.turn is Turn.IDLE and state.conversation and not state.rung:
            self._greet()
        self._ring()

    def _go_on_with(self, reply: OpenReply) -> None:
        """Go on with a reply that was interrupted, where it was heard."""
        rest = not reply.complete and not reply.alarm
        playback = self.playback
        if playback is not None and _is_sent(reply, playback) and playback.is_heard:
            self._end_reply(playback.queued)
        elif reply.aloud and (not self.voice or not self.capabilities.continues):
            if reply.complete and not self.voice:
                self._end_reply(self._heard())
            else:
                self._cut("detached")
        elif not reply.complete and not rest:
            self._cut("crashed")
        else:
            if reply.aloud:
                self._speak_on(reply)
            if rest:
                self._ask_rest(reply)

    def _speak_on(self, reply: OpenReply) -> None:
        heard = self._heard()
        self.playback = Playback(reply.reply, marked=heard, sent=heard)
        self._need_engine()
        self._durable.append(effects.Resume(reply.reply, heard))
        for index, text in enumerate(reply.segments):
            last = reply.complete and index == len(reply.segments) - 1
            self._speak(reply.reply, index, text, last)

    def _greet(self) -> None:
        greeting, known = self.config.greeting, self.state.conversations[self.state.conversation]
        if not greeting or known.messages or known.fork:
            return
        self._speak_alone(greeting)

    def _speak_alone(self, text: str, cause: str = "") -> None:
        """Say something that nobody asked for."""
        self._start_reply(self.state.turns + 1, aloud=self.voice, cause=cause)
        reply = self.state.replies
        self._emit(e.ReplySegment(at=self._at, reply=reply, index=0, text=text, last=True))
        if self.voice:
            self._speak(reply, 0, text, last=True)
        else:
            self._end_reply(0.0)

    def _ring(self) -> None:
        """Tell of an alarm that rang, when somebody is there and nobody speaks."""
        state = self.state
        if not state.rung or state.life is not Life.LIVE or state.turn is not Turn.IDLE:
            return
        if state.paused:
            return
        if not state.conversation:
            self._emit(e.ConversationStarted(at=self._at, conversation=self._free_name()))
        alarm = state.rung[0]
        if self.capabilities.answers and self._asked != -alarm.alarm:
            self._need_engine()
            ring = ports.Ring(turn=-alarm.alarm, alarm=alarm, context=self._context())
            self._durable.append(effects.ToEngine(ring))
            self._asked = -alarm.alarm

    def _start_reply(self, turn: int, *, aloud: bool, alarm: int = 0, cause: str = "") -> None:
        state = self.state
        self._emit(
            e.ReplyStarted(
                at=self._at,
                cause=cause,
                reply=state.replies + 1,
                turn=turn,
                conversation=state.conversation,
                aloud=aloud,
                alarm=alarm,
                pace=preferences.style(state, self.config).pace if aloud else None,
            )
        )
        self.playback = Playback(state.replies) if aloud else None
        self._failures, self._unheard = 0, False

    def _end_reply(self, heard: float) -> None:
        reply = self.state.reply
        assert reply is not None
        self._emit(e.ReplyEnded(at=self._at, reply=reply.reply, heard=round(heard, 3)))
        self.playback = None
        self._add_answer(reply, reply.text)
        self._ring()

    def _quit(self, reason: str, cause: str = "") -> None:
        """Cut the open reply, if there is one, or drop the answer that is being thought of."""
        if self.state.reply is not None:
            self._cut(reason, cause)
        elif self._asked:
            self._drop_answer()

    def _cut(self, reason: str, cause: str = "") -> None:
        reply = self.state.reply
        assert reply is not None
        self._reflex.append(effects.Hush(reply.reply))
        self._drop_answer()
        heard = self._heard() if reply.aloud else 0.0
        ends = self.playback.ends if self.playback is not None else []
        text = heard_text(reply.segments, ends, heard) if reply.aloud else reply.text
        self._emit(
            e.ReplyCut(
                at=self._at, cause=cause, reply=reply.reply, reason=reason, heard=round(heard, 3)
            )
        )
        self.playback = None
        self._add_answer(reply, text)

    def _add_answer(self, reply: OpenReply, heard: str) -> None:
        """Put what was heard of a reply into the history, and all of it beside, when that was more."""
        if reply.text:
            self._emit(
                self._message(
                    "agent",
                    heard,
                    reply.turn,
                    reply=reply.reply,
                    said=reply.text if heard != reply.text else "",
                    by="voice" if reply.aloud else "text",
                    cites=list(reply.cites),
                )
            )

    def _drop_answer(self) -> None:
        self._reflex.append(effects.Quit())
        self._asked = 0

    def _heard(self) -> float:
        return self.playback.heard(self._at) if self.playback is not None else 0.0

    def _take_heard(self, heard: tuple[int, float] | None) -> None:
        """Take a client's word for how much of the open reply it has played, within what it can have been sent."""
        reply = self.state.reply
        if heard is None or reply is None or heard[0] != reply.reply or not heard[1] > 0:
            return
        known = self.playback or Playback(reply.reply)
        longest = known.sent if known.queued else 2.0 * spoken_seconds(reply.segments) + 1.0
        seconds = min(heard[1], longest)
        known.sent, known.marked, known.marked_at = max(known.sent, seconds), seconds, None
        self.playback = known

    def _lose_speech(self) -> None:
        """What is being said is not known yet: its audio has to be sent again from where it began."""
        speech = self.state.speech
        if speech is not None:
            self._emit(
                e.SpeechEnded(
                    at=self._at,
                    turn=speech.turn,
                    mic=speech.mic,
                    until=speech.offset,
                    reason="lost",
                )
            )

    def _detach(self, number: int, reason: str) -> None:
        state = self.state
        controls = number == state.controller
        reply = state.reply
        if controls and reply is not None and reply.aloud and self.playback is not None:
            self._reflex.append(effects.Pause())
            self._drop_answer()
            heard = self._heard()
            self.playback.marked, self.playback.marked_at = heard, None
            self._emit(e.PlaybackMarked(at=self._at, reply=reply.reply, heard=round(heard, 3)))
        elif controls and self._asked < 0:
            self._drop_answer()
        if controls:
            self.listening = False
        self._emit(e.AttachmentDetached(at=self._at, attachment=number, reason=reason))
        self._durable.append(effects.LetGo(number, reason))
        if reason not in ("superseded", "ended") and (controls or not state.here):
            self._durable.append(effects.StartGrace())

    def _let_go_of_viewers(self) -> None:
        """Let go of whoever looks through a share that is over."""
        for number, reason in shares.over(self.state, self._at):
            self._detach(number, reason)

    def _close_engine(self) -> None:
        if self.link is not Link.CLOSED:
            self.link = next_link(self.link, LinkSignal.CLOSE)
            self._asked = 0
            self._durable.append(effects.CloseEngine())


def _acceptable(text: str) -> str:
    """Return a message without the space around it.

    Raises:
        InvalidInput: It is empty or too long.
    """
    text = text.strip()
    if not text:
        raise InvalidInput("The message is empty. Send at least one character.")
    if not ports.is_text(text):
        raise InvalidInput("The message has half a character in it (a lone surrogate). Send text.")
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(
            f"A message may have {LONGEST_TEXT} characters; this one has {len(text)}."
        )
    return text


def _is_sent(reply: OpenReply, playback: Playback) -> bool:
    """Whether all of a reply is there, and all of its audio was made and sent."""
    made = reply.complete and len(playback.ends) == len(reply.segments)
    return made and playback.sent >= playback.queued


_RECEIVE: dict[type, Callable[[SessionCore, Any], None]] = {
    Create: SessionCore._create,
    Restore: SessionCore._restore,
    Join: SessionCore._join,
    Leave: SessionCore._leave,
    Revoke: SessionCore._revoke,
    Type: SessionCore._type,
    Stop: SessionCore._stop,
    Hold: SessionCore._hold,
    StartConversation: SessionCore._start_conversation,
    EndConversation: SessionCore._end_conversation,
    Remember: SessionCore._remember,
    Decide: SessionCore._decide,
    Inject: SessionCore._inject,
    Say: SessionCore._say,
    Connect: SessionCore._connect,
    Disconnect: SessionCore._disconnect,
    Pause: SessionCore._pause,
    Unpause: SessionCore._unpause,
    Listen: SessionCore._listen,
    Mark: SessionCore._mark,
    Played: SessionCore._played,
    LinkAccepted: SessionCore._link_accepted,
    FromEngine: SessionCore._from_engine,
    Due: SessionCore._due,
    Park: SessionCore._park,
    End: SessionCore._end,
}

_FROM_ENGINE: dict[type, Callable[[SessionCore, Any], None]] = {
    ports.Ready: SessionCore._ready,
    ports.SpeechBegan: SessionCore._speech_began,
    ports.Partial: SessionCore._partial,
    ports.SpeechFinished: SessionCore._speech_finished,
    ports.Segment: SessionCore._segment,
    ports.Learned: SessionCore._learned,
    ports.Forgot: SessionCore._forgot,
    ports.AlarmWanted: SessionCore._alarm_wanted,
    ports.AlarmDropped: SessionCore._alarm_dropped,
    ports.Configured: SessionCore._configured,
    ports.Used: SessionCore._used,
    ports.Failed: SessionCore._failed,
}
