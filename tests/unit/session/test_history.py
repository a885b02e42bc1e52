"""The transcript in pages, newest page first, oldest message first; and the tree of conversations."""

import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput
from tenuto.session import history
from tenuto.session.fold import State, apply
from tenuto.session.history import TYPES, message, missing, page


def added(number: int, conversation: str = "c", **more: str) -> e.MessageAdded:
    return e.MessageAdded(
        at=float(number),
        message=number,
        role="agent",
        text=f"text {number}",
        turn=number,
        conversation=conversation,
        reply=number,
        said=more.get("said", ""),
    )


def test_only_messages_are_read() -> None:
    assert TYPES == ("message.added",)


def test_a_message_says_what_was_heard_and_what_was_said() -> None:
    made = message(added(3, said="text 3 and more"))
    assert (made.message, made.text, made.said) == (3, "text 3", "text 3 and more")
    assert (made.role, made.turn, made.conversation, made.at) == ("agent", 3, "c", 3.0)


def test_a_page_is_oldest_first_and_knows_where_the_one_before_begins() -> None:
    found = page([(30, added(3)), (20, added(2)), (10, added(1))], limit=2)
    assert [m.message for m in found.messages] == [2, 3]
    assert found.next == 20


def test_the_first_page_of_a_journal_has_none_before_it() -> None:
    found = page([(20, added(2)), (10, added(1))], limit=2)
    assert [m.message for m in found.messages] == [1, 2]
    assert found.next is None


def test_an_empty_journal_has_an_empty_page() -> None:
    assert page([], limit=2).messages == []


def test_what_is_no_message_is_passed_over() -> None:
    found = page([(20, e.Unknown(at=1.0, kind="message.edited")), (10, added(1))], limit=5)
    assert [m.message for m in found.messages] == [1]


# ---------------------------------------------------------------------------------------------------------------- the tree


def family() -> State:
    """`main` (1, 2, then 7) <- `deep` (3, 4) <- `deeper` (5), and `wide` (6) that branches from the empty `fresh` of `main`."""
    state = State()
    number = 0
    apply(state, e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16))

    def talk(name: str, count: int, parent: str = "", resume: bool = False) -> None:
        nonlocal number
        at = 10.0 + number
        if state.conversation:
            apply(state, e.ConversationEnded(at=at, conversation=state.conversation, reason="next"))
        if resume:
            apply(state, e.ConversationResumed(at=at, conversation=name))
        else:
            fork = history.newest(state, parent)
            apply(state, e.ConversationStarted(at=at, conversation=name, parent=parent, fork=fork))
        for _ in range(count):
            number += 1
            apply(state, added(number, name))

    talk("main", 2)
    talk("deep", 2, "main")
    talk("deeper", 1, "deep")
    talk("fresh", 0, "main")
    talk("wide", 1, "fresh")
    talk("main", 1, resume=True)
    talk("other", 0)
    return state


@pytest.mark.parametrize(
    ("name", "line", "newest"),
    [
        ("main", [("main", 0)], 7),
        ("deep", [("deep", 0), ("main", 2)], 4),
        ("deeper", [("deeper", 0), ("deep", 4), ("main", 2)], 5),
        ("fresh", [("fresh", 0), ("main", 2)], 2),
        ("wide", [("wide", 0), ("fresh", 2), ("main", 2)], 6),
        ("other", [("other", 0)], 0),
    ],
)
def test_a_line_is_a_conversation_and_what_it_branches_from_up_to_the_fork(
    name: str, line: list[tuple[str, int]], newest: int
) -> None:
    state = family()
    assert history.line(state, name) == line
    assert history.newest(state, name) == newest


def test_a_branch_of_a_conversation_without_messages_ends_the_line() -> None:
    state = family()
    apply(state, e.ConversationEnded(at=99.0, conversation="other", reason="next"))
    apply(state, e.ConversationStarted(at=99.0, conversation="leaf", parent="other"))
    assert history.line(state, "leaf") == [("leaf", 0)]
    assert history.newest(state, "") == 0


def test_a_tree_is_all_that_hangs_together() -> None:
    state = family()
    whole = {"main", "deep", "deeper", "fresh", "wide"}
    for name in whole:
        assert history.tree(state, name) == whole
        assert history.root(state, name) == "main"
    assert history.tree(state, "other") == {"other"}


def test_conversations_are_listed_in_the_order_in_which_they_were_started() -> None:
    infos = history.conversations(family())
    assert [info.id for info in infos] == ["main", "deep", "deeper", "fresh", "wide", "other"]
    main, deep, *_, other = infos
    assert (main.parent, main.fork, main.messages) == ("", 0, 3)
    assert (deep.parent, deep.fork, deep.messages) == ("main", 2, 2)
    assert (main.started, main.ended, main.is_open) == (10.0, 17.0, False)
    assert (other.ended, other.is_open, other.summary) == (None, True, "")


# ------------------------------------------------------------------------------------------------------- what is missing


@pytest.mark.parametrize(
    ("have", "wanted", "left"),
    [
        ("", "abc", [0, 1, 2]),
        ("abc", "", []),
        ("abc", "abc", []),
        ("abc", "abcd", [3]),
        ("abc", "bcd", [2]),
        ("yabc", "abcy", [3]),
        ("abcxy", "abcd", [3]),
        ("ba", "ab", [0]),
        ("aa", "aaa", [2]),
        ("axbycz", "abc", []),
        ("cab", "abc", [2]),
    ],
)
def test_what_is_missing_is_left_out_by_the_longest_common_part(
    have: str, wanted: str, left: list[int]
) -> None:
    assert missing(have, wanted) == left


def test_many_alike_are_told_apart_by_their_place() -> None:
    assert missing("y" * 200, "y" * 10) == []
    assert len(missing("y" * 10, "y" * 200)) == 190


def test_no_message_at_all_is_no_page() -> None:
    history.need_limit(1)
    for limit in (0, -1):
        with pytest.raises(InvalidInput, match="1 or more"):
            history.need_limit(limit)


def test_a_free_name_is_one_that_no_conversation_has() -> None:
    state = State()
    apply(state, e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16))
    names = []
    for taken in ("", "c3", "d"):
        names.append(taken or history.free_name(state))
        apply(state, e.ConversationStarted(at=1.0, conversation=names[-1]))
        apply(state, e.ConversationEnded(at=1.0, conversation=names[-1], reason="user"))
    assert (names[0], history.free_name(state)) == ("c1", "c4")
    apply(state, e.ConversationStarted(at=1.0, conversation="c5"))
    assert history.free_name(state) == "c6", "`c5` is taken"
