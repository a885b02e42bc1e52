"""Gives back at once what it hears. It measures the way and the house, not an engine.

It answers no turns (`Capabilities.answers` is False). Whoever asks it all the same gets the text
back as one segment, and a segment to be spoken has no audio, so that nothing waits for ever.
"""

from collections.abc import AsyncIterator

from tenuto.engines.lanes import Outbox
from tenuto.session.ports import (
    Ask,
    AudioOut,
    Cancel,
    Capabilities,
    Configure,
    Configured,
    Context,
    EngineEvent,
    Ready,
    Request,
    Ring,
    Segment,
    Speak,
)

_CAPABILITIES = Capabilities(name="echo", answers=False)


class EchoEngine:
    """An `Engine` of `session.ports` that relays each frame as it comes, at the rate at which it
    comes.
    """

    capabilities = _CAPABILITIES

    def __init__(self) -> None:
        self._outbox = Outbox(limit=16)
        self._audio: AudioOut | None = None

    async def open(self, context: Context, rate: int, audio: AudioOut) -> None:
        """Begin. It cannot fail."""
        self._audio = audio
        self._outbox.put_now(Ready())

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Send the frame back."""
        if self._audio is not None:
            self._audio.relay(pcm)

    def send(self, request: Request) -> None:
        """Take a request, and do the least that lets nobody wait."""
        match request:
            case Ask(turn=turn, text=text, spoken=spoken):
                self._outbox.put_now(Segment(turn=turn, text="" if spoken else text, last=True))
            case Ring(turn=turn, alarm=alarm):
                self._outbox.put_now(Segment(turn=turn, text=alarm.text, last=True))
            case Speak(reply=reply, index=index) if self._audio is not None:
                self._audio.play(reply, index, b"", True)
            case Configure(context=context):
                self._outbox.put_now(Configured(version=context.version))
            case Cancel():
                self._outbox.drop_segments()

    def __aiter__(self) -> AsyncIterator[EngineEvent]:
        return aiter(self._outbox)

    async def close(self) -> None:
        """End the iteration. Safe to call twice."""
        self._audio = None
        self._outbox.close()
