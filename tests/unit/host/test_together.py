"""Several things at once: all are done, then what failed is raised."""

import asyncio

import pytest

from tenuto.host.together import all_of

pytestmark = pytest.mark.virtual

done: list[str] = []


async def job(name: str, error: BaseException | None = None) -> None:
    await asyncio.sleep(1)
    done.append(name)
    if error is not None:
        raise error


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


async def test_all_are_done() -> None:
    await all_of([], "None failed.")
    await all_of([job("a"), job("b")], "None failed.")
    assert done == ["a", "b"]


async def test_one_that_fails_is_raised_as_itself_after_all() -> None:
    with pytest.raises(ZeroDivisionError):
        await all_of([job("a", ZeroDivisionError()), job("b")], "Some failed.")
    assert done == ["a", "b"]


async def test_several_that_fail_are_raised_together() -> None:
    with pytest.raises(ExceptionGroup, match="Some failed") as failed:
        await all_of([job("a", KeyError()), job("b"), job("c", ValueError())], "Some failed.")
    assert [type(error) for error in failed.value.exceptions] == [KeyError, ValueError]


async def test_a_cancelled_one_is_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await all_of([job("a", asyncio.CancelledError()), job("b")], "Some failed.")
    assert done == ["a", "b"]
