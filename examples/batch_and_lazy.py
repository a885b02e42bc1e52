"""Several updates saved as one, or not at all; and a session that is loaded without its memory.

Prints:
    saved together: memory.added, preference.set, metric.tracked
    the batch failed: nothing of it is there
    memory is read: False
    memory is read: True
"""

import asyncio
from tempfile import TemporaryDirectory

from tenuto import Tenuto, TenutoConfig


async def main() -> None:
    with TemporaryDirectory() as folder:
        config = TenutoConfig(store=f"sqlite:///{folder}/tenuto.db", engine="text")
        async with Tenuto(config) as tenuto, tenuto.session(session_id="123") as session:
            before = session.position
            with session.batch_update():
                session.add_memory("Prefers mornings.", category="scheduling")
                session.update_preference("verbosity", "brief")
                session.track_metric("task_completed", 1)
            # All updates saved together
            await session.save()
            made = await session.archive.events(after=before)
            print("saved together:", ", ".join(event.type for _, event in made))

            before = session.position
            try:
                with session.batch_update():
                    session.add_memory("Half of it.")
                    raise RuntimeError("something went wrong")
            except RuntimeError:
                nothing = session.position == before
                print("the batch failed:", "nothing of it is there" if nothing else "?")

        async with Tenuto(config) as tenuto:
            session = await tenuto.load_session(session_id="123", lazy_load=True)
            print("memory is read:", session.memory.is_read)
            session.search_memory("when to meet")
            print("memory is read:", session.memory.is_read)


if __name__ == "__main__":
    asyncio.run(main())
