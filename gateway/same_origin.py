"""Requests that change something are taken from pages of this very site only."""

import re
from collections.abc import Iterable

import ada_url

_AUTHORITY = re.compile(r"[^\s/\\?#@,]+")
_WEB_SCHEMES = frozenset({"http:", "https:"})


def comes_from_site(headers: Iterable[tuple[bytes, bytes]], *, secure: bool) -> bool:
    """The request was made by a page of this very site, as far as browsers tell.

    `Sec-Fetch-Site` settles it where a browser sends it (to https and localhost only: W3C Fetch Metadata, section 2.3); else
    `Origin` must be the host that was asked, with the scheme https where *secure* says that the visitor uses it. Without
    either field the sender is no browser, and no visitor's cookies can have been borrowed. `none` (typed, bookmarked) is not
    a page of the site.
    """
    seen: dict[bytes, list[bytes]] = {b"sec-fetch-site": [], b"origin": [], b"host": []}
    for name, value in headers:
        seen.get(name.lower(), []).append(value)
    sites, origins, hosts = seen[b"sec-fetch-site"], seen[b"origin"], seen[b"host"]
    if sites:
        return sites == [b"same-origin"]
    if not origins:
        return True
    if len(origins) != 1 or len(hosts) != 1:
        return False
    authority = hosts[0].decode("latin-1")
    if not _AUTHORITY.fullmatch(authority):
        return False
    try:
        origin = ada_url.URL(origins[0].decode("latin-1"))
        asked = ada_url.URL(f"{origin.protocol}//{authority}")
    except ValueError:
        return False
    schemes = {"https:"} if secure else _WEB_SCHEMES
    return origin.protocol in schemes and origin.origin == asked.origin
