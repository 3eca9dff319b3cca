"""Where clients connect: aiohttp's server without its router, its banner, its error pages and its patience.

What aiohttp leaves open, and what stands here instead:

    idle connection, head that drips in     closed after `keepalive_s`, from the accept and after each response
    one connection more than the limit      closed at once, counted, told at most every `TELL_EVERY_S`
    head over a limit                       431, or 414 for the request line
    anything else that is not HTTP          400
    body whose framing breaks               the reader of the body is told, instead of waiting for ever

The errors of a request that cannot be parsed repeat nothing of it, name no software, and close the connection. Below
aiohttp 3.14.3, or without its parser in C, nothing starts: what protects against smuggled requests is in there.
"""

import asyncio
import math
import resource
import socket
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import cast

import aiohttp
from aiohttp import http_parser, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from gateway.errors import Fault, StartupFaults
from gateway.settings import ListenSettings
from gateway.wire import Answer

# Longer request lines break caches and logs behind us; browsers and search engines stay far below.
LINE_LIMIT_BYTES = 16_384
FIELDS_LIMIT = 256

# After an answer that came before the end of the request's body: how long more of it is taken and thrown away, so that
# the client reads the answer instead of a reset.
LINGER_S = 2.0

# Buffered of one request body: twice this before the client is paused.
READ_BUFFER_BYTES = 64 * 1024

# Each client may need a connection to the origin, and the store and the log need a few.
SHARE_OF_FILES = 0.45

BACKLOG = 1024
TELL_EVERY_S = 10.0

_AIOHTTP_NEEDED = (3, 14, 3)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Refused(StrEnum):
    """What the listener turned away before any handler saw it, and the fault of a handler that it caught."""

    CONNECTION = "too-many-connections"
    REQUEST = "malformed-request"
    HANDLER = "handler-fault"


# Told with the number of cases since the last time; for HANDLER with the exception.
Tell = Callable[[Refused, int, BaseException | None], None]


def check_aiohttp() -> None:
    """StartupFaults where the installed aiohttp cannot be trusted with requests of strangers."""
    version = tuple(int(part) for part in aiohttp.__version__.split(".")[:3] if part.isdigit())
    faults = []
    if version < _AIOHTTP_NEEDED:
        faults.append(Fault("", "", f"aiohttp {aiohttp.__version__} has known holes; 3.14.3 or newer is needed"))
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        faults.append(
            Fault("", "", "aiohttp runs without its parser in C; unset AIOHTTP_NO_EXTENSIONS or reinstall it")
        )
    if faults:
        raise StartupFaults(faults)


def connection_limit(wanted: int) -> int:
    """*wanted* connections, or as many as the limit on open files leaves room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if files == resource.RLIM_INFINITY else max(1, min(wanted, math.floor(files * SHARE_OF_FILES)))


class Listener:
    """One address and the handler of what comes in there.

    `start`, then `port`, then `stop`, which lets running requests finish for `grace_s`. A request's exceptions never
    reach the client.
    """

    def __init__(self, handler: Handler, settings: ListenSettings, *, tell: Tell) -> None:
        check_aiohttp()
        self._handler = handler
        self._settings = settings
        self._tell = tell

    async def start(self) -> None:
        """Listen. OSError where the address cannot be had."""
        settings = self._settings
        # A field and the line report the same error; a limit of their own tells them apart.
        line_limit = LINE_LIMIT_BYTES + (settings.head_limit_bytes == LINE_LIMIT_BYTES)
        self._protocols = _Server(
            self._handler,
            limit=connection_limit(settings.max_connections),
            line_limit=line_limit,
            write_timeout_s=settings.write_timeout_s,
            tell=self._tell,
            handler_cancellation=True,
            keepalive_timeout=settings.keepalive_s,
            auto_decompress=False,
            access_log=None,
            lingering_time=LINGER_S,
            max_line_size=line_limit,
            max_field_size=settings.head_limit_bytes,
            max_headers=FIELDS_LIMIT,
            read_bufsize=READ_BUFFER_BYTES,
        )
        self._server = await asyncio.get_running_loop().create_server(
            self._protocols, sock=_bound(settings.address), backlog=BACKLOG
        )

    @property
    def port(self) -> int:
        """The port, also where the settings said 0."""
        return cast(int, self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return self._protocols.open

    async def stop(self) -> None:
        """Take no more connections, close idle ones, wait for running requests, then cut what is left."""
        self._server.close()
        # Whoever was accepted already is still served.
        await asyncio.sleep(0)
        self._protocols.pre_shutdown()
        await self._protocols.shutdown(self._settings.grace_s)


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host == "::" and socket.has_dualstack_ipv6():
        return socket.create_server((host, int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)


class _Server(web.Server):
    """Makes the protocol of each connection, and counts them."""

    def __init__(
        self, handler: Handler, *, limit: int, line_limit: int, write_timeout_s: float, tell: Tell, **options: object
    ) -> None:
        super().__init__(handler, **options)  # type: ignore[arg-type]  # passed through to RequestHandler
        self.open = 0
        self.limit = limit
        self.line_limit = line_limit
        self.write_timeout_s = write_timeout_s
        self._tell = tell
        self._untold: dict[Refused, int] = {}
        self._next_told: dict[Refused, float] = {}

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def note(self, what: Refused, error: BaseException | None = None) -> None:
        """Count, and tell no more than every few seconds: a flood must not become a flood of lines."""
        self._untold[what] = self._untold.get(what, 0) + 1
        now = self._loop.time()
        if now >= self._next_told.get(what, 0.0):
            self._next_told[what] = now + TELL_EVERY_S
            self._tell(what, self._untold.pop(what), error)


class _Connection(RequestHandler):
    """aiohttp's protocol with our limit, our answers, and an end for bodies whose framing broke."""

    __slots__ = ("_admitted", "_server")

    def __init__(self, server: _Server, *, loop: asyncio.AbstractEventLoop, **options: object) -> None:
        super().__init__(server, loop=loop, **options)  # type: ignore[arg-type]  # as in _Server
        self._server = server
        self._admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._server.open >= self._server.limit:
            self._force_close = True
            cast(asyncio.Transport, transport).abort()
            self._server.note(Refused.CONNECTION)
            return
        self._admitted = True
        self._server.open += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._admitted:
            self._server.open -= 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        current = self._current_request
        super().data_received(data)
        # Bytes that do not parse are queued as a request of their own. While a body is being read they were that body,
        # whose reader the parser forgets; it would wait until its time is up.
        if (
            current is not None
            and self._messages
            and isinstance(self._messages[-1][0], _ErrInfo)
            and not current.content.is_eof()
        ):
            current.content.set_exception(RequestPayloadError(Refused.REQUEST))
            self._lingering_time = 0.0

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what the client sent
    ) -> web.StreamResponse:
        """An answer to what did not parse, or for a handler that raised; the connection is closed after it."""
        if status == 400:
            status = _status_of(exc, line_limit=self._server.line_limit)
            self._server.note(Refused.REQUEST)
        else:
            self._server.note(Refused.HANDLER, exc)
        if request.writer.output_size > 0:
            # Something of an answer went out already; an error page must not follow it.
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionError("an answer was under way")
        return Answer(request, status=status, text="", keep_alive=False, write_timeout_s=self._server.write_timeout_s)


def _status_of(error: BaseException | None, *, line_limit: int) -> int:
    if isinstance(error, LineTooLong):
        return 414 if error.args[1] == line_limit else 431
    if error is not None and str(error.args[:1]).startswith("('Too many headers"):
        return 431
    return 400
