"""An engine made of small parts: voice activity, recognition, a brain, speech. It knows none of
them by name.

Three lanes, each of which does one thing after another: what was said is recognised, asks are
answered, segments are spoken. A lane has a task only while it is busy:

    acquired                        released
    recognition lane, utterance     close
    answer lane                     Cancel, close
    speech lane                     Cancel, close

The microphone needs no task: `hear` runs the voice activity detector in line and hands the audio to
the listener. What a client that comes back sends at once is heard piece by piece, so that what was
said in it is under way to the listener, and everybody else is served, long before its end. An
utterance that begins while an earlier one is still being recognised is announced after it, so that
what was heard is always told in the order in which it was said.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

import msgspec

from tenuto.audio.format import BYTES, samples, seconds, whole_samples
from tenuto.engines.hearing import Began, Ended, Finding, Hearing, Sound
from tenuto.engines.lanes import Lane, Outbox, Pace
from tenuto.engines.parts import RATE, Answer, Answers, Parts, Speaker, Utterance, sentences
from tenuto.errors import EngineError, TooMuch
from tenuto.session.context import instructions_text
from tenuto.session.ports import (
    Ask,
    AudioOut,
    Cancel,
    Capabilities,
    Configure,
    Configured,
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
    Used,
)
from tenuto.text.tokens import count

logger = logging.getLogger(__name__)

EVENTS = 256
"""Events that may wait for the session. An answer waits for room; one that cannot (twice as many)
fails the link."""

AT_ONCE = samples(0.5, RATE)
"""Samples that are listened to in one turn of the event loop: the detector takes about 14 ms for them."""

UNHEARD = samples(60.0, RATE)
"""Samples that may wait for that: twice what a client keeps. Of more, the oldest do not wait."""

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
        self._pace = Pace(AT_ONCE, UNHEARD)
        self._utterance: Utterance | None = None
        self._until_partial = 0
        self._words: tuple[str, ...] = ()
        self._version = 0
        """Of the settings that it goes by."""

        # What was used and not told yet: samples heard, seconds and characters spoken, tokens read and written.
        self._listened = 0
        self._spoken = 0.0
        self._characters = 0
        self._read = self._written = 0

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
        self._go_by(context)
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
        size = whole_samples(pcm)
        if self._pace.takes(size):
            self._listen(self._hearing, pcm, offset)
        else:
            self._pace.later(partial(self._listen, self._hearing, bytes(pcm), offset), size)

    def send(self, request: Request) -> None:
        """Take a request. Returns at once, before it is carried out."""
        if self._outbox.closed:
            return
        try:
            match request:
                case Ask():
                    self._go_by(request.context)
                    whole = msgspec.structs.replace(request, spoken=())
                    answer = partial(self._parts.brain.answer, whole)
                    self._answers.put(partial(self._answer, answer, request, len(request.spoken)))
                case Configure():
                    self._go_by(request.context)
                    self._tell(Configured(version=self._version))
                case Ring():
                    answer = partial(self._parts.brain.ring, request)
                    self._answers.put(partial(self._answer, answer, request, 0))
                case Speak():
                    self._speech.put(partial(self._speak, request))
                case Cancel():
                    self._answers.drop()
                    self._speech.drop()
                    self._outbox.drop_segments()
                    self._account()
                case Finish() if self._hearing is not None:
                    if self._pace.takes(0):
                        self._stop_listening(self._hearing)
                    else:
                        self._pace.later(partial(self._stop_listening, self._hearing), 0)
                case Finish():
                    pass
        except TooMuch as error:
            self._tell(Failed(reason=error.code))

    def __aiter__(self) -> AsyncIterator[EngineEvent]:
        return aiter(self._outbox)

    async def close(self) -> None:
        """Stop everything within two seconds and end the iteration. Safe to call twice."""
        self._outbox.close()
        self._pace.close()
        if self._utterance is not None:
            self._utterance.drop()
        self._hearing = self._utterance = None
        lanes = (self._recognition, self._answers, self._speech)
        closing = [asyncio.ensure_future(lane.close()) for lane in lanes]
        _, late = await asyncio.wait(closing, timeout=CLOSING)
        for task in late:
            logger.warning("a part of the engine %s did not stop in time", self._parts.name)
            task.cancel()

    def _go_by(self, context: Context) -> None:
        """Take a context, unless it is of older settings than the last one. Each answer has its own besides."""
        if context.version >= self._version:
            self._version, self._words = context.version, _words(context)

    # -------------------------------------------------------------------------------------- hearing

    def _listen(self, hearing: Hearing, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        for finding in hearing.push(pcm, offset):
            self._heard(finding)

    def _stop_listening(self, hearing: Hearing) -> None:
        for finding in hearing.finish():
            self._heard(finding)

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
                self._listened += len(pcm) // BYTES
                self._until_partial = samples(self._parts.endpointing.partials, RATE)
                if self._recognition.busy:
                    self._recognition.put(partial(self._outbox.put, SpeechBegan(offset=offset)))
                else:
                    self._tell(SpeechBegan(offset=offset))
            case Sound(pcm) if self._utterance is not None:
                self._utterance.push(pcm)
                self._listened += len(pcm) // BYTES
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
        self._account()

    # ------------------------------------------------------------------------------------ answering

    async def _answer(self, answer: Callable[[], Answers], asked: Ask | Ring, spoken: int) -> None:
        """Give the answer of a turn, sentence by sentence, without the first `spoken` ones."""
        turn, done, left_out = asked.turn, False, 0
        self._read += _tokens(asked)
        try:
            async for item in _each(answer()):
                if not isinstance(item, Segment):
                    if not spoken:
                        await self._outbox.put(item)
                    continue
                self._written += 0 if done else count(item.text)
                for segment in _split(item):
                    if left_out < spoken:
                        left_out += 1
                    elif not done:
                        done = segment.last
                        await self._put(segment)
        except Exception as error:  # noqa: BLE001 -- whatever a brain does, the turn must end
            logger.warning("the brain failed: %s", type(error).__name__)
            if not done:
                await self._put(Segment(turn=turn, text=APOLOGY, last=True))
            return
        if not done:
            await self._put(Segment(turn=turn, text="", last=True))

    async def _put(self, segment: Segment) -> None:
        """Give a segment. What the answer cost goes right before the last one, so that both are one append."""
        if segment.last:
            self._account()
        await self._outbox.put(segment)

    # ------------------------------------------------------------------------------------- speaking

    async def _speak(self, speak: Speak) -> None:
        assert self._audio is not None
        if self._parts.speaker is not None:
            try:
                await self._say(self._parts.speaker, self._audio, speak)
            except EngineError as error:
                logger.warning("speech failed: %s", error.code)
                self._account()
                self._tell(Failed(reason=error.code))
                return
        self._audio.play(speak.reply, speak.index, b"", True)
        if speak.last:
            self._account()

    async def _say(self, speaker: Speaker, audio: AudioOut, speak: Speak) -> None:
        self._characters += len(speak.text)
        async with aclosing(speaker.speak(speak.text, speak.pace)) as chunks:
            async for pcm in chunks:
                self._spoken += seconds(len(pcm), speaker.rate)
                # The audio lane is synchronous and tells nobody when it has room, so it is asked.
                while (queued := audio.queued()) > AHEAD:  # noqa: ASYNC110 -- see above
                    await asyncio.sleep(max(0.02, queued - AHEAD))
                audio.play(speak.reply, speak.index, pcm, False)

    def _account(self) -> None:
        """Tell what was used since it was told last: at the end of an utterance, an answer or a reply."""
        used = Used(
            heard=round(seconds(self._listened * BYTES, RATE), 3),
            spoken=round(self._spoken, 3),
            tokens_in=self._read,
            tokens_out=self._written,
            characters=self._characters,
        )
        if used != Used():
            self._listened, self._spoken, self._characters = 0, 0.0, 0
            self._read = self._written = 0
            self._tell(used)

    def _tell(self, event: EngineEvent) -> None:
        if not self._outbox.put_now(event) and not self._outbox.closed:
            # Nobody reads the events: give up, rather than remember for ever.
            logger.warning("the engine %s is not listened to", self._parts.name)
            self._outbox.close(Failed(reason="unread"))


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


def _tokens(asked: Ask | Ring) -> int:
    """Return about how many tokens a language model would be given for this: what it is to know, and what was said."""
    context = asked.context
    said = [message.text for message in context.messages if message.turn != asked.turn]
    said.append(asked.text if isinstance(asked, Ask) else asked.alarm.text)
    return count(instructions_text(context)) + sum(map(count, said))


def _words(context: Context) -> tuple[str, ...]:
    """Return what the session knows and a person may well say: names, places, interests."""
    return tuple(dict.fromkeys(memory.value for memory in context.memories if memory.value))
