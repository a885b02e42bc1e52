"""What one message of a user tells of the way they speak. For English; of other languages it says little.

Nothing here is a verdict: one utterance is a weak sign, and whoever learns from traits averages many. What cannot be
known is None, and formality is 0.5. Topics, sentiment and technical level need the extra `insight`; without it they stay
unknown, and the log says so once. Nothing is downloaded at run time.
"""

import importlib
import logging
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from tenuto.text.stopwords import FILLERS, FUNCTION

logger = logging.getLogger("tenuto.text")

MAX_MEASURED = 1_000
"""Characters of a message that are measured; only its words are counted to the end."""

MAX_TOPICS = 3
"""Key phrases of a message that are kept."""


class Traits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message tells. Fractions have three digits after the point."""

    words: int = 0
    """How many words the message has."""

    formality: float = 0.5
    """From 0 (casual) to 1 (formal); 0.5 when nothing can be said."""

    technical: float | None = None
    """Technical level, from 0 (words that a child of ten knows) to 1 (those of a college text)."""

    sentiment: float | None = None
    """From -1 (against) over 0 (neutral) to 1 (in favour)."""

    topics: list[str] = msgspec.field(default_factory=list)
    """The key phrases, most telling first, in lower case: at most three."""


def measure(text: str) -> Traits:
    """Return the traits of a message. Once `warm` has run, a sentence takes a fraction of a millisecond.

    Technical level is the Dale-Chall index, which weighs the share of words outside a list of 3,000 that American
    fourth-graders know: 4 and below is 0, 10 and above is 1. Under `MIN_GRADED` words it is unknown. Sentiment is
    VADER's compound score; topics are YAKE's.

    Example:
        >>> measure("I'm interested in quantum physics").topics
        ['quantum physics']
    """
    words = len(_WORD.findall(text))
    # A lone surrogate is no text to the libraries.
    text = text[:MAX_MEASURED].encode("utf-8", "replace").decode()
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    lower = text.lower()
    spoken = _WORD.findall(lower)
    if not spoken:
        return Traits(words)
    foreign = _is_foreign(spoken)
    return Traits(
        words=words,
        formality=round(_formality(spoken), 3),
        technical=None if foreign else _technical(lower),
        sentiment=_sentiment(text),
        topics=[] if foreign else _topics(lower),
    )


def warm() -> None:
    """Import what `measure` needs, which takes some tens of milliseconds. It may run in a thread."""
    measure("The first message of all is measured for nothing but its own sake")


@cache
def _library(module: str, name: str) -> Any:
    """Something from a library of the extra, or None if that is not there: the log has a line for each, once."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        logger.warning(
            "%s is not installed: messages are measured without it. pip install 'tenuto[insight]'",
            module,
        )
        return None


# Formality

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")

_ARTICLES_AND_PREPOSITIONS = frozenset(
    "a about above after against among an at before behind below beneath beside between beyond by concerning despite "
    "during for from in into of on onto over per regarding the through throughout to toward towards under until upon "
    "via with within without".split()
)
_POINTING = frozenset(
    "anyway he her here him his i it its just me my now really she so that their them then there these they this those "
    "too us very we you your".split()
)
_CAREFUL = frozenset(
    "accordingly additionally although appreciate apologies apologise apologize assist assistance consequently could "
    "furthermore grateful hence however inquire inquiry enquire enquiry kindly madam may moreover "
    "nevertheless notwithstanding obtain please pleased provide purchase receive regards request require shall sincerely "
    "sir therefore thus whereas whether whom would".split()
)
_CASUAL = frozenset(
    "ain't awesome bro btw bucks cause cool cos coz crap cuz damn dude dunno eh er gimme gonna gosh gotta gotcha guys ha "
    "haha hell hey hi hmm huh idk kid kids kinda lemme lol lots man nah nope nuh oh ok okay omg oops pls stuff sucks "
    "super sup thanks thx tons u uh uhm um wanna whatcha whatever wow y'all ya yay yeah yep yo yup".split()
)
_NOMINAL = re.compile(r"..(?:tion|sion|ment|ness|ance|ence|ity|ship|ism)s?$")
_NOMINAL_LEAST = 7


def _formality(words: list[str]) -> float:
    """After Heylighen and Dewaele's F-score ("Variation in the contextuality of language", Foundations of Science 7,
    2002): articles, prepositions and nouns make a text formal, pronouns, adverbs and interjections contextual.

    Without a tagger only closed classes and the suffixes of abstract nouns are counted, courtesy and slang with them.
    The authors warn of single sentences: two imagined signs, one each way, hold a short text near 0.5.
    """
    formal = casual = 1.0
    for word in words:
        if word in _CASUAL:
            casual += 2
        elif word in _CAREFUL:
            formal += 1.5
        elif word in _ARTICLES_AND_PREPOSITIONS:
            formal += 0.5
        elif word in _POINTING:
            casual += 0.5
        elif "'" in word and not word.endswith("'s"):
            casual += 1
        elif len(word) >= _NOMINAL_LEAST and _NOMINAL.search(word):
            formal += 1
    return formal / (formal + casual)


# Technical level

MIN_GRADED = 4
"""Words below which a message has no technical level."""

_EASIEST, _HARDEST = 4.0, 10.0
_EVERYDAY = FILLERS | _CASUAL
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")


def _technical(text: str) -> float | None:
    # A sentence a line, words between spaces; slang is in no list of easy words, nor is a contraction.
    lines = [
        " ".join(
            word.partition("'")[0] for word in _WORD.findall(sentence) if word not in _EVERYDAY
        )
        for sentence in _SENTENCE_ENDS.split(text)
    ]
    text = "\n".join(line for line in lines if line)
    if len(text.split()) < MIN_GRADED:
        return None
    grades = _library("readability", "getmeasures")
    if grades is None:
        return None
    index = float(grades(text, lang="en")["readability grades"]["DaleChallIndex"])
    return round(min(1.0, max(0.0, (index - _EASIEST) / (_HARDEST - _EASIEST))), 3)


def _is_foreign(words: list[str]) -> bool:
    """Whether hardly a word of several holds an English sentence together."""
    known = sum(word.partition("'")[0] in FUNCTION for word in words)
    return len(words) >= MIN_GRADED and known * 8 < len(words)


# Sentiment


@cache
def _scores() -> Callable[[str], dict[str, float]] | None:
    analyzer = _library("vaderSentiment.vaderSentiment", "SentimentIntensityAnalyzer")
    return None if analyzer is None else analyzer().polarity_scores


def _sentiment(text: str) -> float | None:
    scores = _scores()
    return None if scores is None else round(float(scores(text)["compound"]), 3)


# Topics

_TIMES = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september "
    "october november december today tomorrow yesterday tonight morning afternoon evening night noon midnight day days "
    "week weeks weekend month months year years hour hours minute minutes second seconds moment time times last next "
    "ago soon later earlier early late am pm always never sometimes often usually again already still "
    "zero one two three four five six seven eight nine ten eleven twelve hundred thousand million first third".split()
)
_DOING = frozenset(
    "agree ask asked asking become began begin believe book booked bought bring brought buy buying call called came care "
    "change changed check come comes coming explain fail failing fails feel feeling felt find finding follow forget forgot "
    "found gave get gets getting give given gives giving go goes going gone got happen happened happening happens hate "
    "hated hates hear heard help helped helping hope interested keep keeping keeps kept knew know knowing known knows learn "
    "learned leave left let lets like liked likes listen live lived lives living look looked looking looks "
    "lose lost love loved loves loving made make makes making meet met moved moving named need needed needing needs play "
    "played prefer put puts read remember return run said saw say saying says see seem seemed "
    "seems seen send sent set show showed speak start started starting stay stop stopped take taken takes taking talk talked "
    "talking tell telling tells think thinking thinks thought told took tried try trying turn understand use used uses "
    "using visit wait waiting wanna want wanted wanting wants watch went wish wonder wondered wondering work worked works "
    "write wrote".split()
)
_SAYING_HOW = frozenset(
    "able allergic available bad best better big bit busy different easy else enough excited favorite favourite far fast "
    "full glad half happy hard high important kind large like little long low main name near new old own possible problem "
    "question ready real sad short simple slow small somehow type sort way well whole worst wrong young bigger easier faster "
    "harder higher larger longer lower newer older shorter simpler slower smaller younger".split()
)
_NAMED = re.compile(
    r"\b(?:name (?:is|was)(?:n't)?|name's|call me|called)(?:\s+(?:not|no longer))?\s+[^\W_]+"
)
_NO_TOPIC = FUNCTION | FILLERS | _TIMES | _DOING | _SAYING_HOW | _CAREFUL | _CASUAL
_LONGEST_TOPIC = 3
_CANDIDATES = 60


@cache
def _extractor() -> Any:
    yake = _library("yake_rust", "Yake")
    if yake is None:
        return None
    return yake(
        stopwords=set(yake(language="en").stopwords | _NO_TOPIC),
        ngrams=_LONGEST_TOPIC,
        remove_duplicates=False,
    )


def _topics(text: str) -> list[str]:
    """The best phrases of words that all mean something, none of which shares a word with a better one."""
    extractor = _extractor()
    if extractor is None:
        return []
    # What somebody is called is not what they talk about.
    text = _NAMED.sub(".", text)
    chosen: list[str] = []
    taken: set[str] = set()
    ranked = sorted(
        (round(score, 6), text.find(phrase), phrase)
        for phrase, score in extractor.get_n_best(text, n=_CANDIDATES)
    )
    for _, _, phrase in ranked:
        words = phrase.split()
        if not taken.isdisjoint(words) or not all(_is_topical(word) for word in words):
            continue
        chosen.append(phrase)
        taken.update(words)
        if len(chosen) == MAX_TOPICS:
            break
    return chosen


def _is_topical(word: str) -> bool:
    return len(word) > 1 and not word[0].isdigit() and word.partition("'")[0] not in _NO_TOPIC
