"""What is not so, or no longer: it is forgotten where it was known, and nothing is ever learned of it."""

import pytest

from tenuto.session.ports import Forgot, Learned
from tests.unit.engines.local.talk import Talk, check

CONVERSATIONS = {
    "where somebody lives no longer": """
        > I live in Rome
        + place = Rome
        I will remember that you live in Rome.
        > I no longer live in Oslo
        I had not noted that: I know that you live in Rome.
        > I no longer live in Rome
        - The user lives in Rome.
        I have forgotten that you live in Rome.
        Where do you live?
        > Paris
        + place = Paris
        I will remember that you live in Paris.
        > I don't live there any more
        - The user lives in Paris.
        I have forgotten that you live in Paris.
        Where do you live?
        > I don't live in Paris
        I had not noted that you live in Paris.
        So there is nothing to forget.
    """,
    "what somebody likes no longer is not yet disliked": """
        > I love jazz and I'm interested in chess
        + interest:jazz = jazz
        + interest:chess = chess
        I will remember that you love jazz.
        I will remember that you are interested in chess.
        > I don't like jazz any more
        - The user loves jazz.
        I have forgotten that you love jazz.
        > I'm not interested in chess anymore
        - The user is interested in chess.
        I have forgotten that you are interested in chess.
        > I don't like jazz
        + dislike:jazz = jazz
        I will remember that you do not like jazz.
        > I don't hate jazz
        - The user does not like jazz.
        I have forgotten that you do not like jazz.
        > I can't stand techno any more
        + dislike:techno = techno
        I will remember that you do not like techno.
        > I like tea
        + interest:tea = tea
        I will remember that you like tea.
        > I no longer like it
        - The user likes tea.
        I have forgotten that you like tea.
    """,
    "whose name it is not": """
        > my name is Bob
        + name = Bob
        Nice to meet you, Bob.
        > hello
        Hello again, Bob.
        > I am not Alice
        I had not noted that: I know that your name is Bob.
        > Bob is not my name
        - The user's name is Bob.
        I have forgotten that your name is Bob.
        What is your name?
        > Alice
        + name = Alice
        Nice to meet you, Alice.
        > that's not my name
        - The user's name is Alice.
        I have forgotten that your name is Alice.
        What is your name?
        > my name is not Bob, it's Carl
        + name = Carl
        Nice to meet you, Carl.
        > I don't live in Rome but in Paris
        + place = Paris
        I will remember that you live in Paris.
    """,
    "what somebody has, does and is no longer": """
        > I have a dog called Rex and I work at Google
        + dog = Rex
        + workplace = at Google
        I will remember that your dog is called Rex.
        I will remember that you work at Google.
        > I have no dog
        - The user's dog is called Rex.
        I have forgotten that your dog is called Rex.
        > I have no cats
        I had noted no cats, so there is nothing to forget.
        > I no longer work there
        - The user works at Google.
        I have forgotten that you work at Google.
        > I'm a nurse and I'm allergic to nuts
        + job = a nurse
        + allergy:nuts = nuts
        I will remember that you are a nurse.
        I will remember that you are allergic to nuts.
        > I'm no longer a nurse
        - The user is a nurse.
        I have forgotten that you are a nurse.
        > I have no allergies
        - The user is allergic to nuts.
        I have forgotten that you are allergic to nuts.
        > I live in Oslo
        + place = Oslo
        I will remember that you live in Oslo.
        > I left Oslo
        - The user lives in Oslo.
        I have forgotten that you live in Oslo.
        Where do you live?
        > I never said I like tea
        I had not noted that you like tea.
        So there is nothing to forget.
    """,
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_goes_as_it_is_written(name: str) -> None:
    check(CONVERSATIONS[name])


KNOWN = [
    ("I live in Rome", "place"),
    ("I like jazz", "interest:jazz"),
    ("I prefer tea", "preference:tea"),
    ("I speak French", "language:french"),
    ("I study physics", "study"),
    ("I work as a nurse", "job"),
    ("I am allergic to nuts", "allergy:nuts"),
    ("my favorite color is blue", "favorite color"),
    ("my sister is called Anna", "sister"),
    ("I am from Italy", "origin"),
    ("I am 30 years old", "age"),
]
DENIALS = {
    "place": [
        "I never lived in Rome",
        "I have never lived in Rome",
        "I used to live in Rome",
        "I do not live in Rome",
        "no, I don't live in Rome anymore",
        "I live in Rome no longer",
        "Actually I'm not living in Rome any more.",
        "I moved away from Rome",
    ],
    "interest:jazz": [
        "I've never liked jazz",
        "I used to love jazz",
        "I really don't like jazz any longer",
    ],
    "preference:tea": ["I don't prefer tea"],
    "language:french": ["I can't speak French", "I don't speak French"],
    "study": ["I'm not studying physics any more"],
    "job": ["I no longer work as a nurse", "I am not a nurse", "I quit my job"],
    "allergy:nuts": ["I am not allergic to nuts"],
    "favorite color": ["my favorite color is not blue any more"],
    "sister": ["my sister isn't called Anna", "I don't have a sister"],
    "origin": ["I'm not from Italy"],
    "age": ["I am not 30"],
}


@pytest.mark.parametrize(("key", "text"), [(k, t) for k, texts in DENIALS.items() for t in texts])
def test_a_denial_takes_back_what_it_denies_and_that_alone(key: str, text: str) -> None:
    talk = Talk()
    for told, _ in KNOWN:
        talk.say(told)
    before = {memory.key for memory in talk.memories}
    assert before == {known for _, known in KNOWN}
    outputs = talk.say(text)
    assert [o for o in outputs if isinstance(o, Learned)] == []
    assert {memory.key for memory in talk.memories} == before - {key}


@pytest.mark.parametrize("text", [t for texts in DENIALS.values() for t in texts])
def test_a_denial_of_what_nobody_knows_changes_nothing_and_is_no_lie(text: str) -> None:
    talk = Talk()
    outputs = talk.say(text)
    assert [o for o in outputs if isinstance(o, Learned | Forgot)] == []
    assert "have forgotten" not in str(outputs)


@pytest.mark.parametrize(
    "text",
    [
        '"I live in Berlin" is a great song',
        '"I am Zoe", she said',
        '"I am a rock" is a song',
        "I live in Oslo, don't I?",
        "I live in Oslo, right?",
        "My name is Zoe?",
        "My name is Batman. Just kidding.",
        "I am Zoe and this is a joke",
        "I am Bob. Not!",
        "who told you that I like golf",
        "why do you think my name is Bob",
        "I am allergic to nothing",
        "I like nothing more than chess",
        "my favorite color is none of your business",
        "I live in the moment",
        "I live in your head",
        "I work at night",
        "I like you not",
        "I like it here",
        "I hate to say it",
        "I love to hate it",
        "I prefer not to say",
        "I like not having to work",
        "I like that I am not alone",
        "my job is boring",
        "my place is a mess",
        "my age is a secret",
        "I no longer like golf",
        "I might be called Zoe",
        "He said my name is Dave",
        "If I lived in Oslo I would be happy",
    ],
)
def test_what_is_no_statement_teaches_nothing_and_takes_nothing(text: str) -> None:
    talk = Talk()
    for known in ("my name is Alice", "I live in Rome", "I am a doctor", "I am 30 years old"):
        talk.say(known)
    outputs = talk.say(text)
    assert [o for o in outputs if isinstance(o, Learned | Forgot)] == []


@pytest.mark.parametrize(
    ("text", "learned"),
    [
        ("I live in Milan, not Rome", {"place": "Milan"}),
        ("I live in Milan not Rome", {"place": "Milan"}),
        ("I like tea, not coffee", {"interest:tea": "tea"}),
        ("I like tea and not coffee", {"interest:tea": "tea"}),
        ("Alice is not my name, it's Eve", {"name": "Eve"}),
        ("no I'm not, I'm Tom", {"name": "Tom"}),
        ("I am not 30 but 31", {"age": "31"}),
        ("My birthday isn't May 5, it's May 6", {"birthday": "May 6"}),
        (
            'I like "Star Wars" and jazz',
            {"interest:star wars": "Star Wars", "interest:jazz": "jazz"},
        ),
        ("my job is teacher", {"job": "teacher"}),
        ("my age is 40", {"age": "40"}),
    ],
)
def test_what_is_so_instead_is_learned(text: str, learned: dict[str, str]) -> None:
    talk = Talk()
    for known in ("my name is Alice", "I live in Rome"):
        talk.say(known)
    outputs = talk.say(text)
    assert {o.key: o.value for o in outputs if isinstance(o, Learned)} == learned
    assert [o for o in outputs if isinstance(o, Forgot)] == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("I was joking", {"place"}),
        ("I never said that", {"place"}),
        ("that's not what I said", {"place"}),
        ("that was a lie", {"place"}),
        ("not true", {"place"}),
        ("it is not true that I like tea", {"place"}),
        ("it's a lie that I live in Rome", {"interest:tea"}),
        ("I like tea, just not today", {"place", "interest:tea"}),
        ("I live in Rome, not far from the sea", {"place", "interest:tea"}),
    ],
)
def test_what_is_taken_back_is_what_was_said_last(text: str, left: set[str]) -> None:
    talk = Talk()
    talk.say("I live in Rome")
    talk.say("I like tea")
    talk.say(text)
    assert {memory.key for memory in talk.memories} == left


@pytest.mark.parametrize("text", ["that's wrong", "not true", "just kidding", "I lied"])
def test_what_is_wrong_is_what_was_said_last_and_nothing_before_it(text: str) -> None:
    talk = Talk()
    talk.say("my name is Alice")
    talk.say("what is two plus two")
    assert [o for o in talk.say(text) if isinstance(o, Forgot)] == []


def test_whoever_takes_back_several_things_is_asked_which() -> None:
    talk = Talk()
    talk.say("I like tea and chess")
    assert [o for o in talk.say("I lied") if isinstance(o, Forgot)] == []


def test_what_is_asked_is_answered_by_what_is_known() -> None:
    check(
        """
        > I live in Rome, don't I?
        I do not know: you have not told me.
        > I live in Rome
        + place = Rome
        I will remember that you live in Rome.
        > I live in Oslo?
        You live in Rome.
        You told me in turn 2.
        > who told you that I live in Oslo
        You live in Rome.
        You told me in turn 2.
        > I love my wife
        + interest:my wife = my wife
        I will remember that you love your wife.
        """
    )


@pytest.mark.parametrize(
    "text",
    [
        "my internet is not working",
        "I am not sure",
        "I'm not tired",
        "I have no time",
        "I have no questions",
        "I left the keys at home",
        "this is not my name day",
        "my name is not important",
        "that is not my problem",
        "I never said that",
        "I do not like it any more",
        "my plan is not good but I am fine",
        "I don't live in Paris but I love it",
        "no, that's not what I meant to say to you",
        "I'm not sure I like jazz",
        "I don't think my name is Bob",
        "I have never been to Rome",
        "I do not live alone",
        "I left my phone in Rome",
    ],
)
def test_what_denies_no_fact_takes_nothing(text: str) -> None:
    talk = Talk()
    talk.say("my name is Alice")
    talk.say("I live in Rome")
    talk.say("what time is it")
    talk.say("who are you")
    outputs = talk.say(text)
    assert [o for o in outputs if isinstance(o, Forgot)] == []
    assert {memory.value for memory in talk.memories} == {"Alice", "Rome"}
