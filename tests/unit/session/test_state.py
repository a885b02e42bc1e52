"""The tables: what moves each machine, what is illegal, and what everyone sees."""

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.state import (
    LIFE,
    LINK,
    NEEDS_TURN,
    TURN,
    Life,
    Link,
    LinkSignal,
    Status,
    Turn,
    joint,
    next_life,
    next_link,
    next_turn,
    status,
)

ATTACHED = e.AttachmentAttached(
    at=1.0, attachment=1, role="controller", client="tab", transport="test"
)
DETACHED = e.AttachmentDetached(at=1.0, attachment=1, reason="lost")
RESTORED = e.SessionRestored(at=1.0, host="h", fence=2)
PARKED = e.SessionParked(at=1.0)
ENDED = e.SessionEnded(at=1.0, reason="user")
TYPED = e.MessageAdded(at=1.0, message=1, role="user", text="hi", turn=1, conversation="c")
STARTED = e.ReplyStarted(at=1.0, reply=1, turn=1, conversation="c")
HEARD = e.ReplyEnded(at=1.0, reply=1)
CUT = e.ReplyCut(at=1.0, reply=1, reason="text")
SPEAKS = e.SpeechStarted(at=1.0, turn=1)
SPOKE = e.SpeechEnded(at=1.0, turn=1)


def test_a_machine_has_a_row_for_each_of_its_states() -> None:
    assert set(LIFE) == set(Life)
    assert set(TURN) == set(Turn)
    assert set(LINK) == set(Link)


def test_each_state_but_the_first_is_reached() -> None:
    assert {to for row in LIFE.values() for to in row.values()} == set(Life)
    assert {to for row in LINK.values() for to in row.values()} == set(Link)
    reached = {to for row in TURN.values() for to in row.values()}
    # Thinking and held are not events: the joint table makes them of what the others are.
    assert reached == {Turn.IDLE, Turn.LISTENING, Turn.SPEAKING}


@pytest.mark.parametrize(
    ("life", "event", "to"),
    [
        (Life.DETACHED, ATTACHED, Life.LIVE),
        (Life.LIVE, DETACHED, Life.DETACHED),
        (Life.DETACHED, PARKED, Life.PARKED),
        (Life.PARKED, RESTORED, Life.DETACHED),
        (Life.LIVE, RESTORED, Life.DETACHED),
        (Life.LIVE, ENDED, Life.ENDED),
        (Life.DETACHED, TYPED, Life.DETACHED),
        (Life.LIVE, TYPED, Life.LIVE),
    ],
)
def test_life(life: Life, event: e.Event, to: Life) -> None:
    assert next_life(life, event, controller=True) is to


@pytest.mark.parametrize("event", [ATTACHED, DETACHED])
@pytest.mark.parametrize("life", [Life.LIVE, Life.DETACHED])
def test_an_observer_does_not_move_life(life: Life, event: e.Event) -> None:
    assert next_life(life, event, controller=False) is life


@pytest.mark.parametrize("event", [ATTACHED, TYPED, ENDED, PARKED])
@pytest.mark.parametrize("controller", [True, False])
def test_nothing_happens_while_parked_but_a_restore(event: e.Event, controller: bool) -> None:
    with pytest.raises(IllegalEvent, match="while the session is parked"):
        next_life(Life.PARKED, event, controller=controller)


@pytest.mark.parametrize("event", [ATTACHED, RESTORED, TYPED, ENDED])
def test_nothing_happens_after_the_end(event: e.Event) -> None:
    with pytest.raises(IllegalEvent, match=r"after session\.ended"):
        next_life(Life.ENDED, event, controller=True)


@pytest.mark.parametrize(
    ("turn", "event", "to"),
    [
        (Turn.IDLE, SPEAKS, Turn.LISTENING),
        (Turn.THINKING, SPEAKS, Turn.LISTENING),
        (Turn.LISTENING, SPOKE, Turn.IDLE),
        (Turn.IDLE, STARTED, Turn.SPEAKING),
        (Turn.THINKING, STARTED, Turn.SPEAKING),
        (Turn.SPEAKING, HEARD, Turn.IDLE),
        (Turn.HELD, CUT, Turn.IDLE),
        (Turn.SPEAKING, TYPED, Turn.SPEAKING),
    ],
)
def test_turn(turn: Turn, event: e.Event, to: Turn) -> None:
    assert next_turn(turn, event) is to


@pytest.mark.parametrize("turn", list(Turn))
@pytest.mark.parametrize("event", [SPEAKS, SPOKE, STARTED, HEARD, CUT])
def test_what_needs_a_turn_is_legal_exactly_where_the_table_says(
    turn: Turn, event: e.Event
) -> None:
    assert type(event) in NEEDS_TURN
    if type(event) in TURN[turn]:
        assert next_turn(turn, event) is TURN[turn][type(event)]
    else:
        with pytest.raises(IllegalEvent, match=f"while the turn is {turn.value}"):
            next_turn(turn, event)


@pytest.mark.parametrize(
    ("life", "turn", "owed", "aloud", "to"),
    [
        (Life.LIVE, Turn.IDLE, True, False, Turn.THINKING),
        (Life.LIVE, Turn.IDLE, False, False, Turn.IDLE),
        (Life.DETACHED, Turn.SPEAKING, False, True, Turn.HELD),
        (Life.DETACHED, Turn.SPEAKING, False, False, Turn.SPEAKING),
        (Life.LIVE, Turn.SPEAKING, False, True, Turn.SPEAKING),
        (Life.LIVE, Turn.HELD, False, True, Turn.SPEAKING),
        (Life.DETACHED, Turn.HELD, False, True, Turn.HELD),
        (Life.LIVE, Turn.LISTENING, True, False, Turn.LISTENING),
    ],
)
def test_the_joint_table(life: Life, turn: Turn, owed: bool, aloud: bool, to: Turn) -> None:
    assert joint(life, turn, owed=owed, aloud=aloud) is to


@pytest.mark.parametrize("link", list(Link))
@pytest.mark.parametrize("signal", list(LinkSignal))
def test_a_link_moves_exactly_as_the_table_says(link: Link, signal: LinkSignal) -> None:
    if signal in LINK[link]:
        assert next_link(link, signal) is LINK[link][signal]
    else:
        with pytest.raises(IllegalEvent, match=f"while the link is {link.value}"):
            next_link(link, signal)


@pytest.mark.parametrize(
    ("life", "turn", "link", "seen"),
    [
        (Life.LIVE, Turn.IDLE, Link.READY, Status.IDLE),
        (Life.LIVE, Turn.IDLE, Link.CLOSED, Status.IDLE),
        (Life.LIVE, Turn.IDLE, Link.CONNECTING, Status.PROCESSING),
        (Life.LIVE, Turn.IDLE, Link.RESTORING, Status.PROCESSING),
        (Life.LIVE, Turn.LISTENING, Link.READY, Status.LISTENING),
        (Life.LIVE, Turn.THINKING, Link.READY, Status.PROCESSING),
        (Life.LIVE, Turn.SPEAKING, Link.READY, Status.SPEAKING),
        (Life.LIVE, Turn.SPEAKING, Link.FAILED, Status.ERROR),
        (Life.DETACHED, Turn.HELD, Link.READY, Status.IDLE),
        (Life.PARKED, Turn.THINKING, Link.CLOSED, Status.IDLE),
        (Life.ENDED, Turn.IDLE, Link.FAILED, Status.IDLE),
    ],
)
def test_what_everyone_sees(life: Life, turn: Turn, link: Link, seen: Status) -> None:
    assert status(life, turn, link) is seen


@pytest.mark.parametrize("turn", [Turn.IDLE, Turn.THINKING, Turn.HELD])
def test_nothing_goes_on_while_a_session_is_paused(turn: Turn) -> None:
    assert status(Life.LIVE, turn, Link.CLOSED, listening=True, paused=True) is Status.IDLE


def test_a_program_that_listens_is_seen_to_listen_while_nothing_else_goes_on() -> None:
    assert status(Life.LIVE, Turn.IDLE, Link.READY, listening=True) is Status.LISTENING
    assert status(Life.LIVE, Turn.IDLE, Link.CONNECTING, listening=True) is Status.PROCESSING
    assert status(Life.LIVE, Turn.SPEAKING, Link.READY, listening=True) is Status.SPEAKING
    assert status(Life.DETACHED, Turn.IDLE, Link.READY, listening=True) is Status.IDLE
