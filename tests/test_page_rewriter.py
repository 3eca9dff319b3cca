"""Pages through the rewriter: golden files, every cut, every degraded path."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.decide import given as granted
from gateway.consent.model import Decision
from gateway.page.inert import CUT
from gateway.page.rewriter import PageLimits, Rewriter, UnreadableCharset
from gateway.vendors import catalogue
from gateway.withheld import Action, Degraded, Kind, Withheld
from tests.chunks import chunkings

GOLDEN = Path(__file__).parent / "golden"
CATALOGUE = catalogue.load([{path.name: path.read_bytes() for path in sorted((GOLDEN / "rules").glob("*.toml"))}])
LIMITS = PageLimits(tag_bytes=2000, inline_bytes=2000)


def decision(*names: str) -> Decision:
    return granted(names or ("necessary",), vendors=CATALOGUE.vendors)


def rewrite(
    chunks: list[bytes],
    *,
    grant: tuple[str, ...] = (),
    site: str = "https://site.example/shop/page",
    charset: str = "utf-8",
    limits: PageLimits = LIMITS,
    xml: bool = False,
    rules: catalogue.Catalogue = CATALOGUE,
) -> tuple[bytes, list[Withheld], list[Degraded]]:
    rewriter = Rewriter(
        matcher=rules.matcher, decision=decision(*grant), site=site, charset=charset, limits=limits, xml=xml
    )
    out = b"".join(map(rewriter.feed, chunks)) + rewriter.close()
    return out, *rewriter.take_report()


def told(withheld: list[Withheld]) -> str:
    return "".join(
        f"{thing.kind} {thing.vendor} {thing.rule} {thing.action} {thing.host or '-'} @{thing.offset}\n"
        for thing in withheld
    )


def granted_in(options: str) -> tuple[str, ...]:
    """The settings of a golden file: what the visitor agreed to."""
    return tuple(tomllib.loads(options).get("grant", ()))


@pytest.mark.parametrize("path", sorted((GOLDEN / "pages").glob("*.txt")), ids=lambda path: path.stem)
def test_a_golden_page_comes_out_as_it_should_at_every_cut(path: Path) -> None:
    """Each file: settings, a page, what becomes of it, and what the log is told."""
    options, page, expected, report = path.read_text().split("-----\n")
    grant = granted_in(options)
    whole = rewrite([page.encode()], grant=grant)
    assert whole[0].decode() == expected
    assert told(whole[1]) == report
    for chunks in chunkings(page.encode()):
        assert rewrite(chunks, grant=grant) == whole, chunks


UNTOUCHED = [
    b'<a href="https://tracker.example/">our partner tracker.example</a>',
    b"<!-- <script src=https://tracker.example/t.js></script> -->",
    b"<textarea><script src=https://tracker.example/t.js></script></textarea>",
    b"<title><img src=https://tracker.example/p.gif></title>",
    b"<style>/* <img src=https://tracker.example/p.gif> */</style>",
    b'<script type="application/ld+json">{"url": "https://tracker.example/"}</script>',
    b'<script type="application/json">["https://tracker.example/t.js"]</script>',
    b"<template><script src=https://tracker.example/t.js></script></template>",
    b"<template><template></template><img src=https://tracker.example/p.gif></template>",
    b"<script>var note = 'see https://tracker.example/ for more'</script>",
    b"<script src=https://nottracker.example/t.js></script>",
    b"<script src=https://tracker.example.site.example/t.js></script>",
    b"<script src=/t.js?host=https://tracker.example/></script>",
    b"<img src=//cdn.example/tracker.example/p.gif>",
    b"<iframe src=https://pay.stats.example/card></iframe>",
    b"<script src=https://other.example/embed.php?id=1></script>",
    b"<form action=https://stats.example/other><input type=hidden name=visitor value=1></form>",
    b"<link rel=canonical href=https://tracker.example/>",
    b"<link rel=prefetch href=//shared.example/own.js><script src=//shared.example/own.js></script>",
    b"<img alt=x><iframe></iframe><script></script><link rel=preload>",
    b"\xff\xfe\0 \x80 caf\xe9 <p title=\xe9>",
    b"<div style='background: url(/a.png); content: \"https://tracker.example/\"' onclick='go(1)' data-on=x>",
    b"<style>a { b: url(//cdn.example/a.png) } /* url(//tracker.example/) */ c { content: 'url(//tracker.example/)' }</style>",
    b"<a ping=/count href=//tracker.example/ onclick=\"track('https //tracker.example')\">",
    b"<td background=/a.png><body onload=start()>",
    b"<iframe srcdoc='<p>tracker.example &lt;a href=//tracker.example/>'></iframe>",
    b"<iframe src='data:text/html,<p>//tracker.example/'></iframe><iframe src='javascript:void(0)'></iframe>",
    b'<img data-src=/late.png><script type=importmap>{"imports": {"a": "/a.js"}}</script>',
    b"<div data-src=//tracker.example/late>",
    b"<svg><style>a { fill: url(#b) }</style></svg>",
]


@pytest.mark.parametrize("page", UNTOUCHED)
def test_what_does_not_contact_a_vendor_is_not_touched(page: bytes) -> None:
    """Prose, comments, data and look-alike hosts are the site's own words."""
    page = b"<!doctype html>" + page
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])


def test_an_agreed_page_is_returned_byte_for_byte() -> None:
    """A visitor who agreed to everything gets the site itself."""
    page = (GOLDEN / "pages" / "elements.txt").read_bytes()
    for chunks in chunkings(page[:400]):
        assert rewrite(chunks, grant=("all",)) == (page[:400], [], [])


def test_a_category_releases_its_vendors_and_no_others() -> None:
    """Half a yes is half a yes."""
    page = b"<script src=//stats.example/a.js></script><script src=//tracker.example/b.js></script>"
    _, withheld, _ = rewrite([page], grant=("analytics",))
    assert [thing.vendor for thing in withheld] == ["tracker-example"]
    _, withheld, _ = rewrite([page], grant=("tracker-example",))
    assert [thing.vendor for thing in withheld] == ["stats-example"]


@pytest.mark.parametrize(
    "url",
    [
        b"https://tracker.example/t.js",
        b"//tracker.example/t.js",
        b"HTTPS://TRACKER.EXAMPLE/t.js",
        b"https://cdn.tracker.example:8443/t.js",
        b"https://tracker.example./t.js",
        b"https://user:secret@tracker.example/t.js",
        b"\\\\tracker.example\\t.js",
        b"https:/\\tracker.example/t.js",
        b" \n//tracker.example/t.js",
        b"//tracker.exa\nmple/t.js",
        b"ht\ttps://tracker.example/t.js",
        b"&#104;ttps://tracker.example/t.js",
        b"&#x2f;&#x2F;tracker&period;example/t.js",
        b"https&colon;&sol;&sol;tracker.example/t.js",
        b"//%74racker.example/t.js",
        b"//trac\xc2\xadker.example/t.js",
        b"//\xef\xbd\x94racker.example/t.js",
    ],
)
@pytest.mark.parametrize("tag", [b'<script src="%b"></script>', b"<img alt=x src='%b'>", b'<iframe name=a src="%b">'])
def test_every_spelling_of_a_vendors_url_is_seen(tag: bytes, url: bytes) -> None:
    """Whatever a browser would fetch is withheld, however it is written."""
    page = tag % url
    out, withheld, _ = rewrite([page])
    assert [thing.rule for thing in withheld] == ["hosts.tracker.example"]
    assert b"data-consent-src=" in out
    assert b" src=" not in out


def test_a_base_element_moves_every_relative_url_after_it() -> None:
    """`<base href>` turns an innocent path into a vendor's URL; only the first one counts."""
    page = b"<img src=a><base target=x><base href=//tracker.example/x/><img src=a><base href=/><img src=a><img src=/b>"
    _, withheld, _ = rewrite([page])
    assert [page[thing.offset :].split(b">")[0] for thing in withheld] == [b"<img src=a", b"<img src=a", b"<img src=/b"]
    assert withheld[0].offset > page.index(b"base href")


def test_a_document_inside_the_page_stands_under_the_pages_base() -> None:
    """`about:srcdoc` has no address of its own to resolve against (HTML Standard, 2.4.3)."""
    page = b"<base href=//tracker.example/x/><iframe srcdoc='<img src=a><base href=/y/><img src=b>'></iframe>"
    _, withheld, _ = rewrite([page])
    assert [thing.host for thing in withheld] == ["tracker.example"] * 2
    page = b"<iframe srcdoc='<base href=//tracker.example/>'></iframe><img src=a>"
    assert rewrite([page]) == (page, [], [])


def test_the_sites_own_host_is_never_a_vendors() -> None:
    """A site that lives under a vendor's domain must not lose its own pictures."""
    page = b"<img src=/logo.png><script src=https://shop.stats.example/a.js></script><img src=//stats.example/p>"
    _, withheld, _ = rewrite([page], site="https://shop.stats.example/")
    assert [page[thing.offset :] for thing in withheld] == [b"<img src=//stats.example/p>"]


@pytest.mark.parametrize("first", [b'<div class="_form_12"></div>', b"<img id=_form_1>"])
def test_a_mark_earlier_in_the_page_gives_an_own_domain_vendor_away(first: bytes) -> None:
    """A vendor behind a name of the site's own is known by its path and by what stands near it."""
    script = b"<script src=https://forms.site.example/embed.php?id=12></script>"
    for chunks in chunkings(first + script):
        _, withheld, _ = rewrite(chunks)
        assert [thing.rule for thing in withheld] == ["scripts.loader"]
    for page in (script + first, b"_form_12" + script, b"<!-- " + first + b" -->" + script):
        for chunks in chunkings(page):
            assert rewrite(chunks) == (page, [], [])


def test_a_second_attribute_of_the_same_name_does_not_take_over() -> None:
    """Renaming only the first of two `src` attributes would bring the second into force."""
    out, _, _ = rewrite([b'<script src="//tracker.example/1" SRC=//tracker.example/2></script>'])
    assert out.count(b"data-consent-src=") == 2
    assert not re.search(rb"[\s]src=", out, re.IGNORECASE)


def test_one_script_of_two_vendors_waits_for_both() -> None:
    """Release needs to know everybody whose code stands in it."""
    page = b'<script>statsQueue=[];stats("x");load("https://tracker.example/t.js")</script>'
    out, withheld, _ = rewrite([page])
    assert {thing.vendor for thing in withheld} == {"stats-example", "tracker-example"}
    assert b'data-consent-vendor="stats-example tracker-example" data-consent-needs="analytics marketing"' in out
    _, withheld, _ = rewrite([page], grant=("analytics",))
    assert [thing.vendor for thing in withheld] == ["tracker-example"]


def test_in_an_xhtml_page_an_empty_script_does_not_hide_the_rest() -> None:
    """Read as HTML, `<script/>` would make text of everything behind it."""
    page = b'<script src="/a.js"/><img src="//tracker.example/p.gif"/><svg><a xlink:href="//tracker.example/"/></svg>'
    out, withheld, _ = rewrite([page], xml=True)
    assert [thing.kind for thing in withheld] == [Kind.PIXEL]
    assert out.startswith(b'<script src="/a.js"/><img data-consent-vendor=')


@pytest.mark.parametrize("length", [1999, 2000, 2001])
def test_a_tag_beyond_the_limit_is_judged_as_it_passes(length: int) -> None:
    """What is not looked at as a whole must not act all the same; the way out is counted."""
    begin, end = b"<script src='//tracker.example/", b"'>"
    page = begin + b"x" * (length - len(begin) - len(end)) + end + b"code()</script><img src=//tracker.example/p>"
    for chunks in ([page], [page[:1500], page[1500:]]):
        out, withheld, degraded = rewrite(chunks)
        assert [thing.offset for thing in withheld] == [0, page.index(b"<img")]
        if length <= 2000:
            assert degraded == []
        else:
            assert degraded == [Degraded.TAG_OVER_LIMIT]
            assert out.startswith(b"<script data-consent-src='//tracker.example/xxx")
            assert b' type="text/plain" data-consent-vendor=' in out[:2200]


@pytest.mark.parametrize("length", [1999, 2000, 2001, 5000])
@pytest.mark.parametrize("hit", ["first", "last", "none"])
def test_a_script_beyond_the_limit_is_judged_all_the_same(length: int, hit: str) -> None:
    """A megabyte of bundled code may begin, or end, with a vendor's snippet."""
    code = b"statsQueue;stats(1);"
    filler = b"x" * (length - len(code))
    text = {"first": code + filler, "last": filler + code, "none": b"y" * length}[hit]
    page = b"<script>" + text + b"</script><p>"
    whole = rewrite([page])
    for chunks in ([page[i : i + 7] for i in range(0, len(page), 7)], [page[:900], page[900:]]):
        assert rewrite(chunks) == whole
    out, withheld, degraded = whole
    assert degraded == ([Degraded.INLINE_OVER_LIMIT] if length > 2000 else [])
    if hit == "none":
        assert (out, withheld) == (page, [])
    elif length <= 2001 or hit == "first":
        assert withheld[0].action is Action.DEFERRED
        assert out.endswith(b">" + text + b"</script><p>")
    else:
        assert withheld[0].action is Action.REMOVED
        assert out.endswith(CUT + b"</script><p>")
        assert code not in out


def test_a_long_script_is_held_back_no_further_than_the_limit() -> None:
    """Memory per page is bounded whatever the page holds."""
    rewriter = Rewriter(matcher=CATALOGUE.matcher, decision=decision(), site="", charset="", limits=LIMITS)
    fed = out = 0
    for chunk in [b"<script>", *[b"z" * 100] * 100]:
        fed += len(chunk)
        out += len(rewriter.feed(chunk))
        assert fed - out <= LIMITS.inline_bytes + 110


def test_a_document_within_documents_is_read_down_to_a_depth_and_refused_below_it() -> None:
    """Each level can hide the next; the way out is named."""
    page = b"<img src=//tracker.example/p.gif>"
    for depth in range(1, 7):
        page = b"<iframe srcdoc='" + page.replace(b"&", b"&amp;").replace(b"'", b"&#39;") + b"'></iframe>"
        out, withheld, degraded = rewrite([page], limits=PageLimits(tag_bytes=100_000, inline_bytes=2000))
        assert b" srcdoc=" in out
        if depth <= 4:
            assert [(thing.kind, thing.host) for thing in withheld] == [(Kind.PIXEL, "tracker.example")]
            assert degraded == []
        else:
            assert [thing.rule for thing in withheld] == [Degraded.NESTED_TOO_DEEP]
            assert degraded == [Degraded.NESTED_TOO_DEEP]


@pytest.mark.parametrize("length", [1999, 2000, 2001, 9000])
def test_a_style_sheet_beyond_the_limit_is_judged_all_the_same(length: int) -> None:
    """The import of a vendor may stand behind a megabyte of rules."""
    rule = b"a{b:url(//tracker.example/i.png)}"
    filler = (b"c{d:e}" * (length // 6))[: length - len(rule)]
    page = b"<style>" + filler + rule + b"</style>"
    for chunks in ([page], [page[i : i + 7] for i in range(0, len(page), 7)]):
        out, withheld, _ = rewrite(chunks)
        assert out == page.replace(b"//tracker.example/i.png", b"about:invalid")
        assert [(thing.kind, thing.action) for thing in withheld] == [(Kind.STYLE, Action.REMOVED)]


def test_a_tag_that_a_noscript_cuts_off_is_gone() -> None:
    """Without scripting the tag goes on behind the noscript's end, where nobody looked at it."""
    page = b"<noscript><img src='//tracker.example/</noscript>'><p>"
    for chunks in chunkings(page):
        assert rewrite(chunks)[0] == b"<noscript></noscript>'><p>"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("bom", [True, False])
def test_a_utf_16_page_is_rewritten_in_its_own_encoding(codec: str, *, bom: bool) -> None:
    """Every second byte is NUL: scanned as bytes, not one tag would be seen."""
    text = ("\ufeff" if bom else "") + "<p>ü \U0001f36a</p><img src=//tracker.example/p.gif><p>"
    page = text.encode(codec) + b"\xd8"
    whole = rewrite([page], charset="" if bom else codec.replace("16-", "16"))
    assert [thing.kind for thing in whole[1]] == [Kind.PIXEL]
    marked = '<img data-consent-vendor="tracker-example" data-consent-needs="marketing" data-consent-src=//'
    assert whole[0] == text.replace("<img src=//", marked).encode(codec) + b"\xd8"
    for chunks in chunkings(page):
        assert rewrite(chunks, charset="" if bom else codec.replace("16-", "16")) == whole


def test_lone_surrogates_of_a_utf_16_page_survive() -> None:
    """They are somebody's bytes."""
    page = "\ufeff<p>\ud800 \udc00</p>".encode("utf-16-le", "surrogatepass")
    for chunks in chunkings(page):
        assert rewrite(chunks)[0] == page


def test_a_byte_order_mark_wins_over_the_label() -> None:
    """As in browsers; a page labelled utf-16 that begins with a UTF-8 mark is UTF-8."""
    page = b"\xef\xbb\xbf<img src=//tracker.example/p.gif>"
    assert len(rewrite([page], charset="utf-16")[1]) == 1


@pytest.mark.parametrize("label", ["iso-2022-jp", "utf-7", "no-such-encoding"])
def test_an_encoding_that_hides_tags_is_refused_at_once(label: str) -> None:
    """Before the head is sent something can still be done about it."""
    with pytest.raises(UnreadableCharset):
        rewrite([b""], charset=label)


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(
            [
                *UNTOUCHED,
                b"<script>statsQueue;stats(1)</script>",
                b"<script src=//tracker.example/>",
                b"<img src=//tracker.example/ onload=stats(statsQueue)>",
                b"<noscript>", b"</noscript>", b"<template>", b"</template>", b"<svg>", b"</svg>", b"</script>",
                b"<form action=//stats.example/lead>", b"<input type=hidden name=visitor value=7>", b"</form>",
                b"<style>a{b:url(//tracker.example/)}", b"</style>", b"<p style='b:url(//stats.example/)' onclick=x>",
                b"<iframe srcdoc='&lt;img src=//tracker.example/>'>", b"</iframe>",
                b"<div class=_form_1>", b"<script src=/embed.php?id=1></script>", b"<!--", b"-->", b"'", b'"', b"<", b">",
                b"<!-- consent:block analytics -->", b"<!-- /consent -->", b"<script data-consent=marketing src=/a>",
                b"<select>", b"</select>", b"<frameset>", b"<xmp>", b"</xmp>", b"<style>@import '//tracker.example/';",
                b"<amp-analytics>", b"</amp-analytics>", b'<script type=application/json>{"a": "//tracker.example/"}',
            ]
        ),
        max_size=8,
    ),
    cut=st.integers(0, 200),
)  # fmt: skip
def test_no_cut_changes_what_becomes_of_any_page(parts: list[bytes], cut: int) -> None:
    """The same page must not leak on a slow line."""
    page = b"".join(parts)
    whole = rewrite([page])
    assert rewrite([page[:cut], page[cut:]]) == whole
    assert rewrite([page[i : i + 3] for i in range(0, len(page), 3)]) == whole
