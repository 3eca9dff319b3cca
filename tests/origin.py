r"""A raw origin and a raw client: exact bytes out, exact bytes recorded, misbehaviour on demand.

An origin is a script that is run for each connection:

    async def cut(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        talk.reset()

    async with Origin(cut) as origin: ...

Everything waits on events or on the socket, within `PATIENCE_S`.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast

# A test that waits longer has found a hang.
PATIENCE_S = 5.0


class Talk:
    """One connection, seen from the origin. *number* counts the connections from 0."""

    def __init__(
        self, origin: "Origin", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self._origin = origin
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """The next request, head and body as they stood on the wire; recorded. IncompleteReadError where none comes."""
        raw = await self.head()
        lower = raw.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            raw += await self.chunked()
        elif b"\r\ncontent-length: " in lower:
            length = int(lower.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
            raw += await self._reader.readexactly(length)
        self._origin.record(raw)
        return raw

    async def head(self) -> bytes:
        """The next request's head, not recorded."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def chunked(self) -> bytes:
        """A chunked body, with its framing."""
        raw = b""
        while True:
            line = await self._reader.readuntil(b"\r\n")
            size = int(line, 16)
            raw += line + await self._reader.readexactly(size + 2)
            if size == 0:
                return raw

    async def some(self) -> bytes:
        """Whatever comes next; empty at the end."""
        return await self._reader.read(65536)

    async def send(self, data: bytes) -> None:
        """Send *data*, and wait until most of it was taken."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the gateway has closed its side, or reset it."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass

    def close(self) -> None:
        """Close in good order."""
        self._writer.close()

    def reset(self) -> None:
        """Close with RST."""
        _reset(self._writer)


Script = Callable[[Talk], Awaitable[None]]


class Origin:
    """A server on a free port that plays *script* on each connection."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._arrived = asyncio.Condition()
        self._playing: set[asyncio.Task[None]] = set()
        self.requests: list[bytes] = []
        self.connections = 0
        self.failures: list[BaseException] = []

    def record(self, raw: bytes) -> None:
        """Keep a request for the test to look at."""
        self.requests.append(raw)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._play, "127.0.0.1", 0, limit=2**22)
        self.port = cast(int, self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._playing):
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        if error is None and self.failures:
            raise self.failures[0]

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._playing.add(task)
        talk = Talk(self, self.connections, reader, writer)
        self.connections += 1
        try:
            await self._script(talk)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the gateway closed, or the test is over
        except BaseException as failure:  # noqa: BLE001 - told to the test
            self.failures.append(failure)
        finally:
            self._playing.discard(task)
            writer.close()


def replying(*replies: bytes) -> Script:
    """A script that answers requests with *replies* in turn, over all connections; the last one again and again."""
    waiting = list(replies)

    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            await talk.send(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    return script


@dataclass(frozen=True)
class Reply:
    """A response as the client saw it. *body* without chunked framing; *raw* the head's bytes."""

    raw: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.raw.split(b" ", 2)[1])

    def values(self, name: bytes) -> list[bytes]:
        """Values of a field, in order; *name* in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Client:
    """A raw connection to the gateway."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self._port = port
        self._receive_buffer = receive_buffer

    async def __aenter__(self) -> Self:
        sock = socket.socket()
        sock.setblocking(False)
        if self._receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        # A small limit for a slow client: its own library must not read ahead.
        limit = 1024 if self._receive_buffer else 2**22
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=limit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        """Send *data*."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST."""
        _reset(self.writer)

    async def ask(self, raw: bytes, *, method: bytes = b"") -> Reply:
        """Send a request and read its response."""
        await self.send(raw)
        return await self.reply(method=method or raw.split(b" ", 1)[0])

    async def head(self) -> bytes:
        """The head of the next response."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def reply(self, *, method: bytes = b"GET") -> Reply:
        """The next response; IncompleteReadError or ConnectionError where it was cut off."""
        raw = await self.head()
        headers = tuple(
            (name, value) for line in raw.split(b"\r\n")[1:-2] for name, _, value in [line.partition(b": ")]
        )
        reply = Reply(raw=raw, body=b"", headers=headers)
        async with asyncio.timeout(PATIENCE_S):
            return Reply(raw=raw, body=await self._body(reply, method), headers=headers)

    async def _body(self, reply: Reply, method: bytes) -> bytes:
        if method == b"HEAD" or reply.status in {204, 304} or reply.status < 200:
            return b""
        if reply.values(b"transfer-encoding") == [b"chunked"]:
            pieces = b""
            while piece := await self.chunk():
                pieces += piece
            return pieces
        lengths = reply.values(b"content-length")
        if lengths:
            return await self.reader.readexactly(int(lengths[0]))
        return await self.reader.read()

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty for the last."""
        async with asyncio.timeout(PATIENCE_S):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def is_cut(self) -> bool:
        """Read a body of which the head was read; true where it has no clean end."""
        try:
            while await self.chunk():
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return True
        return False

    async def rest(self) -> bytes:
        """Everything until the gateway closes; ConnectionResetError where it resets."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def closed(self) -> bool:
        """Wait until the gateway has closed, in good order or not; true where nothing came before that."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = cast(socket.socket, writer.get_extra_info("socket"))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
