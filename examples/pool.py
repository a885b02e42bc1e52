"""At most two sessions at a time: whoever comes when all are out waits for a place.

Prints:
    out: 2, waiting: 1
    carol was served after alice left
    nobody waits for ever: pool_timeout
"""

import asyncio

from tenuto import SessionPool, Tenuto, TenutoConfig, TenutoError


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        SessionPool(tenuto, limit=2, timeout=10) as pool,
    ):
        alice = await pool.get_session(user_id="alice")
        async with pool.checkout(user_id="bob"):
            carol = asyncio.create_task(pool.get_session(user_id="carol"))
            await asyncio.sleep(0)  # Carol's turn to ask.
            print(f"out: {len(pool.sessions)}, waiting: {pool.waiting}")

            # What comes back is ended: nothing of it reaches whoever is next.
            await pool.return_session(alice)
            session = await carol
            print(session.user_id, "was served after alice left")

            try:
                await pool.get_session(user_id="dave", timeout=0.01)
            except TenutoError as error:
                print("nobody waits for ever:", error.code)
            await pool.return_session(session)


if __name__ == "__main__":
    asyncio.run(main())
