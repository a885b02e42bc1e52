"""Listen to what happens to a session: everything, a group, one kind, or the next one only.

Prints:
    the first: attachment.attached
    conversation c1 started
    memory.added
    memory: The user's name is Alice.
    memory.removed
    iterated: memory.added
"""

import asyncio
from typing import Any

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        counts: dict[str, int] = {}

        def count(e: Any) -> None:
            counts[e.type] = counts.get(e.type, 0) + 1

        async def handle_memory_update(e: Any) -> None:
            print("memory:", e.content)

        # Handlers are called in the order of the journal, after an event is durable.
        session.events.on("*", count)
        session.events.once("*", lambda e: print("the first:", e.type))
        session.events.on("memory.added", handle_memory_update)
        session.events.on(
            "conversation.started", lambda e: print(f"conversation {e.conversation} started")
        )
        stop = session.events.on("memory.*", lambda e: print(e.type))

        await session.send_message("My name is Alice")
        await session.send_message("Forget my name")
        await session.save()
        stop()
        session.events.off(handle_memory_update)

        # Or iterate: what comes waits to be read.
        reader = aiter(session.events)
        await session.add_memory("Likes tea.")
        print("iterated:", (await anext(reader)).type)
        print("events:", sum(counts.values()), "of", session.position)


if __name__ == "__main__":
    asyncio.run(main())
