"""What all of a user's sessions know: nothing is lost on the way, nothing comes twice, and each sees what it should."""

from typing import Any

from tenuto import events as e
from tenuto.session import memory, user_memory
from tenuto.session.fold import State
from tenuto.session.memory_plan import Plan
from tenuto.session.ports import Memory
from tenuto.session.user_memory import Elsewhere, Outbox, UserBook, outbox
from tests.unit.session.remembering import DAY, NOW, Table, added


class Users(Table):
    """A user's journal."""

    def __init__(self, cap: int = 10_000) -> None:
        super().__init__()
        self.state, self.journal = State(), []
        self.take(user_memory.begin("t", "u", "0" * 16, cap, NOW))

    def receive(self, session: Table) -> list[str]:
        """Take a session's outbox, and have the session say so."""
        names, box = self.receive_only(session)
        if box is not None:
            session.decide(user_memory.kept(box.numbers))
        return names

    def receive_only(self, session: Table) -> tuple[list[str], Outbox | None]:
        """Take it, and die before the session can say so."""
        box = outbox(session.state)
        if box is None:
            return [], None
        events = user_memory.take(self.state, box, self.time)
        expected = user_memory.due_after(self.state, events)
        names = self.take(*events)
        assert expected == self.state.due
        return names, box


def of_user(name: str = "s", **config: Any) -> Table:
    return Table({"memory_scope": "user", **config}, session=name)


def put(session: Table, content: str, **more: Any) -> int:
    fact = memory.Fact(content=content, **more)
    session.take(*memory.add(session.state, fact, session.time))
    return session.state.memory.count


def seen(book: UserBook, session: Table) -> list[str]:
    return [m.content for m in book.seen(session.state, session.time)]


# -------------------------------------------------------------------------------------------------------------- there and back


def test_a_journal_has_a_name_that_no_session_has() -> None:
    name = user_memory.journal_of("t", "u")
    assert name.startswith("~")
    assert len({name, user_memory.journal_of("tu", ""), user_memory.journal_of("", "tu")}) == 3


def test_a_fact_goes_its_way_once() -> None:
    session, users = of_user(), Users()
    assert outbox(session.state) is None
    put(session, "Likes tea.", importance=0.9, category="taste", expires=NOW + DAY)
    box = outbox(session.state)
    assert box is not None
    assert (box.session, box.numbers, box.cap) == ("s", [1], 10_000)
    assert users.receive(session) == ["memory.added"]
    known = users.memory(1)
    assert (known.content, known.source, known.importance, known.at) == (
        "Likes tea.",
        "s:1",
        0.9,
        NOW,
    )
    assert (known.expires, known.scope) == (NOW + DAY, "session")
    assert (session.contents, outbox(session.state)) == ([], None)


def test_what_is_sent_again_after_a_crash_is_not_taken_again() -> None:
    session, users = of_user(), Users()
    put(session, "Likes tea.")
    users.receive_only(session)
    assert users.receive(session) == []
    assert (users.contents, session.contents) == (["Likes tea."], [])
    put(session, "Likes tea.")
    users.receive_only(session)
    assert users.contents == ["Likes tea."], "the same words"
    users.take(*memory.forget(users.state, 1, NOW))
    assert users.receive_only(session)[0] == ["memory.added"], "said again after it was forgotten"
    users.take(*memory.forget(users.state, 2, NOW))
    assert users.receive(session) == [], "sent again, but forgotten meanwhile"
    assert (users.contents, session.contents) == ([], [])


def test_the_newest_of_a_key_wins_and_keeps_the_trail() -> None:
    one, two, users = of_user("one"), of_user("two"), Users()
    put(one, "Paris.", key="place")
    put(two, "Rome.", key="place")
    users.receive(one)
    assert users.receive(two) == ["memory.removed", "memory.added"]
    assert (users.contents, users.memory(2).replaces) == (["Rome."], [1])


def test_an_old_fact_that_was_replaced_here_is_replaced_there() -> None:
    session, users = of_user(), Users()
    put(session, "Is 40.")
    users.receive(session)
    book = UserBook()
    book.state = users.state
    (known,) = book.seen(session.state, NOW)
    session.take(*memory.update(session.state, known.memory, {"content": "Is 41."}, NOW, [known]))
    assert users.receive(session) == ["memory.removed", "memory.added"]
    assert users.contents == ["Is 41."]


def test_one_that_was_replaced_while_it_was_on_its_way_is_replaced_there_too() -> None:
    session, users = of_user(), Users()
    put(session, "Is 40.")
    users.receive_only(session)
    session.take(*memory.update(session.state, 1, {"content": "Is 41."}, NOW))
    users.receive(session)
    assert users.contents == ["Is 41."]


def test_removals_go_the_same_way() -> None:
    session, users = of_user(), Users()
    for number in range(4):
        put(session, f"Fact {number}.")
    users.receive(session)
    book = UserBook()
    book.state = users.state
    session.take(*memory.forget(session.state, -1, NOW, book.seen(session.state, NOW)))
    assert seen(book, session) == ["Fact 1.", "Fact 2.", "Fact 3."], "at once"
    assert users.receive(session) == ["memory.removed"]
    session.take(*memory.clear(session.state, None, NOW, book.seen(session.state, NOW)))
    assert users.receive(session) == ["memory.cleared"]
    assert (users.contents, outbox(session.state)) == ([], None)
    session.take(e.MemoryRemoved(at=NOW, memory=-1, reason="forgotten"))
    assert users.receive(session) == [], "it is gone already"


def test_what_was_compressed_comes_whole_or_not_at_all() -> None:
    session, users = of_user(), Users()
    for number in range(3):
        put(session, f"Fact {number}.")
    users.receive(session)
    whole = added(4, "All of it.", scope="user", replaces=[-1, -2])
    session.take(whole)
    users.take(*memory.forget(users.state, 1, NOW))
    assert users.receive(session) == []
    assert users.contents == ["Fact 1.", "Fact 2."]
    session.take(added(5, "Both.", scope="user", replaces=[-2, -3]))
    assert users.receive(session) == ["memory.cleared", "memory.added"]
    assert users.contents == ["Both."]


def test_what_replaces_something_that_is_gone_is_known_all_the_same() -> None:
    session, users = of_user(), Users()
    session.take(added(1, "News.", scope="user", replaces=[-9]))
    assert users.receive(session) == ["memory.added"]


def test_what_has_expired_does_not_arrive_and_what_is_there_goes() -> None:
    session, users = of_user(), Users()
    put(session, "Today.", expires=NOW + 1)
    users.receive(session)
    put(session, "Too late.", expires=NOW + 1)
    users.time = session.time = NOW + 2
    assert users.receive(session) == ["memory.cleared"]
    assert (users.contents, session.contents) == ([], [])


def test_the_cap_holds_there_too_and_grows_with_a_session_that_may_have_more() -> None:
    small, large, users = (
        of_user(max_memory_size=4),
        of_user("large", max_memory_size=6),
        Users(cap=4),
    )
    put(small, "Fact 1.")
    put(small, "Fact 2.", importance=0.9)
    users.receive(small)
    put(small, "Fact 3.")
    assert users.receive(small) == ["memory.removed", "memory.added"]
    assert users.contents == ["Fact 2.", "Fact 3."]
    put(large, "Fact 4.")
    assert users.receive(large) == ["config.changed", "memory.added"]
    assert users.contents == ["Fact 2.", "Fact 3.", "Fact 4."]
    put(small, "Fact 5.")
    users.receive(small)
    assert users.contents == ["Fact 2.", "Fact 4.", "Fact 5."]


def test_nothing_arrived_is_no_event() -> None:
    session = of_user()
    assert session.decide(user_memory.kept([1, -4])) == []
    assert session.decide(user_memory.forget_after_all([])) == []
    assert session.take(*user_memory.forget_after_all([-3])(session.state, NOW)) == [
        "memory.cleared"
    ]
    assert session.state.memory.gone == [-3]


def test_when_the_next_fact_of_a_user_expires() -> None:
    users = Users()
    events = [added(1, expires=NOW + 5), added(2, expires=NOW + 3), added(3)]
    assert (
        user_memory.due_after(
            users.state, [*events, e.ConfigChanged(at=NOW, version=1, changes={})]
        )
        == NOW + 3
    )
    gone = e.MemoryRemoved(at=NOW, memory=2, reason="full")
    assert user_memory.due_after(users.state, [*events, gone]) == NOW + 5
    all_gone = e.MemoryCleared(at=NOW, memories=[1], reason="full")
    assert user_memory.due_after(users.state, [*events, gone, all_gone]) is None


# -------------------------------------------------------------------------------------------------------------- what is seen


def test_a_session_sees_its_user_with_its_own_turns_only() -> None:
    one, two, users = of_user("one"), of_user("two"), Users()
    turn = one.hear("I like tea.")
    learned = memory.Fact(
        content="Likes tea.", turn=turn, conversation="c1", importance=0.9, scope="user"
    )
    plan = Plan(one.state.memory, 100, NOW)
    plan.add(learned)
    one.take(*plan.events)
    users.receive(one)
    book = UserBook()
    assert book.seen(two.state, NOW) == []
    book.state = users.state
    (own,), (foreign,) = book.seen(one.state, NOW), book.seen(two.state, NOW)
    assert (own.memory, own.turn, own.conversation) == (-1, 1, "c1")
    assert (foreign.memory, foreign.turn, foreign.conversation) == (-1, 0, "")
    assert book.seen(Table().state, NOW) == [], "it is set to keep to itself"
    assert (book.tokens, book.cap) == (3, 10_000)


def test_its_own_word_goes_before_the_users() -> None:
    session, users = of_user(), Users()
    users.take(added(1, "Paris.", key="place"), added(2, "Tea."), added(3, "Now.", expires=NOW))
    book = UserBook()
    book.state = users.state
    assert seen(book, session) == ["Paris.", "Tea."]
    put(session, "Rome.", key="place")
    assert seen(book, session) == ["Tea."]


def test_what_another_session_here_has_just_said_is_seen_before_it_has_arrived() -> None:
    one, two, users = of_user("one"), of_user("two"), Users()
    users.take(added(1, "Paris.", key="place"), added(2, "Tea."), added(3, "Cake."))
    book = UserBook()
    book.state = users.state
    book.live = {"one": one.state, "two": two.state}
    put(one, "Rome.", key="place")
    put(one, "Jazz.")
    put(one, "Now.", expires=NOW)
    one.take(*memory.forget(one.state, -2, NOW, book.seen(one.state, NOW)))
    assert seen(book, two) == ["Cake.", "Rome.", "Jazz."]
    assert [m.memory for m in book.seen(two.state, NOW)] == [-3, 0, 0]
    put(two, "Oslo.", key="place")
    assert seen(book, two) == ["Cake.", "Jazz."]
    users.receive(one)
    users.receive(two)
    assert seen(book, one) == seen(book, two) == ["Cake.", "Jazz.", "Oslo."]


def test_what_is_replaced_is_not_seen_any_more() -> None:
    session, users = of_user(), Users()
    users.take(added(1), added(2, replaces=[1]))
    book = UserBook()
    book.state = users.state
    assert book.seen(session.state, NOW)[1].replaces == [-1]
    session.take(added(1, "News.", scope="user", replaces=[-1]))
    assert seen(book, session) == ["Fact 2."]


def test_it_is_read_anew_whenever_it_is_looked_at() -> None:
    session, users = of_user(), Users()
    book = UserBook()
    book.state = users.state
    there = Elsewhere(book, session.state, session.now)
    assert (len(there), list(there)) == (0, [])
    users.take(added(1), added(2))
    assert [m.content for m in there] == ["Fact 1.", "Fact 2."]
    last = there[-1]
    assert isinstance(last, Memory)
    assert (last.content, len(there[:1])) == ("Fact 2.", 1)
