"""Speaks one piece of text with espeak-ng. Run by `forked`; see `speaker` for the host's side.

espeak-ng is a library with one global state that lives on from text to text, and the audio depends
on it. A child that is forked from the state after loading always makes the same audio of the same
text, in this process, in the next one, and on another host of the same kind: a reply can be gone on
with where it was cut.

    in   S  words a minute, in digits; may be left out
         T  the text, UTF-8
    out  A  audio, 16-bit PCM of `rate` Hz
         E  that was all of it
"""

import ctypes
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenuto.engines.local.forked import Pipe, Work

SYNCHRONOUS = 2
"""The audio is given to a callback, in the thread that asked."""
DO_NOT_EXIT = 0x8000
"""Tell of a failure instead of ending the process."""
UTF8 = 1
END_PAUSE = 0x1000
"""Add the silence that follows a sentence, since another one may follow."""
SPEED = 1
"""The parameter that is the words a minute."""
BY_CHARACTER = 1
BUFFER = 60
"""Milliseconds of audio that a callback is given."""

Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def load(setup: bytes) -> "Work":
    """Load the library and the voice. `setup` is JSON: `voice`, and the `rate` that is expected, in
    Hz.
    """
    import espeakng_loader

    settings = json.loads(setup)
    data = Path(espeakng_loader.get_data_path())
    # The library ends the process when the path of its data has 160 characters or more: from here
    # the path is short.
    os.chdir(data.parent)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(SYNCHRONOUS, BUFFER, b".", DO_NOT_EXIT)
    if rate != settings["rate"] or library.espeak_SetVoiceByName(settings["voice"].encode()):
        raise RuntimeError(
            f"espeak-ng has no voice {settings['voice']} of {settings['rate']} Hz ({rate})"
        )

    def work(pipe: "Pipe") -> None:
        kind, text = pipe.receive()
        if kind == b"S":
            library.espeak_SetParameter(SPEED, int(text), 0)
            _, text = pipe.receive()
        speak(library, text, pipe)

    return work


def speak(library: Any, text: bytes, pipe: "Pipe") -> None:
    """Send the audio of a text, as it is made."""
    failed: list[OSError] = []

    def take(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            try:
                pipe.send(b"A", ctypes.string_at(samples, 2 * count))
            except OSError as error:
                # The host has let go of this text: returning 1 stops the synthesis.
                failed.append(error)
                return 1
        return 0

    callback = Callback(take)
    library.espeak_SetSynthCallback(callback)
    text += b"\0"
    if library.espeak_Synth(text, len(text), 0, BY_CHARACTER, 0, UTF8 | END_PAUSE, None, None):
        raise RuntimeError("espeak-ng did not take the text")
    if not failed:
        pipe.send(b"E")
