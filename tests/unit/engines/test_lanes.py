import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tenuto.engines.lanes import Lane, Outbox, Pace
from tenuto.errors import TooMuch
from tenuto.session.ports import EngineEvent, Failed, Learned, Partial, Ready, Segment


def segment(text: str) -> Segment:
    return Segment(turn=1, text=text, last=False)


def job(done: list[int], number: int, gate: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await gate.wait()
        done.append(number)

    return run


async def finished(lane: Lane) -> None:
    while lane.busy:  # noqa: ASYNC110 -- a lane has nothing to wait for
        await asyncio.sleep(0)


async def test_jobs_are_done_in_order_and_then_nothing_is_left_running() -> None:
    done: list[int] = []
    gate, lane = asyncio.Event(), Lane(limit=8)
    for number in range(3):
        lane.put(job(done, number, gate))
    gate.set()
    await finished(lane)
    assert done == [0, 1, 2]


async def test_more_than_the_limit_is_refused() -> None:
    gate, lane = asyncio.Event(), Lane(limit=2)
    lane.put(job([], 0, gate))
    lane.put(job([], 1, gate))
    assert lane.room == 0
    with pytest.raises(TooMuch, match="More than 2"):
        lane.put(job([], 2, gate))
    await lane.close()


async def test_what_is_dropped_is_not_done_and_the_next_job_is() -> None:
    done: list[int] = []
    gate, lane = asyncio.Event(), Lane(limit=8)
    lane.put(job(done, 0, gate))
    lane.put(job(done, 1, gate))
    await asyncio.sleep(0)
    lane.drop()
    gate.set()
    lane.put(job(done, 2, gate))
    await finished(lane)
    assert done == [2]
    await lane.close()


async def test_events_are_read_in_order_and_partials_take_each_others_place() -> None:
    box = Outbox(limit=4)
    box.put_now(Ready())
    box.put_now(Partial(text="what"))
    box.put_now(Partial(text="what is"))
    box.put_now(segment("a"))
    box.put_now(Partial(text="my"))
    reader = aiter(box)
    found = [await anext(reader) for _ in range(4)]
    assert found == [Ready(), Partial(text="what is"), segment("a"), Partial(text="my")]


async def test_what_is_said_waits_for_room() -> None:
    box = Outbox(limit=1)
    await box.put(segment("a"))
    waiting = asyncio.create_task(box.put(segment("b")))
    await asyncio.sleep(0)
    assert not waiting.done()
    reader = aiter(box)
    assert await anext(reader) == segment("a")
    assert await anext(reader) == segment("b")
    await waiting


async def test_what_cannot_wait_is_refused_at_twice_the_limit() -> None:
    box = Outbox(limit=2)
    assert [box.put_now(segment(str(number))) for number in range(5)] == [True] * 4 + [False]


async def test_segments_can_be_taken_back() -> None:
    box = Outbox(limit=2)
    learned = Learned(turn=1, content="x")
    for event in (segment("a"), learned, segment("b")):
        box.put_now(event)
    box.drop_segments()
    await box.put(Ready())
    reader = aiter(box)
    assert [await anext(reader) for _ in range(2)] == [learned, Ready()]


async def test_a_closed_box_takes_nothing_and_wakes_its_reader() -> None:
    box = Outbox(limit=2)
    found: list[EngineEvent] = []

    async def read() -> None:
        found.extend([event async for event in box])

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    box.close(Failed(reason="over"))
    assert box.closed and not box.put_now(Ready())
    await reader
    assert found == [Failed(reason="over")]


async def test_a_box_that_is_closed_lets_go_of_who_waits_for_room() -> None:
    box = Outbox(limit=1)
    box.put_now(Ready())
    waiting = asyncio.create_task(box.put(Ready()))
    await asyncio.sleep(0)
    box.close(Failed(reason="over"))
    async with asyncio.timeout(1.0):
        await waiting
    assert [event async for event in box] == [Failed(reason="over")]


# ------------------------------------------------------------------------------------ pace


def do(pace: Pace, done: list[int], number: int, size: int = 1) -> None:
    if pace.takes(size):
        done.append(number)
    else:
        pace.later(lambda: done.append(number), size)


async def test_only_so_much_is_done_in_one_turn_of_the_loop() -> None:
    done: list[int] = []
    pace = Pace(most=2, limit=100)
    seen = []
    for number in range(7):
        do(pace, done, number)
    for _ in range(4):
        seen.append(len(done))
        await asyncio.sleep(0)
    assert seen == [2, 4, 6, 7]
    assert done == list(range(7))


async def test_what_comes_turn_by_turn_is_done_at_once() -> None:
    done: list[int] = []
    pace = Pace(most=2, limit=100)
    for number in range(10):
        do(pace, done, number, size=2)
        assert done == list(range(number + 1))
        await asyncio.sleep(0)


async def test_when_more_than_the_limit_waits_the_oldest_do_not_wait() -> None:
    done: list[int] = []
    pace = Pace(most=1, limit=3)
    for number in range(6):
        do(pace, done, number)
    assert done == [0, 1, 2]
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3]
    pace.close()
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3]


async def test_a_job_that_fails_does_not_keep_the_others_from_being_done() -> None:
    done: list[int] = []
    failed: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    pace = Pace(most=1, limit=100)
    assert pace.takes(1)
    pace.later(lambda: done.remove(1), 1)
    do(pace, done, 2)
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == [2] and len(failed) == 1
