"""The whole gateway, wired: its own paths, its start and its end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from gateway.app import Gateway
from gateway.errors import StoreUnavailable
from gateway.log import open_log
from gateway.settings import Settings
from gateway.vendors import catalogue
from tests.command_line import VENDOR
from tests.origin import Client, Origin, replying
from tests.stage import Lines

PAGE = b"<img src=//tracker.example/p.gif>"
ORIGIN = replying(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE))


def settings_for(origin: Origin, folder: Path, **changes: object) -> Settings:
    return Settings.model_validate(
        {
            "origin": {"url": origin.url},
            "listen": {"address": "127.0.0.1:0", "grace_s": 0.5, "trusted_proxies": ("127.0.0.0/8",)},
            "collect": {"store": folder / "store.db"},
            **changes,
        }
    )


@asynccontextmanager
async def running(folder: Path, **changes: object) -> AsyncIterator[tuple[Gateway, Client, Origin, Lines]]:
    lines = Lines()
    async with Origin(ORIGIN) as origin:
        settings = settings_for(origin, folder, **changes)
        log = open_log(settings.log, cast("IO[bytes]", lines))
        loaded = catalogue.load([{"tracker.toml": VENDOR}])
        try:
            async with (
                Gateway(settings, loaded, secrets={}, log=log) as gateway,
                Client(int(gateway.address.rpartition(":")[2])) as client,
            ):
                yield gateway, client, origin, lines
        finally:
            log.close()


def asking(target: bytes, *fields: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: site.example", *fields, b"", b""])


async def test_what_is_not_the_gateways_own_goes_to_the_origin(tmp_path: Path) -> None:
    """A prefix in a query, or as the beginning of another name, is the site's business."""
    async with running(tmp_path) as (_, client, origin, _):
        for target in (b"/", b"/_consentful", b"/a?b=/_consent/choice", b"/a/_consent/choice"):
            reply = await client.ask(asking(target))
            assert reply.status == 200
            assert b"data-consent-src" in reply.body
            assert origin.requests[-1].startswith(b"GET " + target + b" ")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/_consent/health", 200),
        (b"/_consent/health?x=1", 200),
        (b"http://site.example/_consent/health", 200),
        (b"/_consent/choice", 200),
        (b"/_consent/collect", 405),
        (b"/_consent", 404),
        (b"/_consent/", 404),
        (b"/_consent/nothing", 404),
        (b"/_consent/health/more", 404),
    ],
)
async def test_the_gateways_own_paths_never_reach_the_origin(tmp_path: Path, target: bytes, status: int) -> None:
    """Whatever lies under the prefix is answered here, in whichever form it is asked for."""
    async with running(tmp_path) as (_, client, origin, _):
        reply = await client.ask(asking(target))
        assert reply.status == status
        assert origin.requests == []


async def test_an_own_path_passes_the_same_checks_as_any_other(tmp_path: Path) -> None:
    """The collection endpoint is no way round the refusals."""
    async with running(tmp_path) as (_, client, _, lines):
        reply = await client.ask(asking(b"/_consent/health", b"Transfer-Encoding: gzip, chunked"))
        assert reply.status == 501
        assert (await lines.wait_for("proxied"))[0]["outcome"] == "refused"


@pytest.mark.parametrize(
    ("proto", "secure"), [(b"https", True), (b"http", False), (b"http, https", True), (b"", False)]
)
async def test_behind_a_trusted_tls_server_the_choice_cookie_is_secure(
    tmp_path: Path, proto: bytes, *, secure: bool
) -> None:
    """The gateway itself sees plain HTTP only; the cookie must not be weaker for it."""
    async with running(tmp_path) as (_, client, _, lines):
        body = b"action=accept&return=/shop"
        head = asking(
            b"/_consent/choice",
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Length: %d" % len(body),
            *([b"X-Forwarded-Proto: " + proto] if proto else []),
            method=b"POST",
        )
        reply = await client.ask(head + body)
        assert reply.status == 303
        cookie = dict(reply.headers)[b"Set-Cookie"]
        assert (b"; Secure" in cookie) is secure
        assert (await lines.wait_for("chosen"))[0]["action"] == "accept"


async def test_without_collection_there_is_no_store_and_no_endpoint(tmp_path: Path) -> None:
    """Who does not collect should not find a database."""
    async with running(tmp_path, collect={"enabled": False}) as (_, client, _, _):
        assert (await client.ask(asking(b"/_consent/collect", method=b"POST"))).status == 404
    assert list(tmp_path.iterdir()) == []


async def test_while_it_drains_health_says_so(tmp_path: Path) -> None:
    """The load balancer is told to look elsewhere before the last request is over."""
    async with running(tmp_path) as (gateway, client, _, _):
        gateway._ready = False
        reply = await client.ask(asking(b"/_consent/health"))
        assert (reply.status, dict(reply.headers)[b"Retry-After"]) == (503, b"5")


async def test_a_store_that_cannot_be_opened_stops_the_start_and_leaves_nothing_running(tmp_path: Path) -> None:
    """A gateway that answers 503 to every beacon from the first minute on is a mistake in its settings."""
    (tmp_path / "store.db").mkdir()
    before = asyncio.all_tasks()
    with pytest.raises(StoreUnavailable):
        async with running(tmp_path):
            pass
    assert asyncio.all_tasks() == before


async def test_an_address_that_is_taken_stops_the_start_and_leaves_nothing_running(tmp_path: Path) -> None:
    """Two gateways on one port would share its visitors by chance."""
    before = asyncio.all_tasks()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with running(tmp_path, listen={"address": f"127.0.0.1:{taken.getsockname()[1]}"}):
            pass
    assert asyncio.all_tasks() == before
