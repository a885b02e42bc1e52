"""One memory for all sessions of a user, also when two of them are live at once.

Prints:
    The other session knows: ["The user's name is Alice."]
    A new session: Your name is Alice.
    Another user's: []
    Erased: []
"""

import asyncio

from tenuto import Session, SessionConfig, Tenuto, TenutoConfig

SHARED = SessionConfig(memory_scope="user")


def known(session: Session) -> list[str]:
    return [entry.content for entry in session.get_memory().entries]


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        async with (
            tenuto.session(user_id="alice", config=SHARED) as phone,
            tenuto.session(user_id="alice", config=SHARED) as browser,
        ):
            await phone.send_message("My name is Alice")
            print("The other session knows:", known(browser))

        async with tenuto.session(user_id="alice", config=SHARED) as session:
            reply = await session.send_message("What is my name?")
            print("A new session:", reply.text)

        async with tenuto.session(user_id="bob", config=SHARED) as session:
            print("Another user's:", known(session))

        await tenuto.forget_user_memory("alice")
        async with tenuto.session(user_id="alice", config=SHARED) as session:
            print("Erased:", known(session))


if __name__ == "__main__":
    asyncio.run(main())
