"""A provider far away, whose links are dropped: it tells late what it hears, and a link takes along what it has not told."""

import asyncio
from collections.abc import AsyncIterator

from tenuto.session import ports
from tenuto.testing.engine import ScriptedEngine
from tests.acceptance.conversation import SlowEngine, Talk

ANNOUNCED = 0.05
"""Seconds from the beginning of speech until the provider says so."""
UNDERSTOOD = 0.3
"""Seconds from the end of speech until the provider says what was said."""


class FarEngine(SlowEngine):
    """One that tells late, and takes along what it has not told when it is dropped."""

    def __init__(self, talk: "FarTalk") -> None:
        super().__init__(talk)
        self._talk, self._dropped = talk, asyncio.Event()

    def drop(self) -> None:
        """Lose the link now."""
        self._dropped.set()
        self.fail("dropped")

    async def __aiter__(self) -> AsyncIterator[ports.EngineEvent]:
        async for event in super().__aiter__():
            match event:
                case ports.SpeechBegan():
                    await self._wait(ANNOUNCED)
                case ports.SpeechFinished():
                    await self._wait(UNDERSTOOD)
                case _:
                    pass
            self._talk.telling = event
            self._talk.reached("told")
            if not self._dropped.is_set() or isinstance(event, ports.Failed):
                yield event

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._dropped.wait()
        except TimeoutError:
            return


class FarTalk(Talk):
    """What is said, on links that are dropped only while no reply is spoken."""

    def __init__(self) -> None:
        super().__init__()
        self.speaks = False
        """Whether a reply is open."""
        self.drops = 0
        """Links that were dropped."""
        self.telling: ports.EngineEvent | None = None
        """What a link is about to tell when `reached` is called with `told`."""

    def make(self, voice: bool = True) -> ScriptedEngine:
        engine = FarEngine(self)
        self.links.append(engine)
        return engine

    def drop(self) -> None:
        for engine in self.links[-1:]:
            if isinstance(engine, FarEngine) and not self.speaks:
                self.drops += 1
                engine.drop()
