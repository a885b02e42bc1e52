"""The body of a request: read within a time and a size, then checked against its struct."""

import asyncio
from typing import TypeVar

import msgspec
from starlette.requests import Request

from tenuto.errors import InvalidInput
from tenuto.server.limits import Limits, check_depth
from tenuto.server.replies import BodyTooLarge, TooSlow, WrongForm

Wanted = TypeVar("Wanted")


async def read_json(request: Request, kind: type[Wanted], limits: Limits) -> Wanted:
    """Return what a request asks for. No body is the same as an empty object.

    Raises:
        BodyTooLarge: It has more than `limits.body_bytes`.
        TooSlow: It was not there within `limits.body_seconds`.
        WrongForm: It does not say that it is JSON.
        InvalidInput: It is no JSON, nests too deep, or does not fit; the message says where.
    """
    data = await _read(request, limits)
    if not data:
        data = b"{}"
    elif request.headers.get("content-type", "").partition(";")[0].strip().lower() != (
        "application/json"
    ):
        raise WrongForm()
    check_depth(data, limits.json_depth)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is wrong: {error}") from None


async def _read(request: Request, limits: Limits) -> bytes:
    too_large = BodyTooLarge(f"A body may have {limits.body_bytes} bytes.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > limits.body_bytes:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                data += part
                if len(data) > limits.body_bytes:
                    raise too_large
    except TimeoutError:
        raise TooSlow(f"The body was not there within {limits.body_seconds:g} s.") from None
    return bytes(data)
