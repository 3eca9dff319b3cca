import asyncio
import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

import aiohttp
import apsw
import orjson
import pytest
from aiohttp import web

from gateway.collect import Collect
from gateway.consent import own
from gateway.consent.model import Category
from gateway.deliver import Deliverer
from gateway.destinations.http import HttpDestination, open_session
from gateway.events import Collected, Dropped, DropReason, Outcome, Recipient
from gateway.settings import Destination
from gateway.store.outbox import Counts, Outbox
from tests.killed import NEEDS, POLICY, Silent, fail
from tests.sink import Sink

NOW = 1_780_000_000.0
LIMIT = 1_000
HEADERS = {
    "Cookie": "cg_consent=" + own.write(granted=NEEDS, now=NOW, notice_version=1),
    "Content-Type": "application/json",
    "Sec-Fetch-Site": "same-origin",
}
BEACON = b'{"name":"page_view","id":"event-0001","url":"https://site.example/a?b=c"}'


class Sent(TypedDict, total=False):
    """What of a beacon is not as it should be."""

    body: bytes
    method: str
    chunked: bool
    headers: Mapping[str, str | None]


class Site:
    """The endpoint behind a real server, its store, and what it logged."""

    def __init__(self, outbox: Outbox, session: aiohttp.ClientSession, *, body_timeout_s: float = 5) -> None:
        self.outbox = outbox
        self.logged: list[Collected | Dropped] = []
        self._changed = asyncio.Event()
        self._session = session
        self._collect = Collect(
            outbox=outbox,
            policy=POLICY,
            needs=NEEDS,
            recipients=[Recipient("sink", NEEDS), Recipient("ads", frozenset({Category.MARKETING}))],
            log=self,
            body_limit_bytes=LIMIT,
            body_timeout_s=body_timeout_s,
            write_timeout_s=5,
            clock=lambda: NOW,
            fresh_id=lambda: "fresh-id-0001",
        )

    def collected(self, beacon: Collected) -> None:
        """Noted."""
        self.logged.append(beacon)
        self._changed.set()

    def dropped(self, event: Dropped) -> None:
        """Noted."""
        self.logged.append(event)
        self._changed.set()

    async def wait_for_log(self) -> None:
        """Until something was logged."""
        async with asyncio.timeout(10):
            await self._changed.wait()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """As the gateway would dispatch it."""
        return await self._collect.handle(request, request_id="r1", secure=False)

    async def start(self) -> web.ServerRunner:
        """The server, on a free port."""
        runner = web.ServerRunner(web.Server(self.handle, handler_cancellation=True), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = int(runner.addresses[0][1])
        self.url = f"http://127.0.0.1:{self.port}/_consent/collect"
        return runner

    async def send(
        self,
        body: bytes = BEACON,
        *,
        method: str = "POST",
        chunked: bool = False,
        headers: Mapping[str, str | None] = MappingProxyType({}),
    ) -> tuple[int, dict[str, str], bytes]:
        """One beacon: status, header fields and body of the answer. A header that is None is left out."""
        sent = {name: value for name, value in {**HEADERS, **headers}.items() if value is not None}

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 100):
                yield body[at : at + 100]

        async with self._session.request(
            method, self.url, data=pieces() if chunked else body, headers=sent, skip_auto_headers=["Content-Type"]
        ) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    async def connect(self, body_sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection on which a head that announces `BEACON` was sent, and *body_sent*."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        head = f"POST / HTTP/1.1\r\nHost: site.example\r\n{fields}Content-Length: {len(BEACON)}\r\n\r\n"
        writer.write(head.encode() + body_sent)
        await writer.drain()
        return reader, writer


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    outbox = await Outbox.open(tmp_path / "a.db", limit_events=100, on_trouble=lambda _: None, stamp=lambda: "now")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        made = Site(outbox, session)
        runner = await made.start()
        yield made
        await runner.cleanup()
    await outbox.close()


async def stored(site: Site) -> list[dict[str, object]]:
    deliveries = await site.outbox.claim("sink", limit=100, lease_ms=0, now_ms=int(NOW * 1000))
    return [orjson.loads(delivery.body) for delivery in deliveries]


async def test_a_beacon_is_stored_before_it_is_acknowledged(site: Site, tmp_path: Path) -> None:
    """204 is a promise; another connection must see the event at that moment."""
    status, headers, body = await site.send()
    other = apsw.Connection(str(tmp_path / "a.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert other.execute("SELECT count(*) FROM events").get == 1
    other.close()
    assert (status, body) == (204, b"")
    assert headers["Cache-Control"] == "no-store"
    assert not any(name.lower().startswith("access-control-") for name in headers)
    (event,) = await stored(site)
    assert (event["id"], event["url"]) == ("event-0001", "https://site.example/a")
    assert site.logged == [Collected("r1", Outcome.STORED, destinations=("sink",), size_bytes=len(BEACON))]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": None},
        {"Cookie": "cg_consent=" + own.write(granted=(), now=NOW, notice_version=1)},
        {"Cookie": "cg_consent=" + own.write(granted=[Category.MARKETING], now=NOW, notice_version=1)},
        {"Cookie": "cg_consent=yes"},
        {"Cookie": HEADERS["Cookie"] + "; cg_consent=" + own.write(granted=(), now=NOW, notice_version=1)},
        {"Cookie": "cg_consent=" + own.write(granted=NEEDS, now=NOW - 90_000, notice_version=1)},
    ],
)
async def test_without_consent_there_is_no_event(site: Site, headers: dict[str, str | None]) -> None:
    """The cookies of this very request decide; the page learns nothing, and nothing is left of what it sent."""
    status, _, body = await site.send(b'{"name":"secret-name","consent":["analytics"]}', headers=headers)
    assert (status, body) == (204, b"")
    assert await site.outbox.count() == Counts(0, 0, 0)
    assert site.logged == [Dropped(DropReason.NO_CONSENT, "r1")]


async def test_a_repeat_is_answered_like_the_first(site: Site) -> None:
    """A page whose answer was lost sends again; it must not be told of a fault, nor count twice."""
    assert [(await site.send())[0] for _ in range(2)] == [204, 204]
    assert len(await stored(site)) == 1
    assert [fact.outcome for fact in site.logged if isinstance(fact, Collected)] == [Outcome.STORED, Outcome.DUPLICATE]


@pytest.mark.parametrize("kind", ["application/json", "text/plain;charset=UTF-8", "text/plain", "Application/JSON"])
async def test_the_types_that_pages_send_are_taken(site: Site, kind: str) -> None:
    """A fetch sends what it is told, sendBeacon sends text."""
    assert (await site.send(headers={"Content-Type": kind}))[0] == 204
    assert len(await stored(site)) == 1


@pytest.mark.parametrize(
    ("status", "reason", "sent"),
    [
        (405, "wrong-method", {"method": "GET", "body": b""}),
        (405, "wrong-method", {"method": "HEAD", "body": b""}),
        (405, "wrong-method", {"method": "OPTIONS", "body": b""}),
        (405, "wrong-method", {"method": "PUT"}),
        (403, "wrong-origin", {"headers": {"Sec-Fetch-Site": "cross-site"}}),
        (403, "wrong-origin", {"headers": {"Sec-Fetch-Site": "same-site"}}),
        (403, "wrong-origin", {"headers": {"Sec-Fetch-Site": "none"}}),
        (403, "wrong-origin", {"headers": {"Sec-Fetch-Site": None, "Origin": "https://evil.example"}}),
        (415, "wrong-type", {"headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
        (415, "wrong-type", {"headers": {"Content-Type": "application/json; charset=utf-16"}}),
        (415, "wrong-type", {"headers": {"Content-Type": None}}),
        (415, "wrong-type", {"headers": {"Content-Encoding": "gzip"}}),
        (413, "too-large", {"body": b"x" * (LIMIT + 1)}),
        (413, "too-large", {"body": b"x" * (LIMIT + 1), "chunked": True}),
        (400, "not-json", {"body": b"{"}),
        (400, "not-json", {"body": b""}),
        (400, "wrong-shape", {"body": b"[]"}),
    ],
)
async def test_what_is_wrong_is_refused_and_leaves_nothing(site: Site, status: int, reason: str, sent: Sent) -> None:
    """Each fault has its status; none is stored; what was sent is not repeated."""
    answered, headers, body = await site.send(**sent)
    assert answered == status
    assert (headers.get("Allow") == "POST") == (status == 405)
    assert headers["Cache-Control"] == "no-store"
    assert b"xx" not in body
    assert await site.outbox.count() == Counts(0, 0, 0)
    (fact,) = site.logged
    assert isinstance(fact, Collected)
    assert (fact.outcome, fact.reason) == (Outcome.REFUSED, reason)


async def test_a_page_of_the_same_origin_without_fetch_metadata_is_heard(site: Site) -> None:
    """Browsers send Sec-Fetch-Site to https and localhost only; plain sites have Origin."""
    status, *_ = await site.send(headers={"Sec-Fetch-Site": None, "Origin": f"http://127.0.0.1:{site.port}"})
    assert status == 204
    assert len(await stored(site)) == 1


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(LIMIT - 1, 204), (LIMIT, 204), (LIMIT + 1, 413)])
async def test_a_body_is_taken_up_to_the_limit(site: Site, size: int, status: int, *, chunked: bool) -> None:
    """By what is announced, and by what comes where nothing is announced."""
    body = BEACON.ljust(size)
    assert len(body) == size
    assert (await site.send(body, chunked=chunked))[0] == status


async def test_a_body_that_does_not_come_is_not_waited_for(site: Site) -> None:
    """A client that sends a byte a second must not hold a place for ever."""
    quick = Site(site.outbox, site._session, body_timeout_s=0.05)
    runner = await quick.start()
    reader, writer = await quick.connect(BEACON[:10])
    assert (await reader.readline()).split()[1] == b"408"
    writer.close()
    await runner.cleanup()
    (fact,) = quick.logged
    assert isinstance(fact, Collected)
    assert fact.reason == "too-slow"


async def test_a_client_that_waits_for_leave_to_send_gets_it(site: Site) -> None:
    """For one, curl asks first, for bodies of some size, and waits."""
    assert (await site.send(BEACON.ljust(900), headers={"Expect": "100-continue"}))[0] == 204


async def test_a_store_that_cannot_commit_is_never_a_success(site: Site, tmp_path: Path) -> None:
    """A full disk or a lost directory must be told to the page, which may try again, and end by itself."""
    site_files = [tmp_path / name for name in ("a.db", "a.db-wal", "a.db-shm")]
    for path in site_files:
        path.unlink()
    (tmp_path / "a.db").mkdir()
    status, headers, _ = await site.send()
    assert status == 503
    assert int(headers["Retry-After"]) > 0
    (fact,) = site.logged
    assert isinstance(fact, Collected)
    assert (fact.outcome, fact.reason) == (Outcome.UNAVAILABLE, "store-unavailable")
    (tmp_path / "a.db").rmdir()
    assert (await site.send())[0] == 204


async def test_a_full_store_is_never_a_success(site: Site) -> None:
    """What cannot be kept must not be acknowledged."""
    for number in range(100):
        await site.send(b'{"name":"x","id":"event-%04d"}' % number)
    assert (await site.send(b'{"name":"x","id":"event-0100"}'))[0] == 503
    assert (await site.send(b'{"name":"x","id":"event-0099"}'))[0] == 204


async def test_a_client_that_leaves_early_stores_nothing(site: Site) -> None:
    """Half a beacon is no beacon."""
    _, writer = await site.connect(BEACON[:10])
    writer.transport.abort()
    await site.wait_for_log()
    assert site.logged == [Collected("r1", Outcome.GONE)]
    assert await site.outbox.count() == Counts(0, 0, 0)


async def test_a_client_that_leaves_during_the_commit_tears_nothing(site: Site) -> None:
    """A beacon sent while a page closes is the normal case: its connection may be gone before the disk has answered."""
    entered, leave = threading.Event(), threading.Event()

    def hold(_connection: apsw.Connection) -> None:
        entered.set()
        assert leave.wait(10)

    holding = asyncio.ensure_future(site.outbox._writer.submit(hold))
    await asyncio.to_thread(entered.wait, 10)
    _, writer = await site.connect(BEACON)
    async with asyncio.timeout(10):
        while not site.outbox._writer._jobs:  # noqa: ASYNC110 - nothing tells that the beacon waits for the disk
            await asyncio.sleep(0)
    writer.transport.abort()
    await site.wait_for_log()
    leave.set()
    await holding
    assert site.logged == [Collected("r1", Outcome.GONE, size_bytes=len(BEACON))]
    assert [event["id"] for event in await stored(site)] == ["event-0001"]


ROUNDS = 20


async def beacons(port: int, numbers: int, acknowledged: set[str], moment: int, killed: asyncio.Event) -> None:
    """Sends events from eight pages at once until the server is gone; sets *killed* at the *moment*-th answer."""
    cookie = "cg_consent=" + own.write(granted=NEEDS, now=time.time(), notice_version=1)
    answered = 0

    async def send(session: aiohttp.ClientSession, page: int) -> None:
        nonlocal answered
        with contextlib.suppress(aiohttp.ClientError):
            for number in range(200):
                event_id = f"event-{numbers}-{page}-{number}"
                async with session.post(
                    f"http://127.0.0.1:{port}/", json={"name": "page_view", "id": event_id}, headers={"Cookie": cookie}
                ) as answer:
                    assert answer.status == 204
                    acknowledged.add(event_id)
                    answered += 1
                    if answered == moment:
                        killed.set()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*[send(session, page) for page in range(8)])
    killed.set()


async def test_what_was_acknowledged_survives_being_killed_at_any_moment(tmp_path: Path) -> None:
    """The promise behind 204, and the one of delivery: at least once, always under the same key."""
    database = tmp_path / "a.db"
    acknowledged: set[str] = set()
    chance = random.Random(20)  # noqa: S311 - moments to kill at
    async with Sink() as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.killed",
            database,
            sink.url,
            stdin=-1,
            stdout=-1,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(ROUNDS):
            process.stdin.write(b"again\n")
            child, port = map(int, (await process.stdout.readline()).split())
            killed = asyncio.Event()
            sending = asyncio.ensure_future(beacons(port, number, acknowledged, chance.randint(1, 60), killed))
            await killed.wait()
            os.kill(child, signal.SIGKILL)
            await sending
        process.stdin.close()
        assert await process.wait() == 0
        assert len(acknowledged) >= ROUNDS

        outbox = await Outbox.open(database, limit_events=100_000, on_trouble=fail, stamp=lambda: "now")
        connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
        kept = {row[0] for row in connection.execute("SELECT id FROM ids")}
        owed = {row[0] for row in connection.execute("SELECT id FROM events")}
        connection.close()
        arrived = {received.event_id for received in sink.received}
        assert acknowledged <= kept
        assert acknowledged <= owed | arrived

        async with open_session() as session:
            destination = HttpDestination(Destination(name="sink", url=sink.url), session, secret=None)
            deliverer = Deliverer(
                outbox, [destination], Silent(), grace_s=10, clock=lambda: time.time() + 120, chance=lambda: 0.0
            )
            running = asyncio.ensure_future(deliverer.run())
            async with asyncio.timeout(30):
                while (await outbox.count()).deliveries:
                    pass
            deliverer.stop()
            await running
        assert await outbox.count() == Counts(0, 0, 0)
        await outbox.close()
    bodies: dict[str, set[bytes]] = {}
    for received in sink.received:
        assert received.headers["Idempotency-Key"] == received.event_id
        bodies.setdefault(received.event_id, set()).add(received.body)
    assert acknowledged <= bodies.keys()
    assert all(len(same) == 1 for same in bodies.values())
