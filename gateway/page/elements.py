"""What loads what: the table of elements and attributes that make a browser contact a host.

| element                                     | attributes                                   | withheld as                              |
|---------------------------------------------|----------------------------------------------|------------------------------------------|
| script (code)                               | src; href in svg                             | script                                   |
| iframe, frame, portal, fencedframe, webview | src, srcdoc                                  | iframe                                   |
| img, image                                  | src, srcset, lowsrc                          | pixel, or image where it says it is larger |
| input type=image                            | src                                          | image                                    |
| link                                        | href, imagesrcset                            | stylesheet, hint or link, by its rel     |
| source, video, audio, track, bgsound, model | src, srcset, poster                          | media                                    |
| object, embed, applet                       | data, src, code, codebase, classid, archive  | object                                   |
| param that names what an object loads       | value                                        | object                                   |
| html                                        | manifest                                     | link                                     |
| image, use, feImage; paint servers in svg   | href, xlink:href                             | image                                    |
| animate, set of an href or of a paint       | to, from, by, values                         | image                                    |
| amp-…                                       | see `amp`                                    | as what it stands for                    |
| meta http-equiv=refresh                     | content                                      | refresh                                  |
| style; any element                          | text; style                                  | style                                    |
| any element in svg                          | fill, filter, mask … where they are `url(…)` | style                                    |
| a, area; any element                        | ping; attributionsrc                         | ping                                     |
| any element                                 | on…; href, action that are `javascript:`     | handler                                  |
| any element                                 | background; data-bg and its like             | image                                    |

`data-src` and its like, which scripts that load late turn into requests, count for scripts, frames, pictures and media. Nothing is
loaded by `cite`, `longdesc`, a link that is clicked, `<a>` in svg, and a `data-src` of a div.

What a consent platform of the site's own has put out of force is left to it: scripts of `type="text/plain"` and other types that
no browser and no optimiser runs, and addresses in attributes of its own (`data-cookieblock-src`, `data-cmplz-src`, `suppressedsrc`).
It releases them with a consent of its own, which the gateway reads too.

Source: HTML Standard, 4.2.4 (link types), 4.2.5.3 (pragma directives), 4.8.4 (srcset), 4.12.1 (script), 13.2.6.4.7 (image is img);
SVG 2, 6.6 (presentation attributes), 16.2 (href).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.page import amp, css
from gateway.page.attributes import decode_references
from gateway.withheld import Kind

# Attribute values of one start tag, decoded, by lower-case name; the first of equal names, as a browser has it.
Values = Mapping[bytes, str]

_KINDS: dict[bytes, Kind] = {
    b"applet": Kind.OBJECT,
    b"audio": Kind.MEDIA,
    b"bgsound": Kind.MEDIA,
    b"embed": Kind.OBJECT,
    b"fencedframe": Kind.IFRAME,
    b"frame": Kind.IFRAME,
    b"html": Kind.LINK,
    b"iframe": Kind.IFRAME,
    b"model": Kind.MEDIA,
    b"object": Kind.OBJECT,
    b"portal": Kind.IFRAME,
    b"source": Kind.MEDIA,
    b"track": Kind.MEDIA,
    b"video": Kind.MEDIA,
    b"webview": Kind.IFRAME,
}
_HOLDERS: dict[bytes, tuple[bytes, ...]] = {
    b"applet": (b"code", b"codebase", b"object"),
    b"audio": (b"src",),
    b"bgsound": (b"src",),
    b"embed": (b"src",),
    b"fencedframe": (b"src",),
    b"frame": (b"src",),
    b"html": (b"manifest",),
    b"iframe": (b"src",),
    b"image": (b"src", b"lowsrc"),
    b"img": (b"src", b"lowsrc"),
    b"input": (b"src",),
    b"link": (b"href",),
    b"model": (b"src",),
    b"object": (b"data", b"codebase", b"classid"),
    b"param": (b"value",),
    b"portal": (b"src",),
    b"script": (b"src",),
    b"source": (b"src",),
    b"track": (b"src",),
    b"video": (b"src", b"poster"),
    b"webview": (b"src",),
}
# Image candidates with descriptors, and several addresses in a row.
_SETS: dict[bytes, bytes] = {b"image": b"srcset", b"img": b"srcset", b"link": b"imagesrcset", b"source": b"srcset"}
_ROWS: dict[bytes, bytes] = {b"applet": b"archive", b"object": b"archive"}

_HREFS = (b"href", b"xlink:href")
_SVG_HOLDERS: dict[bytes, tuple[bytes, ...]] = {
    **dict.fromkeys((b"script", b"image", b"use", b"feimage"), _HREFS),
    # Firefox takes gradients, patterns and filters from other documents.
    **dict.fromkeys((b"lineargradient", b"radialgradient", b"pattern", b"filter", b"mpath", b"textpath"), _HREFS),
    # SMIL moves a vendor's address into the href of an image or a use, or into a paint.
    b"animate": (b"to", b"from", b"by", b"values"),
    b"set": (b"to",),
}

# Where scripts that load late keep the address until the element comes into view: the site's own code, or a plug-in's, makes a
# request of it.
_LATE = frozenset(
    b"data-cfsrc data-echo data-lazy data-lazy-src data-lazyload data-litespeed-src data-orig-src data-original "
    b"data-pagespeed-high-res-src data-pagespeed-lazy-src data-pagespeed-orig-src data-pmdelayedscript data-poster "
    b"data-rocket-src data-rocketsrc data-src data-wpfc-original-src data-wpmeteor-src nitro-lazy-src pagespeed_high_res_src "
    b"pagespeed_lazy_src pagespeed_orig_src".split()
)
_LATE_SETS = frozenset(
    b"data-lazy-srcset data-litespeed-srcset data-orig-srcset data-rocket-srcset data-srcset data-wpfc-original-srcset "
    b"nitro-lazy-srcset".split()
)
_LOADED_LATE = frozenset({b"script", b"iframe", b"img", b"image", b"source", b"video", b"audio", b"embed"})

_HTML = {
    name: frozenset((*_HOLDERS.get(name, ()), *_SETS.get(name, b"").split(), *_ROWS.get(name, b"").split()))
    | (_LATE | _LATE_SETS if name in _LOADED_LATE else frozenset())
    for name in (*_HOLDERS, *_SETS)
}
# A name that svg has, too, may be HTML's in an XML document; svg's image is none of HTML's.
_SVG = {name: _HTML.get(name, frozenset()) | frozenset(own) for name, own in _SVG_HOLDERS.items()} | {
    b"image": frozenset(_HREFS)
}
_ARE_SETS = frozenset(_SETS.values()) | _LATE_SETS
_ARE_ROWS = frozenset(_ROWS.values())

# The same for pictures behind any element.
LATE_BACKGROUNDS = frozenset(
    b"data-background data-background-image data-background-image-set data-bg data-bg-hidpi data-bg-image data-bg-multi data-bg-set "
    b"data-bgset".split()
)

# Attributes of svg elements that are a style's property of the same name, and may be a `url(…)` (SVG 2, 6.6).
PRESENTATION = frozenset(b"clip-path cursor fill filter marker marker-end marker-mid marker-start mask stroke".split())

# Parameters of an object that name what it loads.
_PARAMETERS = frozenset({"src", "url", "movie", "data", "filename", "code", "codebase", "archive"})

# Elements whose content is text for some parsers and markup for others: inside select, and in a frameset.
TEXT_OR_MARKUP = frozenset({b"style", b"title", b"xmp", b"iframe", b"noembed", b"noframes", b"plaintext"})

WANTED = (
    frozenset(_KINDS)
    | frozenset(_HOLDERS)
    | frozenset(_SVG_HOLDERS)
    | amp.ELEMENTS
    | TEXT_OR_MARKUP
    | {b"base", b"form", b"frameset", b"meta", b"noscript", b"select", b"template"}
)

# Relations that make a browser fetch ahead of time, and those that make it no more than connect.
FETCHING_HINTS = frozenset(
    {"compression-dictionary", "preload", "modulepreload", "prefetch", "prerender", "subresource"}
)
CONNECTING_HINTS = frozenset({"preconnect", "dns-prefetch"})
_LOADING_RELS = frozenset(
    {
        *(
            "apple-touch-icon",
            "apple-touch-icon-precomposed",
            "apple-touch-startup-image",
            "icon",
            "import",
            "manifest",
        ),
        *("mask-icon", "search"),
    }
)

_SPACE = "\t\n\f\r "
_BETWEEN = re.compile(r"[\s,]+")

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
# Types that caching and optimising software writes in place of JavaScript's, to start the code itself a little later: Partytown,
# WP Rocket, LiteSpeed, Rocket Loader (its hashed and its old one), Perfmatters, Hummingbird, WP Compress, NitroPack, PageSpeed,
# Seraphinite.
_POSTPONED = re.compile(
    r"text/partytown|rocketlazyloadscript|litespeed/javascript|[0-9a-f]+-(text/javascript|module)?|text/rocketscript|pmdelayedscript"
    r"|wphb-delay-type|wpc-delay(-last)?-script|nitropack/inlinescript|text/(priority)?psajs|o/js-lzls?"
)
# WP Meteor's type is one that consent tools write, too: its own attribute tells it.
_BLOCKED, _METEOR = "javascript/blocked", b"data-wpmeteor-type"

# A picture that says it is larger than this many pixels a side is there to be seen.
_PIXEL_SIDE = 3
_DIMENSION = re.compile(r"\s*(\d{1,6})")

_REFRESH = re.compile(
    r"[\t\n\f\r ]*[\d.]*[\t\n\f\r ;,]*(?:url[\t\n\f\r ]*=[\t\n\f\r ]*)?(?:'([^']*)|\"([^\"]*)|(.*))",
    re.IGNORECASE | re.DOTALL,
)

_STYLE_SHEET = re.compile(rb"<\?xml-stylesheet[\t\n\r ]", re.IGNORECASE)
_PSEUDO_HREF = re.compile(r"[\t\n\r ]href[\t\n\r ]*=[\t\n\r ]*(?:\"([^\"]*)\"|'([^']*)')")


@dataclass(frozen=True, slots=True)
class Loads:
    """What one element loads: the URLs as they stand in it, the attributes that hold them, and how to call it.

    *connects*: it does no more than connect to their hosts. *always*: it loads something even where no URL is known.
    """

    kind: Kind
    urls: tuple[str, ...]
    attributes: frozenset[bytes]
    connects: bool = False
    always: bool = False


def loads(name: bytes, values: Values, *, foreign: bool) -> Loads | None:
    """What the start tag *name* would fetch or connect to; None where it does neither."""
    if name in amp.ELEMENTS:
        return _amp_loads(name, values)
    kind = _kind(name, values, foreign=foreign)
    if kind is None:
        return None
    if kind is Kind.REFRESH:
        return Loads(kind, (_refresh_url(values.get(b"content", "")),), frozenset({b"content"}), always=True)
    holders = (_SVG if foreign and name in _SVG else _HTML)[name]
    urls = [url for holder in values if holder in holders for url in _urls(name, holder, values)]
    if not urls:
        return None
    connects = kind is Kind.HINT and not _rels(values) & FETCHING_HINTS
    # A frame without an address shows its srcdoc.
    return Loads(kind, tuple(urls), holders | {b"srcdoc"} if name == b"iframe" else holders, connects=connects)


def _amp_loads(name: bytes, values: Values) -> Loads | None:
    urls = (*amp.addresses(name, values), *srcset_urls(values.get(b"srcset", "")))
    always = name in amp.CONFIGURED
    if not urls and not always:
        return None
    return Loads(amp.kind(name), urls, amp.holders(name, values), always=always)


def _urls(name: bytes, holder: bytes, values: Values) -> list[str]:
    """The addresses in one attribute."""
    text = values[holder]
    if holder in _ARE_SETS:
        return srcset_urls(text)
    if holder in _ARE_ROWS:
        return [url for url in _BETWEEN.split(text) if url]
    if name in (b"animate", b"set"):
        if _animated(values) in PRESENTATION:
            return [fetch.url.decode("utf-8", "replace") for fetch in css.fetches(text.encode("utf-8", "replace"))]
        return text.split(";") if holder == b"values" else [text]
    return [text]


def runs_code(values: Values, *, foreign: bool) -> bool:
    """A script element whose text runs: code of its own, not of an address, and not data."""
    if not is_code(values, foreign=foreign):
        return False
    # In svg src means nothing and a fragment of href is told apart by whoever follows it: its text counts either way.
    return foreign or b"src" not in values


def is_code(values: Values, *, foreign: bool) -> bool:
    """A script element whose content a browser, or an optimiser in the page, would run."""
    kind = values.get(b"type")
    if kind is None:
        language = values.get(b"language", "")
        return foreign or not language or f"text/{language.strip(_SPACE).lower()}" in _JAVASCRIPT
    kind = kind.strip(_SPACE).lower()
    if kind == _BLOCKED:
        return _METEOR in values
    return kind in ("", "module") or kind in _JAVASCRIPT or _POSTPONED.fullmatch(kind) is not None


def is_loading_data(values: Values, *, configures: bool = False) -> bool:
    """A script element whose content is no code but makes the browser, or an AMP element that it *configures*, load what it names."""
    kind = values.get(b"type", "").strip(_SPACE).lower()
    return kind in ("importmap", "speculationrules") or (configures and kind == "application/json")


def style_sheet_of(instruction: bytes, codec: str) -> str:
    """The address in an `xml-stylesheet` processing instruction of an XML document; empty where it is none, or has none."""
    if _STYLE_SHEET.match(instruction) is None:
        return ""
    href = _PSEUDO_HREF.search(instruction.decode(codec, "replace"))
    return decode_references(href[1] if href[1] is not None else href[2]) if href is not None else ""


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
            inside = False  # parentheses
            while at < len(text) and (text[at] != "," or inside):
                inside = text[at] == "(" or (inside and text[at] != ")")  # they do not nest
                at += 1
        if url:
            urls.append(url)
    return urls


def _kind(name: bytes, values: Values, *, foreign: bool) -> Kind | None:
    if foreign and name not in _SVG_HOLDERS:
        # In XML documents every element is foreign, HTML's own ones too; inside svg and math the others load nothing,
        # and reading them as HTML withholds no more than a vendor's URL.
        foreign = False
    match name:
        case b"script":
            return Kind.SCRIPT if is_code(values, foreign=foreign) else None
        case b"image" if foreign:
            return Kind.IMAGE
        case b"img" | b"image":
            return Kind.PIXEL if seen_size(values) is None else Kind.IMAGE
        case b"input":
            return Kind.IMAGE if values.get(b"type", "").lower() == "image" else None
        case b"link":
            return _link_kind(values)
        case b"meta":
            return Kind.REFRESH if values.get(b"http-equiv", "").lower() == "refresh" else None
        case b"param":
            return Kind.OBJECT if values.get(b"name", "").strip(_SPACE).lower() in _PARAMETERS else None
        case b"animate" | b"set":
            is_address = _animated(values) in (b"href", b"xlink:href", *PRESENTATION)
            return Kind.IMAGE if foreign and is_address else None
        case _:
            return _KINDS.get(name) or (Kind.IMAGE if foreign else None)


def _animated(values: Values) -> bytes:
    """The attribute that a SMIL element changes."""
    return values.get(b"attributename", "").strip(_SPACE).lower().encode("ascii", "replace")


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
