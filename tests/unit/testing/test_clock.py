import asyncio
import random
import threading
import time

import pytest

from tenuto.clock import Clock
from tenuto.testing.clock import (
    EPOCH,
    Deadlock,
    Livelock,
    VirtualClock,
    VirtualLoop,
    external,
    outside,
    run,
)


class Worker:
    """A thread that answers after a real moment, as the SQLite writer does."""

    def ping(self) -> str:
        return "pong"

    async def ask(self, real_seconds: float) -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def work() -> None:
            time.sleep(real_seconds)
            loop.call_soon_threadsafe(answer.set_result, "done")

        threading.Thread(target=work).start()
        return await answer


def test_time_jumps_to_the_next_timer() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        seen: list[float] = []

        async def nap(seconds: float) -> None:
            await asyncio.sleep(seconds)
            seen.append(loop.time())

        await asyncio.gather(nap(30.0), nap(0.25), nap(3600.0))
        return seen

    began = time.monotonic()
    assert run(main()) == pytest.approx([0.25, 30.0, 3600.0])
    assert time.monotonic() - began < 5.0


def test_a_clock_shows_the_loops_time() -> None:
    async def main() -> tuple[float, float]:
        clock: Clock = VirtualClock()
        await asyncio.sleep(1.5)
        return clock.now(), clock.monotonic()

    assert run(main()) == (EPOCH + 1.5, 1.5)


def test_a_clock_can_be_read_in_another_thread() -> None:
    async def main() -> float:
        clock = VirtualClock()
        await asyncio.sleep(2.0)
        return await asyncio.to_thread(clock.now)

    assert run(main()) == EPOCH + 2.0


def test_timeouts_work() -> None:
    async def main() -> None:
        async with asyncio.timeout(10.0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(main())


def test_a_deadlock_is_named_with_the_stacks() -> None:
    async def waits_for_godot() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="waits_for_godot"):
        run(waits_for_godot())


def test_a_heartbeat_does_not_hide_a_deadlock() -> None:
    async def main() -> None:
        async def beat() -> None:
            while True:  # noqa: ASYNC110 -- it is what is tested
                await asyncio.sleep(5.0)

        async with asyncio.TaskGroup() as group:
            group.create_task(beat())
            await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="limit"):
        run(main(), limit=600.0)


def test_a_livelock_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 -- it is what is tested
            await asyncio.sleep(0)

    monkeypatch.setattr("tenuto.testing.clock.SPINS", 100)
    with pytest.raises(Livelock):
        run(main())


def test_time_stands_still_for_a_thread_of_the_executor() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(5.0, lambda: None)
        await asyncio.to_thread(time.sleep, 0.01)
        return asyncio.get_running_loop().time()

    assert run(main()) == 0.0


def test_time_stands_still_for_an_external_object() -> None:
    async def main() -> tuple[str, float]:
        worker = external(Worker())
        asyncio.get_running_loop().call_later(5.0, lambda: None)
        assert worker.ping() == "pong"
        return await worker.ask(0.01), asyncio.get_running_loop().time()

    assert run(main()) == ("done", 0.0)


def test_control_without_counting_time_runs_away() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(5.0, lambda: None)
        await Worker().ask(0.05)
        return asyncio.get_running_loop().time()

    assert run(main()) == 5.0


def test_outside_work_that_never_ends_is_a_deadlock() -> None:
    async def main() -> None:
        with outside():
            await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="Outside work"):
        run(main(), patience=0.01)


def test_outside_and_external_do_nothing_in_real_time() -> None:
    async def main() -> str:
        with outside():
            return await external(Worker()).ask(0.0)

    assert asyncio.run(main()) == "done"


def test_a_seed_gives_the_same_run_and_is_put_back() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return random.random(), loop.random.random()

    random.seed(99)
    before = random.getstate()
    assert run(main(), seed=7) == run(main(), seed=7) != run(main(), seed=8)
    assert random.getstate() == before


def test_a_timer_is_never_early() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        early = 0

        def fire(due: float) -> None:
            nonlocal early
            early += loop.time() < due

        for n in range(1, 500):
            due = loop.time() + n * 0.1 + 1e-17 * n
            loop.call_at(due, fire, due)
            await asyncio.sleep(0.017 * n)
        await asyncio.sleep(100.0)
        return early

    assert run(main()) == 0


def test_a_task_that_waits_for_the_clock_to_move_gets_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + 1e-7
        while loop.time() < due:  # noqa: ASYNC110 -- it is what is tested
            await asyncio.sleep(0)

    run(main())


def test_many_timers_of_one_instant_all_fire() -> None:
    async def main() -> int:
        fired: list[int] = []
        for _ in range(1000):
            asyncio.get_running_loop().call_later(0.1 + 0.2, fired.append, 1)
        await asyncio.sleep(0.1 + 0.2)
        await asyncio.sleep(0)
        return len(fired)

    assert run(main()) == 1000
