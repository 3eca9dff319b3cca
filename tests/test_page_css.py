"""URLs in style sheets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.css import INVALID, Cleaner, fetches, without
from tests.chunks import chunkings


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
        ('@import "a.css" layer(base) supports(display: grid) screen;', ["a.css"]),
        ("background: cross-fade(url(a.png), url('b.png'), 50%)", ["a.png", "b.png"]),
        ("background: -webkit-cross-fade(url(a.png), url(b.png), .5)", ["a.png", "b.png"]),
        ('background: image("a.png", red)', ["a.png"]),
        ('@font-face { src: local("A B"), url(a.woff2) format("woff2") tech("variations") }', ["a.woff2"]),
        ("@namespace url(http://www.w3.org/1999/xhtml); a { b: url(c) }", ["c"]),
        ('@namespace svg "http://www.w3.org/2000/svg"; a { b: url(c) }', ["c"]),
        ("@document url(http://a/), domain(b) { c { d: url(e) } }", ["e"]),
        ("@-moz-document url('http://a/') { c { d: url(e) } }", ["e"]),
        ('a { background: attr(data-src type(<url>), "x") }', []),
        ("a { --x: url(a.png); background: var(--x) }", ["a.png"]),
        ('a { --x: "//h/a.png"; b: image-set(var(--x) 1x) }', ["//h/a.png"]),
        ("a { --x: 'https://h/a.png' }", ["https://h/a.png"]),
        ('a { --x: "see https://h/"; --y: "words"; --z: "a/b" }', []),
        ('a { --x: 1; content: "//h/" }', []),
        ('.a--b:hover { content: "https://h/" } .c { content: "//h/" }', []),
        ('.a\\"b { c: url(d) } .e { content: "url(f)" }', ["d"]),
        (".before\\:content-\\[\\'\\'\\]::before { content: 'url(a)' } b { c: url(d) }", ["d"]),
        (".w-1\\/2 { b: url(c) } .d\\@e { f: url(g) }", ["c", "g"]),
        ("a { b: u\\52l(c) } d { e: \\75\\72\\6c('f') }", ["c", "f"]),
        ("a { b: image-set(url(c) 1x, 'd' 2x) } e { f: 'g' }", ["c", "d"]),
        ("a { b: url(c d) url(e) }", ["e"]),
        ("<!-- a { b: url(c) } -->", ["c"]),
        ("a { b: 'c\\", []),
        ("a { b: url(c\\", ["c"]),
        ("\\", []),
        ("@", []),
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
        "--",
        ":",
        "@namespace ",
        "72 ",
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


SHEETS = [
    b"a{b:url(//t/1)}@import '//t/2';c{d:'url(//t/3)'}/* url(//t/4) */e{f:image-set('//t/5' 1x)}",
    b'@font-face{src:url("data:font/woff2;base64,AAAA;BBBB)CCCCDDDDEEEEFFFF") format("woff2")}a{b:url("//t/1")}',
    b"a{b:url(data:image/png;base64,AAAABBBBCCCCDDDDEEEE)}c{d:url(//t/1)}",
    b".a\\22 b{c:u\\72l(//t/1)}/* ; } ' */d{e:'\\'url(//t/2)'}",
    b"/* a very long comment; with } and ' and ** in it **/a{b:url( '//t/1' )}",
    b'a{content:"a long string with \\" quotes \\\\";b:url(//t/1)}',
    b"@import url(//t/1);@namespace url(//t/2);a{--b:'//t/3';c:url(//u/4)}",
    b'a{b:"broken\n}c{d:url(//t/1)}',
    b"a{b:url(//t/1 and more than a url) ; c:url(//t/2)}",
]


def is_vendors(url: bytes) -> bool:
    return url.strip().startswith(b"//t/")


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("limit_bytes", [12, 40, 1000])
def test_a_sheet_in_pieces_comes_out_as_in_one(sheet: bytes, limit_bytes: int) -> None:
    """A font in the sheet is longer than what is held of it, and the quote that ends it must not be taken for one that begins."""
    expected = without(sheet, is_vendors)
    for chunks in chunkings(sheet):
        cleaner = Cleaner(is_vendors, limit_bytes=limit_bytes)
        out = b"".join(map(cleaner.feed, chunks)) + cleaner.close()
        assert out == expected, chunks


@pytest.mark.parametrize("opens", [b"url(", b'url("', b"url('", b'@import "', b"@import url(", b'src("'])
@pytest.mark.parametrize("length", [99, 100, 101, 1000])
def test_a_url_longer_than_is_held_is_picked_by_its_begin(opens: bytes, length: int) -> None:
    """Nothing of the vendor's address may stay, and nothing behind it may be lost."""
    closes = {b"(": b")", b'"': b'"', b"'": b"'"}[opens[-1:]] + (b")" if opens[-2:-1] == b"(" else b"")
    sheet = b"a{}" + opens + b"//t/" + b"x" * (length - 4) + closes + b";b{c:url(//t/2)}d{e:'url(//t/3)'}"
    expected = b"a{}" + opens + INVALID + closes + b";b{c:url(about:invalid)}d{e:'url(//t/3)'}"
    for size in (1, 7, 64, len(sheet)):
        cleaner = Cleaner(is_vendors, limit_bytes=100)
        out = b"".join(cleaner.feed(sheet[at : at + size]) for at in range(0, len(sheet), size)) + cleaner.close()
        assert out == expected, size


@pytest.mark.parametrize("sheet", [b"url(" + b" " * 300 + b"//t/1)", b"@import '" + b" " * 300 + b"//t/1'"])
def test_a_url_behind_more_blanks_than_are_held_is_not_trusted(sheet: bytes) -> None:
    """Where the host does not stand in the part that was read, nobody knows it."""
    cleaner = Cleaner(is_vendors, limit_bytes=100)
    out = cleaner.feed(sheet) + cleaner.close()
    assert INVALID in out
    assert b"//t/1" not in out


def test_a_sheet_is_held_back_no_further_than_the_limit() -> None:
    """Memory per page is bounded whatever its styles hold."""
    cleaner = Cleaner(is_vendors, limit_bytes=1000)
    fed = out = 0
    for piece in [b"a{b:url(data:", *[b"x" * 100] * 100, b")}", *[b"c{d:e}"] * 1000, b"/*", *[b"*" * 100] * 50]:
        fed += len(piece)
        out += len(cleaner.feed(piece))
        assert fed - out <= 1000 + len(piece)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAGMENTS, max_size=24).map("".join), st.integers(0, 60), st.integers(1, 9))
def test_no_cut_changes_what_becomes_of_any_sheet(css: str, cut: int, size: int) -> None:
    """The same sheet must not leak on a slow line."""
    data = css.encode()
    expected = without(data, lambda url: url != INVALID)
    for chunks in ([data[:cut], data[cut:]], [data[at : at + size] for at in range(0, len(data), size)]):
        cleaner = Cleaner(lambda url: url != INVALID, limit_bytes=64)
        assert b"".join(map(cleaner.feed, chunks)) + cleaner.close() == expected
