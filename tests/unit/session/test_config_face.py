"""Settings through the public face: layers, presets, templates, and changes of a session that runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenuto import (
    Session,
    SessionConfig,
    SessionPresets,
    SessionTemplate,
    Tenuto,
    TenutoConfig,
)
from tenuto import events as e
from tenuto.errors import (
    EngineError,
    IllegalEvent,
    InvalidConfig,
    InvalidInput,
    MissingExtra,
    TemplateContextMissing,
)
from tenuto.session import fold, ports, stimuli
from tenuto.stores import rows
from tenuto.stores.in_memory import InMemoryStore
from tenuto.testing.clock import VirtualClock
from tenuto.testing.engine import Script, Step

pytestmark = pytest.mark.virtual

CLINIC = SessionTemplate(
    name="medical_consultation",
    base_config=SessionConfig(memory_mode="persistent", voice="sage"),
    required_context=["patient_id", "appointment_type"],
    memory_categories=["medical_history", "symptoms"],
)
KNOWN = {"patient_id": "P12345", "appointment_type": "follow_up"}


class Picky(Script):
    """An engine that accepts a temperature from 0.6 to 1.2 only."""

    capabilities = ports.Capabilities(name="picky", temperature=(0.6, 1.2))


def script() -> Script:
    return Picky(Step(hear="Hi", say=["Hello."]), ordered=False)


@asynccontextmanager
async def hosting(engines: ports.Engines | None = None, **agent: Any) -> AsyncIterator[Tenuto]:
    config = TenutoConfig(store="memory:", lease=3600, agent=agent)
    async with Tenuto(config, engines=engines or script(), clock=VirtualClock()) as tenuto:
        yield tenuto


async def journal(tenuto: Tenuto, session: Session, *kinds: type[e.Event]) -> list[Any]:
    """The events of these kinds that are durable, and a check that they fold to what is live."""
    await session.save()
    found = await tenuto.store.read(ports.Read(session=session.session_id, limit=1_000))
    events = [rows.to_event(row) for row in found]
    state = fold.State()
    for event in events:
        fold.apply(state, event)
    assert fold.encode(state) == fold.encode(session.driver.core.state)
    return [event for event in events if isinstance(event, kinds)]


# ---------------------------------------------------------------------------------------------------------------- making


async def test_the_first_session_of_a_config_has_its_id_and_the_next_ones_their_own() -> None:
    async with hosting() as tenuto:
        config = SessionConfig(user_id="alice")
        first = await tenuto.create_session(config=config)
        second = await tenuto.create_session(config=config)
        assert first.session_id == config.session_id
        assert second.session_id not in ("", config.session_id)
        assert (first.user_id, second.user_id) == ("alice", "alice")


async def test_what_the_caller_names_wins() -> None:
    async with hosting() as tenuto:
        config = SessionConfig(session_id="mine", user_id="alice")
        assert (await tenuto.create_session(config=config)).session_id == "mine"
        session = await tenuto.create_session(session_id="yours", user_id="bob", config=config)
        assert (session.session_id, session.user_id) == ("yours", "bob")
        async with tenuto.session(config=config) as again:
            assert again is tenuto.sessions_here["mine"]


async def test_every_layer_is_recorded_and_the_later_one_wins() -> None:
    async with hosting(voice="nova", temperature=0.1) as tenuto:
        session = await tenuto.create_session(
            preset=SessionPresets.EDUCATIONAL, config=SessionConfig(greeting="Hi.")
        )
        assert (session.config.voice, session.config.temperature) == ("nova", 0.5)
        assert session.config.layers == {
            "agent": {"voice": "nova", "temperature": 0.1},
            "preset": {"temperature": 0.5},
            "session": {"greeting": "Hi."},
        }
        async with session.start_conversation(config={"temperature": 0.2}):
            assert session.config.temperature == 0.2
            session.config.temperature = 0.9
            assert session.config.temperature == 0.9
            assert list(session.config.layers) == [
                "agent",
                "preset",
                "session",
                "conversation",
                "live",
            ]
        (created,) = await journal(tenuto, session, e.SessionCreated)
        assert created.config == {"voice": "nova", "temperature": 0.5, "greeting": "Hi."}
        assert list(created.layers) == ["agent", "preset", "session"]


async def test_a_config_wins_over_a_preset_also_with_what_is_the_default() -> None:
    async with hosting() as tenuto:
        config = SessionConfig(temperature=0.8)
        assert tenuto.create_session(preset="educational", config=config).config == config
        plain = tenuto.create_session(preset="educational", config={"temperature": 0.8})
        assert plain.config.temperature == 0.8


async def test_a_preset_is_nobodys_to_change() -> None:
    async with hosting() as tenuto:
        first = tenuto.create_session(preset=SessionPresets.TASK_ORIENTED)
        first.config.temperature = 1.0
        second = tenuto.create_session(preset=SessionPresets.TASK_ORIENTED)
        assert second.config == SessionPresets.TASK_ORIENTED


async def test_wrong_settings_of_the_host_are_told_when_it_is_made() -> None:
    with pytest.raises(InvalidConfig, match="In `agent` of the host's settings"):
        Tenuto(TenutoConfig(store="memory:", engine="text", agent={"temprature": 1}))


async def test_what_is_refused_leaves_no_session_behind() -> None:
    async with hosting() as tenuto:
        for wrong in ({"config": {"temperature": 9}}, {"preset": "none"}, {"template": CLINIC}):
            with pytest.raises(InvalidConfig):
                tenuto.create_session(session_id="s", **wrong)
        assert await tenuto.sessions(ports.Query(tenant="local")) == []
        await tenuto.create_session(session_id="s")


async def test_the_settings_of_a_session_make_another_one() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(user_id="u", config={"temperature": 0.3})
        other = await tenuto.create_session(config=session.config)
        assert other.session_id != session.session_id
        assert (other.user_id, other.config) == ("u", session.config)


# ------------------------------------------------------------------------------------------------------------- redaction


class Blind:
    """A reader that cannot redact."""

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        raise MissingExtra("redaction", "Redacting phone numbers")

    def measure(self, text: str, seconds: float, *, learning: bool, analytics: bool) -> None:
        return None


async def test_what_cannot_be_redacted_is_known_before_anything_is_said() -> None:
    async with hosting() as tenuto:
        tenuto.reader = Blind()
        with pytest.raises(MissingExtra):
            tenuto.create_session(config={"redaction": "mask"})
        session = await tenuto.create_session()
        with pytest.raises(MissingExtra):
            session.update_config(redaction="mask")
        with pytest.raises(MissingExtra):
            session.start_conversation(config={"redaction": "drop"})
        with pytest.raises(MissingExtra), session.batch_update():
            session.config.redaction = "mask"
        assert (session.config.redaction, session.config.version) == ("off", 0)
        assert session.driver.core.state.conversation == ""


# ------------------------------------------------------------------------------------------------------------------ live


async def test_a_change_is_journaled_and_told_to_the_engine_which_confirms_it() -> None:
    engines = script()
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session()
        await session.send_message("Hi")
        version = await session.update_config(temperature=0.3, language="de")
        assert await session.config_applied(version) == version == 1
        goes_by = engines.links[0].goes_by
        assert goes_by is not None
        assert (goes_by.temperature, goes_by.language, goes_by.version) == (0.3, "de", 1)
        changed, applied = await journal(tenuto, session, e.ConfigChanged, e.ConfigApplied)
        assert changed.changes == {"temperature": 0.3, "language": "de"}
        assert (applied.version, applied.link) == (1, 1)
        # It triggered no reply.
        assert [type(request) for request in engines.links[0].requests] == [
            ports.Ask,
            ports.Configure,
        ]


async def test_the_same_sent_three_times_is_applied_once() -> None:
    engines = script()
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session()
        await session.send_message("Hi")
        assert [session.update_config(voice="nova").value for _ in range(3)] == [1, 1, 1]
        await session.config_applied()
        assert len(await journal(tenuto, session, e.ConfigChanged, e.ConfigApplied)) == 2
        asked = [type(request) for request in engines.links[0].requests]
        assert asked.count(ports.Configure) == 1


async def test_assigning_and_saving_is_enough() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session(config={"enable_adaptation": False})
        session.config.enable_adaptation = True
        (changed,) = await journal(tenuto, session, e.ConfigChanged)
        assert changed.changes == {"enable_adaptation": True}


async def test_before_an_engine_is_open_the_newest_waits_for_it() -> None:
    engines = script()
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session()
        session.config.temperature = 0.5
        version = await session.update_config(temperature=0.3)
        with pytest.raises(EngineError, match=r"has not confirmed version 2 .* within 5 s"):
            await session.config_applied(version)
        await session.send_message("Hi")
        assert await session.config_applied() == 2
        (applied,) = await journal(tenuto, session, e.ConfigApplied)
        assert (applied.version, applied.link) == (2, 1)
        assert not any(isinstance(r, ports.Configure) for r in engines.links[0].requests)


class Slow(Script):
    """An engine that takes a second to be ready."""

    def make(self, voice: bool = True) -> Any:
        engine = super().make(voice)
        begin = engine.open

        async def later(*args: Any) -> None:
            await asyncio.sleep(1.0)
            await begin(*args)

        engine.open = later  # type: ignore[method-assign,assignment]
        return engine


async def test_while_the_engine_connects_the_newest_is_applied_when_it_is_ready() -> None:
    engines = Slow(Step(hear="Hi", say=["Hello."]), ordered=False)
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session()
        asked = asyncio.ensure_future(session.send_message("Hi"))
        await asyncio.sleep(0.5)
        session.config.temperature = 0.5
        session.config.temperature = 0.3
        await session.save()
        assert session.config.applied_version == 0
        await asked
        assert await session.config_applied() == 2
        link = engines.links[0]
        assert link.context is not None and link.context.version == 0
        asked_for = [type(request) for request in link.requests]
        assert asked_for == [ports.Ask, ports.Configure]
        (applied,) = await journal(tenuto, session, e.ConfigApplied)
        assert applied.version == 2


async def test_a_message_that_is_dropped_meanwhile_does_not_take_the_settings_along() -> None:
    engines = Slow(Step(hear="Hi", say=["Hello."]), ordered=False)
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session()
        asked = asyncio.ensure_future(session.send_message("Hi"))
        await asyncio.sleep(0.5)
        session.config.temperature = 0.3
        await session.save()
        session.driver.receive(stimuli.EndConversation())
        assert await session.config_applied() == 1
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert [type(r) for r in engines.links[0].requests] == [ports.Configure]


async def test_a_conversation_with_settings_of_its_own_tells_an_engine_that_is_open() -> None:
    engines = script()
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session()
        await session.send_message("Hi")
        await session.start_conversation(config={"voice": "nova"})
        await session.save()
        goes_by = engines.links[0].goes_by
        assert goes_by is not None and goes_by.voice == "nova"
        with pytest.raises(InvalidConfig):
            session.start_conversation(config={"voice": ""})


async def test_a_temperature_is_clamped_by_the_engine_not_by_the_preset() -> None:
    engines = script()
    async with hosting(engines) as tenuto:
        session = await tenuto.create_session(preset=SessionPresets.TASK_ORIENTED)
        await session.send_message("Hi")
        assert session.config.temperature == 0.3
        assert engines.links[0].temperature == 0.6
        session.config.temperature = 1.5
        await session.config_applied()
        assert engines.links[0].temperature == 1.2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"temprature": 1}, "temprature"),
        ({"temperature": 3}, "temperature"),
        ({"session_id": "x"}, "session_id"),
        ({"user_id": "x"}, "user_id"),
    ],
)
async def test_what_is_wrong_changes_nothing(changes: dict[str, Any], field: str) -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session()
        before = session.position
        with pytest.raises(InvalidConfig) as caught:
            session.update_config(**changes)
        with pytest.raises(InvalidConfig):
            setattr(session.config, field, changes[field])
        assert caught.value.fields == (field,)
        assert (session.position, session.config.version) == (before, 0)


async def test_a_batch_changes_settings_with_the_rest_or_not_at_all() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session()
        with pytest.raises(InvalidConfig), session.batch_update():
            session.config.temperature = 0.3
            assert (session.config.temperature, session.config.version) == (0.3, 1)
            session.config.temperature = 9
        assert (session.config.temperature, session.config.version) == (0.8, 0)
        async with session.batch_update():
            session.config.temperature = 0.3
            session.update_config(voice="nova")
            with pytest.raises(IllegalEvent):
                await session.update_config(voice="sage")
        assert (session.config.temperature, session.config.voice) == (0.3, "sage")


# ------------------------------------------------------------------------------------------------------------- templates


@pytest.mark.parametrize("awaits", [True, False])
async def test_a_session_is_made_from_a_template(awaits: bool) -> None:
    engines = script()
    async with hosting(engines) as tenuto:
        made = tenuto.create_session_from_template(template=CLINIC, context=KNOWN, user_id="u")
        session = await made if awaits else made
        assert (session.user_id, session.config.voice) == ("u", "sage")
        assert session.config.layers == {"template": {"memory_mode": "persistent", "voice": "sage"}}
        await session.send_message("Hi")
        context = engines.links[0].context
        assert context is not None and context.given == KNOWN
        assert context.instructions == "You are a helpful assistant"
        (created,) = await journal(tenuto, session, e.SessionCreated)
        assert (created.template, created.context) == ("medical_consultation", KNOWN)


async def test_a_template_that_knows_too_little_names_all_that_is_missing() -> None:
    async with hosting() as tenuto:
        with pytest.raises(TemplateContextMissing) as caught:
            tenuto.create_session_from_template(CLINIC)
        assert caught.value.fields == ("patient_id", "appointment_type")


async def test_memories_have_the_categories_of_the_template() -> None:
    async with hosting() as tenuto:
        session = await tenuto.create_session_from_template(CLINIC, KNOWN)
        await session.add_memory("Has a cough.", category="symptoms")
        with pytest.raises(InvalidInput, match="medical_history, symptoms"):
            session.add_memory("Likes jazz.", category="music")


async def test_a_conversation_takes_a_config_as_everything_does_and_keeps_a_copy() -> None:
    async with hosting() as tenuto, tenuto.session() as session:
        await session.start_conversation(config=SessionConfig(temperature=0.2))
        assert (session.config.temperature, session.config.voice) == (0.2, "alloy")
        wanted = {"temperature": 0.3}
        await session.reset(config=wanted)
        wanted["temperature"] = 5.0
        assert session.config.temperature == 0.3
        before = session.position
        for wrong in ("educational", {"temprature": 0.3}, {"user_id": "bob"}):
            for begin in (session.start_conversation, session.reset):
                with pytest.raises(InvalidConfig):
                    begin(config=wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="conversation_id"):
            session.start_conversation(5)  # type: ignore[arg-type]
        assert session.position == before
        await journal(tenuto, session)


async def test_a_batch_of_everything_is_one_append_in_its_order() -> None:
    appends: list[int] = []

    class Counting(InMemoryStore):
        async def append(self, append: ports.Append) -> None:
            appends.append(len(append.rows))
            await super().append(append)

    clock = VirtualClock()
    config = TenutoConfig(store="memory:", lease=3600)
    store = Counting(clock)
    async with (
        Tenuto(config, store=store, engines=script(), clock=clock) as tenuto,
        tenuto.session() as session,
    ):
        heard: list[str] = []
        session.events.on("*", lambda event: heard.append(event.type))
        appends.clear()
        with session.batch_update() as batch:
            session.add_memory("Prefers mornings", category="scheduling")
            session.update_preference("verbosity", "brief")
            session.track_metric("task_completed", 1)
            session.config.temperature = 0.3
            assert session.config.temperature == 0.3
            assert session.get_custom_metrics()["task_completed"]["count"] == 1
        await batch
        assert appends == [4]
        assert heard == ["memory.added", "preference.set", "metric.tracked", "config.changed"]
        with pytest.raises(InvalidInput), session.batch_update():
            session.add_memory("Prefers evenings")
            session.config.temperature = 0.4
            session.set_preference("verbosity", 5)
        assert (session.config.temperature, len(session.memories)) == (0.3, 1)
        await session.save()
        assert appends == [4]
        await journal(tenuto, session)
