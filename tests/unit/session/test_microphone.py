"""The microphone: how a client's stream becomes the engine's, and what waits meanwhile."""

import pytest

from tenuto.session import microphone as microphone_module
from tenuto.session.microphone import EARLY_SECONDS, Microphone


class Hearing:
    """The engine's end of a microphone."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, int]] = []

    def hear(self, pcm: bytes | bytearray | memoryview, offset: int) -> None:
        self.frames.append((bytes(pcm), offset))

    @property
    def offsets(self) -> list[int]:
        return [offset for _, offset in self.frames]


def frame(samples: int, value: int = 0) -> bytes:
    return value.to_bytes(2, "little") * samples


def connected(microphone: Microphone, wanted: int | None = None) -> Hearing:
    hearing = Hearing()
    microphone.connect(hearing.hear, wanted)
    microphone.ready()
    return hearing


def test_a_frame_goes_straight_to_the_engine() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    hearing = connected(microphone, 16_000)
    microphone.hear(frame(320, 1), 0)
    microphone.hear(frame(320, 2), 320)
    assert hearing.frames == [(frame(320, 1), 0), (frame(320, 2), 320)]
    assert (microphone.heard, microphone.alive) == (640, True)
    assert microphone.at_client(500) == 500


def test_audio_that_nobody_announced_is_nobodys() -> None:
    microphone = Microphone()
    hearing = connected(microphone)
    microphone.hear(frame(320), 0)
    microphone.disconnect()
    microphone.hear(frame(320), 320)
    assert (hearing.frames, microphone.heard, microphone.alive) == ([], 0, False)


def test_early_audio_waits_for_the_engine() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 4_000)
    hearing = Hearing()
    microphone.connect(hearing.hear, 16_000)
    microphone.hear(frame(320, 1), 4_000)
    microphone.hear(frame(320, 2), 4_320)
    assert hearing.frames == []
    microphone.ready()
    assert hearing.frames == [(frame(320, 1), 0), (frame(320, 2), 320)]
    microphone.hear(frame(320, 3), 4_640)
    assert hearing.offsets == [0, 320, 640]
    assert microphone.at_client(320) == 4_320


def test_of_early_audio_the_oldest_goes_first() -> None:
    microphone = Microphone()
    microphone.start("a", 8_000, 0)
    for second in range(EARLY_SECONDS + 2):
        microphone.hear(frame(8_000, second), second * 8_000)
    hearing = connected(microphone)
    assert [pcm[0] for pcm, _ in hearing.frames] == list(range(2, EARLY_SECONDS + 2))
    assert microphone.at_client(0) == 16_000


def test_early_audio_of_a_stream_that_is_over_is_forgotten() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    microphone.hear(frame(320, 1), 0)
    microphone.start("b", 16_000, 0)
    microphone.hear(frame(320, 2), 0)
    assert connected(microphone).frames == [(frame(320, 2), 0)]


def test_early_audio_that_is_sent_again_is_heard_once() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    for number in range(4):
        microphone.hear(frame(320, number), number * 320)
    microphone.start("a", 16_000, 320)
    for number in range(1, 6):
        microphone.hear(frame(320, number), number * 320)
    hearing = connected(microphone)
    assert [pcm[0] for pcm, _ in hearing.frames] == [0, 1, 2, 3, 4, 5]
    assert hearing.offsets == [number * 320 for number in range(6)]


def test_early_audio_from_before_what_waits_takes_its_place() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 960)
    for number in (3, 4):
        microphone.hear(frame(320, number), number * 320)
    microphone.start("a", 16_000, 320)
    for number in range(1, 6):
        microphone.hear(frame(320, number), number * 320)
    assert [pcm[0] for pcm, _ in connected(microphone).frames] == [1, 2, 3, 4, 5]


def test_a_sample_that_comes_twice_is_heard_once() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    hearing = connected(microphone)
    microphone.hear(frame(320, 1), 0)
    microphone.hear(frame(320, 1), 0)
    microphone.hear(frame(320, 2), 160)
    assert hearing.frames == [(frame(320, 1), 0), (frame(160, 2), 320)]


def test_what_comes_of_a_client_that_is_gone_is_not_taken() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    hearing = connected(microphone)
    microphone.hear(frame(320, 1), 0)
    microphone.stop()
    microphone.hear(frame(320, 2), 320)
    microphone.disconnect()
    microphone.hear(frame(320, 2), 320)
    assert (hearing.frames, microphone.heard) == ([(frame(320, 1), 0)], 320)
    microphone.start("a", 16_000, 320)
    microphone.hear(frame(320, 2), 320)
    assert connected(microphone).frames == [(frame(320, 2), 0)]


def test_lost_audio_is_a_gap_for_the_engine_too() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    hearing = connected(microphone)
    microphone.hear(frame(320), 0)
    microphone.hear(frame(320), 16_000)
    assert hearing.offsets == [0, 16_000]


def test_a_new_link_hears_from_where_the_stream_is() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    connected(microphone)
    microphone.hear(frame(16_000), 0)
    microphone.disconnect()
    microphone.hear(frame(320, 7), 16_000)
    hearing = connected(microphone)
    assert hearing.frames == [(frame(320, 7), 0)]
    assert microphone.at_client(160) == 16_160


def test_another_client_goes_on_in_the_engines_one_stream() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    hearing = connected(microphone)
    microphone.hear(frame(1_600), 0)
    microphone.start("b", 16_000, 0)
    microphone.hear(frame(320), 0)
    assert hearing.offsets == [0, 1_600]
    assert microphone.at_client(1_700) == 100
    assert microphone.at_client(100) == 0, "that was the other stream"


def test_what_was_said_is_safe_up_to_the_last_second_or_the_open_speech() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    connected(microphone)
    assert microphone.safe(None) == 0
    microphone.hear(frame(320), 48_000)
    assert microphone.safe(None) == 32_320
    assert microphone.safe(40_000) == 40_000


class Halver:
    """Takes every second sample, and holds back what is odd: a resampler that can be counted on."""

    def __init__(self, source: int, target: int) -> None:
        assert source == 2 * target

    def push(self, pcm: bytes | bytearray | memoryview) -> bytes:
        data = bytes(pcm)
        return b"".join(data[at : at + 2] for at in range(0, len(data) - 3, 4))


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone_module, "Resampler", Halver)


@pytest.mark.usefixtures("halved")
def test_the_engine_counts_at_its_own_rate() -> None:
    microphone = Microphone()
    microphone.start("a", 48_000, 4_800)
    hearing = connected(microphone, 24_000)
    microphone.hear(frame(960), 4_800)
    microphone.hear(frame(960), 5_760)
    assert [(len(pcm), offset) for pcm, offset in hearing.frames] == [(960, 0), (960, 480)]
    assert microphone.at_client(480) == 5_760
    microphone.hear(frame(960), 48_000)
    assert hearing.offsets[-1] == 960 + (48_000 - 6_720) // 2


def test_a_stream_that_goes_on_where_it_was_is_resampled_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Halver] = []

    def make(source: int, target: int) -> Halver:
        made.append(Halver(source, target))
        return made[-1]

    monkeypatch.setattr(microphone_module, "Resampler", make)
    microphone = Microphone()
    microphone.start("a", 48_000, 0)
    hearing = connected(microphone, 24_000)
    microphone.hear(frame(960), 0)
    before = len(made)
    microphone.stop()
    microphone.start("a", 48_000, 960)
    microphone.hear(frame(960), 960)
    assert (hearing.offsets, len(made)) == ([0, 480], before), "one may hold something back"
    microphone.start("a", 48_000, 480)
    assert len(made) == before + 1


@pytest.mark.usefixtures("halved")
def test_a_sample_that_comes_twice_is_resampled_once() -> None:
    microphone = Microphone()
    microphone.start("a", 48_000, 0)
    hearing = connected(microphone, 24_000)
    microphone.hear(frame(960, 1), 0)
    microphone.hear(frame(960, 1), 0)
    microphone.hear(frame(960, 2), 480)
    assert hearing.frames == [(frame(480, 1), 0), (frame(240, 2), 480)]


@pytest.mark.usefixtures("halved")
def test_a_frame_from_which_nothing_comes_yet_is_no_frame() -> None:
    microphone = Microphone()
    microphone.start("a", 48_000, 0)
    hearing = connected(microphone, 24_000)
    microphone.hear(frame(1), 0)
    assert (hearing.frames, microphone.heard) == ([], 1)


def test_what_is_said_while_it_is_muted_is_never_heard() -> None:
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    microphone.hear(frame(320, 1), 0)
    microphone.mute(True)
    assert microphone.is_muted
    microphone.hear(frame(320, 2), 320)
    hearing = connected(microphone)
    microphone.hear(frame(320, 3), 640)
    assert hearing.frames == []
    microphone.mute(False)
    microphone.hear(frame(320, 4), 960)
    assert [pcm[0] for pcm, _ in hearing.frames] == [4]
    assert not microphone.is_muted
