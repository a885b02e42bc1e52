"""Conversations of a session, one open at a time, and what is put into the open one in writing."""

from tenuto import events as e
from tenuto.errors import (
    ConversationNotFound,
    IllegalEvent,
    InvalidInput,
)
from tenuto.ids import LONGEST_NAME
from tenuto.session import analytics, config, effects, history, memory, ports
from tenuto.session.conversation_fold import find, need_new
from tenuto.session.hearing import Hearing
from tenuto.session.life_fold import need_awake
from tenuto.session.linking import Linking
from tenuto.session.messages import Messages, acceptable
from tenuto.session.replying import Replying
from tenuto.session.scribe import Scribe
from tenuto.session.state import Life, Turn
from tenuto.session.stimuli import EndConversation, Inject, Say, StartConversation, Type
from tenuto.session.turn_fold import need_conversation

WORTH_SUMMARY = 10
"""Messages of a conversation that are worth a summary when it ends."""


class Conversing:
    """The conversations of a core."""

    def __init__(
        self,
        scribe: Scribe,
        linking: Linking,
        messages: Messages,
        replying: Replying,
        hearing: Hearing,
    ) -> None:
        self._scribe, self._linking, self._messages = scribe, linking, messages
        self._replying, self._hearing = replying, hearing
        self._state = scribe.state

    # ---------------------------------------------------------------------------------------------------------- begun and ended

    def start(self, s: StartConversation) -> None:
        """Start a conversation or go on with one; the one that is open ends before it.

        Raises:
            ConversationNotFound: There is none to go on with, or no such parent.
            ConversationExists: There is one of that id.
            InvalidInput: The id or a setting is wrong.
        """
        state, scribe = self._state, self._scribe
        known, at = state.conversations, scribe.at
        self._messages.need_reader(config.in_conversation(state, s.config))
        name = s.conversation or (
            next(reversed(known), "") if s.resume else history.free_name(state)
        )
        if not name:
            raise ConversationNotFound("The session has no conversation yet. Start one.")
        if not ports.is_text(name) or len(name) > LONGEST_NAME:
            raise InvalidInput(
                f"The id of a conversation is a text of up to {LONGEST_NAME} characters."
            )
        if s.resume and name == state.conversation:
            return
        for needed in (name if s.resume else "", s.parent):
            if needed:
                find(state, needed)
        if not s.resume:
            need_new(state, name)
        if state.conversation:
            self.end(EndConversation(reason="next"))
        if s.parent and not s.resume and known[s.parent].unsummarized:
            # The branch keeps what was said so far, in short; a later summary tells more than it may know.
            self._messages.summarize(s.parent)
        if s.resume:
            scribe.emit(e.ConversationResumed(at=at, conversation=name, cause=s.cause))
        else:
            scribe.emit(
                e.ConversationStarted(
                    at=at,
                    conversation=name,
                    parent=s.parent,
                    fork=history.newest(state, s.parent),
                    config=s.config,
                    cause=s.cause,
                )
            )
        # The link goes by what is known in the conversation before: an answer brings its own context, and nothing else does.
        if s.fresh:
            self._linking.close()
        self._linking.configure()
        if state.life is Life.LIVE:
            self._replying.go_on()

    def end(self, s: EndConversation) -> None:
        """End the conversation that is open.

        Raises:
            IllegalEvent: None is.
        """
        state, scribe = self._state, self._scribe
        if not state.conversation:
            raise IllegalEvent("No conversation is open.")
        name = state.conversation
        known = state.conversations[name]
        self._replying.quit("ended")
        self._hearing.lose_speech()
        if known.unsummarized >= (1 if known.parent else WORTH_SUMMARY):
            self._messages.summarize(name)
        extract = scribe.extracts and memory.setting(state, "enable_learning")
        scribe.emit(
            e.ConversationEnded(
                at=scribe.at, conversation=name, reason=s.reason, extract=extract, cause=s.cause
            )
        )
        scribe.emit_all(memory.end_conversation(state, name, scribe.at))
        # Here already: nothing can be told after the end of a session.
        scribe.emit_all(analytics.reached(state, scribe.at))

    # ------------------------------------------------------------------------------------------------------------- in writing

    def type(self, s: Type) -> None:
        """Take what the user writes, and ask for an answer.

        Raises:
            InvalidInput: It is no message.
            IllegalEvent: No conversation is open, or the session is paused.
        """
        text = acceptable(s.text)
        state = self._state
        need_conversation(state)
        need_awake(state)
        read = self._messages.read(text)
        self._replying.quit("text")
        self._messages.take(
            "user",
            turn=state.turns + 1,
            by="text",
            client=s.client,
            user=s.user,
            cause=s.cause,
            **read,
        )
        self._linking.lost = False
        self._replying.ask()
        if state.life is Life.DETACHED:
            # Somebody writes while nobody has the controls: the engine is closed a while after that.
            self._scribe.later(effects.StartGrace())

    def inject(self, s: Inject) -> None:
        """Take what the application knows. It is not answered, and one of a known key is known already.

        Raises:
            InvalidInput: It is no message.
            IllegalEvent: No conversation is open.
        """
        text = acceptable(s.text)
        need_conversation(self._state)
        if s.key and s.key in self._state.keys:
            return
        clean, redacted = self._messages.clean(text)
        self._messages.take(
            s.role,
            clean,
            self._state.turns,
            by="injected",
            redacted=redacted,
            key=s.key,
            cause=s.cause,
        )
        self._linking.refresh()

    def say(self, s: Say) -> None:
        """Have the agent say what nobody asked for.

        Raises:
            InvalidInput: It is no message.
            IllegalEvent: No conversation is open, nobody is there to hear it, or somebody speaks.
        """
        text = acceptable(s.text)
        state = self._state
        need_conversation(state)
        need_awake(state)
        if state.life is not Life.LIVE:
            raise IllegalEvent("Nobody is there to hear it.")
        if state.turn is not Turn.IDLE:
            raise IllegalEvent(
                f"The turn is {state.turn.value}: wait until it is over, or stop it."
            )
        if self._linking.asked:
            self._linking.drop()
        self._replying.tell(text, s.cause)
