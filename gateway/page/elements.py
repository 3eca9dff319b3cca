"""What loads what: the table of elements and attributes that make a browser contact a host.

| element                      | attributes                  | withheld as                                             |
|------------------------------|-----------------------------|---------------------------------------------------------|
| script (code)                | src; href in svg            | script                                                  |
| iframe, frame                | src, srcdoc                 | iframe                                                  |
| img                          | src, srcset, lowsrc         | pixel, or image where it says that it is larger         |
| input type=image             | src                         | image                                                   |
| link                         | href, imagesrcset           | stylesheet, hint or link, by its rel                    |
| source, video, audio, track  | src, srcset, poster         | media                                                   |
| object, embed                | data, src                   | object                                                  |
| image, use, feImage in svg   | href, xlink:href            | image                                                   |
| animate, set of an href      | to, from, by, values        | image                                                   |
| meta http-equiv=refresh      | content                     | refresh                                                 |
| style; any element           | text; style                 | style                                                   |
| a, area                      | ping                        | ping                                                    |
| any element                  | on…                         | handler                                                 |
| body, table, td ...          | background                  | image                                                   |

`data-src` and its like, which scripts that load late turn into requests, count for scripts, frames and pictures.

Source: HTML Standard, 4.2.4 (link types), 4.2.5.3 (pragma directives), 4.8.4 (srcset), 4.12.1 (script).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.withheld import Kind

# Attribute values of one start tag, decoded, by lower-case name; the first of equal names, as a browser has it.
Values = Mapping[bytes, str]

_URL_ATTRIBUTES: dict[bytes, tuple[bytes, ...]] = {
    b"script": (b"src",),
    b"iframe": (b"src",),
    b"frame": (b"src",),
    b"img": (b"src", b"lowsrc"),
    b"input": (b"src",),
    b"link": (b"href",),
    b"source": (b"src",),
    b"video": (b"src", b"poster"),
    b"audio": (b"src",),
    b"track": (b"src",),
    b"object": (b"data",),
    b"embed": (b"src",),
}
_FOREIGN_URL_ATTRIBUTES: dict[bytes, tuple[bytes, ...]] = {
    b"script": (b"href", b"xlink:href"),
    b"image": (b"href", b"xlink:href"),
    b"use": (b"href", b"xlink:href"),
    b"feimage": (b"href", b"xlink:href"),
    # SMIL moves a vendor's address into the href of an image or a use.
    b"animate": (b"to", b"from", b"by", b"values"),
    b"set": (b"to",),
}
_SRCSET_ATTRIBUTES: dict[bytes, tuple[bytes, ...]] = {
    b"img": (b"srcset",),
    b"source": (b"srcset",),
    b"link": (b"imagesrcset",),
}
_KINDS: dict[bytes, Kind] = {
    b"script": Kind.SCRIPT,
    b"iframe": Kind.IFRAME,
    b"frame": Kind.IFRAME,
    b"input": Kind.IMAGE,
    b"source": Kind.MEDIA,
    b"video": Kind.MEDIA,
    b"audio": Kind.MEDIA,
    b"track": Kind.MEDIA,
    b"object": Kind.OBJECT,
    b"embed": Kind.OBJECT,
    b"image": Kind.IMAGE,
    b"use": Kind.IMAGE,
    b"feimage": Kind.IMAGE,
    b"animate": Kind.IMAGE,
    b"set": Kind.IMAGE,
    b"meta": Kind.REFRESH,
}

# What else of a withheld element must not act while it is inert.
_RENAMED_TOO: dict[bytes, tuple[bytes, ...]] = {b"script": (b"type",), b"iframe": (b"srcdoc",)}

# Where scripts that load late keep the address until the element comes into view: the site's own code, or a plug-in's, makes a
# request of it.
_LATE = (b"data-src", b"data-lazy-src", b"data-rocket-src", b"data-litespeed-src", b"data-original")
_LATE_SETS = (b"data-srcset", b"data-lazy-srcset", b"data-rocket-srcset")
_LOADED_LATE = frozenset({b"script", b"iframe", b"img", b"source", b"video", b"embed"})

WANTED = frozenset(_KINDS) | {b"img", b"link", b"base", b"form", b"noscript", b"template", b"style"}

# Relations that make a browser fetch ahead of time, and those that make it no more than connect.
FETCHING_HINTS = frozenset({"preload", "modulepreload", "prefetch", "prerender", "subresource"})
CONNECTING_HINTS = frozenset({"preconnect", "dns-prefetch"})
_LOADING_RELS = frozenset({"icon", "apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon", "manifest"})

_SPACE = "\t\n\f\r "

# 4.12.1.1: an element with one of these types, or with none, is JavaScript (MIME Sniffing Standard, 4.6).
_JAVASCRIPT = frozenset(
    f"{tree}/{name}"
    for tree, names in {
        "application": ("ecmascript", "javascript", "x-ecmascript", "x-javascript"),
        "text": [
            "ecmascript",
            "javascript",
            "javascript1.0",
            "javascript1.1",
            "javascript1.2",
            "javascript1.3",
            "javascript1.4",
            "javascript1.5",
            "jscript",
            "livescript",
            "x-ecmascript",
            "x-javascript",
        ],
    }.items()
    for name in names
)
# Types that caching and optimising software writes in place of JavaScript's, to start the code itself a little later.
_POSTPONED = re.compile(r"text/partytown|rocketlazyloadscript|litespeed/javascript|[0-9a-f]+-(text/javascript|module)?")

# A picture that says it is larger than this many pixels a side is there to be seen.
_PIXEL_SIDE = 3
_DIMENSION = re.compile(r"\s*(\d{1,6})")

_REFRESH = re.compile(
    r"[\t\n\f\r ]*[\d.]*[\t\n\f\r ;,]*(?:url[\t\n\f\r ]*=[\t\n\f\r ]*)?(?:'([^']*)|\"([^\"]*)|(.*))",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Loads:
    """What one element loads: the URLs as they stand in it, the attributes that hold them, and how to call it.

    *connects*: it does no more than connect to their hosts.
    """

    kind: Kind
    urls: tuple[str, ...]
    attributes: frozenset[bytes]
    connects: bool = False


def loads(name: bytes, values: Values, *, foreign: bool) -> Loads | None:
    """What the start tag *name* would fetch or connect to; None where it does neither."""
    kind = _kind(name, values, foreign=foreign)
    if kind is None:
        return None
    if kind is Kind.REFRESH:
        return Loads(kind, (_refresh_url(values.get(b"content", "")),), frozenset({b"content"}))
    holders = _URL_ATTRIBUTES.get(name, ()) + (_FOREIGN_URL_ATTRIBUTES.get(name, ()) if foreign else ())
    sets = _SRCSET_ATTRIBUTES.get(name, ())
    if name in _LOADED_LATE:
        holders, sets = holders + _LATE, sets + _LATE_SETS
    urls = [values[holder] for holder in holders if holder in values]
    if name == b"animate":
        urls = [part for text in urls for part in text.split(";")]
    for holder in sets:
        urls.extend(srcset_urls(values.get(holder, "")))
    if not urls:
        return None
    every = frozenset(holders + sets + _RENAMED_TOO.get(name, ()))
    return Loads(kind, tuple(urls), every, connects=kind is Kind.HINT and not _rels(values) & FETCHING_HINTS)


def is_code(values: Values, *, foreign: bool) -> bool:
    """A script element whose content a browser, or an optimiser in the page, would run."""
    kind = values.get(b"type")
    if kind is None:
        language = values.get(b"language", "")
        return foreign or not language or f"text/{language.strip(_SPACE).lower()}" in _JAVASCRIPT
    kind = kind.strip(_SPACE).lower()
    return kind in ("", "module") or kind in _JAVASCRIPT or _POSTPONED.fullmatch(kind) is not None


def is_loading_data(values: Values) -> bool:
    """A script element whose content is no code but makes the browser load what it names."""
    return values.get(b"type", "").strip(_SPACE).lower() in ("importmap", "speculationrules")


def srcset_urls(text: str) -> list[str]:
    """The image candidates of a srcset (4.8.4.2.3), without their descriptors."""
    urls = []
    at = 0
    while at < len(text):
        while at < len(text) and text[at] in _SPACE + ",":
            at += 1
        begin = at
        while at < len(text) and text[at] not in _SPACE:
            at += 1
        url = text[begin:at]
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            depth = 0
            while at < len(text) and (text[at] != "," or depth):
                depth += (text[at] == "(") - (text[at] == ")" and depth > 0)
                at += 1
        if url:
            urls.append(url)
    return urls


def _kind(name: bytes, values: Values, *, foreign: bool) -> Kind | None:
    if foreign and name not in _FOREIGN_URL_ATTRIBUTES:
        # In XML documents every element is foreign, HTML's own ones too; inside svg and math the others load nothing,
        # and reading them as HTML withholds no more than a vendor's URL.
        foreign = False
    match name:
        case b"script":
            return Kind.SCRIPT if is_code(values, foreign=foreign) else None
        case b"img":
            return Kind.PIXEL if seen_size(values) is None else Kind.IMAGE
        case b"input":
            return Kind.IMAGE if values.get(b"type", "").lower() == "image" else None
        case b"link":
            return _link_kind(values)
        case b"meta":
            return Kind.REFRESH if values.get(b"http-equiv", "").lower() == "refresh" else None
        case b"image" | b"use" | b"feimage":
            return Kind.IMAGE if foreign else None
        case b"animate" | b"set":
            target = values.get(b"attributename", "").strip(_SPACE).lower()
            return Kind.IMAGE if foreign and target in ("href", "xlink:href") else None
        case _:
            return _KINDS.get(name)


def _rels(values: Values) -> set[str]:
    return set(values.get(b"rel", "").lower().split())


def _link_kind(values: Values) -> Kind | None:
    rels = _rels(values)
    if "stylesheet" in rels:
        return Kind.STYLESHEET
    if rels & (FETCHING_HINTS | CONNECTING_HINTS):
        return Kind.HINT
    return Kind.LINK if rels & _LOADING_RELS else None


def seen_size(values: Values) -> tuple[int, int] | None:
    """Width and height of a picture that says that it is there to be seen, in CSS pixels."""
    width, height = (_DIMENSION.match(values.get(side, "")) for side in (b"width", b"height"))
    if width is None or height is None or min(int(width[1]), int(height[1])) <= _PIXEL_SIDE:
        return None
    return int(width[1]), int(height[1])


def _refresh_url(content: str) -> str:
    match = _REFRESH.match(content)
    assert match is not None  # every part of the pattern may be empty
    return (match[1] or match[2] or match[3] or "").strip(_SPACE)
