"""The table of what loads what."""

import pytest

from gateway.page.elements import (
    WANTED,
    Values,
    is_code,
    is_loading_data,
    loads,
    runs_code,
    srcset_urls,
    style_sheet_of,
)
from gateway.withheld import Kind


@pytest.mark.parametrize(
    ("name", "values", "foreign", "kind", "urls"),
    [
        (b"script", {b"src": "a.js"}, False, Kind.SCRIPT, ("a.js",)),
        (b"script", {b"src": "a.js", b"type": "module"}, False, Kind.SCRIPT, ("a.js",)),
        (b"script", {b"src": "a.js", b"type": "application/json"}, False, None, ()),
        (b"script", {}, False, None, ()),
        (b"script", {b"href": "a.js"}, True, Kind.SCRIPT, ("a.js",)),
        (b"script", {b"xlink:href": "a.js"}, True, Kind.SCRIPT, ("a.js",)),
        (b"script", {b"href": "a.js"}, False, None, ()),
        (b"iframe", {b"src": "a"}, False, Kind.IFRAME, ("a",)),
        (b"frame", {b"src": "a"}, False, Kind.IFRAME, ("a",)),
        (b"img", {b"src": "a"}, False, Kind.PIXEL, ("a",)),
        (b"img", {b"src": "a", b"width": "1", b"height": "1"}, False, Kind.PIXEL, ("a",)),
        (b"img", {b"src": "a", b"width": "300", b"height": "200"}, False, Kind.IMAGE, ("a",)),
        (b"img", {b"src": "a", b"srcset": "b 1x, c 2x"}, False, Kind.PIXEL, ("a", "b", "c")),
        (b"img", {b"alt": "a"}, False, None, ()),
        (b"input", {b"type": "IMAGE", b"src": "a"}, False, Kind.IMAGE, ("a",)),
        (b"input", {b"type": "text", b"src": "a"}, False, None, ()),
        (b"link", {b"rel": "stylesheet", b"href": "a"}, False, Kind.STYLESHEET, ("a",)),
        (b"link", {b"rel": "preconnect STYLESHEET", b"href": "a"}, False, Kind.STYLESHEET, ("a",)),
        (b"link", {b"rel": "DNS-Prefetch", b"href": "a"}, False, Kind.HINT, ("a",)),
        (b"link", {b"rel": "preload", b"imagesrcset": "a 1x"}, False, Kind.HINT, ("a",)),
        (b"link", {b"rel": "shortcut icon", b"href": "a"}, False, Kind.LINK, ("a",)),
        (b"link", {b"rel": "canonical", b"href": "a"}, False, None, ()),
        (b"link", {b"href": "a"}, False, None, ()),
        (b"source", {b"srcset": "a, b"}, False, Kind.MEDIA, ("a", "b")),
        (b"video", {b"src": "a", b"poster": "b"}, False, Kind.MEDIA, ("a", "b")),
        (b"object", {b"data": "a"}, False, Kind.OBJECT, ("a",)),
        (b"embed", {b"src": "a"}, False, Kind.OBJECT, ("a",)),
        (b"image", {b"href": "a"}, True, Kind.IMAGE, ("a",)),
        (b"use", {b"xlink:href": "a"}, True, Kind.IMAGE, ("a",)),
        (b"image", {b"href": "a"}, False, None, ()),
        (b"image", {b"src": "a"}, False, Kind.PIXEL, ("a",)),
        (b"image", {b"srcset": "a 1x", b"width": "9", b"height": "9"}, False, Kind.IMAGE, ("a",)),
        (b"image", {b"src": "a"}, True, None, ()),
        (b"img", {b"data-lazy": "a", b"nitro-lazy-srcset": "b 1x"}, False, Kind.PIXEL, ("a", "b")),
        (b"div", {b"data-src": "a"}, False, None, ()),
        (b"script", {b"data-src": "a", b"src": "b"}, False, Kind.SCRIPT, ("a", "b")),
        (b"video", {b"data-poster": "a"}, False, Kind.MEDIA, ("a",)),
        (b"bgsound", {b"src": "a"}, False, Kind.MEDIA, ("a",)),
        (b"portal", {b"src": "a"}, False, Kind.IFRAME, ("a",)),
        (b"html", {b"manifest": "a"}, False, Kind.LINK, ("a",)),
        (b"html", {b"lang": "a"}, False, None, ()),
        (b"object", {b"codebase": "a", b"archive": "b c,d"}, False, Kind.OBJECT, ("a", "b", "c", "d")),
        (b"applet", {b"code": "a", b"archive": " b, c "}, False, Kind.OBJECT, ("a", "b", "c")),
        (b"param", {b"name": " Movie ", b"value": "a"}, False, Kind.OBJECT, ("a",)),
        (b"param", {b"name": "flashvars", b"value": "a"}, False, None, ()),
        (b"link", {b"rel": "compression-dictionary", b"href": "a"}, False, Kind.HINT, ("a",)),
        (b"link", {b"rel": "import", b"href": "a"}, False, Kind.LINK, ("a",)),
        (b"link", {b"rel": "pingback", b"href": "a"}, False, None, ()),
        (b"link", {b"rel": "expect", b"href": "a"}, False, None, ()),
        (b"filter", {b"href": "a"}, True, Kind.IMAGE, ("a",)),
        (b"filter", {b"href": "a"}, False, None, ()),
        (b"set", {b"attributename": "href", b"to": "a"}, True, Kind.IMAGE, ("a",)),
        (b"set", {b"attributename": "fill", b"to": "url(a)"}, True, Kind.IMAGE, ("a",)),
        (b"set", {b"attributename": "fill", b"to": "red"}, True, None, ()),
        (b"set", {b"attributename": "x", b"to": "a"}, True, None, ()),
        (b"animate", {b"attributename": "xlink:href", b"values": "a;b"}, True, Kind.IMAGE, ("a", "b")),
        (b"amp-img", {b"src": "a", b"srcset": "b 1x"}, False, Kind.IMAGE, ("a", "b")),
        (b"amp-pixel", {b"src": "a"}, False, Kind.PIXEL, ("a",)),
        (b"amp-img", {b"alt": "a"}, False, None, ()),
        (b"meta", {b"http-equiv": "Refresh", b"content": "5; url=a"}, False, Kind.REFRESH, ("a",)),
        (b"meta", {b"http-equiv": "refresh", b"content": "0;URL='a b'x"}, False, Kind.REFRESH, ("a b",)),
        (b"meta", {b"http-equiv": "refresh", b"content": "5"}, False, Kind.REFRESH, ("",)),
        (b"meta", {b"name": "refresh", b"content": "5; url=a"}, False, None, ()),
        (b"a", {b"href": "a"}, False, None, ()),
        (b"form", {b"action": "a"}, False, None, ()),
    ],
)
def test_an_element_loads_what_the_table_says(
    name: bytes, values: dict[bytes, str], foreign: bool, kind: Kind | None, urls: tuple[str, ...]
) -> None:
    """Everything that makes a browser contact a host, and nothing else: a link that points at a vendor loads nothing."""
    found = loads(name, values, foreign=foreign)
    assert (found and found.kind, found.urls if found else ()) == (kind, urls)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({b"type": ""}, True),
        ({b"type": " Text/JavaScript "}, True),
        ({b"type": "application/x-javascript"}, True),
        ({b"type": "text/javascript1.5"}, True),
        ({b"type": "text/javascript; charset=utf-8"}, False),
        ({b"type": "module"}, True),
        ({b"type": "importmap"}, False),
        ({b"type": "application/ld+json"}, False),
        ({b"type": "text/template"}, False),
        ({b"type": "text/plain"}, False),
        ({b"type": "text/partytown"}, True),
        ({b"type": "rocketlazyloadscript"}, True),
        ({b"type": "litespeed/javascript"}, True),
        ({b"type": "31d5a4ab0c-text/javascript"}, True),
        ({b"type": "31d5a4ab0c-"}, True),
        ({b"type": "text/rocketscript"}, True),
        ({b"type": "pmdelayedscript"}, True),
        ({b"type": "wphb-delay-type"}, True),
        ({b"type": "wpc-delay-script"}, True),
        ({b"type": "wpc-delay-last-script"}, True),
        ({b"type": "nitropack/inlinescript"}, True),
        ({b"type": "text/psajs"}, True),
        ({b"type": "text/prioritypsajs"}, True),
        ({b"type": "o/js-lzls"}, True),
        ({b"type": "javascript/blocked"}, False),
        ({b"type": "javascript/blocked", b"data-wpmeteor-type": "module"}, True),
        ({b"type": "speculationrules"}, False),
        ({b"language": "JavaScript"}, True),
        ({b"language": "vbscript"}, False),
    ],
)
def test_code_is_what_a_browser_or_an_optimiser_would_run(values: dict[bytes, str], expected: bool) -> None:
    """Data blocks are not to be touched; code under a type that an optimiser wrote runs a moment later."""
    assert is_code(values, foreign=False) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        ("a 1x, b 2x", ["a", "b"]),
        ("a, b", ["a", "b"]),
        (",, a ,b,, c 10w", ["a", "b,,", "c"]),
        ("a,b 1x", ["a,b"]),
        ("a (x, y) 1x, b", ["a", "b"]),
        ("data:image/png;base64,AAAA 1x, b 2x", ["data:image/png;base64,AAAA", "b"]),
        ("\na\t1x\n,\n b", ["a", "b"]),
    ],
)
def test_srcset_gives_its_candidates(text: str, expected: list[str]) -> None:
    """A comma inside a URL, or inside a descriptor's parentheses, separates nothing."""
    assert srcset_urls(text) == [url.rstrip(",") for url in expected]


@pytest.mark.parametrize(
    ("values", "foreign", "expected"),
    [
        ({}, False, True),
        ({b"src": ""}, False, False),
        ({b"data-src": "/a.js"}, False, True),
        ({b"type": "text/plain"}, False, False),
        ({b"src": "/a.js"}, True, True),
        ({b"href": "/a.js"}, True, True),
    ],
)
def test_a_scripts_text_runs_where_no_address_stands_for_it(values: Values, expected: bool, *, foreign: bool) -> None:
    """An address that is kept for later is none yet."""
    assert runs_code(values, foreign=foreign) is expected


@pytest.mark.parametrize(
    ("kind", "configures", "expected"),
    [
        ("importmap", False, True),
        (" SpeculationRules ", False, True),
        ("application/json", False, False),
        ("application/json", True, True),
        ("application/ld+json", True, False),
        ("", True, False),
    ],
)
def test_data_that_makes_something_load_is_told_from_data(kind: str, expected: bool, *, configures: bool) -> None:
    """JSON is nobody's business, save where it configures an element that asks what it names."""
    assert is_loading_data({b"type": kind}, configures=configures) is expected


@pytest.mark.parametrize(
    ("instruction", "url"),
    [
        (b'<?xml-stylesheet href="//h/a.css"?>', "//h/a.css"),
        (b"<?xml-stylesheet type='text/css' href = '//h/a.css' media='all'?>", "//h/a.css"),
        (b'<?xml-stylesheet\n href="//h/a&amp;b"?>', "//h/a&b"),
        (b'<?xml-stylesheet href=""?>', ""),
        (b"<?xml-stylesheet href=//h/?>", ""),
        (b'<?xml version="1.0" href="//h/"?>', ""),
        (b'<?xml-stylesheets href="//h/"?>', ""),
        (b"<?php echo?>", ""),
    ],
)
def test_a_processing_instruction_may_link_a_style_sheet(instruction: bytes, url: str) -> None:
    """In XML documents it loads like a link (Associating Style Sheets with XML documents 1.0)."""
    assert style_sheet_of(instruction, "utf-8") == url


def test_every_element_that_the_table_knows_is_asked_for() -> None:
    """What the scanner does not tell is not judged."""
    for name in (b"script", b"image", b"param", b"select", b"frameset", b"xmp", b"amp-youtube", b"mpath", b"html"):
        assert name in WANTED
    assert not WANTED & {b"a", b"p", b"div", b"span", b"td", b"button", b"option"}, (
        "what pages are made of passes in runs"
    )
