"""Fences and attributes with which authors gate by hand."""

import itertools

import pytest

from gateway.page.inert import PREFIX
from gateway.page.rewriter import PageLimits
from gateway.withheld import Action, Degraded, Kind
from tests.chunks import chunkings
from tests.test_page_rewriter import rewrite

OWN = b"<script src=/own.js></script>"
MARKS = b'data-consent-vendor="*" data-consent-needs="marketing"'
INERT = b'<script type="text/plain" ' + MARKS + b" data-consent-src=/own.js></script>"


def fenced(inside: bytes, words: bytes = b"marketing") -> bytes:
    return b"<p>a<!-- consent:block " + words + b" -->" + inside + b"<!-- /consent --><script src=/after.js></script>"


@pytest.mark.parametrize(
    ("kind", "inside", "expected"),
    [
        (Kind.SCRIPT, OWN, INERT),
        (Kind.SCRIPT, b"<script src='data:,go()'></script>", b"data-consent-src='data:,go()'"),
        (Kind.INLINE, b"<script>go()</script>", b'<script type="text/plain" ' + MARKS + b">go()</script>"),
        (Kind.INLINE, b'<script type=importmap>{"imports": {}}</script>', b"data-consent-type=importmap"),
        (Kind.HANDLER, b"<a href=/a onclick=go()>a</a>", b"href=/a data-consent-onclick=go()"),
        (Kind.HANDLER, b"<a href='javascript:go()'>a</a>", b"data-consent-href='javascript:go()'"),
        (Kind.IFRAME, b"<iframe src=/own></iframe>", b"data-consent-src=/own"),
        (Kind.IFRAME, b"<iframe srcdoc='<p>a'></iframe>", b"data-consent-srcdoc='<p>a'"),
        (Kind.IFRAME, b"<iframe src='javascript:go()'></iframe>", b"data-consent-src='javascript:go()'"),
        (Kind.PIXEL, b"<img src=/own.png>", b"<img " + MARKS + b" data-consent-src=/own.png>"),
        (Kind.PIXEL, b"<img data-src=/own.png>", b"data-consent-data-src=/own.png"),
        (Kind.IMAGE, b"<img width=9 height=9 srcset='/own.png 1x'>", b"data-consent-srcset='/own.png 1x'"),
        (Kind.IMAGE, b"<p data-bg=/own.png>", b"data-consent-data-bg=/own.png"),
        (Kind.STYLESHEET, b"<link rel=stylesheet href=/own.css>", b"data-consent-href=/own.css"),
        (Kind.STYLE, b"<p style='a: b; c: url(/own.png)'>", b'style="a: b; c: url(about:invalid)" data-consent-style='),
        (Kind.STYLE, b"<style>a{b:url(/own.png)}</style>", b'<style type="text/plain" ' + MARKS + b">a{b:url(/own.png)}"),
        (Kind.MEDIA, b"<video src=/own.mp4></video>", b"data-consent-src=/own.mp4"),
        (Kind.PING, b"<a href=/a ping=/own>a</a>", b"href=/a data-consent-ping=/own"),
        (Kind.SCRIPT, b"<template>" + OWN + b"</template>", b"<template>" + INERT),
        (Kind.PIXEL, b"<amp-pixel src=/own></amp-pixel>", b"data-consent-src=/own"),
        (Kind.SCRIPT, b"<amp-analytics type=other></amp-analytics>", b"data-consent-type=other"),
    ],
)  # fmt: skip
def test_whatever_loads_inside_a_fence_is_deferred(kind: Kind, inside: bytes, expected: bytes) -> None:
    """Also what is the site's own: the author knows why."""
    page = fenced(inside)
    for chunks in chunkings(page):
        out, withheld, degraded = rewrite(chunks)
        assert expected in out
        assert MARKS in out
        assert out.startswith(b"<p>a<!-- consent:block marketing --><")
        assert out.endswith(b"<!-- /consent --><script src=/after.js></script>")
        assert [(fact.kind, fact.vendor, fact.rule, fact.action) for fact in withheld] == [
            (kind, "", "author.fence", Action.DEFERRED)
        ]
        assert page.startswith(inside[:4] if inside.find(b"template") < 0 else OWN[:4], withheld[0].offset)
        assert set(withheld[0].needs) == {"marketing"}
        assert degraded == []


@pytest.mark.parametrize(
    "inside",
    [
        b"<link rel=preconnect href=//cdn.example>",
        b"<link rel=preload as=script href=/own.js>",
        b"<meta http-equiv=refresh content=9>",
        b"<noscript><img src=/own.png></noscript>",
    ],
)
def test_what_release_does_not_want_back_is_gone_from_a_fence(inside: bytes) -> None:
    """A hint is a contact, and by the time of release it has no use."""
    out, withheld, _ = rewrite([fenced(inside)])
    gone = b"<noscript></noscript>" if b"noscript" in inside else b""
    assert out == fenced(gone)
    assert [(fact.rule, fact.action) for fact in withheld] == [("author.fence", Action.REMOVED)]


@pytest.mark.parametrize(
    "inside",
    [
        b"<h1 class=a>text</h1><a href=//tracker.example/>a link</a><ul><li>a</ul>",
        b"<img alt=a><img src=''><img src='data:image/gif;base64,AAAA'><iframe></iframe><script></script><script> \n</script>",
        b"<svg><use href='#a'/><path fill='url(#b)'/></svg><p style='background: url(#c)' onclick=''>",
        b'<script type="application/ld+json">{"@id": "/a"}</script><script type=text/template>a</script>',
        b"<style>a { b: c }</style><style>a { b: url(data:image/gif;base64,AAAA) }</style><style></style>",
        b"<form action=/a><input type=hidden name=visitor value=1><button formaction=/b>a</button></form>",
        b"<template><p>a</p></template><noscript><p>a</p></noscript>",
        b"<link rel=canonical href=/a><meta name=a content=b><base target=a>",
    ],
)
def test_what_loads_nothing_stays_as_it_is_in_a_fence(inside: bytes) -> None:
    """Text is not what the visitor is asked about."""
    page = fenced(inside)
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])


@pytest.mark.parametrize(
    ("words", "grant", "withheld"),
    [
        (b"marketing", (), True),
        (b"marketing", ("marketing",), False),
        (b"marketing", ("analytics",), True),
        (b"MARKETING", ("marketing",), False),
        (b"marketing analytics", ("marketing",), True),
        (b"marketing, analytics", ("marketing", "analytics"), False),
        (b"marketing,analytics", ("marketing", "analytics"), False),
        (b"necessary", (), False),
        (b"stats-example", (), True),
        (b"Stats-Example", ("analytics",), False),
        (b"stats-example", ("stats-example",), False),
        (b"stats-example", ("tracker-example",), True),
        (b"stats-example functional", ("stats-example",), True),
        (b"stats-example functional", ("stats-example", "functional"), False),
        (b"stats-example tracker-example", ("analytics",), True),
    ],
)
@pytest.mark.parametrize("as_attribute", [False, True])
def test_all_that_the_author_names_must_be_granted(
    words: bytes, grant: tuple[str, ...], *, withheld: bool, as_attribute: bool
) -> None:
    """Categories and vendors, joined by blanks or commas; a fence that is granted leaves no trace."""
    page = b'<script data-consent="%b" src=/own.js></script>' % words if as_attribute else fenced(OWN, words)
    out, facts, degraded = rewrite([page], grant=grant)
    assert (out != page, bool(facts), degraded) == (withheld, withheld, [])
    assert {fact.rule for fact in facts} <= {"author.attribute" if as_attribute else "author.fence"}


def test_a_vendor_named_by_the_author_is_named_in_the_marks() -> None:
    """A yes to this vendor releases it, as if its own rule had withheld it."""
    out, withheld, _ = rewrite([fenced(OWN, b"stats-example")])
    assert b'data-consent-vendor="stats-example" data-consent-needs="analytics"' in out
    assert [(fact.vendor, fact.rule) for fact in withheld] == [("stats-example", "author.fence")]


def test_a_category_of_the_authors_is_not_released_by_a_yes_to_a_vendor() -> None:
    """`*` is nobody's id, so that no vendor allowed by name stands in for it."""
    page = fenced(b"<script src=//stats.example/a.js></script>", b"functional")
    out, withheld, _ = rewrite([page])
    assert b'data-consent-vendor="* stats-example" data-consent-needs="analytics functional"' in out
    assert [(fact.vendor, fact.rule) for fact in withheld] == [
        ("", "author.fence"),
        ("stats-example", "hosts.stats.example"),
    ]
    out, withheld, _ = rewrite([page], grant=("stats-example",))
    assert [fact.rule for fact in withheld] == ["author.fence"]


def test_rules_hold_inside_a_fence_that_is_granted() -> None:
    """A fence only ever adds."""
    out, withheld, _ = rewrite([fenced(b"<script src=//stats.example/a.js></script>")], grant=("marketing",))
    assert [fact.rule for fact in withheld] == ["hosts.stats.example"]
    assert b"<script src=/after.js>" in out


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        (b"<!--consent:block marketing-->", b"<!--/consent-->"),
        (b"<!-- Consent:Block Marketing -->", b"<!-- /Consent -->"),
        (b"<!--\n  consent : block\n  marketing\n-->", b"<!--\n/consent\n-->"),
        (b"<!-- consent:block marketing --!>", b"<!-- /consent --!>"),
        (b"<!-- consent:block marketing -->", b"<!-- /consent:block -->"),
    ],
)
def test_fences_are_read_in_every_usual_spelling(opens: bytes, closes: bytes) -> None:
    """A fence that is not seen is a fence that does not hold."""
    page = opens + OWN + closes + OWN
    for chunks in chunkings(page):
        out, withheld, degraded = rewrite(chunks)
        assert out == opens + INERT + closes + OWN
        assert (len(withheld), degraded) == (1, [])


@pytest.mark.parametrize(
    "comment",
    [
        b"<!-- consent:blocker marketing -->",
        b"<!-- consent block marketing -->",
        b"<!-- consent: this banner is ours -->",
        b"<!-- see consent:block marketing -->",
        b"<!-- consent-banner begin -->",
        b"<!consent:block marketing>",
        b"<script><!-- consent:block marketing --></script>",
        b"<title><!-- consent:block marketing --></title>",
        b"<textarea><!-- consent:block marketing --></textarea>",
        b"<p title='<!-- consent:block marketing -->'>",
        b"<!-- <!-- consent:block marketing -->",
        b"<!-- /consent -->",
    ],
)
def test_other_comments_are_no_fences(comment: bytes) -> None:
    """Nor is what only looks like a comment."""
    page = comment + OWN
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])


def test_a_comment_that_ends_no_fence_leaves_it_standing() -> None:
    """A remark on consent in the middle of a widget must not open it."""
    page = b"<!-- consent:block marketing --><!-- /consent-form --><!-- consent ends --><!--/ consent-->" + OWN
    out, _, degraded = rewrite([page])
    assert out.endswith(INERT)
    assert degraded == [Degraded.UNCLOSED_FENCE]


@pytest.mark.parametrize("words", [b"", b" ", b"marketting", b"marketing, all", b"tracker", b"ignore", b"\xff"])
def test_a_fence_that_names_nobody_known_asks_for_everything(words: bytes) -> None:
    """A slip of the author's must not let through what he wanted to withhold; the log tells of it."""
    page = fenced(OWN, words)
    out, withheld, degraded = rewrite([page])
    assert b'data-consent-vendor="*" data-consent-needs="analytics functional marketing"' in out
    assert [set(fact.needs) for fact in withheld] == [{"analytics", "functional", "marketing"}]
    assert degraded == [Degraded.UNKNOWN_FENCE]
    assert rewrite([page], grant=("marketing", "analytics"))[0] != page
    assert rewrite([page], grant=("all",))[0] == page


def test_a_fence_without_an_end_holds_to_the_end_of_the_page() -> None:
    """And the log tells of it."""
    page = b"<!-- consent:block marketing --><p>a" + OWN
    out, _, degraded = rewrite([page])
    assert out == b"<!-- consent:block marketing --><p>a" + INERT
    assert degraded == [Degraded.UNCLOSED_FENCE]
    assert rewrite([page], grant=("marketing",)) == (page, [], [Degraded.UNCLOSED_FENCE])


def test_a_fence_in_a_fence_adds_to_it() -> None:
    """Each end tag of sorts ends the innermost."""
    opens = [b"<!-- consent:block %b -->" % name for name in (b"marketing", b"analytics")]
    page = opens[0] + OWN + opens[1] + OWN + b"<!-- /consent -->" + OWN + b"<!-- /consent -->" + OWN
    needs = ({"marketing"}, {"marketing", "analytics"}, {"marketing"})
    for chunks in chunkings(page):
        out, withheld, degraded = rewrite(chunks)
        assert tuple(set(fact.needs) for fact in withheld) == needs
        assert out.endswith(OWN)
        assert degraded == []
    _, withheld, _ = rewrite([page], grant=("marketing",))
    assert [set(fact.needs) for fact in withheld] == [{"analytics"}]


@pytest.mark.parametrize("depth", [31, 32, 33, 1000])
def test_fences_deeper_than_are_remembered_ask_for_everything_and_end_all_the_same(depth: int) -> None:
    """A million of them must not fill the memory, nor open what stands behind."""
    page = b"<!-- consent:block marketing -->" * depth + OWN + b"<!-- /consent -->" * depth + OWN
    out, withheld, degraded = rewrite([page])
    assert out.endswith(b"<!-- /consent -->" + OWN)
    assert len(withheld) == 1
    assert (set(withheld[0].needs) == {"marketing"}) is (depth <= 32)
    assert (degraded == []) is (depth <= 32)


def test_a_fence_inside_a_noscript_ends_with_it() -> None:
    """For whoever runs scripts it is text; it must not reach further for the one than for the other."""
    page = b"<noscript><!-- consent:block marketing --><iframe src=/own></iframe></noscript>" + OWN
    for chunks in chunkings(page):
        out, withheld, degraded = rewrite(chunks)
        assert out.endswith(b"data-consent-src=/own></iframe></noscript>" + OWN)
        assert (len(withheld), degraded) == (1, [Degraded.UNCLOSED_FENCE])
    page = b"<!-- consent:block marketing --><noscript><!-- /consent --><iframe src=/own></iframe></noscript>" + OWN
    out, withheld, _ = rewrite([page])
    assert len(withheld) == 2
    assert out.endswith(INERT)


@pytest.mark.parametrize(
    "inside", [b"<svg><!-- consent:block marketing --></svg>", b"<select><!-- consent:block marketing -->"]
)
def test_a_fence_may_begin_wherever_a_comment_may(inside: bytes) -> None:
    """In svg as in a list."""
    assert rewrite([inside + OWN])[0] == inside + INERT


def test_a_fence_in_an_xhtml_page_holds() -> None:
    """The same words in the same comments."""
    out, withheld, _ = rewrite(
        [b"<!-- consent:block marketing --><img src='/a'/><!-- /consent --><img src='/b'/>"], xml=True
    )
    assert out.endswith(b"data-consent-src='/a'/><!-- /consent --><img src='/b'/>")
    assert len(withheld) == 1


# -- the attribute ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            b"<script data-consent=marketing src=/own.js></script>",
            b'<script type="text/plain" ' + MARKS + b" data-consent=marketing data-consent-src=/own.js></script>",
        ),
        (
            b"<script DATA-CONSENT='Marketing'>go()</script>",
            b'<script type="text/plain" ' + MARKS + b" DATA-CONSENT='Marketing'>go()</script>",
        ),
        (
            b"<div data-consent=marketing onclick=go()><img src=/a></div>",
            b"<div " + MARKS + b" data-consent=marketing data-consent-onclick=go()><img src=/a></div>",
        ),
        (
            b"<style data-consent=marketing>a{b:url(/c)}</style>",
            b'<style type="text/plain" ' + MARKS + b" data-consent=marketing>a{b:url(/c)}</style>",
        ),
        (
            b"<noscript data-consent=marketing><iframe src=/a></iframe></noscript>",
            b"<noscript data-consent=marketing><iframe " + MARKS + b" data-consent-src=/a></iframe></noscript>",
        ),
        (
            b"<template><iframe data-consent=marketing src=/a></iframe><img src=//tracker.example/></template>",
            b"<template><iframe " + MARKS + b" data-consent=marketing data-consent-src=/a></iframe>"
            b"<img src=//tracker.example/></template>",
        ),
        (b"<section data-consent=marketing><p>a</section>", b"<section data-consent=marketing><p>a</section>"),
        (b"<script data-consent=necessary src=/a></script>", b"<script data-consent=necessary src=/a></script>"),
    ],
)  # fmt: skip
def test_an_element_waits_for_what_its_attribute_names(page: bytes, expected: bytes) -> None:
    """Itself and its own text, not what it contains; the author's attribute stays as it is."""
    for chunks in chunkings(page + OWN):
        out, withheld, degraded = rewrite(chunks)
        assert out == expected + OWN
        assert {fact.rule for fact in withheld} <= {"author.attribute"}
        assert degraded == []


@pytest.mark.parametrize("words", [b"", b"required", b"marketing typo", b"ignore marketing", b"true"])
@pytest.mark.parametrize("tag", [b"<script data-consent='%b'>go()</script>", b"<img data-consent='%b' src=/a>"])
def test_an_attribute_that_names_nobody_known_asks_for_everything_where_something_loads(
    tag: bytes, words: bytes
) -> None:
    """A slip of the author's must not let it through."""
    out, withheld, degraded = rewrite([tag % words])
    assert b'data-consent-needs="analytics functional marketing"' in out
    assert (len(withheld), degraded) == (1, [Degraded.UNKNOWN_FENCE])


@pytest.mark.parametrize("words", [b"", b"accepted", b"all", b"true", b"{&quot;a&quot;: 1}"])
def test_an_attribute_of_somebody_elses_on_a_button_means_nothing(words: bytes) -> None:
    """Consent banners of all makes mark their buttons so; the gateway must not break the way to a yes."""
    page = b"<button data-consent='%b' onclick=accept()>Yes</button><div data-consent='%b' style='a: url(/b)'>" % (
        words,
        words,
    )
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])


@pytest.mark.parametrize(
    "page",
    [
        b"<script data-consent=ignore src=//tracker.example/a.js></script>",
        b"<script data-consent=' Ignore '>statsQueue;stats(1)</script>",
        b"<img data-consent=ignore src=//tracker.example/p onload=\"load('//tracker.example/x')\">",
        b"<p data-consent=ignore style='a: url(//tracker.example/p)' onclick=\"load('//tracker.example/x')\">",
        b"<style data-consent=ignore>a { b: url(//tracker.example/p) }</style>",
        b"<noscript data-consent=ignore><img src=//tracker.example/p></noscript>",
        b"<iframe data-consent=ignore srcdoc='<img src=//tracker.example/p>'></iframe>",
        b"<link data-consent=ignore rel=preconnect href=//tracker.example>",
        b"<a data-consent=ignore ping=//tracker.example/p href=/>a</a>",
        b"<form data-consent=ignore action=https://stats.example/lead><input type=hidden name=visitor value=1></form>",
        b'<amp-analytics data-consent=ignore><script type=application/json>{"a": "//tracker.example/"}</script></amp-analytics>',
    ],
)
def test_an_element_that_is_to_be_ignored_is_exempt_from_every_rule(page: bytes) -> None:
    """The author knows something that the rules do not."""
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])
    assert rewrite([page + b"<script src=//tracker.example/b></script>"])[1] != []


def test_inside_a_fence_nothing_is_ignored() -> None:
    """The fence was put there for the sake of what stands in it."""
    page = fenced(b"<script data-consent=ignore src=/own.js></script>")
    assert rewrite([page])[1] != []
    assert rewrite([page], grant=("marketing",))[0] == page


def test_an_ignored_base_still_moves_the_urls_after_it() -> None:
    """What is exempt from rules is not exempt from being read."""
    page = b"<base data-consent=ignore href=//tracker.example/><img src=a>"
    assert len(rewrite([page])[1]) == 1


def test_marks_of_the_sites_own_are_taken_out_of_force_on_an_ignored_element() -> None:
    """`ignore` speaks of rules, not of release."""
    out, _, _ = rewrite([b"<b data-consent=ignore data-consent-onclick=go()>"])
    assert out == b"<b data-consent=ignore " + PREFIX + b"data-consent-onclick=go()>"


@pytest.mark.parametrize("length", [1999, 2000, 2001, 6000])
@pytest.mark.parametrize("where", ["first", "last", "nowhere"])
def test_a_long_style_sheet_in_a_fence_fetches_nothing(length: int, where: str) -> None:
    """What fetches in its begin is deferred whole; what turns out later is put out of force in its place."""
    rule = b"a{b:url(/own.png)}"
    filler = (b"c{d:e}" * length)[: length - len(rule)]
    sheet = {"first": rule + filler, "last": filler + rule, "nowhere": filler + b" " * len(rule)}[where]
    page = b"<!-- consent:block marketing --><style>" + sheet + b"</style>"
    limits = PageLimits(tag_bytes=2000, inline_bytes=2000)
    whole = rewrite([page], limits=limits)
    for chunks in ([page[at : at + 7] for at in range(0, len(page), 7)], [page[:900], page[900:]]):
        assert rewrite(chunks, limits=limits) == whole
    out, withheld, _ = whole
    if where == "nowhere":
        assert (out, withheld) == (page, [])
    elif where == "first" or length <= 2001:
        assert [fact.action for fact in withheld] == [Action.DEFERRED]
        assert out.endswith(b'<style type="text/plain" ' + MARKS + b">" + sheet + b"</style>")
    else:
        assert [fact.action for fact in withheld] == [Action.REMOVED]
        assert out == page.replace(b"/own.png", b"about:invalid")


def test_no_cut_changes_what_becomes_of_fences() -> None:
    """The same page must not leak on a slow line."""
    parts = (b"<!-- consent:block analytics -->", b"<!-- /consent -->", b"<!-- consent:block x -->", OWN, b"<noscript>")
    for chosen in itertools.product(parts, repeat=3):
        page = b"".join(chosen) + b"<script>go()</script></noscript><img src=/a>"
        whole = rewrite([page])
        assert rewrite([page[at : at + 1] for at in range(len(page))]) == whole
