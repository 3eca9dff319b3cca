"""Fields of a response that make a browser contact somebody: Link, Refresh, reporting, speculation rules.

    Link                 values that make it fetch or connect go one by one; what merely relates pages stays
    Refresh              goes where it leads to a refused vendor: the only navigation nobody clicks
    Report-To, Reporting-Endpoints, NEL, Speculation-Rules
                         go whole where they name a refused vendor; NEL with the Report-To whose endpoints it uses

Location is the site's own navigation and passes. Content-Security-Policy is the site's own and is never touched.
"""

import json
import re

from gateway.head.fields import OWS, Lines, split_links, unquote, without
from gateway.head.judge import Judge
from gateway.withheld import Kind

# Relations that fetch before anybody asks for it, and those that do no more than connect.
_CONNECTING = frozenset({b"dns-prefetch", b"preconnect"})
_FETCHING = frozenset(
    {
        b"apple-touch-icon",
        b"apple-touch-icon-precomposed",
        b"compression-dictionary",
        b"icon",
        b"manifest",
        b"mask-icon",
        b"modulepreload",
        b"prefetch",
        b"preload",
        b"prerender",
        b"stylesheet",
    }
)

_WELL_FORMED_LINKS = re.compile(rb'(?:<[^>]*>|"(?:[^"\\]|\\.)*"|[^"<])*', re.DOTALL)
_ANY_LINK_TARGET = re.compile(rb"<([^>]*)")
_LINK_TARGET = re.compile(rb"\s*<([^>]*)>?")
_LINK_PARAMETER = re.compile(rb';\s*([^\s;="]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"?|[^;]*))?', re.DOTALL)

# HTML Standard, "shared declarative refresh steps": seconds, a separator, perhaps `url=`, perhaps a quote.
_REFRESH = re.compile(rb"\s*[0-9.]+\s*[;,\s]\s*(?:url\s*=\s*)?(?:'([^']*)|\"([^\"]*)|(.*))", re.IGNORECASE | re.DOTALL)

# Every quoted string of a JSON or structured field.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def filter_hints(response: Lines, judge: Judge) -> None:
    """Without what would contact a refused vendor."""
    response.edit(b"link", lambda value: _without_refused_links(value, judge))
    response.edit(b"refresh", lambda value: None if _is_refused_refresh(value, judge) else value)
    had_groups = b"report-to" in response
    for name in (b"report-to", b"reporting-endpoints"):
        response.edit(name, lambda value: None if _names_refused(value, judge, Kind.REPORTING_HEADER) else value)
    if had_groups and b"report-to" not in response:
        response.drop({b"nel"})
    response.edit(b"speculation-rules", lambda value: None if _names_refused(value, judge, Kind.LINK_HEADER) else value)


def _without_refused_links(value: bytes, judge: Judge) -> bytes | None:
    if not _WELL_FORMED_LINKS.fullmatch(value):
        # Firefox takes a quote that is never closed for a letter and reads on, Chromium reads nothing more.
        refused = any(judge.refuses_url(_text(target), Kind.LINK_HEADER) for target in _ANY_LINK_TARGET.findall(value))
        return None if refused else value
    return without(value, split_links, lambda link: _is_refused_link(link, judge))


def _is_refused_link(link: bytes, judge: Judge) -> bool:
    target = _LINK_TARGET.match(link)
    if target is None:
        return False
    relations: bytes | None = None
    urls = [_text(target[1])]
    for name, value in _LINK_PARAMETER.findall(link[target.end() :]):
        told = unquote(value.strip(OWS))
        if name.lower() == b"rel" and relations is None:  # the first counts (RFC 8288, section 3.3)
            relations = told
        elif name.lower() == b"imagesrcset":
            urls += [url.strip(",") for url in _text(told).split()]
    told_relations = set((relations or b"").lower().split())
    if told_relations & _FETCHING:
        return any(judge.refuses_url(url, Kind.LINK_HEADER) for url in urls)
    return bool(told_relations & _CONNECTING) and any(judge.refuses_connection(url, Kind.LINK_HEADER) for url in urls)


def _is_refused_refresh(value: bytes, judge: Judge) -> bool:
    found = _REFRESH.match(value)
    if found is None:
        return False
    target = next((group for group in found.groups() if group), b"")
    return bool(target.strip()) and judge.refuses_url(_text(target), Kind.REFRESH_HEADER)


def _names_refused(value: bytes, judge: Judge, kind: Kind) -> bool:
    return any(judge.refuses_url(_unescaped(string), kind) for string in _STRING.findall(value))


def _unescaped(string: bytes) -> str:
    try:
        return str(json.loads(string))
    except ValueError:
        return _text(string[1:-1])


def _text(value: bytes) -> str:
    # Hosts are ASCII in practice; a browser that reads the rest in another encoding still contacts the same host.
    return value.decode("utf-8", "replace")
