"""The debug log: what it keeps, that it is bounded, that it says what the journal says, and that it holds its tongue."""

import json
import logging
from typing import Any

import msgspec
import pytest

from tenuto import events as e
from tenuto.session import debug, fold, ports, stimuli
from tenuto.session.config import SessionConfig
from tenuto.session.debug import DebugLog, DebugPart, hints, shown
from tenuto.session.driver import Driver
from tests.unit.session.house import Ear, House, house, quiet

pytestmark = pytest.mark.virtual

SECRET = "Alice sleeps badly since the divorce"


def created() -> fold.State:
    state = fold.State()
    fold.apply(
        state,
        e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16),
    )
    return state


async def remember(driver: Driver, content: str) -> None:
    await driver.commit(driver.receive(stimuli.Remember(content=content)))


async def say(at: House, text: str) -> None:
    """Have the user write, and the engine answer and fail."""
    engine = await at.talking(Ear())
    at.driver.receive(stimuli.Type(text=text, client="tab"))
    await quiet()
    turn = at.driver.core.state.turns
    engine.give(ports.Segment(turn=turn, text=f"You said: {text}", last=True))
    await quiet()


# ------------------------------------------------------------------------------------------------------------------ the log


async def test_transitions_and_sizes_are_those_of_the_journal() -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        part.enable()
        await say(at, "Hello")
        await remember(at.driver, "The user's name is Alice.")
        info = part.info()
        moves = [(m["machine"], m["from"], m["to"]) for m in info["state_transitions"]]
        assert [move[1:] for move in moves if move[0] == "life"] == [("detached", "live")]
        assert [move[1:] for move in moves if move[0] == "turn"][:2] == [
            ("idle", "thinking"),
            ("thinking", "speaking"),
        ]
        assert [move[1:] for move in moves if move[0] == "link"] == [
            ("closed", "connecting"),
            ("connecting", "restoring"),
            ("restoring", "ready"),
        ]
        assert [move[2] for move in moves if move[0] == "status"] == [
            "processing",
            "idle",
            "processing",
            "speaking",
        ]
        (size,) = info["memory_snapshots"]
        journal = await at.journal()
        assert size["position"] == journal[-1].position
        assert (size["entries"], size["tokens"]) == (1, at.driver.core.state.memory.used)
        assert [event["type"] for event in info["events"]] == [row.type for row in journal]
        assert [event["position"] for event in info["events"]] == list(range(1, len(journal) + 1))


async def test_a_log_that_begins_in_the_middle_counts_nothing_twice() -> None:
    async with house() as at:
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="One."))
        part = DebugPart(at.driver)
        part.enable()
        part.enable()
        at.store.open.set()
        await remember(at.driver, "Two.")
        info = part.info()
        assert [size["entries"] for size in info["memory_snapshots"]] == [2]
        assert len(info["events"]) == 3, "what was not durable yet is told when it is"


def test_a_log_is_bounded() -> None:
    state = created()
    log = DebugLog(state)
    for number in range(1, debug.MOST_EVENTS + 50):
        log.take(
            number + 1, e.MemoryAdded(at=float(number), memory=number, content="x", key="same")
        )
    for number in range(debug.MOST_TRANSITIONS + 50):
        log.moved("link", "closed", "connecting", float(number))
    log.moved("link", "ready", "ready", 0.0)
    info = log.info()
    assert len(info["events"]) == debug.MOST_EVENTS
    assert len(info["memory_snapshots"]) == debug.MOST_SNAPSHOTS
    assert len(info["state_transitions"]) == debug.MOST_TRANSITIONS
    assert info["events"][-1]["position"] == debug.MOST_EVENTS + 50
    assert state.position == 1, "the session's own state is not the log's"


def test_a_log_that_has_lost_track_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    log = DebugLog(created())
    log.take(2, e.MemoryAdded(at=2.0, memory=7, content=SECRET))
    log.take(3, e.SessionPaused(at=3.0))
    assert "lost track at position 2" in caplog.text
    assert "divorce" not in caplog.text
    assert len(log.info()["events"]) == 2


async def test_nothing_is_kept_unless_asked() -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        watchers = list(at.driver.watchers)
        await remember(at.driver, SECRET)
        info = part.info()
        assert not part.enabled
        assert not info["enabled"]
        kept = ("memory_snapshots", "events", "state_transitions")
        assert [info[name] for name in kept] == [[], [], []]
        assert info["error_count"] == 0
        assert at.driver.watchers == watchers
        assert [line["kind"] for line in part.export()] == ["session"]
        part.enable()
        part.enable(False)
        part.enable(False)
        await remember(at.driver, "Two.")
        assert at.driver.watchers == watchers
        assert at.driver.core.linking.moved is None
        assert part.info()["events"] == []


async def test_it_can_be_turned_off_by_a_handler_of_the_event_under_way() -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        await at.driver.commit()
        at.driver.watchers.append(lambda row, event: part.enable(False))
        at.driver.watch_status.append(lambda status: part.enable(False))
        part.enable()
        await remember(at.driver, "One.")
        part.enable()
        at.driver.watchers.pop(0)
        await at.talking(Ear())
        assert not part.enabled


async def test_errors_are_counted_also_those_before(caplog: pytest.LogCaptureFixture) -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        engine = await at.talking(Ear())
        at.driver.receive(stimuli.Type(text="Hello", client="tab"))
        await quiet()
        with caplog.at_level(logging.CRITICAL):
            engine.give(ports.Failed(reason="closed"))
            await quiet()
        before = part.info()["error_count"]
        assert before == 1
        part.enable()
        assert part.info()["error_count"] == 1
        with caplog.at_level(logging.CRITICAL):
            at.hands.last.give(ports.Ready())
            await quiet()
            at.hands.last.give(ports.Failed(reason="closed"))
            await quiet()
        assert part.info()["error_count"] == 2
        assert part.info()["links"] >= 2


async def test_how_the_session_is() -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        await at.talking(Ear())
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="One."))
        info = part.info()
        assert (info["life"], info["turn"], info["link"]) == ("live", "idle", "ready")
        assert (info["pending"], info["position"] - info["durable_position"]) == (1, 1)
        assert (info["listeners"], info["attachments"], info["status"]) == (1, 1, "idle")
        assert info["error"] is None
        assert "not durable yet" in info["hints"][0]
        at.store.open.set()
        await at.driver.commit()
        at.driver.stop()
        await at.stopped()
        assert part.info()["error"] == "lease_lost"


# -------------------------------------------------------------------------------------------------------------------- content


async def test_what_people_said_is_in_it_only_when_asked_for() -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        part.enable()
        await say(at, SECRET)
        await remember(at.driver, SECRET)
        quietly = json.dumps([part.info(), part.export()])
        assert SECRET not in quietly
        assert "divorce" not in quietly
        assert SECRET in json.dumps(part.info(content=True))
        assert SECRET in json.dumps(part.export(content=True)), "the control"
        message = next(event for event in part.info()["events"] if event["type"] == "message.added")
        assert message["text_length"] == len(SECRET)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (
            e.SessionCreated(
                at=1.0,
                session="s",
                tenant="t",
                user="u",
                epoch="0" * 16,
                config={"instructions": SECRET, "temperature": 0.3, "tools": [SECRET]},
                layers={"session": {"instructions": SECRET}},
                context={"patient": SECRET},
            ),
            {
                "config": {
                    "instructions_length": len(SECRET),
                    "temperature": 0.3,
                    "tools_length": 1,
                },
                "layers": {"session": {"instructions_length": len(SECRET)}},
                "context": {"patient_length": len(SECRET)},
            },
        ),
        (
            e.MessageAdded(
                at=1.0,
                message=1,
                role="user",
                text=SECRET,
                turn=1,
                conversation="c1",
                cites=[1, 2],
                traits=e.Traits(words=6, formality=0.5, topics=[SECRET]),
            ),
            {
                "text_length": len(SECRET),
                "cites": [1, 2],
                "traits": {"words": 6, "formality": 0.5},
            },
        ),
        (e.ProfileApplied(at=1.0, profile={"topics": {SECRET: 3}}), {"profile_length": 1}),
        (e.PreferenceSet(at=1.0, name="greeting", value=SECRET), {"value_length": len(SECRET)}),
        (
            e.MemoryAdded(at=1.0, memory=1, content=SECRET, key=SECRET, value=SECRET),
            {"content_length": len(SECRET), "key_length": len(SECRET)},
        ),
        (e.Unknown(at=1.0, kind="robot.danced"), {"type": "robot.danced"}),
    ],
)
def test_lengths_stand_in_for_content(event: e.Event, found: dict[str, Any]) -> None:
    line = shown(3, event)
    assert SECRET not in json.dumps(line)
    assert {name: line[name] for name in found} == found
    assert line["position"] == 3


@pytest.mark.parametrize("kind", e.CATALOGUE, ids=lambda kind: e.TAGS[kind])
def test_no_text_of_an_event_is_shown_unless_it_is_known_to_be_harmless(
    kind: type[e.Event],
) -> None:
    """Also of an event that is yet to be thought of: what is not known to be harmless is content."""
    made: dict[str, Any] = {"at": 1.0}
    for field in msgspec.structs.fields(kind):
        if field.type is str and field.encode_name not in debug.HARMLESS:
            made[field.name] = SECRET
        elif field.required and field.name != "at":
            kinds = {int: 1, float: 1.0, str: "x", list[int]: [1], list[str]: ["x"]}
            made[field.name] = kinds.get(field.type, {} if "dict" in str(field.type) else "x")
    assert SECRET not in json.dumps(shown(1, kind(**made)))
    assert shown(1, kind(**made), content=True)["at"] == 1.0


async def test_the_lines_of_an_export_are_in_order() -> None:
    async with house() as at:
        part = DebugPart(at.driver)
        part.enable()
        await say(at, "Hello")
        await remember(at.driver, "One.")
        header, *lines = part.export()
        assert header["kind"] == "session"
        assert header["events"] == sum(line["kind"] == "event" for line in lines)
        assert {line["kind"] for line in lines} == {"event", "transition", "memory"}
        assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


# ---------------------------------------------------------------------------------------------------------------------- hints


def test_hints_say_what_may_be_the_matter_and_what_to_do() -> None:
    state = created()
    fine = SessionConfig(timezone="UTC")
    assert hints(state, fine) == []
    assert hints(state, fine, pending=1) == ["1 event is not durable yet: await session.save()."]
    assert "ephemeral" in hints(state, SessionConfig(timezone="UTC", memory_mode="ephemeral"))[0]
    assert "2.0 s to load" in hints(state, fine, load_seconds=2.0)[0]
    assert "timezone" in hints(state, SessionConfig())[0]
    assert "nothing is counted" in hints(state, SessionConfig(enable_analytics=False))[0]
    assert "learned" in hints(state, SessionConfig(timezone="UTC", enable_learning=False))[0]
    fold.apply(state, e.MemoryAdded(at=2.0, memory=1, content="A word of it. " * 30))
    small = SessionConfig(timezone="UTC", max_memory_size=100)
    assert "compress_memory" in hints(state, small)[0]
    fold.apply(state, e.SessionPaused(at=3.0))
    assert "paused" in hints(state, fine)[0]
