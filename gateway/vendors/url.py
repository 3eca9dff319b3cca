"""URLs as a browser parses them (WHATWG URL Standard, through ada-url)."""

from dataclasses import dataclass
from functools import lru_cache

import ada_url

# What reaches the network by itself. Everything else (data:, blob:, javascript:, about:) contacts nobody.
_NETWORK_SCHEMES = frozenset({"http:", "https:", "ws:", "wss:"})

# Parsed URLs remembered: pages of one site name the same few hundred again and again.
_CACHE_SIZE = 8192


@dataclass(frozen=True, slots=True)
class Url:
    """One parsed network URL. *host* is lower case ASCII (IDNA) without port and trailing dot; *query* without `?`."""

    href: str
    scheme: str
    host: str
    path: str
    query: str


@lru_cache(maxsize=_CACHE_SIZE)
def parse(text: str, base: str = "") -> Url | None:
    """*text* as a browser would fetch it from a page at *base*; None where it is no URL or contacts no host."""
    try:
        parsed = ada_url.URL(text, base=base) if base else ada_url.URL(text)
    except ValueError:
        return None
    if parsed.protocol not in _NETWORK_SCHEMES:
        return None
    host = parsed.hostname.removesuffix(".")
    if not host:
        return None
    return Url(
        href=parsed.href,
        scheme=parsed.protocol.removesuffix(":"),
        host=host,
        path=parsed.pathname,
        query=parsed.search.removeprefix("?"),
    )
