"""Tokens of a page: where tags, text and comments begin and end, at every cut."""

import itertools

import pytest
import turbohtml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.scanner import _CONTENT_IS_TEXT, Piece, Scanner, Token
from tests.chunks import chunkings

WANTED = frozenset({b"script", b"img", b"iframe", b"link"})


def scan(chunks: list[bytes], *, limit: int = 1000, xml: bool = False) -> list[Piece]:
    scanner = Scanner(wanted=WANTED, tag_limit_bytes=limit, xml=xml)
    pieces = [piece for chunk in chunks for piece in scanner.feed(chunk)]
    return pieces + list(scanner.close())


def merged(pieces: list[Piece]) -> list[tuple[Token, bytes, bytes]]:
    """Neighbours of one kind joined: their number may depend on the cut, their sum may not.

    Opaque pieces count as runs, and a long tag that has ended is one. So do tags that are told for their attributes
    only: one more may be told when it comes in pieces, and whoever asked takes it apart and finds nothing.
    """
    joined: list[tuple[Token, bytes, bytes]] = []
    for piece in pieces:
        is_told = piece.token is not Token.START or piece.name in WANTED | _CONTENT_IS_TEXT
        token = piece.token if is_told and piece.token is not Token.OPAQUE else Token.RUN
        name = b"" if token is Token.RUN else piece.name
        before = joined[-1] if joined else (Token.END, b"", b"")
        if (token in (Token.RUN, Token.TEXT) and (before[0], before[2]) == (token, name)) or before[0] is Token.LONG:
            joined[-1] = (token, before[1] + piece.raw, name)
        else:
            joined.append((token, piece.raw, name))
    return joined


def told(page: bytes, *, xml: bool = False) -> list[str]:
    """The start tags told, each with the text that is its content."""
    found: list[str] = []
    for token, raw, name in merged(scan([page], xml=xml)):
        if token is Token.START:
            found.append(name.decode())
        elif token is Token.TEXT:
            found[-1] += f":{raw.decode()}"
    return found


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"a <b> <img> c", ["img"]),
        (b"a < img> <3 <img", []),
        (b"<!-- <img> --><img>", ["img"]),
        (b"<!--><img>-->", ["img"]),
        (b"<!---><img>-->", ["img"]),
        (b"<!-- --!><img>", ["img"]),
        (b"<!-- -- ><img>", []),
        (b"<!--<img>", []),
        (b"<!-x <img>", []),
        (b"<!doctype html 'a><img>", ["img"]),
        (b"<? x ><img>", ["img"]),
        (b"</ x><img></><img></3><img>", ["img", "img", "img"]),
        (b"<![CDATA[<img>]]>", []),
        (b"<![CDATA[ > <img>]]>", ["img"]),
        (b'<a title="<img>"><img>', ["img"]),
        (b"<a title='>'<img><img>", ["img"]),
        (b'<a b="c"<img>', []),
        (b"<IMG><iMg/>", ["img", "img"]),
        (b"<imgs><img-x><image>", []),
        (b"<title><img></title><img>", ["title:<img>", "img"]),
        (b"<textarea></text<img></textarea x=y><img>", ["textarea:</text<img>", "img"]),
        (b"<style><!--</style><img>", ["style:<!--", "img"]),
        (b"<xmp></xmpx><img></XMP\n><img>", ["xmp:</xmpx><img>", "img"]),
        (b"<iframe><img></iframe><img>", ["iframe:<img>", "img"]),
        (b"<noscript><!--</noscript><img>", ["noscript:<!--", "img"]),
        (b"<plaintext></plaintext><img>", ["plaintext:</plaintext><img>"]),
        (b"<script>a<b</script><img>", ["script:a<b", "img"]),
        (b"<script></scripts></script ><img>", ["script:</scripts>", "img"]),
        (b"<script><!--<script></script></script><img>", ["script:<!--<script></script>", "img"]),
        (b"<script><!--<scripts></script><img>", ["script:<!--<scripts>", "img"]),
        (b"<script><!--><script></script><img>", ["script:<!--><script>", "img"]),
        (b"<script><!-- --><script></script><img>", ["script:<!-- --><script>", "img"]),
        (b"<script><!--<script>--></script><img>", ["script:<!--<script>-->", "img"]),
        (b"<script><!--<script></script/--></script><img>", ["script:<!--<script></script/-->", "img"]),
        (b"<script>", ["script"]),
        (b"<script/><img></script>", ["script:<img>"]),
        (b"<svg><style><img></style></svg><img>", ["style", "img", "img"]),
        (b"<svg><style/></svg><style><img></style>", ["style", "style:<img>"]),
        (b"<svg><title><style><img></style></title></svg>", ["title", "style:<img>"]),
        (b"<svg><foreignObject><style><img></style></foreignObject><style></svg>", ["style:<img>", "style"]),
        (b"<svg><![CDATA[<img>]]></svg><![CDATA[<img>]]>", []),
        (b"<svg><p><style><img></style>", ["style:<img>"]),
        (b"<svg><font><style></style><font size=1><style><img></style>", ["style", "style:<img>"]),
        (b"<svg></p><style><img></style>", ["style:<img>"]),
        (b"<svg/><style><img></style>", ["style:<img>"]),
        (b"<svg><script/><script>a</script><script>b<img>", ["script", "script:a", "script:b", "img"]),
        (b"<math><mi><style><img></style></mi><style></math>", ["style:<img>", "style"]),
        (b"<svg><svg></svg><style></style></svg><style><img></style>", ["style", "style:<img>"]),
        (b"<svg a='x'></SVG><title><img></title>", ["title:<img>"]),
    ],
)
def test_tokens_are_those_of_the_html_standard_at_every_cut(page: bytes, expected: list[str]) -> None:
    """A tag that the scanner sees and the browser does not, or the other way round, is a leak or a broken page."""
    assert told(page) == expected
    whole = merged(scan([page]))
    assert b"".join(raw for _, raw, _ in whole) == page
    for chunks in chunkings(page):
        assert merged(scan(chunks)) == whole, chunks


@pytest.mark.parametrize(
    ("tag", "is_told"),
    [
        (b"<p onclick=x>", True),
        (b'<p class="a" ONCLICK="x">', True),
        (b"<p class='a'style=x>", True),
        (b"<p/ping=x>", True),
        (b"<x-y background=x>", True),
        (b"<p class='on style' id=on>", False),
        (b"<p data-on=x title=style>", False),
        (b"</p onclick=x>", False),
    ],
)
def test_a_tag_whose_attributes_may_act_is_told_whatever_its_element(tag: bytes, *, is_told: bool) -> None:
    """A handler, a style or a ping on a paragraph contacts a vendor as well as a script does."""
    for chunks in chunkings(b"<i>" + tag + b"<b>"):
        starts = [piece.raw for piece in scan(chunks) if piece.token is Token.START]
        assert tag in starts or not is_told
        assert starts in ([], [tag])


def test_in_xml_an_empty_element_ends_where_it_stands() -> None:
    """Read as HTML, `<script/>` would swallow the rest of an XHTML page, and every vendor in it."""
    page = b"<script src='a'/><img/><style><img/></style><![CDATA[<img/>]]><script>a &lt; b</script>"
    assert told(page, xml=True) == ["script", "img", "style", "img", "script:a &lt; b"]
    for chunks in chunkings(page):
        assert merged(scan(chunks, xml=True)) == merged(scan([page], xml=True))


@pytest.mark.parametrize("length", [39, 40, 41])
def test_a_start_tag_is_told_whole_up_to_the_limit_and_in_pieces_beyond_it(length: int) -> None:
    """Memory is bounded; the bound must hold whether the tag comes whole or in pieces."""
    tag = b"<img alt='" + b"x" * (length - 12) + b"'>"
    assert len(tag) == length
    for chunks in chunkings(tag + b"<p>"):
        found = merged(scan(chunks, limit=40))
        token = Token.START if length <= 40 else Token.LONG_END
        assert found == [(token, tag, b"img"), (Token.RUN, b"<p>", b"")]


@pytest.mark.parametrize("name", [b"a", b"/img", b"svg"])
def test_a_long_tag_that_nobody_asked_for_passes_untouched(name: bytes) -> None:
    """A div with a megabyte of data attributes is the site's own business."""
    page = b"<" + name + b" data-x='" + b"<img>" * 40 + b"'>x<style>y"
    for chunks in chunkings(page):
        pieces = scan(chunks, limit=40)
        assert b"".join(piece.raw for piece in pieces) == page
        assert [piece.name for piece in pieces if piece.token is Token.START] == [b"style"]


def test_content_of_an_oversize_script_is_still_its_content() -> None:
    """Otherwise the code would come to stand in the page as text, and markup inside its strings as elements."""
    page = b"<script data-x='" + b"x" * 99 + b"'>var a = '<img>'</script><img>"
    for chunks in chunkings(page):
        tokens = [(piece[0], piece[2]) for piece in merged(scan(chunks, limit=40)) if piece[0] is not Token.RUN]
        assert [t for t in tokens if t[0] is not Token.TEXT] == [
            (Token.LONG_END, b"script"),
            (Token.END, b"script"),
            (Token.START, b"img"),
        ]


MARKUP = st.lists(
    st.sampled_from(
        [
            b"<", b">", b"/", b"!", b"-", b"--", b"=", b"'", b'"', b" ", b"a", b"\n", b"\0", b"\xff", b"<!--", b"-->",
            b"--!>", b"<script>", b"<script", b"</script>", b"<img ", b"<iframe>", b"</iframe>", b"<title>", b"</title>",
            b"<p>", b"<a href=", b"<![CDATA[", b"]]>", b"<noscript>", b"</noscript>", b"<style>", b"</style>", b"<?",
        ]
    ),
    max_size=24,
).map(b"".join)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(page=MARKUP, cuts=st.lists(st.integers(0, 80), max_size=4), limit=st.sampled_from([12, 1000]))
def test_no_cut_changes_the_tokens_of_any_markup(page: bytes, cuts: list[int], limit: int) -> None:
    """Networks cut pages where they like."""
    places = sorted({0, len(page), *(cut for cut in cuts if cut < len(page))})
    chunks = [page[a:b] for a, b in itertools.pairwise(places)]
    assert merged(scan(chunks, limit=limit)) == merged(scan([page], limit=limit))


# Without svg and math, which a bare tokenizer does not follow either, and with noscript as its content is text here.
@settings(max_examples=400, deadline=None)
@given(page=MARKUP.filter(lambda page: b"\0" not in page and b"\xff" not in page))
def test_start_tags_are_those_of_an_independent_tokenizer(page: bytes) -> None:
    """Two readings of one standard that agree on odd markup are probably both right."""
    ours = [piece.name.decode() for piece in scan([page]) if piece.token is Token.START and piece.name in _TOLD]
    assert ours == [name for name in _turbo_start_tags(page.decode()) if name.encode() in _TOLD]


_TOLD = WANTED | {b"title", b"noscript", b"style"}


def _turbo_start_tags(text: str) -> list[str]:
    return [token.tag or "" for token in turbohtml.tokenize(text) if token.type is turbohtml.TokenType.START_TAG]


@pytest.mark.parametrize("filler", [b"<img a='", b"<script>", b"<!--", b"<style>", b"<p title='", b"<title>"])
def test_an_unfinished_construct_costs_linear_time_in_small_pieces(filler: bytes) -> None:
    """A page that never ends a tag must not make every further byte dearer than the last."""

    def steps(size: int) -> int:
        scanner = Scanner(wanted=WANTED, tag_limit_bytes=1 << 20)
        kept = 0
        for chunk in [filler] + [b"x" * 16] * size:
            list(scanner.feed(chunk))
            kept = max(kept, len(scanner._buffer) - scanner._at)  # the part that a next feed copies
        return kept

    assert steps(400) <= 64
