"""Markup, token by token: what may stay as it is, and what becomes of the rest.

Noscript content is scanned as markup of its own: a visitor without scripting loads it, a visitor with scripting sees it as
text, and neither may be able to hide the rest of the page from the other's reading. Documents inside the document are read like the
page (see `nested`). Plain templates are left alone: their content is nothing until a script clones it; only a declarative shadow root
that is in no other template is live.

Where browsers disagree on what is text, both readings count. Inside a `select` older parsers drop the tags of `xmp`, `style`, `title`
and the like and go on with markup, while newer ones take what follows for text; in a frameset all drop them, and the frameset itself
is dropped where the page has begun to say something. There the content of these elements is judged as what it is for the one and
scanned as markup for the other. The content of `iframe`, `noframes` and `noembed` is nobody's markup elsewhere, and stays.
"""

import re
from collections.abc import Iterable, Iterator

from gateway.page import amp, inert
from gateway.page.acting import Acting, may_act
from gateway.page.authors import Authors, Said
from gateway.page.context import Page
from gateway.page.elements import (
    TEXT_OR_MARKUP,
    WANTED,
    Loads,
    Values,
    is_loading_data,
    loads,
    runs_code,
    seen_size,
    style_sheet_of,
)
from gateway.page.encoding import codec_of
from gateway.page.forms import Forms
from gateway.page.long_tag import Judges, LongTag
from gateway.page.nested import Nested
from gateway.page.scanner import Piece, Scanner, Token
from gateway.page.texts import Both, Gone, HeldText, Script, StyleSheet, WaitingStyleSheet
from gateway.vendors.match import Verdict
from gateway.withheld import Action, Degraded, Kind

# Tags that neither open text nor change how others are read: a first look can be enough.
_SKIMMED = frozenset(
    {
        *(b"audio", b"embed", b"feimage", b"frame", b"image", b"img", b"input", b"link", b"object", b"source"),
        *(b"track", b"use", b"video"),
    }
)
# Something in the tag may act that is no URL of its element: a handler, a style, a ping, a background; or the author speaks.
_ACTS = rb"on|ping|background|attributionsrc|data-b|formaction|data-consent-|(?:xlink:)?href[\t\n\f\r ]*=[\"'\x00-\x20]*[jJ&]"
_MAY_RUN = re.compile(rb"[\t\n\f\r /\"'](?:" + _ACTS + rb")", re.IGNORECASE)
# Or an address holds a document or a style sheet itself, which may be encoded.
_MAY_ACT = re.compile(
    rb"[\t\n\f\r /\"'](?:style|data-consent|" + _ACTS + rb")|data:(?!image/(?!svg)|font/)", re.IGNORECASE
)
# A style in which no URL can hide.
_MAY_FETCH = re.compile(rb"url|src|image\(|image-set|--|[\\&]", re.IGNORECASE)

# What release does not want back: by then the page has loaded what was hinted at, and nobody asks to be sent away.
_REMOVED_KINDS = frozenset({Kind.HINT, Kind.REFRESH})

# Elements that can go without a trace: neither content nor an end tag stays behind.
_VOID = frozenset(
    {
        *(b"bgsound", b"embed", b"frame", b"image", b"img", b"input", b"link", b"meta", b"param", b"source", b"track"),
        *(b"animate", b"feimage", b"set", b"use"),
    }
)
# What a visitor without scripting gets in place of a script is a pixel, and no picture.
_PIXELS_OF_NOSCRIPT = frozenset({b"img", b"image", b"input"})

# Text that is markup for some, within such text: one level is what honest pages have. What lies deeper goes.
_TEXT_DEPTH_LIMIT = 4

# A picture that keeps the place of another: transparent, and of its shape, which style sheets may go by.
_TRANSPARENT = b" src=\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d'/%%3E\""


class Markup:
    """One stream of markup: the page itself, the text of an element, or a document inside the page. Dead after `close`.

    *within* are the elements whose text this is, the innermost last, for those who take it for markup; *waits* what the author's fences
    around ask for; *at* the place of the first byte in the page.
    """

    def __init__(
        self, page: Page, *, within: tuple[bytes, ...] = (), waits: tuple[Verdict, ...] = (), at: int = 0
    ) -> None:
        self._page = page
        self._within = within
        self._scanner = Scanner(
            wanted=WANTED,
            tag_limit_bytes=page.limits.tag_bytes,
            traces=page.matcher.traces,
            may_run=page.may_run,
            xml=page.xml,
        )
        self._scanner.quick = page.skims
        self._at = at  # in the page, of the token in hand
        self._text: HeldText | None = None
        self._text_is_foreign = False
        self._sign_went_out = False
        self._templates = 0
        self._long: LongTag | None = None  # the tag in hand, where it is too long to be whole
        self._passes_long = False  # it stands in a template
        self._ahead = 0  # bytes of it that have passed
        self._in_select = False
        self._in_frameset = False
        self._configured = b""  # an AMP element that is open, whose JSON names what it asks, and whom that waits for
        self._configured_waits: tuple[Verdict, ...] = ()
        self._authors = Authors(page, waits)
        self._nested = Nested(page, lambda inner, at: Markup(inner, at=at))
        self._hidden_fields = Forms(page)
        self._acting = Acting(page, self._nested, self._hidden_fields)

    @property
    def at(self) -> int:
        """The place in the page up to which everything has gone out; in between things no more is known."""
        return self._at

    @property
    def is_at_rest(self) -> bool:
        """Nothing is open that what follows could depend on: no tag, script, template, form, fence."""
        at_rest = self._scanner.is_at_rest and self._scanner.quick and self._text is None
        return at_rest and not (self._authors.is_open or self._long is not None or self._passes_long)

    def pass_by(self, count: int) -> None:
        """The next *count* bytes go another way; at rest only, from one rest to another."""
        self._at += count
        self._sign_went_out = False  # what rests is no such sign

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; answers what may go out already."""
        return b"".join(self._rewritten(self._scanner.feed(data)))

    def close(self) -> bytes:
        """The end; answers the rest."""
        has_text = self._text is not None
        rest = b"".join(self._rewritten(self._scanner.close()))
        long = self._long.close() if self._long is not None else b""
        # A tag that its end cuts off goes on behind it for those who see markup here: better no tag at all.
        if self._within and not has_text and rest.startswith(b"<"):
            rest = b""
        self._authors.close()
        return rest + long + b"".join(self._end_of_text())

    def _rewritten(self, pieces: Iterable[Piece]) -> list[bytes]:
        out: list[bytes] = []
        page = self._page
        for piece in pieces:
            token, raw, name, _ = piece
            if self._text is not None and (token is Token.TEXT or (self._text_is_foreign and token <= Token.RUN)):
                out.append(self._text.feed(raw))
            elif token is Token.TEXT or token is Token.OPAQUE:
                if self._text is not None:
                    out += self._end_of_text()
                out.append(raw)
            else:
                if self._text is not None:
                    out += self._end_of_text()
                if page.near and (
                    token is Token.START or (token is Token.RUN and raw[1:2].isalpha() and raw[:1] == b"<")
                ):
                    page.look_for_marks(raw)
                if token is Token.RUN or (token is Token.START and self._is_harmless(name, raw)):
                    out.append(raw)
                else:
                    begin = len(out)
                    out += self._tag(piece)
                    is_gone = token is Token.START and self._text is None and not any(out[begin:])
                    if is_gone and self._ends_with_sign(out):
                        out.append(b" ")  # what stood around the tag must not become one
                    self._scanner.quick = page.skims and not (self._templates or self._hidden_fields)
            self._ahead += len(raw)
            if token is not Token.LONG:
                self._at += self._ahead
                self._ahead = 0
        self._sign_went_out = self._ends_with_sign(out)
        return out

    def _ends_with_sign(self, out: list[bytes]) -> bool:
        """What went out last ends with "<", which is text."""
        last = next((part for part in reversed(out) if part), None)
        return self._sign_went_out if last is None else last.endswith(b"<")

    def _is_harmless(self, name: bytes, raw: bytes) -> bool:
        """A first look at a start tag says that it stays as it is."""
        if name not in WANTED:
            return _MAY_RUN.search(raw) is None and _MAY_FETCH.search(raw) is None
        if name == b"meta":
            lower = raw.lower()
            settled = self._page.codec_is_settled or (b"charset" not in lower and b"http-equiv" not in lower)
            is_pragma = b"http-equiv" in lower and (b"refresh" in lower or b"&" in lower)
            return settled and not is_pragma and _MAY_ACT.search(raw) is None
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
            case Token.COMMENT:
                self._comment(piece)
                yield piece.raw
            case Token.INSTRUCTION:
                yield self._instruction(piece)
            case _:
                yield self._more_of_long_tag(piece)

    def _more_of_long_tag(self, piece: Piece) -> bytes:
        """A start tag beyond the limit, in pieces."""
        is_end = piece.token is Token.LONG_END
        if self._long is None and not self._passes_long:
            self._passes_long = self._templates > 0 and not self._authors.waits
            self._templates += piece.name == b"template" and not piece.foreign and self._templates > 0
        if self._passes_long:
            self._passes_long = not is_end
            return piece.raw
        if self._long is None:
            at = self._at
            judges = Judges(
                refused=self._refused,
                action=self._action,
                document=lambda: self._nested.open(at=at),
                acting=self._acting,
                nested=self._nested,
                forms=self._hidden_fields,
                authors=self._authors,
            )
            self._long = LongTag(
                self._page, judges, name=piece.name, foreign=piece.foreign, in_text=bool(self._within), at=at
            )
        out = self._long.feed(piece.raw)
        if is_end:
            long, self._long = self._long, None
            out += long.close()
            self._end_of_long_tag(piece, long)
        return out

    def _end_of_long_tag(self, piece: Piece, long: LongTag) -> None:
        values, waits = long.values, long.said.waits
        if piece.name == b"template" and not piece.foreign and not self._templates:
            self._templates += not _is_shadow_root(values)
        if not self._templates:
            self._note(piece, values, long.said)
        if piece.name in amp.CONFIGURED:
            self._configured, self._configured_waits = piece.name, long.waits
            self._settle_skimming()
        if long.said.ignored:
            return
        if piece.name == b"script":
            text: HeldText | None = long.held_text(self._configured_waits if self._configured else None)
        else:
            tag = inert.Tag(b"", piece.name, ())
            text = self._text_of(piece, tag, values, waits)
            if isinstance(text, WaitingStyleSheet):
                text = StyleSheet(self._page, lambda url: self._refused_fetch(url, waits), at=self._at)
        self._text, self._text_is_foreign = text, piece.foreign and text is not None and piece.name == b"style"

    def _comment(self, piece: Piece) -> None:
        """A whole comment in which an author may speak; it stays as it is."""
        self._authors.comment(piece.raw)
        self._settle_skimming()

    def _instruction(self, piece: Piece) -> bytes:
        """What goes out of a whole processing instruction of an XML document: one that links a style sheet loads it."""
        url = style_sheet_of(piece.raw, self._page.codec)
        if not url:
            return piece.raw
        refused, host = self._refused(Loads(Kind.STYLESHEET, (url,), frozenset()), self._authors.waits)
        self._page.withhold(Kind.STYLESHEET, refused, Action.REMOVED, host=host, at=self._at)
        return b"" if refused else piece.raw

    # -- start tags -------------------------------------------------------------------------------------------------

    def _start(self, piece: Piece) -> Iterator[bytes]:
        found, values = self._page.read(piece.raw)
        tag = inert.Tag(piece.raw, piece.name, found)
        what = loads(piece.name, values, foreign=piece.foreign)
        said = self._authors.said(values, loads=what is not None or piece.name == b"script")
        if piece.name == b"template" and not piece.foreign:
            self._templates += self._templates > 0 or not _is_shadow_root(values)
        if not self._templates:
            self._note(piece, values, said)
        if said.ignored or (self._templates and not said.waits):
            yield tag.render()
            return
        refused = self._withheld(piece, tag, values, what, said.waits)
        if refused is None:
            return
        self._withhold_attributes(piece, tag, values, said.waits)
        if piece.name in amp.CONFIGURED:
            self._configured, self._configured_waits = piece.name, refused
            self._settle_skimming()
        text = self._text_of(piece, tag, values, said.waits)
        if not isinstance(text, (Script, WaitingStyleSheet)):  # these let the tag go with its text
            yield tag.render()
        self._text, self._text_is_foreign = text, piece.foreign and text is not None and piece.name == b"style"

    def _withheld(
        self, piece: Piece, tag: inert.Tag, values: Values, what: Loads | None, waits: tuple[Verdict, ...]
    ) -> tuple[Verdict, ...] | None:
        """Put out of force what the element loads, and answer whom it waits for; None where the element is gone."""
        refused, host = self._refused(what, waits) if what is not None else ((), "")
        if what is None or not refused:
            return ()
        # In XML an end tag without its start tag is the end of the page.
        may_go = not piece.foreign or piece.raw.endswith(b"/>")
        action = self._action(piece.name, what.kind, refused) if may_go else Action.DEFERRED
        self._page.withhold(what.kind, refused, action, host=host, at=self._at)
        if action is Action.REMOVED:
            return None
        put = b""
        if piece.name == b"script":
            tag.make_text()
        elif piece.name in (b"img", b"image") and not piece.foreign and (size := seen_size(values)) is not None:
            put = _TRANSPARENT % size
        tag.withhold(what.attributes | tag.handlers, refused, put=put)
        return refused

    def _action(self, element: bytes, kind: Kind, refused: tuple[Verdict, ...]) -> Action:
        """What becomes of an element of which something is refused."""
        removed = kind in _REMOVED_KINDS or any(verdict.action == "remove" for verdict in refused)
        removed = removed or (self._within[-1:] == (b"noscript",) and element in _PIXELS_OF_NOSCRIPT)
        return Action.REMOVED if removed and element in _VOID else Action.DEFERRED

    def _refused(self, what: Loads, waits: tuple[Verdict, ...]) -> tuple[tuple[Verdict, ...], str]:
        """Verdicts of all URLs of one element that are refused, one a vendor, and the first host refused.

        *waits* count where the element loads anything at all.
        """
        verdicts: list[Verdict] = []
        first_host = ""
        judge = self._page.refused_connection if what.connects else self._page.refused_url
        for text in what.urls:
            refused, host = judge(text)
            verdicts += refused if host else self._nested.refused(text, what.kind, at=self._at)
            if not first_host and (refused or (waits and self._acting.loads(text))):
                first_host = host
        if waits and (what.always or first_host or any(self._nested.holds_code(url, what.kind) for url in what.urls)):
            verdicts[:0] = waits
        return inert.one_a_vendor(verdicts), first_host

    def _withhold_attributes(self, piece: Piece, tag: inert.Tag, values: Values, waits: tuple[Verdict, ...]) -> None:
        """Put out of force what else in the tag must not act."""
        for name, value in values.items():
            if may_act(name) and tag.acts(name):
                refused = self._acting.refused(piece.name, name, value, foreign=piece.foreign, waits=waits, at=self._at)
                if refused.verdicts:
                    tag.withhold((name,), refused.verdicts, put=refused.put)
        if piece.name == b"input" and (emptied := self._hidden_fields.emptied_for(values)):
            tag.withhold((b"value",), emptied, put=b' value=""')

    def _text_of(self, piece: Piece, tag: inert.Tag, values: Values, waits: tuple[Verdict, ...]) -> HeldText | None:
        """What the text of this element has to go through, if anything."""
        page, at = self._page, self._at
        if piece.name == b"script":
            if tag.is_text:
                return None
            if runs_code(values, foreign=piece.foreign):
                return Script(page, tag, at=at, waits=waits)
            if is_loading_data(values, configures=bool(self._configured)):
                return Script(page, tag, at=at, waits=(*waits, *self._configured_waits), is_data=True)
            return None
        if piece.name == b"noscript" and not piece.foreign:
            return self._text_as_markup(piece, waits)
        may_be_markup = not piece.foreign and piece.name in TEXT_OR_MARKUP
        # Noframes is text in a frameset, too.
        may_be_markup = may_be_markup and (
            self._in_select or self._scanner.in_doubt or (self._in_frameset and piece.name != b"noframes")
        )
        markup = self._text_as_markup(piece, waits) if may_be_markup else None
        if piece.name != b"style":
            return markup
        if markup is not None:
            return Both(StyleSheet(page, lambda url: self._refused_fetch(url, waits), at=at), markup)
        if waits:
            return WaitingStyleSheet(page, tag, lambda url: self._refused_fetch(url, waits), at=at)
        return StyleSheet(page, self._nested.refused_fetch, at=at)

    def _text_as_markup(self, piece: Piece, waits: tuple[Verdict, ...]) -> HeldText:
        if len(self._within) == _TEXT_DEPTH_LIMIT:
            self._page.report.degraded.append(Degraded.NESTED_TOO_DEEP)
            return Gone()
        return Markup(
            self._page, within=(*self._within, piece.name), waits=waits, at=self._at + self._ahead + len(piece.raw)
        )

    def _refused_fetch(self, url: str, waits: tuple[Verdict, ...]) -> tuple[tuple[Verdict, ...], str]:
        """What is refused of one URL of a style sheet that waits for the author."""
        refused, host = self._nested.refused_fetch(url)
        return inert.one_a_vendor((*(waits if self._acting.loads(url) else ()), *refused)), host

    # -- what tags change ---------------------------------------------------------------------------------------------

    def _note(self, piece: Piece, values: Values, said: Said) -> None:
        match piece.name:
            case b"base":
                self._settle_base(values)
            case b"meta":
                self._settle_codec(values)
            case b"form" if not said.ignored:
                self._hidden_fields.enter(values, at=self._at)
            case b"select" if not piece.foreign:
                self._in_select = True
                self._settle_skimming()
            case b"frameset" if not piece.foreign:
                self._in_frameset = True
                self._settle_skimming()

    def _end(self, name: bytes) -> None:
        if name == b"template":
            self._templates -= self._templates > 0
        elif name == b"form":
            self._hidden_fields.leave()
        elif name == b"select":
            self._in_select = False
            self._settle_skimming()
        elif name == self._configured:
            self._configured, self._configured_waits = b"", ()
            self._settle_skimming()

    def _settle_skimming(self) -> None:
        """A first look at a tag is enough where no fence is withheld, and where no end tag must be seen."""
        self._page.settle_skimming()
        if self._authors.waits or self._in_select or self._in_frameset or self._configured:
            self._page.skims = False

    def _settle_base(self, values: Values) -> None:
        """The first base with an href counts (4.2.3); it changes every relative URL after it."""
        if self._page.base_is_settled or b"href" not in values:
            return
        self._page.base_is_settled = True
        url = self._page.url(values[b"href"])
        if url is not None:
            self._page.base = url.href
            self._settle_skimming()

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

    def _end_of_text(self) -> Iterator[bytes]:
        if self._text is not None:
            text, self._text = self._text, None
            yield text.close()
            if isinstance(text, (Markup, Both)):
                self._settle_skimming()


def _is_shadow_root(values: Values) -> bool:
    """A declarative shadow root is live; with another value, or none, it is a template (4.12.3)."""
    return values.get(b"shadowrootmode", "").lower() in ("open", "closed")
