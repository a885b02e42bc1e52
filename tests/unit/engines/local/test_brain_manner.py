"""How a reply is put, and that what it says is not touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tenuto.engines.local.brain import manner
from tenuto.engines.local.brain.brain import Brain
from tenuto.engines.local.brain.manner import fit, fit_all
from tenuto.session.ports import Alarm, Ask, Context, Memory, Ring, Segment, Style

FORMAL, CASUAL = Style(formality=1.0), Style(formality=0.0)
NEUTRAL = [
    Style(),
    Style(formality=0.5, verbosity=0.5, technical=0.5, pace=150.0),
    Style(formality=0.21, verbosity=0.16),
    Style(formality=0.79, verbosity=1.0),
]
EVERY = [
    Style(formality=formality, verbosity=verbosity)
    for formality in (None, 0.0, 1.0)
    for verbosity in (None, 0.0)
]
NAME = Memory(
    memory=1, content="The user's name is Alice.", key="name", value="Alice", turn=1, at=1.0
)
DOG = Memory(
    memory=3,
    content="The user's dog is called I am Sam.",
    key="dog",
    value="I am Sam",
    turn=3,
)


def ask(
    text: str, style: Style, *memories: Memory, spoken: tuple[str, ...] = (), turn: int = 9
) -> list[str]:
    """Return the sentences of the brain's answer."""
    context = Context(
        instructions="",
        messages=(),
        memories=memories,
        alarms=(),
        conversation="c1",
        now=1_795_262_400.0,
        timezone="UTC",
        style=style,
    )
    outputs = Brain().answer(Ask(turn=turn, text=text, context=context, spoken=spoken))
    return [output.text for output in outputs if isinstance(output, Segment)]


@pytest.mark.parametrize(
    ("plain", "formal", "casual"),
    [
        ("Hello.", "Hello.", "Hi."),
        ("Hello again, Alice.", "Hello again, Alice.", "Hi again, Alice."),
        ("Hi, Alice.", "Hello, Alice.", "Hi, Alice."),
        ("Goodbye, Alice.", "Goodbye, Alice.", "Bye, Alice."),
        ("I am glad to hear that.", "I am glad to hear that.", "I'm glad to hear that."),
        ("You are welcome.", "You are welcome.", "You're welcome."),
        ("I cannot divide by zero.", "I cannot divide by zero.", "I can't divide by zero."),
        ("It's noon, and you're late.", "It is noon, and you are late.", None),
        ("You're right.", "You are right.", "You're right."),
        ("It's been said, don't worry.", "It's been said, do not worry.", None),
        ("All right.", "Very well.", "All right."),
        ("Nice to meet you, Alice.", "I am pleased to meet you, Alice.", None),
        ("I know who you are.", "I know who you are.", "I know who you are."),
        ("That is all I am.", "That is all I am.", "That's all I am."),
        ("How are you?", "How are you?", "How are you?"),
        ("What's it's name? It's?", None, None),
        ('You said: "I am Hi, it\'s me".', None, None),
        ('I do not know "I am".', None, 'I don\'t know "I am".'),
    ],
)
def test_tone(plain: str, formal: str | None, casual: str | None) -> None:
    assert fit(plain, FORMAL) == (formal or plain)
    assert fit(plain, CASUAL) == (casual or plain)
    for style in NEUTRAL:
        assert fit(plain, style) == plain


def test_what_is_the_users_stays_word_for_word() -> None:
    song = "Your favorite song is I am what I am, and I do not mind."
    assert fit(song, CASUAL) == "Your favorite song is I'm what I am, and I don't mind."
    kept = fit(song, CASUAL, keep=["i am what i am", "", "elsewhere"])
    assert kept == "Your favorite song is I am what I am, and I don't mind."


@given(
    st.lists(st.sampled_from([*manner._TO_FORMAL, *manner._CASUAL_WORDS, "Alice", '"', "x."])),
    st.sampled_from([FORMAL, CASUAL, *NEUTRAL]),
)
def test_fitting_twice_is_fitting_once(words: list[str], style: Style) -> None:
    once = fit(" ".join(words), style)
    assert fit(once, style) == once


def test_one_is_told_the_same_in_each_tone() -> None:
    formal, casual = ask("Hello", FORMAL), ask("Hello", CASUAL)
    assert (formal, casual) == (["Hello."], ["Hi."])
    for style in NEUTRAL:
        assert ask("Hello", style) == ["Hello."]


@pytest.mark.parametrize("style", [FORMAL, CASUAL, Style(verbosity=0.0), *NEUTRAL])
def test_no_style_changes_a_fact(style: Style) -> None:
    assert "Alice" in ask("What is my name?", style, NAME)[0]
    assert ask("What is my dog called?", style, DOG)[0] == "Your dog is called I am Sam."
    assert "you do not like fish." in ask("I do not like fish", style)[0]
    assert ask("What is twelve times seven?", style) == ["12 times 7 is 84."]


def test_who_wants_it_brief_hears_what_was_asked_for_and_no_more() -> None:
    brief = Style(verbosity=0.1)
    full = ask("What is my name?", Style(verbosity=0.9), NAME)
    assert full[1:] == ["You told me in turn 1."]
    assert ask("What is my name?", Style(), NAME) == full
    assert ask("What is my name?", brief, NAME) == full[:1]
    assert len(ask("Goodbye", Style(), NAME)) == 2
    assert len(ask("Goodbye", brief, NAME)) == 1
    assert ask("Set a timer", brief) == ["For how long?"]


def test_what_is_all_there_is_to_say_is_said() -> None:
    only = (("You told me in turn 1.", (1,)),)
    assert fit_all(only, Style(verbosity=0.0)) == only
    assert fit_all((), Style(verbosity=0.0)) == ()


@pytest.mark.parametrize("before", [FORMAL, CASUAL, Style(), Style(formality=0.0, verbosity=0.0)])
@pytest.mark.parametrize("after", [FORMAL, CASUAL, Style(), Style(verbosity=0.0)])
def test_a_reply_goes_on_in_the_manner_in_which_it_began(before: Style, after: Style) -> None:
    for text in ("Who are you?", "Help", "How are you?", "What is my name?", "Goodbye"):
        wholes = [ask(text, style, NAME) for style in EVERY]
        begun = ask(text, before, NAME)
        for said in range(1, len(begun)):
            rest = ask(text, after, NAME, spoken=tuple(begun[:said]))
            assert [*begun[:said], *rest] in wholes
            assert rest != ["That is all."]


def test_a_reply_that_never_began_so_is_put_as_now() -> None:
    assert ask("Hello", CASUAL, spoken=("Something else.",)) == ["That is all."]


def test_an_alarm_rings_in_the_users_manner_with_its_own_words() -> None:
    alarm = Alarm(alarm=1, due=0.0, text="say I am here", turn=1)
    context = Context(
        instructions="",
        messages=(),
        memories=(),
        alarms=(),
        conversation="",
        now=100_000.0,
        timezone="UTC",
    )

    def ring(style: Style) -> list[str]:
        told = Brain().ring(Ring(turn=2, alarm=alarm, context=replace(context, style=style)))
        return [output.text for output in told if isinstance(output, Segment)]

    assert ring(CASUAL) == ring(Style()), "nothing of it can be contracted but the user's words"
