"""URLs as a browser parses them, in markup and at the start of strings in code."""

import time

import ada_url
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.vendors import url as urls

PAGE = "https://site.example/a/b?c#d"


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("https://tracker.example/visit", "tracker.example", "/visit"),
        ("HTTPS://TRACKER.example/Visit", "tracker.example", "/Visit"),
        ("  \x00\x1f\thttps://tracker.example/visit \n", "tracker.example", "/visit"),
        ("ht\ntps://track\ter.example/vi\rsit", "tracker.example", "/visit"),
        ("https:\\\\tracker.example\\visit", "tracker.example", "/visit"),
        ("https:///tracker.example/visit", "tracker.example", "/visit"),
        ("http:/tracker.example/visit", "tracker.example", "/visit"),
        ("http:tracker.example/visit", "tracker.example", "/visit"),
        ("https:/tracker.example/visit", "site.example", "/tracker.example/visit"),
        ("//tracker.example/visit", "tracker.example", "/visit"),
        ("\\\\tracker.example/visit", "tracker.example", "/visit"),
        ("/\\tracker.example/visit", "tracker.example", "/visit"),
        ("\t//tracker.example/visit", "tracker.example", "/visit"),
        ("https://user:pass@tracker.example:8443/visit", "tracker.example", "/visit"),
        ("https://site.example@tracker.example/visit", "tracker.example", "/visit"),
        ("https://site.example%40x@tracker.example/", "tracker.example", "/"),
        ("https://tracker.example:443/visit", "tracker.example", "/visit"),
        ("https://tracker.example./visit", "tracker.example", "/visit"),
        ("https://tracker.example../visit", "tracker.example", "/visit"),
        ("https://track%65r.example/visit", "tracker.example", "/visit"),
        ("https://tracker%2eexample/visit", "tracker.example", "/visit"),
        ("https://tracker。example/visit", "tracker.example", "/visit"),
        ("https://\uff54racker.example/visit", "tracker.example", "/visit"),
        ("https://track\u00ader.example/visit", "tracker.example", "/visit"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("https://tracker.example/a/../visit", "tracker.example", "/visit"),
        ("https://tracker.example/a/%2E%2e/visit", "tracker.example", "/visit"),
        ("https://tracker.example/vis%69t", "tracker.example", "/vis%69t"),
        ("wss://tracker.example/visit", "tracker.example", "/visit"),
        ("http://0x7f.1/visit", "127.0.0.1", "/visit"),
        ("http://[::1]:80/visit", "[::1]", "/visit"),
        ("https://tracker.example/\ud800", "tracker.example", "/%EF%BF%BD"),
        ("https://tracker.example/\ud83d\ude00", "tracker.example", "/%F0%9F%98%80"),
        ("visit", "site.example", "/a/visit"),
        ("?q", "site.example", "/a/b"),
        ("", "site.example", "/a/b"),
    ],
)
def test_a_url_is_read_as_a_browser_reads_it(text: str, host: str, path: str) -> None:
    """A spelling that the browser follows and we do not would be a way past every rule."""
    url = urls.parse(text, PAGE)
    assert url is not None
    assert (url.host, url.path) == (host, path)


@pytest.mark.parametrize(
    "text",
    [
        "data:text/html,https://tracker.example/",
        " DA\nTA:text/html,x",
        "blob:https://tracker.example/1",
        "javascript:fetch('https://tracker.example/')",
        "about:blank",
        "mailto:a@tracker.example",
        "file:///tracker.example/",
        "ftp://tracker.example/",
        "https://tracker.example:99999/",
        "https://tracker.example%2Fx/",
        "https://track er.example/",
        "https://%00.example/",
        "https://./",
        "https://",
        "https://[::1",
    ],
)
def test_what_a_browser_does_not_fetch_is_no_url(text: str) -> None:
    """Such a value contacts nobody; to withhold it would break pages for nothing."""
    assert urls.parse(text, PAGE) is None


def test_a_relative_url_without_a_base_is_none() -> None:
    """Without a page nobody can say where it leads."""
    assert urls.parse("/visit") is None
    assert urls.parse("//tracker.example/visit") is None


@pytest.mark.parametrize("base", ["", "http://other.example/", "https://[", "not a base", "data:text/html,x", "\ud800"])
def test_a_base_that_is_none_does_not_hide_an_absolute_url(base: str) -> None:
    """A page with a broken base element still loads what it names in full."""
    url = urls.parse("https://tracker.example/visit", base)
    assert url is not None
    assert url.host == "tracker.example"


@pytest.mark.parametrize("base", ["https://[", "HTTPS://site.example/", "http://site.example/", PAGE])
def test_a_url_without_scheme_has_a_host_whatever_the_base(base: str) -> None:
    """The host stands in the URL itself."""
    url = urls.parse("//tracker.example/visit", base)
    assert url is not None
    assert url.host == "tracker.example"
    assert url.scheme == ("http" if base.startswith("http:") else "https")


@pytest.mark.parametrize("length", [511, 512, 513, 64 * 1024, 1024 * 1024])
@pytest.mark.parametrize(
    "shape",
    ["https://tracker.example/{}", "https://tracker.example/visit?{}", "https://{}@tracker.example/visit"],
)
def test_length_hides_no_host(shape: str, length: int) -> None:
    """A URL of a megabyte contacts its host as a short one does."""
    url = urls.parse(shape.format("a" * length), PAGE)
    assert url is not None
    assert url.host == "tracker.example"


def test_only_short_urls_are_remembered() -> None:
    """Data in URLs would otherwise fill the memory of the process, page by page."""
    short, long = "https://remembered.example/" + "a" * 400, "https://remembered.example/" + "a" * 1000
    before = urls._parse_cached.cache_info().currsize
    if before == urls._CACHE_SIZE:
        urls._parse_cached.cache_clear()
        before = 0
    urls.parse(long, PAGE)
    assert urls._parse_cached.cache_info().currsize == before
    urls.parse(short, PAGE)
    assert urls._parse_cached.cache_info().currsize == before + 1
    urls.parse(short, "https://site.example/another/page")
    assert urls._parse_cached.cache_info().currsize == before + 1


URL_TEXT = st.text(st.sampled_from(list("htps:/\\@?#[].%2eaA1 \t-_é。\ud800")), max_size=40)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), URL_TEXT, URL_TEXT.map("https://".__add__)), st.sampled_from(["", PAGE]))
@example("https://u:p@h:1/p?q#f", "")
@example("ws://[::1]/?", "")
def test_the_parts_are_those_of_the_parser(text: str, base: str) -> None:
    """The parts are cut out of one serialized URL; that must give what the parser itself would answer."""
    url = urls.parse(text, base)
    if "\ud800" in text:
        return  # the parser itself would raise; that we do not is the point
    try:
        parsed = ada_url.URL(text, base=base) if base else ada_url.URL(text)
    except ValueError:
        assert url is None
        return
    if parsed.protocol not in {"http:", "https:", "ws:", "wss:"} or not parsed.hostname.strip("."):
        assert url is None
        return
    assert url == urls.Url(
        href=parsed.href,
        scheme=parsed.protocol.rstrip(":"),
        host=parsed.hostname.rstrip("."),
        path=parsed.pathname,
        query=parsed.search.removeprefix("?"),
    )


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (b'load("https://tracker.example/x")', ["https://tracker.example/x"]),
        (b"load('//tracker.example/x?y=1')", ["//tracker.example/x?y=1"]),
        (b"load(`wss://tracker.example/${id}`)", ["wss://tracker.example/${id}"]),
        (b'load(" HTTP://Tracker.example")', ["HTTP://Tracker.example"]),
        (rb'{"u":"https:\/\/tracker.example\/x"}', ["https://tracker.example/x"]),
        (rb"""document.write("<img src=\"//tracker.example/p\">")""", ["//tracker.example/p"]),
        (rb"'https://tracker.example/x\n'", ["https://tracker.example/x"]),
        (b'a="https://t.example";b="https://t.example"', ["https://t.example"]),
        (b'log("see https://tracker.example/x")', []),
        (b'"ftp://tracker.example/x"', []),
        (b"a = b //tracker.example/x", []),
        (b"// \"https://tracker.example/1\"\n\t// '//tracker.example/2'\nf()", []),
        (b'f();\r  // "https://tracker.example/1"\r"//u.example/"', ["//u.example/"]),
        (b'// x\xe2\x80\xa8"https://tracker.example/1"', ["https://tracker.example/1"]),
        (b'/* "https://tracker.example/1"\n "//v.example" */ "//w.example"', ["//w.example"]),
        (b'\n /* "https://tracker.example/1"', ["https://tracker.example/1"]),
        (b'f() // "https://tracker.example/1"', ["https://tracker.example/1"]),
        (b'f("/* ", "https://tracker.example/1", " */")', ["https://tracker.example/1"]),
        (b'x = /[/*]/; y = "https://tracker.example/1"', ["https://tracker.example/1"]),
        (b"'\xff\xfe//' '//t.example/\xe9'", ["//t.example/\ufffd"]),
        (b"", []),
        (b'"//"', []),
    ],
)
def test_urls_that_begin_strings_are_found_in_code(code: bytes, found: list[str]) -> None:
    """A loader names its host at the start of a string; a remark or a sentence that mentions it loads nothing."""
    assert urls.in_code(code) == found


@pytest.mark.parametrize(
    "unit", [b'\n/*"//a.b/c"', b'"', b'"//a', b"\n//x", b'" ', b"/", b'"/\\', b"\n/**", b"`https:", b"\xe2\x80"]
)
def test_code_is_searched_in_linear_time(unit: bytes) -> None:
    """A page must not be able to stall the proxy with the text of a script."""

    def seconds(size: int) -> float:
        code = (unit * (size // len(unit) + 1))[:size] + b'\n"//end.example"'
        started = time.perf_counter()
        urls.in_code(code)
        return time.perf_counter() - started

    least = min(seconds(20_000) for _ in range(3))
    assert min(seconds(160_000) for _ in range(2)) < 8 * 4 * least + 0.02


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=200), st.text(st.sampled_from(list("\"'`/\\*:htps. \n\u2028")), max_size=60).map(str.encode)
    )
)
def test_no_code_makes_the_search_raise(code: bytes) -> None:
    """Scripts are whatever bytes the site sends."""
    for text in urls.in_code(code):
        urls.parse(text, PAGE)
