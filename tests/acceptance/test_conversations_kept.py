"""Conversations, branches and pauses outlive the host: another one folds them from the same file."""

from pathlib import Path
from typing import Any

from tenuto import Tenuto, TenutoConfig
from tenuto.session import fold
from tenuto.session.session import Session


def context(session: Session) -> Any:
    return session.driver.core.linking.context()


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


async def test_conversations_outlive_the_host(tmp_path: Path) -> None:
    config = TenutoConfig(store=f"sqlite:///{tmp_path}/t.db", engine="text")
    async with Tenuto(config) as tenuto:
        session = await tenuto.create_session(user_id="alice")
        main = await session.start_conversation("main")
        await main.send_message("I need a table for 4")
        branch = await session.start_conversation("branch", parent_id="main")
        await branch.send_message("I like the window")
        await session.resume_conversation("main").send_message("I come at 8")
        assert await session.inject_history([("user", "I am Alice")]) == 1
        await session.inject_message("system", "Be kind", key="kind")
        await session.pause()
        was, infos, told = (
            fold.encode(session.driver.core.state),
            session.conversations,
            context(session),
        )
        name, position = session.session_id, await session.commit()
    async with Tenuto(config) as tenuto:
        session = await tenuto.load_session(name)
        assert fold.encode(await session.archive.state_at(position)) == was
        assert (session.conversations, session.is_paused) == (infos, True)
        assert texts(context(session).messages) == texts(told.messages)
        assert context(session).summary == told.summary
        assert "I like the window" in told.summary
        await session.resume()
        assert await session.inject_history([("user", "I am Alice")]) == 0
        await session.inject_message("system", "Be kind", key="kind")
        assert session.conversations == infos
        assert session.resume_conversation().conversation_id == "main"
        history = await session.resume_conversation("branch").history()
        assert texts(history)[0] == "I like the window"
        assert "I come at 8" not in texts(context(session).messages)
