"""Conversations of one session: what was told in one is known in the next, and each has a history of its own.

Prints:
    first: Nice to meet you, Alice.
    later: Your name is Alice and you are interested in quantum physics.
    later: Last time you said: "My name is Alice" and "I'm interested in quantum physics".
    resumed: c1 with 4 messages
    again: You said: "I'm interested in quantum physics".
"""

import asyncio

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        # First conversation
        async with session.start_conversation() as conv:
            print("first:", (await conv.send_message("My name is Alice")).text)
            await conv.send_message("I'm interested in quantum physics")

        # Later conversation (same session)
        async with session.start_conversation() as conv:
            response = await conv.send_message("What's my name and interest?")
            print("later:", response.text)
            response = await conv.send_message("What did we talk about last time?")
            print("later:", response.text)

        # Or go on with the first one: its own messages are what the agent is told.
        conv = await session.resume_conversation("c1")
        print("resumed:", conv.conversation_id, "with", len(await conv.history()), "messages")
        print("again:", (await conv.send_message("What did I say last?")).text)


if __name__ == "__main__":
    asyncio.run(main())
