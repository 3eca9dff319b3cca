"""Waiting for a peer to take what was written: the limit is on silence."""

import asyncio
import gc

import pytest

from gateway.drain import drained

SHORT_S = 0.05


class Buffer(asyncio.WriteTransport):
    """A write buffer whose size the test sets."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.sizes = list(sizes)

    def get_write_buffer_size(self) -> int:
        """The next size; the last one again and again."""
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]


async def never() -> None:
    await asyncio.Event().wait()


async def test_it_ends_when_the_transport_takes_more() -> None:
    """Whatever is left in the buffer: a drain ends below the low-water mark."""
    taken = asyncio.Event()
    asyncio.get_running_loop().call_soon(taken.set)
    await drained(Buffer(9), lambda: _until(taken), timeout_s=60)


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def test_a_peer_that_takes_nothing_is_given_up() -> None:
    """One limit, and no more."""
    with pytest.raises(TimeoutError):
        await drained(Buffer(9), never, timeout_s=SHORT_S)


async def test_a_peer_that_takes_a_little_is_waited_for() -> None:
    """Each piece that left gives another such time; the limit is not on the whole."""
    buffer = Buffer(9, 8, 7, 6)
    with pytest.raises(TimeoutError):
        await drained(buffer, never, timeout_s=SHORT_S)
    assert buffer.sizes == [6]


async def test_a_connection_that_breaks_is_told_as_what_it_is() -> None:
    """A client that left is not one that stalled."""

    async def broken() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await drained(Buffer(9), broken, timeout_s=60)


@pytest.mark.parametrize("timeout_s", [SHORT_S, 60])
async def test_nothing_is_left_running(timeout_s: float) -> None:
    """A forgotten task would hold the connection."""
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(drained(Buffer(9), never, timeout_s=timeout_s))
    await asyncio.wait((waiting,), timeout=2 * SHORT_S)
    waiting.cancel()
    (result,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(result, (TimeoutError, asyncio.CancelledError))
    assert asyncio.all_tasks() == before


async def test_a_connection_that_breaks_while_the_wait_is_cut_short_is_reported_by_nobody() -> None:
    """A client that leaves brings both at once, and is no fault that an operator should read of."""
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: reported.append(context))
    gone = loop.create_future()

    async def broken() -> None:
        await gone

    waiting = asyncio.create_task(drained(Buffer(9), broken, timeout_s=60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.set_exception(ConnectionResetError())
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert waiting.cancelled()
    del waiting
    gc.collect()
    assert reported == []
