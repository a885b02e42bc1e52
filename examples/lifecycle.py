"""The life of a session: saved and closed in the end, whatever happens in between; and gone on with later.

Prints:
    saved and closed, also when something went wrong
    known later: The user's name is Alice.
    ended for good: session_ended
"""

import asyncio

from tenuto import Tenuto, TenutoConfig, TenutoError


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        # Good: proper session cleanup
        session = await tenuto.create_session(user_id="123")
        try:
            conversation = await session.start_conversation()
            await conversation.send_message("My name is Alice")
            raise RuntimeError("something went wrong")
        except RuntimeError:
            print("saved and closed, also when something went wrong")
        finally:
            await session.save()
            await session.close()

        # Better: use context managers. They save and close, also when something goes wrong.
        async with tenuto.session(user_id="123") as another, another.conversation() as conv:
            await conv.send_message("Hello")

        # A session that was closed is in the store: any host can go on with it.
        session = await tenuto.load_session(session.session_id)
        print("known later:", session.get_memory().entries[0].content)

        # One that was ended can only be read.
        await session.end()
        try:
            await tenuto.load_session(session.session_id)
        except TenutoError as error:
            print("ended for good:", error.code)


if __name__ == "__main__":
    asyncio.run(main())
