"""The phrases for the recogniser are in step with the brain, and pronounceable."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.unit.engines.local.phrases import Phrases, each_example, load, parse
from tests.unit.engines.local.talk import Talk, texts


@pytest.mark.parametrize("phrase", load().phrases)
def test_every_phrase_is_answered(phrase: str) -> None:
    for text in each_example(phrase, load()):
        told = " ".join(texts(Talk().say(text)))
        assert "cannot help" not in told and "I took that as" not in told, (text, told)


def test_nonsense_is_not_answered() -> None:
    assert "cannot help" in texts(Talk().say("colorless ideas sleep"))[0]


def test_every_word_is_in_the_pronouncing_dictionary() -> None:
    spec = importlib.util.find_spec("pocketsphinx")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "model" / "en-us" / "cmudict-en-us.dict"
    known = {word.decode() for word in re.findall(rb"^(\S+) ", path.read_bytes(), re.M)}
    phrases = load()
    said = " ".join(each for p in phrases.phrases for each in each_example(p, phrases))
    assert set(said.split()) - known == set()


def test_every_slot_is_used_and_no_phrase_is_there_twice() -> None:
    phrases = load()
    everything = " ".join((*phrases.phrases, *(a for many in phrases.slots.values() for a in many)))
    assert phrases.slots.keys() == set(re.findall(r"<(\w+)>", everything))
    assert len(phrases.phrases) == len(set(phrases.phrases))


def test_parse() -> None:
    text = "# about\n[slots]\nname = al | bo\n\n[phrases]\ni am <name>\n"
    found = parse(text)
    assert found == Phrases({"name": ["al", "bo"]}, ["i am <name>"])
    assert list(each_example("i am <name>", found)) == ["i am al", "i am bo"]


@pytest.mark.parametrize("text", ["i am lost", "[phrases]\ni am <name>", "[slots]\nname"])
def test_what_is_not_of_the_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="slot"):
        parse(text)
