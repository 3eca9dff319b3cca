"""Every way in which markup makes a browser contact somebody: a vendor's is withheld, a neighbour's is not touched."""

import base64
import re
from collections.abc import Callable

import pytest

from gateway.page.context import Page
from gateway.page.markup import Markup
from gateway.page.scanner import Piece, Token
from gateway.withheld import Action, Degraded, Kind
from tests.chunks import chunkings
from tests.test_page_rewriter import CATALOGUE, LIMITS, decision, rewrite

VENDOR, NEIGHBOUR = "tracker.example", "cdn.example"


def encoded(text: str, codec: str = "ascii") -> str:
    return base64.b64encode(text.encode(codec)).decode()


def code(host: str) -> str:
    return f'load("https://{host}/x.js")'


def sheet(host: str) -> str:
    return f"@import '//{host}/a.css';"


# What stands in the page, as a function of whom it contacts, and as what it is withheld.
WAYS: list[tuple[Kind, Callable[[str], str]]] = [
    # scripts
    (Kind.SCRIPT, lambda host: f"<script src=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f'<script src="data:text/javascript;base64,{encoded(code(host))}"></script>'),
    (Kind.SCRIPT, lambda host: f'<script src="data:application/x-javascript;base64,{encoded(code(host))}"></script>'),
    (Kind.SCRIPT, lambda host: f'<script src="data:,load(%22https://{host}/x.js%22)"></script>'),
    (Kind.SCRIPT, lambda host: f"<script src=' data:text/plain;charset=utf-8,{code(host)}'></script>"),
    (
        Kind.SCRIPT,
        lambda host: f'<script src="data:;charset=utf-16le;base64,{encoded(code(host), "utf-16-le")}"></script>',
    ),
    (Kind.SCRIPT, lambda host: f"<script type=module src='data:text/javascript,import \"//{host}/x.js\"'></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=pmdelayedscript data-pmdelayedscript=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=wphb-delay-type src=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=wpc-delay-script src=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=text/psajs data-pagespeed-orig-src=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=o/js-lzl src=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=text/partytown src=//{host}/a.js></script>"),
    (Kind.SCRIPT, lambda host: f"<script type=litespeed/javascript data-src=//{host}/a.js></script>"),
    (
        Kind.SCRIPT,
        lambda host: (
            f"<script type=javascript/blocked data-wpmeteor-type=module data-wpmeteor-src=//{host}/a></script>"
        ),
    ),
    (Kind.INLINE, lambda host: f"<script>{code(host)}</script>"),
    (Kind.INLINE, lambda host: f"<script data-src=/late.js>{code(host)}</script>"),
    (Kind.INLINE, lambda host: f"<script type=nitropack/inlinescript>{code(host)}</script>"),
    (Kind.INLINE, lambda host: f"<script type=c0ffee-text/javascript>{code(host)}</script>"),
    (Kind.INLINE, lambda host: f"<script type=c0ffee-module>{code(host)}</script>"),
    (Kind.INLINE, lambda host: f'<script type=module>import "https://{host}/x.js"</script>'),
    (Kind.INLINE, lambda host: f"<script type=module>import x from '//{host}/x.js'</script>"),
    (Kind.INLINE, lambda host: f"<script type=module>export * from `https://{host}/x.js`</script>"),
    (Kind.INLINE, lambda host: f"<script type=module>const x = await import('//{host}/x.js')</script>"),
    (Kind.INLINE, lambda host: f'<script type=importmap>{{"imports": {{"a": "//{host}/x.js"}}}}</script>'),
    (
        Kind.INLINE,
        lambda host: (
            f'<script type=speculationrules>{{"prefetch": [{{"urls": ["https:\\/\\/{host}\\/next"]}}]}}</script>'
        ),
    ),
    (Kind.SCRIPT, lambda host: f"<svg><script xlink:href=//{host}/a.js></script></svg>"),
    (Kind.HANDLER, lambda host: f"<a href=\"javascript:load('//{host}/x')\">a</a>"),
    (Kind.HANDLER, lambda host: f"<a href=\" jAva\nscript:load('//{host}/x')\">a</a>"),
    (Kind.HANDLER, lambda host: f"<a href='&#106;avascript&colon;load(%22//{host}/x%22)'>a</a>"),
    (Kind.HANDLER, lambda host: f"<map><area href=\"javascript:load('//{host}/x')\"></map>"),
    (Kind.HANDLER, lambda host: f"<svg><a xlink:href=\"javascript:load('//{host}/x')\">a</a></svg>"),
    (Kind.HANDLER, lambda host: f"<form action=\"javascript:load('//{host}/x')\"></form>"),
    (Kind.HANDLER, lambda host: f"<button formaction=\"javascript:load('//{host}/x')\">a</button>"),
    (Kind.HANDLER, lambda host: f"<input type=submit formaction=\"javascript:load('//{host}/x')\">"),
    (Kind.HANDLER, lambda host: f"<p onclick=\"load('//{host}/x')\">a"),
    # frames
    (Kind.IFRAME, lambda host: f"<iframe src=//{host}/></iframe>"),
    (Kind.IFRAME, lambda host: f"<frameset><frame src=//{host}/></frameset>"),
    (Kind.IFRAME, lambda host: f"<portal src=//{host}/></portal>"),
    (Kind.IFRAME, lambda host: f"<fencedframe src=//{host}/></fencedframe>"),
    (Kind.IFRAME, lambda host: f"<webview src=//{host}/></webview>"),
    (Kind.IFRAME, lambda host: f'<iframe src="da\nta:text/html,<img src=//{host}/p>"></iframe>'),
    (
        Kind.IFRAME,
        lambda host: (
            f"<iframe src='data:text/html;charset=utf-16le;base64,"
            f"{encoded(f'<img src=//{host}/p>', 'utf-16-le')}'></iframe>"
        ),
    ),
    (
        Kind.IFRAME,
        lambda host: f"<iframe src=\"data:text/html;charset=iso-2022-jp,%1b$B!!%1b(B<img src='//{host}/p'>\"></iframe>",
    ),
    (
        Kind.IFRAME,
        lambda host: (
            f"<iframe src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='//{host}/p'/></svg>\">"
            "</iframe>"
        ),
    ),
    (
        Kind.IFRAME,
        lambda host: (
            f"<iframe src=\"data:text/xml,<script xmlns='http://www.w3.org/1999/xhtml'/>"
            f"<img xmlns='http://www.w3.org/1999/xhtml' src='//{host}/p'/>\"></iframe>"
        ),
    ),
    (Kind.IFRAME, lambda host: f"<iframe src=\"javascript:load('//{host}/x')\"></iframe>"),
    (Kind.PIXEL, lambda host: f"<iframe srcdoc='<img src=//{host}/p>'></iframe>"),
    # pictures
    (Kind.PIXEL, lambda host: f"<img src=//{host}/p.gif>"),
    (Kind.PIXEL, lambda host: f"<image src=//{host}/p.gif>"),
    (Kind.IMAGE, lambda host: f"<image width=40 height=40 srcset='/a.png 1x, //{host}/p.gif 2x'>"),
    (Kind.PIXEL, lambda host: f"<img lowsrc=//{host}/p.gif>"),
    (Kind.PIXEL, lambda host: f"<img data-cfsrc=//{host}/p.gif>"),
    (Kind.PIXEL, lambda host: f"<img nitro-lazy-srcset='//{host}/p.gif 2x'>"),
    (Kind.PIXEL, lambda host: f"<img data-pagespeed-lazy-src=//{host}/p.gif>"),
    (Kind.IMAGE, lambda host: f"<input type=image src=//{host}/p.gif>"),
    (Kind.IMAGE, lambda host: f"<td background=//{host}/p.gif>"),
    (Kind.IMAGE, lambda host: f"<div data-bg=//{host}/p.gif>"),
    (Kind.IMAGE, lambda host: f"<div data-bg='url(//{host}/p.gif)'>"),
    (Kind.IMAGE, lambda host: f"<section data-bgset='/a.png 200w | //{host}/p.gif 400w [--small]'>"),
    (Kind.IMAGE, lambda host: f"<p data-background-image=//{host}/p.gif>"),
    (Kind.IMAGE, lambda host: f"<svg><image href=//{host}/p.svg /></svg>"),
    (Kind.IMAGE, lambda host: f"<svg><use xlink:href=//{host}/p.svg#a /></svg>"),
    (Kind.IMAGE, lambda host: f"<svg><filter><feImage href=//{host}/p.svg /></filter></svg>"),
    (Kind.IMAGE, lambda host: f"<svg><linearGradient href=//{host}/p.svg#a /></svg>"),
    (Kind.IMAGE, lambda host: f"<svg><pattern xlink:href=//{host}/p.svg#a /></svg>"),
    (Kind.IMAGE, lambda host: f"<svg><image><set attributeName=href to=//{host}/p.svg /></image></svg>"),
    (Kind.IMAGE, lambda host: f"<svg><animate attributeName=fill values='red;url(//{host}/p.svg#a)'/></svg>"),
    # media and plug-ins
    (Kind.MEDIA, lambda host: f"<video poster=//{host}/p.jpg></video>"),
    (Kind.MEDIA, lambda host: f"<video data-poster=//{host}/p.jpg></video>"),
    (Kind.MEDIA, lambda host: f"<audio src=//{host}/a.mp3></audio>"),
    (Kind.MEDIA, lambda host: f"<video><track src=//{host}/a.vtt></video>"),
    (Kind.MEDIA, lambda host: f"<bgsound src=//{host}/a.mid>"),
    (Kind.MEDIA, lambda host: f"<model src=//{host}/a.usdz></model>"),
    (Kind.OBJECT, lambda host: f"<object data=//{host}/a.swf>a</object>"),
    (Kind.OBJECT, lambda host: f"<object data=a.swf codebase=//{host}/>a</object>"),
    (Kind.OBJECT, lambda host: f"<object classid=//{host}/a>a</object>"),
    (Kind.OBJECT, lambda host: f"<object><param name=Movie value=//{host}/a.swf>a</object>"),
    (Kind.OBJECT, lambda host: f"<object><param name=src value=//{host}/a.swf>a</object>"),
    (Kind.OBJECT, lambda host: f"<embed src=//{host}/a.swf>"),
    (Kind.OBJECT, lambda host: f"<applet code=a.class codebase=//{host}/></applet>"),
    (Kind.OBJECT, lambda host: f"<applet code=a.class archive='a.jar, //{host}/b.jar'></applet>"),
    # links
    (Kind.STYLESHEET, lambda host: f"<link rel='alternate stylesheet' href=//{host}/a.css>"),
    (Kind.STYLESHEET, lambda host: f"<link rel=stylesheet href=\"data:text/css,@import '//{host}/a.css'\">"),
    (Kind.LINK, lambda host: f"<link rel=import href=//{host}/a.html>"),
    (Kind.LINK, lambda host: f"<link rel=manifest href=//{host}/a.json>"),
    (Kind.LINK, lambda host: f"<html manifest=//{host}/a.appcache>"),
    (Kind.HINT, lambda host: f"<link rel=compression-dictionary href=//{host}/a>"),
    (Kind.HINT, lambda host: f"<link rel=modulepreload href=//{host}/a>"),
    (Kind.HINT, lambda host: f"<link rel=dns-prefetch href=//{host}>"),
    (Kind.REFRESH, lambda host: f"<meta http-equiv=refresh content='9; url=//{host}/'>"),
    (Kind.PING, lambda host: f"<a href=/a ping='/b //{host}/p'>a</a>"),
    (Kind.PING, lambda host: f"<a href=/a attributionsrc=//{host}/p>a</a>"),
    (Kind.PING, lambda host: f"<img src=/a.png attributionsrc='/a //{host}/p'>"),
    (Kind.PING, lambda host: f"<script src=/a.js attributionsrc=//{host}/p></script>"),
    # styles
    (Kind.STYLE, lambda host: f"<p style='background: url(//{host}/p.gif)'>"),
    (Kind.STYLE, lambda host: f"<p style='--a: \"//{host}/p.gif\"; background: image-set(var(--a) 1x)'>"),
    (Kind.STYLE, lambda host: f"<style media=print>@import '//{host}/a.css';</style>"),
    (Kind.STYLE, lambda host: f"<style>@import url(\"data:text/css,@import%20'//{host}/a.css'\");</style>"),
    (Kind.STYLE, lambda host: f"<svg><style>a {{ fill: url(//{host}/p.svg#a) }}</style></svg>"),
    (Kind.STYLE, lambda host: f"<svg><use href=#a mask='url(//{host}/p.svg#a)'/></svg>"),
    # elsewhere
    (Kind.PIXEL, lambda host: f"<noscript><img src=//{host}/p.gif></noscript>"),
    (Kind.STYLE, lambda host: f"<noscript><style>a {{ b: url(//{host}/p.gif) }}</style></noscript>"),
    (Kind.PIXEL, lambda host: f"<![if !IE]><img src=//{host}/p.gif><![endif]>"),
    (Kind.PIXEL, lambda host: f"<!--[if !IE]><!--><img src=//{host}/p.gif><!--<![endif]-->"),
    (Kind.PIXEL, lambda host: f"<?php print '?><img src=//{host}/p.gif>"),
    (Kind.PIXEL, lambda host: f"<template shadowrootmode=open><img src=//{host}/p.gif></template>"),
    (
        Kind.PIXEL,
        lambda host: (
            f"<template shadowrootmode=Closed><b><template shadowrootmode=open><img src=//{host}/p></template></b></template>"
        ),
    ),
    (Kind.SCRIPT, lambda host: f"<select><xmp><script src=//{host}/a.js></script></xmp></select>"),
    (Kind.SCRIPT, lambda host: f"<select><option>a<title><script src=//{host}/a.js></script></title></select>"),
    (Kind.PIXEL, lambda host: f"<select><style>a {{ b: c }}<img src=//{host}/p.gif></style></select>"),
    (Kind.STYLE, lambda host: f"<select><style>a {{ b: url(//{host}/p.gif) }}</style></select>"),
    (Kind.PIXEL, lambda host: f"<select><noembed><img src=//{host}/p.gif></noembed></select>"),
    (Kind.PIXEL, lambda host: f"<select><plaintext><img src=//{host}/p.gif>"),
    (Kind.IFRAME, lambda host: f"<frameset><xmp><frame src=//{host}/></xmp></frameset>"),
    (Kind.IFRAME, lambda host: f"<frameset></frameset><noembed><iframe src=//{host}/></iframe></noembed>"),
    (Kind.SCRIPT, lambda host: f"<script data-src='data:text/javascript;base64,{encoded(code(host))}'></script>"),
    (Kind.STYLE, lambda host: f"<style>@import 'data:text/css;base64,{encoded(sheet(host))}';</style>"),
    (
        Kind.INLINE,
        lambda host: f'<script type=importmap>{{"imports": {{"a": "https:\\u002f\\u002f{host}/x"}}}}</script>',
    ),
    (Kind.STYLE, lambda host: f"<svg><path fill='url(//{host}/p.svg#a)'/></svg>"),
    (Kind.STYLE, lambda host: f"<svg><g mask=url(//{host}/p.svg#a) x=y></g></svg>"),
    (Kind.STYLE, lambda host: f"<svg><a filter='u\\72l(//{host}/p.svg#a)'>a</a></svg>"),
    (Kind.STYLE, lambda host: f"<svg><path cursor='&#117;rl(//{host}/p.cur)'/></svg>"),
    (Kind.STYLE, lambda host: f"<svg><line marker-end='url(//{host}/p.svg#a)'/></svg>"),
]


# The same, where the scanner passes over what it would have to tell.
@pytest.mark.parametrize(("kind", "page_of"), WAYS, ids=[page_of("h")[:60] for _, page_of in WAYS])
def test_each_way_to_a_vendor_is_closed_and_the_same_way_to_anybody_else_is_open(
    kind: Kind, page_of: Callable[[str], str]
) -> None:
    """The table is the promise of this product: all ways that markup can express, and nothing else touched."""
    page = f"<!doctype html><p>before{page_of(VENDOR)}".encode()
    whole = rewrite([page])
    out, withheld, degraded = whole
    assert [(fact.kind, fact.vendor) for fact in withheld] == [(kind, "tracker-example")], out
    assert degraded == []
    assert out.startswith(page[: withheld[0].offset]), "what stands before it is not touched"
    assert page.startswith(b"<", withheld[0].offset)
    assert rewrite([page], grant=("marketing",))[0] == page
    for chunks in ([page[at : at + 1] for at in range(len(page))], [page[:40], page[40:]]):
        assert rewrite(chunks) == whole
    neighbour = f"<!doctype html><p>before{page_of(NEIGHBOUR)}".encode()
    assert rewrite([neighbour]) == (neighbour, [], [])


@pytest.mark.parametrize(
    ("page", "tag"),
    [
        (b"<p>\xc3\xa9<script src=//tracker.example/a.js></script>", b"<script src="),
        (b"<p>a<script async>load('//tracker.example/x')</script>", b"<script async>"),
        (b"<body class=a onload=\"load('//tracker.example/x')\">", b"<body class=a"),
        (b"<a href=\"javascript:load('//tracker.example/x')\">a</a>", b"<a href="),
        (b"<p>a<iframe id=a src=//tracker.example/></iframe>", b"<iframe id=a"),
        (b"<p>a<iframe id=a srcdoc='<p>b<img src=//tracker.example/p>'></iframe>", b"<iframe id=a"),
        (b"<p>a<iframe id=a src='data:text/html,<p>b<img src=//tracker.example/p>'></iframe>", b"<iframe id=a"),
        (b"<noscript><p>a<img id=b src=//tracker.example/p></noscript>", b"<img id=b"),
        (b"<noscript><p>a<noscript><img id=b src=//tracker.example/p></noscript></noscript>", b"<img id=b"),
        (b"<noscript><p>a<style>b{c:url(//tracker.example/p)}</style></noscript>", b"<style>"),
        (b"<p>a<img id=b width=9 height=9 src=//tracker.example/p>", b"<img id=b"),
        (b"<link rel=icon href=/a><link rel=preload href=//tracker.example/p>", b"<link rel=preload"),
        (b"<link rel=icon href=/a><link rel=stylesheet href=//tracker.example/p>", b"<link rel=stylesheet"),
        (b"<link rel=icon href=/a><link rel=manifest href=//tracker.example/p>", b"<link rel=manifest"),
        (b"<p>a<style media=all>b{c:d}e{f:url(//tracker.example/p)}</style>", b"<style media=all>"),
        (b"<p>a<p style='b:url(//tracker.example/p)'>", b"<p style="),
        (b"<object><param name=movie value=//tracker.example/a></object>", b"<param name=movie"),
        (b"<video><source src=//tracker.example/a></video>", b"<source src="),
        (b"<form action=https://stats.example/lead><input type=hidden name=visitor value=1></form>", b"<form action="),
        (b"<p>a<a id=b href=/ ping=//tracker.example/p>", b"<a id=b"),
        (b"<p>a<meta http-equiv=refresh content='1;//tracker.example/p'>", b"<meta http-equiv"),
        (b"<select><xmp>a<img id=b src=//tracker.example/p></xmp></select>", b"<img id=b"),
        (b"<select><style>a{}<img id=b src=//tracker.example/p></style></select>", b"<img id=b"),
    ],
)
def test_the_report_tells_where_the_element_stands(page: bytes, tag: bytes) -> None:
    """Whoever reads the log must find it: the place is that of the tag, in bytes of the page."""
    for chunks in chunkings(page):
        _, withheld, _ = rewrite(chunks)
        assert [page[fact.offset :].startswith(tag) for fact in withheld] == [True]


# What loads nothing, or is not the gateway's to judge.
UNTOUCHED = [
    # links and references
    b"<a href=//tracker.example/ download>a</a><area href=//tracker.example/>",
    b"<blockquote cite=//tracker.example/>a</blockquote><q cite=//tracker.example/>a</q><del cite=//tracker.example/>",
    b"<img alt=a longdesc=//tracker.example/>",
    b"<svg><a href=//tracker.example/ xlink:href=//tracker.example/>a</a></svg>",
    b"<link rel=pingback href=//tracker.example/><link rel='alternate' href=//tracker.example/feed>",
    b"<link rel=expect href=#a blocking=render><link rel=author href=//tracker.example/>",
    b"<form action=https://tracker.example/><button formaction=//tracker.example/x>a</button></form>",
    b"<a href='javascript:void(0)'>a</a><a href=jam.html>a</a><form action='javascript:go()'></form>",
    b"<div data-src=//tracker.example/a data-href=//tracker.example/b></div><p data-original=//tracker.example/>",
    b"<object><param name=flashvars value=//tracker.example/a></object>",
    b"<base href=//cdn.example/><base target=x>",
    # other consent platforms' own marks
    b"<script type=text/plain src=//tracker.example/a.js data-cookieconsent=marketing></script>",
    b"<script type=text/plain data-category=analytics data-service=x>statsQueue;stats(1)</script>",
    b"<script type=text/plain class=_iub_cs_activate suppressedsrc=//tracker.example/a.js></script>",
    b"<script type=text/plain class=optanon-category-C0002>statsQueue;stats(1)</script>",
    b"<script type=text/plain data-usercentrics='Stats' src=//stats.example/a.js></script>",
    b"<script type=javascript/blocked src=//tracker.example/a.js></script>",
    b"<script type=text/template data-borlabs-cookie-id=x>statsQueue;stats(1)</script>",
    b"<iframe data-cookieblock-src=//tracker.example/ data-cookieconsent=marketing></iframe>",
    b"<iframe data-cmplz-src=//tracker.example/ class=cmplz-iframe></iframe>",
    b"<iframe data-suppressedsrc=//tracker.example/ class=_iub_cs_activate></iframe>",
    # data
    b'<script type=application/json>{"a": "https://tracker.example/"}</script>',
    b'<script type=application/ld+json>{"@id": "https://tracker.example/"}</script>',
    b"<script src='data:text/csv,load(%22//tracker.example/x%22)'></script>",
    b"<script src='data:image/png,load(%22//tracker.example/x%22)'></script>",
    b"<img src=\"data:image/svg+xml,<svg><image href='//tracker.example/p'/></svg>\">",
    b"<iframe src=\"data:text/plain,<img src='//tracker.example/p'>\"></iframe>",
    b"<script src=\"javascript:load('//tracker.example/x')\"></script>",
    # styles
    b"<style>@namespace url(//tracker.example/); @namespace a '//tracker.example/';</style>",
    b"<style>a { content: 'url(//tracker.example/)'; b: attr(url) }</style>",
    b"<p fill='url(//tracker.example/)' mask='url(//tracker.example/)'>svg's attributes mean nothing here",
    b"<svg><g fill='url(#a)' filter='url(#b)' mask=none></g><use href=#c /></svg>",
    # text
    b"<!--[if IE]><script src=//tracker.example/a.js></script><![endif]-->",
    b"<xmp><script src=//tracker.example/a.js></script></xmp>",
    b"<iframe><script src=//tracker.example/a.js></script></iframe>",
    b"<noembed><img src=//tracker.example/p></noembed><noframes><img src=//tracker.example/p></noframes>",
    b"<frameset><noframes><img src=//tracker.example/p></noframes></frameset>",
    b"<select><option>a</select><xmp><script src=//tracker.example/a.js></script></xmp>",
    b"<select><textarea><script src=//tracker.example/a.js></script></textarea></select>",
    b"<select><style>a { b: c } /* <p> */</style><option>a</select>",
    # templates
    b"<template><img src=//tracker.example/p></template>",
    b"<template shadowrootmode=other><img src=//tracker.example/p></template>",
    b"<template><b><template shadowrootmode=open><img src=//tracker.example/p></template></b></template>",
    b"<template><style>a { b: url(//tracker.example/p) }</style><p onclick=\"load('//tracker.example/x')\"></template>",
]


@pytest.mark.parametrize("page", UNTOUCHED)
def test_what_loads_nothing_stays_as_it_is(page: bytes) -> None:
    """A link, a reference, another consent platform's mark: each looks like a contact, and none is."""
    page = b"<!doctype html>" + page
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])


def test_a_withheld_element_keeps_no_other_way_open() -> None:
    """The frame is withheld for one vendor, and its style would go on contacting another."""
    out, withheld, _ = rewrite([b"<iframe src=//tracker.example/ style='background: url(//stats.example/p)'></iframe>"])
    assert [(fact.kind, fact.vendor) for fact in withheld] == [
        (Kind.IFRAME, "tracker-example"),
        (Kind.STYLE, "stats-example"),
    ]
    assert b'data-consent-vendor="stats-example tracker-example" data-consent-needs="analytics marketing"' in out
    assert b'style="background: url(about:invalid)"' in out


def test_release_waits_for_every_vendor_of_a_style() -> None:
    """It brings all of the attribute back, so that one vendor's yes must not start the other."""
    page = b"<p style='background: url(//tracker.example/a), url(//stats.example/b)'>"
    out, withheld, _ = rewrite([page])
    assert b'data-consent-vendor="stats-example tracker-example"' in out
    assert [(fact.vendor, fact.host) for fact in withheld] == [
        ("tracker-example", "tracker.example"),
        ("stats-example", "stats.example"),
    ]


def test_release_waits_for_all_that_one_vendor_needs() -> None:
    """Two addresses of one vendor may need different things."""
    page = b"<img src=//stats.example/a srcset='//tracker.example/b 2x'>"
    assert b'data-consent-needs="analytics marketing"' in rewrite([page])[0]


@pytest.mark.parametrize(
    "page",
    [
        b"<p data-consent-onclick='go()' data-consent-vendor=x data-consent-needs=necessary>",
        b"<div data-consent-src=//tracker.example/ data-consent-vendor=tracker-example>",
        b"<script type=text/plain data-consent-src=//evil.example/x.js data-consent-vendor=stats-example></script>",
        b"<iframe data-consent-srcdoc='<script>x</script>' DATA-CONSENT-NEEDS=analytics></iframe>",
        b"<template><b data-consent-onclick='go()'></template>",
        b"<noscript><b data-consent-onclick='go()'></noscript>",
    ],
)
def test_marks_in_the_sites_own_markup_are_taken_out_of_force(page: bytes) -> None:
    """Sanitizers let `data-` attributes pass: release must not make handlers and frames of them."""
    expected = re.sub(rb"(?i)data-consent-(?=[a-z])", lambda found: b"data-consent-" + found[0].lower(), page)
    for chunks in chunkings(page):
        out, withheld, _ = rewrite(chunks)
        assert out.lower() == expected.lower()
        assert withheld == []


def test_an_attribute_of_the_sites_own_does_not_take_the_place_of_a_withheld_one() -> None:
    """Of two attributes of one name the first counts, and release would load it."""
    out, _, _ = rewrite([b"<script data-consent-src=//evil.example/x src=//tracker.example/y></script>"])
    assert out.count(b" data-consent-src=") == 1
    assert b" data-consent-src=//tracker.example/y" in out
    assert b" data-consent-data-consent-src=//evil.example/x" in out


def test_what_xml_cannot_lose_stays_inert() -> None:
    """In XML an end tag without its start tag is the end of the page."""
    page = (
        b"<link rel='preconnect' href='//tracker.example'></link><link rel='preconnect' href='//tracker.example'/><p/>"
    )
    out, withheld, _ = rewrite([page], xml=True)
    assert [fact.action for fact in withheld] == [Action.DEFERRED, Action.REMOVED]
    assert out.endswith(b"data-consent-href='//tracker.example'></link><p/>")


@pytest.mark.parametrize("cut", [b"<img src='//tracker.example/", b"<script src='//tracker.example/"])
def test_a_tag_that_the_end_of_a_doubtful_text_cuts_off_is_gone(cut: bytes) -> None:
    """For an older parser the tag goes on behind it, where nobody looked at it."""
    page = b"<select><xmp>" + cut + b"</xmp>x'></select>"
    for chunks in chunkings(page):
        assert rewrite(chunks)[0] == b"<select><xmp></xmp>x'></select>"


def test_a_script_that_its_noscript_cuts_off_keeps_its_text() -> None:
    """It is no tag that was cut off."""
    page = b"<noscript><script>go()</noscript><p>"
    for chunks in chunkings(page):
        assert rewrite(chunks) == (page, [], [])


@pytest.mark.parametrize(
    ("instruction", "stays"),
    [
        (b"<?xml-stylesheet href='//tracker.example/a.css'?>", False),
        (b"<?xml-stylesheet type='text/css' href=\"data:text/css,@import '//tracker.example/a.css'\"?>", False),
        (b"<?xml-stylesheet href='/own.css'?>", True),
        (b"<?xml version='1.0'?>", True),
        (b"<?php print '//tracker.example/'?>", True),
    ],
)
def test_a_style_sheet_that_a_processing_instruction_links_is_withheld(instruction: bytes, *, stays: bool) -> None:
    """An XHTML page may load its style sheets without a single link."""
    page = Page(CATALOGUE.matcher, decision(), "https://site.example/", LIMITS, xml=True)
    assert Markup(page, at=7)._instruction(Piece(Token.RUN, instruction)) == (instruction if stays else b"")
    assert [(fact.kind, fact.action, fact.offset) for fact in page.report.withheld] == (
        [] if stays else [(Kind.STYLESHEET, Action.REMOVED, 7)]
    )


@pytest.mark.parametrize("depth", [1, 3, 4, 5, 5000])
@pytest.mark.parametrize("begin", [b"<noscript>", b"<select><xmp>"])
def test_text_within_text_is_read_down_to_a_depth_and_gone_below_it(begin: bytes, depth: int) -> None:
    """Each level is a parser within a parser; a page must not be able to ask for thousands."""
    page = begin * depth + b"<img src=//tracker.example/p><p>deep"
    out, withheld, degraded = rewrite([page])
    if depth <= 4:
        assert [fact.kind for fact in withheld] == [Kind.PIXEL]
        assert (out.endswith(b"<p>deep"), degraded) == (True, [])
    else:
        assert out == begin * 5
        assert (withheld, degraded) == ([], [Degraded.NESTED_TOO_DEEP])
