"""What fuzzing has found: each fault with a small input. Those in KNOWN are not mended yet; all others must stay mended.

A run looks for new ones: what it finds it shortens until nothing can be left out, and what remains shows the cause. Whatever breaks
the law of a known fault and looks like it is counted as that one. `tests/test_fuzz.py` expects known faults to fail, strictly:
whoever mends one takes its line out of KNOWN.
"""

import base64
import re
from dataclasses import dataclass
from typing import Any

from gateway.page.rewriter import PageLimits
from tests.fuzz import charsets, page, urls
from tests.fuzz.case import Case
from tests.fuzz.vendors import LARGE, SMALL


@dataclass(frozen=True, slots=True)
class Found:
    """An input that broke a law of *target*."""

    target: str
    case: Case[Any]


@dataclass(frozen=True, slots=True)
class Known:
    """The *law* that a fault breaks, or the begin of its name, and how all inputs *look*, once they are shortened, that break it so."""

    law: str
    looks: str


def explanation(target: str, smallest: bytes, law: str) -> str | None:
    """The known fault that is behind an input; None where it is a new one."""
    for name, known in KNOWN.items():
        same_kind = target == FOUND[name].target or {target, FOUND[name].target} == {"page", "charsets"}
        # Pages in UTF-16 are pages all the same.
        alike = re.search(known.looks.encode(), smallest.replace(b"\0", b""), re.DOTALL | re.IGNORECASE)
        if same_kind and law.startswith(known.law) and alike is not None:
            return name
    return None


def _page(text: str, *, limits: PageLimits = LARGE, xml: bool = False, cutting: bytes = b"") -> Found:
    return Found("page", Case(text.encode(), page.How(cutting, limits, xml)))


def _css(text: str) -> Found:
    return Found("css", Case(text.encode(), None))


def _charset(given: bytes, label: str) -> Found:
    return Found("charsets", Case(given, charsets.How(label)))


def _srcset(text: str) -> Found:
    return Found("urls", Case(text.encode(), urls.How(urls.check_srcset)))


def _document(text: str) -> Found:
    return Found("urls", Case(text.encode(), urls.How(urls.check_data_document)))


_PIXEL = "<img src=https://tracker.example/t>"
_IMPORT = "@import 'https://tracker.example/t'"
_XHTML = "<html xmlns='http://www.w3.org/1999/xhtml'><img src='https://tracker.example/t'/></html>"
_PREFIXED = "<h:html xmlns:h='http://www.w3.org/1999/xhtml'><h:img src='https://tracker.example/t'/></h:html>"
_UTF_16 = "".join(f"%{byte:02X}" for byte in _PIXEL.encode("utf-16-le"))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FOUND: dict[str, Found] = {
    # elements and attributes
    "HTML's image": _page("<image src=//tracker.example/t>"),
    "a dictionary": _page("<link rel=compression-dictionary href=//tracker.example/t>"),
    "a paint of svg": _page('<svg><rect mask="url(//tracker.example/t)">'),
    "a paint that is animated": _page('<svg><rect><set attributeName=mask to="url(//tracker.example/t)">'),
    "a paint of svg itself": _page('<svg mask="url(//tracker.example/t)">'),
    "a paint of an element that HTML has too": _page('<svg><caption fill="url(//tracker.example/t)">'),
    "a style of an element that is withheld": _page(
        '<iframe src=//tracker.example/ style="a:url(//tracker.example/t)">'
    ),
    "a style of a script": _page('<script style="a:url(//tracker.example/t)"></script>'),
    "a style of a template": _page('<template style="a:url(//tracker.example/t)">'),
    "a style of a meta": _page('<meta style="a:url(//tracker.example/t)">'),
    "a handler of a template": _page("<template onclick=\"go('//tracker.example/t')\">"),
    "a script of data": _page("<script src=\"data:text/javascript,go('https://tracker.example/t')\"></script>"),
    "an object of data": _page(f'<object data="data:text/html;base64,{_base64(_PIXEL)}">'),
    "a style sheet of data": _page(f'<link rel=stylesheet href="data:text/css;base64,{_base64(_IMPORT)}">'),
    "an import of data": _page('<style>@import "data:text/css,@import %22https://tracker.example/t%22"</style>'),
    "a tag that stood between": _page("<<link rel=preconnect href=//tracker.example>img src=//tracker.example/t>"),
    "a tag that stood between, in pieces": _page(
        "<<link rel=preconnect href=//tracker.example>img src=//tracker.example/t>", cutting=b"\3"
    ),
    "a base in svg": _page("<svg><base href=/x/></svg><base href=//tracker.example/><img src=a>"),
    "a base that is moved": _page(
        "<table><tr><td><base href=/x/></td></tr><base href=//tracker.example/></table><img src=a>"
    ),
    "a ping of a long tag": _page(f"<area {'a ' * 120}ping=//tracker.example/t>", limits=SMALL),
    "a paint of a long tag": _page(f"<svg><rect {'a ' * 120}mask='url(//tracker.example/t)'>", limits=SMALL),
    # structure
    "a script in a script of svg": _page('<svg><script><script>go("//tracker.example/t")</script>'),
    "a style sheet in a script of svg": _page("<svg><script><style>a{b:url(//tracker.example/t)}"),
    "a style sheet in a script of XHTML": _page(
        "<html xmlns='http://www.w3.org/1999/xhtml'><script><style>a{b:url(//tracker.example/t)}</style></script></html>",
        xml=True,
    ),
    "svg that an ancestor ends": _page('<div><svg></div><title><img alt="</title><img src=//tracker.example/t>">'),
    "a script behind svg that an ancestor ends": _page(
        '<div><svg></div><script>"<div>";go("//tracker.example/t")</script>'
    ),
    "an end tag that ends no foreignObject": _page(
        "<svg><foreignObject><b></foreignObject><title><textarea></title><img src=//tracker.example/t></textarea>"
    ),
    "an end tag in svg of nothing that is open": _page("<svg></x><image href=//tracker.example/t>"),
    "an element in a style sheet of svg": _page("<svg><style>a{b:url(//tracker.example<b></b>/t)}</style>"),
    "a style sheet of svg in doubt, in pieces": _page("<svg><style>--</m><s''\"http://stats.example/>", cutting=b"\3"),
    "references in a script of svg": _page("<svg><script>go(&quot;//tracker.example/t&quot;)</script></svg>"),
    "references in a style sheet of svg": _page("<svg><style>a{b:u&#114;l(//tracker.example/t)}</style></svg>"),
    "math in svg": _page("<svg><math><annotation-xml><image href=//tracker.example/t>"),
    "a template that ends svg": _page(
        '<template><svg></template><title><img alt="</title><img src=//tracker.example/t>">'
    ),
    "a title in a frameset": _page("<frameset><title><frame src=//tracker.example/t></title>"),
    "a script in a frameset": _page("<frameset><script><frame src=//tracker.example/t></script>"),
    "a style sheet that noscript cuts off": _page(
        "<noscript><style></noscript><textarea></style><img src=//tracker.example/t></textarea>"
    ),
    "a comment that noscript cuts off": _page(
        "<noscript><!--</noscript><textarea>--><img src=//tracker.example/t></textarea>"
    ),
    "a noscript that goes on behind a template": _page("<template><noscript></template><img src=//tracker.example/t>"),
    "a sign at the end of a noscript": _page("<noscript>1 <"),
    # style sheets
    "an escape before a comment": _css(r"a{b:\/*;c:url(//tracker.example/t)}"),
    "an escaped quote": _css(r".it\'s{a:b} c{d:url(//tracker.example/t)}"),
    "a backslash at the end of a string": _css("a{b:image-set('//tracker.example/t\\"),
    "a backslash at the end of an address": _css("a{b:url(//tracker.example/t\\"),
    "an escape before the end of a line": _css('a{b:"\\0\r";c:url(//tracker.example/t)}'),
    "a mark of comments before an address": _css(
        "a{b:url(//tracker.example/c.css)<!--url(a\")@import'//tracker.example/c.css'"
    ),
    "an at-rule that is called url": _css("@url(a')')b{c:image-set('//tracker.example/t')}"),
    # addresses
    "parentheses in a srcset": _srcset("a ((), //tracker.example/t 2x"),
    "a scheme with a tab": _document(f"<iframe src='da\tta:text/html,{_PIXEL}'></iframe>"),
    "a control character before the scheme": _document(f"<iframe src='\x01data:text/html,{_PIXEL}'></iframe>"),
    "a charset that ends in base64": _document(f"<iframe src='data:text/html;charset=xbase64,{_PIXEL}'></iframe>"),
    "a document in UTF-16 with a mark": _document(f"<iframe src='data:text/html,%FF%FE{_UTF_16}'></iframe>"),
    "a document in UTF-16": _document(f"<iframe src='data:text/html;charset=utf-16le,{_UTF_16}'></iframe>"),
    "a mark of UTF-8 in a document that is called UTF-16": _document(
        f"<iframe src='data:text/html;charset=utf-16le,%EF%BB%BF{_PIXEL}'></iframe>"
    ),
    "a document in ISO-2022-JP": _document(
        f"<iframe src='data:text/html;charset=iso-2022-jp,%1B$B<!--%1B(B{_PIXEL}-->'></iframe>"
    ),
    "a document of XML": _document(f'<iframe src="data:text/xml,{_XHTML}"></iframe>'),
    "a document of names with prefixes": _document(f'<iframe src="data:application/xhtml+xml,{_PREFIXED}"></iframe>'),
    # encodings
    "half a character that is held back": _charset("\ufeff<!--\u20aca".encode("utf-16-le"), ""),
    "ISO-2022-JP by meta": _charset(b"<meta charset=iso-2022-jp>\x1b$B<!--\x1b(B<img src=//tracker.example/t>-->", ""),
    # XHTML
    "a style sheet of an instruction": _page(
        "<?xml-stylesheet href='//tracker.example/c.css'?><html xmlns='http://www.w3.org/1999/xhtml'/>", xml=True
    ),
    "names with prefixes": _page(
        "<h:html xmlns:h='http://www.w3.org/1999/xhtml'><h:img src='//tracker.example/t'/></h:html>", xml=True
    ),
    "an svg name with a prefix": _page(
        "<s:svg xmlns:s='http://www.w3.org/2000/svg'><s:image href='//tracker.example/t'/></s:svg>", xml=True
    ),
    "an attribute with a prefix of its own": _page(
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:l='http://www.w3.org/1999/xlink'><image l:href='//tracker.example/t'/></svg>",
        xml=True,
    ),
    "a script of XHTML that comments part": _page(
        "<html xmlns='http://www.w3.org/1999/xhtml'><script>go('//track<!-- -->er.example/t')</script></html>", xml=True
    ),
    "references in a script of XHTML": _page(
        "<html xmlns='http://www.w3.org/1999/xhtml'><script>go(&quot;//tracker.example/t&quot;)</script></html>",
        xml=True,
    ),
    "references in a style sheet of XHTML": _page(
        "<html xmlns='http://www.w3.org/1999/xhtml'><style>a{b:u&#114;l(//tracker.example/t)}</style></html>", xml=True
    ),
}

KNOWN: dict[str, Known] = {
    "a style sheet of svg in doubt, in pieces": Known("cut", r"<svg.*<style"),
    "a handler of a template": Known("contact by template", r"<template[^>]*on"),
    "a style of a template": Known("contact by template", r"<template[^>]*style"),
    "references in a script of svg": Known("contact by script", r"<svg.*<script[^<]*&"),
    "references in a style sheet of svg": Known("contact by style", r"<svg.*<style[^<]*&"),
    "a base in svg": Known("contact by", r"<(svg|math).*<base"),
    "a base that is moved": Known("contact by", r"<table.*<base"),
    "a script in a script of svg": Known("contact by", r"<svg.*<script.*<"),
    "a style sheet in a script of svg": Known("contact by style", r"<svg.*<script.*<style"),
    "a style sheet in a script of XHTML": Known("contact by", r"<html.*<script.*<"),
    "an end tag that ends no foreignObject": Known(
        "contact by",
        r"<(foreignobject|desc|title|mi|mtext|annotation-xml)\b.*</(foreignobject|desc|title|mi|mtext|annotation-xml)",
    ),
    "an end tag in svg of nothing that is open": Known("contact by", r"<svg[^<]*</\w"),
    "an element in a style sheet of svg": Known("contact by style", r"<svg[^<]*<style[^<]*url[^<]*<\w"),
    "a script in a frameset": Known("contact by", r"<frameset"),
    "a style sheet that noscript cuts off": Known("contact by", r"<noscript.*</noscript"),
    "a comment that noscript cuts off": Known("silent", r"<noscript.*<!--"),
    "a noscript that goes on behind a template": Known("contact by", r"<template.*<noscript"),
    "a sign at the end of a noscript": Known("silent", r"<$"),
    "a backslash at the end of an address": Known("unseen", r"\\$"),
    "an escape before the end of a line": Known("unseen", r"\\[0-9a-f]{1,6}[\r\n]"),
    "a mark of comments before an address": Known("", r"<!--"),
    "an at-rule that is called url": Known("unseen", r"@url\("),
    "a mark of UTF-8 in a document that is called UTF-16": Known("document", r"utf-16.*(%EF%BB%BF|77u/)"),
    "a document of names with prefixes": Known("document", r"data:[^,]*xml"),
    "ISO-2022-JP by meta": Known("contact by", r"iso-2022-jp"),
    "names with prefixes": Known("contact by", r"<(h|svg):"),
    "an svg name with a prefix": Known("contact by", r"<\w+:"),
    "an attribute with a prefix of its own": Known("contact by", r"<svg.* \w+:href"),
    "a script of XHTML that comments part": Known("contact by script", r"<script.*<!--"),
    "references in a script of XHTML": Known("contact by", r"<html.*<script.*&"),
    "references in a style sheet of XHTML": Known("contact by style", r"<html.*<style.*&"),
}
