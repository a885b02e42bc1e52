"""What others keep of a session, as events: chats of OpenAI, maps and records of browsers, records of Python layers.

Each reader takes plain data (as JSON gives it) and returns `Past`s. Nothing secret is taken over: tokens stay behind.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tenuto import events as e
from tenuto.errors import ExportUnsupported, InvalidInput
from tenuto.session import fold, ports, preferences
from tenuto.session.config import NAMES, build

LONGEST = 10_000
"""Characters of one message that are taken over."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    role: str
    text: str
    at: float | None = None
    """Seconds since 1970-01-01 UTC; None when it is not known."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A session's past, as somebody else kept it."""

    session: str = ""
    user: str = ""
    created: float | None = None
    """Seconds since 1970-01-01 UTC."""
    config: dict[str, Any] = {}
    messages: Sequence[Said] = ()
    memories: Sequence[Mapping[str, Any]] = ()
    profile: Mapping[str, Any] = {}
    metrics: Mapping[str, float] = {}
    """Numbers by name, as they were counted elsewhere."""


def read(data: object, source: str = "") -> list[Past]:
    """Return the sessions that somebody else's data holds.

    Args:
        data: A list of chat messages; a map of sessions by id; or one session's record.
        source: `chat`, `map`, `record` or `structure`; empty to find out.

    Raises:
        ExportUnsupported: It is none of these, or not the one that `source` says.
        InvalidInput: It is one of these, and a part of it is wrong; the message says which.

    Example:
        >>> read([{"role": "user", "content": "Hello"}])[0].messages[0].text
        'Hello'
    """
    if source not in ("", *_READERS):
        raise ExportUnsupported(f"There is no kind {source!r}. There are: {', '.join(_READERS)}.")
    for name, (fits, reader) in _READERS.items():
        if name == (source or name) and fits(data):
            try:
                return reader(data)
            except (ValueError, ArithmeticError, AttributeError, TypeError):
                raise InvalidInput(f"A part of this {name} is not what it should be.") from None
    raise ExportUnsupported(
        "This is no session that Tenuto can import. It reads its own exports, lists of chat messages, maps of sessions by "
        f"id and session records{f'; and this is no {source}' if source else ''}."
    )


def events(
    past: Past, at: float, *, session: str, tenant: str, user: str, epoch: str
) -> list[e.Event]:
    """Return the journal of a session with that past.

    Args:
        at: Now, for what has no time, in seconds since 1970-01-01 UTC.
    """
    begun = min([m.at for m in past.messages if m.at is not None], default=at)
    begun = min(begun, past.created if past.created is not None else begun)
    made: list[e.Event] = [
        e.SessionCreated(
            at=begun,
            session=session,
            tenant=tenant,
            user=user,
            epoch=epoch,
            config=past.config,
            layers={"session": past.config} if past.config else {},
            origin="import",
            source=past.session,
        )
    ]
    if past.messages:
        made += _conversation(past.messages, begun)
    for number, memory in enumerate(past.memories, 1):
        made.append(_memory(number, memory, at))
    profile = {name: past.profile[name] for name in preferences.NAMED if name in past.profile}
    if profile:
        made += preferences.take_profile(fold.State(), profile, at)
    made += [e.MetricTracked(at=at, name=name, value=value) for name, value in past.metrics.items()]
    return made


def _conversation(messages: Sequence[Said], begun: float) -> list[e.Event]:
    made: list[e.Event] = [e.ConversationStarted(at=begun, conversation="imported")]
    turn, last = 0, begun
    for number, message in enumerate(messages, 1):
        role = ports.role(message.role)
        turn += role == "user"
        last = message.at if message.at is not None else last
        made.append(
            e.MessageAdded(
                at=last,
                message=number,
                role=role,
                text=message.text[:LONGEST],
                turn=turn,
                conversation="imported",
                by="injected",
            )
        )
    return [*made, e.ConversationEnded(at=last, conversation="imported", reason="imported")]


def _memory(number: int, memory: Mapping[str, Any], at: float) -> e.MemoryAdded:
    content = memory.get("content")
    if not isinstance(content, str) or not content.strip():
        raise InvalidInput(f"Memory {number} has no content.")
    importance = memory.get("importance", 0.5)
    if not isinstance(importance, int | float) or not 0 <= importance <= 1:
        raise InvalidInput(f"The importance of memory {number} is not from 0 to 1.")
    return e.MemoryAdded(
        at=_moment(memory.get("timestamp"), f"memory {number}") or at,
        memory=number,
        content=content,
        importance=float(importance),
        category=str(memory.get("category") or ""),
        expires=_moment(memory.get("expires_at"), f"memory {number}") or 0.0,
        sensitive=bool(memory.get("sensitive", False)),
    )


def _moment(value: object, place: str) -> float | None:
    """Return a time in seconds: it may be given in milliseconds, or as ISO 8601; None when it is not given."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Seconds of today have ten digits, milliseconds thirteen.
        return value / 1000 if value > 1e11 else float(value)
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise InvalidInput(f"The time of {place} is none: {value!r}.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _said(entries: object, role: str, text: str) -> list[Said]:
    if not isinstance(entries, list):
        raise InvalidInput("The messages are not a list.")
    found = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise InvalidInput(f"Message {number} is no object.")
        try:
            who = ports.role(str(entry.get(role, "")))
        except InvalidInput as error:
            raise InvalidInput(f"Message {number}: {error.message}") from None
        words = _text(entry.get(text))
        if words:
            at = _moment(entry.get("timestamp"), f"message {number}")
            found.append(Said(role=who, text=words, at=at))
    return found


def _text(content: object) -> str:
    """Return what a content says: text, or the text of its parts."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list):
        parts = (part for part in content if isinstance(part, Mapping))
        said = (part.get("text") or part.get("transcript") or "" for part in parts)
        return " ".join(str(words) for words in said if words).strip()
    return ""


def _is_chat(data: object) -> bool:
    return (
        isinstance(data, list)
        and bool(data)
        and all(isinstance(m, Mapping) and "role" in m for m in data)
    )


def _chat(data: Any) -> list[Past]:
    """OpenAI chat messages. What the system says first are the instructions."""
    named = [
        {**message, "role": "system" if message.get("role") == "developer" else message.get("role")}
        for message in data
    ]
    said = _said(named, "role", "content")
    config: dict[str, Any] = {}
    if said and said[0].role == "system":
        config = _config({"instructions": said[0].text})
        said = said[1:]
    return [Past(config=config, messages=said)]


def _is_map(data: object) -> bool:
    return (
        isinstance(data, Mapping)
        and bool(data)
        and all(isinstance(one, Mapping) and "conversationHistory" in one for one in data.values())
    )


def _map(data: Any) -> list[Past]:
    """Sessions by id, each with `createdAt` and `conversationHistory`, as web pages keep them."""
    return [
        Past(
            session=str(one.get("id") or name),
            created=_moment(one.get("createdAt"), f"session {name}"),
            messages=_said(one.get("conversationHistory"), "role", "content"),
        )
        for name, one in data.items()
    ]


def _is_record(data: object) -> bool:
    return isinstance(data, Mapping) and "sessionId" in data and "messages" in data


def _record(data: Any) -> list[Past]:
    """One tab's record: `sessionId`, `messages` with a `type`, `startTime`. Its token stays behind."""
    return [
        Past(
            session=str(data["sessionId"]),
            created=_moment(data.get("startTime"), "the session"),
            messages=_said(data["messages"], "type", "content"),
        )
    ]


def _is_structure(data: object) -> bool:
    return (
        isinstance(data, Mapping)
        and "session_id" in data
        and any(part in data for part in ("memory", "config", "preferences", "analytics"))
    )


def _structure(data: Any) -> list[Past]:
    """A session layer's record: `session_id`, `config`, `memory.entries`, `analytics`, `preferences`."""
    memory = data.get("memory") or {}
    entries = memory.get("entries", []) if isinstance(memory, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        raise InvalidInput("`memory.entries` is not a list of objects.")
    analytics = data.get("analytics") or {}
    return [
        Past(
            session=str(data["session_id"]),
            user=str(data.get("user_id") or ""),
            created=_moment(data.get("created_at"), "the session"),
            config=_config(data.get("config") or {}),
            messages=_said(data.get("messages", []), "role", "content"),
            memories=entries,
            profile={
                name: float(value)
                for name, value in (data.get("preferences") or {}).items()
                if isinstance(value, int | float)
            },
            metrics={
                f"imported.{name}": float(value)
                for name, value in analytics.items()
                if isinstance(value, int | float)
            },
        )
    ]


def _config(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that Tenuto knows; the others are somebody else's."""
    known = {name: found[name] for name in found if name in NAMES}
    build(known)
    return known


_READERS: dict[str, tuple[Callable[[object], bool], Callable[[Any], list[Past]]]] = {
    "chat": (_is_chat, _chat),
    "map": (_is_map, _map),
    "record": (_is_record, _record),
    "structure": (_is_structure, _structure),
}
