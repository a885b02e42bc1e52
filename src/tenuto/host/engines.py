"""The engines that a host can give its sessions, by name."""

from typing import TYPE_CHECKING

from tenuto.errors import InvalidConfig
from tenuto.session import ports
from tenuto.settings import ENGINES, TenutoConfig

if TYPE_CHECKING:
    from tenuto.engines.local.brain.brain import Brain
    from tenuto.engines.local.build import LocalParts


class BuiltInEngines:
    """The `Engines` that come with Tenuto. Parts that all links share are started once.

    Args:
        config: `engine` says which, `listeners` how many utterances are recognised at once.

    Raises:
        InvalidConfig: There is no engine of that name.
    """

    def __init__(self, config: TenutoConfig) -> None:
        if config.engine not in ENGINES:
            raise InvalidConfig(
                f"There is no engine {config.engine!r}. There are: {', '.join(ENGINES)}."
            )
        self._name, self._listeners = config.engine, config.listeners
        self._brain: Brain | None = None
        self._parts: LocalParts | None = None

    @property
    def capabilities(self) -> ports.Capabilities:
        """What the engines can do. Known without starting them."""
        if self._name == "echo":
            return ports.Capabilities(name="echo", answers=False)
        if self._name == "text":
            return ports.Capabilities(name="text", listens=False)
        return ports.Capabilities(name="local", hears=16_000, speaks=22_050, continues=True)

    def make(self, voice: bool) -> ports.Engine:
        """Return a new engine for one link.

        Args:
            voice: Whether it has to hear and speak. Reading and writing needs nothing to be loaded.

        Raises:
            MissingExtra: The local engine's voice is not installed.
        """
        if self._name == "echo":
            from tenuto.engines.echo import EchoEngine

            return EchoEngine()
        if self._brain is None:
            from tenuto.engines.local.brain.brain import Brain

            self._brain = Brain()
        if voice and self._name == "local":
            return self._local().engine()
        from tenuto.engines.local.build import text_engine

        return text_engine(self._brain)

    async def start(self) -> None:
        """Load what is slow to load, so that the first voice does not wait for it.

        Raises:
            MissingExtra: The local engine's voice is not installed.
            EngineError: It cannot be loaded.
        """
        if self._name == "local":
            self.make(voice=True)
            await self._local().start()

    async def close(self) -> None:
        """Stop what all links share."""
        if self._parts is not None:
            await self._parts.close()

    def _local(self) -> "LocalParts":
        if self._parts is None:
            from tenuto.engines.local.build import LocalParts

            assert self._brain is not None
            self._parts = LocalParts(self._brain, self._listeners)
        return self._parts
