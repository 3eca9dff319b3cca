"""The structured log: the closed list of keys, and what may stand under them.

One canonical line for one finished thing: `proxied` a request, `blocked` a thing withheld, `degraded` a narrower way that had
to be taken, `failed` a request that went wrong; `collected`, `dropped`, `delivered`, `retried`, `buried` an event's life;
`chosen` a visitor's choice; `started`, `stopped` the gateway's own.

What never stands in it, whoever asks: a cookie's value, a body, a query string, a client's address. Of exceptions only the
class and the place are told, because their texts repeat what was sent. Everything that others can write (a path, a host) is
cut in length and has its control characters escaped: a log is read on terminals and by programs, and neither may be steered
by a request.

Lines leave through a thread of their own. A reader that stops reading costs lines, which are counted and told in a `lost`
line, and never a stop of the event loop.
"""

import logging
import os
import select
import threading
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from functools import cache
from types import MappingProxyType
from typing import IO, Any, Literal, cast

import orjson
import structlog

from gateway import events
from gateway.choice_form import Chosen
from gateway.consent.model import Category
from gateway.errors import ClientFault, OriginFault
from gateway.exchange import Exchange
from gateway.settings import LogSettings
from gateway.withheld import Degraded, Withheld

# Longer values are cut. The path of a real page is shorter; what is longer is data, or an attack on whoever reads.
VALUE_CHARS = 256
LIST_ITEMS = 32

# At some 400 bytes a line, 4 MB of lines wait at most for a reader that has stopped.
WAITING_LINES = 10_000

# How long a stop waits for the last lines to be read.
CLOSE_S = 2.0

# How long the thread gathers lines before it writes: waking it for each would cost the event loop more than the line itself.
_GATHER_S = 0.01

# The frames of a traceback that are told, the innermost first.
_FRAMES = 6

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "timestamp": "when the line was written: ISO 8601, UTC",
        "level": "debug, info, warning (degraded) or error (someone must act)",
        "event": "what was finished: proxied, blocked, collected ...",
        "action": "what was done with a withheld thing: removed (gone) or deferred (inert in its place); button of a choice",
        "address": "where the gateway listens",
        "after_s": "seconds until the next attempt",
        "attempt": "attempts that a delivery has had, from 1",
        "basis": "what settled the visitor's decision: choice, platform, gpc, no-choice, opt-out-region",
        "before": "categories that were granted until the visitor chose",
        "bytes": "bytes of the body that the client got, or of a beacon as it was read",
        "bytes_in": "bytes of the request's body",
        "categories": "categories that a withheld thing needs",
        "count": "how many times since it was last told",
        "destination": "name of a destination in the settings",
        "destinations": "names of the destinations that get the event",
        "detail": "what the store's library said, or the name of the file that was put aside",
        "duration_ms": "milliseconds from the request's head to the end of the response",
        "error": "class of the exception, and its reason from a closed list where it is the gateway's own",
        "event_id": "id of a collected event: its idempotency key",
        "gpc": "the browser asked not to be tracked (Sec-GPC) while the visitor chose",
        "granted": "categories that the visitor has granted",
        "host": "host that a withheld thing would have contacted",
        "kind": "what a withheld thing is: script, inline, iframe, pixel, set-cookie ...",
        "lines": "log lines that were given up because nobody read them",
        "memo_hits": "segments of the page that were known from before",
        "memo_misses": "segments of the page that had to be rewritten",
        "message": "template of a library's own message, without its values",
        "method": "method of the request",
        "origin": "scheme, host and port of the site behind the gateway",
        "outcome": "how the request or the beacon ended",
        "page": "path of the request, without its query",
        "plan": "what was done with the body: pass, rewrite or guard",
        "reason": "why: one word of a closed list",
        "request_id": "names one request in all its lines",
        "rule": "the rule that matched, as the vendor's file names it: hosts.NAME, scripts.ID, inline.ID, cookies.NAME; author.fence, author.attribute",
        "source": "library that wrote a message",
        "status": "status of the response that the client got; 0 for none",
        "trouble": "what happened to the store: unavailable, recovered, quarantined",
        "vendor": "id of the vendor",
        "vendors": "how many vendors the rules know",
        "version": "version of the gateway",
        "waited_ms": "milliseconds from an event's arrival to its delivery",
        "where": "places in the code that an exception passed, the innermost first",
        "withheld": "how many things were withheld in one response",
    }
)

_Level = Literal["debug", "info", "warning", "error"]
_Line = MutableMapping[str, Any]


class Log:
    """The gateway's one log. Its methods never raise and never wait; lines come out in the order of the calls."""

    def __init__(self, settings: LogSettings, stream: IO[str] | IO[bytes], *, waiting_lines: int) -> None:
        terminal = stream.isatty()
        readable = settings.format == "console" or (settings.format == "auto" and terminal)
        self._writer = _Writer(stream, waiting_lines=waiting_lines)
        self._logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            self._writer,
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _closed,
                *(_readable(colours=terminal and "NO_COLOR" not in os.environ) if readable else [_as_json]),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        ).bind()

    def proxied(self, exchange: Exchange) -> None:
        """A request is over, however it ended."""
        self._tell("info", "proxied", **_request(exchange), **_ending(exchange))

    def blocked(self, exchange: Exchange, thing: Withheld) -> None:
        """One thing was withheld from the response, or from the request on its way up."""
        self._tell(
            "info",
            "blocked",
            vendor=thing.vendor or None,
            rule=thing.rule,
            kind=thing.kind,
            host=thing.host,
            page=_path(exchange.path),
            categories=_listed(thing.needs),
            basis=exchange.basis,
            action=thing.action,
            request_id=exchange.id,
        )

    def degraded(self, exchange: Exchange, path: Degraded) -> None:
        """Less than the full service was given: the narrower way has a name."""
        self._tell("warning", "degraded", reason=path, **_request(exchange))

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """A request went wrong: on our side an error with its places in the code, on the origin's a warning."""
        ours = not isinstance(error, OriginFault)
        self._tell(
            "error" if ours else "warning",
            "failed",
            **_request(exchange),
            **_ending(exchange),
            error=_name(error),
            where=_places(error) if ours else None,
        )

    def collected(self, beacon: events.Collected) -> None:
        """A beacon that was not dropped is over; one that the store could not take is a warning."""
        self._tell(
            "warning" if beacon.outcome is events.Outcome.UNAVAILABLE else "info",
            "collected",
            outcome=beacon.outcome,
            reason=beacon.reason or None,
            destinations=beacon.destinations or None,
            bytes=beacon.size_bytes,
            request_id=beacon.request_id,
        )

    def dropped(self, event: events.Dropped) -> None:
        """An event does not exist, or not any more, because nobody agreed to it."""
        self._tell(
            "info",
            "dropped",
            reason=event.reason,
            destination=event.destination or None,
            request_id=event.request_id or None,
        )

    def delivered(self, event: events.Delivered) -> None:
        """A destination has taken an event."""
        self._tell(
            "info",
            "delivered",
            destination=event.destination,
            event_id=event.event_id,
            attempt=event.attempt,
            waited_ms=event.waited_ms,
        )

    def retried(self, event: events.Retried) -> None:
        """A delivery failed and will be tried again."""
        self._tell(
            "warning",
            "retried",
            destination=event.destination,
            event_id=event.event_id,
            attempt=event.attempt,
            reason=event.reason,
            after_s=round(event.after_s, 1),
        )

    def buried(self, event: events.Buried) -> None:
        """A destination will not get an event; it is kept aside for somebody to look at."""
        self._tell(
            "error",
            "buried",
            destination=event.destination,
            event_id=event.event_id,
            attempt=event.attempt,
            reason=event.reason,
        )

    def turned_away(self, what: str, *, count: int, error: BaseException | None) -> None:
        """The listener refused something before it was a request, *count* times since it was last told; or caught *error*."""
        # What does not parse is mostly noise of the internet; connections refused are visitors.
        level: _Level = "error" if error else "info" if what == "malformed-request" else "warning"
        self._tell(
            level,
            "turned-away",
            reason=what,
            count=count,
            error=_name(error) if error else None,
            where=_places(error) if error else None,
        )

    def troubled(self, store: events.StoreTroubled) -> None:
        """The store's state changed: collection has stopped, goes on, or begins anew."""
        self._tell(
            "info" if store.trouble is events.Trouble.RECOVERED else "error",
            "troubled",
            trouble=store.trouble,
            detail=store.detail or None,
        )

    def chosen(self, choice: Chosen) -> None:
        """A visitor has chosen."""
        self._tell(
            "info",
            "chosen",
            action=choice.action,
            granted=_listed(choice.granted),
            before=_listed(choice.before),
            gpc=choice.gpc,
            request_id=choice.request_id,
        )

    def started(self, *, version: str, address: str, origin: str, vendors: int) -> None:
        """The gateway answers at *address*."""
        self._tell("info", "started", version=version, address=address, origin=origin, vendors=vendors)

    def stopped(self, *, reason: str) -> None:
        """The gateway answers no more. *reason*: the signal, or `fault`."""
        self._tell("info", "stopped", reason=reason)

    def library(self) -> logging.Handler:
        """A handler for the standard library's logging that tells what libraries warn of, without the values in it."""
        return _Library(self)

    def _tell(self, level: _Level, event: str, **values: object) -> None:
        try:
            getattr(self._logger, level)(event, **values)
            if self._writer.lost and self._writer.has_room():
                self._logger.warning("lost", lines=self._writer.take_lost())
        except Exception:  # noqa: BLE001 - a line that cannot be written must not become a request that fails
            self._writer.lost += 1

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until every line so far has left; false where the reader did not take them in time."""
        return self._writer.flush(timeout_s)

    def close(self) -> None:
        """Write what waits, as long as somebody reads, and end. Lines told later are lost."""
        if self._writer.lost:
            self._logger.warning("lost", lines=self._writer.take_lost())
        self._writer.close(CLOSE_S)


def open_log(settings: LogSettings, stream: IO[str] | IO[bytes], *, waiting_lines: int = WAITING_LINES) -> Log:
    """The log on *stream*: JSON lines, or readable ones on a terminal, as the settings say. Whoever opens it closes it."""
    return Log(settings, stream, waiting_lines=waiting_lines)


def _request(exchange: Exchange) -> dict[str, object]:
    return {"method": exchange.method, "page": _path(exchange.path), "request_id": exchange.id}


def _ending(exchange: Exchange) -> dict[str, object]:
    return {
        "status": exchange.status,
        "plan": exchange.plan or None,
        "memo_hits": exchange.memo_hits or None,
        "memo_misses": exchange.memo_misses or None,
        "granted": _listed(exchange.granted),
        "basis": exchange.basis,
        "bytes": exchange.bytes_out,
        "bytes_in": exchange.bytes_in,
        "duration_ms": round(exchange.duration_s * 1000, 1),
        "withheld": exchange.withheld_count,
        "outcome": exchange.outcome,
        "reason": exchange.reason or None,
    }


@cache
def _listed(categories: frozenset[Category]) -> tuple[str, ...]:
    """In the order in which people are asked, not the alphabet's. There are no more than sixteen sets of four."""
    return tuple(category.value for category in Category if category in categories)


def _path(target: str) -> str:
    """Only what stands before a query or a fragment, whoever forgot to cut it."""
    return target.partition("?")[0].partition("#")[0]


def _name(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error.reason}" if isinstance(error, (ClientFault, OriginFault)) else name


def _places(error: BaseException) -> list[str]:
    """`file:line function`, the innermost first. Source lines are not read: that would be disk I/O in the event loop."""
    frames = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"  # noqa: PTH119 - text, no path
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return frames[: -_FRAMES - 1 : -1]


def _closed(_logger: object, _method: str, line: _Line) -> _Line:
    """The line with known keys only, what everybody looks for first, and every value made safe; None is left out."""
    ordered: _Line = {"timestamp": line.pop("timestamp"), "level": line.pop("level"), "event": line.pop("event")}
    for key, value in line.items():
        if key not in KEYS or value is None:
            continue
        kind = type(value)
        if kind is int or kind is float or kind is bool:
            ordered[key] = value
        elif isinstance(value, (list, tuple, frozenset)):
            ordered[key] = [_text(str(item)) for item in list(value)[:LIST_ITEMS]]
        else:
            ordered[key] = _text(str(value))
    return ordered


def _text(text: str) -> str:
    """*text* cut, and without anything that a terminal, an editor or a reader of lines would obey."""
    if len(text) > VALUE_CHARS:
        text = text[: VALUE_CHARS - 1] + "…"
    if text.isprintable():
        return text
    # Control characters, line and paragraph separators, lone surrogates, and marks that turn the writing direction round.
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _as_json(_logger: object, _method: str, line: _Line) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _readable(*, colours: bool) -> Iterable[structlog.typing.Processor]:
    """Processors for people: lists joined, one line each, coloured where the terminal can."""
    console = structlog.dev.ConsoleRenderer(
        colors=colours, sort_keys=False, pad_event_to=10, exception_formatter=structlog.dev.plain_traceback
    )

    def joined(_logger: object, _method: str, line: _Line) -> _Line:
        return {key: ",".join(value) if isinstance(value, list) else value for key, value in line.items()}

    def encoded(logger: Any, method: str, line: _Line) -> bytes:
        return f"{console(logger, method, line)}\n".encode(errors="backslashreplace")

    return (joined, encoded)


class _Library(logging.Handler):
    """Warnings of libraries, in the log's own form: the template of the message and never the values put into it."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._log._tell(  # noqa: SLF001 - two halves of one thing
            "error" if record.levelno >= logging.ERROR else "warning",
            "noted",
            source=record.name,
            message=_template(record),
            error=_name(error) if error else None,
            where=_places(error) if error else None,
        )


def _template(record: logging.LogRecord) -> str:
    """The message without values. asyncio puts its own in before it logs: the representations of a task and its exception,
    of a callback and what it was called with, of a transport and its peer's address. Before them stands what happened.
    """
    message = str(record.msg)
    return message if record.args else message.partition("\n")[0].partition("(")[0].rstrip()


class _Writer:
    """Lines to a stream, through a thread: the caller never waits for whoever reads them."""

    def __init__(self, stream: IO[str] | IO[bytes], *, waiting_lines: int) -> None:
        self.lost = 0
        self._stream = cast("IO[bytes]", getattr(stream, "buffer", stream))
        try:
            # Past Python's own buffer: its lock, held by a thread that waits for a reader, is fatal at interpreter exit.
            self._descriptor = stream.fileno()
        except OSError:
            self._descriptor = -1
        self._limit = waiting_lines
        self._lines: list[bytes] = []
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        # A daemon: a reader that never reads again must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: bytes) -> None:
        """Take one line, or count it as lost where too many wait."""
        with self._changed:
            if self._closed or len(self._lines) >= self._limit:
                self.lost += 1
                return
            self._lines.append(line)
            if len(self._lines) == 1:
                self._changed.notify_all()

    debug = info = warning = error = msg

    def has_room(self) -> bool:
        """Lines are being read again."""
        return len(self._lines) < self._limit

    def take_lost(self) -> int:
        """How many lines were lost since the last call."""
        with self._changed:
            lost, self.lost = self.lost, 0
        return lost

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines are out; false where that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._busy, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what waits, if that can be done in time, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed)
                self._changed.wait_for(lambda: self._closed, _GATHER_S)
                lines, self._lines = self._lines, []
                self._busy = True
            if not lines:
                break
            try:
                self._out(b"".join(lines))
            except (OSError, ValueError):  # nobody reads, no room on the disk, or the stream is closed
                with self._changed:
                    self.lost += len(lines)
        with self._changed:
            self._busy = False
            self._changed.notify_all()

    def _out(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._stream.write(data)
            self._stream.flush()
            return
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares the stream has made it non-blocking
                select.select([], [self._descriptor], [])
