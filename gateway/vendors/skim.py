"""A first look at a start tag: most load nothing of any vendor, and need not be taken apart to know it.

The look is at raw bytes and errs on one side: "no" is certain, "maybe" is a reason to parse. A tag in plain spelling names
every host it could contact behind a "//", so it is enough to know those. Whatever could hide a host from this look (a
character reference, a backslash, percent-encoding, a control character, a scheme without slashes) makes it a maybe.
"""

import re
from collections.abc import Collection
from functools import lru_cache

# Spellings under which a URL may name another host, or another path, than its bytes show. "&amp;" is "&", which ends no host.
_ODD = re.compile(
    rb"[^ -~\x80-\xff]|[\\%]|&(?!amp;)(?:#|[A-Za-z0-9]+;)|[HhWw][TtSs][TtSs]?[Pp]?[Ss]?:(?!//[A-Za-z0-9])"
)
_AUTHORITY = re.compile(rb"//([^/?#\"'\s<>]*)")
_URL_AUTHORITY = re.compile(r"(?:[A-Za-z]+:)?//([^/?#\\]*)")
_PLAIN_HOST = re.compile(rb"([A-Za-z0-9.-]+?)\.?(?::[0-9]*)?")

_HOSTS_REMEMBERED = 8192


class Skim:
    """Immutable. *hosts* are all that rules name; *parts* of a path, lower case, of which one stands in whatever a rule without a
    host matches.
    """

    __slots__ = ("_is_known", "_parts")

    def __init__(self, hosts: Collection[str], parts: Collection[bytes]) -> None:
        known = frozenset(hosts)

        @lru_cache(_HOSTS_REMEMBERED)
        def is_known(authority: bytes) -> bool:
            host = _PLAIN_HOST.fullmatch(authority)
            if host is None:
                return True
            name = host[1].decode("ascii").lower()
            while name:
                if name in known:
                    return True
                name = name.partition(".")[2]
            return False

        self._is_known = is_known
        self._parts = tuple(sorted(parts))

    def may_concern(self, tag: bytes) -> bool:
        """False only where no URL in *tag*, relative to a base that `suits`, can match a rule."""
        if _ODD.search(tag) is not None:
            return True
        if b"//" in tag:
            for authority in _AUTHORITY.findall(tag):
                if self._is_known(authority):
                    return True
        return self._holds_part(tag.lower())

    def may_name_host(self, url: str) -> bool:
        """False only where a URL with a host, in plain spelling, names none that rules name."""
        found = _URL_AUTHORITY.match(url)
        return found is None or self._is_known(found[1].encode("utf-8", "replace"))

    def suits(self, base_host: str, base_path: str, *, site_host: str) -> bool:
        """Relative URLs may be skimmed under this base: it is no vendor's, and its path holds no part of a rule's."""
        own = base_host == site_host or not self._is_known(base_host.encode("ascii", "replace"))
        path = base_path.encode("utf-8", "replace").lower()
        return own and b"%" not in path and not self._holds_part(path)

    def _holds_part(self, lower: bytes) -> bool:
        for part in self._parts:  # noqa: SIM110 - a loop is a third of the price of any(), here
            if part in lower:
                return True
        return False
