"""Markup, token by token: what may stay as it is, and what becomes of the rest.

Noscript content is scanned as markup of its own: a visitor without scripting loads it, a visitor with scripting sees it as
text, and neither may be able to hide the rest of the page from the other's reading. The same goes for `srcdoc` and for HTML
in a `data:` address: documents inside the document. Plain templates are left alone: their content is nothing until a script
clones it.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from urllib.parse import unquote_to_bytes

from gateway.consent.model import OPTIONAL
from gateway.page import css, inert
from gateway.page.attributes import Attribute
from gateway.page.context import Page
from gateway.page.elements import WANTED, Loads, Values, is_code, is_loading_data, loads, seen_size
from gateway.page.encoding import codec_of
from gateway.page.scanner import Piece, Scanner, Token
from gateway.page.texts import HeldText, Script, StyleSheet
from gateway.vendors.match import FormVerdict, Verdict
from gateway.withheld import Action, Degraded, Kind, Withheld

# Tags that neither open text nor change how others are read: a first look can be enough.
_SKIMMED = frozenset(
    {
        *(b"audio", b"embed", b"feimage", b"frame", b"image", b"img", b"input", b"link", b"object", b"source"),
        *(b"track", b"use", b"video"),
    }
)
# Something in the tag may act that is no URL of its element: a handler, a style, a ping, a background.
_MAY_ACT = re.compile(rb"[\t\n\f\r /\"'](?:on|ping|background|style)", re.IGNORECASE)
_MAY_RUN = re.compile(rb"[\t\n\f\r /\"'](?:on|ping|background)", re.IGNORECASE)
# A style in which no URL can hide.
_MAY_FETCH = re.compile(rb"url|src|image-set|[\\&]", re.IGNORECASE)

# What release does not want back: by then the page has loaded what was hinted at, and nobody asks to be sent away.
_REMOVED_KINDS = frozenset({Kind.HINT, Kind.REFRESH})

# Their end tag and content stay behind: the element has to.
_KEPT = frozenset({b"script", b"iframe", b"object", b"video", b"audio"})

# A picture that keeps the place of another: transparent, and of its shape, which style sheets may go by.
_TRANSPARENT = b" src=\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d'/%%3E\""

# Documents within documents: each level at least doubles the length of its quotes, so honest pages have one or two.
_DEPTH_LIMIT = 4

# Who stands for what was not read: nobody less than everybody.
_UNREAD = Verdict("unread", Degraded.NESTED_TOO_DEEP, OPTIONAL)

_DATA_HTML = re.compile(r"\s*data:\s*(?:text/html|application/xhtml\+xml|image/svg\+xml)([^,]*),", re.IGNORECASE)
_DATA_CSS = re.compile(r"\s*data:\s*text/css([^,]*),", re.IGNORECASE)
_JAVASCRIPT = re.compile(r"[\x00-\x20]*j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t\s*:", re.IGNORECASE)


class Markup:
    """One stream of markup: the page itself, what a noscript holds, or a document inside the page. Dead after `close`."""

    def __init__(self, page: Page, *, in_noscript: bool = False, at: int = 0) -> None:
        self._page = page
        self._in_noscript = in_noscript
        self._scanner = Scanner(wanted=WANTED, tag_limit_bytes=page.limits.tag_bytes, xml=page.xml)
        self._at = at  # in the page, of the token in hand
        self._text: HeldText | None = None
        self._text_is_foreign = False
        self._templates = 0
        self._hidden_fields: frozenset[str] = frozenset()
        self._form_marks = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; answers what may go out already."""
        return b"".join(self._rewritten(self._scanner.feed(data)))

    def close(self) -> bytes:
        """The end; answers the rest."""
        rest = b"".join([*self._rewritten(self._scanner.close()), *self._end_of_text()])
        # A tag that noscript cuts off goes on behind it for a visitor without scripting: better no tag at all.
        return b"" if self._in_noscript and rest.startswith(b"<") else rest

    def _rewritten(self, pieces: Iterable[Piece]) -> list[bytes]:
        out: list[bytes] = []
        page = self._page
        for piece in pieces:
            token, raw, name, _, lost = piece
            if self._text is not None and (token is Token.TEXT or (self._text_is_foreign and token <= Token.OPAQUE)):
                out.append(self._text.feed(raw))
            elif token is Token.TEXT:
                out.append(raw)
            else:
                if self._text is not None:
                    out += self._end_of_text()
                if page.near and (token is Token.RUN or token is Token.START):
                    page.look_for_marks(raw)
                if token <= Token.OPAQUE or (token is Token.START and self._is_harmless(name, raw)):
                    out.append(raw)
                else:
                    out += self._tag(piece)
            self._at += len(raw) + lost
        return out

    def _is_harmless(self, name: bytes, raw: bytes) -> bool:
        """A first look at a start tag says that it stays as it is."""
        if name not in WANTED:
            return _MAY_RUN.search(raw) is None and _MAY_FETCH.search(raw) is None
        if name == b"meta":
            lower = raw.lower()
            return b"http-equiv" not in lower and b"charset" not in lower
        return (
            name in _SKIMMED
            and self._page.skims
            and not self._hidden_fields
            and not self._page.matcher.skim.may_concern(raw)
            and _MAY_ACT.search(raw) is None
        )

    def _tag(self, piece: Piece) -> Iterator[bytes]:
        match piece.token:
            case Token.START:
                yield from self._start(piece)
            case Token.END:
                self._end(piece.name)
                yield piece.raw
            case _:
                self._page.report.degraded.append(Degraded.TAG_OVER_LIMIT)
                kind = b' type="text/plain"' if piece.name == b"script" else b""
                yield b"<" + piece.name + kind + b">"

    # -- start tags -------------------------------------------------------------------------------------------------

    def _start(self, piece: Piece) -> Iterator[bytes]:
        found, values = self._page.read(piece.raw)
        if piece.name == b"template" and not piece.foreign:
            self._templates += self._templates > 0 or b"shadowrootmode" not in values
        if self._templates:
            yield piece.raw
            return
        match piece.name:
            case b"base":
                self._settle_base(values)
            case b"meta":
                self._settle_codec(values)
            case b"noscript" if not piece.foreign:
                self._hold(Markup(self._page, in_noscript=True, at=self._at + len(piece.raw)))
            case b"style":
                self._hold(StyleSheet(self._page, at=self._at), foreign=piece.foreign)
            case b"form":
                self._enter_form(values)
        what = loads(piece.name, values, foreign=piece.foreign)
        refused, host = self._refused(what)
        if what is not None and refused:
            yield self._withheld(piece, found, values, what, refused, host)
        elif self._holds_code(piece, values, what):
            self._hold(Script(self._page, piece.raw, found, values, at=self._at))
        else:
            yield self._with_attributes_withheld(piece, found, values)

    def _hold(self, text: HeldText, *, foreign: bool = False) -> None:
        self._text, self._text_is_foreign = text, foreign

    @staticmethod
    def _holds_code(piece: Piece, values: Values, what: Loads | None) -> bool:
        """A script whose text runs: without a src, or in svg, where src means nothing and href is told apart later."""
        if piece.name != b"script" or not (what is None or piece.foreign):
            return False
        return is_code(values, foreign=piece.foreign) or is_loading_data(values)

    def _refused(self, what: Loads | None) -> tuple[tuple[Verdict, ...], str]:
        """Verdicts of all URLs of one element that are refused, at most one a vendor, and the first host refused."""
        by_vendor: dict[str, Verdict] = {}
        first_host = ""
        for text in what.urls if what else ():
            judge = self._page.refused_connection if what is not None and what.connects else self._page.refused_url
            refused, host = judge(text)
            if not host and what is not None and what.kind in (Kind.IFRAME, Kind.OBJECT):
                refused = self._refused_document(text)
            elif not host and what is not None and what.kind is Kind.STYLESHEET:
                refused = self._refused_style_sheet(text)
            for verdict in refused:
                by_vendor.setdefault(verdict.vendor, verdict)
                first_host = first_host or host
        return tuple(by_vendor.values()), first_host

    def _refused_document(self, text: str) -> tuple[Verdict, ...]:
        """What is refused of a document that stands in its own address, as HTML or as code that makes it."""
        code = _JAVASCRIPT.match(text)
        if code is not None:
            return self._page.refused_code(unquote_to_bytes(text[code.end() :]), "script")
        body = _data_body(_DATA_HTML, text)
        inner, _ = self._document_within(body) if body else (self._page.inner(), b"")
        return _verdicts_of(inner.report.withheld)

    def _refused_style_sheet(self, text: str) -> tuple[Verdict, ...]:
        """What is refused of a style sheet that stands in its own address."""
        body = _data_body(_DATA_CSS, text)
        return self._first_refused(fetch.url.decode("utf-8", "replace") for fetch in css.fetches(body))[0]

    def _document_within(self, body: bytes) -> tuple[Page, bytes]:
        """A document inside the page, rewritten; its report is its own. One that lies too deep is refused unread."""
        inner = self._page.inner()
        if inner.depth > _DEPTH_LIMIT:
            inner.report.degraded.append(Degraded.NESTED_TOO_DEEP)
            inner.withhold(Kind.IFRAME, (_UNREAD,), Action.DEFERRED, at=self._at)
            return inner, b""
        markup = Markup(inner, at=self._at)
        return inner, markup.feed(body) + markup.close()

    def _withheld(
        self,
        piece: Piece,
        found: tuple[Attribute, ...],
        values: Values,
        what: Loads,
        refused: tuple[Verdict, ...],
        host: str,
    ) -> bytes:
        removed = what.kind in _REMOVED_KINDS or (self._in_noscript and piece.name in (b"img", b"input"))
        removed = (removed or any(v.action == "remove" for v in refused)) and piece.name not in _KEPT
        action = Action.REMOVED if removed else Action.DEFERRED
        self._page.withhold(what.kind, refused, action, host=host, at=self._at)
        if removed:
            return b""
        added = inert.marks_of(refused)
        if piece.name == b"script":
            added = b' type="text/plain"' + added
        elif piece.name == b"img" and (size := seen_size(values)) is not None:
            added += _TRANSPARENT % size
        return inert.deferred(
            piece.raw,
            found,
            rename=lambda name: name in what.attributes or name.startswith(b"on"),
            added=added,
            name=piece.name,
        )

    # -- attributes of elements that stay -----------------------------------------------------------------------------

    def _with_attributes_withheld(self, piece: Piece, found: tuple[Attribute, ...], values: Values) -> bytes:
        """The start tag of an element that stays, with what of its attributes must not act put out of force."""
        rename: set[bytes] = set()
        verdicts: list[Verdict | FormVerdict] = []
        added = b""
        for name, value in values.items():
            refused, instead = self._refused_attribute(piece.name, name, value)
            if refused:
                rename.add(name)
                verdicts += refused
                added += instead
        is_hidden = piece.name == b"input" and values.get(b"type", "").lower() == "hidden"
        if is_hidden and values.get(b"name", "") in self._hidden_fields:
            rename.add(b"value")
            added += b' value=""' + (b"" if verdicts else self._form_marks)
        if not rename:
            return piece.raw
        if verdicts:
            added = inert.marks_of(verdicts) + added
        return inert.deferred(piece.raw, found, rename=rename.__contains__, added=added, name=piece.name)

    def _refused_attribute(self, element: bytes, name: bytes, value: str) -> tuple[tuple[Verdict, ...], bytes]:
        """What is refused of one attribute, and what stands in its place."""
        instead = b""
        if name.startswith(b"on"):
            kind, (refused, host) = (
                Kind.HANDLER,
                (self._page.refused_code(value.encode("utf-8", "replace"), "handler"), ""),
            )
        elif name == b"ping" and element in (b"a", b"area"):
            kind, (refused, host) = Kind.PING, self._first_refused(value.split())
        elif name == b"background":
            kind, (refused, host) = Kind.IMAGE, self._page.refused_url(value)
        elif name == b"style":
            kind, (refused, host) = (
                Kind.STYLE,
                self._first_refused(
                    fetch.url.decode("utf-8", "replace") for fetch in css.fetches(value.encode("utf-8", "replace"))
                ),
            )
            if refused:
                instead = self._attribute(b"style", self._clean_style(value))
        elif name == b"srcdoc" and element == b"iframe":
            return self._refused_srcdoc(value)
        else:
            return (), b""
        self._page.withhold(kind, refused, Action.DEFERRED, host=host, at=self._at)
        return refused, instead

    def _first_refused(self, urls: Iterable[str]) -> tuple[tuple[Verdict, ...], str]:
        return next((answer for answer in map(self._page.refused_url, urls) if answer[0]), ((), ""))

    def _clean_style(self, value: str) -> str:
        def is_withheld(url: bytes) -> bool:
            return bool(self._page.refused_url(url.decode("utf-8", "replace"))[0])

        return css.without(value.encode("utf-8", "replace"), is_withheld).decode("utf-8", "replace")

    def _refused_srcdoc(self, value: str) -> tuple[tuple[Verdict, ...], bytes]:
        """A document of its own: rewritten like the page. What it withheld is told as standing at this tag."""
        inner, body = self._document_within(value.encode("utf-8", "replace"))
        facts = inner.report.withheld
        self._page.report.withheld += (replace(fact, offset=self._at) for fact in facts)
        self._page.report.degraded += inner.report.degraded
        verdicts = _verdicts_of(facts)
        return verdicts, self._attribute(b"srcdoc", body.decode("utf-8", "replace")) if verdicts else b""

    def _attribute(self, name: bytes, value: str) -> bytes:
        return b' %b="%b"' % (name, html.escape(value).encode(self._page.codec, "xmlcharrefreplace"))

    # -- what start tags change ---------------------------------------------------------------------------------------

    def _enter_form(self, values: Values) -> None:
        """A form inside a form is no form (13.2.6.4.7), so the first one's fields go on."""
        action = self._page.url(values.get(b"action", ""))
        if action is None or self._form_marks:
            return
        attributes_by_name = {name.decode("latin-1"): value for name, value in values.items()}
        refused = [
            verdict
            for verdict in self._page.matcher.form(action, attributes_by_name)
            if verdict.hidden and not self._page.decision.allows(verdict.needs, vendor=verdict.vendor)
        ]
        if refused:
            self._hidden_fields = frozenset(chain.from_iterable(verdict.hidden for verdict in refused))
            self._form_marks = inert.marks_of(refused)
            self._page.withhold(Kind.FORM, refused, Action.DEFERRED, host=action.host, at=self._at)

    def _settle_base(self, values: Values) -> None:
        """The first base with an href counts (4.2.3); it changes every relative URL after it."""
        if self._page.base_is_settled or b"href" not in values:
            return
        self._page.base_is_settled = True
        url = self._page.url(values[b"href"])
        if url is not None:
            self._page.base = url.href
            self._page.settle_skimming()

    def _settle_codec(self, values: Values) -> None:
        """`<meta charset>` tells how URLs are spelt where neither a byte order mark nor the head did."""
        label = values.get(b"charset", "")
        if not label and values.get(b"http-equiv", "").lower() == "content-type":
            label = values.get(b"content", "").lower().partition("charset=")[2].strip("\"' ;")
        codec = codec_of(label) if label and not self._page.codec_is_settled else None
        if codec is not None:
            self._page.codec_is_settled = True
            # 13.2.3.2: a page whose tags could be read so far is not in UTF-16, whatever it says.
            self._page.codec = "utf-8" if codec.startswith("utf-16") else codec

    # -- end tags and text --------------------------------------------------------------------------------------------

    def _end(self, name: bytes) -> None:
        if name == b"template":
            self._templates -= self._templates > 0
        elif name == b"form":
            self._hidden_fields, self._form_marks = frozenset(), b""

    def _end_of_text(self) -> Iterator[bytes]:
        if self._text is not None:
            yield self._text.close()
            self._text = None


def _verdicts_of(facts: Iterable[Withheld]) -> tuple[Verdict, ...]:
    """What a document inside the page withheld, as a reason to withhold its frame."""
    return tuple(Verdict(fact.vendor, fact.rule, fact.needs) for fact in facts)


def _data_body(kind: re.Pattern[str], text: str) -> bytes:
    """What a `data:` address of this kind holds (RFC 2397, Fetch Standard 6); empty where it is none, or is damaged."""
    data = kind.match(text)
    if data is None:
        return b""
    body = unquote_to_bytes(text[data.end() :].encode("utf-8", "replace"))
    if not data[1].strip().lower().endswith("base64"):
        return body
    try:
        return base64.b64decode(re.sub(rb"[^A-Za-z0-9+/]", b"", body) + b"==")
    except binascii.Error:
        return b""
