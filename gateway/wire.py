"""The way out to the client: a head of our own bytes, one framing, and no wait without a limit.

aiohttp's own writer cannot be used for what an origin said: it deletes header bytes that are not UTF-8, adds
`Content-Type`, `Server` and `Date`, and leaves an HTTP/1.0 client with keep-alive waiting for an end that never comes.
How a body ends is decided in `frame`, here and nowhere else:

    HEAD, 204, 304            no body; Content-Length stays where it informs (not on 204)
    length known              Content-Length, and exactly as many bytes or a cut connection
    length unknown, HTTP/1.1  chunked
    length unknown, HTTP/1.0  the end of the connection

A response that cannot be completed is never ended cleanly: the connection is reset, so that nobody takes half a page for
a whole one, or stores it.
"""

import http
from dataclasses import dataclass

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from gateway.drain import drained
from gateway.head.model import RawHeaders

_FRAMING_FIELDS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding"})

# What asyncio sets by itself; put back after a wait for an empty buffer.
_HIGH_WATER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Framing:
    """How one response ends. *headers* are the response's, with the framing fields in place.

    *length* is None where the body is chunked or ends with the connection.
    """

    headers: RawHeaders
    length: int | None
    chunked: bool
    keep_alive: bool


def frame(
    headers: RawHeaders, *, status: int, version: tuple[int, int], keep_alive: bool, has_body: bool, length_known: bool
) -> Framing:
    """The framing of a response (RFC 9112 section 6.3). *length_known*: a Content-Length in *headers* is the body's.

    ValueError where that Content-Length is no number.
    """
    kept: list[tuple[bytes, bytes]] = []
    length: int | None = None
    for name, value in headers:
        lower = name.lower()
        if lower in _FRAMING_FIELDS:
            continue
        if lower == b"content-length":
            # RFC 9110 section 8.6: none on a 204; and one that is not the body's would desynchronise the connection.
            if status == http.HTTPStatus.NO_CONTENT or not length_known or length is not None:
                continue
            length = int(value)
        kept.append((name, value))
    chunked = False
    if not has_body:
        length = 0
    elif length is None:
        chunked = version >= (1, 1)
        keep_alive = keep_alive and chunked
        if chunked:
            kept.append((b"Transfer-Encoding", b"chunked"))
    if not keep_alive:
        kept.append((b"Connection", b"close"))
    elif version < (1, 1):
        kept.append((b"Connection", b"keep-alive"))
    return Framing(headers=tuple(kept), length=length, chunked=chunked, keep_alive=keep_alive)


def head_bytes(status: int, reason: bytes, headers: RawHeaders) -> bytes:
    """Status line and header block as they go out; ValueError where a line break hides in them."""
    block = b"".join([b"HTTP/1.1 %d %b\r\n" % (status, reason), *[b"%b: %b\r\n" % field for field in headers], b"\r\n"])
    # The last look before the wire: whatever went wrong above, a response is never split in two.
    if block.count(b"\n") != len(headers) + 2 or block.count(b"\r") != len(headers) + 2:
        raise ValueError("line break in a response head")
    return block


class RawResponse(web.StreamResponse):
    """A response whose head is our own bytes, sent with the first piece of the body.

    `send` any number of times, then `finish`, or `abort`. ConnectionError: the client is gone. TimeoutError: it took
    nothing for *write_timeout_s*; the caller aborts. ValueError from the constructor: a head that may not go out.
    *keep_alive* false closes the connection afterwards whatever the client asked.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        *,
        status: int,
        reason: bytes,
        headers: RawHeaders,
        has_body: bool,
        length_known: bool,
        write_timeout_s: float,
        keep_alive: bool = True,
    ) -> None:
        super().__init__(status=status)
        framing = frame(
            headers,
            status=status,
            version=request.version,
            # After an upgrade that was not taken the client may already speak the other protocol (RFC 9931).
            keep_alive=keep_alive and request.keep_alive and "Upgrade" not in request.headers,
            has_body=has_body,
            length_known=length_known,
        )
        self._head = head_bytes(status, reason, framing.headers)
        self._left = framing.length
        self._is_chunked = framing.chunked
        self._keep_alive = framing.keep_alive
        self._write_timeout_s = write_timeout_s
        self._peer = request
        self._finished = False
        self.started = False
        self.bytes_out = 0

    async def send(self, data: bytes) -> None:
        """Send the next piece of the body, the head before the first; returns when the client's connection takes more.

        An empty piece sends the head alone. ValueError for more bytes than the head promised.
        """
        self._count(data)
        await self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked and data else data)

    async def finish(self, data: bytes = b"") -> None:
        """End the response with *data*, and wait until the client's connection took all of it. As `send` otherwise."""
        self._count(data)
        if self._left:
            raise ValueError("body shorter than its Content-Length")
        if self._is_chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        await self._write(data)
        self._finished = True
        transport = self._peer.transport
        if transport is not None and transport.get_write_buffer_size():
            # Otherwise a client that stopped reading would keep the rest in memory with no limit on time.
            transport.set_write_buffer_limits(high=0)
            await drained(transport, self._peer.writer.drain, timeout_s=self._write_timeout_s)
            transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)

    def abort(self) -> None:
        """Reset the connection: the client must see that this is not the whole."""
        self._finished = True
        self._keep_alive = False
        transport = self._peer.transport
        if transport is not None:
            transport.abort()

    def _count(self, data: bytes) -> None:
        if self._left is not None:
            if len(data) > self._left:
                raise ValueError("body longer than its Content-Length")
            self._left -= len(data)
        self.bytes_out += len(data)

    async def _write(self, data: bytes) -> None:
        if not self.started:
            self.started = True
            data = self._head + data
        if not data:
            return
        transport = self._peer.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("client connection closed")
        writer = self._peer.writer
        transport.write(data)
        # aiohttp looks here before it would answer an error of its own.
        writer.output_size += len(data)
        if self._peer.protocol.writing_paused:
            await drained(transport, writer.drain, timeout_s=self._write_timeout_s)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002, D102 - aiohttp's
        return None

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `send`; aiohttp's name for it."""
        await self.send(bytes(data))

    async def write_eof(self, data: bytes = b"") -> None:
        """Finish, unless the handler has; called by aiohttp after every handler."""
        if self._finished:
            return
        await self.finish(data)


class Answer(RawResponse):
    """A whole small response of the gateway's own; goes out when the handler returns it, or by `write_eof`.

    No banner, nothing reflected, never stored, never sniffed. *headers* come on top of those.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        *,
        status: int,
        write_timeout_s: float,
        text: str = "",
        headers: RawHeaders = (),
        keep_alive: bool = True,
    ) -> None:
        body = text.encode()
        has_body = request.method != "HEAD" and status not in {204, 304}
        own = [(b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff")]
        if body:
            own.append((b"Content-Type", b"text/plain; charset=utf-8"))
        super().__init__(
            request,
            status=status,
            reason=_phrase(status),
            headers=(*own, (b"Content-Length", b"%d" % len(body)), *headers),
            has_body=has_body,
            length_known=True,
            write_timeout_s=write_timeout_s,
            keep_alive=keep_alive,
        )
        self._rest = body if has_body else b""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all of it at once."""
        rest, self._rest = self._rest, b""
        await super().write_eof(data or rest)


def _phrase(status: int) -> bytes:
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


def send_continue(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to send its body (RFC 9110 section 10.1.1)."""
    transport = request.transport
    if transport is not None and not transport.is_closing():
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
