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


def unbroken() -> None:
    """Called when an engine raises: these do not."""
    raise AssertionError


def connected(microphone: Microphone, wanted: int | None = None) -> Hearing:
    hearing = Hearing()
    microphone.connect(hearing.hear, wanted, unbroken)
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


@pytest.mark.parametrize("wanted", [16_000, 8_000])
def test_an_engine_that_raises_is_told_of_and_whoever_speaks_goes_on(wanted: int) -> None:
    def hear(pcm: bytes | bytearray | memoryview, offset: int) -> None:
        raise RuntimeError("a bug")

    broken: list[str] = []
    microphone = Microphone()
    microphone.start("a", 16_000, 0)
    microphone.connect(hear, wanted, lambda: broken.append("told"))
    microphone.ready()
    for offset in range(0, 6_400, 320):
        microphone.hear(frame(320), offset)
    assert broken and microphone.heard == 6_400


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
    microphone.connect(hearing.hear, 16_000, unbroken)
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


# ------------------------------------------------------------------------------------------- what a link has taken along


class Speaker:
    """Whoever speaks, and can send the stream again."""

    def __init__(self, rate: int = 16_000, offset: int = 0) -> None:
        self.asked: list[int] = []
        """From where it was asked to."""
        self.microphone = Microphone()
        self.microphone.start("a", rate, offset, self.asked.append)

    def say(self, first: int, until: int) -> None:
        """Send so many hundreds of samples, each of them as one frame with its number in it."""
        for number in range(first, until):
            self.microphone.hear(frame(100, number), number * 100)


def numbers(hearing: Hearing) -> list[int]:
    return [pcm[0] for pcm, _ in hearing.frames]


def test_what_a_link_has_taken_along_is_asked_for_when_there_is_another() -> None:
    speaker = Speaker()
    microphone = speaker.microphone
    connected(microphone)
    speaker.say(0, 10)
    microphone.lose(400)
    assert (speaker.asked, microphone.heard) == ([], 400)
    hearing = Hearing()
    microphone.connect(hearing.hear, 16_000, unbroken)
    assert speaker.asked == [400]
    speaker.say(10, 12)
    microphone.rewound()
    speaker.say(4, 9)
    microphone.ready()
    speaker.say(9, 13)
    assert numbers(hearing) == [4, 5, 6, 7, 8, 9, 10, 11, 12], "in order, and once"
    assert hearing.offsets == [number * 100 for number in range(9)]
    assert microphone.at_client(100) == 500


def test_what_was_under_way_is_dropped_also_by_a_link_that_is_ready() -> None:
    speaker = Speaker()
    connected(speaker.microphone)
    speaker.say(0, 10)
    speaker.microphone.lose(400)
    hearing = connected(speaker.microphone)
    speaker.say(10, 12)
    assert hearing.frames == []
    speaker.microphone.rewound()
    speaker.say(4, 6)
    assert (numbers(hearing), hearing.offsets) == ([4, 5], [0, 100])


def test_it_is_asked_for_once_however_many_links_are_lost_meanwhile() -> None:
    speaker = Speaker()
    for _ in range(3):
        connected(speaker.microphone)
        speaker.say(0, 10)
        speaker.microphone.lose(400)
    assert speaker.asked == [400]
    hearing = connected(speaker.microphone)
    speaker.microphone.rewound()
    speaker.say(4, 6)
    assert numbers(hearing) == [4, 5]
    speaker.microphone.lose(500)
    connected(speaker.microphone)
    assert speaker.asked == [400, 500]


def test_nothing_is_asked_for_when_nothing_is_lost_or_nobody_could_send_it() -> None:
    speaker = Speaker()
    microphone = speaker.microphone
    speaker.say(0, 5)
    microphone.lose(0)
    assert numbers(hearing := connected(microphone)) == [0, 1, 2, 3, 4], "it was waiting"
    microphone.lose(500)
    connected(microphone)
    microphone.stop()
    microphone.lose(400)
    connected(microphone)
    microphone.start("a", 16_000, 500)
    microphone.lose(400)
    microphone.hear(frame(100, 7), 500)
    assert numbers(connected(microphone)) == [7]
    assert (speaker.asked, len(hearing.frames)) == ([], 5)


def test_a_client_that_comes_back_begins_where_it_is_told_to() -> None:
    speaker = Speaker()
    connected(speaker.microphone)
    speaker.say(0, 10)
    speaker.microphone.lose(400)
    speaker.microphone.start("a", 16_000, speaker.microphone.heard, speaker.asked.append)
    hearing = connected(speaker.microphone)
    speaker.say(4, 6)
    assert (speaker.asked, numbers(hearing)) == ([], [4, 5])


def test_what_was_given_up_is_not_asked_for() -> None:
    speaker = Speaker()
    connected(speaker.microphone)
    speaker.say(0, 10)
    speaker.microphone.lose(400)
    speaker.microphone.forget()
    speaker.say(10, 11)
    assert (numbers(connected(speaker.microphone)), speaker.asked) == ([10], [])


def test_a_backlog_is_safe_when_there_was_as_much_time_as_it_took_to_say_it() -> None:
    speaker = Speaker(rate=8_000, offset=8_000)
    microphone = speaker.microphone
    speaker.say(80, 100)
    connected(microphone)
    assert microphone.safe(None) == 8_000
    speaker.say(100, 199)
    assert (microphone.safe(None), microphone.safe(9_000)) == (8_000, 9_000)
    speaker.say(199, 201)
    assert microphone.safe(None) == 12_100
    microphone.lose(12_100)
    connected(microphone)
    microphone.rewound()
    speaker.say(121, 202)
    assert microphone.safe(None) == 12_100, "it came at once, and nobody has heard of it yet"


def test_what_was_said_while_it_was_muted_is_not_asked_for() -> None:
    speaker = Speaker(rate=8_000)
    microphone = speaker.microphone
    connected(microphone)
    speaker.say(0, 10)
    microphone.mute(True)
    microphone.disconnect()
    speaker.say(10, 20)
    microphone.mute(False)
    hearing = connected(microphone)
    speaker.say(20, 22)
    assert (numbers(hearing), microphone.safe(None)) == ([20, 21], 2_000)
    speaker.say(22, 120)
    assert microphone.safe(None) == 4_000
    microphone.mute(True)
    microphone.lose(0)
    microphone.mute(False)
    connected(microphone)
    assert speaker.asked == []


@pytest.mark.usefixtures("halved")
def test_a_stream_that_is_sent_again_is_resampled_from_there() -> None:
    speaker = Speaker(rate=48_000)
    microphone = speaker.microphone
    connected(microphone, 24_000)
    speaker.say(0, 10)
    microphone.lose(400)
    hearing = connected(microphone, 24_000)
    speaker.say(10, 12)
    microphone.rewound()
    speaker.say(4, 6)
    assert (numbers(hearing), hearing.offsets) == ([4, 5], [0, 50])
    assert microphone.at_client(50) == 500
