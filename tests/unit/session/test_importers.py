"""What others keep of a session becomes a journal that can be folded."""

from typing import Any

import pytest

from tenuto import events as e
from tenuto.errors import ExportUnsupported, InvalidConfig, InvalidInput
from tenuto.session import importers
from tenuto.session.fold import State, apply

CHAT = [
    {"role": "developer", "content": "You are a tutor."},
    {"role": "user", "content": "Hello"},
    {
        "role": "assistant",
        "content": [{"type": "text", "text": "Hi."}, {"transcript": "There."}, {"image": 1}, "x"],
    },
    {"role": "assistant", "content": None, "tool_calls": []},
    {"role": "tool", "content": "42"},
]
MAP = {
    "session_1_abc": {
        "id": "session_1_abc",
        "createdAt": 1_700_000_000_000,
        "conversationHistory": [
            {"role": "user", "content": "My name is Alice", "timestamp": 1_700_000_001_000},
            {"role": "agent", "content": "Hello Alice", "timestamp": 1_700_000_002_000},
        ],
    },
    "session_2_def": {"conversationHistory": []},
}
RECORD = {
    "sessionId": "tab-1",
    "token": "secret-token",
    "tokenExpiresAt": 1_700_000_000_000,
    "startTime": 1_700_000_000,
    "messages": [
        {"id": "1", "type": "user", "content": "Hi", "timestamp": "2024-01-15T10:00:00Z"},
        {"id": "2", "type": "assistant", "content": "Hello", "timestamp": "2024-01-15T10:00:02"},
    ],
}
STRUCTURE = {
    "session_id": "sess_abc123",
    "user_id": "user_123",
    "created_at": "2024-01-15T10:00:00Z",
    "config": {"instructions": "Be kind.", "voice": "nova", "speed": 2},
    "memory": {
        "entries": [
            {
                "content": "User name is Alice",
                "timestamp": "2024-01-15T10:05:00Z",
                "importance": 0.9,
                "category": "identity",
            }
        ],
        "token_count": 2500,
    },
    "analytics": {"conversation_count": 3, "last": "never"},
    "preferences": {"formality": 0.7, "mood": "good"},
}


def folded(past: importers.Past) -> State:
    state = State()
    for event in importers.events(past, 2e9, session="s", tenant="t", user="u", epoch="0" * 16):
        apply(state, event)
    return state


def test_a_chat_becomes_a_conversation() -> None:
    (past,) = importers.read(CHAT)
    assert past.config == {"instructions": "You are a tutor."}
    state = folded(past)
    assert [(m.role, m.text) for m in state.recent] == [
        ("user", "Hello"),
        ("agent", "Hi. There."),
        ("tool", "42"),
    ]
    assert state.conversations["imported"].ended
    assert state.owed == []


def test_a_chat_without_instructions_keeps_the_defaults() -> None:
    (past,) = importers.read([{"role": "user", "content": "Hello"}])
    assert past.config == {}


def test_a_map_becomes_its_sessions() -> None:
    alice, empty = importers.read(MAP)
    assert (alice.session, empty.session) == ("session_1_abc", "session_2_def")
    state = folded(alice)
    assert state.created == 1_700_000_000
    assert [m.at for m in state.recent] == [1_700_000_001, 1_700_000_002]
    assert folded(empty).conversations == {}


def test_a_record_leaves_its_token_behind() -> None:
    (past,) = importers.read(RECORD)
    made = importers.events(past, 2e9, session="s", tenant="t", user="u", epoch="")
    assert "secret-token" not in repr(made)
    assert [m.at for m in folded(past).recent] == [1705312800.0, 1705312802.0]


def test_a_structure_brings_settings_memory_preferences_and_counts() -> None:
    (past,) = importers.read(STRUCTURE)
    assert past.user == "user_123"
    assert past.config == {"instructions": "Be kind.", "voice": "nova"}
    assert past.profile == {"formality": 0.7}
    assert past.metrics == {"imported.conversation_count": 3.0}
    (known,) = folded(past).memory.book.entries.values()
    assert (known.content, known.importance, known.at) == ("User name is Alice", 0.9, 1705313100.0)


def test_a_structure_needs_only_its_id() -> None:
    (past,) = importers.read({"session_id": "x", "config": None, "memory": None})
    assert folded(past).messages == 0


@pytest.mark.parametrize("data", [None, 3, {}, [], {"a": 1}, [1], "text", {"memory": {}}])
def test_what_is_nothing_known_is_refused(data: object) -> None:
    with pytest.raises(ExportUnsupported, match="no session that Tenuto can import"):
        importers.read(data)


def test_what_it_is_can_be_said() -> None:
    assert importers.read(CHAT, "chat") == importers.read(CHAT)
    with pytest.raises(ExportUnsupported, match=r"no kind 'cassette'\. There are: chat, map"):
        importers.read(CHAT, "cassette")
    with pytest.raises(ExportUnsupported, match="this is no map"):
        importers.read(CHAT, "map")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"role": "narrator", "content": "x"}], "Message 1: There is no role 'narrator'"),
        ({"s": {"conversationHistory": {}}}, "messages are not a list"),
        ({"s": {"conversationHistory": [3]}}, "Message 1 is no object"),
        ({**RECORD, "startTime": "soon"}, "time of the session is none: 'soon'"),
        ({"session_id": "x", "memory": {"entries": [3]}}, "not a list of objects"),
        ({"session_id": "x", "memory": [3]}, "not a list of objects"),
    ],
)
def test_a_wrong_part_is_named(data: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        importers.read(data)


@pytest.mark.parametrize(
    "entry",
    [{}, {"content": " "}, {"content": "x", "importance": 2}, {"content": "x", "importance": "y"}],
)
def test_a_wrong_memory_is_named(entry: dict[str, Any]) -> None:
    past = importers.Past(memories=[entry])
    with pytest.raises(InvalidInput, match=r"[Mm]emory 1"):
        importers.events(past, 1.0, session="s", tenant="t", user="u", epoch="")


def test_settings_are_checked() -> None:
    with pytest.raises(InvalidConfig):
        importers.read({"session_id": "x", "config": {"memory_mode": "eternal"}})


def test_what_is_imported_says_so() -> None:
    (past,) = importers.read(RECORD)
    created = importers.events(past, 2e9, session="s", tenant="t", user="u", epoch="")[0]
    assert isinstance(created, e.SessionCreated)
    assert (created.origin, created.source) == ("import", "tab-1")


def test_preferences_that_nobody_knows_are_left_behind() -> None:
    (past,) = importers.read({**STRUCTURE, "preferences": {"mood": 0.5}})
    made = importers.events(past, 1.0, session="s", tenant="t", user="u", epoch="x")
    assert not any(isinstance(event, e.ProfileApplied) for event in made)


@pytest.mark.parametrize(
    "data",
    [
        [{"role": "user", "content": "a", "timestamp": 10**400}],
        {"session_id": "q", "preferences": [1]},
    ],
)
def test_a_part_of_the_wrong_kind_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput, match="not what it should be"):
        importers.read(data)
