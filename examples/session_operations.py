"""A session from its first message to the day after: conversation, save, load, resume.

Prints:
    Hello.
    Session ID: sess_abc123
    User ID: alice
    Active: True
    closed: False
    resumed: c1
    Your name is Alice.
"""

import asyncio

from tenuto import SessionConfig, Tenuto, TenutoConfig


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        config = SessionConfig(session_id="sess_abc123", user_id="alice")
        session = await tenuto.create_session(config=config)

        # Start a conversation within session
        conversation = await session.start_conversation()

        # Send messages
        response = await conversation.send_message("Hello!")
        print(response.text)
        await conversation.send_message("My name is Alice")

        # Access session info
        print(f"Session ID: {session.session_id}")
        print(f"User ID: {session.user_id}")
        print(f"Active: {session.is_active}")

        # Save session state
        await session.save()
        await session.close()
        print("closed:", session.is_active)

        # Load existing session
        session = await tenuto.load_session(session_id="sess_abc123")

        # Resume conversation with context
        conversation = await session.resume_conversation()
        print("resumed:", conversation.conversation_id)
        response = await conversation.send_message("What is my name?")
        print(response.text.split(" You told")[0])

        # Close session
        await session.close()


if __name__ == "__main__":
    asyncio.run(main())
