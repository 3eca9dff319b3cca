"""Filters of long values: what names a vendor does not get through, and everything else does."""

import base64
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.context import Page
from gateway.page.elements import srcset_urls
from gateway.page.long_filters import Candidates, Code, Document
from gateway.page.markup import Markup
from gateway.page.texts import HeldText
from gateway.withheld import Action, Degraded
from tests.chunks import chunkings
from tests.test_page_rewriter import CATALOGUE, LIMITS, decision


def through(chunks: list[bytes], text_filter: HeldText) -> bytes:
    return b"".join(map(text_filter.feed, chunks)) + text_filter.close()


def is_vendor(url: bytes) -> bool:
    return b"V" in url


SETS = [
    (b"a 1x, V 2x, b", b"a 1x, , b"),
    (b"V", b""),
    (b"V,b", b""),  # one URL
    (b"V, b", b" b"),
    (b" ,V 1x", b" ,"),
    (b"a 1x,V 2x", b"a 1x,"),
    (b"a (V, V) 2x, V (b, c) 3x, d", b"a (V, V) 2x, , d"),
    (b"a ((), V 2x", b"a ((), "),
    (b"a (V, b", b"a (V, b"),
    (b"a ) , V 1x", b"a ) , "),
    (b"data:x,y 1x, V", b"data:x,y 1x, "),
    (b"a\n1x\t,\fV\r2x", b"a\n1x\t,\f"),
    (b", ,, ", b", ,, "),
    (b"", b""),
]


@pytest.mark.parametrize(("text", "expected"), SETS)
def test_a_refused_candidate_is_left_out_at_every_cut(text: bytes, expected: bytes) -> None:
    """The other candidates are the site's own pictures."""
    for chunks in chunkings(text):
        assert through(chunks, Candidates(is_vendor, limit_bytes=100)) == expected


@given(
    st.lists(st.sampled_from([b"a", b"V", b" ", b",", b"(x)", b"1x", b"\n"]), max_size=20).map(b"".join),
    st.lists(st.integers(0, 40), max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_what_is_left_of_a_srcset_are_the_candidates_that_may_stay(text: bytes, cuts: list[int]) -> None:
    """The reader in pieces and the reader of whole values must agree on what a candidate is."""
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    chunks = [text[begin:end] for begin, end in pairwise(places)]
    asked: list[str] = []

    def is_withheld(url: bytes) -> bool:
        asked.append(url.decode())
        return is_vendor(url)

    out = through(chunks, Candidates(is_withheld, limit_bytes=100))
    assert asked == srcset_urls(text.decode())
    assert srcset_urls(out.decode()) == [url for url in asked if "V" not in url]


@pytest.mark.parametrize("length", [19, 20, 21, 500])
def test_a_long_candidate_is_asked_for_by_its_begin(length: int) -> None:
    """A picture of megabytes in its own address is not held."""
    for begin, stays in ((b"data:", True), (b"V", False)):
        url = begin + b"x" * (length - len(begin))
        text = b"a 1x, " + url + b" 2x, b 3x"
        for chunks in ([text], [text[at : at + 1] for at in range(len(text))], [text[:30], text[30:]]):
            asked: list[bytes] = []

            def is_withheld(url: bytes, asked: list[bytes] = asked) -> bool:
                asked.append(url)
                return is_vendor(url)

            out = through(chunks, Candidates(is_withheld, limit_bytes=20))
            assert out == (text if stays else b"a 1x, , b 3x")
            assert asked == [b"a", url[:21], b"b"]


def test_a_long_candidate_that_ends_in_a_comma_is_followed_by_another() -> None:
    """The comma belongs to the separator, however long the URL was."""
    text = b"data:" + b"x" * 100 + b", V 1x"
    for chunks in chunkings(text):
        assert through(chunks, Candidates(is_vendor, limit_bytes=20)) == text[:-4]


def address(code: bytes, spelling: str) -> bytes:
    match spelling:
        case "base64":
            return b"data:text/javascript;base64," + base64.b64encode(code)
        case "base64 without its end":
            return b"data:text/javascript;charset=utf-8; BASE64," + base64.b64encode(code).rstrip(b"=")
        case "percent":
            return b"data:text/javascript," + quote(code, safe="").encode()
        case "percent base64":
            return b"data:;base64," + b"".join(b"%%%02x" % byte for byte in base64.b64encode(code))
        case "newlines":
            digits = base64.b64encode(code)
            lines = (digits[at : at + 3] for at in range(0, len(digits), 3))
            return b" da\nta:text/javas\tcript;base\n64," + b"\n".join(lines)
        case "javascript":
            return b"javascript:" + code
        case _:
            return b"data:text/javascript;x=base64," + code


SPELLINGS = [
    *("base64", "base64 without its end", "percent", "percent base64", "newlines", "javascript"),
    "plain, and not what it seems",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", [0, 40, 199, 193])
def test_code_in_an_address_is_read_however_it_is_spelt(spelling: str, place: int) -> None:
    """Optimising software writes scripts so, and a vendor's may be among them, at any place."""
    code = (b"go();" * 40)[:place] + b"VENDOR" + (b"go();" * 40)[place:]
    text, clean = address(code, spelling), address(b"go();" * 41, spelling)
    for source, is_clean in ((text, False), (clean, True)):
        blocks = [source[at : at + 8] for at in range(0, len(source), 8)]
        out = through(blocks, Code(lambda window: b"VENDOR" in window, limit_bytes=64))
        if is_clean:
            assert out == source
        else:
            assert out.endswith((b"!", b"%0A%01"))
            assert text.startswith(out.removesuffix(b"!").removesuffix(b"%0A%01"))
            assert b"VENDOR" not in out


def test_no_more_code_is_held_than_the_limit() -> None:
    """A script of fifty megabytes in its own address is still one script."""
    code_filter = Code(lambda _: False, limit_bytes=64)
    fed = given_back = 0
    for _ in range(100):
        fed += 10
        given_back += len(code_filter.feed(b"data:,abcd" if fed == 10 else b"abcdefghij"))
        assert fed - given_back <= 64


@pytest.mark.parametrize(
    "text",
    [
        b"https://site.example/" + b"x" * 100,
        b"data:text/javascript;base64" + b"x" * 100,
        b"data:text/javascript;base64," + base64.b64encode(("go();" * 30).encode("utf-16-le")),
        b"data:text/javascript,\x1b$B" + b"x" * 100,
    ],
)
def test_code_that_cannot_be_read_is_refused(text: bytes) -> None:
    """In UTF-16 no signature would be found; what is no address of code was taken for it by mistake."""
    code_filter = Code(lambda _: False, limit_bytes=64)
    out = through([text[at : at + 8] for at in range(0, len(text), 8)], code_filter)
    assert code_filter.is_refused
    assert len(out) < len(text)


def test_a_first_look_judges_what_came_so_far() -> None:
    """While nothing has gone out the whole attribute can still be put out of force."""
    for code, may_stay in ((b"go();", True), (b"VENDOR", False)):
        code_filter = Code(lambda window: b"VENDOR" in window, limit_bytes=64)
        assert code_filter.feed(b"data:," + code) == b""
        assert code_filter.look() is may_stay


def test_what_a_document_withholds_is_told_of_the_page_around_it() -> None:
    """The log knows one page; that it had a page in it is the business of nobody."""
    page = Page(CATALOGUE.matcher, decision(), "https://site.example/", LIMITS, xml=False)
    inner = page.inner()
    document = Document(page, inner, Markup(inner), at=77)
    out = through([b"<p><img src=//tracker", b".example/p><!-- consent:block x -->"], document)
    assert b"data-consent-src=//tracker.example/p" in out
    assert [(fact.vendor, fact.offset, fact.action) for fact in page.report.withheld] == [
        ("tracker-example", 77, Action.REMOVED)
    ]
    assert set(page.report.degraded) == {Degraded.UNKNOWN_FENCE, Degraded.UNCLOSED_FENCE}
    assert (inner.report.withheld, inner.report.degraded) == ([], [])
