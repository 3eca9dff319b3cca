"""The way out to the client: our bytes, one framing, no wait without a limit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.head import RawHeaders
from gateway.wire import Answer, RawResponse, frame, head_bytes, send_continue
from tests.origin import PATIENCE_S, Client

SHORT_S = 0.15
LENGTH = (b"content-Length", b"5")
CHUNKED = (b"Transfer-Encoding", b"chunked")
CLOSE = (b"Connection", b"close")
KEEP = (b"Connection", b"keep-alive")
OTHER = (b"X", b"1")


@pytest.mark.parametrize(
    ("status", "version", "has_body", "length_known", "framed", "length", "keeps"),
    [
        (200, (1, 1), True, True, (OTHER, LENGTH), 5, True),
        (200, (1, 1), True, False, (OTHER, CHUNKED), None, True),
        (200, (1, 0), True, True, (OTHER, LENGTH, KEEP), 5, True),
        (200, (1, 0), True, False, (OTHER, CLOSE), None, False),
        (200, (1, 1), False, True, (OTHER, LENGTH), 0, True),
        (200, (1, 0), False, True, (OTHER, LENGTH, KEEP), 0, True),
        (200, (1, 0), False, False, (OTHER, KEEP), 0, True),
        (304, (1, 1), False, True, (OTHER, LENGTH), 0, True),
        (204, (1, 1), False, True, (OTHER,), 0, True),
    ],
)
def test_a_response_ends_in_one_way(
    status: int,
    version: tuple[int, int],
    has_body: bool,
    length_known: bool,
    framed: RawHeaders,
    length: int | None,
    keeps: bool,
) -> None:
    """Two readings of where a response ends are how one visitor gets another's page."""
    sent = (OTHER, (b"keep-Alive", b"x"), LENGTH, (b"CONNECTION", b"x"), (b"transfer-encoding", b"gzip"), LENGTH)
    framing = frame(sent, status=status, version=version, keep_alive=True, has_body=has_body, length_known=length_known)
    assert framing.headers == framed
    assert framing.length == length
    assert framing.keep_alive is keeps


@pytest.mark.parametrize("version", [(1, 0), (1, 1)])
def test_a_connection_that_is_not_kept_says_so(version: tuple[int, int]) -> None:
    """The client must not send a request into it."""
    framing = frame((), status=200, version=version, keep_alive=False, has_body=True, length_known=True)
    assert framing.headers[-1] == CLOSE
    assert not framing.keep_alive


def test_a_head_goes_out_as_it_is() -> None:
    """Letter case, repeats, empty values and bytes beyond ASCII are the origin's."""
    headers = ((b"set-Cookie", b"a=\xe9"), (b"X", b""), (b"Set-Cookie", b"b"))
    assert head_bytes(299, b"F\xe9in", headers) == (
        b"HTTP/1.1 299 F\xe9in\r\nset-Cookie: a=\xe9\r\nX: \r\nSet-Cookie: b\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("reason", "headers"),
    [
        (b"OK\r\nX: y", ()),
        (b"OK\n", ()),
        (b"OK", ((b"X", b"a\r\nY: b"),)),
        (b"OK", ((b"X", b"a\rb"),)),
        (b"OK", ((b"X\n", b"a"),)),
    ],
)
def test_a_head_is_never_split(reason: bytes, headers: RawHeaders) -> None:
    """The last look before the wire, whoever failed above."""
    with pytest.raises(ValueError, match="line break"):
        head_bytes(200, reason, headers)


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A server of aiohttp around *handler*, on a free port."""
    protocols = web.Server(handler, handler_cancellation=True, access_log=None)
    server = await asyncio.get_running_loop().create_server(protocols, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await protocols.shutdown(0)


def response_to(request: web.BaseRequest, *headers: tuple[bytes, bytes], known: bool = True) -> RawResponse:
    return RawResponse(
        request,
        status=200,
        reason=b"OK",
        headers=headers,
        has_body=request.method != "HEAD",
        length_known=known,
        write_timeout_s=SHORT_S,
    )


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ([b"one", b"", b"three"], b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"),
        ([b""], b"0\r\n\r\n"),
        ([], b"0\r\n\r\n"),
    ],
)
async def test_a_chunked_body_is_what_was_sent(pieces: list[bytes], body: bytes) -> None:
    """An empty piece must not be written as a chunk: that would be the end."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request)
        for piece in pieces:
            await response.send(piece)
        return response

    async with serving(handler) as port, Client(port) as client:
        await client.send(GET)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert await client.reader.readexactly(len(body)) == body
        # And nothing else: the connection goes on.
        await client.send(GET)
        assert (await client.head()).startswith(b"HTTP/1.1 200")


async def test_an_http_1_0_client_gets_an_end_it_understands() -> None:
    """With keep-alive and no length aiohttp would leave it waiting."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request)
        await response.send(b"whole")
        return response

    async with serving(handler) as port, Client(port) as client:
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhole"


async def test_an_http_1_0_client_may_keep_a_connection_with_lengths() -> None:
    """Health checks of old load balancers do."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request, (b"Content-Length", b"2"))
        await response.send(b"ok")
        return response

    async with serving(handler) as port, Client(port) as client:
        for _ in range(2):
            reply = await client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert reply.values(b"connection") == [b"keep-alive"]
            assert reply.body == b"ok"


@pytest.mark.parametrize("pieces", [[b"four"], [b"four", b"xx"], []])
async def test_a_body_that_is_not_its_length_is_never_completed(pieces: list[bytes]) -> None:
    """A byte too few or too many, and the next response on the connection would begin in the wrong place."""
    failures = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request, (b"Content-Length", b"5"))
        try:
            for piece in pieces:
                await response.send(piece)
            await response.finish()
        except ValueError as error:
            failures.append(str(error))
            response.abort()
        return response

    async with serving(handler) as port, Client(port) as client:
        await client.send(GET)
        await client.closed()
    assert len(failures) == 1


async def test_an_aborted_response_is_a_reset_not_an_end() -> None:
    """A clean end of a close-delimited body would make half a page a whole one."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request)
        await response.send(b"half")
        response.abort()
        return response

    async with serving(handler) as port, Client(port) as client:
        await client.send(GET)
        await client.head()
        assert await client.chunk() == b"half"
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.chunk()


async def test_a_client_that_takes_nothing_is_given_up() -> None:
    """Slow readers would otherwise fill the memory and the connections (slowhttptest -X)."""
    stalled: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request)
        try:
            while True:
                await response.send(bytes(65536))
        except TimeoutError:
            stalled.set_result(response.bytes_out)
            response.abort()
        return response

    async with serving(handler) as port, Client(port, receive_buffer=4096) as client:
        await client.send(GET)
        assert await asyncio.wait_for(stalled, PATIENCE_S) < 32 * 2**20


async def test_a_client_that_takes_nothing_of_the_end_is_given_up_too() -> None:
    """Below the high-water mark nobody waits; without the wait at the end such a connection would stay for ever."""
    stalled = asyncio.Event()
    sent = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request)
        transport = request.transport
        assert transport is not None
        try:
            while not transport.get_write_buffer_size():
                await response.send(bytes(16384))
            sent.set()
            await response.finish()
        except TimeoutError:
            stalled.set()
            response.abort()
        return response

    async with serving(handler) as port, Client(port, receive_buffer=4096) as client:
        await client.send(GET)
        await asyncio.wait_for(sent.wait(), PATIENCE_S)
        await asyncio.wait_for(stalled.wait(), PATIENCE_S)


async def test_a_client_that_takes_a_little_all_the_time_is_served() -> None:
    """The limit is on silence; people on trains read slowly."""
    size = 6 * 2**20

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request, (b"Content-Length", b"%d" % size))
        await response.send(bytes(size))
        await response.finish()
        return response

    async with serving(handler) as port, Client(port, receive_buffer=65536) as client:
        await client.send(GET)
        await client.head()
        left, pause = size, asyncio.Event()
        while left:
            asyncio.get_running_loop().call_later(SHORT_S / 50, pause.set)
            await pause.wait()
            pause.clear()
            got = len(await client.reader.read(65536))
            assert got
            left -= got


async def test_a_client_that_left_is_a_connection_error() -> None:
    """So that it is told apart from everything that is somebody's fault."""
    outcome: asyncio.Future[type[BaseException]] = asyncio.get_running_loop().create_future()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = response_to(request)
        try:
            while True:
                await response.send(bytes(65536))
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.CancelledError) as error:
            outcome.set_result(type(error))
            raise

    async with serving(handler) as port, Client(port) as client:
        await client.send(GET)
        await client.head()
        client.reset()
        kind = await asyncio.wait_for(outcome, PATIENCE_S)
    assert issubclass(kind, (ConnectionError, asyncio.CancelledError))


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_an_answer_of_ours_names_nobody_and_is_not_stored(method: bytes) -> None:
    """Error pages are read by scanners too."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return Answer(request, status=502, text="sorry\n", headers=(OTHER,), write_timeout_s=SHORT_S)

    async with serving(handler) as port, Client(port) as client:
        for _ in range(2):
            reply = await client.ask(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert reply.raw == (
                b"HTTP/1.1 502 Bad Gateway\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\nX: 1\r\n\r\n"
            )
            assert reply.body == (b"" if method == b"HEAD" else b"sorry\n")


async def test_a_204_of_ours_has_no_length() -> None:
    """RFC 9110 section 8.6; some clients wait for the bytes."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return Answer(request, status=204, write_timeout_s=SHORT_S)

    async with serving(handler) as port, Client(port) as client:
        assert (await client.ask(GET)).values(b"content-length") == []


async def test_after_an_upgrade_that_was_not_taken_the_connection_ends() -> None:
    """The client may speak the other protocol already; its bytes must not be read as requests (RFC 9931)."""
    seen = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.raw_path)
        return Answer(request, status=200, text="plain", write_timeout_s=SHORT_S)

    upgrade = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with serving(handler) as port, Client(port) as client:
        await client.send(upgrade + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in await client.rest()
    assert seen == ["/ws"]


async def test_a_client_that_waits_for_a_100_gets_it_before_the_answer() -> None:
    """Some (curl) wait a second otherwise, others for ever."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        send_continue(request)
        body = await request.content.read()
        return Answer(request, status=200, text=body.decode(), write_timeout_s=SHORT_S)

    async with serving(handler) as port, Client(port) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hi")
        assert (await client.reply()).body == b"hi"
