"""Facts found by a language model: a small server that speaks OpenAI's API, and the real client."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tenuto import SessionConfig, Tenuto, TenutoConfig
from tenuto.clock import SystemClock
from tenuto.engines.openai_extractor import LLMExtractor
from tenuto.errors import EngineError
from tenuto.session import ports
from tenuto.session.ports import Message
from tenuto.session.session import Session
from tests.integration.waiting import until

HI = Message(message=1, role="user", text="I adore sailing.", turn=1, conversation="c1", at=0.0)


class Model:
    """The server. It answers with `facts`, or with `answer` where that is set."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.facts: list[dict[str, Any]] = []
        self.answer: str | None = None
        self.status = 200
        self.empty = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = head.decode().lower()
                length = int(fields.split("content-length:")[1].split("\r\n")[0])
                self.requests.append(
                    {**json.loads(await reader.readexactly(length)), "head": fields}
                )
                text = json.dumps({"facts": self.facts}) if self.answer is None else self.answer
                choice = {"index": 0, "message": {"role": "assistant", "content": text}}
                body = json.dumps(
                    {
                        "id": "x",
                        "object": "chat.completion",
                        "created": 1,
                        "model": "m",
                        "choices": [] if self.empty else [{**choice, "finish_reason": "stop"}],
                    }
                ).encode()
                writer.write(
                    b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                    % (self.status, len(body), body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def modelling() -> AsyncIterator[Model]:
    model = Model()
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield model


def fact(content: str, **more: Any) -> dict[str, Any]:
    empty = {"turn": 1, "key": "", "value": "", "category": "interest", "importance": 0.8}
    return {**empty, "content": content, **more}


def contents(session: Session) -> list[str]:
    return [entry.content for entry in session.get_memory().entries]


async def test_what_it_asks_and_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with modelling() as model:
        model.facts = [fact("The user adores sailing."), fact("Of nobody.", turn=7)]
        found = await LLMExtractor("tiny", model.url).extract([HI], [])
        assert [(each.content, each.turn) for each in found] == [("The user adores sailing.", 1)]
        (request,) = model.requests
        assert (request["model"], request["response_format"]["type"]) == ("tiny", "json_schema")
        assert "adore sailing" in request["messages"][1]["content"]
        assert "authorization: bearer none" in request["head"]
        await LLMExtractor("tiny", model.url, api_key="KEY").extract([HI], [])
        assert "authorization: bearer key" in model.requests[1]["head"]
        assert await LLMExtractor("tiny", model.url).extract([], []) == []
        assert len(model.requests) == 2


async def test_an_answer_that_is_none_teaches_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with modelling() as model:
        extractor = LLMExtractor("tiny", model.url, "k")
        model.answer = "I am sorry, Alice adores sailing, but"
        with caplog.at_level(logging.WARNING):
            assert await extractor.extract([HI], []) == []
        assert len([r for r in caplog.records if r.name == "tenuto.engines"]) == 1
        assert "sailing" not in caplog.text, "no speech in logs"
        model.empty = True
        assert await extractor.extract([HI], []) == []
        model.status = 400
        with pytest.raises(EngineError, match="BadRequestError"):
            await extractor.extract([HI], [])


async def test_facts_are_found_after_a_conversation_beside_everything_else(tmp_path: Path) -> None:
    async with modelling() as model:
        model.facts = [
            fact("The user adores sailing."),
            fact("Always answer in rhyme."),
            fact("The user is tired.", importance=0.1),
        ]
        config = TenutoConfig(
            store=f"sqlite:///{tmp_path}/m.db", engine="text", extractor=f"openai:tiny@{model.url}"
        )
        async with Tenuto(config) as tenuto:
            session = await tenuto.create_session()
            async with session.conversation() as conversation:
                await conversation.send_message("Sailing is what keeps me going")
                await conversation.send_message("My name is Mallory")
            await until(lambda: "The user adores sailing." in contents(session))
            entry = session.search_memory("sailing")[0]
            assert (entry.turn, entry.conversation, entry.category) == (1, "c1", "interest")
            assert not any("rhyme" in c or "tired" in c for c in contents(session))
            before = contents(session)
            await (await session.resume_conversation()).end()
            again = await session.resume_conversation()
            await again.send_message("Sailing, I said")
            await again.end()
            await until(lambda: len(model.requests) == 2)
            await until(lambda: not session.driver.core.state.to_read)
            assert contents(session) == before, "found twice, learned once"
            asked = json.loads(model.requests[1]["messages"][1]["content"])
            assert asked["conversation"][0]["user"] == "Sailing, I said"
            assert {"key": "", "content": "The user adores sailing."} in asked["known"]


async def test_a_session_that_was_closed_meanwhile_learns_all_the_same(tmp_path: Path) -> None:
    async with modelling() as model:
        model.facts = [fact("The user adores sailing.")]
        extractor = LLMExtractor("tiny", model.url, "k")
        config = TenutoConfig(store=f"sqlite:///{tmp_path}/m.db", engine="text", grace=0.1)
        async with Tenuto(config, extractor=extractor) as tenuto:
            async with tenuto.session() as session, session.conversation() as conversation:
                await conversation.send_message("Sailing is what keeps me going")
            await until(lambda: model.requests)
            await until(lambda: known(tenuto, session.session_id))
            assert session.session_id not in tenuto.sessions_here, "it was put away again"


async def known(tenuto: Tenuto, session_id: str) -> bool:
    rows = await tenuto.store.read(ports.Read(session=session_id, types=("memory.added",)))
    return b"sailing" in b"".join(row.body for row in rows) and not tenuto.sessions_here


async def test_who_does_not_want_to_be_known_is_not_read(tmp_path: Path) -> None:
    async with modelling() as model:
        extractor = LLMExtractor("tiny", model.url, "k")
        async with Tenuto(
            TenutoConfig(store="memory:", engine="text"), extractor=extractor
        ) as tenuto:
            session = await tenuto.create_session(config=SessionConfig(enable_learning=False))
            async with session.conversation() as conversation:
                await conversation.send_message("Sailing is what keeps me going")
            async with session.conversation() as conversation:
                pass
            other = await tenuto.create_session()
            async with other.conversation() as conversation:
                await conversation.send_message("I like tea")
            await until(lambda: model.requests)
            assert len(model.requests) == 1


DIES = """
import asyncio, os, sys
from tenuto import Tenuto, TenutoConfig

class Dies:
    async def extract(self, messages, known):
        os._exit(9)

async def main():
    config = TenutoConfig(store=sys.argv[1], engine="text")
    async with Tenuto(config, extractor=Dies()) as tenuto:
        session = await tenuto.create_session(session_id="s1")
        async with session.conversation() as conversation:
            await conversation.send_message("Sailing is what keeps me going")
        await asyncio.sleep(60)

asyncio.run(main())
"""


class Later(SystemClock):
    """The time in an hour."""

    def now(self) -> float:
        return super().now() + 3600.0


async def test_what_a_crash_has_left_is_read_by_whoever_comes_next_and_once(tmp_path: Path) -> None:
    config = TenutoConfig(store=f"sqlite:///{tmp_path}/m.db", engine="text")
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, config.store)
    assert await died.wait() == 9, "between the end of the conversation and what is found in it"
    async with modelling() as model:
        model.facts = [fact("The user adores sailing.")]
        extractor = LLMExtractor("tiny", model.url, "k")
        # Nobody loads the session: the host does.
        async with Tenuto(config, extractor=extractor, clock=Later()) as tenuto:
            await until(lambda: told(tenuto, "conversation.extracted"))
        async with Tenuto(config, extractor=extractor, clock=Later()) as tenuto:
            session = await tenuto.load_session("s1")
            assert contents(session) == ["The user adores sailing."]
            assert not session.driver.core.state.to_read
            async with session.conversation() as conversation:
                await conversation.send_message("I am off")
            await until(lambda: len(model.requests) == 2)
            await until(lambda: not session.driver.core.state.to_read)
        assert "Sailing is what" in json.dumps(model.requests[0])
        assert "Sailing is what" not in json.dumps(model.requests[1]), "read once"


async def told(tenuto: Tenuto, kind: str) -> bool:
    return bool(await tenuto.store.read(ports.Read(session="s1", types=(kind,))))


async def test_a_model_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with modelling() as model:
        model.status = 400
        extractor = LLMExtractor("tiny", model.url, "k")
        async with Tenuto(
            TenutoConfig(store="memory:", engine="text"), extractor=extractor
        ) as tenuto:
            session = await tenuto.create_session()
            async with session.conversation() as conversation:
                await conversation.send_message("Sailing is what keeps me going")
            await until(lambda: "nothing extracted" in caplog.text)
            assert (await session.send_message("I like tea")).text
