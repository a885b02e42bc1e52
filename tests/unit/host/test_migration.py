"""Sessions that move from host to host, and beside themselves: nothing is lost, and nothing damaged comes in."""

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.clock import SystemClock
from tenuto.errors import (
    AppendConflict,
    ExportUnsupported,
    InvalidInput,
    NotAuthenticated,
    SessionNotFound,
    StoreFull,
)
from tenuto.host import migration
from tenuto.session import importers
from tenuto.session.attachment import Joining
from tenuto.session.config import SessionConfig
from tenuto.session.ports import Append, Query, Read, Row
from tenuto.session.transfer import Writer
from tenuto.stores.in_memory import InMemoryStore
from tests.unit.host.hosting import hosting
from tests.unit.session.house import Ear, quiet

pytestmark = pytest.mark.virtual


@asynccontextmanager
async def host(store: Any = None) -> AsyncIterator[Tenuto]:
    async with Tenuto(TenutoConfig(store="memory:", engine="text"), store=store) as tenuto:
        yield tenuto


async def lived(tenuto: Tenuto, name: str = "s1") -> str:
    """Make a session with a past."""
    async with tenuto.session(
        session_id=name, user_id="old_123", config=SessionConfig(instructions="Be kind.")
    ) as session:
        async with session.conversation() as conversation:
            await conversation.send_message("My name is Alice")
        session.add_memory("Prefers mornings", category="scheduling")
        async with session.conversation() as conversation:
            await conversation.send_message("Set a timer for 10 minutes")
    return name


async def bodies(tenuto: Tenuto, name: str) -> list[dict[str, Any]]:
    found = await tenuto.store.read(Read(session=name, limit=10_000))
    return [msgspec.json.decode(row.body) for row in found]


NAMES = ("session", "tenant", "user", "epoch")


async def test_export_and_import_lose_nothing() -> None:
    async with host() as here, host() as there:
        name = await lived(here)
        loaded = await here.load_session(name)
        data = msgspec.json.decode(msgspec.json.encode(await loaded.export_full()))
        copy = await there.import_session(data, user_id_mapping={"old_123": "new_456"})
        assert (copy.session_id, copy.user_id) == ("s1", "new_456")
        before, after = await bodies(here, name), await bodies(there, name)
        assert after[1 : len(before)] == before[1:]
        assert {k: v for k, v in after[0].items() if k not in NAMES} == {
            k: v for k, v in before[0].items() if k not in NAMES
        }
        assert [m.content for m in copy.memories] == [m.content for m in loaded.memories]
        assert copy.config.instructions == "Be kind."
        reply = await copy.send_message("What is my name?")
        assert "Alice" in reply.text


async def test_a_second_export_equals_the_first_ids_apart() -> None:
    async with host() as here, host() as there:
        name = await lived(here)
        first = [line async for line in here.export_session(name)]
        await there.import_sessions(iter(first))
        second = [line async for line in there.export_session(name)]
        assert second[2:-1] == first[2:-1]


async def test_it_streams() -> None:
    async with host() as here, host() as there:
        name = await lived(here)
        assert await there.import_sessions(here.export_session(name)) == [name]


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
async def test_lines_may_come_in_any_pieces(size: int) -> None:
    async with host() as here, host() as there:
        name = await lived(here)
        text = b"".join([line async for line in here.export_session(name)])

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(text), size):
                yield text[start : start + size]

        assert await there.import_sessions(pieces()) == [name]
        assert await there.import_sessions(text.decode(), session_id="again") == ["again"]


async def test_a_taken_id_gets_a_new_one_and_a_chosen_one_conflicts() -> None:
    async with host() as tenuto:
        name = await lived(tenuto)
        data = await (await tenuto.load_session(name)).export_full()
        (other,) = await tenuto.import_sessions(data)
        assert other != name
        with pytest.raises(AppendConflict):
            await tenuto.import_sessions(data, session_id=name)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda lines: lines[:-1], "last line is missing"),
        (lambda lines: [*lines[:3], *lines[4:]], "checksum|last line|no event"),
        (
            lambda lines: [*lines[:4], lines[4].replace(b"Alice", b"Mallory"), *lines[5:]],
            "checksum",
        ),
    ],
)
async def test_what_is_damaged_changes_nothing(change: Any, error: str) -> None:
    async with host() as here, host() as there:
        name = await lived(here)
        lines = [line async for line in here.export_session(name)]
        damaged = change(lines)
        assert damaged != lines
        with pytest.raises(InvalidInput, match=error):
            await there.import_sessions(iter(damaged))
        with pytest.raises(SessionNotFound):
            await there.head(name)


async def test_a_journal_that_cannot_have_happened_is_refused() -> None:
    async with host() as tenuto:
        name = await lived(tenuto)
        data = await (await tenuto.load_session(name)).export_full()
        from tenuto.session.ports import Row
        from tenuto.session.transfer import Writer, to_lines

        rows = [Row(n, "x", line) for n, line in enumerate(list(to_lines(data))[1:-1], 1)]
        del rows[1]
        writer = Writer(name, "u", len(rows))
        forged = [writer.begin(), *(writer.line(row) for row in rows), writer.end()]
        with pytest.raises(InvalidInput, match="cannot have happened"):
            await tenuto.import_sessions(iter(forged), session_id="forged")
        empty = Writer(name, "u", 0)
        with pytest.raises(InvalidInput, match="no events"):
            await tenuto.import_sessions(iter([empty.begin(), empty.end()]))


@pytest.mark.parametrize("data", [b"", "  ", b"hello", {"format": "other"}, []])
async def test_what_is_no_session_is_refused(data: Any) -> None:
    async with host() as tenuto:
        with pytest.raises((ExportUnsupported, InvalidInput)):
            await tenuto.import_sessions(data, kind="map" if data == {"format": "other"} else "")


async def test_a_later_version_is_refused() -> None:
    async with host() as tenuto:
        data = await (await tenuto.load_session(await lived(tenuto))).export_full()
        with pytest.raises(ExportUnsupported, match="version 9"):
            await tenuto.import_session({**data, "version": 9})


async def test_a_chat_of_openai_goes_on() -> None:
    async with host() as tenuto:
        chat = [
            {"role": "system", "content": "You are a tutor."},
            {"role": "user", "content": "My name is Alice"},
            {"role": "assistant", "content": "Hello Alice"},
        ]
        session = await tenuto.import_session(msgspec.json.encode(chat))
        assert session.config.instructions == "You are a tutor."
        page = await session.history()
        assert [m.text for m in page.messages] == ["My name is Alice", "Hello Alice"]
        conversation = session.resume_conversation()
        assert conversation.conversation_id == "imported"


async def test_a_map_is_many_sessions() -> None:
    async with host() as tenuto:
        data = {
            "a": {"conversationHistory": [{"role": "user", "content": "Hi"}]},
            "b": {"conversationHistory": []},
        }
        assert sorted(await tenuto.import_sessions(data)) == ["a", "b"]
        with pytest.raises(InvalidInput, match="2 sessions"):
            await tenuto.import_session(data)
        with pytest.raises(InvalidInput, match="2 sessions"):
            await tenuto.import_sessions(data, session_id="c")


async def test_half_an_import_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(InMemoryStore):
        appended = 0

        async def append(self, append: Append) -> None:
            self.appended += 1
            if self.appended == 2:
                raise OSError("no space")
            await super().append(append)

    monkeypatch.setattr(migration, "AT_ONCE", 5)
    store = Full()
    async with host() as here, host(store) as there:
        name = await lived(here)
        with pytest.raises(OSError, match="no space"):
            await there.import_sessions(here.export_session(name))
        assert await store.head(name) is None
        assert await there.import_sessions(here.export_session(name)) == [name]


async def test_a_fork_shares_the_past_and_nothing_else() -> None:
    async with host() as tenuto:
        session = await tenuto.load_session(await lived(tenuto))
        at = session.position
        other = await session.fork(session_id="other")
        assert (other.session_id, other.user_id) == ("other", "old_123")
        assert other.alarms == []
        assert len(session.alarms) == 1
        assert "Alice" in (await other.send_message("What is my name?")).text
        await other.send_message("My name is Bob")
        assert "Alice" in (await session.send_message("What is my name?")).text
        created = (await bodies(tenuto, "other"))[0]
        assert (created["origin"], created["source"]) == ("fork", f"s1@{at}")


async def test_a_fork_at_a_position_knows_only_what_was_before() -> None:
    async with host() as tenuto:
        session = await tenuto.load_session(await lived(tenuto))
        found = await bodies(tenuto, "s1")
        first = next(n for n, body in enumerate(found, 1) if body["type"] == "conversation.ended")
        other = await session.fork(at=first)
        assert next(m.text for m in (await other.history()).messages) == "My name is Alice"
        assert len((await other.history()).messages) == 2
        for wrong in (0, session.position + 1):
            with pytest.raises(InvalidInput, match="positions 1 to"):
                await session.fork(at=wrong)
            with pytest.raises(InvalidInput, match="positions 1 to"):
                await tenuto.state_at("s1", wrong)
        with pytest.raises(AppendConflict):
            await session.fork(session_id="s1")


async def test_a_fork_of_an_ended_session_is_taken_before_its_end() -> None:
    async with host() as tenuto:
        name = await lived(tenuto)
        await tenuto.end_session(name)
        head = await tenuto.head(name)
        with pytest.raises(InvalidInput, match="has ended at position"):
            await migration.fork(tenuto, head, head.position)
        assert await migration.fork(tenuto, head, head.position - 1, "back") == "back"
        assert (await tenuto.state_at("back", 1)).session == "back"


async def test_the_state_at_a_position_is_the_state_of_then() -> None:
    async with host() as tenuto:
        name = await lived(tenuto)
        found = await bodies(tenuto, name)
        for position in range(1, len(found) + 1):
            state = await tenuto.state_at(name, position)
            said = [b for b in found[:position] if b["type"] == e.TAGS[e.MessageAdded]]
            assert (state.position, state.messages) == (position, len(said))


# ----------------------------------------------------------------------------------------- journals that are forged

CREATED = {
    "type": "session.created", "at": 1.0, "session": "s1", "tenant": "t", "user": "old", "epoch": ""
}  # fmt: skip
STARTED = {"type": "conversation.started", "at": 1.0, "conversation": "c1"}
SAID = {
    "type": "message.added", "at": 1.0, "message": 1, "role": "user", "text": "Hi", "turn": 1, "conversation": "c1"
}  # fmt: skip


def forged(*events: dict[str, Any], user: str = "old") -> bytes:
    """An export with a right checksum."""
    journal = [Row(n, "", msgspec.json.encode(event)) for n, event in enumerate(events, 1)]
    writer = Writer("s1", user, len(journal))
    return b"".join([writer.begin(), *(writer.line(row) for row in journal), writer.end()])


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "weather.changed", "at": 1.0}],
        [{"type": "weather.changed", "at": 1.0}, CREATED],
        [CREATED, {"type": "weather.changed"}],
        [CREATED, STARTED, SAID | {"cause": "no number"}],
        [CREATED, STARTED, SAID | {"message": "one"}],
        [CREATED, STARTED, SAID | {"message": 2}],
        [CREATED, STARTED | {"at": 1e300}],
        [CREATED | {"at": -1.0}],
        [
            CREATED,
            STARTED,
            SAID,
            {"type": "alarm.set", "at": 1.0, "alarm": 1, "due": -1e308, "text": "", "turn": 1},
        ],
        [CREATED | {"user": "a/b"}],
        [CREATED | {"user": "x" * 101}],
    ],
)
async def test_a_forged_journal_is_refused_and_nothing_is_left(events: list[Any]) -> None:
    async with host() as tenuto:
        with pytest.raises(InvalidInput):
            await tenuto.import_sessions(forged(*events))
        assert await tenuto.sessions(Query(tenant="local")) == []


async def test_what_is_not_the_journals_own_word_is_not_believed() -> None:
    """The user of the first line, and an id that is reserved."""
    async with host() as tenuto:
        named = CREATED | {"session": "~user/old"}
        (name,) = await tenuto.import_sessions(forged(named, user="mallory"))
        head = await tenuto.head(name)
        assert head.user == (await tenuto.load_session(name)).user_id == "old"


async def test_users_are_renamed_once() -> None:
    users = {"old": "new", "new": "newest"}
    async with host() as tenuto:
        (own,) = await tenuto.import_sessions(forged(CREATED), user_id_mapping=users)
        (other,) = await tenuto.import_sessions(
            {"session_id": "q", "user_id": "old", "memory": {}}, user_id_mapping=users
        )
        for name in (own, other):
            assert (await tenuto.head(name)).user == "new"
            assert (await tenuto.load_session(name)).user_id == "new"
        with pytest.raises(InvalidInput):
            await tenuto.import_sessions(forged(CREATED), user_id_mapping={"old": "~user/x"})


async def test_what_was_on_its_way_out_of_a_users_journal_elsewhere_is_not_taken_out_of_one_here() -> (
    None
):
    cleared = {"type": "memory.cleared", "at": 1.0, "memories": [-1, -2], "reason": "cleared"}
    async with host() as tenuto:
        (name,) = await tenuto.import_sessions(forged(CREATED, cleared))
        state = await tenuto.peek(name)
        assert state is not None and state.memory.gone == []


async def test_a_token_lets_nobody_into_a_copy() -> None:
    """An export can be written by hand, and then its tokens would stand on any key, for ever."""
    async with host() as here:
        session = await here.load_session(await lived(here))
        token = (await session.attach(Joining(client="tab"), Ear())).token
        export = [line async for line in here.export_session("s1")]
        (copy,) = await here.import_sessions(iter(export), session_id="s2")
        fork = (await session.fork()).session_id
        for name in (copy, fork):
            with pytest.raises(NotAuthenticated):
                await here.resume_session(name, "tab", token)
        # The control.
        assert await here.resume_session("s1", "tab", token) is session


async def test_of_several_sessions_all_are_imported_or_none() -> None:
    class Full(InMemoryStore):
        left = 1

        async def append(self, append: Append) -> None:
            if append.expected == 0:
                self.left -= 1
            if self.left < 0:
                raise StoreFull("It is full.")
            await super().append(append)

    one = {"createdAt": 5, "conversationHistory": [{"role": "user", "content": "Hi"}]}
    async with host(Full(clock=SystemClock())) as tenuto:
        with pytest.raises(StoreFull):
            await tenuto.import_sessions({"a": one, "b": one})
        assert await tenuto.sessions(Query(tenant="local")) == []


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (5, ExportUnsupported),
        (None, ExportUnsupported),
        (b"[" * 100_000, ExportUnsupported),
        ([{"role": "user", "content": "half \ud800"}], InvalidInput),
        ("half \ud800", ExportUnsupported),
    ],
)
async def test_what_is_nothing_is_refused(data: Any, error: type[Exception]) -> None:
    async with host() as tenuto:
        with pytest.raises(error):
            await tenuto.import_sessions(data)


async def test_a_line_without_an_end_costs_no_more_than_its_length() -> None:
    """Joined anew with each piece, this would copy some hundred gigabytes."""

    def pieces() -> Iterator[bytes]:
        for _ in range(40_000):
            yield b" " * 250

    async with host() as tenuto:
        with pytest.raises(ExportUnsupported):
            await tenuto.import_sessions(pieces())


async def test_what_is_no_event_is_told_before_the_rest_is_read() -> None:
    async with host() as tenuto:
        name = await lived(tenuto)
        export = [line async for line in tenuto.export_session(name)]
        told: list[bytes] = []

        def pieces() -> Iterator[bytes]:
            for piece in (*export[:2], b"nonsense\n", *export[3:]):
                told.append(piece)
                yield piece

        with pytest.raises(InvalidInput, match="Line 3 of the export is no event"):
            await tenuto.import_sessions(pieces())
        assert len(told) == 3 < len(export)


async def test_nonsense_costs_little_more_than_its_size() -> None:
    """As lines, or as values of Python's, it would be twenty to fifty times as large."""
    lines, values = [b"ab\n" * 2_000] * 100, [b"[", *[b"{}," * 2_000] * 100, b"{}]"]
    async with host() as tenuto:
        for pieces, error in ((lines, ExportUnsupported), (values, InvalidInput)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(migration, "MOST_VALUES", 100_000)
                tracemalloc.start()
                try:
                    with pytest.raises(error, match=r"unpack it first|in parts"):
                        await tenuto.import_sessions(iter(pieces))
                    _, peak = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
            assert peak < 4 * 600_000


@pytest.mark.parametrize("many", [2, 2_000])
async def test_much_of_somebody_elses_is_read_beside_the_event_loop(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: list[str] = []

    def watched(work: Any) -> Any:
        def watches(*given: Any, **named: Any) -> Any:
            at.append(threading.current_thread().name)
            return work(*given, **named)

        return watches

    monkeypatch.setattr(importers, "read", watched(importers.read))
    monkeypatch.setattr(importers, "events", watched(importers.events))
    chat = msgspec.json.encode([{"role": "user", "content": "Hello, you there."}] * many)
    async with host() as tenuto:
        (made,) = await tenuto.import_sessions(chat)
        assert (await tenuto.history(made)).messages[-1].text == "Hello, you there."
    beside = threading.main_thread().name not in at
    assert len(at) == 2 and beside == (many > 2)


async def test_what_failed_is_told_also_when_what_was_imported_cannot_all_be_taken_back() -> None:
    past = {"conversationHistory": [{"role": "user", "content": "Hi"}]}
    async with hosting() as tenuto:
        shelf = tenuto.shelf
        with shelf.holding("create c") as gate:
            importing = asyncio.create_task(
                tenuto.import_sessions({"a": past, "b": past, "c": past}, kind="map")
            )
            await quiet()
            await shelf.claim("a", "another", "", 3600)  # It has woken it, say.
            await tenuto.load_session("b")
            shelf.fails["create c"] = StoreFull()
            gate.set()
            with pytest.raises(StoreFull):
                await importing
        assert [head.session for head in await tenuto.sessions()] == ["a"]
        assert tenuto.sessions_here == {}
