"""Several things at once, none of which strands the others: all are done, then what failed is raised."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any


async def all_of(jobs: Iterable[Awaitable[Any]], what: str) -> None:
    """Wait for all of them, also when some fail.

    Args:
        jobs: What to wait for. They run side by side.
        what: What failed, for the message when more than one did.

    Raises:
        Exception: What the one that failed raised.
        ExceptionGroup: More than one failed: what each of them raised.
    """
    results = await asyncio.gather(*jobs, return_exceptions=True)
    errors = [result for result in results if isinstance(result, Exception)]
    if len(errors) > 1:
        raise ExceptionGroup(what, errors)
    for result in results:
        if isinstance(result, BaseException):
            raise result
