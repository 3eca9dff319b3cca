"""Waiting for a peer to take what was written, as long as it takes some."""

import asyncio
from collections.abc import Callable, Coroutine


async def drained(
    transport: asyncio.WriteTransport, drain: Callable[[], Coroutine[object, object, None]], *, timeout_s: float
) -> None:
    """Wait for *drain*, which ends when the transport takes more; TimeoutError when nothing left for *timeout_s*.

    The limit is on silence, not on the whole: a slow reader of a large piece is served, one that stopped reading is not.
    """
    # A task, because the future behind a drain is shared and must not be cancelled while the connection lives: the next
    # drain would wait on the cancelled one.
    waiting = asyncio.ensure_future(drain())
    try:
        left = transport.get_write_buffer_size()
        while True:
            await asyncio.wait((waiting,), timeout=timeout_s)
            if waiting.done():
                return await waiting
            now_left = transport.get_write_buffer_size()
            if now_left >= left:
                raise TimeoutError
            left = now_left
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait((waiting,))
        if not waiting.cancelled():
            # Where this wait was cut short as the connection broke, nobody else looks, and asyncio reports a lost exception.
            waiting.exception()
