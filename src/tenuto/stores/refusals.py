"""Why a store refuses a write, in the same words whichever store it is."""

from tenuto.errors import AppendConflict, InvalidInput, LeaseLost
from tenuto.session.ports import Append


def check_positions(append: Append) -> None:
    """Make sure that the rows take the places right after `append.expected`.

    Raises:
        InvalidInput: They do not: a journal has no gaps.
    """
    place = append.expected
    for row in append.rows:
        place += 1
        if row.position != place:
            raise InvalidInput(
                f"A row for session {append.session} says position {row.position} where {place} "
                "comes next. Number the rows from `expected` + 1 on."
            )


def conflict(session: str, expected: int, position: int) -> AppendConflict:
    """Say that the head of a journal is at `position`, not where the writer thought."""
    return AppendConflict(
        f"Session {session} is at position {position}, not at {expected}. Load it again to go on."
    )


def lost(session: str, fence: int, current: int | None) -> LeaseLost:
    """Say that `fence` is not the session's; `current` is None for a session that is gone."""
    if current is None:
        return LeaseLost(f"Session {session} is gone: it was forgotten, or never created.")
    return LeaseLost(
        f"Session {session} has another owner since fence {fence} (now {current}). "
        "Load it again to go on."
    )
