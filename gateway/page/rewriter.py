"""A page through the gateway: bytes in, bytes out, and what was withheld.

Every element that would contact a vendor who was not agreed to is withheld where it stands: removed where nothing needs it
again (hints, refreshes, pixels for visitors without scripting), deferred where release wants it back. Whatever else the
page holds goes out byte for byte.

Noscript content is scanned as a fragment of its own: a visitor without scripting loads it, a visitor with scripting sees
it as text, and neither may be able to hide the rest of the page from the other's reading. Plain templates are left alone:
their content is nothing until a script clones it.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Literal

from gateway.consent.model import Decision
from gateway.page import inert
from gateway.page.attributes import TAG_REST, Attribute, attributes, decode_references
from gateway.page.elements import WANTED, Loads, Values, is_code, loads
from gateway.page.encoding import Family, codec_of, family_of
from gateway.page.scanner import COMMENT, Piece, Scanner, Token
from gateway.vendors.match import FormVerdict, Matcher, Verdict
from gateway.vendors.patterns import plain_texts
from gateway.vendors.url import Url, parse
from gateway.withheld import Action, Degraded, Kind, Withheld

# Whole tags inside a run of tags nobody asked for: where `near` patterns are looked for.
_TAG = re.compile(rb"<[A-Za-z][^\t\n\f\r />]*+" + TAG_REST)
_COMMENT = re.compile(COMMENT)

# An event handler may stand in the tag.
_HANDLER = re.compile(rb"[\t\n\f\r /\"'][Oo][Nn]")

# Tags that neither open text nor change how others are read: a first look can be enough.
_SKIMMED = frozenset(
    {
        *(b"audio", b"embed", b"feimage", b"frame", b"image", b"img", b"input", b"link", b"object", b"source"),
        *(b"track", b"use", b"video"),
    }
)

# Start tags are repeated within a page and across pages; longer ones are not worth keeping.
_TAGS_REMEMBERED = 4096
_TAG_REMEMBERED_BYTES = 512

# What release does not want back: by then the page has loaded what was hinted at, and nobody asks to be sent away.
_REMOVED_KINDS = frozenset({Kind.HINT, Kind.REFRESH})

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LONGEST_BOM = max(map(len, _BOMS))


class UnreadableCharset(ValueError):
    """The page is in an encoding in which its tags cannot be found."""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Bounds of what is buffered of one page, in bytes."""

    tag_bytes: int
    inline_bytes: int


class Rewriter:
    """Feed it a page in any pieces; what comes out does not depend on the cut. Dead after an error.

    *site* is the page's own address, the base of its URLs; *charset* the label of its Content-Type, empty where none;
    *xml* for application/xhtml+xml. Encodings that cannot be scanned as bytes raise UnreadableCharset here.
    """

    def __init__(
        self,
        *,
        matcher: Matcher,
        decision: Decision,
        site: str,
        charset: str,
        limits: PageLimits,
        xml: bool = False,
    ) -> None:
        if family_of(charset) is Family.UNREADABLE:
            raise UnreadableCharset(charset[:80])
        self._page = _Page(matcher, decision, site, limits, xml=xml)
        self._markup = _Markup(self._page)
        self._label = charset
        self._begin: bytes | None = None if decision.allows_everything else b""
        self._decode: codecs.IncrementalDecoder | None = None
        self._utf_16 = ""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece of the page; answers what may go out already."""
        if self._page.decision.allows_everything:
            return data
        if self._begin is not None:
            self._begin += data
            if len(self._begin) < _LONGEST_BOM:
                return b""
            data = self._settle_encoding(self._begin)
        return self._transcoded(data, final=False)

    def close(self) -> bytes:
        """The end of the page; answers the rest."""
        if self._page.decision.allows_everything:
            return b""
        rest = b"" if self._begin is None else self._settle_encoding(self._begin)
        return self._transcoded(rest, final=True)

    def take_report(self) -> tuple[list[Withheld], list[Degraded]]:
        """What was withheld, and which degraded paths were taken, since the last call."""
        withheld, self._page.withheld = self._page.withheld, []
        degraded, self._page.degraded = self._page.degraded, []
        return withheld, degraded

    def _settle_encoding(self, begin: bytes) -> bytes:
        """A byte order mark wins over the label (HTML Standard, 13.2.3.2)."""
        self._begin = None
        by_mark = next((name for bom, name in _BOMS.items() if begin.startswith(bom)), None)
        codec = by_mark or codec_of(self._label)
        if codec is not None:
            self._page.codec, self._page.codec_is_settled = codec, True
            if codec.startswith("utf-16"):
                self._utf_16 = codec
                # Lone surrogates go through as they are: the page is somebody else's.
                self._decode = codecs.getincrementaldecoder(codec)("surrogatepass")
                self._page.codec = "utf-8"
        return begin

    def _transcoded(self, data: bytes, *, final: bool) -> bytes:
        if self._decode is None:
            out = self._markup.feed(data)
            return out + self._markup.close() if final else out
        out = self._markup.feed(self._decode.decode(data).encode("utf-8", "surrogatepass"))
        if final:
            out += self._markup.close()
        encoded = out.decode("utf-8", "surrogatepass").encode(self._utf_16, "surrogatepass")
        # Half a character at the very end is no markup, but somebody's byte all the same.
        return encoded + self._decode.getstate()[0] if final else encoded


@dataclass(slots=True)
class _Page:
    """What all parts of one page share."""

    matcher: Matcher
    decision: Decision
    site: str
    limits: PageLimits
    xml: bool
    base: str = ""
    site_host: str = ""
    codec: str = "cp1252"
    codec_is_settled: bool = False
    base_is_settled: bool = False
    # Texts of which one stands in every match of a `near` pattern; none once all patterns were seen.
    near: tuple[bytes, ...] = ()
    marks: frozenset[str] = frozenset()
    skims: bool = False
    withheld: list[Withheld] = field(default_factory=list)
    degraded: list[Degraded] = field(default_factory=list)

    def __post_init__(self) -> None:
        url = parse(self.site)
        self.base = url.href if url else self.site
        self.site_host = url.host if url else ""
        self.near = tuple(text.encode() for pattern in self.matcher.near for text in plain_texts(pattern))
        self.settle_skimming()

    def settle_skimming(self) -> None:
        """Whether a first look at a tag can tell, under the base that URLs have now."""
        url = parse(self.base)
        self.skims = url is not None and self.matcher.skim.suits(url.host, url.path, site_host=self.site_host)

    def refused(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        return tuple(v for v in verdicts if not self.decision.allows(v.needs, vendor=v.vendor))

    def url(self, text: str) -> Url | None:
        return parse(text, self.base)

    def report(self, kind: Kind, verdicts: Iterable[Verdict | FormVerdict], action: Action, host: str, at: int) -> None:
        """One fact for each vendor that a thing was withheld from."""
        self.withheld.extend(
            Withheld(kind=kind, vendor=v.vendor, rule=v.rule, needs=v.needs, action=action, host=host, offset=at)
            for v in verdicts
        )

    def look_for_marks(self, raw: bytes) -> None:
        """Remember which `near` patterns stand in a tag of *raw*: of text and comments they say nothing."""
        lower = raw.lower()
        for text in self.near:
            if text in lower:
                break
        else:
            return
        for tag in _TAG.finditer(_COMMENT.sub(b"", raw)):
            # A tag beyond the limit is not looked at here either: whether it came whole is up to the network.
            if len(tag[0]) <= self.limits.tag_bytes:
                self.marks |= self.matcher.marks_in(tag[0])
        if self.marks.issuperset(self.matcher.near):
            self.near = ()

    def read(self, raw: bytes) -> tuple[tuple[Attribute, ...], Values]:
        """The attributes of a start tag, and their values as a browser has them."""
        return (_read_cached if len(raw) <= _TAG_REMEMBERED_BYTES else _read)(raw, self.codec)


def _read(raw: bytes, codec: str) -> tuple[tuple[Attribute, ...], Values]:
    found = tuple(attributes(raw))
    values: dict[bytes, str] = {}
    for attribute in found:
        if attribute.name not in values:
            values[attribute.name] = decode_references(attribute.value.decode(codec, "replace"))
    return found, MappingProxyType(values)


_read_cached = lru_cache(_TAGS_REMEMBERED)(_read)


class _Markup:
    """One stream of markup: the page itself, or what a noscript holds."""

    def __init__(self, page: _Page, *, in_noscript: bool = False, at: int = 0) -> None:
        self._page = page
        self._in_noscript = in_noscript
        self._scanner = Scanner(wanted=WANTED, tag_limit_bytes=page.limits.tag_bytes, xml=page.xml)
        self._at = at  # in the page, of the token in hand
        self._script: _Script | None = None
        self._noscript: _Markup | None = None
        self._templates = 0
        self._hidden_fields: frozenset[str] = frozenset()
        self._form_marks = b""

    def feed(self, data: bytes) -> bytes:
        return b"".join(self._rewritten(self._scanner.feed(data)))

    def close(self) -> bytes:
        rest = b"".join([*self._rewritten(self._scanner.close()), *self._end_of_text()])
        # A tag that noscript cuts off goes on behind it for a visitor without scripting: better no tag at all.
        return b"" if self._in_noscript and rest.startswith(b"<") else rest

    def _rewritten(self, pieces: Iterable[Piece]) -> list[bytes]:
        out: list[bytes] = []
        page = self._page
        for piece in pieces:
            token, raw, name, _, lost = piece
            if token is Token.TEXT:
                out += self._text(piece)
            else:
                if self._script is not None or self._noscript is not None:
                    out += self._end_of_text()
                if page.near and (token is Token.RUN or token is Token.START):
                    page.look_for_marks(raw)
                if (
                    token is Token.RUN
                    or token is Token.OPAQUE
                    or (token is Token.START and self._is_harmless(name, raw))
                ):
                    out.append(raw)
                else:
                    out += self._tag(piece)
            self._at += len(raw) + lost
        return out

    def _is_harmless(self, name: bytes, raw: bytes) -> bool:
        """A first look at a start tag says that it stays as it is."""
        if name == b"meta":
            lower = raw.lower()
            return b"http-equiv" not in lower and b"charset" not in lower
        return (
            name in _SKIMMED
            and self._page.skims
            and not self._hidden_fields
            and not self._page.matcher.skim.may_concern(raw)
            and _HANDLER.search(raw) is None
        )

    def _tag(self, piece: Piece) -> Iterator[bytes]:
        match piece.token:
            case Token.START:
                yield from self._start(piece)
            case Token.END:
                self._end(piece.name)
                yield piece.raw
            case _:
                self._page.degraded.append(Degraded.TAG_OVER_LIMIT)
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
                self._noscript = _Markup(self._page, in_noscript=True, at=self._at + len(piece.raw))
            case b"form":
                self._enter_form(values)
        what = loads(piece.name, values, foreign=piece.foreign)
        refused, host = self._refused_urls(what)
        if what is not None and refused:
            yield self._withheld(piece, found, what, refused, host)
        elif self._holds_code(piece, values, what):
            self._script = _Script(self._page, piece.raw, found, values, at=self._at)
        else:
            yield self._with_handlers_withheld(piece, found, values)

    @staticmethod
    def _holds_code(piece: Piece, values: Values, what: Loads | None) -> bool:
        """A script whose text runs: without a src, or in svg, where src means nothing and href is told apart later."""
        return piece.name == b"script" and is_code(values, foreign=piece.foreign) and (what is None or piece.foreign)

    def _refused_urls(self, what: Loads | None) -> tuple[tuple[Verdict, ...], str]:
        """Verdicts of all URLs of one element that are refused, at most one a vendor, and the first host refused."""
        by_vendor: dict[str, Verdict] = {}
        host = ""
        for text in what.urls if what else ():
            url = self._page.url(text)
            if url is None:
                continue
            verdicts = self._page.matcher.url(url, site_host=self._page.site_host, marks=self._page.marks)
            for verdict in self._page.refused(verdicts):
                by_vendor.setdefault(verdict.vendor, verdict)
                host = host or url.host
        return tuple(by_vendor.values()), host

    def _withheld(
        self, piece: Piece, found: tuple[Attribute, ...], what: Loads, refused: tuple[Verdict, ...], host: str
    ) -> bytes:
        removed = what.kind in _REMOVED_KINDS or (self._in_noscript and piece.name in (b"img", b"input"))
        action = Action.REMOVED if removed or any(v.action == "remove" for v in refused) else Action.DEFERRED
        if piece.name in (b"script", b"iframe", b"object", b"video", b"audio"):
            action = Action.DEFERRED  # their end tag and content stay behind: the element has to
        self._page.report(what.kind, refused, action, host, self._at)
        if action is Action.REMOVED:
            return b""
        return inert.deferred(
            piece.raw,
            found,
            rename=lambda name: name in what.attributes or name.startswith(b"on"),
            added=(b' type="text/plain"' if piece.name == b"script" else b"") + _marks(refused),
            name=piece.name,
        )

    def _with_handlers_withheld(self, piece: Piece, found: tuple[Attribute, ...], values: Values) -> bytes:
        """The start tag of an element that stays: vendor code in its event handlers, and fields of a form, do not."""
        rename: set[bytes] = set()
        verdicts: tuple[Verdict | FormVerdict, ...] = ()
        added = b""
        for name, value in values.items():
            if name.startswith(b"on"):
                refused = _refused_code(self._page, value.encode(), "handler")
                if refused:
                    self._page.report(Kind.HANDLER, refused, Action.DEFERRED, "", self._at)
                    rename.add(name)
                    verdicts += refused
        if rename:
            added = _marks(verdicts)
        is_hidden = piece.name == b"input" and values.get(b"type", "").lower() == "hidden"
        if is_hidden and values.get(b"name", "") in self._hidden_fields:
            rename.add(b"value")
            added = b' value=""' + (added or self._form_marks)
        if not rename:
            return piece.raw
        return inert.deferred(piece.raw, found, rename=rename.__contains__, added=added, name=piece.name)

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
            self._form_marks = _marks(refused)
            self._page.report(Kind.FORM, refused, Action.DEFERRED, action.host, self._at)

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

    # -- end tags and text ------------------------------------------------------------------------------------------

    def _end(self, name: bytes) -> None:
        if name == b"template":
            self._templates -= self._templates > 0
        elif name == b"form":
            self._hidden_fields, self._form_marks = frozenset(), b""

    def _text(self, piece: Piece) -> Iterator[bytes]:
        if self._script is not None:
            yield self._script.feed(piece.raw)
        elif self._noscript is not None:
            yield self._noscript.feed(piece.raw)
        else:
            yield piece.raw

    def _end_of_text(self) -> Iterator[bytes]:
        if self._script is not None:
            yield self._script.close()
            self._script = None
        if self._noscript is not None:
            yield self._noscript.close()
            self._noscript = None


class _Script:
    """An inline script, held back until its whole text is known.

    One that is longer than the limit is judged in windows of that length, each overlapping the next by half. The first
    half goes out when its window was clean; when a later one is not, the script is cut off in a way that no JavaScript
    parser accepts, and so nothing of it runs.
    """

    def __init__(self, page: _Page, raw: bytes, found: tuple[Attribute, ...], values: Values, *, at: int) -> None:
        self._page = page
        self._raw = raw
        self._found = found
        self._handlers = [value for name, value in values.items() if name.startswith(b"on")]
        self._at = at
        self._text = bytearray()
        self._started = False  # the start tag went out as it was
        self._is_inert = False  # the start tag went out deferred: whatever follows is no code
        self._is_cut = False

    def feed(self, data: bytes) -> bytes:
        """More of its text."""
        if self._is_inert:
            return data
        if self._is_cut:
            return b""
        self._text += data
        out = b""
        limit = self._page.limits.inline_bytes
        while len(self._text) > limit and not (self._is_inert or self._is_cut):
            out += self._judge(limit)
        return out

    def close(self) -> bytes:
        """Its end."""
        if self._is_inert or self._is_cut:
            return b""
        return self._judge(len(self._text), last=True)

    def _judge(self, count: int, *, last: bool = False) -> bytes:
        """What may go out of the first *count* bytes; all of them where they are the last, else half."""
        window = bytes(self._text[:count])
        refused = _refused_code(self._page, window, "script")
        if not self._started and not refused:
            for handler in self._handlers:
                refused += _refused_code(self._page, handler.encode(), "handler")
        if not last and not self._started:
            self._page.degraded.append(Degraded.INLINE_OVER_LIMIT)
        if refused:
            return self._refuse(refused)
        begin = b"" if self._started else self._raw
        self._started = True
        clean = bytes(self._text) if last else bytes(self._text[: count // 2])
        del self._text[: len(clean)]
        return begin + clean

    def _refuse(self, refused: tuple[Verdict, ...]) -> bytes:
        if self._started:
            self._is_cut = True
            self._page.report(Kind.INLINE, refused, Action.REMOVED, "", self._at)
            return inert.CUT
        self._is_inert = True
        self._page.report(Kind.INLINE, refused, Action.DEFERRED, "", self._at)
        begin = inert.deferred(
            self._raw,
            self._found,
            rename=lambda name: name == b"type" or name.startswith(b"on"),
            added=b' type="text/plain"' + _marks(refused),
            name=b"script",
        )
        return begin + bytes(self._text)


def _refused_code(page: _Page, code: bytes, where: Literal["script", "handler"]) -> tuple[Verdict, ...]:
    return page.refused(page.matcher.inline(code, where=where, site_host=page.site_host)) if code.strip() else ()


def _marks(verdicts: Iterable[Verdict | FormVerdict]) -> bytes:
    found = tuple(verdicts)
    return inert.marks((v.vendor for v in found), chain.from_iterable(v.needs for v in found))
