"""One request through the whole gateway: what the origin sees, what the client gets, what the log is told."""

import asyncio
import gzip
import re
import zlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Self

import pytest

from gateway import proxy as proxy_module
from gateway.consent.model import Basis, Category
from gateway.consent.own import write
from gateway.consent.policy import Policy
from gateway.exchange import WITHHELD_KEPT, Exchange, Outcome
from gateway.head import GUARD_POLICY
from gateway.listener import Listener
from gateway.page.rewriter import Rewriter
from gateway.proxy import Proxy, Rulebook
from gateway.settings import Settings
from gateway.upstream import Upstream
from gateway.vendors.catalogue import load
from gateway.withheld import Degraded, Kind, Withheld
from tests.origin import PATIENCE_S, Client, Origin, Reply, Script, Talk, replying

NOW = 1_750_000_000.0
SHORT_S = 0.15

TRACKER = b"""
format = 1
[vendor]
id = "tracker-example"
name = "Tracker Example"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
[[cookies]]
name = "_trk"
"""

POLICY = Policy(
    cookie="cg_consent",
    readers=("own",),
    gpc=True,
    choice_overrides_gpc=False,
    lifetime_s=86_400,
    notice_version=1,
    asks_first=True,
)

SCRIPT = b'<script src="https://tracker.example/t.js"></script>'
PAGE = b"<!doctype html><title>a</title>" + SCRIPT + b"<p>text</p>"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def page_reply(body: bytes = PAGE, *fields: bytes) -> bytes:
    head = [b"HTTP/1.1 200 OK", b"Content-Type: text/html; charset=utf-8", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def request(target: bytes = b"/", *fields: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: site.example", *fields]) + b"\r\n\r\n" + body


@dataclass
class Told:
    """The log, as a list of what it was told."""

    exchanges: asyncio.Queue[Exchange] = field(default_factory=asyncio.Queue)
    things: list[Withheld] = field(default_factory=list)
    paths: list[Degraded] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def proxied(self, exchange: Exchange) -> None:
        """A request is over."""
        self.exchanges.put_nowait(exchange)

    def blocked(self, exchange: Exchange, thing: Withheld) -> None:
        """A thing was withheld."""
        assert exchange.id
        self.things.append(thing)

    def degraded(self, exchange: Exchange, path: Degraded) -> None:
        """A narrower way was taken."""
        assert exchange.id
        self.paths.append(path)

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """A fault."""
        assert exchange.id
        self.errors.append(error)

    async def exchange(self) -> Exchange:
        """The next that is over."""
        return await asyncio.wait_for(self.exchanges.get(), PATIENCE_S)


class Gateway:
    """The proxy between a listener and an origin, all real, on free ports."""

    def __init__(self, script: Script, **tables: dict[str, object]) -> None:
        self._script = script
        self._tables = tables
        self.told = Told()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.origin = await stack.enter_async_context(Origin(self._script))
            listen = {"address": "127.0.0.1:0", "grace_s": SHORT_S, **self._tables.get("listen", {})}
            origin = {"url": self.origin.url, **self._tables.get("origin", {})}
            settings = Settings.model_validate({"origin": origin, "listen": listen})
            upstream = Upstream(settings.origin)
            await upstream.start()
            stack.push_async_callback(upstream.close)
            rulebook = Rulebook(load([{"tracker.toml": TRACKER}]), POLICY)
            self.proxy = Proxy(settings, upstream, self.told, rulebook, clock=lambda: NOW)
            listener = Listener(self.proxy.handle, settings.listen, tell=self._refused)
            await listener.start()
            stack.push_async_callback(listener.stop)
            self.port = listener.port
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _refused(self, _what: str, _count: int, error: BaseException | None) -> None:
        if error is not None:
            self.told.errors.append(error)

    async def ask(self, raw: bytes) -> Reply:
        """One request on a connection of its own."""
        async with Client(self.port) as client:
            return await client.ask(raw)


# As browsers ask for what they will not show as a page; without it an answer without a type is guarded.
NEVER_A_PAGE = b"Sec-Fetch-Dest: image"
AGREED = b"Cookie: cg_consent=" + write(granted=frozenset(Category), now=NOW - 1, notice_version=1).encode()


async def test_a_request_reaches_the_origin_as_it_was_sent() -> None:
    """Order, repeats, letter case, bytes beyond ASCII; only what concerns the connection and the gateway changes."""
    async with Gateway(replying(OK)) as gateway:
        fields = (b"x-B: 1", b"X-b: caf\xe9", b'COOKIE: a="x; y"; b=\xe9; =z; c', b"x-B: 2", b"Empty:")
        assert (await gateway.ask(request(b"//a%2Fb/%c3%A9/../;x?", *fields))).status == 200
    (raw,) = gateway.origin.requests
    lines = raw.split(b"\r\n")
    assert lines[0] == b"GET //a%2Fb/%c3%A9/../;x? HTTP/1.1"
    kept = [line for line in lines if line.lower().startswith((b"x-b", b"cookie", b"empty", b"host"))]
    assert kept == [b"Host: site.example", *fields[:-1], b"Empty: "]


async def test_a_response_reaches_the_client_as_it_was_sent() -> None:
    """Nothing is added: no type that turns a page into a download, no date, no banner."""
    fields = (
        b'set-Cookie: a="x y"; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Partitioned\r\n'
        b"X-l: caf\xe9\r\nSet-Cookie: =nameless\r\nx-L: \r\nContent-Length: 3\r\n"
    )
    async with Gateway(replying(b"HTTP/1.1 299 F\xe9in\r\n" + fields + b"\r\na\xffb")) as gateway:
        reply = await gateway.ask(request(b"/file.bin", NEVER_A_PAGE))
    assert reply.raw == b"HTTP/1.1 299 F\xe9in\r\n" + fields + b"\r\n"
    assert reply.body == b"a\xffb"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"])
async def test_methods_are_passed_on(method: bytes) -> None:
    """Applications use all of them."""
    async with Gateway(replying(OK if method != b"HEAD" else OK[:-2])) as gateway:
        reply = await gateway.ask(request(method=method))
        exchange = await gateway.told.exchange()
    assert gateway.origin.requests[0].startswith(method + b" / HTTP/1.1\r\n")
    assert reply.values(b"content-length") == [b"2"]
    assert reply.body == (b"" if method == b"HEAD" else b"ok")
    assert (exchange.method, exchange.status, exchange.outcome) == (method.decode(), 200, Outcome.SERVED)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 301 Moved\r\nLocation: //elsewhere.example/%2F?\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 404 Nope\r\nContent-Length: 4\r\n\r\n", b"gone"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\n", b"oops"),
        (b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', b""),
        (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", b""),
        (b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\n", b"part"),
    ],
)
async def test_statuses_and_redirects_are_the_origin_s(head: bytes, body: bytes) -> None:
    """A 500 of the site's is not ours to hide, a redirect not ours to follow; the connection goes on."""
    async with Gateway(replying(head + body)) as gateway, Client(gateway.port) as client:
        for _ in range(2):
            reply = await client.ask(request(b"/x.js", NEVER_A_PAGE))
            assert reply.raw == head
            assert reply.body == body


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ((b"Content-Length: 11",), b"hello world"),
        ((b"Transfer-Encoding: chunked",), b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        ((b"Content-Length: 0",), b""),
    ],
)
async def test_a_request_s_body_goes_up_as_the_client_framed_it(fields: tuple[bytes, ...], body: bytes) -> None:
    """Some origins read only one of the two."""
    async with Gateway(replying(OK)) as gateway:
        assert (await gateway.ask(request(b"/", *fields, method=b"POST", body=body))).body == b"ok"
        exchange = await gateway.told.exchange()
    (raw,) = gateway.origin.requests
    assert raw.count(fields[0]) == 1
    if b"chunked" in fields[0]:
        received = b"".join(re.findall(rb"[0-9a-f]+\r\n(.+?)\r\n", raw.split(b"\r\n\r\n", 1)[1]))
        assert received == b"hello world"
        assert exchange.bytes_in == 11
    else:
        assert raw.endswith(b"\r\n\r\n" + body)
        assert exchange.bytes_in == len(body)


async def test_a_chunked_response_is_chunked_for_the_client() -> None:
    """Pieces arrive as they were sent, the trailer is dropped."""
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n"
    async with Gateway(replying(reply)) as gateway, Client(gateway.port) as client:
        for _ in range(2):
            got = await client.ask(request())
            assert got.values(b"transfer-encoding") == [b"chunked"]
            assert got.body == b"abc"
    assert gateway.origin.connections == 1


async def test_a_response_without_a_length_is_framed_for_each_client() -> None:
    """HTTP/1.1 clients keep their connection, HTTP/1.0 clients get an end."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nwhole")
        talk.close()

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        for _ in range(2):
            assert (await client.ask(request())).body == b"whole"
        await client.send(b"GET / HTTP/1.0\r\nHost: site.example\r\nConnection: keep-alive\r\n\r\n")
        assert (await client.rest()).endswith(b"\r\nConnection: close\r\n\r\nwhole")


async def test_a_page_is_rewritten_and_everything_withheld_is_told() -> None:
    """The purpose of the whole: nothing of the vendor's is contacted, all else is as it was."""
    reply = page_reply(
        PAGE, b"Set-Cookie: _trk=1", b"Set-Cookie: sid=2", b"Link: <https://tracker.example/t.js>; rel=preload"
    )
    async with Gateway(replying(reply)) as gateway:
        got = await gateway.ask(request(b"/shop?name=secret", b"Cookie: _trk=1; sid=2"))
        exchange = await gateway.told.exchange()
    assert b' src="https://tracker.example' not in got.body
    assert got.body.startswith(b"<!doctype html><title>a</title>")
    assert got.body.endswith(b"<p>text</p>")
    assert got.values(b"set-cookie") == [b"sid=2"]
    assert got.values(b"link") == []
    assert got.values(b"transfer-encoding") == [b"chunked"]
    assert b"\r\nCookie: sid=2\r\n" in gateway.origin.requests[0]
    assert [thing.kind for thing in gateway.told.things] == [
        Kind.COOKIE,
        Kind.SET_COOKIE,
        Kind.LINK_HEADER,
        Kind.SCRIPT,
    ]
    assert exchange.withheld == tuple(gateway.told.things)
    assert exchange.withheld_count == 4
    assert (exchange.path, exchange.plan, exchange.outcome) == ("/shop", "rewrite", Outcome.SERVED)
    assert (exchange.basis, exchange.granted) == (Basis.NO_CHOICE, frozenset({Category.NECESSARY}))
    assert exchange.bytes_out == len(got.body)
    assert re.fullmatch("[0-9a-f]{16}", exchange.id)


async def test_who_agreed_to_everything_gets_the_site_s_own_bytes() -> None:
    """Consent means the site as its owner made it."""
    async with Gateway(replying(page_reply(PAGE, b"Set-Cookie: _trk=1"))) as gateway:
        got = await gateway.ask(request(b"/", AGREED))
        exchange = await gateway.told.exchange()
    assert got.body == PAGE
    assert got.values(b"content-length") == [b"%d" % len(PAGE)]
    assert got.values(b"set-cookie") == [b"_trk=1"]
    assert gateway.told.things == []
    assert (exchange.plan, exchange.basis) == ("pass", Basis.CHOICE)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_page_is_opened_and_closed_again(coding: str) -> None:
    """The client gets the coding it asked for."""
    body = gzip.compress(PAGE) if coding == "gzip" else zlib.compress(PAGE)
    async with Gateway(replying(page_reply(body, b"Content-Encoding: " + coding.encode()))) as gateway:
        got = await gateway.ask(request(b"/", b"Accept-Encoding: " + coding.encode()))
    assert got.values(b"content-encoding") == [coding.encode()]
    opened = zlib.decompress(got.body, 47)
    assert b' src="https://tracker.example' not in opened
    assert opened.endswith(b"<p>text</p>")


async def test_a_page_streams_while_the_origin_still_thinks() -> None:
    """What the origin flushed, the visitor sees: compressed or not, rewritten or not."""
    go_on = asyncio.Event()
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)

    async def script(talk: Talk) -> None:
        raw = await talk.request()
        first, rest = b"<p>first</p>", b"<p>second</p>"
        coding = b""
        if b"/gzip" in raw:
            coding = b"Content-Encoding: gzip\r\n"
            first = packer.compress(first) + packer.flush(zlib.Z_SYNC_FLUSH)
            rest = packer.compress(rest) + packer.flush()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + coding + b"\r\n" + first)
        await go_on.wait()
        go_on.clear()
        await talk.send(rest)

    async with Gateway(script) as gateway:
        for target, fields in ((b"/plain", ()), (b"/plain", (AGREED,)), (b"/gzip", (b"Accept-Encoding: gzip",))):
            opener = zlib.decompressobj(47)
            open_ = opener.decompress if target == b"/gzip" else bytes
            async with Client(gateway.port) as client:
                await client.send(request(target, *fields))
                await client.head()
                assert open_(await client.chunk()) == b"<p>first</p>"
                go_on.set()
                rest = b""
                while piece := await client.chunk():
                    rest += piece
                assert open_(rest) == b"<p>second</p>"


async def test_an_event_stream_s_head_does_not_wait_for_its_first_event() -> None:
    """EventSource fires `open` on the head."""
    seen = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await seen.wait()
        await talk.send(b"data: 1\n\n")

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        await client.send(request())
        assert b"text/event-stream" in await client.head()
        seen.set()
        assert await client.chunk() == b"data: 1\n\n"


async def test_an_origin_that_is_down_is_a_plain_502() -> None:
    """With nothing in it that a stranger could use, and the id that support can look up."""
    async with Gateway(replying(OK)) as gateway:
        await gateway.origin.__aexit__(None, None, None)
        got = await gateway.ask(request(b"/shop?x=secret", b"Cookie: sid=secret"))
        exchange = await gateway.told.exchange()
    assert got.status == 502
    assert got.values(b"retry-after") == [b"5"]
    assert got.values(b"x-content-type-options") == [b"nosniff"]
    assert got.values(b"cache-control") == [b"no-store"]
    assert exchange.id.encode() in got.body
    assert b"secret" not in got.raw + got.body
    assert b"127.0.0.1" not in got.raw + got.body
    assert (exchange.outcome, exchange.reason, exchange.status) == (Outcome.ORIGIN_FAULT, "connection-refused", 502)
    assert len(gateway.told.errors) == 1


async def silent(talk: Talk) -> None:
    await talk.request()
    await talk.gone()


async def test_an_origin_that_never_answers_is_a_504() -> None:
    """After the time that the settings give it."""
    async with Gateway(silent, origin={"first_byte_timeout_s": SHORT_S}) as gateway, Client(gateway.port) as client:
        assert (await client.ask(request())).status == 504
        assert (await gateway.told.exchange()).reason == "first-byte-timeout"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 103 Hints\r\n\r\n" * 100 + OK,
        b"garbage\r\n\r\n",
    ],
)
async def test_what_must_not_be_passed_on_is_a_502(reply: bytes) -> None:
    """Whatever a client would read out of it, it is not what the gateway read."""
    async with Gateway(replying(reply)) as gateway:
        assert (await gateway.ask(request())).status == 502
        assert (await gateway.told.exchange()).outcome is Outcome.ORIGIN_FAULT


@pytest.mark.parametrize("fields", [(), (AGREED,)])
@pytest.mark.parametrize("framing", [b"Content-Length: 999\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_response_that_breaks_off_is_cut_for_the_client_too(fields: tuple[bytes, ...], framing: bytes) -> None:
    """Never a clean end: half a page must not be stored as a page."""
    sent = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        body = b"<p>half" if framing.startswith(b"Content") else b"7\r\n<p>half\r\n"
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + framing + b"\r\n" + body)
        await sent.wait()

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        await client.send(request(b"/", *fields))
        await client.head()
        sent.set()
        assert await client.is_cut()
        exchange = await gateway.told.exchange()
    assert (exchange.outcome, exchange.reason, exchange.status) == (Outcome.ORIGIN_FAULT, "truncated", 200)


async def test_a_page_whose_coding_is_broken_from_the_start_is_a_502() -> None:
    """Nothing went out yet: an error is still possible."""
    async with Gateway(replying(page_reply(b"no gzip at all", b"Content-Encoding: gzip"))) as gateway:
        assert (await gateway.ask(request(b"/", b"Accept-Encoding: gzip"))).status == 502
        exchange = await gateway.told.exchange()
    assert exchange.degraded == (Degraded.BROKEN_CODING,)
    assert gateway.told.paths == [Degraded.BROKEN_CODING]


async def test_a_page_whose_coding_breaks_half_way_is_cut() -> None:
    """And not patched up."""
    packed = gzip.compress(b"".join(b"<p>%d</p>" % i for i in range(100_000)), 1)
    broken = packed[:100_000] + bytes(1000)
    async with (
        Gateway(replying(page_reply(broken, b"Content-Encoding: gzip"))) as gateway,
        Client(gateway.port) as client,
    ):
        await client.send(request(b"/", b"Accept-Encoding: gzip"))
        await client.head()
        assert await client.is_cut()
        exchange = await gateway.told.exchange()
    assert exchange.outcome is Outcome.ORIGIN_FAULT
    assert exchange.reason == Degraded.BROKEN_CODING


async def test_a_broken_coding_of_something_else_is_none_of_our_business() -> None:
    """Downloads pass untouched, whatever they claim to be."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    async with Gateway(replying(reply)) as gateway:
        assert (await gateway.ask(request(b"/a.png"))).body == b"nope"


async def test_a_stale_connection_is_replaced_for_a_get_and_not_for_a_post() -> None:
    """The visitor must not notice the one, and must not pay twice for the other."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(OK)
        await talk.request()

    async with Gateway(script) as gateway:
        # The first is kept, the second replaced on a connection that is not kept, the third kept again.
        for _ in range(3):
            assert (await gateway.ask(request())).status == 200
        assert (await gateway.ask(request(b"/", b"Content-Length: 2", method=b"POST", body=b"hi"))).status == 502
    assert sum(raw.startswith(b"POST") for raw in gateway.origin.requests) == 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/../@b#c\r\n\r\n", 400),
        (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\nContent-Length: 0\r\n\r\n", 417),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
async def test_what_must_not_be_passed_on_is_refused(raw: bytes, status: int) -> None:
    """And the origin hears nothing of it."""
    async with Gateway(replying(OK)) as gateway:
        got = await gateway.ask(raw)
    assert got.status == status
    assert gateway.origin.connections == 0


async def test_nothing_that_the_client_sent_is_in_the_refusal() -> None:
    """Reflection is somebody's script."""
    async with Gateway(replying(OK)) as gateway:
        got = await gateway.ask(b"GET /<script>#x HTTP/1.1\r\nHost: <evil>\r\n\r\n")
        exchange = await gateway.told.exchange()
    assert b"script" not in got.body
    assert b"evil" not in got.body
    assert (exchange.outcome, exchange.status, exchange.path) == (Outcome.REFUSED, 400, "/<script>")
    assert gateway.told.errors == []


async def test_a_body_that_stops_coming_is_a_408_and_lets_the_origin_go() -> None:
    """Slowhttptest -B must not hold connections to the origin."""
    let_go = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.gone()
        let_go.set()

    async with Gateway(script, listen={"body_timeout_s": SHORT_S}) as gateway, Client(gateway.port) as client:
        got = await client.ask(request(b"/", b"Content-Length: 9", method=b"POST", body=b"half"))
        assert got.status == 408
        assert got.values(b"connection") == [b"close"]
        await asyncio.wait_for(let_go.wait(), PATIENCE_S)
        exchange = await gateway.told.exchange()
    assert (exchange.outcome, exchange.reason, exchange.bytes_in) == (Outcome.REFUSED, "body-timeout", 4)


async def test_a_body_whose_framing_breaks_is_a_400() -> None:
    """At once, not when its time is up."""
    reached = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.head()
        reached.set()
        await talk.gone()

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        await client.send(request(b"/", b"Transfer-Encoding: chunked", method=b"POST", body=b"3\r\nabc\r\n"))
        await asyncio.wait_for(reached.wait(), PATIENCE_S)
        await client.send(b"ZZ\r\n")
        assert (await client.reply()).status == 400
        assert await client.closed()


async def test_an_early_answer_reaches_a_client_that_is_still_sending() -> None:
    """A 413 is worth more than a broken pipe."""

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        await client.send(request(b"/", b"Content-Length: 100000000", method=b"POST", body=bytes(100_000)))
        got = await client.reply()
        assert (got.status, got.body) == (413, b"big")


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_client_that_waits_for_a_100_gets_it_from_us(version: bytes) -> None:
    """The origin never sees the expectation: it might wait for its own 100 for ever. HTTP/1.0 knows no 100."""
    async with Gateway(replying(OK)) as gateway, Client(gateway.port) as client:
        head = request(b"/", b"Expect: 100-continue", b"Content-Length: 2", method=b"POST")
        await client.send(head.replace(b"HTTP/1.1", b"HTTP/" + version))
        if version == b"1.1":
            assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hi")
        assert (await client.reply()).body == b"ok"
    assert b"expect" not in gateway.origin.requests[0].lower()


@pytest.mark.parametrize("answered", [False, True])
async def test_a_client_that_leaves_frees_the_origin_within_a_second(answered: bool) -> None:
    """Otherwise the origin works on for nobody."""
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        if answered:
            await talk.send(b"HTTP/1.1 200 OK\r\n\r\npart")
        asked.set()
        await talk.gone()
        let_go.set()

    async with Gateway(script) as gateway:
        async with Client(gateway.port) as client:
            await client.send(request())
            await asyncio.wait_for(asked.wait(), PATIENCE_S)
            if answered:
                await client.head()
            client.reset()
        await asyncio.wait_for(let_go.wait(), 1.0)
        exchange = await gateway.told.exchange()
    assert (exchange.outcome, exchange.status) == (Outcome.CLIENT_GONE, 200 if answered else 0)
    assert gateway.told.errors == []


async def test_a_client_that_leaves_in_the_middle_of_its_upload_frees_the_origin() -> None:
    """The rest of the body will not come."""
    let_go = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.head()
        asked.set()
        await talk.gone()
        let_go.set()

    asked = asyncio.Event()
    async with Gateway(script) as gateway:
        async with Client(gateway.port) as client:
            await client.send(request(b"/", b"Content-Length: 9", method=b"POST", body=b"half"))
            await asyncio.wait_for(asked.wait(), PATIENCE_S)
            client.reset()
        await asyncio.wait_for(let_go.wait(), 1.0)
        assert (await gateway.told.exchange()).outcome is Outcome.CLIENT_GONE


async def endless(talk: Talk) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        await talk.send(b"<p>more</p>" * 6000)


@pytest.mark.parametrize("fields", [(), (AGREED,)])
async def test_a_client_that_takes_nothing_is_reset_and_the_origin_stopped(fields: tuple[bytes, ...]) -> None:
    """Slowhttptest -X; what was buffered for it meanwhile is bounded."""
    async with (
        Gateway(endless, listen={"write_timeout_s": SHORT_S}) as gateway,
        Client(gateway.port, receive_buffer=4096) as client,
    ):
        await client.send(request(b"/", *fields))
        exchange = await gateway.told.exchange()
    assert (exchange.outcome, exchange.reason) == (Outcome.CLIENT_STALLED, "write-timeout")
    assert exchange.bytes_out < 32 * 2**20
    assert gateway.told.errors == []


async def test_one_request_more_than_the_limit_is_a_503_at_once() -> None:
    """Queueing to death helps nobody."""
    asked = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        asked.set()
        await talk.gone()

    async with Gateway(script, listen={"max_requests": 1}) as gateway, Client(gateway.port) as client:
        await client.send(request())
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        got = await gateway.ask(request())
        exchange = await gateway.told.exchange()
        assert (got.status, got.values(b"retry-after")) == (503, [b"5"])
        assert (exchange.outcome, exchange.status) == (Outcome.OVERLOADED, 503)
        client.reset()
        assert (await gateway.told.exchange()).outcome is Outcome.CLIENT_GONE
        asked.clear()
        async with Client(gateway.port) as next_client:
            await next_client.send(request())
            await asyncio.wait_for(asked.wait(), PATIENCE_S)


class Failing(Rewriter):
    """A rewriter that fails after *fails_at* pieces of a page."""

    fails_at = 0

    def feed(self, data: bytes) -> bytes:
        """Take the next piece, or fail."""
        self.fed = getattr(self, "fed", 0) + 1
        if self.fed > self.fails_at:
            raise RuntimeError("secret")
        return super().feed(data)


async def test_a_rewriter_that_fails_at_once_leaves_the_page_under_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours must cost the visitor neither the page nor the privacy."""
    monkeypatch.setattr(proxy_module, "Rewriter", Failing)
    packed = gzip.compress(PAGE)
    async with Gateway(replying(page_reply(packed, b"Content-Encoding: gzip"))) as gateway:
        got = await gateway.ask(request(b"/", b"Accept-Encoding: gzip"))
        exchange = await gateway.told.exchange()
    assert got.status == 200
    assert got.body == packed
    assert got.values(b"content-security-policy") == [GUARD_POLICY]
    assert (exchange.plan, exchange.outcome) == ("guard", Outcome.SERVED)
    assert exchange.degraded == (Degraded.REWRITER_FAULT,)
    assert gateway.told.paths == [Degraded.REWRITER_FAULT]
    assert len(gateway.told.errors) == 1


async def test_a_rewriter_that_fails_later_cuts_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head promised a page that is gated; nothing else may follow it."""
    monkeypatch.setattr(proxy_module, "Rewriter", Failing)
    monkeypatch.setattr(Failing, "fails_at", 1)
    go_on = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>one</p>")
        await go_on.wait()
        await talk.send(b"<p>two</p>")

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        await client.send(request())
        await client.head()
        assert await client.chunk() == b"<p>one</p>"
        go_on.set()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.chunk()
        exchange = await gateway.told.exchange()
    assert (exchange.outcome, exchange.status) == (Outcome.GATEWAY_FAULT, 200)
    assert exchange.degraded == (Degraded.REWRITER_FAULT,)
    assert len(gateway.told.errors) == 1


async def test_a_fault_of_ours_before_the_head_is_a_plain_500(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing of the fault in it."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(proxy_module, "to_client", broken)
    async with Gateway(replying(OK)) as gateway:
        got = await gateway.ask(request())
        exchange = await gateway.told.exchange()
    assert got.status == 500
    assert b"secret" not in got.raw + got.body
    assert (exchange.outcome, exchange.status) == (Outcome.GATEWAY_FAULT, 500)
    assert len(gateway.told.errors) == 1


async def test_a_reload_counts_from_the_next_request() -> None:
    """A request keeps the rules that it began with."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            asked.set()
            await go_on.wait()
            await talk.send(page_reply())

    async with Gateway(script) as gateway, Client(gateway.port) as client:
        await client.send(request())
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        other = TRACKER.replace(b"tracker.example", b"other.example").replace(b"_trk", b"_oth")
        gateway.proxy.rulebook = replace(gateway.proxy.rulebook, catalogue=load([{"other.toml": other}]))
        go_on.set()
        assert (await client.reply()).body != PAGE
        assert (await gateway.ask(request())).body == PAGE


async def test_the_record_keeps_the_first_things_and_counts_all() -> None:
    """A page that names a vendor a million times must not fill the memory."""
    count = WITHHELD_KEPT + 1
    async with Gateway(replying(page_reply(SCRIPT * count))) as gateway:
        await gateway.ask(request())
        exchange = await gateway.told.exchange()
    assert len(exchange.withheld) == WITHHELD_KEPT
    assert exchange.withheld_count == len(gateway.told.things) == count


@pytest.mark.parametrize("cut", [1, 2, 7, 64])
async def test_a_page_comes_out_the_same_however_it_is_cut(cut: int) -> None:
    """The network decides where; the visitor must not see it."""

    async def script(talk: Talk) -> None:
        raw = await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        size = len(PAGE) if b"/whole" in raw else cut
        for at in range(0, len(PAGE), size):
            piece = PAGE[at : at + size]
            await talk.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await talk.send(b"0\r\n\r\n")

    async with Gateway(script) as gateway:
        assert (await gateway.ask(request(b"/cut"))).body == (await gateway.ask(request(b"/whole"))).body


@pytest.mark.parametrize(
    ("peer_is_trusted", "seen"),
    [(False, b"127.0.0.1"), (True, b"203.0.113.9")],
)
async def test_only_a_trusted_peer_says_who_the_visitor_is(peer_is_trusted: bool, seen: bytes) -> None:
    """Anybody can write X-Forwarded-For."""
    networks = ["127.0.0.0/8"] if peer_is_trusted else ["10.0.0.0/8", "::/0"]
    async with Gateway(replying(OK), listen={"trusted_proxies": networks}) as gateway:
        await gateway.ask(request(b"/", b"X-Forwarded-For: 203.0.113.9"))
    forwarded = re.findall(rb"(?mi)^x-forwarded-for: (.*?)\r", gateway.origin.requests[0])
    assert forwarded[0].split(b",")[0] == seen
