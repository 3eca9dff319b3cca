"""Validators and cacheability, both ways: no visitor is ever shown a page that was made for somebody who decided otherwise.

What depends on the decision carries the decision's variant in its ETag, and only that variant finds its way back:

    response   ETag: "x"                         -> ETag: "x~cg-0123456789"
    request    If-None-Match: "x~cg-0123456789"  -> If-None-Match: "x"        this visitor's variant
               If-None-Match: "x~cg-9876543210"  -> left out                  another's
               If-None-Match: "x"                -> left out for a page: kept from before the gateway stood there

Last-Modified cannot carry a variant: it is taken off pages, and If-Modified-Since off requests for them. Vary and
Cache-Control keep such a response out of shared caches; assets keep all that the origin said of them.
"""

import re

from gateway.head.fields import OWS, Lines, split_list, tokens, without

# A quoted tag, weak or strong (RFC 9110, section 8.8.3). Commas may stand inside.
_TAG = re.compile(rb'(?:W/)?"[^"\x00-\x20\x7f]*"')
_MARKED = re.compile(rb'((?:W/)?"[^"]*)~cg-([0-9a-z]{1,32})"')

# For shared caches alone: the standard's, and what CDNs and nginx read instead of Cache-Control.
_SHARED_CACHE_FIELDS = frozenset({b"cdn-cache-control", b"surrogate-control", b"edge-control", b"x-accel-expires"})

_PRIVATE = frozenset({b"private", b"no-store"})

# Over bytes that are no longer the same.
DIGEST_FIELDS = frozenset({b"content-md5", b"digest", b"repr-digest", b"content-digest"})


def mark(tag: bytes, variant: str) -> bytes | None:
    """The ETag of one variant; None for what is no entity tag and so can carry none."""
    tag = tag.strip(OWS)
    return tag[:-1] + b"~cg-" + variant.encode("ascii") + b'"' if _TAG.fullmatch(tag) else None


def is_marked(request: Lines, variant: str) -> bool:
    """The client holds this variant of what it asks for."""
    return any(
        found[1] == variant.encode("ascii") for value in request.values(b"if-none-match") for found in _marks(value)
    )


def map_conditions(request: Lines, *, variant: str, likely_page: bool, ranges: bool) -> None:
    """The conditions of a request as the origin knows its validators. *ranges*: a part of the body may be asked for."""
    if likely_page:
        request.drop({b"if-modified-since"})
    _map_if_none_match(request, variant.encode("ascii"), likely_page=likely_page)
    # Whoever changes a thing by its tag means the origin's thing, whatever variant of it he was shown.
    request.edit(b"if-match", lambda value: _MARKED.sub(rb'\1"', value))
    if not ranges or not _map_if_range(request, variant.encode("ascii")):
        request.drop({b"range", b"if-range"})


def _map_if_none_match(request: Lines, variant: bytes, *, likely_page: bool) -> None:
    values = request.values(b"if-none-match")
    if not values or not (likely_page or any(_marks(value) for value in values)):
        return
    kept = []
    for tag in _TAG.findall(b",".join(values)):
        marked = _MARKED.fullmatch(tag)
        if marked is None and not likely_page:
            kept.append(tag)
        elif marked is not None and marked[2] == variant:
            kept.append(marked[1] + b'"')
    if kept:
        request.put(b"if-none-match", b", ".join(kept))
    else:
        request.drop({b"if-none-match"})


def _map_if_range(request: Lines, variant: bytes) -> bool:
    """False where the client holds a part of another variant: only the whole can help it."""
    for value in request.values(b"if-range"):
        marked = _MARKED.fullmatch(value.strip(OWS))
        if marked is not None and marked[2] != variant:
            return False
    request.edit(b"if-range", lambda value: _MARKED.sub(rb'\1"', value))
    return True


def _marks(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(found[1], found[2]) for tag in _TAG.findall(value) if (found := _MARKED.fullmatch(tag))]


def mark_validators(response: Lines, variant: str) -> None:
    """The validators of something that depends on the decision."""
    response.edit(b"etag", lambda tag: mark(tag, variant))
    response.drop({b"last-modified"})


def drop_validators(response: Lines) -> None:
    """Without validators: the client asks for the whole again.

    For what carries a guard policy. A 304 would bring the origin's own fields, which a browser then stores in the place of
    the guard.
    """
    response.drop({b"etag", b"last-modified"})


def make_private(response: Lines) -> None:
    """Kept by the visitor's own browser alone, and asked for again when his cookies or his Sec-GPC change."""
    varies = tokens(response.values(b"vary"))
    if b"*" not in varies:
        missing = [name for name in (b"Cookie", b"Sec-GPC") if name.lower() not in varies]
        if missing:
            response.add(b"Vary", b", ".join(missing))
    response.drop(
        {name for name in response.names() if name in _SHARED_CACHE_FIELDS or name.endswith(b"-cdn-cache-control")}
    )
    values = response.values(b"cache-control")
    kept = [left for value in values if (left := without(value, split_list, _is_for_shared_caches)) is not None]
    # `private="x-field"` keeps one field private, not the response.
    if _PRIVATE.isdisjoint(tokens(kept)):
        response.put(b"Cache-Control", b", ".join([*kept, b"private"]))
    elif kept != values:
        response.put(b"Cache-Control", b", ".join(kept))


def _is_for_shared_caches(directive: bytes) -> bool:
    return directive.partition(b"=")[0].strip(OWS).lower() in {b"public", b"s-maxage"}
