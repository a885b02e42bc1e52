"""What is asked: everything that was said since the last answer, as one."""

from tenuto.session.ports import Message
from tenuto.session.turns import question


def said(message: int, text: str, turn: int) -> Message:
    return Message(message=message, role="user", text=text, turn=turn, conversation="c", at=0.0)


def test_a_sentence_with_a_pause_in_it_is_one_turn() -> None:
    messages = [said(1, "hello", 1), said(2, "my name is", 2), said(3, "Alice", 3)]
    assert question(messages, [2, 3]) == (3, "my name is Alice")


def test_what_was_typed_during_a_speech_counts_as_the_later_turn() -> None:
    assert question([said(1, "typed", 2), said(2, "spoken", 1)], [1, 2]) == (2, "typed spoken")
