"""The open reply, as scenes: asked for, spoken, heard, cut, held, and gone on with."""

from collections.abc import Sequence

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import effects, fold, ports, preferences, stimuli
from tenuto.session.state import Status, Turn
from tests.unit.session.scene import Scene, answering, rung, talking

# ------------------------------------------------------------------------------------------------------------------ a turn


def test_a_question_is_asked_answered_spoken_and_heard() -> None:
    scene = talking()
    assert scene.say("What is it?") == [
        "speech.started mic=tab-mic offset=100",
        "speech.ended mic=tab-mic until=900",
        "message.added message=1 role=user text=What is it?",
    ]
    assert scene.answers_asked == [(1, "What is it?", [])]
    assert scene.status() is Status.PROCESSING
    assert scene.answer("One two.", "Three.") == [
        "reply.started reply=1 aloud=True",
        "reply.segment reply=1 index=0 text=One two.",
        "reply.segment reply=1 index=1 text=Three. last=True",
    ]
    assert scene.spoken == ["Three."]
    assert scene.status() is Status.SPEAKING
    scene.send(1.0, 2.0)
    assert scene.mark(0.5) == []
    assert scene.mark(2.0, done=True) == [
        "reply.ended reply=1 heard=2.0",
        "message.added message=2 role=agent text=One two. Three. reply=1",
    ]
    assert scene.status() is Status.IDLE


def test_a_written_reply_is_heard_when_it_is_delivered() -> None:
    scene = Scene()
    scene.join(voice=False)
    assert scene.write(" Hi ") == ["message.added message=1 role=user text=Hi"]
    scene.ready()
    assert scene.answer("Hello.", "You.") == [
        "reply.started reply=1",
        "reply.segment reply=1 index=0 text=Hello.",
        "reply.segment reply=1 index=1 text=You. last=True",
        "reply.ended reply=1",
        "message.added message=2 role=agent text=Hello. You. reply=1",
    ]
    assert scene.spoken == []


def test_an_answer_that_never_had_a_word_is_no_message() -> None:
    scene = talking()
    scene.write("Hi")
    scene.answer("")
    scene.send(0.0)
    assert scene.mark(0.0, done=True) == ["reply.ended reply=1"]


def test_a_segment_that_says_nothing_leaves_no_trace_in_the_text() -> None:
    scene = talking()
    scene.write("Hi")
    scene.answer("Hello.", "")
    scene.send(1.0, 1.0)
    assert (
        scene.mark(1.0, done=True)[-1] == "message.added message=2 role=agent text=Hello. reply=1"
    )


def test_a_client_that_does_not_mark_is_believed_to_have_played_what_was_sent() -> None:
    scene = answering("One two.")
    assert scene.do(stimuli.Played(reply=7)) == []
    assert scene.do(stimuli.Played(reply=1))[0] == "reply.ended reply=1 heard=1.0"


@pytest.mark.parametrize(("ends", "sent"), [((1.0,), 1.0), ((1.0, 2.0), 1.5)])
def test_what_is_not_all_sent_is_not_all_heard(ends: Sequence[float], sent: float) -> None:
    scene = answering("One two.", "Three.")
    scene.send(*ends, sent=sent)
    assert scene.mark(99.0, done=True) == []
    assert scene.do(stimuli.Played(reply=1)) == []


def test_what_is_held_is_not_believed_to_have_been_played() -> None:
    scene = answering("One two.")
    scene.leave()
    assert scene.do(stimuli.Played(reply=1)) == []


def test_the_engine_may_say_what_nobody_asked_for_and_nothing_happens() -> None:
    scene = talking()
    assert scene.answer("Hm?", turn=1) == []
    assert scene.answer("Hm?", turn=-1) == []
    assert scene.engine(ports.SpeechFinished(until=5, text="Hm?")) == []
    assert scene.engine(ports.Partial(text="Hm")) == []
    assert scene.mark(1.0) == []
    assert scene.do(stimuli.Played(reply=0)) == []
    scene.write("Hi")
    scene.answer("One.", turn=1)
    assert scene.answer("More.", turn=1) == []
    assert scene.answer("Zero.", turn=99) == []


def test_turn_zero_is_nobodys() -> None:
    scene = answering("One.", last=False)
    assert scene.engine(ports.Segment(turn=0, text="Whose?", last=True)) == []


# -------------------------------------------------------------------------------------------------------- heard is not said


def test_barge_in_keeps_what_was_heard() -> None:
    scene = answering("One two three.", "Four five.")
    scene.mark(1.6)
    assert scene.engine(ports.SpeechBegan(offset=500)) == [
        "reply.cut reply=1 reason=barge_in heard=1.6",
        "message.added message=2 role=agent text=One two three. Four reply=1 said=One two three. Four five.",
        "speech.started mic=tab-mic offset=500",
    ]
    assert scene.reflexes == [effects.Hush(1), effects.Quit()]
    assert scene.status() is Status.LISTENING
    scene.engine(ports.SpeechFinished(until=900, text="Go on"))
    (ask,) = scene.asked
    assert isinstance(ask, ports.Ask)
    assert [m.text for m in ask.context.messages] == ["What is it?", "One two three. Four", "Go on"]


def test_a_reply_of_which_nothing_was_heard_is_kept_as_that() -> None:
    scene = answering("One two three.")
    assert scene.write("Stop")[1] == (
        "message.added message=2 role=agent text= reply=1 said=One two three."
    )


def test_a_reply_that_was_all_heard_when_it_was_cut_has_nothing_beside_it() -> None:
    scene = answering("One two.", last=False)
    scene.mark(1.0)
    assert scene.write("And?")[1] == "message.added message=2 role=agent text=One two. reply=1"


def test_stop_cuts_where_the_client_says_it_was_heard() -> None:
    scene = answering("One two three.")
    assert scene.do(stimuli.Stop(heard=0.4, cause="tab:1")) == [
        "reply.cut reply=1 reason=stopped heard=0.4",
        "message.added message=2 role=agent text=One reply=1 said=One two three.",
    ]


@pytest.mark.parametrize("heard", [None, -1.0, float("nan")])
def test_stop_without_a_word_of_what_was_heard_uses_the_marks(heard: float | None) -> None:
    scene = answering("One two three.")
    scene.mark(0.6)
    assert scene.do(stimuli.Stop(heard=heard))[0] == "reply.cut reply=1 reason=stopped heard=0.6"


def test_nobody_can_have_heard_more_than_was_sent() -> None:
    scene = answering("One two three.")
    scene.send(1.0, sent=0.5)
    assert scene.do(stimuli.Stop(heard=99.0))[0] == "reply.cut reply=1 reason=stopped heard=0.5"


def test_stop_while_thinking_is_a_reply_that_was_never_begun() -> None:
    scene = talking()
    scene.write("Hi")
    assert scene.do(stimuli.Stop()) == ["reply.started reply=1", "reply.cut reply=1 reason=stopped"]
    assert scene.reflexes == [effects.Hush(1), effects.Quit()]
    assert scene.answer("Too late.") == []


def test_there_is_nothing_to_stop_when_nobody_speaks() -> None:
    talking().refuses(stimuli.Stop(heard=1.0), IllegalEvent, "no reply to stop")


def test_a_written_reply_that_is_cut_was_delivered_so_far() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("Hi")
    scene.ready()
    scene.answer("One.", last=False)
    assert scene.do(stimuli.Stop()) == [
        "reply.cut reply=1 reason=stopped",
        "message.added message=2 role=agent text=One. reply=1",
    ]


# ------------------------------------------------------------------------------------------------------- coming and going


def test_a_reply_is_held_while_nobody_listens_and_goes_on_where_it_was_heard() -> None:
    scene = answering("One two three.", "Four five.")
    scene.mark(1.2)
    assert scene.leave() == [
        "playback.marked reply=1 heard=1.2",
        "attachment.detached attachment=1 reason=lost",
    ]
    assert scene.reflexes == [effects.Pause(), effects.Quit()], "what is buffered is heard"
    assert scene.effects == [effects.LetGo(1, "lost"), effects.StartGrace()]
    assert (scene.state.turn, scene.status()) == (Turn.HELD, Status.IDLE)
    scene.now += 10
    scene.join(heard=(1, 1.4))
    assert scene.effects[0] == effects.Resume(1, 1.4)
    assert scene.spoken == ["One two three.", "Four five."]
    assert scene.state.turn is Turn.SPEAKING
    scene.send(1.0, 2.0)
    assert scene.mark(2.0, done=True)[0] == "reply.ended reply=1 heard=2.0"


def test_a_reply_that_was_heard_to_its_end_is_over_when_the_client_comes_back_and_says_so() -> None:
    scene = answering("One two three.", "Four five.")
    scene.send(1.0, 2.0)
    scene.leave()
    assert scene.join(heard=(1, 2.0))[1:] == [
        "reply.ended reply=1 heard=2.0",
        "message.added message=2 role=agent text=One two three. Four five. reply=1",
    ]
    assert (scene.spoken, scene.state.turn) == ([], Turn.IDLE)


def test_who_is_done_with_what_came_while_the_rest_is_under_way_has_not_heard_it() -> None:
    scene = answering("One two three.", "Four five.")
    scene.send(1.0, 2.0)
    assert scene.mark(1.0, done=True) == []
    assert scene.mark(1.95, done=True)[0] == "reply.ended reply=1 heard=2.0"


def test_what_was_typed_by_somebody_who_is_spoken_to_is_answered_aloud_when_they_are_back() -> None:
    scene = talking()
    scene.write("What is it?")
    scene.leave()
    assert scene.answer("One two.")[0] == "reply.started reply=1 aloud=True"
    assert (scene.spoken, scene.state.turn) == ([], Turn.HELD)


def test_segments_that_come_while_nobody_listens_are_kept_for_whoever_comes_back() -> None:
    scene = talking()
    scene.say("What is it?")
    scene.leave()
    assert scene.answer("One two.")[0] == "reply.started reply=1 aloud=True"
    assert (scene.spoken, scene.state.turn) == ([], Turn.HELD)
    scene.join()
    assert scene.spoken == ["One two."]


def test_the_rest_of_a_reply_is_asked_for() -> None:
    scene = answering("One.", "Two.", last=False)
    scene.leave()
    scene.join()
    assert scene.spoken == ["One.", "Two."]
    assert scene.answers_asked == [(1, "What is it?", ["One.", "Two."])]
    assert scene.answer("Three.", turn=1) == ["reply.segment reply=1 index=2 text=Three. last=True"]


def test_the_engine_goes_on_thinking_when_somebody_comes_back() -> None:
    scene = talking()
    scene.say("What is it?")
    scene.leave()
    scene.join()
    assert scene.asked == [], "it was asked, and is still at it"
    assert scene.answer("One.")[0] == "reply.started reply=1 aloud=True"


def test_a_reply_that_the_engine_cannot_speak_on_is_cut_where_it_was_heard() -> None:
    forgetful = ports.Capabilities(name="scene", speaks=16_000)
    scene = answering("One two three.", capabilities=forgetful)
    scene.mark(0.5)
    scene.leave()
    assert scene.join()[1:] == [
        "reply.cut reply=1 reason=detached heard=0.5",
        "message.added message=2 role=agent text=One two reply=1 said=One two three.",
    ]


def test_who_comes_back_to_read_has_the_whole_reply() -> None:
    scene = answering("One two three.")
    scene.leave()
    assert scene.join(voice=False)[1:] == [
        "reply.ended reply=1",
        "message.added message=2 role=agent text=One two three. reply=1",
    ]


def test_who_comes_back_to_read_has_what_there_is_of_an_unfinished_reply() -> None:
    scene = answering("One two three.", last=False)
    scene.leave()
    assert scene.join(voice=False)[1] == "reply.cut reply=1 reason=detached"


def test_asked_aloud_and_answered_to_who_only_reads() -> None:
    scene = talking()
    scene.say("What is it?")
    scene.join("desk", voice=False)
    assert scene.answer("One.")[0] == "reply.started reply=1"


def test_who_reads_first_and_then_listens_gets_another_engine() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("Hi")
    scene.ready()
    scene.answer("One.", last=False)
    scene.join()
    assert [type(effect).__name__ for effect in scene.effects] == [
        "LetGo",
        "CloseEngine",
        "OpenEngine",
        "ToEngine",
    ]
    assert scene.answers_asked == [(1, "Hi", ["One."])]
    assert scene.core.linking.number == 2


# ---------------------------------------------------------------------------------------------------------------- greetings


def test_a_conversation_is_greeted_once() -> None:
    scene = Scene(greeting="Hello.")
    assert scene.join()[2:] == [
        "reply.started reply=1 aloud=True",
        "reply.segment reply=1 index=0 text=Hello. last=True",
    ]
    assert scene.spoken == ["Hello."]
    scene.ready()
    scene.send(1.0)
    scene.mark(1.0, done=True)
    scene.leave()
    assert scene.join() == ["attachment.attached attachment=2 role=controller voice=True"]
    assert scene.spoken == []


def test_a_greeting_that_nobody_heard_is_not_said_twice() -> None:
    scene = Scene(greeting="Hello.")
    scene.join()
    scene.ready()
    scene.do(stimuli.Stop())
    scene.leave()
    scene.join()
    assert scene.spoken == []


def test_a_greeting_in_writing_is_there_at_once() -> None:
    scene = Scene(greeting="Hello.")
    assert scene.join(voice=False)[-1] == "message.added message=1 role=agent text=Hello. reply=1"
    assert scene.effects == []


def test_nobody_is_greeted_while_somebody_speaks() -> None:
    scene = Scene(greeting="Hello.")
    scene.join(opens=False)
    scene.ready()
    scene.leave()
    scene.do(stimuli.StartConversation(conversation=""))
    scene.engine(ports.SpeechBegan(offset=100))
    scene.join()
    assert scene.spoken == []
    assert scene.status() is Status.LISTENING


# ------------------------------------------------------------------------------------------------------------------- crashes


def test_after_a_crash_in_the_middle_of_a_reply_it_goes_on_where_the_client_heard_it() -> None:
    scene = answering("One two three.", "Four five.", last=False)
    assert scene.crash() == [
        "session.restored host=h fence=2",
        "attachment.detached attachment=1 reason=crashed",
    ]
    assert scene.effects == [effects.StartGrace()], "restoring is silent"
    scene.join(heard=(1, 0.7))
    opening, resume, *_ = scene.effects
    assert isinstance(opening, effects.OpenEngine)
    assert resume == effects.Resume(1, 0.7)
    assert scene.spoken == ["One two three.", "Four five."]
    assert scene.answers_asked == [(1, "What is it?", ["One two three.", "Four five."])]


def test_after_a_crash_a_client_is_not_believed_to_have_heard_more_than_there_was() -> None:
    scene = answering("One two three.")
    scene.crash()
    scene.join(heard=(1, 999.0))
    (resume,) = [effect for effect in scene.effects if isinstance(effect, effects.Resume)]
    assert resume.heard == 3.0


@pytest.mark.parametrize("heard", [None, (9, 1.0), (1, 0.0)])
def test_after_a_crash_the_journal_knows_what_was_heard(heard: tuple[int, float] | None) -> None:
    scene = answering("One two three.")
    scene.mark(0.4)
    scene.leave()
    scene.crash()
    scene.join(heard=heard)
    assert effects.Resume(1, 0.4) in scene.effects


def test_after_a_crash_while_thinking_the_question_is_asked_again_when_somebody_is_there() -> None:
    scene = talking()
    scene.say("What is it?")
    scene.crash()
    assert scene.effects == [effects.StartGrace()]
    scene.join()
    assert scene.answers_asked == [(1, "What is it?", [])]


def test_after_a_long_time_a_reply_is_not_taken_up_again() -> None:
    scene = answering("One two three.")
    assert scene.crash(away=60.0)[2:] == [
        "reply.cut reply=1 reason=crashed",
        "message.added message=2 role=agent text= reply=1 said=One two three.",
    ]


def test_an_alarm_that_was_being_told_of_in_a_crash_is_cut_when_the_rest_is_not_known() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_010.0, text="tea"))
    scene.now = 1_010.0
    scene.do(stimuli.Due())
    scene.answer("Your tea", turn=-1, last=False)
    scene.crash()
    assert scene.join()[1] == "reply.cut reply=1 reason=crashed"


def test_a_written_reply_goes_on_after_a_crash() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("Hi")
    scene.ready()
    scene.answer("One.", last=False)
    scene.crash()
    scene.join(voice=False)
    assert scene.answers_asked == [(1, "Hi", ["One."])]
    scene.ready()
    assert (
        scene.answer("Two.", turn=1)[-1]
        == "message.added message=2 role=agent text=One. Two. reply=1"
    )


# ------------------------------------------------------------------------------------------------------ the engine goes away


def test_an_engine_that_only_relays_is_asked_nothing() -> None:
    scene = talking(capabilities=ports.Capabilities(name="scene", answers=False))
    assert scene.write("Hi")[-1].startswith("error.raised code=not_answered")
    assert scene.state.turn is Turn.IDLE
    assert scene.effects == []
    scene.engine(ports.AlarmWanted(turn=1, due=0.0, text="tea"))
    scene.do(stimuli.Due())
    assert scene.effects == []


# ------------------------------------------------------------------------------------------------------ memories and alarms


def test_an_alarm_rings_now_when_somebody_is_there() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_010.0, text="tea"))
    assert scene.engine(ports.AlarmWanted(turn=1, due=1_010.0, text="tea")) == [], "asked anew"
    scene.now = 1_009.0
    assert scene.do(stimuli.Due()) == []
    scene.now = 1_010.0
    assert scene.do(stimuli.Due()) == ["alarm.rang alarm=1"]
    assert scene.rings_asked == ["tea"]
    assert scene.answer("Your tea.", turn=-1) == [
        "reply.started reply=1 aloud=True alarm=1",
        "reply.segment reply=1 index=0 text=Your tea. last=True",
    ]


def test_an_alarm_waits_for_somebody() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_010.0, text="tea"))
    scene.leave()
    scene.now = 1_010.0
    assert scene.do(stimuli.Due()) == ["alarm.rang alarm=1"]
    assert scene.rings_asked == []
    scene.do(stimuli.Park())
    scene.crash()
    assert scene.rings_asked == []
    scene.join()
    assert scene.rings_asked == ["tea"]


def test_an_alarm_waits_until_nobody_speaks_and_then_the_next() -> None:
    scene = answering("One.")
    for text in ("tea", "eggs"):
        scene.engine(ports.AlarmWanted(turn=1, due=1_000.0, text=text))
    scene.do(stimuli.Due())
    assert scene.rings_asked == []
    scene.mark(1.0, done=True)
    assert scene.rings_asked == ["tea"]
    assert (scene.do(stimuli.Due()), scene.rings_asked) == ([], []), "it is being told of"
    scene.answer("Tea.", turn=-1)
    scene.send(1.0)
    scene.mark(1.0, done=True)
    assert scene.rings_asked == ["eggs"]


def test_who_speaks_into_an_alarm_hears_it_afterwards() -> None:
    scene = rung()
    scene.engine(ports.SpeechBegan(offset=1))
    assert scene.reflexes == [effects.Quit()]
    scene.engine(ports.SpeechFinished(until=9, text=""))
    assert scene.rings_asked == ["tea"]


def test_who_leaves_while_an_alarm_is_put_into_words_hears_it_when_back() -> None:
    scene = rung()
    scene.leave()
    assert scene.reflexes == [effects.Quit()]
    assert scene.answer("Your tea.", turn=-1) == []
    scene.join()
    assert scene.rings_asked == ["tea"]


def test_an_alarm_comes_after_a_reply_that_was_stopped() -> None:
    scene = answering("One.")
    scene.engine(ports.AlarmWanted(turn=1, due=1_000.0, text="tea"))
    scene.do(stimuli.Due())
    scene.do(stimuli.Stop())
    assert scene.rings_asked == ["tea"]


def test_an_alarm_starts_a_conversation_when_none_is_open() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_000.0, text="tea"))
    scene.do(stimuli.EndConversation())
    assert scene.do(stimuli.Due()) == ["alarm.rang alarm=1", "conversation.started"]
    assert scene.rings_asked == ["tea"]


# ------------------------------------------------------------------------------------------------------------- conversations


def test_a_reply_has_the_pace_of_the_user_from_its_beginning_to_its_end() -> None:
    def prefer(pace: float) -> None:
        def rule(state: fold.State, at: float) -> list[e.Event]:
            return preferences.decide(state, "speaking_pace", pace, at)

        scene.do(stimuli.Decide(rules=(rule,)))

    scene = talking()
    prefer(90.0)
    scene.say("What is it?")
    scene.answer("One.", last=False)
    prefer(200.0)
    scene.answer("Two.")
    scene.send(1.0, 2.0)
    scene.mark(2.0, done=True)
    scene.say("And now?")
    scene.answer("Three.")
    replies = [event.pace for event in scene.journal if isinstance(event, e.ReplyStarted)]
    assert replies == [90.0, 200.0]
    scene.crash()
    scene.join()
    (spoken,) = [request for request in scene.asked if isinstance(request, ports.Speak)]
    assert spoken.pace == 200.0, "it is spoken on elsewhere as it began here"


# ---------------------------------------------------------------------------------------------- what the application says


def test_what_was_injected_into_a_turn_is_not_asked_again_with_it() -> None:
    scene = answering("One.", last=False)
    scene.do(stimuli.Inject(role="user", text="Injected"))
    scene.crash()
    scene.join()
    assert [text for _, text, _ in scene.answers_asked] == ["What is it?"]


def test_nothing_is_asked_that_nobody_said() -> None:
    scene = talking()
    scene.say("  ")
    assert scene.asked == []


def test_nothing_is_asked_or_told_while_it_is_paused() -> None:
    for owed in ([], ["Hi"]):
        scene = talking()
        scene.engine(ports.AlarmWanted(turn=0, due=1_500.0, text="tea"))
        for text in owed:
            scene.write(text)
        scene.do(stimuli.Pause())
        scene.join("desk")
        scene.now = 1_600.0
        scene.do(stimuli.Due())
        assert scene.asked == []
        scene.do(stimuli.Unpause())
        assert [text for _, text, _ in scene.answers_asked] == owed
        assert scene.rings_asked == ([] if owed else ["tea"])


def test_an_answer_to_what_nobody_asked_any_more_is_not_begun() -> None:
    scene = talking()
    scene.write("my name is")
    scene.write("Alice")
    assert scene.answer("Too late.", turn=1) == []
