"""What of the history an engine is given."""

from tenuto import events as e
from tenuto.session.config import SessionConfig
from tenuto.session.context import LastMessages, build
from tenuto.session.fold import State, apply


def heard_of_a_cut_reply() -> State:
    state = State()
    for event in (
        e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16),
        e.ConversationStarted(at=1.0, conversation="c1"),
        e.MessageAdded(at=2.0, message=1, role="user", text="Hi", turn=1, conversation="c1"),
        e.ReplyStarted(at=3.0, reply=1, turn=1, conversation="c1", aloud=True),
        e.ReplySegment(at=3.0, reply=1, index=0, text="One two three.", last=True),
        e.ReplyCut(at=4.0, reply=1, reason="barge_in", heard=0.5),
        e.MessageAdded(
            at=4.0,
            message=2,
            role="agent",
            text="One two",
            said="One two three.",
            turn=1,
            conversation="c1",
            reply=1,
        ),
        e.MemoryAdded(at=5.0, memory=1, content="The user's name is Alice.", key="name"),
        e.AlarmSet(at=5.0, alarm=1, due=9.0, text="tea"),
    ):
        apply(state, event)
    return state


def test_an_engine_is_told_what_was_heard_not_what_was_said() -> None:
    context = build(heard_of_a_cut_reply(), SessionConfig(), 10.0, LastMessages())
    assert [m.text for m in context.messages] == ["Hi", "One two"]
    assert context.messages[1].said == "One two three."


def test_an_engine_is_told_what_it_is_to_be_and_what_is_known() -> None:
    config = SessionConfig(instructions="Be brief.", timezone="Europe/Rome")
    context = build(heard_of_a_cut_reply(), config, 10.0, LastMessages())
    assert (context.instructions, context.timezone) == ("Be brief.", "Europe/Rome")
    assert [m.content for m in context.memories] == ["The user's name is Alice."]
    assert [a.text for a in context.alarms] == ["tea"]
    assert (context.conversation, context.now) == ("c1", 10.0)


def test_the_policy_chooses_the_newest() -> None:
    context = build(heard_of_a_cut_reply(), SessionConfig(), 10.0, LastMessages(count=1))
    assert [m.message for m in context.messages] == [2]


def test_what_an_engine_was_given_does_not_change_with_the_session() -> None:
    state = heard_of_a_cut_reply()
    context = build(state, SessionConfig(), 10.0, LastMessages())
    apply(state, e.ConversationEnded(at=11.0, conversation="c1", reason="user"))
    apply(state, e.MemoryRemoved(at=11.0, memory=1, reason="forgotten"))
    assert context.conversation == "c1"
    assert len(context.memories) == 1
