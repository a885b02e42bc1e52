"""Preferences through the public face: they change what is said, last, and can be taken to another session."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tenuto import Tenuto, TenutoConfig
from tenuto.clock import Clock, SystemClock
from tenuto.errors import InvalidInput, SessionNotFound
from tenuto.session import ports
from tenuto.session.config import SessionConfig
from tenuto.session.preferences import SessionProfile
from tenuto.session.session import Session
from tenuto.session.templates import SessionTemplate
from tenuto.stores.in_memory import InMemoryStore

TEXT = TenutoConfig(store="memory:", engine="text")
CASUAL = ("hey whats up lol", "yeah gonna grab some food", "cool thx, wanna chat")
"""What somebody says who speaks casually."""


class Shelf(InMemoryStore):
    """A store in RAM that remembers the first append of each session."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.appends: dict[str, Sequence[ports.Row]] = {}

    async def append(self, append: ports.Append) -> None:
        self.appends.setdefault(append.session, append.rows)
        await super().append(append)


async def greeted(session: Session) -> str:
    return (await session.send_message("hey")).text


async def test_a_decision_changes_the_wording_at_once() -> None:
    async with Tenuto(TEXT) as tenuto:
        said = {}
        for wanted in ("always_formal", "always_casual"):
            async with tenuto.session(user_id="alice") as session:
                plain = await greeted(session)
                session.set_preference("formality", wanted)
                said[wanted] = await greeted(session)
                assert plain == "Hello."
        assert said == {"always_formal": "Hello again.", "always_casual": "Hi again."}


async def test_what_was_learned_changes_the_wording_where_adaptation_is_on() -> None:
    async with Tenuto(TEXT) as tenuto:
        said = []
        for adapts in (True, False):
            config = SessionConfig(enable_adaptation=adapts)
            async with tenuto.session(config=config) as session:
                for text in CASUAL:
                    await session.send_message(text)
                learned = session.get_learned_preferences()
                assert learned["formality_score"] <= 0.2, learned
                said.append((await session.send_message("hey")).text)
                session.set_preference("formality", "always_formal")
                assert await greeted(session) == "Hello again.", "what was decided holds"
        assert said == ["Hi again.", "Hello again."]


async def test_a_decision_is_there_after_the_session_was_loaded_elsewhere(tmp_path: Path) -> None:
    config = TenutoConfig(store=f"sqlite:///{tmp_path}/tenuto.db", engine="text")
    async with Tenuto(config) as tenuto, tenuto.session(session_id="s") as session:
        await session.set_preference("formality", "always_casual")
        before = session.get_learned_preferences()
    async with Tenuto(config) as tenuto:
        session = await tenuto.load_session("s")
        assert session.get_learned_preferences() == before
        assert await greeted(session) == "Hi."


# ------------------------------------------------------------------------------------------------------------- profiles


async def profile_of(tenuto: Tenuto) -> SessionProfile:
    async with tenuto.session() as session:
        for text in CASUAL:
            await session.send_message(text)
        session.set_preference("nickname", "Al")
        return session.export_preference_profile()


async def test_a_session_begins_with_a_profile_in_its_first_append() -> None:
    shelf = Shelf(SystemClock())
    async with Tenuto(TEXT, store=shelf) as tenuto:
        profile = await profile_of(tenuto)
        kept: dict[str, Any] = json.loads(json.dumps(profile.to_dict()))
        for given in (profile, kept):
            session = tenuto.create_session(user_id="user_789", preference_profile=given)
            learned = session.get_learned_preferences()
            assert learned["overrides"] == {"nickname": "Al"}
            assert learned["evidence"] >= 3
            await session
            first = [row.type for row in shelf.appends[session.session_id]]
            assert first == ["session.created", "preference.profile_applied"]
            assert await greeted(session) == "Hi."
        async with tenuto.session(user_id="x", preference_profile=profile) as session:
            assert await greeted(session) == "Hi."
        template = SessionTemplate(name="t", base_config=SessionConfig())
        session = tenuto.create_session_from_template(template, preference_profile=profile)
        assert await greeted(session) == "Hi."


async def test_a_profile_lasts(tmp_path: Path) -> None:
    config = TenutoConfig(store=f"sqlite:///{tmp_path}/tenuto.db", engine="text")
    async with Tenuto(config) as tenuto:
        profile = await profile_of(tenuto)
        session = await tenuto.create_session(session_id="s", preference_profile=profile)
        before = session.get_learned_preferences()
    async with Tenuto(config) as tenuto:
        assert (await tenuto.load_session("s")).get_learned_preferences() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"formality": 3.0},
        {"length": "long"},
        {"decided": {"formality": "very"}},
        {"decided": {"not a name": 1}},
        "a text",
    ],
)
async def test_a_wrong_profile_makes_no_session(wrong: Any) -> None:
    async with Tenuto(TEXT) as tenuto:
        config = SessionConfig(session_id="mine")
        with pytest.raises(InvalidInput):
            tenuto.create_session(config=config, preference_profile=wrong)
        with pytest.raises(SessionNotFound):
            await tenuto.load_session("mine")
        assert (await tenuto.create_session(config=config)).session_id == "mine", "still free"


async def test_profiles_are_merged_the_same_way_each_time() -> None:
    async with Tenuto(TEXT) as tenuto:
        casual = await profile_of(tenuto)
        formal = SessionProfile(formality=1.0, formality_count=9)
        merged = SessionProfile.merge([casual, formal])
        assert merged == SessionProfile.merge([casual.to_dict(), formal.to_dict()])
        assert casual.formality < merged.formality < formal.formality
        session = await tenuto.create_session(preference_profile=merged)
        assert session.export_preference_profile() == merged
