"""Small talk, repeating and summing up, the fallback, and replies that are taken up again."""

import pytest

from tenuto.engines.local.brain.brain import Brain, Output
from tenuto.session.ports import Ask, Forgot, Learned, Segment
from tests.unit.engines.local.talk import Talk, check, cites, texts

CONVERSATIONS = {
    "it says what it is, however it is asked": """
        > are you ChatGPT
        No: I am Tenuto's built-in brain, a small set of rules.
        > what is your purpose
        I am Tenuto's built-in brain: ...
        I am here to prove ...
        > do you have feelings
        I am a set of rules, so I have no likes and no feelings.
        > can you speak German
        I understand and speak English, and nothing else.
        > are you sure
        I go by what you have told me, and by fixed rules.
        Tell me if it is wrong.
        > why is the sky blue
        I heard "why is the sky blue", but I do not know: I am a small set of rules, and know only what I am told.
        I can ...
        > I'm good, and you?
        I am glad to hear that.
        > you?
        I am running well, thank you.
        > I'm feeling a bit down today
        I am sorry to hear that.
        > I'm not tired any more
        I am glad to hear that.
        > I don't know
        All right.
    """,
    "what is told in passing is understood as well": """
        > I live in Berlin with my husband Karl
        + place = Berlin
        + husband = Karl
        I will remember that you live in Berlin and your husband is called Karl.
        > am I married
        Your husband is called Karl.
        You told me in turn 1.
        > I have two cats, Tom and Jerry
        + cat = Tom and Jerry
        I will remember that you have two cats, Tom and Jerry.
        > what pets do I have
        You have two cats, Tom and Jerry.
        You told me in turn 3.
        > what are my cats called
        You have two cats, Tom and Jerry.
        You told me in turn 3.
        > I work at Siemens as an engineer
        + workplace = at Siemens
        + job = an engineer
        I will remember that you work at Siemens and you are an engineer.
        > am I an engineer
        You are an engineer.
        You told me in turn 6.
        > I was born in 1990
        + birth year = 1990
        I will remember that you were born in 1990.
        > how old am I
        You were born in 1990, so you are 35 or 36.
        You told me in turn 8.
        > I have a meeting on Monday at 10
        + meeting = on Monday at 10
        I will remember that your meeting is on Monday at 10.
        > I live at 5 Main Street
        + address = 5 Main Street
        I will remember that your address is 5 Main Street.
        > remember that the wifi password is hunter2
        + note:the wifi password is hunter2 = the wifi password is hunter2
        I have noted: "the wifi password is hunter2".
        > what's my wifi password
        You asked to remember this: "the wifi password is hunter2".
        You told me in turn 12.
    """,
    "one thing leads to another": """
        > what's 17 times 23
        17 times 23 is 391.
        > and divided by 2
        391 divided by 2 is 195.5.
        > that plus 4.5
        195.5 plus 4.5 is 200.
        > set a timer
        For how long?
        Say, for example, "set a timer for one minute".
        > five minutes
        * five minute timer
        Your five minute timer starts now.
        > five minutes
        I heard "five minutes", but I cannot help with that: I am a small set of rules.
        I can ...
        > remind me in ten minutes to drink water and set a timer for 3 minutes
        * drink water
        * three minute timer
        I will remind you at 12:10 PM to drink water.
        Your three minute timer starts now.
        > cancel everything
        / three minute timer
        / five minute timer
        / drink water
        I have cancelled all three of them.
    """,
    "a known user is greeted by name, and never unasked": """
        > hello
        Hello.
        > i'm bob
        + name = Bob
        Nice to meet you, Bob.
        > good morning
        Good morning, Bob.
        > hi again
        Hello again, Bob.
        == new
        > hello there
        Hello Bob, welcome back.
        > what time is it
        It is 12:00 PM.
    """,
    "a summary quotes and cites": """
        > summarize our conversation
        We have only just begun: there is nothing to sum up yet.
        > My name is Alice
        + name = Alice
        Nice to meet you, Alice.
        > what is twelve times seven
        12 times 7 is 84.
        > what have we talked about so far
        We have talked for three turns in this conversation.
        I have learned that your name is Alice.
        You said: "what is twelve times seven".
        == new
        > What did we talk about last time?
        Last time you said: "My name is Alice" and "what is twelve times seven".
        > what did we talk about
        Last time you said: "My name is Alice" and "what is twelve times seven".
    """,
    "the first conversation has none before it": """
        > what did we talk about last time
        This is our first conversation, as far as I can see.
    """,
    "a reply that was cut is repeated whole, or finished": """
        > who are you
        I am Tenuto's built-in brain: ...
        I am here to prove ...
        ! I am Tenuto's built-in brain: a small set of rules, not a language model.
        > go on
        I am here to prove the session layer: ...
        > say that again
        I am here to prove the session layer: ...
        > go on
        I had finished.
    """,
    "manners": """
        > how are you
        I am running well, thank you.
        How are you?
        > fine thanks
        I am glad to hear that.
        > thank you very much
        You are welcome.
        > okay
        All right.
        > bye
        Goodbye.
        Come back any time.
    """,
    "it is honest": """
        > Are you a human?
        I am a program: a small set of rules, not a person and not a language model.
        > what's the weather in paris
        I cannot see the weather: I am a small set of rules, and offline.
        > explain quantum entanglement
        I heard "explain quantum entanglement", but I cannot help with that: I am a small set of rules.
        I can ...
    """,
}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_conversation(conversation: str) -> None:
    check(CONVERSATIONS[conversation])


def test_say_that_again_gives_the_whole_of_a_cut_reply() -> None:
    talk = Talk()
    whole = texts(talk.say("who are you"))
    talk.heard_only("I am Ten")
    answer = talk.say("Can you say that again?")
    assert texts(answer) == whole
    assert cites(answer) == {1}


def test_the_summary_of_last_time_cites_its_turns() -> None:
    talk = Talk()
    talk.say("the meeting is on friday")
    talk.conversation += 1
    assert cites(talk.say("what did we talk about last time")) == {1}


def test_the_fallback_names_two_things_that_work() -> None:
    talk = Talk()
    for _ in range(14):
        told = texts(talk.say("explain entropy"))
        assert "cannot help" in told[0]
        assert told[1].startswith("I can ") and ", or " in told[1]


def test_jokes_take_turns() -> None:
    talk = Talk()
    assert texts(talk.say("tell me a joke")) != texts(talk.say("another joke please"))


def test_many_parts_are_answered_up_to_a_bound() -> None:
    told = texts(Talk().say(" ".join(f"What is {n} plus 1?" for n in range(50))))
    assert len(told) == 9
    assert told[-1] == "That was a lot at once, so I have stopped there."


@pytest.mark.parametrize("text", ["", "   ", "...", "\x00", "?!", "\U0001f600"])
def test_no_words(text: str) -> None:
    assert texts(Talk().say(text)) == ["I did not hear any words.", "Please say that again."]


# ------------------------------------------------------------------------------------------------- taken up again


def outputs_of(talk: Talk, text: str, spoken: list[str]) -> list[Output]:
    """Ask the turn that the talk is in once more."""
    ask = Ask(turn=talk.turn, text=text, context=talk.context(), spoken=spoken)
    return Brain().answer(ask)


def test_a_reply_goes_on_after_what_was_spoken_and_learns_nothing_twice() -> None:
    talk = Talk()
    text = "My name is Alice. I moved to Rome. What time is it?"
    whole = texts(talk.say(text))
    for done in range(len(whole)):
        again = outputs_of(talk, text, whole[:done])
        assert not [o for o in again if isinstance(o, Learned)]
        assert texts(again) == whole[done:]


def test_a_reply_of_which_all_was_spoken_is_closed() -> None:
    talk = Talk()
    whole = texts(talk.say("hello"))
    assert outputs_of(talk, "hello", whole) == [Segment(turn=1, text="That is all.", last=True)]


def test_an_alarm_is_not_set_twice() -> None:
    talk = Talk()
    first = talk.say("set a timer for one minute")
    talk.now += 5
    again = outputs_of(talk, "set a timer for one minute", [])
    assert len(first) == 2
    assert [type(o) for o in again] == [Segment]


def test_effects_come_before_the_first_sentence() -> None:
    talk = Talk()
    talk.say("I live in Paris. I hate jazz.")
    outputs = talk.say("What time is it? I love jazz. I moved to Rome. Forget where I live.")
    kinds = [isinstance(o, Segment) for o in outputs]
    assert kinds == sorted(kinds)
    assert len([o for o in outputs if isinstance(o, Forgot)]) == 1
