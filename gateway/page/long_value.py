"""Attribute values longer than is buffered, on their way through what judges them, with no more held back than it holds.

A value is decoded (character encoding, character references) block by block, and its text goes through a filter. As long as the
filter changes nothing the raw bytes go out, so that an honest value keeps its spelling; from the first change on the value is spelt
anew. Blocks are counted from the begin of the value, so that the output does not depend on how the page came.
"""

import codecs
import html
import re
from collections import deque

from gateway.page.attributes import decode_references
from gateway.page.texts import HeldText

# A value is decoded in so many blocks a limit.
_BLOCKS = 16

# What would end a value without quotes, or make a browser complain of it, beside what html.escape knows.
_ENDS_BARE = re.compile(r"[\t\n\f\r =`]")


class References:
    """Decodes an attribute value that comes in pieces, into UTF-8."""

    # What may become a reference when more comes. No name is longer than this.
    _OPEN = re.compile(r"&(?:#(?:[xX][0-9a-fA-F]*|[0-9]*)|[a-zA-Z][a-zA-Z0-9]{0,39})?\Z")

    def __init__(self, codec: str) -> None:
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        self._tail = ""
        self._tail_bytes = 0

    def feed(self, raw: bytes, *, final: bool = False) -> bytes:
        """More of the value; answers the text that is certain."""
        tail = len(self._tail)
        text = self._tail + self._decoder.decode(raw, final)
        open_reference = None if final else self._OPEN.search(text, max(0, text.rfind("&")))
        begin = len(text) if open_reference is None else open_reference.start()
        # References are spelt in ASCII, a byte a character.
        before = self._tail_bytes if begin < tail else 0
        self._tail, self._tail_bytes = text[begin:], before + len(text) - max(begin, tail)
        return decode_references(text[:begin]).encode("utf-8", "replace")

    @property
    def held_bytes(self) -> int:
        """How many of the bytes that came are not in any text yet."""
        return self._tail_bytes + len(self._decoder.getstate()[0])


class LongValue:
    """One value, through *text_filter*, which takes and gives UTF-8. *bare*: it stands in its tag without quotes.

    A single character that is spelt in more than *limit_bytes* (a number with that many zeros) ends the value: `is_cut`.
    """

    def __init__(self, text_filter: HeldText, *, codec: str, limit_bytes: int, bare: bool) -> None:
        self.is_cut = False
        self._filter = text_filter
        self._codec = codec
        self._limit = limit_bytes
        self._bare = bare
        self._block_bytes = max(1, limit_bytes // _BLOCKS)
        self._references = References(codec)
        self._raw = bytearray()
        self._undecoded = b""
        self._held: deque[tuple[bytes, bytes]] = deque()  # blocks, raw and as text, that the filter has not given back
        self._filtered = bytearray()  # what it gave of them
        self._differs = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, raw: bytes) -> bytes:
        """More of the value; answers what may go out."""
        self._raw += raw
        out = []
        at = 0
        while len(self._raw) - at >= self._block_bytes and not self.is_cut:
            self._take(bytes(self._raw[at : at + self._block_bytes]), final=False)
            at += self._block_bytes
            if len(self._undecoded) > self._limit:
                self.is_cut = True
                self._filtered += self._filter.close()
            out.append(self._free(final=self.is_cut))
        del self._raw[: len(self._raw) if self.is_cut else at]
        return b"".join(out)

    def close(self) -> bytes:
        """The end of the value; answers the rest."""
        if self.is_cut:
            return b""
        self._take(bytes(self._raw), final=True)
        self._filtered += self._filter.close()
        return self._free(final=True)

    def _take(self, raw: bytes, *, final: bool) -> None:
        text = self._references.feed(raw, final=final)
        raw = self._undecoded + raw
        whole = len(raw) - (0 if final else self._references.held_bytes)
        self._undecoded = raw[whole:]
        if not self._differs:
            self._held.append((raw[:whole], text))
        self._filtered += self._filter.feed(text)

    def _free(self, *, final: bool) -> bytes:
        out = []
        while self._held and self._filtered.startswith(self._held[0][1]):
            raw, text = self._held.popleft()
            del self._filtered[: len(text)]
            out.append(raw)
        expected = self._held[0][1] if self._held else b""
        if final or not expected.startswith(bytes(self._filtered)):
            self._differs = True
            self._held.clear()
        if self._differs:
            anew = self._decoder.decode(bytes(self._filtered), final)
            self._filtered.clear()
            out.append(escaped(anew, self._codec, bare=self._bare))
        return b"".join(out)


def escaped(text: str, codec: str, *, bare: bool) -> bytes:
    """*text* as it may stand in an attribute value of either quoting, or of none."""
    text = html.escape(text)
    if bare:
        text = _ENDS_BARE.sub(lambda found: f"&#{ord(found[0])};", text)
    return text.encode(codec, "xmlcharrefreplace")
