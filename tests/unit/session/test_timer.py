"""Something that is done later, once."""

import asyncio

import pytest

from tenuto.session.timer import Timer

pytestmark = pytest.mark.virtual


async def test_it_is_done_once_after_so_many_seconds() -> None:
    done: list[int] = []
    timer = Timer(done.append)
    assert (done, timer.is_set) == ([], False)
    timer.set(2.0, 7)
    await asyncio.sleep(1.9)
    assert (done, timer.is_set) == ([], True)
    await asyncio.sleep(9.0)
    assert (done, timer.is_set) == ([7], False)


async def test_setting_it_again_moves_it() -> None:
    done: list[int] = []
    timer = Timer(done.append)
    timer.set(2.0, 1)
    await asyncio.sleep(1.0)
    timer.set(2.0, 2)
    await asyncio.sleep(1.5)
    assert done == []
    await asyncio.sleep(1.0)
    assert done == [2]


async def test_what_is_stopped_is_not_done() -> None:
    done: list[int] = []
    timer = Timer(done.append)
    timer.stop()
    timer.set(2.0, 1)
    timer.stop()
    await asyncio.sleep(9.0)
    assert (done, timer.is_set) == ([], False)


async def test_what_is_hurried_is_done_now_and_not_again() -> None:
    done: list[int] = []
    timer = Timer(done.append)
    timer.hurry()
    assert done == [], "it was not going to be done"
    timer.set(2.0, 1)
    timer.hurry()
    await asyncio.sleep(9.0)
    assert (done, timer.is_set) == ([1], False)


async def test_what_it_does_may_set_it_again() -> None:
    done: list[float] = []

    def again() -> None:
        done.append(asyncio.get_running_loop().time())
        if len(done) < 3:
            timer.set(1.0)

    timer = Timer(again)
    timer.set(1.0)
    await asyncio.sleep(9.0)
    assert [round(at - done[0]) for at in done] == [0, 1, 2]
