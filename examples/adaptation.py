"""What a session learns of how somebody speaks, what that changes, and how to decide otherwise.

Prints:
    learned: formality 0.153
    formality_score: 0.153
    speaking_pace: None
    adapted: Hi.
    decided: Hello again.
    learned, and decided otherwise: {'formality': 'always_formal'}
"""

import asyncio

from tenuto import Tenuto, TenutoConfig

CASUAL = ("hey whats up lol", "yeah gonna grab some food", "cool thx, wanna chat")


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        # Whoever asks is told when something was learned, or has changed enough.
        session.events.on("preference.learned", lambda e: print("learned:", e.name, e.value))
        async with session.conversation() as conversation:
            for text in CASUAL:
                await conversation.send_message(text)

        preferences = session.get_learned_preferences()
        for name in ("formality_score", "avg_message_length", "technical_level", "speaking_pace"):
            print(f"{name}: {preferences[name]}")

        # enable_adaptation is on: the agent is told, and speaks as the user does.
        async with session.conversation() as conversation:
            print("adapted:", (await conversation.send_message("hey")).text)

            # A decision holds over all that is learned.
            await session.set_preference("formality", "always_formal")
            print("decided:", (await conversation.send_message("hey")).text)

        overrides = session.get_learned_preferences()["overrides"]
        print("learned, and decided otherwise:", overrides)


if __name__ == "__main__":
    asyncio.run(main())
