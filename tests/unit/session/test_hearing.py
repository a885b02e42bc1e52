"""What the engine tells, as scenes: speech, facts, alarms, and its own failures."""

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import effects, fold, ports, stimuli
from tenuto.session.linking import RETRIES
from tenuto.session.state import Link, Status
from tests.unit.session.scene import (
    Blackout,
    Scene,
    answering,
    changing,
    paused,
    program,
    rung,
    talking,
)

# ------------------------------------------------------------------------------------------------------------------ a turn


def test_a_noise_is_no_message() -> None:
    scene = talking()
    assert scene.say("  ") == [
        "speech.started mic=tab-mic offset=100",
        "speech.ended mic=tab-mic until=900",
    ]
    assert scene.answers_asked == []


def test_what_is_said_with_a_pause_in_it_is_one_question() -> None:
    scene = talking()
    scene.say("my name is")
    scene.engine(ports.SpeechBegan(offset=1_000))
    assert scene.reflexes == [effects.Quit()]
    scene.engine(ports.SpeechFinished(until=1_500, text="Alice"))
    assert scene.answers_asked == [(2, "my name is Alice", [])]


# ------------------------------------------------------------------------------------------------------- coming and going


def test_who_takes_over_while_somebody_speaks_brings_another_microphone() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.join("phone", left=250)
    assert scene.engine(ports.SpeechFinished(until=0, text="Hi"))[0] == (
        "speech.ended mic=tab-mic until=250"
    )


def test_who_takes_over_to_write_leaves_the_microphone_as_it_was() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.join("desk", voice=False, mic="")
    assert scene.engine(ports.SpeechFinished(until=900, text="Hi"))[0] == (
        "speech.ended mic=tab-mic until=900"
    )


def test_speech_that_ends_when_its_client_is_gone_is_kept() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.leave()
    assert scene.engine(ports.SpeechFinished(until=900, text="Hi"))[1] == (
        "message.added message=1 role=user text=Hi"
    )


# ------------------------------------------------------------------------------------------------------ the engine goes away


def codes(lines: list[str]) -> list[str]:
    """The errors that were told of."""
    return [line.split()[1] for line in lines if line.startswith("error.raised")]


def test_an_engine_that_fails_is_tried_again_and_asked_again_until_it_counts_as_lost() -> None:
    scene = talking()
    scene.write("Hi")
    assert scene.fail() == ["engine.lost link=1 reason=gone"]
    assert (scene.opens, scene.answers_asked) == ([2], [(1, "Hi", [])]), "at once"
    for link, seconds in ((2, 0.5), (3, 1.0)):
        assert scene.fail() == [f"engine.lost link={link} reason=gone"]
        assert (scene.waits, scene.opens, scene.status()) == ([seconds], [], Status.PROCESSING)
        assert scene.do(stimuli.Retry()) == []
        assert (scene.opens, scene.answers_asked) == ([link + 1], [(1, "Hi", [])])
    assert codes(scene.fail()) == ["code=engine_lost"]
    assert (scene.waits, scene.opens, scene.status()) == ([2.0], [], Status.ERROR)


def test_an_engine_that_is_lost_is_told_of_once_and_goes_on_with_what_is_owed() -> None:
    scene = talking()
    scene.write("Hi")
    assert codes(scene.fail(RETRIES + 1)) == ["code=engine_lost"]
    for _ in range(9):
        scene.do(stimuli.Retry())
        assert (len(scene.opens), scene.answers_asked) == (1, [(1, "Hi", [])])
        assert scene.status() is Status.ERROR, "until there is one"
        assert scene.fail() == [], "it is no news"
    assert scene.waits == [30.0]
    scene.do(stimuli.Retry())
    scene.ready()
    assert scene.status() is Status.PROCESSING
    assert scene.answer("Hello.")[0] == "reply.started reply=1 aloud=True"
    scene.fail()
    assert len(scene.opens) == 1, "the next failure is the first one again"
    scene.write("Hi?")
    assert codes(scene.fail(RETRIES)) == ["code=engine_lost"]


def test_who_listens_in_silence_is_told_too_and_has_it_tried_for_as_long_as_they_are_there() -> (
    None
):
    scene = talking()
    assert codes(scene.fail(RETRIES + 1)) == ["code=engine_lost"]
    assert (scene.waits, scene.status()) == ([2.0], Status.ERROR)
    scene.leave()
    assert (scene.do(stimuli.Retry()), scene.effects) == ([], []), "nobody is there"
    scene.join()
    assert (scene.opens, scene.status()) == ([RETRIES + 2], Status.ERROR), "at once"
    scene.ready()
    assert scene.status() is Status.IDLE


def test_who_writes_is_told_each_time_and_nothing_is_tried_behind_their_back() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("Hi")
    lines = scene.fail(RETRIES + 1)
    assert (codes(lines), "still_owed" in lines[-1]) == (["code=engine_lost"], False)
    assert (scene.effects, scene.status(), scene.state.owed) == ([], Status.ERROR, [])
    assert (scene.do(stimuli.Retry()), scene.effects) == ([], [])
    scene.write("Hi?")
    assert (scene.opens, scene.answers_asked) == ([RETRIES + 2], [(2, "Hi?", [])]), "at once"
    assert scene.status() is Status.PROCESSING
    assert codes(scene.fail()) == ["code=engine_lost"]


def test_who_writes_while_a_link_is_waited_for_does_not_wait() -> None:
    scene = talking()
    scene.fail(2)
    assert scene.core.link is Link.WAITING
    scene.write("Hi")
    assert (scene.opens, scene.answers_asked) == ([3], [(1, "Hi", [])])
    assert (scene.do(stimuli.Retry()), scene.effects) == ([], []), "there is one"


def test_a_question_to_a_lost_engine_is_told_of_by_itself() -> None:
    scene = talking()
    scene.fail(RETRIES + 1)
    scene.write("Hi")
    assert scene.opens == [RETRIES + 2]
    assert codes(scene.fail()) == ["code=engine_lost"]
    assert scene.waits == [4.0]


@pytest.mark.parametrize("reason", ["config_invalid", "missing_extra"])
def test_an_engine_that_cannot_be_made_is_not_tried_again(reason: str) -> None:
    scene = talking()
    scene.write("Hi")
    lines = scene.fail(reason=reason)
    assert codes(lines) == ["code=engine_lost"] and reason in lines[-1]
    assert (scene.effects, scene.status(), scene.state.owed) == ([], Status.ERROR, [])
    scene.write("Hi?")
    assert scene.opens == [2], "somebody may have mended it"


def test_nobody_waits_for_a_link_that_nobody_needs() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.do(stimuli.Connect())
    scene.write("Hi")
    scene.fail()
    scene.do(stimuli.EndConversation())
    scene.fail()
    assert (scene.core.link, scene.effects) == (Link.FAILED, [])
    scene = talking()
    scene.fail(2)
    scene.leave()
    assert scene.do(stimuli.Retry()) == []
    assert (scene.core.link, scene.effects) == (Link.CLOSED, [effects.CloseEngine()])


def test_an_alarm_that_was_to_be_told_of_is_worth_another_link() -> None:
    scene = rung()
    scene.join("desk", voice=False)
    scene.do(stimuli.Due())
    scene.fail(2)
    assert scene.waits == [0.5]
    scene.do(stimuli.Retry())
    assert scene.rings_asked == ["tea"]


@pytest.mark.parametrize("stimulus", [stimuli.Pause(), stimuli.Disconnect()])
def test_nothing_is_tried_when_it_is_put_away(stimulus: stimuli.Stimulus) -> None:
    scene = talking()
    scene.fail(RETRIES + 1)
    scene.do(stimulus)
    assert scene.status() is Status.IDLE
    assert (scene.do(stimuli.Retry()), scene.effects) == ([], [])


def test_an_answer_forgives_an_engine_its_failures() -> None:
    scene = talking()
    for _ in range(3):
        assert codes(scene.fail(RETRIES)) == []
        scene.do(stimuli.Retry())
        scene.ready()
        scene.write("Hi")
        scene.answer("Hello.")
        scene.send(1.0)
        scene.mark(1.0, done=True)
    assert scene.core.link is Link.READY


def test_an_engine_that_fails_while_it_speaks_has_said_what_was_heard() -> None:
    scene = answering("One two three.")
    scene.mark(0.5)
    assert scene.engine(ports.Failed(reason="gone")) == [
        "engine.lost link=1 reason=gone",
        "reply.cut reply=1 reason=engine heard=0.5",
        "message.added message=2 role=agent text=One two reply=1 said=One two three.",
    ]


def test_an_engine_that_fails_while_a_reply_is_held_is_replaced_when_somebody_comes() -> None:
    scene = answering("One two three.")
    scene.leave()
    assert scene.engine(ports.Failed(reason="gone")) == ["engine.lost link=1 reason=gone"]
    assert scene.effects == []
    scene.join()
    opening, *_ = scene.effects
    assert isinstance(opening, effects.OpenEngine)
    assert scene.spoken == ["One two three."]


def test_an_engine_that_fails_while_it_listens_has_the_speech_sent_again() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    assert scene.engine(ports.Failed(reason="gone"))[0] == (
        "speech.ended mic=tab-mic until=100 reason=lost"
    )


def test_speech_that_no_engine_could_hear_is_told_of_as_lost() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    assert codes(scene.fail(RETRIES)) == []
    assert codes(scene.fail()) == ["code=speech_lost"]
    assert scene.status() is Status.ERROR
    scene.do(stimuli.Connect())
    assert codes(scene.fail(RETRIES + 1)) == ["code=engine_lost"], "it is told of once"


def test_speech_that_is_lost_leaves_owed_what_was_asked_before() -> None:
    scene = talking()
    scene.write("Hi")
    scene.engine(ports.SpeechBegan(offset=100))
    assert codes(scene.fail(RETRIES + 1)) == ["code=engine_lost", "code=speech_lost"]
    scene.do(stimuli.Retry())
    assert [text for _, text, _ in scene.answers_asked] == ["Hi"]


def test_speech_that_another_engine_heard_is_not_lost() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.engine(ports.Failed(reason="gone"))
    scene.ready()
    scene.say("Hi")
    assert codes(scene.fail(RETRIES)) == ["code=engine_lost"]


def test_speech_that_nobody_is_there_to_send_again_needs_no_engine() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.leave()
    assert scene.engine(ports.Failed(reason="gone"))[0].endswith("reason=lost")
    assert scene.effects == []


def test_speech_without_a_conversation_is_nobodys() -> None:
    scene = Scene()
    scene.join(opens=False)
    scene.ready()
    assert scene.engine(ports.SpeechBegan(offset=1)) == []


def test_a_speech_that_goes_on_does_not_begin_again() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=1))
    assert scene.engine(ports.SpeechBegan(offset=2)) == []


def test_what_was_said_is_all_when_somebody_else_takes_over() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=1))
    scene.join(mic="tab-mic")
    assert ports.Finish() not in scene.asked, "the stream goes on"
    scene.join(mic="another")
    assert scene.asked == [ports.Finish()]


# ------------------------------------------------------------------------------------------------------ memories and alarms


def test_what_the_engine_learns_and_forgets_is_remembered() -> None:
    scene = talking()
    fact = ports.Learned(turn=1, content="Alice.", key="name", value="Alice")
    assert scene.engine(fact) == [], "nobody has said anything"
    scene.say("My name is Alice.")
    assert scene.engine(fact) == ["memory.added memory=1 content=Alice. key=name value=Alice"]
    assert scene.engine(fact) == []
    assert scene.engine(ports.Forgot(turn=1, memory=1)) == [
        "memory.removed memory=1 reason=forgotten"
    ]
    assert scene.engine(ports.Forgot(turn=1, memory=1)) == []


def test_an_alarm_outlives_the_engine_that_was_to_tell_of_it() -> None:
    scene = rung()
    scene.engine(ports.Failed(reason="gone"))
    assert scene.rings_asked == ["tea"]


def test_an_alarm_is_cancelled() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_010.0, text="tea"))
    assert scene.engine(ports.AlarmDropped(turn=2, alarm=1)) == ["alarm.cancelled alarm=1"]
    assert scene.engine(ports.AlarmDropped(turn=2, alarm=1)) == []
    assert scene.state.due is None


# -------------------------------------------------------------------------------------------------------------------- usage


def test_what_an_engine_used_is_recorded_also_when_it_is_told_on_the_way_out() -> None:
    scene = Scene()
    scene.join()
    scene.engine(ports.Ready())
    used = ports.Used(heard=1.5, characters=3)
    recorded = "usage.recorded engine=scene link=1 heard=1.5 characters=3"
    assert scene.engine(used) == [recorded]
    scene.do(stimuli.Pause())
    assert scene.core.link is Link.CLOSED
    assert scene.engine(used) == [recorded]
    assert scene.engine(ports.Ready()) == []


def test_nothing_is_recorded_of_a_parked_session() -> None:
    scene = Scene()
    scene.join()
    scene.engine(ports.Ready())
    scene.leave()
    scene.do(stimuli.Park())
    assert scene.engine(ports.Used(heard=1.5)) == []


# --------------------------------------------------------------------------------------------------------------- sharing


def test_who_is_no_user_of_the_session_has_nothing_forgotten_or_cancelled() -> None:
    scene = Scene()
    fold.apply(scene.state, e.MemoryAdded(at=scene.now, memory=1, content="x"))
    scene.do(stimuli.StartConversation(conversation="c"))
    fold.apply(scene.state, e.AlarmSet(at=scene.now, alarm=1, due=9e9, text="tea", turn=0))
    wishes = (ports.Forgot(turn=1, memory=1), ports.AlarmDropped(turn=1, alarm=1))
    scene.do(stimuli.Type(text="Forget it all", client="python", user="doctor"))
    scene.ready()
    assert [scene.engine(wish) for wish in wishes] == [[], []]
    scene.answer("No.")
    scene.join()
    scene.write("Forget it all")
    wishes = (ports.Forgot(turn=2, memory=1), ports.AlarmDropped(turn=2, alarm=1))
    assert [len(scene.engine(wish)) for wish in wishes] == [1, 1]


def test_what_may_not_be_stored_is_not_learned_or_set_as_an_alarm_either() -> None:
    scene = Scene(reader=Blackout(), redaction="mask")
    scene.join(voice=False)
    scene.write("Here is my number")
    scene.ready()
    assert scene.engine(ports.Learned(turn=1, content="The number is 5.", key="n")) == []
    assert scene.engine(ports.Learned(turn=1, content="The number.", key="n", value="5")) == []
    assert len(scene.engine(ports.Learned(turn=1, content="Has a number.", key="n"))) == 1
    wanted = ports.AlarmWanted(turn=1, due=9e9, text="call 5")
    assert ["5" in text for text in scene.engine(wanted)] == [False]
    assert scene.engine(wanted) == [], "asked anew"


# ----------------------------------------------------------------------------------------------- connecting and listening


def test_a_program_opens_its_microphone() -> None:
    scene = program()
    scene.do(stimuli.Connect())
    scene.ready()
    scene.do(stimuli.Listen(on=True, mic="own"))
    close, opened = scene.effects
    assert isinstance(close, effects.CloseEngine), "that link does not hear"
    assert isinstance(opened, effects.OpenEngine) and opened.voice
    assert scene.status() is Status.PROCESSING
    scene.ready()
    assert scene.status() is Status.LISTENING
    assert scene.engine(ports.SpeechBegan(offset=1)) == ["speech.started mic=own offset=1"]
    scene.do(stimuli.Listen(on=True, mic="own"))
    assert scene.effects == []
    scene.do(stimuli.Listen(on=False))
    assert scene.asked == [ports.Finish()]
    scene.engine(ports.SpeechFinished(until=9, text=""))
    assert scene.status() is Status.IDLE
    scene.do(stimuli.Listen(on=False))
    assert scene.effects == []


def test_an_engine_that_fails_while_a_program_listens_is_replaced() -> None:
    scene = program()
    scene.do(stimuli.Listen(on=True))
    scene.engine(ports.Failed(reason="gone"))
    assert [type(effect) for effect in scene.effects] == [effects.OpenEngine]


def test_a_microphone_needs_ears_and_somebody_there() -> None:
    deaf = Scene(ports.Capabilities(name="deaf", listens=False))
    deaf.join(voice=False)
    deaf.refuses(stimuli.Listen(on=True), IllegalEvent, "does not listen")
    scene = Scene()
    scene.refuses(stimuli.Listen(on=True), IllegalEvent, "Nobody is there")
    scene.join(voice=False, opens=False)
    scene.refuses(stimuli.Listen(on=True), IllegalEvent, "no conversation")


def test_who_takes_the_controls_takes_the_microphone() -> None:
    for take in (lambda scene: scene.join("tab", voice=False), lambda scene: scene.leave()):
        scene = program()
        scene.do(stimuli.Listen(on=True))
        scene.ready()
        take(scene)  # type: ignore[no-untyped-call]
        assert not scene.core.listening


# ------------------------------------------------------------------------------------------------ what the others' rules make


def test_nothing_is_learned_where_learning_is_off() -> None:
    scene = Scene(enable_learning=False)
    scene.join(voice=False)
    scene.write("I am Alice")
    scene.ready()
    assert scene.engine(ports.Learned(turn=1, content="Alice.", key="name")) == []


def test_what_a_link_of_long_ago_tells_is_not_heard() -> None:
    scene = talking()
    scene.fail()
    assert scene.do(stimuli.FromEngine(link=1, event=ports.SpeechBegan(offset=1))) == []


def test_no_microphone_is_opened_while_it_is_paused() -> None:
    paused().refuses(stimuli.Listen(on=True), IllegalEvent, "paused")


def test_speech_that_ends_without_having_begun_is_nobodys() -> None:
    assert talking().engine(ports.SpeechFinished(until=5, text="Hm?")) == []


def test_partials_are_not_kept() -> None:
    assert talking().engine(ports.Partial(text="Hm")) == []


def test_settings_are_confirmed_when_the_engine_says_so() -> None:
    scene = talking()
    scene.do(changing(temperature=0.3))
    assert scene.engine(ports.Configured(version=1)) == ["config.applied version=1 link=1"]
