import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from tenuto.client import socket
from tenuto.client.client import Client
from tenuto.client.items import Changed, Happened, Item, Missed
from tenuto.errors import (
    IllegalEvent,
    InvalidInput,
    NotAuthenticated,
    RateLimited,
    SessionEnded,
    SessionNotFound,
    StoreUnavailable,
    Superseded,
    TenutoError,
)
from tenuto.testing.transport import Cut, Direction, How, Line, Weather
from tenuto.transports.carrier import Carrier
from tenuto.wire import native
from tests.unit.client.server import RATE, Desk, Server, texts


class Door:
    """The model of a server at one end of a line: its `Wire`."""

    def __init__(self, server: Server) -> None:
        self.desk = Desk(server)
        self.carrier: Carrier | None = None

    def opened(self, carrier: Carrier) -> None:
        self.carrier = carrier

    def text(self, data: bytes) -> None:
        self.desk.take(data, binary=False)
        self.flush()

    def binary(self, data: bytes | memoryview) -> None:
        self.desk.take(bytes(data), binary=True)
        self.flush()

    def lost(self) -> None:
        self.carrier = None

    def flush(self) -> None:
        self.desk.push()
        while self.desk.to_client and self.carrier is not None:
            frame = self.desk.to_client.popleft()
            if isinstance(frame, tuple):
                self.carrier.send_binary(frame[0])
            else:
                self.carrier.send_text(frame)


class House:
    """A server that clients dial, over lines that break as told: the n-th line has the n-th cut."""

    def __init__(self, cuts: Sequence[Cut | None] = ()) -> None:
        self.server = Server()
        self.doors: list[Door] = []
        self.lines: list[Line] = []
        self.dialled: list[tuple[str, tuple[str, ...]]] = []
        self.refusals: list[Exception] = []
        self._cuts = list(cuts)

    async def dial(self, url: str, protocols: Sequence[str], ear: socket.Ear) -> socket.Socket:
        self.dialled.append((url, tuple(protocols)))
        await asyncio.sleep(0.01)
        if self.refusals:
            raise self.refusals.pop(0)
        cut = self._cuts.pop(0) if self._cuts else None
        self.doors.append(Door(self.server))
        self.lines.append(Line(self.doors[-1], ear, Weather(latency=0.01), cut))  # type: ignore[arg-type]
        return self.lines[-1].client

    def client(self, **more: object) -> Client:
        return Client("http://house", session="s 1", dial=self.dial, **more)  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        self.server.add(text)
        self.doors[-1].flush()

    def close(self, code: int, reason: str = "") -> None:
        self.lines[-1].server.close(code, reason)


@asynccontextmanager
async def talking(house: House, **more: object) -> AsyncIterator[tuple[Client, list[Item]]]:
    """A live client, and its items as they are read."""
    items: list[Item] = []

    async def read() -> None:
        with suppress(TenutoError):
            async for item in client:
                items.append(item)

    async with house.client(**more) as client:
        reading = asyncio.create_task(read())
        try:
            yield client, items
        finally:
            await client.close()
            await reading


@pytest.mark.virtual
async def test_a_conversation() -> None:
    house = House()
    async with talking(house) as (client, items):
        assert await client.send(native.SendMessage(text="hello")) == 1
        house.say("hi")
        await asyncio.sleep(1.0)
        assert client.state == "live"
        assert client.position == 2
        assert texts(items) == ["hello", "hi"]
    assert client.error is None
    assert items[-1] == Changed("closed")
    assert house.dialled == [("ws://house/sessions/s%201/attach", ("tenuto.v1",))]


async def speak(house: House, rest: float = 1.0) -> tuple[list[str], bytes, bytes]:
    """One conversation in text and audio; returns the texts, the microphone there, and the loudspeaker here."""
    out = bytearray()
    async with talking(house, microphone=RATE, play=out.extend) as (client, items):
        sends = []
        for n in range(4):
            sends.append(asyncio.create_task(client.send(native.SendMessage(text=f"m{n}"))))
            for frame in range(5):
                start = (5 * n + frame) * 160
                client.hear(b"".join(i.to_bytes(2, "little") for i in range(start, start + 160)))
                await asyncio.sleep(0.02)
        async with asyncio.timeout(60.0):
            await asyncio.gather(*sends)
            await client.live()
        await asyncio.sleep(rest)
        return texts(items), bytes(house.server.heard), bytes(out)


@pytest.mark.virtual
@pytest.mark.parametrize("how", ["clean", "reset", "half-open"])
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_a_cut_at_any_frame_changes_nothing(how: How, direction: Direction) -> None:
    uncut = House()
    expected = await speak(uncut)
    assert expected[0] == ["m0", "m1", "m2", "m3"]
    frames = uncut.lines[0].statistics[direction].delivered
    assert frames >= 10
    for after in range(0, frames, 1 if how == "reset" else 5):
        house = House([Cut(after, direction, how)])
        got = await speak(house, 13.0 if how == "half-open" else 1.0)
        assert got[:2] == expected[:2], f"{how} {direction} after {after} of {frames}"
        assert len(house.lines) == 2


@pytest.mark.virtual
async def test_replies_come_out_at_the_speed_of_time() -> None:
    house = House()
    out = bytearray()
    tone = b"\x01\x02" * RATE
    async with talking(house, play=out.extend) as (client, _):
        await client.live()
        assert client.rate == RATE
        began = len(out)
        for start in range(0, RATE, 160):
            house.doors[-1].desk.audio(1, start, tone[2 * start : 2 * start + 320])
        house.doors[-1].flush()
        await asyncio.sleep(0.5)
        assert 0.4 < client.playing < 0.6
        await asyncio.sleep(1.5)
    heard = bytes(out[began:])
    assert heard.strip(b"\0") == tone
    assert len(heard) == pytest.approx(2 * 2 * RATE, abs=1_000)
    marks = house.server.marks
    assert [mark.done for mark in marks] == [False, False, False, True]


@pytest.mark.virtual
async def test_a_dead_server_is_noticed_and_left() -> None:
    house = House()
    async with talking(house) as (client, items):
        await client.live()
        house.lines[0].cut("half-open")
        await asyncio.sleep(11.9)
        assert len(house.lines) == 1
        await asyncio.sleep(0.5)
        assert len(house.lines) == 2
        await client.live()
        assert [item.state for item in items if isinstance(item, Changed)] == [
            "live",
            "reconnecting",
            "live",
        ]


@pytest.mark.virtual
async def test_tickets_are_fetched_when_needed() -> None:
    house = House()
    tickets = iter(["one", "two"])

    async def ticket() -> str:
        return next(tickets)

    async with talking(house, ticket_source=ticket) as (client, _):
        await client.live()
        house.close(native.CloseCode.DRAINING)
        await asyncio.sleep(1.0)
        house.close(native.CloseCode.EXPIRED)
        await asyncio.sleep(1.0)
        assert client.state == "live"
    assert [protocols for _, protocols in house.dialled] == [
        ("tenuto.v1", "tenuto.t.one"),
        ("tenuto.v1",),
        ("tenuto.v1", "tenuto.t.two"),
    ]


@pytest.mark.virtual
async def test_a_ticket_that_is_refused_ends_it_and_a_server_that_is_away_does_not() -> None:
    house = House()
    errors: list[TenutoError] = [StoreUnavailable(), SessionNotFound()]

    async def ticket() -> str:
        raise errors.pop(0)

    async with house.client(ticket_source=ticket) as client:
        with pytest.raises(SessionNotFound):
            await client.live()
        with pytest.raises(SessionNotFound):
            async for _ in client:
                pass
    assert not errors and not house.dialled


@pytest.mark.virtual
async def test_a_ticket_source_with_a_bug_is_not_waited_for() -> None:
    async def ticket() -> str:
        raise ZeroDivisionError

    async with House().client(ticket_source=ticket) as client:
        with pytest.raises(TenutoError, match="ZeroDivisionError"):
            await client.live()


@pytest.mark.virtual
async def test_a_server_that_is_not_there_is_tried_until_it_is() -> None:
    house = House()
    house.refusals = [socket.NoSocket(None, "refused")] * 6
    async with talking(house) as (client, _):
        await client.live()
    assert len(house.dialled) == 7


@pytest.mark.virtual
async def test_being_online_is_tried_at_once() -> None:
    house = House()
    house.refusals = [socket.NoSocket(native.CloseCode.OVERLOADED, "503")]
    async with talking(house) as (client, _):
        await asyncio.sleep(0.02)
        client.online()
        await asyncio.sleep(0.06)
        assert client.state == "live"


@pytest.mark.virtual
async def test_moving() -> None:
    house = House()
    async with talking(house) as (client, _):
        await client.live()
        house.doors[-1].desk.say(native.Moved(url="https://b.example"))
        house.doors[-1].flush()
        house.close(native.CloseCode.MOVED)
        await asyncio.sleep(1.0)
    assert house.dialled[-1][0] == "wss://b.example/sessions/s%201/attach"


@pytest.mark.virtual
async def test_a_refused_command_raises_what_the_server_said() -> None:
    house = House()
    house.server.refuse.add(1)
    async with talking(house) as (client, _):
        with pytest.raises(IllegalEvent, match="no"):
            await client.send(native.SendMessage(text="x"))
        assert await client.send(native.SendMessage(text="y")) == 1


@pytest.mark.virtual
async def test_being_superseded_is_final() -> None:
    house = House()
    async with house.client() as client:
        await client.live()
        house.close(native.CloseCode.SUPERSEDED)
        with pytest.raises(Superseded):
            async for _ in client:
                pass
        with pytest.raises(Superseded):
            await client.send(native.SendMessage(text="x"))
    assert len(house.lines) == 1


@pytest.mark.virtual
async def test_the_end_of_the_session_ends_the_iteration() -> None:
    house = House()
    async with house.client() as client:
        await client.live()
        house.close(native.CloseCode.ENDED)
        assert [item async for item in client][-1] == Changed("closed")
        with pytest.raises(SessionEnded):
            await client.send(native.SendMessage(text="x"))


@pytest.mark.virtual
async def test_what_is_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenuto.client.client.UNREAD", 10)
    house = House()
    async with house.client() as client:
        await client.live()
        for n in range(20):
            house.say(f"{n}")
        await asyncio.sleep(1.0)
        items = aiter(client)
        assert await anext(items) == Missed(11)
        assert isinstance(await anext(items), Happened)
        await items.aclose()  # type: ignore[attr-defined]


@pytest.mark.virtual
async def test_leaving_waits_for_answers_but_not_for_ever() -> None:
    house = House()
    async with house.client() as client:
        await client.live()
        sending = asyncio.create_task(client.send(native.SendMessage(text="last words")))
        await asyncio.sleep(0)
    assert await sending == 1

    async with house.client() as client:
        await client.live()
        house.lines[-1].cut("half-open")
        sending = asyncio.create_task(client.send(native.SendMessage(text="nobody hears")))
        await asyncio.sleep(0)
        before = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - before < 6.0
    with pytest.raises(SessionEnded):
        await sending


@pytest.mark.virtual
async def test_leaving_while_connecting() -> None:
    async with House().client() as client:
        await asyncio.sleep(0.005)
    await client.close()


async def test_misuse() -> None:
    with pytest.raises(InvalidInput, match="ws://"):
        Client("house", session="s")
    client = House().client()
    with pytest.raises(InvalidInput, match="Enter"):
        await client.send(native.SendMessage(text="x"))
    await client.close()
    async with client:
        with pytest.raises(InvalidInput, match="microphone"):
            client.hear(b"")
        with pytest.raises(InvalidInput, match="once"):
            await client.__aenter__()
    assert client.error is None


# -------------------------------------------------------------------------------------------------- credentials that end


class Office:
    """Gives out tickets, slowly; or raises what it was told to."""

    def __init__(self, *troubles: TenutoError) -> None:
        self.given = 0
        self.asked = 0
        self.troubles = list(troubles)

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0.5)
        if self.given and self.troubles:
            raise self.troubles.pop(0)
        self.given += 1
        return f"ticket-{self.given}"


def soon(house: House) -> None:
    house.doors[-1].desk.say(native.AuthSoon(seconds=60.0))
    house.doors[-1].flush()


@pytest.mark.virtual
async def test_twenty_who_want_another_ticket_cause_one() -> None:
    house, office = House(), Office()
    async with talking(house, ticket_source=office) as (client, _):
        await client.live()
        soon(house)
        soon(house)
        await asyncio.sleep(0.1)
        await asyncio.gather(*(client.renew() for _ in range(20)))
        await asyncio.sleep(0.1)
        assert house.server.tickets == ["ticket-2"]
        await client.renew()
        await asyncio.sleep(0.1)
        assert house.server.tickets == ["ticket-2", "ticket-3"]
    assert len(house.lines) == 1


@pytest.mark.virtual
async def test_an_office_that_is_away_is_asked_again() -> None:
    limited = RateLimited()
    limited.retry_after = 20.0
    house, office = House(), Office(StoreUnavailable(), limited)
    async with talking(house, ticket_source=office) as (client, _):
        await client.live()
        soon(house)
        await asyncio.sleep(20.0)
        assert (office.asked, house.server.tickets) == (3, [])
        await asyncio.sleep(10.0)
        assert house.server.tickets == ["ticket-2"]


@pytest.mark.virtual
async def test_an_office_that_refuses_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    house, office = House(), Office(NotAuthenticated(), NotAuthenticated())
    async with talking(house, ticket_source=office) as (client, _):
        await client.live()
        soon(house)
        await asyncio.sleep(30.0)
        assert (office.asked, client.state) == (2, "live")
        assert "NotAuthenticated" in caplog.text
        with pytest.raises(NotAuthenticated):
            await client.renew()
        house.close(native.CloseCode.EXPIRED)
        await asyncio.sleep(5.0)
        assert client.state == "live", "it came back with another one"
    assert house.dialled[-1][1] == ("tenuto.v1", "tenuto.t.ticket-2")


@pytest.mark.virtual
async def test_a_ticket_for_a_connection_that_is_gone_is_kept_to_itself() -> None:
    house, office = House(), Office()
    async with talking(house, ticket_source=office) as (client, _):
        await client.live()
        renewing = asyncio.create_task(client.renew())
        await asyncio.sleep(0.1)
        house.close(native.CloseCode.SILENT)
        await renewing
        await client.live()
        assert house.server.tickets == []


@pytest.mark.virtual
async def test_who_waits_for_a_ticket_is_let_go_when_the_client_leaves() -> None:
    house, office = House(), Office()
    async with house.client(ticket_source=office) as client:
        await client.live()
        waiting = [asyncio.create_task(client.renew()) for _ in range(2)]
        await asyncio.sleep(0.1)
        waiting[1].cancel()
        await asyncio.sleep(0.1)
        assert waiting[1].cancelled() and not waiting[0].done()
    await waiting[0]


@pytest.mark.virtual
async def test_without_an_office_nothing_is_renewed() -> None:
    house = House()
    async with talking(house) as (client, _):
        await client.live()
        soon(house)
        with pytest.raises(InvalidInput, match="ticket_source"):
            await client.renew()


@pytest.mark.virtual
async def test_who_asked_too_often_waits_before_the_first_connection_too() -> None:
    limited = RateLimited()
    limited.retry_after = 7.0
    house, office = House(), Office(limited)
    office.given = 1
    before = asyncio.get_running_loop().time()
    async with talking(house, ticket_source=office) as (client, _):
        await client.live()
        assert asyncio.get_running_loop().time() - before >= 7.0
