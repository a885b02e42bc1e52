"""The link to one engine: what is asked of it, in order, and what it may do to the session."""

import asyncio
from collections.abc import Sequence

import pytest

from tenuto import events as e
from tenuto.errors import EngineLost, StoreUnavailable
from tenuto.session import ports, stimuli
from tenuto.session.config import change
from tenuto.session.desk import Rule
from tenuto.session.link import EngineLink
from tenuto.session.microphone import Microphone
from tenuto.session.past import Past
from tests.unit.session.house import Ear, Hand, House, house, quiet

pytestmark = pytest.mark.virtual


class Owner:
    """A session that keeps what it is told."""

    def __init__(self) -> None:
        self.microphone = Microphone()
        self.told: list[str] = []

    def accepted(self, link: EngineLink) -> None:
        self.told.append(f"accepted {link.number}")

    def from_engine(self, link: EngineLink, event: ports.EngineEvent) -> None:
        self.told.append(event.reason if isinstance(event, ports.Failed) else type(event).__name__)


class Nowhere:
    """Takes audio, and plays none."""

    def relay(self, pcm: bytes | bytearray | memoryview) -> None: ...
    def play(self, reply: int, index: int, pcm: bytes, last: bool) -> None: ...
    def queued(self) -> float:
        return 0.0

    def stop(self) -> None: ...


async def nothing(before: int | None, limit: int) -> Sequence[tuple[int, e.Event]]:
    return []


CONTEXT = ports.Context(
    instructions="", messages=[], memories=[], alarms=[], conversation="c", now=0.0
)


# ------------------------------------------------------------------------------------------------------------- its task


async def run_through(hand: Hand, owner: Owner) -> EngineLink:
    """A link from its beginning to its end."""
    link = EngineLink(7, hand, Past(nothing), owner)
    async with asyncio.TaskGroup() as group:
        link.start(group, CONTEXT, Nowhere())
    return link


async def test_a_link_tells_what_its_engine_says_and_at_last_that_it_failed() -> None:
    hand, owner = Hand(), Owner()
    hand.give(ports.Ready())
    hand.hang_up()
    link = await run_through(hand, owner)
    assert owner.told == ["accepted 7", "Ready", "closed"]
    assert hand.closed and hand.rate == link.hears == 16_000
    await link.close()


@pytest.mark.parametrize(
    ("error", "told"), [(EngineLost("no"), "engine_lost"), (RuntimeError("a bug"), "error")]
)
async def test_whatever_an_engine_raises_is_a_failure_of_the_link(
    error: Exception, told: str
) -> None:
    hand, owner = Hand(), Owner()
    hand.refuse = error
    await run_through(hand, owner)
    assert (owner.told, hand.closed) == ([told], True)


async def test_a_link_that_was_never_opened_is_closed_at_once() -> None:
    await EngineLink(1, Hand(), Past(nothing), Owner()).close()


async def test_an_engine_without_a_rate_of_its_own_hears_what_the_client_sends() -> None:
    owner = Owner()
    hand = Hand(ports.Capabilities(name="any", hears=None, speaks=None, continues=True))
    link = EngineLink(1, hand, Past(nothing), owner)
    assert link.hears == 16_000
    owner.microphone.start("mic", 8_000, 0)
    assert link.hears == 8_000


# -------------------------------------------------------------------------------------------------------- what is asked


async def test_what_is_cancelled_before_the_engine_is_ready_is_never_asked() -> None:
    async with house() as at:
        at.driver.receive(stimuli.StartConversation(conversation="a"))
        at.driver.receive(stimuli.Type(text="one"))
        await quiet()
        at.driver.receive(stimuli.Type(text="two"))
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        assert at.hands.last.asked == ["Ask one two"]


async def test_only_the_newest_settings_wait_for_the_engine_and_nothing_cancels_them() -> None:
    async with house() as at:
        at.driver.receive(stimuli.StartConversation(conversation="a"))
        at.driver.receive(stimuli.Type(text="one"))
        await quiet()
        for temperature in (0.1, 0.2):
            at.driver.receive(stimuli.Decide(rules=(_hotter(temperature),)))
            await quiet()
        at.driver.receive(stimuli.Type(text="two"))
        await quiet()
        hand = at.hands.last
        hand.give(ports.Ready())
        await quiet()
        assert hand.asked == ["Configure", "Ask one two"]
        told = hand.requests[0]
        assert isinstance(told, ports.Configure)
        assert (told.context.temperature, told.context.version) == (0.2, 2)


def _hotter(temperature: float) -> Rule:
    return lambda state, at: change(state, {"temperature": temperature}, at)


@pytest.mark.parametrize("hangs", [3_600.0, -1.0])
async def test_an_engine_that_does_not_close_does_not_keep_the_session(hangs: float) -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        hand.hangs = hangs
        begun = at.clock.monotonic()
        at.driver.stop()
        await at.stopped()
        assert at.clock.monotonic() - begun < 4.0
        assert hand.closed


async def test_a_link_that_is_lost_is_asked_nothing() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.store.open.clear()
        at.driver.receive(stimuli.Type(text="Hi", client="tab"))
        hand.give(ports.Failed(reason="gone"))
        await quiet()
        at.store.open.set()
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        assert (hand.asked, at.hands.last.asked) == ([], ["Ask Hi"])


async def test_an_engine_that_raises_when_it_is_asked_is_lost_and_the_next_one_is_asked_again() -> (
    None
):
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        hand.bug = RuntimeError("a bug")
        at.driver.receive(stimuli.Type(text="Hi", client="tab"))
        await quiet()
        assert hand.closed and at.hands.last is not hand
        at.hands.last.give(ports.Ready())
        await quiet()
        assert at.hands.last.asked == ["Ask Hi"]
        assert ear.types.count("engine.lost") == 1 and at.driver.error is None


async def test_an_engine_that_raises_when_an_answer_is_dropped_is_lost_without_whoever_drops_it() -> (
    None
):
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        at.driver.receive(stimuli.Type(text="one", client="tab"))
        await quiet()
        hand.bug = RuntimeError("a bug")
        at.driver.receive(stimuli.Type(text="two", client="tab"))
        await quiet()
        assert hand.closed
        at.hands.last.give(ports.Ready())
        await quiet()
        assert at.hands.last.asked == ["Ask one two"]


async def test_an_engine_that_raises_when_it_hears_is_lost_once_and_not_its_client() -> None:
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        at.driver.microphone.start("mic", 16_000, 0)
        hand.bug = RuntimeError("a bug")
        for offset in (0, 320, 640):
            at.driver.microphone.hear(bytes(640), offset)
        await quiet()
        assert hand.closed and len(at.hands.made) == 2
        assert ear.types.count("engine.lost") == 1 and not ear.types.count("attachment.detached")
        at.hands.last.give(ports.Ready())
        await quiet()
        at.driver.microphone.hear(bytes(640), 960)
        assert len(at.hands.last.heard) == 1


# ------------------------------------------------------------------------------------------------ older than the window


async def reading(at: House) -> Hand:
    """Somebody is there who only reads, and the engine is ready."""
    at.join(Ear(), voice=False)
    at.driver.receive(stimuli.Connect())
    await quiet()
    at.hands.last.give(ports.Ready())
    await quiet()
    return at.hands.last


async def resumed(at: House, policy: str = "all") -> list[str]:
    """A long conversation `old` that was resumed after another. Returns what was said in it."""
    change = e.ConfigChanged(at=at.driver.now(), version=1, changes={"context_policy": policy})
    at.driver.receive(stimuli.Decide(rules=(lambda state, moment: [change],)))
    at.join(Ear(), voice=False, opens=False)
    at.driver.receive(stimuli.StartConversation(conversation="old"))
    old = [f"old {number}" for number in range(60)]
    at.say(*old)
    at.driver.receive(stimuli.StartConversation(conversation="new"))
    at.say(*(f"new {number}" for number in range(60)))
    at.driver.receive(stimuli.StartConversation(conversation="old", resume=True))
    await at.driver.commit()
    return old


def texts(context: ports.Context | None) -> list[str]:
    assert context is not None
    return [m.text for m in context.messages]


async def test_an_engine_is_told_what_the_state_does_not_keep_and_it_is_read_once() -> None:
    async with house() as at:
        old = await resumed(at)
        reads = at.store.reads
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand = at.hands.last
        assert texts(hand.context) == [*old, "Hi"]
        hand.give(ports.Ready())
        await quiet()
        for number in range(3):
            at.driver.receive(stimuli.Type(text=f"more {number}"))
            await quiet()
        last = [request for request in hand.requests if isinstance(request, ports.Ask)][-1]
        assert texts(last.context) == [*old, "Hi", "more 0", "more 1", "more 2"]
        assert last.context.older is None
        assert at.store.reads == reads + 1


async def test_while_it_is_read_everything_else_goes_on() -> None:
    async with house() as at:
        hand = await reading(at)
        old = await resumed(at)
        await asyncio.sleep(1.0)
        before = len(hand.requests)
        at.store.shelf.clear()
        at.say("one")
        position = at.driver.receive(stimuli.Type(text="Hi"))
        at.driver.receive(stimuli.StartConversation(conversation="third"))
        at.driver.receive(stimuli.StartConversation(conversation="old", resume=True))
        at.driver.receive(stimuli.Type(text="Ho"))
        assert await at.driver.commit(position) == position, "what is said is durable meanwhile"
        await quiet()
        at.store.shelf.set()
        await quiet()
        assert hand.asked[before:][-2:] == ["Configure", "Ask Ho"]
        assert texts(hand.requests[-1].context)[-3:] == ["one", "Hi", "Ho"]  # type: ignore[union-attr]
        assert texts(hand.requests[-1].context)[:60] == old  # type: ignore[union-attr]


async def test_a_store_that_cannot_be_read_does_not_keep_anybody_from_an_answer() -> None:
    async with house() as at:
        await resumed(at)
        at.store.unreadable = StoreUnavailable()
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand = at.hands.last
        assert texts(hand.context) == ["Hi"]
        hand.give(ports.Ready())
        await quiet()
        at.driver.receive(stimuli.Type(text="Ho"))
        await quiet()
        assert hand.asked == ["Ask Hi", "Cancel", "Ask Hi Ho"]
        at.store.unreadable = None
        at.driver.receive(stimuli.Type(text="Hu"))
        await quiet()
        assert len(texts(hand.requests[-1].context)) == 63  # type: ignore[union-attr]


async def asked_of_a_store_that_waits(at: House) -> None:
    """Ask in an old conversation, whose messages have to be read first, which does not come to an end."""
    at.driver.receive(stimuli.StartConversation(conversation="new", resume=True))
    await quiet()
    at.store.shelf.clear()
    at.driver.receive(stimuli.StartConversation(conversation="old", resume=True))
    at.driver.receive(stimuli.Type(text="Hi"))
    await quiet()


async def test_what_is_cancelled_while_it_is_read_for_is_never_asked() -> None:
    async with house() as at:
        await resumed(at)
        at.driver.receive(stimuli.Connect())
        await quiet()
        hand = at.hands.last
        hand.give(ports.Ready())
        await quiet()
        await asked_of_a_store_that_waits(at)
        at.driver.receive(stimuli.Stop())
        await quiet()
        at.store.shelf.set()
        await quiet()
        assert [name for name in hand.asked if name.startswith("Ask")] == []
        assert "Cancel" in hand.asked
        at.store.shelf.clear()
        at.driver.receive(stimuli.StartConversation(conversation="new", resume=True))
        await quiet()


async def test_a_store_with_a_bug_does_not_keep_anybody_from_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with house() as at:
        hand = await reading(at)
        await resumed(at)

        async def broken(read: ports.Read) -> Sequence[ports.Row]:
            raise RuntimeError("a bug")

        monkeypatch.setattr(at.store, "read", broken)
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        assert hand.asked[-1].startswith("Ask")
        assert texts(hand.requests[-1].context) == ["Hi"]  # type: ignore[union-attr]


async def test_what_is_read_for_a_link_that_is_closed_meanwhile_is_asked_of_nobody() -> None:
    async with house() as at:
        hand = await reading(at)
        await resumed(at)
        await asked_of_a_store_that_waits(at)
        at.driver.receive(stimuli.Disconnect())
        await quiet()
        at.store.shelf.set()
        await asyncio.sleep(1.0)
        assert hand.closed
        assert not any(isinstance(request, ports.Ask) for request in hand.requests)
