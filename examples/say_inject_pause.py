"""What an application does with a session: speak, inject, instruct, pause, reset.

Prints:
    agent: Your taxi is here.
    injected: 2, then 0
    instructions: You are a technical support assistant.
    paused: invalid_transition
    after the pause: Nice to meet you, Alice.
    reset: c2 ['c1', 'c2']
"""

import asyncio

from tenuto import Tenuto, TenutoConfig, TenutoError

RECORD = [
    {"role": "user", "content": "My order is late."},
    {"role": "assistant", "content": "I am sorry to hear that."},
]


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        # The agent says something that nobody asked for.
        await session.speak("Your taxi is here.")
        history = await session.history()
        print("agent:", history.messages[-1].text)

        # Put what was said elsewhere into the context: each message once, and none is answered.
        counts = [await session.inject_history(RECORD) for _ in range(2)]
        print(f"injected: {counts[0]}, then {counts[1]}")

        # Another role from now on. The engine is told when no other update has come for half a second.
        session.update_instructions(
            "You are a technical support assistant.",
            context={"messages": [{"type": "History", **message} for message in RECORD]},
        )
        print("instructions:", session.config.instructions)

        # A pause stops everything that bills. What is said meanwhile is refused.
        await session.pause()
        try:
            await session.send_message("My name is Alice")
        except TenutoError as error:
            print("paused:", error.code)
        await session.resume()
        print("after the pause:", (await session.send_message("My name is Alice")).text)

        # Begin anew: settings and memory stay.
        fresh = await session.reset()
        print("reset:", fresh.conversation_id, [info.id for info in session.conversations])


if __name__ == "__main__":
    asyncio.run(main())
