"""A session around a `SessionCore`, told in lines: who comes, what is said, what is heard, and what is lost."""

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import InvalidInput, Refused
from tenuto.session import config, effects, fold, ports, shares, stimuli
from tenuto.session import core as c
from tenuto.session.state import Status

CAPABILITIES = ports.Capabilities(name="scene", hears=16_000, speaks=16_000, continues=True)
QUIET = frozenset(
    "type at cause conversation turn cites by client transport token importance expires learned".split()
)
"""What a scene does not tell of an event."""


class Scene:
    """A session, told in lines: each verb returns what it made happen, milestones apart."""

    def __init__(
        self,
        capabilities: ports.Capabilities = CAPABILITIES,
        *,
        greeting: str = "",
        reader: ports.Reader | None = None,
        **config: object,
    ) -> None:
        self.now = 1_000.0
        self.core = c.SessionCore(fold.State(), capabilities, reader=reader)
        self.journal: list[e.Event] = []
        self.effects: list[effects.Durable] = []
        """What the last verb wants done."""
        self.reflexes: list[effects.Reflex] = []
        self.config = {**({"greeting": greeting} if greeting else {}), **config}
        self.do(
            stimuli.Create(session="s", tenant="t", user="u", epoch="0" * 16, config=self.config)
        )

    @property
    def state(self) -> fold.State:
        return self.core.state

    def status(self) -> Status:
        return self.core.status

    def do(self, stimulus: stimuli.Stimulus) -> list[str]:
        self.core.receive(stimulus, self.now)
        self.reflexes = self.core.reflexes()
        taken = self.core.take()
        self.effects = taken.effects
        self.journal.extend(taken.events)
        return [line(event) for event in taken.events if not isinstance(event, e.MilestoneReached)]

    @property
    def asked(self) -> list[ports.Request]:
        """What the last verb asked of the engine."""
        return [effect.request for effect in self.effects if isinstance(effect, effects.ToEngine)]

    @property
    def answers_asked(self) -> list[tuple[int, str, list[str]]]:
        """Turn, text and what was said already, of each answer that the last verb asked for."""
        return [(r.turn, r.text, list(r.spoken)) for r in self.asked if isinstance(r, ports.Ask)]

    @property
    def rings_asked(self) -> list[str]:
        return [request.alarm.text for request in self.asked if isinstance(request, ports.Ring)]

    @property
    def spoken(self) -> list[str]:
        """The segments that the last verb has the engine speak."""
        return [request.text for request in self.asked if isinstance(request, ports.Speak)]

    # People.

    def join(self, client: str = "tab", **more: object) -> list[str]:
        joining = {"role": "controller", "transport": "test", "voice": True, "mic": f"{client}-mic"}
        return self.do(stimuli.Join(client=client, **{**joining, **more}))  # type: ignore[arg-type]

    def leave(self) -> list[str]:
        return self.do(stimuli.Leave(attachment=self.state.controller, reason="lost"))

    def write(self, text: str, cause: str = "") -> list[str]:
        return self.do(stimuli.Type(text=text, client="tab", cause=cause))

    def say(self, text: str, until: int = 900) -> list[str]:
        began = self.engine(ports.SpeechBegan(offset=100))
        return began + self.engine(ports.SpeechFinished(until=until, text=text))

    def mark(self, seconds: float, *, done: bool = False) -> list[str]:
        return self.do(stimuli.Mark(reply=self.state.replies, seconds=seconds, done=done))

    # The engine, and its audio.

    def engine(self, event: ports.EngineEvent) -> list[str]:
        return self.do(stimuli.FromEngine(link=self.core.linking.number, event=event))

    def ready(self) -> list[str]:
        self.do(stimuli.LinkAccepted(link=self.core.linking.number))
        return self.engine(ports.Ready())

    def fail(self, times: int = 1, reason: str = "gone") -> list[str]:
        """So many links fail, one after the other; each next one is tried when it is time."""
        lines = []
        for _ in range(times):
            if not self.core.linking.is_open:
                lines += self.do(stimuli.Retry())
            lines += self.engine(ports.Failed(reason=reason))
        return lines

    @property
    def waits(self) -> list[float]:
        """Seconds that the last verb has the driver wait before the next link, at most."""
        return [effect.seconds for effect in self.effects if isinstance(effect, effects.RetryLater)]

    @property
    def opens(self) -> list[int]:
        """The links that the last verb has opened."""
        return [effect.link for effect in self.effects if isinstance(effect, effects.OpenEngine)]

    def answer(self, *texts: str, turn: int = 0, last: bool = True) -> list[str]:
        lines = []
        for index, text in enumerate(texts):
            done = last and index == len(texts) - 1
            segment = ports.Segment(turn=turn or self.state.turns, text=text, last=done)
            lines += self.engine(segment)
        return lines

    def send(self, *ends: float, sent: float | None = None) -> None:
        """The audio of the segments was made, and sent up to `sent` seconds."""
        playback = self.core.playback
        assert playback is not None
        playback.ends[:] = ends
        playback.queued = ends[-1]
        playback.sent = ends[-1] if sent is None else sent

    # What can go wrong.

    def crash(self, away: float = 1.0) -> list[str]:
        state = fold.State()
        for event in self.journal:
            fold.apply(state, event)
        self.core = c.SessionCore(state, self.core.capabilities)
        self.now += away
        return self.do(stimuli.Restore(host="h", fence=2))

    def refuses(self, stimulus: stimuli.Stimulus, why: type[Refused], match: str) -> None:
        """Law 4: it raises, and nothing has happened."""
        before = fold.encode(self.state)
        with pytest.raises(why, match=match):
            self.do(stimulus)
        assert fold.encode(self.state) == before
        taken = self.core.take()
        assert (taken.events, taken.effects, self.core.reflexes()) == ([], [], [])


def line(event: e.Event) -> str:
    fields = msgspec.to_builtins(event)
    told = [f"{k}={v}" for k, v in fields.items() if k not in QUIET and (k, v) != ("heard", 0.0)]
    return " ".join([fields["type"], *told])


def talking(*, greeting: str = "", capabilities: ports.Capabilities = CAPABILITIES) -> Scene:
    """Somebody with a loudspeaker is there, and the engine is ready."""
    scene = Scene(capabilities, greeting=greeting)
    scene.join()
    scene.ready()
    return scene


def answering(
    *segments: str, capabilities: ports.Capabilities = CAPABILITIES, last: bool = True
) -> Scene:
    """The engine answers a question aloud: one second of audio a segment, all of it sent."""
    scene = talking(capabilities=capabilities)
    scene.say("What is it?")
    scene.answer(*segments, last=last)
    scene.send(*(float(n + 1) for n in range(len(segments))))
    return scene


def rung() -> Scene:
    """An alarm rang, and the engine is finding words for it."""
    scene = talking()
    scene.engine(ports.AlarmWanted(turn=1, due=1_000.0, text="tea"))
    scene.do(stimuli.Due())
    assert scene.rings_asked == ["tea"]
    return scene


def share(scene: Scene, hours: float = 1.0) -> None:
    def rule(state: fold.State, at: float) -> list[e.Event]:
        return shares.create(
            state, at, token="0" * 64, user="doctor", permissions=["speak"], hours=hours
        )

    scene.do(stimuli.Decide(rules=(rule,)))
    number = scene.state.shares.count
    scene.do(
        stimuli.Join(role="observer", client=f"share:{number}", transport="test", share=number)
    )


def configured(scene: Scene) -> list[ports.Context]:
    """The contexts that the last verb has the engine go by."""
    return [request.context for request in scene.asked if isinstance(request, ports.Configure)]


def program() -> Scene:
    """The program that holds the session is there, without a microphone."""
    scene = Scene()
    scene.join("python", voice=False, mic="")
    return scene


def paused() -> Scene:
    scene = talking(greeting="Hello.")
    scene.do(stimuli.Stop())
    scene.do(stimuli.Pause())
    return scene


def changing(**changes: object) -> stimuli.Decide:
    return stimuli.Decide(rules=(lambda state, at: config.change(state, changes, at),))


class Blind:
    """A reader that cannot redact."""

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        raise InvalidInput("There is no region 'QQ'.")

    def measure(self, text: str, seconds: float, *, learning: bool, analytics: bool) -> None:
        return None


class Blackout:
    """A reader that takes every digit for personal data."""

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        clean = "".join("#" if char.isdigit() else char for char in text)
        return clean, ["digit"] if clean != text else []

    def measure(
        self, text: str, seconds: float, *, learning: bool, analytics: bool
    ) -> e.Traits | None:
        traits = e.Traits(words=len(text.split()), seconds=seconds, formality=1.0)
        return traits if learning else None
