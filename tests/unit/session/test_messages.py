"""How a message gets into the history."""

import pytest

from tenuto import events as e
from tenuto.errors import InvalidConfig, InvalidInput
from tenuto.session import fold, stimuli
from tenuto.session.conversation_fold import WINDOW
from tenuto.session.messages import LONGEST_TEXT
from tests.unit.session.scene import Blackout, Blind, Scene, changing, talking

# ------------------------------------------------------------------------------------------------------------- conversations


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST_TEXT + 1)])
def test_a_message_has_words_and_not_too_many(text: str) -> None:
    talking().refuses(stimuli.Type(text=text), InvalidInput, "character")


# ------------------------------------------------------------------------------------- conversations, their branches, the past


def test_no_message_leaves_the_window_before_a_summary_covers_it() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("I need the first thing")
    scene.do(stimuli.StartConversation(conversation="next"))
    assert scene.state.conversations["c1"].summary == ""
    for number in range(1, WINDOW + 1):
        scene.write(f"I need {number}")
    assert scene.state.conversations["c1"].summary == "Began with: I need the first thing"
    assert scene.state.conversations["next"].summary == ""
    scene.write("I need one more")
    assert len(scene.write("I need another one")) == 1
    known = scene.state.conversations["next"]
    assert (known.summary_upto, known.unsummarized) == (WINDOW + 1, 2)
    summed_up = [event for event in scene.journal if isinstance(event, e.ConversationSummarized)]
    assert len(summed_up) == 2


# --------------------------------------------------------------------------------------------------------------- settings


def test_redaction_is_refused_where_nothing_could_be_said_any_more() -> None:
    scene = Scene()
    scene.core.scribe.reader = Blind()
    scene.refuses(changing(redaction="mask"), InvalidConfig, "There is no region")
    before = scene.state.position
    with pytest.raises(InvalidConfig) as caught:
        scene.do(stimuli.StartConversation(conversation="a", config={"redaction": "drop"}))
    assert caught.value.fields == ("redaction", "region")
    assert scene.state.position == before


# ------------------------------------------------------------------------------------------------ what the others' rules make


def test_nothing_is_stored_that_should_have_been_redacted() -> None:
    scene = Scene(reader=Blackout(), redaction="mask")
    scene.join(voice=False)
    scene.write("I am 42")
    scene.do(stimuli.Inject(role="user", text="I am 43"))
    added = [event for event in scene.journal if isinstance(event, e.MessageAdded)]
    assert [(m.text, m.redacted) for m in added] == [("I am ##", ["digit"])] * 2
    assert added[0].traits == e.Traits(words=3, formality=1.0)


def test_settings_that_nobody_can_carry_out_are_refused() -> None:
    scene = Scene()
    change = stimuli.StartConversation(conversation="a", config={"redaction": "mask"})
    scene.refuses(change, InvalidConfig, "no reader")

    def rule(state: fold.State, at: float) -> list[e.Event]:
        return [e.ConfigChanged(at=at, version=1, changes={"redaction": "mask"})]

    scene.refuses(stimuli.Decide(rules=(rule,)), InvalidConfig, "no reader")


def test_what_is_learned_of_the_user_is_told() -> None:
    scene = Scene(reader=Blackout())
    scene.join(voice=False)
    for _ in range(3):
        scene.write("I should be most obliged")
    assert any(isinstance(event, e.PreferenceLearned) for event in scene.journal)


def test_what_is_no_text_is_refused() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.refuses(stimuli.Type(text="\ud800"), InvalidInput, "half a character")


def test_nothing_is_learned_of_a_message_where_learning_is_off() -> None:
    scene = Scene(reader=Blackout(), enable_learning=False)
    scene.join(voice=False)
    for _ in range(3):
        scene.write("I should be most obliged")
    assert not any(isinstance(event, e.PreferenceLearned) for event in scene.journal)
