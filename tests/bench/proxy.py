"""How much a request costs: the gateway against the obvious proxy (aiohttp's server and ClientSession), in one run.

    python -m tests.bench.proxy [--seconds 2] [--rounds 3] [--connections 50]

An origin with a fixed answer of 20 KB, each proxy, and the load are processes of their own on loopback. Rounds are
interleaved, so that a busy machine slows all of them; read the ratios and the CPU time a request, not the rates.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import aiohttp
from aiohttp import web

from gateway.consent.model import Category
from gateway.consent.own import write
from gateway.consent.policy import Policy
from gateway.exchange import Exchange
from gateway.listener import Listener
from gateway.proxy import Proxy, Rulebook
from gateway.settings import Settings
from gateway.upstream import Upstream
from gateway.vendors.catalogue import load
from gateway.withheld import Degraded, Withheld

SIZE = 20_000
READY_S = 15.0

POLICY = Policy(
    cookie="cg_consent",
    readers=("own",),
    gpc=True,
    choice_overrides_gpc=False,
    lifetime_s=86_400,
    notice_version=1,
    asks_first=True,
)
RULES = b"""
format = 1
[vendor]
id = "tracker-example"
name = "Tracker Example"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
"""

_PARAGRAPH = (
    b'<div class="row"><p>Some text of a page, with <a href="/a/b?c=d">a link</a> and an <img src="/i.png"></p></div>\n'
)
PAGE = (b"<!doctype html><title>a</title>" + _PARAGRAPH * SIZE)[:SIZE]
_FIELDS = (
    b"Host: site.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    b"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en\r\nSec-Fetch-Mode: navigate\r\n"
)


class Quiet:
    """A log that costs nothing."""

    def proxied(self, exchange: Exchange) -> None:
        """Nothing."""

    def blocked(self, exchange: Exchange, thing: Withheld) -> None:
        """Nothing."""

    def degraded(self, exchange: Exchange, path: Degraded) -> None:
        """Nothing."""

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """Nothing."""


Close = Callable[[], Awaitable[object]]
Start = Callable[[int], Awaitable[tuple[int, Close]]]


async def start_origin(_: int) -> tuple[int, Close]:
    """A fixed answer to whatever comes, a page or an image by the target."""
    fixed = b'Content-Length: %d\r\nETag: "x"\r\nCache-Control: max-age=60\r\nDate: x\r\nServer: y\r\n\r\n' % SIZE
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n" + fixed + PAGE
    image = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + fixed + PAGE

    class Fixed(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(image if data.startswith(b"GET /i") else page)

    server = await asyncio.get_running_loop().create_server(Fixed, "127.0.0.1", 0)

    async def close() -> None:
        server.close()

    return int(server.sockets[0].getsockname()[1]), close


async def start_gateway(origin: int) -> tuple[int, Close]:
    """The gateway's proxy, with one rule."""
    settings = Settings.model_validate(
        {"origin": {"url": f"http://127.0.0.1:{origin}"}, "listen": {"address": "127.0.0.1:0"}}
    )
    upstream = Upstream(settings.origin)
    await upstream.start()
    proxy = Proxy(settings, upstream, Quiet(), Rulebook(load([{"rules.toml": RULES}]), POLICY))
    listener = Listener(proxy.handle, settings.listen, tell=lambda *_: None)
    await listener.start()

    async def close() -> None:
        await listener.stop()
        await upstream.close()

    return listener.port, close


async def start_session(origin: int) -> tuple[int, Close]:
    """The proxy that one writes first."""
    session = aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=60),
    )

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        async with session.request(
            request.method,
            f"http://127.0.0.1:{origin}{request.raw_path}",
            headers=request.headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=answer.headers)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    protocols = web.Server(handle, access_log=None)
    server = await asyncio.get_running_loop().create_server(protocols, "127.0.0.1", 0)

    async def close() -> None:
        server.close()
        await protocols.shutdown(0)
        await session.close()

    return int(server.sockets[0].getsockname()[1]), close


def serve(start: Start, origin: int, pipe: Connection) -> None:
    """One process: tells its port, then its CPU time each time it is asked, until the pipe closes."""

    async def run() -> None:
        port, close = await start(origin)
        pipe.send(port)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, pipe.recv):
            pipe.send(time.process_time())
        await close()

    asyncio.run(run())


class Process:
    """A started `serve`."""

    def __init__(self, start: Start, origin: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(start, origin, theirs), daemon=True)
        self._process.start()
        if not self._pipe.poll(READY_S):
            raise TimeoutError(f"{start.__name__} did not start")
        self.port = int(self._pipe.recv())

    def cpu_s(self) -> float:
        """CPU time so far."""
        self._pipe.send(True)
        return float(self._pipe.recv())

    def stop(self) -> None:
        """End it."""
        self._pipe.send(False)
        self._process.join(READY_S)


async def load_on(port: int, raw: bytes, *, connections: int, seconds: float) -> tuple[int, list[float]]:
    """Requests on keep-alive connections for so long; how many were answered, and the latencies in ms."""
    until = time.perf_counter() + seconds
    latencies: list[float] = []

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        done = 0
        while (began := time.perf_counter()) < until:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1"))
            lower = head.lower()
            if b"content-length: " in lower:
                await reader.readexactly(int(lower.split(b"content-length: ")[1].split(b"\r\n")[0]))
            else:
                while (size := int(await reader.readuntil(b"\r\n"), 16)) is not None:
                    await reader.readexactly(size + 2)
                    if not size:
                        break
            done += 1
            latencies.append(1000 * (time.perf_counter() - began))
        writer.close()
        return done

    return sum(await asyncio.gather(*(one() for _ in range(connections)))), latencies


@dataclass(frozen=True)
class Case:
    """A proxy under one kind of request."""

    name: str
    process: Process
    raw: bytes


def main() -> None:
    """Run, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--connections", type=int, default=50)
    given = arguments.parse_args()

    choice = write(granted=frozenset(Category), now=time.time() - 60, notice_version=1).encode()
    agreed = b"GET /p HTTP/1.1\r\n" + _FIELDS + b"Cookie: cg_consent=" + choice + b"; sid=1\r\n\r\n"
    asset = b"GET /i.png HTTP/1.1\r\n" + _FIELDS + b"Cookie: sid=1\r\n\r\n"
    page = b"GET /p HTTP/1.1\r\n" + _FIELDS + b"Cookie: sid=1\r\n\r\n"

    origin = Process(start_origin)
    gateway, session = Process(start_gateway, origin.port), Process(start_session, origin.port)
    cases = (
        Case("ClientSession proxy, asset", session, asset),
        Case("gateway, asset", gateway, asset),
        Case("gateway, page, agreed", gateway, agreed),
        Case("gateway, page, rewritten", gateway, page),
    )
    rates: dict[str, list[float]] = {case.name: [] for case in cases}
    costs: dict[str, list[float]] = {case.name: [] for case in cases}
    waits: dict[str, list[float]] = {case.name: [] for case in cases}
    for turn in range(given.rounds + 1):
        for case in cases:
            before = case.process.cpu_s()
            began = time.perf_counter()
            done, latencies = asyncio.run(
                load_on(case.process.port, case.raw, connections=given.connections, seconds=given.seconds)
            )
            took, cpu = time.perf_counter() - began, case.process.cpu_s() - before
            if turn:  # the first round warms up
                rates[case.name].append(done / took)
                costs[case.name].append(1e6 * cpu / done)
                waits[case.name] += latencies
    base = statistics.median(rates[cases[0].name])
    lines = [f"{'':28} {'req/s':>8} {'ratio':>6} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}"]
    for name, rate in rates.items():
        median = statistics.median(rate)
        cuts = statistics.quantiles(waits[name], n=100)
        lines.append(
            f"{name:28} {median:8.0f} {median / base:6.2f} {statistics.median(costs[name]):8.0f}"
            f" {cuts[49]:8.1f} {cuts[98]:8.1f}"
        )
    for process in (gateway, session, origin):
        process.stop()
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
