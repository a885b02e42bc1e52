"""The driver: what is told to whom and when, what is timed, and what is let go of."""

import asyncio
from collections.abc import Callable

import pytest

from tenuto import events as e
from tenuto.errors import (
    AppendConflict,
    EngineLost,
    IllegalEvent,
    LeaseLost,
    MissingExtra,
    SessionEnded,
    StoreFull,
    StoreUnavailable,
    TenutoError,
)
from tenuto.session import driver as driver_module
from tenuto.session import fold, ports, stimuli
from tenuto.session.driver import (
    REFRESH_SECONDS,
    RING_BYTES,
    RING_EVENTS,
    SNAPSHOT_EVERY,
)
from tenuto.session.linking import RETRIES
from tenuto.session.state import Life, Link, Status
from tests.unit.session.house import Ear, Hand, House, house, quiet

pytestmark = pytest.mark.virtual

SECOND = bytes(2 * 16_000)


# ------------------------------------------------------------------------------------------ law 2: acknowledged means durable


async def test_nobody_is_told_before_the_commit() -> None:
    async with house() as at:
        ear, told = Ear(), list[TenutoError | None]()
        hand = await at.talking(ear)
        at.store.open.clear()
        before = len(ear.rows)
        position = at.driver.receive(stimuli.Type(text="Hi"))
        at.driver.when_durable(position, told.append)
        await quiet()
        assert (ear.rows[before:], told, hand.requests) == ([], [], [])
        assert at.driver.durable == position - 1
        at.store.open.set()
        await quiet()
        assert ear.types[before:] == ["message.added"]
        assert told == [None]
        assert hand.asked == ["Ask Hi"]
        assert at.driver.durable == position


async def test_first_listeners_then_waiters_then_the_engine() -> None:
    async with house() as at:
        diary: list[str] = []
        hand = await at.talking(Ear(diary))
        diary.clear()
        position = at.driver.receive(stimuli.Type(text="Hi"))
        at.driver.watchers.append(lambda row, event: diary.append("watcher"))
        at.driver.when_durable(position, lambda error: diary.append("waiter"))
        hand.diary = diary
        await quiet()
        assert diary == ["message.added", "watcher", "waiter", "engine"]


async def test_what_is_durable_already_is_told_at_once() -> None:
    async with house() as at:
        await at.driver.commit()
        told: list[TenutoError | None] = []
        at.driver.when_durable(1, told.append)
        assert told == [None]
        assert await at.driver.commit(1) == 1


async def test_what_happens_during_an_append_is_the_next_one() -> None:
    async with house() as at:
        await at.driver.commit()
        at.store.open.clear()
        at.driver.receive(stimuli.StartConversation(conversation="a"))
        await quiet()
        for text in ("one", "two", "three"):
            at.driver.receive(stimuli.Remember(content=text))
        await quiet()
        at.store.open.set()
        await at.driver.commit()
        assert [len(append.rows) for append in at.store.appends] == [1, 1, 3]
        assert [append.expected for append in at.store.appends] == [0, 1, 2]


async def test_whoever_gave_up_waiting_is_not_told() -> None:
    async with house() as at:
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="x"))
        waiting = asyncio.ensure_future(at.driver.commit())
        await quiet()
        waiting.cancel()
        await asyncio.wait([waiting])
        at.store.open.set()
        assert await at.driver.commit() == 2


async def test_who_gave_up_does_not_keep_the_loss_from_the_others() -> None:
    async with house() as at:
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="x"))
        first, second = at.driver.commit(), at.driver.commit()
        first.cancel()
        at.driver.lose(LeaseLost())
        with pytest.raises(LeaseLost):
            await second


async def test_who_waits_for_an_older_position_is_told_when_that_is_durable() -> None:
    async with house() as at:
        told: list[tuple[str, int]] = []

        def then(name: str) -> Callable[[TenutoError | None], None]:
            return lambda error: told.append((name, at.driver.durable))

        at.store.open.clear()
        old = at.driver.receive(stimuli.Remember(content="x"))
        await quiet()
        new = at.driver.receive(stimuli.Remember(content="y"))
        at.driver.when_durable(new, then("new"))
        at.driver.when_durable(old, then("old"))  # A command that was sent again is answered so.
        at.store.open.set()
        await at.driver.commit()
        assert told == [("old", old), ("new", new)]


async def test_what_a_barge_in_overtakes_is_not_asked_after_it() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.store.open.clear()
        at.driver.receive(stimuli.Type(text="my name is"))
        await quiet()
        at.driver.receive(stimuli.Type(text="Alice"))
        at.store.open.set()
        await quiet()
        assert hand.asked == ["Cancel", "Ask my name is Alice"]


async def test_a_refused_stimulus_is_raised_and_stores_nothing() -> None:
    async with house() as at:
        await at.driver.commit()
        with pytest.raises(IllegalEvent):
            at.driver.receive(stimuli.Stop())
        await quiet()
        assert at.driver.durable == at.driver.core.state.position == 1


# ----------------------------------------------------------------------------------------------------------- law 3: one writer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AppendConflict(), "moved"),
        (LeaseLost(), "moved"),
        (StoreFull(), "overloaded"),
        (StoreUnavailable(), "overloaded"),
    ],
)
async def test_a_refused_append_lets_go_of_the_session(error: TenutoError, reason: str) -> None:
    async with house() as at:
        ear, told = Ear(), list[TenutoError | None]()
        hand = await at.talking(ear)
        before = len(ear.rows)
        at.store.refuse = error
        at.driver.when_durable(at.driver.receive(stimuli.Type(text="Hi")), told.append)
        with pytest.raises(type(error)):
            await at.driver.commit()
        await at.stopped()
        assert (told, ear.let_go, ear.rows[before:]) == ([error], [reason], [])
        assert (at.unloaded, hand.requests, hand.closed) == (1, [], True)
        assert at.driver.error is error
        with pytest.raises(type(error)):
            at.driver.receive(stimuli.Type(text="Hi"))
        at.driver.when_durable(99, told.append)
        assert told == [error, error]


async def test_a_lease_that_is_lost_during_an_append_stops_everything_that_waits_for_it() -> None:
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        at.store.open.clear()
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        before = len(ear.rows)
        at.driver.lose(LeaseLost())
        at.driver.lose(StoreFull())
        assert isinstance(at.driver.error, LeaseLost), "the first reason counts"
        at.store.open.set()
        await at.stopped()
        assert (ear.let_go, ear.rows[before:], hand.requests) == (["moved"], [], [])


async def test_a_session_that_is_lost_asks_its_engine_nothing_any_more() -> None:
    async with house() as at:
        at.join(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand = at.hands.last
        at.store.open.clear()
        at.driver.receive(stimuli.Inject(role="user", text="one"))
        await quiet()
        at.driver.lose(LeaseLost())
        hand.give(ports.Ready())
        await asyncio.sleep(60.0)
        assert (hand.requests, hand.closed) == ([], False), "its store still hangs"
        at.store.open.set()
        await at.stopped()
        assert (hand.requests, hand.closed) == ([], True)


async def test_a_context_that_waits_is_not_told_after_the_session_was_lost() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.driver.receive(stimuli.Inject(role="user", text="one"))
        await at.driver.commit()
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="x"))
        await quiet()
        at.driver.lose(LeaseLost())
        await asyncio.sleep(REFRESH_SECONDS * 2)
        at.store.open.set()
        await at.stopped()
        assert (hand.requests, hand.closed) == ([], True)


async def test_a_session_that_is_lost_while_a_link_is_closed_opens_no_other() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        hand.hangs = 1.0
        at.driver.receive(stimuli.Disconnect())
        at.driver.receive(stimuli.Connect())
        await quiet()
        assert hand.closed and at.hands.made == [hand]
        at.driver.lose(LeaseLost())
        await at.stopped()
        assert at.hands.made == [hand]


async def test_a_session_that_is_not_lost_opens_the_other_link() -> None:
    """The control of the one before."""
    async with house() as at:
        hand = await at.talking(Ear())
        hand.hangs = 1.0
        at.driver.receive(stimuli.Disconnect())
        at.driver.receive(stimuli.Connect())
        await asyncio.sleep(2.0)
        assert len(at.hands.made) == 2


async def test_an_engine_that_takes_a_new_link_is_not_made_when_the_session_was_lost_meanwhile() -> (
    None
):
    async with house() as at:
        hand = await at.talking(Ear())
        hand.hangs = 1.0
        hand.give(ports.Failed(reason="gone"))
        await quiet()
        at.driver.lose(LeaseLost())
        await at.stopped()
        assert (hand.closed, at.hands.made) == (True, [hand])


class Clumsy(Ear):
    """A listener with a bug."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb = verb

    def event(self, row: ports.Row) -> None:
        super().event(row)
        if self.verb == row.type:
            raise RuntimeError("a bug")

    def closed(self, reason: str) -> None:
        super().closed(reason)
        if self.verb == "closed":
            raise RuntimeError("a bug")


async def test_a_listener_that_raises_ends_the_session_here_and_everybody_is_told() -> None:
    clumsy, ear = Clumsy("memory.added"), Ear()
    with pytest.raises(ExceptionGroup):
        async with house() as at:
            at.join(clumsy, "desk", role="observer")
            hand = await at.talking(ear)
            at.driver.receive(stimuli.Remember(content="x"))
            with pytest.raises(LeaseLost):
                await at.driver.commit()
            assert at.task is not None
            await asyncio.wait([at.task])
            assert clumsy.let_go == ear.let_go == ["draining"]
            assert (hand.closed, at.driver.durable) == (True, at.driver.core.state.position)
            heard = len(hand.heard)
            at.driver.microphone.hear(SECOND, 0)
            assert len(hand.heard) == heard, "its engine is let go of too"
            assert (await at.folded()).memory.count == 1, "it was durable all the same"


async def test_a_listener_that_raises_at_the_end_keeps_it_from_nobody() -> None:
    async with house() as at:
        clumsy, ear = Clumsy("closed"), Ear()
        at.join(clumsy, "desk", role="observer")
        await at.talking(ear)
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="x"))
        waits = at.driver.commit()
        at.driver.lose(LeaseLost())
        with pytest.raises(LeaseLost):
            await waits
        assert clumsy.let_go == ear.let_go == ["moved"]


async def test_a_journal_that_exists_already_is_not_written_to() -> None:
    async with house() as at:
        await at.driver.commit()
        other = at.make(fold.State(), at.create)
        other.receive(stimuli.Create(session="s", tenant="t", user="u", epoch="1" * 16, config={}))
        run = asyncio.create_task(other.run())
        with pytest.raises(AppendConflict):
            await other.commit()
        await run
        assert len(await at.journal()) == 1


# ---------------------------------------------------------------------------------------------------- snapshots and the ring


async def test_a_snapshot_is_kept_every_so_many_events() -> None:
    async with house() as at:
        for number in range(SNAPSHOT_EVERY * 2 + 10):
            at.driver.receive(stimuli.Remember(content=f"fact {number}"))
            if number % 50 == 0:
                await at.driver.commit()
        await at.driver.commit()
        first, second = at.store.snapshots
        assert SNAPSHOT_EVERY <= first < SNAPSHOT_EVERY + 50
        assert SNAPSHOT_EVERY <= second - first < SNAPSHOT_EVERY + 50
        loaded = await at.store.load("s")
        assert loaded is not None and loaded.snapshot is not None
        assert len(loaded.rows) < SNAPSHOT_EVERY
        assert await at.folded() == at.driver.core.state


async def test_a_session_that_is_put_away_leaves_a_snapshot_of_its_end() -> None:
    async with house() as at:
        at.driver.receive(stimuli.Park())
        await at.stopped()
        assert at.store.snapshots == [2]
        assert (await at.folded()).life is Life.PARKED


async def test_without_snapshots_a_session_goes_on() -> None:
    async with house() as at:
        at.store.no_snapshots = StoreUnavailable()
        for number in range(SNAPSHOT_EVERY + 1):
            at.driver.receive(stimuli.Remember(content=f"fact {number}"))
        await at.driver.commit()
        at.driver.receive(stimuli.Park())
        await at.stopped()
        assert at.store.snapshots == []
        assert (await at.folded()).life is Life.PARKED


async def test_the_ring_has_the_newest_events_and_not_more_than_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (RING_EVENTS, RING_BYTES) == (1_000, 1 << 20)
    monkeypatch.setattr(driver_module, "RING_EVENTS", 10)
    async with house() as at:
        for number in range(25):
            at.driver.receive(stimuli.Remember(content=f"fact {number}"))
        await at.driver.commit()
        assert [row.position for row in at.driver.ring] == list(range(17, 27))


async def test_the_ring_has_not_more_than_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "RING_BYTES", 5_000)
    async with house() as at:
        for number in range(10):
            at.driver.receive(stimuli.Remember(content=f"{number}" * 1_000))
        await at.driver.commit()
        assert [row.position for row in at.driver.ring] == [8, 9, 10, 11]


# ----------------------------------------------------------------------------------------------------------------- the engine


async def test_an_engine_is_opened_with_the_context_and_then_asked() -> None:
    async with house() as at:
        at.driver.receive(stimuli.StartConversation(conversation="a"))
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand = at.hands.last
        assert (at.hands.voices, hand.rate) == ([False], 16_000)
        assert hand.context is not None and [m.text for m in hand.context.messages] == ["Hi"]
        assert at.driver.core.link is Link.RESTORING
        assert hand.requests == [], "it is not ready"
        hand.give(ports.Ready())
        await quiet()
        assert hand.asked == ["Ask Hi"]


async def test_an_engine_that_fails_is_closed_and_replaced_and_its_late_words_are_dropped() -> None:
    async with house() as at:
        first = await at.talking(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        first.give(
            ports.Failed(reason="gone"),
            ports.Segment(turn=1, text="Late.", last=True),
            ports.Ready(),
        )
        await quiet()
        second = at.hands.last
        assert first.closed and second is not first
        second.give(ports.Ready())
        await quiet()
        assert second.asked == ["Ask Hi"]
        assert at.driver.core.state.reply is None


@pytest.mark.parametrize("error", [EngineLost("no"), StoreFull("no"), RuntimeError("a bug")])
async def test_an_engine_that_cannot_be_opened_is_tried_again_and_in_the_end_it_is_an_error(
    error: Exception,
) -> None:
    async with house() as at:
        ear = Ear()

        def prepare(hand: Hand) -> None:
            hand.refuse = error

        at.hands.prepare = prepare
        at.driver.jitter = lambda: 1.0
        at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(1.4)
        assert (len(at.hands.made), at.status()) == (RETRIES, Status.PROCESSING)
        await asyncio.sleep(0.2)
        assert len(at.hands.made) == RETRIES + 1
        assert all(hand.closed for hand in at.hands.made)
        assert ear.types[-1] == "error.raised"
        assert at.status() is Status.ERROR


async def test_an_engine_that_cannot_be_made_is_an_engine_that_failed() -> None:
    async with house() as at:
        ear = Ear()
        at.hands.fails = MissingExtra("local", "The local engine")
        at.join(ear)
        await quiet()
        assert (ear.types.count("engine.lost"), ear.types[-1]) == (1, "error.raised")
        await asyncio.sleep(3_600.0)
        assert ear.types.count("engine.lost") == 1, "it would fail in the same way"
        assert at.status() is Status.ERROR


async def test_a_bug_of_whoever_makes_engines_is_an_engine_that_failed() -> None:
    async with house() as at:
        ear = Ear()
        at.hands.fails = RuntimeError("a bug")
        at.join(ear)
        await quiet()
        assert ear.types[-1] == "engine.lost" and at.driver.error is None
        at.hands.fails = None
        await asyncio.sleep(60.0)
        at.hands.last.give(ports.Ready())
        await quiet()
        assert ear.types[-1] == "engine.ready", "it is tried again by itself"


async def test_an_outage_is_waited_out_and_what_is_owed_is_answered() -> None:
    async with house() as at:
        ear, tried = Ear(), list[float]()
        clock = asyncio.get_running_loop().time

        def prepare(hand: Hand) -> None:
            tried.append(clock())
            hand.refuse = EngineLost()

        at.hands.prepare = prepare
        at.driver.jitter = lambda: 1.0
        began = clock()
        at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(125.0)
        assert [round(at - began, 1) for at in tried] == [
            *(0.0, 0.0, 0.5, 1.5),
            *(3.5, 7.5, 15.5, 31.5, 61.5, 91.5, 121.5),
        ]
        assert ear.types.count("error.raised") == 1
        at.hands.prepare = lambda hand: None
        await asyncio.sleep(30.0)
        at.hands.last.give(ports.Ready())
        await quiet()
        assert at.hands.last.asked == ["Ask Hi"]
        assert at.status() is Status.PROCESSING


@pytest.mark.parametrize("leaves", [True, False])
async def test_no_link_is_tried_while_nobody_is_there(leaves: bool) -> None:
    async with house(grace=1_000.0) as at:

        def prepare(hand: Hand) -> None:
            hand.refuse = EngineLost()

        at.hands.prepare = prepare
        number = at.join(Ear())
        await asyncio.sleep(100.0)
        if leaves:
            await at.driver.commit(
                at.driver.receive(stimuli.Leave(attachment=number, reason="left"))
            )
        tried, told = len(at.hands.made), len(await at.journal())
        await asyncio.sleep(500.0)
        assert (len(at.hands.made) == tried) is leaves
        assert len(await at.journal()) == told, "the journal does not grow with an outage"


async def test_an_engine_that_hangs_up_has_failed() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        hand.hang_up()
        await quiet()
        assert hand.closed and len(at.hands.made) == 2


async def test_partial_transcripts_and_the_status_are_told_and_not_kept() -> None:
    async with house() as at:
        ear, seen = Ear(), list[Status]()
        at.driver.watch_status.append(seen.append)
        hand = await at.talking(ear)
        hand.give(
            ports.SpeechBegan(offset=0), ports.Partial(text="He"), ports.Partial(text="Hello")
        )
        await quiet()
        assert [body for kind, body in ear.told if kind == "partial"] == [
            {"text": "He"},
            {"text": "Hello"},
        ]
        hand.give(ports.SpeechFinished(until=5, text="Hello"))
        await quiet()
        told = [body["state"] for kind, body in ear.told if kind == "status"]
        assert (
            told
            == [status.value for status in seen]
            == [
                "processing",
                "idle",
                "listening",
                "processing",
            ]
        )
        assert [row.type for row in await at.journal()][-3:] == [
            "speech.started",
            "speech.ended",
            "message.added",
        ]


# -------------------------------------------------------------------------------------------------------------------- timers


async def test_a_session_parks_after_the_grace() -> None:
    async with house(grace=30.0) as at:
        ear = Ear()
        hand = await at.talking(ear)
        at.driver.receive(stimuli.Leave(attachment=1, reason="lost"))
        await asyncio.sleep(29.9)
        assert (hand.closed, at.driver.is_leaving) == (False, False)
        await asyncio.sleep(0.2)
        await at.stopped()
        assert (hand.closed, at.driver.is_leaving, at.unloaded) == (True, True, 1)
        assert isinstance(at.driver.error, LeaseLost)
        assert (await at.folded()).life is Life.PARKED


async def test_a_session_to_which_nobody_ever_came_parks_too() -> None:
    async with house(grace=30.0) as at:
        await asyncio.sleep(30.1)
        await at.stopped()
        assert (await at.folded()).life is Life.PARKED


async def test_who_comes_back_within_the_grace_finds_everything_as_it_was() -> None:
    async with house(grace=30.0) as at:
        hand = await at.talking(Ear())
        for _ in range(3):
            at.driver.receive(
                stimuli.Leave(attachment=at.driver.core.state.controller, reason="lost")
            )
            await asyncio.sleep(20.0)
            at.join(Ear())
        await asyncio.sleep(60.0)
        assert at.hands.made == [hand] and not hand.closed
        assert at.driver.core.state.life is Life.LIVE


async def test_alarms_ring_on_time() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        now = at.driver.now()
        for seconds in (60.0, 20.0):
            hand.give(ports.AlarmWanted(turn=1, due=now + seconds, text=f"after {seconds:.0f}"))
        await quiet()
        assert at.store.appends[-1].due == now + 20.0
        await asyncio.sleep(19.9)
        assert not any(isinstance(request, ports.Ring) for request in hand.requests)
        await asyncio.sleep(0.2)
        (ring,) = [request for request in hand.requests if isinstance(request, ports.Ring)]
        assert ring.alarm.text == "after 20"
        hand.give(ports.AlarmDropped(turn=1, alarm=1))
        await quiet()
        assert at.store.appends[-1].due is None


@pytest.mark.virtual(limit=1_000_000)
async def test_an_alarm_of_next_week_is_looked_at_every_day() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        hand.give(ports.AlarmWanted(turn=1, due=at.driver.now() + 600_000.0, text="far"))
        await asyncio.sleep(599_999.0)
        assert hand.requests == []
        await asyncio.sleep(2.0)
        assert hand.asked == ["Ring"]


@pytest.mark.parametrize("how", ["parked", "stopped", "lost"])
async def test_an_alarm_that_is_due_while_the_session_goes_is_left_to_the_next_host(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "tenuto.session")
    async with house() as at:
        hand = await at.talking(Ear())
        due = at.driver.now() + 5.0
        hand.give(ports.AlarmWanted(turn=1, due=due, text="tea"))
        await at.driver.commit()
        await quiet()
        at.driver.receive(stimuli.Leave(attachment=1, reason="lost"))
        await at.driver.commit()
        at.store.open.clear()
        at.driver.receive(stimuli.Park() if how == "parked" else stimuli.Remember(content="x"))
        await quiet()
        if how == "stopped":
            at.driver.stop()
        elif how == "lost":
            at.driver.lose(LeaseLost())
        await asyncio.sleep(60.0)
        assert sum(message.startswith("Due") for message in caplog.messages) <= 1, (
            "it does not spin"
        )
        at.store.open.set()
        await at.stopped()
        head = await at.store.head("s")
        assert head is not None and (head.due == due or how == "stopped")


# ------------------------------------------------------------------------------------------------------------------- the end


async def test_what_is_pending_is_committed_before_a_driver_stops() -> None:
    async with house() as at:
        ear = Ear()
        await at.talking(ear)
        at.driver.receive(stimuli.Remember(content="last words"))
        at.driver.stop()
        await at.stopped()
        assert (ear.types[-1], ear.let_go) == ("memory.added", ["draining"])
        assert at.driver.durable == at.driver.core.state.position


async def test_what_comes_during_an_append_is_committed_before_a_driver_stops() -> None:
    async with house() as at:
        await at.driver.commit()
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="one"))
        await quiet()
        at.driver.stop()
        at.driver.receive(stimuli.Remember(content="two"))
        last = at.driver.commit()
        at.store.open.set()
        await at.stopped()
        assert await last == at.driver.durable == at.driver.core.state.position
        assert (await at.folded()).memory.count == 2


async def test_what_comes_while_the_link_of_a_stopped_driver_is_closed_is_not_acknowledged() -> (
    None
):
    async with house() as at:
        hand = await at.talking(Ear())
        hand.hangs = 1.0
        at.driver.stop()
        await quiet()
        assert hand.closed
        at.driver.receive(stimuli.Remember(content="too late"))
        with pytest.raises(LeaseLost):
            await at.driver.commit()
        await at.stopped()
        assert (await at.folded()).memory.count == 0


async def test_after_the_end_no_timer_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "tenuto.session")
    async with house(grace=5.0) as at:
        hand = await at.talking(Ear())
        hand.give(ports.AlarmWanted(turn=1, due=at.driver.now() + 9.0, text="tea"))
        at.driver.receive(stimuli.Inject(role="user", text="one"))
        at.driver.receive(stimuli.Leave(attachment=1, reason="lost"))
        await at.driver.commit()
        at.driver.stop()
        await at.stopped()
        before = (at.driver.core.state.position, len(hand.requests), list(caplog.messages))
        await asyncio.sleep(60.0)
        assert (at.driver.core.state.position, len(hand.requests), caplog.messages) == before


async def test_after_the_end_it_is_said_to_have_ended() -> None:
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        await at.driver.commit(at.driver.receive(stimuli.End()))
        await at.stopped()
        assert (ear.types[-1], ear.let_go, hand.closed) == ("session.ended", ["ended"], True)
        with pytest.raises(SessionEnded):
            at.driver.receive(stimuli.Type(text="Hi"))
        head = await at.store.head("s")
        assert head is not None and head.ended


async def test_a_second_controller_takes_over_and_the_first_is_told() -> None:
    async with house() as at:
        first, second = Ear(), Ear()
        await at.talking(first)
        at.join(second, "phone")
        await quiet()
        assert first.let_go == ["superseded"]
        at.driver.receive(stimuli.Remember(content="x"))
        await at.driver.commit()
        assert (first.types[-1], second.types[-1]) == ("attachment.attached", "memory.added")


async def test_after_a_restart_the_session_is_what_it_was() -> None:
    async with house() as at:
        await at.talking(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await at.driver.commit()
        before = len(at.hands.made)
        await at.restart()
        await quiet()
        assert len(at.hands.made) == before, "restoring is silent"
        at.join(Ear())
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        assert at.hands.last.asked == ["Ask Hi"]
        assert await at.folded() == at.driver.core.state


def frame(samples: int, value: int = 0) -> bytes:
    return value.to_bytes(2, "little") * samples


async def test_speech_is_told_in_the_clients_own_samples() -> None:
    async with house() as at:
        ear = Ear()
        at.driver.microphone.start("mic", 16_000, 8_000)
        at.join(ear, mic="mic")
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        at.driver.microphone.hear(frame(16_000), 8_000)
        at.hands.last.give(
            ports.SpeechBegan(offset=100), ports.SpeechFinished(until=900, text="Hi")
        )
        await quiet()
        state = at.driver.core.state
        assert (state.mic, state.mic_until) == ("mic", 8_900)
        at.hands.last.give(ports.Failed(reason="gone"))
        await quiet()
        assert at.hands.made[0].heard == [(frame(16_000), 0)]
        at.driver.microphone.hear(frame(320), 24_000)
        at.hands.last.give(ports.Ready(), ports.SpeechBegan(offset=10))
        await quiet()
        assert at.driver.core.state.speech is not None
        assert at.driver.core.state.speech.offset == 24_010


async def spoken_to(at: House, asked: list[int], samples: int = 16_000) -> Ear:
    """Have somebody speak whose link is about to be lost: of so many samples, it began at the 4,000th."""
    ear = Ear()
    at.join(ear, mic="mic")
    at.driver.microphone.start("mic", 16_000, 0, asked.append)
    await quiet()
    at.hands.last.give(ports.Ready())
    await quiet()
    at.driver.microphone.hear(frame(samples), 0)
    at.hands.last.give(ports.SpeechBegan(offset=4_000))
    await quiet()
    assert at.driver.safe_microphone() == 4_000
    return ear


async def test_speech_that_a_link_took_along_is_asked_for_again() -> None:
    async with house() as at:
        asked: list[int] = []
        ear = await spoken_to(at, asked)
        at.store.open.clear()
        at.hands.last.give(ports.Failed(reason="gone"))
        await quiet()
        assert asked == [], "nobody was told yet that it is lost"
        at.store.open.set()
        await quiet()
        assert (asked, ear.types[-1]) == ([4_000], "engine.lost")
        at.driver.receive(stimuli.Hold())
        at.driver.microphone.rewound()
        at.driver.microphone.hear(frame(12_000), 4_000)
        await quiet()
        hand = at.hands.last
        asked_after: list[tuple[ports.Request, int]] = []
        hand.send = lambda request: asked_after.append((request, len(hand.heard)))  # type: ignore[method-assign]
        hand.give(ports.Ready())
        await quiet()
        assert hand.heard == [(frame(12_000), 0)]
        assert asked_after == [(ports.Finish(), 1)], "what waited comes before its end"


async def test_what_was_understood_is_not_asked_for_again() -> None:
    async with house() as at:
        asked: list[int] = []
        await spoken_to(at, asked)
        at.hands.last.give(ports.SpeechFinished(until=9_000, text="Hi"))
        await quiet()
        at.hands.last.give(ports.Failed(reason="gone"))
        await quiet()
        assert asked == [9_000]


async def test_a_stream_that_took_over_in_the_middle_of_speech_is_asked_for_from_its_beginning() -> (
    None
):
    async with house() as at:
        asked: list[int] = []
        await spoken_to(at, asked)
        at.join(Ear(), mic="other")
        at.driver.microphone.start("other", 16_000, 0, asked.append)
        at.driver.microphone.hear(frame(3_200), 0)
        assert at.driver.safe_microphone() == 0
        at.hands.last.give(ports.Failed(reason="gone"))
        await quiet()
        assert asked == [0]


async def test_speech_that_was_given_up_is_not_asked_for_later() -> None:
    async with house() as at:
        asked: list[int] = []
        ear = await spoken_to(at, asked)
        at.hands.fails = TenutoError("none")
        at.hands.last.give(ports.Failed(reason="gone"))
        await asyncio.sleep(1.6)
        assert ear.types[-1] == "error.raised"
        at.hands.fails = None
        at.driver.receive(stimuli.Type(text="Hi", client="tab"))
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        at.driver.microphone.hear(frame(320), 16_000)
        assert (asked, len(at.hands.last.heard)) == ([], 1)


# ------------------------------------------------------------------------------------------------- what the engine is told


def told(hand: Hand) -> list[list[str]]:
    """The texts of each context that the engine was told to go by."""
    return [
        [m.text for m in request.context.messages]
        for request in hand.requests
        if isinstance(request, ports.Configure)
    ]


async def test_the_engine_is_told_of_updates_when_none_has_come_for_a_while() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        for number in range(10):
            at.driver.receive(stimuli.Inject(role="user", text=str(number)))
            await asyncio.sleep(REFRESH_SECONDS / 2)
        assert told(hand) == []
        assert (await at.folded()).messages == 10, "the journal has them at once"
        await asyncio.sleep(REFRESH_SECONDS)
        assert told(hand) == [[str(number) for number in range(10)]], "the last one wins"
        await asyncio.sleep(10.0)
        assert len(told(hand)) == 1


async def test_an_update_that_waits_goes_before_whatever_else_the_engine_is_told() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.driver.receive(stimuli.Inject(role="user", text="one"))
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        assert hand.asked == ["Configure", "Ask Hi"]
        at.driver.receive(stimuli.Inject(role="user", text="two"))
        at.driver.receive(stimuli.StartConversation(conversation="next"))
        await quiet()
        assert hand.asked[2:] == ["Cancel", "Configure"], "the newer one is enough"


async def test_an_update_that_waits_is_told_before_the_link_is_closed() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.driver.receive(stimuli.Inject(role="user", text="one"))
        at.driver.receive(stimuli.Disconnect())
        await quiet()
        assert (told(hand), hand.closed) == ([["one"]], True)
        at.driver.receive(stimuli.Inject(role="user", text="two"))
        await asyncio.sleep(1.0)
        assert len(hand.requests) == 1


class Blackout:
    """A reader that takes every digit for personal data; without ink it cannot."""

    ink = True

    def warm(self) -> None:
        pass

    def redact(self, text: str, policy: str, region: str) -> tuple[str, list[str]]:
        if not self.ink:
            raise MissingExtra("redact", "Redaction")
        return "".join("#" if char.isdigit() else char for char in text), []

    def measure(self, text: str, seconds: float, **_: bool) -> None:
        return None


async def test_partial_transcripts_are_shown_as_they_may_be_stored() -> None:
    async with house() as at:
        ear, reader = Ear(), Blackout()
        hand = await at.talking(ear)
        at.driver.core.scribe.reader = reader
        hand.give(ports.Partial(text="call 555"))
        await quiet()
        change = e.ConfigChanged(at=at.driver.now(), version=1, changes={"redaction": "mask"})
        at.driver.receive(stimuli.Decide(rules=(lambda state, moment: [change],)))
        hand.give(ports.Partial(text="call 555"))
        await quiet()
        hand.give(ports.Partial(text="call five five"))
        await quiet()
        reader.ink = False
        hand.give(ports.Partial(text="call 555"))
        await quiet()
        shown = [body["text"] for kind, body in ear.told if kind == "partial"]
        assert shown == ["call 555", "call ###", "call"], "a number that is not over is not shown"
