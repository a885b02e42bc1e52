"""Go on with a chat that was kept as a list of messages, as chat APIs have them.

Prints:
    instructions: Answer in one sentence.
    user: My name is Alice.
    agent: Nice to meet you, Alice!
    What did I say? You said: "My name is Alice.".
"""

import asyncio

from tenuto import Tenuto, TenutoConfig

CHAT = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "My name is Alice."},
    {"role": "assistant", "content": "Nice to meet you, Alice!"},
]


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        # What kind of data it is, is found out; nothing is written before all of it was checked.
        session = await tenuto.import_session(CHAT)
        print("instructions:", session.config.instructions)
        for message in (await session.history()).messages:
            print(f"{message.role}: {message.text}")

        async with session.resume_conversation() as conversation:
            reply = await conversation.send_message("What did I say?")
            print("What did I say?", reply.text)


if __name__ == "__main__":
    asyncio.run(main())
