"""A scripted server of tenuto.v1, for tests of the talk page alone: one session in RAM, tones for a
voice, and a back door.

    python tests/web/fake_server.py PORT [KEY]

POST /_fake/drop cuts every socket, /_fake/refuse makes the next resume token bad, /_fake/supersede
closes with 4001, and /_fake/event appends the event in its body; GET /_fake/seen returns what
clients sent. With a KEY, REST asks for it.
"""

import asyncio
import itertools
import math
import struct
import sys
import time
from pathlib import Path
from typing import Any, Literal

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tenuto.server import pages
from tenuto.wire import native

STATIC = Path(__file__).parents[2] / "src" / "tenuto" / "server" / "static"
RATE = 22_050
FRAME = RATE // 50
EPOCH = "0123456789abcdef"
SESSION = "0197f3a2-5c1e-7d44-9b0a-3f6f1c2d8e57"
PACE = 30
"""Characters a second of its voice."""
LOUD = 1_000
"""Above this a sample of the microphone is speech."""
ANSWERS = {
    "name is": (
        [
            "Nice to meet you, Alice.",
            "Quantum physics is a fine thing to like.",
            "I will remember both.",
        ],
        [],
    ),
    "what": (["Your name is Alice.", "You like quantum physics."], [1]),
}


def tone(seconds: float, pitch: float) -> bytes:
    samples = (
        round(6_000 * math.sin(2 * math.pi * pitch * n / RATE) * min(1.0, n / 400))
        for n in range(round(seconds * RATE))
    )
    return b"".join(struct.pack("<h", sample) for sample in samples)


class Fake:
    """One session, and all who are attached to it."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.journal: list[dict[str, Any]] = []
        self.sockets: set[WebSocket] = set()
        self.tokens: set[str] = set()
        self.tickets: set[str] = set()
        self.numbers = itertools.count(1)
        self.seen: list[dict[str, Any]] = []
        self.mic_until = 0
        self.loud_at = 0
        self.speaking = False
        self.memories: dict[int, dict[str, Any]] = {}
        self.alarms: dict[int, dict[str, Any]] = {}
        self.answering: asyncio.Task[None] | None = None
        self.heard = 0.0
        self.done = asyncio.Event()
        self.commands = 0
        self.status = "idle"

    # ----------------------------------------------------------------------------------------- REST

    def refused(self, request: Request) -> Response | None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            fault = {
                "code": "authentication_failed",
                "message": "A key is wanted.",
                "retryable": False,
            }
            return JSONResponse({"error": fault}, 401)
        return None

    async def create(self, request: Request) -> Response:
        return self.refused(request) or JSONResponse({"session_id": SESSION}, 201)

    async def ticket(self, request: Request) -> Response:
        ticket = f"ticket{next(self.numbers)}"
        self.tickets.add(ticket)
        return self.refused(request) or JSONResponse({"ticket": ticket}, 201)

    async def history(self, request: Request) -> Response:
        before = int(request.query_params.get("before", 10**9))
        limit = int(request.query_params.get("limit", 50))
        found = [
            (place, event)
            for place, event in enumerate(self.journal, 1)
            if event["type"] == "message.added" and place < before
        ]
        stamp = "2026-01-01T12:00:00.000Z"
        shown = [{**event, "at": stamp} for _, event in found[-limit:]]
        more = found[-limit][0] if len(found) > limit else None
        return JSONResponse({"messages": shown, "next": more})

    async def back_door(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "seen":
            return JSONResponse(self.seen)
        if name == "event":
            await self.append(await request.json())
        if name == "tell":
            await self.tell(**await request.json())
        if name == "refuse":
            self.tokens.clear()
        for socket in list(self.sockets):
            if name == "drop":
                await socket.close(1012)
            if name == "rewind":
                await self.send(socket, native.Rewind(**await request.json()))
            if name == "supersede":
                await socket.close(native.CloseCode.SUPERSEDED)
        return JSONResponse({})

    # ----------------------------------------------------------------------------------- the socket

    async def attach(self, socket: WebSocket) -> None:
        await socket.accept(native.SUBPROTOCOL)
        try:
            first = native.decode_client(await socket.receive_text())
            assert isinstance(first, native.Attach)
            self.seen.append({"attach": msgspec.to_builtins(first)})
            if not await self.let_in(socket, first):
                return
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("bytes"):
                    await self.hear(message["bytes"])
                else:
                    await self.take(socket, native.decode_client(message["text"]))
        except WebSocketDisconnect:
            pass
        finally:
            self.sockets.discard(socket)

    async def let_in(self, socket: WebSocket, attach: native.Attach) -> bool:
        offered = [
            p.removeprefix(native.TICKET_PREFIX)
            for p in socket.scope["subprotocols"]
            if p.startswith(native.TICKET_PREFIX)
        ]
        if attach.token in self.tokens:
            self.tokens.discard(attach.token)
        elif not (offered and offered[0] in self.tickets):
            await self.send(
                socket, native.Error(code="authentication_failed", message="No ticket.")
            )
            await socket.close(native.CloseCode.REFUSED)
            return False
        token = f"token{next(self.numbers)}"
        self.tokens.add(token)
        head = len(self.journal)
        mode: Literal["fresh", "replay", "snapshot"] = (
            "fresh" if not head else "replay" if attach.have else "snapshot"
        )
        attached = native.Attached(
            session=SESSION,
            epoch=EPOCH,
            attachment=next(self.numbers),
            role="controller",
            mode=mode,
            recovered=mode == "replay",
            head=head,
            token=token,
            commands=self.commands,
            mic=self.mic_until,
            hears=attach.mic.rate if attach.mic else 0,
            speaks=RATE,
        )
        await self.send(socket, attached)
        if mode == "snapshot":
            state = msgspec.json.encode(self.view())
            await socket.send_text(native.snapshot(head, state).decode())
        if attach.have:
            for place in range(attach.have.position, head):
                await self.send_event(socket, place + 1)
        self.sockets.add(socket)
        await self.send(socket, native.Live(head=head))
        return True

    async def take(self, socket: WebSocket, message: native.FromClient) -> None:
        if not isinstance(message, native.Beat):
            self.seen.append({str(message.__struct_config__.tag): msgspec.to_builtins(message)})
        match message:
            case native.Command(number=number, do=native.SendMessage(text=text)):
                self.commands = number
                await self.answer(text, "text", f"{self.client()}:{number}")
                await self.send(socket, native.Ok(number=number, position=len(self.journal)))
            case native.Command(number=number, do=native.EndSession()):
                await self.append({"type": "session.ended", "reason": "user"})
                await self.send(socket, native.Ok(number=number, position=len(self.journal)))
                await socket.close(native.CloseCode.ENDED)
            case native.Command(number=number, do=native.StopReply(heard=heard)):
                await self.cut("stopped", heard)
                await self.send(socket, native.Ok(number=number, position=len(self.journal)))
            case native.Command(number=number, do=native.StartConversation()):
                await self.append({"type": "conversation.started", "conversation": f"c{number}"})
                await self.send(socket, native.Ok(number=number, position=len(self.journal)))
            case native.Command(number=number):
                await self.send(socket, native.Ok(number=number, position=len(self.journal)))
            case native.Mark(seconds=seconds, done=done):
                self.heard = seconds
                if done:
                    self.done.set()
            case native.Beat():
                await self.send(socket, native.Beat(mic=self.mic_until))
            case _:
                pass

    async def hear(self, frame: bytes) -> None:
        _, _, offset, pcm = native.decode_audio(frame)
        samples = (
            memoryview(pcm).cast("h")
            if isinstance(pcm, memoryview)
            else memoryview(bytes(pcm)).cast("h")
        )
        self.seen.append({"audio": [offset, len(samples)]})
        if len(samples) and max(map(abs, samples)) > LOUD:
            if not self.speaking:
                self.speaking = True
                await self.cut("barge_in")
                await self.append({"type": "speech.started", "turn": self.turns() + 1})
                await self.tell("status", {"state": "listening"})
            self.loud_at = offset
            await self.tell("partial", {"text": "my name is"})
        elif self.speaking and offset - self.loud_at > 8_000:
            self.speaking = False
            self.mic_until = offset
            await self.append({"type": "speech.ended", "turn": self.turns() + 1, "until": offset})
            await self.answer("my name is alice and i like quantum physics", "voice")

    # ------------------------------------------------------------------------------------ the brain

    async def answer(self, text: str, by: str, cause: str = "") -> None:
        await self.cut("text")
        turn = self.turns() + 1
        if not any(event["type"] == "conversation.started" for event in self.journal):
            await self.append({"type": "conversation.started", "conversation": "c1"})
        await self.message("user", text, turn, by=by, cause=cause)
        await self.tell("status", {"state": "processing"})
        self.answering = asyncio.create_task(self.speak(text, turn))

    async def speak(self, text: str, turn: int) -> None:
        segments, cites = next(
            (answer for words, answer in ANSWERS.items() if words in text.lower()),
            (["I can keep facts and answer from them.", "Tell me something about yourself."], []),
        )
        reply = 1 + sum(event["type"] == "reply.started" for event in self.journal)
        await self.append(
            {
                "type": "reply.started",
                "reply": reply,
                "turn": turn,
                "conversation": "c1",
                "aloud": True,
            }
        )
        await self.tell("status", {"state": "speaking"})
        self.done.clear()
        offset = 0
        for index, segment in enumerate(segments):
            last = index == len(segments) - 1
            shown = {
                "reply": reply,
                "index": index,
                "text": segment,
                "last": last,
                "cites": cites if last else [],
            }
            await self.append({"type": "reply.segment", **shown})
            pcm = tone(len(segment) / PACE, 220 + 40 * index)
            for start in range(0, len(pcm), 2 * FRAME):
                frame = native.audio(native.REPLY, reply, offset, pcm[start : start + 2 * FRAME])
                for socket in list(self.sockets):
                    await socket.send_bytes(frame)
                offset += FRAME
                await asyncio.sleep(0.02)
        await self.done.wait()
        await self.append({"type": "reply.ended", "reply": reply, "heard": self.heard})
        await self.message("agent", " ".join(segments), turn, reply=reply)
        if "name is" in text.lower():
            for key, content in [
                ("name", "The user's name is Alice."),
                ("likes", "The user likes quantum physics."),
            ]:
                number = len(self.memories) + 1
                await self.append(
                    {
                        "type": "memory.added",
                        "memory": number,
                        "content": content,
                        "key": key,
                        "turn": turn,
                    }
                )
        await self.tell("status", {"state": "idle"})

    async def cut(self, reason: str, heard: float | None = None) -> None:
        if self.answering is None or self.answering.done():
            return
        self.answering.cancel()
        started = next(e for e in reversed(self.journal) if e["type"] == "reply.started")
        reply = started["reply"]
        for socket in list(self.sockets):
            await self.send(socket, native.Hush(reply=reply))
        parts = [
            e["text"] for e in self.journal if e["type"] == "reply.segment" and e["reply"] == reply
        ]
        said = " ".join(parts)
        text = said[: int((self.heard if heard is None else heard) * PACE)].rpartition(" ")[0]
        await self.append(
            {"type": "reply.cut", "reply": reply, "reason": reason, "heard": self.heard}
        )
        await self.message("agent", text, started["turn"], reply=reply, said=said)
        await self.tell("status", {"state": "idle"})

    async def message(self, role: str, text: str, turn: int, **more: Any) -> None:
        number = 1 + sum(event["type"] == "message.added" for event in self.journal)
        common = {"message": number, "role": role, "text": text, "turn": turn, "conversation": "c1"}
        await self.append({"type": "message.added", **common, **more})

    def turns(self) -> int:
        return max(
            (event.get("turn", 0) for event in self.journal if event["type"] == "message.added"),
            default=0,
        )

    # ------------------------------------------------------------------------------------- the rest

    async def append(self, event: dict[str, Any]) -> None:
        event = {"at": time.time(), **event}
        self.journal.append(event)
        for kind, kept in (("memory", self.memories), ("alarm", self.alarms)):
            if event["type"] in (f"{kind}.added", f"{kind}.set"):
                kept[event[kind]] = event
            elif event["type"].startswith(f"{kind}."):
                kept.pop(event[kind], None)
        for socket in list(self.sockets):
            await self.send_event(socket, len(self.journal))

    async def send_event(self, socket: WebSocket, place: int) -> None:
        await socket.send_text(
            native.event(place, msgspec.json.encode(self.journal[place - 1])).decode()
        )

    async def tell(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "status":
            self.status = body["state"]
        for socket in list(self.sockets):
            await self.send(socket, native.Tell(kind=kind, body=body))

    async def send(self, socket: WebSocket, frame: native.FromServer) -> None:
        await socket.send_text(native.encode(frame).decode())

    def client(self) -> str:
        return str(next(s["attach"]["client"] for s in reversed(self.seen) if "attach" in s))

    def view(self) -> dict[str, Any]:
        """The shape of `session.resume.view`."""
        started = next((e for e in reversed(self.journal) if e["type"] == "reply.started"), None)
        over = started and any(
            e["type"] in ("reply.ended", "reply.cut") and e["reply"] == started["reply"]
            for e in self.journal
        )
        reply = None
        if started and not over:
            segments = [
                e["text"]
                for e in self.journal
                if e["type"] == "reply.segment" and e["reply"] == started["reply"]
            ]
            reply = {**started, "segments": segments, "heard": self.heard, "aloud": True}
        return {
            "session": SESSION,
            "epoch": EPOCH,
            "position": len(self.journal),
            "status": self.status,
            "conversation": "c1",
            "messages": [e for e in self.journal if e["type"] == "message.added"][-20:],
            "reply": reply,
            "memories": list(self.memories.values()),
            "alarms": list(self.alarms.values()),
        }

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/sessions", self.create, methods=["POST"]),
                Route("/sessions/{id}/tickets", self.ticket, methods=["POST"]),
                Route("/sessions/{id}/history", self.history, methods=["GET"]),
                WebSocketRoute("/sessions/{id}/attach", self.attach),
                Route("/_fake/{name}", self.back_door, methods=["GET", "POST"]),
                pages.route(STATIC),
            ]
        )


if __name__ == "__main__":
    uvicorn.run(
        Fake(*sys.argv[2:3]).app(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        ws="websockets-sansio",
    )
