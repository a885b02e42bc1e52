"""Every public verb, with arguments that are not what it says: each is a typed error, and nothing has changed."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenuto import SessionManager, SessionPool, Tenuto, TenutoConfig
from tenuto.errors import ExportUnsupported, InvalidConfig, InvalidInput
from tenuto.session.session import Session

WRONG: dict[str, tuple[Any, ...]] = {
    "str": (None, 5, b"x", ["x"], True, 1.5, "half \ud83d"),
    "int": (None, "x", 1.5, True, [1], 10**400, -(10**400)),
    "float": (None, "x", True, [1.0], 10**400),
    "bool": (None, "x", 5, []),
}
"""For what an annotation says, what it does not."""

INSIDE = {
    "Session.attach",  # transports bind clients with it
    "Session.hear",  # called for every frame: it looks for itself, in test_connecting
    "Session.ended",  # the host tells of an end with it
    "Tenuto.resume_session",  # a transport loads for a token with it
    "Tenuto.spawn",  # the host's own parts run jobs with it
    "Tenuto.unload",  # a driver leaves with it
    "Events.off",  # one that is not known is fine, whatever it is
}
"""Verbs that the rest of the house calls, or that take anything."""

GOOD: dict[str, Any] = {
    "content": "Likes tea",
    "handler": print,
    "history": [{"role": "user", "content": "Hi"}],
    "limit": 1,
    "memory": 1,
    "name": "memory.added",
    "position": 1,
    "profile": {"formality": 0.5},
    "rate": 16_000,
    "role": "user",
    "share": 1,
    "value": 1,
}
"""What a parameter takes that has no default, by its name; a text where none is here."""


@asynccontextmanager
async def faces() -> AsyncIterator[tuple[Session, dict[str, Any]]]:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        async with tenuto.session(session_id="s") as session, session.conversation("c") as talk:
            await session.add_memory("Likes coffee")
            async with SessionPool(tenuto) as pool:
                manager = SessionManager(tenuto)
                known: tuple[Any, ...] = (
                    tenuto,
                    session,
                    talk,
                    session.memory,
                    session.preferences,
                    session.events,
                )
                known += (session.analytics, session.shares, session.debug, pool, manager)
                yield session, {type(face).__name__: face for face in known}


def verbs() -> Iterator[tuple[str, str, Any]]:
    """Yield every public verb with each of its parameters and each value that is wrong there."""
    from tenuto.host.pool import SessionPool as Pool
    from tenuto.session.analytics_part import AnalyticsPart
    from tenuto.session.conversation import Conversation
    from tenuto.session.debug import DebugPart
    from tenuto.session.memory_part import MemoryPart
    from tenuto.session.preferences import PreferencesPart
    from tenuto.session.shares_part import SharesPart
    from tenuto.session.streams import Events

    parts = (MemoryPart, PreferencesPart, AnalyticsPart, SharesPart, DebugPart, Events)
    for face in (Tenuto, Session, Conversation, Pool, SessionManager, *parts):
        for name, verb in vars(face).items():
            called = f"{face.__name__}.{name}"
            if name.startswith("_") or not inspect.isfunction(verb) or called in INSIDE:
                continue
            for parameter in list(inspect.signature(verb).parameters.values())[1:]:
                if parameter.kind is parameter.VAR_KEYWORD:
                    continue
                annotation = inspect.formatannotation(parameter.annotation)
                plain = annotation.removesuffix(" | None")
                wrong = [value for value in WRONG.get(plain, ()) if value is not None]
                for value in (
                    *wrong,
                    object(),
                    *([None] if plain in WRONG and plain == annotation else []),
                ):
                    yield called, parameter.name, value


async def use(face: Any, verb: str, parameter: str, value: Any) -> None:
    call: Callable[..., Any] = getattr(face, verb)
    given = {
        each.name: GOOD.get(each.name, "x")
        for each in inspect.signature(call).parameters.values()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    }
    made = call(**{**given, parameter: value})
    if inspect.isasyncgen(made):
        async for _ in made:
            return
    elif hasattr(made, "__await__"):
        await made
    elif hasattr(made, "__aenter__"):
        async with made:
            return


async def test_every_verb_refuses_what_it_does_not_take() -> None:
    tried = set()
    async with faces() as (session, known):
        await session.commit()
        before, sessions = session.position, len(await known["Tenuto"].sessions())
        for called, parameter, value in verbs():
            face, _, verb = called.partition(".")
            tried.add(called)
            try:
                await use(known[face], verb, parameter, value)
            except (InvalidInput, InvalidConfig, ExportUnsupported) as error:
                assert error.message
            except Exception as error:  # noqa: BLE001 -- the test says which call raised it
                pytest.fail(f"{called}({parameter}={value!r:.40}) raised {error!r:.200}")
            else:
                pytest.fail(f"{called}({parameter}={value!r:.40}) was taken")
            assert session.position == before, f"{called}({parameter}={value!r:.40}) changed it"
        assert len(await known["Tenuto"].sessions()) == sessions
    assert len(tried) > 70


async def test_settings_that_nobody_knows_are_told_in_every_place() -> None:
    async with faces() as (session, known):
        tenuto, before = known["Tenuto"], session.position
        wrong: Any = {"temprature": 0.3}
        for begin in (
            lambda: tenuto.create_session(config=wrong),
            lambda: session.start_conversation(config=wrong),
            lambda: session.reset(config=wrong),
            lambda: session.update_config(**wrong),
            lambda: Tenuto(TenutoConfig(agent=wrong)),
        ):
            with pytest.raises(InvalidConfig, match="Did you mean `temperature`"):
                begin()
        assert session.position == before


def test_where_a_store_is_given_a_url_is_told_its_place() -> None:
    url: Any = "sqlite:///x.db"
    with pytest.raises(InvalidConfig, match="TenutoConfig\\(store="):
        Tenuto(store=url)


@pytest.mark.parametrize("config", ["sqlite:///x.db", {"store": "memory:"}, 0])
def test_a_host_takes_its_own_settings_only(config: Any) -> None:
    with pytest.raises(InvalidConfig, match="is a TenutoConfig"):
        Tenuto(config)
