"""Share a session with another user: what they may see and do, and what the audit says of it.

Prints:
    said: ['My name is Alice', 'Nice to meet you, Alice.']
    known: ['Prefers mornings.', "The user's name is Alice."]
    refused: permission_denied
    refused: share_revoked
    share.accessed doctor_456 speak permission
"""

import asyncio

from tenuto import Tenuto, TenutoConfig
from tenuto.errors import NotAllowed, ShareRevoked


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        session = tenuto.create_session(user_id="patient_123")
        session.add_memory("Prefers mornings.", category="scheduling")
        session.add_memory("Takes medication X.", category="medical", sensitive=True)
        await session.send_message("My name is Alice")

        # Share session between users (with permissions)
        shared_session = session.create_shared_view(
            shared_with_user_id="doctor_456",
            permissions=["read", "add_notes"],
            expire_after_hours=24,
        )

        # Access shared session
        shared = await tenuto.access_shared_session(
            share_token=shared_session.token, user_id="doctor_456"
        )
        print("said:", [message.text for message in (await shared.history()).messages])
        print("known:", [memory.content for memory in await shared.memory()])
        await shared.add_note("Book a follow-up.")

        try:
            await shared.send_message("Hello")
        except NotAllowed as error:
            print("refused:", error.code)
        try:
            await tenuto.access_shared_session(shared_session.token, user_id="somebody_else")
        except NotAllowed as error:
            print("refused:", error.code)

        await session.shares.revoke(shared.share)
        try:
            await shared.history()
        except ShareRevoked as error:
            print("refused:", error.code)

        for entry in await session.shares.audit():
            print(entry.event, entry.user, entry.action, entry.refused)


if __name__ == "__main__":
    asyncio.run(main())
