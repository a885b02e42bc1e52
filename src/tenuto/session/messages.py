"""Messages on their way into the history: cleaned, measured, numbered, and summed up before they leave the window."""

from typing import Any

from tenuto import events as e
from tenuto.errors import InvalidConfig, InvalidInput
from tenuto.session import ports, preferences, summary
from tenuto.session.config import SessionConfig
from tenuto.session.conversation_fold import WINDOW
from tenuto.session.scribe import Scribe

LONGEST_TEXT = 10_000
"""Characters of one message of the user."""


def acceptable(text: str) -> str:
    """Return a message without the space around it.

    Raises:
        InvalidInput: It is empty or too long.

    Example:
        >>> acceptable(" Hi. ")
        'Hi.'
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


class Messages:
    """Adds messages to the open conversation."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe, self._state = scribe, scribe.state

    def clean(self, text: str) -> tuple[str, list[str]]:
        """Return a text as it may be stored and told, and the kinds of personal data that were taken out of it."""
        settings = self._scribe.config
        if settings.redaction == "off":
            return text, []
        return self._scribe.reader.redact(text, settings.redaction, settings.region)

    def need_reader(self, settings: SessionConfig) -> None:
        """Refuse settings by which nothing could be said: what cannot be redacted must not be stored.

        Raises:
            InvalidConfig: What they say is to be redacted cannot be.
        """
        if settings.redaction != "off":
            try:
                self._scribe.reader.redact("a", settings.redaction, settings.region)
            except InvalidInput as error:
                raise InvalidConfig(error.message, ("redaction", "region")) from None

    def read(self, text: str, seconds: float = 0.0) -> dict[str, Any]:
        """Return what is stored of what the user says: the text without what may not be, and what it tells of them.

        Args:
            seconds: How long it took to say it; 0 for writing.

        Returns:
            Fields of `MessageAdded`.
        """
        settings = self._scribe.config
        clean, redacted = self.clean(text)
        traits = self._scribe.reader.measure(
            clean,
            seconds,
            learning=settings.enable_learning,
            analytics=settings.enable_analytics,
        )
        return {"text": clean, "redacted": redacted, "traits": traits}

    def take(self, role: e.Role, text: str, turn: int, **more: Any) -> None:
        """Add a message that came in, and say what was learned of it."""
        self.add(role, text, turn, **more)
        if self._scribe.config.enable_learning:
            self._scribe.emit_all(preferences.learned(self._state, self._scribe.at))

    def add(self, role: e.Role, text: str, turn: int, **more: Any) -> None:
        """Add a message as it is. No message leaves the window before a summary covers it.

        Args:
            more: Fields of `MessageAdded`.
        """
        state = self._state
        if len(state.recent) == WINDOW:
            oldest = state.recent[0]
            if oldest.message > state.conversations[oldest.conversation].summary_upto:
                self.summarize(oldest.conversation)
        self._scribe.emit(
            e.MessageAdded(
                at=self._scribe.at,
                message=state.messages + 1,
                role=role,
                text=text,
                turn=turn,
                conversation=state.conversation,
                **more,
            )
        )

    def summarize(self, conversation: str) -> None:
        """Extend the summary of a conversation by what it does not cover yet."""
        known = self._state.conversations[conversation]
        fresh = [
            message
            for message in self._state.recent
            if message.conversation == conversation and message.message > known.summary_upto
        ]
        self._scribe.emit(
            e.ConversationSummarized(
                at=self._scribe.at,
                conversation=conversation,
                upto=known.last,
                text=summary.extend(known.summary, fresh),
            )
        )
