"""The session with no I/O: stimuli in, events and effects out. It owns no task, no clock, no socket and no randomness.

The driver calls `receive` with what happened and when. The core decides which events that makes, folds them into its
state, and keeps them with their effects until the driver takes them with `take`. Nothing here waits: an event in the state
is not durable yet, and nobody outside may be told of it before the driver has committed it.

Here is what goes in and out, and the life of the session: who comes and goes, pauses, parks, ends. Each other subject has
an owner, and calls only go down this list: nobody calls who stands above.

| module | decides on | calls |
|---|---|---|
| `core` | what becomes of a stimulus; attachments, life, decisions of others | all below |
| `conversing` | conversations that begin and end; what is written, injected, said | all below |
| `hearing` | what the engine tells: speech, facts, alarms, its failures | all below |
| `replying` | the open reply: asked for, spoken, held, gone on with, cut | all below |
| `messages` | how a message gets into the history | `scribe` |
| `linking` | the link to the engine: opened, closed, told, asked, tried again | `scribe` |
| `scribe` | nothing: it has the state and the time, and writes events and effects | nobody |

What is not journaled is kept beside the state, by its owner, and is lost with the process, safely: the link to the engine,
and the playback of the open reply, which a client tells again when it comes back.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import IllegalEvent, SessionEnded
from tenuto.session import analytics, config, effects, memory, ports, shares
from tenuto.session.config import SessionConfig
from tenuto.session.conversing import Conversing
from tenuto.session.fold import State, apply, copy
from tenuto.session.hearing import Hearing
from tenuto.session.history import free_name
from tenuto.session.life_fold import need_awake
from tenuto.session.linking import Linking
from tenuto.session.messages import Messages
from tenuto.session.playback import Playback
from tenuto.session.reading import NoReader
from tenuto.session.replying import Replying
from tenuto.session.scribe import Scribe
from tenuto.session.state import Life, Link, Status, Turn, status
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
    Retry,
    Revoke,
    Say,
    StartConversation,
    Stimulus,
    Stop,
    Type,
    Unpause,
)

_ENDED = Life.ENDED


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What one or more stimuli made of the session, not yet durable."""

    events: list[e.Event]
    effects: list[effects.Durable]


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
        self.capabilities = capabilities
        self.grace = grace
        self.scribe = Scribe(state, capabilities, reader or NoReader())
        self.linking = Linking(self.scribe)
        self.messages = Messages(self.scribe)
        self.replying = Replying(self.scribe, self.linking, self.messages)
        self.hearing = Hearing(self.scribe, self.linking, self.messages, self.replying)
        self.conversing = Conversing(
            self.scribe, self.linking, self.messages, self.replying, self.hearing
        )

    # ----------------------------------------------------------------------------------------------- what goes in and out

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
        self.scribe.at = at
        _RECEIVE[type(stimulus)](self, stimulus)
        for milestone in analytics.reached(self.state, at):
            self.scribe.emit(milestone)

    def take(self) -> Taken:
        """Return the events and durable effects not yet taken. Each is returned once."""
        scribe = self.scribe
        taken = Taken(scribe.events, scribe.durable)
        scribe.events, scribe.durable = [], []
        return taken

    def reflexes(self) -> list[effects.Reflex]:
        """Return the reflex effects not yet returned, to be carried out at once."""
        reflexes, self.scribe.reflexes = self.scribe.reflexes, []
        return reflexes

    # ------------------------------------------------------------------------------------------------------- what it shows

    @property
    def config(self) -> SessionConfig:
        """The settings that hold now."""
        return self.scribe.config

    @property
    def link(self) -> Link:
        """The connection to the engine. It is not journaled: a new process has none."""
        return self.linking.link

    @property
    def playback(self) -> Playback | None:
        """How much of the open reply was heard; None while none is open that is spoken."""
        return self.replying.playback

    @property
    def listening(self) -> bool:
        """Whether the program that holds the session has a microphone open."""
        return self.scribe.listening

    @property
    def status(self) -> Status:
        """What everyone sees of the session."""
        state = self.state
        link = Link.FAILED if self.linking.lost else self.linking.link
        return status(
            state.life, state.turn, link, listening=self.scribe.listening, paused=state.paused
        )

    def clean(self, text: str) -> tuple[str, list[str]]:
        """Return a text as it may be stored and told, and the kinds of personal data that were taken out of it."""
        return self.messages.clean(text)

    # ------------------------------------------------------------------------------------------------------ made and restored

    def _create(self, s: Create) -> None:
        self.messages.need_reader(config.build(s.config))
        self.scribe.emit(
            e.SessionCreated(
                layers=s.layers,
                template=s.template,
                context=s.context,
                categories=s.categories,
                at=self.scribe.at,
                session=s.session,
                tenant=s.tenant,
                user=s.user,
                epoch=s.epoch,
                config=s.config,
            )
        )
        self.scribe.later(effects.StartGrace())

    def _restore(self, s: Restore) -> None:
        state, scribe, at = self.state, self.scribe, self.scribe.at
        seconds_away = at - state.updated
        scribe.emit(e.SessionRestored(at=at, host=s.host, fence=s.fence))
        for number in list(state.here):
            scribe.emit(e.AttachmentDetached(at=at, attachment=number, reason="crashed"))
        scribe.emit_all(memory.expire(state, at))
        self.hearing.lose_speech()
        self.replying.restore(seconds_away, self.grace)
        scribe.later(effects.StartGrace())

    # ------------------------------------------------------------------------------------------------------- who is there

    def _join(self, s: Join) -> None:
        state, scribe = self.state, self.scribe
        if s.role == "controller":
            self.replying.take_heard(s.heard)
            if state.controller:
                self._detach(state.controller, "superseded")
        scribe.emit(
            e.AttachmentAttached(
                at=scribe.at,
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
        self.hearing.take_over(s)
        if s.opens and not state.conversation:
            scribe.emit(e.ConversationStarted(at=scribe.at, conversation=free_name(state)))
        self.replying.go_on()

    def _leave(self, s: Leave) -> None:
        if s.attachment in self.state.here:
            self._detach(s.attachment, s.reason)

    def _revoke(self, s: Revoke) -> None:
        for number, here in list(self.state.here.items()):
            if here.client == s.client:
                self._detach(number, "revoked")
        self.scribe.emit(e.AttachmentRevoked(at=self.scribe.at, client=s.client))

    def _detach(self, number: int, reason: str) -> None:
        state, scribe = self.state, self.scribe
        controls = number == state.controller
        if controls:
            self.replying.hold()
            scribe.listening = False
        scribe.emit(e.AttachmentDetached(at=scribe.at, attachment=number, reason=reason))
        scribe.later(effects.LetGo(number, reason))
        if reason not in ("superseded", "ended") and (controls or not state.here):
            scribe.later(effects.StartGrace())

    def _let_go_of_viewers(self) -> None:
        """Let go of whoever looks through a share that is over."""
        for number, reason in shares.over(self.state, self.scribe.at):
            self._detach(number, reason)

    # -------------------------------------------------------------------------------------------------- what others decide

    def _remember(self, s: Remember) -> None:
        scribe = self.scribe
        fact = memory.Fact(
            content=s.content,
            key=s.key,
            value=s.value,
            category=s.category,
            importance=s.importance,
            conversation=self.state.conversation,
        )
        scribe.emit_all(memory.add(self.state, fact, scribe.at, s.cause, scribe.elsewhere))

    def _decide(self, s: Decide) -> None:
        at = self.scribe.at
        if len(s.rules) == 1:
            events = s.rules[0](self.state, at)
        else:
            # A rule decides on what the rules before it have made; none of it is true before all have decided.
            draft, events = copy(self.state), []
            for rule in s.rules:
                for event in rule(draft, at):
                    apply(draft, event)
                    events.append(event)
        kinds = {type(event) for event in events}
        if e.ConfigChanged in kinds:
            changes = [event.changes for event in events if isinstance(event, e.ConfigChanged)]
            self.messages.need_reader(config.with_changes(self.config, changes))
        for event in events:
            self.scribe.emit(event)
        if e.ConfigChanged in kinds:
            self.linking.refresh() if s.waits else self.linking.configure()
        if e.ShareRevoked in kinds:
            self._let_go_of_viewers()

    def _due(self, s: Due) -> None:
        state, scribe, at = self.state, self.scribe, self.scribe.at
        for alarm in sorted(state.alarms.values(), key=lambda alarm: alarm.due):
            if alarm.due <= at:
                scribe.emit(e.AlarmRang(at=at, alarm=alarm.alarm))
        scribe.emit_all(memory.expire(state, at))
        self._let_go_of_viewers()
        self.replying.ring()

    # --------------------------------------------------------------------------------------- connected, paused, parked, ended

    def _connect(self, s: Connect) -> None:
        need_awake(self.state)
        if self.state.life is not Life.LIVE:
            raise IllegalEvent("Nobody is there to need an engine.")
        self.linking.lost = False
        if not self.linking.is_open:
            self.linking.forgive()
            self.linking.need()
            self.replying.go_on(greets=False)

    def _disconnect(self, s: Disconnect) -> None:
        scribe = self.scribe
        if self.link is Link.CLOSED:
            return
        self._put_engine_away("stopped")
        if self.state.turn is Turn.THINKING:
            message = "The connection was stopped before there was an answer."
            scribe.emit(e.ErrorRaised(at=scribe.at, code="stopped", message=message))

    def _pause(self, s: Pause) -> None:
        if not self.state.paused:
            self._put_engine_away("paused")
            self.scribe.emit(e.SessionPaused(at=self.scribe.at, cause=s.cause))

    def _unpause(self, s: Unpause) -> None:
        if not self.state.paused:
            return
        self.scribe.emit(e.SessionResumed(at=self.scribe.at, cause=s.cause))
        if self.state.life is Life.LIVE:
            self.replying.go_on(greets=False)

    def _park(self, s: Park) -> None:
        state, scribe = self.state, self.scribe
        if state.life is not Life.DETACHED:
            return
        self._put_engine_away("detached")
        if not state.here and not s.held:
            scribe.emit_all(memory.close(state, scribe.at))
            scribe.emit(e.SessionParked(at=scribe.at))
            scribe.later(effects.Unload())

    def _put_engine_away(self, reason: str) -> None:
        self.hearing.lose_speech()
        self.replying.quit(reason)
        self.linking.close()

    def _end(self, s: End) -> None:
        state, scribe, at = self.state, self.scribe, self.scribe.at
        if state.conversation:
            self.conversing.end(EndConversation(reason=s.reason))
        for number in list(state.here):
            self._detach(number, "ended")
        self.linking.close()
        scribe.emit_all([*memory.close(state, at), *shares.end_session(state, at)])
        scribe.emit(e.SessionEnded(at=at, reason=s.reason, cause=s.cause))
        scribe.later(effects.Unload())


_RECEIVE: dict[type, Callable[[SessionCore, Any], None]] = {
    Create: SessionCore._create,
    Restore: SessionCore._restore,
    Join: SessionCore._join,
    Leave: SessionCore._leave,
    Revoke: SessionCore._revoke,
    Remember: SessionCore._remember,
    Decide: SessionCore._decide,
    Due: SessionCore._due,
    Connect: SessionCore._connect,
    Disconnect: SessionCore._disconnect,
    Pause: SessionCore._pause,
    Unpause: SessionCore._unpause,
    Park: SessionCore._park,
    End: SessionCore._end,
    StartConversation: lambda core, s: core.conversing.start(s),
    EndConversation: lambda core, s: core.conversing.end(s),
    Type: lambda core, s: core.conversing.type(s),
    Inject: lambda core, s: core.conversing.inject(s),
    Say: lambda core, s: core.conversing.say(s),
    Listen: lambda core, s: core.hearing.listen(s),
    FromEngine: lambda core, s: core.hearing.take(s),
    Retry: lambda core, s: core.hearing.retry(),
    Stop: lambda core, s: core.replying.stop(s),
    Mark: lambda core, s: core.replying.mark(s),
    Played: lambda core, s: core.replying.played(s),
    Hold: lambda core, s: core.linking.finish(),
    LinkAccepted: lambda core, s: core.linking.accept(s.link),
}
"""The table of the stimuli: who decides on which."""
