"""Reconnect without losing the thread: each connection is a new one, and history reaches it once, in silence.

Prints:
    agent: open, messages: 2
    stopped: closed
    agent: open, messages: 2
    injected again and again: [0, 0, 0]
    smart: open already
    Your name is Alice.
"""

import asyncio

from tenuto import Session, Tenuto, TenutoConfig


async def show(session: Session) -> None:
    page = await session.history()
    print(f"agent: {session.connection_states['agent']}, messages: {len(page.messages)}")


async def smart_reconnection(session: Session) -> None:
    if session.connection_states["agent"] == "open":
        print("smart: open already")
    else:
        await session.start()


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        await session.start()  # Session 1, as the provider sees it
        await session.send_message("My name is Alice")
        await show(session)

        await session.stop()
        print("stopped:", session.connection_states["agent"])

        await session.start()  # Session 2 (completely new): what was said is restored into it
        await show(session)

        # An application that keeps a record of its own may give all of it, as often as it likes.
        page = await session.history()
        record = [{"role": m.role, "content": m.text} for m in page.messages]
        counts = [await session.inject_history(record) for _ in range(3)]
        print("injected again and again:", counts)

        await smart_reconnection(session)
        reply = await session.send_message("What is my name?")
        print(reply.text.split(" You told")[0])


if __name__ == "__main__":
    asyncio.run(main())
