"""What the core wants done: nothing of it can be changed once it was said."""

import msgspec
import pytest

from tenuto.session import effects, ports

CONTEXT = ports.Context(
    instructions="", messages=(), memories=(), alarms=(), conversation="c", now=1.0
)
EVERY = [
    effects.OpenEngine(1, True, CONTEXT),
    effects.ToEngine(ports.Finish()),
    effects.Refresh(CONTEXT),
    effects.Resume(1, 0.5),
    effects.CloseEngine(),
    effects.LetGo(1, "left"),
    effects.StartGrace(),
    effects.Unload(),
    effects.Hush(1),
    effects.Pause(),
    effects.Quit(),
]


@pytest.mark.parametrize("effect", EVERY, ids=lambda effect: type(effect).__name__)
def test_an_effect_is_a_value(effect: effects.Effect) -> None:
    assert effect == msgspec.structs.replace(effect)
    for name in effect.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(effect, name, None)


@pytest.mark.parametrize(
    ("effect", "void"),
    [
        (effects.ToEngine(ports.Ask(turn=1, text="hi", context=CONTEXT)), True),
        (effects.ToEngine(ports.Speak(reply=1, index=0, text="hi", last=True)), True),
        (effects.ToEngine(ports.Finish()), False),
        (effects.CloseEngine(), False),
    ],
)
def test_a_quit_makes_requests_void_and_nothing_else(effect: effects.Effect, void: bool) -> None:
    assert effects.is_for_an_answer(effect) is void
