"""How the user likes to be spoken to: learned from what they say, or decided by hand.

What is learned are running averages over the traits that were journaled with each message, and over how replies went, so
that the fold is plain arithmetic: the same journal gives the same preferences, whatever library measured the traits. An
average forgets: each message counts one part in `MEMORY` once there are that many. A decision (`preference.set`) stays,
whatever is learned after it. Nothing is learned while `enable_learning` is off, and the engine is told nothing of what was
learned while `enable_adaptation` is off; it is still told what was decided.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto import events as e
from tenuto.errors import InvalidInput, TooMuch
from tenuto.session.checked import checked
from tenuto.session.desk import Desk, Receipt
from tenuto.session.ports import Style, is_text

if TYPE_CHECKING:
    from tenuto.session.config import SessionConfig
    from tenuto.session.fold import State

MEMORY = 20
"""Messages after which an average begins to forget the older ones."""
EVIDENCE = 3
"""Messages that something rests on before anybody is told of it."""
TOPICS = 50
"""Topics that are counted; the rarest go first."""
DECISIONS = 50
"""Decisions that a session keeps."""
LONGEST_REPLY = 40.0
"""Words of a message of somebody who likes replies in full detail."""
SPEECH = 1.0
"""Seconds of speech, at least, that tell something of the pace."""

NAMED: dict[str, dict[str, float]] = {
    "formality": {
        "always_formal": 1.0,
        "formal": 0.8,
        "neutral": 0.5,
        "casual": 0.2,
        "always_casual": 0.0,
    },
    "verbosity": {"brief": 0.1, "short": 0.3, "normal": 0.5, "detailed": 0.9},
    "technical_level": {"plain": 0.1, "normal": 0.5, "technical": 0.8, "expert": 1.0},
    "speaking_pace": {"slow": 100.0, "normal": 150.0, "fast": 200.0},
}
"""Preferences that an engine understands, with the words that may stand for a value."""

_RANGES = {"formality": 1.0, "verbosity": 1.0, "technical_level": 1.0, "speaking_pace": 600.0}
_STEPS = {"formality": 0.1, "technical_level": 0.1, "verbosity": 0.1}
_RELATIVE = 0.2
"""The part by which a pace or a length must change to be told again."""

Value = float | str | bool


class Average(msgspec.Struct):
    """A running average that forgets."""

    value: float = 0.0
    """In the unit of what is averaged."""
    count: int = 0
    """What it rests on."""

    def add(self, value: float) -> None:
        """Take one more value."""
        self.count += 1
        self.value += (value - self.value) / min(self.count, MEMORY)


class Preferences(msgspec.Struct):
    """A fold over what the user says, how replies went, and `preference.*`. Read it; only `apply` writes it."""

    length: Average = msgspec.field(default_factory=Average)
    """Words of a message."""
    pace: Average = msgspec.field(default_factory=Average)
    """Words a minute, when speaking."""
    formality: Average = msgspec.field(default_factory=Average)
    technical: Average = msgspec.field(default_factory=Average)
    interrupted: Average = msgspec.field(default_factory=Average)
    """Of the replies, how many the user spoke into."""
    topics: dict[str, int] = {}
    told: dict[str, float] = {}
    """What listeners were told last."""
    decided: dict[str, Value] = {}
    """What was decided by hand."""


def apply(preferences: Preferences, event: e.Event, *, learning: bool = True) -> None:
    """Move the preferences by one event.

    Args:
        learning: Whether `enable_learning` is on.
    """
    match event:
        case e.MessageAdded(role="user", traits=e.Traits() as traits) if not event.user:
            # Where learning was off, formality was not measured.
            if learning and traits.formality is not None:
                _take(preferences, traits, traits.formality)
        case e.ReplyEnded() if learning and preferences.formality.count:
            preferences.interrupted.add(0.0)
        case e.ReplyCut(reason="barge_in") if learning and preferences.formality.count:
            preferences.interrupted.add(1.0)
        case e.PreferenceLearned(name=name, value=value) if not isinstance(value, str):
            preferences.told[name] = float(value)
        case e.PreferenceSet(name=name, value=value):
            preferences.decided.pop(name, None)
            if value is not None:
                preferences.decided[name] = value
        case e.ProfileApplied(profile=profile):
            _take_profile(preferences, to_profile(profile))
        case _:
            pass


def _take(preferences: Preferences, traits: e.Traits, formality: float) -> None:
    preferences.formality.add(formality)
    if traits.words:
        preferences.length.add(float(traits.words))
    if traits.seconds >= SPEECH:
        preferences.pace.add(60.0 * traits.words / traits.seconds)
    if traits.technical is not None:
        preferences.technical.add(traits.technical)
    for topic in traits.topics:
        preferences.topics[topic] = preferences.topics.get(topic, 0) + 1
    _trim(preferences.topics)


def _trim(topics: dict[str, int]) -> None:
    while len(topics) > TOPICS:
        # The newest stays, or nothing new could ever come in.
        del topics[min(list(topics)[:-1], key=lambda topic: topics[topic])]


# ---------------------------------------------------------------------------------------------------------------- rules


def learned(state: "State", at: float) -> list[e.Event]:
    """Return a `preference.learned` for each thing that has changed enough since it was last told.

    Args:
        at: Seconds since 1970-01-01 UTC.
    """
    preferences = state.preferences
    made: list[e.Event] = []
    for name, (value, evidence) in _learned(preferences).items():
        told = preferences.told.get(name)
        step = _STEPS.get(name, _RELATIVE * (told or 0.0))
        if evidence >= EVIDENCE and (told is None or abs(value - told) >= step > 0.0):
            made.append(
                e.PreferenceLearned(at=at, name=name, value=round(value, 3), evidence=evidence)
            )
    return made


def _learned(preferences: Preferences) -> dict[str, tuple[float, int]]:
    """Return what was learned, with what it rests on."""
    found = {
        "speaking_pace": preferences.pace,
        "avg_message_length": preferences.length,
        "formality": preferences.formality,
        "technical_level": preferences.technical,
    }
    known = {
        name: (average.value, average.count) for name, average in found.items() if average.count
    }
    if preferences.length.count:
        known["verbosity"] = (_verbosity(preferences), preferences.length.count)
    return known


def _verbosity(preferences: Preferences) -> float:
    """Who says much likes to hear much; who speaks into replies likes them shorter."""
    wanted = min(1.0, preferences.length.value / LONGEST_REPLY)
    return wanted * (1.0 - 0.5 * preferences.interrupted.value)


def decide(state: "State", name: str, value: Value | None, at: float) -> list[e.Event]:
    """Return the event of a decision; none when it was decided so already.

    Raises:
        InvalidInput: The name or the value is wrong.
        TooMuch: There are `DECISIONS` already.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= 50 or not name.isidentifier():
        raise InvalidInput("The name of a preference is 1 to 50 letters, digits and underscores.")
    decided = state.preferences.decided
    if value is not None:
        _need_value(name, value)
        if name not in decided and len(decided) >= DECISIONS:
            raise TooMuch(f"A session keeps {DECISIONS} decisions: take one back with None.")
    if decided.get(name) == value and type(decided.get(name)) is type(value):
        return []
    return [e.PreferenceSet(at=at, name=name, value=value)]


def _need_value(name: str, value: object) -> None:
    accepted = _accepted(name)
    if isinstance(value, str):
        if name in NAMED and value not in NAMED[name]:
            raise InvalidInput(f"`{name}` cannot be {value!r}. Accepted: {accepted}.")
        if not 1 <= len(value) <= 200 or not is_text(value):
            raise InvalidInput(
                f"The value of `{name}` may have 1 to 200 characters, all of them whole."
            )
    elif isinstance(value, bool) or not isinstance(value, int | float):
        if not isinstance(value, bool) or name in NAMED:
            raise InvalidInput(f"`{name}` cannot be {value!r}. Accepted: {accepted}.")
    elif not math.isfinite(value) or (name in _RANGES and not 0 <= value <= _RANGES[name]):
        raise InvalidInput(f"`{name}` cannot be {value!r}. Accepted: {accepted}.")


def _accepted(name: str) -> str:
    if name not in NAMED:
        return "a text, a number, or True or False"
    return f"0 to {_RANGES[name]:g}, or one of {', '.join(NAMED[name])}"


def style(state: "State", config: "SessionConfig") -> Style:
    """Return how the user likes to be spoken to, as an engine is told: decisions first, then what was learned."""
    preferences = state.preferences
    known: dict[str, float] = {}
    if config.enable_adaptation:
        learned = _learned(preferences)
        known = {name: value for name, (value, count) in learned.items() if count >= EVIDENCE}
    wishes: dict[str, str] = {}
    for name, value in preferences.decided.items():
        if name not in NAMED:
            wishes[name] = str(value)
        else:
            known[name] = NAMED[name][value] if isinstance(value, str) else float(value)
    return Style(
        formality=_rounded(known.get("formality")),
        verbosity=_rounded(known.get("verbosity")),
        technical=_rounded(known.get("technical_level")),
        pace=_rounded(known.get("speaking_pace")),
        wishes=wishes,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def describe(style: Style) -> str:
    """Return a style in words, for an engine that reads instructions; empty when nothing is known.

    Example:
        >>> describe(Style(formality=1.0, verbosity=0.1))
        'Speak formally. Answer briefly, in one or two sentences.'
    """
    said = [
        _word(style.formality, "Speak casually.", "Speak formally."),
        _word(
            style.verbosity,
            "Answer briefly, in one or two sentences.",
            "Answer in full detail.",
        ),
        _word(style.technical, "Use plain words.", "Technical terms are welcome."),
        _word(
            None if style.pace is None else (style.pace - 50.0) / 200.0,
            "The user speaks slowly: speak slowly.",
            "The user speaks fast: be quick.",
        ),
    ]
    return " ".join(words for words in said if words)


def _word(value: float | None, low: str, high: str) -> str:
    if value is None or 0.35 < value < 0.65:
        return ""
    return low if value <= 0.35 else high


# ------------------------------------------------------------------------------------------------------------- profiles


class SessionProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was learned of somebody, to be taken to another session. JSON can hold `to_dict()`.

    Example:
        >>> profile = session.export_preference_profile()  # doctest: +SKIP
        >>> other = tenuto.create_session(user_id="user_789", preference_profile=profile)  # doctest: +SKIP
    """

    length: float = 0.0
    """Words of a message, on average."""
    length_count: int = 0
    """Messages that it rests on."""
    pace: float = 0.0
    """Words a minute."""
    pace_count: int = 0
    """Messages that it rests on."""
    formality: float = 0.0
    """0 casual to 1 formal."""
    formality_count: int = 0
    """Messages that it rests on."""
    technical: float = 0.0
    """0 plain to 1 technical."""
    technical_count: int = 0
    """Messages that it rests on."""
    interrupted: float = 0.0
    """Of the replies, the part that the user spoke into, 0 to 1."""
    interrupted_count: int = 0
    """Replies that it rests on."""
    topics: dict[str, int] = {}
    """Topics, with the messages that were about each."""
    decided: dict[str, float | str | bool] = {}
    """What was decided by hand, by name."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made

    @staticmethod
    def merge(profiles: "Sequence[SessionProfile | Mapping[str, Any]]") -> "SessionProfile":
        """Return one profile of several: averages by what they rest on; of contradicting decisions the last one holds.

        Args:
            profiles: One or more, also as JSON has kept them.

        Raises:
            InvalidInput: There are none, or one of them is no profile.

        Example:
            >>> SessionProfile.merge(  # doctest: +SKIP
            ...     [alice.export_preference_profile(), bob.export_preference_profile()]
            ... )
        """
        if isinstance(profiles, SessionProfile | Mapping):
            raise InvalidInput("Give the profiles to merge as a list.")
        known = [to_profile(profile) for profile in profiles]
        if not known:
            raise InvalidInput("There is no profile to merge.")
        values: dict[str, Any] = {}
        for name in _AVERAGES:
            counts = [getattr(profile, f"{name}_count") for profile in known]
            total = sum(counts)
            parts = [
                getattr(profile, name) * count for profile, count in zip(known, counts, strict=True)
            ]
            values[f"{name}_count"] = total
            values[name] = round(math.fsum(parts) / total, 6) if total else 0.0
        topics: dict[str, int] = {}
        for profile in known:
            for topic, count in profile.topics.items():
                topics[topic] = topics.get(topic, 0) + count
        most = sorted(topics, key=lambda topic: (-topics[topic], topic))[:TOPICS]
        decided = {name: value for one in known for name, value in one.decided.items()}
        return SessionProfile(
            **values,
            topics={topic: topics[topic] for topic in most},
            decided=dict(list(decided.items())[:DECISIONS]),
        )


_AVERAGES = ("length", "pace", "formality", "technical", "interrupted")
RECORDED = 10
"""Messages that a preference of somebody else's record counts for."""


def to_profile(profile: SessionProfile | Mapping[str, Any]) -> SessionProfile:
    """Return a profile from what JSON has kept of it, or from a record of `formality`, `verbosity` and `technical_level`.

    Raises:
        InvalidInput: It is none.
    """
    if isinstance(profile, SessionProfile):
        try:
            # Nobody has looked at what somebody gave it by hand.
            return msgspec.convert(msgspec.to_builtins(profile), SessionProfile)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise InvalidInput(f"That is no preference profile: {error}") from None
    if not isinstance(profile, Mapping):
        raise InvalidInput(
            "A preference profile is what `export_preference_profile()` gave, or its `to_dict()`; "
            f"it is no {type(profile).__name__}."
        )
    plain = {name: profile[name] for name in ("verbosity", "technical_level") if name in profile}
    try:
        if plain or ("formality" in profile and "formality_count" not in profile):
            return _from_record(profile)
        return msgspec.convert(dict(profile), SessionProfile)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise InvalidInput(f"That is no preference profile: {error}") from None


def _from_record(record: Mapping[str, Any]) -> SessionProfile:
    values: dict[str, Any] = {}
    for name, to, scale in (
        ("formality", "formality", 1.0),
        ("technical_level", "technical", 1.0),
        ("verbosity", "length", LONGEST_REPLY),
    ):
        if name in record:
            value = float(record[name])
            if not 0 <= value <= 1:
                raise ValueError(f"`{name}` is from 0 to 1")
            values |= {to: value * scale, f"{to}_count": RECORDED}
    return SessionProfile(**values)


def profile(preferences: Preferences) -> SessionProfile:
    """Return what can be taken to another session."""
    values: dict[str, Any] = {}
    for name in _AVERAGES:
        average: Average = getattr(preferences, name)
        values |= {name: round(average.value, 6), f"{name}_count": average.count}
    return SessionProfile(
        **values, topics=dict(preferences.topics), decided=dict(preferences.decided)
    )


def take_profile(
    state: "State", given: SessionProfile | Mapping[str, Any], at: float
) -> list[e.Event]:
    """Return the event that has a session begin with a profile.

    Raises:
        InvalidInput: It is no profile, or a decision in it is wrong.
    """
    known = to_profile(given)
    if isinstance(given, Mapping) and given and not _KNOWN.intersection(given):
        raise InvalidInput(
            f"That is no preference profile: it has none of {', '.join(sorted(_KNOWN))}."
        )
    _need_sound(known)
    for name, value in known.decided.items():
        decide(state, name, value, at)
    return [e.ProfileApplied(at=at, profile=known.to_dict())]


_MOST = {"length": 1e6, "pace": 1e6, "formality": 1.0, "technical": 1.0, "interrupted": 1.0}
"""What an average can be at most; none is below 0."""
_KNOWN = {"verbosity", "technical_level", *SessionProfile.__struct_fields__}


def _need_sound(given: SessionProfile) -> None:
    """Refuse what no session could have learned: it would be in the journal for good."""
    for name, most in _MOST.items():
        if not 0 <= getattr(given, name) <= most:
            raise InvalidInput(f"`{name}` of a preference profile is from 0 to {most:,.0f}.")
    counts = [getattr(given, f"{name}_count") for name in _AVERAGES] + list(given.topics.values())
    if not all(0 <= count <= 1_000_000_000 for count in counts):
        raise InvalidInput("The counts of a preference profile are from 0 to 1,000,000,000.")
    if any(len(topic) > 1_000 or not is_text(topic) for topic in given.topics):
        raise InvalidInput(
            "The topics of a preference profile are texts of up to 1,000 characters."
        )


def _take_profile(preferences: Preferences, given: SessionProfile) -> None:
    merged = SessionProfile.merge([profile(preferences), given])
    for name in _AVERAGES:
        average: Average = getattr(preferences, name)
        average.value, average.count = getattr(merged, name), getattr(merged, f"{name}_count")
    preferences.topics, preferences.decided = dict(merged.topics), dict(merged.decided)


# ----------------------------------------------------------------------------------------------------------------- part


@checked
class PreferencesPart:
    """`session.preferences`: what was learned of the user, and what was decided.

    Example:
        >>> session.preferences.set("formality", "always_formal")  # doctest: +SKIP
        >>> session.preferences.learned()["formality_score"]  # doctest: +SKIP
        0.412
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def learned(self) -> dict[str, Any]:
        """Return what was learned; None where nothing is known.

        Keys: `speaking_pace` (words a minute), `avg_message_length` (words), `formality_score`, `technical_level` and
        `verbosity` (0 to 1), `topics` (the most frequent first, at most ten), `evidence` (messages), and `overrides`: what
        was decided by hand, and holds over all of these.
        """
        preferences = self._desk.state.preferences
        known = _learned(preferences)

        def value(name: str) -> float | None:
            return _rounded(known[name][0]) if name in known else None

        counts = preferences.topics
        return {
            "speaking_pace": value("speaking_pace"),
            "avg_message_length": value("avg_message_length"),
            "formality_score": value("formality"),
            "technical_level": value("technical_level"),
            "verbosity": value("verbosity"),
            "topics": sorted(counts, key=lambda topic: (-counts[topic], topic))[:10],
            "evidence": preferences.formality.count,
            "overrides": dict(preferences.decided),
        }

    def effective(self) -> dict[str, Any]:
        """Return what holds: `formality`, `verbosity`, `technical_level` (0 to 1, or None), and every other decision."""
        preferences = self._desk.state.preferences
        found: dict[str, Any] = {"formality": None, "verbosity": None, "technical_level": None}
        for name in found:
            found[name] = _rounded(_learned(preferences).get(name, (None, 0))[0])
        for name, value in preferences.decided.items():
            word = isinstance(value, str) and name in NAMED
            found[name] = NAMED[name][str(value)] if word else value
        return found

    def set(self, name: str, value: Value | None) -> Receipt[None]:
        """Decide a preference: it stays, whatever is learned. None takes the decision back.

        Args:
            name: `formality`, `verbosity`, `technical_level`, `speaking_pace`, or any other name that the engine is told.
            value: A number (0 to 1; words a minute for the pace), or a word such as `always_formal`.

        Raises:
            InvalidInput: The name or the value is wrong.
            TooMuch: There are `DECISIONS` already.
        """
        self._desk.decide(lambda state, at: decide(state, name, value, at))
        return Receipt(self._desk, None)

    def export_profile(self) -> SessionProfile:
        """Return what was learned and decided, for another session."""
        return profile(self._desk.state.preferences)

    def apply_profile(self, given: SessionProfile | Mapping[str, Any]) -> Receipt[None]:
        """Have the session know what was learned elsewhere, beside what it has learned itself.

        Args:
            given: What `export_profile` gave, or what JSON has kept of it.

        Raises:
            InvalidInput: It is no profile.
        """
        self._desk.decide(lambda state, at: take_profile(state, given, at))
        return Receipt(self._desk, None)
