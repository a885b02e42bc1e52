"""What a session and a conversation can say of themselves, while they run.

Prints:
    - Turn count: 2
    - Context injections: 1
    - Total messages: 4
    - Topics discussed: ['black holes', 'quantum physics']
"""

import asyncio

from tenuto import SessionConfig, Tenuto, TenutoConfig


async def main() -> None:
    config = SessionConfig(timezone="Europe/Rome")
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice", config=config) as session,
    ):
        async with session.start_conversation() as conversation:
            await conversation.send_message("I'm interested in quantum physics")
            await session.inject_message("system", "The user has ten minutes.")
            await conversation.send_message("Tell me about black holes, please")

            # Conversation-specific analytics, while it runs
            conv_analytics = conversation.get_analytics()
            print(f"""
Conversation Analytics:
- Duration: {conv_analytics["duration_seconds"]}s
- Turn count: {conv_analytics["turn_count"]}
- Interruptions: {conv_analytics["interruption_count"]}
- Context injections: {conv_analytics["injection_count"]}
- Response time: {conv_analytics["avg_response_time_ms"]}ms
""")

        # Get session analytics
        analytics = session.get_analytics()
        print(f"""
Session Analytics:
- Total conversations: {analytics["conversation_count"]}
- Total messages: {analytics["message_count"]}
- Average conversation duration: {analytics["avg_duration_seconds"]}s
- Topics discussed: {analytics["topics"]}
- User satisfaction: {analytics["satisfaction_score"]}/5
- Most active hours: {analytics["active_hours"]} in {analytics["timezone"]}
""")
        for turn in session.analytics.turns():
            print(f"turn {turn.turn} was answered after {turn.response_ms} ms")
        print("estimated cost:", session.analytics.estimated_cost())


if __name__ == "__main__":
    asyncio.run(main())
