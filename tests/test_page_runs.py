"""Passing over: what needs no look is not looked at, and nothing else is left out."""

from collections.abc import Collection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.decide import given as granted
from gateway.page import markup
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.page.runs import CLEAN, SURE
from gateway.page.scanner import Scanner
from gateway.vendors import catalogue
from gateway.vendors.match import Matcher
from gateway.vendors.skim import Skim
from gateway.withheld import Degraded, Withheld

RULES = b"""
format = 1
[vendor]
id = "tracker"
name = "Tracker"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
[[hosts]]
name = "t.co"
[[scripts]]
id = "anywhere"
path = '/f/embed\\.js$'
[[pixels]]
id = "marked"
host = "cdn.example"
path = '^/p'
near = 'class="[^"]*tracked-form'
[[inline]]
id = "queue"
all = ["_tq.push(", "a&b"]
[[inline]]
id = "call"
all = ["trackIt("]
[[forms]]
id = "form"
marks = { class = '\\\\btracked-form\\\\b' }
hidden = ["u"]
action = "blank-hidden"
"""
VENDORS = Path(__file__).parent.parent / "rules" / "vendors"
PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))


class _NoSkim(Skim):
    """The first look that never tells anything."""

    def may_concern(self, _tag: bytes) -> bool:
        return True

    def may_name_host(self, _url: str) -> bool:
        return True

    def suits(self, _base_host: str, _base_path: str, *, site_host: str) -> bool:
        return site_host == "another host than any"


def load(files: Collection[tuple[str, bytes]]) -> tuple[Matcher, Matcher]:
    """A matcher, and the same without anything that lets pages be passed over."""
    quick, reference = (catalogue.load([dict(files)]).matcher for _ in range(2))
    reference.skim = _NoSkim((), ())
    return quick, reference


QUICK, REFERENCE = load([("tracker.toml", RULES)])
LIMITS = PageLimits(tag_bytes=2000, inline_bytes=4000)


def _looks_at_everything(**arguments: Any) -> Scanner:
    return Scanner(**{**arguments, "traces": None})


def rewritten(
    matcher: Matcher, chunks: list[bytes], *, limits: PageLimits = LIMITS
) -> tuple[bytes, list[Withheld], list[Degraded]]:
    with patch.object(markup, "Scanner", _looks_at_everything if matcher.skim.__class__ is _NoSkim else Scanner):
        rewriter = Rewriter(
            matcher=matcher,
            decision=granted(["necessary"], vendors=()),
            site="https://site.example/shop/page",
            charset="utf-8",
            limits=limits,
        )
        out = b"".join(map(rewriter.feed, chunks)) + rewriter.close()
    return out, *rewriter.take_report()


@pytest.mark.parametrize(
    "page",
    [
        b"text & more",
        b"<p>a</p>",
        b"<p class=\"a\" id='b' title=c/d hidden>a<br/><br /></p>",
        b'<a href="https://tracker.example/">x</a>',
        b"<!-- <img src=x> --><!----><!-- a -- b -->",
        b"<!doctype html><!-- x --!>",
        b'<div data-x="<b>">',
        b"a < b <3 </p>",
        b"<textarea rows=2>a</textarea>",
        b"<title>a & b</title>",
    ],
)
def test_what_no_rule_can_be_about_is_passed_over_whatever_it_names(page: bytes) -> None:
    """Most of most pages: it must not cost a look, nor be touched because it mentions somebody."""
    assert SURE.match(page).end() == len(page)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "page",
    [
        b'<img src="/a.png" alt="50% off & more">',
        b"<img src='//other.example/a.png?x=1&y=2&amp;z=%20'>",
        b'<div style="width: 10px; background: url(/a.png)" onclick="go()">',
        b'<script src="/app.js" defer></script>',
        b'<script>if (a < b && c) { d("</p>") }</script>',
        b"<script><!--\nf()\n//--></script>",
        b'<link rel="stylesheet" href="/a.css?v=1"><meta name="description" content="x">',
        b'<meta http-equiv="X-UA-Compatible" content="IE=edge">',
        b'<noscript><p>Please <a href="/help?a=1">switch it on</a> <img src="/x.gif" alt=""></p></noscript>',
        b"<style>a { color: red; background: url('/a.png') } .b::after { width: calc(100px); height: 100% }</style>",
        b'<iframe src="/frame"></iframe>',
        b'<form action="/search" method="get"><input name="q" type="text"></form>',
    ],
)
def test_what_holds_no_trace_of_a_rule_is_passed_over(page: bytes) -> None:
    """A site's own images, scripts and styles are as common as its text."""
    assert CLEAN.match(page).end() == len(page)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "page",
    [
        b'<img src="https://track&#101;r.example/p">',
        b'<img src="https://tracker&period;example/p">',
        b'<img src="https://trac\nker.example/p">',
        b'<script src="/f/%65mbed.js"></script>',
        b'<script src="data:text/javascript,trackIt()"></script>',
        b'<a href="java&#115;cript:trackIt()">',
        b'<div style="background: url(//tra\\63 ker.example/p)">',
        b'<div onclick="track&#73;t()">',
        b"<style>a { background: url(//tra\\63 ker.example/p) }</style>",
        b'<style>a { background: url("//tra\tcker.example/p") }</style>',
        b'<meta http-equiv="refresh" content="0;url=/x">',
        b'<meta charset="utf-8">',
        b'<base href="//tracker.example/">',
        b"<script><!--<script></script><img src=x>--></script>",
        b"<template><p></template>",
        b'<iframe srcdoc="<p>"></iframe>',
        b"<noscript><p title='</noscript>'></noscript>",
        b"<noscript><!-- </noscript>",
        b"<svg><path></svg>",
        b"<math></math>",
        b"<plaintext>",
        b'<p data-consent="marketing">',
        b"<!-- consent:block marketing -->",
        b"<!--/Consent-->",
        b"<select></select>",
        b"<script>unfinished",
        b"<p unfinished",
        b"<!-- unfinished",
    ],
)
def test_what_may_hide_something_is_looked_at(page: bytes) -> None:
    """Nothing that a browser would understand may be overlooked for the way it is spelt."""
    assert CLEAN.match(page).end() == 0  # type: ignore[union-attr]


SPELLINGS = [
    *(
        "https://tracker.example/p",
        "//TRACKER.example/p",
        "//tracker%2eexample/p",
        "//trac\tker.example/p",
        "/f/embed.js",
    ),
    *(
        "//track&#101;r.example/",
        "\\\\tracker.example\\p",
        "//tracker.example.",
        "https:/\\tracker.example",
        "//\uff54racker.example/",
    ),
    *(
        "/f/%65mbed.js",
        "/f/embed&period;js",
        "//support.com/",
        "//t.co",
        "https://user@t.co:80/",
        "../f/x/../embed.js",
        "/a.png",
    ),
    *(
        "//cdn.example/p",
        "?x=1&amp;y=2",
        "data:text/javascript,trackIt()",
        "javascript:trackIt()",
        "java&Tab;script:trackIt()",
    ),
    *(
        "_tq.push(a&amp;b)",
        "_tq.push(a&b)",
        "trackIt()",
        "track\\u0049t()",
        "track&#73;t()",
        "url(//t.co/x)",
        "url(//\\74 .co/x)",
    ),
    *(
        "url('//t.co/x')",
        "100%",
        "a b",
        "",
        "0;url=//t.co",
        "tracked-form",
        "u",
        "hidden",
        "marketing",
        "ignore",
        "text/css",
    ),
]
NAMES = [
    *(
        "src",
        "href",
        "style",
        "onclick",
        "class",
        "action",
        "content",
        "http-equiv",
        "srcset",
        "ping",
        "background",
        "type",
        "name",
    ),
    *(
        "data-src",
        "data-consent",
        "srcdoc",
        "poster",
        "value",
        "rel",
        "SRC",
        "OnLoad",
        "media",
        "shadowrootmode",
        "xlink:href",
        "alt",
    ),
]
ELEMENTS = [
    *(
        "a",
        "div",
        "p",
        "img",
        "script",
        "link",
        "meta",
        "iframe",
        "input",
        "form",
        "style",
        "noscript",
        "base",
        "template",
        "select",
    ),
    *(
        "video",
        "source",
        "object",
        "embed",
        "param",
        "svg",
        "use",
        "title",
        "textarea",
        "xmp",
        "math",
        "BODY",
        "td",
        "area",
        "x-y",
    ),
]
QUOTES = ['"', "'", ""]


@st.composite
def tags(draw: st.DrawFn) -> str:
    """A tag, as somebody or as a foe would write it."""
    name = draw(st.sampled_from(ELEMENTS))
    if draw(st.integers(0, 3)) == 0:
        return f"</{name}>"
    parts = [name]
    for _ in range(draw(st.integers(0, 3))):
        quote = draw(st.sampled_from(QUOTES))
        value = draw(st.sampled_from(SPELLINGS))
        parts.append(f"{draw(st.sampled_from(NAMES))}={quote}{value}{quote}")
    return f"<{' '.join(parts)}{draw(st.sampled_from(['>', ' />', '/>', '']))}"


PIECES = st.one_of(
    tags(),
    tags(),
    st.sampled_from(SPELLINGS),
    st.sampled_from(
        [
            "<!--",
            "-->",
            "--!>",
            "<![CDATA[",
            "]]>",
            "<!-- consent:block marketing -->",
            "<!-- /consent -->",
            "<",
            "\n",
            "&amp;",
            '"',
            "'",
        ]
    ),
    st.sampled_from(
        [
            "<script>",
            "</script>",
            "<!--<script>",
            "<style>",
            "</style>",
            "<noscript>",
            "</noscript>",
            "</title>",
            "<b>",
            "\u00e9",
        ]
    ),
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=14).map("".join), st.integers(1, 200), st.sampled_from([60, 300, 2000]))
def test_a_page_comes_out_the_same_whether_or_not_anything_is_passed_over(page: str, cut: int, limit: int) -> None:
    """Speed must not be bought with a way past the rules: everything looked at one by one is the measure."""
    data = page.encode()
    limits = PageLimits(tag_bytes=limit, inline_bytes=2 * limit)
    expected = rewritten(REFERENCE, [data], limits=limits)
    assert rewritten(QUICK, [data], limits=limits) == expected
    assert rewritten(QUICK, [data[:cut], data[cut:]], limits=limits) == expected


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_vendors_own_snippets_are_found_as_if_all_were_looked_at(path: Path) -> None:
    """The pages with every way in, under the rules as shipped."""
    quick, reference = load([(file.name, file.read_bytes()) for file in sorted(VENDORS.glob("*.toml"))])
    page = path.read_bytes()
    assert rewritten(quick, [page]) == rewritten(reference, [page])
