"""A whole small request body, read within bounds: for the gateway's own endpoints, never for what is proxied."""

import asyncio
from enum import StrEnum

from aiohttp import web

from gateway.wire import send_continue


class Unread(StrEnum):
    """Why a body was not taken; what is left of it is still on the connection."""

    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    BROKEN = "broken"


async def read_body(request: web.BaseRequest, *, limit_bytes: int, timeout_s: float) -> bytes | Unread:
    """The body, up to *limit_bytes* whatever was announced, within *timeout_s* for all of it.

    ConnectionError or a cancellation: the client is gone.
    """
    if (request.content_length or 0) > limit_bytes:
        return Unread.TOO_LARGE
    if request.headers.get("Expect", "").lower() == "100-continue":
        send_continue(request)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while piece := await request.content.readany():
                body += piece
                if len(body) > limit_bytes:
                    return Unread.TOO_LARGE
    except TimeoutError:
        return Unread.TOO_SLOW
    except web.RequestPayloadError:  # a bad chunk, or the end before the announced length
        return Unread.BROKEN
    return bytes(body)
