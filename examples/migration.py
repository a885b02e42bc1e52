"""Take a session to another system, where its user has another name.

Prints:
    imported for new_456, at position 11 of 11
    What's my name? Your name is Alice.
"""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "session.json"
        here = TenutoConfig(store=f"sqlite:///{folder}/here.db", engine="text")
        there = TenutoConfig(store=f"sqlite:///{folder}/there.db", engine="text")

        async with Tenuto(here) as tenuto, tenuto.session(user_id="old_123") as session:
            await session.send_message("My name is Alice")
            export_data = await session.export_full()
            await asyncio.to_thread(file.write_text, json.dumps(export_data))
            head = session.position

        # On different system
        async with Tenuto(there) as tenuto:
            imported_session = await tenuto.import_session(
                json.loads(await asyncio.to_thread(file.read_text)),
                user_id_mapping={"old_123": "new_456"},
            )
            user = imported_session.user_id
            position = len((await imported_session.archive.events())[:head])
            print(f"imported for {user}, at position {position} of {head}")
            reply = await imported_session.send_message("What's my name?")
            print("What's my name?", reply.text.split(". ")[0].rstrip(".") + ".")


if __name__ == "__main__":
    asyncio.run(main())
