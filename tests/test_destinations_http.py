import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.destinations import Accepted, Answer, Rejected, Retry
from gateway.destinations.http import HttpDestination, open_session, parse_retry_after
from gateway.settings import Destination
from tests.sink import Sink

NOW = 1_780_000_000.0  # Thu, 28 May 2026 20:26:40 GMT


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


def destination(session: aiohttp.ClientSession, url: str, *, secret: str | None = None) -> HttpDestination:
    return HttpDestination(Destination(name="sink", url=url, timeout_s=5), session, secret=secret)


async def sent(session: aiohttp.ClientSession, url: str) -> Answer:
    return await destination(session, url).send(b'{"id":"event-0001"}', idempotency_key="event-0001", now=NOW)


async def test_an_event_is_posted_with_its_key_and_secret(session: aiohttp.ClientSession) -> None:
    """The receiver must be able to trust the sender and to tell a repeat."""
    async with Sink() as sink:
        sender = destination(session, sink.url, secret="s3cret")
        assert await sender.send(b'{"id":"event-0001"}', idempotency_key="event-0001", now=NOW) == Accepted()
    (received,) = sink.received
    assert (received.method, received.target, received.body) == ("POST", "/events", b'{"id":"event-0001"}')
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Idempotency-Key"] == "event-0001"
    assert received.headers["Authorization"] == "Bearer s3cret"
    assert received.headers["User-Agent"].startswith("consent-gateway/")


async def test_without_a_secret_there_is_no_authorization(session: aiohttp.ClientSession) -> None:
    """`Bearer None` would be a credential of a kind."""
    async with Sink() as sink:
        await sent(session, sink.url)
    assert "Authorization" not in sink.received[0].headers


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Accepted()),
        (202, Accepted()),
        (204, Accepted()),
        (301, Retry("status-301")),
        (307, Retry("status-307")),
        (400, Rejected("status-400")),
        (401, Rejected("status-401")),
        (404, Rejected("status-404")),
        (408, Retry("status-408")),
        (413, Rejected("status-413")),
        (422, Rejected("status-422")),
        (425, Retry("status-425")),
        (429, Retry("status-429")),
        (499, Rejected("status-499")),
        (500, Retry("status-500")),
        (503, Retry("status-503")),
    ],
)
async def test_a_status_says_whether_to_come_again(session: aiohttp.ClientSession, status: int, answer: Answer) -> None:
    """What is sent again for ever hurts the destination; what is given up too soon is lost."""
    async with Sink(lambda _: web.Response(status=status, headers={"Location": "/elsewhere"})) as sink:
        assert await sent(session, sink.url) == answer
    assert len(sink.received) == 1


async def test_what_the_destination_asks_for_is_heard(session: aiohttp.ClientSession) -> None:
    """A destination that names a pause and is not obeyed will block the sender."""
    async with Sink(lambda _: web.Response(status=429, headers={"Retry-After": "17"})) as sink:
        assert await sent(session, sink.url) == Retry("status-429", 17.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("9" * 400, 3600.0),
        ("Thu, 28 May 2026 20:27:10 GMT", 30.0),
        ("Thu, 28 May 2026 20:00:00 GMT", 0.0),
        ("Fri, 28 May 2027 20:00:00 GMT", 3600.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("Thu, 99 May 2026 20:27:10 GMT", None),
    ],
)
def test_a_pause_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    """Both forms are in use, and either may be far off."""
    assert parse_retry_after(value, now=NOW) == seconds


async def test_a_destination_that_is_not_there_is_tried_again(session: aiohttp.ClientSession) -> None:
    """A restart of the destination must cost nothing."""
    async with Sink() as sink:
        url = sink.url
    assert await sent(session, url) == Retry("unreachable")


async def test_a_destination_that_does_not_answer_is_left_in_time(session: aiohttp.ClientSession) -> None:
    """An attempt without an end would hold its place in the queue for ever."""
    async with Sink() as sink:
        sink.gate.clear()
        slow = HttpDestination(Destination(name="sink", url=sink.url, timeout_s=0.05), session, secret=None)
        assert await slow.send(b"{}", idempotency_key="event-0001", now=NOW) == Retry("timeout")


async def test_an_answer_that_never_ends_is_not_read(session: aiohttp.ClientSession) -> None:
    """The status is the answer; a body without end must cost neither memory nor the success."""
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
                written += 65536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        answer = await destination(session, url).send(b"{}", idempotency_key="event-0001", now=NOW)
    assert answer == Accepted()
    assert written < 64 * 1024 * 1024


async def test_an_answer_that_breaks_off_has_still_been_given(session: aiohttp.ClientSession) -> None:
    """After `200 OK` the event is the destination's; sending it again would make two of it."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert await destination(session, url).send(b"{}", idempotency_key="event-0001", now=NOW) == Accepted()


async def test_short_answers_keep_the_connection(session: aiohttp.ClientSession) -> None:
    """A handshake for each event would be most of the work."""
    async with Sink(lambda _: web.Response(text="thank you")) as sink:
        for _ in range(3):
            await sent(session, sink.url)
        assert len(sink.connections) == 1


async def test_a_cookie_of_a_destination_is_not_sent_back(session: aiohttp.ClientSession) -> None:
    """Cookies would tie the events of different visitors together."""
    async with Sink(lambda _: web.Response(headers={"Set-Cookie": "id=1; Path=/"})) as sink:
        await sent(session, sink.url)
        await sent(session, sink.url)
    assert "Cookie" not in sink.received[1].headers
