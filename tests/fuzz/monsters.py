"""Pages that are one thing over and over: tags, values, comments, scripts without end; elements within elements without end."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.withheld import Degraded

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Monster:
    """*unit* over and over, so many *megabytes* of it, between *begin* and *end*.

    *degraded* is what the report must say of it. *hides*: what stands behind it is no markup, for a browser either.
    """

    unit: bytes
    begin: bytes = b""
    end: bytes = b""
    megabytes: float = 2
    degraded: frozenset[Degraded] = frozenset()
    hides: bool = False

    def pieces(self, size: int, *, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """About *size* bytes of it, in pieces that are made as they are asked for."""
        units = max(1, piece_bytes // len(self.unit))
        yield self.begin
        for _ in range(max(1, size // (units * len(self.unit)))):
            # One that ends within a unit, as those of a real stream do.
            yield self.unit * units
        for at in range(0, len(self.end), piece_bytes):
            yield self.end[at : at + piece_bytes]


TAG = frozenset({Degraded.TAG_OVER_LIMIT})
INLINE = frozenset({Degraded.INLINE_OVER_LIMIT})
DEEP = frozenset({Degraded.NESTED_TOO_DEEP})

# As large as the worst that is plausible where it goes through fast; where every byte costs, large enough to be far beyond every
# limit.
MONSTERS = {
    "a page of text": Monster(b"<p class=a>Some text, and a <a href='/link'>link</a>.</p>\n", megabytes=100),
    "a page of one line": Monster(b"text ", megabytes=100),
    "a page of vendors": Monster(b"<p>text</p><img src=//tracker.example/p.gif>" + b" text" * 200, megabytes=10),
    "a comment": Monster(b"comment - ", b"<!--", b"-->", megabytes=50),
    "a comment of dashes": Monster(b"-", b"<!--", b"x-->", megabytes=10),
    "a comment of dashes and marks": Monster(b"--!-", b"<!--", b"x-->", megabytes=10),
    "a comment without an end": Monster(b"<b>", b"<!--", megabytes=20, hides=True),
    "a declaration": Monster(b"doctype ", b"<!", b">", megabytes=50),
    "an instruction": Monster(b"xml ", b"<?", b">", megabytes=50),
    "a CDATA section": Monster(b"]] data ", b"<svg><![CDATA[", b"]]></svg>", megabytes=20),
    "a script": Monster(b"var a = 1; // text\n", b"<script>", b"</script>", megabytes=50, degraded=INLINE),
    "a script of one line": Monster(b"go(1);", b"<script>", b"</script>", megabytes=20, degraded=INLINE),
    "a script of comments": Monster(b"<!-- <script> ", b"<script>", b"--></script>", degraded=INLINE),
    "a script of open comments": Monster(b"\n/*", b"<script>", b"</script>", degraded=INLINE),
    "a script of strings": Monster(b"'//own.example/';", b"<script>", b"</script>", degraded=INLINE),
    "a script without an end": Monster(b"</scrip ", b"<script>", megabytes=20, degraded=INLINE, hides=True),
    "a style sheet": Monster(b"a.b > c { color: red; margin: 0 auto }\n", b"<style>", b"</style>", megabytes=20),
    "a style sheet of addresses": Monster(b"a{b:url(/own.png)}", b"<style>", b"</style>", megabytes=0.5),
    "a style sheet of one rule": Monster(b"url( ", b"<style>a{b:", b"}</style>"),
    "a style sheet of one word": Monster(b"url", b"<style>", b"</style>"),
    "a style sheet of backslashes": Monster(b"\\", b"<style>", b"</style>"),
    "a style sheet of quotes": Monster(b"url'\n", b"<style>", b"</style>"),
    "a style sheet of one string": Monster(b"url", b"<style>a{b:'", b"'}</style>"),
    "a style sheet of one comment": Monster(b"*url", b"<style>/", b"*/</style>"),
    "a style sheet of parentheses": Monster(b"url(a(", b"<style>", b"</style>"),
    "a style sheet of keywords": Monster(b"@import ", b"<style>", b"</style>"),
    "a title": Monster(b"</titl ", b"<title>", b"</title>", megabytes=50),
    "a text area": Monster(b"<img src=//tracker.example/p>", b"<textarea>", b"</textarea>", megabytes=20),
    "plain text": Monster(b"<b>", b"<plaintext>", megabytes=20, hides=True),
    "a noscript": Monster(b"<p>text</p>", b"<noscript>", b"</noscript>", megabytes=10),
    "a value in double quotes": Monster(b"a value ", b'<img alt="', b'">', megabytes=50, degraded=TAG),
    "a value in single quotes": Monster(b"a value ", b"<iframe name='", b"'></iframe>", megabytes=50, degraded=TAG),
    "a value without quotes": Monster(b"value", b"<script src=", b"></script>", megabytes=20, degraded=TAG),
    "a value of references": Monster(b"&amp;", b'<img src="', b'">', degraded=TAG),
    "a value of a plain element": Monster(b"a value ", b'<p title="', b'">', megabytes=50, degraded=TAG),
    "a picture in its own address": Monster(
        b"iVBORw0KGgo", b'<img src="data:image/png;base64,', b'">', megabytes=20, degraded=TAG
    ),
    "a srcset": Monster(b"/a.png 1x, ", b'<img srcset="', b'">', degraded=TAG),
    "a srcset of parentheses": Monster(b"((", b'<img srcset="a ', b'">', degraded=TAG),
    "a style attribute": Monster(b"a:url(b);", b'<p style="', b'">', degraded=TAG, megabytes=0.5),
    "a handler": Monster(b"go(1);", b'<p onclick="', b'">', degraded=TAG),
    "a document in a tag": Monster(b"&lt;p>text", b'<iframe srcdoc="', b'"></iframe>', degraded=TAG),
    "a document in an address": Monster(b"%3Cp>text", b'<iframe src="data:text/html,', b'"></iframe>', degraded=TAG),
    "a name": Monster(b"name", b"<x", b">", megabytes=50, degraded=TAG),
    "a name that begins well": Monster(b"img", b"<img", b">", megabytes=50, degraded=TAG),
    "the name of an attribute": Monster(b"name", b"<img ", b">", megabytes=50, degraded=TAG),
    "the name of a handler": Monster(b"on", b"<p ", b">", megabytes=20, degraded=TAG),
    "a tag of attributes": Monster(b" a=b", b"<img", b">", degraded=TAG, megabytes=0.4),
    "a tag of different attributes": Monster(b" a='1' b=\"2\"/c d=", b"<link", b">", degraded=TAG, megabytes=0.4),
    "a tag of addresses": Monster(b" src=/a.png", b"<img", b">", degraded=TAG, megabytes=0.4),
    "a tag of spaces": Monster(b" ", b"<img", b">", megabytes=50, degraded=TAG),
    "a tag of slashes": Monster(b"/", b"<img", b">", megabytes=20, degraded=TAG),
    "a tag of equals signs": Monster(b"=", b"<img ", b">", megabytes=20, degraded=TAG),
    "a quote that does not close": Monster(b"text > ", b'<img alt="', megabytes=20, degraded=TAG, hides=True),
    "an end tag": Monster(b" a=b", b"</p", b">", megabytes=0.5),
    "tiny tags": Monster(b"<b>", megabytes=3),
    "tiny end tags": Monster(b"</b>", megabytes=4),
    "tiny tags that load": Monster(b"<img>", megabytes=5),
    "tiny scripts": Monster(b"<script></script>"),
    "tiny style sheets": Monster(b"<style></style>"),
    "tiny comments": Monster(b"<!---->", megabytes=5),
    "less-than signs": Monster(b"<", megabytes=10),
    "less-than signs and slashes": Monster(b"</", end=b" >", megabytes=5),
    "begins of declarations": Monster(b"<!", end=b">", megabytes=5),
    "begins of tags": Monster(b"<a ", end=b">", megabytes=3, degraded=TAG),
    "begins of tags that load": Monster(b"<img ", end=b">", degraded=TAG, megabytes=1),
    "ampersands": Monster(b"&", megabytes=20),
    "quotes": Monster(b"'\"", megabytes=20),
    "NULs": Monster(b"\0", megabytes=20),
    "NULs and markup": Monster(b"<\0b\0>\0"),
    "templates in templates": Monster(b"<template>", end=b"</template>" * 100_000, megabytes=1),
    "open templates": Monster(b"<template>", hides=True, megabytes=1),
    "shadow roots": Monster(b"<div><template shadowrootmode=open>", megabytes=0.5),
    "drawings in drawings": Monster(b"<svg>", megabytes=0.5),
    "drawings in drawings that end": Monster(b"<svg>", end=b"</svg>" * 100_000, megabytes=0.5),
    "drawings and paragraphs": Monster(b"<svg></p>", megabytes=0.5),
    "drawings that hold HTML": Monster(b"<svg><foreignObject>", megabytes=1),
    "drawings that are left": Monster(b"<svg><desc><p></svg>", megabytes=0.5),
    "formulas": Monster(b"<math><mi>", megabytes=0.5),
    "noscripts": Monster(b"<noscript>", end=b"</noscript>" * 100_000, megabytes=1, degraded=DEEP),
    "forms": Monster(b"<form>", end=b"</form>" * 100_000, megabytes=0.6),
    "tables": Monster(b"<table><tr><td>", megabytes=2),
    "selects": Monster(b"<select>", megabytes=0.5),
    "frames": Monster(b"<iframe srcdoc='&lt;p>'></iframe>", megabytes=0.3),
    "bases": Monster(b"<base href=/>", megabytes=0.3),
}
