"""A start tag that comes in pieces, cut into its attributes; those longer than the limit come in pieces themselves.

Each byte is looked at once, and no more than the limit is held. Joining the raw bytes of all parts gives the tag.

Source: HTML Standard, 13.2.5.8 (tag name state), 13.2.5.32 to 13.2.5.40 (attribute states).
"""

import re
from collections.abc import Callable, Container, Iterator
from enum import Enum, auto
from typing import NamedTuple

from gateway.page.attributes import ATTRIBUTE

_TAG_NAME = re.compile(rb"<[^\t\n\f\r />]*+")
_REST_OF_TAG_NAME = re.compile(rb"[^\t\n\f\r />]*+")
_BETWEEN = re.compile(rb"[\t\n\f\r /]*+")
_NAME = re.compile(rb"[^\t\n\f\r />=]*+")
_SPACE = re.compile(rb"[\t\n\f\r ]*+")
_BARE = re.compile(rb"[^\t\n\f\r >]*+")

# An attribute (1) and its name (2) that end here for certain: behind space (3) something follows that gives it no value.
_WHOLE = re.compile(
    rb"[\t\n\f\r /]*+((?=([^\t\n\f\r />][^\t\n\f\r />=]*+))" + ATTRIBUTE + rb")(?=([\t\n\f\r ]*+)[^\t\n\f\r ])"
)
_BEGIN = re.compile(
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:(?P<quote>[\"'])|(?P<bare>(?=[^\t\n\f\r >\"']))))?"
)


class Part(Enum):
    """What some bytes of a tag are."""

    BETWEEN = auto()  # the tag's name, space, "/", and attributes that were to pass
    WHOLE = auto()  # an attribute within the limit
    BEGIN = auto()  # the first bytes, as many as the limit, of a longer attribute
    MORE = auto()  # of that attribute
    END = auto()  # of that attribute: the quote that ends its value, if any
    CLOSE = auto()  # the end of the tag, ">" or "/>"


class Begin(NamedTuple):
    """The first bytes of an attribute, taken apart. *value_at* is None where the value is still to come.

    *name* is lower case, and empty where there is nothing but name yet; *quote* is empty where the value has none.
    """

    name: bytes
    value_at: int | None
    quote: bytes


def read_begin(raw: bytes) -> Begin:
    """Take the first bytes of an attribute apart."""
    found = _BEGIN.match(raw)
    assert found is not None  # an attribute begins with a byte of its name
    name = b"" if found.end(1) == len(raw) else found[1].lower()
    if found["quote"] is None and found["bare"] is None:
        return Begin(name, None, b"")
    return Begin(name, found.end(), found["quote"] or b"")


def whole_attributes(head: bytes) -> Iterator[bytes]:
    """The raw attributes that are whole in the first bytes of a tag."""
    name = _TAG_NAME.match(head)
    at = name.end() if name is not None else 0
    while found := _WHOLE.match(head, at):
        yield found[1]
        at = found.end()


class TagStream:
    """Feed it a start tag from its "<" on; each call answers the parts that are certain, and must be exhausted.

    *name_bytes* is the length of the name as far as it is known to go; attributes whose lower-case names are in *passing* are not
    told.
    """

    def __init__(self, *, name_bytes: int, limit_bytes: int, passing: Container[bytes]) -> None:
        self.is_over = False
        self._limit = limit_bytes
        self._passing = passing
        self._buffer = bytearray()
        self._at = 1 + name_bytes
        self._is_long = False  # the begin of the attribute in hand was told
        self._name_end = 0
        self._quote = b""  # that ends the value in hand
        self._step: Callable[[], Iterator[tuple[Part, bytes]]] = self._tag_name

    def feed(self, data: bytes) -> Iterator[tuple[Part, bytes]]:
        """More of the tag."""
        self._buffer += data
        while self._at < len(self._buffer) and not self.is_over:
            yield from self._step()
        if self._step not in (self._tag_name, self._between):
            if self._at > self._limit and not self._is_long:
                yield self._begin()
            if self._at and self._is_long:
                yield Part.MORE, self._take(self._at)

    @property
    def rest(self) -> bytes:
        """What was not told yet: an attribute that is not whole, or a "/"."""
        return bytes(self._buffer)

    @property
    def missing(self) -> bytes:
        """What ends the value of the attribute in hand, were the tag to end here."""
        return b'""' if self._step == self._before_value else self._quote

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._at -= count
        return taken

    def _skip(self, pattern: re.Pattern[bytes]) -> bool:
        """Go to the end of *pattern*; answers whether there is something behind it."""
        found = pattern.match(self._buffer, self._at)
        assert found is not None  # all of them may be empty
        self._at = found.end()
        return self._at < len(self._buffer)

    def _begin(self) -> tuple[Part, bytes]:
        self._is_long = True
        return Part.BEGIN, self._take(self._limit)

    # Each step goes as far as the state does, and answers what became certain.

    def _tag_name(self) -> Iterator[tuple[Part, bytes]]:
        if self._skip(_REST_OF_TAG_NAME):
            self._step = self._between
        yield Part.BETWEEN, self._take(self._at)

    def _between(self) -> Iterator[tuple[Part, bytes]]:
        self._at = 0
        while found := _WHOLE.match(self._buffer, self._at):
            if bytes(found[2]).lower() in self._passing:
                self._at = found.end()
            elif found.end(3) - found.start(1) <= self._limit:
                start, end = found.span(1)
                if start:
                    yield Part.BETWEEN, self._take(start)
                yield Part.WHOLE, self._take(end - start)
                self._at = 0
            else:
                break
        begin = self._at
        is_more = self._skip(_BETWEEN)
        # A "/" may belong to the end.
        held = int(self._at > begin and self._buffer[self._at - 1] == ord("/"))
        if is_more and self._buffer[self._at] != ord(">"):
            held = 0
        if self._at > held:
            yield Part.BETWEEN, self._take(self._at - held)
        if is_more and self._buffer[held] == ord(">"):
            self.is_over = True
            yield Part.CLOSE, self._take(held + 1)
        elif is_more:
            self._at = 1
            self._step = self._name

    def _name(self) -> Iterator[tuple[Part, bytes]]:
        if self._skip(_NAME):
            self._step = self._after_name
            self._name_end = self._at
        yield from ()

    def _after_name(self) -> Iterator[tuple[Part, bytes]]:
        if self._skip(_SPACE):
            if self._buffer[self._at] == ord("="):
                self._at += 1
                self._step = self._before_value
            else:
                if self._at <= self._limit and not self._is_long:
                    self._at = self._name_end
                yield from self._end()

    def _before_value(self) -> Iterator[tuple[Part, bytes]]:
        if self._skip(_SPACE):
            first = bytes(self._buffer[self._at : self._at + 1])
            if first == b">":
                yield from self._end()
            elif first in (b'"', b"'"):
                self._at += 1
                self._quote = first
                self._step = self._quoted
            else:
                self._step = self._bare

    def _quoted(self) -> Iterator[tuple[Part, bytes]]:
        end = self._buffer.find(self._quote, self._at)
        if end < 0:
            self._at = len(self._buffer)
        else:
            self._at = end + 1
            yield from self._end()

    def _bare(self) -> Iterator[tuple[Part, bytes]]:
        if self._skip(_BARE):
            yield from self._end()

    def _end(self) -> Iterator[tuple[Part, bytes]]:
        if self._at > self._limit and not self._is_long:
            yield self._begin()
        if not self._is_long:
            yield Part.WHOLE, self._take(self._at)
        else:
            if self._at > len(self._quote):
                yield Part.MORE, self._take(self._at - len(self._quote))
            yield Part.END, self._take(len(self._quote))
        self._is_long, self._quote, self._step = False, b"", self._between
