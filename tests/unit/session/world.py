"""A small world around a `SessionCore`: people, an engine that is strict, a loudspeaker, a clock, and crashes.

`World.play` takes moves, each a name and a number that chooses among its variants, and records every step. A move that makes
no sense at that moment is made all the same: that is the point. The engine is strict about what it is asked, so that a
request which does not fit raises `AssertionError` at once.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tenuto import events as e
from tenuto.errors import TenutoError
from tenuto.session import config, effects, fold, ports, stimuli
from tenuto.session import core as c
from tenuto.session.effects import Durable, Reflex
from tenuto.session.linking import LONGEST_WAIT
from tenuto.session.player import Player
from tenuto.session.state import Life, Link, Turn

RATE = 50
"""Hertz of the loudspeaker: one sample a frame."""
PACE = 1 / 14
"""Seconds that a character takes: what `playback` assumes of audio that it did not measure."""
GREETING = "Hello there, friend."
SENTENCES = (
    "One two three.",
    "Four",
    "",
    "five six seven eight nine ten eleven.",
    " Twelve ",
    "Zwölf\nist 12.",
)
QUESTIONS = ("What is it?", "my name is", "Alice", " ", "x" * 10_001)
CLIENTS = ("tab", "phone", "desk")
CAPABILITIES = ports.Capabilities(name="strict", hears=16_000, speaks=RATE, continues=True)

Move = tuple[str, int]


@dataclass
class Step:
    """What one stimulus did."""

    stimulus: stimuli.Stimulus
    error: TenutoError | None
    before: bytes
    after: bytes
    """The state, encoded."""
    beside: tuple[object, object]
    """What is kept beside the state, before and after."""
    events: list[e.Event]
    effects: list[Durable]
    reflexes: list[Reflex]


@dataclass
class Provider:
    """The strict end of one link."""

    number: int
    voice: bool
    making: ports.Ask | ports.Ring | None = None
    speaks: deque[ports.Speak] = field(default_factory=deque)


class World:
    """One session from its creation on.

    Args:
        capabilities: Of its engines.
    """

    def __init__(self, capabilities: ports.Capabilities = CAPABILITIES) -> None:
        self.now = 1_000.0
        self.core = c.SessionCore(fold.State(), capabilities)
        self.player = Player(RATE, self.core.replying)
        self.provider: Provider | None = None
        self.journal: list[e.Event] = []
        self.steps: list[Step] = []
        self.stopped = False
        """Whether the program closed the link, and nobody has wanted one since."""
        self.tries = False
        """Whether another link is going to be tried."""
        self.opened = 0
        """The number of the newest link of this process."""
        self.commands = 0
        self.receive(
            stimuli.Create(
                session="s", tenant="t", user="u", epoch="0" * 16, config={"greeting": GREETING}
            )
        )

    @property
    def state(self) -> fold.State:
        return self.core.state

    # ------------------------------------------------------------------------------------------------------------ the host

    def receive(self, stimulus: stimuli.Stimulus) -> Step:
        """Do what the driver does, with a store that is durable at once."""
        core, error = self.core, None
        before, beside = fold.encode(core.state), self._beside()
        self.now += 0.01
        try:
            core.receive(stimulus, self.now)
        except TenutoError as refusal:
            error = refusal
        reflexes, taken = core.reflexes(), core.take()
        step = Step(
            stimulus=stimulus,
            error=error,
            before=before,
            after=fold.encode(core.state),
            beside=(beside, self._beside()),
            events=taken.events,
            effects=taken.effects,
            reflexes=reflexes,
        )
        self.steps.append(step)
        self.journal.extend(taken.events)
        if isinstance(stimulus, stimuli.Disconnect):
            self.stopped = self.stopped or not error
        for effect in (*reflexes, *taken.effects):
            self.carry_out(effect)
        return step

    def crash(self) -> None:
        """Lose the process, and fold the journal anew on another host."""
        state = fold.State()
        for event in self.journal:
            fold.apply(state, event)
        self.core = c.SessionCore(state, self.core.capabilities)
        self.player = Player(RATE, self.core.replying)
        self.provider, self.tries, self.opened = None, False, 0
        self.receive(stimuli.Restore(host="h", fence=len(self.steps)))

    def _beside(self) -> object:
        core, playback = self.core, self.core.playback
        ledger = playback and (playback.reply, *playback.ends, playback.sent, playback.marked)
        return core.link, core.linking.number, core.linking.speaks, core.hearing.mic, ledger

    def carry_out(self, effect: effects.Effect) -> None:
        """Do what the core wants done, and fail if it makes no sense."""
        provider, reply = self.provider, self.state.reply
        match effect:
            case effects.Hush(reply=number):
                assert 1 <= number <= self.state.replies, "hushes a reply that never was"
                self.player.stop()
            case effects.Pause():
                self.player.stop()
            case effects.Quit():
                if provider is not None:
                    provider.making = None
                    provider.speaks.clear()
            case effects.OpenEngine(link=number, voice=voice):
                assert number > self.opened, "a link is used again"
                assert not self.state.paused, "opens a link while it is paused"
                self.opened, self.provider = number, Provider(number, voice)
                self.stopped = self.tries = False
            case effects.RetryLater(seconds=seconds):
                assert 0.0 < seconds <= LONGEST_WAIT, "tries too soon, or too late"
                self.tries = True
            case effects.CloseEngine():
                self.provider, self.tries = None, False
            case effects.Refresh():
                assert provider is not None, "tells when there is no link"
            case effects.Resume(reply=number, heard=heard):
                assert reply is not None and reply.reply == number, (
                    "resumes a reply that is not open"
                )
                self.player.begin(number, heard)
            case effects.ToEngine(request=request):
                assert provider is not None, "asks when there is no link"
                self._ask(provider, request)
            case _:
                pass

    def _ask(self, provider: Provider, request: ports.Request) -> None:
        reply = self.state.reply
        match request:
            case ports.Ask() | ports.Ring():
                assert provider.making is None, "asks while an answer is being made"
                provider.making = request
                if isinstance(request, ports.Ask) and request.spoken:
                    assert reply is not None and list(request.spoken) == reply.segments
            case ports.Speak():
                assert provider.voice, "speaks over a link that was opened to write"
                assert reply is not None and reply.reply == request.reply, "speaks of no open reply"
                assert reply.segments[request.index] == request.text, "speaks what is not journaled"
                provider.speaks.append(request)
            case ports.Configure(context=context):
                assert context.conversation == self.state.conversation, "tells of the past"
            case _:
                assert isinstance(request, ports.Finish)

    # ----------------------------------------------------------------------------------------------------------- the moves

    def play(self, moves: Iterable[Move]) -> "World":
        """Make these moves."""
        for name, n in moves:
            MOVES[name](self, n)
        return self

    def cause(self) -> str:
        self.commands += 1
        return f"tab:{self.commands}"

    def join(self, n: int) -> None:
        reply = self.state.replies
        heard = (None, (reply, n / 10), (reply + 1, 1.0), (reply, float("inf")))[n % 4]
        self.receive(
            stimuli.Join(
                role="controller",
                client=CLIENTS[n % 3],
                transport="test",
                voice=n % 5 > 0,
                opens=n % 7 > 0,
                mic=("", "mic", "other")[n % 3],
                token=f"{len(self.journal):064x}" if n % 2 else "",
                heard=heard,
            )
        )

    def observe(self, n: int) -> None:
        self.receive(
            stimuli.Join(role="observer", client=CLIENTS[n % 3], transport="test", voice=n % 2 > 0)
        )

    def leave(self, n: int) -> None:
        here = [self.state.controller, *self.state.here, 99]
        self.receive(stimuli.Leave(attachment=here[n % len(here)], reason="lost"))

    def revoke(self, n: int) -> None:
        self.receive(stimuli.Revoke(client=CLIENTS[n % 3]))

    def type(self, n: int) -> None:
        cause = self.cause() if n % 2 else ""
        self.receive(stimuli.Type(text=QUESTIONS[n % len(QUESTIONS)], client="tab", cause=cause))

    def stop(self, n: int) -> None:
        self.receive(stimuli.Stop(heard=(None, 0.0, 0.7, 1e9)[n % 4], cause=self.cause()))

    def hold(self, n: int) -> None:
        self.receive(stimuli.Hold())

    def converse(self, n: int) -> None:
        known = list(self.state.conversations)
        names = ["", "a", "b", "c9", "x" * 101, *known]
        name, parent = names[n % len(names)], ("", "", "", "a", "nobody")[n % 5]
        self.receive(
            stimuli.StartConversation(
                conversation=name, parent=parent, resume=n % 2 > 0, cause=self.cause()
            )
        )

    def finish(self, n: int) -> None:
        self.receive(stimuli.EndConversation(cause=self.cause()))

    def remember(self, n: int) -> None:
        content = ("Alice.", "Bob.", " ")[n % 3]
        self.receive(stimuli.Remember(content=content, key=("", "name")[n % 2], cause=self.cause()))

    def branch(self, n: int) -> None:
        """Branch from a conversation that there is, or go on with one."""
        known = list(self.state.conversations) or ["nobody"]
        name = f"b{len(known)}" if n % 3 else known[n % len(known)]
        parent = (known[n // 3 % len(known)], name)[n % 17 == 0]
        self.receive(
            stimuli.StartConversation(
                conversation=name,
                parent=parent,
                resume=n % 3 == 0,
                fresh=n % 5 == 0,
                cause=self.cause(),
            )
        )

    def inject(self, n: int) -> None:
        roles: tuple[e.Role, ...] = ("user", "agent", "system")
        self.receive(
            stimuli.Inject(
                role=roles[n % 3],
                text=QUESTIONS[n % len(QUESTIONS)],
                key=("", "one", "two")[n // 3 % 3],
                cause=self.cause(),
            )
        )

    def say(self, n: int) -> None:
        text = SENTENCES[n % len(SENTENCES)]
        self.receive(stimuli.Say(text=text, cause=self.cause()))

    def connect(self, n: int) -> None:
        self.receive(stimuli.Disconnect() if n % 3 == 0 else stimuli.Connect())

    def retry(self, n: int) -> None:
        self.tries = False
        self.receive(stimuli.Retry())

    def pause(self, n: int) -> None:
        cause = self.cause()
        self.receive(stimuli.Unpause(cause=cause) if n % 3 else stimuli.Pause(cause=cause))

    def listen(self, n: int) -> None:
        self.receive(stimuli.Listen(on=n % 2 > 0, mic="program"))

    def decide(self, n: int) -> None:
        """Change a setting, or several at once, or try what cannot be."""
        values: tuple[dict[str, object], ...] = (
            {"instructions": f"Be {n}."},
            {"temperature": 99},
            {"context_policy": ("last_3", "all", "tokens_20", "summary_2")[n // 4 % 4]},
            {"memory_mode": ("hybrid", "persistent", "ephemeral")[n // 4 % 3]},
        )

        def rule(state: fold.State, at: float) -> list[e.Event]:
            return config.change(state, values[n % 4], at)

        self.receive(stimuli.Decide(rules=(rule,) * (1 + n % 2), waits=n % 3 == 0))

    def mark(self, n: int) -> None:
        playback = self.core.playback
        sent = playback.sent if playback is not None else 1.0
        seconds = (sent, sent / 2, 0.0, 1e9, -1.0)[n % 5]
        reply = (self.state.replies, 1, 99)[n % 7 % 3]
        self.receive(stimuli.Mark(reply=reply, seconds=seconds, done=n % 2 > 0))

    def played(self, n: int) -> None:
        self.receive(stimuli.Played(reply=self.state.replies + n % 3 - 1))

    def wait(self, n: int) -> None:
        seconds = (0.1, 0.5, 2.0, 100.0)[n % 4]
        for _ in range(min(20, round(seconds * 10))):
            self.now += 0.1
            self.player.tick(self.now)
        self.now += max(0.0, seconds - 2.0)

    def due(self, n: int) -> None:
        if self.state.due is not None and n % 4:
            self.now = max(self.now, self.state.due)
        self.receive(stimuli.Due())

    def park(self, n: int) -> None:
        self.receive(stimuli.Park())

    def end(self, n: int) -> None:
        if n % 4 == 0:
            self.receive(stimuli.End(cause=self.cause()))

    def revive(self, n: int) -> None:
        self.crash()

    # ---------------------------------------------------------------------------------------------------------- the engine

    def engine(self, event: ports.EngineEvent, n: int = 0) -> None:
        """Have the engine say something; now and then it is a link of long ago that does."""
        late = n % 8 == 7
        self.receive(stimuli.FromEngine(link=self.opened - late, event=event))

    def accept(self, n: int) -> None:
        self.receive(stimuli.LinkAccepted(link=self.opened - n % 2))

    def ready(self, n: int) -> None:
        self.engine(ports.Ready(), n)

    def hear(self, n: int) -> None:
        self.engine(ports.SpeechBegan(offset=n * 100), n)

    def heard(self, n: int) -> None:
        self.engine(ports.Partial(text="wh"))
        text = ("", *QUESTIONS)[n % (len(QUESTIONS) + 1)]
        self.engine(ports.SpeechFinished(until=n * 100 + 50, text=text), n)

    def answer(self, n: int) -> None:
        """Say the next segment of what was asked; it is the last one of an answer now and then."""
        provider = self.provider
        if provider is None or provider.making is None or self.core.link is not Link.READY:
            return
        turn, last = provider.making.turn, n % 3 == 0
        if last:
            provider.making = None
        text = SENTENCES[n % len(SENTENCES)]
        self.engine(ports.Segment(turn=turn, text=text, last=last, cites=[1]))

    def speak(self, n: int) -> None:
        """Make the audio of the next segment that is to be spoken."""
        if self.provider is not None and self.provider.speaks and self.core.link is Link.READY:
            speak = self.provider.speaks.popleft()
            pcm = bytes(2 * round(len(speak.text) * PACE * RATE))
            self.player.play(speak.reply, speak.index, pcm, True)
            self.player.tick(self.now)

    def stray(self, n: int) -> None:
        """Say something that nobody asked for."""
        turn = (self.state.turns, 0, 99, -1)[n % 4]
        words: tuple[ports.EngineEvent, ...] = (
            ports.Segment(turn=turn, text="stray", last=n % 2 > 0),
            ports.Learned(turn=turn, content=f"fact {n % 3}", key=("", "name")[n % 2]),
            ports.Forgot(turn=turn, memory=n % 4),
            ports.AlarmWanted(turn=turn, due=self.now + n, text="tea"),
            ports.AlarmDropped(turn=turn, alarm=n % 3),
            ports.Ready(),
        )
        word = words[n // 8 % len(words)]
        making = self.provider.making if self.provider is not None else None
        if isinstance(word, ports.Segment) and making is not None and making.turn == turn:
            return
        self.engine(word, n)

    def alarm(self, n: int) -> None:
        """Set an alarm, or let one ring that is set."""
        if n % 2 or not self.state.alarms:
            due = self.now + n % 3
            self.engine(ports.AlarmWanted(turn=self.state.turns, due=due, text=f"tea {n % 3}"))
        else:
            self.due(1)

    def fail(self, n: int) -> None:
        self.engine(ports.Failed(reason="gone"), n)

    # ---------------------------------------------------------------------------------------------------------- in the end

    def settle(self) -> None:
        """Have somebody with a loudspeaker come, and the engine do honestly all that it was asked."""
        if self.state.ended:
            return
        if self.state.life is Life.PARKED:
            self.crash()
        if self.state.paused:
            self.receive(stimuli.Unpause())
        self.receive(
            stimuli.Join(role="controller", client="last", transport="test", voice=True, mic="last")
        )
        for _ in range(300):
            provider, playback = self.provider, self.core.playback
            assert provider is not None, "somebody is there, and no link is open"
            if self.core.link is not Link.READY:
                self.ready(0)
            elif self.state.speech is not None:
                self.engine(ports.SpeechFinished(until=1, text=""))
            elif provider.making is not None:
                self.answer(0)
            elif provider.speaks:
                self.speak(0)
            elif playback is not None:
                while self.player.tick(self.now) is not None:
                    self.now += 0.1
                self.receive(stimuli.Mark(reply=playback.reply, seconds=playback.queued, done=True))
                self.receive(stimuli.Played(reply=playback.reply))
            else:
                break


MOVES: dict[str, Callable[[World, int], None]] = {
    "accept": World.accept,
    "alarm": World.alarm,
    "answer": World.answer,
    "branch": World.branch,
    "connect": World.connect,
    "decide": World.decide,
    "converse": World.converse,
    "due": World.due,
    "end": World.end,
    "fail": World.fail,
    "finish": World.finish,
    "hear": World.hear,
    "heard": World.heard,
    "hold": World.hold,
    "inject": World.inject,
    "listen": World.listen,
    "pause": World.pause,
    "say": World.say,
    "join": World.join,
    "leave": World.leave,
    "mark": World.mark,
    "observe": World.observe,
    "park": World.park,
    "played": World.played,
    "ready": World.ready,
    "remember": World.remember,
    "retry": World.retry,
    "revive": World.revive,
    "revoke": World.revoke,
    "speak": World.speak,
    "stop": World.stop,
    "stray": World.stray,
    "type": World.type,
    "wait": World.wait,
}

OFTEN = (
    "join",
    "ready",
    "answer",
    "answer",
    "answer",
    "speak",
    "speak",
    "wait",
    "type",
    "type",
    "hear",
    "heard",
    "mark",
    "leave",
)
"""Moves that a conversation is made of."""


def is_settled(world: World) -> bool:
    """Whether nobody waits for anything any more."""
    state = world.state
    return state.ended or (
        state.turn is Turn.IDLE and not state.owed and not state.rung and state.reply is None
    )
