"""Elements of which not all is known: what might act does."""

import pytest

from gateway.page.unfinished import Holds, Unfinished
from gateway.withheld import Kind

V = "//tracker.example/p"


def loaded(element: bytes, holder: bytes, value: str, *, foreign: bool = False, **known: str) -> list[tuple[Kind, str]]:
    """What the element loads through one attribute, when it is *known* what others say."""
    unfinished = Unfinished(element, foreign=foreign)
    for told, text in known.items():
        unfinished.learn(told.replace("_", "-").encode(), text)
    return [(what.kind, url) for what in unfinished.loads(holder, value) for url in what.urls]


UNKNOWN = [
    (b"img", b"src", Kind.PIXEL),
    (b"input", b"src", Kind.IMAGE),
    (b"script", b"src", Kind.SCRIPT),
    (b"iframe", b"src", Kind.IFRAME),
    (b"object", b"data", Kind.OBJECT),
    (b"param", b"value", Kind.OBJECT),
    (b"video", b"poster", Kind.MEDIA),
]


@pytest.mark.parametrize(("element", "name", "kind"), UNKNOWN)
def test_an_address_counts_while_it_is_not_known_what_it_is_for(element: bytes, name: bytes, kind: Kind) -> None:
    """What tells may stand behind a megabyte of something else."""
    assert loaded(element, name, V) == [(kind, V)]


def test_a_link_without_its_rel_both_loads_and_connects() -> None:
    """A connection is withheld for other reasons than a file."""
    assert loaded(b"link", b"href", V) == [(Kind.STYLESHEET, V), (Kind.HINT, V)]
    assert loaded(b"link", b"href", V, rel="preconnect") == [(Kind.HINT, V)]
    assert loaded(b"link", b"href", V, rel="canonical") == []


def test_what_is_known_counts() -> None:
    """The more is known of an element, the less of it is withheld by mistake."""
    assert loaded(b"input", b"src", V, type="text") == []
    assert loaded(b"script", b"src", V, type="application/json") == []
    assert loaded(b"script", b"src", V, type="javascript/blocked") == [(Kind.SCRIPT, V)]
    assert loaded(b"img", b"src", V, width="10", height="10") == [(Kind.IMAGE, V)]
    assert loaded(b"param", b"value", V, name="quality") == []
    assert loaded(b"animate", b"values", V, foreign=True, attributename="d") == []
    assert loaded(b"animate", b"to", V, foreign=True)[0] == (Kind.IMAGE, V)


def test_what_was_too_long_to_be_known_is_not_known() -> None:
    """A rel of a megabyte may end in `stylesheet`."""
    unfinished = Unfinished(b"link", foreign=False)
    unfinished.learn(b"rel", "canonical")
    assert unfinished.loads(b"href", V) == []
    unfinished.learn(b"rel", None)
    assert [what.kind for what in unfinished.loads(b"href", V)] == [Kind.STYLESHEET, Kind.HINT]


def test_a_description_is_no_refresh() -> None:
    """A meta may be long because somebody has much to say."""
    assert loaded(b"meta", b"content", f"0; url={V}") == [(Kind.REFRESH, V)]
    assert loaded(b"meta", b"content", f" .5;{V}") == [(Kind.REFRESH, V)]
    assert loaded(b"meta", b"content", f"see {V}") == []
    assert loaded(b"meta", b"content", f"0; url={V}", http_equiv="description") == []


@pytest.mark.parametrize(
    ("known", "foreign", "runs"),
    [
        ({}, False, True),
        ({b"type": "module"}, False, True),
        ({b"type": "importmap"}, False, True),
        ({b"type": "application/json"}, False, False),
        ({b"type": "text/plain"}, False, False),
        ({b"type": "text/plain"}, True, False),
        ({b"type": "javascript/blocked"}, False, True),
    ],
)
def test_a_script_runs_unless_it_is_known_not_to(known: dict[bytes, str], foreign: bool, runs: bool) -> None:
    """An author's fence stops it only then."""
    script = Unfinished(b"script", foreign=foreign)
    for name, value in known.items():
        script.learn(name, value)
    assert script.runs() is runs
    assert Unfinished(b"p", foreign=foreign).runs() is False


HOLDS = [
    (b"img", b"src", "/a", (Kind.PIXEL, Holds.ADDRESS)),
    (b"img", b"srcset", "/a 1x", (Kind.PIXEL, Holds.CANDIDATES)),
    (b"img", b"data-srcset", "/a 1x", (Kind.PIXEL, Holds.CANDIDATES)),
    (b"link", b"imagesrcset", "/a 1x", (Kind.STYLESHEET, Holds.CANDIDATES)),
    (b"object", b"archive", "/a", (Kind.OBJECT, Holds.OTHER)),
    (b"script", b"src", "data:,", (Kind.SCRIPT, Holds.CODE_ADDRESS)),
    (b"a", b"href", "java\nscript:x", (Kind.HANDLER, Holds.CODE_ADDRESS)),
    (b"a", b"href", "/javascript:", None),
    (b"a", b"ping", "/a", (Kind.PING, Holds.OTHER)),
    (b"p", b"style", "x", (Kind.STYLE, Holds.STYLE)),
    (b"p", b"onclick", "x", (Kind.HANDLER, Holds.OTHER)),
    (b"p", b"background", "x", (Kind.IMAGE, Holds.ADDRESS)),
    (b"p", b"data-bg", "x", (Kind.IMAGE, Holds.OTHER)),
    (b"iframe", b"srcdoc", "x", (Kind.IFRAME, Holds.DOCUMENT)),
    (b"p", b"srcdoc", "x", None),
    (b"p", b"fill", "url(x)", None),
    *[
        (b"img", name, "data:image/png,", None)
        for name in (b"alt", b"title", b"class", b"id", b"data-x", b"d", b"points")
    ],
    (b"form", b"action", "/a", None),
]


@pytest.mark.parametrize(("element", "name", "value", "expected"), HOLDS)
def test_an_attribute_holds_what_its_name_says(
    element: bytes, name: bytes, value: str, expected: tuple[Kind, Holds] | None
) -> None:
    """By this it is decided how a value is read that is too long to be held."""
    assert Unfinished(element, foreign=False).holds(name, value) == expected


def test_in_svg_paint_is_a_style() -> None:
    """`fill` may be a `url(…)` there."""
    assert Unfinished(b"rect", foreign=True).holds(b"fill", "url(x)") == (Kind.STYLE, Holds.STYLE)
    assert Unfinished(b"animate", foreign=True).holds(b"values", "a;b") == (Kind.IMAGE, Holds.OTHER)


@pytest.mark.parametrize(
    ("element", "address", "harmless"),
    [
        (b"img", "data:image/png;base64,", True),
        (b"img", " DATA:text/html,", True),
        (b"img", "//tracker.example/", False),
        (b"img", "/data:", False),
        (b"link", "data:image/x-icon;base64,", True),
        (b"link", "data:text/css,", False),
        (b"video", "data:video/mp4;base64,", True),
        (b"video", "data:audio/mpegurl,", False),
        (b"video", "data:application/vnd.apple.mpegurl,", False),
        (b"track", "data:text/vtt,", True),
        (b"object", "data:application/pdf;base64,", True),
        (b"iframe", "data:image/png;base64,", True),
        (b"iframe", "data:image/svg+xml,", False),
        (b"iframe", "data:text/html,", False),
        (b"iframe", "data:,", False),
        (b"script", "data:text/javascript,", False),
        (b"use", "data:image/svg+xml,", False),
    ],
)
def test_data_contacts_nobody_where_it_is_neither_document_nor_code(
    element: bytes, address: str, harmless: bool
) -> None:
    """Pictures in their own address are what makes honest tags long."""
    assert Unfinished(element, foreign=False).is_harmless(b"src", address) is harmless
