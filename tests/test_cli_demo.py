"""The demo as somebody starts it: what it prints, what it shows, and how it ends."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import pytest

from gateway.demo.ticker import Ticker
from gateway.log import open_log
from gateway.settings import LogSettings
from tests.command_line import on_pipe

# From the start of the process to its end, on a slow machine; what takes longer hangs.
PATIENCE_S = 60

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Running:
    """A demo that was started. *shown* is what it printed so far, without colours."""

    def __init__(self, process: "subprocess.Popen[bytes]", descriptor: int) -> None:
        self.process = process
        self.shown = ""
        self._descriptor = descriptor

    def until(self, text: str) -> str:
        """Wait until *text* was printed, and the line that holds it is complete; answers that line."""
        while not (line := re.search(f"^.*{re.escape(text)}.*\n", self.shown, re.MULTILINE)):
            data = self._read()
            assert data, f"{text!r} never came: {self.shown}"
        return line[0].strip()

    def address(self, shape: str) -> str:
        """The first address printed that fits *shape*."""
        found = re.search(shape, self.shown)
        assert found, self.shown
        return found[0]

    def end(self, one: signal.Signals) -> int:
        """Send a signal, read the rest; answers the exit status."""
        self.process.send_signal(one)
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bytes:
        data = b""
        with suppress(OSError):  # how a terminal says that nobody writes any more
            data = os.read(self._descriptor, 65_536)
        self.shown += _STYLE.sub("", data.decode()).replace("\r\n", "\n")
        return data


@contextmanager
def running(*args: str, tmp: Path, terminal: bool = False) -> Iterator[Running]:
    """The demo as a process of its own; the end of the block ends it, whatever happened."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    with (tmp / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", "from gateway.cli import main; main()", "demo", *args],
            stdout=writer,
            stderr=errors,
            env={**os.environ, "TMPDIR": str(tmp)},
        )
    os.close(writer)
    try:
        yield Running(process, reader)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        os.close(reader)


def ask(url: str) -> bytes:
    """One page, as a visitor without cookies."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:  # noqa: S310 - an address of the demo's own
        body: bytes = response.read()
    return body


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_to_open_and_ends_with_status_0(tmp_path: Path, one: signal.Signals) -> None:
    """The first thing that anybody sees of the gateway, and the first thing that a service manager does to it."""
    with running(tmp=tmp_path) as demo:
        demo.until("Ctrl-C")
        shop = demo.address(r"http://127\.0\.0\.1:\d+/(?=\n)")
        assert f"{shop}_consent/choice" in demo.shown
        for other in (
            r"http://localhost:\d+/",
            r"http://moth\.localhost:\d+/contacts",
            r"http://127\.0\.0\.1:\d+/events",
        ):
            demo.address(other)
        assert b"Lantern &amp; Loom" in ask(shop)
        line = orjson.loads(demo.until('"event":"blocked"'))
        assert (line["page"], line["level"]) == ("/", "info")
        assert demo.end(one) == 0
    assert (tmp_path / "stderr").read_bytes() == b""
    assert [path.name for path in tmp_path.iterdir()] == ["stderr"], "files were left behind"


def test_a_program_gets_the_addresses_as_json(tmp_path: Path) -> None:
    """Tests of others drive the demo; they should not have to parse prose, and take the ports that they ask for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running("--json", "--port", str(port), tmp=tmp_path) as demo:
        addresses = orjson.loads(demo.until("}"))
        assert addresses["shop"] == f"http://127.0.0.1:{port}/"
        assert addresses["choice"] == f"http://127.0.0.1:{port}/_consent/choice"
        assert orjson.loads(ask(addresses["events"])) == {"total": 0, "events": []}
        assert orjson.loads(ask(addresses["contacts"].replace("moth.localhost", "127.0.0.1"))) == {
            "total": 0,
            "paths": {},
        }
        assert demo.end(signal.SIGINT) == 0
        assert all(orjson.loads(line) for line in demo.shown.splitlines())


def test_a_terminal_shows_a_short_line_for_each_fact(tmp_path: Path) -> None:
    """Whoever watches must see what happens without reading JSON."""
    with running(tmp=tmp_path, terminal=True) as demo:
        demo.until("Ctrl-C")
        ask(demo.address(r"http://127\.0\.0\.1:\d+/(?=\n)"))
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d proxied   GET / 200: \d+ withheld, agreed to nothing", demo.until("proxied")
        )
        assert demo.end(signal.SIGINT) == 0
        assert demo.shown.endswith("stopped\n")
    blocked = [line for line in demo.shown.splitlines() if "blocked" in line]
    assert any(re.search(r"moth-metrics +script +needs marketing +moth\.localhost$", line) for line in blocked)
    assert all(len(line) <= 105 for line in demo.shown.splitlines())


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    """A traceback tells a first-time visitor nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = on_pipe("demo", "--port", str(port))
    assert (answer.status, answer.out) == (1, b"")
    assert answer.err == f"Error: cannot start at 127.0.0.1:{port}: address already in use\n"


@pytest.mark.parametrize("port", ["-1", "65536", "none"])
def test_a_port_that_is_none_is_bad_use(port: str) -> None:
    """Status 2, as for every other bad use."""
    assert on_pipe("demo", "--port", port).status == 2


LINES = [
    (
        {"event": "blocked", "vendor": "meta", "kind": "set-cookie", "categories": ["marketing"]},
        "blocked   meta               set-cookie  needs marketing",
    ),
    (
        {
            "event": "proxied",
            "method": "GET",
            "page": "/a",
            "status": 200,
            "plan": "pass",
            "outcome": "served",
            "withheld": 0,
        },
        "proxied   GET /a 200",
    ),
    (
        {
            "event": "proxied",
            "method": "GET",
            "page": "/a",
            "status": 502,
            "outcome": "origin-fault",
            "withheld": 0,
            "granted": ["necessary"],
        },
        "proxied   GET /a 502: 0 withheld, agreed to nothing, origin-fault",
    ),
    (
        {"event": "chosen", "action": "save", "granted": ["necessary", "analytics"]},
        "chosen    save: agreed to analytics",
    ),
    ({"event": "dropped", "reason": "no-consent"}, "dropped   a page view of the shop's own: no-consent"),
    (
        {"event": "collected", "outcome": "stored", "destinations": ["inbox"]},
        "collected a page view of the shop's own, for inbox",
    ),
    ({"event": "collected", "outcome": "refused", "reason": "not-json"}, "collected refused not-json"),
    (
        {"event": "delivered", "destination": "inbox", "waited_ms": 7},
        "delivered to inbox, 7 ms after it came",
    ),
    (
        {"event": "turned-away", "reason": "malformed-request", "count": 1},
        "turned-away reason=malformed-request count=1",
    ),
]


@pytest.mark.parametrize(("line", "told"), LINES, ids=lambda value: value if isinstance(value, str) else "")
def test_each_event_of_the_log_has_its_sentence(line: dict[str, object], told: str) -> None:
    """A line that cannot be shown must not silence those after it."""
    shown: list[str] = []
    whole = orjson.dumps({"timestamp": "2026-01-02T03:04:05Z", "level": "info"} | line) + b"\n"
    assert Ticker(shown.append).write(whole * 2) == 2 * len(whole)
    assert [_STYLE.sub("", one)[9:] for one in shown] == [told, told]


def test_the_ticker_shows_what_the_log_itself_writes() -> None:
    """The keys that it reads are the log's; renamed there, they would be missed here and nowhere else."""
    shown: list[str] = []
    log = open_log(LogSettings(format="json"), Ticker(shown.append))  # type: ignore[arg-type]  # as the command does
    log.started(version="1", address="127.0.0.1:1", origin="http://127.0.0.1:2", vendors=3)
    log.close()
    assert _STYLE.sub("", shown[0])[9:] == "started   version=1 address=127.0.0.1:1 origin=http://127.0.0.1:2 vendors=3"


def test_a_contact_with_the_vendor_is_shown() -> None:
    """It is what nobody wants to see before agreeing."""
    shown: list[str] = []
    Ticker(shown.append).contact("/moth.js")
    assert shown[0].endswith("Moth Metrics, the made-up vendor, was asked for /moth.js")
