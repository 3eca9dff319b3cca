"""URLs as a browser parses them (WHATWG URL Standard, through ada-url), in markup and at the start of strings in code.

Nothing is too long to be parsed: a browser contacts the host of a URL of a megabyte too. Nothing raises: what a browser
would not fetch is None.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import ada_url

# Parsed URLs remembered: pages of one site name the same few hundred again and again. Longer ones are rare, and data:
# URLs of a page would fill the memory: they are parsed each time.
_CACHE_SIZE = 8192
_CACHED_CHARS = 512

# What reaches the network by itself, cut out of ada's own spelling of the URL: one call instead of five, which take most
# of the time. Everything else (data:, blob:, javascript:, about:) contacts nobody.
_NETWORK = re.compile(r"(https?|wss?)://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/:?#]*)(?::\d+)?([^?#]*)(?:\?([^#]*))?")

# Stands in for a base of which only the scheme matters, and for one that cannot be parsed.
_HTTP_BASE = "http://base.invalid/"
_HTTPS_BASE = "https://base.invalid/"

_ABSOLUTE = ("https://", "http://", "//")


@dataclass(frozen=True, slots=True)
class Url:
    """One parsed network URL. *host* is lower case ASCII (IDNA) without port and trailing dot; *query* without `?`."""

    href: str
    scheme: str
    host: str
    path: str
    query: str


def parse(text: str, base: str = "") -> Url | None:
    """*text* as a browser would fetch it from a page at *base*; None where it is no URL or contacts no host.

    Tabs and newlines inside, backslashes, missing slashes, user names, percent-encoded and international hosts are read as
    the standard says. Lone surrogates, which a careless decoder may leave, are read as U+FFFD.
    """
    if text.startswith("data:"):
        return None
    if base and text.startswith(_ABSOLUTE):
        # The page does not matter, only its scheme: one entry of the cache serves the whole site.
        if base.startswith("https://"):
            base = _HTTPS_BASE
        elif base.startswith("http://"):
            base = _HTTP_BASE
    return _parse_cached(text, base) if len(text) <= _CACHED_CHARS else _parse(text, base)


def _parse(text: str, base: str) -> Url | None:
    try:
        parsed = ada_url.URL(text, base=base) if base else ada_url.URL(text)
    except UnicodeEncodeError:
        return _parse(_scalar_values(text), _scalar_values(base))
    except ValueError:
        if base and not ada_url.URL.can_parse(base):
            return _parse(text, _HTTPS_BASE)
        return None
    href = parsed.href
    found = _NETWORK.match(href)
    if found is None:
        return None
    host = found[2].rstrip(".")
    if not host:
        return None
    return Url(href=href, scheme=found[1], host=host, path=found[3], query=found[4] or "")


_parse_cached = lru_cache(maxsize=_CACHE_SIZE)(_parse)


def _scalar_values(text: str) -> str:
    """*text* with surrogate pairs joined and lone surrogates replaced (Web IDL, USVString)."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# Ends of a line in JavaScript: LF, CR, and U+2028 and U+2029, here in UTF-8.
_COMMENT = rb"[ \t]*+(?:(/\*)|//(?:[^\n\r\xe2]++|\xe2(?!\x80[\xa8\xa9]))*+)"

# What begins a string and is a URL with a host, to the end of the string or the first escape (1); a comment that is the first
# thing in its line is opened (2), or is a line of its own. What a match may begin with comes first, so that the engine can look
# for that.
_STARTS = re.compile(
    rb"""["'`\n\r\xe2](?:(?<=["'`])\s*+((?i:https?:|wss?:)?+(?:\\?/){2}(?:[^\s"'`<>\\]++|\\/)++)"""
    rb"|(?:(?<=[\n\r])|\x80[\xa8\xa9])" + _COMMENT + rb")"
)


def in_code(code: bytes) -> list[str]:
    r"""Each different URL with a host that begins a string in *code* (JavaScript), in order, as far as it is plain there.

    `"https://h/x"`, `'//h'`, `` `wss://h/${id}` ``, the JSON spelling `"https:\/\/h"`, and the same inside markup in a string.
    Comments are left out where they begin a line; one that follows code on its line is read as code, because telling it
    from a string or a regular expression would need a whole parser, and a mistake there would release a vendor. Hosts
    written in escapes (`\x68`) or joined from parts are not found: signatures are for those. Linear in the code.
    """
    if b"//" not in code and b"/\\/" not in code:
        return []
    found: dict[bytes, None] = {}
    comments_close = True
    lines = b"\n" + code
    at = 0
    while match := _STARTS.search(lines, at):
        at = match.end()
        if match[1] is not None:
            found[match[1].replace(b"\\/", b"/")] = None
        elif match[2] is not None and comments_close:
            closed = lines.find(b"*/", at)
            comments_close = closed >= 0
            at = closed + 2 if comments_close else at
    return [text.decode("utf-8", "replace") for text in found]
