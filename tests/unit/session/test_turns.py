"""What is asked: everything that was said since the last answer, as one."""

from tenuto.session.ports import Message
from tenuto.session.turns import is_a_guests, question


def said(message: int, text: str, turn: int, user: str = "") -> Message:
    return Message(
        message=message, role="user", text=text, turn=turn, conversation="c", at=0.0, user=user
    )


def test_a_sentence_with_a_pause_in_it_is_one_turn() -> None:
    messages = [said(1, "hello", 1), said(2, "my name is", 2), said(3, "Alice", 3)]
    assert question(messages, [2, 3]) == (3, "my name is Alice")


def test_what_was_typed_during_a_speech_counts_as_the_later_turn() -> None:
    assert question([said(1, "typed", 2), said(2, "spoken", 1)], [1, 2]) == (2, "typed spoken")


def test_a_question_is_a_guests_when_a_guest_has_a_part_in_it() -> None:
    messages = [said(1, "hello", 1, "doctor"), said(2, "hi", 2), said(3, "and?", 3, "doctor")]
    assert is_a_guests(messages, [2, 3], 3)
    assert not is_a_guests(messages, [2], 2)
    assert is_a_guests(messages, [], 1)
