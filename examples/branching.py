"""A branch knows its parent up to the fork; the parent gets a summary of it, and none of its turns.

Prints:
    the branch knows: Your name is Alice.
    physics_deep_dive branches from main
    main: 4 messages, branches ['physics_deep_dive']
    of the branch: Began with: What is my name?
    of the branch: User: I like the spin of electrons
    refused: conversation_not_found
    refused: conversation_exists
"""

import asyncio

from tenuto import Tenuto, TenutoConfig, TenutoError


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        # Main conversation
        main_conv = await session.start_conversation(conversation_id="main", parent_id=None)
        await main_conv.send_message("My name is Alice")

        # Branch for specific topic
        branch_conv = await session.start_conversation(
            conversation_id="physics_deep_dive", parent_id="main"
        )
        answer = await branch_conv.send_message("What is my name?")
        print("the branch knows:", answer.text.split(" You told")[0])
        await branch_conv.send_message("I like the spin of electrons")
        print(branch_conv.conversation_id, "branches from", branch_conv.parent_id)

        # Return to main conversation: context from the branch is available, but scoped.
        main_conv = await session.resume_conversation("main")
        await main_conv.send_message("Hello again")
        history = await main_conv.history()
        print(f"main: {len(history)} messages, branches {main_conv.branches}")
        for line in branch_conv.summary.splitlines():
            if "Agent" not in line:
                print("of the branch:", line)

        for name, parent in (("other", "nobody"), ("main", None)):
            try:
                await session.start_conversation(name, parent_id=parent)
            except TenutoError as error:
                print("refused:", error.code)


if __name__ == "__main__":
    asyncio.run(main())
