"""URLs in style sheets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.css import INVALID, fetches, without


@pytest.mark.parametrize(
    ("css", "urls"),
    [
        ("", []),
        ("color: red", []),
        ("background: url(a.png)", ["a.png"]),
        ("background: url( 'a b.png' ), url(\"c.png\")", ["a b.png", "c.png"]),
        ("background:URL(a.png)", ["a.png"]),
        ("background: u\\72l(a.png)", ["a.png"]),
        ("background: u\\72 l('a.png')", ["a.png"]),
        ("background: url(//h\\2e x/a\\)b)", ["//h.x/a)b"]),
        ("background: url(a.png", ["a.png"]),
        ('background: url("a.png', ["a.png"]),
        ("@import 'a.css';", ["a.css"]),
        ('@import url("a.css") print;', ["a.css"]),
        ("@import url(a.css);", ["a.css"]),
        ('@\\69mport "a.css";', ["a.css"]),
        ('@IMPORT/**/"a.css" layer("x");', ["a.css"]),
        ('@charset "utf-8"; @import "b.css"', ["b.css"]),
        ("background: image-set('a.png' 1x, \"b.png\" 2x)", ["a.png", "b.png"]),
        ("background: -webkit-image-set(url(a.png) 1x)", ["a.png"]),
        ('background: image-set("a.avif" type("image/avif"))', ["a.avif"]),
        ('src: src("a.woff")', ["a.woff"]),
        ("content: 'url(a.png)'; x: \"@import b\"", []),
        ("/* url(a.png) */ b { c: url(d) }", ["d"]),
        ("/* url(a.png)", []),
        ('font: "https://h/"; @font-face { src: url(b) }', ["b"]),
        ("width: calc((1px + var(--url)) * 2); background: url(c)", ["c"]),
        ("a { b: attr(x url) } .url { } #src { }", []),
        ("x: notaurl(a.png)", []),
        ("content: 'a\\\nb'; d: url(e)", ["e"]),
        ("content: 'a\nb: url(c)", ["c"]),
        ("background: url('a\\'b')", ["a'b"]),
    ],
)
def test_what_a_browser_would_fetch_is_found(css: str, urls: list[str]) -> None:
    """A picture in a style contacts its host like any other; text that looks like one does not."""
    assert [fetch.url.decode() for fetch in fetches(css.encode())] == urls


def test_only_what_is_withheld_changes() -> None:
    """The rest of the style sheet is the site's own look."""
    css = b"a { b: url(//t.example/1) } /* c */ @import '//t.example/2'; d { e: url( x.png ) }"
    expected = b"a { b: url(%b) } /* c */ @import '%b'; d { e: url( x.png ) }" % (INVALID, INVALID)
    assert without(css, lambda url: b"t.example" in url) == expected
    assert without(css, lambda _url: False) == css
    assert fetches(expected)[0].url == INVALID


FRAGMENTS = st.sampled_from(
    [
        "url(",
        "src(",
        "image-set(",
        ")",
        "(",
        '"',
        "'",
        "\\",
        "\\75 ",
        "@import ",
        "/*",
        "*/",
        ";",
        "{",
        "}",
        "a",
        " ",
        "\n",
        "//t/",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAGMENTS, max_size=16).map("".join))
def test_any_style_sheet_is_read_to_its_end(css: str) -> None:
    """Broken style sheets are many; after removal nothing is left to remove."""
    data = css.encode()
    assert all(0 <= fetch.begin <= fetch.end <= len(data) for fetch in fetches(data))
    clean = without(data, lambda url: url != INVALID)
    assert all(fetch.url == INVALID for fetch in fetches(clean))
