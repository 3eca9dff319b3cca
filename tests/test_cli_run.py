"""`run`: the gateway in front of a site, as a process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.command_line import VENDOR, on_pipe

PAGE = b'<!doctype html><p>shop<script src="https://tracker.example/t.js"></script>'


@dataclass(slots=True)
class Origin:
    """A site of one page, and of /slow, which is not answered before *go*."""

    url: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def page(self, request: web.BaseRequest) -> web.Response:
        """One request."""
        if request.path == "/slow":
            self.asked.set()
            await self.go.wait()
        return web.Response(body=PAGE, content_type="text/html")


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    site = Origin()
    runner = web.ServerRunner(web.Server(site.page))
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.url = f"http://127.0.0.1:{listener.port}"
    yield site
    site.go.set()
    await runner.cleanup()


@pytest.fixture
def config(tmp_path: Path, origin: Origin) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "tracker-example.toml").write_bytes(VENDOR)
    file = tmp_path / "gateway.toml"
    file.write_text(f'[origin]\nurl = "{origin.url}"\n[rules]\nshipped = false\ndirs = ["rules"]\n')
    return file


@asynccontextmanager
async def running(*args: str) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """The process, and its `started` line; ended if the test has not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from gateway.cli import main; main()", "run", *args, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, (await process.communicate())[1].decode()
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ended(process: Process) -> tuple[list[dict[str, Any]], str]:
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return [json.loads(line) for line in out.splitlines()], err.decode()


@asynccontextmanager
async def draining(config: Path, origin: Origin) -> AsyncIterator[tuple[Process, asyncio.StreamReader]]:
    """A process that has got its first signal while a request is under way, and the reader of that request's answer."""
    async with running("--config", str(config), "--listen", "127.0.0.1:0") as (process, started):
        host, _, port = started["address"].rpartition(":")
        answer, asking = await asyncio.open_connection(host, int(port))
        asking.write(b"GET /slow HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
        await asyncio.wait_for(origin.asked.wait(), 30)
        idle, idling = await asyncio.open_connection(host, int(port))
        process.send_signal(signal.SIGTERM)
        # Idle connections are closed first: from then on the drain waits for the request alone.
        assert await asyncio.wait_for(idle.read(), 30) == b""
        yield process, answer
        for writer in (asking, idling):
            writer.close()


async def test_a_request_under_way_is_finished_before_the_end(config: Path, origin: Origin) -> None:
    """A new release of the gateway must not cost a visitor the page that is just loading."""
    async with draining(config, origin) as (process, answer):
        origin.go.set()
        assert (await asyncio.wait_for(answer.read(), 30)).startswith(b"HTTP/1.1 200 ")
        lines, _ = await ended(process)
    assert process.returncode == 0
    assert [line["event"] for line in lines] == ["blocked", "proxied", "stopped"]


async def test_a_second_signal_ends_it_at_once(config: Path, origin: Origin) -> None:
    """Whoever presses Ctrl-C twice does not want to wait for a visitor who may take half a minute."""
    async with draining(config, origin) as (process, _):
        process.send_signal(signal.SIGTERM)
        await ended(process)
    assert process.returncode == -signal.SIGTERM


async def test_a_site_is_served_and_every_line_on_standard_output_is_json(config: Path) -> None:
    """The whole of it, once: a page through the process, what it said, and a clean end."""
    async with running("--config", str(config), "--listen", "127.0.0.1:0") as (process, started):
        assert started["event"] == "started"
        async with aiohttp.ClientSession() as session, session.get(f"http://{started['address']}/shop?a=b") as answer:
            body = await answer.read()
        assert b"<p>shop" in body
        assert b'src="https://tracker.example' not in body.replace(b"data-consent-src", b"")
        process.send_signal(signal.SIGTERM)
        lines, err = await ended(process)
    assert process.returncode == 0
    assert f"listening on http://{started['address']}" in err
    assert [line["event"] for line in lines] == ["blocked", "proxied", "stopped"]
    assert (lines[0]["vendor"], lines[0]["page"], lines[0]["action"]) == ("tracker-example", "/shop", "deferred")
    assert lines[0]["request_id"] == lines[1]["request_id"]
    assert lines[2]["reason"] == "SIGTERM"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: signal.Signals(number).name)
async def test_either_signal_ends_it_cleanly(config: Path, number: signal.Signals) -> None:
    """Ctrl-C in a terminal and a service manager's stop are the same wish, and no failure."""
    async with running("--config", str(config), "--listen", "127.0.0.1:0") as (process, _):
        process.send_signal(number)
        lines, err = await ended(process)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert lines[-1]["reason"] == number.name


async def test_an_address_that_is_taken_ends_with_status_1_and_says_which(config: Path) -> None:
    """The settings are good and the machine is not as wanted."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, err = await asyncio.to_thread(on_process, "--config", str(config), "--listen", address)
    assert status == 1
    assert err == f"Error: cannot start at {address}: address already in use\n"


def test_a_store_that_cannot_be_opened_ends_with_status_1(tmp_path: Path) -> None:
    """Nothing may be collected that cannot be kept."""
    (tmp_path / "store").mkdir()
    store = f"collect.store={tmp_path / 'store'}"
    status, err = on_process("--origin", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--set", store)
    assert status == 1
    assert "cannot start with the store" in err


def test_without_an_origin_nothing_starts() -> None:
    """The one thing that must be said."""
    answer = on_pipe("run")
    assert answer.status == 2
    assert answer.err.startswith("settings: origin.url: missing")


async def test_a_terminal_sees_readable_lines(config: Path) -> None:
    """Whoever tries it out by hand looks at the log first."""
    main, terminal = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from gateway.cli import main; main()"),
        *("run", "--config", str(config), "--listen", "127.0.0.1:0"),
        stdout=terminal,
        stderr=PIPE,
    )
    os.close(terminal)
    try:
        with os.fdopen(main, "rb", buffering=0) as screen:
            shown = await asyncio.wait_for(asyncio.to_thread(screen.read, 4096), 30)
            assert b"started" in shown
            assert not shown.startswith(b"{")
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def on_process(*args: str) -> tuple[int, str]:
    """Status and standard error of a start that must fail by itself."""
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "run", *args]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stderr.decode()
