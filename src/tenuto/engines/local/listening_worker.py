"""Recognises speech, one utterance a process. Run by `forked`; see `listener` for the host's side.

Two decoders hear the same audio: one knows any word, the other only what the brain understands. The
second one always finds something, so it is believed only when it sounds like what the first one
heard: when their phones are at least `ALIKE` alike.

    in   W  settings, JSON: `words` that the session knows, `cmn` of the last utterance
         A  audio, 16-bit PCM of 16,000 Hz
         E  the end
    out  P  what was understood so far
         T  the outcome, JSON: `text`, and `cmn` for the next utterance
"""

import json
import math
from array import array
from collections.abc import Sequence
from difflib import SequenceMatcher
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenuto.engines.local.forked import Pipe, Work

ALIKE = 0.55
"""How much the phones of the two outcomes have in common, 0 to 1, for the grammar to be
believed."""

PARTIALS = 6_400
"""Bytes of audio between two partial transcripts: 0.2 s."""

CMN = "52.6,-3.3,-5,13.3,-4,-0.9,-4.4,-12.6,-1.1,-6.3,3,-1.6,-4.5"
"""The mean spectrum that a session's first utterance is expected to have: that of a clear voice, near the microphone."""

BLOCK = 320
"""Samples in which the loudness is measured: 20 ms."""
SILENT = 300.0
"""How many times the loudest block is louder than one that no room could have made."""
FLOOR = 0.025
"""The noise that is laid under such audio, as a share of the loudest block: 32 dB below it."""

AGAIN = 2 * 16_000 * 8
"""Bytes of a session's first utterance that are recognised a second time, at most: 8 s."""

WORDS = 50
"""Words of the session that the grammar takes in, at most."""


def load(setup: bytes) -> "Work":
    """Load both decoders. `setup` is the grammar."""
    from pocketsphinx import Decoder

    grammar = setup.decode()
    # `batch` is for what is given as a whole; audio that comes piece by piece is followed all the same.
    open_one = Decoder(
        samprate=16_000, fwdflat=False, maxhmmpf=5_000, cmn="batch", loglevel="FATAL"
    )
    strict_one = Decoder(samprate=16_000, lm=None, cmn="batch", loglevel="FATAL")
    strict_one.add_jsgf_string("phrases", complete(grammar, ()))
    strict_one.activate_search("phrases")

    random = Random(1)
    noise = [random.gauss(0.0, 1.0) for _ in range(2 * 16_000)]

    def work(pipe: "Pipe") -> None:
        Recognition(open_one, strict_one, grammar, Floor(noise)).run(pipe)

    return work


class Floor:
    """Gives audio whose pauses are perfectly silent, made by a program or gated by a browser, the noise of a room.

    The recogniser has learned from recordings in rooms: of perfectly silent pauses it makes words. Audio that has some noise
    of its own is left as it is. The noise is always the same, so the same audio gives the same text.
    """

    def __init__(self, noise: Sequence[float]) -> None:
        self._noise, self._place = noise, 0
        self._loudest, self._quietest = 0.0, float("inf")

    def under(self, pcm: bytes) -> bytes:
        """Return audio with noise under it, if it needs any."""
        heard = array("h", pcm)
        self._measure(heard)
        if self._quietest * SILENT >= self._loudest:
            return pcm
        gain = FLOOR * self._loudest
        noise = self._noise[self._place : self._place + len(heard)]
        self._place = (self._place + len(heard)) % (len(self._noise) // 2)
        mixed = (int(sample + gain * extra) for sample, extra in zip(heard, noise, strict=False))
        return array("h", (max(-32_768, min(32_767, sample)) for sample in mixed)).tobytes()

    def afresh(self, pcm: bytes) -> bytes:
        """Return a whole utterance with noise under it, as loud at its beginning as at its end."""
        floor = Floor(self._noise)
        floor._measure(array("h", pcm))
        pieces = range(0, len(pcm), PARTIALS)
        return b"".join(floor.under(pcm[at : at + PARTIALS]) for at in pieces)

    def _measure(self, heard: "array[int]") -> None:
        for start in range(0, len(heard) - BLOCK + 1, BLOCK):
            block = heard[start : start + BLOCK]
            loudness = math.sqrt(sum(sample * sample for sample in block) / BLOCK)
            self._loudest = max(self._loudest, loudness)
            self._quietest = min(self._quietest, loudness)


class Recognition:
    """The recognition of one utterance."""

    def __init__(self, open_one: Any, strict_one: Any, grammar: str, floor: Floor) -> None:
        self._open, self._strict = open_one, strict_one
        self._grammar, self._floor = grammar, floor

    def run(self, pipe: "Pipe") -> None:
        """Take messages until the end, then say the outcome."""
        decoders = (self._open, self._strict)
        partial, since, whole = "", 0, bytearray()
        _, body = pipe.receive()
        settings = json.loads(body)
        self._prepare(settings)
        for decoder in decoders:
            decoder.start_utt()
        while True:
            kind, body = pipe.receive()
            if kind == b"E":
                break
            audio = self._floor.under(body)
            whole += body
            for decoder in decoders:
                decoder.process_raw(audio, no_search=False, full_utt=False)
            since += len(body)
            if since >= PARTIALS:
                since = 0
                text = _text(self._open)
                if text != partial:
                    partial = text
                    pipe.send(b"P", text.encode())
        for decoder in decoders:
            decoder.end_utt()
        if not settings["cmn"] and 0 < len(whole) <= AGAIN:
            self._listen_again(self._floor.afresh(bytes(whole)))
        outcome = {"text": self._outcome(), "cmn": self._open.get_cmn(True)}
        pipe.send(b"T", json.dumps(outcome).encode())

    def _listen_again(self, whole: bytes) -> None:
        """Recognise a session's first utterance by its own mean spectrum, which is known only at its end.

        Microphones and browsers colour a voice more than the decoders bear. The utterances after it begin with what is
        learned here.
        """
        for decoder in (self._open, self._strict):
            decoder.start_utt()
            decoder.process_raw(whole, no_search=False, full_utt=True)
            decoder.end_utt()

    def _prepare(self, settings: dict[str, Any]) -> None:
        for decoder in (self._open, self._strict):
            decoder.set_cmn(settings["cmn"] or CMN)
        known = [
            phrase for phrase in map(str.lower, settings.get("words", ())) if self._sayable(phrase)
        ]
        if known:
            self._strict.add_jsgf_string("session", complete(self._grammar, known[:WORDS]))
            self._strict.activate_search("session")

    def _sayable(self, phrase: str) -> bool:
        words = phrase.split()
        return 0 < len(words) <= 4 and all(
            word.replace("'", "").isalpha() and self._strict.lookup_word(word) for word in words
        )

    def _outcome(self) -> str:
        """Choose between what the two decoders found."""
        heard, expected = _text(self._open), _text(self._strict)
        if not heard or not expected:
            return heard
        alike = SequenceMatcher(
            None, self._phones(heard), self._phones(expected), autojunk=False
        ).ratio()
        return expected if alike >= ALIKE else heard

    def _phones(self, text: str) -> list[str]:
        return [
            phone for word in text.split() for phone in (self._open.lookup_word(word) or "").split()
        ]


def complete(grammar: str, known: Sequence[str]) -> str:
    """Return a grammar with the phrases that a session knows as its rule `<known>`, or without that rule.

    An empty rule will not do: the recogniser drops every alternative that comes before one.
    """
    if not known:
        return grammar.replace(" | <known>", "")
    head = "grammar tenuto;"
    return grammar.replace(head, f"{head}\n<known> = {' | '.join(known)};", 1)


def _text(decoder: Any) -> str:
    found = decoder.hyp()
    return str(found.hypstr) if found else ""
