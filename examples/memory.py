"""What a session remembers: facts that were said, facts that were added, and how to find them again.

Prints:
    Total memories: 3
    Relevant: User prefers formal language
    Agent: You live in Rome.
    Before that: The user lives in Paris.
    Exported: 2
"""

import asyncio
import json

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        # What the user says is learned. A newer fact takes the older one's place.
        async with session.start_conversation() as conversation:
            await conversation.send_message("I live in Paris")
            await conversation.send_message("I moved to Rome")

        # What the program knows is added by hand.
        await session.add_memory(
            content="User prefers formal language", category="preference", importance=0.9
        )
        session.add_memory(content="Came in by phone", category="temporary")

        memory = session.get_memory()
        print(f"Total memories: {len(memory.entries)}")
        print(f"Memory usage: {memory.token_count}/{memory.max_tokens}")

        relevant = session.search_memory("language preference")
        print("Relevant:", relevant[0].content)

        # A later conversation knows all of it.
        async with session.start_conversation() as conversation:
            print("Agent:", (await conversation.send_message("Where do I live?")).text)
        trail = await session.memory.trail("place")
        print("Before that:", trail[0].content)

        session.clear_memory(category="temporary")
        exported = json.dumps(session.export_memory())
        print("Exported:", len(json.loads(exported)["entries"]))


if __name__ == "__main__":
    asyncio.run(main())
