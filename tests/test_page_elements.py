"""The table of what loads what."""

import pytest

from gateway.page.elements import is_code, loads, srcset_urls
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
