"""A memory that is nearly full: compress what is old, put the rest into categories, and let it expire.

Prints:
    Full to more than 80 %
    Combined 60 memories into 1
    Full to less than 25 %
    Scheduled: Prefers morning appointments
"""

import asyncio
from datetime import UTC, datetime, timedelta

from tenuto import SessionConfig, Tenuto, TenutoConfig


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(config=SessionConfig(max_memory_size=800)) as session,
    ):
        # Two weeks of small things, as they come from another system.
        long_ago = datetime.now(UTC) - timedelta(days=14)
        session.import_memory(
            [
                {
                    "content": f"On day {number} of the course, lesson {number} was done.",
                    "timestamp": (long_ago + timedelta(hours=number)).isoformat(),
                    "importance": 0.3,
                    "category": "course",
                }
                for number in range(1, 61)
            ]
        )

        if session.memory_usage > 0.8:  # 80 % full
            print("Full to more than 80 %")
            # The main sentences of what is old stay, in a quarter of the tokens.
            done = await session.compress_memory(keep_recent_days=7)
            print(f"Combined {done.combined} memories into {len(done.entries)}")
        if session.memory_usage < 0.25:
            print("Full to less than 25 %")

        session.add_memory(
            content="Prefers morning appointments", category="scheduling", expires_after_days=30
        )
        (entry,) = session.search_memory("when to meet in the morning", category="scheduling")
        print("Scheduled:", entry.content)
        print("until", entry.expires_at)


if __name__ == "__main__":
    asyncio.run(main())
