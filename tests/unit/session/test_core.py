"""What the core decides, as scenes: who comes, what is said, what is heard, and what is lost."""

from collections.abc import Sequence

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import (
    ConversationExists,
    ConversationNotFound,
    IllegalEvent,
    InvalidConfig,
    InvalidInput,
    Refused,
    SessionEnded,
)
from tenuto.session import config, effects, fold, ports, preferences, shares, stimuli
from tenuto.session import core as c
from tenuto.session.core import LONGEST_NAME, LONGEST_TEXT, RETRIES
from tenuto.session.state import Life, Link, Status, Turn

CAPABILITIES = ports.Capabilities(name="scene", hears=16_000, speaks=16_000, continues=True)
QUIET = frozenset(
    "type at cause conversation turn cites by client transport token importance expires learned".split()
)
"""What a scene does not tell of an event."""


class Scene:
    """A session, told in lines: each verb returns what it made happen, milestones apart."""

    def __init__(
        self,
        capabilities: ports.Capabilities = CAPABILITIES,
        *,
        greeting: str = "",
        reader: ports.Reader | None = None,
        **config: object,
    ) -> None:
        self.now = 1_000.0
        self.core = c.SessionCore(fold.State(), capabilities, reader=reader)
        self.journal: list[e.Event] = []
        self.effects: list[effects.Durable] = []
        """What the last verb wants done."""
        self.reflexes: list[effects.Reflex] = []
        self.config = {**({"greeting": greeting} if greeting else {}), **config}
        self.do(
            stimuli.Create(session="s", tenant="t", user="u", epoch="0" * 16, config=self.config)
        )

    @property
    def state(self) -> fold.State:
        return self.core.state

    def status(self) -> Status:
        return self.core.status

    def do(self, stimulus: stimuli.Stimulus) -> list[str]:
        self.core.receive(stimulus, self.now)
        self.reflexes = self.core.reflexes()
        taken = self.core.take()
        self.effects = taken.effects
        self.journal.extend(taken.events)
        return [line(event) for event in taken.events if not isinstance(event, e.MilestoneReached)]

    @property
    def asked(self) -> list[ports.Request]:
        """What the last verb asked of the engine."""
        return [effect.request for effect in self.effects if isinstance(effect, effects.ToEngine)]

    @property
    def answers_asked(self) -> list[tuple[int, str, list[str]]]:
        """Turn, text and what was said already, of each answer that the last verb asked for."""
        return [(r.turn, r.text, list(r.spoken)) for r in self.asked if isinstance(r, ports.Ask)]

    @property
    def rings_asked(self) -> list[str]:
        return [request.alarm.text for request in self.asked if isinstance(request, ports.Ring)]

    @property
    def spoken(self) -> list[str]:
        """The segments that the last verb has the engine speak."""
        return [request.text for request in self.asked if isinstance(request, ports.Speak)]

    # People.

    def join(self, client: str = "tab", **more: object) -> list[str]:
        joining = {"role": "controller", "transport": "test", "voice": True, "mic": f"{client}-mic"}
        return self.do(stimuli.Join(client=client, **{**joining, **more}))  # type: ignore[arg-type]

    def leave(self) -> list[str]:
        return self.do(stimuli.Leave(attachment=self.state.controller, reason="lost"))

    def write(self, text: str, cause: str = "") -> list[str]:
        return self.do(stimuli.Type(text=text, client="tab", cause=cause))

    def say(self, text: str, until: int = 900) -> list[str]:
        began = self.engine(ports.SpeechBegan(offset=100))
        return began + self.engine(ports.SpeechFinished(until=until, text=text))

    def mark(self, seconds: float, *, done: bool = False) -> list[str]:
        return self.do(stimuli.Mark(reply=self.state.replies, seconds=seconds, done=done))

    # The engine, and its audio.

    def engine(self, event: ports.EngineEvent) -> list[str]:
        return self.do(stimuli.FromEngine(link=self.core.link_number, event=event))

    def ready(self) -> list[str]:
        self.do(stimuli.LinkAccepted(link=self.core.link_number))
        return self.engine(ports.Ready())

    def answer(self, *texts: str, turn: int = 0, last: bool = True) -> list[str]:
        lines = []
        for index, text in enumerate(texts):
            done = last and index == len(texts) - 1
            segment = ports.Segment(turn=turn or self.state.turns, text=text, last=done)
            lines += self.engine(segment)
        return lines

    def send(self, *ends: float, sent: float | None = None) -> None:
        """The audio of the segments was made, and sent up to `sent` seconds."""
        playback = self.core.playback
        assert playback is not None
        playback.ends[:] = ends
        playback.queued = ends[-1]
        playback.sent = ends[-1] if sent is None else sent

    # What can go wrong.

    def crash(self, away: float = 1.0) -> list[str]:
        state = fold.State()
        for event in self.journal:
            fold.apply(state, event)
        self.core = c.SessionCore(state, self.core.capabilities)
        self.now += away
        return self.do(stimuli.Restore(host="h", fence=2))

    def refuses(self, stimulus: stimuli.Stimulus, why: type[Refused], match: str) -> None:
        """Law 4: it raises, and nothing has happened."""
        before = fold.encode(self.state)
        with pytest.raises(why, match=match):
            self.do(stimulus)
        assert fold.encode(self.state) == before
        taken = self.core.take()
        assert (taken.events, taken.effects, self.core.reflexes()) == ([], [], [])


def line(event: e.Event) -> str:
    fields = msgspec.to_builtins(event)
    told = [f"{k}={v}" for k, v in fields.items() if k not in QUIET and (k, v) != ("heard", 0.0)]
    return " ".join([fields["type"], *told])


def talking(*, greeting: str = "", capabilities: ports.Capabilities = CAPABILITIES) -> Scene:
    """Somebody with a loudspeaker is there, and the engine is ready."""
    scene = Scene(capabilities, greeting=greeting)
    scene.join()
    scene.ready()
    return scene


def answering(
    *segments: str, capabilities: ports.Capabilities = CAPABILITIES, last: bool = True
) -> Scene:
    """The engine answers a question aloud: one second of audio a segment, all of it sent."""
    scene = talking(capabilities=capabilities)
    scene.say("What is it?")
    scene.answer(*segments, last=last)
    scene.send(*(float(n + 1) for n in range(len(segments))))
    return scene


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
    assert scene.core.link_number == 2


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


def test_after_a_crash_while_somebody_spoke_it_has_to_be_sent_again() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    assert scene.crash()[-1] == "speech.ended mic=tab-mic until=100 reason=lost"
    assert (scene.state.mic, scene.state.mic_until) == ("tab-mic", 100)


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


def test_an_engine_that_fails_while_thinking_is_asked_again_and_in_the_end_it_is_an_error() -> None:
    scene = talking()
    scene.write("Hi")
    for link in range(1, RETRIES + 1):
        assert scene.engine(ports.Failed(reason="gone")) == [f"engine.lost link={link} reason=gone"]
        opening, *_ = scene.effects
        assert isinstance(opening, effects.OpenEngine) and opening.link == link + 1
        assert scene.answers_asked == [(1, "Hi", [])]
    assert scene.engine(ports.Failed(reason="gone"))[1].startswith("error.raised code=engine_lost")
    assert (scene.effects, scene.status()) == ([], Status.ERROR)
    scene.write("Hi?")
    assert scene.answers_asked == [(2, "Hi?", [])]


def test_an_engine_that_keeps_failing_while_nobody_asks_is_left_alone() -> None:
    scene = talking()
    for _ in range(RETRIES + 1):
        lines = scene.engine(ports.Failed(reason="gone"))
    assert lines == [f"engine.lost link={RETRIES + 1} reason=gone"]
    assert scene.effects == []


def test_an_answer_forgives_an_engine_its_failures() -> None:
    scene = talking()
    for _ in range(3):
        for _ in range(RETRIES):
            scene.engine(ports.Failed(reason="gone"))
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
    for _ in range(RETRIES):
        scene.engine(ports.Failed(reason="gone"))
        assert isinstance(scene.effects[0], effects.OpenEngine)
    lines = scene.engine(ports.Failed(reason="gone"))
    assert [line.partition(" message")[0] for line in lines] == [
        f"engine.lost link={RETRIES + 1} reason=gone",
        "error.raised code=speech_lost",
    ]
    assert (scene.effects, scene.status()) == ([], Status.ERROR)
    scene.do(stimuli.Connect())
    for _ in range(RETRIES + 1):
        lines = scene.engine(ports.Failed(reason="gone"))
    assert lines == [f"engine.lost link={2 * RETRIES + 2} reason=gone"], "it is told of once"


def test_speech_that_another_engine_heard_is_not_lost() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.engine(ports.Failed(reason="gone"))
    scene.ready()
    scene.say("Hi")
    lines = []
    for _ in range(RETRIES):
        lines += scene.engine(ports.Failed(reason="gone"))
    assert [line.partition(" message")[0] for line in lines if "error" in line] == [
        "error.raised code=engine_lost"
    ]


def test_speech_that_nobody_is_there_to_send_again_needs_no_engine() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=100))
    scene.leave()
    assert scene.engine(ports.Failed(reason="gone"))[0].endswith("reason=lost")
    assert scene.effects == []


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
    assert scene.core.link_number == 2
    assert scene.do(stimuli.FromEngine(link=1, event=ports.Ready())) == []


def test_a_link_is_ready_once() -> None:
    scene = talking()
    scene.refuses(stimuli.FromEngine(link=1, event=ports.Ready()), IllegalEvent, "link is ready")


def test_speech_without_a_conversation_is_nobodys() -> None:
    scene = Scene()
    scene.join(opens=False)
    scene.ready()
    assert scene.engine(ports.SpeechBegan(offset=1)) == []


def test_a_speech_that_goes_on_does_not_begin_again() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=1))
    assert scene.engine(ports.SpeechBegan(offset=2)) == []


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
    scene.engine(ports.Failed(reason="gone"))
    for _ in range(RETRIES):
        scene.engine(ports.Failed(reason="gone"))
    scene.do(stimuli.Hold())
    assert scene.effects == []


def test_what_was_said_is_all_when_somebody_else_takes_over() -> None:
    scene = talking()
    scene.engine(ports.SpeechBegan(offset=1))
    scene.join(mic="tab-mic")
    assert ports.Finish() not in scene.asked, "the stream goes on"
    scene.join(mic="another")
    assert scene.asked == [ports.Finish()]


def test_an_engine_that_only_relays_is_asked_nothing() -> None:
    scene = talking(capabilities=ports.Capabilities(name="scene", answers=False))
    assert scene.write("Hi")[-1].startswith("error.raised code=not_answered")
    assert scene.state.turn is Turn.IDLE
    assert scene.effects == []
    scene.engine(ports.AlarmWanted(turn=1, due=0.0, text="tea"))
    scene.do(stimuli.Due())
    assert scene.effects == []


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


def test_a_memory_is_added_by_hand() -> None:
    scene = Scene()
    assert scene.do(stimuli.Remember(content="Likes tea.")) == [
        "memory.added memory=1 content=Likes tea."
    ]
    scene.refuses(stimuli.Remember(content=" "), InvalidInput, "needs content")


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


def rung() -> Scene:
    """An alarm rang, and the engine is finding words for it."""
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_000.0, text="tea"))
    scene.do(stimuli.Due())
    assert scene.rings_asked == ["tea"]
    return scene


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


def test_an_alarm_outlives_the_engine_that_was_to_tell_of_it() -> None:
    scene = rung()
    scene.engine(ports.Failed(reason="gone"))
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


def test_an_alarm_is_cancelled() -> None:
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_010.0, text="tea"))
    assert scene.engine(ports.AlarmDropped(turn=2, alarm=1)) == ["alarm.cancelled alarm=1"]
    assert scene.engine(ports.AlarmDropped(turn=2, alarm=1)) == []
    assert scene.state.due is None


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


def test_the_end_says_whether_facts_are_to_be_found() -> None:
    for extracts, learning, wanted in (
        (True, True, True),
        (False, True, False),
        (True, False, False),
    ):
        scene = Scene(enable_learning=learning)
        scene.core.extracts = extracts
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


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST_TEXT + 1)])
def test_a_message_has_words_and_not_too_many(text: str) -> None:
    talking().refuses(stimuli.Type(text=text), InvalidInput, "character")


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
    mic = scene.core.mic
    scene.refuses(stimulus, IllegalEvent, "parked")
    assert scene.core.mic == mic


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


def test_what_an_engine_used_is_recorded_also_when_it_is_told_on_the_way_out() -> None:
    scene = Scene()
    scene.join()
    scene.engine(ports.Ready())
    used = ports.Used(heard=1.5, characters=3)
    recorded = "usage.recorded engine=scene link=1 heard=1.5 spoken=0.0 characters=3"
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


def test_a_milestone_is_told_before_the_session_ends() -> None:
    scene = Scene()
    scene.join()
    scene.do(stimuli.End())
    told = [event for event in scene.journal if isinstance(event, e.MilestoneReached)]
    assert [event.milestone for event in told] == ["first conversation"]
    assert isinstance(scene.journal[-1], e.SessionEnded)


def test_whoever_asks_is_told_of_each_move_of_the_link() -> None:
    scene = Scene()
    moves: list[tuple[Link, Link, float]] = []
    scene.core.link_moved = lambda *move: moves.append(move)
    scene.join()
    scene.ready()
    assert [(before.value, after.value) for before, after, _ in moves] == [
        ("closed", "connecting"),
        ("connecting", "restoring"),
        ("restoring", "ready"),
    ]
    assert moves[0][2] == scene.now
    scene.core.link_moved = None
    scene.engine(ports.Failed(reason="closed"))
    assert len(moves) == 3


# --------------------------------------------------------------------------------------------------------------- sharing


def share(scene: Scene, hours: float = 1.0) -> None:
    def rule(state: fold.State, at: float) -> list[e.Event]:
        return shares.create(
            state, at, token="0" * 64, user="doctor", permissions=["speak"], hours=hours
        )

    scene.do(stimuli.Decide(rules=(rule,)))
    number = scene.state.shares.count
    scene.do(
        stimuli.Join(role="observer", client=f"share:{number}", transport="test", share=number)
    )


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


def configured(scene: Scene) -> list[ports.Context]:
    """The contexts that the last verb has the engine go by."""
    return [request.context for request in scene.asked if isinstance(request, ports.Configure)]


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


def test_no_message_leaves_the_window_before_a_summary_covers_it() -> None:
    scene = Scene()
    scene.join(voice=False)
    scene.write("I need the first thing")
    scene.do(stimuli.StartConversation(conversation="next"))
    assert scene.state.conversations["c1"].summary == ""
    for number in range(1, fold.WINDOW + 1):
        scene.write(f"I need {number}")
    assert scene.state.conversations["c1"].summary == "Began with: I need the first thing"
    assert scene.state.conversations["next"].summary == ""
    scene.write("I need one more")
    assert len(scene.write("I need another one")) == 1
    known = scene.state.conversations["next"]
    assert (known.summary_upto, known.unsummarized) == (fold.WINDOW + 1, 2)
    summed_up = [event for event in scene.journal if isinstance(event, e.ConversationSummarized)]
    assert len(summed_up) == 2


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


def test_what_was_injected_into_a_turn_is_not_asked_again_with_it() -> None:
    scene = answering("One.", last=False)
    scene.do(stimuli.Inject(role="user", text="Injected"))
    scene.crash()
    scene.join()
    assert [text for _, text, _ in scene.answers_asked] == ["What is it?"]


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


def program() -> Scene:
    """The program that holds the session is there, without a microphone."""
    scene = Scene()
    scene.join("python", voice=False, mic="")
    return scene


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


# ------------------------------------------------------------------------------------------------------------------ pausing


def paused() -> Scene:
    scene = talking(greeting="Hello.")
    scene.do(stimuli.Stop())
    scene.do(stimuli.Pause())
    return scene


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


@pytest.mark.parametrize(
    "stimulus",
    [stimuli.Type(text="Hi"), stimuli.Say(text="Hi"), stimuli.Connect(), stimuli.Listen(on=True)],
)
def test_nothing_goes_on_while_it_is_paused(stimulus: stimuli.Stimulus) -> None:
    paused().refuses(stimulus, IllegalEvent, "paused")


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


# --------------------------------------------------------------------------------------------------------------- settings


def changing(**changes: object) -> stimuli.Decide:
    return stimuli.Decide(rules=(lambda state, at: config.change(state, changes, at),))


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


class Blind:
    """A reader that cannot redact."""

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        raise InvalidInput("There is no region 'QQ'.")

    def measure(self, text: str, seconds: float, *, learning: bool, analytics: bool) -> None:
        return None


def test_redaction_is_refused_where_nothing_could_be_said_any_more() -> None:
    scene = Scene()
    scene.core.reader = Blind()
    scene.refuses(changing(redaction="mask"), InvalidConfig, "There is no region")
    before = scene.state.position
    with pytest.raises(InvalidConfig) as caught:
        scene.do(stimuli.StartConversation(conversation="a", config={"redaction": "drop"}))
    assert caught.value.fields == ("redaction", "region")
    assert scene.state.position == before


# ------------------------------------------------------------------------------------------------ what the others' rules make


class Blackout:
    """A reader that takes every digit for personal data."""

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        clean = "".join("#" if char.isdigit() else char for char in text)
        return clean, ["digit"] if clean != text else []

    def measure(
        self, text: str, seconds: float, *, learning: bool, analytics: bool
    ) -> e.Traits | None:
        traits = e.Traits(words=len(text.split()), seconds=seconds, formality=1.0)
        return traits if learning else None


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


def test_settings_are_applied_when_the_engine_says_so() -> None:
    scene = talking()

    def change(state: fold.State, at: float) -> list[e.Event]:
        return [e.ConfigChanged(at=at, version=1, changes={"voice": "echo"})]

    scene.do(stimuli.Decide(rules=(change,)))
    assert scene.engine(ports.Configured(version=1)) == ["config.applied version=1 link=1"]
    assert scene.engine(ports.Configured(version=1)) == []


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


def test_nothing_is_learned_where_learning_is_off() -> None:
    scene = Scene(enable_learning=False)
    scene.join(voice=False)
    scene.write("I am Alice")
    scene.ready()
    assert scene.engine(ports.Learned(turn=1, content="Alice.", key="name")) == []


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
