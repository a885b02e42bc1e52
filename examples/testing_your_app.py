"""Test an application without an agent: a session that does what the test says, and one that is real.

Prints:
    screen: Thinking...
    screen: It is noon.
    screen: Sorry, that did not work.
    a real session passes too: Hello.
"""

import asyncio
from typing import Any

from tenuto import SessionStatus, Tenuto, TenutoConfig, TenutoError
from tenuto.errors import EngineError
from tenuto.testing.engine import Script, Step
from tenuto.testing.mock_session import MockSession
from tenuto.testing.session_tester import SessionTester


class Screen:
    """Your application: it shows what a session does."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def show(self, text: str) -> None:
        print("screen:", text)

    async def ask(self, question: str) -> None:
        try:
            self.show((await self.session.send_message(question)).text)
        except TenutoError:
            self.show("Sorry, that did not work.")

    async def watch(self) -> None:
        async for state in self.session.state:
            if state.state is SessionStatus.PROCESSING:
                self.show("Thinking...")


async def main() -> None:
    session = MockSession({"What time is it?": "It is noon."}, delay=0.05)
    watching = asyncio.create_task((screen := Screen(session)).watch())
    await screen.ask("What time is it?")

    session.failures["send_message"] = EngineError("The agent cannot answer.")
    await screen.ask("What time is it?")
    await session.close()
    await watching

    script = Script(Step(hear="Hello", say=["Hello."]))  # What the agent of a real session says.
    async with Tenuto(TenutoConfig(store="memory:"), engines=script) as tenuto:
        real = await tenuto.create_session()
        reply = await SessionTester.test_session_lifecycle(real, "Hello")
        print("a real session passes too:", reply.text)


if __name__ == "__main__":
    asyncio.run(main())
