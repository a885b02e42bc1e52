"""The transcript in pages, newest page first, oldest message first."""

from tenuto import events as e
from tenuto.session.history import TYPES, message, page


def added(number: int, **more: str) -> e.MessageAdded:
    return e.MessageAdded(
        at=float(number),
        message=number,
        role="agent",
        text=f"text {number}",
        turn=number,
        conversation="c",
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
