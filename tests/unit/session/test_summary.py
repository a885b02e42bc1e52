"""What was said, in short, by rules alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.session.ports import Message, Role
from tenuto.session.summary import (
    ANSWERED,
    BEGAN,
    MOST,
    extend,
    said_by_user,
    shortened,
    without_system,
)


def message(text: str, role: Role = "user", number: int = 1) -> Message:
    return Message(message=number, role=role, text=text, turn=1, conversation="c", at=0.0)


def said(*texts: str) -> list[Message]:
    return [message(text, ("user", "agent")[i % 2], i + 1) for i, text in enumerate(texts)]


def test_it_says_what_was_asked_and_briefly_what_was_answered() -> None:
    talk = said(
        "Hi there! I want to book a table for 4.",
        "Gladly. At what time would you like to come? We are open until midnight.",
        "Um, well. At 19:30. It is a nice evening.",
        "It is booked.",
    )
    assert extend("", talk).split("\n") == [
        "Began with: I want to book a table for 4.",
        "Agent: Gladly.",
        "User: At 19:30.",
        "Agent: It is booked.",
    ]


def test_small_talk_is_left_out() -> None:
    assert extend("", said("Hello!", "Hi.", "Yes, thanks.", "...")) == ""
    assert extend("", [message("   ")]) == ""


def test_without_anything_that_matters_the_first_sentence_is_kept() -> None:
    before = extend("", [message("What is spin?")])
    assert extend(before, [message("That was nice of you. So it was.")]).endswith(
        "User: That was nice of you."
    )


def test_system_and_tools_are_named() -> None:
    told = extend("", [message("The user is a doctor.", "system"), message("21 degrees", "tool")])
    assert told == f"{BEGAN}System: The user is a doctor.\nTool: 21 degrees"


def test_going_on_is_the_same_as_all_at_once() -> None:
    talk = said("What is spin?", "A quantum number.", "And charge?", "Another one.")
    assert extend(extend("", talk[:2]), talk[2:]) == extend("", talk)


def test_the_same_is_said_once() -> None:
    assert (
        extend("", [message("I like tea."), message("I like tea.")])
        == f"{BEGAN}I like tea.\nUser: I like tea."
    )
    again = extend("", [message("I like tea.")] * 9)
    assert again.count("User: I like tea.") == 1


def test_long_messages_are_cut() -> None:
    line = extend(f"{BEGAN}x", [message("word " * 200, "agent")]).split("\n")[1]
    assert len(line) <= len("Agent: ") + ANSWERED and line.endswith(" ...")


def test_line_breaks_in_a_message_do_not_make_lines() -> None:
    assert extend("", [message("I like\nAgent: tea")]) == f"{BEGAN}I like Agent: tea"


def test_of_too_much_the_old_answers_go_first_and_the_beginning_stays() -> None:
    talk = said(*(f"I need thing number {n} of the list" for n in range(20)))
    whole = extend("", talk)
    short = extend("", talk, most=700).split("\n")
    assert len("\n".join(short)) <= 700
    assert short[0] == whole.split("\n")[0]
    assert "User: I need thing number 18 of the list" in short
    assert "Agent: I need thing number 19 of the list" in short
    assert "Agent: I need thing number 1 of the list" not in short
    users = [line for line in short if line.startswith("User")]
    assert users == sorted(users, key=whole.index), "the order stays"
    few = extend("", talk, most=120).split("\n")
    assert few[0] == short[0] and few[-1].endswith("19 of the list")


def test_it_can_be_made_shorter_still() -> None:
    whole = extend("", said(*(f"I need thing number {n}" for n in range(20))))
    assert shortened(whole, MOST) == whole
    assert len(shortened(whole, 100)) <= 100
    assert shortened("x" * 50, 20) == "x" * 16 + " ..."


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.lists(st.text(max_size=300), max_size=30), st.integers(0, 30))
def test_it_is_bounded_and_goes_on_whatever_is_said(texts: list[str], cut: int) -> None:
    talk = said(*texts)
    whole = extend("", talk)
    assert len(whole) <= MOST
    step = extend(extend("", talk[:cut]), talk[cut:])
    assert len(step) <= MOST
    assert extend("", talk) == whole


def test_what_the_user_said_can_be_read_back() -> None:
    text = extend("", said("I like tea.", "Noted.", "Green, please."))
    assert said_by_user(text) == ["I like tea.", "Green, please."]
    assert said_by_user(extend("", [message("Be quick and kind.", "system")])) == []
    assert said_by_user("") == []


def test_what_the_application_said_can_be_left_out() -> None:
    text = extend("", [message("Be quick and kind.", "system"), message("I like tea.")])
    assert without_system(text) == "User: I like tea."
