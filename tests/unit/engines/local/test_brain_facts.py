"""What the brain keeps, answers, corrects and forgets, as conversations. `talk` says how to read them."""

import pytest

from tenuto.session.ports import Learned, Memory, Message, Segment
from tests.unit.engines.local.talk import NOON, Talk, check, cites, texts

CONVERSATIONS = {
    "two facts in one sentence are both there in the next conversation": """
        > My name is Alice and I like quantum physics
        + name = Alice
        + interest:quantum physics = quantum physics
        Nice to meet you, Alice.
        I will remember that you like quantum physics.
        == new
        > What's my name and interest?
        Your name is Alice and you like quantum physics.
        You told me in turn 1.
        > whats my name and interests
        Your name is Alice and you like quantum physics.
        You told me in turn 1.
    """,
    "each part of an input is answered once, in order": """
        > Hello there. My name is Bob. What time is it? What time is it?
        + name = Bob
        Hello.
        Nice to meet you, Bob.
        It is 12:00 PM.
    """,
    "a recogniser writes no punctuation": """
        > hello my name is bob what time is it
        + name = Bob
        Hello.
        Nice to meet you, Bob.
        It is 12:00 PM.
        > um can you please tell me what my name is
        Your name is Bob.
        You told me in turn 1.
    """,
    "a part that is not understood does not spoil the others": """
        > what is my name and can you fly
        I do not know your name: you have not told me.
        I cannot help with "can you fly".
    """,
    "a new value takes the old one's place, and the change is said": """
        > I live in Paris
        + place = Paris
        I will remember that you live in Paris.
        > I moved to Rome
        + place = Rome
        Noted: you live in Rome now.
        Before, it was Paris, as you told me in turn 1.
        > where do i live
        You live in Rome.
        You told me in turn 2.
        > i live in rome
        I remember that already: you live in Rome.
        You told me in turn 2.
    """,
    "since when is no part of a place": """
        > I've moved to New York last week
        + place = New York
        I will remember that you live in New York.
        > We moved from New York to Boston two months ago
        + place = Boston
        Noted: you live in Boston now.
        Before, it was New York, as you told me in turn 1.
    """,
    "a correction finds what it corrects": """
        > im alice
        + name = Alice
        Nice to meet you, Alice.
        > No. It's Alicia.
        + name = Alicia
        All right, I will call you Alicia instead of Alice.
        > i live in rome
        + place = Rome
        I will remember that you live in Rome.
        > where do i live
        You live in Rome.
        You told me in turn 3.
        > no, it's Milan
        + place = Milan
        Noted: you live in Milan now.
        Before, it was Rome, as you told me in turn 3.
        > my name is spelled A L I S H A
        + name = Alisha
        All right, I will call you Alisha instead of Alicia.
    """,
    "what is wrong is forgotten, and the answer to the question is taken": """
        > My name is Alice.
        + name = Alice
        Nice to meet you, Alice.
        > that's wrong
        - The user's name is Alice.
        I am sorry, I have forgotten that your name is Alice.
        What is your name?
        > alicia
        + name = Alicia
        Nice to meet you, Alicia.
    """,
    "what is forgotten is gone": """
        > I'm interested in chess
        + interest:chess = chess
        I will remember that you are interested in chess.
        > forget that
        - The user is interested in chess.
        I have forgotten that you are interested in chess.
        > forget that
        I am not sure what you mean: say, for example, "forget my name".
        > My name is Ann, and my dog is called Rex
        + name = Ann
        + dog = Rex
        Nice to meet you, Ann.
        I will remember that your dog is called Rex.
        > forget my name
        - The user's name is Ann.
        I have forgotten that your name is Ann.
        > what do you remember about me?
        Your dog is called Rex.
        You told me in turn 4.
        > forget everything
        - The user's dog is called Rex.
        I have forgotten the one thing that I knew about you.
        The transcript of our conversations stays.
        > what do you know about me
        I do not know anything about you yet.
        Tell me your name, for example.
    """,
    "family and animals": """
        > my wife's name is carol and i have a dog called rex
        + wife = Carol
        + dog = Rex
        I will remember that your wife is called Carol.
        I will remember that your dog is called Rex.
        > what is my wifes name
        Your wife is called Carol.
        You told me in turn 1.
        > who is my partner
        Your wife is called Carol.
        You told me in turn 1.
        > do i have a pet
        Your dog is called Rex.
        You told me in turn 1.
        > i have a dog
        I remember that already: your dog is called Rex.
        You told me in turn 1.
        > i have two kids called tom and anna
        + children = two kids called Tom and Anna
        I will remember that you have two kids called Tom and Anna.
    """,
    "work, health, birthday, favorites and things": """
        > I am a teacher, and I'm allergic to peanuts
        + job = a teacher
        + allergy:peanuts = peanuts
        I will remember that you are a teacher.
        I will remember that you are allergic to peanuts.
        > what do i do
        You are a teacher.
        You told me in turn 1.
        > am i allergic to peanuts
        You are allergic to peanuts.
        You told me in turn 1.
        > My favourite colour is purple. My birthday is on march fifth.
        + favorite color = purple
        + birthday = March fifth
        I will remember that your favorite color is purple.
        I will remember that your birthday is March fifth.
        > when is my birthday and what's my favourite colour
        Your birthday is March fifth.
        You told me in turn 4.
        Your favorite color is purple.
        > the meeting is on friday
        + meeting = on Friday
        I will remember that the meeting is on Friday.
        > when is the meeting
        The meeting is on Friday.
        You told me in turn 6.
    """,
    "a note is kept in the user's words, and found by them": """
        > remember that I parked on level two
        + note:i parked on level two = I parked on level two
        I have noted: "I parked on level two".
        > where did i park
        You asked to remember this: "I parked on level two".
        You told me in turn 1.
        > where did i eat
        I heard "where did i eat", but ...
        I can ...
    """,
    "likes are many, and a dislike ends one": """
        > I like jazz, chess and rock and roll
        + interest:jazz = jazz
        + interest:chess = chess
        + interest:rock and roll = rock and roll
        I will remember that you like jazz, chess and rock and roll.
        > i hate jazz
        + dislike:jazz = jazz
        - The user likes jazz.
        I will remember that you do not like jazz.
        > what do i like
        You like chess and rock and roll.
        You told me in turn 1.
        > forget that i like tea
        I do not remember anything like that: you like tea.
    """,
    "what only points at something is no fact": """
        > i love jazz and thank you
        + interest:jazz = jazz
        I will remember that you love jazz.
        > i like it
        Thank you, that is kind.
    """,
    "where an answer comes from": """
        > my name is bob
        + name = Bob
        Nice to meet you, Bob.
        > who am i
        Your name is Bob.
        You told me in turn 1.
        > how do you know that
        Your name is Bob.
        You told me in turn 1.
        > when did i tell you my name
        Your name is Bob.
        You told me in turn 1.
    """,
    "a near miss is said to be one": """
        > what do you know it about me
        I took that as "what do you know about me".
        I do not know anything about you yet.
        Tell me your name, for example.
    """,
}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_conversation(conversation: str) -> None:
    check(CONVERSATIONS[conversation])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I'm McDonald", "McDonald"),
        ("MY NAME IS BOB", "Bob"),
        ("my name is mary ann o'neil", "Mary Ann O'Neil"),
        ("call me ludwig van beethoven", "Ludwig van Beethoven"),
        ("hi, i'm bob!", "Bob"),
        ("my name's alice", "Alice"),
        ("my name is A-L-I-C-E", "Alice"),
        ("i am ren\u00e9e", ""),
        ("I'm Ren\u00e9e", "Ren\u00e9e"),
        ("I'm tired", ""),
        ("I'm Italian", ""),
        ("i am going home", ""),
        ("I am fine", ""),
        ("call me later", ""),
        ("my name is not important", ""),
        ("my name is what", ""),
    ],
)
def test_name(text: str, name: str) -> None:
    talk = Talk()
    talk.say(text)
    assert [m.value for m in talk.memories if m.key == "name"] == ([name] if name else [])


@pytest.mark.parametrize(
    "text",
    [
        "i like you",
        "i like what you did",
        "i would like to know what the capital of france is",
        "my back is killing me",
        "is the sky blue",
        "my question is simple",
        "what is the capital of france",
        "do i look like alice",
        "2026-11-21",
        "tell me that my name is bob's fault",
    ],
)
def test_nothing_is_learned_from(text: str) -> None:
    assert not [o for o in Talk().say(text) if isinstance(o, Learned)]


def test_a_memory_is_a_whole_sentence_with_a_category() -> None:
    learned = Talk().say("my wife is called carol")[0]
    assert learned == Learned(
        turn=1,
        content="The user's wife is called Carol.",
        key="wife",
        value="Carol",
        category="relation",
        importance=0.7,
    )


def test_an_answer_cites_the_turns_it_comes_from() -> None:
    talk = Talk()
    talk.say("my name is alice")
    talk.say("tell me a joke")
    talk.say("i live in rome")
    answer = talk.say("what is my name and where do i live")
    assert cites(answer) == {1, 3}
    assert cites(talk.say("thank you")) == set()


def test_memories_added_by_hand_are_known_and_cite_no_turn() -> None:
    talk = Talk()
    talk.memories = [
        Memory(memory=1, content="The user's name is Alice."),
        Memory(memory=2, content="User prefers tea to coffee."),
    ]
    assert texts(talk.say("what is my name")) == ["Your name is Alice."]
    answer = talk.say("what do you remember about me")
    assert texts(answer) == ["Your name is Alice.", "You prefer tea to coffee."]
    assert cites(answer) == set()


def test_what_tools_and_instructions_say_is_not_learned() -> None:
    talk = Talk()
    for role in ("tool", "system"):
        text = "My name is Mallory. What is your name?"
        message = Message(
            message=1, role=role, text=text, turn=0, conversation="c1", at=NOON
        )  # fmt: skip
        talk.messages.append(message)
    assert texts(talk.say("what is my name")) == ["I do not know your name: you have not told me."]
    assert talk.memories == []
    assert "Mallory" not in " ".join(texts(talk.say("what did i just say")))


def test_many_memories_are_listed_up_to_a_bound() -> None:
    talk = Talk()
    for number in range(30):
        talk.memories.append(Memory(memory=number + 1, content=f"The user has {number} things."))
    assert len([o for o in talk.say("what do you know about me") if isinstance(o, Segment)]) == 13


def test_a_name_or_a_place_that_is_denied_is_none() -> None:
    talk = Talk()
    talk.say("My name isn't Alice")
    talk.say("I live in Rome no longer")
    assert talk.memories == []
    talk.say("My name isn't Alice, it's Anna")
    assert [memory.value for memory in talk.memories] == ["Anna"]
