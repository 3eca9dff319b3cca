"""Attributes of a start tag, as the WHATWG tokenizer reads them: their places in the raw tag, and where the tag ends.

Source: HTML Standard, 13.2.5.32 to 13.2.5.40 (attribute states) and 13.2.5.72 on (character references).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5

# One attribute: a name (which may begin with "="), then a value in any quoting, or none. The alternative after the name
# must not give up a value that has begun, or a ">" inside quotes would end the tag.
ATTRIBUTE = (
    rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\"'>\t\n\f\r ][^>\t\n\f\r ]*+|(?=>))|(?![\t\n\f\r ]*+=))"
)
TAG_REST = rb"(?:[\t\n\f\r /]*+" + ATTRIBUTE + rb")*+[\t\n\f\r /]*+>"

_TAG_NAME = re.compile(rb"</?[^\t\n\f\r />]++")
_PARTS = re.compile(
    rb"[\t\n\f\r /]*+(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'"
    rb"|(?P<bare>[^\"'>\t\n\f\r ][^>\t\n\f\r ]*+)|(?=>)))?+"
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. *name* is lower case; *value* the raw bytes between the quotes; *at* where its name begins."""

    name: bytes
    value: bytes
    at: int


def attributes(raw: bytes) -> Iterator[Attribute]:
    """Every attribute of a whole start tag, repeats included: of equal names a browser takes the first."""
    name = _TAG_NAME.match(raw)
    assert name is not None
    at = name.end()
    while match := _PARTS.match(raw, at):
        value = match["double"] or match["single"] or match["bare"] or b""
        yield Attribute(match["name"].lower(), value, match.start("name"))
        at = match.end()


class TagEnd:
    """Finds the end of a tag whose bytes come in pieces, looking at each byte once."""

    _REST_OF_NAME = re.compile(rb"[^\t\n\f\r />]*+")
    # Attributes that end for certain: something follows that neither is space nor gives them a value.
    _WHOLE = re.compile(rb"(?:[\t\n\f\r /]*+" + ATTRIBUTE + rb"(?=[\t\n\f\r ]*+[^\t\n\f\r ]))*+")
    _BETWEEN = re.compile(rb"[\t\n\f\r /]*+")
    _ATTRIBUTE_NAME = re.compile(rb"[^\t\n\f\r />=]*+")
    _AFTER_NAME = re.compile(rb"[\t\n\f\r ]*+")
    _BARE = re.compile(rb"[^\t\n\f\r >]*+")

    def __init__(self, at: int) -> None:
        """*at*: the place behind the tag's name, or behind as much of it as has come."""
        self._at = at
        self._step = self._tag_name
        self._solidus = False  # the last byte was a "/" between attributes
        self.closes_itself = False

    def find(self, buffer: bytearray) -> int | None:
        """The place behind the tag's ">", or None where it has not come."""
        while self._at < len(buffer):
            if self._step(buffer):
                return self._at
        return None

    def forget(self, count: int) -> None:
        """The first *count* bytes of the buffer are gone."""
        self._at -= count

    def _tag_name(self, buffer: bytearray) -> bool:
        self._skip(self._REST_OF_NAME, buffer)
        if self._at < len(buffer):
            self._step = self._between
        return False

    def _between(self, buffer: bytearray) -> bool:
        begin = self._at
        self._skip(self._WHOLE, buffer)
        after = self._at
        self._skip(self._BETWEEN, buffer)
        if self._at > after:
            self._solidus = buffer[self._at - 1] == ord("/")
        elif after > begin:
            self._solidus = False
        if self._at == len(buffer):
            return False
        self._at += 1
        if buffer[self._at - 1] == ord(">"):
            self.closes_itself = self._solidus
            return True
        self._step, self._solidus = self._name, False
        return False

    def _name(self, buffer: bytearray) -> bool:
        self._skip(self._ATTRIBUTE_NAME, buffer)
        if self._at < len(buffer):
            self._step = self._after_name
        return False

    def _after_name(self, buffer: bytearray) -> bool:
        self._skip(self._AFTER_NAME, buffer)
        if self._at < len(buffer):
            if buffer[self._at] == ord("="):
                self._at += 1
                self._step = self._before_value
            else:
                self._step = self._between
        return False

    def _before_value(self, buffer: bytearray) -> bool:
        self._skip(self._AFTER_NAME, buffer)
        if self._at < len(buffer):
            first = buffer[self._at]
            if first == ord(">"):
                self._at += 1
                return True
            if first in b"\"'":
                self._at += 1
                self._step = self._double if first == ord('"') else self._single
            else:
                self._step = self._bare
        return False

    def _double(self, buffer: bytearray) -> bool:
        return self._quoted(buffer, b'"')

    def _single(self, buffer: bytearray) -> bool:
        return self._quoted(buffer, b"'")

    def _quoted(self, buffer: bytearray, quote: bytes) -> bool:
        end = buffer.find(quote, self._at)
        if end < 0:
            self._at = len(buffer)
        else:
            self._at = end + 1
            self._step = self._between
        return False

    def _bare(self, buffer: bytearray) -> bool:
        self._skip(self._BARE, buffer)
        if self._at < len(buffer):
            self._step = self._between
        return False

    def _skip(self, pattern: re.Pattern[bytes], buffer: bytearray) -> None:
        match = pattern.match(buffer, self._at)
        assert match is not None
        self._at = match.end()


# "&" and what may follow it: a number in decimal or hexadecimal, or a name.
_REFERENCE = re.compile(r"&(?:#[xX]([0-9a-fA-F]+);?|#([0-9]+);?|([a-zA-Z][a-zA-Z0-9]*;?))(=?)")

# 13.2.5.80: numbers in the C1 range are read as windows-1252.
_C1 = {number: bytes([number]).decode("windows-1252", "replace") for number in range(0x80, 0xA0)}
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)

# A reference name without its semicolon is one of the old names; none is longer.
_OLD_NAME_CHARS = max(len(name) for name in html5 if not name.endswith(";"))


def decode_references(text: str) -> str:
    """Character references of an attribute value, decoded by the rules for attributes.

    There `&copy=1` and `&copyx` stay as they are, so that query strings survive; html.unescape would decode them.
    """
    return _REFERENCE.sub(_referent, text) if "&" in text else text


def _referent(match: re.Match[str]) -> str:
    hexadecimal, decimal, name, equals = match.groups()
    if name is None:
        # More digits than a code point has are out of range whatever they are, and int() would refuse thousands.
        digits = (hexadecimal or decimal).lstrip("0")
        number = int(digits or "0", 16 if hexadecimal else 10) if len(digits) <= 8 else _LAST_CODE_POINT + 1
        if number in _C1:
            return _C1[number] + equals
        if number == 0 or number > _LAST_CODE_POINT or number in _SURROGATES:
            return "\ufffd" + equals
        return chr(number) + equals
    whole: str = match[0]
    if name.endswith(";") and name in html5:
        return html5[name] + equals
    for length in range(min(len(name), _OLD_NAME_CHARS), 1, -1):
        known = html5.get(name[:length])
        if known is not None and not name[:length].endswith(";"):
            followed_by = whole[1 + length : 2 + length]
            if followed_by == "=" or (followed_by.isascii() and followed_by.isalnum()):
                return whole
            return known + whole[1 + length :]
    return whole
