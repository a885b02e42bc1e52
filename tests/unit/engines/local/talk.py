"""A session around the brain, as small as can be: what it gives is folded into what it is given next.

A conversation is written as text. `> ` is the user; the lines after it are the reply, one line a sentence; `+
key = value` is a memory learned, `- content` one forgotten, `* text` an alarm set and `/ text` one dropped. `~
60` lets sixty seconds pass and rings what is due, `== new` begins another conversation, as after a restart. An
expectation line that ends in `...` is a beginning."""

from tenuto.engines.local.brain.brain import Brain, Output
from tenuto.session.ports import (
    Alarm,
    AlarmDropped,
    AlarmWanted,
    Ask,
    Context,
    Forgot,
    Learned,
    Memory,
    Message,
    Ring,
    Segment,
)

NOON = 1_795_262_400.0
"""Saturday, 21 November 2026, 12:00:00 UTC."""


class Talk:
    """One session: its messages, memories and alarms."""

    def __init__(self, now: float = NOON, timezone: str = "UTC") -> None:
        self.brain = Brain()
        self.now = now
        self.timezone = timezone
        self.turn = 0
        self.conversation = 1
        self.messages: list[Message] = []
        self.memories: list[Memory] = []
        self.alarms: list[Alarm] = []
        self.numbers = 0

    def context(self, user: str = "") -> Context:
        return Context(
            guest=bool(user),
            instructions="",
            messages=list(self.messages),
            memories=list(self.memories),
            alarms=list(self.alarms),
            conversation=f"c{self.conversation}",
            now=self.now,
            timezone=self.timezone,
        )

    def say(self, text: str, user: str = "") -> list[Output]:
        """Say something as the user, or as another one; the outputs are folded in and returned."""
        self.turn += 1
        self._message("user", text, user=user)
        ask = Ask(turn=self.turn, text=text, context=self.context(user))
        return self._fold(self.brain.answer(ask))

    def wait(self, seconds: float) -> list[Output]:
        """Let time pass; what is due rings."""
        self.now += seconds
        outputs: list[Output] = []
        for alarm in sorted((a for a in self.alarms if a.due <= self.now), key=lambda a: a.due):
            self.turn += 1
            ring = Ring(turn=self.turn, alarm=alarm, context=self.context())
            self.alarms.remove(alarm)
            outputs += self._fold(self.brain.ring(ring))
        return outputs

    def heard_only(self, text: str) -> None:
        """The last reply was cut: only this much of it was heard."""
        last = self.messages.pop()
        self._message("agent", text, said=last.text)

    def _message(self, role: str, text: str, said: str = "", user: str = "") -> None:
        message = {"role": role, "text": text, "said": said, "turn": self.turn, "at": self.now}
        message["user"] = user
        message |= {"message": len(self.messages) + 1, "conversation": f"c{self.conversation}"}
        self.messages.append(Message(**message))  # type: ignore[arg-type]

    def _fold(self, outputs: list[Output]) -> list[Output]:
        segments = [o for o in outputs if isinstance(o, Segment)]
        assert [s.last for s in segments] == [False] * (len(segments) - 1) + [True]
        assert all(o.turn == self.turn for o in outputs)
        for output in outputs:
            self.numbers += 1
            match output:
                case Learned(key=key):
                    self.memories = [m for m in self.memories if not key or m.key != key]
                    self.memories.append(
                        Memory(
                            memory=self.numbers,
                            content=output.content,
                            key=key,
                            value=output.value,
                            turn=output.turn,
                            category=output.category,
                            importance=output.importance,
                            at=self.now,
                        )
                    )
                case Forgot(memory=number):
                    assert number in {m.memory for m in self.memories}
                    self.memories = [m for m in self.memories if m.memory != number]
                case AlarmWanted(due=due, text=text):
                    alarm = Alarm(alarm=self.numbers, due=due, text=text, turn=output.turn)
                    self.alarms.append(alarm)
                case AlarmDropped(alarm=number):
                    assert number in {a.alarm for a in self.alarms}
                    self.alarms = [a for a in self.alarms if a.alarm != number]
                case Segment():
                    pass
        self._message("agent", " ".join(s.text for s in segments))
        return outputs


def texts(outputs: list[Output]) -> list[str]:
    """Return the sentences."""
    return [o.text for o in outputs if isinstance(o, Segment)]


def cites(outputs: list[Output]) -> set[int]:
    """Return the turns that the sentences draw on."""
    return {turn for o in outputs if isinstance(o, Segment) for turn in o.cites}


def play(script: str, talk: Talk | None = None) -> str:
    """Return the script with the replies that were given, for comparison with the script itself."""
    talk = talk or Talk()
    said: list[str] = []
    for line in (raw.strip() for raw in script.strip().splitlines()):
        before = {m.memory: m for m in talk.memories}, {a.alarm: a for a in talk.alarms}
        if line.startswith("> "):
            outputs = talk.say(line[2:])
        elif line.startswith("& "):
            outputs = talk.say(line[2:], "guest")
        elif line.startswith("~ "):
            outputs = talk.wait(float(line[2:]))
        elif line == "== new":
            talk.conversation += 1
            outputs = []
        elif line.startswith("! "):
            talk.heard_only(line[2:])
            outputs = []
        else:
            continue
        said.append(line)
        for output in outputs:
            match output:
                case Learned():
                    said.append(f"+ {output.key} = {output.value}")
                case Forgot():
                    said.append(f"- {before[0][output.memory].content}")
                case AlarmWanted():
                    said.append(f"* {output.text}")
                case AlarmDropped():
                    said.append(f"/ {before[1][output.alarm].text}")
                case Segment():
                    said.append(output.text)
    return "\n".join(said)


def check(script: str, talk: Talk | None = None) -> None:
    """Assert that a conversation goes as it is written."""
    wanted = [raw.strip() for raw in script.strip().splitlines() if raw.strip()]
    got = play(script, talk).splitlines()
    if len(wanted) == len(got):
        wanted = [
            g if w.endswith("...") and g.startswith(w[:-3]) else w
            for w, g in zip(wanted, got, strict=True)
        ]
    assert "\n".join(got) == "\n".join(wanted)
