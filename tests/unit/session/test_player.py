"""Audio of replies at the speed of time, with a ledger of what was made and sent."""

from typing import Any

import pytest

from tenuto.session import ports
from tenuto.session.playback import Playback
from tenuto.session.player import FRAME, LEAD, MOST, Player

RATE = 1_000
SAMPLES = round(RATE * FRAME)


class Ear:
    """A listener that keeps what it is played."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, bytes]] = []

    def audio(self, reply: int, offset: int, pcm: bytes | bytearray | memoryview) -> None:
        self.frames.append((reply, offset, bytes(pcm)))

    def event(self, row: ports.Row) -> None: ...
    def hush(self, reply: int) -> None: ...
    def tell(self, kind: str, body: dict[str, Any]) -> None: ...
    def closed(self, reason: str) -> None: ...

    @property
    def pcm(self) -> bytes:
        return b"".join(pcm for _, _, pcm in self.frames)


class Book:
    """A ledger with one reply open."""

    def __init__(self, reply: int) -> None:
        self.playback: Playback | None = Playback(reply)


def ramp(samples: int, start: int = 0) -> bytes:
    return b"".join((start + n).to_bytes(2, "little") for n in range(samples))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def book() -> Book:
    return Book(1)


@pytest.fixture
def player(ear: Ear, book: Book) -> Player:
    player = Player(RATE, book)
    player.ears = [ear]
    return player


def test_relayed_audio_passes_at_once_and_is_counted(player: Player, ear: Ear) -> None:
    player.relay(b"\1\0\2\0")
    player.relay(b"\3\0")
    assert ear.frames == [(0, 0, b"\1\0\2\0"), (0, 2, b"\3\0")]


def test_a_reply_is_sent_a_lead_ahead_of_the_ear_and_no_more(player: Player, ear: Ear) -> None:
    player.play(1, 0, ramp(RATE), last=False)
    assert player.queued() == 1.0
    wait = player.tick(now=50.0)
    ahead = len(ear.pcm) / 2 / RATE
    assert LEAD <= ahead <= LEAD + FRAME
    assert wait is not None and wait == pytest.approx(ahead - LEAD)
    assert player.tick(now=50.0 + wait) is not None
    assert [offset for _, offset, _ in ear.frames] == [SAMPLES * n for n in range(len(ear.frames))]


def test_all_of_it_is_sent_in_real_time_and_in_order(player: Player, ear: Ear, book: Book) -> None:
    player.play(1, 0, ramp(250), last=True)
    player.play(1, 1, ramp(70, start=250), last=True)
    now = 50.0
    while (wait := player.tick(now)) is not None:
        now += wait
    assert ear.pcm == ramp(320)
    assert {reply for reply, _, _ in ear.frames} == {1}
    assert now - 50.0 == pytest.approx(0.32 - LEAD, abs=FRAME)
    assert book.playback is not None
    assert book.playback.ends == [0.25, 0.32]
    assert book.playback.sent == book.playback.queued == 0.32


def test_a_reply_that_is_not_open_is_not_heard(player: Player, ear: Ear, book: Book) -> None:
    player.play(2, 0, ramp(100), last=True)
    book.playback = None
    player.play(1, 0, ramp(100), last=True)
    assert player.tick(1.0) is None
    assert ear.frames == []


def test_after_a_stop_not_one_frame_comes(player: Player, ear: Ear) -> None:
    player.play(1, 0, ramp(RATE), last=True)
    player.tick(1.0)
    sent = len(ear.frames)
    player.stop()
    assert player.tick(1.02) is None
    assert len(ear.frames) == sent
    assert player.queued() == 0


def test_audio_is_not_hurried_after_a_gap(player: Player, ear: Ear) -> None:
    player.play(1, 0, ramp(SAMPLES), last=False)
    player.tick(1.0)
    player.play(1, 1, ramp(RATE), last=True)
    before = len(ear.frames)
    player.tick(9.0)
    assert (len(ear.frames) - before) * FRAME <= LEAD + FRAME


def test_what_was_heard_before_is_left_out(player: Player, ear: Ear, book: Book) -> None:
    player.begin(1, heard=0.25)
    player.play(1, 0, ramp(200), last=True)
    assert book.playback is not None
    assert book.playback.sent == 0.2, "all of this segment was heard"
    player.play(1, 1, ramp(100, start=200), last=True)
    player.tick(1.0)
    assert ear.pcm == ramp(50, start=250)
    assert ear.frames[0][1] == 250
    assert book.playback.ends == [0.2, 0.3]
    assert book.playback.sent == 0.3


def test_another_reply_takes_the_place_of_the_one_before(
    player: Player, ear: Ear, book: Book
) -> None:
    player.play(1, 0, ramp(RATE), last=True)
    book.playback = Playback(2)
    player.play(2, 0, ramp(10), last=True)
    player.tick(1.0)
    assert ear.frames == [(2, 0, ramp(10))]


def test_audio_that_is_sent_after_its_end_is_nobodys(player: Player, ear: Ear, book: Book) -> None:
    player.play(1, 0, ramp(SAMPLES), last=True)
    book.playback = None
    player.tick(1.0)
    assert len(ear.frames) == 1


def test_a_late_tick_goes_on_from_the_ledger_of_its_own_reply(player: Player, book: Book) -> None:
    player.play(1, 0, ramp(SAMPLES), last=True)
    book.playback = Playback(2)
    player.tick(1.0)
    assert book.playback.sent == 0.0


def test_more_than_two_minutes_ahead_is_dropped_and_does_not_count(
    player: Player, book: Book
) -> None:
    player.play(1, 0, bytes(2 * RATE * MOST), last=False)
    player.play(1, 0, bytes(2 * RATE), last=True)
    assert book.playback is not None
    assert player.queued() == book.playback.queued == MOST
    assert book.playback.ends == [MOST]
