"""The states of a session while a program listens to a microphone of its own: a stream with a current value.

Prints:
    state: idle
    state: listening
    state: processing
    heard: Hello, how are you?
    answered: Fine, thank you.
    refused: invalid_transition
    state: idle
"""

import asyncio

from tenuto import Session, SessionStatus, Tenuto, TenutoConfig, TenutoError
from tenuto.testing.engine import Script, Step

SCRIPT = Script(Step(hear="Hello, how are you?", say=["Fine, thank you."], delay=0.05))
SPEECH = (64).to_bytes(2, "little") * 8_000  # What the first step of a script sounds like.
SILENCE = bytes(16_000)


async def watch(session: Session) -> None:
    async for state in session.state:
        print("state:", state.state)


async def main() -> None:
    # A script is in place of the engine, so that nothing has to be installed.
    async with (
        Tenuto(TenutoConfig(store="memory:"), engines=SCRIPT) as tenuto,
        tenuto.session(user_id="alice") as session,
    ):
        watching = asyncio.create_task(watch(session))
        await asyncio.sleep(0)
        answered = asyncio.Event()
        session.events.on("reply.ended", lambda event: answered.set())

        await session.start_listening(rate=16_000)
        for start in range(0, len(SPEECH + SILENCE), 640):  # frames of 20 ms
            session.hear((SPEECH + SILENCE)[start : start + 640])
        await answered.wait()
        await session.stop_listening()

        said, answer = (await session.history()).messages
        print("heard:", said.text)
        print("answered:", answer.text)
        assert session.state.value.state is SessionStatus.IDLE
        try:
            session.hear(SILENCE)
        except TenutoError as error:
            print("refused:", error.code)
        await session.close()
        await watching


if __name__ == "__main__":
    asyncio.run(main())
