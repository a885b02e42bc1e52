"""A body that is read: what comes out, and what is refused, whichever way it comes."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import Request

from tenuto.server.body import stream
from tenuto.server.replies import BodyTooLarge, TooSlow, WrongForm


def request(parts: Iterable[bytes], *, gone: bool = False, **headers: str) -> Request:
    """A request whose body comes in parts, and then no more, or whose client goes away."""
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": True} for part in parts
    ]
    coming.append({"type": "http.disconnect"} if gone else {"type": "http.request"})
    named = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()]

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if coming else await asyncio.Future()

    return Request({"type": "http", "method": "POST", "headers": named}, receive)


async def read(asked: Request, most: int = 10, seconds: float = 60.0) -> list[bytes]:
    return [part async for part in stream(asked, most, seconds) if part]


async def test_a_body_comes_as_it_was_sent() -> None:
    assert await read(request([b"12345", b"67890"])) == [b"12345", b"67890"]
    assert await read(request([], content_encoding="identity", content_length="0")) == []


async def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    for size in ("11", "9" * 40):
        with pytest.raises(BodyTooLarge, match="10 bytes"):
            await read(request([], content_length=size))
    # Nor does it help to say nothing, or a lie.
    for length in ("", "1", "²"):
        with pytest.raises(BodyTooLarge):
            await read(request([b"123456"] * 2, content_length=length))


async def test_who_goes_away_is_no_fault_of_the_server() -> None:
    with pytest.raises(TooSlow):
        await read(request([b"1"], gone=True))


async def test_what_does_not_come_is_not_waited_for() -> None:
    silent = request([])
    await silent.receive()
    with pytest.raises(TooSlow, match=r"within 0\.01 s"):
        await read(silent, seconds=0.01)


async def test_what_is_packed_is_refused_and_not_unpacked() -> None:
    with pytest.raises(WrongForm, match="Unpack"):
        await read(request([b"\x1f\x8b"], content_encoding="GZip"))
