"""Counts, times, topics and metrics of a session and of each of its conversations, as a fold.

Each event costs the same whatever the length of the journal, and what is kept is bounded: `MOST_TOPICS`, `MOST_METRICS`,
`MOST_ENGINES`, the last `MOST_TURNS` turns, and one small record for each conversation that the state keeps. All of it
follows from the journal alone, so that it is the same after a crash, on another host, and counted anew.

The clock of a conversation runs while it is open, somebody has the controls and the session is not paused: time in
conversation, not time away. A crash is time away from the last event before it.

Nothing is added while `enable_analytics` is off; what was collected before is kept.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.session import zone
from tenuto.session.state import Life

if TYPE_CHECKING:
    from tenuto.session.fold import State

MOST_TOPICS = 200
"""Topics that are counted. When one more comes, the rarest quarter goes, of those the ones not heard of for longest."""
LONGEST_TOPIC = 100
"""Characters of a topic."""
MOST_METRICS = 200
"""Names of custom metrics."""
MOST_ENGINES = 32
"""Engines whose usage is kept apart; that of further ones goes to `other`."""
MOST_TURNS = 50
"""Turns whose times are kept one by one."""
INTERRUPTIONS = frozenset({"barge_in", "text", "stopped"})
"""Reasons of `reply.cut` that are the person's own doing: spoken over, written over, stopped."""

CONVERSATIONS = (1, 10, 50, 100, 500, 1_000, 5_000, 10_000)
"""Milestones: conversations that were had to their end."""
MESSAGES = (10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000)
"""Milestones: messages of the user and the agent."""
HOURS = (1, 10, 50, 100, 500, 1_000)
"""Milestones: hours in conversation."""


class Tally(msgspec.Struct, array_like=True):
    """What is counted of a conversation, and of all of them."""

    seconds: float = 0.0
    """In conversation, up to the moment that its clock stopped last."""
    turns: int = 0
    """Turns that the user began."""
    messages: int = 0
    """Of the user and the agent; what was injected is counted apart."""
    interruptions: int = 0
    """Replies that the user cut short."""
    injections: int = 0
    """Messages that were injected, and changes of settings while the conversation was open."""
    answers: int = 0
    """Turns whose answer began while somebody was there."""
    waited: float = 0.0
    """Seconds to the first segment of these answers, in all."""
    user_words: int = 0
    """Words of the user."""
    agent_words: int = 0
    """As far as they were heard."""
    ended: bool = False
    """Whether it has ended once."""


class Timing(msgspec.Struct, array_like=True):
    """The times of one turn, in seconds. None for what did not happen."""

    turn: int
    conversation: str
    at: float
    """When the user's message was there: seconds since 1970-01-01 UTC."""
    by: str
    """`voice` or `text`."""
    recognised: float | None = None
    """From the end of the speech to the message."""
    thought: float | None = None
    """From the message to `reply.started`."""
    composed: float | None = None
    """From `reply.started` to the first segment."""
    delivered: float | None = None
    """From the first segment to the end of the reply."""
    heard: float | None = None
    """Seconds of the reply that were heard."""
    cut: str = ""
    """Why the reply was cut; empty when it was not."""


class Metric(msgspec.Struct, array_like=True):
    """What is kept of a custom metric."""

    count: int = 0
    """How often it was tracked."""
    sum: float = 0.0
    """Of its values, in whatever unit they have."""
    min: float = 0.0
    """The smallest value."""
    max: float = 0.0
    """The largest value."""
    last: float = 0.0
    """The value that was tracked last."""


class Usage(msgspec.Struct):
    """What an engine used."""

    heard: float = 0.0
    """Seconds of the user's audio that were listened to."""
    spoken: float = 0.0
    """Seconds of audio that were made."""
    tokens_in: int = 0
    """Tokens that it was given."""
    tokens_out: int = 0
    """Tokens that it made."""
    characters: int = 0
    """Of text that was spoken."""


class Analytics(msgspec.Struct):
    """A fold over most events. Read it; only `apply` writes it."""

    on: bool = True
    """Whether something is collected now."""
    zone: str = ""
    """The time zone in which hours are counted now; UTC when empty."""
    last: float = 0.0
    """When the last event happened."""
    total: Tally = msgspec.field(default_factory=Tally)
    """Of all conversations."""
    conversations: dict[str, Tally] = {}
    ended: int = 0
    """Conversations that were had to their end."""

    since: float | None = None
    """Since when the clock of `talking` runs; None when it stands."""
    talking: str = ""

    topics: dict[str, int] = {}
    """Topic to how often it came up; the one that came up last at the end."""
    hours: list[int] = msgspec.field(default_factory=lambda: [0] * 24)
    """Messages of the user in each hour of the day, where the user was."""
    feelings: int = 0
    """Messages of the user whose sentiment is known."""
    feeling: float = 0.0
    """The sum of these sentiments, each -1 to 1."""
    metrics: dict[str, Metric] = {}
    usage: dict[str, Usage] = {}

    counted_turn: int = 0
    """The last turn that was counted."""
    speech_over: float | None = None
    """When the speech ended whose message is not there yet."""
    timings: list[Timing] = []
    """The last turns, oldest first."""
    awaited: bool = False
    """Whether the last of these waits for its reply, or for the end of it."""
    present: bool = False
    """Whether somebody was there from the message of that turn on."""
    replied: float | None = None
    """When its reply started."""
    answered: float | None = None
    """When the first segment of that reply was there."""

    told: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    """How many of `CONVERSATIONS`, `MESSAGES` and `HOURS` were told of."""


def apply(state: "State", event: e.Event) -> None:
    """Move `state.analytics` by one event, which the rest of the state has taken already."""
    analytics = state.analytics
    change = _CHANGES.get(type(event))
    if change is not None:
        change(state, analytics, event)
    analytics.last = event.at


def reached(state: "State", at: float) -> list[e.Event]:
    """Return an `analytics.milestone` for each one that was reached and not told yet. Cheap: called after each stimulus.

    Each is told once in the life of a session. A session that has ended or is parked is told nothing; the one that is
    restored later hears of it then.

    Example:
        >>> [event.milestone for event in reached(state, at)]  # doctest: +SKIP
        ['first conversation']
    """
    a = state.analytics
    conversations, messages, hours = a.told
    total = a.total
    running = at - a.since if a.since is not None else 0.0
    if (
        a.ended < _CONVERSATIONS[conversations]
        and total.messages < _MESSAGES[messages]
        and total.seconds + running < _SECONDS[hours]
    ):
        return []
    if state.life in (Life.PARKED, Life.ENDED):
        return []
    found: list[e.Event] = []
    amounts = (a.ended, total.messages, int(seconds(a, at) // 3600.0))
    for kind, amount in enumerate(amounts):
        steps = _STEPS[kind][a.told[kind] :]
        found += [
            e.MilestoneReached(at=at, milestone=_named(kind, step), value=step)
            for step in steps
            if step <= amount
        ]
    return found


def seconds(analytics: Analytics, now: float, conversation: str = "") -> float:
    """Return the seconds in a conversation, or in all of them, up to now, while its clock runs too."""
    known = analytics.conversations.get(conversation) if conversation else analytics.total
    runs = analytics.since is not None and conversation in ("", analytics.talking)
    running = max(0.0, now - analytics.since) if runs and analytics.since is not None else 0.0
    return (known.seconds if known is not None else 0.0) + running


def collects(state: "State") -> bool:
    """Return whether analytics are collected, by the settings that hold now."""
    return bool(_setting(state, "enable_analytics", True))


# ---------------------------------------------------------------------------------------------------------------- milestones

_STEPS = (CONVERSATIONS, MESSAGES, HOURS)
_NEVER = float("inf")
_CONVERSATIONS = (*CONVERSATIONS, _NEVER)
_MESSAGES = (*MESSAGES, _NEVER)
_SECONDS = (*(hours * 3600.0 for hours in HOURS), _NEVER)


def _named(kind: int, step: int) -> str:
    if kind == 2:
        return "1 hour" if step == 1 else f"{step} hours"
    noun = ("conversations", "messages")[kind]
    return "first conversation" if step == 1 else f"{step} {noun}"


_MILESTONES = {
    _named(kind, step): (kind, place)
    for kind, steps in enumerate(_STEPS)
    for place, step in enumerate(steps)
}
"""What a milestone is called, to its kind and its place in the list of that kind."""


def _milestone(state: "State", a: Analytics, event: e.MilestoneReached) -> None:
    known = _MILESTONES.get(event.milestone)
    if known is not None:
        kind, place = known
        a.told[kind] = max(a.told[kind], place + 1)


# ----------------------------------------------------------------------------------------------------------------- the clock


def _setting(state: "State", name: str, default: Any) -> Any:
    """Return a setting that holds now, without making all of them: live, conversation, session, default."""
    if name in state.live:
        return state.live[name]
    open_now = state.conversations.get(state.conversation)
    if open_now is not None and name in open_now.config:
        return open_now.config[name]
    return state.config.get(name, default)


def _look(state: "State", a: Analytics, event: e.Event) -> None:
    """Somebody came or went, a conversation or a pause began or ended, or settings changed: mind the clock."""
    restored = isinstance(event, e.SessionRestored)
    _stop(a, a.last if restored else event.at)
    a.on, a.zone = collects(state), str(_setting(state, "timezone", ""))
    here = state.life is Life.LIVE and not state.paused
    if a.on and here and state.conversation:
        a.since, a.talking = event.at, state.conversation
    a.present = a.present and here
    if not a.on or not state.conversation:
        _give_up(a)


def _stop(a: Analytics, at: float) -> None:
    if a.since is not None:
        passed = max(0.0, at - a.since)
        a.total.seconds += passed
        _tally(a, a.talking).seconds += passed
        a.since = None


def _tally(a: Analytics, conversation: str) -> Tally:
    known = a.conversations.get(conversation)
    if known is None:
        known = a.conversations[conversation] = Tally()
    return known


def _started(state: "State", a: Analytics, event: e.ConversationStarted) -> None:
    _look(state, a, event)
    if a.on:
        _tally(a, event.conversation)


def _ended(state: "State", a: Analytics, event: e.ConversationEnded) -> None:
    collected = a.on
    _look(state, a, event)
    if collected:
        tally = _tally(a, event.conversation)
        a.ended += not tally.ended
        tally.ended = True


def _configured(state: "State", a: Analytics, event: e.ConfigChanged) -> None:
    _look(state, a, event)
    if a.on and state.conversation:
        _inject(a, state.conversation)


def _inject(a: Analytics, conversation: str) -> None:
    a.total.injections += 1
    _tally(a, conversation).injections += 1


# -------------------------------------------------------------------------------------------------------- messages and turns


def _message(state: "State", a: Analytics, event: e.MessageAdded) -> None:
    if not a.on:
        return
    if event.by == "injected":
        _inject(a, event.conversation)
        return
    tally = _tally(a, event.conversation)
    words = len(event.text.split())
    a.total.messages += 1
    tally.messages += 1
    if event.role != "user":
        a.total.agent_words += words
        tally.agent_words += words
        return
    a.total.user_words += words
    tally.user_words += words
    if event.turn != a.counted_turn:
        a.counted_turn = event.turn
        a.total.turns += 1
        tally.turns += 1
    a.hours[zone.hour(event.at, a.zone)] += 1
    if event.traits is not None:
        _traits(a, event.traits)
    _begin(state, a, event)


def _traits(a: Analytics, traits: e.Traits) -> None:
    if traits.sentiment is not None:
        a.feelings += 1
        a.feeling += traits.sentiment
    for topic in traits.topics:
        topic = topic[:LONGEST_TOPIC]
        a.topics[topic] = a.topics.pop(topic, 0) + 1
    if len(a.topics) > MOST_TOPICS:
        newest_first = enumerate(reversed(a.topics.items()))
        best = sorted(newest_first, key=lambda item: (-item[1][1], item[0]))
        kept = {topic for _, (topic, _) in best[: MOST_TOPICS * 3 // 4]}
        a.topics = {topic: count for topic, count in a.topics.items() if topic in kept}


def _begin(state: "State", a: Analytics, event: e.MessageAdded) -> None:
    """The user's message is there: the next reply is the answer, to the last message when there are several."""
    timing = Timing(
        turn=event.turn, conversation=event.conversation, at=float(event.at), by=event.by
    )
    if a.speech_over is not None and event.by == "voice":
        timing.recognised = _between(a.speech_over, event.at)
    a.timings.append(timing)
    if len(a.timings) > MOST_TURNS:
        del a.timings[0]
    _give_up(a)
    a.awaited, a.present = True, state.life is Life.LIVE


def _give_up(a: Analytics) -> None:
    """Nothing more comes of the turn that was waited for."""
    a.awaited = a.present = False
    a.speech_over = a.replied = a.answered = None


def _between(begin: float, end: float) -> float:
    return round(max(0.0, end - begin), 3)


def _speech_ended(state: "State", a: Analytics, event: e.SpeechEnded) -> None:
    if a.on:
        a.speech_over = None if event.reason == "lost" else event.at


def _reply_started(state: "State", a: Analytics, event: e.ReplyStarted) -> None:
    if a.on and a.awaited and a.replied is None and not event.alarm:
        a.replied = event.at
        a.timings[-1].thought = _between(a.timings[-1].at, event.at)


def _segment(state: "State", a: Analytics, event: e.ReplySegment) -> None:
    if not a.on or a.replied is None or a.answered is not None:
        return
    timing = a.timings[-1]
    a.answered = event.at
    timing.composed = _between(a.replied, event.at)
    if a.present:
        for tally in (a.total, _tally(a, timing.conversation)):
            tally.answers += 1
            tally.waited += _between(timing.at, event.at)


def _reply_over(state: "State", a: Analytics, event: e.ReplyEnded | e.ReplyCut) -> None:
    if not a.on:
        return
    cut = event.reason if isinstance(event, e.ReplyCut) else ""
    if cut in INTERRUPTIONS and state.conversation:
        a.total.interruptions += 1
        _tally(a, state.conversation).interruptions += 1
    if a.replied is not None:
        timing = a.timings[-1]
        timing.heard, timing.cut = round(float(event.heard), 3), cut
        if a.answered is not None:
            timing.delivered = _between(a.answered, event.at)
        speech_over = a.speech_over
        _give_up(a)
        a.speech_over = speech_over


# -------------------------------------------------------------------------------------------------------- metrics and usage


def _metric(state: "State", a: Analytics, event: e.MetricTracked) -> None:
    if not a.on:
        return
    value = float(event.value)
    known = a.metrics.get(event.name)
    if known is None and len(a.metrics) >= MOST_METRICS:
        return
    if known is None:
        known = a.metrics[event.name] = Metric(min=value, max=value)
    known.count += 1
    known.sum += value
    known.min, known.max = min(known.min, value), max(known.max, value)
    known.last = value


def _usage(state: "State", a: Analytics, event: e.UsageRecorded) -> None:
    if not a.on:
        return
    name = event.engine
    if name not in a.usage and len(a.usage) >= MOST_ENGINES - 1:
        name = "other"
    used = a.usage.setdefault(name, Usage())
    used.heard += event.heard
    used.spoken += event.spoken
    used.tokens_in += event.tokens_in
    used.tokens_out += event.tokens_out
    used.characters += event.characters


_CHANGES: dict[type[e.Event], Callable[["State", Analytics, Any], None]] = {
    e.SessionCreated: _look,
    e.SessionPaused: _look,
    e.SessionResumed: _look,
    e.SessionRestored: _look,
    e.SessionParked: _look,
    e.SessionEnded: _look,
    e.AttachmentAttached: _look,
    e.AttachmentDetached: _look,
    e.ConversationStarted: _started,
    e.ConversationResumed: _look,
    e.ConversationEnded: _ended,
    e.ConfigChanged: _configured,
    e.SpeechEnded: _speech_ended,
    e.MessageAdded: _message,
    e.ReplyStarted: _reply_started,
    e.ReplySegment: _segment,
    e.ReplyEnded: _reply_over,
    e.ReplyCut: _reply_over,
    e.MetricTracked: _metric,
    e.UsageRecorded: _usage,
    e.MilestoneReached: _milestone,
}
