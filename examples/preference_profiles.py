"""What was learned in one session, taken to another; and the profiles of two sessions made one.

Prints:
    the new session says: Hi.
    merged of 6 messages: formality 0.40
"""

import asyncio
import json

from tenuto import SessionProfile, Tenuto, TenutoConfig

CASUAL = ("hey whats up lol", "yeah gonna grab some food", "cool thx, wanna chat")
FORMAL = (
    "Good morning. Could you please tell me what time it is?",
    "Thank you very much. Would you kindly remind me in one hour to call Dr. Smith?",
    "I would appreciate it if you could tell me today's date, please.",
)


async def learned_from(tenuto: Tenuto, texts: tuple[str, ...]) -> SessionProfile:
    async with tenuto.session() as session:
        for text in texts:
            await session.send_message(text)
        return session.export_preference_profile()


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        profile1 = await learned_from(tenuto, CASUAL)
        profile2 = await learned_from(tenuto, FORMAL)

        # A profile is plain data: keep it where you keep your users.
        kept = json.dumps(profile1.to_dict())
        new_session = tenuto.create_session(user_id="user_789", preference_profile=json.loads(kept))
        print("the new session says:", (await new_session.send_message("hey")).text)

        combined = SessionProfile.merge([profile1, profile2])
        print(f"merged of {combined.formality_count} messages: formality {combined.formality:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
