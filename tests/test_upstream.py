"""The way to the origin: what it is sent, and what becomes of everything it may do."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.errors import ClientFault, OriginFault
from gateway.head.model import RawHeaders, UpstreamRequest
from gateway.settings import OriginSettings
from gateway.upstream import FIELD_LIMIT_BYTES, FIELDS_LIMIT, INTERIM_LIMIT, READ_BUFFER_BYTES, Upstream
from tests.origin import PATIENCE_S, Origin, Script, Talk, replying

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHORT_S = 0.15

# What asyncio takes from a socket at once.
SOCKET_READ_BYTES = 256 * 1024


def request(
    method: str = "GET", target: bytes = b"/", headers: RawHeaders = ((b"Host", b"site.example"),), **body: object
) -> UpstreamRequest:
    length, chunked = body.get("length"), bool(body.get("chunked"))
    assert length is None or isinstance(length, int)
    return UpstreamRequest(
        method=method, target=target, headers=headers, body_length=length, chunked=chunked, site="", withheld=()
    )


@asynccontextmanager
async def upstream_of(url: str, **settings: object) -> AsyncIterator[Upstream]:
    limits: dict[str, object] = {
        "connect_timeout_s": PATIENCE_S,
        "first_byte_timeout_s": PATIENCE_S,
        "idle_timeout_s": PATIENCE_S,
    }
    upstream = Upstream(OriginSettings.model_validate({"url": url, **limits, **settings}))
    await upstream.start()
    try:
        yield upstream
    finally:
        await upstream.close()


async def fetched(upstream: Upstream, asked: UpstreamRequest | None = None) -> bytes:
    async with asyncio.timeout(PATIENCE_S), await upstream.open(asked or request()) as response:
        body = b""
        while piece := await response.read():
            body += piece
        return body


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_request_goes_out_as_the_bytes_it_was_given() -> None:
    """Order, repeats, letter case, bytes beyond ASCII and the target are the client's business, not ours."""
    headers = ((b"Host", b"a"), (b"x-B", b"1"), (b"X-b", b"caf\xe9"), (b"x-B", b"2"))
    async with Origin(replying(OK)) as origin, upstream_of(origin.url) as upstream:
        await fetched(upstream, request("GET", b"//a%2Fb/%00?", headers))
    assert origin.requests == [b"GET //a%2Fb/%00? HTTP/1.1\r\nHost: a\r\nx-B: 1\r\nX-b: caf\xe9\r\nx-B: 2\r\n\r\n"]


async def test_a_response_head_comes_back_as_the_bytes_that_were_sent() -> None:
    """A reason of its own, repeated fields, empty values and bytes beyond ASCII survive the parser."""
    reply = b"HTTP/1.1 200 F\xe9in\r\nset-Cookie: a=\xe9\r\nX: \r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"
    async with (
        Origin(replying(reply)) as origin,
        upstream_of(origin.url) as upstream,
        await upstream.open(request()) as response,
    ):
        assert response.head.status == 200
        assert response.head.reason == b"F\xe9in"
        assert response.head.version == (1, 1)
        assert response.head.headers == (
            (b"set-Cookie", b"a=\xe9"),
            (b"X", b""),
            (b"Set-Cookie", b"b"),
            (b"Content-Length", b"0"),
        )


@pytest.mark.parametrize("hidden", [b"/a\r\nX: y", b"/a\n", b"/a\r"])
async def test_a_line_break_never_reaches_the_wire(hidden: bytes) -> None:
    """One request must not become two, even where every check above was passed by mistake."""
    async with Origin(replying(OK)) as origin, upstream_of(origin.url) as upstream:
        with pytest.raises(ValueError, match="line break"):
            await upstream.open(request(target=hidden))
        assert await fetched(upstream) == b"ok"
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    ("length", "chunked", "framed"),
    [
        (6, False, b"Content-Length: 6\r\n\r\nabcdef"),
        (None, True, b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"),
    ],
)
async def test_a_body_is_framed_as_the_client_framed_it(length: int | None, chunked: bool, framed: bytes) -> None:
    """Some origins cannot read chunked bodies; whoever sent a length wants it to arrive."""
    async with Origin(replying(OK)) as origin, upstream_of(origin.url) as upstream:
        asked = request("POST", length=length, chunked=chunked)
        async with await upstream.open(asked, pieces(b"abc", b"", b"def")) as response:
            assert await response.read() == b"ok"
    assert origin.requests == [b"POST / HTTP/1.1\r\nHost: site.example\r\n" + framed]


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: r\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.1 204 No\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 999 Own\r\nContent-Length: 1\r\n\r\n!", b"!"),
        (b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" * INTERIM_LIMIT + OK, b"ok"),
    ],
)
async def test_a_complete_response_gives_its_connection_back(reply: bytes, body: bytes) -> None:
    """A second request on the same connection is the whole point of the pool."""
    async with Origin(replying(reply)) as origin, upstream_of(origin.url) as upstream:
        assert await fetched(upstream) == body
        assert await fetched(upstream) == body
        assert origin.connections == 1


@pytest.mark.parametrize(
    ("method", "reply", "body"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", b"ok"),
        ("GET", OK + OK, b"ok"),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore", b"ok"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\nbody\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\nbody", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", b""),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
async def test_bytes_after_the_end_are_dropped_with_the_connection(method: str, reply: bytes, body: bytes) -> None:
    """What stands behind a response would be read as the answer to somebody else's request."""
    async with Origin(replying(reply)) as origin, upstream_of(origin.url) as upstream:
        assert await fetched(upstream, request(method)) == body
        assert await fetched(upstream, request(method)) == body
        assert origin.connections == 2


async def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next_request() -> None:
    """An origin that sends something on an idle connection (408, an injected response) poisons that connection."""
    sent = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(OK)
        if talk.number == 0:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            sent.set()
        await talk.gone()

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        assert await fetched(upstream) == b"ok"
        await sent.wait()
        assert await fetched(upstream) == b"ok"
        assert origin.connections == 2


def answer_then(reply: bytes, end: str) -> Script:
    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(reply)
        if end == "close":
            talk.close()
        elif end == "reset":
            # After the bytes were taken, not instead of them.
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            talk.reset()
        await talk.gone()

    return script


FIELD = b"X: " + b"a" * (FIELD_LIMIT_BYTES - 1)


@pytest.mark.parametrize(
    ("reply", "end", "fault"),
    [
        (b"", "close", "502 closed-early"),
        (b"", "reset", "502 closed-early"),
        (b"HTTP/1.1 200 OK\r\nConte", "close", "502 malformed"),
        (b"hello\r\n\r\n", "", "502 malformed"),
        (b"<html>old", "close", "502 malformed"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", "close", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "close", "502 malformed"),
        (b"HTTP/1.1 200 OK\r\n" + FIELD + b"a\r\n\r\n", "", "502 head-too-large"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * (FIELDS_LIMIT + 1) + b"\r\n", "", "502 head-too-large"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "", "502 unasked-upgrade"),
        (b"HTTP/1.1 103 Hints\r\n\r\n" * (INTERIM_LIMIT + 1) + OK, "", "502 too-many-interim"),
    ],
)
async def test_what_is_no_answer_is_a_502_and_ends_the_connection(reply: bytes, end: str, fault: str) -> None:
    """Nothing of what the parser cannot read for certain is passed on."""
    async with Origin(answer_then(reply, end)) as origin, upstream_of(origin.url) as upstream:
        with pytest.raises(OriginFault, match=f"^{fault}$"):
            await fetched(upstream)
        assert origin.connections == 1


async def test_heads_up_to_the_limits_are_taken() -> None:
    """Real policies and cookies are long; aiohttp's own limits would turn them into errors."""
    fields = b"X: a\r\n" * (FIELDS_LIMIT - 2) + FIELD + b"\r\nContent-Length: 2\r\n\r\nok"
    async with Origin(replying(b"HTTP/1.1 200 OK\r\n" + fields)) as origin, upstream_of(origin.url) as upstream:
        assert await fetched(upstream) == b"ok"


@pytest.mark.parametrize(
    ("reply", "end"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "close"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nZZ\r\n", ""),
        (b"HTTP/1.1 200 OK\r\n\r\nhalf", "reset"),
    ],
)
async def test_a_body_that_breaks_off_never_ends_cleanly(reply: bytes, end: str) -> None:
    """Whoever takes half a file for a whole one stores it; also where the parser sees a clean end (the last row)."""
    async with Origin(answer_then(reply, end)) as origin, upstream_of(origin.url) as upstream:
        with pytest.raises(OriginFault, match="truncated"):
            await fetched(upstream)


async def test_a_body_may_end_with_the_connection() -> None:
    """HTTP/1.0's way, and still some scripts'."""
    async with (
        Origin(answer_then(b"HTTP/1.1 200 OK\r\n\r\nwhole", "close")) as origin,
        upstream_of(origin.url) as upstream,
    ):
        assert await fetched(upstream) == b"whole"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_stale_connection_is_replaced_once(method: str, how: str) -> None:
    """The origin may close an idle connection while the next request is on its way; the visitor must not notice."""

    async def script(talk: Talk) -> None:
        await talk.request()
        if talk.number == 0:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await talk.request()
            (talk.close if how == "close" else talk.reset)()
        else:
            await talk.send(b"HTTP/1.1 200 OK\r\nX: fresh\r\nContent-Length: 0\r\n\r\n")

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        await fetched(upstream, request(method))
        async with await upstream.open(request(method)) as response:
            assert response.head.headers[0] == (b"X", b"fresh")
        assert len(origin.requests) == 3


async def test_a_replacement_that_fails_too_is_not_replaced() -> None:
    """An origin that crashes on a request is asked at most twice."""

    async def script(talk: Talk) -> None:
        await talk.request()
        if talk.number == 0:
            await talk.send(OK)
            await talk.request()

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        await fetched(upstream)
        with pytest.raises(OriginFault, match="502 closed-early"):
            await fetched(upstream)
        assert len(origin.requests) == 3


@pytest.mark.parametrize(("method", "length"), [("POST", None), ("PATCH", None), ("PUT", 3), ("GET", 3)])
async def test_a_request_that_may_have_had_an_effect_is_never_sent_twice(method: str, length: int | None) -> None:
    """Nobody wants to pay twice."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(OK)
        await talk.request()

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        await fetched(upstream)
        with pytest.raises(OriginFault, match="502 closed-early"):
            await upstream.open(request(method, length=length), pieces(b"abc") if length else None)
        assert len(origin.requests) == 2


async def test_a_fresh_connection_that_closes_is_not_tried_again() -> None:
    """Nothing was stale: the origin saw the request and closed on purpose."""

    async def script(talk: Talk) -> None:
        await talk.request()

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        with pytest.raises(OriginFault, match="502 closed-early"):
            await fetched(upstream)
        assert len(origin.requests) == 1


async def test_a_refused_connection_is_a_502() -> None:
    """The origin is down: the visitor is told at once."""
    async with upstream_of(f"http://127.0.0.1:{free_port()}") as upstream:
        with pytest.raises(OriginFault, match=r"^502 connection-refused$"):
            await fetched(upstream)


async def test_a_name_without_an_address_is_a_502() -> None:
    """`.invalid` never resolves (RFC 6761)."""
    async with upstream_of("http://origin.invalid") as upstream:
        with pytest.raises(OriginFault, match=r"^502 dns$"):
            await fetched(upstream)


async def test_an_origin_that_does_not_speak_tls_is_a_502_and_never_asked_in_plain() -> None:
    """Falling back would send cookies in the clear."""
    heard = b""

    async def script(talk: Talk) -> None:
        nonlocal heard
        heard = await talk.some()
        await talk.send(OK)

    async with Origin(script) as origin, upstream_of(origin.url.replace("http:", "https:")) as upstream:
        with pytest.raises(OriginFault, match=r"^502 tls$"):
            await fetched(upstream)
        assert b"HTTP" not in heard
        assert origin.connections == 1


async def test_a_connection_that_does_not_come_about_is_a_504() -> None:
    """A full backlog swallows connects like a firewall does."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        loop = asyncio.get_running_loop()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            await loop.run_in_executor(None, lambda: None)
            async with upstream_of(f"http://127.0.0.1:{deaf.getsockname()[1]}", connect_timeout_s=SHORT_S) as upstream:
                with pytest.raises(OriginFault, match=r"^504 connect-timeout$"):
                    await fetched(upstream)
        finally:
            for filler in fillers:
                filler.close()


async def test_an_origin_that_never_answers_is_a_504_and_let_go() -> None:
    """Waiting for ever would use up every connection."""
    let_go = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.gone()
        let_go.set()

    async with Origin(script) as origin, upstream_of(origin.url, first_byte_timeout_s=SHORT_S) as upstream:
        with pytest.raises(OriginFault, match=r"^504 first-byte-timeout$"):
            await fetched(upstream)
        await asyncio.wait_for(let_go.wait(), PATIENCE_S)


@pytest.mark.parametrize("with_body", [False, True])
async def test_an_origin_that_falls_silent_half_way_is_a_fault(with_body: bool) -> None:
    """The limit is on silence, with and without a body of the request."""
    async with (
        Origin(answer_then(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "")) as origin,
        upstream_of(origin.url, idle_timeout_s=SHORT_S) as upstream,
    ):
        asked = request("POST", length=1) if with_body else request()
        async with await upstream.open(asked, pieces(b"a") if with_body else None) as response:
            assert await response.read() == b"half"
            with pytest.raises(OriginFault, match=r"^504 idle-timeout$"):
                await response.read()


async def test_an_idle_limit_does_not_run_while_we_are_the_ones_who_wait() -> None:
    """A slow client pauses the origin; that is no silence of the origin's."""
    size = 16 * READ_BUFFER_BYTES
    async with (
        Origin(replying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))) as origin,
        upstream_of(origin.url, idle_timeout_s=SHORT_S) as upstream,
        await upstream.open(request()) as response,
    ):
        read = len(await response.read())
        waited = asyncio.Event()
        asyncio.get_running_loop().call_later(2 * SHORT_S, waited.set)
        await waited.wait()
        while piece := await response.read():
            read += len(piece)
        assert read == size


async def test_a_response_that_nobody_reads_stops_the_origin() -> None:
    """Memory must not grow with the body: what the origin can send ahead is the buffers, and no more."""
    sent = 0
    stuck = asyncio.Event()

    async def script(talk: Talk) -> None:
        nonlocal sent
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            try:
                async with asyncio.timeout(SHORT_S):
                    await talk.send(bytes(READ_BUFFER_BYTES))
            except TimeoutError:
                stuck.set()
                return
            sent += READ_BUFFER_BYTES

    async with (
        Origin(script) as origin,
        upstream_of(origin.url) as upstream,
        await upstream.open(request()) as response,
    ):
        await asyncio.wait_for(stuck.wait(), PATIENCE_S)
        # The sockets' own buffers take a few megabytes on loopback; an unbounded reader would take all there is.
        assert sent < 32 * 2**20
        assert len(await response.read()) <= 2 * READ_BUFFER_BYTES + SOCKET_READ_BYTES


async def test_one_request_more_than_there_are_connections_waits_and_then_is_a_503() -> None:
    """A slow origin must not be given ever more work."""
    release = asyncio.Event()

    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            await release.wait()
            await talk.send(b"ok")

    async with (
        Origin(script) as origin,
        upstream_of(origin.url, connections=1, connect_timeout_s=SHORT_S) as upstream,
    ):
        async with await upstream.open(request()) as first:
            with pytest.raises(OriginFault, match=r"^503 no-free-connection$"):
                await upstream.open(request())
            waiting = asyncio.create_task(fetched(upstream))
            release.set()
            assert await first.read() == b"ok"
            assert await first.read() == b""
        assert await waiting == b"ok"
        assert origin.connections == 1


async def test_every_end_gives_its_place_back() -> None:
    """With one connection allowed, a place that leaks after any kind of fault would stop the gateway for good."""

    async def script(talk: Talk) -> None:
        await talk.request()
        kind = len(origin.requests) % 5
        if kind == 1:
            await talk.send(b"nonsense\r\n\r\n")
        elif kind == 2:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        elif kind == 3:
            await talk.gone()
        else:
            await talk.send(OK)
            await talk.gone()

    async with (
        Origin(script) as origin,
        upstream_of(origin.url, connections=1, first_byte_timeout_s=SHORT_S) as upstream,
    ):
        reasons = set()
        for _ in range(10):
            try:
                async with await upstream.open(request()):
                    pass  # left unread
            except OriginFault as fault:
                reasons.add(fault.reason)
        assert reasons == {"malformed", "first-byte-timeout"}


async def test_leaving_a_response_unread_frees_the_origin_at_once() -> None:
    """A client that went away must not keep the origin working for nobody."""
    let_go = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nendless")
        await talk.gone()
        let_go.set()

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        async with await upstream.open(request()) as response:
            assert await response.read() == b"endless"
        await asyncio.wait_for(let_go.wait(), 1.0)


async def test_being_cancelled_while_waiting_for_the_head_frees_the_origin_at_once() -> None:
    """The same, before the origin said anything."""
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        asked.set()
        await talk.gone()
        let_go.set()

    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        task = asyncio.create_task(fetched(upstream))
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        task.cancel()
        await asyncio.wait_for(let_go.wait(), 1.0)
        assert (await asyncio.gather(task, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(65536)


async def test_an_answer_before_the_end_of_the_body_is_passed_on() -> None:
    """413 and 401 come early; the visitor should read them instead of a broken pipe."""

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await talk.gone()

    async with (
        Origin(script) as origin,
        upstream_of(origin.url) as upstream,
        asyncio.timeout(PATIENCE_S),
        await upstream.open(request("POST", chunked=True), endless()) as response,
    ):
        assert response.head.status == 413
        assert await response.read() == b"big"
        assert await response.read() == b""


async def test_a_response_may_stream_while_the_body_still_does() -> None:
    """Both ways at once, as some long-lived requests do."""
    heard = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await heard.wait()
        yield b"two"

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2):
            piece = await talk.some()
            await talk.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await talk.send(b"0\r\n\r\n")

    async with (
        Origin(script) as origin,
        upstream_of(origin.url) as upstream,
        asyncio.timeout(PATIENCE_S),
        await upstream.open(request("POST", chunked=True), body()) as response,
    ):
        assert await response.read() == b"3\r\none\r\n"
        heard.set()
        assert (await response.read()).startswith(b"3\r\ntwo\r\n")


async def test_an_origin_that_takes_no_more_of_a_body_is_a_504() -> None:
    """The limit is on silence here too."""

    async def script(talk: Talk) -> None:
        await talk.head()
        await asyncio.Event().wait()

    async with Origin(script) as origin, upstream_of(origin.url, idle_timeout_s=SHORT_S) as upstream:
        with pytest.raises(OriginFault, match=r"^504 send-timeout$"):
            async with asyncio.timeout(PATIENCE_S):
                await upstream.open(request("POST", chunked=True), endless())


@pytest.mark.parametrize("answered", [False, True])
async def test_a_body_that_fails_on_the_client_s_side_is_the_client_s_fault(answered: bool) -> None:
    """408 and 400 belong to whoever sent the body, not to the origin that waits for the rest of it."""

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        if answered:
            await seen.wait()
        raise ClientFault(408, "body-timeout")

    async def script(talk: Talk) -> None:
        await talk.head()
        if answered:
            await talk.send(b"HTTP/1.1 200 OK\r\n\r\nearly")
        await talk.gone()

    async def exchange(upstream: Upstream) -> None:
        asked = request("POST", length=9)
        async with asyncio.timeout(PATIENCE_S), await upstream.open(asked, body()) as response:
            assert await response.read() == b"early"
            seen.set()
            await response.read()

    seen = asyncio.Event()
    async with Origin(script) as origin, upstream_of(origin.url) as upstream:
        with pytest.raises(ClientFault, match="408"):
            await exchange(upstream)
