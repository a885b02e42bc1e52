"""What becomes of a stimulus: who comes and goes, what others decide, and how a session pauses, parks and ends."""

import ast
from pathlib import Path

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidConfig, InvalidInput, SessionEnded
from tenuto.session import core as c
from tenuto.session import effects, fold, ports, shares, stimuli
from tenuto.session.state import Life, Status
from tests.unit.session.scene import (
    CAPABILITIES,
    Scene,
    answering,
    configured,
    paused,
    program,
    rung,
    share,
    talking,
)

# ------------------------------------------------------------------------------------------------------- coming and going


def test_who_comes_first_gets_a_conversation_and_an_engine() -> None:
    scene = Scene()
    assert scene.join() == [
        "attachment.attached attachment=1 role=controller voice=True",
        "conversation.started",
    ]
    (opening,) = scene.effects
    assert isinstance(opening, effects.OpenEngine)
    assert (opening.link, opening.voice) == (1, True)
    assert scene.status() is Status.PROCESSING
    assert scene.do(stimuli.LinkAccepted(link=9)) == []
    assert scene.ready() == ["engine.ready engine=scene link=1"]
    assert scene.status() is Status.IDLE


def test_who_only_writes_needs_an_engine_when_there_is_something_to_answer() -> None:
    scene = Scene()
    assert scene.join(voice=False, opens=False) == [
        "attachment.attached attachment=1 role=controller"
    ]
    assert scene.effects == []
    scene.refuses(stimuli.Type(text="Hi"), IllegalEvent, "start one first")


def test_an_observer_changes_nothing() -> None:
    scene = Scene()
    assert scene.join("desk", role="observer") == [
        "attachment.attached attachment=1 role=observer voice=True"
    ]
    assert (scene.effects, scene.state.life) == ([], Life.DETACHED)
    scene.join()
    scene.do(stimuli.Leave(attachment=1, reason="left"))
    assert scene.effects == [effects.LetGo(1, "left")]


def test_when_the_last_observer_leaves_the_grace_begins() -> None:
    scene = Scene()
    scene.join("desk", role="observer")
    scene.do(stimuli.Leave(attachment=1, reason="left"))
    assert scene.effects == [effects.LetGo(1, "left"), effects.StartGrace()]


def test_a_second_controller_supersedes_the_first_in_the_middle_of_a_reply() -> None:
    scene = answering("One two three.")
    scene.mark(0.5)
    assert scene.join("phone") == [
        "playback.marked reply=1 heard=0.5",
        "attachment.detached attachment=1 reason=superseded",
        "attachment.attached attachment=2 role=controller voice=True",
    ]
    assert scene.effects[:2] == [effects.LetGo(1, "superseded"), effects.Resume(1, 0.5)]
    assert effects.StartGrace() not in scene.effects
    assert scene.state.controller == 2


def test_reuse_of_a_token_revokes_the_client_everywhere() -> None:
    scene = talking()
    scene.join("desk", role="observer")
    scene.join("tab", role="observer")
    assert scene.do(stimuli.Revoke(client="tab")) == [
        "attachment.detached attachment=1 reason=revoked",
        "attachment.detached attachment=3 reason=revoked",
        "attachment.revoked",
    ]
    assert scene.state.clients["tab"].token == ""
    assert list(scene.state.here) == [2]


def test_who_is_not_here_leaves_without_a_trace() -> None:
    assert Scene().do(stimuli.Leave(attachment=4, reason="lost")) == []


# ------------------------------------------------------------------------------------------------------------------- crashes


def test_after_a_crash_while_somebody_spoke_it_has_to_be_sent_again() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    assert scene.crash()[-1] == "speech.ended mic=tab-mic until=100 reason=lost"
    assert (scene.state.mic, scene.state.mic_until) == ("tab-mic", 100)


# ------------------------------------------------------------------------------------------------------ memories and alarms


def test_a_memory_is_added_by_hand() -> None:
    scene = Scene()
    assert scene.do(stimuli.Remember(content="Likes tea.")) == [
        "memory.added memory=1 content=Likes tea."
    ]
    scene.refuses(stimuli.Remember(content=" "), InvalidInput, "needs content")


# ------------------------------------------------------------------------------------------------------------- parking, ending


def test_a_session_parks_when_nobody_came_back() -> None:
    scene = answering("One two three.", last=False)
    scene.leave()
    assert scene.do(stimuli.Park()) == [
        "reply.cut reply=1 reason=detached",
        "message.added message=2 role=agent text= reply=1 said=One two three.",
        "session.parked",
    ]
    assert scene.effects == [effects.CloseEngine(), effects.Unload()]
    assert scene.state.life is Life.PARKED


def test_a_parked_session_is_restored_and_answers_what_it_owes() -> None:
    scene = talking()
    scene.write("Hi")
    scene.leave()
    scene.do(stimuli.Park())
    assert scene.crash(away=86_400.0) == ["session.restored host=h fence=2"]
    scene.join()
    assert scene.answers_asked == [(1, "Hi", [])]


def test_a_session_with_somebody_there_does_not_park() -> None:
    scene = talking()
    assert (scene.do(stimuli.Park()), scene.effects) == ([], [])


def test_while_somebody_observes_only_the_engine_is_put_away() -> None:
    scene = talking()
    scene.join("desk", role="observer")
    scene.leave()
    assert scene.do(stimuli.Park()) == []
    assert scene.effects == [effects.CloseEngine()]
    assert scene.state.life is Life.DETACHED


@pytest.mark.parametrize(
    "stimulus",
    [
        stimuli.Join(role="observer", client="desk", transport="test"),
        stimuli.Join(role="controller", client="desk", transport="test", mic="m"),
        stimuli.Type(text="Hi"),
        stimuli.Stop(),
        stimuli.StartConversation(conversation=""),
        stimuli.EndConversation(),
        stimuli.Remember(content="x"),
        stimuli.Revoke(client="tab"),
        stimuli.End(),
    ],
    ids=lambda stimulus: type(stimulus).__name__,
)
def test_nothing_happens_to_a_parked_session(stimulus: stimuli.Stimulus) -> None:
    scene = talking()
    scene.write("Hi")
    scene.leave()
    scene.do(stimuli.Park())
    mic = scene.core.hearing.mic
    scene.refuses(stimulus, IllegalEvent, "parked")
    assert scene.core.hearing.mic == mic


def test_everything_ends_before_the_session_and_each_once() -> None:
    scene = answering("One two three.")
    scene.join("desk", role="observer")
    assert scene.do(stimuli.End(cause="tab:9")) == [
        "reply.cut reply=1 reason=ended",
        "message.added message=2 role=agent text= reply=1 said=One two three.",
        "conversation.ended reason=user",
        "attachment.detached attachment=1 reason=ended",
        "attachment.detached attachment=2 reason=ended",
        "session.ended reason=user",
    ]
    assert scene.effects == [
        effects.LetGo(1, "ended"),
        effects.LetGo(2, "ended"),
        effects.CloseEngine(),
        effects.Unload(),
    ]
    scene.refuses(stimuli.Type(text="Hi"), SessionEnded, "has ended")


def test_a_session_in_which_nothing_happened_ends_too() -> None:
    assert Scene().do(stimuli.End(reason="timeout")) == ["session.ended reason=timeout"]


def test_a_session_with_wrong_settings_is_not_made() -> None:
    core = c.SessionCore(fold.State(), CAPABILITIES)
    create = stimuli.Create(session="s", tenant="t", user="u", epoch="0" * 16, config={"colour": 1})
    with pytest.raises(InvalidConfig):
        core.receive(create, 1.0)
    assert (core.take().events, core.state.position) == ([], 0)


# ------------------------------------------------------------------------------------------------------------------ commands


def test_the_causes_of_commands_are_remembered_where_they_took_effect() -> None:
    scene = talking()
    commands: list[stimuli.Stimulus] = [
        stimuli.Type(text="Hi", cause="tab:1"),
        stimuli.Stop(cause="tab:2"),
        stimuli.StartConversation(conversation="d", cause="tab:3"),
        stimuli.EndConversation(cause="tab:4"),
        stimuli.StartConversation(conversation="d", resume=True, cause="tab:5"),
        stimuli.Remember(content="Likes tea.", cause="tab:6"),
        stimuli.End(cause="tab:7"),
    ]
    for command in commands:
        scene.do(command)
    known = scene.state.clients["tab"]
    kinds = {number: type(scene.journal[at - 1]) for number, at in known.answers.items()}
    assert kinds == {
        1: e.MessageAdded,
        2: e.ReplyCut,
        3: e.ConversationStarted,
        4: e.ConversationEnded,
        5: e.ConversationResumed,
        6: e.MemoryAdded,
        7: e.SessionEnded,
    }
    assert known.last == 7


def test_what_was_taken_is_not_given_twice() -> None:
    scene = talking()
    scene.core.receive(stimuli.Type(text="Hi"), 1.0)
    assert len(scene.core.take().events) == 1
    assert scene.core.take().events == []


# -------------------------------------------------------------------------------------------------------------------- usage


def test_a_milestone_is_told_after_any_stimulus() -> None:
    scene = talking()
    scene.now += 3_600.0
    scene.do(stimuli.Due())
    assert isinstance(scene.journal[-1], e.MilestoneReached)


def test_a_milestone_is_told_before_the_session_ends() -> None:
    scene = Scene()
    scene.join()
    scene.do(stimuli.End())
    told = [event for event in scene.journal if isinstance(event, e.MilestoneReached)]
    assert [event.milestone for event in told] == ["first conversation"]
    assert isinstance(scene.journal[-1], e.SessionEnded)


# --------------------------------------------------------------------------------------------------------------- sharing


def test_whoever_looks_through_a_share_is_let_go_of_when_it_is_revoked() -> None:
    scene = Scene()
    scene.join()
    share(scene)
    share(scene)
    lines = scene.do(stimuli.Decide(rules=(lambda state, at: shares.revoke(state, at, 1, "u"),)))
    assert lines == [
        "share.revoked share=1",
        "attachment.detached attachment=2 reason=revoked",
    ]
    assert effects.LetGo(2, "revoked") in scene.effects
    assert list(scene.state.here) == [1, 3]


def test_whoever_looks_through_a_share_is_let_go_of_when_it_expires() -> None:
    scene = Scene()
    share(scene)
    assert scene.state.due == scene.now + 3600.0
    scene.now += 3599.9
    assert scene.do(stimuli.Due()) == []
    scene.now += 0.1
    assert scene.do(stimuli.Due()) == ["attachment.detached attachment=1 reason=expired"]
    over = scene.core.state
    assert over.due is None
    assert over.here == {}


# ---------------------------------------------------------------------------------------------- what the application says


def test_settings_that_wait_are_told_with_what_comes_next() -> None:
    scene = talking()

    def rule(state: fold.State, at: float) -> list[e.Event]:
        return [e.ConfigChanged(at=at, version=state.config_version + 1, changes={"voice": "echo"})]

    scene.do(stimuli.Decide(rules=(rule,), waits=True))
    assert [type(effect) for effect in scene.effects] == [effects.Refresh]
    scene.do(stimuli.Decide(rules=(rule,)))
    assert [context.version for context in configured(scene)] == [2]


# ----------------------------------------------------------------------------------------------- connecting and listening


def test_a_link_is_opened_once_and_silently() -> None:
    scene = Scene(greeting="Hello.")
    scene.refuses(stimuli.Connect(), IllegalEvent, "Nobody is there")
    scene.join(voice=False, opens=False)
    assert scene.do(stimuli.Connect()) == []
    assert [type(effect) for effect in scene.effects] == [effects.OpenEngine]
    scene.do(stimuli.Connect())
    assert scene.effects == []


def test_each_link_is_a_new_one() -> None:
    scene = talking()
    scene.do(stimuli.Disconnect())
    assert scene.effects == [effects.CloseEngine()]
    scene.do(stimuli.Disconnect())
    assert scene.effects == [], "it is safe when nothing is open"
    scene.do(stimuli.Connect())
    (opened,) = scene.effects
    assert isinstance(opened, effects.OpenEngine) and opened.link == 2


def test_who_waits_for_an_answer_when_the_link_is_closed_is_told() -> None:
    scene = talking()
    scene.write("Hi")
    (told,) = scene.do(stimuli.Disconnect())
    assert told.startswith("error.raised code=stopped")
    scene.do(stimuli.Connect())
    assert scene.asked == [], "restoring is silent"


def test_a_reply_is_cut_where_it_was_heard_when_the_link_is_closed() -> None:
    scene = answering("One two three.", "Four five.")
    scene.mark(0.9)
    cut, message = scene.do(stimuli.Disconnect())
    assert cut == "reply.cut reply=1 reason=stopped heard=0.9"
    assert "said=One two three. Four five." in message


def test_an_engine_that_was_given_up_is_tried_again_by_hand() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.do(stimuli.Connect())
    scene.engine(ports.Failed(reason="gone"))
    assert scene.status() is Status.ERROR
    scene.do(stimuli.Connect())
    assert [type(effect) for effect in scene.effects] == [effects.OpenEngine]
    scene.engine(ports.Failed(reason="gone"))
    scene.do(stimuli.Disconnect())
    assert scene.status() is Status.IDLE


def test_an_alarm_that_waited_is_told_of_over_a_new_link() -> None:
    scene = rung()
    scene.do(stimuli.Disconnect())
    assert scene.rings_asked == []
    scene.do(stimuli.Connect())
    assert scene.rings_asked == ["tea"]


# ------------------------------------------------------------------------------------------------------------------ pausing


def test_a_pause_cuts_what_is_said_and_closes_the_engine() -> None:
    scene = answering("One two three.")
    assert scene.do(stimuli.Pause(cause="tab:1")) == [
        "reply.cut reply=1 reason=paused",
        "message.added message=2 role=agent text= reply=1 said=One two three.",
        "session.paused",
    ]
    assert effects.CloseEngine() in scene.effects
    assert scene.status() is Status.IDLE
    assert scene.do(stimuli.Pause()) == []


def test_no_link_is_opened_while_it_is_paused() -> None:
    paused().refuses(stimuli.Connect(), IllegalEvent, "paused")


def test_who_comes_while_it_is_paused_gets_no_engine_and_no_greeting() -> None:
    scene = paused()
    for stimulus in (
        stimuli.StartConversation(conversation="next"),
        stimuli.Inject(role="user", text="Hi"),
        stimuli.Disconnect(),
    ):
        scene.do(stimulus)
        assert scene.effects == []
    scene.join("desk")
    assert not any(isinstance(effect, effects.OpenEngine) for effect in scene.effects)
    assert scene.do(stimuli.Unpause()) == ["session.resumed"]
    assert [type(effect) for effect in scene.effects] == [effects.OpenEngine], "greets nobody"
    assert scene.do(stimuli.Unpause()) == []


def test_what_is_owed_when_it_is_paused_is_answered_afterwards() -> None:
    scene = talking()
    scene.write("Hi")
    scene.do(stimuli.Pause())
    assert scene.status() is Status.IDLE
    scene.crash()
    scene.join()
    assert (scene.asked, scene.state.paused) == ([], True)
    scene.do(stimuli.Unpause())
    assert scene.answers_asked == [(1, "Hi", [])]


def test_an_alarm_of_a_pause_is_told_of_afterwards() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=0, due=1_500.0, text="tea"))
    scene.do(stimuli.Pause())
    scene.now = 1_600.0
    assert scene.do(stimuli.Due()) == ["alarm.rang alarm=1"]
    assert scene.asked == []
    scene.do(stimuli.Unpause())
    assert scene.rings_asked == ["tea"]


def test_a_pause_of_a_session_that_nobody_holds_ends_without_an_engine() -> None:
    scene = paused()
    scene.leave()
    scene.do(stimuli.Unpause())
    assert scene.effects == []


def test_who_listened_listens_again_after_a_pause() -> None:
    scene = program()
    scene.do(stimuli.Listen(on=True))
    scene.ready()
    scene.do(stimuli.Pause())
    assert scene.status() is Status.IDLE
    scene.do(stimuli.Unpause())
    scene.ready()
    assert scene.status() is Status.LISTENING


# ------------------------------------------------------------------------------------------------ what the others' rules make


def test_several_rules_are_one_step_and_each_sees_what_came_before() -> None:
    scene = Scene()

    def rule(state: fold.State, at: float) -> list[e.Event]:
        return [e.MetricTracked(at=at, name=f"after {state.config_version}", value=1.0)]

    def change(state: fold.State, at: float) -> list[e.Event]:
        return [e.ConfigChanged(at=at, version=1, changes={"voice": "echo"})]

    def refuse(state: fold.State, at: float) -> list[e.Event]:
        raise InvalidInput("No.")

    scene.refuses(stimuli.Decide(rules=(change, refuse)), InvalidInput, "No")
    scene.do(stimuli.Decide(rules=(change, rule)))
    assert scene.state.config_version == 1
    assert [m.name for m in scene.journal if isinstance(m, e.MetricTracked)] == ["after 1"]


def test_facts_expire_and_do_not_outlive_what_they_are_for() -> None:
    def remember(importance: float, expires: float = 0.0) -> stimuli.Decide:
        def rule(state: fold.State, at: float) -> list[e.Event]:
            number = state.memory.count + 1
            added = e.MemoryAdded(
                at=at,
                memory=number,
                content=f"Fact {number}.",
                importance=importance,
                expires=expires,
                conversation="c1",
                turn=1,
                learned=at,
            )
            return [added]

        return stimuli.Decide(rules=(rule,))

    scene = Scene()
    scene.join(voice=False)
    scene.do(remember(0.9, expires=1_500.0))
    scene.do(remember(0.9, expires=1_600.0))
    scene.do(remember(0.1))
    ending = scene.do(stimuli.EndConversation())
    assert ending[-1].startswith("memory.cleared memories=[3]")
    scene.now = 1_550.0
    assert scene.do(stimuli.Due()) == ["memory.cleared memories=[1] reason=expired"]
    assert scene.crash(away=100.0)[-1] == "memory.cleared memories=[2] reason=expired"
    for last in (stimuli.End(), stimuli.Park()):
        scene = Scene(memory_mode="ephemeral")
        scene.join(voice=False)
        scene.do(remember(0.9))
        if isinstance(last, stimuli.Park):
            scene.leave()
        assert any(line.startswith("memory.cleared") for line in scene.do(last))


def test_what_is_not_due_does_not_ring() -> None:
    scene = talking()
    for due in (1_010.0, 1_020.0):
        scene.engine(ports.AlarmWanted(turn=1, due=due, text=f"tea at {due}"))
    scene.now = 1_010.0
    assert scene.do(stimuli.Due()) == ["alarm.rang alarm=1"]


def test_what_is_shown_is_what_its_owners_know() -> None:
    core = answering("One.").core
    assert (core.link, core.listening) == (core.linking.link, False)
    assert core.playback is core.replying.playback is not None
    assert (core.config, core.clean("Hi")) == (core.scribe.config, ("Hi", []))


ORDER = ("scribe", "linking", "messages", "replying", "hearing", "conversing", "core")
"""Each of them calls only those before it: `linking` and `messages` are strangers."""


def test_calls_only_go_down() -> None:
    for place, name in enumerate(ORDER):
        source = Path(c.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        seen = {
            node.module.rpartition(".")[2]
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        assert seen & set(ORDER) <= set(ORDER[:place]) - ({"linking"} if place == 2 else set())
