r"""URLs that a style sheet makes a browser fetch, with their places, so that a vendor's can be put out of force.

Read are `url(…)` in all its spellings, the string of `@import`, and strings inside `image-set(…)` and `src(…)`. Comments and
other strings are passed over: `content: "https://…"` is text. Escapes (`\75 rl`, `\2f`) are decoded before a name or a URL is
compared.

Source: CSS Syntax Level 3, 4.3 (tokenization); CSS Values Level 4, 4.5 (resource locators).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

# What stands in a URL's place: it contacts nobody, and the declaration around it stays valid.
INVALID = b"about:invalid"

_ESCAPE = re.compile(rb"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(\r\n|[\n\r\f])|(.))", re.DOTALL)

# A comment; a string (1: its content); an unquoted url (2) or the function that opens a quoted one; another function's
# name (3); an at-keyword (4); the end of a function; the end of a statement or block.
_TOKEN = re.compile(
    rb"""/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)"""
    rb"""|"((?:[^"\\\n\r\f]|\\(?:\r\n|.))*+)(?:"|(?=[\n\r\f])|\Z)"""
    rb"""|'((?:[^'\\\n\r\f]|\\(?:\r\n|.))*+)(?:'|(?=[\n\r\f])|\Z)"""
    rb"""|((?:[-\w\x80-\xff]|\\(?:[0-9a-fA-F]{1,6}[ \t\r\n\f]?|[^\n\r\f0-9a-fA-F]))++)\("""
    rb"""|@((?:[-\w\x80-\xff]|\\(?:[0-9a-fA-F]{1,6}[ \t\r\n\f]?|[^\n\r\f0-9a-fA-F]))++)"""
    rb"""|([()])|([;{}])""",
    re.DOTALL,
)
_BARE_URL = re.compile(
    rb"[ \t\r\n\f]*+((?:[^\"'() \t\r\n\f\\]|\\(?:[0-9a-fA-F]{1,6}[ \t\r\n\f]?|[^\n\r\f]))*+)[ \t\r\n\f]*+(?:\)|\Z)"
)
_QUOTE = re.compile(rb"[ \t\r\n\f]*+[\"']")
# 4.3.14: a url that is none is passed over as a whole.
_BAD_URL = re.compile(rb"(?:[^)\\]|\\.?)*+\)?", re.DOTALL)
_TAKES_STRINGS = frozenset({b"url", b"src", b"image-set", b"-webkit-image-set"})

# A quick no: none of these, in any case and not hidden in an escape.
_MAY_FETCH = re.compile(rb"url|src|image-set|import|\\", re.IGNORECASE)


class Fetch(NamedTuple):
    """One URL: decoded, and where its spelling begins and ends."""

    url: bytes
    begin: int
    end: int


def fetches(css: bytes) -> list[Fetch]:
    """Every URL that *css*, a style sheet or the declarations of one element, makes a browser fetch."""
    if _MAY_FETCH.search(css) is None:
        return []
    found: list[Fetch] = []
    functions: list[bool] = []  # open parentheses: whether a string directly inside is a URL
    is_import = False
    at = 0
    while token := _TOKEN.search(css, at):
        at = token.end()
        group = token.lastindex
        if group in (1, 2):
            if is_import or (functions and functions[-1]):
                found.append(Fetch(_decoded(token[group]), token.start(group), token.end(group)))
            is_import = False
        elif group == 3:
            name = _decoded(token[3]).lower()
            if name == b"url" and _QUOTE.match(css, at) is None:
                bare = _BARE_URL.match(css, at)
                if bare is not None:
                    found.append(Fetch(_decoded(bare[1]), bare.start(1), bare.end(1)))
                is_import = False
                end = bare or _BAD_URL.match(css, at)
                assert end is not None  # the second may be empty
                at = end.end()
            else:
                functions.append(name in _TAKES_STRINGS)
        elif group == 4:
            is_import = _decoded(token[4]).lower() == b"import"
        elif group == 5 and token[5] == b"(":
            functions.append(False)
        elif group == 5 and functions:
            functions.pop()
        elif group == 6:
            functions.clear()
            is_import = False
    return found


def without(css: bytes, is_withheld: Callable[[bytes], bool]) -> bytes:
    """*css* with the URLs that *is_withheld* picks put out of force; the same bytes where it picks none."""
    parts = []
    at = 0
    for fetch in fetches(css):
        if is_withheld(fetch.url):
            parts += [css[at : fetch.begin], INVALID]
            at = fetch.end
    return b"".join([*parts, css[at:]])


def _decoded(text: bytes) -> bytes:
    return _ESCAPE.sub(_meaning, text) if b"\\" in text else text


def _meaning(escape: re.Match[bytes]) -> bytes:
    if escape[1] is not None:
        number = int(escape[1], 16)
        if number == 0 or number > 0x10FFFF or 0xD800 <= number < 0xE000:
            return "\ufffd".encode()
        return chr(number).encode()
    return b"" if escape[2] is not None else escape[3]
