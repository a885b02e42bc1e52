"""Something that is done later, once: setting it again moves it, stopping it forgets it."""

import asyncio
from collections.abc import Callable
from typing import Any


class Timer:
    """One thing to be done later, in the running loop.

    Args:
        then: Does it. Must not raise.

    Example:
        >>> grace = Timer(park)  # doctest: +SKIP
        >>> grace.set(30.0)  # doctest: +SKIP
    """

    __slots__ = ("_args", "_handle", "_then")

    def __init__(self, then: Callable[..., None]) -> None:
        self._then = then
        self._args: tuple[Any, ...] = ()
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether it is going to be done."""
        return self._handle is not None

    def set(self, seconds: float, *args: Any) -> None:
        """Do it after so many seconds, and not when it was to be done before.

        Args:
            seconds: From now on; 0 for as soon as nothing else is under way.
            args: What it is done with.
        """
        if self._handle is not None:
            self._handle.cancel()
        self._args = args
        self._handle = asyncio.get_running_loop().call_later(seconds, self._fire)

    def stop(self) -> None:
        """Do not do it."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def hurry(self) -> None:
        """Do it now, if it is going to be done."""
        if self._handle is not None:
            self._handle.cancel()
            self._fire()

    def _fire(self) -> None:
        self._handle = None
        self._then(*self._args)
