"""Look into a session: what happened, how its machines moved, what may be the matter. What people say is left out.

Prints:
    life: detached -> live
    turn: idle -> thinking
    turn: thinking -> speaking
    turn: speaking -> idle
    memory: [1]
    errors: 0
    hint: `timezone` is not set: the hours of analytics are those of UTC.
    the log is free of speech: True
"""

import asyncio
import json

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    async with (
        Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        session.enable_debug()
        await session.send_message("My name is Alice")
        await session.save()

        debug_info = session.get_debug_info()
        for move in debug_info["state_transitions"]:
            if move["machine"] in ("life", "turn"):
                print(f"{move['machine']}: {move['from']} -> {move['to']}")
        print("memory:", [snapshot["entries"] for snapshot in debug_info["memory_snapshots"]])
        print("events:", len(debug_info["events"]), "of", debug_info["position"])
        print("errors:", debug_info["error_count"])
        for hint in debug_info["hints"]:
            print("hint:", hint)

        debug_logs = json.dumps(session.export_debug_logs())
        print("the log is free of speech:", "Alice" not in debug_logs)


if __name__ == "__main__":
    asyncio.run(main())
