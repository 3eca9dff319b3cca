"""Field lines, opened for changes, and the small grammars that fields are written in (RFC 9110, section 5).

Values are cut apart as raw bytes: what a rule does not remove goes on as it came.
"""

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from enum import Enum, auto

from gateway.head.model import RawHeaders

OWS = b" \t"

# RFC 9110, section 5.6.2.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKENS = re.compile(rb"%b(?::%b)*" % (_TOKEN.pattern, _TOKEN.pattern))

# RFC 9110, section 5.5: everything but controls; a tab counts as white space.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# Longer lengths overflow a signed 64-bit number somewhere on the way.
_LENGTH = re.compile(rb"[0-9]{1,18}")

# A list is cut at commas outside quoted strings (RFC 9110, 5.6.1), and a Link list outside <> too (RFC 8288, 3).
# What is opened and never closed runs to the end of the value.
_LIST_PIECE = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^,"]+', re.DOTALL)
_LINK_PIECE = re.compile(rb'<[^>]*(?:>|\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^,"<]+', re.DOTALL)

# Of one connection, not of the message (RFC 9110, section 7.6.1), with the names that only the wild knows.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

# Connection may not name these away (CVE-2025-48865: a client lets the proxy strip its own protection). They frame the
# message, say what it is, or are what the gateway decides by and sets itself.
_NOT_NAMED_AWAY = frozenset(
    {
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-security-policy",
        b"content-type",
        b"cookie",
        b"forwarded",
        b"host",
        b"sec-gpc",
        b"set-cookie",
        b"vary",
        b"x-content-type-options",
        b"x-real-ip",
    }
)


def is_token(text: bytes) -> bool:
    """*text* is a token: what methods and field names are made of."""
    return _TOKEN.fullmatch(text) is not None


class Flaw(Enum):
    """Where a field line is malformed."""

    NAME = auto()
    VALUE = auto()


def flaw_in(headers: RawHeaders) -> Flaw | None:
    """A field name that is no token, or a value with control bytes; None for a head that can be passed on."""
    # Joined, so that the usual head costs two matches and not two a line. A colon is no part of a token, and counted.
    names = b":".join([name for name, _ in headers])
    if headers and (not _TOKENS.fullmatch(names) or names.count(b":") != len(headers) - 1):
        return Flaw.NAME
    return Flaw.VALUE if has_control_bytes(b" ".join([value for _, value in headers])) else None


def is_length(value: bytes) -> bool:
    """*value* is a Content-Length: digits and nothing else, so that nobody reads another number."""
    return _LENGTH.fullmatch(value) is not None


def has_control_bytes(value: bytes) -> bool:
    """*value* holds a control byte other than a tab: it would end the line, or is read differently by whoever comes next."""
    return _CONTROL.search(value) is not None


def split_list(value: bytes) -> list[bytes]:
    """The pieces of a comma-separated value, raw; joined with commas they are the value again."""
    return _split(value, _LIST_PIECE)


def split_links(value: bytes) -> list[bytes]:
    """The pieces of a Link value, raw; commas inside `<>` and quotes do not count."""
    return _split(value, _LINK_PIECE)


def _split(value: bytes, piece: re.Pattern[bytes]) -> list[bytes]:
    pieces, start, position = [], 0, 0
    while position < len(value):
        found = piece.match(value, position)
        if found is None:  # a comma between two pieces
            pieces.append(value[start:position])
            start = position = position + 1
        else:
            position = found.end()
    pieces.append(value[start:])
    return pieces


def without(value: bytes, split: Callable[[bytes], list[bytes]], refused: Callable[[bytes], bool]) -> bytes | None:
    """A comma-separated *value* less its refused pieces; the same object where none is, None where nothing is left."""
    pieces = split(value)
    kept = [piece for piece in pieces if not refused(piece)]
    if len(kept) == len(pieces):
        return value
    return b",".join(kept).strip(OWS) or None


def tokens(values: Iterable[bytes]) -> list[bytes]:
    """The members of comma-separated fields of tokens, lower case, empty ones left out."""
    return [token for value in values for piece in value.split(b",") if (token := piece.strip(OWS).lower())]


def unquote(text: bytes) -> bytes:
    """A token, or what a quoted string says (RFC 9110, section 5.6.4)."""
    if not text.startswith(b'"'):
        return text
    inner = re.match(rb'"((?:[^"\\]|\\.)*)', text, re.DOTALL)
    return re.sub(rb"\\(.)", rb"\1", inner[1], flags=re.DOTALL) if inner else b""


class Lines:
    """The field lines of one head, open for changes; names are given in lower case and match any letter case."""

    __slots__ = ("_lines", "_seen")

    def __init__(self, headers: RawHeaders) -> None:
        self._lines = [(name.lower(), name, value) for name, value in headers]
        # Every name that is or was there: most questions are for fields that never were, and end here.
        self._seen = {key for key, _, _ in self._lines}

    def __contains__(self, name: bytes) -> bool:
        return name in self._seen and any(key == name for key, _, _ in self._lines)

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the field, in order."""
        if name not in self._seen:
            return []
        return [value for key, _, value in self._lines if key == name]

    def names(self) -> set[bytes]:
        """The names of all fields, lower case."""
        return {key for key, _, _ in self._lines}

    def drop(self, names: AbstractSet[bytes]) -> None:
        """Without the fields of these names."""
        if not self._seen.isdisjoint(names):
            self._lines = [line for line in self._lines if line[0] not in names]

    def edit(self, name: bytes, change: Callable[[bytes], bytes | None]) -> None:
        """Every line of the field with its value changed; None drops the line."""
        if name not in self._seen:
            return
        kept = []
        for line in self._lines:
            key, raw, value = line
            if key != name:
                kept.append(line)
            elif (changed := change(value)) is not None:
                kept.append((key, raw, changed))
        self._lines = kept

    def put(self, name: bytes, value: bytes) -> None:
        """The field once, where its first line stood and spelt as there, or at the end under *name*."""
        place = next((i for i, line in enumerate(self._lines) if line[0] == name.lower()), None)
        if place is None:
            self.add(name, value)
            return
        key, raw, _ = self._lines[place]
        later = [line for line in self._lines[place + 1 :] if line[0] != key]
        self._lines = [*self._lines[:place], (key, raw, value), *later]

    def add(self, name: bytes, value: bytes) -> None:
        """One more line at the end."""
        self._lines.append((name.lower(), name, value))
        self._seen.add(name.lower())

    def drop_hop_by_hop(self) -> None:
        """Without what is of one connection only, by the standard's list and by what Connection names itself."""
        named = tokens(self.values(b"connection"))
        self.drop(
            HOP_BY_HOP.union(
                name for name in named if name not in _NOT_NAMED_AWAY and not name.startswith(b"x-forwarded-")
            )
        )

    def raw(self) -> RawHeaders:
        """The lines as they go out."""
        return tuple((name, value) for _, name, value in self._lines)
