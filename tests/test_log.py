"""The log: its keys are closed, its values safe, and nobody waits for whoever reads it."""

import io
import json
import logging
import os
import pty
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from gateway import events
from gateway.choice_form import ChoiceAction, Chosen
from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, Basis, Category
from gateway.errors import ClientFault, OriginFault
from gateway.exchange import Exchange, Outcome
from gateway.log import KEYS, LIST_ITEMS, VALUE_CHARS, Log, open_log
from gateway.settings import LogSettings
from gateway.withheld import Action, Degraded, Kind, Withheld

EXCHANGE = Exchange(
    id="0123456789abcdef",
    method="GET",
    path="/shop/",
    status=200,
    bytes_in=0,
    bytes_out=1234,
    duration_s=0.01234,
    plan="rewrite",
    basis=Basis.NO_CHOICE,
    granted=NECESSARY_ONLY,
    withheld=(),
    withheld_count=2,
    degraded=(),
    memo_hits=3,
    memo_misses=1,
    outcome=Outcome.SERVED,
)
THING = Withheld(
    kind=Kind.SCRIPT,
    vendor="tracker-example",
    rule="hosts.tracker.example",
    needs=frozenset({Category.MARKETING}),
    action=Action.DEFERRED,
    host="cdn.tracker.example",
    offset=17,
)

Told = Callable[[Log], None]


def fail(error: Exception) -> None:
    raise error


def raised(error: Exception) -> Exception:
    try:
        fail(error)
    except Exception as caught:  # noqa: BLE001 - to give it a traceback
        return caught
    raise AssertionError


def warn(log: Log) -> None:
    log.library().handle(logging.LogRecord("asyncio", logging.WARNING, "a.py", 1, "slow %s", ("x",), None))


# Every line that the gateway can write, once.
LINES: dict[str, tuple[str, Told]] = {
    "proxied": ("info", lambda log: log.proxied(EXCHANGE)),
    "blocked": ("info", lambda log: log.blocked(EXCHANGE, THING)),
    "degraded": ("warning", lambda log: log.degraded(EXCHANGE, Degraded.TAG_OVER_LIMIT)),
    "failed": ("error", lambda log: log.failed(EXCHANGE, raised(KeyError("x")))),
    "collected": (
        "info",
        lambda log: log.collected(events.Collected("0123", events.Outcome.STORED, destinations=("crm",), size_bytes=9)),
    ),
    "dropped": ("info", lambda log: log.dropped(events.Dropped(events.DropReason.NO_CONSENT, request_id="0123"))),
    "delivered": ("info", lambda log: log.delivered(events.Delivered("crm", "event-0001", attempt=1, waited_ms=12))),
    "retried": (
        "warning",
        lambda log: log.retried(events.Retried("crm", "event-0001", attempt=1, reason="timeout", after_s=1.23)),
    ),
    "buried": ("error", lambda log: log.buried(events.Buried("crm", "event-0001", attempt=24, reason="status-400"))),
    "turned-away": ("warning", lambda log: log.turned_away("too-many-connections", count=3, error=None)),
    "troubled": (
        "error",
        lambda log: log.troubled(events.StoreTroubled(events.Trouble.QUARANTINED, "consent-gateway.db.broken")),
    ),
    "chosen": (
        "info",
        lambda log: log.chosen(Chosen("0123", ChoiceAction.SAVE, granted=EVERYTHING, before=NECESSARY_ONLY, gpc=False)),
    ),
    "started": (
        "info",
        lambda log: log.started(version="1", address="127.0.0.1:8080", origin="https://site.example", vendors=14),
    ),
    "stopped": ("info", lambda log: log.stopped(reason="SIGTERM")),
    "noted": (
        "warning",
        warn,
    ),
}


def written(*told: Told, level: str = "info") -> list[dict[str, Any]]:
    stream = io.BytesIO()
    log = open_log(LogSettings.model_validate({"level": level, "format": "json"}), stream)
    for tell in told:
        tell(log)
    log.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("event", LINES)
def test_each_line_holds_known_keys_only_and_says_what_when_and_how_bad(event: str) -> None:
    """Whoever builds a search or an alarm on the log needs a list that is closed."""
    level, tell = LINES[event]
    (line,) = written(tell)
    assert set(line) <= set(KEYS)
    assert (line["event"], line["level"]) == (event, level)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    moment = datetime.fromisoformat(line["timestamp"])
    assert moment.tzinfo == UTC
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_each_key_has_a_meaning_and_is_used() -> None:
    """A key that nothing writes is a promise to whoever searches for it."""
    lines = [line for _, tell in LINES.values() for line in written(tell)]
    overfull = [{"lines": 1}]
    used = {
        key
        for line in [*lines, *overfull, *written(lambda log: log.proxied(replace(EXCHANGE, reason="x")))]
        for key in line
    }
    assert used == set(KEYS)
    assert all(KEYS.values())


def test_every_public_method_of_the_log_is_among_the_lines_tested_here() -> None:
    """A new line without its place in the table above would pass every test of this file unseen."""
    methods = {name for name in vars(Log) if not name.startswith("_")} - {"flush", "close", "library"}
    assert methods == {event.replace("-", "_") for event in LINES} - {"noted"}


def test_a_blocked_line_tells_vendor_rule_and_reason() -> None:
    """The line that people read to see what the gateway does; outsiders parse it."""
    (line,) = written(lambda log: log.blocked(EXCHANGE, THING))
    del line["timestamp"]
    assert line == {
        "level": "info",
        "event": "blocked",
        "vendor": "tracker-example",
        "rule": "hosts.tracker.example",
        "kind": "script",
        "host": "cdn.tracker.example",
        "page": "/shop/",
        "categories": ["marketing"],
        "basis": "no-choice",
        "action": "deferred",
        "request_id": "0123456789abcdef",
    }


def test_a_proxied_line_tells_the_whole_exchange() -> None:
    """The one canonical line of a request."""
    (line,) = written(lambda log: log.proxied(EXCHANGE))
    del line["timestamp"]
    assert line == {
        "level": "info",
        "event": "proxied",
        "method": "GET",
        "page": "/shop/",
        "request_id": "0123456789abcdef",
        "status": 200,
        "plan": "rewrite",
        "memo_hits": 3,
        "memo_misses": 1,
        "granted": ["necessary"],
        "basis": "no-choice",
        "bytes": 1234,
        "bytes_in": 0,
        "duration_ms": 12.3,
        "withheld": 2,
        "outcome": "served",
    }


def test_granted_categories_stand_in_the_order_people_know() -> None:
    """The same order as in the settings, the rules and the answers of the command line."""
    (line,) = written(lambda log: log.proxied(replace(EXCHANGE, granted=EVERYTHING)))
    assert line["granted"] == ["necessary", "functional", "analytics", "marketing"]


@pytest.mark.parametrize("path", ["/a?token=s3cr3t", "/a#s3cr3t", "/a?b#s3cr3t"])
def test_a_query_is_cut_off_whoever_forgot_to(path: str) -> None:
    """Queries carry people: mail addresses, order numbers, click ids."""
    exchange = replace(EXCHANGE, path=path)
    lines = written(
        lambda log: log.proxied(exchange),
        lambda log: log.blocked(exchange, THING),
        lambda log: log.degraded(exchange, Degraded.PARTIAL_PAGE),
        lambda log: log.failed(exchange, ValueError()),
    )
    assert [line["page"] for line in lines] == ["/a"] * 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ClientFault(400, "bad-target"), "ClientFault: bad-target"),
        (ValueError("session=s3cr3t"), "ValueError"),
        (KeyError("s3cr3t"), "KeyError"),
    ],
)
def test_of_an_exception_class_and_place_are_told_and_never_its_text(error: Exception, told: str) -> None:
    """Libraries put the offending header into their messages, and a cookie with it."""
    (line,) = written(lambda log: log.failed(EXCHANGE, raised(error)))
    assert line["error"] == told
    assert re.fullmatch(r"test_log\.py:\d+ fail", line["where"][0])
    assert "s3cr3t" not in json.dumps(line)


def test_a_fault_of_the_origin_is_a_warning_without_places_in_the_code() -> None:
    """A site that is down for an hour is not a bug of the gateway, and nobody should be woken for each of its requests."""
    (line,) = written(lambda log: log.failed(EXCHANGE, raised(OriginFault(502, "reset"))))
    assert (line["level"], line["error"], "where" in line) == ("warning", "OriginFault: reset", False)


def test_the_innermost_frames_of_a_deep_traceback_are_kept() -> None:
    """A recursion of a thousand frames must not become a line of a thousand frames."""

    def sink(depth: int) -> None:
        if depth == 0:
            raise ValueError
        sink(depth - 1)

    try:
        sink(50)
    except ValueError as error:
        (line,) = written(lambda log, error=error: log.failed(EXCHANGE, error))  # type: ignore[misc]
    assert len(line["where"]) == 6


def test_what_libraries_warn_of_is_told_without_its_values() -> None:
    """Libraries log what they were given; the template alone says what went wrong."""
    library = logging.getLogger("some.library")
    library.propagate = False

    def cause(log: Log) -> None:
        handler = log.library()
        library.addHandler(handler)
        try:
            library.warning("cannot read cookie %r", "s3cr3t")
            library.info("not told")
            try:
                fail(ValueError("s3cr3t"))
            except ValueError:
                library.exception("error handling %s", "s3cr3t")
        finally:
            library.removeHandler(handler)

    first, second = written(cause)
    assert (first["level"], first["source"], first["message"]) == ("warning", "some.library", "cannot read cookie %r")
    assert (second["level"], second["error"]) == ("error", "ValueError")
    assert "s3cr3t" not in json.dumps([first, second])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "Task exception was never retrieved\nfuture: <Task exception=ValueError('s3cr3t')>",
            "Task exception was never retrieved",
        ),
        ("Exception in callback _Transport._read_ready(b's3cr3t')", "Exception in callback _Transport._read_ready"),
        (
            "Fatal read error on socket transport\ntransport: <_Transport raddr=('192.0.2.7', 50000)>",
            "Fatal read error on socket transport",
        ),
    ],
)
def test_what_asyncio_reports_is_told_without_its_values(message: str, told: str) -> None:
    """It fills in the values itself, and among them are what a task was given and the address of a client."""
    record = logging.LogRecord("asyncio", logging.ERROR, "base_events.py", 1, message, (), None)

    def cause(log: Log) -> None:
        log.library().handle(record)

    (line,) = written(cause)
    assert line["message"] == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/caf\u00e9/\u65e5\u672c", "/caf\u00e9/\u65e5\u672c"),
        ("/a\r\n{}", "/a\\r\\n{}"),
        ("/\x1b[2J\x1b]0;x\x07", "/\\x1b[2J\\x1b]0;x\\x07"),
        ("/\x00\x7f\x9b", "/\\x00\\x7f\\x9b"),
        ("/\u2028\u202e", "/\\u2028\\u202e"),
        ("/\udce9", "/\\udce9"),
        ('/"}\\', '/"}\\'),
    ],
)
def test_what_a_terminal_or_a_reader_of_lines_would_obey_is_escaped(text: str, told: str) -> None:
    """A request path with an escape sequence in it must not clear, rename or forge what an operator sees."""
    (line,) = written(lambda log: log.proxied(replace(EXCHANGE, path=text)))
    assert line["page"] == told


@pytest.mark.parametrize("length", [VALUE_CHARS - 1, VALUE_CHARS, VALUE_CHARS + 1, 100_000])
def test_a_long_value_is_cut(length: int) -> None:
    """The length of a line is not the visitor's to choose."""
    (line,) = written(lambda log: log.proxied(replace(EXCHANGE, path="x" * length)))
    assert line["page"] == ("x" * length if length <= VALUE_CHARS else "x" * (VALUE_CHARS - 1) + "…")


@pytest.mark.parametrize("count", [LIST_ITEMS - 1, LIST_ITEMS, LIST_ITEMS + 1])
def test_a_long_list_is_cut(count: int) -> None:
    """The same, for lists."""
    collected = events.Collected("0", events.Outcome.STORED, destinations=tuple(map(str, range(count))))
    (line,) = written(lambda log: log.collected(collected))
    assert len(line["destinations"]) == min(count, LIST_ITEMS)


@effort(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=20))
def test_whatever_is_told_comes_out_as_one_line_that_can_be_read(path: str, reason: str) -> None:
    """A line that breaks the reader hides all that follow it."""
    told = replace(EXCHANGE, path=path, reason=reason)
    assert len(written(lambda log: log.proxied(told))) == 1
    stream = io.BytesIO()
    log = open_log(LogSettings(format="console"), stream)
    log.proxied(told)
    log.close()
    (line,) = stream.getvalue().decode().split("\n")[:-1]
    assert line.isprintable()


@pytest.mark.parametrize(
    ("level", "count"), [("debug", len(LINES)), ("info", len(LINES)), ("warning", 7), ("error", 3)]
)
def test_the_least_level_is_obeyed(level: str, count: int) -> None:
    """Whoever pays for lines may ask for fewer."""
    assert len(written(*(tell for _, tell in LINES.values()), level=level)) == count


@pytest.mark.parametrize(
    ("what", "error", "level"),
    [
        ("malformed-request", None, "info"),
        ("too-many-connections", None, "warning"),
        ("handler-fault", ValueError("s3cr3t"), "error"),
    ],
)
def test_what_the_listener_turned_away_is_as_bad_as_it_is(what: str, error: Exception | None, level: str) -> None:
    """Scanners send nonsense all day; visitors refused and faults of ours are another matter."""
    (line,) = written(lambda log: log.turned_away(what, count=3, error=error))
    assert (line["level"], line["reason"], line["count"]) == (level, what, 3)
    assert line.get("error") == (error and "ValueError")


def test_a_store_that_works_again_is_no_error() -> None:
    """An alarm that never ends is an alarm that nobody reads."""
    (line,) = written(lambda log: log.troubled(events.StoreTroubled(events.Trouble.RECOVERED, "")))
    assert (line["level"], line["trouble"]) == ("info", "recovered")


def test_a_beacon_that_could_not_be_stored_is_a_warning() -> None:
    """Lost unless the page tries again: degraded service, not business as usual."""
    (line,) = written(lambda log: log.collected(events.Collected("0", events.Outcome.UNAVAILABLE)))
    assert line["level"] == "warning"


def test_a_pipe_gets_json_and_a_terminal_readable_lines() -> None:
    """`format = "auto"` needs no thought from whoever starts the gateway by hand, or from a service."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        log = open_log(LogSettings(), stream)
        log.blocked(EXCHANGE, THING)
        log.close()
        assert json.loads(reader.readline())["event"] == "blocked"

    main, terminal = pty.openpty()
    with os.fdopen(main, "rb", buffering=0) as screen, os.fdopen(terminal, "w") as stream:
        log = open_log(LogSettings(), stream)
        log.blocked(EXCHANGE, THING)
        log.close()
        shown = screen.read(4096).decode()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "blocked" in plain
    assert "vendor=tracker-example" in plain
    assert "categories=marketing" in plain
    assert not plain.startswith("{")


def test_a_terminal_that_wants_no_colour_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """no-color.org: what every program with colours is asked to obey."""
    monkeypatch.setenv("NO_COLOR", "1")
    main, terminal = pty.openpty()
    with os.fdopen(main, "rb", buffering=0) as screen, os.fdopen(terminal, "w") as stream:
        log = open_log(LogSettings(), stream)
        log.stopped(reason="SIGTERM")
        log.close()
        assert b"\x1b" not in screen.read(4096)


class Stuck(io.RawIOBase):
    """A stream whose reader has stopped reading until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()
        self.got = b""

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Waits for the reader, then takes everything."""
        self.reached.set()
        self.go.wait(10)
        self.got += bytes(data)
        return len(data)


def test_a_reader_that_stops_costs_lines_which_are_counted_and_never_time() -> None:
    """A full pipe must not become a gateway that stands still."""
    stream = Stuck()
    log = open_log(LogSettings(format="json"), stream, waiting_lines=3)  # type: ignore[arg-type]
    log.stopped(reason="first")
    assert stream.reached.wait(10)
    began = time.monotonic()
    for number in range(10):
        log.stopped(reason=str(number))
    assert time.monotonic() - began < 1
    assert not log.flush(timeout_s=0.01)
    stream.go.set()
    assert log.flush(timeout_s=10)
    log.stopped(reason="last")
    log.close()
    lines = [json.loads(line) for line in stream.got.splitlines()]
    assert [line.get("reason", line.get("lines")) for line in lines] == ["first", "0", "1", "2", "last", 7]
    assert lines[-1]["event"] == "lost"


def test_a_stream_that_fails_does_not_reach_the_request() -> None:
    """A full disk under the log is nothing that a visitor should see."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        log = open_log(LogSettings(format="json"), stream)
        log.proxied(EXCHANGE)
        assert log.flush(timeout_s=10)
        log.proxied(EXCHANGE)
        log.close()


def test_a_value_that_cannot_be_written_does_not_reach_the_request() -> None:
    """JSON has no integers beyond 64 bits here; the line is lost, is counted, and the next one is written."""
    lines = written(
        lambda log: log.proxied(replace(EXCHANGE, bytes_out=2**70)),
        lambda log: log.stopped(reason="SIGTERM"),
    )
    assert [(line["event"], line.get("lines")) for line in lines] == [("stopped", None), ("lost", 1)]


def test_lines_after_the_end_are_lost_in_silence() -> None:
    """Whatever still runs while the process ends must not fail for want of a log."""
    stream = io.BytesIO()
    log = open_log(LogSettings(format="json"), stream)
    log.close()
    log.stopped(reason="late")
    assert stream.getvalue() == b""
