"""Where clients connect: limits, refusals, and answers that say nothing."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import http_parser, web

from gateway import listener as listener_module
from gateway.errors import StartupFaults
from gateway.listener import FIELDS_LIMIT, LINE_LIMIT_BYTES, Handler, Listener, Refused, check_aiohttp, connection_limit
from gateway.settings import ListenSettings
from gateway.wire import Answer
from tests.origin import PATIENCE_S, Client

SHORT_S = 0.15
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LINE = len(b"GET  HTTP/1.1")

Told = list[tuple[Refused, int, BaseException | None]]


async def hello(request: web.BaseRequest) -> web.StreamResponse:
    body = await request.content.read()
    return Answer(request, status=200, text=f"{request.raw_path} {len(body)}", write_timeout_s=SHORT_S)


@asynccontextmanager
async def listening(handler: Handler = hello, told: Told | None = None, **settings: object) -> AsyncIterator[Listener]:
    def tell(what: Refused, count: int, error: BaseException | None) -> None:
        if told is not None:
            told.append((what, count, error))

    values = {"address": "127.0.0.1:0", "grace_s": SHORT_S, **settings}
    listener = Listener(handler, ListenSettings.model_validate(values), tell=tell)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop()


async def test_requests_are_answered_one_after_the_other_on_one_connection() -> None:
    """Pipelining keeps its order."""
    async with listening() as listener, Client(listener.port) as client:
        await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(100)))
        for i in range(100):
            assert (await client.reply()).body == b"/%d 0" % i


MALFORMED = {
    "length and coding": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "length with sign": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "length in hex": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
    "length as list": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
    "coding unknown": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding not last": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "coding twice": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "vertical tab": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "bare lf": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare cr": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "nul": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_does_not_parse_is_a_400_that_says_nothing_and_closes(raw: bytes) -> None:
    """Smuggling begins where two servers read one request differently; reflection is somebody's script."""
    told: Told = []
    async with listening(told=told) as listener, Client(listener.port) as client:
        await client.send(raw + GET)
        answer = await client.rest()
    assert answer == (
        b"HTTP/1.1 400 Bad Request\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    assert told == [(Refused.REQUEST, 1, None)]


@pytest.mark.parametrize("limit", [4096, LINE_LIMIT_BYTES, 32_768])
async def test_a_field_may_be_as_long_as_the_settings_say(limit: int) -> None:
    """431 tells the visitor what to do (clear cookies); 400 tells nothing."""
    async with listening(head_limit_bytes=limit) as listener:
        for length, status in ((limit - 1, 200), (limit, 200), (limit + 1, 431)):
            async with Client(listener.port) as client:
                field = b"Cookie: " + b"a" * length
                reply = await client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n")
                assert reply.status == status


@pytest.mark.parametrize("limit", [4096, LINE_LIMIT_BYTES])
async def test_a_target_longer_than_the_limit_is_a_414(limit: int) -> None:
    """Told apart from long fields, also where both limits are the same number."""
    most = LINE_LIMIT_BYTES + (limit == LINE_LIMIT_BYTES)
    async with listening(head_limit_bytes=limit) as listener:
        for length, status in ((most - 1, 200), (most, 200), (most + 1, 414)):
            async with Client(listener.port) as client:
                target = b"/" + b"a" * (length - 1)
                assert (await client.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")).status == status


async def test_more_fields_than_the_limit_are_a_431() -> None:
    """Each costs memory before anybody has looked at it."""
    async with listening() as listener:
        for count, status in ((FIELDS_LIMIT - 1, 200), (FIELDS_LIMIT, 200), (FIELDS_LIMIT + 1, 431)):
            async with Client(listener.port) as client:
                fields = b"X: a\r\n" * (count - 1)
                assert (await client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")).status == status


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", GET])
async def test_an_idle_connection_is_closed(sent: bytes) -> None:
    """Before, within and after a request: whoever connects and keeps silent holds a place that others need."""
    async with listening(keepalive_s=SHORT_S) as listener, Client(listener.port) as client:
        await client.send(sent)
        if sent == GET:
            assert (await client.reply()).status == 200
        assert await client.closed()


async def test_a_head_that_drips_in_is_closed_all_the_same() -> None:
    """As slowhttptest -H does: a byte now and then must not extend the time."""
    async with listening(keepalive_s=SHORT_S) as listener, Client(listener.port) as client:
        dripping = asyncio.create_task(drip(client))
        assert await client.closed()
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def drip(client: Client) -> None:
    tick = asyncio.Event()
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    while True:
        asyncio.get_running_loop().call_later(SHORT_S / 5, tick.set)
        await tick.wait()
        tick.clear()
        client.writer.write(b"a")


async def test_one_connection_more_than_the_limit_is_closed_and_others_are_served() -> None:
    """At the end of all file descriptors nobody would be served, and the log would fill the disk."""
    told: Told = []
    async with listening(max_connections=2, told=told) as listener:
        async with Client(listener.port) as first, Client(listener.port) as second:
            assert (await first.ask(GET)).status == 200
            assert (await second.ask(GET)).status == 200
            for _ in range(50):
                async with Client(listener.port) as third:
                    assert await third.closed()
            assert listener.connections == 2
            assert (await first.ask(GET)).status == 200
            assert told == [(Refused.CONNECTION, 1, None)]
            first.reset()
            assert (await second.ask(GET)).status == 200
        async with Client(listener.port) as fourth:
            assert (await fourth.ask(GET)).status == 200


def test_open_files_bound_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client may need a connection to the origin as well, and the store its files."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 4096))
    assert connection_limit(100) == 100
    assert connection_limit(450) == 450
    assert connection_limit(451) == 450
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert connection_limit(100_000) == 100_000


async def test_a_client_s_leaving_cancels_what_was_done_for_it() -> None:
    """Otherwise the origin works on for nobody."""
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    async with listening(handler) as listener, Client(listener.port) as client:
        await client.send(GET)
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        client.reset()
        await asyncio.wait_for(cancelled.wait(), 1.0)


async def test_a_handler_that_fails_is_a_500_that_says_nothing() -> None:
    """Tracebacks hold paths, addresses and cookies."""
    told: Told = []
    fault = RuntimeError("cookie=secret")

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        raise fault

    async with listening(handler, told) as listener, Client(listener.port) as client:
        await client.send(GET)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"secret" not in answer
        assert b"Server" not in answer.split(b"\r\n", 1)[1]
        assert told == [(Refused.HANDLER, 1, fault)]


@pytest.mark.parametrize("rest", [b"ZZ\r\n", b"3\r\nabcX", b"-1\r\n"])
async def test_a_body_whose_framing_breaks_is_told_to_its_reader(rest: bytes) -> None:
    """The parser forgets the reader, who would wait until its time is up."""
    outcome: asyncio.Future[BaseException | bytes] = asyncio.get_running_loop().create_future()

    began = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        began.set()
        try:
            outcome.set_result(await request.content.read())
        except Exception as error:  # noqa: BLE001 - looked at below
            outcome.set_result(error)
        return Answer(request, status=400, keep_alive=False, write_timeout_s=SHORT_S)

    async with listening(handler) as listener, Client(listener.port) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        await client.send(rest)
        assert (await client.reply()).status == 400
        assert isinstance(await asyncio.wait_for(outcome, PATIENCE_S), web.RequestPayloadError)
        assert await client.closed()


async def test_a_stop_lets_a_running_request_finish_and_takes_no_more() -> None:
    """A deployment must not cost a visitor the page."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        began.set()
        await go_on.wait()
        return Answer(request, status=200, text="done", write_timeout_s=SHORT_S)

    async with (
        listening(handler, grace_s=PATIENCE_S) as listener,
        Client(listener.port) as client,
        Client(listener.port) as idle,
    ):
        await client.send(GET)
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        port = listener.port
        stopping = asyncio.create_task(listener.stop())
        assert await idle.closed()
        with pytest.raises(OSError, match=r"Connect call failed|refused"):
            await asyncio.open_connection("127.0.0.1", port)
        go_on.set()
        assert (await client.reply()).body == b"done"
        await asyncio.wait_for(stopping, PATIENCE_S)


async def test_a_stop_cuts_what_does_not_finish_in_time() -> None:
    """A stuck request must not keep the old process alive for ever."""
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async with listening(handler) as listener, Client(listener.port) as client:
        await client.send(GET)
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        await asyncio.wait_for(listener.stop(), PATIENCE_S)
        assert await client.closed()
        await asyncio.wait_for(cancelled.wait(), PATIENCE_S)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0", "[::]:0"])
async def test_every_kind_of_address_can_be_listened_on(address: str) -> None:
    """`[::]` takes IPv4 as well: the settings call it every address."""
    async with listening(address=address) as listener:
        host = "::1" if address.startswith("[::1]") else "127.0.0.1"
        reader, writer = await asyncio.open_connection(host, listener.port)
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


def test_an_aiohttp_with_known_holes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are smuggled through the older ones, and through the parser in Python."""
    check_aiohttp()
    monkeypatch.setattr(aiohttp, "__version__", "3.14.2")
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(StartupFaults) as refusal:
        check_aiohttp()
    assert len(refusal.value.faults) == 2


async def test_a_flood_of_refusals_is_told_now_and_then_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that grows with an attack is an attack of its own."""
    told: Told = []
    monkeypatch.setattr(listener_module, "TELL_EVERY_S", SHORT_S)
    async with listening(told=told) as listener:
        async with asyncio.timeout(PATIENCE_S):
            sent = 0
            while len(told) < 2:
                async with Client(listener.port) as client:
                    await client.send(b"nonsense\r\n\r\n")
                    await client.rest()
                sent += 1
    assert sum(count for _, count, _ in told) == sent
    assert told[1][1] > 1
