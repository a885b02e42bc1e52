"""The body of a request: read within a time and a size, then checked against its struct."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from tenuto.errors import InvalidInput
from tenuto.server.limits import Limits, check_depth
from tenuto.server.replies import BodyTooLarge, TooSlow, WrongForm

Wanted = TypeVar("Wanted")

_WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises."""


async def read_json(
    request: Request,
    kind: type[Wanted],
    limits: Limits,
    explain: Callable[[Any], None] | None = None,
) -> Wanted:
    """Return what a request asks for. No body is the same as an empty object.

    Args:
        explain: Is given the plain JSON of a body that does not fit, to refuse it in better words.

    Raises:
        BodyTooLarge: It has more than `limits.body_bytes`.
        TooSlow: It was not there within `limits.body_seconds`, or whoever sent it went away.
        WrongForm: It does not say that it is JSON, or it is packed.
        InvalidInput: It is no JSON, nests too deep, or does not fit; the message says where.
    """
    parts = stream(request, limits.body_bytes, limits.body_seconds)
    data = b"".join([part async for part in parts])
    if not data:
        data = b"{}"
    elif request.headers.get("content-type", "").partition(";")[0].strip().lower() != (
        "application/json"
    ):
        raise WrongForm()
    check_depth(data, limits.json_depth)
    try:
        return msgspec.json.decode(data, type=kind)
    except _WRONG as error:
        problem = error
    with contextlib.suppress(*_WRONG):
        if explain is not None:
            explain(msgspec.json.decode(data))
    raise InvalidInput(f"The body is wrong: {problem}")


async def stream(request: Request, most: int, seconds: float) -> AsyncIterator[bytes]:
    """Yield the body of a request as it comes.

    Args:
        most: Bytes that it may have.
        seconds: How long all of it may take.

    Raises:
        BodyTooLarge: It has more.
        TooSlow: It was not there in time, or whoever sent it went away.
        WrongForm: It is packed.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise WrongForm("The body must be sent as it is, without a Content-Encoding. Unpack it.")
    too_large = BodyTooLarge(f"The body of this request may have {most} bytes.")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise too_large
    size, parts = 0, request.stream()
    late = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(late):
                part = await anext(parts, None)
        except (TimeoutError, ClientDisconnect):
            raise TooSlow(f"The body was not there within {seconds:g} s.") from None
        if part is None:
            return
        size += len(part)
        if size > most:
            raise too_large
        yield part
