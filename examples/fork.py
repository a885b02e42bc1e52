"""Try something in a copy: two sessions that share one past, and nothing after it.

Prints:
    original: Your name is Alice.
    copy: Your name is Alicia.
"""

import asyncio

from tenuto import Session, Tenuto, TenutoConfig


async def name_in(session: Session) -> str:
    reply = await session.send_message("What is my name?")
    return reply.text.split(". ")[0].rstrip(".") + "."


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        original = await tenuto.create_session(user_id="alice")
        await original.send_message("My name is Alice")

        # `at=` takes a position: the copy begins there, as it was then.
        copy = await original.fork()
        await copy.send_message("No, it's Alicia")

        print("original:", await name_in(original))
        print("copy:", await name_in(copy))


if __name__ == "__main__":
    asyncio.run(main())
