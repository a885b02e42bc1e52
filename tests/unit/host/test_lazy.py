"""A session that is loaded lazily has its memory unread until somebody asks for it."""

from pathlib import Path

import pytest

from tenuto import Session, Tenuto, TenutoConfig


def is_read(session: Session) -> bool:
    return session.memory.is_read


@pytest.mark.parametrize("events", [3, 300])
async def test_memory_is_unread_until_it_is_needed(tmp_path: Path, events: int) -> None:
    """With a snapshot, and without one: then the whole journal is folded."""
    config = TenutoConfig(store=f"sqlite:///{tmp_path}/t.db", engine="text")
    first = Tenuto(config)
    session = await first.create_session(session_id="s")
    for number in range(events):
        session.add_memory(f"Fact {number}")
    await session.save()
    first.sessions_here["s"].driver.stop()
    await first.close()
    async with Tenuto(config) as second:
        session = await second.load_session("s", lazy_load=True)
        assert session.position == events + 2
        assert not is_read(session)
        assert "Fact 2" in [entry.content for entry in session.search_memory("fact 2")]
        assert is_read(session)
    async with Tenuto(config) as third:
        assert is_read(await third.load_session("s"))
