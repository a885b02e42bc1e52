"""The link to one engine: one task that reads it, and what is asked of it, in order.

A link is never used again: when it is lost, the next one is another object, and what this one still says is nobody's.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from tenuto.errors import TenutoError
from tenuto.session import ports
from tenuto.session.microphone import Microphone
from tenuto.session.past import Past

log = logging.getLogger("tenuto.session")

CLOSE_SECONDS = 2.0
"""Seconds that an engine may take to close."""

_WITH_CONTEXT = (ports.Ask, ports.Ring, ports.Configure)


class Owner(Protocol):
    """What a link needs of its session."""

    microphone: Microphone

    def accepted(self, link: "EngineLink") -> None:
        """The engine has taken the context that it was opened with."""
        ...

    def from_engine(self, link: "EngineLink", event: ports.EngineEvent) -> None:
        """Take what the engine says. The last thing is that it has failed."""
        ...


class EngineLink:
    """One engine and the task that reads it.

    Requests are sent in their order. One whose context lacks messages that have to be read first holds up those after it,
    and nothing else.

    Args:
        number: 1, 2, 3 ... within the session.
        engine: What it is the link to.
        past: Has the messages that a context lacks.
        owner: The session.
    """

    def __init__(self, number: int, engine: ports.Engine, past: Past, owner: Owner) -> None:
        self.number, self.engine = number, engine
        self._past, self._owner = past, owner
        self._task: asyncio.Task[None] | None = None
        self._is_ready = False
        self._is_broken = False
        self._reading: asyncio.Task[None] | None = None
        self._waiting: list[ports.Request] = []

    @property
    def hears(self) -> int:
        """Hertz of the audio that the engine is given."""
        return self.engine.capabilities.hears or self._owner.microphone.rate or 16_000

    # -------------------------------------------------------------------------------------------------------- what is asked

    def send(self, request: ports.Request) -> None:
        """Send now, or as soon as the link is ready: at most one answer's worth waits, and the newest settings."""
        if isinstance(request, ports.Cancel):
            self._forget(lambda waits: not isinstance(waits, ports.Configure | ports.Finish))
            if self._is_ready:
                self._give(request)
            return
        if isinstance(request, ports.Configure):
            self._forget(lambda waits: isinstance(waits, ports.Configure))
        self._waiting.append(request)
        self._flush()

    def _forget(self, which: Callable[[ports.Request], bool]) -> None:
        self._waiting = [waits for waits in self._waiting if not which(waits)]

    def ready(self) -> None:
        """The engine is ready: send what waited."""
        self._is_ready = True
        self._flush()

    def lose(self) -> None:
        """Send nothing any more: what is still asked of it is asked of the next one too."""
        self._is_ready = False

    def broke(self) -> None:
        """The engine has raised where it may not: the link has failed, which is told after what is going on now."""
        if not self._is_broken:
            self._is_broken = True
            log.exception("engine %s failed", self.engine.capabilities.name)
            self.lose()
            failed = ports.Failed(reason="error")
            asyncio.get_running_loop().call_soon(self._owner.from_engine, self, failed)
            assert self._task is not None
            self._task.cancel()

    def _flush(self) -> None:
        """Send what waits, up to the first request that something has to be read for."""
        while self._waiting and self._is_ready and self._reading is None:
            request = self._waiting[0]
            if isinstance(request, _WITH_CONTEXT) and not self._past.covers(request.context.older):
                self._reading = asyncio.ensure_future(self._read_for(request.context))
            else:
                self._send_first()

    def _send_first(self) -> None:
        request = self._waiting.pop(0)
        if isinstance(request, _WITH_CONTEXT) and request.context.older is not None:
            whole = self._past.complete(request.context)
            request = msgspec.structs.replace(request, context=whole)
        self._give(request)

    def _give(self, request: ports.Request) -> None:
        try:
            self.engine.send(request)
        except Exception:  # noqa: BLE001 -- an engine's bug must not take along whoever asks
            self.broke()

    async def _read_for(self, context: ports.Context) -> None:
        read = await self._read(context)
        self._reading = None
        if not read and self._waiting:
            self._send_first()
        self._flush()

    async def _read(self, context: ports.Context) -> bool:
        """Read the messages that a context wants and the state does not keep. False when the store does not answer."""
        try:
            await self._past.read(context.older)
        except Exception as error:  # noqa: BLE001 -- whatever a store raises: an answer without it is better than none
            log.warning("link %d goes by less history: %s", self.number, type(error).__name__)
            return False
        return True

    # ------------------------------------------------------------------------------------------------------------- its task

    def start(
        self, group: asyncio.TaskGroup, context: ports.Context, audio: ports.AudioOut
    ) -> None:
        """Open the engine, and take what it says until it has failed or `close`.

        Args:
            group: Owns the task that does it.
            context: What the engine goes by; nothing of it is answered.
            audio: Where it puts what it speaks.
        """
        self._task = group.create_task(self._run(context, audio))

    async def close(self) -> None:
        """Close the engine, and wait until it is closed: a little more than `CLOSE_SECONDS` at most."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS + 1.0)

    async def _run(self, context: ports.Context, audio: ports.AudioOut) -> None:
        engine, owner = self.engine, self._owner
        try:
            await self._read(context)
            await engine.open(self._past.complete(context), self.hears, audio)
            owner.accepted(self)
            async for event in engine:
                owner.from_engine(self, event)
            owner.from_engine(self, ports.Failed(reason="closed"))
        except TenutoError as error:
            owner.from_engine(self, ports.Failed(reason=error.code))
        except Exception:
            # An engine's bug must not take the session along.
            log.exception("engine %s failed", engine.capabilities.name)
            owner.from_engine(self, ports.Failed(reason="error"))
        finally:
            if self._reading is not None:
                self._reading.cancel()
            try:
                await asyncio.wait_for(engine.close(), CLOSE_SECONDS)
            except Exception as error:  # noqa: BLE001 -- an engine's bug must not take the session along
                name = engine.capabilities.name
                log.warning("engine %s did not close: %s", name, type(error).__name__)
