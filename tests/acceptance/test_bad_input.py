"""What no good client sends: each is answered with its code, costs nobody anything, and changes nothing.

Around everything that is sent here stands `undisturbed`: the history of the session is the same after as before, another
client on the same server notices nothing, the server's memory stays where it was, and its log has no traceback.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tenuto.clock import SystemClock
from tenuto.security.grants import add_key
from tenuto.wire import native
from tests.acceptance.peers import (
    PATIENCE,
    Closed,
    Peer,
    attached,
    eventually,
    journal,
    make,
    peer,
    soon,
    texts,
    wait_for_event,
)
from tests.acceptance.serving import Served

MEGABYTE = 1 << 20
ROOM = 64 * MEGABYTE
"""Bytes that the server's memory may grow by, whatever is sent to it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without keys, on loopback, for all tests of this file."""
    with Served(tmp_path_factory.mktemp("open")) as running:
        yield running
        running.stop()


@dataclass(frozen=True)
class Locked:
    """A server with keys, and those of two tenants."""

    server: Served
    acme: str
    other: str


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    """A server with a key for each of two tenants."""
    folder = tmp_path_factory.mktemp("locked")
    acme, other = (
        add_key(folder / "tenuto.keys", clock=SystemClock(), tenant=name)
        for name in ("acme", "other")
    )
    with Served(folder) as running:
        yield Locked(running, acme, other)
        running.stop()


@dataclass(frozen=True)
class Scene:
    """A server, and a session on it that has something to lose."""

    url: str
    http: httpx.AsyncClient
    session: str


@contextlib.asynccontextmanager
async def undisturbed(server: Served, key: str = "") -> AsyncIterator[Scene]:
    """Hold that nothing in the block is felt by anybody else, or changes what was said in the session."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=PATIENCE) as http:
        session, beside = await make(http), await make(http)
        async with peer(server.url, session, additional_headers=headers) as first:
            await first.attach()
            await first.say("something to lose")
        async with peer(server.url, beside, additional_headers=headers) as good:
            await good.attach()
            await good.say("before")
            before, memory = await texts(http, session), server.memory
            yield Scene(server.url, http, session)
            try:
                await good.say("after")
            except Closed as error:
                raise AssertionError(f"{error}; the server said: {server.stderr}") from None
            assert good.complaints == []
            assert await texts(http, beside) == ["before", "after"]
        assert await texts(http, session) == before
        assert server.memory - memory < ROOM
        assert "Traceback" not in server.stderr, server.stderr


def frame(opcode: int, payload: bytes, *, first: int = 0x80, masked: bool = True) -> bytes:
    """Return a WebSocket frame, right or wrong (RFC 6455, 5.2). `first` holds FIN and the reserved bits."""
    size = len(payload)
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes([first | opcode, mask | size])
    elif size < 1 << 16:
        head = bytes([first | opcode, mask | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first | opcode, mask | 127]) + struct.pack(">Q", size)
    # A mask of zeros leaves the payload as it is.
    return head + (bytes(4) if masked else b"") + payload


# --------------------------------------------------------------------------------------------- frames, once attached

NO_MESSAGES = {
    "empty": "",
    "no JSON": "hello",
    "half of it": '{"type":"beat"',
    "two at once": '{"type":"beat"}{"type":"beat"}',
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "no type": "{}",
    "a type that is no text": '{"type":7}',
    "a command without a number": '{"type":"command","do":{"type":"end_session"}}',
    "a command without a deed": '{"type":"command","number":1}',
    "an unknown deed": '{"type":"command","number":1,"do":{"type":"fly"}}',
    "a number as text": '{"type":"command","number":"1","do":{"type":"end_session"}}',
    "a number that is none": '{"type":"command","number":1.5,"do":{"type":"end_session"}}',
    "a number of 30 digits": '{"type":"command","number":'
    + "9" * 30
    + ',"do":{"type":"end_session"}}',
    "a number of 5,000 digits": '{"type":"command","number":'
    + "9" * 5_000
    + ',"do":{"type":"end_session"}}',
    "half a character": '{"type":"command","number":1,"do":{"type":"send_message","text":"\\ud800"}}',
    "a mark of infinity": '{"type":"mark","reply":1,"seconds":1e999}',
    "not a number": '{"type":"mark","reply":1,"seconds":NaN}',
    "deep lists": "[" * 60_000,
    "deep objects": '{"a":' * 12_000,
    "deep and unknown": '{"type":"beat","x":' + "[" * 30_000 + "]" * 30_000 + "}",
    "a second attach": '{"type":"attach","session":"s","client":"c"}',
}

NO_AUDIO = {
    "nothing": b"",
    "half a head": b"\x01\x00\x00",
    "odd": native.audio(native.MICROPHONE, 0, 0, bytes(641)),
    "too long": native.audio(native.MICROPHONE, 0, 0, bytes(native.MAX_AUDIO)),
    "a reply's": native.audio(native.REPLY, 1, 0, bytes(640)),
    "of an unknown kind": native.audio(77, 0, 0, bytes(640)),
    "no zero": b"\x02\x01" + bytes(646),
    "a WAV file": b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(100),
}


@pytest.mark.parametrize("text", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_what_is_no_message_is_answered_and_forgotten(server: Served, text: str) -> None:
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        await one.send(text)
        error = await one.until("error")
        assert error["code"] == "invalid_input"
        assert len(error["message"]) < 300
        refused = await one.command(native.SendMessage(text=" "))
        assert refused["code"] == "invalid_input"


@pytest.mark.parametrize("text", ['{"type":"teleport"}', '{"type":"live","head":1}'])
async def test_a_type_of_another_version_is_said_to_be_unknown(server: Served, text: str) -> None:
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        await one.send(text)
        assert (await one.until("error"))["code"] == "unknown_type"
        refused = await one.command(native.SendMessage(text=" "))
        assert refused["code"] == "invalid_input"


@pytest.mark.parametrize("data", NO_AUDIO.values(), ids=NO_AUDIO)
async def test_what_is_no_audio_is_answered_and_forgotten(server: Served, data: bytes) -> None:
    mic = native.Mic(stream="m", rate=16_000)
    async with undisturbed(server) as scene, attached(scene.url, scene.session, mic=mic) as one:
        await one.send(data)
        assert (await one.until("error"))["code"] == "audio_invalid"
        refused = await one.command(native.SendMessage(text=" "))
        assert refused["code"] == "invalid_input"


REFUSED_COMMANDS: dict[str, tuple[int | None, native.Do, str]] = {
    "number 0": (0, native.SendMessage(text="x"), "invalid_input"),
    "number -1": (-1, native.SendMessage(text="x"), "invalid_input"),
    "an empty message": (None, native.SendMessage(text=""), "invalid_input"),
    "only spaces": (None, native.SendMessage(text=" \n\t"), "invalid_input"),
    "10,001 characters": (None, native.SendMessage(text="x" * 10_001), "invalid_input"),
    "a conversation again": (
        None,
        native.StartConversation(conversation="c1"),
        "conversation_exists",
    ),
    "a conversation's long id": (
        None,
        native.StartConversation(conversation="c" * 101),
        "invalid_input",
    ),
}


@pytest.mark.parametrize("case", REFUSED_COMMANDS.values(), ids=REFUSED_COMMANDS)
async def test_a_command_that_cannot_be_is_refused_by_its_number(
    server: Served, case: tuple[int | None, native.Do, str]
) -> None:
    number, do, code = case
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        refused = await one.command(do, number)
        assert (refused["type"], refused["code"], refused["retryable"]) == ("no", code, False)


async def test_a_message_of_10_000_characters_is_taken(server: Served) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        session = await make(http)
        async with attached(server.url, session) as one:
            await one.say("\U0001f3b5" * 10_000)
            await one.say("\x00")
        assert await texts(http, session) == ["\U0001f3b5" * 10_000, "\x00"]


async def test_an_observer_commands_nothing_and_is_not_heard(server: Served) -> None:
    deeds = (
        native.SendMessage(text="x"),
        native.StopReply(),
        native.StopListening(),
        native.StartConversation(),
        native.EndConversation(),
        native.EndSession(),
    )
    mic = native.Mic(stream="m", rate=16_000)
    async with (
        undisturbed(server) as scene,
        attached(scene.url, scene.session, role="observer", mic=mic) as one,
    ):
        head = len(await journal(scene.http, scene.session))
        for do in deeds:
            assert (await one.command(do))["code"] == "permission_denied"
        await one.send(native.audio(native.MICROPHONE, 0, 0, bytes(640)))
        await one.tell(native.Mark(reply=1, seconds=3.0, done=True))
        assert (await one.command(deeds[0]))["code"] == "permission_denied"
        assert len(await journal(scene.http, scene.session)) == head


# -------------------------------------------------------------------------------- frames that end the connection

TEN = 10 * MEGABYTE

BROKEN_FRAMES: dict[str, tuple[bytes, *tuple[int, ...]]] = {
    # On a slow machine the reset that ends what is still on its way overtakes the close frame.
    "a 10 MB audio frame": (frame(2, bytes(TEN)), 1009, 1006),
    "a 10 MB text frame": (frame(1, b"x" * TEN), 1009, 1006),
    "a frame of 2^62 bytes": (b"\x82\xff" + struct.pack(">Q", 1 << 62) + bytes(4), 1009),
    "a message of many frames": (
        frame(1, b"x" * 30_000, first=0) + frame(0, b"x" * 30_000, first=0) * 400,
        1009,
    ),
    "text that is no UTF-8": (frame(1, b'{"type":"\xff\xfe"}'), 1007),
    "a message within a message": (frame(1, b"{", first=0) + frame(1, b"{}"), 1002),
    "a frame without a mask": (frame(1, b"{}", masked=False), 1002),
    "a reserved bit": (frame(1, b"{}", first=0xC0), 1002),
    "an unknown opcode": (frame(3, b"{}"), 1002),
    "a ping of 200 bytes": (frame(9, bytes(200)), 1002),
    "the end of nothing": (frame(0, b"{}"), 1002),
}


@pytest.mark.parametrize("case", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES)
async def test_what_is_no_websocket_frame_ends_that_connection_alone(
    server: Served, case: tuple[bytes, *tuple[int, ...]]
) -> None:
    data, *codes = case
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        one.socket.transport.write(data)
        assert (await one.closed())[0] in codes
        async with attached(scene.url, scene.session, client=one.client):
            pass


# ------------------------------------------------------------------------------------------------- before attaching


async def test_what_comes_before_attaching_is_refused_and_attaching_still_works(
    server: Served,
) -> None:
    early = (
        '{"type":"beat"}',
        '{"type":"mark","reply":1,"seconds":1}',
        '{"type":"command","number":1,"do":{"type":"end_session"}}',
        "nonsense",
        '{"type":"attach"}',
        '{"type":"attach","session":"s","client":"c","role":"emperor"}',
    )
    async with undisturbed(server) as scene, peer(scene.url, scene.session) as one:
        for text in early:
            await one.send(text)
            assert (await one.until("error"))["code"] == "invalid_input"
        await one.send(native.audio(native.MICROPHONE, 0, 0, bytes(640)))
        for mic in (native.Mic(stream="m", rate=7_999), native.Mic(stream="m", rate=10**30)):
            await one.ask_to_attach(mic=mic)
            assert (await one.until("error"))["code"] == "audio_invalid"
        await one.ask_to_attach(mic=native.Mic(stream="", rate=16_000))
        assert (await one.until("error"))["code"] == "invalid_input"
        await one.attach()


async def test_what_comes_while_attaching_does_not_end_it(server: Served) -> None:
    async with undisturbed(server) as scene, peer(scene.url, scene.session) as one:
        await one.ask_to_attach()
        await one.tell(native.Beat())
        await one.tell(native.Command(number=1, do=native.EndSession()))
        await one.ask_to_attach()
        await one.until("live")
        assert set(one.complaints) == {"invalid_input"}
        assert (await one.command(native.SendMessage(text=""), 1))["code"] == "invalid_input"


@pytest.mark.parametrize("client", ["", "a:1", "c" * 65])
async def test_a_clients_id_must_be_one(server: Served, client: str) -> None:
    async with undisturbed(server) as scene, peer(scene.url, scene.session) as one:
        await one.ask_to_attach(client=client)
        assert (await one.refused())[:2] == ("invalid_input", 4003)


async def test_impossible_positions_get_a_snapshot(server: Served) -> None:
    async with undisturbed(server) as scene:
        async with attached(scene.url, scene.session) as one:
            epoch = one.attached["epoch"]
        for have in (
            native.Have(epoch=epoch, position=10**30),
            native.Have(epoch=epoch, position=-1),
            native.Have(epoch="another", position=1),
        ):
            heard = native.Heard(reply=10**30, seconds=1e300)
            async with attached(scene.url, scene.session, have=have, heard=heard) as two:
                assert (two.attached["mode"], two.attached["recovered"]) == ("snapshot", False)


# -------------------------------------------------------------------------------------------------- at the door


async def http_head(url: str, *lines: str, tail: bytes = b"") -> bytes:
    """Send a request's head as it is, and return all that comes back."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + tail)
        return await soon(reader.read())
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "tenuto.v1",
}

REFUSED_UPGRADES: dict[str, tuple[dict[str, str], int, str]] = {
    "no subprotocol": ({"Sec-WebSocket-Protocol": ""}, 426, "upgrade_required"),
    "tenuto.v2": ({"Sec-WebSocket-Protocol": "tenuto.v2"}, 426, "upgrade_required"),
    "WebSocket 8": ({"Sec-WebSocket-Version": "8"}, 426, "upgrade_required"),
    "no key": ({"Sec-WebSocket-Key": ""}, 400, "invalid_input"),
    "a page elsewhere": ({"Origin": "https://evil.example"}, 403, "wrong_origin"),
    "a page of another port": ({"Origin": "http://127.0.0.1:1"}, 403, "wrong_origin"),
    "a page without a place": ({"Origin": "null"}, 403, "wrong_origin"),
    "a name that was rebound": ({"Host": "evil.example"}, 421, "wrong_host"),
    "no name": ({"Host": ""}, 421, "wrong_host"),
    "a key where there is none": ({"Authorization": "Bearer tk_1_2"}, 401, "authentication_failed"),
}


@pytest.mark.parametrize("case", REFUSED_UPGRADES.values(), ids=REFUSED_UPGRADES)
async def test_a_socket_that_may_not_be_is_refused_before_it_is_one(
    server: Served, case: tuple[dict[str, str], int, str]
) -> None:
    changes, status, code = case
    async with undisturbed(server) as scene:
        headers = {"Host": f"127.0.0.1:{server.port}"} | UPGRADE | changes
        lines = [f"{name}: {value}" for name, value in headers.items() if value]
        reply = await http_head(scene.url, f"GET /sessions/{scene.session}/attach HTTP/1.1", *lines)
        head, _, body = reply.partition(b"\r\n\r\n")
        assert int(head.split()[1]) == status, reply
        assert json.loads(body)["error"]["code"] == code
        assert b"evil.example" not in head


NO_REQUESTS = {
    "no HTTP": (b"HELO there\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
    "a head of a megabyte": (b"GET / HTTP/1.1\r\nX: " + b"x" * MEGABYTE, 431),
    "a body that is no JSON": (
        b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: 4\r\n\r\nnope",
        400,
    ),
    "a body of 10 MB": (
        b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: 10485760\r\n\r\n" + b"x" * MEGABYTE,
        413,
    ),
    "a deep body": (
        b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: 20000\r\n\r\n" + b'{"a":' * 4_000,
        400,
    ),
}


@pytest.mark.parametrize("case", NO_REQUESTS.values(), ids=NO_REQUESTS)
async def test_what_is_no_request_is_refused(server: Served, case: tuple[bytes, int]) -> None:
    data, status = case
    async with undisturbed(server) as scene:
        data = data.replace(b"%d", str(server.port).encode())
        host, port = scene.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        reply = await soon(reader.read(4_096))
        assert reply.split()[1] == str(status).encode(), reply
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# ---------------------------------------------------------------------------------------------- who one is not


async def test_a_session_that_is_not_there(server: Served) -> None:
    async with undisturbed(server) as scene, peer(scene.url, "nosuch") as one:
        await one.ask_to_attach()
        assert (await one.refused())[:2] == ("session_not_found", 4003)


async def test_a_session_that_is_not_that_of_the_path(server: Served) -> None:
    async with undisturbed(server) as scene:
        other = await make(scene.http)
        async with peer(scene.url, scene.session) as one:
            await one.ask_to_attach(session=other)
            assert (await one.refused())[:2] == ("authentication_failed", 4301)


async def test_a_session_that_has_ended(server: Served) -> None:
    async with undisturbed(server) as scene:
        other = await make(scene.http)
        assert (await scene.http.post(f"/sessions/{other}/end")).status_code == 200
        async with peer(scene.url, other) as one:
            await one.ask_to_attach()
            assert (await one.refused())[:2] == ("session_ended", 4000)


async def test_a_session_is_not_made_over_one_that_is_there(server: Served) -> None:
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        for _ in range(3):
            again = await scene.http.post("/sessions", json={"session_id": scene.session})
            assert (again.status_code, again.json()["error"]["code"]) == (409, "session_conflict")
            assert (await one.command(native.SendMessage(text="")))["code"] == "invalid_input"
        async with peer(scene.url, scene.session, client=one.client) as two:
            attached_again = await two.attach(token=one.attached["token"])
            assert attached_again["attachment"] == one.attached["attachment"] + 1
            assert await one.closed() == (4001, "superseded")
        async with attached(scene.url, scene.session):
            pass


async def test_a_session_of_another_tenant_looks_as_if_there_were_none(locked: Locked) -> None:
    theirs = {"Authorization": f"Bearer {locked.other}"}
    async with (
        undisturbed(locked.server, locked.acme) as scene,
        httpx.AsyncClient(base_url=scene.url, headers=theirs) as http,
    ):
        seen = []
        for session in (scene.session, "nosuch"):
            async with peer(scene.url, session, additional_headers=theirs) as one:
                await one.ask_to_attach()
                told = [await one.refused()]
            for method, path in (
                ("GET", ""),
                ("DELETE", ""),
                ("GET", "/history"),
                ("GET", "/events"),
                ("POST", "/end"),
                ("POST", "/tickets"),
            ):
                reply = await http.request(method, f"/sessions/{session}{path}")
                told.append((reply.status_code, reply.text))  # type: ignore[arg-type]
            seen.append(told)
        assert seen[0] == seen[1]
        assert seen[0][0][:2] == ("session_not_found", 4003)
        # Nor can a name be taken that is somebody else's.
        taken = await http.post("/sessions", json={"session_id": scene.session})
        assert taken.status_code == 409


async def ticket(scene: Scene, session: str, **wanted: str) -> str:
    reply = await scene.http.post(f"/sessions/{session}/tickets", json=wanted)
    assert reply.status_code == 201, reply.text
    return f"tenuto.t.{reply.json()['ticket']}"


async def test_tickets_that_admit_nobody(locked: Locked) -> None:
    async with undisturbed(locked.server, locked.acme) as scene:
        used = await ticket(scene, scene.session)
        async with peer(scene.url, scene.session, used) as one:
            await one.attach()
        elsewhere = await ticket(scene, await make(scene.http))
        watching = await ticket(scene, scene.session, role="observer")
        from_page = await ticket(scene, scene.session, origin="https://app.example")
        known = {"unknown": "tenuto.t.AAAAAAAAAAAAAAAAAAAAAA", "used": used}
        others = {"elsewhere": elsewhere, "watching": watching, "from_page": from_page}
        told = {}
        for name, offer in (known | others).items():
            async with peer(scene.url, scene.session, offer) as one:
                await one.ask_to_attach()
                told[name] = await one.refused()
        assert {answer[:2] for answer in told.values()} == {("authentication_failed", 4301)}
        assert told["used"] == told["unknown"]
        async with peer(scene.url, scene.session) as one:
            await one.ask_to_attach()
            assert (await one.refused())[:2] == ("authentication_failed", 4301)


async def test_resume_tokens_that_admit_nobody(locked: Locked) -> None:
    mine = {"Authorization": f"Bearer {locked.acme}"}
    async with undisturbed(locked.server, locked.acme) as scene:
        other = await make(scene.http)
        tokens = {}
        for session in (scene.session, other):
            async with peer(
                scene.url, session, client=f"client-of-{session}", additional_headers=mine
            ) as one:
                tokens[session] = (await one.attach())["token"]
        head = len(await journal(scene.http, scene.session))
        good = f"client-of-{scene.session}"
        told = []
        for session, client, token in (
            ("nosuch", good, tokens[scene.session]),
            (scene.session, good, "not-a-token"),
            (scene.session, good, tokens[other]),
            (scene.session, "another-client", tokens[scene.session]),
        ):
            async with peer(scene.url, session, client=client) as one:
                await one.ask_to_attach(token=token)
                told.append(await one.refused())
        assert len(set(told)) == 1
        assert told[0][:2] == ("authentication_failed", 4301)
        assert len(await journal(scene.http, scene.session)) == head
        async with peer(scene.url, scene.session, client=good) as one:
            await one.attach(token=tokens[scene.session])


async def test_a_copied_resume_token_voids_all_of_its_client(locked: Locked) -> None:
    mine = {"Authorization": f"Bearer {locked.acme}"}
    async with (
        undisturbed(locked.server, locked.acme) as scene,
        contextlib.AsyncExitStack() as held,
    ):

        async def come(token: str, **headers: Any) -> Peer:
            one = await held.enter_async_context(
                peer(scene.url, scene.session, client="c", **headers)
            )
            await one.ask_to_attach(token=token)
            return one

        async def go_on(token: str, **headers: Any) -> tuple[Peer, str]:
            one = await come(token, **headers)
            next_token = (await one.until("attached"))["token"]
            await one.until("live")
            return one, next_token

        _, first = await go_on("", additional_headers=mine)
        _, second = await go_on(first)
        # The answer that held the second may have been lost: the first is still good.
        _, third = await go_on(first)
        latest, fourth = await go_on(third)
        async with peer(scene.url, scene.session, additional_headers=mine) as watching:
            await watching.attach(role="observer")
            thief = await come(second)
            assert (await thief.refused())[:2] == ("authentication_failed", 4301)
            assert (await latest.closed()) == (4301, "revoked")
            entries = await journal(scene.http, scene.session)
            assert [entry.type for entry in entries][-2:] == [
                "attachment.detached",
                "attachment.revoked",
            ]
            assert entries[-2].body["reason"] == "revoked"
            assert entries[-1].body["client"] == "c"
            await watching.event("attachment.revoked")
            # The thief's, the latest, and every other one: none is good any more.
            for token in (first, second, third, fourth):
                again = await come(token)
                assert (await again.refused())[:2] == ("authentication_failed", 4301)
            assert len(await journal(scene.http, scene.session)) == len(entries)
            refused = await watching.command(native.EndSession())
            assert refused["code"] == "permission_denied"


# ------------------------------------------------------------------------------------------------- too much, too slow


async def test_10_000_tiny_commands_are_each_answered_and_few_are_done(server: Served) -> None:
    many = 10_000
    async with httpx.AsyncClient(base_url=server.url) as http, undisturbed(server) as scene:
        session = await make(http)
        async with attached(scene.url, session) as one:

            async def shout() -> None:
                for number in range(1, many + 1):
                    command = native.Command(number=number, do=native.SendMessage(text=str(number)))
                    await one.tell(command)

            shouting = asyncio.create_task(shout())
            answers: dict[int, dict[str, Any]] = {}
            async with asyncio.timeout(PATIENCE):
                while len(answers) < many:
                    answer = await one.until("ok", "no")
                    answers[answer["number"]] = answer
            await shouting
            done = [number for number, answer in answers.items() if answer["type"] == "ok"]
            refused = {answer["code"] for answer in answers.values() if answer["type"] == "no"}
            assert 50 <= len(done) < 500
            assert refused == {"quota_exceeded"}
            assert all(answer["retryable"] for answer in answers.values() if "code" in answer)
            # What was done is answered from the journal, and not done again.
            again = {"type": "no"}
            async with asyncio.timeout(PATIENCE):
                while again["type"] == "no":
                    await asyncio.sleep(0.1)
                    again = await one.command(native.SendMessage(text="twice"), done[0])
            assert again == answers[done[0]]
        assert await texts(http, session) == [str(number) for number in sorted(done)]


FLOODS = {
    "nonsense": (b"?", "lost"),
    "commands": (b'{"type":"command","number":9,"do":{"type":"end_conversation"}}', "slow"),
}
"""What is sent without end and without reading a single answer, and why it is let go."""


@pytest.mark.parametrize("case", FLOODS.values(), ids=FLOODS)
async def test_who_floods_and_never_reads_is_let_go(
    server: Served, case: tuple[bytes, str]
) -> None:
    data, reason = case
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        raw = one.socket.transport
        raw.pause_reading()
        flood = frame(1, data) * (140_000 // len(data))
        while not raw.is_closing():
            raw.write(flood)
            await eventually(lambda: raw.is_closing() or not raw.get_write_buffer_size())
        number = one.attached["attachment"]
        left = await wait_for_event(
            scene.http, scene.session, "attachment.detached", attachment=number
        )
        assert left[-1].body["reason"] == reason
        raw.abort()


async def test_who_makes_too_many_mistakes_is_told_and_let_go(server: Served) -> None:
    async with undisturbed(server) as scene, attached(scene.url, scene.session) as one:
        for _ in range(110):
            with contextlib.suppress(Closed):
                await one.send("?")
        assert await one.closed() == (4004, "too many mistakes")
        assert one.complaints == ["invalid_input"] * len(one.complaints)
        assert 100 <= len(one.complaints) <= 110


async def test_who_dawdles_is_let_go(server: Served) -> None:
    """All at once, for each takes seconds: heads that never end, sockets that never attach, read or say anything."""

    async def slow_head(scene: Scene) -> None:
        host, port = scene.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        async def drip() -> None:
            with contextlib.suppress(OSError):
                for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.3)

        dripping = asyncio.create_task(drip())
        began = asyncio.get_running_loop().time()
        reply = await soon(reader.read())
        took = asyncio.get_running_loop().time() - began
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        writer.close()
        assert reply.split()[1] == b"408", reply
        assert 4.0 < took < 8.0

    async def never_attaches(scene: Scene) -> None:
        async with peer(scene.url, scene.session) as one:
            assert await one.closed() == (4004, "not attached")

    async def never_speaks(scene: Scene) -> None:
        other = await make(scene.http)
        async with attached(scene.url, other) as one:
            assert await one.closed() == (4201, "silent")
        events = await wait_for_event(scene.http, other, "attachment.detached")
        assert events[-1].body["reason"] == "lost"

    async def never_reads(scene: Scene) -> None:
        """An observer that does not take what it is sent: the controller hears its whole echo all the same."""
        other = await make(scene.http)
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.connect(("127.0.0.1", server.port))
        small.setblocking(False)
        loud = {"loudspeaker": native.Loudspeaker(rate=48_000)}
        mic = native.Mic(stream="m", rate=48_000)
        async with (
            peer(scene.url, other, max_queue=None) as speaker,
            peer(scene.url, other, sock=small) as deaf,
        ):
            await speaker.attach(mic=mic, **loud)
            await deaf.attach(role="observer", **loud)
            deaf.socket.transport.pause_reading()
            pcm = os.urandom(15_360)
            for number in range(200):
                offset = number * len(pcm) // 2
                await speaker.send(native.audio(native.MICROPHONE, 0, offset, pcm))
            events = asyncio.create_task(
                wait_for_event(scene.http, other, "attachment.detached", reason="slow")
            )
            async with asyncio.timeout(PATIENCE):
                while not events.done():
                    await speaker.tell(native.Beat())
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.shield(events), 1.0)
            assert events.result()[-1].body["attachment"] == deaf.attached["attachment"]
            assert (await speaker.command(native.StopReply()))["code"] == "invalid_transition"
            assert len(speaker.audio) == 200
            assert speaker.complaints == ["invalid_transition"]
            deaf.socket.transport.abort()

    async with undisturbed_slowly(server) as scene:
        async with asyncio.TaskGroup() as group:
            for dawdler in (slow_head, never_attaches, never_speaks, never_reads):
                group.create_task(dawdler(scene))


@contextlib.asynccontextmanager
async def undisturbed_slowly(server: Served) -> AsyncIterator[Scene]:
    """As `undisturbed`, for what takes longer than a client may be silent."""
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
        session = await make(http)
        memory = server.memory
        yield Scene(server.url, http, session)
        assert server.memory - memory < ROOM
        async with attached(server.url, session) as one:
            await one.say("still here")
        assert await texts(http, session) == ["still here"]
        assert "Traceback" not in server.stderr, server.stderr
