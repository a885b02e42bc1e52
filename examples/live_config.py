"""Settings of a session that runs: changed by assigning, journaled, and confirmed by the engine.

Prints:
    changed: {'temperature': 0.3}
    applied: 1
    version: 1
    version: 2
"""

import asyncio

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        session = await tenuto.create_session(user_id="alice")
        session.events.on("config.changed", lambda event: print("changed:", event.changes))
        session.events.on("config.applied", lambda event: print("applied:", event.version))

        # Before there is an engine: the newest settings wait for it.
        session.config.enable_adaptation = True  # It is already: nothing happens.
        session.config.temperature = 0.3
        await session.save()

        # The engine opens with them, and says so.
        print("reply:", (await session.send_message("My name is Alice")).text)
        print("version:", await session.config_applied())

        # While it is open: it is told, and answers. It says nothing to the user because of it.
        version = await session.update_config(language="en-GB", timezone="Europe/London")
        print("version:", await session.config_applied(version))

        # Several at once, with other updates: all of them or none.
        async with session.batch_update():
            session.config.greeting = "Welcome back."
            session.add_memory("Prefers mornings", category="scheduling")
        print(session.config)


asyncio.run(main())
