"""Milestones as they are reached, and metrics of your own.

Prints:
    Milestone reached: first conversation
    task_completed: 1 times, 1.0 on average
    satisfaction: 4.0
"""

import asyncio

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        # Subscribe to analytics events
        session.events.on(
            "analytics.milestone", lambda e: print(f"Milestone reached: {e.milestone}")
        )

        async with session.conversation() as conversation:
            for number in range(1, 6):
                await conversation.send_message(f"My lucky number is {number}")

        # Track custom metrics
        session.track_metric("task_completed", 1)
        session.track_metric("user_satisfaction", 4.5)
        await session.track_metric("user_satisfaction", 3.5)  # awaited: it is durable

        # Get custom metrics
        custom_metrics = session.get_custom_metrics()
        for name, metric in custom_metrics.items():
            print(f"{name}: {metric['count']} times, {metric['mean']} on average")
        print("satisfaction:", session.get_analytics()["satisfaction_score"])


if __name__ == "__main__":
    asyncio.run(main())
