"""The turns of a conversation, folded from its events."""

from tenuto import events as e
from tenuto.cli.turns import Turn, Turns


def message(role: e.Role, turn: int, text: str, said: str = "", reply: int = 0) -> e.MessageAdded:
    return e.MessageAdded(
        at=9.0, message=1, role=role, text=text, turn=turn, conversation="c", said=said, reply=reply
    )


def take_all(*events: e.Event) -> list[Turn]:
    turns = Turns()
    return [turn for event in events for turn in turns.take(event)] + turns.rest()


def test_a_turn_is_complete_with_the_answer() -> None:
    assert take_all(
        e.SpeechEnded(at=2.0, turn=1),
        message("user", 1, "Hello"),
        e.ReplyStarted(at=2.25, reply=1, turn=1, conversation="c"),
        e.ReplyEnded(at=4.0, reply=1),
        message("agent", 1, "Hello Alice", reply=1),
    ) == [Turn(turn=1, user="Hello", agent="Hello Alice", seconds=0.25)]


def test_a_turn_that_nobody_answered_comes_before_the_next() -> None:
    assert take_all(message("user", 1, "One"), message("user", 2, "Two")) == [
        Turn(turn=1, user="One"),
        Turn(turn=2, user="Two"),
    ]


def test_a_cut_reply_shows_what_was_heard_and_why() -> None:
    (turn,) = take_all(
        message("user", 1, "Tell me"),
        e.ReplyStarted(at=1.0, reply=1, turn=1, conversation="c"),
        e.ReplyCut(at=2.0, reply=1, reason="barge_in"),
        message("agent", 1, "Once", said="Once upon a time", reply=1),
    )
    assert (turn.agent, turn.said, turn.cut) == ("Once", "Once upon a time", "barge_in")


def test_a_cut_belongs_to_its_own_reply() -> None:
    first, second = take_all(
        e.ReplyStarted(at=1.0, reply=1, turn=1, conversation="c"),
        e.ReplyCut(at=2.0, reply=1, reason="barge_in"),
        message("agent", 1, "Once", reply=1),
        e.ReplyStarted(at=3.0, reply=2, turn=2, conversation="c"),
        e.ReplyEnded(at=4.0, reply=2),
        message("agent", 2, "Twice", reply=2),
    )
    assert (first.cut, second.cut) == ("barge_in", "")


def test_a_reply_that_nobody_asked_for_is_a_turn() -> None:
    assert take_all(message("agent", 3, "Ring", reply=1)) == [Turn(turn=3, agent="Ring")]
