"""Several sessions of one user, of which one is current: what a list of chats on a screen needs.

Prints:
    2 sessions
    user: Let us talk of jazz.
    physics again: user: Let us talk of quantum physics.
"""

import asyncio

from tenuto import SessionManager, Tenuto, TenutoConfig


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        manager = SessionManager(tenuto, user_id="alice")

        physics = await manager.create_session({"topic": "physics"})
        await manager.add_message("user", "Let us talk of quantum physics.")
        await manager.create_session({"topic": "music"})
        await manager.add_message("user", "Let us talk of jazz.")
        print(len(manager.sessions), "sessions")

        for entry in await manager.get_conversation_history():
            print(f"{entry['role']}: {entry['content']}")

        await manager.switch_session(physics.session_id)
        for entry in await manager.get_conversation_history():
            print(f"physics again: {entry['role']}: {entry['content']}")

        await manager.save_session()
        await manager.close_all_sessions()


if __name__ == "__main__":
    asyncio.run(main())
