"""The machine's own microphone and loudspeaker, through sounddevice. Its callbacks run in threads of PortAudio."""

import asyncio
import threading
from typing import Any

from tenuto.cli.call import Call
from tenuto.client.client import Client
from tenuto.errors import MissingExtra, Refused

RATE = 16_000
"""Hertz, both ways."""
BLOCK = 320
"""Samples that PortAudio gives and takes at a time: 20 ms."""
BUFFERED = 2 * RATE
"""Bytes that wait for the loudspeaker, at most: one second; the oldest go first."""


class NoDevice(Refused):
    """There is no microphone or loudspeaker that can be used."""

    code = "no_audio_device"


class Sound:
    """A microphone and a loudspeaker.

    Raises:
        MissingExtra: sounddevice is not installed.
        NoDevice: PortAudio is not there, or there is no device.
    """

    rate = RATE
    loudspeaker = RATE

    def __init__(self) -> None:
        self._devices = _devices()
        self._waiting = bytearray()
        self._lock = threading.Lock()

    def play(self, pcm: bytes, rate: int) -> None:
        """Queue what comes next for the loudspeaker."""
        with self._lock:
            self._waiting += pcm
            del self._waiting[: max(0, len(self._waiting) - BUFFERED)]

    async def speak(self, call: Call, client: Client) -> None:
        loop = asyncio.get_running_loop()

        def heard(data: Any, frames: int, when: Any, status: Any) -> None:
            loop.call_soon_threadsafe(client.hear, bytes(data))

        def wanted(data: Any, frames: int, when: Any, status: Any) -> None:
            with self._lock:
                ready = bytes(self._waiting[: len(data)])
                del self._waiting[: len(data)]
            data[:] = ready.ljust(len(data), b"\0")

        form: dict[str, Any] = {
            "samplerate": RATE,
            "blocksize": BLOCK,
            "channels": 1,
            "dtype": "int16",
        }
        try:
            with (
                self._devices.RawOutputStream(callback=wanted, **form),
                self._devices.RawInputStream(callback=heard, **form),
            ):
                await asyncio.Event().wait()
        except self._devices.PortAudioError as error:
            raise NoDevice(f"The microphone or the loudspeaker cannot be used: {error}") from None


def _devices() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise MissingExtra("microphone", "Talking with this machine's microphone") from None
    except OSError:
        raise NoDevice(
            "PortAudio is not there. On Debian and Ubuntu: apt-get install libportaudio2. "
            "Or say a file: tenuto talk --wav IN.wav --out OUT.wav"
        ) from None
    try:
        sounddevice.query_devices(kind="input")
        sounddevice.query_devices(kind="output")
    except (ValueError, sounddevice.PortAudioError):
        raise NoDevice(
            "This machine has no microphone or no loudspeaker. "
            "Say a file: tenuto talk --wav IN.wav --out OUT.wav"
        ) from None
    return sounddevice
