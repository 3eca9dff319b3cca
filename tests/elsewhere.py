"""Everywhere that is not this machine, as a browser sees it whose name resolution leads here: whoever calls is counted.

A connection counts when it was made, whether a request, a preload or a mere hint made it; the name that was called comes
from the TLS ClientHello (RFC 8446, section 4.1.2; RFC 6066, section 3), which no certificate is needed for, or from the Host
field. Nobody is answered, but for `fence_url`: an empty page on a port of its own, whose calls do not count.
"""

import asyncio
import io
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

_HANDSHAKE = 0x16
_SERVER_NAME = b"\0\0"

# Before the first field of variable length: record header, handshake header, version, random.
_FIXED_BYTES = 5 + 4 + 2 + 32


@dataclass(slots=True)
class Contact:
    """One connection. *host* is empty until the caller has said whom it wants."""

    host: str = ""


class Elsewhere:
    """`async with Elsewhere() as elsewhere` listens at 127.0.0.1, *port*; *contacts* holds all connections, in order.

    *fence_url* is a page of nothing: when a browser has got it, what it did before has arrived here, too.
    """

    def __init__(self) -> None:
        self.contacts: list[Contact] = []
        self._talking: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self._fence = await asyncio.start_server(_answer, "127.0.0.1", 0)
        self.port, fence_port = (
            cast(int, server.sockets[0].getsockname()[1]) for server in (self._server, self._fence)
        )
        self.fence_url = f"http://127.0.0.1:{fence_port}/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._fence.close()
        for task in list(self._talking):
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    @property
    def hosts(self) -> Counter[str]:
        """How many connections there were to each host."""
        return Counter(contact.host for contact in self.contacts)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._talking.add(task)
        self.contacts.append(contact := Contact())
        try:
            contact.host = await _called(reader)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # it never said
        finally:
            self._talking.discard(task)
            writer.close()


async def _called(reader: asyncio.StreamReader) -> str:
    begin = await reader.readexactly(5)
    if begin[0] == _HANDSHAKE:
        return server_name(begin + await reader.readexactly(int.from_bytes(begin[3:5])))
    head = begin + await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n")[1:])
    return fields.get(b"host", b"").strip().decode("latin-1").partition(":")[0]


def server_name(hello: bytes) -> str:
    """The host in a TLS record that holds a ClientHello; empty where it names none."""
    stream = io.BytesIO(hello)
    stream.seek(_FIXED_BYTES)
    for length_bytes in (1, 2, 1):  # session id, cipher suites, compression methods
        _variable(stream, length_bytes)
    extensions = io.BytesIO(_variable(stream, 2))
    while kind := extensions.read(2):
        data = _variable(extensions, 2)
        if kind == _SERVER_NAME:
            return data[5:].decode("ascii")  # after the list's length, the entry's type and its length
    return ""


def _variable(stream: io.BytesIO, length_bytes: int) -> bytes:
    return stream.read(int.from_bytes(stream.read(length_bytes)))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # a connection made in advance, and not needed
    finally:
        writer.close()
