r"""URLs that a style sheet makes a browser fetch, with their places, so that a vendor's can be put out of force.

Read are `url(…)` in all its spellings, the string of `@import`, strings inside `image-set(…)`, `image(…)` and `src(…)`, and a
string that is an absolute URL in a custom property, which may end up in any of these. Comments and other strings are passed over:
`content: "https://…"` is text; `@namespace` and `@document` name and compare. Escapes (`\75 rl`, `\2f`) are decoded before a name
or a URL is compared; one outside a string (`.a\"b`) opens none.

Source: CSS Syntax Level 3, 4.3 (tokenization); CSS Values Level 4, 4.5 (resource locators).
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

# What stands in a URL's place: it contacts nobody, and the declaration around it stays valid.
INVALID = b"about:invalid"

_S = rb"[ \t\r\n\f]"
_ESCAPE = re.compile(rb"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(\r\n|[\n\r\f])|(.))", re.DOTALL)
_NAME = rb"(?:[-\w\x80-\xff]|\\(?:[0-9a-fA-F]{1,6}(?:\r\n|" + _S + rb")?|[^\n\r\f0-9a-fA-F]))++"
_DOUBLE = rb"\"((?:[^\"\\\n\r\f]|\\(?:\r\n|.))*+)"
_SINGLE = rb"'((?:[^'\\\n\r\f]|\\(?:\r\n|.))*+)"
_COMMENT = rb"/\*(?:[^*]|\*(?!/))*+"

# What needs no look where nothing is open: punctuation, whole comments and strings, and names but those that begin something.
_IDLE = re.compile(
    rb"(?:[^\"'/@\\\w\-\x80-\xff]++"
    rb"|(?!(?:url|src|image|image-set|-webkit-image-set)\(|--)[-\w\x80-\xff]++(?!\\)"
    rb"|" + _DOUBLE + rb"(?:\"|(?=[\n\r\f]))|" + _SINGLE + rb"(?:'|(?=[\n\r\f]))"
    rb"|" + _COMMENT + rb"\*/|/(?!\*)|@(?!import|namespace|document|-moz-document|[-\w]*+\\))*+",
    re.DOTALL | re.IGNORECASE,
)
# A comment; a string (1, 2: its content), which the end of the line breaks; the name of a function (3); another name (4); an
# at-keyword (5); punctuation (6); what the sheet leaves open (7).
_TOKEN = re.compile(
    _COMMENT + rb"\*/"
    rb"|" + _DOUBLE + rb"(?:\"|(?=[\n\r\f])|\\?\Z)|" + _SINGLE + rb"(?:'|(?=[\n\r\f])|\\?\Z)"
    rb"|(" + _NAME + rb")\(|(" + _NAME + rb")|@(" + _NAME + rb")|([(){};])|(" + _COMMENT + rb"\Z)",
    re.DOTALL,
)
_STRINGS, _FUNCTION, _PUNCTUATION = (1, 2), 3, 6
_BARE_URL = re.compile(
    _S + rb"*+((?:[^\"'() \t\r\n\f\\]|\\(?:[0-9a-fA-F]{1,6}" + _S + rb"?|[^\n\r\f]))*+)" + _S + rb"*+(?:\)|\\?\Z)"
)
_QUOTE = re.compile(_S + rb"*+[\"']")
# 4.3.14: a url that is none is passed over as a whole.
_BAD_URL = re.compile(rb"(?:[^)\\]|\\.?)*+\)?", re.DOTALL)
_TAKES_STRINGS = frozenset({b"url", b"src", b"image", b"image-set", b"-webkit-image-set"})
_ONLY_NAMES = frozenset({b"namespace", b"document", b"-moz-document"})
_ABSOLUTE = re.compile(rb"\s*(?:https?:)?[/\\]{2}\S+\s*", re.IGNORECASE)

# Bytes that the next piece of a sheet may make more of, where they end this one.
_UNDECIDED = bytes(range(0x80, 0x100)) + b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-@\\/"

# A quick no: none of these, in any case and not hidden in an escape.
_MAY_FETCH = re.compile(rb"url|src|image|import|--|\\", re.IGNORECASE)

# Where a token ends that is longer than is held, by how it begins; a backslash there hides the next byte.
_ENDS = {
    b"/": re.compile(rb"\*/"),
    b'"': re.compile(rb"[\"\n\r\f\\]"),
    b"'": re.compile(rb"['\n\r\f\\]"),
    b"(": re.compile(rb"[)\\]"),
}
_LINE_ENDS = frozenset({b"\n", b"\r", b"\f"})


class Fetch(NamedTuple):
    """One URL: decoded, and where its spelling begins and ends."""

    url: bytes
    begin: int
    end: int


def fetches(css: bytes) -> list[Fetch]:
    """Every URL that *css*, a style sheet or the declarations of one element, makes a browser fetch."""
    return list(_Reader().read(css, final=True)) if _MAY_FETCH.search(css) is not None else []


def without(css: bytes, is_withheld: Callable[[bytes], bool]) -> bytes:
    """*css* with the URLs that *is_withheld* picks put out of force; the same bytes where it picks none."""
    return _replaced(css, [fetch for fetch in fetches(css) if is_withheld(fetch.url)])


class Cleaner:
    """`without` for a style sheet in pieces. Holds at most *limit_bytes* back; a longer URL, which is data, is picked by its begin."""

    def __init__(self, is_withheld: Callable[[bytes], bool], *, limit_bytes: int) -> None:
        self._is_withheld = is_withheld
        self._limit = limit_bytes
        self._reader = _Reader()
        self._pieces: list[bytes] = []
        self._size = 0
        self._end_of_long: re.Pattern[bytes] | None = None  # of a token that was too long to hold
        self._drops_long = False
        self._skip = 0

    def feed(self, data: bytes) -> bytes:
        """More of the sheet; answers what may go out."""
        self._pieces.append(data)
        self._size += len(data)
        return self._taken(final=False) if self._size > self._limit else b""

    def close(self) -> bytes:
        """The end of the sheet; answers the rest."""
        return self._taken(final=True)

    def _taken(self, *, final: bool) -> bytes:
        text, out = b"".join(self._pieces), b""
        while text:
            if self._end_of_long is not None:
                more, text = self._rest_of_long(text, self._end_of_long)
                out += more
                if self._end_of_long is not None:
                    break
            picked = [fetch for fetch in self._reader.read(text, final=final) if self._picks(fetch)]
            out += _replaced(text[: self._reader.end], picked)
            text = text[self._reader.end :]
            if len(text) <= self._limit:
                break
            more, text = self._begin_of_long(text)
            out += more
        self._pieces, self._size = [text], len(text)
        return out

    def _picks(self, fetch: Fetch) -> bool:
        return self._is_withheld(fetch.url[: self._limit // 2])

    def _begin_of_long(self, text: bytes) -> tuple[bytes, bytes]:
        """*text* is one token that is longer than may be held: what goes out of its begin, and what follows."""
        begin = text[: self._limit]
        begin = begin[: len(begin) - (len(begin) - len(begin.rstrip(b"\\"))) % 2]  # tear no escape
        # What hides its own begin behind so much white space is not read on.
        picked = [
            fetch
            for fetch in self._reader.read(begin, final=True)
            if not fetch.url[: self._limit // 2].strip() or self._picks(fetch)
        ]
        self._end_of_long = _ENDS.get(begin[:1]) or (_ENDS[b"("] if b"(" in begin else None)
        self._drops_long = bool(picked)
        return _replaced(begin, picked), text[len(begin) :]

    def _rest_of_long(self, text: bytes, pattern: re.Pattern[bytes]) -> tuple[bytes, bytes]:
        at = self._skip
        while (end := pattern.search(text, at)) is not None and end[0] == b"\\":
            at = end.end() + 1
        if end is None:
            self._skip = max(at - len(text), 0)
            # The first half of a comment's end waits for the second.
            stop = goes = len(text) - (pattern is _ENDS[b"/"] and text.endswith(b"*"))
        else:
            self._skip, self._end_of_long = 0, None
            stop, goes = end.start(), end.start() if end[0] in _LINE_ENDS else end.end()
        return (b"" if self._drops_long else text[:stop]) + text[stop:goes], text[goes:]


class _Reader:
    """Reads a style sheet in one piece or in several: what one leaves open, the next one goes on with.

    `end` is the place behind what was decided; what follows must begin the next piece.
    """

    def __init__(self) -> None:
        self.end = 0
        self._functions: list[bool] = []  # open parentheses: whether a string directly inside is a URL
        self._is_import = False
        self._is_custom = False
        self._only_names = False

    def read(self, css: bytes, *, final: bool) -> Iterator[Fetch]:
        """Every URL in *css*, as far as it can be told before the rest has come."""
        at = self.end = 0
        while True:
            if not (self._functions or self._is_import or self._is_custom or self._only_names):
                idle = _IDLE.match(css, at)
                assert idle is not None  # it may be empty
                at = idle.end()
            token = _TOKEN.search(css, at)
            if token is None:
                break
            at = token.end()
            is_bare = token.lastindex == _FUNCTION and _is_url(token[_FUNCTION]) and _QUOTE.match(css, at) is None
            if is_bare:
                bare = _BARE_URL.match(css, at)
                end = bare or _BAD_URL.match(css, at)
                assert end is not None  # the second may be empty
                at = end.end()
            if at == len(css) and not final and token.lastindex != _PUNCTUATION:
                self.end = max(self.end, token.start())
                return
            self.end = at
            if is_bare:
                self._is_import = False
                if bare is not None and not self._only_names:
                    yield Fetch(_decoded(bare[1]), bare.start(1), bare.end(1))
            elif token.lastindex in _STRINGS:
                url = _decoded(token[token.lastindex])
                if self._is_fetched(url):
                    yield Fetch(url, token.start(token.lastindex), token.end(token.lastindex))
                self._is_import = False
            else:
                self._note(token)
        self.end = len(css) if final else max(self.end, len(css.rstrip(_UNDECIDED)))

    def _is_fetched(self, string: bytes) -> bool:
        if self._only_names:
            return False
        return (
            self._is_import
            or (bool(self._functions) and self._functions[-1])
            or (self._is_custom and _ABSOLUTE.fullmatch(string) is not None)
        )

    def _note(self, token: re.Match[bytes]) -> None:
        """What a name or a punctuation mark opens or closes."""
        match token.lastindex:
            case 3:
                self._functions.append(_decoded(token[3]).lower() in _TAKES_STRINGS)
            case 4:
                self._is_custom = self._is_custom or (not self._functions and token[4].startswith(b"--"))
            case 5:
                name = _decoded(token[5]).lower()
                self._is_import, self._only_names = name == b"import", name in _ONLY_NAMES
            case 6 if token[6] == b"(":
                self._functions.append(False)
            case 6 if token[6] == b")":
                del self._functions[-1:]
            case 6:
                self._functions.clear()
                self._is_import = self._is_custom = self._only_names = False


def _replaced(css: bytes, picked: list[Fetch]) -> bytes:
    parts = []
    at = 0
    for fetch in picked:
        parts += [css[at : fetch.begin], INVALID]
        at = fetch.end
    return b"".join([*parts, css[at:]])


def _is_url(name: bytes) -> bool:
    return _decoded(name).lower() == b"url"


def _decoded(text: bytes) -> bytes:
    return _ESCAPE.sub(_meaning, text) if b"\\" in text else text


def _meaning(escape: re.Match[bytes]) -> bytes:
    if escape[1] is not None:
        number = int(escape[1], 16)
        if number == 0 or number > 0x10FFFF or 0xD800 <= number < 0xE000:
            return "\ufffd".encode()
        return chr(number).encode()
    return b"" if escape[2] is not None else escape[3]
