"""Who is here, and which client programs are known."""

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session.client_fold import ANSWERS, CLIENTS, OLD_TOKENS
from tenuto.session.fold import apply
from tenuto.session.state import Life
from tests.unit.session.folding import (
    AT,
    TALK,
    assert_refused,
    attached,
    detached,
    due,
    folded,
    typed,
)


def test_the_controllers_coming_and_going_is_the_life_of_the_session() -> None:
    state = folded(attached(1))
    assert (state.life, state.controller) == (Life.LIVE, 1)
    apply(state, attached(2, "phone", role="observer"))
    apply(state, detached(2))
    assert (state.life, state.controller) == (Life.LIVE, 1)
    apply(state, detached(1))
    assert (state.life, state.controller, state.here) == (Life.DETACHED, 0, {})


def test_there_is_one_controller() -> None:
    assert_refused(folded(attached(1)), attached(2), IllegalEvent, "second controller")


def test_attachments_are_numbered_in_order() -> None:
    assert_refused(folded(), attached(2), IllegalEvent, "attachment 2 after 0")


def test_who_is_not_here_cannot_leave() -> None:
    assert_refused(folded(), detached(1), IllegalEvent, "not here")


def test_who_looks_through_a_share_has_no_controls_and_is_no_client() -> None:
    state = folded(attached(1, token="t1"))
    share = e.ShareCreated(
        at=AT, share=1, token="x", user="doctor", permissions=["read"], expires=AT + 60.0
    )
    looks = e.AttachmentAttached(
        at=AT, attachment=2, role="observer", client="share:1", transport="test", share=1
    )
    apply(state, share)
    assert due(state) is None
    apply(state, looks)
    assert (state.here[2].share, state.controller, list(state.clients)) == (1, 1, ["tab"])
    assert due(state) == AT + 60.0
    controls = e.AttachmentAttached(
        at=AT, attachment=3, role="controller", client="share:1", transport="test", share=1
    )
    apply(state, detached(1))
    assert_refused(state, controls, IllegalEvent, "never gives the controls")
    assert_refused(state, share, IllegalEvent, "share 1 after 1")


# ------------------------------------------------------------------------------------------------------ client programs


def test_tokens_are_kept_as_long_as_their_reuse_would_tell_of_a_copy() -> None:
    state = folded()
    for number in range(1, OLD_TOKENS + 5):
        apply(state, attached(number, token=f"t{number}"))
        apply(state, detached(number))
    client = state.clients["tab"]
    assert (client.token, client.previous, client.token_at) == ("t12", "t11", AT)
    assert client.used == [f"t{number}" for number in range(3, 11)]


def test_an_attachment_without_a_token_leaves_the_last_one_as_it_is() -> None:
    state = folded(attached(1, token="t1"), detached(1), attached(2))
    assert state.clients["tab"].token == "t1"


def test_a_token_whose_successors_were_all_lost_is_good_until_one_is_used() -> None:
    state = folded(attached(1, token="t1"))
    for number in (2, 3, 4):
        apply(state, detached(number - 1))
        apply(state, attached(number, token=f"t{number}", shown="t1"))
    client = state.clients["tab"]
    assert (client.token, client.previous, client.used) == ("t4", "t1", ["t2", "t3"])
    apply(state, detached(4))
    apply(state, attached(5, token="t5", shown="t4"))
    assert (client.token, client.previous, client.used) == ("t5", "t4", ["t2", "t3", "t1"])


def test_the_tokens_of_a_revoked_client_are_void_and_its_commands_stay_known() -> None:
    state = folded(attached(1, token="t1"), TALK, typed(1, cause="tab:3"))
    apply(state, e.AttachmentRevoked(at=AT, client="tab"))
    client = state.clients["tab"]
    assert (client.token, client.previous, client.used, client.last) == ("", "", [], 3)
    apply(state, e.AttachmentRevoked(at=AT, client="nobody"))


def test_the_clients_that_were_not_seen_for_longest_are_forgotten() -> None:
    state = folded()
    for number in range(1, CLIENTS + 3):
        apply(state, attached(number, f"client {number}"))
        apply(state, detached(number))
    assert list(state.clients) == [f"client {number}" for number in range(3, CLIENTS + 3)]


def test_commands_and_their_positions_are_remembered() -> None:
    state = folded(TALK, typed(1, cause="a:b:7"))
    client = state.clients["a:b"]
    assert (client.last, client.answers) == (7, {7: 3})


def test_only_the_last_commands_are_remembered() -> None:
    state = folded()
    for number in range(1, ANSWERS + 3):
        apply(state, e.ConfigChanged(at=AT, cause=f"tab:{number}", version=number, changes={}))
    client = state.clients["tab"]
    assert client.last == ANSWERS + 2
    assert list(client.answers) == list(range(3, ANSWERS + 3))
