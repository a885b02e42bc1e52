"""The turns of a conversation, folded from its events as they come. Pure."""

import msgspec

from tenuto import events as e


class Turn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said in a turn."""

    turn: int
    user: str = ""
    """What the user said."""
    agent: str = ""
    """What was heard of the agent's reply."""
    said: str = ""
    """The whole reply, when not all of it was heard."""
    cut: str = ""
    """Why the reply was cut; empty when it was not."""
    seconds: float | None = None
    """From the end of speech to the beginning of the reply; None where either is missing."""


class Turns:
    """Puts turns together. One that nobody answered comes when the next one begins, or with `rest`."""

    def __init__(self) -> None:
        self._waiting: dict[int, str] = {}
        self._cut = ""
        self._ended: dict[int, float] = {}
        self._begun: dict[int, float] = {}

    def take(self, event: e.Event) -> list[Turn]:
        """Take the next event and return the turns that are complete with it."""
        match event:
            case e.SpeechEnded(turn=turn, at=at):
                self._ended[turn] = at
            case e.ReplyStarted(turn=turn, at=at):
                self._begun[turn], self._cut = at, ""
            case e.ReplyCut(reason=reason):
                self._cut = reason
            case e.MessageAdded(role="user", turn=turn, text=text):
                before = self.rest() if turn not in self._waiting else []
                self._waiting[turn] = text
                return before
            case e.MessageAdded(role="agent", turn=turn):
                return [self._complete(turn, event)]
            case _:
                pass
        return []

    def rest(self) -> list[Turn]:
        """Return the turns that had no answer."""
        waiting, self._waiting = self._waiting, {}
        return [Turn(turn=turn, user=text) for turn, text in waiting.items()]

    def _complete(self, turn: int, event: e.MessageAdded) -> Turn:
        begun, ended = self._begun.pop(turn, None), self._ended.pop(turn, None)
        seconds = round(begun - ended, 3) if begun is not None and ended is not None else None
        user, cut = self._waiting.pop(turn, ""), self._cut
        self._cut = ""
        return Turn(
            turn=turn, user=user, agent=event.text, said=event.said, cut=cut, seconds=seconds
        )
