"""Content-Encoding as streams: what an origin compressed is opened, what was rewritten is closed again.

    decoder(name, limits=...)   feed(bytes) -> pieces, ..., close()
    encoder(name, level=...)    feed(bytes) -> bytes, flush() -> bytes, ..., close() -> bytes

A decoder gives its output in pieces of bounded size, lazily: a few bytes of input may hold a thousand times as much, and
nobody should have to keep that. Codings are read as browsers read them:

    gzip, x-gzip   several members one after the other; what follows the last and is no member is ignored
    deflate        the zlib format that the standard asks for, or the bare stream that some servers send
    any            an empty body is an empty body, not a broken coding

What is broken or cut off raises `BrokenCoding`: the head is out by then, and the response can only be aborted.
A further coding is one entry of `_CODINGS` and nothing else.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from gateway.errors import GatewayError

IDENTITY: Final = "identity"

_GZIP_MAGIC = b"\x1f\x8b"

# zlib's `wbits`: the container around the same stream.
_GZIP, _ZLIB, _BARE = 31, 15, -15


class BrokenCoding(GatewayError):
    """The origin's body is not what its Content-Encoding says, is cut off, or is a decompression bomb. *reason*: a word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Bounds of what one body may unfold to; its length has none, streams never end.

    *piece_bytes* is the longest piece of output, and the steps in which the ratio is looked at. Beyond *ratio_after_bytes*
    of output, more than *ratio* bytes out of one byte in is a bomb. *members* counts the streams inside one gzip body.
    """

    piece_bytes: int
    ratio: int
    ratio_after_bytes: int
    members: int


# Pages compress 4 to 20 times, tables and inlined data rarely over 100; deflate itself ends at 1032. The first megabyte
# is free: it harms nobody. Servers that close a member at each flush send some hundred; each costs 40 KiB of set-up.
PAGE_LIMITS = DecoderLimits(piece_bytes=64 * 1024, ratio=200, ratio_after_bytes=1024 * 1024, members=1024)


class Decoder(Protocol):
    """Opens one body. Dead after an error."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The next piece of the body; answers what it holds, piece by piece, none empty.

        The iterator works when it is asked. What is not taken from it comes with the next call, so nothing is lost.
        """
        ...

    def close(self) -> Iterator[bytes]:
        """The end of the body; answers what was not yet taken, or raises BrokenCoding where the body is cut off."""
        ...


class Encoder(Protocol):
    """Closes one body up again. Dead after `close`."""

    def feed(self, data: bytes) -> bytes:
        """The next piece; answers what may go out, often nothing yet."""
        ...

    def flush(self) -> bytes:
        """All that was fed, so that the other side can read it now. Empty where nothing was fed since the last time."""
        ...

    def close(self) -> bytes:
        """The end of the body; answers the rest. Once."""
        ...


def canonical(name: str) -> str:
    """A content coding under the one name it has here: lower case, without the `x-` that RFC 9110, 8.4.1.3 allows."""
    lower = name.lower()
    return "gzip" if lower == "x-gzip" else lower


def decoder(name: str, *, limits: DecoderLimits) -> Decoder:
    """A decoder for the coding *name*, one of DECODABLE or `identity`; ValueError for any other."""
    return _coding(name).decoder(limits)


def encoder(name: str, *, level: int) -> Encoder:
    """An encoder for the coding *name*, one of DECODABLE or `identity`; *level* as zlib counts it, 1 fastest, 9 smallest."""
    return _coding(name).encoder(level)


class _IdentityDecoder:
    """Nothing to open; long input still leaves in bounded pieces, so that callers need not tell the codings apart."""

    def __init__(self, limits: DecoderLimits) -> None:
        self._piece_bytes = limits.piece_bytes
        self._input = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._input = self._input + data if self._input else data
        return self._take()

    def close(self) -> Iterator[bytes]:
        return self._take()

    def _take(self) -> Iterator[bytes]:
        while self._input:
            piece, self._input = self._input[: self._piece_bytes], self._input[self._piece_bytes :]
            yield piece


class _IdentityEncoder:
    def feed(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""

    def close(self) -> bytes:
        return b""


# What `_InflateDecoder` is told where no member begins: all that follows is ignored.
_GARBAGE: Final = 0


def _gzip_window(start: bytes, members: int) -> int | None:
    """What zlib calls `wbits`, for the member that begins with *start* after so many others; None to wait for more."""
    if members == 0 or start.startswith(_GZIP_MAGIC):
        return _GZIP
    return None if _GZIP_MAGIC.startswith(start) else _GARBAGE


def _deflate_window(start: bytes, members: int) -> int | None:
    """As above. A zlib header is known by its method, window and check sum; a bare stream does not begin like that."""
    if members:
        return _GARBAGE
    if len(start) < 2:
        return None
    method, flags = start[0], start[1]
    is_zlib = method & 0x0F == 8 and method >> 4 <= 7 and (method << 8 | flags) % 31 == 0
    return _ZLIB if is_zlib else _BARE


class _InflateDecoder:
    """gzip and deflate: members of zlib's one algorithm, told apart by *window*."""

    def __init__(self, limits: DecoderLimits, *, window: Callable[[bytes, int], int | None]) -> None:
        self._limits = limits
        self._window = window
        self._stream: zlib._Decompress | None = None
        self._members = 0
        self._input = b""
        self._bytes_in = 0
        self._bytes_out = 0
        self._over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._over:
            self._input = self._input + data if self._input else data
        return self._inflate()

    def close(self) -> Iterator[bytes]:
        yield from self._inflate()
        # A member stands open, or too little came to begin the first. A lone byte after a member is garbage.
        if self._stream is not None or (self._members == 0 and self._input):
            raise BrokenCoding("cut off")

    def _inflate(self) -> Iterator[bytes]:
        while self._stream is not None or self._begin_member():
            assert self._stream is not None
            stream = self._stream
            # Pieces end at multiples of their size in the whole output: the ratio is looked at in the same places
            # however the input was cut.
            room = self._limits.piece_bytes - self._bytes_out % self._limits.piece_bytes
            before = len(self._input)
            try:
                piece = stream.decompress(self._input, room)
            except zlib.error as error:
                raise BrokenCoding("damaged") from error
            self._input = stream.unused_data if stream.eof else stream.unconsumed_tail
            self._bytes_in += before - len(self._input)
            self._bytes_out += len(piece)
            if len(piece) == room:
                self._look_at_ratio()
            if stream.eof:
                self._stream = None
            if piece:
                yield piece
            if not stream.eof and len(piece) < room:
                return

    def _begin_member(self) -> bool:
        """A stream for the input at hand; false where more is needed first, or nothing more will be read."""
        if self._over or not self._input:
            return False
        window = self._window(self._input[:2], self._members)
        if window is None:
            return False
        if window == _GARBAGE:
            self._over, self._input = True, b""
            return False
        if self._members == self._limits.members:
            raise BrokenCoding("too many members")
        self._members += 1
        self._stream = zlib.decompressobj(window)
        return True

    def _look_at_ratio(self) -> None:
        out = self._bytes_out
        if out > self._limits.ratio_after_bytes and out > self._limits.ratio * self._bytes_in:
            raise BrokenCoding("bomb")


class _DeflateEncoder:
    """gzip and deflate, by *window*."""

    def __init__(self, level: int, *, window: int) -> None:
        self._stream = zlib.compressobj(level, zlib.DEFLATED, window)
        self._unflushed = False

    def feed(self, data: bytes) -> bytes:
        self._unflushed = self._unflushed or bool(data)
        return self._stream.compress(data)

    def flush(self) -> bytes:
        if not self._unflushed:
            return b""
        self._unflushed = False
        return self._stream.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> bytes:
        return self._stream.flush(zlib.Z_FINISH)


@dataclass(frozen=True, slots=True)
class _Coding:
    decoder: Callable[[DecoderLimits], Decoder]
    encoder: Callable[[int], Encoder]


_CODINGS: Final[Mapping[str, _Coding]] = MappingProxyType(
    {
        "gzip": _Coding(
            decoder=lambda limits: _InflateDecoder(limits, window=_gzip_window),
            encoder=lambda level: _DeflateEncoder(level, window=_GZIP),
        ),
        "deflate": _Coding(
            decoder=lambda limits: _InflateDecoder(limits, window=_deflate_window),
            encoder=lambda level: _DeflateEncoder(level, window=_ZLIB),
        ),
        IDENTITY: _Coding(decoder=_IdentityDecoder, encoder=lambda _: _IdentityEncoder()),
    }
)

# What an origin may be asked for, in the order of our preference, under canonical names; `identity` goes without saying.
DECODABLE: Final[tuple[str, ...]] = tuple(name for name in _CODINGS if name != IDENTITY)


def _coding(name: str) -> _Coding:
    try:
        return _CODINGS[canonical(name)]
    except KeyError:
        raise ValueError(f"no content coding {name[:80]!r}") from None
