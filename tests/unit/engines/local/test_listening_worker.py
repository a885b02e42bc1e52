from array import array
from collections.abc import Sequence

import pytest

from tenuto.engines.local.listening_worker import Floor, Recognition

NOISE = [1.0, -1.0] * 16_000


class Hypothesis:
    def __init__(self, hypstr: str) -> None:
        self.hypstr = hypstr


class ScriptedDecoder:
    """A decoder that understands one text."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.grammars: list[str] = []
        self.cmn = ""
        self.heard = b""

    def start_utt(self) -> None: ...

    def end_utt(self) -> None: ...

    def process_raw(self, pcm: bytes, no_search: bool, full_utt: bool) -> None:
        self.heard += pcm

    def hyp(self) -> Hypothesis | None:
        return Hypothesis(self.text) if self.text else None

    def set_cmn(self, cmn: str) -> None:
        self.cmn = cmn

    def get_cmn(self, update: bool) -> str:
        return "1,2,3"

    def lookup_word(self, word: str) -> str | None:
        return None if word == "zzyzx" else " ".join(word)

    def add_jsgf_string(self, name: str, grammar: str) -> None:
        self.grammars.append(grammar)

    def activate_search(self, name: str) -> None: ...


class ScriptedPipe:
    def __init__(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        self.messages = list(messages)
        self.sent: list[tuple[bytes, bytes]] = []

    def receive(self) -> tuple[bytes, bytes]:
        return self.messages.pop(0)

    def send(self, kind: bytes, body: bytes = b"") -> None:
        self.sent.append((kind, body))


def outcome(heard: str, expected: str) -> str:
    return recognition(heard, expected)[0][-1][1].decode()


def recognition(
    heard: str, expected: str, settings: bytes = b'{"words": [], "cmn": ""}'
) -> tuple[list[tuple[bytes, bytes]], ScriptedDecoder]:
    pipe = ScriptedPipe([(b"W", settings), (b"A", bytes(6_400)), (b"A", bytes(640)), (b"E", b"")])
    strict = ScriptedDecoder(expected)
    grammar = "grammar tenuto;\n<name> = bob | <known>;"
    Recognition(ScriptedDecoder(heard), strict, grammar, Floor(NOISE)).run(pipe)  # type: ignore[arg-type]
    return pipe.sent, strict


def test_the_grammar_is_believed_when_it_sounds_like_what_was_heard() -> None:
    assert outcome("what is my lame", "what is my name") == (
        '{"text": "what is my name", "cmn": "1,2,3"}'
    )


def test_the_grammar_is_not_believed_when_it_does_not() -> None:
    assert '"text": "buy some fresh bread"' in outcome("buy some fresh bread", "what is my name")


def test_nothing_heard_is_nothing_said() -> None:
    assert '"text": ""' in outcome("", "what is my name")
    assert '"text": "hello"' in outcome("hello", "")


def test_a_partial_transcript_is_sent_when_it_changes() -> None:
    sent, _ = recognition("hello", "hello")
    assert [kind for kind, _ in sent] == [b"P", b"T"]


def test_what_the_session_knows_is_put_into_the_grammar_if_it_can_be_said() -> None:
    settings = b'{"words": ["Mary Ann", "zzyzx", "a | b", ""], "cmn": "7"}'
    _, strict = recognition("hello", "hello", settings)
    assert strict.grammars == ["grammar tenuto;\n<known> = mary ann;\n<name> = bob | <known>;"]
    assert strict.cmn == "7"


def test_silent_pauses_are_given_the_noise_of_a_room() -> None:
    floor = Floor(NOISE)
    audio = array("h", [0] * 320 + [8_000, -8_000] * 160)
    heard = array("h", floor.under(audio.tobytes()))
    assert heard[:4].tolist() == [200, -200, 200, -200]
    assert heard[320:322].tolist() == [8_200, -8_200]
    assert array("h", floor.under(bytes(640)))[:2].tolist() == [200, -200]


def test_a_room_with_noise_of_its_own_is_left_as_it_is() -> None:
    audio = array("h", [30, -30] * 160 + [8_000, -8_000] * 160).tobytes()
    assert Floor(NOISE).under(audio) == audio


def test_noise_does_not_run_over() -> None:
    audio = array("h", [0] * 320 + [32_767, -32_768] * 160)
    heard = array("h", Floor(NOISE).under(audio.tobytes()))
    assert heard[320:].tolist() == audio[320:].tolist()


@pytest.mark.parametrize(("cmn", "times"), [("", 2), ("1,2,3", 1)])
def test_only_the_first_utterance_is_listened_to_again(cmn: str, times: int) -> None:
    settings = b'{"words": [], "cmn": "%b"}' % cmn.encode()
    _, strict = recognition("bob", "bob", settings)
    assert len(strict.heard) == times * 7_040
