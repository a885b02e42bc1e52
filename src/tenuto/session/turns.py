"""When a turn ends, and what interrupts a reply."""

from collections.abc import Sequence

from tenuto.session.ports import Message


def question(messages: Sequence[Message], owed: Sequence[int]) -> tuple[int, str]:
    """Return the turn to answer and its text: everything that the user said since the last answer, as one.

    A person who pauses in the middle of a sentence and goes on has made one turn of it: `my name is` and `Alice`, both
    unanswered, are answered as `my name is Alice`.

    Example:
        >>> m = Message(message=1, role="user", text="hi", turn=1, conversation="c", at=0.0)
        >>> question([m], [1])
        (1, 'hi')
    """
    unanswered = [m for m in messages if m.message in owed]
    return max(m.turn for m in unanswered), " ".join(m.text for m in unanswered)


def is_a_guests(messages: Sequence[Message], owed: Sequence[int], turn: int) -> bool:
    """Say whether somebody else than the session's user has a part in what is to be answered."""
    return any(m.user for m in messages if m.message in owed or (m.turn, m.role) == (turn, "user"))
