"""Runs `async def` tests: on asyncio's own loop, or in virtual time when marked `virtual`.

After each of them no task may be left, and nothing may have failed unseen in the loop.
"""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tenuto.testing.clock import run

TURNS = 10
"""Rounds of the loop that cancelled tasks get to finish before they count as left behind."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual(seed=None, limit=86400): run in virtual time.")
    config.addinivalue_line("markers", "leaves_tasks: tasks may be left when the test ends.")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    test: Any = pyfuncitem.obj
    if (inner := getattr(test, "hypothesis", None)) is not None:
        if inspect.iscoroutinefunction(inner.inner_test):
            inner.inner_test = _synchronous(pyfuncitem, inner.inner_test)
    elif inspect.iscoroutinefunction(test):
        pyfuncitem.obj = _synchronous(pyfuncitem, test)
    return (yield)


def _synchronous(
    item: pytest.Function, test: Callable[..., Coroutine[Any, Any, None]]
) -> Callable[..., None]:
    virtual = item.get_closest_marker("virtual")
    check = item.get_closest_marker("leaves_tasks") is None

    @functools.wraps(test)
    def synchronous(*args: Any, **kwargs: Any) -> None:
        coroutine = _watched(test(*args, **kwargs), check)
        if virtual is not None:
            run(coroutine, **virtual.kwargs)
        else:
            asyncio.run(coroutine)

    return synchronous


async def _watched(test: Coroutine[Any, Any, None], check: bool) -> None:
    failures: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    await test
    if not check:
        return
    for _ in range(TURNS):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            break
        await asyncio.sleep(0)
    assert not left, f"tasks left behind: {sorted(map(repr, left))}"
    if failures:
        raise AssertionError(f"failed in the loop: {failures}") from failures[0].get("exception")
