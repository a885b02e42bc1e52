"""Recordings of somebody who speaks, made by the product's own speaker: the same text is always the same recording.

@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return Speech(tmp_path_factory.mktemp("speech"))

def test_something(speech: Speech) -> None:
    path = speech.wav("my name is alice", "what is my name")
"""

import asyncio
import hashlib
from pathlib import Path

from tenuto.audio.format import Clip, read_wav, silence, write_wav
from tenuto.audio.resample import resample
from tenuto.engines.local.speaker import LocalSpeaker

VOICE = "en-us"

PAUSE = 1.2
"""Seconds of silence after each sentence: more than an utterance takes to end."""


class Speech:
    """Makes WAV files, and keeps them in a folder.

    Args:
        folder: Where they are kept.
        rate: Hertz of the recordings.
    """

    def __init__(self, folder: Path, rate: int = 16_000) -> None:
        self.folder, self.rate = folder, rate

    def wav(self, *said: str, pause: float = PAUSE, before: float = 0.3) -> Path:
        """Return a recording of sentences.

        Args:
            said: The sentences.
            pause: Seconds of silence after each of them.
            before: Seconds of silence before the first one.
        """
        name = hashlib.sha256(repr((said, pause, before, self.rate)).encode()).hexdigest()[:16]
        path = self.folder / f"{name}.wav"
        if not path.exists():
            pcm = silence(before, self.rate)
            for sentence in self._spoken(said):
                pcm += sentence + silence(pause, self.rate)
            write_wav(path, Clip(rate=self.rate, pcm=pcm))
        return path

    def pcm(self, *said: str, pause: float = PAUSE, before: float = 0.3) -> bytes:
        """Return the samples of such a recording."""
        return read_wav(self.wav(*said, pause=pause, before=before)).pcm

    def _spoken(self, said: tuple[str, ...]) -> list[bytes]:
        async def speak() -> list[bytes]:
            speaker = LocalSpeaker(VOICE)
            try:
                await speaker.open()
                return [b"".join([c async for c in speaker.speak(text)]) for text in said]
            finally:
                await speaker.close()

        spoken = asyncio.run(speak())
        return [resample(pcm, LocalSpeaker.rate, self.rate) for pcm in spoken]
