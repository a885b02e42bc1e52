"""Analytics through `Tenuto` and `Session`, across hosts, restarts and the end of everything."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenuto import SessionConfig, Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.errors import ConversationNotFound, InvalidInput, SessionNotFound
from tenuto.session import fold
from tenuto.session import ports as p
from tenuto.session.session import Session
from tenuto.stores import rows
from tenuto.testing.clock import VirtualClock
from tenuto.text.tokens import count

pytestmark = pytest.mark.virtual


def text(store: str = "memory:", **more: Any) -> TenutoConfig:
    return TenutoConfig(store=store, engine="text", **more)


async def talk(session: Session, *messages: str) -> None:
    async with session.conversation() as conversation:
        for message in messages:
            await conversation.send_message(message)


async def recount(tenuto: Tenuto, session_id: str) -> fold.State:
    """Fold a journal anew, row by row."""
    state, after = fold.State(), 0
    while page := await tenuto.store.read(p.Read(session=session_id, after=after, limit=50)):
        for row in page:
            fold.apply(state, rows.to_event(row))
            after = row.position
    return state


async def test_the_documents_figures_are_there_and_move() -> None:
    async with Tenuto(text()) as tenuto, tenuto.session(user_id="alice") as session:
        assert session.get_analytics()["conversation_count"] == 0
        async with session.conversation() as conversation:
            await conversation.send_message("My name is Alice")
            first = conversation.get_analytics()
            await conversation.send_message("What is my name?")
            await session.inject_message("system", "She is in a hurry.")
            await session.update_config(temperature=0.5)
            second = conversation.get_analytics()
            live = session.get_analytics()
        assert (first["turn_count"], first["message_count"]) == (1, 2)
        assert (second["turn_count"], second["message_count"]) == (2, 4)
        assert second["injection_count"] == 2 and second["interruption_count"] == 0
        assert second["avg_response_time_ms"] >= 0.0
        assert live["conversation_count"] == 1 and live["message_count"] == 4
        assert msgspec.json.encode(session.get_analytics())
        assert [turn.turn for turn in session.analytics.turns()] == [1, 2]


async def test_an_average_leaves_out_the_time_away() -> None:
    async with Tenuto(text(), clock=VirtualClock()) as tenuto:
        session = tenuto.create_session(session_id="s")
        session.start_conversation()
        await asyncio.sleep(30.0)
        session.pause()
        await asyncio.sleep(120.0)
        session.resume()
        await asyncio.sleep(10.0)
        assert session.get_analytics()["total_duration_seconds"] == pytest.approx(40.0, abs=0.1)
        await session.close()
        await asyncio.sleep(120.0)
        session = await tenuto.load_session("s")
        conversation = session.resume_conversation()
        await asyncio.sleep(5.0)
        figures = conversation.get_analytics()
        assert figures["duration_seconds"] == pytest.approx(45.0, abs=0.1)
        assert session.get_analytics()["avg_duration_seconds"] == figures["duration_seconds"]
        await session.close()


async def test_milestones_are_told_once_in_the_life_of_a_session(tmp_path: Path) -> None:
    config = text(f"sqlite:///{tmp_path}/t.db")
    told: list[str] = []
    for round_ in range(2):
        async with Tenuto(config) as tenuto:
            session = await (
                tenuto.load_session("s") if round_ else tenuto.create_session(session_id="s")
            )
            session.events.on("analytics.milestone", lambda event: told.append(event.milestone))
            await talk(session, *(f"Message {number}" for number in range(5)))
            await session.close()
    assert told == ["10 messages", "first conversation"]


async def test_custom_metrics() -> None:
    async with Tenuto(text()) as tenuto, tenuto.session() as session:
        session.track_metric("task_completed", 1)
        session.track_metric("user_satisfaction", 4.5)
        await session.track_metric("user_satisfaction", 3.5)
        metrics = session.get_custom_metrics()
        assert metrics["task_completed"]["count"] == 1
        assert metrics["user_satisfaction"] == {
            "count": 2, "sum": 8.0, "min": 3.5, "max": 4.5, "last": 3.5, "mean": 4.0,
        }  # fmt: skip
        assert session.get_analytics()["satisfaction_score"] == 4.0
        before = session.position
        with pytest.raises(InvalidInput):
            session.track_metric("x", float("nan"))
        assert session.position == before


async def test_a_batch_tracks_all_or_nothing() -> None:
    async with Tenuto(text()) as tenuto, tenuto.session() as session:
        with pytest.raises(RuntimeError), session.batch_update():
            session.track_metric("m", 1)
            assert session.get_custom_metrics()["m"]["count"] == 1
            raise RuntimeError
        assert session.get_custom_metrics() == {}
        async with session.batch_update():
            session.track_metric("m", 1)
            session.track_metric("m", 2)
        assert session.get_custom_metrics()["m"]["sum"] == 3.0


async def test_off_means_off_and_on_again_goes_on() -> None:
    config = SessionConfig(enable_analytics=False)
    async with Tenuto(text()) as tenuto, tenuto.session(config=config) as session:
        await talk(session, "I like quantum physics")
        session.track_metric("m", 1)
        off = session.get_analytics()
        assert (off["enabled"], off["message_count"], off["topics"]) == (False, 0, [])
        assert session.get_custom_metrics() == {}
        await session.update_config(enable_analytics=True)
        await talk(session, "I like quantum physics")
        on = session.get_analytics()
        assert (on["enabled"], on["message_count"], on["conversation_count"]) == (True, 2, 1)
        assert on["topics"] == ["quantum physics"]


async def test_hours_are_in_the_sessions_time_zone_or_the_hosts() -> None:
    async with Tenuto(text(timezone="Asia/Tokyo")) as tenuto:
        here, there = (
            tenuto.create_session(),
            tenuto.create_session(config={"timezone": "America/New_York"}),
        )
        for session in (here, there):
            await talk(session, "Hello")
        assert here.get_analytics()["timezone"] == "Asia/Tokyo"
        tokyo, new_york = (s.get_analytics()["active_hours"][0] for s in (here, there))
        assert (tokyo - new_york) % 24 in (13, 14)
        for session in (here, there):
            await session.close()


async def test_another_host_counts_what_the_first_one_counted(tmp_path: Path) -> None:
    config = text(f"sqlite:///{tmp_path}/t.db")
    async with Tenuto(config) as tenuto:
        session = tenuto.create_session(session_id="s", user_id="alice")
        await talk(session, "I like quantum physics", "And chess")
        await session.track_metric("m", 2)
        await session.close()
        report = await tenuto.analytics("s")
        assert report.analytics.message_count == 4 and report.metrics["m"].mean == 2.0
    async with Tenuto(config) as other:
        assert await other.analytics("s") == report
        assert "s" not in other.sessions_here
        counted = (await recount(other, "s")).analytics
        loaded = await other.load_session("s")
        found = fold.decode(fold.encode(loaded.driver.core.state)).analytics
        found.last = counted.last
        assert found == counted
        await loaded.close()


async def test_what_is_counted_after_many_snapshots_is_what_a_recount_finds(tmp_path: Path) -> None:
    async with Tenuto(text(f"sqlite:///{tmp_path}/t.db")) as tenuto:
        for _ in range(3):
            async with tenuto.session(session_id="s") as session:
                await talk(session, "Hello", "I like chess", "Bye")
        live = (await tenuto.analytics("s")).analytics
        counted = (await recount(tenuto, "s")).analytics
        assert live.message_count == counted.total.messages == 18
        assert live.total_duration_seconds == round(counted.total.seconds, 3)


async def test_a_live_session_is_reported_as_it_is_now() -> None:
    async with Tenuto(text(prices={"text": {"spoken_minute": 1.0}})) as tenuto:
        session = tenuto.create_session(session_id="s")
        await session.send_message("Hello")
        report = await tenuto.analytics("s")
        assert report.analytics.message_count == 2
        assert report.conversations[0].is_open
        assert session.analytics.estimated_cost() == {
            "usd": 0.0,
            "engines": {"text": 0.0},
            "unpriced": [],
        }
        assert session.analytics.prices["text"].spoken_minute == 1.0
        await session.close()


async def test_a_session_of_nobody_or_of_another_tenant_has_no_figures() -> None:
    async with Tenuto(text()) as tenuto:
        async with tenuto.session(session_id="s", tenant="acme") as session:
            with pytest.raises(ConversationNotFound):
                session.analytics.conversation("nothing")
        for name in ("s", "nobody"):
            with pytest.raises(SessionNotFound):
                await tenuto.analytics(name)
        assert (await tenuto.analytics("s", tenant="acme")).session_id == "s"


async def test_the_snapshot_of_a_version_that_counted_nothing_is_counted_anew() -> None:
    async with Tenuto(text()) as tenuto:
        async with tenuto.session(session_id="s") as session:
            await talk(session, "Hello")
        head = await tenuto.head("s")
        state = await recount(tenuto, "s")
        old = msgspec.json.decode(fold.encode(state))
        del old["analytics"]
        lease = await tenuto.store.claim("s", tenuto.id, "", 10.0)
        snapshot = p.Snapshot(head.position, msgspec.json.encode(old))
        await tenuto.store.save_snapshot("s", lease.fence, snapshot)
        assert (await tenuto.analytics("s")).analytics.message_count == 2


async def test_what_an_engine_uses_is_recorded_and_priced() -> None:
    async with Tenuto(text(prices={"text": {"heard_minute": 6.0}})) as tenuto:
        async with tenuto.session() as session:
            used = e.UsageRecorded(at=0.0, engine="text", link=1, heard=30.0)
            session.driver.receive(_decide(used))
            assert session.analytics.usage()["text"]["heard"] == 30.0
            assert session.analytics.estimated_cost()["usd"] == 3.0


async def test_the_built_in_brain_counts_tokens_and_what_has_a_price_has_a_cost() -> None:
    prices = {"text": {"million_tokens_in": 4.0, "million_tokens_out": 16.0}}
    async with Tenuto(text(prices=prices)) as tenuto:
        async with tenuto.session(session_id="s") as session:
            reply = await session.send_message("My name is Alice and I like quantum physics")
            await session.commit()
            first = session.analytics.usage()["text"]
            assert first["tokens_in"] >= count("My name is Alice and I like quantum physics")
            assert first["tokens_out"] >= count(reply.text)
            await session.send_message("What is my name?")
        used = (await tenuto.analytics("s")).usage["text"]
        assert used.tokens_in > 2 * first["tokens_in"], "what was said before is read again"
        usd = (await tenuto.analytics("s")).cost.usd
        assert usd == round((4 * used.tokens_in + 16 * used.tokens_out) / 1e6, 6) > 0


def _decide(event: e.Event) -> Any:
    from tenuto.session import stimuli

    return stimuli.Decide(rules=(lambda state, at: [msgspec.structs.replace(event, at=at)],))
