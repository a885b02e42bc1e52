"""The laws that the core holds by itself (1, 4, 5, 6 and 8 of the architecture), over random sequences of stimuli.

Each law is a function over what happened in a `World`; a property test has it hold for whatever is played, and a control
shows that it fails when the core, or the journal, is spoilt.
"""

import dataclasses
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import (
    context,
    effects,
    fold,
    history,
    linking,
    memory,
    ports,
    replying,
    stimuli,
)
from tenuto.session.state import Life, Link, Turn
from tests.unit.session.world import GREETING, MOVES, OFTEN, Move, World, is_settled

MOVE: st.SearchStrategy[Move] = st.tuples(
    st.sampled_from((*MOVES, *OFTEN, *OFTEN)), st.integers(0, 63)
)
plays = given(moves=st.lists(MOVE, max_size=60))
few = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

HELLO: list[Move] = [("join", 1), ("ready", 0), ("speak", 0), ("wait", 2), ("mark", 35)]
"""Somebody with a loudspeaker comes, and is greeted."""
CUT: list[Move] = [
    *HELLO,
    ("hear", 1), ("heard", 1), ("answer", 1), ("answer", 3), ("speak", 0), ("speak", 0), ("wait", 2), ("mark", 6),
]  # fmt: skip
"""A reply of several segments, a part of which was heard."""

BRANCHES: list[Move] = [
    ("join", 5), ("type", 0), ("ready", 0), ("answer", 0), ("branch", 4), ("type", 0), ("answer", 0),
    ("branch", 6), ("inject", 0), ("type", 1), ("answer", 0), ("branch", 4), ("type", 2), ("answer", 0),
    ("connect", 0), ("connect", 1), ("ready", 0), ("branch", 3), ("type", 0), ("answer", 0), ("decide", 19), ("type", 0),
    ("revive", 0), ("join", 5), ("ready", 0), ("answer", 0), ("branch", 4), ("type", 0), ("decide", 2), ("type", 1),
]  # fmt: skip
"""Two branches of one conversation, and back."""

SEEDS: dict[str, list[Move]] = {
    "a link that was closed before it was ready": [
        ("join", 0), ("type", 0), ("join", 1), ("accept", 0), ("ready", 7), ("ready", 0), ("answer", 0),
    ],
    "an alarm that waits while somebody speaks": [
        *HELLO, ("stray", 24), ("hear", 1), ("due", 1), ("heard", 0), ("fail", 0), ("ready", 0),
        ("leave", 0), ("join", 1), ("type", 0), ("answer", 0), ("stop", 0),
    ],
    "somebody comes while somebody else speaks": [
        ("join", 4), ("leave", 36), ("converse", 36), ("hear", 2), ("join", 9),
    ],
    "an observer at a parked session": [("join", 1), ("leave", 0), ("park", 0), ("observe", 0), ("revive", 0)],
    "a reply that was held, and whose engine is gone": [
        *CUT, ("leave", 0), ("fail", 0), ("revive", 0), ("join", 1), ("ready", 0), ("answer", 0),
    ],
    "the same tab again while the engine thinks": [
        *HELLO, ("type", 0), ("leave", 0), ("join", 1), ("answer", 1), ("join", 1), ("answer", 3),
    ],
    "typing while parked": [("join", 0), ("type", 0), ("leave", 0), ("park", 0), ("type", 0), ("converse", 1)],
    "asked aloud, answered in writing": [
        *HELLO, ("hear", 1), ("heard", 1), ("revive", 0), ("join", 0), ("ready", 0), ("answer", 0),
    ],
    "cut, ended, and played with after its end": [
        *CUT, ("type", 1), ("answer", 3), ("end", 0), ("join", 1), ("answer", 3), ("end", 0), ("revive", 0),
    ],
}  # fmt: skip
"""What once was wrong, or may easily become so."""


# ------------------------------------------------------------------------------------------------------------ law 1: fold


def the_state_is_the_fold(
    world: World, apply: Callable[[fold.State, e.Event], None] = fold.apply
) -> None:
    state, position = fold.State(), 0
    middle = len(world.journal) // 2
    for step in world.steps:
        for event in step.events:
            apply(state, event)
            position += 1
            if position == middle:
                state = fold.decode(fold.encode(state))
        assert fold.encode(state) == step.after, f"after {step.stimulus}"
        assert state.position == position
    assert fold.decode(fold.encode(state)) == world.state


# ------------------------------------------------------------------------------------------ law 4: illegal changes nothing


def what_is_refused_changes_nothing(world: World) -> None:
    for step in world.steps:
        if step.error is not None:
            assert step.before == step.after, f"{step.stimulus}: {step.error}"
            assert not step.events and not step.effects and not step.reflexes, f"{step.stimulus}"
            assert step.beside[0] == step.beside[1], f"{step.stimulus}"


# ------------------------------------------------------------------------------------------------- law 5: heard is not said


def heard_is_not_said(world: World) -> None:
    segments: dict[int, list[str]] = {}
    aloud: dict[int, bool] = {}
    over: e.ReplyEnded | e.ReplyCut | None = None
    for event in world.journal:
        match event:
            case e.ReplyStarted(reply=reply):
                segments[reply], aloud[reply] = [], event.aloud
            case e.ReplySegment(reply=reply, text=text) if text:
                segments[reply].append(text)
            case e.ReplyEnded(reply=reply) | e.ReplyCut(reply=reply):
                over = event if segments[reply] else None
            case e.MessageAdded(role="agent") if event.by != "injected":
                assert over is not None and over.reply == event.reply
                said = segments[event.reply]
                _is_what_was_heard(event, over, said, aloud[event.reply])
                over = None
            case e.MessageAdded():
                assert over is None, "a reply ended, and nobody knows with what"
    known = {m.message: m for m in world.journal if isinstance(m, e.MessageAdded)}
    for step in world.steps:
        for told in _contexts(step.effects):
            for message in told.messages:
                assert message.text == known[message.message].text


def _is_what_was_heard(
    message: e.MessageAdded, over: e.ReplyEnded | e.ReplyCut, said: list[str], aloud: bool
) -> None:
    whole = " ".join(said)
    words = message.text.split()
    assert words == whole.split()[: len(words)], "heard what was never said"
    assert message.said == ("" if message.text == whole else whole)
    if isinstance(over, e.ReplyEnded) or not aloud:
        assert message.text == whole
    else:
        # Sums of samples are rounded; and a pause between two segments is as long as a space.
        longest = over.heard * 14 + 2 * len(said)
        assert len(message.text) <= longest, f"{message.text!r} in {over.heard} s"
        following = whole.split()[len(words) :]
        if following:
            assert len(message.text) + len(following[0]) > over.heard * 14 - 2 * len(said) - 2


def _contexts(given_to_engine: Sequence[effects.Durable]) -> list[ports.Context]:
    found = []
    for effect in given_to_engine:
        match effect:
            case effects.OpenEngine(context=context) | effects.Refresh(context=context):
                found.append(context)
            case effects.ToEngine(
                request=ports.Ask(context=context)
                | ports.Ring(context=context)
                | ports.Configure(context=context)
            ):
                found.append(context)
    return found


# ------------------------------------------------------------------------------------------------- law 6: restoring is silent

SILENT = (effects.OpenEngine, effects.ToEngine, effects.Resume)
NOBODY = (
    stimuli.Restore,
    stimuli.Due,
    stimuli.Park,
    stimuli.Leave,
    stimuli.Revoke,
    stimuli.Mark,
    stimuli.Played,
    stimuli.LinkAccepted,
)
"""Stimuli that nobody says anything with."""
UNHEARD = (
    stimuli.Remember,
    stimuli.Hold,
    stimuli.Inject,
    stimuli.Decide,
    stimuli.Pause,
    stimuli.Disconnect,
    stimuli.EndConversation,
)
"""Stimuli of somebody who does not say anything that is to be answered."""


def restoring_is_silent(world: World) -> None:
    silent, conversation, greeted = False, "", set[str]()
    for step in world.steps:
        if isinstance(step.stimulus, stimuli.Restore):
            silent = True
        elif not isinstance(step.stimulus, (*NOBODY, stimuli.FromEngine)) and not step.error:
            silent = silent and isinstance(step.stimulus, UNHEARD)
        if silent:
            assert not any(isinstance(effect, SILENT) for effect in step.effects), (
                f"{step.stimulus}"
            )
            assert not any(isinstance(event, e.ReplyStarted) for event in step.events)
        for event in step.events:
            match event:
                case e.ConversationStarted() | e.ConversationResumed():
                    conversation = event.conversation
                case e.ReplySegment(text=text) if text == GREETING:
                    assert conversation not in greeted, "greeted again"
                    greeted.add(conversation)


# ------------------------------------------------------------------------------------------------------ law 8: one ending


def each_ends_once(journal: Sequence[e.Event]) -> None:
    """Read a journal with other eyes than the fold's: what began, and what ended."""
    here: dict[int, str] = {}
    replies: dict[int, bool] = {}
    conversation, known, speech, ended = "", set[str](), 0, False
    messages = turns = 0
    for position, event in enumerate(journal):
        assert not ended, f"{event} after the end"
        assert isinstance(event, e.SessionCreated) == (position == 0)
        match event:
            case e.AttachmentAttached(attachment=number, role=role):
                assert number not in here
                here[number] = role
                assert list(here.values()).count("controller") <= 1
            case e.AttachmentDetached(attachment=number):
                del here[number]
            case e.ConversationStarted():
                assert not conversation and event.conversation not in known
                conversation = event.conversation
                known.add(conversation)
            case e.ConversationResumed():
                assert not conversation and event.conversation in known
                conversation = event.conversation
            case e.ConversationEnded():
                assert event.conversation == conversation and not speech
                assert not any(replies.values())
                conversation = ""
            case e.SpeechStarted(turn=turn):
                assert not speech and conversation and turn > turns
                speech = turns = turn
            case e.SpeechEnded(turn=turn):
                assert turn == speech
                speech = 0
            case e.ReplyStarted(reply=reply):
                assert not any(replies.values()) and conversation and not speech
                assert reply == len(replies) + 1
                replies[reply] = True
            case e.ReplySegment(reply=reply) | e.PlaybackMarked(reply=reply):
                assert replies[reply]
            case e.ReplyEnded(reply=reply) | e.ReplyCut(reply=reply):
                assert replies[reply], f"reply {reply} ends twice"
                replies[reply] = False
            case e.MessageAdded():
                messages += 1
                assert event.message == messages and event.conversation == conversation
                turns = max(turns, event.turn)
            case e.SessionEnded():
                assert not conversation and not here and not speech and not any(replies.values())
                ended = True


# --------------------------------------------------------------------------------------------- a branch knows up to its fork


def each_knows_its_own_line(world: World) -> None:
    """Read from the journal, with other eyes than the core's, what each conversation may be told."""
    parents: dict[str, tuple[str, int]] = {}
    of: dict[int, str] = {}
    for step in world.steps:
        for event in step.events:
            match event:
                case e.ConversationStarted(conversation=name, parent=parent):
                    parents[name] = (parent, len(of))
                case e.MessageAdded(message=number, conversation=name):
                    of[number] = name
        for told in _contexts(step.effects):
            if not told.conversation:
                continue
            may, name, upto = dict[str, int](), told.conversation, len(of)
            while name:
                may[name] = upto
                name, upto = parents[name][0], min(upto, parents[name][1])
            tree = {n for n in parents if _root(parents, n) == _root(parents, told.conversation)}
            for m in told.messages:
                where = of[m.message]
                assert where not in tree or m.message <= may.get(where, 0), (
                    f"{told.conversation} is told {m.message} of {where}"
                )
            for recap in told.recaps:
                ours = recap.conversation == told.conversation
                child = parents[recap.conversation][0] == told.conversation
                stranger = recap.conversation not in tree
                assert (ours, child, stranger)[("before", "branch", "earlier").index(recap.kind)], (
                    f"{told.conversation} is told of {recap.kind} {recap.conversation}"
                )


def _root(parents: dict[str, tuple[str, int]], name: str) -> str:
    while parents[name][0]:
        name = parents[name][0]
    return name


# ------------------------------------------------------------------------------------------------------- nobody is forgotten


def somebody_is_answered(world: World) -> None:
    """Whoever is there and is owed something, has it asked for: now, and in the end."""
    state, making = world.state, None
    if world.provider is not None and world.provider.making is not None:
        making = world.provider.making.turn
    waits = world.core.link is Link.WAITING
    if waits or (world.core.link is Link.FAILED and world.core.scribe.talks):
        assert world.tries, "an engine is needed, and nobody tries it"
    elif state.life is Life.LIVE and world.core.link is not Link.FAILED:
        if state.paused:
            assert world.provider is None and world.core.link is Link.CLOSED, "a pause that bills"
        elif state.turn is Turn.THINKING:
            assert making is not None and making > 0, "a message waits, and nobody was asked"
        if (
            state.turn is Turn.IDLE
            and state.rung
            and state.conversation
            and not state.paused
            and not world.stopped
        ):
            assert making == -state.rung[0].alarm, "an alarm waits, and nobody was asked"
    assert state.turn is not Turn.HELD or state.life is not Life.LIVE
    world.settle()
    assert is_settled(world), f"{state.turn}, owed {state.owed}, rung {state.rung}"


LAWS: tuple[Callable[[World], None], ...] = (
    the_state_is_the_fold,
    what_is_refused_changes_nothing,
    heard_is_not_said,
    restoring_is_silent,
    lambda world: each_ends_once(world.journal),
    each_knows_its_own_line,
    somebody_is_answered,
)


@pytest.mark.parametrize("name", SEEDS)
def test_every_law_holds_where_it_once_did_not(name: str) -> None:
    world = World().play(SEEDS[name])
    for law in LAWS:
        law(world)


@few
@plays
@example(moves=CUT)
def test_the_state_is_the_fold_of_the_journal(moves: list[Move]) -> None:
    the_state_is_the_fold(World().play(moves))


@few
@plays
def test_what_is_refused_changes_nothing(moves: list[Move]) -> None:
    what_is_refused_changes_nothing(World().play(moves))


@few
@plays
@example(moves=[*CUT, ("type", 0)])
def test_heard_is_not_said(moves: list[Move]) -> None:
    heard_is_not_said(World().play(moves))


@few
@plays
def test_restoring_is_silent(moves: list[Move]) -> None:
    restoring_is_silent(World().play(moves))


@few
@plays
@example(moves=BRANCHES)
def test_each_conversation_knows_its_own_line(moves: list[Move]) -> None:
    each_knows_its_own_line(World().play(moves))


@few
@plays
def test_everything_ends_once(moves: list[Move]) -> None:
    each_ends_once(World().play([*moves, ("end", 0)]).journal)


@few
@plays
def test_whoever_is_owed_an_answer_gets_it(moves: list[Move]) -> None:
    somebody_is_answered(World().play(moves))


@few
@plays
def test_an_engine_that_cannot_speak_on_breaks_no_law(moves: list[Move]) -> None:
    world = World(ports.Capabilities(name="forgetful", speaks=50)).play([*HELLO, *moves])
    for law in LAWS:
        law(world)


# --------------------------------------------------------------------------------------------------------------- controls


def test_a_fold_that_skips_one_event_is_caught() -> None:
    world = World().play([*CUT, ("leave", 0), ("revive", 0), ("join", 1), ("park", 0)])
    the_state_is_the_fold(world)
    for skipped in world.journal[1:]:

        def apply(state: fold.State, event: e.Event, skipped: e.Event = skipped) -> None:
            late = e.Unknown(at=event.at, kind="of.later")
            fold.apply(state, late if event is skipped else event)

        with pytest.raises((AssertionError, IllegalEvent)):
            the_state_is_the_fold(world, apply)


def test_a_handler_that_stops_half_way_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    good = e.MemoryAdded(at=1.0, memory=1, content="Alice")
    bad = e.MemoryRemoved(at=1.0, memory=9, reason="forgotten")
    monkeypatch.setattr(memory, "add", lambda *_: [good, bad])
    with pytest.raises(AssertionError, match="memory 9 is not there"):
        what_is_refused_changes_nothing(World().play([("remember", 0)]))


def test_a_cut_that_keeps_the_whole_text_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replying, "heard_text", lambda segments, ends, heard: " ".join(segments))
    with pytest.raises(AssertionError, match="eleven"):
        heard_is_not_said(World().play([*CUT, ("type", 0)]))


def test_a_cut_that_keeps_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replying, "heard_text", lambda segments, ends, heard: "")
    with pytest.raises(AssertionError):
        heard_is_not_said(World().play([*CUT, ("type", 0)]))


def test_a_lost_link_that_nobody_tries_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[Move] = [("join", 1), *(("fail", 0), ("retry", 0)) * 4, ("fail", 0)]
    somebody_is_answered(World().play(lost))
    monkeypatch.setattr(linking.Linking, "wait", lambda self: None)
    with pytest.raises(AssertionError, match="nobody tries it"):
        somebody_is_answered(World().play(lost))


def test_a_context_that_tells_what_was_not_heard_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(state: fold.State, *_: object) -> ports.Context:
        messages = [
            ports.Message(
                message=m.message,
                role=m.role,
                text=m.said or m.text,
                turn=m.turn,
                conversation=m.conversation,
                at=m.at,
            )
            for m in state.recent
        ]
        return ports.Context(
            instructions="", messages=messages, memories=(), alarms=(), conversation="", now=1.0
        )

    monkeypatch.setattr(context, "build", told)
    with pytest.raises(AssertionError):
        heard_is_not_said(World().play([*CUT, ("type", 0)]))


def test_a_restore_that_asks_the_engine_is_caught() -> None:
    world = World().play([*CUT, ("revive", 0)])
    restoring_is_silent(world)
    (asked, *_) = [s for s in world.steps if any(isinstance(f, SILENT) for f in s.effects)]
    world.steps[-1] = dataclasses.replace(world.steps[-1], effects=asked.effects)
    with pytest.raises(AssertionError, match="Restore"):
        restoring_is_silent(world)


def test_a_parent_that_is_told_what_was_said_in_a_branch_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each_knows_its_own_line(World().play(BRANCHES))
    monkeypatch.setattr(history, "line", lambda state, _: [(n, 0) for n in state.conversations])
    with pytest.raises(AssertionError, match="is told"):
        each_knows_its_own_line(World().play(BRANCHES))


def test_a_pause_that_keeps_the_engine_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[Move] = [*HELLO, ("pause", 0)]
    somebody_is_answered(World().play(moves))
    world = World().play(HELLO)
    world.state.paused = True
    with pytest.raises(AssertionError, match="a pause that bills"):
        somebody_is_answered(world)


def test_a_second_greeting_is_caught() -> None:
    world = World().play(HELLO)
    restoring_is_silent(world)
    world.steps.append(world.steps[1])
    with pytest.raises(AssertionError, match="greeted again"):
        restoring_is_silent(world)


@pytest.mark.parametrize(
    "kind",
    [
        e.SessionCreated,
        e.ConversationStarted,
        e.ConversationEnded,
        e.AttachmentDetached,
        e.SpeechEnded,
        e.ReplyStarted,
        e.ReplyCut,
        e.MessageAdded,
    ],
)
def test_a_journal_that_lacks_an_event_or_has_it_twice_is_caught(kind: type[e.Event]) -> None:
    journal = World().play([*CUT, ("type", 0), ("answer", 1), ("end", 0)]).journal
    each_ends_once(journal)
    (at, *_) = [position for position, event in enumerate(journal) if type(event) is kind]
    with pytest.raises((AssertionError, KeyError)):
        each_ends_once([*journal[:at], *journal[at + 1 :]])
    with pytest.raises((AssertionError, KeyError)):
        each_ends_once([*journal[:at], journal[at], *journal[at:]])


def test_an_event_after_the_end_is_caught() -> None:
    journal = World().play([("end", 0)]).journal
    with pytest.raises(AssertionError, match="after the end"):
        each_ends_once([*journal, e.EngineLost(at=1.0, link=1, reason="late")])


def test_a_core_that_asks_nobody_is_caught() -> None:
    world = World().play([*HELLO, ("type", 0)])
    assert world.provider is not None and world.provider.making is not None
    world.provider.making = None
    with pytest.raises(AssertionError, match="nobody was asked"):
        somebody_is_answered(world)


@pytest.mark.parametrize(
    ("effect", "wrong"),
    [
        (effects.Hush(9), "never was"),
        (effects.Resume(9, 0.0), "not open"),
        (effects.ToEngine(ports.Speak(reply=9, index=0, text="", last=True)), "no open reply"),
        (effects.OpenEngine(0, True, None), "used again"),  # type: ignore[arg-type]
    ],
)
def test_an_effect_that_refers_to_nothing_is_caught(effect: effects.Effect, wrong: str) -> None:
    world = World().play([("join", 1), ("ready", 0)])
    with pytest.raises(AssertionError, match=wrong):
        world.carry_out(effect)
