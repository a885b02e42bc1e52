"""The audio of replies: sent in time, held, cut, and counted as heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tenuto.errors import LeaseLost
from tenuto.session import ports, stimuli
from tenuto.session.playing import PLACE_SECONDS, PLAYED_SECONDS
from tenuto.session.state import Status, Turn
from tenuto.testing.engine import Script, Step, voice
from tests.unit.session.house import Ear, House, house, quiet

pytestmark = pytest.mark.virtual

SECOND = bytes(2 * 16_000)


@asynccontextmanager
async def answering(*segments: str) -> AsyncIterator[House]:
    """A house whose engine answers `Hi` with these segments, and has to be asked."""
    script = Script(Step(hear="Hi", say=list(segments)))
    async with house(make_engine=lambda voice: script.engine()) as at:
        yield at
        script.check()


async def test_a_reply_is_spoken_at_the_speed_of_time_and_ends_when_it_was_played() -> None:
    async with answering("Hello there.", "How are you?") as at:
        ear = Ear()
        at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        # A square wave of 0.05 s a character, 24 characters; a tenth of a second of it is sent ahead.
        whole = voice("Hello there.", 16_000) + voice("How are you?", 16_000)
        await asyncio.sleep(1.0)
        assert len(whole) * 0.8 < sum(len(pcm) for _, _, pcm in ear.frames) < len(whole)
        await asyncio.sleep(0.2)
        assert b"".join(pcm for _, _, pcm in ear.frames) == whole
        assert at.status() is Status.SPEAKING
        at.driver.receive(stimuli.Mark(reply=1, seconds=1.2, done=True))
        await at.driver.commit()
        assert ear.types[-2:] == ["reply.ended", "message.added"]


async def test_a_reply_is_held_and_goes_on_where_it_was_heard_when_somebody_comes_back() -> None:
    async with answering("Hello there.", "How are you?") as at:
        ear = Ear()
        number = at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(0.5)
        at.driver.receive(stimuli.Leave(attachment=number, reason="lost"))
        await at.driver.commit()
        assert ear.let_go == ["lost"]
        sent = len(ear.frames)
        await asyncio.sleep(5.0)
        assert (len(ear.frames), at.turn()) == (sent, Turn.HELD)
        back = Ear()
        at.join(back, heard=(1, 0.3))
        await asyncio.sleep(2.0)
        whole = voice("Hello there.", 16_000) + voice("How are you?", 16_000)
        offset = back.frames[0][1]
        assert offset == 0.3 * 16_000
        assert b"".join(pcm for _, _, pcm in back.frames) == whole[2 * offset :]


async def test_a_cut_sends_not_one_frame_more() -> None:
    async with answering("Hello there, it is good to see you.") as at:
        ear = Ear()
        at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(0.5)
        sent = len(ear.frames)
        assert sent > 0
        at.driver.receive(stimuli.Stop(heard=0.4))
        assert ear.hushed == [1], "at once, and before the commit"
        await asyncio.sleep(1.0)
        assert len(ear.frames) == sent
        assert ear.types[-2:] == ["reply.cut", "message.added"]


async def test_only_those_who_are_spoken_to_hear_the_reply() -> None:
    async with answering("Hello.") as at:
        reader, listener, controller = Ear(), Ear(), Ear()
        at.join(reader, "desk", role="observer", voice=False)
        at.join(listener, "room", role="observer")
        at.join(controller)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(1.0)
        assert reader.frames == []
        assert len(listener.frames) == len(controller.frames) > 0


async def test_who_does_not_mark_has_heard_the_reply_a_while_after_it_was_sent() -> None:
    async with answering("Hello.") as at:
        ear = Ear()
        at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(1.5)
        assert at.turn() is Turn.SPEAKING
        await asyncio.sleep(1.5)
        assert ear.types[-2:] == ["reply.ended", "message.added"]


async def test_who_still_marks_is_still_listening() -> None:
    async with answering("Hello.") as at:
        at.join(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        for _ in range(20):
            await asyncio.sleep(0.25)
            at.driver.receive(stimuli.Mark(reply=1, seconds=0.1))
        assert at.turn() is Turn.SPEAKING
        await asyncio.sleep(5.0)
        assert at.turn() is Turn.IDLE


async def test_over_a_dead_connection_nobody_has_heard_anything() -> None:
    async with answering("Hello.") as at:
        number = at.join(Ear())
        at.driver.playing.there = at.clock.monotonic()
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(9.0)
        assert at.turn() is Turn.SPEAKING
        at.driver.receive(stimuli.Leave(attachment=number, reason="lost"))
        await asyncio.sleep(9.0)
        assert at.turn() is Turn.HELD


async def test_who_was_there_after_the_last_frame_has_heard_it() -> None:
    async with answering("Hello.") as at:
        at.join(Ear())
        at.driver.playing.there = at.clock.monotonic()
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(2.0)
        at.driver.playing.there = at.clock.monotonic()
        await asyncio.sleep(3.0)
        assert at.turn() is Turn.IDLE


async def test_coming_back_just_after_the_last_frame_the_reply_is_not_taken_for_heard() -> None:
    async with answering("Hello there, it is good to see you.") as at:
        number = at.join(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(2.2)
        at.driver.receive(stimuli.Leave(attachment=number, reason="lost"))
        back = Ear()
        at.join(back, heard=(1, 0.2))
        await asyncio.sleep(1.0)
        assert at.turn() is Turn.SPEAKING
        await asyncio.sleep(5.0)
        assert back.types[-2:] == ["reply.ended", "message.added"]


async def test_a_reply_of_which_all_was_heard_ends_without_another_word() -> None:
    async with answering("Hello.") as at:
        at.join(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(1.0)
        await at.restart()
        back = Ear()
        at.join(back, heard=(1, len(voice("Hello.", 16_000)) / 32_000))
        await asyncio.sleep(0.1)
        assert back.types[-3:] == ["engine.ready", "reply.ended", "message.added"]
        assert back.frames == []


async def test_after_a_crash_the_words_that_were_heard_are_found_before_anybody_can_cut_them() -> (
    None
):
    async with house() as at:
        hand = await at.talking(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand.give(ports.Segment(turn=1, text="One two three.", last=True))
        await quiet()
        await at.restart()
        at.join(Ear(), heard=(1, 0.9))
        finding = asyncio.create_task(at.driver.playing.find_place())
        await quiet()
        at.hands.last.give(ports.Ready())
        await quiet()
        assert not finding.done()
        audio = at.hands.last.audio
        assert audio is not None
        audio.play(1, 0, SECOND, True)
        await finding
        at.driver.receive(stimuli.Stop())
        (message,) = [m for m in at.driver.core.state.recent if m.role == "agent"]
        assert (message.text, message.said) == ("One two", "One two three.")


async def test_an_engine_that_does_not_find_the_words_is_not_waited_for_for_long() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand.give(ports.Segment(turn=1, text="One two three.", last=True))
        await quiet()
        await at.restart()
        at.join(Ear(), heard=(1, 0.9))
        began = at.clock.monotonic()
        await at.driver.playing.find_place()
        assert at.clock.monotonic() - began == pytest.approx(PLACE_SECONDS)


async def test_audio_of_no_link_and_of_no_reply_goes_nowhere() -> None:
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        assert hand.audio is not None
        hand.audio.play(1, 0, SECOND, True)
        hand.audio.relay(b"\1\0")
        assert (hand.audio.queued(), ear.frames) == (0.0, [(0, 0, b"\1\0")])
        hand.audio.stop()
        audio = hand.audio
        hand.hang_up()
        at.driver.receive(stimuli.End())
        await at.stopped()
        audio.play(1, 0, SECOND, True)
        assert len(ear.frames) == 1


async def test_what_a_link_makes_that_was_replaced_goes_nowhere() -> None:
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        late = hand.audio
        assert late is not None
        hand.give(ports.Failed(reason="gone"))
        await asyncio.sleep(60.0)
        assert at.hands.last is not hand
        late.relay(b"\1\0")
        assert ear.frames == []
        assert at.hands.last.audio is not None
        at.hands.last.audio.relay(b"\2\0")
        assert ear.frames == [(0, 0, b"\2\0")], (
            "the control: of the one that took its place it goes"
        )


async def test_nobody_is_played_anything_after_goodbye() -> None:
    async with house() as at:
        ear = Ear()
        hand = await at.talking(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        hand.give(ports.Segment(turn=1, text="One two three.", last=True))
        await quiet()
        at.store.open.clear()
        at.driver.receive(stimuli.Remember(content="x"))
        await quiet()
        assert hand.audio is not None
        hand.audio.play(1, 0, SECOND, False)
        sent = len(ear.frames)
        assert sent > 0, "the control: it was played until then"
        at.driver.lose(LeaseLost())
        hand.audio.play(1, 0, SECOND, True)
        hand.audio.relay(b"\1\0")
        await asyncio.sleep(5.0)
        assert (ear.let_go, len(ear.frames)) == (["moved"], sent)
        at.store.open.set()
        await at.stopped()


async def test_whether_a_reply_was_heard_is_not_asked_after_the_end() -> None:
    async with answering("Hello.") as at:
        ear = Ear()
        at.join(ear)
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(1.0)
        at.driver.stop()
        await at.stopped()
        events = len(ear.rows)
        await asyncio.sleep(PLAYED_SECONDS * 2)
        assert (at.turn(), len(ear.rows)) == (Turn.SPEAKING, events)


async def test_whoever_looks_for_a_place_in_a_session_that_is_lost_is_not_kept() -> None:
    async with house() as at:
        hand = await at.talking(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await quiet()
        hand.give(ports.Segment(turn=1, text="One two three.", last=True))
        await quiet()
        await at.restart()
        at.join(Ear(), heard=(1, 0.9))
        finding = asyncio.create_task(at.driver.playing.find_place())
        await quiet()
        began = at.clock.monotonic()
        assert not finding.done()
        at.driver.lose(LeaseLost())
        await finding
        assert at.clock.monotonic() - began < PLACE_SECONDS / 2


async def test_without_a_link_there_is_nothing_to_play() -> None:
    async with house() as at:
        playing = at.driver.playing
        playing.heard_by((Ear(),))
        playing.resume(1, 0.5)
        playing.stop()
        playing.close()
        await playing.find_place()


async def test_a_reply_whose_hearer_is_gone_is_not_taken_for_heard() -> None:
    async with answering("Hello.") as at:
        number = at.join(Ear())
        at.driver.receive(stimuli.Type(text="Hi"))
        await asyncio.sleep(1.5)
        at.driver.receive(stimuli.Leave(attachment=number, reason="lost"))
        await asyncio.sleep(9.0)
        assert at.turn() is Turn.HELD
