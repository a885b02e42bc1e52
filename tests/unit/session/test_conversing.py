"""Conversations that begin and end, and what is put into the open one in writing."""

import pytest

from tenuto import events as e
from tenuto.errors import (
    ConversationExists,
    ConversationNotFound,
    IllegalEvent,
    InvalidInput,
    Refused,
)
from tenuto.ids import LONGEST_NAME
from tenuto.session import effects, ports, stimuli
from tenuto.session.state import Turn
from tests.unit.session.scene import Scene, answering, configured, paused, rung, talking

# ------------------------------------------------------------------------------------------------------------------ a turn


def test_a_message_typed_while_thinking_is_joined() -> None:
    scene = talking()
    scene.write("my name is")
    scene.write("Alice")
    assert scene.reflexes == [effects.Quit()]
    assert scene.answers_asked == [(2, "my name is Alice", [])]
    assert scene.answer("Too late.", turn=1) == []
    assert scene.answer("Hello Alice.")[0] == "reply.started reply=1 aloud=True"


def test_a_message_typed_while_somebody_speaks_waits_for_the_end_of_it() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.write("typed")
    assert scene.answers_asked == []
    scene.engine(ports.SpeechFinished(until=900, text="spoken"))
    assert scene.answers_asked == [(2, "typed spoken", [])]


# ------------------------------------------------------------------------------------------------------------- conversations


def test_the_end_says_whether_facts_are_to_be_found() -> None:
    for extracts, learning, wanted in (
        (True, True, True),
        (False, True, False),
        (True, False, False),
    ):
        scene = Scene(enable_learning=learning)
        scene.core.scribe.extracts = extracts
        scene.join(voice=False)
        scene.write("I am Alice")
        scene.do(stimuli.EndConversation())
        (end,) = [event for event in scene.journal if isinstance(event, e.ConversationEnded)]
        assert (end.extract, bool(scene.state.to_read)) == (wanted, wanted)


def test_the_next_conversation_ends_the_one_before() -> None:
    scene = answering("One two three.")
    scene.engine(ports.AlarmWanted(turn=1, due=2_000.0, text="tea"))
    assert scene.do(stimuli.StartConversation(conversation="next", parent="c1", cause="tab:1")) == [
        "reply.cut reply=1 reason=ended",
        "message.added message=2 role=agent text= reply=1 said=One two three.",
        "conversation.ended reason=next",
        "conversation.summarized upto=2 text=Began with: What is it?",
        "conversation.started parent=c1 fork=2",
    ]
    assert scene.state.conversation == "next"


def test_a_conversation_ends_in_the_middle_of_a_speech() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    assert scene.do(stimuli.EndConversation(cause="tab:1")) == [
        "speech.ended mic=tab-mic until=100 reason=lost",
        "conversation.ended reason=user",
    ]
    scene.refuses(stimuli.EndConversation(), IllegalEvent, "No conversation is open")


def test_a_conversation_ends_while_the_engine_thinks() -> None:
    scene = talking()
    scene.write("Hi")
    scene.do(stimuli.EndConversation())
    assert scene.reflexes == [effects.Quit()]
    assert scene.answer("Late.") == []


def test_a_conversation_is_resumed_without_a_greeting() -> None:
    scene = talking(greeting="Hello.")
    scene.send(1.0)
    scene.mark(1.0, done=True)
    scene.do(stimuli.EndConversation())
    assert scene.do(stimuli.StartConversation(conversation="c1", resume=True)) == [
        "conversation.resumed"
    ]
    assert scene.do(stimuli.StartConversation(conversation="c1", resume=True)) == [], "it is open"


def test_a_conversation_can_be_started_while_nobody_is_there() -> None:
    scene = Scene(greeting="Hello.")
    assert scene.do(stimuli.StartConversation(conversation="a")) == ["conversation.started"]
    assert scene.effects == []


def test_a_made_up_name_is_a_free_one() -> None:
    scene = Scene()
    scene.do(stimuli.StartConversation(conversation="c2"))
    scene.do(stimuli.StartConversation(conversation=""))
    assert list(scene.state.conversations) == ["c2", "c3"]


@pytest.mark.parametrize(
    ("start", "why", "match"),
    [
        (stimuli.StartConversation(conversation="x" * (LONGEST_NAME + 1)), InvalidInput, "100"),
        (stimuli.StartConversation(conversation="c1"), ConversationExists, "'c1'"),
        (stimuli.StartConversation(conversation="x", resume=True), ConversationNotFound, "'x'"),
        (stimuli.StartConversation(conversation="x", parent="y"), ConversationNotFound, "'y'"),
    ],
)
def test_a_conversation_that_cannot_be_started_leaves_the_open_one_open(
    start: stimuli.StartConversation, why: type[Refused], match: str
) -> None:
    answering("One.").refuses(start, why, match)


# --------------------------------------------------------------------------------------------------------------- sharing


@pytest.mark.parametrize(
    "stimulus",
    [
        stimuli.Type(text="bad \ud800", client="tab"),
        stimuli.Inject(role="user", text="bad \ud800"),
        stimuli.Say(text="bad \ud800"),
        stimuli.StartConversation(conversation="bad \ud800"),
    ],
)
def test_a_text_that_cannot_be_stored_is_refused_before_it_is_true(
    stimulus: stimuli.Stimulus,
) -> None:
    scene = Scene()
    scene.join(voice=False)
    position = scene.state.position
    with pytest.raises(InvalidInput):
        scene.do(stimulus)
    assert scene.state.position == position


# ------------------------------------------------------------------------------------- conversations, their branches, the past


def test_the_link_that_is_open_is_told_of_the_next_conversation() -> None:
    scene = talking()
    scene.do(stimuli.StartConversation(conversation="next"))
    assert [context.conversation for context in configured(scene)] == ["next"]


def test_a_fresh_conversation_has_a_fresh_link() -> None:
    scene = talking()
    scene.do(stimuli.StartConversation(conversation="next", fresh=True))
    close, opened = scene.effects
    assert isinstance(close, effects.CloseEngine) and isinstance(opened, effects.OpenEngine)
    assert (opened.link, opened.context.conversation) == (2, "next")


def test_the_conversation_that_was_used_last_is_resumed() -> None:
    scene = Scene()
    scene.refuses(
        stimuli.StartConversation(conversation="", resume=True),
        ConversationNotFound,
        "no conversation yet",
    )
    scene.join(voice=False)
    scene.do(stimuli.StartConversation(conversation="next"))
    scene.do(stimuli.StartConversation(conversation="c1", resume=True))
    scene.do(stimuli.EndConversation())
    assert scene.do(stimuli.StartConversation(conversation="", resume=True)) == [
        "conversation.resumed"
    ]
    assert scene.state.conversation == "c1"


def test_nothing_branches_from_itself() -> None:
    scene = Scene()
    scene.join(voice=False)
    itself = stimuli.StartConversation(conversation="a", parent="a")
    scene.refuses(itself, ConversationNotFound, "'a'")
    again = stimuli.StartConversation(conversation="c1", parent="c1")
    scene.refuses(again, ConversationExists, "'c1'")


def test_a_branch_keeps_what_was_said_so_far_and_is_not_greeted() -> None:
    scene = Scene(greeting="Hello.")
    scene.join(voice=False)
    scene.ready()
    scene.do(stimuli.StartConversation(conversation="deep", parent="c1"))
    assert scene.state.conversations["deep"].inherited == ""
    assert not scene.state.replies == 2, "small talk is not worth a summary, nor a second greeting"
    scene.do(stimuli.StartConversation(conversation="c1", resume=True))
    scene.write("I like physics")
    scene.do(stimuli.StartConversation(conversation="deeper", parent="c1"))
    assert scene.state.conversations["deeper"].inherited == "Began with: I like physics"


def test_a_branch_is_summed_up_when_it_ends() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.do(stimuli.StartConversation(conversation="deep", parent="c1"))
    scene.write("I like physics")
    assert scene.do(stimuli.EndConversation()) == [
        "conversation.summarized upto=1 text=Began with: I like physics",
        "conversation.ended reason=user",
    ]


# ---------------------------------------------------------------------------------------------- what the application says


def test_an_injected_message_is_never_answered() -> None:
    scene = talking()
    assert scene.do(stimuli.Inject(role="user", text=" I am Alice. ")) == [
        "message.added message=1 role=user text=I am Alice."
    ]
    (told,) = scene.effects
    assert isinstance(told, effects.Refresh)
    assert [m.text for m in told.context.messages] == ["I am Alice."]
    assert scene.state.turn is Turn.IDLE


def test_a_message_of_a_known_key_is_put_in_once() -> None:
    scene = Scene()
    scene.join(voice=False)
    once = stimuli.Inject(role="system", text="Be quick.", key="one")
    assert len(scene.do(once)) == 1
    assert scene.effects == [], "no engine is open"
    assert scene.crash()
    scene.join(voice=False)
    assert scene.do(once) == []
    assert len(scene.do(stimuli.Inject(role="system", text="Be quick.", key="two"))) == 1


def test_an_injected_message_has_words_and_a_conversation() -> None:
    scene = Scene()
    scene.refuses(stimuli.Inject(role="user", text="Hi"), IllegalEvent, "start one first")
    scene.join()
    scene.refuses(stimuli.Inject(role="user", text=" "), InvalidInput, "empty")
    scene.refuses(stimuli.Inject(role="user", text="x" * 10_001), InvalidInput, "10000 characters")


def test_the_agent_says_something_that_nobody_asked_for() -> None:
    scene = talking()
    assert scene.do(stimuli.Say(text="Your taxi is here.")) == [
        "reply.started reply=1 aloud=True",
        "reply.segment reply=1 index=0 text=Your taxi is here. last=True",
    ]
    assert scene.spoken == ["Your taxi is here."]
    scene.refuses(stimuli.Say(text="And another."), IllegalEvent, "speaking")
    scene.send(1.0)
    assert scene.mark(1.0, done=True)[-1] == (
        "message.added message=1 role=agent text=Your taxi is here. reply=1"
    )


def test_the_agent_says_it_in_writing_to_who_only_reads() -> None:
    scene = Scene()
    scene.refuses(stimuli.Say(text="Hi"), IllegalEvent, "start one first")
    scene.join(voice=False)
    lines = scene.do(stimuli.Say(text="Hi", cause="tab:1"))
    assert lines[-1] == "message.added message=1 role=agent text=Hi reply=1"
    assert scene.state.clients["tab"].last == 1
    scene.leave()
    scene.refuses(stimuli.Say(text="Hi"), IllegalEvent, "Nobody is there")


def test_what_the_application_says_goes_before_an_alarm_that_is_put_into_words() -> None:
    scene = rung()
    scene.do(stimuli.Say(text="One moment."))
    assert effects.Quit() in scene.reflexes
    scene.send(1.0)
    scene.mark(1.0, done=True)
    assert scene.rings_asked == ["tea"], "it is told of afterwards"


@pytest.mark.parametrize("stimulus", [stimuli.Type(text="Hi"), stimuli.Say(text="Hi")])
def test_nothing_is_said_while_it_is_paused(stimulus: stimuli.Stimulus) -> None:
    paused().refuses(stimulus, IllegalEvent, "paused")


def test_nothing_is_written_before_a_conversation_is_open() -> None:
    scene = Scene()
    scene.join(voice=False, opens=False)
    scene.refuses(stimuli.Type(text="Hi"), IllegalEvent, "start one first")


def test_the_engine_is_kept_for_a_while_for_who_writes_while_nobody_has_the_controls() -> None:
    scene = Scene()
    scene.do(stimuli.StartConversation(conversation="c"))
    scene.do(stimuli.Type(text="Hi", client="python"))
    assert scene.effects[-1] == effects.StartGrace()
    scene.join()
    scene.write("Hi")
    assert effects.StartGrace() not in scene.effects
