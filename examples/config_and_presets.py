"""Settings of a session: its own, a preset's and the host's, and where each of them comes from.

Prints:
    0.5 hybrid
    0.8 {'agent': {'language': 'en-GB'}, 'preset': {'temperature': 0.5}, 'session': {'temperature': 0.8}}
    config_invalid ('temprature', 'memory_mode')
"""

import asyncio

from tenuto import SessionConfig, SessionPresets, Tenuto, TenutoConfig
from tenuto.errors import InvalidConfig


async def main() -> None:
    config = TenutoConfig(store="memory:", engine="text", agent={"language": "en-GB"})
    async with Tenuto(config) as tenuto:
        # Settings of its own. The id that was made up with them is the session's.
        tutor = SessionConfig(
            instructions="You are a friendly tutor", memory_mode="persistent", enable_learning=True
        )
        session = await tenuto.create_session(user_id="user_123", config=tutor)
        print(session.session_id == tutor.session_id, session.config)

        # A preset, as it is or by its name, and a setting that goes before it.
        session = await tenuto.create_session(user_id="user_456", preset=SessionPresets.EDUCATIONAL)
        print(session.config.temperature, session.config.memory_mode)
        session = await tenuto.create_session(preset="educational", config={"temperature": 0.8})
        print(session.config.temperature, session.config.layers)

        # What is wrong is named, with what is accepted, and nothing is made.
        try:
            tenuto.create_session(config={"temprature": 0.3, "memory_mode": "forever"})
        except InvalidConfig as error:
            print(error.code, error.fields)


asyncio.run(main())
