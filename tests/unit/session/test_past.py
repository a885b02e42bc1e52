"""The messages that contexts want and the state does not keep: read once, then kept up to date."""

import asyncio
from collections.abc import Sequence

import pytest

from tenuto import events as e
from tenuto.errors import StoreUnavailable
from tenuto.session import past as past_module
from tenuto.session.past import Past
from tenuto.session.ports import Context, Older


def added(number: int, conversation: str = "c", text: str = "x") -> e.MessageAdded:
    return e.MessageAdded(
        at=1.0, message=number, role="user", text=text, turn=1, conversation=conversation
    )


class Journal:
    """Messages at every tenth position, read in pages."""

    def __init__(self, *messages: e.MessageAdded) -> None:
        self.messages = list(messages)
        self.reads: list[int | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    async def read(self, before: int | None, limit: int) -> Sequence[tuple[int, e.Event]]:
        self.reads.append(before)
        found = [
            (m.message * 10, m)
            for m in reversed(self.messages)
            if before is None or m.message * 10 < before
        ][:limit]
        await self.gate.wait()
        if self.fails:
            raise StoreUnavailable
        return found


def wants(before: int, **more: object) -> Older:
    return Older(line=(("c", 0),), before=before, **more)  # type: ignore[arg-type]


def told(past: Past, older: Older | None) -> list[int]:
    context = Context(
        instructions="", messages=(), memories=(), alarms=(), conversation="c", now=1.0, older=older
    )
    return [m.message for m in past.complete(context).messages]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_module, "PAGE", 4)
    monkeypatch.setattr(past_module, "MOST", 12)


async def test_what_is_wanted_is_read_once() -> None:
    journal = Journal(*(added(n) for n in range(1, 10)))
    past = Past(journal.read)
    assert past.covers(None)
    await past.read(None)
    older = wants(8, count=2)
    assert not past.covers(older)
    assert told(past, older) == [], "it goes on without"
    await past.read(older)
    assert told(past, older) == [6, 7]
    await past.read(older)
    assert journal.reads == [None], "one page was enough"


async def test_more_is_read_in_pages_until_there_is_enough_or_nothing_left() -> None:
    journal = Journal(*(added(n) for n in range(1, 10)))
    past = Past(journal.read)
    await past.read(wants(8, count=5))
    assert journal.reads == [None, 60]
    assert told(past, wants(8, count=5)) == [3, 4, 5, 6, 7]
    await past.read(wants(8))
    assert journal.reads[2:] == [None, 60, 20]
    assert told(past, wants(8)) == [1, 2, 3, 4, 5, 6, 7]
    assert past.covers(wants(9)) and past.covers(wants(2, count=50)), "there is nothing else"


async def test_tokens_are_counted_before_the_window_only() -> None:
    journal = Journal(*(added(n, text="one two") for n in range(1, 10)))
    past = Past(journal.read)
    older = wants(8, tokens=3)
    await past.read(older)
    assert told(past, older) == [7]
    assert past.covers(older) and not past.covers(wants(8, tokens=30))


async def test_messages_of_others_are_passed_over() -> None:
    messages = [added(n, "cd"[n % 2]) for n in range(1, 10)]
    past = Past(Journal(*messages, added(10, "c")).read)
    line = Older(line=(("d", 0), ("c", 4)), before=9)
    await past.read(line)
    assert told(past, line) == [1, 2, 3, 4, 5, 7]


async def test_a_journal_without_messages_has_none() -> None:
    past = Past(Journal().read)
    await past.read(wants(8))
    assert past.covers(wants(8)) and told(past, wants(8)) == []


async def test_events_that_are_no_messages_are_passed_over() -> None:
    async def read(before: int | None, limit: int) -> Sequence[tuple[int, e.Event]]:
        return [(20, e.Unknown(at=1.0, kind="later")), (10, added(1))]

    past = Past(read)
    await past.read(wants(8))
    assert told(past, wants(8)) == [1]


async def test_earlier_conversations_count_where_they_may() -> None:
    messages = [added(1, "a"), added(2, "b"), added(3, "c")]
    past = Past(Journal(*messages).read)
    older = wants(9, earlier=True, apart=("b",))
    await past.read(older)
    assert told(past, older) == [1, 3]
    assert not past.covers(wants(9)), "that is another question"
    assert told(past, wants(9)) == []


async def test_what_is_added_is_noted() -> None:
    journal = Journal(added(1))
    past = Past(journal.read)
    past.note(added(1))
    await past.read(wants(2))
    past.note(added(2))
    past.note(added(3, "d"))
    assert told(past, wants(9)) == [1, 2]
    assert journal.reads == [None]


async def test_what_is_added_while_it_is_read_is_there_once() -> None:
    journal = Journal(added(1), added(2))
    past = Past(journal.read)
    journal.gate.clear()
    reading = [asyncio.create_task(past.read(wants(9))) for _ in range(2)]
    await asyncio.sleep(0)
    for late in (added(2), added(3), added(4, "d")):
        past.note(late)
    journal.gate.set()
    await asyncio.gather(*reading)
    assert told(past, wants(9)) == [1, 2, 3]


async def test_so_many_messages_are_read_and_kept_and_no_more() -> None:
    journal = Journal(*(added(n) for n in range(1, 30)))
    past = Past(journal.read)
    await past.read(wants(29))
    assert journal.reads == [None, 260, 220]
    assert told(past, wants(99)) == list(range(18, 30))
    past.note(added(30))
    assert told(past, wants(99)) == list(range(19, 31))
    assert past.covers(wants(19))


async def test_a_full_shelf_has_forgotten_what_was_before() -> None:
    past = Past(Journal(*(added(n) for n in range(1, 5))).read)
    await past.read(wants(5, count=4))
    for number in range(5, 30):
        past.note(added(number))
    assert told(past, wants(99)) == list(range(18, 30))


async def test_an_error_leaves_what_was_there() -> None:
    journal = Journal(*(added(n) for n in range(1, 10)))
    past = Past(journal.read)
    await past.read(wants(8, count=2))
    journal.fails = True
    with pytest.raises(StoreUnavailable):
        await past.read(wants(8))
    assert told(past, wants(8, count=2)) == [6, 7]


def test_a_context_that_lacks_nothing_stays_as_it_is() -> None:
    assert told(Past(Journal().read), None) == []
