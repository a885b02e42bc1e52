"""An engine made of small parts: voice activity, recognition, a brain, speech. It knows none of
them by name.

Three lanes, each of which does one thing after another: what was said is recognised, asks are
answered, segments are spoken. A lane has a task only while it is busy:

    acquired                        released
    recognition lane, utterance     close
    answer lane                     Cancel, close
    speech lane                     Cancel, close

The microphone needs no task: `hear` runs the voice activity detector in line and hands the audio to
the listener. An utterance that begins while an earlier one is still being recognised is announced
after it, so that what was heard is always told in the order in which it was said.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

import msgspec

from tenuto.audio.format import BYTES, samples
from tenuto.engines.hearing import Began, Ended, Finding, Hearing, Sound
from tenuto.engines.lanes import Lane, Outbox
from tenuto.engines.parts import RATE, Answer, Answers, Parts, Speaker, Utterance, sentences
from tenuto.errors import EngineError, TooMuch
from tenuto.session.ports import (
    Ask,
    AudioOut,
    Cancel,
    Capabilities,
    Context,
    EngineEvent,
    Failed,
    Finish,
    Partial,
    Ready,
    Request,
    Ring,
    Segment,
    Speak,
    SpeechBegan,
    SpeechFinished,
)

logger = logging.getLogger(__name__)

EVENTS = 256
"""Events that may wait for the session. An answer waits for room; one that cannot (twice as many)
fails the link."""

UTTERANCES = 8
"""Steps of recognition that may wait. Speech beyond is not listened to until there is room."""

REQUESTS = 64
"""Requests of one kind that may wait. One more fails the link."""

AHEAD = 5.0
"""Seconds of audio that may wait to be sent before speaking pauses."""

CLOSING = 1.5
"""Seconds that the parts have to let go."""

APOLOGY = "Something went wrong while I was thinking about that. Please say it again."
"""What is said when the brain fails, so that no turn is left without an answer."""


class CascadeEngine:
    """An `Engine` of `session.ports`, for one link.

    Args:
        parts: What it is made of. A listener, where there is one, is this engine's own; a brain and
            a speaker may be shared.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._outbox = Outbox(EVENTS)
        self._audio: AudioOut | None = None

        # What is heard.
        self._hearing: Hearing | None = None
        self._utterance: Utterance | None = None
        self._until_partial = 0
        self._words: tuple[str, ...] = ()

        self._recognition = Lane(2 * UTTERANCES)
        self._answers = Lane(REQUESTS)
        self._speech = Lane(REQUESTS)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, which follows from its parts."""
        parts = self._parts
        return Capabilities(
            name=parts.name,
            hears=RATE if parts.listener else None,
            speaks=parts.speaker.rate if parts.speaker else None,
            answers=True,
            continues=parts.speaker is not None,
        )

    async def open(self, context: Context, rate: int, audio: AudioOut) -> None:
        """Begin.

        Raises:
            EngineError: A part cannot begin.
        """
        self._audio = audio
        self._words = _words(context)
        for part in (self._parts.listener, self._parts.speaker):
            if part is not None:
                await part.open()
        self._outbox.put_now(Ready())

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        """Take one frame of the microphone, 16,000 Hz.

        Raises:
            InvalidAudio: The frame ends in the middle of a sample.
        """
        if self._outbox.closed:
            return
        if self._hearing is None:
            if self._parts.vad is None or self._parts.listener is None:
                return
            self._hearing = Hearing(self._parts.vad(), self._parts.endpointing)
        for finding in self._hearing.push(pcm, offset):
            self._heard(finding)

    def send(self, request: Request) -> None:
        """Take a request. Returns at once, before it is carried out."""
        if self._outbox.closed:
            return
        try:
            match request:
                case Ask():
                    self._words = _words(request.context)
                    whole = msgspec.structs.replace(request, spoken=())
                    answer = partial(self._parts.brain.answer, whole)
                    self._answers.put(
                        partial(self._answer, answer, request.turn, len(request.spoken))
                    )
                case Ring():
                    answer = partial(self._parts.brain.ring, request)
                    self._answers.put(partial(self._answer, answer, request.turn, 0))
                case Speak():
                    self._speech.put(partial(self._speak, request))
                case Cancel():
                    self._answers.drop()
                    self._speech.drop()
                    self._outbox.drop_segments()
                case Finish():
                    for finding in self._hearing.finish() if self._hearing else ():
                        self._heard(finding)
        except TooMuch as error:
            self._tell(Failed(reason=error.message))

    def __aiter__(self) -> AsyncIterator[EngineEvent]:
        return aiter(self._outbox)

    async def close(self) -> None:
        """Stop everything within two seconds and end the iteration. Safe to call twice."""
        self._outbox.close()
        if self._utterance is not None:
            self._utterance.drop()
        self._hearing = self._utterance = None
        lanes = (self._recognition, self._answers, self._speech)
        closing = [asyncio.ensure_future(lane.close()) for lane in lanes]
        _, late = await asyncio.wait(closing, timeout=CLOSING)
        for task in late:
            logger.warning("a part of the engine %s did not stop in time", self._parts.name)
            task.cancel()

    # -------------------------------------------------------------------------------------- hearing

    def _heard(self, finding: Finding) -> None:
        assert self._parts.listener is not None
        match finding:
            case Began(offset, pcm):
                # Two jobs: to announce it, and to finish it.
                if self._recognition.room < 2:
                    logger.warning("recognition is behind: an utterance is not listened to")
                    return
                self._utterance = self._parts.listener.start(self._words)
                self._utterance.push(pcm)
                self._until_partial = samples(self._parts.endpointing.partials, RATE)
                if self._recognition.busy:
                    self._recognition.put(partial(self._outbox.put, SpeechBegan(offset=offset)))
                else:
                    self._tell(SpeechBegan(offset=offset))
            case Sound(pcm) if self._utterance is not None:
                self._utterance.push(pcm)
                self._until_partial -= len(pcm) // BYTES
                if self._until_partial <= 0 and not self._recognition.busy:
                    self._until_partial = samples(self._parts.endpointing.partials, RATE)
                    if self._utterance.partial:
                        self._tell(Partial(text=self._utterance.partial))
            case Ended(until, reason) if self._utterance is not None:
                utterance, self._utterance = self._utterance, None
                self._recognition.put(partial(self._recognise, utterance, until, reason))

    async def _recognise(self, utterance: Utterance, until: int, reason: str) -> None:
        text = ""
        try:
            text = await utterance.finish()
        except Exception as error:  # noqa: BLE001 -- whatever a listener does, the turn must end
            logger.warning("recognition failed: %s", type(error).__name__)
        finally:
            utterance.drop()
        await self._outbox.put(SpeechFinished(until=until, text=text, reason=reason))

    # ------------------------------------------------------------------------------------ answering

    async def _answer(self, answer: Callable[[], Answers], turn: int, spoken: int) -> None:
        """Give the answer of a turn, sentence by sentence, without the first `spoken` ones."""
        done = False
        left_out = 0
        try:
            async for item in _each(answer()):
                if not isinstance(item, Segment):
                    if not spoken:
                        await self._outbox.put(item)
                    continue
                for segment in _split(item):
                    if left_out < spoken:
                        left_out += 1
                    elif not done:
                        await self._outbox.put(segment)
                        done = segment.last
        except Exception as error:  # noqa: BLE001 -- whatever a brain does, the turn must end
            logger.warning("the brain failed: %s", type(error).__name__)
            if not done:
                await self._outbox.put(Segment(turn=turn, text=APOLOGY, last=True))
            return
        if not done:
            await self._outbox.put(Segment(turn=turn, text="", last=True))

    # ------------------------------------------------------------------------------------- speaking

    async def _speak(self, speak: Speak) -> None:
        assert self._audio is not None
        if self._parts.speaker is not None:
            try:
                await self._say(self._parts.speaker, self._audio, speak)
            except EngineError as error:
                logger.warning("speech failed: %s", error.code)
                self._tell(Failed(reason=error.message))
                return
        self._audio.play(speak.reply, speak.index, b"", True)

    async def _say(self, speaker: Speaker, audio: AudioOut, speak: Speak) -> None:
        async with aclosing(speaker.speak(speak.text)) as chunks:
            async for pcm in chunks:
                # The audio lane is synchronous and tells nobody when it has room, so it is asked.
                while (queued := audio.queued()) > AHEAD:  # noqa: ASYNC110 -- see above
                    await asyncio.sleep(max(0.02, queued - AHEAD))
                audio.play(speak.reply, speak.index, pcm, False)

    def _tell(self, event: EngineEvent) -> None:
        if not self._outbox.put_now(event) and not self._outbox.closed:
            # Nobody reads the events: give up, rather than remember for ever.
            logger.warning("the engine %s is not listened to", self._parts.name)
            self._outbox.close(Failed(reason="Nobody takes what the engine says."))


def _split(segment: Segment) -> list[Segment]:
    """Return a segment as one per sentence; one without words stays as it is."""
    texts = sentences(segment.text) or [""]
    return [
        Segment(
            turn=segment.turn,
            text=text,
            last=segment.last and place == len(texts) - 1,
            cites=segment.cites,
        )
        for place, text in enumerate(texts)
        if text or segment.last
    ]


async def _each(answers: Answers) -> AsyncIterator[Answer]:
    """Iterate over what a brain gives, whichever way it gives it."""
    if isinstance(answers, AsyncIterable):
        async for item in answers:
            yield item
    else:
        for item in answers:
            yield item


def _words(context: Context) -> tuple[str, ...]:
    """Return what the session knows and a person may well say: names, places, interests."""
    return tuple(dict.fromkeys(memory.value for memory in context.memories if memory.value))
