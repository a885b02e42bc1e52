"""One client bound to one session: what it missed, its token, its commands, its microphone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tenuto import events as e
from tenuto.errors import (
    IllegalEvent,
    InvalidInput,
    LeaseLost,
    NotAllowed,
    NotAuthenticated,
    ShareRevoked,
    TenutoError,
)
from tenuto.session import attachment as attachment_module
from tenuto.session import ports, shares, stimuli
from tenuto.session.attachment import Attachment, Joining, attach
from tenuto.session.fold import State
from tenuto.session.resume import Proof, prove
from tests.unit.session.house import Ear, House, house, quiet

pytestmark = pytest.mark.virtual

EPOCH = "0" * 16


async def come(at: House, ear: Ear | None = None, client: str = "tab", **more: Any) -> Attachment:
    joining = Joining(client=client, **more)
    return await attach(at.driver, joining, ear or Ear())


async def missed(at: House, attachment: Attachment) -> list[list[int]]:
    """The positions that a client is told after it was attached, in pages."""
    return [[row.position for row in page] async for page in attachment.missed(at.store)]


def remember(cause: str) -> stimuli.Stimulus:
    return stimuli.Remember(content="x", cause=cause)


class Outcome:
    """What became of a command."""

    def __init__(self) -> None:
        self.all: list[tuple[int, TenutoError | None]] = []

    def __call__(self, position: int, error: TenutoError | None) -> None:
        self.all.append((position, error))


# ------------------------------------------------------------------------------------------------------------- what it missed


async def test_a_new_client_of_a_new_session_is_told_everything_from_its_own_attachment_on() -> (
    None
):
    async with house() as at:
        await at.driver.commit()
        ear = Ear()
        attachment = await come(at, ear)
        assert (attachment.mode, attachment.after, attachment.head) == ("fresh", 1, 3)
        assert await missed(at, attachment) == []
        assert ear.types == ["attachment.attached", "conversation.started"]
        assert (attachment.number, attachment.is_controller, attachment.snapshot) == (1, True, None)


async def test_a_client_that_was_here_is_told_what_it_missed_from_the_ring() -> None:
    async with house() as at:
        for number in range(5):
            at.driver.receive(stimuli.Remember(content=f"fact {number}"))
        await at.driver.commit()
        ear = Ear()
        attachment = await come(at, ear, have=(EPOCH, 2))
        assert (attachment.mode, attachment.after) == ("replay", 2)
        assert await missed(at, attachment) == [[3, 4, 5, 6]]
        assert ear.positions == [7, 8]


async def test_a_client_that_missed_nothing_is_told_nothing() -> None:
    async with house() as at:
        await at.driver.commit()
        attachment = await come(at, have=(EPOCH, 1))
        assert await missed(at, attachment) == []


async def test_what_the_ring_has_not_any_more_is_read_from_the_store_in_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attachment_module, "PAGE", 2)
    async with house() as at:
        for number in range(4):
            at.driver.receive(stimuli.Remember(content=f"fact {number}"))
        await at.driver.commit()
        at.driver.ring.clear()
        attachment = await come(at, have=(EPOCH, 0))
        assert await missed(at, attachment) == [[1, 2], [3, 4], [5]]


async def test_what_the_store_has_not_any_more_is_not_waited_for() -> None:
    class Empty:
        async def read(self, read: ports.Read) -> Sequence[ports.Row]:
            return []

    async with house() as at:
        await at.driver.commit()
        at.driver.ring.clear()
        attachment = await come(at, have=(EPOCH, 0))
        assert [page async for page in attachment.missed(Empty())] == []  # type: ignore[arg-type]


async def test_a_client_that_missed_too_much_gets_the_session_as_it_is() -> None:
    async with house() as at:
        at.driver.receive(stimuli.StartConversation(conversation="a"))
        at.driver.receive(stimuli.Type(text="Hi"))
        ear = Ear()
        attachment = await come(at, ear, have=("f" * 16, 2))
        assert (attachment.mode, attachment.after) == ("snapshot", attachment.head)
        assert attachment.snapshot is not None
        view = msgspec.json.decode(attachment.snapshot)
        assert (view["position"], view["messages"][0]["text"]) == (attachment.head, "Hi")
        assert await missed(at, attachment) == []


async def test_between_what_it_missed_and_what_it_is_told_there_is_no_gap() -> None:
    async with house() as at:
        await at.driver.commit()
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="before"))
        await quiet()
        ear = Ear()
        at.driver.receive(stimuli.Remember(content="pending"))
        coming = asyncio.create_task(come(at, ear, have=(EPOCH, 0)))
        await quiet()
        at.store.open.set()
        attachment = await coming
        assert await missed(at, attachment) == [[1]]
        assert ear.positions == [2, 3, 4, 5]


# --------------------------------------------------------------------------------------------------------------------- tokens


async def test_a_token_is_good_for_the_next_attachment() -> None:
    async with house() as at:
        first = await come(at)
        second = await come(at, token=first.token)
        assert first.token and second.token and first.token != second.token
        assert first.token not in str(at.driver.core.state), "only its hash is kept"


async def test_a_client_that_cannot_resume_gets_no_token() -> None:
    async with house() as at:
        assert (await come(at, resumable=False)).token == ""


async def test_a_token_ends_with_what_the_client_was_let_in_for_and_its_hash_covers_that() -> None:
    async with house() as at:
        first = await come(at, binding=".key.2000")
        assert first.token.endswith(".key.2000")
        with pytest.raises(NotAuthenticated):
            await come(at, token=first.token.replace(".2000", ".9000"))
        await come(at, token=first.token)


async def test_an_observer_that_takes_a_controllers_name_gets_no_token_of_its() -> None:
    async with house() as at:
        controller = await come(at)
        assert (await come(at, role="observer")).token == ""
        # The controller's own is as good as before, and so is it when it observes for a while.
        observing = await come(at, role="observer", token=controller.token)
        assert observing.token
        # Whoever has only ever observed may come back as that.
        first = await come(at, role="observer", client="desk")
        again = await come(at, role="observer", client="desk")
        assert first.token and again.token


async def test_a_token_from_before_its_client_had_the_controls_does_not_give_them() -> None:
    async with house() as at:
        ear = Ear()
        early = await come(at, ear, role="observer")
        controller = await come(at)
        assert ear.let_go == ["revoked"]
        clients = at.driver.core.state.clients
        assert not clients["tab"].observes
        assert prove(clients["tab"], early.token, at.driver.now()) is Proof.UNKNOWN
        assert prove(clients["tab"], controller.token, at.driver.now()) is Proof.GOOD
        # The control: what a controller had before is good until its successor is used.
        again = await come(at, token=controller.token)
        for token in (controller.token, again.token):
            assert prove(clients["tab"], token, at.driver.now()) is Proof.GOOD


async def test_a_token_of_nobody_is_refused_and_nothing_happens() -> None:
    async with house() as at:
        ear = Ear()
        await come(at, ear)
        with pytest.raises(NotAuthenticated):
            await come(at, token="guessed")
        assert ear.let_go == []


async def test_a_token_that_is_shown_again_throws_every_client_of_that_name_out() -> None:
    async with house() as at:
        ear = Ear()
        first = await come(at)
        second = await come(at, token=first.token)
        await come(at, ear, token=second.token)
        with pytest.raises(NotAuthenticated):
            await come(at, token=first.token)
        assert ear.let_go == ["revoked"]
        assert at.driver.core.state.clients["tab"].token == ""


@pytest.mark.parametrize("client", ["", "a:b", "x" * 65])
async def test_a_clients_name_is_short_and_plain(client: str) -> None:
    async with house() as at:
        with pytest.raises(InvalidInput, match="1 to 64"):
            await come(at, client=client)


# ------------------------------------------------------------------------------------------------------------------- commands


async def test_a_command_is_acknowledged_when_it_is_durable() -> None:
    async with house() as at:
        attachment, outcome = await come(at), Outcome()
        at.store.open.clear()
        attachment.command(1, remember, outcome)
        await quiet()
        assert outcome.all == []
        at.store.open.set()
        await quiet()
        assert outcome.all == [(4, None)]
        assert attachment.answered == 1


async def test_a_command_that_comes_again_is_answered_and_runs_once() -> None:
    async with house() as at:
        outcome = Outcome()
        (await come(at)).command(7, remember, outcome)
        await at.driver.commit()
        await at.restart()
        again = await come(at)
        again.command(7, remember, outcome)
        assert outcome.all == [(4, None), (4, None)]
        assert len(at.driver.core.state.memory.book.entries) == 1


async def test_an_ended_session_still_answers_the_command_that_ended_it() -> None:
    async with house() as at:
        attachment, outcome = await come(at), Outcome()
        for _ in range(2):
            attachment.command(1, lambda cause: stimuli.End(cause=cause), outcome)
        await quiet()
        assert [error for _, error in outcome.all] == [None, None]


async def test_what_the_session_refuses_the_command_is_told() -> None:
    async with house() as at:
        attachment, outcome = await come(at), Outcome()
        attachment.command(1, lambda cause: stimuli.Stop(cause=cause), outcome)
        attachment.command(0, remember, outcome)
        kinds = [(position, type(error)) for position, error in outcome.all]
        assert kinds == [(0, IllegalEvent), (0, InvalidInput)]


async def test_a_command_that_cannot_be_durable_is_told_so() -> None:
    async with house() as at:
        attachment, outcome = await come(at), Outcome()
        at.store.refuse = LeaseLost()
        attachment.command(1, remember, outcome)
        await quiet()
        assert outcome.all == [(4, at.store.refuse)]


async def test_an_observer_commands_nothing() -> None:
    async with house() as at:
        attachment, outcome = await come(at, role="observer"), Outcome()
        attachment.command(1, remember, outcome)
        ((position, error),) = outcome.all
        assert position == 0 and isinstance(error, NotAllowed)
        assert (attachment.answered, attachment.is_controller) == (0, False)


async def test_the_commands_of_who_was_superseded_come_again_or_not_at_all() -> None:
    async with house() as at:
        first, outcome = await come(at), Outcome()
        await come(at, client="phone")
        first.command(1, remember, outcome)
        await quiet()
        assert outcome.all == []
        assert at.driver.core.state.memory.book.entries == {}


# -------------------------------------------------------------------------------------------------------- marks, presence, mic


async def speaking(at: House, **more: Any) -> Attachment:
    attachment = await come(at, voice=True, **more)
    at.hands.last.give(ports.Ready())
    await quiet()
    at.driver.receive(stimuli.Type(text="Hi"))
    await quiet()
    at.hands.last.give(ports.Segment(turn=1, text="Hello.", last=True))
    await quiet()
    audio = at.hands.last.audio
    assert audio is not None
    audio.play(1, 0, bytes(3_200), True)
    return attachment


async def test_only_the_controllers_marks_count() -> None:
    async with house() as at:
        controller = await speaking(at)
        observer = await come(at, client="desk", role="observer")
        playback = at.driver.core.playback
        assert playback is not None
        observer.mark(1, 0.1, done=False)
        assert playback.marked == 0.0
        controller.mark(1, 0.1, done=False)
        assert playback.marked == 0.1


async def test_only_the_controllers_presence_counts() -> None:
    async with house() as at:
        controller = await come(at)
        observer = await come(at, client="desk", role="observer")
        seen = []
        for attachment, moment in ((observer, 5.0), (controller, 6.0)):
            attachment.there(moment)
            seen.append(at.driver.playing.there)
        await come(at, client="phone")
        assert [*seen, at.driver.playing.there] == [None, 6.0, None], (
            "of the new one nobody knows yet"
        )


async def test_what_a_client_heard_before_it_was_lost_is_where_the_reply_goes_on() -> None:
    async with house() as at:
        (await speaking(at)).leave("lost")
        await come(at, voice=True, heard=(1, 0.05))
        playback = at.driver.core.playback
        assert playback is not None and playback.marked == 0.05


async def test_leaving_twice_is_leaving_once() -> None:
    async with house() as at:
        attachment = await come(at)
        attachment.leave("left")
        attachment.leave("lost")
        await at.driver.commit()
        assert [row.type for row in at.driver.ring].count("attachment.detached") == 1
        at.driver.receive(stimuli.End())
        attachment.leave("left")
        await at.stopped()
        attachment.leave("left")


async def test_a_microphone_goes_on_where_it_was_heard_while_the_engine_listens() -> None:
    async with house() as at:
        first = await speaking(at, mic=("mic", 16_000))
        assert (first.mic, first.hears, first.speaks) == (0, 16_000, 16_000)
        first.microphone.hear(bytes(2 * 16_000), 0)
        first.microphone.hear(bytes(2 * 16_000), 16_000)
        assert first.safe_microphone() == 16_000
        assert (await come(at, mic=("mic", 16_000))).mic == 32_000


async def test_after_a_restart_a_microphone_goes_on_where_the_journal_knows_it_was_heard() -> None:
    async with house() as at:
        first = await speaking(at, mic=("mic", 16_000))
        first.microphone.hear(bytes(2 * 16_000), 0)
        at.hands.last.give(ports.SpeechBegan(offset=2_000))
        await quiet()
        assert first.safe_microphone() == 2_000
        at.hands.last.give(ports.SpeechFinished(until=9_000, text="Hi"))
        await quiet()
        await at.restart()
        assert (await come(at, mic=("mic", 16_000))).mic == 9_000
        assert (await come(at, mic=("another", 16_000))).mic == 0


async def test_a_microphone_is_sent_again_by_whoever_has_the_controls() -> None:
    async with house() as at:
        asked: list[int] = []
        first = await speaking(at, mic=("mic", 16_000), again=asked.append)
        observer = await come(at, client="desk", role="observer")
        first.microphone.hear(bytes(2 * 16_000), 0)
        at.hands.last.give(ports.SpeechBegan(offset=2_000), ports.Failed(reason="gone"))
        await quiet()
        assert asked == [2_000]
        observer.rewound()
        first.microphone.hear(bytes(640), 16_000)
        assert first.microphone.heard == 2_000
        first.rewound()
        first.microphone.hear(bytes(640), 2_000)
        assert first.microphone.heard == 2_320


async def test_an_engine_that_is_lost_while_a_client_comes_back_takes_nothing_along() -> None:
    async with house() as at:
        asked: list[int] = []
        first = await speaking(at, mic=("mic", 16_000), again=asked.append)
        first.microphone.hear(bytes(2 * 16_000), 0)
        at.hands.last.give(ports.SpeechBegan(offset=2_000))
        await quiet()
        at.store.open.clear()
        coming = asyncio.create_task(
            come(at, voice=True, mic=("mic", 16_000), again=lambda sample: None)
        )
        await quiet()
        at.hands.last.give(ports.Failed(reason="gone"))
        await quiet()
        at.store.open.set()
        second = await coming
        assert (second.mic, asked) == (2_000, [])
        second.microphone.hear(bytes(640), 2_000)
        assert second.microphone.heard == 2_320, "it was told where to begin"


async def test_a_client_that_takes_the_controls_back_is_not_heard_twice() -> None:
    async with house() as at:
        await speaking(at, mic=("first", 16_000))
        for stream in ("first", "second"):
            mine = await come(at, client=stream, voice=True, mic=(stream, 16_000))
            mine.microphone.hear(bytes(2 * 16_000), mine.mic)
            at.hands.last.give(ports.SpeechBegan(offset=0))
            await quiet()
            said = 12_000 if stream == "first" else 28_000
            at.hands.last.give(ports.SpeechFinished(until=said, text="Hi"))
            await quiet()
        at.hands.last.give(ports.Failed(reason="gone"))
        assert (await come(at, client="first", mic=("first", 16_000))).mic == 12_000
        await at.restart()
        assert (await come(at, client="second", mic=("second", 16_000))).mic == 12_000


async def test_what_somebody_said_who_was_interrupted_by_another_is_heard_once() -> None:
    async with house() as at:
        first = await speaking(at, mic=("first", 16_000))
        first.microphone.hear(bytes(2 * 16_000), 0)
        at.hands.last.give(ports.SpeechBegan(offset=4_000))
        await quiet()
        second = await come(at, client="phone", voice=True, mic=("second", 16_000))
        assert at.hands.last.asked[-1] == "Finish"
        second.microphone.hear(bytes(640), 0)
        at.hands.last.give(ports.SpeechFinished(until=16_000, text="Hi"))
        await quiet()
        state = at.driver.core.state
        assert (state.mic, state.mic_until) == ("first", 16_000)
        assert (await come(at, mic=("first", 16_000))).mic == 16_000


async def test_an_observer_has_no_microphone() -> None:
    async with house() as at:
        observer = await come(at, role="observer", mic=("mic", 16_000))
        assert (observer.hears, at.driver.microphone.stream) == (0, "")


async def test_an_engine_that_takes_what_comes_speaks_as_it_hears() -> None:
    async with house(ports.Capabilities(name="any", listens=False)) as at:
        attachment = await come(at)
        assert attachment.speaks == 16_000
        again = await come(at, mic=("mic", 24_000))
        assert (again.speaks, again.hears) == (24_000, 0), "it does not listen"


# --------------------------------------------------------------------------------------------------------------- a share


async def shared(at: House, *permissions: str) -> None:
    """Make share 1 of the session."""
    await at.driver.commit()
    made = shares.create(
        at.driver.core.state,
        at.driver.now(),
        token="0" * 64,
        user="doctor",
        permissions=permissions,
        hours=1.0,
    )
    at.driver.receive(stimuli.Decide(rules=(lambda state, now: made,)))


async def test_who_comes_by_a_share_is_an_observer_whatever_they_say() -> None:
    async with house() as at:
        await shared(at, "read")
        ear = Ear()
        attachment = await come(at, ear, share=1, mic=("m", 16_000), heard=(1, 1.0), token="x")
        assert (attachment.role, attachment.client, attachment.token) == ("observer", "share:1", "")
        assert at.driver.core.state.controller == 0
        assert (attachment.hears, at.driver.microphone.stream) == (0, "")
        outcome = Outcome()
        attachment.command(1, remember, outcome)
        assert isinstance(outcome.all[0][1], NotAllowed)


async def test_who_comes_by_a_share_sees_what_it_shows() -> None:
    async with house() as at:
        at.driver.receive(stimuli.Remember(content="secret", cause="tab:1"))
        await shared(at, "read")
        fresh = await come(at, share=1)
        assert fresh.snapshot is None
        ear = Ear()
        attachment = await come(at, ear, share=1, have=(EPOCH, 0))
        replayed = [row for page in [p async for p in attachment.missed(at.store)] for row in page]
        assert [row.type for row in replayed] == [
            "event.withheld",
            "memory.added",
            "event.withheld",
            "attachment.attached",
        ]
        assert b"tab" not in b"".join(row.body for row in replayed)
        behind = await come(at, share=1, have=("f" * 16, 3))
        assert behind.snapshot is not None
        assert "secret" in behind.snapshot.decode()
        await at.driver.commit(at.driver.receive(stimuli.Decide(rules=(revoking,))))
        assert ear.let_go == ["revoked"]


def revoking(state: State, at: float) -> list[e.Event]:
    return shares.revoke(state, at, 1, "u")


async def test_a_share_that_does_not_show_lets_nobody_in() -> None:
    async with house() as at:
        await shared(at, "add_notes")
        before = at.driver.core.state.position
        with pytest.raises(NotAllowed):
            await come(at, share=1)
        with pytest.raises(ShareRevoked):
            await come(at, share=2)
        assert at.driver.core.state.position == before
