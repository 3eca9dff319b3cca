"""Connections to the origin: one request out, one response in, each wait with a limit.

aiohttp connects, pools, speaks TLS, races address families and parses. Its ClientSession is left out: it rewrites heads
(letter case of repeats, bytes that are not UTF-8, an empty query), retries on its own policy, and costs most of the time
of a request. What stands between is its `ResponseHandler`, of which the public names are few, so everything that leans on
its inside is in this file, after `ClientResponse.start` of aiohttp 3.14; pyproject.toml pins the minor release.

What the origin does, and what becomes of it (before the head is passed on; afterwards the reason goes with a cut
connection):

    no address, refused, no route, TLS not as it must be    502, at once
    no connection, no head, nothing taken in time           504
    all connections in use for as long as a connect may take  503
    closed without an answer                                a fresh connection, once, if the connection was a kept one and
                                                            asking twice is harmless (RFC 9110 section 9.2.2); else 502
    malformed, oversized, unasked 101                       502, and the connection is not used again
    more than INTERIM_LIMIT responses of 1xx                502
"""

import asyncio
import errno
import functools
import weakref
from collections.abc import AsyncIterator
from enum import StrEnum
from types import TracebackType
from typing import Self

from aiohttp import ClientTimeout, TCPConnector
from aiohttp.client_exceptions import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientOSError,
    ClientSSLError,
    ServerDisconnectedError,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.helpers import _EXC_SENTINEL
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader
from yarl import URL

from gateway.drain import drained
from gateway.errors import OriginFault
from gateway.head.model import RawHeaders, ResponseHead, UpstreamRequest
from gateway.settings import OriginSettings

# Buffered of one response: twice this before the origin is paused, and what one read of a socket adds (256 KiB at most).
# 16 KiB is slower, more than 64 KiB is not faster.
READ_BUFFER_BYTES = 64 * 1024

# Policies and cookies of real sites pass 8 KiB a field; nobody's pass these.
FIELD_LIMIT_BYTES = 64 * 1024
FIELDS_LIMIT = 256

# 100, 102 and 103 before the answer. An origin that sends more of them is stuck.
INTERIM_LIMIT = 16

# Idempotent by RFC 9110 section 9.2.2.
_HARMLESS_TWICE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

_HEAD_END = b"\r\n\r\n"


class Reason(StrEnum):
    """Why there is no response, or not all of it. Closed: text from the origin never gets into an answer or a log."""

    DNS = "dns"
    REFUSED = "connection-refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    BUSY = "no-free-connection"
    CONNECT_TIMEOUT = "connect-timeout"
    SEND_TIMEOUT = "send-timeout"
    FIRST_BYTE_TIMEOUT = "first-byte-timeout"
    IDLE_TIMEOUT = "idle-timeout"
    CLOSED_EARLY = "closed-early"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    HEAD_TOO_LARGE = "head-too-large"
    UNASKED_UPGRADE = "unasked-upgrade"
    TOO_MANY_INTERIM = "too-many-interim"


class _NoAnswerError(Exception):
    """The connection ended before a byte of an answer."""


class _Handler(ResponseHandler):
    """aiohttp's protocol, mended in two places."""

    def data_received(self, data: bytes) -> None:
        """Feed heads apart from what follows them.

        The parser loses a good response when bytes that do not parse stand behind it in one piece: more than
        Content-Length said, or a body where none may be (204, 304, HEAD). Apart, the response counts, and the connection
        is closed for the rest.
        """
        while data and (self._payload is None or self._payload.is_eof()):
            end = data.find(_HEAD_END) + len(_HEAD_END)
            if end < len(_HEAD_END) or end == len(data):
                break
            super().data_received(data[:end])
            data = data[end:]
        super().data_received(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _EXC_SENTINEL) -> None:
        """Tell the reader of the body too: of a body that does not parse it would not hear otherwise, and wait."""
        super().set_exception(exc, exc_cause)
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(exc, exc_cause)


class UpstreamResponse:
    """A response of the origin; use it with `async with`, which ends the exchange whatever happened.

    The connection goes back to the pool as soon as the body was read to its end, and is reset in every other case.
    """

    def __init__(
        self,
        connection: Connection,
        head: ResponseHead,
        payload: StreamReader,
        *,
        delimited_by_close: bool,
        pool: bool,
        upload: "_Upload | None",
    ) -> None:
        self.head = head
        self._connection = connection
        self._payload = payload
        self._delimited_by_close = delimited_by_close
        self._pool = pool
        self._upload = upload

    @property
    def ready(self) -> bool:
        """The next `read` answers at once."""
        return self._payload.is_eof() or self._payload.total_bytes > 0

    @property
    def at_end(self) -> bool:
        """The body has been read to its end; the next `read` answers nothing, and gives the connection back."""
        return self._payload.at_eof()

    async def read(self) -> bytes:
        """The next piece of the body as it came, a few read buffers at most; empty at the end.

        OriginFault: it broke off, or fell silent. ClientFault: the request's own body did.
        """
        try:
            data = await self._payload.readany()
        except TimeoutError as error:
            raise self._fault(504, Reason.IDLE_TIMEOUT) from error
        except (ClientError, HttpProcessingError, OSError, RuntimeError) as error:
            # RuntimeError is StreamReader's word for a connection that is closed already.
            raise self._fault(502, Reason.TRUNCATED) from error
        if data:
            return data
        if self._upload is not None and self._upload.fault is not None:
            raise self._fault(502, Reason.TRUNCATED)
        protocol = self._connection.protocol
        if self._delimited_by_close and protocol is not None and isinstance(protocol.exception(), OSError):
            # The parser takes every end of the connection for the end of such a body; a reset is none.
            raise self._fault(502, Reason.TRUNCATED)
        if self._pool and (self._upload is None or self._upload.complete):
            self._connection.release()
        else:
            _reset(self._connection)
        return b""

    def _fault(self, status: int, reason: Reason) -> Exception:
        _reset(self._connection)
        if self._upload is not None and self._upload.fault is not None:
            # It was our reset that ended the body, because of what the client did.
            return self._upload.fault
        return OriginFault(status, reason)

    async def close(self) -> None:
        """End the exchange now; what was not read is not wanted."""
        if self._upload is not None:
            await self._upload.stop()
        _reset(self._connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Upload:
    """A request body on its way to the origin, while the response may already be coming back.

    Owns its task: whoever holds it calls `stop`. *complete*: all of it was handed to the connection. *fault*: what broke
    it off on the client's side, or the origin's silence; the connection is reset then, which wakes whoever reads from it.
    """

    def __init__(
        self, connection: Connection, request: UpstreamRequest, body: AsyncIterator[bytes], *, timeout_s: float
    ) -> None:
        self.complete = False
        self.fault: Exception | None = None
        self._chunked = request.chunked
        self._timeout_s = timeout_s
        self.task = asyncio.create_task(self._run(connection, body))

    async def _run(self, connection: Connection, body: AsyncIterator[bytes]) -> None:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            return
        writer = StreamWriter(protocol, asyncio.get_running_loop())
        try:
            async for data in body:
                if transport.is_closing():
                    return
                if data:
                    transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
                if protocol.writing_paused:
                    await drained(transport, writer.drain, timeout_s=self._timeout_s)
            if self._chunked and not transport.is_closing():
                transport.write(b"0\r\n\r\n")
            self.complete = True
        except ConnectionError:
            # The origin takes no more. It may have answered before it closed (413, 401): the answer decides.
            return
        except TimeoutError:
            self._break(connection, OriginFault(504, Reason.SEND_TIMEOUT))
        except Exception as error:  # noqa: BLE001 - whatever ended the body is told where the response is awaited
            self._break(connection, error)

    def _break(self, connection: Connection, fault: Exception) -> None:
        self.fault = fault
        if connection.transport is not None:
            connection.transport.abort()

    async def stop(self) -> None:
        """Stop sending, and wait until that is so."""
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait((self.task,))


class Upstream:
    """The one origin. `start` before the first request, `close` after the last."""

    def __init__(self, settings: OriginSettings) -> None:
        self._settings = settings
        self._timeout = ClientTimeout(
            total=None, connect=settings.connect_timeout_s, sock_connect=settings.connect_timeout_s
        )
        # Protocols that carried a request before: only those may be stale. Weak, because the pool owns them.
        self._kept: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()

    async def start(self) -> None:
        """Make the pool; needs the running loop."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        # Our own semaphore counts, so that waiting for a connection and waiting for the origin are told apart.
        self._slots = asyncio.Semaphore(settings.connections)
        self._connector = TCPConnector(limit=0, keepalive_timeout=settings.keepalive_s, ttl_dns_cache=10)
        # No public way to have a protocol of one's own.
        self._connector._factory = functools.partial(_Handler, loop=loop)  # type: ignore[assignment]  # noqa: SLF001
        url = URL(settings.url)
        # Only keys of the pool: nothing of these requests is ever sent. The second differs in a field that changes nothing
        # (the name that TLS asks for, spelled out) and so never finds a kept connection.
        self._key = ClientRequest("GET", url, loop=loop, ssl=settings.verify_tls)
        self._fresh_key = ClientRequest("GET", url, loop=loop, ssl=settings.verify_tls, server_hostname=url.raw_host)

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()

    async def open(self, request: UpstreamRequest, body: AsyncIterator[bytes] | None = None) -> UpstreamResponse:
        """Send *request* and wait for the head of its answer; *body* is sent alongside.

        OriginFault: there is no answer that can be passed on. ClientFault: *body* raised it.
        """
        connection = await self._connect(self._key)
        was_kept = connection.protocol in self._kept
        try:
            return await self._ask(connection, request, body, pool=True)
        except _NoAnswerError:
            if body is not None or not was_kept or request.method not in _HARMLESS_TWICE:
                raise OriginFault(502, Reason.CLOSED_EARLY) from None
        # Neither from the pool, where the next one may be as stale, nor into it.
        connection = await self._connect(self._fresh_key)
        try:
            return await self._ask(connection, request, None, pool=False)
        except _NoAnswerError:
            raise OriginFault(502, Reason.CLOSED_EARLY) from None

    async def _connect(self, key: ClientRequest) -> Connection:
        await self._take_slot()
        try:
            connection = await self._connector.connect(key, [], self._timeout)
            # A kept connection on which something came unasked: it would be read as the answer to this request.
            while (protocol := connection.protocol) in self._kept and protocol is not None and protocol.should_close:
                connection.close()
                connection = await self._connector.connect(key, [], self._timeout)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, (ClientError, TimeoutError, OSError)):
                raise _connect_fault(error) from error
            raise
        connection.add_callback(self._slots.release)
        return connection

    async def _take_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise OriginFault(503, Reason.BUSY) from None

    async def _ask(
        self, connection: Connection, request: UpstreamRequest, body: AsyncIterator[bytes] | None, *, pool: bool
    ) -> UpstreamResponse:
        upload: _Upload | None = None
        try:
            protocol, transport = _ends(connection)
            protocol.set_response_params(
                skip_payload=request.method == "HEAD",
                read_until_eof=True,
                auto_decompress=False,
                # Armed below: until the head is here, the limit on the whole wait counts.
                read_timeout=None,
                read_bufsize=READ_BUFFER_BYTES,
                max_line_size=FIELD_LIMIT_BYTES,
                max_field_size=FIELD_LIMIT_BYTES,
                max_headers=FIELDS_LIMIT,
            )
            transport.write(_request_bytes(request))
            if body is None:
                message, payload = await self._read_head(protocol)
            else:
                upload = _Upload(connection, request, body, timeout_s=self._settings.idle_timeout_s)
                message, payload = await self._read_head_beside(upload, protocol)
            response = self._response(connection, message, payload, upload=upload, pool=pool)
        except BaseException:
            if upload is not None:
                await upload.stop()
            _reset(connection)
            raise
        if pool:
            self._kept.add(protocol)
        return response

    async def _read_head_beside(
        self, upload: _Upload, protocol: ResponseHandler
    ) -> tuple[RawResponseMessage, StreamReader]:
        """The head, which may come before the body was sent; the limit on its coming starts when all was sent."""
        reading = asyncio.create_task(_next_head(protocol))
        try:
            await asyncio.wait((upload.task, reading), return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(self._settings.first_byte_timeout_s):
                return await reading
        except TimeoutError:
            raise OriginFault(504, Reason.FIRST_BYTE_TIMEOUT) from None
        except (OriginFault, _NoAnswerError):
            if upload.fault is not None:
                raise upload.fault from None
            raise
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait((reading,))

    async def _read_head(self, protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
        try:
            async with asyncio.timeout(self._settings.first_byte_timeout_s):
                return await _next_head(protocol)
        except TimeoutError:
            raise OriginFault(504, Reason.FIRST_BYTE_TIMEOUT) from None

    def _response(
        self,
        connection: Connection,
        message: RawResponseMessage,
        payload: StreamReader,
        *,
        upload: _Upload | None,
        pool: bool,
    ) -> UpstreamResponse:
        headers: RawHeaders = tuple(message.raw_headers)
        reason = message.reason.encode("utf-8", "surrogateescape")
        # Whether the framing may be passed on at all is `head.to_client`'s to say.
        is_delimited = any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in headers)
        if upload is None or upload.task.done():
            self._limit_silence(connection, payload)
        else:
            upload.task.add_done_callback(lambda _: self._limit_silence(connection, payload))
        return UpstreamResponse(
            connection,
            ResponseHead(status=message.code, reason=reason, version=message.version[:2], headers=headers),
            payload,
            delimited_by_close=not is_delimited,
            pool=pool,
            upload=upload,
        )

    def _limit_silence(self, connection: Connection, payload: StreamReader) -> None:
        """From now on a silent origin is a fault; `ResponseHandler` stops the clock while we are the ones who wait."""
        protocol = connection.protocol
        if protocol is None or payload.is_eof():
            return
        protocol.read_timeout = self._settings.idle_timeout_s
        if not protocol._reading_paused:  # noqa: SLF001 - has no public name, see above
            protocol.start_timeout()


async def _next_head(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """The next head that is not interim."""
    try:
        for _ in range(INTERIM_LIMIT + 1):
            message, payload = await protocol.read()
            if message.code == 101:
                raise OriginFault(502, Reason.UNASKED_UPGRADE)
            if not 100 <= message.code <= 199:
                return message, payload
    except ServerDisconnectedError as error:
        if isinstance(error.message, str):  # otherwise it is a head that broke off
            raise _NoAnswerError from error
        raise OriginFault(502, Reason.MALFORMED) from error
    except ClientOSError as error:
        raise _NoAnswerError from error
    except HttpProcessingError as error:
        raise OriginFault(502, _parse_reason(error)) from error
    except ClientError as error:
        raise OriginFault(502, Reason.CLOSED_EARLY) from error
    raise OriginFault(502, Reason.TOO_MANY_INTERIM)


def _parse_reason(error: HttpProcessingError) -> Reason:
    # The protocol keeps the parser's text and drops its type.
    if error.message.startswith(("Got more than", "Too many headers")):
        return Reason.HEAD_TOO_LARGE
    return Reason.MALFORMED


def _connect_fault(error: Exception) -> OriginFault:
    match error:
        case ClientConnectorDNSError():
            return OriginFault(502, Reason.DNS)
        case ClientSSLError() | ClientConnectorSSLError():
            return OriginFault(502, Reason.TLS)
        case ClientConnectorError(errno=errno.ECONNREFUSED):
            return OriginFault(502, Reason.REFUSED)
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return OriginFault(503, Reason.BUSY)
        case TimeoutError():
            return OriginFault(504, Reason.CONNECT_TIMEOUT)
        case _:
            return OriginFault(502, Reason.UNREACHABLE)


def _request_bytes(request: UpstreamRequest) -> bytes:
    """Request line, fields and framing as they go out; ValueError where a line break hides in them."""
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.target)]
    lines += [b"%b: %b\r\n" % field for field in request.headers]
    if request.chunked:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif request.body_length is not None:
        lines.append(b"Content-Length: %d\r\n" % request.body_length)
    head = b"".join([*lines, b"\r\n"])
    # The last look before the wire: one request never becomes two.
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        raise ValueError("line break in a request head")
    return head


def _ends(connection: Connection) -> tuple[ResponseHandler, asyncio.Transport]:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise _NoAnswerError
    return protocol, transport


def _reset(connection: Connection) -> None:
    """Close at once, without waiting for the origin to take what is still in the buffer. Harmless on a closed one."""
    if connection.protocol is not None:
        connection.protocol.abort()
    connection.close()
