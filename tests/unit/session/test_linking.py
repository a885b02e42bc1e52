"""The link to the engine: opened, told, asked, lost, and tried again."""

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import effects, fold, ports, stimuli
from tenuto.session.linking import HOPELESS, LONGEST_WAIT, RETRIES, STEADY
from tenuto.session.state import Link
from tests.unit.session.scene import Scene, answering, changing, configured, rung, talking

# ------------------------------------------------------------------------------------------------------ the engine goes away


def test_the_late_words_of_a_link_that_is_gone_are_not_heard() -> None:
    scene = talking()
    scene.write("Hi")
    scene.engine(ports.Failed(reason="gone"))
    late = ports.Segment(turn=1, text="Late.", last=True)
    assert scene.do(stimuli.FromEngine(link=1, event=late)) == []
    assert scene.do(stimuli.LinkAccepted(link=1)) == []
    assert scene.core.link is Link.CONNECTING


def test_a_link_that_was_closed_before_it_was_ready_is_never_used_again() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("Hi")
    scene.join()
    assert scene.core.linking.number == 2
    assert scene.do(stimuli.FromEngine(link=1, event=ports.Ready())) == []


def test_a_link_is_ready_once() -> None:
    scene = talking()
    scene.refuses(stimuli.FromEngine(link=1, event=ports.Ready()), IllegalEvent, "link is ready")


def test_the_user_stops_listening() -> None:
    scene = Scene()
    assert (scene.do(stimuli.Hold()), scene.effects) == ([], []), "nobody hears anything"
    scene.join()
    scene.do(stimuli.Hold())
    assert scene.asked == [ports.Finish()], "what waits for the engine is all"
    scene.ready()
    scene.engine(ports.SpeechBegan(offset=1))
    scene.do(stimuli.Hold())
    assert scene.asked == [ports.Finish()]
    scene.fail(2)
    scene.do(stimuli.Hold())
    assert (scene.opens, scene.asked) == ([3], [ports.Finish()]), "what was said is heard first"
    scene.fail(RETRIES)
    scene.do(stimuli.Hold())
    assert scene.effects == []


# -------------------------------------------------------------------------------------------------------------------- usage


def test_whoever_asks_is_told_of_each_move_of_the_link() -> None:
    scene = Scene()
    moves: list[tuple[Link, Link, float]] = []
    scene.core.linking.moved = lambda *move: moves.append(move)
    scene.join()
    scene.ready()
    assert [(before.value, after.value) for before, after, _ in moves] == [
        ("closed", "connecting"),
        ("connecting", "restoring"),
        ("restoring", "ready"),
    ]
    assert moves[0][2] == scene.now
    scene.core.linking.moved = None
    scene.engine(ports.Failed(reason="closed"))
    assert len(moves) == 3


# --------------------------------------------------------------------------------------------------------------- sharing


def test_who_is_no_user_of_the_session_is_answered_without_what_is_sensitive() -> None:
    scene = Scene()
    for number, sensitive in ((1, False), (2, True)):
        fold.apply(
            scene.state,
            e.MemoryAdded(at=scene.now, memory=number, content="x", sensitive=sensitive),
        )
    scene.do(stimuli.StartConversation(conversation="c"))
    scene.do(stimuli.Type(text="Who is she?", client="python", user="doctor"))
    (guests,) = [request for request in scene.asked if isinstance(request, ports.Ask)]
    assert ([m.memory for m in guests.context.memories], guests.context.guest) == ([1], True)
    # Nobody has the controls: the engine is not kept for longer than for somebody who has gone.
    assert scene.effects[-1] == effects.StartGrace()
    scene.ready()
    assert scene.engine(ports.Forgot(turn=scene.state.turns, memory=1)) == [], "they take nothing"
    scene.answer("A user.")
    scene.join()
    scene.write("And who am I?")
    (own,) = [request for request in scene.asked if isinstance(request, ports.Ask)]
    assert ([m.memory for m in own.context.memories], own.context.guest) == ([1, 2], False)
    assert effects.StartGrace() not in scene.effects


# --------------------------------------------------------------------------------------------------------------- settings


def test_new_settings_are_told_to_the_link_and_confirmed_once() -> None:
    scene = talking()
    assert scene.do(changing(temperature=0.3)) == [
        "config.changed version=1 changes={'temperature': 0.3}"
    ]
    assert [(context.version, context.temperature) for context in configured(scene)] == [(1, 0.3)]
    assert scene.engine(ports.Configured(version=1)) == ["config.applied version=1 link=1"]
    assert scene.engine(ports.Configured(version=1)) == []
    assert scene.engine(ports.Configured(version=9)) == [], "nobody has made that version"


def test_a_link_that_was_opened_with_new_settings_confirms_them_by_being_ready() -> None:
    scene = Scene()
    scene.do(changing(temperature=0.3))
    assert scene.effects == [], "there is no link to be told"
    scene.join()
    assert scene.ready()[-1] == "config.applied version=1 link=1"
    scene.engine(ports.Failed(reason="gone"))
    assert scene.ready() == ["engine.ready engine=scene link=2"], "it is no news"


# ------------------------------------------------------------------------------------------------ what the others' rules make


def test_settings_are_applied_when_the_engine_says_so() -> None:
    scene = talking()

    def change(state: fold.State, at: float) -> list[e.Event]:
        return [e.ConfigChanged(at=at, version=1, changes={"voice": "echo"})]

    scene.do(stimuli.Decide(rules=(change,)))
    assert scene.engine(ports.Configured(version=1)) == ["config.applied version=1 link=1"]
    assert scene.engine(ports.Configured(version=1)) == []


def test_the_waits_between_links_are_doubled_up_to_a_bound() -> None:
    scene = talking()
    scene.fail()
    assert (scene.opens, scene.waits) == ([2], []), "the first one is tried at once"
    waits = []
    for _ in range(20):
        scene.fail()
        waits += scene.waits
    assert waits[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_WAIT]
    assert waits[7:] == [LONGEST_WAIT] * 13


@pytest.mark.parametrize(("seconds", "tried"), [(STEADY, True), (STEADY - 0.1, False)])
def test_a_link_that_was_ready_for_long_makes_good_the_failures_before(
    seconds: float, tried: bool
) -> None:
    scene = talking()
    scene.fail(RETRIES)
    scene.do(stimuli.Retry())
    scene.ready()
    scene.now += seconds
    assert any(line.startswith("error.raised") for line in scene.fail()) is not tried
    assert bool(scene.opens) is tried


def test_what_cannot_get_better_by_itself_is_known_by_its_code() -> None:
    assert {"config_invalid", "missing_extra", "authentication_failed"} <= HOPELESS
    assert not HOPELESS & {"engine_lost", "provider_error", "quota_exceeded", "closed", "error"}


def test_a_link_that_is_lost_is_waited_for_as_one_that_connects() -> None:
    scene = talking()
    moves: list[str] = []
    scene.core.linking.moved = lambda before, after, at: moves.append(after.value)
    scene.fail(2)
    scene.do(stimuli.Retry())
    scene.do(stimuli.Pause())
    assert moves == ["failed", "connecting", "failed", "waiting", "connecting", "closed"]


def test_an_alarm_is_asked_for_once_and_again_over_the_next_link() -> None:
    scene = rung()
    assert (scene.do(stimuli.Due()), scene.rings_asked) == ([], []), "words are being found"
    scene.engine(ports.SpeechBegan(offset=1))
    assert scene.reflexes == [effects.Quit()]
    scene.engine(ports.SpeechFinished(until=9, text=""))
    assert scene.rings_asked == ["tea"]
    scene.fail()
    assert scene.rings_asked == ["tea"]


def test_what_is_asked_already_is_not_asked_again() -> None:
    scene = talking()
    scene.say("What is it?")
    scene.leave()
    scene.join()
    assert scene.asked == []


def test_segments_are_spoken_by_the_link_that_is_open() -> None:
    scene = answering("One.", "Two.", last=False)
    scene.leave()
    scene.join()
    assert scene.spoken == ["One.", "Two."]


def test_what_is_known_is_told_with_what_comes_next_when_there_is_a_link() -> None:
    scene = talking()
    scene.do(stimuli.Inject(role="system", text="Be quick."))
    assert [type(effect) for effect in scene.effects] == [effects.Refresh]
    scene.do(stimuli.Disconnect())
    scene.do(stimuli.Inject(role="system", text="Be quicker."))
    assert scene.effects == []


def test_an_engine_that_only_relays_is_asked_for_nothing() -> None:
    scene = talking(capabilities=ports.Capabilities(name="scene", answers=False))
    scene.engine(ports.AlarmWanted(turn=1, due=0.0, text="tea"))
    scene.do(stimuli.Due())
    scene.write("Hi")
    assert scene.asked == []


def test_what_was_used_is_recorded_and_nothing_that_was_not() -> None:
    scene = talking()
    assert scene.engine(ports.Used(heard=1.5)) == ["usage.recorded engine=scene link=1 heard=1.5"]
